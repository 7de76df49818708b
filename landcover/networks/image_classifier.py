"""A network that gives whole images one class, as its users see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from landcover.legend import Legend
from landcover.progress import track
from landcover.tiles import turned

#: Images that a network predicts at a time, in all their orientations.
_BATCH = 256


@dataclass(frozen=True)
class ImageClassifier:
    """A classifier of whole images of one size.

    Attributes
    ----------
    name : str
        Name of the model.
    legend : Legend
        Classes in the order of the outputs.
    bands : tuple of str
        Bands that it reads.
    side_px : int
        Rows and columns of an image; with pixels of 10 m, 64 are 640 m.
    model : keras.Model
        Reflectance (batch, side_px, side_px, bands) to probabilities (batch, classes).
    turns : int
        Orientations, of the eight, whose probabilities are averaged: land has no up.
    """

    name: str
    legend: Legend
    bands: tuple[str, ...]
    side_px: int
    model: Any
    turns: int = 8

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of images.

        Parameters
        ----------
        images : array of float32 (n, side_px, side_px, bands)
            Reflectance; a missing value (NaN) counts as its image's mean of the band.

        Returns
        -------
        array of float32 (n, classes)
        """
        return image_probabilities(self.model, lambda rows: images[rows], len(images), self.turns)


def image_probabilities(
    model: Any, read: Callable[[np.ndarray], np.ndarray], n: int, turns: int = 8
) -> np.ndarray:
    """Probabilities (n, classes) of n images that are read by their indices, in batches."""
    step = max(1, _BATCH // turns)
    parts = []
    for start in track(range(0, n, step), "classifying images"):
        images = _filled(read(np.arange(start, min(start + step, n))))
        views = np.concatenate([turned(images, np.full(len(images), k)) for k in range(turns)])
        found = np.asarray(model.predict_on_batch(views), np.float32)
        parts.append(found.reshape(turns, len(images), -1).mean(axis=0))
    return np.concatenate(parts)


def _filled(images: np.ndarray) -> np.ndarray:
    """Images without missing values; a band that misses all counts as 0."""
    missing = np.isnan(images)
    if not missing.any():
        return images
    known = np.where(missing, 0, images).sum(axis=(1, 2), keepdims=True)
    n = np.maximum((~missing).sum(axis=(1, 2), keepdims=True), 1)
    return np.where(missing, known / n, images).astype(np.float32)
