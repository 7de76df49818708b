"""Means and deviations of inputs, as networks standardise by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def fit_scaling(values: np.ndarray) -> dict[str, list[float]]:
    """Means and standard deviations of inputs (rows, inputs) over training rows, NaN left out."""
    values = values.astype(np.float64)
    return {
        "means": [float(v) for v in np.nanmean(values, axis=0)],
        "stds": [float(v) for v in np.nanstd(values, axis=0)],
    }


def fit_scaling_of_parts(parts: Iterable[np.ndarray]) -> dict[str, list[float]]:
    """The same of whole images (n, rows, cols, bands) that come part by part, without NaN.

    >>> fit_scaling_of_parts([np.zeros((1, 2, 2, 1)), np.ones((1, 2, 2, 1))])
    {'means': [0.5], 'stds': [0.5]}
    """
    sums, squares, n = np.zeros(1), np.zeros(1), 0
    for part in parts:
        values = part.astype(np.float64)
        sums = sums + values.sum(axis=(0, 1, 2))
        squares = squares + np.square(values).sum(axis=(0, 1, 2))
        n += values[..., 0].size
    means = sums / n
    variances = np.maximum(squares / n - np.square(means), 0)  # rounding may leave less than none
    return {"means": means.tolist(), "stds": np.sqrt(variances).tolist()}
