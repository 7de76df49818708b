"""One grid for overlapping tiles, and their bands on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters, vectors
from landcover.files.raster_writer import RasterWriter
from landcover.grid import TOLERANCE_PX, Grid, Window
from landcover.progress import track
from landcover.sources.tile import Tile, common_bands, reflectance

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def mosaic_grid(tiles: Sequence[Tile]) -> Grid:
    """The smallest grid that holds all tiles.

    Raises
    ------
    LandcoverError
        If tiles differ in CRS or resolution, or lie between each other's pixels.
    """
    first = tiles[0].grid
    width, height = first.resolution
    for tile in tiles[1:]:
        other = tile.grid
        row, col = first.position(other)
        shift = max(abs(col - round(col)), abs(row - round(row)))
        alike = other.crs == first.crs and np.allclose(other.resolution, first.resolution)
        if not alike or shift > TOLERANCE_PX:
            raise LandcoverError(
                f"{tile.paths[0]} is not on the pixel lattice of {tiles[0].paths[0]} "
                f"({other.crs.to_string()} at {other.resolution[0]:g}, shifted by {shift:.2f} px); "
                "tiles of a mosaic share CRS, resolution and alignment: warp it first"
            )
    bounds = np.array([tile.grid.bounds for tile in tiles])
    (west, south), (east, north) = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    window = Window(
        round((first.bounds[3] - north) / height),
        round((west - first.bounds[0]) / width),
        round((north - south) / height),
        round((east - west) / width),
    )
    return first.crop(window)


def write_scene(path: Path, tiles: Sequence[Tile], grid: Grid, area: BaseGeometry | None) -> Path:
    """Reflectance of all tiles on one grid, NaN where there is none."""
    names = common_bands(tiles)
    valid = 0
    with (
        ExitStack() as files,
        RasterWriter(path, grid, np.float32, names, nodata=np.nan) as out,
    ):
        readers = [_reader(files, tile, names) for tile in tiles]
        for window in track(list(grid.windows(rasters.WINDOW_PX)), "Writing the scene"):
            image = np.full((len(names), window.rows, window.cols), np.nan, np.float32)
            for tile, read in zip(tiles, readers, strict=True):
                _fill(image, read, _shifted(window, grid, tile.grid), tile.grid)
            if area is not None:
                image[:, ~vectors.inside(area, grid, window)] = np.nan
            valid += int(rasters.valid_pixels(image).sum())
            out.write(image, window)
        if not valid:
            raise LandcoverError(
                f"{tiles[0].paths[0]} has no pixel with data in all bands"
                f"{' inside the area of interest' if area is not None else ''}; "
                "a scene needs some: check the files and their nodata value"
            )
    return path


def _reader(files: ExitStack, tile: Tile, names: Sequence[str]) -> Callable[[Window], np.ndarray]:
    """A function that reads a window of a tile as reflectance, from files opened once."""
    opened = {path: files.enter_context(rasters.open_raster(path)) for path in tile.paths}
    bands = [tile.bands[name] for name in names]

    def read(window: Window) -> np.ndarray:
        return np.stack(
            [
                reflectance(rasters.read_window(opened[band.path], window, [band.number])[0], band)
                for band in bands
            ]
        )

    return read


def _fill(
    image: np.ndarray, read: Callable[[Window], np.ndarray], window: Window, grid: Grid
) -> None:
    """Fill pixels that no earlier tile has given."""
    outside = (
        window.row >= grid.rows
        or window.col >= grid.cols
        or window.row + window.rows <= 0
        or window.col + window.cols <= 0
    )
    empty = ~rasters.valid_pixels(image)
    if not outside and empty.any():
        np.copyto(image, read(window), where=empty)


def _shifted(window: Window, grid: Grid, other: Grid) -> Window:
    """The same pixels, counted from the corner of another grid on the same lattice."""
    row, col = other.position(grid)
    return Window(window.row + round(row), window.col + round(col), window.rows, window.cols)
