"""Classifiers that see one pixel at a time: forest, nearest neighbours, MLP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from landcover.classifiers.applicability import Applicability, known
from landcover.classifiers.calibration import UNTEMPERED, Temperature
from landcover.classifiers.one_image import OfOneImage
from landcover.classifiers.protocol import Inputs, Signature
from landcover.errors import InputError
from landcover.grid import Grid
from landcover.legend import Legend
from landcover.scene import features
from landcover.scene.feature import trimmed
from landcover.scene.feature_names import margin

#: (pixels, inputs) float32 and (pixels, layers) uint8 to probabilities (pixels, classes).
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PixelClassifier(OfOneImage):
    """A classifier of single pixels, as maps want it.

    Attributes
    ----------
    name : str
        Name of the model.
    legend : Legend
        Classes in the order of the outputs.
    inputs : Inputs
        Bands that it reads, features that it computes from them, layers of segment types.
    predict : callable
        Inputs (pixels, bands seen + features) and types (pixels, layers) to
        probabilities (pixels, classes). A row with NaN gives an undefined result.
    temperature : Temperature
        What maps temper the probabilities by.
    applicability : Applicability, optional
        Where the model has learnt something like what it meets.
    """

    name: str
    legend: Legend
    inputs: Inputs
    predict: Predict
    temperature: Temperature = UNTEMPERED
    applicability: Applicability | None = None
    #: Every pixel has an applicability of its own
    described_px = 1

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it reads."""
        return self.inputs.bands

    @property
    def segment_layers(self) -> tuple[str, ...]:
        """Layers of segment types that it takes, by the names of their raster's bands."""
        return self.inputs.segment_layers

    @property
    def radius(self) -> int:
        """Pixels around a pixel that its features depend on; 0 of indices."""
        return margin(self.inputs.features, self.inputs.fitted)

    def on(self, grid: Grid) -> PixelClassifier:
        """The same for a scene on a grid: features of terrain are of its own pixels."""
        fitted = features.fitted_on(grid, self.inputs.fitted)
        return replace(self, inputs=replace(self.inputs, fitted=fitted))

    @classmethod
    def of(cls, signature: Signature, predict: Predict) -> PixelClassifier:
        """A classifier of what a model's card says and what its file computes."""
        return cls(
            signature.name,
            signature.legend,
            signature.inputs,
            predict,
            temperature=signature.temperature,
        )

    def predict_window(
        self, image: np.ndarray, segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities of a window.

        Parameters
        ----------
        image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
            Reflectance; NaN where nodata or outside the scene.
        segment_types : array of uint8, (layers, rows, cols), optional
            Needed where the model has `segment_layers`.

        Returns
        -------
        array of float32, (classes, rows, cols)
        """
        values = self._values(image)
        rows, cols = values.shape[1:]
        if self.segment_layers:
            if segment_types is None:
                raise InputError(
                    f"model {self.name} needs the segment types {' '.join(self.segment_layers)}; "
                    "give them as segment_types"
                )
            types = segment_types.reshape(len(self.segment_layers), -1).T
        else:
            types = np.zeros((rows * cols, 0), np.uint8)
        probabilities = self.predict(values.reshape(len(values), -1).T, types)
        return probabilities.T.reshape(-1, rows, cols)

    def coordinates(self, image: np.ndarray, every_px: int = 1) -> np.ndarray:
        """Where the pixels of a window lie for `applicability`, by their bands and features.

        Parameters
        ----------
        image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
            As for `predict_window`.
        every_px : int
            Take the first pixel of every square of this side.

        Returns
        -------
        array of float64, (coordinates, rows, cols)
            NaN where a band is missing.
        """
        values = np.moveaxis(self._values(image)[:, ::every_px, ::every_px], 0, -1)
        return np.moveaxis(values @ known(self).projection, -1, 0)

    def _values(self, image: np.ndarray) -> np.ndarray:
        """Bands and features (inputs, rows, cols) of a window, float32.

        NaN where any band is missing that is read: a pixel is valid when all of them are.
        """
        inputs = self.inputs
        inside = trimmed(image, self.radius)
        seen = [inputs.bands.index(band) for band in inputs.seen]
        made = features.compute_features(image, inputs.bands, inputs.features, inputs.fitted)
        return np.concatenate([inside[seen], made], dtype=np.float32)
