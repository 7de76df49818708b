"""One grid for overlapping tiles, and their bands on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, vectors
from landcover.files.opening import read_at_once
from landcover.files.raster_writer import RasterWriter
from landcover.grid import TOLERANCE_PX, Grid, Window, same_crs
from landcover.progress import track
from landcover.sources.reflectance import (
    DATA,
    OUTSIDE,
    REASONS,
    Tally,
    holes_alone,
    judged,
    read_reflectance,
)
from landcover.sources.tile import Tile, common_bands

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def mosaic_grid(tiles: Sequence[Tile]) -> Grid:
    """The smallest grid that holds all tiles.

    Raises
    ------
    InputError
        If tiles differ in CRS or resolution, or lie between each other's pixels.
    """
    first = tiles[0].grid
    width, height = first.resolution
    for tile in tiles[1:]:
        other = tile.grid
        row, col = first.position(other)
        shift = max(abs(col - round(col)), abs(row - round(row)))
        alike = same_crs(other.crs, first.crs) and np.allclose(other.resolution, first.resolution)
        if not alike or shift > TOLERANCE_PX:
            raise InputError(
                f"{tile.paths[0]} is not on the pixel lattice of {tiles[0].paths[0]} "
                f"({_lattice(other)} against {_lattice(first)}, shifted by "
                f"{shift:.2f} px); tiles of a mosaic share CRS, resolution and alignment: warp it "
                "first"
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


def _lattice(grid: Grid) -> str:
    """The reference system and the pixels of a grid, so exactly that small differences show."""
    width, height = grid.resolution
    return f"{grid.crs.to_string()} at {width:.9g} x {height:.9g}"


@dataclass(frozen=True)
class Written:
    """What a scene became.

    Attributes
    ----------
    pixels : dict
        Pixels of the scene by what they are: ``data``, or why they have none: ``nodata`` and
        ``masked`` in the files, ``implausible`` values, or ``outside`` of tiles and area.
    notes : list of str
        Sentences on values that are no reflectance, and on holes of one band.
    """

    pixels: dict[str, int]
    notes: list[str]


def write_scene(
    path: Path, tiles: Sequence[Tile], grid: Grid, area: BaseGeometry | None
) -> Written:
    """Reflectance of all tiles on one grid, NaN where a band has none.

    Parameters
    ----------
    path : path
        Of the scene.
    tiles : sequence of Tile
        Where they overlap, the first that has data wins.
    grid : Grid
        Of the scene, on the lattice of the tiles.
    area : shapely geometry, optional
        Outside it the scene has no data.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        If a file is damaged, if many values are no reflectance, or if no pixel has data in all
        bands; nothing is written then.
    """
    names = common_bands(tiles)
    pixels = np.zeros(OUTSIDE + 1, np.int64)
    with (
        ExitStack() as files,
        RasterWriter(path, grid, np.float32, names, nodata=np.nan) as out,
    ):
        readers = [_Reader(files, tile, names) for tile in tiles]
        for window in track(list(grid.windows(rasters.WINDOW_PX)), "Writing the scene"):
            image = np.full((len(names), window.rows, window.cols), np.nan, np.float32)
            why = np.full(image.shape[1:], OUTSIDE, np.uint8)
            for tile, reader in zip(tiles, readers, strict=True):
                _fill(image, why, reader, _shifted(window, grid, tile.grid), tile.grid)
            if area is not None:
                outside = ~vectors.inside(area, grid, window)
                image[:, outside], why[outside] = np.nan, OUTSIDE
            pixels += np.bincount(why.ravel(), minlength=len(pixels))
            out.write(image, window)
        notes = [note for reader in readers for note in reader.notes()]
        if not pixels[DATA]:
            raise InputError(
                f"{tiles[0].paths[0]} has no pixel with data in all bands"
                f"{' and its middle in the area of interest' if area is not None else ''}; "
                "a scene needs some: check the files and their nodata value"
                f"{', or give a larger area' if area is not None else ''}"
            )
    return Written(dict(zip(REASONS, pixels.tolist(), strict=True)), notes)


class _Reader:
    """Windows of a tile as reflectance, from files opened once; it counts what it reads."""

    def __init__(self, files: ExitStack, tile: Tile, names: Sequence[str]) -> None:
        self.opened = {path: files.enter_context(rasters.open_raster(path)) for path in tile.paths}
        self.bands = {name: tile.bands[name] for name in names}
        self.tallies = {name: Tally() for name in names}

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance (bands, rows, cols), and why pixels lack a band (rows, cols)."""
        reads = []
        for name, band in self.bands.items():
            file = self.opened[band.path]
            reads.append((file, partial(read_reflectance, file, band, window, self.tallies[name])))
        parts = read_at_once(reads)
        values, why = zip(*parts, strict=True)
        self._count_holes(np.stack(why) != DATA)
        return np.stack(values), np.max(why, axis=0)

    def _count_holes(self, empty: np.ndarray) -> None:
        """Count the pixels that one band alone lacks."""
        if empty.any():
            alone = empty & (empty.sum(axis=0) == 1)
            for tally, number in zip(self.tallies.values(), alone.sum(axis=(1, 2)), strict=True):
                tally.alone += int(number)

    def notes(self) -> list[str]:
        """What is to be said of values that are no reflectance, and of holes of one band."""
        said = [
            judge(self.tallies[name], band, name)
            for judge in (judged, holes_alone)
            for name, band in self.bands.items()
        ]
        return [text for text in said if text]


def _fill(image: np.ndarray, why: np.ndarray, reader: _Reader, window: Window, grid: Grid) -> None:
    """Fill pixels that no earlier tile has given."""
    outside = (
        window.row >= grid.rows
        or window.col >= grid.cols
        or window.row + window.rows <= 0
        or window.col + window.cols <= 0
    )
    empty = why != DATA
    if not outside and empty.any():
        values, reasons = reader.read(window)
        # where no tile has all bands, the one that came nearest stays
        better = empty & (reasons < why)
        np.copyto(image, values, where=better)
        np.copyto(why, reasons, where=better)


def _shifted(window: Window, grid: Grid, other: Grid) -> Window:
    """The same pixels, counted from the corner of another grid on the same lattice."""
    row, col = other.position(grid)
    return Window(window.row + round(row), window.col + round(col), window.rows, window.cols)
