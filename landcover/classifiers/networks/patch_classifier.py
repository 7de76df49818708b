"""A patch network as a classifier of windows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.classifiers.applicability import Applicability, known
from landcover.classifiers.calibration import UNTEMPERED, Temperature
from landcover.classifiers.networks.architectures import means_of_bands, projected_network
from landcover.classifiers.networks.backend import predict
from landcover.classifiers.networks.engines import KERAS, Engine, PrecisionTier, tier_of
from landcover.classifiers.one_image import OfOneImage
from landcover.errors import InputError
from landcover.legend import Legend
from landcover.samples.chips import radius_of, views

if TYPE_CHECKING:
    import keras


class _MadeOnce(cached_property):  # type: ignore[type-arg]
    """A property that one thread makes while others wait: Python has no lock from 3.12 on."""

    _lock = threading.RLock()

    def __get__(self, instance: object, owner: type | None = None) -> Any:  # noqa: ANN401 -- of whatever type the property is
        with self._lock:
            return super().__get__(instance, owner)


@dataclass(frozen=True)
class PatchClassifier(OfOneImage):
    """A patch network as a classifier of windows.

    Attributes
    ----------
    name : str
        Name of the model.
    legend : Legend
        Classes in the order of the outputs.
    bands : tuple of str
        Bands that it reads.
    patch_size : int
        Side of the patch around a pixel.
    model : keras.Model
        From `build_cnn` (dense) or `build_published` (chip by chip).
    engine : Engine
        What runs a dense network; `choose_engine` finds the fastest. The published
        network runs on Keras whatever it says.
    temperature : Temperature
        Applied to probabilities by maps, after the engines and their bounds.
    applicability : Applicability, optional
        Where the network has learnt something like what it meets.
    """

    name: str
    legend: Legend
    bands: tuple[str, ...]
    patch_size: int
    model: keras.Model
    segment_layers: tuple[str, ...] = ()
    engine: Engine = KERAS
    temperature: Temperature = UNTEMPERED
    applicability: Applicability | None = None
    #: Neighbours share most of their patch: one of nine pixels stands for all in applicability
    described_px = 3

    @property
    def radius(self) -> int:
        """Pixels from the centre of a patch to its edge."""
        return radius_of(self.patch_size)

    @property
    def dense(self) -> bool:
        """Whether the network runs over whole windows."""
        return len(self.model.output_shape) == 4

    def with_engine(self, engine: Engine) -> PatchClassifier:
        """The same classifier on another engine."""
        return replace(self, engine=engine)

    @_MadeOnce
    def tier(self) -> PrecisionTier:
        """The tier of the engine; made on first use, compiled once for each shape of windows."""
        return tier_of(self.model, self.patch_size, self.engine)

    def predict_window(
        self, image: np.ndarray, segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities of a window.

        The first window of a shape costs some tenths of a second more, to compile the network.

        Parameters
        ----------
        image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
            Reflectance; NaN where nodata or outside the scene.
        segment_types : None
            Not used.

        Returns
        -------
        array of float32, (classes, rows, cols)
            The best class of a valid pixel is that of its chip in float32, as long as the
            engine's bounds hold. Reduced precision shows in the probabilities alone.
        """
        if self.dense:
            return self.predict_windows([image])[0]
        return self._predict_chips(image)

    def predict_windows(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """`predict_window` of several windows: the same bytes in less time."""
        if self.dense:
            return self.tier.predict([np.ascontiguousarray(i, np.float32) for i in images])
        return [self._predict_chips(image) for image in images]

    def coordinates(self, image: np.ndarray, every_px: int = 1) -> np.ndarray:
        """Where the pixels of a window lie for `applicability`: hidden units, and their bands.

        Parameters
        ----------
        image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
            As for `predict_window`.
        every_px : int
            Take the first pixel of every square of this side.

        Returns
        -------
        array of float32, (coordinates, rows, cols)
            Computed by the engine, without its bounds. A missing value counts as the mean, as
            everywhere in the network.
        """
        rows, cols = (side - 2 * self.radius for side in image.shape[1:])
        every = slice(None), *(slice(0, side, every_px) for side in (rows, cols))
        centre = image[:, self.radius :, self.radius :][every]
        offset = centre - self._means[:, np.newaxis, np.newaxis]
        np.copyto(offset, 0, where=np.isnan(offset))
        of_bands = known(self).projection[-len(self.bands) :].astype(np.float32)
        return self._of_units(image)[every] + np.tensordot(of_bands.T, offset, axes=1)

    def _of_units(self, image: np.ndarray) -> np.ndarray:
        """What the hidden units add to the coordinates."""
        if not self.dense:
            return self._chip_by_chip(self._projected, image)
        return self._projected_tier.run(np.ascontiguousarray(image[np.newaxis], np.float32))[0]

    @_MadeOnce
    def _means(self) -> np.ndarray:
        return means_of_bands(self.model)

    @_MadeOnce
    def _projected(self) -> keras.Model:
        projection, units = known(self).projection, self.model.layers[-1].input.shape[-1]
        if len(projection) != units + len(self.bands):
            raise InputError(
                f"the area of applicability of model {self.name} is of {len(projection)} inputs, "
                f"and its network has {units} hidden units and {len(self.bands)} bands; "
                "train the model again, or leave applicability out"
            )
        return projected_network(self.model, projection[:units])

    @_MadeOnce
    def _projected_tier(self) -> PrecisionTier:
        engine = Engine(self.engine.runtime, self.engine.precision)
        # No pixel is predicted again, so any tier does as the finer one, and none is compiled
        return tier_of(self._projected, self.patch_size, engine, self.tier)

    def _predict_chips(self, image: np.ndarray) -> np.ndarray:
        """Probabilities of a window, pixel by pixel."""
        return self._chip_by_chip(self.model, image)

    def _chip_by_chip(self, model: keras.Model, image: np.ndarray) -> np.ndarray:
        """What a network gives for the chip of every pixel, (outputs, rows, cols)."""
        pixels = np.ascontiguousarray(np.moveaxis(image, 0, -1), np.float32)
        chips = views(pixels, self.patch_size)
        rows, cols = chips.shape[:2]

        def cut(indices: np.ndarray) -> np.ndarray:
            return chips[np.unravel_index(indices, (rows, cols))]

        return predict(model, cut, rows * cols).T.reshape(-1, rows, cols)
