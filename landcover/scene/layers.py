"""Bands of a scene beside reflectance: elevation, distances to features, stacks of any numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from landcover.errors import InputError
from landcover.files.open_rasters import OpenRasters
from landcover.files.raster_names import RasterName
from landcover.grid import Grid, Window
from landcover.scene.feature_names import is_reserved
from landcover.sensors import reflectance_bands, sensor_of

#: What a layer gives of a window: float32 (bands, rows, cols), NaN without a value.
ReadWindow = Callable[[OpenRasters, Window], np.ndarray]
#: Columns of sample tables, which have a column a band too.
_TAKEN = re.compile(
    "row|col|x|y|geometry|label|reference|target|block|split|random_test|scene|segment|"
    "segment_type.*"
)


class Layer(Protocol):
    """Something that gives bands on the grid of a scene."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its bands."""

    @property
    def paths(self) -> tuple[RasterName, ...]:
        """Its files."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was taken for what."""

    @property
    def grid(self) -> Grid | None:
        """Its own grid, where a scene may consist of it alone."""

    def settings(self) -> dict[str, object]:
        """What a manifest keeps of it."""

    def on(self, grid: Grid) -> ReadWindow:
        """What reads it on a grid; InputError where it does not fit."""


def grid_of_layers(layers: Sequence[Layer]) -> Grid:
    """The grid of a scene that consists of layers alone: that of the first that may give one."""
    found = next((layer.grid for layer in layers if layer.grid is not None), None)
    if found is None:
        raise InputError(
            f"{layers[0].paths[0]} alone makes no scene; give images with bands=, or stack= beside "
            "it"
        )
    return found


def require_names(layers: Sequence[Layer], bands: Sequence[str], path: RasterName | None) -> None:
    """Refuse names of bands that are there twice, or that mean something else.

    Parameters
    ----------
    layers : sequence of Layer
        To be bands of one scene.
    bands : sequence of str
        Of its reflectance.
    path : path or None
        The first file of its reflectance.

    Raises
    ------
    InputError
        Naming both files, or what the name is of.
    """
    held: dict[str, RasterName | None] = dict.fromkeys(bands, path)
    for layer in layers:
        file = layer.paths[0]
        for name in layer.names:
            if name in held:
                raise InputError(
                    f"{held[name]} and {file} both give a band {name}; give one of them another "
                    "name, of a stack as in FILE:NAME"
                )
            held[name] = file
            if reflectance_bands([name]):
                raise InputError(
                    f"{file} gives a band {name}, which is the name of one of "
                    f"{sensor_of([name.split('_p')[0]]).title}, reflectance; give such bands with "
                    "bands=, or another name as in FILE:NAME"
                )
            reserved = is_reserved(name)
            kind = "a feature or role" if reserved else "a column of every sample table"
            if reserved or _TAKEN.fullmatch(name):
                raise InputError(
                    f"{file} gives a band {name}, which is the name of {kind}; give another name, "
                    "of a stack as in FILE:NAME"
                )


class LayerReader:
    """Windows of all layers of a scene; it counts what they lack.

    Parameters
    ----------
    files : OpenRasters
        Where their files are open.
    layers : sequence of Layer
        In the order of their bands.
    grid : Grid
        Of the scene.

    Raises
    ------
    InputError
        If a layer does not fit the grid.
    """

    def __init__(self, files: OpenRasters, layers: Sequence[Layer], grid: Grid) -> None:
        self.files = files
        self.layers = layers
        self.reads = [layer.on(grid) for layer in layers]
        self.names = [name for layer in layers for name in layer.names]
        self.missing = np.zeros(len(layers), np.int64)
        self.pixels = 0

    def with_layers(self, image: np.ndarray, window: Window, wanted: np.ndarray) -> np.ndarray:
        """An image with the bands of the layers behind its own, NaN where they have no value.

        Parameters
        ----------
        image : array of float32 (bands, rows, cols)
            Reflectance of a window; there may be none.
        window : Window
            Of the scene.
        wanted : array of bool (rows, cols)
            Pixels that are to have a value, which are counted.
        """
        if not self.reads:
            return image
        parts = [read(self.files, window) for read in self.reads]
        self.pixels += int(wanted.sum())
        for number, part in enumerate(parts):
            self.missing[number] += int((wanted & np.isnan(part).any(axis=0)).sum())
        return np.concatenate([image, *parts])

    def notes(self) -> list[str]:
        """Sentences on pixels of the scene that lack a value of a layer.

        Raises
        ------
        InputError
            If a layer has no value at any of them.
        """
        found = []
        for layer, missing in zip(self.layers, self.missing.tolist(), strict=True):
            names = _in_words(layer.names)
            if missing and missing == self.pixels:
                raise InputError(
                    f"{layer.paths[0]} has no value of {names} at any pixel of the scene with "
                    "data; check its nodata value, or give a file of the scene's ground"
                )
            if missing:
                found.append(
                    f"{layer.paths[0]}: {100 * missing / self.pixels:.1f} % of the scene's pixels "
                    f"with data have no {names}"
                )
        return found


def _in_words(names: Sequence[str]) -> str:
    """One name, or the first and the last of several."""
    return names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
