"""An image in memory as a classifier sees it: tiles of few shapes, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from landcover.classifiers.protocol import Classifier
from landcover.grid import Window
from landcover.maps.scene_tiles import COMPUTE_PX
from landcover.samples.chips import valid_pixels

#: Sides of tiles. A network is compiled anew for every shape that it sees, and keeps what it
#: compiled: images of ever other shapes would fill the memory.
_SIDES = (64, 128, COMPUTE_PX)

#: Where a tile lies, which of its pixels are valid (rows, cols), and their probabilities
#: (classes, rows, cols).
Tile = tuple[Window, np.ndarray, np.ndarray]


def predict_tiles(classifier: Classifier, values: np.ndarray) -> Iterator[Tile]:
    """Probabilities of an image, tile by tile.

    Parameters
    ----------
    classifier : Classifier
        Any model without segment types.
    values : array of float32, (bands, rows, cols)
        Reflectance of the classifier's bands; NaN where nodata.

    Yields
    ------
    Window, array of bool (rows, cols), array of float32 (classes, rows, cols)
        Tiles that hold a valid pixel, cut at the image's edge.
    """
    rows, cols = values.shape[1:]
    side = next((side for side in _SIDES if side >= max(rows, cols)), COMPUTE_PX)
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            place = Window(row, col, min(side, rows - row), min(side, cols - col))
            valid = valid_pixels(values[:, *place.slices], radius=0)
            if valid.any():
                seen = Window(row, col, side, side).padded(classifier.radius)
                shares = classifier.predict_window(cut(values, seen))
                yield place, valid, shares[:, : place.rows, : place.cols]


def cut(values: np.ndarray, window: Window) -> np.ndarray:
    """A window of an image (bands, rows, cols), which may reach over its edges; NaN outside.

    Only what is looked at next is ever padded: a whole image of 1 x 4,000,000 pixels, padded to
    tiles of 256, would take 256 times its memory.

    >>> cut(np.ones((1, 2, 3), np.float32), Window(1, -1, 2, 3)).tolist()
    [[[nan, 1.0, 1.0], [nan, nan, nan]]]
    """
    found = np.full((len(values), window.rows, window.cols), np.nan, values.dtype)
    top, left = max(window.row, 0), max(window.col, 0)
    bottom, right = max(window.row + window.rows, 0), max(window.col + window.cols, 0)
    inside = values[:, top:bottom, left:right]
    down, across = top - window.row, left - window.col
    found[:, down : down + inside.shape[1], across : across + inside.shape[2]] = inside
    return found
