"""A tile of one date: its bands on disk, and how their digital numbers become reflectance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.grid import Grid
from landcover.sensors import CORE_ROLES, DEFAULT_QUANTIFICATION, SENTINEL2, Sensor

#: Of an image of a product: tile, start of the data take, band.
_TIME_IN_NAME = re.compile(r"T\d{2}[A-Z]{3}_(\d{8}T\d{6})_")

#: dn that means nodata in every product, whatever a file declares.
_NODATA_DN = 0


@dataclass(frozen=True)
class Band:
    """One band in a file, and how its digital numbers become reflectance.

    Attributes
    ----------
    path : Path
        Raster file.
    number : int
        Band in the file, from 1.
    quantification, offset : float
        Reflectance is (dn + offset) / quantification.
    """

    path: Path
    number: int
    quantification: float = DEFAULT_QUANTIFICATION
    offset: float = 0.0


@dataclass(frozen=True)
class Tile:
    """The bands of one tile, on one grid.

    Attributes
    ----------
    grid : Grid
        Where the pixels of all bands lie.
    bands : dict of str to Band
        Bands by name.
    acquired : str or None
        When they were taken, ISO 8601, UTC; None where it is not known.
    sensor : Sensor
        Whose bands they are.
    """

    grid: Grid
    bands: dict[str, Band]
    acquired: str | None = None
    sensor: Sensor = SENTINEL2

    @property
    def paths(self) -> tuple[Path, ...]:
        """Files that the tile is read from."""
        return tuple(dict.fromkeys(band.path for band in self.bands.values()))


def reflectance(dn: np.ndarray, band: Band) -> np.ndarray:
    """Reflectance of digital numbers, float32; NaN where dn is 0 or not finite.

    >>> reflectance(np.array([0, 1000, 3000]), Band(Path("x"), 1, offset=-1000)).tolist()
    [nan, 0.0, 0.20000000298023224]
    """
    values = (dn.astype(np.float32) + np.float32(band.offset)) / np.float32(band.quantification)
    return np.where((dn == _NODATA_DN) | ~np.isfinite(dn), np.float32(np.nan), values)


def radiometry_warning(tile: Tile) -> str | None:
    """A sentence when digital numbers do not look as their quantification and offset say.

    Data of processing baseline 04.00 and later carry +1000, so that even the
    darkest of the land lies near 1000; without it the red of vegetation, water
    and shadow lie far lower.
    """
    darkest, median = _darkness(tile)
    band = next(iter(tile.bands.values()))
    if not np.isfinite(darkest):
        return None
    if band.offset == 0 and band.quantification == DEFAULT_QUANTIFICATION and darkest >= 900:
        return (
            f"the darkest digital numbers are {darkest:.0f}: this looks like data with the "
            "+1000 offset of processing baseline 04.00 or later; if so, pass offset=-1000"
        )
    if darkest + band.offset < -0.02 * band.quantification:
        return (
            f"offset {band.offset:g} makes the darkest pixels negative "
            f"({(darkest + band.offset) / band.quantification:.3f}); does the data carry it?"
        )
    typical = (median + band.offset) / band.quantification
    if not 0.01 <= typical <= 1.5:
        return (
            f"the median reflectance would be {typical:.4g}: check quantification= "
            "(1 for values that are reflectance already, 1000 for reflectance x 1000)"
        )
    return None


def _darkness(tile: Tile) -> tuple[float, float]:
    """The lowest 0.1 percentile over the core bands, and their median, from a thinned reading."""
    darkest, medians = [], []
    for name in tile.sensor.core:
        band = tile.bands[name]
        dn = rasters.read_small(band.path, 1000, [band.number]).astype(np.float64)
        dn = dn[np.isfinite(dn) & (dn != _NODATA_DN)]
        if dn.size:
            darkest.append(np.percentile(dn, 0.1))
            medians.append(np.median(dn))
    if not darkest:
        return np.nan, np.nan
    return float(min(darkest)), float(np.median(medians))


def tile_of(bands: dict[str, Band], sensor: Sensor = SENTINEL2) -> Tile:
    """A tile in the sensor's order, after checking that bands are complete and grids agree."""
    missing = [name for name in sensor.core if name not in bands]
    if missing:
        given = " ".join(f"{name}={band.path.name}" for name, band in bands.items()) or "none"
        raise LandcoverError(
            f"band {' '.join(missing)} is missing (given: {given}); {_core_in_words(sensor)} "
            "are needed: "
            "give the files, or name the bands of a stacked file with band_names="
        )
    ordered = {name: bands[name] for name in sensor.names if name in bands}
    first = ordered[sensor.core[0]].path
    grid = rasters.grid_of(first)
    for band in ordered.values():
        grid.require_equal(rasters.grid_of(band.path), str(first), str(band.path))
    times = {_time_in_name(band.path.name) for band in ordered.values()}
    return Tile(grid, ordered, times.pop() if len(times) == 1 else None, sensor)


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
    return [name for name in tiles[0].bands if all(name in tile.bands for tile in tiles)]


def acquired(tiles: Sequence[Tile]) -> list[str]:
    """When the tiles were taken, where all of them say so."""
    times = {tile.acquired for tile in tiles}
    return sorted(filter(None, times)) if None not in times else []


def radiometry(tiles: Sequence[Tile]) -> dict[str, list[dict[str, str | float]]]:
    """File, quantification and offset of each band, for the manifest."""
    return {
        name: [
            {
                "file": tile.bands[name].path.name,
                "band": tile.bands[name].number,
                "quantification": tile.bands[name].quantification,
                "offset": tile.bands[name].offset,
            }
            for tile in tiles
        ]
        for name in common_bands(tiles)
    }
