"""A patch network as mapping sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from landcover.chips import radius_of
from landcover.legend import Legend
from landcover.networks.backend import predict


@dataclass(frozen=True)
class PatchClassifier:
    """A patch network as `mapping` wants it.

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
    """

    name: str
    legend: Legend
    bands: tuple[str, ...]
    patch_size: int
    model: Any
    segment_layers: tuple[str, ...] = ()

    @property
    def radius(self) -> int:
        """Pixels from the centre of a patch to its edge."""
        return radius_of(self.patch_size)

    def predict_window(
        self, image: np.ndarray, segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities of a window.

        Parameters
        ----------
        image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
            Reflectance; NaN where nodata or outside the scene.
        segment_types : None
            Not used.

        Returns
        -------
        array of float32, (classes, rows, cols)
        """
        pixels = np.ascontiguousarray(np.moveaxis(image, 0, -1), np.float32)
        if len(self.model.output_shape) == 4:
            dense = np.asarray(self.model.predict_on_batch(pixels[np.newaxis]))[0]
            return np.moveaxis(dense, -1, 0)
        chips = np.lib.stride_tricks.sliding_window_view(
            pixels, (self.patch_size, self.patch_size), axis=(0, 1)
        )
        rows, cols = chips.shape[:2]

        def cut(indices: np.ndarray) -> np.ndarray:
            return np.moveaxis(chips[np.unravel_index(indices, (rows, cols))], 1, -1)

        return predict(self.model, cut, rows * cols).T.reshape(-1, rows, cols)
