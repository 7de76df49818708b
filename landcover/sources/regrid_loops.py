"""Compiled loops over pixels that bring a band to another grid."""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, nogil=True)
def _cubic(distance):
    """Weight of Keys' cubic convolution, a = -0.5, at a distance in pixels of the kernel."""
    t = abs(distance)
    if t <= 1:
        return (1.5 * t - 2.5) * t * t + 1
    return ((-0.5 * t + 2.5) * t - 4) * t + 2 if t < 2 else 0.0


@njit(cache=True, nogil=True)
def _linear(distance):
    """Weight of linear interpolation at a distance in pixels of the kernel."""
    return max(0.0, 1 - abs(distance))


@njit(cache=True, nogil=True)
def _smoothed(values, y, x, tall, wide):
    """Cubic convolution around a place, counted from middles of pixels; NaN beside missing ones."""
    total = weights = 0.0
    for row in range(math.ceil(y - 2 * tall), math.floor(y + 2 * tall) + 1):
        down = _cubic((row - y) / tall)
        if down == 0:
            continue
        if row < 0 or row >= values.shape[0]:
            return math.nan
        for col in range(math.ceil(x - 2 * wide), math.floor(x + 2 * wide) + 1):
            weight = down * _cubic((col - x) / wide)
            if weight == 0:
                continue
            if col < 0 or col >= values.shape[1]:
                return math.nan
            total += weight * values[row, col]
            weights += weight
    return total / weights


@njit(cache=True, nogil=True)
def _between(values, y, x, tall, wide):
    """Linear interpolation of the pixels that have a value, with weights that add up to 1."""
    total = weights = 0.0
    for row in range(max(0, math.ceil(y - tall)), min(values.shape[0], math.floor(y + tall) + 1)):
        for col in range(
            max(0, math.ceil(x - wide)), min(values.shape[1], math.floor(x + wide) + 1)
        ):
            if not math.isnan(values[row, col]):
                weight = _linear((row - y) / tall) * _linear((col - x) / wide)
                total += weight * values[row, col]
                weights += weight
    return total / weights


@njit(cache=True, nogil=True)
def resample(values, why, rows, cols, tall, wide, image, reasons):
    """Fill `image` and `reasons`, of pixels whose middles lie at places on the band's pixels.

    Parameters
    ----------
    values, why : arrays, (rows, cols)
        Of the band: values, NaN where it has none, and reasons, 0 where it has one.
    rows, cols : arrays of float, (rows, cols)
        Places, from the corner of `values`; a side of 1 holds for all rows or all columns.
    tall, wide : float
        Height and width of the kernel, in pixels of the band: 1, or more where pixels are made
        larger.
    image, reasons : arrays, (rows, cols)
        What is filled where the middle lies on the band.
    """
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            y = rows[i if rows.shape[0] > 1 else 0, j if rows.shape[1] > 1 else 0]
            x = cols[i if cols.shape[0] > 1 else 0, j if cols.shape[1] > 1 else 0]
            if not (y >= 0 and x >= 0 and y < values.shape[0] and x < values.shape[1]):
                continue
            own_row, own_col = int(y), int(x)
            reasons[i, j] = why[own_row, own_col]
            if reasons[i, j] != 0:
                continue
            value = _smoothed(values, y - 0.5, x - 0.5, tall, wide)
            if math.isnan(value):
                value = _between(values, y - 0.5, x - 0.5, tall, wide)
            image[i, j] = value
