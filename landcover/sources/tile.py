"""A tile of one date: its bands on disk, and how their digital numbers become reflectance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np

from landcover.errors import InputError
from landcover.files.masks import look
from landcover.files.open_rasters import OpenRasters
from landcover.files.opening import read_at_once
from landcover.grid import Grid, same_crs
from landcover.sensors import (
    CORE_ROLES,
    DEFAULT_QUANTIFICATION,
    HIGHEST_MEDIAN,
    SENTINEL2,
    Sensor,
)
from landcover.sources.cloud_mask import CloudMask
from landcover.sources.levels import require_one_kind
from landcover.sources.reflectance import PLAUSIBLE, Band, reflectance, too_dark
from landcover.sources.resolutions import is_coarser, notes_on_coarser

#: Of an image of a product: tile, start of the data take, band.
_TIME_IN_NAME = re.compile(r"T\d{2}[A-Z]{3}_(\d{8}T\d{6})_")
_DAY_IN_NAME = re.compile(r"(?<!\d)(20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
#: Of a product: the start of its data take. A second day in the name is that of the processing.
_DAY_OF_PRODUCT = re.compile(r"S2[A-Z]_MSIL(?:1C|2A)_(\d{4})(\d\d)(\d\d)T\d{6}")

#: Of more days than this only the first and the last are said.
_MOST_DAYS_LISTED = 12
#: Digital numbers of products with +1000 lie above this, also over water that comes out negative.
_DARKEST_WITH_OFFSET = 700
#: Water may come out this dark where nothing is wrong.
_MOST_NEGATIVE = -0.02
#: Neighbours share less of the smaller one's ground; what shares more is of one place.
_NO_NEIGHBOURS = 0.9
#: A median below this is one of numbers divided once too often.
_LOWEST_MEDIAN = 0.001


@dataclass(frozen=True)
class Tile:
    """The bands of one tile, by name.

    Attributes
    ----------
    grid : Grid
        That all bands are read on.
    bands : dict of Band
        By name, in the sensor's order. Those on another grid than the tile's have their own.
    acquired : str or None
        When they were taken, ISO 8601 in UTC.
    sensor : Sensor
        Whose bands they are.
    notes : tuple of str
        Sentences on what was chosen and what left out of the files, for people.
    layers : dict of Band
        What its files hold beside bands, by name: ``SCL``, classes of level 2A,
        ``cloud_probability``, percent, and ``MSK_CLASSI``, classes of level 1C, a band each. They
        keep their own grids, and are read where masks are asked for.
    mask : CloudMask, optional
        What hides its clouds; nothing does by default.
    """

    grid: Grid
    bands: dict[str, Band]
    acquired: str | None = None
    sensor: Sensor = SENTINEL2
    notes: tuple[str, ...] = ()
    layers: Mapping[str, Band] = field(default_factory=dict)
    mask: CloudMask | None = None

    @property
    def paths(self) -> tuple[Path | str, ...]:
        """Files that the tile is read from."""
        return tuple(dict.fromkeys(band.path for band in self.bands.values()))

    @property
    def warped(self) -> bool:
        """Whether all bands are brought to the tile's grid from others, as `to_crs` does it."""
        return all(band.grid is not None for band in self.bands.values())

    @property
    def day(self) -> str | None:
        """When it was taken, by its time or by the names of its files; None where open."""
        if self.acquired:
            return self.acquired[:10]
        days = {day_in_name(str(path)) for path in self.paths}
        return days.pop() if len(days) == 1 else None


class Dated(Protocol):
    """Something that covers ground on a day: a tile, or a file of one."""

    @property
    def grid(self) -> Grid:
        """Where it lies."""

    @property
    def paths(self) -> tuple[Path | str, ...]:
        """Its files."""

    @property
    def day(self) -> str | None:
        """When it was taken; None where open."""


def radiometry_warning(tile: Tile) -> str | None:
    """A sentence when digital numbers do not look as their quantification and offset say.

    Data of processing baseline 04.00 and later carry +1000, so that even the
    darkest of the land lies near 1000; without it the red of vegetation, water
    and shadow lie far lower.

    Raises
    ------
    InputError
        If the median cannot be reflectance.
    """
    lights = _lights(tile)
    if not lights:
        return None
    brightest = max(lights, key=lambda light: light.brightest)
    dark = too_dark(brightest.brightest, brightest.band)
    if dark:
        raise InputError(dark)
    return light_warning(lights)


def light_warning(lights: Sequence[Light]) -> str | None:
    """A sentence when the light of core bands does not look as their numbers say.

    Raises
    ------
    InputError
        If the median cannot be reflectance.
    """
    band = lights[0].band
    typical = float(np.median([light.median for light in lights]))
    brightest = max(lights, key=lambda light: light.median)
    wrong = None
    if typical < _LOWEST_MEDIAN:
        wrong = typical
    elif brightest.median > HIGHEST_MEDIAN:
        band, wrong = brightest.band, brightest.median
    if wrong is not None:
        raise InputError(
            f"{band.path}: the median reflectance would be {wrong:.4g}, which no land has; give "
            "the true quantification= (1 for values that are reflectance already, 1000 for "
            f"reflectance x 1000){_beside_offset(band)}"
        )
    as_usual = all(
        light.band.offset == 0 and light.band.quantification == DEFAULT_QUANTIFICATION
        for light in lights
    )
    darkest = min(light.darkest for light in lights)
    if as_usual and darkest >= _DARKEST_WITH_OFFSET:
        return (
            f"the darkest digital numbers are {darkest:.0f}: this looks like data with the "
            "+1000 offset of processing baseline 04.00 or later; if so, "
            + (
                "its XML is wrong: give its images as bands=, with offset=-1000"
                if band.scaled_by == "product"
                else "pass offset=-1000"
            )
        )
    lowest = min(lights, key=lambda light: light.lowest)
    if lowest.band.offset and lowest.lowest < _MOST_NEGATIVE:
        return (
            f"offset {lowest.band.offset:g} makes the darkest pixels negative "
            f"({lowest.lowest:.3f}); does the data carry it?"
        )
    if typical < 0.01:
        return (
            f"the median reflectance would be {typical:.4g}: check quantification= "
            "(1 for values that are reflectance already, 1000 for reflectance x 1000)"
        )
    return None


def _beside_offset(band: Band) -> str:
    """What to check besides the quantification, where an offset is added."""
    return f", and the true offset= instead of {band.offset:g}" if band.offset else ""


@dataclass(frozen=True)
class Light:
    """How dark and bright a band is, from a thinned reading.

    Attributes
    ----------
    band : Band
        With the numbers that make its reflectance; bands of one tile may have others.
    darkest, brightest : float
        The 0.1 percentile and the maximum of its digital numbers.
    median : float
        Reflectance.
    """

    band: Band
    darkest: float
    brightest: float
    median: float

    @classmethod
    def of(cls, dn: np.ndarray, values: np.ndarray, band: Band) -> Light:
        """That of the digital numbers and the reflectance of pixels with data, at least one."""
        darkest, median = float(np.percentile(dn, 0.1)), float(np.median(values))
        return cls(band, darkest, float(dn.max()), median)

    @property
    def lowest(self) -> float:
        """Reflectance of the darkest."""
        return (self.darkest + self.band.offset) / self.band.quantification


def _lights(tile: Tile) -> list[Light]:
    """Of the core bands that have data.

    Values that repeat outside the range of reflectance are left to be
    judged as nodata, on every pixel; many that do not repeat are kept, for a wrong scale.
    """
    lights, bands = [], [tile.bands[name] for name in tile.sensor.core]
    with OpenRasters() as files:
        opened = [(files[band.path], band.number) for band in bands]
        seen = read_at_once([(file, partial(look, file, number)) for file, number in opened])
    for band, dn in zip(bands, seen, strict=True):
        values = reflectance(dn, band)
        dn, values = dn[np.isfinite(values)].astype(np.float64), values[np.isfinite(values)]
        wrong = (values < PLAUSIBLE[0]) | (values > PLAUSIBLE[1])
        if wrong.any() and np.unique(dn[wrong], return_counts=True)[1].max() > wrong.sum() / 2:
            dn, values = dn[~wrong], values[~wrong]
        if dn.size:
            lights.append(Light.of(dn, values, band))
    return lights


def require_one_date(covers: Sequence[Dated]) -> None:
    """Refuse tiles, or files of one band, of several days that cover the same ground.

    Raises
    ------
    InputError
        Naming both: pixels of either would fill the holes of the other.
    """
    for first, second in combinations(covers, 2):
        days = (first.day, second.day)
        if None not in days and days[0] != days[1] and _mostly_alike(first.grid, second.grid):
            raise InputError(
                f"{first.paths[0]} and {second.paths[0]} cover the same ground on {days[0]} and "
                f"{days[1]}; two dates are no mosaic: prepare a run of each, and compare them with "
                'landcover change, or make one scene of them with composite="median", or keep them '
                "with sequence=True"
            )


def require_one_level(tiles: Sequence[Tile]) -> None:
    """Raise InputError if tiles of one mosaic say several levels of processing."""
    require_one_kind({str(t.paths[0]): (str(t.paths[0]),) for t in tiles}, "tiles of one scene")


def _mostly_alike(first: Grid, second: Grid) -> bool:
    """Whether one of two grids lies nearly wholly on the other, so that they are no neighbours."""
    if not same_crs(first.crs, second.crs):
        return False
    corners = np.array([first.bounds, second.bounds])
    shared = corners[:, 2:].min(axis=0) - corners[:, :2].max(axis=0)
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    return bool((shared > 0).all() and shared.prod() >= _NO_NEIGHBOURS * areas.min())


def same_ground(first: Grid, second: Grid) -> bool:
    """Whether two grids have equal shape and extent, in one reference system."""
    alike = np.allclose(first.bounds, second.bounds, rtol=0, atol=1e-3 * min(first.resolution))
    return first.shape == second.shape and alike and same_crs(first.crs, second.crs)


def notes_on_same_ground(tiles: Sequence[Tile]) -> list[str]:
    """A sentence on each tile that covers the same ground as an earlier one, on the same day."""
    found = []
    for number, tile in enumerate(tiles):
        first = next(
            (
                other
                for other in tiles[:number]
                if other.day == tile.day and same_ground(other.grid, tile.grid)
            ),
            None,
        )
        if first is not None:
            found.append(
                f"{tile.paths[0]} covers the same ground as {first.paths[0]}, and only fills its "
                "holes"
            )
    return found


def note_on_days(tiles: Sequence[Tile]) -> str | None:
    """A sentence on a mosaic of several days; None where its tiles are of one, or say none.

    Neighbours of several days are a mosaic, but fields, leaves and light differ at their seams.
    """
    counts = Counter(tile.day for tile in tiles)
    days = sorted(day for day in counts if day)
    if len(days) < 2:
        return None
    if len(days) > _MOST_DAYS_LISTED:
        return f"tiles of {len(days)} days, {days[0]} to {days[-1]}"
    listed = [f"{day} ({counts[day]})" for day in days]
    listed += [f"without a day ({counts[None]})"] if counts[None] else []
    return f"tiles of {len(days)} days: {', '.join(listed)}"


def notes_on_bands(tiles: Sequence[Tile]) -> list[str]:
    """A sentence on each band that some tiles have and others lack, which the scene leaves out."""
    common = set(common_bands(tiles))
    lacking: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for tile in tiles for name in tile.bands):
        if name not in common:
            first = next(tile for tile in tiles if name not in tile.bands)
            lacking.setdefault(str(first.paths[0]), []).append(name)
    return [
        f"left out, because {path} lacks {'it' if len(names) == 1 else 'them'}: {' '.join(names)}"
        for path, names in lacking.items()
    ]


def day_in_name(path: str) -> str | None:
    """The day that the name of a file says, or else that of its folder; None for none or several.

    >>> day_in_name("T33UUU_20220601T100031_B02.jp2"), day_in_name("2022-08-05/B02.tif")
    ('2022-06-01', '2022-08-05')
    >>> day_in_name("order_20230230/20230601_B02.tif"), day_in_name("20230230.tif")
    ('2023-06-01', None)
    >>> day_in_name("S2A_MSIL2A_20220601T101559_N0400_R065_T33UUU_20220603T124759/stack.tif")
    '2022-06-01'
    """
    for part in reversed(Path(path).parts[-2:]):
        product = _DAY_OF_PRODUCT.search(part)
        if product:
            return "-".join(product.groups())
        found = ("-".join((year, month, day)) for year, _, month, day in _DAY_IN_NAME.findall(part))
        days = {day for day in found if _is_day(day)}
        if days:
            return days.pop() if len(days) == 1 else None
    return None


def _is_day(text: str) -> bool:
    """Whether there is such a day: 2023-02-30 is another number."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def tile_of(
    bands: Mapping[str, Band],
    grids: Mapping[str, Grid],
    sensor: Sensor = SENTINEL2,
    notes: tuple[str, ...] = (),
) -> Tile:
    """A tile in the sensor's order, after checking that bands are complete and cover one ground.

    It lies on the grid of the finest of the sensor's core bands. Bands of coarser pixels over the
    same ground keep their own grid, and are brought to the tile's as they are read.

    Parameters
    ----------
    bands, grids : dict
        By name.
    sensor : Sensor
        Whose bands they are.
    notes : tuple of str
        Of the tile.

    Raises
    ------
    InputError
        If a core band is missing, or a grid is neither that of the tile nor coarser over the same
        ground.
    """
    missing = [name for name in sensor.core if name not in bands]
    if missing:
        given = " ".join(f"{name}={Path(band.path).name}" for name, band in bands.items()) or "none"
        raise InputError(
            f"band {' '.join(missing)} is missing (given: {given}); {_core_in_words(sensor)} "
            "are needed: "
            "give the files, or name the bands of a stacked file with band_names="
        )
    ordered = {name: bands[name] for name in sensor.names if name in bands}
    finest = min(sensor.core, key=lambda name: grids[name].resolution)
    grid, first = grids[finest], ordered[finest].path
    for name, band in ordered.items():
        if is_coarser(grids[name], grid):
            ordered[name] = replace(band, grid=grids[name])
        else:
            grid.require_equal(grids[name], str(first), str(band.path))
    notes += tuple(notes_on_coarser(ordered, grid))
    times = {_time_in_name(Path(band.path).name) for band in ordered.values()}
    return Tile(grid, ordered, times.pop() if len(times) == 1 else None, sensor, notes)


def _core_in_words(sensor: Sensor) -> str:
    """The bands that every tile needs: blue B02, green B03, ..."""
    roles = [role.replace("nir", "near-infrared") for role in CORE_ROLES]
    words = [f"{role} {name}" for role, name in zip(roles, sensor.core, strict=True)]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _time_in_name(name: str) -> str | None:
    """When an image named by ESA's convention was taken.

    >>> _time_in_name("T33UUU_20170216T102101_B02.jp2")
    '2017-02-16T10:21:01Z'
    """
    found = _TIME_IN_NAME.search(name)
    return utc(found[1]) if found else None


def utc(text: str | None) -> str | None:
    """A time as ISO 8601 writes it in UTC; None for what is no time."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat().replace("+00:00", "Z")


def common_bands(tiles: Sequence[Tile]) -> list[str]:
    """Bands that every tile has."""
    held = tiles[0].bands if tiles else ()
    return [name for name in held if all(name in tile.bands for tile in tiles)]


def acquired(tiles: Sequence[Tile]) -> list[str]:
    """When the tiles were taken, where all of them say so."""
    times = {tile.acquired for tile in tiles}
    return sorted(filter(None, times)) if None not in times else []


def days_of(tiles: Sequence[Tile]) -> list[str]:
    """The days of the tiles, by their times or the names of their files, where all say one."""
    days = {tile.day for tile in tiles}
    return sorted(filter(None, days)) if None not in days else []


def radiometry(tiles: Sequence[Tile]) -> dict[str, list[dict[str, str | float]]]:
    """File, quantification and offset of each band, for the manifest."""
    return {
        name: [
            {
                "file": Path(tile.bands[name].path).name,
                "band": tile.bands[name].number,
                "quantification": tile.bands[name].quantification,
                "offset": tile.bands[name].offset,
            }
            for tile in tiles
        ]
        for name in common_bands(tiles)
    }
