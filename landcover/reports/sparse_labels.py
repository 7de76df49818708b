"""Labels that are few, such as training polygons, drawn so that they are seen: over the scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.legend import UNLABELLED, Legend
from landcover.reports import figures

#: Where less of a picture is labelled, it shows the scene between the labels.
SPARSE = 0.1
#: A labelled pixel is drawn at least this part of the picture's longer side wide.
_SIDE_OF_MARK = 300
#: How bright the scene is shown below.
_DIMMED = 0.5


def is_sparse(codes: np.ndarray) -> bool:
    """Whether class codes leave most of a picture empty, which alone would be specks on grey."""
    return bool(np.count_nonzero(codes) < SPARSE * codes.size)


def read_sparse(path: Path, max_px: int = 1500) -> np.ndarray:
    """A class raster for a picture, in which no labelled pixel is lost by thinning.

    Parameters
    ----------
    path : path
        Class raster.
    max_px : int
        Longer side of the picture at most.

    Returns
    -------
    array of uint16, (rows, cols)
        Of the size that `figures.read_folded` gives; of several classes in a pixel, one of them.
    """
    grid = rasters.grid_of(path)
    pieces = figures.folds(*grid.shape)
    thin = max(1.0, max(grid.shape) / (max_px * pieces))
    rows, cols = (max(1, round(side / thin)) for side in grid.shape)
    small = np.zeros((rows, cols), np.uint16)
    for window in grid.windows(rasters.WINDOW_PX):
        codes = rasters.read_classes(path, window)
        row, col = np.nonzero(codes)
        places = (row + window.row) * rows // grid.rows, (col + window.col) * cols // grid.cols
        small[places] = codes[row, col]
    return figures.fold(small, pieces)


def over_scene(codes: np.ndarray, legend: Legend, scene: np.ndarray) -> np.ndarray:
    """Classes over a dimmed picture of the scene, with a white edge around them.

    Parameters
    ----------
    codes : array of int, (rows, cols)
        Class codes; 0 shows the scene.
    legend : Legend
        Their colours.
    scene : array of uint8, (rows or more, cols or more, 3), or less of both
        The scene; it is brought to the size of the codes by nearest pixel.

    Returns
    -------
    array of uint8, (rows, cols, 3)
        A single labelled pixel is drawn wider in a large picture, but over no other class.
    """
    from scipy.ndimage import maximum_filter

    rows, cols = (
        np.arange(side) * held // side
        for side, held in zip(codes.shape, scene.shape[:2], strict=True)
    )
    picture = (scene[np.ix_(rows, cols)] * _DIMMED).astype(np.uint8)
    radius = max(codes.shape) // (2 * _SIDE_OF_MARK)
    wide = np.where(codes == UNLABELLED, maximum_filter(codes, 2 * radius + 1), codes)
    if radius:
        picture[maximum_filter(wide, 3) != UNLABELLED] = 255
    marked = wide != UNLABELLED
    picture[marked] = figures.class_picture(wide, legend)[marked]
    return picture
