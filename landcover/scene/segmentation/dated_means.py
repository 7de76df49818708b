"""Means of segments on every date of a sequence."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def dated_means(
    parts: Iterable[tuple[np.ndarray, np.ndarray]], segments: int, dates: int, bands: int
) -> np.ndarray:
    """Mean of every band over the pixels of a segment that are valid on a date.

    Parameters
    ----------
    parts : iterable of (array, array)
        Windows of a scene that lie apart: a sequence (dates, bands, rows, cols), NaN where a date
        is masked, and the segments (rows, cols), from 1 on.
    segments, dates, bands : int
        Their numbers.

    Returns
    -------
    array of float32, (segments + 1, dates, bands)
        By the number of the segment; NaN where no pixel is valid, and for 0, which is none.

    Examples
    --------
    >>> image = np.array([1.0, 3.0, np.nan, 8.0]).reshape(1, 1, 2, 2)
    >>> dated_means([(image, np.array([[1, 1], [1, 2]]))], 2, 1, 1).ravel()
    array([nan,  2.,  8.], dtype=float32)
    """
    sums = np.zeros((dates, bands, segments + 1))
    counts = np.zeros((dates, 1, segments + 1))
    for sequence, ids in parts:
        flat = ids.ravel()
        for date, image in enumerate(sequence):
            valid = np.isfinite(image).all(axis=0).ravel()
            here = flat[valid]
            counts[date, 0] += np.bincount(here, minlength=segments + 1)
            for band, values in enumerate(image.reshape(bands, -1)):
                sums[date, band] += np.bincount(here, values[valid], segments + 1)
    counts[:, :, 0] = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts > 0, sums / counts, np.nan)
    return means.transpose(2, 0, 1).astype(np.float32)
