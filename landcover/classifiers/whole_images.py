"""Whole images to classes: one image, many, or a scene on a stride."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypedDict

import numpy as np

from landcover.classifiers.image_tiles import predict_tiles
from landcover.classifiers.models import Model
from landcover.classifiers.pixel_sizes import other_pixels
from landcover.classifiers.protocol import Reader
from landcover.errors import InputError, LandcoverError
from landcover.files.rasters import valid_pixels
from landcover.grid import Grid, Window
from landcover.legend import Legend
from landcover.samples.chips import cut
from landcover.sources.image import Image

if TYPE_CHECKING:
    from landcover.classifiers import protocol
    from landcover.classifiers.networks import ImageClassifier

#: Sides of pixels, in metres, that networks trained on pixels of 10 m are shown.
PIXEL_M = (5.0, 20.0)


class Classifier(Reader, Protocol):
    """Whatever gives whole images a class.

    Attributes
    ----------
    legend : Legend
        Classes in the order of the outputs.
    """

    @property
    def legend(self) -> Legend: ...  # noqa: D102

    def probabilities(self, images: Sequence[Image], until: float = math.inf) -> np.ndarray:
        """Probabilities (images, classes).

        Raises
        ------
        InputError
            If an image lacks a band or a valid pixel.
        TimeoutError
            If `until`, of `time.monotonic`, is over.
        """


class _Described(Reader, Protocol):
    """A model with a legend."""

    @property
    def legend(self) -> Legend: ...


class Reply(TypedDict):
    """What is said of an image: its class, probabilities by class, and who says so."""

    Type: str
    probabilities: dict[str, float]
    model: str


@dataclass(frozen=True)
class _Wrapper:
    """Name, legend and bands of the model that a classifier of images uses."""

    model: _Described

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def legend(self) -> Legend:
        """Classes in the order of the outputs."""
        return self.model.legend

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it reads."""
        return self.model.bands


@dataclass(frozen=True)
class WholeImageClassifier(_Wrapper):
    """An image network for images of any size.

    An image with a place on Earth is covered by squares of the network's size, whose
    probabilities are averaged by how many of their pixels are valid; a square without any is
    not looked at. A picture has no scale, so its middle square is brought to the network's
    size.
    """

    model: ImageClassifier

    def probabilities(self, images: Sequence[Image], until: float = math.inf) -> np.ndarray:
        """Probabilities (images, classes): means over the squares of each."""
        return np.stack([self._mean(image, until) for image in images])

    def _mean(self, image: Image, until: float) -> np.ndarray:
        values, side = _bands_of(image, self.bands, self.name), self.model.side_px
        if image.grid is None:
            values = _resized(_middle(values), side)
        else:
            require_scale(image.grid, "the image")
        squares = _squares(valid_pixels(values), side)
        if not squares:
            raise _nothing_valid(self)
        places, weights = zip(*squares, strict=True)
        found = self.model.probabilities(_cut_in_time(values, places, until))
        return np.average(found, 0, weights).astype(np.float32)


@dataclass(frozen=True)
class PixelMeanClassifier(_Wrapper):
    """A classifier of pixels, whose mean probabilities over an image are the image's.

    Attributes
    ----------
    model : protocol.Classifier
        What classifies pixels.
    stored : Model, optional
        What it was loaded from, which knows the pixels that it learnt from.
    """

    model: protocol.Classifier
    stored: Model | None = None

    def probabilities(self, images: Sequence[Image], until: float = math.inf) -> np.ndarray:
        """Probabilities (images, classes): means over the valid pixels."""
        values = (_bands_of(image, self.bands, self.name) for image in images)
        return np.stack([self._mean(of_image, until) for of_image in values])

    def _mean(self, values: np.ndarray, until: float) -> np.ndarray:
        valid = valid_pixels(values)
        if not valid.any():
            raise _nothing_valid(self)
        total = np.zeros(len(self.legend))
        for _, inside, probabilities in predict_tiles(self.model, values):
            check_time(until)
            total += probabilities[:, inside].sum(axis=1, dtype=np.float64)
        return (total / valid.sum()).astype(np.float32)


def load_classifier(model: Model) -> Classifier:
    """A model as a classifier of whole images.

    Parameters
    ----------
    model : Model
        A network of whole images, or a model of pixels, whose mean over the image counts.

    Raises
    ------
    InputError
        If the model needs segment types, which a single image has not, or has no classes.
    """
    if model.kind.classifies_images:
        return WholeImageClassifier(model.image_classifier())
    if model.inputs.dates is not None:
        raise InputError(
            f"model {model.folder} reads sequences, and a single image is of one date; choose a "
            "model of one"
        )
    if model.inputs.segment_layers:
        raise InputError(
            f"model {model.folder} needs segment types, which a single image has not; choose one "
            "without"
        )
    return PixelMeanClassifier(model.classifier(), model)


def left_out(classifier: Classifier, image: Image) -> list[str]:
    """Sentences on pixels that an image's class does not depend on, or that are of another size."""
    values = _bands_of(image, classifier.bands, classifier.name)
    notes, (rows, cols) = [], values.shape[1:]
    if isinstance(classifier, WholeImageClassifier) and image.grid is None and rows != cols:
        values = _middle(values)
        side = min(rows, cols)
        notes.append(f"the middle {side} x {side} of its {cols} x {rows} pixels are looked at")
    lacking = int(np.count_nonzero(~valid_pixels(values)))
    if lacking:
        of = values[0].size
        bands = " ".join(classifier.bands)
        notes.append(f"{lacking:,} of {of:,} pixels have no data in {bands} and are left out")
    stored = classifier.stored if isinstance(classifier, PixelMeanClassifier) else None
    said = other_pixels(image.grid, stored, "the image") if stored and image.grid else None
    if said:
        notes.append(f"{said}; use a model of such pixels, or warp the image to those it knows")
    return notes


def reply(classifier: Classifier, image: Image, until: float = math.inf) -> Reply:
    """What is said of an image: ``Type``, ``probabilities`` by class, and ``model``."""
    found = classifier.probabilities([image], until)[0]
    names = classifier.legend.names
    return {
        "Type": names[int(found.argmax())],
        "probabilities": {name: float(p) for name, p in zip(names, found, strict=True)},
        "model": classifier.name,
    }


def require_scale(grid: Grid, name: str) -> None:
    """Raise InputError if pixels are not about 10 m wide, those that image networks know.

    Their size is that on the ground, in the middle of the grid.
    """
    width, height = grid.pixel_size_m
    least, most = PIXEL_M
    # a metre of a projection is up to 0.3 % more or less on the ground
    if min(width, height) < 0.99 * least or max(width, height) > 1.01 * most:
        raise InputError(
            f"{name} has pixels of {width:.3g} x {height:.3g} m, and networks of whole images "
            f"know pixels of 10 m ({least:g} to {most:g} m are taken); warp it, for example "
            f"with: rio warp FILE NEW.tif --dst-crs EPSG:{_utm_of(grid)} --res 10"
        )


def _utm_of(grid: Grid) -> int:
    """EPSG code of the UTM zone that the middle of a grid lies in."""
    from rasterio.warp import transform

    x, y = grid.xy((grid.rows - 1) / 2, (grid.cols - 1) / 2)
    (lon,), (lat,) = transform(grid.crs, "EPSG:4326", [float(x)], [float(y)])
    return (32600 if lat >= 0 else 32700) + int((lon + 180) // 6) % 60 + 1


def check_time(until: float) -> None:
    """Raise TimeoutError if `until`, of `time.monotonic`, has passed."""
    if time.monotonic() > until:
        raise TimeoutError


def _bands_of(image: Image, bands: Sequence[str], model: str) -> np.ndarray:
    """An image's bands in the order of a model's, (bands, rows, cols)."""
    missing = [band for band in bands if band not in image.bands]
    if missing:
        raise InputError(
            f"the image has bands {' '.join(image.bands)}, and model {model} needs "
            f"{' '.join(missing)} too; give an image with these or use another model"
        )
    return image.values[[image.bands.index(band) for band in bands]]


def _nothing_valid(model: _Wrapper) -> LandcoverError:
    return InputError(
        f"the image has no pixel with all bands {' '.join(model.bands)} valid, "
        f"which {model.name} needs; give another image"
    )


def _middle(values: np.ndarray) -> np.ndarray:
    """The largest square in the middle of (bands, rows, cols)."""
    rows, cols = values.shape[1:]
    side = min(rows, cols)
    row, col = (rows - side) // 2, (cols - side) // 2
    return values[:, row : row + side, col : col + side]


def _resized(values: np.ndarray, side: int) -> np.ndarray:
    """A square of another size; shrinking averages, so that nothing aliases."""
    if values.shape[1] == side:
        return values
    from skimage.transform import resize

    shape = (len(values), side, side)
    known = resize(np.nan_to_num(values), shape, order=1, anti_aliasing=True)
    weight = resize(1.0 - np.isnan(values), shape, order=1, anti_aliasing=True)
    with np.errstate(invalid="ignore"):
        return np.where(weight > 0.5, known / weight, np.nan).astype(np.float32)


def _squares(valid: np.ndarray, side: int) -> list[tuple[Window, int]]:
    """The squares that cover an image and hold valid pixels, and how many each of them holds.

    >>> [((place.row, place.col), n) for place, n in _squares(np.ones((40, 100), bool), 64)]
    [((0, 0), 2560), ((0, 36), 2560)]
    """
    rows, cols = (_starts(length, side).tolist() for length in valid.shape)
    places = (Window(row, col, side, side) for row in rows for col in cols)
    counted = ((place, int(np.count_nonzero(valid[place.slices]))) for place in places)
    return [(place, n) for place, n in counted if n]


def _cut_in_time(
    values: np.ndarray, places: Iterable[Window], until: float
) -> Iterator[np.ndarray]:
    """Squares (side, side, bands) of an image, each cut no sooner than it is asked for."""
    for place in places:
        check_time(until)
        yield cut(values, place).transpose(1, 2, 0)


def _starts(length: int, side: int) -> np.ndarray:
    """Where squares begin that cover a length, as few as can be, evenly spaced.

    >>> _starts(64, 64).tolist(), _starts(100, 64).tolist(), _starts(30, 64).tolist()
    ([0], [0, 36], [0])
    """
    n = max(1, -(-length // side))
    return np.linspace(0, max(0, length - side), n).round().astype(int)
