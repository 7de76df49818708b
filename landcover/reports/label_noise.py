"""What is doubtful about the labels of a run, as a table that a person can read."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend, Nomenclature
from landcover.progress import track
from landcover.reports import zones

#: Upper ends of the ranges of distance to a border between labels, in metres.
DISTANCES_M = (50, 100, 200, np.inf)
#: Share that classes other than its commonest hold of a cell that straddles.
STRADDLES = 0.1
#: Side of the windows in which cells are counted, cells.
_CELLS = 102


class ClassShare(TypedDict):
    """A class by its code, and its share."""

    code: int
    share: float


class DoubtedClass(TypedDict):
    """How far the label of a class is right, what hides in it, and where the class hides."""

    code: int
    name: str
    pixels: int
    share_of_samples: float
    right: float | None
    really_right: float | None
    hides: list[ClassShare]
    labelled_as_itself: float
    really_labelled_as_itself: float | None
    labelled_as: list[ClassShare]


class Distance(TypedDict):
    """How far labels are right in a range of distances to a border between them."""

    from_m: float
    to_m: float | None
    pixels: int
    right: float | None
    really_right: float | None


Bin = TypedDict(
    "Bin",
    {
        "from": float,
        "to": float,
        "pixels": int,
        "estimated": float | None,
        "right": float | None,
    },
)


class Judgement(TypedDict):
    """How well the confidence tells right labels from wrong ones."""

    right: float | None
    auc: float | None
    bins: list[Bin]


class Cells(TypedDict):
    """Cells of the labels that a scene holds whole, and those that straddle."""

    whole: int
    straddling: int


class LabelNoise(TypedDict):
    """What label_noise.json holds; shares are 0-1, None where nothing was counted."""

    classes: list[DoubtedClass]
    distances: list[Distance]
    cells: Cells
    mean_confidence: float | None
    against_reference: Judgement | None
    view: NotRequired[str | None]
    notes: NotRequired[list[str]]


@dataclass(frozen=True)
class Counts:
    """What is counted of pixels with data whose label was learnt.

    Attributes
    ----------
    legend : Legend
        Classes that were learnt.
    ends_px : array of float (distances,)
        `DISTANCES_M` in pixels of the mean of their sides.
    confidence : array of int64 (distances, 101)
        Pixels by distance and confidence in percent.
    judged : array of int64 (distances, 101, 2)
        The same of pixels that have a reference, by whether their label is right (1).
    hidden : array of int64 (labels, classes)
        Pixels by label and likeliest class.
    real : array of int64 (labels, classes + 1)
        Pixels by label and class of the reference; the last is any other class.
    class_confidence : array of float (labels,)
        Sum of the confidence of each label's pixels, 0 to 1 each.
    """

    legend: Legend
    ends_px: np.ndarray
    confidence: np.ndarray
    judged: np.ndarray
    hidden: np.ndarray
    real: np.ndarray
    class_confidence: np.ndarray

    @classmethod
    def of(cls, legend: Legend, grid: Grid) -> Counts:
        """Nothing counted yet."""
        n, rings = len(legend), len(DISTANCES_M)
        ends_m = DISTANCES_M[:-1]
        return cls(
            legend,
            np.array([*(grid.length_px(end) for end in ends_m), np.inf]),
            np.zeros((rings, 101), np.int64),
            np.zeros((rings, 101, 2), np.int64),
            np.zeros((n, n), np.int64),
            np.zeros((n, n + 1), np.int64),
            np.zeros(n),
        )

    def add(
        self,
        learnt: np.ndarray,
        labels: np.ndarray,
        refined: np.ndarray,
        percent: np.ndarray,
        border_px: np.ndarray,
        truth: np.ndarray | None,
    ) -> None:
        """Count a window; all arrays are (rows, cols), and `learnt` says which pixels count."""
        ring = np.searchsorted(self.ends_px, border_px[learnt])
        label, percent = self.legend.index(labels[learnt]), percent[learnt]
        np.add.at(self.confidence, (ring, percent), 1)
        np.add.at(self.hidden, (label, self.legend.index(refined[learnt])), 1)
        np.add.at(self.class_confidence, label, percent / 100)
        if truth is not None:
            real = truth[learnt]
            known = real != UNLABELLED
            right = (real == labels[learnt])[known].astype(int)
            np.add.at(self.judged, (ring[known], percent[known], right), 1)
            np.add.at(self.real, (label[known], self.legend.index(real)[known]), 1)


class Unjudged:
    """Labelled pixels of which nothing is estimated, by reason."""

    def __init__(self) -> None:
        self._labelled = self._without_data = 0
        self.not_learnt: Counter[int] = Counter()  # by code: no training sample is of it

    def add(self, labels: np.ndarray, with_data: np.ndarray, judged: np.ndarray) -> None:
        """Count a window.

        Parameters
        ----------
        labels : array of int, (rows, cols)
            Codes; 0 where there is no label.
        with_data, judged : array of bool, (rows, cols)
            Where the scene has data, and where the label was estimated.
        """
        labelled = labels != UNLABELLED
        self._labelled += int(np.count_nonzero(labelled))
        self._without_data += int(np.count_nonzero(labelled & ~with_data))
        codes, pixels = np.unique(labels[labelled & with_data & ~judged], return_counts=True)
        self.not_learnt.update(dict(zip(codes.tolist(), pixels.tolist(), strict=True)))

    def notes(self, nomenclature: Nomenclature) -> list[str]:
        """Sentences on them, the classes by name."""
        told = [
            f"{pixels:,} pixels of class {code} "
            f"{nomenclature.holding([code]).legend[code].name} are not judged: no training "
            "sample is of it"
            for code, pixels in sorted(self.not_learnt.items())
        ]
        if self._without_data:
            told.insert(
                0,
                f"{self._without_data:,} of {self._labelled:,} labelled pixels are not judged: the "
                "scene has no data there",
            )
        return told


def facts_of(
    counts: Counts, priors: np.ndarray, transition: np.ndarray, refined_labels: Path, cell_m: float
) -> LabelNoise:
    """What label_noise.json holds, and the page shows.

    Parameters
    ----------
    counts : Counts
        Of the whole scene.
    priors : array (classes,)
        Share of each label among the samples that were learnt.
    transition : array (classes, labels)
        From `noise.transitions`.
    refined_labels : path
        Raster of the likeliest class of every labelled pixel.
    cell_m : float
        Side of the labels' cells, metres.
    """
    whole, straddling = count_cells(refined_labels, cell_m)
    return {
        "classes": _classes(counts, priors, transition),
        "distances": _distances(counts),
        "cells": {"whole": whole, "straddling": straddling},
        "mean_confidence": _mean_confidence(counts.confidence.sum(axis=0)),
        "against_reference": _against_reference(counts.judged.sum(axis=0)),
    }


def count_cells(classes: Path, cell_m: float) -> tuple[int, int]:
    """Cells of the labels' size that a class raster fills, and those of them that straddle.

    Cells are counted from the scene's corner; a pixel belongs to the cell that holds its centre.
    A cell straddles where classes other than its commonest hold a tenth of it or more.
    """
    grid = rasters.grid_of(classes)
    rows, cols = (_parts(*axis) for axis in zip(grid.shape, grid.spans_px(cell_m), strict=True))
    found = np.zeros(2, np.int64)
    for (row, down), (col, across) in track(list(product(rows, cols)), "counting cells"):
        window = Window(row, col, len(down), len(across))
        found += _cells(rasters.read_classes(classes, window), down, across)
    return int(found[0]), int(found[1])


def _parts(pixels: int, span: float) -> list[tuple[int, np.ndarray]]:
    """Rows or columns by whole cells: the first one, and the cell of each, counted from 0."""
    cells = zones.cells_of(np.arange(pixels + 1), span)
    whole = cells[cells < cells[-1]]  # the last cell is cut off, or begins beyond the scene
    cuts = np.searchsorted(whole, np.arange(0, cells[-1] + _CELLS, _CELLS))
    return [(int(i), whole[i:j] - whole[i]) for i, j in pairwise(cuts) if j > i]


def _cells(classes: np.ndarray, down: np.ndarray, across: np.ndarray) -> tuple[int, int]:
    """`count_cells` of a window, by the cell of each row and of each column."""
    codes, index = np.unique(classes, return_inverse=True)
    shape = int(down[-1]) + 1, int(across[-1]) + 1, codes.size
    places = (down[:, np.newaxis], across, index.reshape(classes.shape))
    counts = np.bincount(np.ravel_multi_index(places, shape).ravel(), minlength=math.prod(shape))
    counts = counts.reshape(-1, codes.size)
    whole = ~counts[:, codes == UNLABELLED].any(axis=1)
    mixed = counts.max(axis=1) <= (1 - STRADDLES) * counts.sum(axis=1)
    return int(whole.sum()), int((whole & mixed).sum())


def _classes(counts: Counts, priors: np.ndarray, transition: np.ndarray) -> list[DoubtedClass]:
    """A row a class: how far its label is right, what hides in it, where it hides."""
    found: list[DoubtedClass] = []
    legend = counts.legend
    for position, (code, name) in enumerate(zip(legend.codes, legend.names, strict=True)):
        row = counts.hidden[position]
        pixels = int(row.sum())
        others = [k for k in np.argsort(-row) if k != position and row[k] > 0.01 * pixels][:3]
        kept = transition[position]
        hidden_in = [k for k in np.argsort(-kept) if k != position and kept[k] > 0.02][:3]
        found.append(
            {
                "code": int(code),
                "name": name,
                "pixels": pixels,
                "share_of_samples": float(priors[position]),
                "right": float(counts.class_confidence[position] / pixels) if pixels else None,
                "really_right": _share(counts.real[position], position),
                "hides": [
                    {"code": int(legend.codes[k]), "share": float(row[k] / pixels)} for k in others
                ],
                "labelled_as_itself": float(kept[position]),
                "really_labelled_as_itself": _share(counts.real[:, position], position),
                "labelled_as": [
                    {"code": int(legend.codes[k]), "share": float(kept[k])} for k in hidden_in
                ],
            }
        )
    return found


def _share(counts: np.ndarray, position: int) -> float | None:
    return float(counts[position] / counts.sum()) if counts.sum() else None


def _distances(counts: Counts) -> list[Distance]:
    """A row a range of distances: how far labels are right."""
    found: list[Distance] = []
    low = 0.0
    for ring, judged, high in zip(counts.confidence, counts.judged, DISTANCES_M, strict=True):
        found.append(
            {
                "from_m": low,
                "to_m": high if np.isfinite(high) else None,
                "pixels": int(ring.sum()),
                "right": _mean_confidence(ring),
                "really_right": _share(judged.sum(axis=0), 1),
            }
        )
        low = high
    return found


def _mean_confidence(pixels: np.ndarray) -> float | None:
    """Mean of confidences counted by percent, 0 to 1."""
    total = pixels.sum()
    return float((pixels * np.arange(101)).sum() / total / 100) if total else None


def _against_reference(judged: np.ndarray) -> Judgement | None:
    """How well the confidence tells right labels from wrong ones; None without a reference.

    ``auc`` is the chance that a right label has more confidence than a wrong one, ties
    counting half (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).
    """
    if not judged.any():
        return None
    wrong, right = judged.T.astype(float)
    below = np.cumsum(wrong) - wrong
    pairs = right.sum() * wrong.sum()
    return {
        "right": _share(judged.sum(axis=0), 1),
        "auc": float((right * (below + wrong / 2)).sum() / pairs) if pairs else None,
        "bins": [_bin(judged, low, low + 20) for low in range(0, 100, 20)],
    }


def _bin(judged: np.ndarray, low: int, high: int) -> Bin:
    """Pixels of a range of confidence: what was estimated of them, and what is so."""
    percent = np.arange(101)
    inside = (percent >= low) & ((percent < high) | (high == 100))
    pixels = np.where(inside[:, np.newaxis], judged, 0)
    return {
        "from": low / 100,
        "to": high / 100,
        "pixels": int(pixels.sum()),
        "estimated": _mean_confidence(pixels.sum(axis=1)),
        "right": _share(pixels.sum(axis=0), 1),
    }
