"""Distances of pixels to borders between labels."""

from __future__ import annotations

import numpy as np
from numba import njit

from landcover.legend import UNLABELLED

#: Rows to another label where a column holds none.
_NONE = 2**20


def border_distance(
    labels: np.ndarray, most: float, sides: tuple[float, float] = (1.0, 1.0)
) -> np.ndarray:
    """Distance of every pixel to the nearest one that carries another label.

    Exact, in two passes over columns and one over rows, for all labels together.

    Parameters
    ----------
    labels : array of int (rows, cols)
        Class codes; 0 = unlabelled, which is no other label.
    most : float
        Larger distances count as this.
    sides : (float, float)
        Height and width of a pixel, in the unit of the distances.

    Returns
    -------
    array of float32 (rows, cols)
        Between centres: with sides of 1, 1 beside a border; `most` where there is no border, and
        where there is no label.

    Examples
    --------
    >>> border_distance(np.array([[211, 211, 211, 311, 311]]), 9)
    array([[3., 2., 1., 1., 2.]], dtype=float32)
    """
    labels = np.ascontiguousarray(labels)
    rows = len(labels)
    up, down = (np.empty(labels.shape, np.int32) for _ in range(2))
    _rows_to_another(labels, 0, rows, 1, up)
    _rows_to_another(labels, rows - 1, -1, -1, down)
    height, width = map(float, sides)
    nearest = np.minimum(up, down)
    squared = np.where(nearest < _NONE, (nearest * height) ** 2, np.inf)
    found = np.full(labels.shape, most, np.float32)
    _nearest(labels, up, down, squared, float(most), height, width, found)
    return found


@njit(cache=True, nogil=True)
def _rows_to_another(
    labels: np.ndarray, first: int, end: int, step: int, found: np.ndarray
) -> None:
    """How many rows back each column holds another label; of unlabelled pixels, any label."""
    cols = labels.shape[1]
    last, last_row = np.full(cols, UNLABELLED, labels.dtype), np.full(cols, -1)
    other_row = np.full(cols, -1)
    for row in range(first, end, step):
        for col in range(cols):
            label = labels[row, col]
            if label == UNLABELLED:
                nearest = last_row[col]
            else:
                if label != last[col]:
                    other_row[col] = last_row[col]
                    last[col] = label
                last_row[col] = row
                nearest = other_row[col]
            found[row, col] = abs(row - nearest) if nearest >= 0 else _NONE


@njit(cache=True, nogil=True)
def _nearest(
    labels: np.ndarray,
    up: np.ndarray,
    down: np.ndarray,
    squared: np.ndarray,
    most: float,
    height: float,
    width: float,
    found: np.ndarray,
) -> None:
    """Along the row of each pixel as far as a nearer one could be, and up and down from there.

    `squared` are distances up or down to another label, squared.
    """
    rows, cols = labels.shape
    for row in range(rows):
        for col in range(cols):
            own = labels[row, col]
            if own == UNLABELLED:
                continue
            best = min(most**2, squared[row, col])
            for away in range(1, cols):
                across = (away * width) ** 2
                if across >= best:
                    break
                for beside in (col - away, col + away):
                    if 0 <= beside < cols:
                        label = labels[row, beside]
                        if label == own:
                            best = min(best, across + squared[row, beside])
                        elif label != UNLABELLED:
                            best = across
                        else:
                            along = _rows_past(labels, up, down, row, beside, own) * height
                            best = min(best, across + along**2)
            found[row, col] = np.sqrt(best)


@njit(cache=True, nogil=True)
def _rows_past(
    labels: np.ndarray, up: np.ndarray, down: np.ndarray, row: int, col: int, own: int
) -> float:
    """Rows from an unlabelled pixel to a label other than `own`; infinite without one."""
    nearest = _NONE
    for to_another, step in ((up, -1), (down, 1)):
        rows = to_another[row, col]
        if rows < _NONE and labels[row + step * rows, col] == own:
            rows += to_another[row + step * rows, col]
        nearest = min(nearest, rows)
    return nearest if nearest < _NONE else np.inf
