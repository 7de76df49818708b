"""Classifiers that see one pixel at a time: forest, nearest neighbours, MLP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from landcover.classifiers.applicability import Applicability, known
from landcover.classifiers.calibration import UNTEMPERED, Temperature
from landcover.classifiers.protocol import Signature
from landcover.errors import InputError
from landcover.legend import Legend
from landcover.scene import features

#: (pixels, inputs) float32 and (pixels, layers) uint8 to probabilities (pixels, classes).
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PixelClassifier:
    """A classifier of single pixels, as maps want it.

    Attributes
    ----------
    name : str
        Name of the model.
    legend : Legend
        Classes in the order of the outputs.
    bands : tuple of str
        Bands that it reads.
    features : tuple of str
        Features that it computes from them.
    segment_layers : tuple of str
        Layers of segment types that it takes, by the names of their raster's bands.
    predict : callable
        Inputs (pixels, bands + features) and types (pixels, layers) to
        probabilities (pixels, classes). A row with NaN gives an undefined result.
    temperature : Temperature
        What maps temper the probabilities by.
    applicability : Applicability, optional
        Where the model has learnt something like what it meets.
    """

    name: str
    legend: Legend
    bands: tuple[str, ...]
    features: tuple[str, ...]
    segment_layers: tuple[str, ...]
    predict: Predict
    temperature: Temperature = UNTEMPERED
    applicability: Applicability | None = None
    #: Every pixel has an applicability of its own
    described_px = 1

    @property
    def radius(self) -> int:
        """Pixels around a pixel that its features depend on; 0 of indices."""
        return features.margin(self.features)

    @classmethod
    def of(cls, signature: Signature, predict: Predict) -> PixelClassifier:
        """A classifier of what a model's card says and what its file computes."""
        inputs = signature.inputs
        return cls(
            signature.name,
            signature.legend,
            inputs.bands,
            inputs.features,
            inputs.segment_layers,
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

    def coordinates(self, image: np.ndarray) -> np.ndarray:
        """Where the pixels of a window lie for `applicability`, by their bands and features.

        Parameters
        ----------
        image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
            As for `predict_window`.

        Returns
        -------
        array of float64, (coordinates, rows, cols)
            NaN where a band is missing.
        """
        return np.moveaxis(np.moveaxis(self._values(image), 0, -1) @ known(self).projection, -1, 0)

    def _values(self, image: np.ndarray) -> np.ndarray:
        """Bands and features (inputs, rows, cols) of a window, float32."""
        inside = features.trimmed(image, self.radius)
        return np.concatenate(
            [inside, features.compute_features(image, self.bands, self.features)], dtype=np.float32
        )
