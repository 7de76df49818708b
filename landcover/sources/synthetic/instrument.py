"""What an instrument 786 km above sees of a landscape: blur, haze, noise, pixels of 10 to 60 m."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from landcover.sensors import SENTINEL2
from landcover.sources.regrid_loops import resample
from landcover.sources.synthetic.patterns import smooth_noise
from landcover.sources.synthetic.spectra import Spectra

#: Width of the point spread, as the deviation of a Gaussian in pixels of the band: it passes a
#: quarter of the contrast at the Nyquist frequency, within what Sentinel-2's 10 m bands show
#: (modulation transfer 0.15 to 0.30 by requirement, ESA's Sentinel-2 handbook).
BLUR_PX = 0.53
#: Side of a pixel of elevation models with global cover, in pixels of the scene, and their error
#: from place to place, m: Copernicus GLO-30 states less than 2 m within 90 % on gentle slopes,
#: which is a deviation of about 1.2 m (Copernicus DEM product handbook, GEO1988-CopernicusDEM).
DEM_SIDE_PX, DEM_ERROR_M = 3, 1.2
#: Side of a pixel of each band, in pixels of the scene.
SIDE_PX = {band.name: round(band.pixel_m / 10) for band in SENTINEL2.bands}


def sense(
    rng: np.random.Generator,
    image: np.ndarray,
    bands: Sequence[str],
    noise: float,
    haze: float,
) -> dict[str, np.ndarray]:
    """Blur, haze and noise, in this order, on each band's own pixels; changes the image in place.

    Parameters
    ----------
    rng : Generator
        Of haze and noise. Bands of 10 m are drawn first, so they do not depend on the others.
    image : array of float32, (bands, rows, cols)
        Reflectance of the ground. Afterwards what the instrument shows; bands of 20 and 60 m are
        means of their pixels, brought back to the 10 m grid by cubic convolution as prepared
        scenes are.
    bands : sequence of str
        Names of the image's bands.
    noise, haze : float
        As `Look` has them.

    Returns
    -------
    dict of array of float32
        Bands of 20 and 60 m in their own pixels. At the lower and right edge a pixel may reach
        beyond the scene; it is the mean of what lies in it.
    """
    shape = image.shape[1:]
    veil = np.clip(haze * (1 + 0.45 * smooth_noise(rng, shape, 260)), 0, 0.9).astype(np.float32)
    air = Spectra.of(bands).haze
    native = {}
    for at in sorted(range(len(bands)), key=lambda at: SIDE_PX[bands[at]]):
        side = SIDE_PX[bands[at]]
        seen = ndimage.gaussian_filter(_means(image[at], side), BLUR_PX, truncate=3.0)
        seen += (air[at] - seen) * _means(veil, side)
        if noise:
            seen += np.float32(noise) * rng.standard_normal(seen.shape, dtype=np.float32)
        seen = np.clip(seen, 0.0005, 1.0)
        if side > 1:
            native[bands[at]] = seen
            seen = _on_fine_grid(seen, side, shape)
        image[at] = seen
    return native


def measure_elevation(rng: np.random.Generator, elevation: np.ndarray) -> np.ndarray:
    """Elevation (rows, cols) as a model of 30 m pixels has it, brought to the grid; metres."""
    coarse = _means(elevation, DEM_SIDE_PX)
    coarse += np.float32(DEM_ERROR_M) * smooth_noise(rng, coarse.shape, 2)
    return _on_fine_grid(coarse, DEM_SIDE_PX, elevation.shape)


def _means(fine: np.ndarray, side: int) -> np.ndarray:
    """Means of squares of `side` pixels; those at the edge are of the pixels that there are."""
    if side == 1:
        return fine
    starts = [np.arange(0, size, side) for size in fine.shape]
    total = np.add.reduceat(np.add.reduceat(fine, starts[0], axis=0), starts[1], axis=1)
    rows, cols = (np.minimum(side, size - at) for size, at in zip(fine.shape, starts, strict=True))
    return total / np.outer(rows, cols).astype(np.float32)


def _on_fine_grid(coarse: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels of `side` on the grid of a scene, by the cubic convolution of `sources.regrid`."""
    fine = np.empty(shape, np.float32)
    rows, cols = ((np.arange(size) + 0.5) / side for size in shape)
    missing = np.zeros(coarse.shape, np.uint8)
    resample(coarse, missing, rows[:, None], cols[None], 1.0, 1.0, fine, np.zeros(shape, np.uint8))
    return fine
