"""A composite of several dates, and each date by itself, written by windows in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import vectors
from landcover.files.open_rasters import OpenRasters, most_open
from landcover.files.raster_writer import RasterWriter
from landcover.files.styles import dates_style, scene_style
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
    each: Mapping[str, Path] | None = None,
) -> Written:
    """Compose dates on one grid, and write how many each pixel has; and each date if asked to.

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
    each : mapping of str to path, optional
        Where the reflectance of each date goes by itself, by its day: NaN in all bands where the
        date is not valid.

    Returns
    -------
    Written
        Its `pixels` count one with any valid date as data, and else the reason of the date that
        came nearest.

    Raises
    ------
    InputError
        As `write_scene`, or if there are more dates than files that may be open; nothing is
        written then.
    """
    each = each or {}
    if len(each) > most_open():
        raise InputError(
            f"{len(each)} dates are more than may be written at once here ({most_open()}); give "
            "fewer, such as those with few clouds"
        )
    tiles = [tile for day in days for tile in day.tiles]
    # the files of dates are open beside those that are read
    opened = OpenRasters(most_open() // 2) if each else OpenRasters()
    with opened as files, ExitStack() as outs:
        work = _Work(files, days, grid, area, composite, layers)
        work.begin(outs, path, observations, each)
        windows = list(grid.windows(window_px(len(days), len(work.bands))))
        for window in track(windows, f"Composing {len(days)} dates"):
            work.write(window)
        notes = [note for reader in work.readers for note in reader.notes()]
        require_data(work.pixels, tiles, area, work.readers)
        notes += work.beside.notes()
    counts = work.valid_dates
    return Written(
        dict(zip(REASONS, work.pixels.tolist(), strict=True)),
        notes,
        {
            day.day: dict(zip(REASONS, counts.tolist(), strict=True))
            for day, counts in zip(days, work.by_date, strict=True)
        },
        (counts / max(1, counts.sum())).tolist(),
    )


class _Work:
    """The open files of a composite, and what is counted while it is written by windows."""

    def __init__(
        self,
        files: OpenRasters,
        days: Sequence[DayOfTiles],
        grid: Grid,
        area: BaseGeometry | None,
        composite: Composite,
        layers: Sequence[Layer],
    ) -> None:
        self.grid, self.area, self.composite = grid, area, composite
        self.names = common_bands([tile for day in days for tile in day.tiles])
        self.days = [day.day for day in days]
        self.readers = [MosaicReader(files, day.tiles, self.names, grid) for day in days]
        self.beside = LayerReader(files, layers, grid)
        self.bands = [*composite.bands(self.names), *self.beside.names]
        # the last is that of number -1, of no date
        self.numbers = np.array([int(d.replace("-", "")) for d in self.days] + [0], np.uint32)
        self.kinds = ("valid_dates", "date") if composite.takes_one_date else ("valid_dates",)
        self.pixels = np.zeros(len(REASONS), np.int64)
        self.by_date = np.zeros((len(days), len(REASONS)), np.int64)
        self.valid_dates = np.zeros(len(days) + 1, np.int64)

    def begin(
        self, outs: ExitStack, path: Path, observations: Path, each: Mapping[str, Path]
    ) -> None:
        """Begin the rasters that are written, which are whole when `outs` is left."""

        def image(path: Path, names: Sequence[str], many: bool = False) -> RasterWriter:
            writer = RasterWriter(
                path, self.grid, np.float32, names, np.nan, style=scene_style(names), many=many
            )
            return outs.enter_context(writer)

        self.out = image(path, self.bands)
        style = dates_style(len(self.days))
        self.seen = outs.enter_context(
            RasterWriter(observations, self.grid, np.uint32, self.kinds, style=style)
        )
        self.each = [
            (number, image(each[day], self.names, many=True))
            for number, day in enumerate(self.days)
            if day in each
        ]

    def write(self, window: Window) -> None:
        """Compose a window, and write and count it."""
        stack, why = self._read(window)
        outside = np.zeros(why.shape[1:], bool)
        if self.area is not None:
            outside = ~vectors.inside(self.area, self.grid, window)
        why[:, outside] = OUTSIDE
        for counts, reasons in zip(self.by_date, why, strict=True):
            counts += np.bincount(reasons.ravel(), minlength=len(REASONS))
        self.pixels += np.bincount(why.min(axis=0).ravel(), minlength=len(REASONS))
        valid = why == DATA
        held = valid.sum(axis=0, dtype=np.uint32)
        self.valid_dates += np.bincount(held[~outside], minlength=len(self.valid_dates))
        image, chosen = compose(self.composite, stack, valid, self.days)
        image = self.beside.with_layers(image, window, held > 0)
        image[:, outside] = np.nan
        self.out.write(image, window)
        self.seen.write(np.stack([held, self.numbers[chosen]])[: len(self.kinds)], window)
        for number, out in self.each:
            one = stack[number]
            one[:, ~valid[number]] = np.nan
            out.write(one, window)

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance (dates, bands, rows, cols) and why there is none (dates, rows, cols)."""
        stack = np.empty((len(self.readers), len(self.names), window.rows, window.cols), np.float32)
        why = np.empty((len(self.readers), window.rows, window.cols), np.uint8)
        for number, reader in enumerate(self.readers):
            stack[number], why[number] = reader.read(window)
        return stack, why
