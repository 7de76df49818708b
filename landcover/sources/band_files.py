"""Loose band files and stacked files as tiles, by what each file says of its bands."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.masks import alpha_bands
from landcover.files.raster_names import stem_of
from landcover.grid import Grid
from landcover.sensors import SENSORS, SENTINEL2, Sensor
from landcover.sources.reflectance import Band
from landcover.sources.said import (
    BandSaid,
    band_of,
    bands_said,
    is_reflectance,
    require_reflectance,
)
from landcover.sources.tile import Tile, day_in_name, require_one_date, same_ground, tile_of

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: A number for all tiles, or one a tile.
PerTile = float | Sequence[float] | None


@dataclass(frozen=True)
class _File:
    """A raster, what it says of its bands, and which of them hold floats of reflectance."""

    path: Path | str
    grid: Grid
    said: tuple[BandSaid, ...]
    reflectance: frozenset[int]

    @property
    def single(self) -> bool:
        return len(self.said) == 1

    @property
    def names(self) -> frozenset[str]:
        return frozenset(band.name for band in self.said if band.name)

    @property
    def paths(self) -> tuple[Path | str, ...]:
        return (self.path,)

    @property
    def day(self) -> str | None:
        return day_in_name(str(self.path))


def open_bands(
    paths: str | Path | Sequence[str | Path],
    quantification: PerTile = None,
    offset: PerTile = None,
    band_names: Sequence[str] = (),
    sensor: str = SENTINEL2.name,
    nodata: Sequence[float] = (),
) -> list[Tile]:
    """Tiles from band files.

    A band is told by what its file says: by its description (``B8``, ``red``), its metadata, the
    colours of its bands, or, for a file of one band, by the file's name (``..._B02.jp2``,
    ``nir.tif``). A file of several bands is a tile of its own; files of one band that lie on one
    grid are put together.

    Parameters
    ----------
    paths : path or sequence of path
        A raster file or several, or names that GDAL knows, such as ``netcdf:cube.nc:B02``.
    quantification, offset : float or sequence of float, optional
        reflectance = (dn + offset) / quantification; one number, or one a tile. By default what
        each file says in its scale and offset tags, or else the sensor's own; floats that lie
        between 0 and 1 are reflectance already.
    band_names : sequence of str
        What the bands of a stacked file are, instead of what it says: a name a band, in order, with
        ``-`` for those to leave out, or ``NAME=NUMBER`` for some of them. For files of one band, a
        name a file.
    sensor : str
        Whose bands they are, of `sensors.SENSORS`.
    nodata : sequence of float
        Digital numbers that mean no data, besides what files declare. 0 means no data where
        neither the file nor this declares anything.

    Returns
    -------
    list of Tile
        Bands by name, on one grid a tile; nothing is read yet but what files say of themselves.

    Raises
    ------
    MissingProduct
        If a file does not exist.
    InputError
        If nothing says which band a file is, a band is missing or there twice, files hold 8-bit
        pictures, grids differ, or there is no such sensor.

    Examples
    --------
    >>> tiles = open_bands(["B02.tif", "B03.tif", "B04.tif", "B08.tif"], offset=-1000)
    >>> len(tiles), list(tiles[0].bands), tiles[0].grid.shape
    (1, ['B02', 'B03', 'B04', 'B08'], (60, 80))
    """
    if sensor not in SENSORS:
        raise InputError(f"there is no sensor {sensor!r}; choose among {', '.join(SENSORS)}")
    of = SENSORS[sensor]
    given = [paths] if isinstance(paths, str | Path) else paths
    if not given:
        raise InputError("no band files were given; give one or several")
    with ExitStack() as stack:
        opened = [stack.enter_context(rasters.open_raster(path)) for path in given]
        names = _names_by_file(opened, band_names)
        files = [_asked(*each, of) for each in zip(given, opened, names, strict=True)]
    groups = _grouped(_named(files, names, of))
    settings = zip(
        _per_tile("quantification", quantification, len(groups)),
        _per_tile("offset", offset, len(groups)),
        strict=True,
    )
    return [
        _tile(group, of, divisor, added, tuple(nodata))
        for group, (divisor, added) in zip(groups, settings, strict=True)
    ]


def _names_by_file(
    opened: Sequence[DatasetReader], band_names: Sequence[str]
) -> list[Sequence[str]]:
    """The part of `band_names` that speaks of each file.

    For files of one band alone, a name each; beside stacks, all for the stacks.
    """
    if not band_names:
        return [()] * len(opened)
    single = [file.count - len(alpha_bands(file)) <= 1 for file in opened]
    if not all(single):
        return [() if alone else band_names for alone in single]
    if len(band_names) != len(opened):
        raise InputError(
            f"{len(opened)} files of one band were given and band_names= gives "
            f"{len(band_names)}; name every file, in order, with - for those to leave out"
        )
    return [[name] for name in band_names]


def _asked(
    path: str | Path, dataset: DatasetReader, band_names: Sequence[str], sensor: Sensor
) -> _File:
    """What an open file says of its bands."""
    said = bands_said(dataset, str(path), sensor, stem_of(path), band_names)
    if len(said) > 2 and not any(band.name for band in said):  # perhaps a picture
        for band in said:
            require_reflectance(band, str(path))
    floats = frozenset(band.number for band in said if is_reflectance(dataset, band))
    return _File(path, rasters.grid_of_open(dataset, path), tuple(said), floats)


def _named(files: Sequence[_File], names: Sequence[Sequence[str]], sensor: Sensor) -> list[_File]:
    """Files without those that a name leaves out; InputError where nothing says what one is."""
    for file, given in zip(files, names, strict=True):
        if file.single and not given and file.said[0].name is None:
            raise InputError(
                f"nothing says which band {file.path} is; name files like "
                f"{sensor.core[0]}.tif or blue.tif, give a name a file with band_names=, or leave "
                "out what is no band"
            )
    return [file for file in files if not file.single or file.said[0].name]


def _grouped(files: Sequence[_File]) -> list[list[_File]]:
    """Files that make a tile each: a stack alone, files of one band by the ground they cover.

    In the order of their first files, as numbers a tile are given.
    """
    held = [file.said[0].name for file in files if file.single]
    one_tile = len(set(held)) == len(held)
    groups: list[list[_File]] = []
    for file in files:
        its = (
            group
            for group in groups
            if file.single
            and group[0].single
            and (one_tile or same_ground(group[0].grid, file.grid))
        )
        group = next(its, None)
        if group is None:
            groups.append([file])
        else:
            group.append(file)
    for first, second in combinations(files, 2):
        _refuse_twice(first, second)
    return groups


def _refuse_twice(first: _File, second: _File) -> None:
    """Raise InputError if two files hold the same band of one ground."""
    both = first.names & second.names
    if both and same_ground(first.grid, second.grid):
        require_one_date([first, second])
        raise InputError(
            f"{first.path} and {second.path} are both {' '.join(sorted(both))} of the same "
            "ground; give the one that is meant and leave out the other"
        )


def _require_one_day(files: Sequence[_File]) -> None:
    """Raise InputError if the bands of a tile are of several days."""
    first: dict[str, _File] = {file.day: file for file in reversed(files) if file.day}
    if len(first) > 1:
        (day, one), (other_day, other), *_ = sorted(first.items())
        raise InputError(
            f"{one.path} and {other.path} would be bands of one tile and are of {day} and "
            f"{other_day}; give all bands of one day"
        )


def _per_tile(argument: str, given: PerTile, tiles: int) -> Sequence[float | None]:
    """One number a tile."""
    if given is None or isinstance(given, int | float):
        return [None if given is None else float(given)] * tiles
    numbers = [float(number) for number in given]
    if len(numbers) == 1:
        return numbers * tiles
    if len(numbers) != tiles:
        raise InputError(
            f"{argument}= gives {len(numbers)} numbers for {tiles} tiles; give one for all, or one "
            "a tile in the order of their files"
        )
    return numbers


def _tile(
    files: Sequence[_File],
    sensor: Sensor,
    quantification: float | None,
    offset: float | None,
    nodata: tuple[float, ...],
) -> Tile:
    """The tile of some files, with notes on what was chosen and what left out."""
    bands: dict[str, Band] = {}
    grids: dict[str, Grid] = {}
    notes: list[str] = []
    unnamed: list[str] = []
    _require_one_day(files)
    for file in files:
        left_out = []
        for band in file.said:
            if band.name is None:
                left_out.append(f"{band.number} ({band.text or 'unnamed'})")
                continue
            require_reflectance(band, str(file.path))
            grids[band.name] = file.grid
            bands[band.name] = band_of(
                band, file.path, sensor, quantification, offset, nodata,
                floats=band.number in file.reflectance,
            )  # fmt: skip
            notes += _overruled(file, band, quantification, offset)
        if left_out:
            unnamed.append(f"{file.path}: {', '.join(left_out)}")
            notes.append(f"left out as no band of {sensor.title}: {unnamed[-1]}")
    missing = [name for name in sensor.core if name not in bands]
    if missing and unnamed:
        raise InputError(
            f"nothing says which bands these are of {'; of '.join(unnamed)}, and "
            f"{' '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; name them with "
            f"band_names=, all in order or some by number, such as {missing[0]}=1"
        )
    _refuse_same_numbers(bands)
    return tile_of(bands, grids, sensor, tuple(dict.fromkeys(notes)))


def _refuse_same_numbers(bands: Mapping[str, Band]) -> None:
    """Raise InputError if two bands are one band of one file, by links to it."""
    first: dict[tuple[str, int], str] = {}
    for name, band in bands.items():
        other = first.setdefault((os.path.realpath(band.path), band.number), name)
        if other != name:
            raise InputError(
                f"{bands[other].path} and {band.path} are one file, given as {other} and as "
                f"{name}; give each band's own"
            )


def _overruled(
    file: _File, said: BandSaid, quantification: float | None, offset: float | None
) -> list[str]:
    """A note where numbers were given that contradict the file's own."""
    pairs = (
        ("quantification", quantification, said.quantification),
        ("offset", offset, said.offset),
    )
    return [
        f"{file.path} says {word} {own:g}, and {given:g} was given and is used"
        for word, given, own in pairs
        if given is not None and own is not None and not np.isclose(given, own)
    ]
