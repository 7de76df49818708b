"""Compiled loops over pixels that count pairs of grey levels in a window that slides along a row.

All sums are integers: they come out the same wherever the window came from. Only the last step,
from the sums of a window to its properties, is in floating point.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Pairs of direct neighbours: rows and columns from a window's corner to the one and the other.
#: 0, 45, 90 and 135 degrees.
_FIRST = ((0, 0), (1, 0), (0, 0), (0, 0))
_SECOND = ((0, 1), (0, 1), (1, 0), (1, 1))
#: Fractions become integers by this factor. 2**36 leaves room for the sums of any window.
_UNIT = 1 << 36
_LN2 = np.log(2)

#: Places of the sums of a window's pairs (i, j): how many, (i - j)**2, |i - j|,
#: 1 / (1 + (i - j)**2), i + j, i**2 + j**2, and how many with i = j.
_PAIRS, _CONTRAST, _DISSIMILARITY, _HOMOGENEITY, _LEVELS, _SQUARES, _EQUAL = range(7)
#: Sums over the different pairs {i, j}, each met c times: c**2, doubled where i = j, and c ln c.
_COUNTS, _LOGARITHMS = 7, 8


@njit(cache=True, nogil=True)
def fill_texture(start, stop, levels, nodata, window, codes, counted, image):
    """Properties of windows whose first row is in [start, stop), into `image`.

    `levels` are grey levels (rows + window - 1, cols + window - 1) below `nodata`, `codes` the
    numbers of the properties in `landcover.scene.texture.PROPERTIES`, `counted` whether one of
    them needs the counts of different pairs, and `image` is (properties, rows, cols).
    """
    cols = image.shape[2]
    columns = np.zeros((4, _COUNTS, levels.shape[1]), np.int64)
    sums = np.zeros((_LOGARITHMS + 1, cols), np.int64)
    counts = np.zeros(nodata * (nodata + 1) // 2 if counted else 0, np.int32)
    products, growth = _logarithms(window * window)
    shares = np.array([_UNIT // (1 + i * i) for i in range(nodata)], np.int64)
    totals = np.empty((len(codes), cols), np.float64)
    directions = np.empty(cols, np.int64)
    for row in range(start, stop):
        totals[:] = 0
        directions[:] = 0
        for direction in range(4):
            first, second = _FIRST[direction], _SECOND[direction]
            high = window - max(first[0], second[0])
            wide = window - second[1]
            ends = levels[first[0] :, first[1] :], levels[second[0] :, second[1] :]
            if row == start:
                for down in range(high):
                    _add_row(columns[direction], ends, row + down, 1, nodata, shares)
            else:
                _add_row(columns[direction], ends, row - 1, -1, nodata, shares)
                _add_row(columns[direction], ends, row + high - 1, 1, nodata, shares)
            _slide(columns[direction], wide, sums)
            if counted:
                _count(ends, row, high, wide, nodata, counts, growth, sums)
            directions += sums[_PAIRS] > 0
            for number in range(len(codes)):
                _add_property(codes[number], sums, products, totals[number])
        for number in range(len(codes)):
            image[number, row] = totals[number] / np.maximum(directions, 1)


@njit(cache=True, nogil=True)
def _logarithms(most):
    """c ln c for c from 0, and by how much it grows from each to the next.

    From a table, so that a pixel's logarithm is not another one where a compiler takes several
    pixels at once.
    """
    counts = np.arange(most + 1)
    products = np.round(counts * np.log(np.maximum(counts, 1)) * _UNIT).astype(np.int64)
    return products, products[1:] - products[:-1]


@njit(cache=True, nogil=True)
def _add_row(columns, ends, row, sign, nodata, shares):
    """Add a row of pairs to the sums of columns, or with sign -1 take it away."""
    for col in range(ends[1].shape[1]):
        i, j = np.int64(ends[0][row, col]), np.int64(ends[1][row, col])
        if i == nodata or j == nodata:
            continue
        difference = abs(i - j)
        columns[_PAIRS, col] += sign
        columns[_CONTRAST, col] += sign * difference * difference
        columns[_DISSIMILARITY, col] += sign * difference
        columns[_HOMOGENEITY, col] += sign * shares[difference]
        columns[_LEVELS, col] += sign * (i + j)
        columns[_SQUARES, col] += sign * (i * i + j * j)
        columns[_EQUAL, col] += sign * (difference == 0)


@njit(cache=True, nogil=True)
def _slide(columns, wide, sums):
    """Sums of windows, of those of their columns."""
    for number in range(_COUNTS):
        total = columns[number, : wide - 1].sum()
        for left in range(sums.shape[1]):
            total += columns[number, left + wide - 1]
            sums[number, left] = total
            total -= columns[number, left]


@njit(cache=True, nogil=True)
def _count(ends, row, high, wide, nodata, counts, growth, sums):
    """Sums over the different pairs of windows, by counting how often each is met."""
    total, logarithm = 0, 0
    counts[:] = 0
    for col in range(sums.shape[1] + wide - 1):
        for down in range(high):
            i, j = np.int64(ends[0][row + down, col]), np.int64(ends[1][row + down, col])
            if i != nodata and j != nodata:
                pair = _number(i, j)
                count = counts[pair]
                total += (2 * count + 1) * (1 + (i == j))
                logarithm += growth[count]
                counts[pair] = count + 1
        left = col - wide + 1
        if left < 0:
            continue
        sums[_COUNTS, left], sums[_LOGARITHMS, left] = total, logarithm
        for down in range(high):
            i, j = np.int64(ends[0][row + down, left]), np.int64(ends[1][row + down, left])
            if i != nodata and j != nodata:
                pair = _number(i, j)
                count = counts[pair] - 1
                total -= (2 * count + 1) * (1 + (i == j))
                logarithm -= growth[count]
                counts[pair] = count


@njit(cache=True, nogil=True)
def _number(i, j):
    """Number of a pair of levels in either order, counted row by row in a triangle."""
    low, high = min(i, j), max(i, j)
    return high * (high + 1) // 2 + low


@njit(cache=True, nogil=True)
def _add_property(code, sums, products, total):
    """Add a property of windows, of the sums of their pairs, to `total`, where there are pairs."""
    for col in range(len(total)):
        if sums[_PAIRS, col] > 0:
            total[col] += _property(code, sums[:, col], products)


@njit(cache=True, nogil=True)
def _property(code, sums, products):
    """A property of the symmetric matrix of a window's pairs, of their sums."""
    pairs = sums[_PAIRS]
    if code == 0:
        return sums[_CONTRAST] / pairs
    if code == 1:
        return sums[_DISSIMILARITY] / pairs
    if code == 2:
        return sums[_HOMOGENEITY] / (pairs * _UNIT)
    if code == 3:
        return sums[_COUNTS] / (2 * pairs * pairs)
    if code == 4:
        return np.sqrt(sums[_COUNTS] / (2 * pairs * pairs))
    if code == 5:
        whole = (products[pairs] - sums[_LOGARITHMS]) / _UNIT
        return (whole + _LN2 * (pairs - sums[_EQUAL])) / pairs
    if code == 6:
        return sums[_LEVELS] / (2 * pairs)
    spread = 2 * pairs * sums[_SQUARES] - sums[_LEVELS] ** 2  # variance times (2 pairs)**2
    if code == 7:
        return spread / (4 * pairs * pairs)
    # correlation; of equal levels it is 1, as in scikit-image
    return 1 - 2 * pairs * sums[_CONTRAST] / spread if spread else 1.0
