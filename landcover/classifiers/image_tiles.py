"""An image in memory as a classifier sees it: tiles of few shapes, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from landcover.classifiers.applicability import known
from landcover.classifiers.protocol import Classifier
from landcover.grid import Window
from landcover.samples.chips import cut

#: Sides of the tiles that a classifier sees at once are at most this, plus its radius.
COMPUTE_PX = 256

#: Sides of tiles. A network is compiled for every new shape of images and keeps the compiled code:
#: images of many shapes would fill the memory.
_SIDES = (64, 128, COMPUTE_PX)

#: Pixels of a single row, such as a table, that are predicted at once.
_CHUNK = 1 << 16

#: Where a tile lies, which of its pixels are valid (rows, cols), and their probabilities
#: (classes, rows, cols).
Tile = tuple[Window, np.ndarray, np.ndarray]


def predict_tiles(
    classifier: Classifier, values: np.ndarray, segment_types: np.ndarray | None = None
) -> Iterator[Tile]:
    """Probabilities of an image, tile by tile.

    Parameters
    ----------
    classifier : Classifier
        Any model.
    values : array of float32, (bands, rows, cols)
        Reflectance of the classifier's bands; NaN where nodata.
    segment_types : array of uint8, (layers, rows, cols), optional
        For models that read them.

    Yields
    ------
    Window, array of bool (rows, cols), array of float32 (classes, rows, cols)
        Tiles that hold a valid pixel, cut at the image's edge.
    """
    for tile, place in _tiles(values.shape[1:]):
        valid = _valid(classifier, values, place)
        if valid.any():
            seen = [cut(values, tile.padded(classifier.radius))]
            if segment_types is not None:
                seen.append(cut(segment_types, tile, outside=0))
            probabilities = classifier.predict_window(*seen)
            yield place, valid, probabilities[:, : place.rows, : place.cols]


def dissimilarity_tiles(
    classifier: Classifier, values: np.ndarray
) -> Iterator[tuple[Window, np.ndarray]]:
    """Dissimilarity of every pixel, tile by tile as in `predict_tiles`; NaN where nodata."""
    area = known(classifier)
    for tile, place in _tiles(values.shape[1:]):
        valid = _valid(classifier, values, place)
        if valid.any():
            seen = tile.padded(classifier.radius) if classifier.radius else place
            at = classifier.coordinates(cut(values, seen))
            found = area.dissimilarity(at[:, : place.rows, : place.cols])
            yield place, np.where(valid, found, np.nan)


def _valid(classifier: Classifier, values: np.ndarray, place: Window) -> np.ndarray:
    """Which pixels of a part of an image the classifier predicts."""
    return classifier.valid(cut(values, place.padded(classifier.radius)))


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[Window, Window]]:
    """Tiles of an image (rows, cols), whole and cut at its edge."""
    rows, cols = shape
    side = next((side for side in _SIDES if side >= max(rows, cols)), COMPUTE_PX)
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            place = Window(row, col, min(side, rows - row), min(side, cols - col))
            yield Window(row, col, side, side), place


def predict_chunks(
    classifier: Classifier, values: np.ndarray, segment_types: np.ndarray | None = None
) -> Iterator[Tile]:
    """The same of a single row of pixels, which tiles would pad to squares.

    Parameters are those of `predict_tiles`; the classifier sees no pixels around a pixel.
    """
    for start in range(0, values.shape[2], _CHUNK):
        place = Window(0, start, 1, min(_CHUNK, values.shape[2] - start))
        part = values[:, *place.slices]
        types = None if segment_types is None else segment_types[:, *place.slices]
        yield place, classifier.valid(part), classifier.predict_window(part, types)
