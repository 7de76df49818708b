"""What changed between two mapped dates, as rasters."""

from __future__ import annotations

import numpy as np

from landcover.grid import Grid, Window
from landcover.maps import change, smoothing
from landcover.maps.dates import Pair
from landcover.progress import track

#: Side of the windows that probabilities are read by, about; whole patches.
WINDOW_PX = 512
#: Pixels that transitions are estimated from, about, on a regular lattice.
SAMPLE = 100_000
#: Percent, as maps' confidence.
NODATA_PERCENT = 255
#: The rasters among the products.
RASTERS = ("change.tif", "change_probability.tif")


def survey(pair: Pair, grid: Grid, level: int) -> tuple[change.Transitions, np.ndarray]:
    """Transitions from a regular lattice of pixels, and the contrast of the scenes' bands."""
    step = max(1, round((grid.rows * grid.cols / SAMPLE) ** 0.5))
    drawn: list[list[np.ndarray]] = [[], [], []]
    sums, pairs = np.zeros(2 * len(pair.bands)), np.zeros(2 * len(pair.bands), np.int64)
    for window in track(list(grid.windows(WINDOW_PX)), "estimating transitions"):
        images = pair.images(window)
        of_window = smoothing.contrast(np.concatenate(images))
        sums, pairs = sums + of_window[0], pairs + of_window[1]
        on = np.s_[..., -window.row % step :: step, -window.col % step :: step]
        layers = (*pair.probabilities(window, level), pair.likeness(images)[np.newaxis])
        for found, layer in zip(drawn, layers, strict=True):
            found.append(layer[on].reshape(len(layer), -1))
    before, after, alike = (np.concatenate(found, axis=1) for found in drawn)
    scale = np.divide(sums, pairs, out=np.zeros(len(sums)), where=pairs > 0)
    likenesses = None if pair.lines is None else alike[0]
    return change.estimate_transitions(before, after, likenesses), scale


def changed(
    pair: Pair,
    window: Window,
    level: int,
    transitions: change.Transitions,
    scale: np.ndarray,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Smoothed probability of change, and the window's probabilities and likeness."""
    margin = smoothing.ITERATIONS
    around = window.padded(margin)
    probabilities, images = pair.probabilities(around, level), pair.images(around)
    alike = pair.likeness(images)
    changed = transitions.changed(probabilities[0], probabilities[1], alike)
    field = smoothing.smooth(np.stack([1 - changed, changed]), np.concatenate(images), scale)
    inside = np.s_[..., margin:-margin, margin:-margin]
    return field[1][inside], [part[inside] for part in probabilities], alike[inside]
