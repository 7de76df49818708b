"""Regions of a raster, such as segments, as polygons: by windows, so that a tile fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.progress import track

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: Polygons that are given at once.
BATCH = 20_000


def region_polygons(
    path: Path, window_px: int = rasters.WINDOW_PX
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One multipolygon of every number in a raster, in batches.

    A region is all pixels of one number. Where regions are connected by corners as well as by
    edges, as segments are, parts of a multipolygon touch in corners: each polygon alone is valid,
    which one ring through a corner is not.

    Parameters
    ----------
    path : path
        Raster of whole numbers from 1 on; 0 is no region.
    window_px : int
        Side of the windows that are read at once.

    Yields
    ------
    numbers : array of int64 (regions,)
        In the order in which regions end, from the top of the raster.
    pixels : array of int64 (regions,)
        Pixels of each.
    polygons : array of shapely MultiPolygon (regions,)
        In the CRS of the raster. A region waits in memory only until its last window was read.
    """
    grid = rasters.grid_of(path)
    windows = list(grid.windows(window_px))
    ends = _last_windows(path, windows)
    waiting: dict[int, list[list[BaseGeometry]]] = defaultdict(list)
    numbers: list[int] = []
    polygons: list[BaseGeometry] = []
    for i, window in enumerate(track(windows, f"drawing polygons of {path.name}")):
        for number, parts in _parts(_read(path, window), window).items():
            waiting[number].append(parts)
        for number in sorted(number for number in waiting if ends[number] == i):
            numbers.append(number)
            polygons.append(_joined(waiting.pop(number)))
            if len(numbers) == BATCH:
                yield _on_the_map(numbers, polygons, grid)
                numbers, polygons = [], []
    if numbers:
        yield _on_the_map(numbers, polygons, grid)


def _read(path: Path, window: Window) -> np.ndarray:
    """Numbers of a window, int32: GDAL draws no polygons of unsigned ones."""
    return rasters.read(path, window)[0].astype(np.int32)


def _last_windows(path: Path, windows: list[Window]) -> np.ndarray:
    """The place in the list of the last window that holds each number, int32 (highest + 1,)."""
    ends = np.zeros(1, np.int32)
    for i, window in enumerate(track(windows, f"looking through {path.name}")):
        held = np.unique(_read(path, window))
        if held[-1] >= len(ends):
            ends = np.append(ends, np.zeros(held[-1] + 1 - len(ends), np.int32))
        ends[held] = i
    return ends


def _parts(values: np.ndarray, window: Window) -> dict[int, list[BaseGeometry]]:
    """Pieces of every number in a window that are connected by edges, in pixels of the raster."""
    from affine import Affine
    from rasterio.features import shapes
    from shapely.geometry import shape

    found: dict[int, list[BaseGeometry]] = defaultdict(list)
    place = Affine.translation(window.col, window.row)
    for outline, number in shapes(values, values > 0, connectivity=4, transform=place):
        found[int(number)].append(shape(outline))
    return found


def _joined(windows: list[list[BaseGeometry]]) -> BaseGeometry:
    """One multipolygon of the pieces of one region, which windows have cut."""
    import shapely

    pieces = [piece for parts in windows for piece in parts]
    if len(windows) > 1:
        # without the corners that windows have left on straight edges
        pieces = shapely.get_parts(shapely.simplify(shapely.union_all(pieces), 0)).tolist()
    return shapely.multipolygons(pieces)


def _on_the_map(
    numbers: list[int], polygons: list[BaseGeometry], grid: Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import shapely

    shapes = np.array(polygons, object)
    pixels = np.rint(shapely.area(shapes)).astype(np.int64)
    a, b, c, d, e, f = grid.transform[:6]
    turn, shift = np.array([[a, d], [b, e]]), (c, f)
    placed = shapely.transform(shapes, lambda col_row: col_row @ turn + shift)
    return np.array(numbers, np.int64), pixels, placed
