"""Features of single pixels: what pixel classifiers see beside the bands.

The same function makes them for sample tables and for whole windows, so a map
shows the classifier what training showed it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landcover.errors import LandcoverError
from landcover.scene.indices import INDICES

#: Greenness, water and brightness: what the four 10 m bands say beyond their levels.
FEATURES = ("ndvi", "ndwi", "bi2")


def available(bands: Sequence[str], names: Sequence[str] = FEATURES) -> tuple[str, ...]:
    """Those features that bands allow, in the order given.

    >>> available(["B02", "B03", "B04"])
    ()
    >>> available(["B04", "B08"])
    ('ndvi',)
    """
    return tuple(name for name in names if not _missing(name, bands))


def compute(image: np.ndarray, bands: Sequence[str], names: Sequence[str] = FEATURES) -> np.ndarray:
    """Features of every pixel.

    Parameters
    ----------
    image : array (bands, ...)
        Reflectance from 0 to 1, NaN for nodata: (bands, rows, cols) of a window
        or (bands, samples) of a table.
    bands : sequence of str
        Names of the image's bands, such as B02.
    names : sequence of str
        Keys of `indices.INDICES`.

    Returns
    -------
    array of float32 (features, ...)
        NaN where one of a feature's bands is NaN, finite elsewhere.

    Raises
    ------
    LandcoverError
        If a feature is unknown or the image lacks one of its bands.

    Examples
    --------
    >>> pixels = np.array([[0.25, 0.0, np.nan], [0.75, 0.0, 0.5]])
    >>> compute(pixels, ["B04", "B08"], ["ndvi"])
    array([[0.5, 0. , nan]], dtype=float32)
    """
    image = np.asarray(image)
    if len(image) != len(bands):
        raise ValueError(f"image has {len(image)} bands and {len(bands)} names")
    for name in names:
        missing = _missing(name, bands)
        if missing:
            raise LandcoverError(
                f"feature {name} needs {' and '.join(missing)}; the bands are {' '.join(bands)}: "
                f"choose among {' '.join(available(bands, tuple(INDICES))) or 'none'}"
            )
    reflectance = dict(zip(bands, image, strict=True))
    features = np.empty((len(names), *image.shape[1:]), np.float32)
    for position, name in enumerate(names):
        features[position] = INDICES[name](reflectance)
    return features


def _missing(name: str, bands: Sequence[str]) -> list[str]:
    """Bands that a feature needs and that are not there."""
    if name not in INDICES:
        raise LandcoverError(f"there is no feature {name!r}; the features are {' '.join(INDICES)}")
    return [band for band in INDICES[name].bands if band not in bands]
