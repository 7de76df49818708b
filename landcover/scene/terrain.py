"""Terrain from elevation: slope, aspect, curvature and topographic position.

Every function takes elevations (rows + 2r, cols + 2r) in metres, with a margin of r pixels on every
side, and gives arrays (rows, cols). The first row is the northernmost. NaN marks pixels without
elevation: they stay NaN, and every other pixel has a value. A pixel's value depends on its window
alone, to the last bit, since sums run in one order whatever the array.

Slope, aspect and curvature look at 3 x 3 pixels. In place of a neighbour without elevation stands
the one that makes an even slope of its opposite neighbour and the middle; where that has none
either, the middle. So a plane keeps its slope at the edge of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

#: Height and width of a pixel in metres.
PixelSize: TypeAlias = Sequence[float]
#: Rows down and columns across from a pixel to its neighbours, from the north-west by rows.
_AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def slope(elevation: npt.ArrayLike, pixel_m: PixelSize) -> np.ndarray:
    """Steepness in degrees: 0 on flat land, 90 upright.

    Parameters
    ----------
    elevation : array of float, (rows + 2, cols + 2)
        Metres.
    pixel_m : (height, width)
        Of a pixel, metres.

    Returns
    -------
    array of float32, (rows, cols)

    Notes
    -----
    Gradients by the weights of Horn 1981, doi:10.1109/PROC.1981.11918, which GDAL uses too.

    Examples
    --------
    >>> plane = 10.0 * np.arange(4)[:, np.newaxis] + np.zeros((4, 4))
    >>> slope(plane, (10, 10))
    array([[45., 45.],
           [45., 45.]], dtype=float32)
    """
    return np.degrees(np.arctan(np.hypot(*_gradient(elevation, pixel_m)))).astype(np.float32)


def aspect(elevation: npt.ArrayLike, pixel_m: PixelSize) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine of the direction in which land falls, clockwise from north.

    North and 360 degrees are one direction, which degrees set as far apart as can be; sine and
    cosine do not. On flat land both are 0. No direction has that pair, so flat land differs from
    all of them, and equally much.

    Parameters
    ----------
    elevation : array of float, (rows + 2, cols + 2)
        Metres.
    pixel_m : (height, width)
        Of a pixel, metres.

    Returns
    -------
    sine, cosine : arrays of float32, (rows, cols)
        The sine is 1 where land faces east, the cosine 1 where it faces north.

    Examples
    --------
    >>> rising_to_the_south = np.arange(3.0)[:, np.newaxis] + np.zeros((3, 3))
    >>> [float(part[0, 0]) for part in aspect(rising_to_the_south, (10, 10))]
    [0.0, 1.0]
    """
    north, east = _gradient(elevation, pixel_m)
    steep = np.hypot(north, east)
    flat = steep == 0
    length = np.where(flat, 1.0, steep)
    sine, cosine = (np.where(flat, 0.0, 0.0 - part / length) for part in (east, north))
    return sine.astype(np.float32), cosine.astype(np.float32)


def curvature(
    elevation: npt.ArrayLike, pixel_m: PixelSize
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """General, profile and plan curvature, in 1/m; positive where land bulges, such as on ridges.

    Profile curvature is that along the line of fall, where water runs faster or slower. Plan
    curvature is that across it, where water parts or gathers. They add up to the general one, which
    is known on flat land too; there the other two are 0.

    Parameters
    ----------
    elevation : array of float, (rows + 2, cols + 2)
        Metres.
    pixel_m : (height, width)
        Of a pixel, metres.

    Returns
    -------
    general, profile, plan : arrays of float32, (rows, cols)

    Notes
    -----
    Derivatives of the surface of Zevenbergen and Thorne 1987, doi:10.1002/esp.3290120107, through
    3 x 3 pixels. Both of its curvatures are second derivatives of elevation in a direction. All
    three have the sign that makes a hilltop positive.

    Examples
    --------
    >>> metres = 10.0 * np.arange(-1, 2)
    >>> ridge = -0.01 * metres**2 + np.zeros((3, 3))
    >>> [round(float(part[0, 0]), 3) for part in curvature(ridge, (10, 10))]
    [0.02, 0.0, 0.0]
    """
    height, width = pixel_m
    northwest, up, northeast, left, right, southwest, down, southeast, middle = _window(elevation)
    east, north = (right - left) / (2 * width), (up - down) / (2 * height)
    east2 = (right + left - 2 * middle) / width**2
    north2 = (up + down - 2 * middle) / height**2
    mixed = (northeast - northwest - southeast + southwest) / (4 * width * height)
    steep2 = east**2 + north**2
    flat = steep2 == 0
    over = np.where(flat, 1.0, steep2)
    along = (east**2 * east2 + 2 * east * north * mixed + north**2 * north2) / over
    across = (north**2 * east2 - 2 * east * north * mixed + east**2 * north2) / over
    parts = (-(east2 + north2), np.where(flat, 0.0, -along), np.where(flat, 0.0, -across))
    general, profile, plan = (
        np.where(np.isnan(middle), np.nan, part).astype(np.float32) for part in parts
    )
    return general, profile, plan


def position(elevation: npt.ArrayLike, radius_px: int) -> np.ndarray:
    """Topographic position index, in metres: how far a pixel lies above its surroundings.

    Parameters
    ----------
    elevation : array of float, (rows + 2r, cols + 2r)
        Metres, where r is the radius.
    radius_px : int
        The window is 2r + 1 pixels a side. `landcover.grid.Grid.pixels` turns metres into pixels.

    Returns
    -------
    array of float32, (rows, cols)
        Elevation less the mean of the other pixels of the window that have one; 0 where none has.
        Positive on ridges, negative in valleys.

    Notes
    -----
    Weiss 2001, Topographic position and landforms analysis; without the pixel itself, as Wilson
    et al. 2007, doi:10.1080/01490410701295962, and GDAL have it.

    Examples
    --------
    >>> peak = np.zeros((3, 3))
    >>> peak[1, 1] = 8
    >>> position(peak, 1)
    array([[8.]], dtype=float32)
    """
    elevation = np.asarray(elevation, np.float64)
    known = ~np.isnan(elevation)
    inner = slice(radius_px, -radius_px or None)
    middle = elevation[inner, inner]
    total = _sums(np.where(known, elevation, 0.0), radius_px) - np.where(
        np.isnan(middle), 0.0, middle
    )
    count = _sums(known.astype(np.float64), radius_px) - ~np.isnan(middle)
    mean = np.divide(total, count, out=middle.copy(), where=count > 0)
    return (middle - mean).astype(np.float32)


def _sums(values: np.ndarray, radius: int) -> np.ndarray:
    """Sums of square windows, layer by layer: a running sum would depend on where it began."""
    for _ in range(2):  # down, then across
        count = len(values) - 2 * radius
        total = values[:count].copy()
        for shift in range(1, 2 * radius + 1):
            total += values[shift : shift + count]
        values = total.T
    return values


def _gradient(elevation: npt.ArrayLike, pixel_m: PixelSize) -> tuple[np.ndarray, np.ndarray]:
    """Rise to the north and to the east, metres a metre; NaN where there is no elevation."""
    height, width = pixel_m
    northwest, up, northeast, left, right, southwest, down, southeast, middle = _window(elevation)
    empty = np.isnan(middle)
    north = (northwest + 2 * up + northeast) - (southwest + 2 * down + southeast)
    east = (northeast + 2 * right + southeast) - (northwest + 2 * left + southwest)
    north, east = north / (8 * height), east / (8 * width)
    north[empty], east[empty] = np.nan, np.nan
    return north, east


def _window(elevation: npt.ArrayLike) -> list[np.ndarray]:
    """The neighbours of `_AROUND` and the middle, (rows, cols) each, missing ones completed."""
    elevation = np.asarray(elevation, np.float64)
    rows, cols = elevation.shape[0] - 2, elevation.shape[1] - 2
    middle = elevation[1:-1, 1:-1]
    around = [
        elevation[1 + down : 1 + down + rows, 1 + across : 1 + across + cols]
        for down, across in _AROUND
    ]
    if not np.isnan(elevation).any():
        return [*around, middle]
    completed = []
    for neighbour, opposite in zip(around, around[::-1], strict=True):
        even = np.where(np.isnan(opposite), middle, 2 * middle - opposite)
        completed.append(np.where(np.isnan(neighbour), even, neighbour))
    return [*completed, middle]
