"""Features as named bands of a scene, written by windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.raster_writer import RasterWriter
from landcover.files.styles import scene_style
from landcover.grid import Grid, Window
from landcover.progress import track
from landcover.scene import features
from landcover.scene.feature import trimmed
from landcover.scene.feature_names import layers_of, margin, to_fit

#: A scene is fitted to on windows of so many pixels a side, so many down and across.
_FIT_PX, _FIT_WINDOWS = 64, 12


@dataclass(frozen=True)
class Wanted:
    """Features that a scene is to have as bands.

    Attributes
    ----------
    names : tuple of str
        Layers, of which bands of the scene need not be made.
    fitted : mapping, optional
        What they are fitted to, of `scene.features.fit`; None for the scene itself.
    """

    names: tuple[str, ...]
    fitted: Mapping[str, Any] | None = None

    def made_of(self, bands: Sequence[str]) -> tuple[str, ...]:
        """Those that have to be made of a scene's bands.

        Raises
        ------
        InputError
            If a layer is unknown or named twice, the bands do not allow it, or it was not fitted.
        """
        made = layers_of(bands, self.names).features
        fitted = to_fit(made) if self.fitted is None else self.fitted
        lacking = [key for key in to_fit(made) if key not in fitted]
        if lacking:
            raise InputError(
                f"features {' '.join(made)} need {' '.join(lacking)}, which was not fitted there; "
                "name a run whose scene was prepared with these features"
            )
        return made


def write_features(
    scene: Path, names: Sequence[str], fitted: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Add features to a scene, as bands of their names behind its own.

    Parameters
    ----------
    scene : path
        Raster of named bands, which is replaced when the new one is whole.
    names : sequence of str
        Of `Wanted.made_of`.
    fitted : mapping, optional
        Of `scene.features.fit`; fitted on pixels all over the scene where it is not given.

    Returns
    -------
    dict
        What the features were fitted to; empty where none needs that.
    """
    grid, bands = rasters.grid_of(scene), rasters.band_names(scene)
    if fitted is None:
        fitted = fit_on_scene(scene, names) if to_fit(names) else {}
    else:
        fitted = features.fitted_on(grid, fitted)
    append_bands(
        scene,
        names,
        lambda image, _: features.compute_features(image, bands, names, fitted),
        "Computing features",
        margin(names, fitted),
    )
    return {key: fitted[key] for key in to_fit(names)}


def append_bands(
    scene: Path,
    names: Sequence[str],
    make: Callable[[np.ndarray, Window], np.ndarray],
    doing: str,
    around: int = 0,
) -> None:
    """Add bands to a scene behind its own, by windows.

    Parameters
    ----------
    scene : path
        Raster of named bands, which is replaced when the new one is whole.
    names : sequence of str
        Of the new bands.
    make : callable
        The image of a window with its margin (bands, rows + 2 around, cols + 2 around), and the
        window, to the new bands (names, rows, cols).
    doing : str
        What the progress bar says.
    around : int
        Pixels of the margin.
    """
    grid, bands = rasters.grid_of(scene), rasters.band_names(scene)
    every = (*bands, *names)
    with RasterWriter(scene, grid, np.float32, every, np.nan, style=scene_style(every)) as out:
        side = rasters.window_px(len(bands) + len(names))
        for window in track(list(grid.windows(side)), doing):
            image = rasters.read(scene, window.padded(around), list(bands))
            made = make(image, window)
            out.write(np.concatenate([trimmed(image, around), made]), window)


def fit_on_scene(scene: Path, names: Sequence[str]) -> dict[str, Any]:
    """Fit features to pixels of windows that lie evenly all over a scene."""
    grid, bands = rasters.grid_of(scene), rasters.band_names(scene)
    parts = [rasters.read(scene, window, list(bands)) for window in _spread(grid)]
    values = np.concatenate([part.reshape(len(bands), -1) for part in parts], axis=1)
    return features.fit(values, bands, names, features.on_the_ground(grid))


def _spread(grid: Grid) -> list[Window]:
    """Windows that lie evenly over a grid; all of it, if it is small."""
    rows, cols = (
        np.unique(np.linspace(0, max(side - _FIT_PX, 0), _FIT_WINDOWS).astype(int) // _FIT_PX)
        * _FIT_PX
        for side in grid.shape
    )
    return [
        Window(row, col, min(_FIT_PX, grid.rows - row), min(_FIT_PX, grid.cols - col))
        for row in rows.tolist()
        for col in cols.tolist()
    ]
