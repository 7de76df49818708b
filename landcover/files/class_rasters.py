"""Class rasters: written with their legend and style, and counted by class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landcover.files.raster_writer import RasterWriter
from landcover.files.rasters import WINDOW_PX, grid_of, read_classes
from landcover.files.styles import qml_path
from landcover.grid import Grid
from landcover.legend import UNLABELLED, Legend
from landcover.progress import track

#: Codes that a class raster can hold.
_CODES = np.iinfo(np.uint16).max + 1


@contextmanager
def class_writer(path: Path, grid: Grid, legend: Legend) -> Iterator[RasterWriter]:
    """A writer of class codes, uint16, by windows."""
    with RasterWriter(path, grid, np.uint16, ["class"], UNLABELLED, legend) as out:
        yield out


def write_classes(path: Path, codes: np.ndarray, grid: Grid, legend: Legend) -> list[Path]:
    """Write class codes (rows, cols) and their style; the paths of both."""
    with class_writer(path, grid, legend) as out:
        for window in grid.windows(WINDOW_PX):
            out.write(codes[window.slices], window)
    return [path, qml_path(path)]


def same_classes(path: Path, other: Path) -> bool:
    """Whether two class rasters hold the same codes on the same grid.

    Their bytes may differ all the same: earlier versions wrote a colour table.
    """
    grid = grid_of(path)
    return grid.difference(grid_of(other)) is None and all(
        np.array_equal(read_classes(path, window), read_classes(other, window))
        for window in grid.windows(WINDOW_PX)
    )


def class_pixels(path: Path) -> dict[int, int]:
    """Pixels of each class of a class raster."""
    counts = np.zeros(_CODES, np.int64)
    windows = list(grid_of(path).windows(WINDOW_PX))
    for window in track(windows, f"counting classes of {path.name}"):
        counts += np.bincount(read_classes(path, window).ravel(), minlength=_CODES)
    counts[UNLABELLED] = 0
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}


def class_areas_ha(path: Path) -> dict[int, float]:
    """Hectares on the ground of each class of a class raster."""
    grid = grid_of(path)
    areas = np.zeros(_CODES)
    for window in track(list(grid.windows(WINDOW_PX)), f"measuring classes of {path.name}"):
        codes = read_classes(path, window).ravel()
        areas += np.bincount(codes, grid.areas_ha(window).ravel(), minlength=_CODES)
    areas[UNLABELLED] = 0
    return {int(code): float(areas[code]) for code in np.flatnonzero(areas)}
