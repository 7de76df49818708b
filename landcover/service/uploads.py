"""Results for an uploaded image: the class of the whole image, or a raster of classes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.best_class import winners
from landcover.classifiers.pixels import PixelClassifier
from landcover.classifiers.whole_images import check_time, left_out, reply
from landcover.errors import InputError
from landcover.files.atomic import Fields
from landcover.files.pictures import class_geotiff
from landcover.grid import Grid
from landcover.legend import UNLABELLED
from landcover.maps import predict_tiles, require_bands
from landcover.sources.image import Image, read_image

if TYPE_CHECKING:
    from landcover import maps
    from landcover.classifiers import whole_images

#: Models process squares and tiles, so a shorter side takes as long as one of this length.
_LEAST_SIDE_PX = 256


@dataclass(frozen=True)
class Classify:
    """The class of a whole image.

    Attributes
    ----------
    classifier : whole_images.Classifier
        The model, loaded once. One request at a time runs it: it uses all cores by itself.
    """

    classifier: whole_images.Classifier
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, content: bytes, max_pixels: int, until: float) -> Fields:
        """Class, probabilities by class name, the model's name, and notes on the image.

        Raises
        ------
        InputError
            If the content is no image, or not one for this model.
        TimeoutError
            If `until`, of `time.monotonic`, is over.
        """
        image = _read(content, max_pixels)
        with self._turn:
            check_time(until)
            found = reply(self.classifier, image, until)
        return {**found, "notes": [*image.notes, *left_out(self.classifier, image)]}


@dataclass(frozen=True)
class Predict:
    """The class of every pixel of a georeferenced image.

    Attributes
    ----------
    classifier : protocol.Classifier
        A pixel or patch model without segment types.
    """

    classifier: maps.Classifier
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, content: bytes, max_pixels: int, until: float) -> bytes:
        """A GeoTIFF of class codes, uint16, 0 where nodata.

        It holds the legend's colour table, and the class names as tags of its band
        (``CLASS_211=Non-irrigated arable land``), for which GeoTIFF has no field of its own. Its
        tag NOTES says what of the image was left out or looks wrong.

        Raises
        ------
        InputError
            If the content is no image, has no place, or lacks a band.
        TimeoutError
            If `until`, of `time.monotonic`, is over.
        """
        image = _read(content, max_pixels)
        if image.grid is None:
            raise InputError(
                "the image has no place on the ground; give a GeoTIFF with a CRS, north up"
            )
        require_bands(self.classifier, image.bands, "the image")
        order = [image.bands.index(band) for band in self.classifier.bands]
        with self._turn:
            check_time(until)
            codes = self.codes(image.values[order], image.grid, until)
        return class_geotiff(codes, image.grid, self.classifier.legend, image.notes)

    def codes(self, values: np.ndarray, grid: Grid, until: float) -> np.ndarray:
        """Class codes (rows, cols) uint16 of reflectance (bands, rows, cols), tile by tile.

        Raises
        ------
        TimeoutError
            If `until`, of `time.monotonic`, is over.
        """
        codes = np.full(values.shape[1:], UNLABELLED, np.uint16)
        classifier = self.classifier
        if isinstance(classifier, PixelClassifier):
            classifier = classifier.on(grid)
        for place, valid, probabilities in predict_tiles(classifier, values):
            check_time(until)
            index, _ = winners(np.ascontiguousarray(probabilities))
            codes[place.slices] = np.where(valid, self.classifier.legend.code(index), UNLABELLED)
        return codes


def _read(content: bytes, max_pixels: int) -> Image:
    """The image of an upload; InputError if there is none, or it takes too long."""
    image = read_image(content, max_pixels=max_pixels)
    rows, cols = image.values.shape[1:]
    cost = max(rows, _LEAST_SIDE_PX) * max(cols, _LEAST_SIDE_PX)
    if cost > max(max_pixels, _LEAST_SIDE_PX**2):
        raise InputError(
            f"the image of {rows} x {cols} pixels costs as much as {cost:,}, since models look at "
            f"squares, and {max_pixels:,} are allowed; cut it into shorter pieces"
        )
    return image
