"""Sums of what is said of pixels, by segments."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_to_segments(values: np.ndarray, ids: np.ndarray, sums: np.ndarray) -> None:
    """Add the values of every pixel to those of its segment.

    Parameters
    ----------
    values : array of float32 (classes, rows, cols)
        NaN in the first class where nothing is said of a pixel.
    ids : array of int32 (rows, cols)
        Segments.
    sums : array of float64 (segments, classes)
        Added to in place.

    Examples
    --------
    >>> sums = np.zeros((3, 2))
    >>> values = np.array([[[0.25, 0.5]], [[0.75, 0.5]]], np.float32)
    >>> add_to_segments(values, np.array([[2, 2]], np.int32), sums)
    >>> sums.tolist()
    [[0.0, 0.0], [0.0, 0.0], [0.75, 1.25]]
    """
    classes, rows, cols = values.shape
    for row in range(rows):
        for col in range(cols):
            if np.isfinite(values[0, row, col]):
                segment = ids[row, col]
                for k in range(classes):
                    sums[segment, k] += values[k, row, col]
