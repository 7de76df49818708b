"""The lie of the land: hills beside the valley of the river, level lakes, and light on slopes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from landcover.sources.synthetic.patterns import smooth_noise
from landcover.sources.synthetic.waters import MARSH, Waters

#: Elevation of the river, m: that of the Spree lowland.
RIVER_M = 50.0
#: Distance from the river within which the valley rises to about two thirds of the hills, pixels.
VALLEY_PX = 110
#: Banks rise from lakes by at most this, m a pixel: 12 %.
BANK_M = 1.2
#: Where the sun stands, as for crowns and shadows: in the south-east, at the zenith angle of the
#: canopy tables. Degrees.
SUN_AZIMUTH, SUN_ZENITH = 135.0, 35.0


def draw_relief(rng: np.random.Generator, waters: Waters, height_m: float) -> np.ndarray:
    """Elevation of a landscape of which the waters are known.

    Parameters
    ----------
    rng : Generator
        Of the hills.
    waters : Waters
        The river lies lowest; each other water is level, in a hollow of the hills.
    height_m : float
        Height of the highest hills over the river.

    Returns
    -------
    array of float32, (rows, cols)
        Metres.
    """
    shape = waters.code.shape
    hills = smooth_noise(rng, shape, 240)
    hills += np.float32(0.45) * smooth_noise(rng, shape, 90)
    hills += np.float32(0.12) * smooth_noise(rng, shape, 32)
    width = VALLEY_PX * np.exp(np.float32(0.4) * smooth_noise(rng, shape, 150))
    rise = 1 - np.exp(-waters.river_px / width)
    elevation = RIVER_M + height_m * rise * (0.1 + 0.9 / (1 + np.exp(-1.3 * hills)))
    bodies, number = ndimage.label(waters.code > MARSH)
    levels = np.zeros(number + 1)
    levels[1:] = ndimage.minimum(elevation, bodies, np.arange(1, number + 1))
    away, (row, col) = ndimage.distance_transform_edt(bodies == 0, return_indices=True)
    bank = levels[bodies[row, col]] + BANK_M * away
    return np.minimum(elevation, bank).astype(np.float32)


def steepness(elevation: np.ndarray) -> np.ndarray:
    """Rise over run of 10 m pixels, float32 (rows, cols)."""
    return np.hypot(*np.gradient(elevation, 10.0)).astype(np.float32)


def light_on(elevation: np.ndarray) -> np.ndarray:
    """Direct light on 10 m pixels against level ground: cos(incidence) / cos(zenith), at least 0.

    Smith, Lin and Ranson 1980 (Lambert's law on slopes), Photogrammetric Engineering and Remote
    Sensing 46(9), 1183-1189.
    """
    south, east = np.gradient(elevation, 10.0)  # rise towards growing rows, and columns
    azimuth, zenith = np.radians([SUN_AZIMUTH, SUN_ZENITH])
    towards_sun = np.sin(azimuth) * east - np.cos(azimuth) * south
    incidence = np.cos(zenith) - np.sin(zenith) * towards_sun
    incidence /= np.sqrt(1 + south**2 + east**2)
    return np.maximum(incidence / np.cos(zenith), 0).astype(np.float32)
