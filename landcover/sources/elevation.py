"""Elevation rasters of any grid, brought to that of a scene."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.masks import alpha_bands, own_nodata
from landcover.files.open_rasters import OpenRasters
from landcover.files.raster_names import RasterName
from landcover.grid import Grid, Window
from landcover.labels.on_grid import require_shared_ground
from landcover.sources.reflectance import DATA, Band, Tally
from landcover.sources.regrid import read_on

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: Name of the band.
ELEVATION = "elevation"
#: Metres that ground can lie at, that of seas too. Values beyond are no elevation: only trenches
#: are deeper, and many files write -9999 where they have none.
ON_EARTH_M = (-9_990.0, 9_000.0)
#: Texts that name a band of elevations.
_SAYS_ELEVATION = re.compile(r"elevation|altitude|height|(?<![a-z])d[est]m(?![a-z])", re.IGNORECASE)
_METRES = ("", "m", "metre", "metres", "meter", "meters")
#: So many pixels of one value are no accident.
_REPEATED = 3


@dataclass(frozen=True)
class Elevation:
    """Elevation rasters, as a band of a scene.

    It comes to the scene's grid by cubic convolution, as coarser bands do
    (`landcover.sources.regrid`). Where rasters overlap, the first that has a value counts.

    Attributes
    ----------
    bands : tuple of Band
        A band a file, each with its own grid; metres.
    grids : tuple of Grid
        The grids of these.
    notes : tuple of str
        Sentences on what was taken for what.
    """

    bands: tuple[Band, ...]
    grids: tuple[Grid, ...]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str]:
        """Name of the band."""
        return (ELEVATION,)

    @property
    def paths(self) -> tuple[RasterName, ...]:
        """Files."""
        return tuple(band.path for band in self.bands)

    @property
    def grid(self) -> None:
        """It lies on the grid of the scene, and gives none."""
        return None

    def settings(self) -> dict[str, object]:
        """The band as a manifest keeps it."""
        return {
            "bands": [ELEVATION],
            "files": [str(band.path) for band in self.bands],
            "resampling": "cubic convolution",
        }

    def on(self, grid: Grid) -> Callable[[OpenRasters, Window], np.ndarray]:
        """What reads the band (1, rows, cols) of a window on a grid.

        Raises
        ------
        InputError
            If a raster does not overlap the grid.
        """
        for band, own in zip(self.bands, self.grids, strict=True):
            require_shared_ground(band.path, own, grid)

        def read(files: OpenRasters, window: Window) -> np.ndarray:
            metres = np.full((window.rows, window.cols), np.nan, np.float32)
            for band in self.bands:
                empty = np.isnan(metres)
                if empty.any():
                    tally = Tally()
                    values, why = read_on(files[band.path], band, grid, window, tally)
                    _require_declared(band, tally.implausible)
                    np.copyto(metres, values, where=empty & (why == DATA))
            return metres[np.newaxis]

        return read


def open_elevation(paths: Sequence[RasterName]) -> Elevation:
    """Elevation rasters by what their files say.

    Parameters
    ----------
    paths : sequence of path
        Files of one band of metres; of several bands the one whose description says elevation.

    Returns
    -------
    Elevation

    Raises
    ------
    InputError, MissingProduct
        If a file is missing, is no raster, has no CRS, is in another unit than metres, or has
        several bands of which none or several say elevation.
    """
    bands, grids, notes = zip(*map(_open, paths), strict=True)
    return Elevation(bands, grids, tuple(note for note in notes if note))


def _open(path: RasterName) -> tuple[Band, Grid, str | None]:
    """The band of elevations in a file, its grid, and a note on it."""
    with rasters.open_raster(path) as dataset:
        grid = rasters.grid_of_open(dataset, path)
        number = _number(dataset, path)
        unit = (dataset.units[number - 1] or "").strip()
        if unit.lower() not in _METRES:
            raise InputError(
                f"{path} holds elevations in {unit}, and they are to be metres; convert them, for "
                f"example with: rio calc '(* METRES (read {number}))' FILE NEW.tif"
            )
        scale, offset = dataset.scales[number - 1], dataset.offsets[number - 1]
        nodata, dtype = own_nodata(dataset, number), dataset.dtypes[number - 1]
    note = None
    if dtype == "uint8":
        note = f"{path}: its 8-bit numbers are taken for elevations, {scale:g} m each"
    band = Band(
        path,
        number,
        quantification=1 / scale,
        offset=offset / scale,
        nodata=() if nodata is None else (nodata,),
        grid=grid,
        plausible=ON_EARTH_M,
    )
    return band, grid, note


def _number(dataset: DatasetReader, path: RasterName) -> int:
    """Number of the band of elevations."""
    alpha = alpha_bands(dataset)
    bands = [number for number in dataset.indexes if number not in alpha]
    said = [n for n in bands if _SAYS_ELEVATION.search(dataset.descriptions[n - 1] or "")]
    chosen = said if len(bands) > 1 else bands
    if len(chosen) != 1:
        held = ", ".join(dataset.descriptions[n - 1] or "unnamed" for n in bands[:4])
        raise InputError(
            f"{path} has {len(bands)} bands ({held}{', ...' if bands[4:] else ''}), and "
            f"{'several of them say' if said else 'none of them says'} that it is the elevation; "
            f"take it out, for example with: rio stack FILE NEW.tif --bidx {bands[0]}"
        )
    return chosen[0]


def _require_declared(band: Band, beyond: Counter[float]) -> None:
    """Raise InputError where one value that is no elevation repeats."""
    if not beyond:
        return
    (value, times), *_ = beyond.most_common(1)
    if times >= _REPEATED:
        low, high = ON_EARTH_M
        raise InputError(
            f"{band.path} holds {value:.9g} as elevation, which lies beyond {low:g} to {high:g} m: "
            "a nodata value that the file does not declare; declare it, for example with: "
            f"rio edit-info --nodata {value:.9g} FILE"
        )
