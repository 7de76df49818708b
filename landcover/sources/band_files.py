"""Loose band files and stacked files as tiles, by what each file says of its bands."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.masks import alpha_bands
from landcover.files.open_rasters import OpenRasters
from landcover.files.raster_names import RasterName, stem_of
from landcover.grid import Grid, same_crs
from landcover.sensors import LANDSAT, SENSORS, SENTINEL2, Sensor
from landcover.sources.cloud_mask import SCL_LAYER, is_scl
from landcover.sources.keep import Keep, kept_of_files
from landcover.sources.levels import require_one_kind
from landcover.sources.reflectance import Band
from landcover.sources.resolutions import in_native_resolution, is_coarser
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

#: The name of a band of Landsat, or of a file that says whose it is.
_LANDSAT_BAND = re.compile(f"{LANDSAT.file_pattern}|landsat", re.IGNORECASE)
#: How the names of files of a Landsat scene begin.
_LANDSAT_SCENE = re.compile(r"L[COTEM]0[4-9]_", re.IGNORECASE)
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

    @cached_property
    def day(self) -> str | None:
        return day_in_name(str(self.path))


def open_bands(
    paths: str | Path | Sequence[str | Path],
    quantification: PerTile = None,
    offset: PerTile = None,
    band_names: Sequence[str] = (),
    sensor: str = SENTINEL2.name,
    nodata: Sequence[float] = (),
    several_dates: bool = False,
    keep: Keep | None = None,
) -> list[Tile]:
    """Tiles from band files.

    A band is told by what its file says: by its description (``B8``, ``red``), its metadata, the
    colours of its bands, or, for a file of one band, by the file's name (``..._B02.jp2``,
    ``nir.tif``). A file of several bands is a tile of its own; files of one band that cover one
    ground are put together. Where a band is there in several resolutions, that of the sensor is
    taken.

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
    several_dates : bool
        Files of one band and ground may be of several days, by their names or their folders': each
        day makes tiles of its own, for a composite.
    keep : str or sequence of str, optional
        Bands to take, as `open_sentinel2` takes them, ``"all"`` being all that are given. Those
        coarser than the tile's grid are brought to it. By default all of the tile's grid.

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
    with OpenRasters() as opened:
        names = _names_by_file(given, opened, band_names)
        files = [
            _asked(path, opened[path], said, of) for path, said in zip(given, names, strict=True)
        ]
    groups = _grouped(_named(files, names, of), several_dates)
    _refuse_shifted(groups, of)
    settings = zip(
        _per_tile("quantification", quantification, len(groups)),
        _per_tile("offset", offset, len(groups)),
        strict=True,
    )
    return [
        _tile(group, of, divisor, added, tuple(nodata), keep)
        for group, (divisor, added) in zip(groups, settings, strict=True)
    ]


def _names_by_file(
    given: Sequence[RasterName], opened: OpenRasters, band_names: Sequence[str]
) -> list[Sequence[str]]:
    """The part of `band_names` that speaks of each file.

    For files of one band alone, a name each; beside stacks, all for the stacks.
    """
    if not band_names:
        return [()] * len(given)
    single = [opened[path].count - len(alpha_bands(opened[path])) <= 1 for path in given]
    if not all(single):
        return [() if alone else band_names for alone in single]
    if len(band_names) != len(given):
        raise InputError(
            f"{len(given)} files of one band were given and band_names= gives "
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


def _grouped(files: Sequence[_File], several_dates: bool) -> list[list[_File]]:
    """Files that make a tile each: a stack alone, files of one band by the ground they cover.

    With `several_dates` by their day too. In the order of their first files, as numbers a tile are
    given.
    """
    held = [file.said[0].name for file in files if file.single]
    one_tile = len(set(held)) == len(held)
    groups: list[list[_File]] = []
    of_day: dict[str | None, list[list[_File]]] = {}
    for file in files:
        near = of_day.setdefault(file.day if several_dates and not one_tile else None, [])
        its = (
            group
            for group in near
            if file.single and group[0].single and (one_tile or _covers(group[0].grid, file.grid))
        )
        group = next(its, None)
        if group is None:
            near.append([file])
            groups.append(near[-1])
        else:
            group.append(file)
    alike: dict[str | None, list[_File]] = {}
    for file in files:
        alike.setdefault(file.day if several_dates else None, []).append(file)
    for held_by_day in alike.values():
        for first, second in combinations(held_by_day, 2):
            _refuse_twice(first, second)
    return groups


def _covers(one: Grid, other: Grid) -> bool:
    """Whether two grids cover the same ground, in pixels of one size or another."""
    return same_ground(one, other) or is_coarser(one, other) or is_coarser(other, one)


def _refuse_shifted(groups: Sequence[Sequence[_File]], sensor: Sensor) -> None:
    """Raise InputError if a tile lacks a band that a file has over nearly the same ground."""
    for group in groups:
        lacking = set(sensor.core).difference(*(file.names for file in group))
        first = group[0]
        others = (file for other in groups if other is not group for file in other)
        for file in others if first.single else ():
            if file.single and file.names & lacking and _nearly_one_ground(first.grid, file.grid):
                first.grid.require_equal(file.grid, str(first.path), str(file.path))


def _nearly_one_ground(one: Grid, other: Grid) -> bool:
    """Whether the corners of two grids are less than two pixels of either apart."""
    if not same_crs(one.crs, other.crs):
        return False
    pixel = np.tile(np.maximum(one.resolution, other.resolution), 2)
    return bool((np.abs(np.subtract(one.bounds, other.bounds)) < 2 * pixel).all())


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


def _told_by_files(files: Sequence[_File]) -> Iterator[tuple[_File, BandSaid]]:
    """Bands that files name, each with its file; given names say nothing more of a band."""
    for file in files:
        for band in file.said:
            if band.name and band.named_by != "band_names=":
                yield file, band


def _names_of(files: Sequence[_File]) -> dict[str, tuple[str, ...]]:
    """The names of each band: in its file, and of the file."""
    return {
        f"{file.path}" if file.single else f"band {band.number} of {file.path}": (
            band.text,
            stem_of(file.path) if file.single else "",
            str(file.path),
        )
        for file, band in _told_by_files(files)
    }


def _refuse_landsat(files: Sequence[_File], sensor: Sensor) -> None:
    """Raise InputError for names of Landsat's bands, whose numbers Sentinel-2 has for others."""
    if sensor != SENTINEL2:
        return
    texts = [
        text for file, band in _told_by_files(files) for text in (band.text, stem_of(file.path))
    ]
    held = {band.name for file in files for band in file.said}
    sentence = _landsat_sentence(files[0].path, texts, held)
    if sentence:
        raise InputError(sentence)


def on_landsat(path: RasterName, said: Sequence[BandSaid]) -> str | None:
    """A sentence on a raster whose names are Landsat's; None for others, and for given names."""
    told = [band for band in said if band.name and band.named_by != "band_names="]
    texts = [text for band in told for text in (band.text, stem_of(path))]
    return _landsat_sentence(path, texts, {band.name for band in said})


def _landsat_sentence(
    path: RasterName, texts: Sequence[str], held: Collection[str | None]
) -> str | None:
    """Why bands are not read by the names of Landsat that some texts are; None where none is."""
    named = [text for text in texts if _LANDSAT_BAND.search(text)]
    scenes = [text for text in texts if _LANDSAT_SCENE.match(text)]
    if not (scenes or (named and "B08" not in held)):
        return None
    return (
        f"{path}: {(scenes or named)[0]} is a name of Landsat, whose bands have other wavelengths "
        "than those of Sentinel-2 with the same numbers; landcover prep reads Sentinel-2, and in "
        f"Python landcover.open_bands(FILES, sensor={LANDSAT.name!r}) reads SR_B1 to SR_B7 for "
        "landcover.prepare"
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
    keep: Keep | None,
) -> Tile:
    """The tile of some files, with notes on what was chosen and what left out."""
    bands: dict[str, Band] = {}
    grids: dict[str, Grid] = {}
    native, notes = in_native_resolution(files, sensor)
    unnamed: list[str] = []
    layers: dict[str, Band] = {}
    _require_one_day(files)
    _refuse_landsat(files, sensor)
    require_one_kind(_names_of(files), "bands of one tile")
    for file in files:
        left_out = []
        for band in file.said:
            if band.name is None and is_scl(band.text):
                layers[SCL_LAYER] = Band(file.path, band.number, grid=file.grid)
            elif band.name is None:
                left_out.append(f"{band.number} ({band.text or 'unnamed'})")
            if band.name is None:
                continue
            if native[band.name] is not file:
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
    kept, note = kept_of_files(keep, grids, sensor, str(files[0].path))
    notes += [note] if note else []
    bands = {name: band for name, band in bands.items() if name in kept}
    tile = tile_of(bands, grids, sensor, tuple(dict.fromkeys(notes)))
    return replace(tile, layers=layers)


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
