"""Two dates of one place to what changed between them: rasters, patches, areas, picture, page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters, styles
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend, level_of
from landcover.maps import change, smoothing
from landcover.maps.dates import (
    DATES,
    Pair,
    common_legend,
    common_maps,
    maker_of,
    map_pair,
    mapped_pair,
    scene_of,
    trained_on,
)
from landcover.progress import say, track
from landcover.reports.change import write_report
from landcover.reports.change_tally import Tally
from landcover.run import Run, replace_when_whole, versions
from landcover.scene.radiometry import Lines

#: Side of a patch: 640 m, the side of EuroSAT's chips, and more than CORINE's 25 ha.
PATCH_PX = 64
#: Wider ones of all 44 classes would take more than some 500 MB.
MOST_PATCH_PX = 512
#: Side of the windows that probabilities are read by, about; whole patches.
WINDOW_PX = 512
#: Pixels that transitions are estimated from, about, on a regular lattice.
SAMPLE = 100_000
#: Percent, as maps' confidence.
NODATA_PERCENT = 255
#: The rasters among the products.
RASTERS = ("change.tif", "change_probability.tif")


def find_change(
    before: Path,
    after: Path,
    out: Run,
    *,
    model: tuple[Run, str] | None = None,
    maps: str | None = None,
    level: int | None = None,
    patch_px: int = PATCH_PX,
    normalise: bool = True,
) -> list[Path]:
    """Find what changed between two dates of one place.

    Parameters
    ----------
    before, after : path
        Run folders, or scene rasters to be mapped with `model`.
    out : Run
        Folder of the products.
    model : (Run, str), optional
        Run that holds a model, and its name: both scenes are mapped with it, in run folders of
        their own below `out`, after one was brought to the radiometry of the other. That other
        is the scene that the model was trained on, if it is one of the two, and else the first;
        where its run holds the same map already, that is taken.
        Without a model the runs' own maps are compared. The one model that made both does the
        same where it is still there; where it is not, they are taken as they are.
    maps : str, optional
        Whose maps, where runs hold those of several models; not with `model`.
    level : int, optional
        Level of the legend to compare at; that of the maps by default.
    patch_px : int
        Side of the patches that changes are summed by.
    normalise : bool
        Whether radiometry is compared at all. Else the runs' own maps are taken as they are.

    Returns
    -------
    list of Path
        change.md, .json and .png; change.tif, its style, change_probability.tif and
        patches.parquet.

    Raises
    ------
    LandcoverError
        If the dates differ in grid or classes, lack a band or a raster, hold no reflectance, or
        have no pixel in common, or a product would replace one of them. Nothing of these
        products is written then.
    """
    if not 8 <= patch_px <= MOST_PATCH_PX:
        raise LandcoverError(
            f"patches of {patch_px} px are out of range; choose 8 to {MOST_PATCH_PX}"
        )
    scenes = [scene_of(path) for path in (before, after)]
    grid = rasters.grid_of(scenes[0])
    grid.require_equal(rasters.grid_of(scenes[1]), str(scenes[0]), str(scenes[1]))
    if model and maps:
        raise LandcoverError(f"--maps {maps} takes maps that there are; give it without --model")
    name = model[1] if model else maps or common_maps((before, after))
    if model is None and normalise:
        model = maker_of((before, after), name)
    _require_apart(out, (before, after), scenes, model)
    if model is None:
        kept, pair = 0, mapped_pair((before, after), scenes, name, normalise)
        if normalise:
            say(
                f"the maps of {before} and {after} are taken as they are: no model that made both "
                "is at hand to map one anew, so a difference of haze or light can show as change"
            )
    else:
        kept = trained_on(scenes, model[0])
        pair = map_pair((before, after), scenes, out, *model, kept, normalise)
    for date in pair.dates:
        found = rasters.grid_of(date.probabilities)
        grid.require_equal(found, str(scenes[0]), str(date.probabilities))
    legend = common_legend(pair.dates, level)
    level = level_of(legend.codes)
    transitions, scale = _survey(pair, grid, level)
    tally = Tally(legend, grid, patch_px)
    products, codes = _write_rasters(out, pair, transitions, scale, tally)
    products.append(out.path / "patches.parquet")
    with replace_when_whole(products[-1]) as part:
        tally.patches().to_parquet(part, index=False)
    settings = {"model": name, "level": level, "patch_px": patch_px, "normalise": normalise}
    facts = settings | {
        "before": str(before),
        "after": str(after),
        "mapped_here": model is not None,
        "radiometry": pair.lines and _radiometry(pair.lines, pair.bands, kept),
        "versions": versions(),
    }
    shown = [date.scene for date in pair.dates]
    products = [*write_report(out, facts, tally.result(transitions), shown, codes), *products]
    inputs = [*scenes, *(date.probabilities for date in pair.dates)]
    out.record("change", settings, inputs, products)
    return products


def _require_apart(
    out: Run, paths: Sequence[Path], scenes: Sequence[Path], model: tuple[Run, str] | None
) -> None:
    """Raise LandcoverError if products would replace an input, by whatever links it is given."""
    written = [out.path / name for name in RASTERS]
    read = [*paths, *scenes]
    if model is not None:
        runs = [Run(out.path / date) for date in DATES]
        written += [path for run in runs for path in (run.path, run.scene, run.path / "maps")]
        read += [model[0].path, *(path / "maps" for path in paths)]
    for product, held in itertools.product(written, read):
        if product.exists() and held.exists() and product.samefile(held):
            raise LandcoverError(
                f"--out {out.path} would write over the input {held}, by {product}; inputs stay "
                "as they are, so give another --out"
            )


def _survey(pair: Pair, grid: Grid, level: int) -> tuple[change.Transitions, np.ndarray]:
    """Transitions from a regular lattice of pixels, and the contrast of the scenes' bands."""
    step = max(1, round((grid.rows * grid.cols / SAMPLE) ** 0.5))
    drawn: list[list[np.ndarray]] = [[], [], []]
    sums, pairs = np.zeros(2 * len(pair.bands)), np.zeros(2 * len(pair.bands), np.int64)
    for window in track(list(grid.windows(WINDOW_PX)), "estimating transitions"):
        images = pair.images(window)
        of_window = smoothing.contrast(np.concatenate(images))
        sums, pairs = sums + of_window[0], pairs + of_window[1]
        on = np.s_[..., -window.row % step :: step, -window.col % step :: step]
        layers = (*pair.shares(window, level), pair.likeness(images)[np.newaxis])
        for found, layer in zip(drawn, layers, strict=True):
            found.append(layer[on].reshape(len(layer), -1))
    before, after, alike = (np.concatenate(found, axis=1) for found in drawn)
    scale = np.divide(sums, pairs, out=np.zeros(len(sums)), where=pairs > 0)
    likenesses = None if pair.lines is None else alike[0]
    return change.estimate_transitions(before, after, likenesses), scale


def _write_rasters(
    out: Run, pair: Pair, transitions: change.Transitions, scale: np.ndarray, tally: Tally
) -> tuple[list[Path], Legend]:
    """change.tif with its style, and change_probability.tif; what they hold into the tally."""
    grid, legend = tally.grid, tally.legend
    level, places = level_of(legend.codes), np.arange(len(legend))
    pairs = change.from_to(*np.meshgrid(places, places, indexing="ij"), legend)
    names = change.change_legend(pairs.ravel().tolist(), level)
    paths = [out.path / name for name in RASTERS]
    windows = list(grid.windows(max(WINDOW_PX // tally.patch_px, 1) * tally.patch_px))
    with ExitStack() as files:
        codes_out = files.enter_context(
            rasters.RasterWriter(paths[0], grid, np.uint16, ["change"], UNLABELLED, names)
        )
        percent_out = files.enter_context(
            rasters.RasterWriter(paths[1], grid, np.uint8, ["change_percent"], NODATA_PERCENT)
        )
        for window in track(windows, "finding change"):
            changed, shares, alike = _changed(pair, window, level, transitions, scale)
            codes_out.write(tally.add(window, transitions, shares, alike, changed), window)
            percent = np.rint(100 * changed)
            percent_out.write(np.nan_to_num(percent, nan=NODATA_PERCENT), window)
    held = names.subset(tally.codes)
    return [paths[0], styles.write_qml(paths[0], held), paths[1]], held


def _changed(
    pair: Pair,
    window: Window,
    level: int,
    transitions: change.Transitions,
    scale: np.ndarray,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Probability of change that heeds the neighbours'; the window's probabilities and likeness."""
    margin = smoothing.ITERATIONS
    around = window.padded(margin)
    shares, images = pair.shares(around, level), pair.images(around)
    alike = pair.likeness(images)
    changed = transitions.changed(shares[0], shares[1], alike)
    field = smoothing.smooth(np.stack([1 - changed, changed]), np.concatenate(images), scale)
    inside = np.s_[..., margin:-margin, margin:-margin]
    return field[1][inside], [part[inside] for part in shares], alike[inside]


def _radiometry(lines: Lines, bands: Sequence[str], kept: int) -> dict[str, Any]:
    """What was done to the radiometry, as JSON takes it; of each value least, median, largest."""
    return {
        "kept": ("earlier", "later")[kept],
        "moved": ("later", "earlier")[kept],
        "unchanged_share": lines.unchanged,
        "bands": {
            name: {
                "gain": [float(v) for v in np.quantile(gain, (0, 0.5, 1))],
                "offset": [float(v) for v in np.quantile(offset, (0, 0.5, 1))],
                "spread": float(spread),
            }
            for name, gain, offset, spread in zip(
                bands, lines.gain, lines.offset, lines.spread, strict=True
            )
        },
    }
