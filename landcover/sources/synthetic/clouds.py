"""Clouds and their shadows over a synthetic scene, and masks of them that are wrong in places.

Masks of Sentinel-2 err in known ways: thin clouds and the edges of clouds are missed, more shadows
than clouds are, and bright ground is taken for cloud (Baetens et al. 2019, doi:10.3390/rs11040433,
who found overall accuracies of 84 to 91 %). Amounts within these ways were chosen by us.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from landcover.sources.synthetic.patterns import smooth_noise
from landcover.sources.synthetic.spectra import Spectra

CLEAR, CLOUD, SHADOW = 0, 1, 2
#: Shadows fall so many pixels to the north-west, along rows and along columns: clouds of 1 to 2 km.
_SHADOW_PX = (35, 75)
#: Clouds of this thickness hide the ground, or dim it by their shadow.
_HIDES = 0.15
#: What a mask finds: clouds from about this thickness on; and so many more pixels around.
_FOUND, _BUFFER_PX = 0.28, 2
#: Nobody finds a cloud thinner than this.
_LEAST = 0.05
#: Light that is left in the deepest shadow, by band: the sky lights it, which is blue.
_SHADE = np.float32(0.55)


class Sky(NamedTuple):
    """Clouds between the ground and the instrument, 0 (none) to 1 (nothing is seen)."""

    cloud: np.ndarray
    shadow: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """`CLEAR`, `CLOUD` or `SHADOW` of each pixel, uint8."""
        shadow = np.where(self.shadow > _HIDES, SHADOW, CLEAR)
        return np.where(self.cloud > _HIDES, CLOUD, shadow).astype(np.uint8)


def draw_sky(rng: np.random.Generator, shape: tuple[int, int], share: float) -> Sky:
    """Clouds and shadows that together hide about a share of the ground; none where it is 0."""
    rows, cols = shape
    across, down = rng.integers(*_SHADOW_PX, 2)
    wide = rows + down, cols + across
    field = smooth_noise(rng, wide, 70) + 0.55 * smooth_noise(rng, wide, 24)
    field += 0.2 * smooth_noise(rng, wide, 7)
    depth = rng.uniform(0.35, 0.8)

    def at(level: float) -> Sky:
        thick = np.clip((field - level) / depth, 0, 1).astype(np.float32)
        # the sun is in the south-east, as over the relief
        return Sky(thick[:rows, :cols], thick[down:, across:])

    if share <= 0:
        return at(np.inf)
    low, high = float(field.min()) - 1, float(field.max())
    for _ in range(14):
        level = (low + high) / 2
        if (at(level).truth != CLEAR).mean() > share:
            low = level
        else:
            high = level
    return at(high)


def cover(image: np.ndarray, sky: Sky, spectra: Spectra, rng: np.random.Generator) -> None:
    """Dim what lies in shadow and lay clouds over the ground, in place."""
    if not sky.cloud.any() and not sky.shadow.any():
        return
    blue = (spectra.haze / spectra.haze.max())[:, None, None]
    image *= 1 - (_SHADE + np.float32(0.2) * (1 - blue)) * sky.shadow
    uneven = 1 + np.float32(0.08) * smooth_noise(rng, sky.cloud.shape, 12)
    white = spectra.cloud[:, None, None] * (np.float32(0.75) + np.float32(0.35) * sky.cloud)
    image += (white * uneven - image) * np.minimum(1, np.float32(1.15) * sky.cloud)


def mask_of(rng: np.random.Generator, sky: Sky, bright: np.ndarray) -> np.ndarray:
    """What a mask hides, bool: most clouds and shadows, and some bright ground.

    Parameters
    ----------
    rng : Generator
        Of its errors.
    sky : Sky
        What there is.
    bright : array of float, (rows, cols)
        Reflectance in blue, as the instrument shows it.
    """
    shape = sky.cloud.shape
    doubt = smooth_noise(rng, shape, 14)
    cloud = sky.cloud > np.maximum(_FOUND + 0.12 * doubt, _LEAST)
    # some shadows are not matched to their cloud
    matched = smooth_noise(rng, shape, 45) < 1.1
    shadow = (sky.shadow > np.maximum(_FOUND + 0.16 * doubt, _LEAST)) & matched
    taken = (bright > 0.16) & (sky.cloud <= _HIDES) & (smooth_noise(rng, shape, 9) > 1.0)
    if not cloud.any() and not shadow.any():
        return np.zeros(shape, bool)
    found = cloud | shadow | taken
    return ndimage.binary_dilation(found, iterations=_BUFFER_PX)
