"""What changed between two mapped dates, as rasters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    transitions = change.estimate_transitions(before, after, likenesses)
    if pair.dates[0].days:
        share = 1 - float(np.trace(transitions.shares))
        apart = change.distance_of_change(before, after, share)
        transitions = replace(transitions, apart=apart)
    return transitions, scale


@dataclass(frozen=True)
class Evidence:
    """What speaks for change in a window.

    Attributes
    ----------
    probabilities : list of two arrays of float32, (classes, rows, cols)
        Of both dates.
    likeness : array of uint8, (rows, cols)
        How much alike the dates look.
    halves : Halves, optional
        Of years.
    """

    probabilities: list[np.ndarray]
    likeness: np.ndarray
    halves: change.Halves | None


def evidence(
    pair: Pair,
    window: Window,
    level: int,
    images: Sequence[np.ndarray] | None = None,
) -> Evidence:
    """What speaks for change in a window, whose images may have been read already."""
    probabilities = pair.probabilities(window, level)
    if pair.lines is None:  # nothing of what they look like is asked for
        alike = np.zeros(probabilities[0].shape[1:], np.uint8)
    else:
        alike = pair.likeness(pair.images(window) if images is None else images)
    return Evidence(probabilities, alike, pair.halves(window, level))


def changed(
    pair: Pair,
    window: Window,
    level: int,
    transitions: change.Transitions,
    scale: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed probability of change by the dates as a whole, and as far as it holds."""
    margin = smoothing.ITERATIONS
    around = window.padded(margin)
    images = pair.images(around)
    found = evidence(pair, around, level, images)
    before, after = found.probabilities
    inside = np.s_[margin:-margin, margin:-margin]

    def smoothed(halves: change.Halves | None) -> np.ndarray:
        odds = transitions.shown(before, after, found.likeness, halves)
        both = np.stack([1 - odds, odds])
        return smoothing.smooth(both, np.concatenate(images), scale)[1][inside]

    whole = smoothed(None)
    return whole, whole if found.halves is None else smoothed(found.halves)
