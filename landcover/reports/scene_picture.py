"""A scene as a picture: true colour, or the first components of its bands in false colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.reports import figures
from landcover.scene.look import look_at
from landcover.sensors import true_colour_bands

#: Reads some bands of a raster as they are to be shown.
ReadBands = Callable[[Path, Sequence[int | str]], np.ndarray]


def scene_picture(scene: Path, read: ReadBands | None = None) -> tuple[str, str, np.ndarray]:
    """A scene for the eye.

    Parameters
    ----------
    scene : path
        Raster with named bands.
    read : function, optional
        What gives bands of it (bands, rows, cols); by default the scene as a whole, thinned to a
        screen's size, less where it has many bands.

    Returns
    -------
    name, title : str
        Of the picture: ``true_colour`` or ``components``, and in words.
    picture : array of uint8, (rows, cols, 3)
    """
    colours = true_colour_bands(rasters.band_names(scene))
    if colours:
        read = read or (lambda path, bands: figures.read_folded(path, bands=bands))
        return "true_colour", "True colour", figures.true_colour(read(scene, colours), colours)
    look = look_at(scene)
    read = read or (lambda path, bands: figures.read_folded(path, side_px(len(bands)), bands))
    title = "First three principal components of the bands"
    return "components", title, figures.false_colour(look.of(read(scene, look.bands)))


def side_px(bands: int) -> int:
    """Longest side of a picture of so many bands, pixels: they are in memory together."""
    return 1500 if bands <= 16 else 750
