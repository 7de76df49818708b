"""Compiled loops over pixels that compose dates."""

from __future__ import annotations

import numpy as np
from numba import njit

#: Up to so many values are sorted by insertion, which is faster for few.
_FEW = 32


@njit(cache=True, nogil=True)
def _sort(values, count):
    """Sort the first values, ascending."""
    if count > _FEW:
        values[:count].sort()
        return
    for i in range(1, count):
        value, j = values[i], i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


@njit(cache=True, nogil=True)
def _dates_of(valid, row, col, dates):
    """Fill `dates` with the numbers of the dates that are valid at a pixel; how many there are."""
    count = 0
    for number in range(len(valid)):
        if valid[number, row, col]:
            dates[count] = number
            count += 1
    return count


@njit(cache=True, nogil=True)
def fill_quantiles(start, stop, stack, valid, parts, image):
    """Quantiles of rows [start, stop) into `image`, (quantiles, bands, rows, cols)."""
    dates = np.empty(len(stack), np.int64)
    values = np.empty(len(stack), np.float32)
    for row in range(start, stop):
        for col in range(stack.shape[3]):
            count = _dates_of(valid, row, col, dates)
            if count == 0:
                continue
            for band in range(stack.shape[1]):
                for i in range(count):
                    values[i] = stack[dates[i], band, row, col]
                _sort(values, count)
                for number in range(len(parts)):
                    place = parts[number] * (count - 1)
                    below = int(place)
                    above = min(below + 1, count - 1)
                    low, high = np.float64(values[below]), np.float64(values[above])
                    image[number, band, row, col] = low + (high - low) * (place - below)


@njit(cache=True, nogil=True)
def find_medoid(start, stop, stack, valid, chosen):
    """The date of each pixel of rows [start, stop) that is nearest to its others."""
    dates = np.empty(len(stack), np.int64)
    totals = np.empty(len(stack), np.float64)
    for row in range(start, stop):
        for col in range(stack.shape[3]):
            count = _dates_of(valid, row, col, dates)
            totals[:count] = 0
            for i in range(count):
                for j in range(i + 1, count):
                    square = 0.0
                    for band in range(stack.shape[1]):
                        one = np.float64(stack[dates[i], band, row, col])
                        square += (one - stack[dates[j], band, row, col]) ** 2
                    totals[i] += np.sqrt(square)
                    totals[j] += np.sqrt(square)
            best = -1
            for i in range(count):
                if best < 0 or totals[i] < totals[best]:
                    best = i
            if best >= 0:
                chosen[row, col] = dates[best]
