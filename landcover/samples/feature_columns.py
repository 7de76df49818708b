"""Features at the pixels of a sample table, as a map of the scene computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from landcover.grid import Window
from landcover.progress import track
from landcover.scene import features
from landcover.scene.feature_names import Fitted, margin, windowed
from landcover.stopwatch import spent

#: Rows of a scene that are read at a time.
STRIP_ROWS = 512


def feature_columns(
    read: Callable[[Window], np.ndarray],
    bands: Sequence[str],
    names: Sequence[str],
    places: tuple[np.ndarray, np.ndarray],
    held: np.ndarray,
    fitted: Fitted,
) -> dict[str, np.ndarray]:
    """Features of some pixels, by name.

    Parameters
    ----------
    read : function of a window
        Reflectance of the scene (bands, rows, cols), NaN for nodata and outside; it is asked
        only where features of windows are wanted.
    bands : sequence of str
        Names of the scene's bands.
    names : sequence of str
        Features.
    places : pair of arrays of int (pixels,)
        Rows and columns.
    held : array of float32 (bands, pixels)
        Reflectance of these pixels.
    fitted : mapping
        What features were fitted to; empty where none needs that.

    Returns
    -------
    dict of str to array of float32 (pixels,)
        In the order of the names.
    """
    wide = windowed(names)
    narrow = tuple(name for name in names if name not in wide)
    found = dict(zip(narrow, features.compute_features(held, bands, narrow, fitted), strict=True))
    if wide:
        found |= zip(wide, _of_windows(read, bands, wide, *places, fitted), strict=True)
    return {name: found[name] for name in names}


def _of_windows(
    read: Callable[[Window], np.ndarray],
    bands: Sequence[str],
    names: Sequence[str],
    rows: np.ndarray,
    cols: np.ndarray,
    fitted: Fitted,
) -> np.ndarray:
    """Features (features, pixels) from strips of the scene that are read with a margin."""
    around = margin(names, fitted)
    found = np.empty((len(names), len(rows)), np.float32)
    left, right = cols.min(initial=0), cols.max(initial=0)
    strips = rows // STRIP_ROWS
    for strip in track(np.unique(strips).tolist(), "Computing features"):
        window = Window(strip * STRIP_ROWS, int(left), STRIP_ROWS, int(right - left) + 1)
        with spent("reading"):
            image = read(window.padded(around))
        inside = strips == strip
        values = features.compute_features(image, bands, names, fitted)
        found[:, inside] = values[:, rows[inside] - window.row, cols[inside] - window.col]
    return found
