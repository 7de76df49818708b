"""Which map to take where there is no reference: two criteria, and when none can tell.

Refined labels are the estimate of a patch network, so agreement with them favours networks of its
kind. The cores of labelled areas, where coarse labels are seldom wrong, owe nothing to it; but
alone they reward maps that repeat the labels. The mean of both ranks maps nearly as the truth does
(docs/method.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.labels.borders import border_distance
from landcover.legend import UNLABELLED
from landcover.progress import track
from landcover.samples.blocks import TEST, Blocks

#: With fewer test blocks no map is named.
FEWEST_BLOCKS = 5
#: No map is named that one criterion puts so far below its own best map.
APART = 0.1
#: A map has collapsed that has one class on so much of the test blocks, where refined labels have
#: it on less than `_COMMON`.
COLLAPSED, _COMMON = 0.95, 0.85
_RESAMPLES = 1000


@dataclass(frozen=True)
class Criteria:
    """How far maps agree with refined labels, and find the cores of labelled areas.

    Attributes
    ----------
    refined : dict
        Map -> (test blocks, 2): pixels with a refined label, and those of them that agree.
    cores : dict
        Map -> (test blocks, classes, 2): core pixels of each class, and those that are found.
    largest : dict
        Map -> share of its commonest class on these pixels, and that of refined labels there.
    """

    refined: dict[str, np.ndarray]
    cores: dict[str, np.ndarray]
    largest: dict[str, tuple[float, float]]

    def values(self, name: str) -> tuple[float, float | None]:
        """Agreement with refined labels, and the mean share of each class's core that is found.

        The latter is None where labelled areas are so narrow that they have no core.
        """
        return _refined(self.refined[name]), _cores(self.cores[name])

    def criterion(self, name: str) -> float:
        """The mean of both, or the former alone."""
        return _mean(*self.values(name))

    def interval(self, first: str, second: str, seed: int) -> tuple[float, float]:
        """95 % interval of the criterion of one map less that of another, over whole blocks."""
        blocks = len(self.refined[first])
        drawn = np.random.default_rng([seed, 5]).integers(0, blocks, (_RESAMPLES, blocks))
        gaps = [self._criterion(first, k) - self._criterion(second, k) for k in drawn]
        low, high = np.percentile(gaps, [2.5, 97.5])
        return float(low), float(high)

    def _criterion(self, name: str, blocks: np.ndarray) -> float:
        return _mean(_refined(self.refined[name][blocks]), _cores(self.cores[name][blocks]))

    def choice(self) -> tuple[str | None, str]:
        """The map of the highest criterion, or None and why none is named."""
        values = {name: self.values(name) for name in self.refined}
        best = max(values, key=self.criterion)
        blocks = len(self.refined[best])
        if blocks < FEWEST_BLOCKS:
            return None, f"the test set has {blocks} blocks, and {FEWEST_BLOCKS} are needed"
        share, expected = self.largest[best]
        if share >= COLLAPSED and expected < _COMMON:
            return None, (
                f"the map of the highest criterion has one class on {100 * share:.0f} % of the "
                f"test blocks, and refined labels have it on {100 * expected:.0f} %"
            )
        for kind, title in enumerate(("agreement with refined labels", "cores that are found")):
            gap = max((pair[kind] or 0.0) - (values[best][kind] or 0.0) for pair in values.values())
            if gap > APART:
                return None, (
                    f"criteria disagree: by {title} another map is {100 * gap:.0f} points better"
                )
        return best, ""


def _refined(counts: np.ndarray) -> float:
    judged, same = counts.sum(axis=0)
    return float(same / judged) if judged else 0.0


def _cores(counts: np.ndarray) -> float | None:
    pixels, found = counts.sum(axis=0).T
    return float((found[pixels > 0] / pixels[pixels > 0]).mean()) if pixels.any() else None


def _mean(refined: float, cores: float | None) -> float:
    return refined if cores is None else (refined + cores) / 2


def criteria(
    maps: Mapping[str, Path], refined_labels: Path, labels: Path, blocks: Blocks, border_m: float
) -> Criteria | None:
    """Both criteria of every map, on the test blocks.

    Parameters
    ----------
    maps : mapping
        Class rasters by model.
    refined_labels, labels : path
        Rasters of refined labels and of labels.
    blocks : Blocks
        Of the scene.
    border_m : float
        How far borders between labels may have moved, metres.

    Returns
    -------
    Criteria or None
        None where no test pixel has a refined label.
    """
    grid = rasters.grid_of(refined_labels)
    codes = _codes_of(labels, grid)
    number = np.cumsum(blocks.splits.ravel() == TEST) - 1  # of each test block
    count = int(number[-1]) + 1
    refined = {name: np.zeros((count, 2), np.int64) for name in maps}
    cores = {name: np.zeros((count, len(codes), 2), np.int64) for name in maps}
    classes: dict[str, dict[int, np.ndarray]] = {name: {} for name in maps}
    for window in track(list(grid.windows(rasters.WINDOW_PX)), "comparing with refined labels"):
        test = blocks.holds(window, TEST)
        if not test.any():
            continue
        expected = rasters.read_classes(refined_labels, window)
        label, core = _core(labels, grid, window, border_m)
        judged, core = test & (expected != UNLABELLED), core & test
        block = number[blocks.blocks_in(window)]
        for name, path in maps.items():
            found = rasters.read_classes(path, window)
            same = found == expected
            _add(refined[name], block[judged], same[judged])
            position = np.searchsorted(codes, label[core])
            joined = block[core] * len(codes) + position
            _add(cores[name].reshape(-1, 2), joined, (found == label)[core])
            _add_classes(classes[name], found[judged], expected[judged])
    if not sum(int(counts[:, 0].sum()) for counts in refined.values()):
        return None
    keep = np.any([counts[:, 0] > 0 for counts in refined.values()], axis=0)
    return Criteria(
        {name: counts[keep] for name, counts in refined.items()},
        {name: counts[keep] for name, counts in cores.items()},
        {name: _largest(counts) for name, counts in classes.items()},
    )


def _codes_of(labels: Path, grid: Grid) -> np.ndarray:
    """Class codes that labels hold, in order."""
    found: set[int] = set()
    for window in grid.windows(rasters.WINDOW_PX):
        found.update(np.unique(rasters.read_classes(labels, window)).tolist())
    return np.array(sorted(found - {UNLABELLED}))


def _core(
    labels: Path, grid: Grid, window: Window, border_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a window, and which of them lie away from borders between labels."""
    sides, far = grid.relative_sides, max(1.0, grid.length_px(border_m))
    down, across = (int(np.ceil(far / side)) + 1 for side in sides)
    padded = rasters.read_classes(labels, window.padded(down, across))
    inner = slice(down, -down), slice(across, -across)
    away = border_distance(padded, far + 1, sides)[inner] >= far
    return padded[inner], away & (padded[inner] != UNLABELLED)


def _add(counts: np.ndarray, place: np.ndarray, right: np.ndarray) -> None:
    """Add pixels, and the right ones of them, at their places."""
    counts[:, 0] += np.bincount(place, minlength=len(counts))
    counts[:, 1] += np.bincount(place[right], minlength=len(counts))


def _add_classes(counts: dict[int, np.ndarray], found: np.ndarray, expected: np.ndarray) -> None:
    """Count pixels by class, in a map and in refined labels."""
    for which, codes in enumerate((found, expected)):
        for code, pixels in zip(*np.unique(codes, return_counts=True), strict=True):
            counts.setdefault(int(code), np.zeros(2, np.int64))[which] += pixels


def _largest(counts: Mapping[int, np.ndarray]) -> tuple[float, float]:
    """Share of a map's commonest class, and of that class in refined labels."""
    total = np.sum(list(counts.values()), axis=0)
    commonest = max(counts.values(), key=lambda pair: int(pair[0]))
    share, expected = commonest / np.maximum(total, 1)
    return float(share), float(expected)
