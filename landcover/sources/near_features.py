"""Vector data as bands of a scene: where features lie, or how far away the nearest one is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import vectors
from landcover.files.open_rasters import OpenRasters
from landcover.grid import Grid, Window, windows_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: Distances are not told beyond this: so windows with a margin suffice.
FURTHEST_M = 2_000.0
#: Features become pixels in squares of so many pixels, whichever window asks for them.
_SQUARE_PX = 512
#: What a name may be of: it stands in names of bands.
_NAME = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class NearFeatures:
    """Features of a vector file, as a band of a scene.

    Attributes
    ----------
    name : str
        Of the features, such as roads.
    path : path
        Their file; a layer is named after it (`landcover.files.vectors`).
    distance : bool
        The band ``NAME_distance``: metres to the nearest pixel of a feature, `FURTHEST_M` at most.
        Otherwise ``NAME_mask``: 1 on features and 0 elsewhere.
    """

    name: str
    path: Path
    distance: bool

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"{self.name!r} is no name for the features of {self.path}; begin with a letter, "
                "and go on with letters, digits and _"
            )

    @property
    def names(self) -> tuple[str]:
        """Name of the band."""
        return (f"{self.name}_{'distance' if self.distance else 'mask'}",)

    @property
    def paths(self) -> tuple[Path]:
        """The file."""
        return (vectors.file_and_layer(self.path)[0],)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing is to be said of them before they are read."""
        return ()

    @property
    def grid(self) -> None:
        """It lies on the grid of the scene, and gives none."""
        return None

    def settings(self) -> dict[str, object]:
        """The band as a manifest keeps it."""
        found: dict[str, object] = {"bands": list(self.names), "file": str(self.path)}
        return found | ({"furthest_m": FURTHEST_M} if self.distance else {})

    def on(self, grid: Grid) -> Callable[[OpenRasters, Window], np.ndarray]:
        """What reads the band (1, rows, cols) of a window on a grid.

        Raises
        ------
        InputError, MissingProduct
            If the file cannot be used, or has nothing on the grid, or within `FURTHEST_M` of it.
        """
        features = vectors.read_features(self.path, grid, FURTHEST_M if self.distance else 0.0)
        burnt = _Burnt(features, grid)
        if not self.distance:
            return lambda _, window: burnt.read(window)[np.newaxis].astype(np.float32)
        return lambda _, window: _distance(burnt, grid, window)[np.newaxis]


class _Burnt:
    """Which pixels features lie on, on a grid and beyond its edges.

    The same squares of pixels are made whatever window is asked for: a line along the edge of
    pixels would fall to either side, by how coordinates are rounded.
    """

    def __init__(self, features: list[BaseGeometry], grid: Grid) -> None:
        import shapely

        self.features = np.array(features, object)
        self.tree = shapely.STRtree(self.features)
        self.grid = grid
        self.square = cache(self._square)

    def read(self, window: Window) -> np.ndarray:
        """Bool (rows, cols) of a window, which may reach over the edge."""
        found = np.zeros((window.rows, window.cols), bool)
        top, left = (place // _SQUARE_PX * _SQUARE_PX for place in (window.row, window.col))
        rows, cols = window.row + window.rows - top, window.col + window.cols - left
        for part in windows_of(rows, cols, _SQUARE_PX):
            row, col = top + part.row, left + part.col
            square = self.square(row, col)
            if square is None:
                continue
            inside, place = Window(
                row - window.row, col - window.col, _SQUARE_PX, _SQUARE_PX
            ).within(window.rows, window.cols)
            found[inside.slices] = square[place]
        return found

    def _square(self, row: int, col: int) -> np.ndarray | None:
        """The square that begins at a pixel; None where it is empty."""
        import shapely
        from rasterio.features import rasterize

        part = self.grid.crop(Window(row, col, _SQUARE_PX, _SQUARE_PX))
        near = self.features[self.tree.query(shapely.box(*part.bounds))]
        if not len(near):
            return None
        surfaces = shapely.get_dimensions(near) == 2
        found = np.zeros(part.shape, np.uint8)
        for shapes, touched in ((near[surfaces], False), (near[~surfaces], True)):
            if len(shapes):
                rasterize(
                    [(shape, 1) for shape in shapes],
                    out=found,
                    transform=part.transform,
                    all_touched=touched,
                )
        return found.astype(bool) if found.any() else None


def _distance(burnt: _Burnt, grid: Grid, window: Window) -> np.ndarray:
    """Metres to the nearest pixel of a feature, float32 (rows, cols)."""
    from scipy.ndimage import distance_transform_edt

    width, height = grid.pixel_size_m
    down, across = (math.ceil(FURTHEST_M / side) for side in (height, width))
    around = burnt.read(window.padded(down, across))
    if not around.any():
        return np.full((window.rows, window.cols), FURTHEST_M, np.float32)
    metres = distance_transform_edt(~around, sampling=(height, width))
    inner = metres[down : down + window.rows, across : across + window.cols]
    return np.minimum(inner, FURTHEST_M).astype(np.float32)
