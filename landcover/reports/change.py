"""The page, the picture and the numbers of a change between two dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from landcover import sensors
from landcover.files import rasters
from landcover.files.atomic import Fields, write_together
from landcover.legend import Legend
from landcover.reports import figures, words
from landcover.reports.change_tally import Change

#: Transitions that the picture's legend and the page's table name.
NAMED = 10
#: Smaller changes are not named: nobody would find them in the picture; hectares or pixels.
LEAST_SHOWN = 0.05
#: Longest side of each part of the picture.
PICTURE_PX = 1100


def write_report(
    folder: Path,
    facts: Mapping[str, object],
    result: Change,
    scenes: Sequence[Path],
    codes: Legend,
    classes: str,
) -> list[Path]:
    """Write change.md, change.json and change.png; returns their paths.

    Parameters
    ----------
    folder : path
        Folder with change.tif.
    facts : mapping
        What was compared, and how.
    result : dict
        From `Tally.result`.
    scenes : two paths
        Both dates, in one radiometry where it was compared.
    codes : Legend
        Of change.tif.
    classes : str
        Title of the classes' nomenclature.
    """
    page, data, picture = (folder / f"change.{kind}" for kind in ("md", "json", "png"))
    content: Fields = {**facts, **result, "headline": headline(result)}
    content["notes"] = [note for note in [left_out(content)] if note]
    names = {c["code"]: c["name"] for c in result["classes"]}
    pages: dict[Path, str | bytes] = {
        picture: _picture(folder / "change.tif", facts, result, scenes, codes),
        page: words.render("change.md", c=content, named=NAMED, classes=classes, names=names),
    }
    write_together(pages, data, content)
    return [page, data, picture]


def headline(result: Change) -> str:
    """One sentence on what changed.

    >>> headline({"unit": "ha", "total": 400.0, "transitions": [],
    ...           "changed": {"area": 8.0, "area_ci95": [6.0, 10.0]}})
    'Of 400 ha, 8.0 ha changed class (2.0 %; 95 % interval 6.0–10.0 ha).'
    """
    changed, unit = result["changed"], result["unit"]
    low, high = changed["area_ci95"]
    text = (
        f"Of {_area(result['total'])} {unit}, {_area(changed['area'])} {unit} changed class "
        f"({words.percent(changed['area'] / result['total'])}; 95 % interval "
        f"{_area(low)}–{_area(high)} {unit})."
    )
    if not result["transitions"] or changed["mapped"] == 0:
        return text
    most = max(result["transitions"], key=lambda cell: cell["mapped"])
    names = {c["code"]: f"{c['code']} {c['name']}" for c in result["classes"]}
    return (
        f"{text} Most of what the map shows is {names[most['from']]} → {names[most['to']]}: "
        f"{_area(most['mapped'])} {unit}."
    )


def left_out(content: Fields) -> str | None:
    """A sentence on pixels that are not compared; None where all are.

    >>> left_out({"pixels": 90, "without_data": {"at the earlier date": 10}})
    '10 of 100 pixels are not compared: 10 without data at the earlier date'
    """
    without = content["without_data"]
    if not without:
        return None
    n = sum(without.values())
    why = ", ".join(f"{of:,} without data {when}" for when, of in without.items())
    return f"{n:,} of {content['pixels'] + n:,} pixels are not compared: {why}"


def _area(value: float) -> str:
    """An area in digits that it is worth."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _picture(
    raster: Path,
    facts: Mapping[str, object],
    result: Change,
    scenes: Sequence[Path],
    codes: Legend,
) -> bytes:
    """Before, after and change side by side, with the legend of what changed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    changes = figures.read_folded(raster, PICTURE_PX)[0]
    rows, cols = changes.shape
    wide = cols > 1.6 * rows
    size = (8.0, 3 * 8.0 * rows / cols + 1.8) if wide else (15.0, 5.0 * rows / cols + 1.3)
    figure = Figure(figsize=size, layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.subplots(*((3, 1) if wide else (1, 3)))
    pictures = [*_true_colours(scenes), figures.class_picture(changes, codes)]
    note = figures.fold_note(*rasters.grid_of(raster).shape)
    change = f"change ({note})" if note else "change"
    titles = (f"before: {facts['before']}", f"after: {facts['after']}", change)
    for panel, image, title in zip(axes, pictures, titles, strict=True):
        panel.imshow(image, interpolation="nearest")
        panel.set_title(title, fontsize=9)
        panel.set_axis_off()
    mapped = sorted(result["transitions"], key=lambda t: -t["mapped"])
    shown = [t for t in mapped[:NAMED] if t["mapped"] >= LEAST_SHOWN]
    names = {c["code"]: c for c in result["classes"]}
    handles = [
        Patch(
            color=str(names[t["to"]]["colour"]),
            label=f"{t['from']} → {t['to']} {names[t['to']]['name']}: "
            f"{_area(t['mapped'])} {result['unit']}",
        )
        for t in shown
    ]
    handles.append(Patch(facecolor="#e8e8e8", edgecolor="#9a9a9a", label="unchanged: pale"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2 if wide else 3, fontsize=8,
        frameon=False,
    )  # fmt: skip
    return figures.figure_png(figure, {"Software": None})


def _true_colours(scenes: Sequence[Path]) -> list[np.ndarray]:
    """Both dates in true colour and one stretch; grey of the first band where one is missing."""
    held = [rasters.band_names(scene) for scene in scenes]
    colours = sensors.true_colour_bands(held[0])
    bands = colours if all(set(colours) <= set(names) for names in held) else ()
    bands = bands or (held[0][0],) * 3
    images = [figures.read_folded(scene, PICTURE_PX, bands) for scene in scenes]
    both = figures.true_colour(np.concatenate(images, axis=2), sensors.TRUE_COLOUR_BANDS)
    return [both[:, : images[0].shape[2]], both[:, images[0].shape[2] :]]
