"""A composite of several dates, written by windows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.files import vectors
from landcover.files.open_rasters import OpenRasters
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.progress import track
from landcover.scene.composite import Composite, compose
from landcover.scene.layers import Layer, LayerReader
from landcover.scene.mosaic import MosaicReader, Written, require_data
from landcover.sources.dates import DayOfTiles
from landcover.sources.reflectance import DATA, OUTSIDE, REASONS
from landcover.sources.tile import common_bands

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: The reflectance of all dates of a window takes at most so much.
_MOST_BYTES = 2**30
#: Sides of windows, the largest that fits first; files have blocks of 512 px.
_SIDES = (1024, 512, 256, 128, 64, 32)


def window_px(dates: int, bands: int) -> int:
    """Side of the windows in which so many dates are composed.

    >>> window_px(6, 4), window_px(1000, 4)
    (1024, 256)
    """
    fits = (side for side in _SIDES if 4 * dates * bands * side**2 <= _MOST_BYTES)
    return next(fits, _SIDES[-1])


def write_composite(
    path: Path,
    observations: Path,
    days: Sequence[DayOfTiles],
    grid: Grid,
    area: BaseGeometry | None,
    composite: Composite,
    layers: Sequence[Layer] = (),
) -> Written:
    """Compose dates on one grid, and write how many each pixel has.

    Parameters
    ----------
    path : path
        Of the scene: reflectance, NaN where no date is valid.
    observations : path
        Of a raster beside it: ``valid_dates``, how many dates are valid at a pixel; and where a
        pixel is of one date ``date``, its day as YYYYMMDD, 0 where there is none. uint32.
    days : sequence of DayOfTiles
        The dates, the earliest first.
    grid : Grid
        Of the scene, on the lattice of the tiles.
    area : shapely geometry, optional
        Outside it the scene has no data.
    composite : Composite
        How.
    layers : sequence of Layer
        Further bands.

    Returns
    -------
    Written
        Its `pixels` count one with any valid date as data, and else the reason of the date that
        came nearest.

    Raises
    ------
    InputError
        As `write_scene`; nothing is written then.
    """
    tiles = [tile for day in days for tile in day.tiles]
    names = common_bands(tiles)
    dates = [day.day for day in days]
    # the last is that of number -1, of no date
    numbers = np.array([int(day.replace("-", "")) for day in dates] + [0], np.uint32)
    kinds = ("valid_dates", "date") if composite.takes_one_date else ("valid_dates",)
    pixels = np.zeros(len(REASONS), np.int64)
    by_date = np.zeros((len(days), len(REASONS)), np.int64)
    with OpenRasters() as files, ExitStack() as outs:
        beside = LayerReader(files, layers, grid)
        every = [*composite.bands(names), *beside.names]
        out = outs.enter_context(RasterWriter(path, grid, np.float32, every, nodata=np.nan))
        seen = outs.enter_context(RasterWriter(observations, grid, np.uint32, kinds))
        readers = [MosaicReader(files, day.tiles, names, grid) for day in days]
        windows = list(grid.windows(window_px(len(days), len(every))))
        for window in track(windows, f"Composing {len(days)} dates"):
            stack, why = _read(readers, window, len(names))
            outside = np.zeros(why.shape[1:], bool)
            if area is not None:
                outside = ~vectors.inside(area, grid, window)
            why[:, outside] = OUTSIDE
            for counts, reasons in zip(by_date, why, strict=True):
                counts += np.bincount(reasons.ravel(), minlength=len(REASONS))
            pixels += np.bincount(why.min(axis=0).ravel(), minlength=len(REASONS))
            valid = why == DATA
            image, chosen = compose(composite, stack, valid, dates)
            image = beside.with_layers(image, window, valid.any(axis=0))
            image[:, outside] = np.nan
            out.write(image, window)
            held = np.stack([valid.sum(axis=0, dtype=np.uint32), numbers[chosen]])
            seen.write(held[: len(kinds)], window)
        notes = [note for reader in readers for note in reader.notes()]
        require_data(pixels, tiles, area, readers)
        notes += beside.notes()
    return Written(
        dict(zip(REASONS, pixels.tolist(), strict=True)),
        notes,
        {
            day: dict(zip(REASONS, counts.tolist(), strict=True))
            for day, counts in zip(dates, by_date, strict=True)
        },
    )


def _read(
    readers: Sequence[MosaicReader], window: Window, bands: int
) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (dates, bands, rows, cols) and why there is none (dates, rows, cols)."""
    stack = np.empty((len(readers), bands, window.rows, window.cols), np.float32)
    why = np.empty((len(readers), window.rows, window.cols), np.uint8)
    for number, reader in enumerate(readers):
        stack[number], why[number] = reader.read(window)
    return stack, why
