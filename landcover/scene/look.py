"""What pictures and segments see of a scene: its reflectance, or components of what it holds.

A scene of reflectance is seen by that alone, whatever else it has: metres and embeddings have other
units. A scene without reflectance is seen by the first three principal components of what it
measures: not of elevation, distances and features.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.grid import Window
from landcover.progress import track
from landcover.scene.components import Components, fit_components
from landcover.scene.feature_names import measured
from landcover.sensors import reflectance_bands

#: Components that are seen.
_MOST = 3
#: Values that components are fitted on, of all bands, at most.
_FITTED = 2**23
#: Deviation that the first component is given: about that of near-infrared reflectance of land, so
#: that a scale of segments does what it does there.
DEVIATION = 0.1


@dataclass(frozen=True)
class Look:
    """What is seen of a scene.

    Attributes
    ----------
    names : tuple of str
        Of the bands that are seen: reflectance, or ``pc1`` and so on.
    bands : tuple of str
        Bands of the scene that are read for them.
    components : Components or None
        What makes them; None where they are reflectance.
    unit : float
        Components are divided by it, so that the first has the deviation `DEVIATION`.
    """

    names: tuple[str, ...]
    bands: tuple[str, ...]
    components: Components | None = None
    unit: float = 1.0

    def of(self, image: np.ndarray) -> np.ndarray:
        """Bands that are seen, float32, of an image of `bands`; NaN where one is missing."""
        if self.components is None:
            return image
        return (self.components.apply(image) / self.unit).astype(np.float32)

    def read(self, scene: Path) -> np.ndarray:
        """A whole scene (bands, rows, cols) as it is seen, read by windows."""
        grid = rasters.grid_of(scene)
        found = np.empty((len(self.names), *grid.shape), np.float32)
        windows = _windows(scene, "Reading the scene")
        for window, image in rasters.read_windows(scene, windows, list(self.bands)):
            found[:, *window.slices] = self.of(image)
        return found


def _windows(scene: Path, doing: str) -> Iterable[Window]:
    """Windows that cover a scene, with progress."""
    side = rasters.window_px(len(rasters.band_names(scene)))
    return track(list(rasters.grid_of(scene).windows(side)), doing)


def look_at(scene: Path) -> Look:
    """How a scene is seen.

    Parameters
    ----------
    scene : path
        Raster with named bands.

    Returns
    -------
    Look
        Components are fitted on pixels thinned over the scene.
    """
    bands = rasters.band_names(scene)
    held = reflectance_bands(bands)
    return Look(held, held) if held else _components(scene, measured(bands) or bands)


def _components(scene: Path, bands: Sequence[str]) -> Look:
    """The first components of some bands."""
    pixels = _pixels(scene, bands, int((_FITTED / len(bands)) ** 0.5))
    found = _fitted(pixels, bands, min(_MOST, len(bands)))
    deviation = float(found.apply(pixels.T)[0].std())
    names = tuple(f"pc{number}" for number in range(1, len(found.vectors) + 1))
    return Look(names, tuple(bands), found, deviation / DEVIATION)


def _pixels(scene: Path, bands: Sequence[str], side_px: int) -> np.ndarray:
    """Valid pixels (pixels, bands), thinned; of few ones those of the first window with any."""
    image = rasters.read_small(scene, side_px, bands, average=False)
    windows = rasters.grid_of(scene).windows(rasters.BLOCK_PX)
    while not (valid := rasters.valid_pixels(image)).any():
        image = rasters.read(scene, next(windows), list(bands))
    return image[:, valid].T


def _fitted(pixels: np.ndarray, bands: Sequence[str], count: int) -> Components:
    """So many components, or fewer where the bands vary in fewer directions."""
    try:
        return fit_components(pixels, bands, count)
    except InputError:
        if count == 1:
            raise
        return _fitted(pixels, bands, count - 1)
