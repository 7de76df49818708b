"""A network as a classifier of whole images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from landcover.legend import Legend
from landcover.samples.augmentation import turned

if TYPE_CHECKING:
    import keras

#: Four quarter turns, each upside down too.
ORIENTATIONS = 8
#: Images that a network predicts at a time, in all their orientations.
_BATCH = 32


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
    """

    name: str
    legend: Legend
    bands: tuple[str, ...]
    side_px: int
    model: keras.Model

    def probabilities(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Probabilities of images, as `image_probabilities` gives them."""
        return image_probabilities(self.model, images)


def image_probabilities(model: keras.Model, images: Iterable[np.ndarray]) -> np.ndarray:
    """Probabilities of images: means over their eight orientations, for land has no up.

    Parameters
    ----------
    model : keras.Model
        From `build_image_network`.
    images : iterable of arrays of float32 (side, side, bands), such as an array of n of them
        Reflectance; a missing value (NaN) counts as its image's mean of the band. An iterator is
        asked for a batch at a time, so its images are never in memory all at once.

    Returns
    -------
    array of float32 (n, classes)
    """
    waiting, parts = iter(images), []
    while batch := list(islice(waiting, _BATCH)):
        some = _filled(np.stack(batch))
        views = np.concatenate([turned(some, np.full(len(some), k)) for k in range(ORIENTATIONS)])
        found = np.asarray(model.predict_on_batch(views), np.float32)
        parts.append(found.reshape(ORIENTATIONS, len(some), -1).mean(axis=0))
    return np.concatenate(parts)


def _filled(images: np.ndarray) -> np.ndarray:
    """Images without missing values; a band that misses all counts as 0."""
    missing = np.isnan(images)
    if not missing.any():
        return images
    known = np.where(missing, 0, images).sum(axis=(1, 2), keepdims=True)
    n = np.maximum((~missing).sum(axis=(1, 2), keepdims=True), 1)
    return np.where(missing, known / n, images).astype(np.float32)
