"""A score taken apart: by zone of the labels, and by level of the legend.

Labels of the CORINE kind are drawn to within 100 m and say one class a 100 m cell; those of other
schemes have their own sizes. So a map that differs from them near their borders, or where a cell
holds several classes, need not be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from landcover.legend import Nomenclature
from landcover.reports import accuracy
from landcover.reports.records import OverallScores, ZoneScores

#: Core and border share out the labelled pixels; mixed cells lie in both.
ZONES = ("core", "border", "mixed")


def near_border(labels: np.ndarray, reach: tuple[int, int]) -> np.ndarray:
    """Which pixels lie near a border between two classes of the labels.

    Parameters
    ----------
    labels : array of uint16, (rows + 2 down, cols + 2 across)
        Class codes with a margin on every side; 0 is unlabelled or outside the scene, and its
        edge is no border.
    reach : (int, int)
        How near, down and across: pixels of two classes lie within so many rows and columns of
        the pixel (Chebyshev distance between centres, as the guard between splits counts it).

    Returns
    -------
    array of bool, (rows, cols)
        Without the margin.

    Examples
    --------
    >>> near_border(np.array([[0, 211, 211, 211, 512, 0]] * 3), reach=(1, 1)).tolist()
    [[False, False, True, True]]
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    labels = labels.astype(np.uint16, copy=False)
    down, across = reach
    size, inner = (2 * down + 1, 2 * across + 1), without_margin(reach)
    highest = maximum_filter(labels, size)[inner]
    # 0 counts as above every code, where it cannot be the lowest of two
    lowest = minimum_filter(labels - np.uint16(1), size)[inner]
    return highest > lowest + np.uint32(1)


def mixed_cells(reference: np.ndarray, row: int, col: int, cell: tuple[float, float]) -> np.ndarray:
    """Which pixels lie in a cell that holds more than one class of the reference.

    Cells are counted from the scene's upper left corner: the labels' own cells, on another grid,
    are not known any more once labels are on the scene's.

    Parameters
    ----------
    reference : array of uint16, (rows + 2 down, cols + 2 across)
        Class codes with a margin of a cell, made up to whole pixels, on every side; 0 is
        unlabelled or outside.
    row, col : int
        Place of the first pixel inside the margin on the scene.
    cell : (float, float)
        Height and width of a cell in pixels; a pixel belongs to the cell that holds its centre.

    Returns
    -------
    array of bool, (rows, cols)
        Without the margin.

    Examples
    --------
    >>> scene = np.array([[211, 211, 211, 512, 512, 512]] * 2)
    >>> mixed_cells(np.pad(scene, 2), 0, 0, cell=(2, 2)).tolist()[0]
    [False, False, True, True, False, False]
    """
    margin = whole_pixels(cell)
    down = cells_of(np.arange(reference.shape[0]) + row - margin[0], cell[0])
    across = cells_of(np.arange(reference.shape[1]) + col - margin[1], cell[1])
    extremes = []
    # 0 counts as above every code where the lowest is sought
    for reduce, codes in ((np.maximum, reference), (np.minimum, reference - np.uint16(1))):
        strips = reduce.reduceat(codes.astype(np.uint16, copy=False), _starts(down), axis=0)
        extremes.append(reduce.reduceat(strips, _starts(across), axis=1))
    mixed = extremes[0] > extremes[1] + np.uint32(1)
    return mixed[np.ix_(_positions(down), _positions(across))][without_margin(margin)]


def cells_of(pixels: np.ndarray, cell: float) -> np.ndarray:
    """Number of the cell that holds the centre of each row or column, counted from the corner.

    >>> cells_of(np.arange(8), 2.5).tolist()
    [0, 0, 1, 1, 1, 2, 2, 3]
    """
    return np.floor((pixels + 0.5) / cell).astype(np.int64)


def whole_pixels(spans: tuple[float, float]) -> tuple[int, int]:
    """Lengths down and across made up to whole pixels."""
    return math.ceil(spans[0]), math.ceil(spans[1])


def without_margin(margin: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns inside a margin of 1 pixel or more."""
    return slice(margin[0], -margin[0]), slice(margin[1], -margin[1])


def score_zone(counts: np.ndarray, seed: int = 0) -> ZoneScores:
    """Overall accuracy of a part of the pixels, with its interval from resampling blocks.

    Parameters
    ----------
    counts : array of int, (blocks, 2)
        Scored pixels of each block in that part, and how many of them are right.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``n_test``, ``n_blocks`` (those that hold such pixels), ``overall_accuracy`` and
        ``overall_accuracy_ci95``; None where undefined.

    Examples
    --------
    >>> scores = score_zone(np.array([[10, 9], [30, 18], [0, 0]]))
    >>> scores["n_test"], scores["n_blocks"], scores["overall_accuracy"]
    (40, 2, 0.675)
    """
    right, wrong = counts[:, 1], counts[:, 0] - counts[:, 1]
    if not counts[:, 0].any():
        return {
            "n_test": 0,
            "n_blocks": 0,
            "overall_accuracy": None,
            "overall_accuracy_ci95": None,
        }
    confusions = np.stack([right, wrong, 0 * right, 0 * right], axis=1).reshape(-1, 2, 2)
    scores = accuracy.score_confusions(confusions, (1, 2), seed)
    return {
        "n_test": scores["n_test"],
        "n_blocks": scores["n_blocks"],
        "overall_accuracy": scores["overall_accuracy"],
        "overall_accuracy_ci95": scores["overall_accuracy_ci95"],
    }


def score_levels(
    confusions: np.ndarray, codes: Sequence[int], nomenclature: Nomenclature, seed: int = 0
) -> dict[str, OverallScores]:
    """Scores at the coarser levels of a legend, from the confusion matrices of a finer one.

    An error within a coarser class (a coniferous for a mixed wood) is none at its level. The map
    is the same: nothing is predicted again.

    Parameters
    ----------
    confusions : array of int, (blocks, classes, classes)
        From `accuracy.block_confusion`.
    codes : sequence of int
        Class codes of one level in the order of the matrices; 0 may be among them.
    nomenclature : Nomenclature
        Their classes, at their level.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        Level ("2", "1") to the `accuracy.METRICS` with their intervals; empty at
        level 1, the coarsest.

    Examples
    --------
    >>> from landcover.legend import corine
    >>> levels = score_levels(np.array([[[5, 4], [1, 6]]]), [311, 312], corine())
    >>> [(level, scores["overall_accuracy"]) for level, scores in levels.items()]
    [('2', 1.0), ('1', 1.0)]
    """
    levels = {}
    for level in range(nomenclature.level - 1, 0, -1):
        parents = nomenclature.coarser(np.asarray(codes), level)
        coarse, member = np.unique(parents, return_inverse=True)
        joins = np.eye(len(coarse), dtype=np.int64)[member]
        levels[str(level)] = accuracy.score_overall(joins.T @ confusions @ joins, seed)
    return levels


def _starts(cells: np.ndarray) -> np.ndarray:
    """Where each cell begins among ascending numbers of cells."""
    return np.flatnonzero(np.diff(cells, prepend=cells[0] - 1))


def _positions(cells: np.ndarray) -> np.ndarray:
    """Ascending numbers of cells, counted from 0 without gaps."""
    return np.unique(cells, return_inverse=True)[1]
