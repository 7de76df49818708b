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
    found = np.full(labels.shape, most, np.float32)
    height, width = map(float, sides)
    _nearest(labels, up, down, float(most), height, width, found)
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
    most: float,
    height: float,
    width: float,
    found: np.ndarray,
) -> None:
    """Along the row of each pixel as far as a nearer one could be, and up and down from there."""
    rows, cols = labels.shape
    for row in range(rows):
        for col in range(cols):
            own = labels[row, col]
            if own == UNLABELLED:
                continue
            best = min(most, min(up[row, col], down[row, col]) * height) ** 2
            for away in range(1, cols):
                across = (away * width) ** 2
                if across >= best:
                    break
                for beside in (col - away, col + away):
                    if beside < 0 or beside >= cols:
                        continue
                    label = labels[row, beside]
                    if label == own:
                        along = min(up[row, beside], down[row, beside])
                    elif label == UNLABELLED:
                        along = min(
                            _past(labels, up, row, beside, -1, own),
                            _past(labels, down, row, beside, 1, own),
                        )
                    else:
                        along = 0
                    best = min(best, across + (along * height) ** 2)
            found[row, col] = np.sqrt(best)


@njit(cache=True, nogil=True)
def _past(
    labels: np.ndarray, to_another: np.ndarray, row: int, col: int, step: int, own: int
) -> int:
    """Rows from an unlabelled pixel to a label that is not one's own."""
    to_any = to_another[row, col]
    if to_any == _NONE:
        return _NONE
    there = row + step * to_any
    if labels[there, col] != own:
        return to_any
    return to_any + to_another[there, col]
