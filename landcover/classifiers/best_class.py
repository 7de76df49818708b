"""The best class of every pixel, and the pixels where another one comes close.

Compiled, since mapping needs it of every pixel: one pass over the probabilities, row by row, so
that what is known of a row's pixels stays in the processor's nearest memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def winners(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best class of every pixel and its probability.

    Parameters
    ----------
    probabilities : array of float, (classes, rows, cols)

    Returns
    -------
    array of int32, (rows, cols)
        Index of the best class, the first of equals.
    array of float, (rows, cols)
        Its probability.

    Examples
    --------
    >>> index, best = winners(np.array([[[0.2, 0.6]], [[0.8, 0.4]]]))
    >>> index.tolist(), best.tolist()
    ([[1, 0]], [[0.8, 0.6]])
    """
    index = np.zeros(probabilities.shape[1:], np.int32)
    best = probabilities[0].copy()
    _win(np.ascontiguousarray(probabilities), index, best)
    return index, best


def near_ties(probabilities: np.ndarray, image: np.ndarray, bound: float) -> np.ndarray:
    """Valid pixels whose two best classes are closer than a bound.

    Parameters
    ----------
    probabilities : array of float32, (classes, rows, cols)
        Probabilities.
    image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
        What they were predicted from. Where a pixel itself lacks a band (NaN), it is left out.
    bound : float
        On the logarithm of the ratio of the two probabilities.

    Returns
    -------
    array of int64, (pixels,)
        Numbers of the pixels, counted along the rows, ascending.

    Examples
    --------
    >>> probabilities = np.array([[[0.5, 0.9]], [[0.45, 0.05]], [[0.05, 0.05]]], np.float32)
    >>> near_ties(probabilities, np.zeros((1, 1, 2), np.float32), bound=0.2).tolist()
    [0]
    """
    radius = (image.shape[1] - probabilities.shape[1]) // 2
    found = np.empty(probabilities[0].size, np.int64)
    # In the probabilities' own precision, for which the loop is compiled
    factor = probabilities.dtype.type(np.exp(-bound))
    count = _tie(
        np.ascontiguousarray(probabilities), np.ascontiguousarray(image), radius, factor, found
    )
    return found[:count].copy()


@njit(cache=True, nogil=True)
def _win(probabilities, index, best):
    """Improve `best` and `index`, which hold class 0, by the other classes."""
    for row in range(probabilities.shape[1]):
        leader, first = best[row], index[row]
        for number in range(1, len(probabilities)):
            _follow(probabilities[number, row], np.int32(number), leader, first)


@njit(cache=True, nogil=True)
def _follow(line, number, leader, first):
    """One class of one row for `_win`."""
    for i in range(len(line)):
        wins = line[i] > leader[i]
        first[i] = number if wins else first[i]
        leader[i] = line[i] if wins else leader[i]


@njit(cache=True, nogil=True)
def _tie(probabilities, image, radius, factor, found):
    """Fill `found` with the numbers of close valid pixels; how many there are."""
    cols = probabilities.shape[2]
    second, total = np.empty_like(probabilities[0, 0]), np.empty(cols, image.dtype)
    best = np.empty_like(second)
    count = 0
    for row in range(probabilities.shape[1]):
        best[:] = probabilities[0, row]
        second[:] = 0
        for number in range(1, len(probabilities)):
            _place(probabilities[number, row], best, second)
        total[:] = 0
        for band in range(len(image)):
            _add_line(image[band, row + radius], radius, total)
        for i in range(cols):
            if second[i] >= best[i] * factor and total[i] == total[i]:
                found[count] = row * cols + i
                count += 1
    return count


@njit(cache=True, nogil=True)
def _place(line, best, second):
    """Keep the best two of each pixel."""
    for i in range(len(line)):
        this, top, next_best = line[i], best[i], second[i]
        lower = this if this < top else top
        best[i] = this if this > top else top
        second[i] = lower if lower > next_best else next_best


@njit(cache=True, nogil=True)
def _add_line(line, first, total):
    """Add a band's values, so that one missing is missing in the sum."""
    for i in range(len(total)):
        total[i] += line[first + i]
