"""The comparison as one self-contained page: pictures, charts and tables, nothing fetched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

import numpy as np

from landcover.files import pictures, rasters
from landcover.grid import Window
from landcover.labels.origin import POLYGONS
from landcover.legend import UNLABELLED, Legend
from landcover.reports import accuracy, figures, words, zones
from landcover.reports.comparison import CLASS_INTERVAL_NOTE, confidence_note, distinct_levels
from landcover.reports.records import ComparedModel, Comparison
from landcover.reports.scene_picture import ReadBands, scene_picture, side_px
from landcover.reports.scores import OF_SAMPLES
from landcover.reports.sparse_labels import is_sparse, over_scene
from landcover.reports.tally import TRUTHS, Tally
from landcover.samples.blocks import TEST, Blocks

#: Pictures are thinned to this many pixels on their longer side; a demo scene is shown whole.
PICTURE_PX = 1600
#: With more layers than this the pictures get smaller, so that the page stays light.
MANY_LAYERS = 7
#: Side of the close-up in pixels of the scene.
DETAIL_PX = 160


class Axis(TypedDict):
    """Range and ticks of the ranking chart, as shares."""

    low: float
    high: float
    ticks: list[float]


def html(
    comparison: Comparison,
    layers: Mapping[str, Path],
    scene: Path,
    blocks: Blocks,
    tally: Tally,
    doubt: Mapping[str, np.ndarray] | None = None,
) -> str:
    """The page of a comparison.

    Parameters
    ----------
    comparison : mapping
        As `comparison.facts` makes it.
    layers : mapping
        Class rasters by name: "reference" and "labels", as far as there are any, then the map
        of every model that is compared.
    scene : path
        The scene that was mapped.
    blocks : Blocks
        Its blocks.
    tally : Tally
        Of these layers.
    doubt : mapping of str to array, optional
        Pictures of labels, refined labels and the confidence in labels by title, where models
        learnt refined labels.
    """
    colours = {
        model["name"]: figures.CHART_COLOURS[rank % len(figures.CHART_COLOURS)]
        for rank, model in enumerate(comparison["models"])
    }
    titled = _titled(layers, comparison)
    differ = _where_maps_differ(layers, scene, blocks)
    return words.render(
        "comparison.html",
        c=comparison,
        axis=_axis(comparison),
        colours=colours,
        metrics=accuracy.METRICS,
        pictures=_pictures(scene, titled, tally.legend),
        doubt=[
            _picture("doubt", title, figures.png(picture))
            for title, picture in (doubt or {}).items()
        ],
        folded=figures.fold_note(*rasters.grid_of(scene).shape),
        detail=_gallery(scene, titled, tally.legend, _reader_of(differ), figures.png)
        if differ
        else [],
        labels=tally.nomenclature,
        reach_px=tally.reach_px,
        curves=_learning_curves(comparison, colours),
        reliability=_reliability_curves(comparison, colours),
        confidence_note=confidence_note(comparison),
        class_interval_note=CLASS_INTERVAL_NOTE,
        fitted_to_coarse=comparison["labels_from"] != POLYGONS
        and any(
            model["calibration"] and not _learnt_from_reference(model)
            for model in comparison["models"]
        ),
        zones=zones.ZONES,
        levels=distinct_levels(comparison),
    )


def _learning_curves(comparison: Comparison, colours: Mapping[str, str]) -> list[dict[str, str]]:
    """Learning curves of the networks; what they reach on labels is agreement."""
    return [
        {
            "title": model["title"],
            "svg": figures.learning_curves(
                model["history"],
                colours[model["name"]],
                "accuracy" if _learnt_from_reference(model) else "agreement",
            ),
        }
        for model in comparison["models"]
        if model["history"].get("loss")
    ]


def _learnt_from_reference(model: ComparedModel) -> bool:
    """Whether a model was trained, and judged while training, on the better labels."""
    return model["card"].get("trained_on") == "reference"


def _reliability_curves(comparison: Comparison, colours: Mapping[str, str]) -> list[dict[str, str]]:
    """How far the confidence of every model holds, where its report says so."""
    measure = "share right" if comparison["against"] == "reference" else "share in agreement"
    return [
        {
            "title": model["title"],
            "svg": figures.reliability_curve(
                model["calibration"]["bins"], colours[model["name"]], measure
            ),
        }
        for model in comparison["models"]
        if model["calibration"]
    ]


def _titled(layers: Mapping[str, Path], comparison: Comparison) -> dict[str, tuple[str, Path]]:
    """Title and path of every class raster, in the order shown."""
    titles = {"reference": "Reference", "labels": _title_of_labels(comparison)}
    for model in comparison["models"]:
        titles[model["name"]] = model["title"][0].upper() + model["title"][1:]
    return {name: (title, layers[name]) for name, title in titles.items() if name in layers}


def _title_of_labels(comparison: Comparison) -> str:
    if comparison["scored_on"] in OF_SAMPLES:
        return "Samples of polygons"
    return "Training polygons" if comparison["labels_from"] == POLYGONS else "Labels"


def _axis(comparison: Comparison) -> Axis:
    """Range and ticks of the ranking chart: wide enough for every interval, in steps of 5 %."""
    scores = [model["scores"][comparison["against"]] for model in comparison["models"]]
    if comparison["labels_against_reference"]:
        scores.append(comparison["labels_against_reference"]["scores"])
    values = [
        v for s in scores for v in (s["overall_accuracy"], *(s["overall_accuracy_ci95"] or ()))
    ]
    low = max(0, math.floor(min(values) * 20 - 0.2) * 5)
    high = min(100, math.ceil(max(values) * 20 + 0.2) * 5)
    step = 5 if high - low <= 30 else 10 if high - low <= 60 else 20
    ticks = [tick for tick in range(0, 101, step) if low <= tick <= high]
    return {"low": low / 100, "high": high / 100, "ticks": [tick / 100 for tick in ticks]}


def _pictures(
    scene: Path, layers: Mapping[str, tuple[str, Path]], legend: Legend
) -> list[dict[str, str]]:
    """The scene and every class raster, as data URIs."""
    size = PICTURE_PX if len(layers) <= MANY_LAYERS else PICTURE_PX // 2
    return _gallery(
        scene,
        layers,
        legend,
        lambda path, bands: figures.read_folded(path, min(size, side_px(len(bands))), bands),
        figures.jpeg,
    )


def _reader_of(window: Window) -> ReadBands:
    """A function that reads bands of a raster in a window."""
    return lambda path, bands: rasters.read(path, window, bands)


def _gallery(
    scene: Path,
    layers: Mapping[str, tuple[str, Path]],
    legend: Legend,
    read: ReadBands,
    encode: Callable[[np.ndarray], bytes],
) -> list[dict[str, str]]:
    """The scene and every class raster, read and encoded as told."""
    _, title, picture = scene_picture(scene, read)
    gallery = [_picture("scene", title, encode(picture))]
    for layer, (title, path) in layers.items():
        codes = read(path, [1])[0]
        shown = layer in TRUTHS and is_sparse(codes)
        drawn = encode(over_scene(codes, legend, picture)) if shown else None
        gallery.append(_picture(layer, title, drawn or pictures.class_png(codes, legend)))
    return gallery


def _where_maps_differ(layers: Mapping[str, Path], scene: Path, blocks: Blocks) -> Window | None:
    """The window with the most test pixels on which two maps, or map and truth, differ.

    None where the scene is too small for a close-up.
    """
    grid = rasters.grid_of(scene)
    size = min(DETAIL_PX, grid.rows // 2, grid.cols // 2)
    if size < DETAIL_PX // 4:
        return None
    thinned = {name: rasters.read_small(path, PICTURE_PX)[0] for name, path in layers.items()}
    maps = [codes for name, codes in thinned.items() if name not in TRUTHS]
    if len(maps) == 1:
        maps.append(next(thinned[name] for name in TRUTHS if name in thinned))
    differ = np.any([codes != maps[0] for codes in maps[1:]], axis=0)
    differ &= np.all([codes != UNLABELLED for codes in maps], axis=0)
    thin = grid.rows / differ.shape[0]
    rows = (np.arange(differ.shape[0]) * thin).astype(int)[:, np.newaxis]
    cols = (np.arange(differ.shape[1]) * grid.cols / differ.shape[1]).astype(int)[np.newaxis]
    differ &= blocks.split_of(rows, cols) == TEST
    row, col = figures.busiest_square(differ, max(1, int(size / thin)))
    row, col = min(int(row * thin), grid.rows - size), min(int(col * thin), grid.cols - size)
    return Window(row, col, size, size)


def _picture(layer: str, title: str, content: bytes) -> dict[str, str]:
    return {"layer": layer, "title": title, "uri": pictures.data_uri(content)}
