"""Maps averaged: the mean of their probabilities as the layers of one map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from landcover.classifiers.best_class import winners
from landcover.files import rasters
from landcover.legend import UNLABELLED, Legend
from landcover.maps.prediction import layer_writers
from landcover.maps.scene_tiles import CONFIDENCE, CONFIDENCE_NODATA, LABELS, PROBABILITIES, Pixels
from landcover.progress import track


def average_maps(members: Sequence[Path], paths: Mapping[str, Path], legend: Legend) -> None:
    """Write the layers of the map of the mean probabilities of several maps.

    Parameters
    ----------
    members : sequence of path
        Probabilities of maps of one scene, a band a class, NaN where a map has none.
    paths : mapping of str to path
        Where the layers go: labels, confidence, probabilities.
    legend : Legend
        The classes of the bands.
    """
    grid = rasters.grid_of(members[0])
    windows = list(grid.windows(rasters.window_px(len(members) * len(legend))))
    with layer_writers(paths, grid, legend) as writers:
        for window in track(windows, f"averaging {len(members)} maps"):
            found = averaged([rasters.read(path, window) for path in members], legend)
            for layer, writer in writers.items():
                writer.write(found[layer], window)


def averaged(members: Sequence[np.ndarray], legend: Legend) -> Pixels:
    """The layers of the mean of some probabilities.

    Parameters
    ----------
    members : sequence of array, (classes, rows, cols)
        Probabilities. Where one has none (NaN), the mean is that of the others.
    legend : Legend
        The classes.

    Returns
    -------
    dict of str to array
        Labels, confidence in percent, and probabilities.

    Examples
    --------
    >>> legend = Legend.corine(1).subset([2, 3])
    >>> one = np.array([[[0.9, np.nan]], [[0.1, np.nan]]])
    >>> other = np.array([[[0.2, 0.2]], [[0.8, 0.8]]])
    >>> found = averaged([one, other], legend)
    >>> found["labels"].tolist(), found["confidence"].tolist()
    ([[2, 3]], [[55, 80]])
    """
    total = np.zeros(members[0].shape)
    held = np.zeros(total.shape[1:], np.int64)
    for probabilities in members:
        known = np.isfinite(probabilities[0])
        total[:, known] += probabilities[:, known]
        held += known
    mean = (total / np.maximum(held, 1)).astype(np.float32)
    index, best = winners(mean)
    none = held == 0
    return {
        LABELS: np.where(none, UNLABELLED, legend.code(index)).astype(np.uint16),
        CONFIDENCE: np.where(none, CONFIDENCE_NODATA, np.rint(100 * best)).astype(np.uint8),
        PROBABILITIES: np.where(none, np.float32(np.nan), mean),
    }
