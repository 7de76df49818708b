"""Sentinel-2 sources: loose band files, stacked files and SAFE products, as tiles of named bands.

Facts on the product layout: ESA's Sentinel-2 product specification; the reflectance is
(dn + offset) / quantification, per band, with both numbers in the product's XML from
processing baseline 04.00 on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.grid import Grid

#: The product's core: blue, green, red, near-infrared.
CORE_BANDS = ("B02", "B03", "B04", "B08")
ALL_BANDS = ("B01", *CORE_BANDS[:3], "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")

DEFAULT_QUANTIFICATION = 10_000.0
#: Physical bands in the order of the XML's band_id.
_BAND_IDS = (*ALL_BANDS[:8], "B8A", "B09", "B10", "B11", "B12")
#: dn that means nodata in every product, whatever a file declares.
_NODATA_DN = 0

#: Of an image of a product: tile, start of the data take, band.
_TIME_IN_NAME = re.compile(r"T\d{2}[A-Z]{3}_(\d{8}T\d{6})_")
_BAND_IN_NAME = re.compile(r"(?<![A-Za-z0-9])[Bb](8[Aa]|0?[1-9]|1[0-2])(?![0-9A-Za-z])")


@dataclass(frozen=True)
class Band:
    """One band in a file, and how its digital numbers become reflectance."""

    path: Path
    number: int
    quantification: float = DEFAULT_QUANTIFICATION
    offset: float = 0.0


@dataclass(frozen=True)
class Tile:
    """The bands of one tile, by name, on one grid, and when they were taken (ISO 8601, UTC)."""

    grid: Grid
    bands: dict[str, Band]
    acquired: str | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Files that the tile is read from."""
        return tuple(dict.fromkeys(band.path for band in self.bands.values()))


def from_files(
    paths: Sequence[str | Path],
    quantification: float = DEFAULT_QUANTIFICATION,
    offset: float = 0.0,
    band_names: Sequence[str] = (),
) -> list[Tile]:
    """Tiles from band files.

    A file of several bands is a tile of its own; files of one band are put
    together by the band in their names (``..._B02.jp2``, ``b2.tif``), by the
    names given, or, where neither says, as four files in the order B02 B03
    B04 B08. The second file of a band belongs to the second tile, and so on.

    Parameters
    ----------
    paths : sequence of path
        Raster files.
    quantification, offset : float
        reflectance = (dn + offset) / quantification.
    band_names : sequence of str
        Names of a stacked file's bands, where it does not hold them itself; or of
        single-band files, one a file.

    Returns
    -------
    list of Tile

    Raises
    ------
    LandcoverError
        If a band is missing or given twice for one tile, or grids differ.
    """
    files = [Path(path) for path in paths]
    counts = {path: len(rasters.band_names(path)) for path in files}
    groups: list[dict[str, tuple[Path, int]]] = [
        _stacked(path, band_names) for path in files if counts[path] > 1
    ]
    groups += _grouped([path for path in files if counts[path] == 1], () if groups else band_names)
    return [
        _tile({name: Band(*place, quantification, offset) for name, place in group.items()})
        for group in groups
    ]


def from_safe(path: str | Path) -> Tile:
    """The four 10 m bands of a SAFE product, L1C or L2A, with its own numbers.

    Parameters
    ----------
    path : path
        The folder ``S2x_MSIL..._....SAFE``.

    Raises
    ------
    LandcoverError
        If the folder is not a product, or a band is missing.
    """
    path = Path(path)
    metadata = sorted(path.glob("MTD_MSIL*.xml"))
    if not metadata:
        raise LandcoverError(
            f"{path} holds no MTD_MSIL1C.xml or MTD_MSIL2A.xml; give the product's .SAFE folder"
        )
    elements, offsets = _metadata(metadata[0])
    quantification = _quantification(elements, metadata[0])
    bands = {}
    for name in CORE_BANDS:
        images = sorted(path.glob(f"GRANULE/*/IMG_DATA/*_{name}.jp2"))
        images += sorted(path.glob(f"GRANULE/*/IMG_DATA/R10m/*_{name}_10m.jp2"))
        if len(images) != 1:
            raise LandcoverError(
                f"{path} holds {len(images)} images of {name} at 10 m and must hold 1; "
                "fetch the product again, or give the images of one granule with --bands"
            )
        bands[name] = Band(images[0], 1, quantification, offsets.get(name, 0.0))
    tile = _tile(bands)
    return replace(tile, acquired=_utc(elements.get("PRODUCT_START_TIME")) or tile.acquired)


def reflectance(dn: np.ndarray, band: Band) -> np.ndarray:
    """Reflectance of digital numbers, float32; NaN where dn is 0 or not finite.

    >>> reflectance(np.array([0, 1000, 3000]), Band(Path("x"), 1, offset=-1000)).tolist()
    [nan, 0.0, 0.20000000298023224]
    """
    values = (dn.astype(np.float32) + np.float32(band.offset)) / np.float32(band.quantification)
    return np.where((dn == _NODATA_DN) | ~np.isfinite(dn), np.float32(np.nan), values)


def digital_numbers(reflectance: np.ndarray) -> np.ndarray:
    """Reflectance as uint16 digital numbers of the default quantification; 0 is kept for nodata.

    >>> digital_numbers(np.array([0.0, 0.1234])).tolist()
    [1, 1234]
    """
    return np.clip(np.rint(reflectance * DEFAULT_QUANTIFICATION), 1, 65_535).astype(np.uint16)


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
            "+1000 offset of processing baseline 04.00 or later; if so, pass --offset -1000"
        )
    if darkest + band.offset < -0.02 * band.quantification:
        return (
            f"offset {band.offset:g} makes the darkest pixels negative "
            f"({(darkest + band.offset) / band.quantification:.3f}); does the data carry it?"
        )
    typical = (median + band.offset) / band.quantification
    if not 0.01 <= typical <= 1.5:
        return (
            f"the median reflectance would be {typical:.4g}: check --quantification "
            "(1 for values that are reflectance already, 1000 for reflectance x 1000)"
        )
    return None


def band_of(text: str) -> str | None:
    """The Sentinel-2 band that a name speaks of, if any.

    >>> band_of("T33UUU_20170216T102101_B02.jp2"), band_of("sentinel.dolomites.b8.tif")
    ('B02', 'B08')
    >>> band_of("red") is None
    True
    """
    found = {match.upper().zfill(2) for match in _BAND_IN_NAME.findall(text.replace("_", " "))}
    return f"B{found.pop()}" if len(found) == 1 else None


def _stacked(path: Path, band_names: Sequence[str]) -> dict[str, tuple[Path, int]]:
    """Bands of a stacked file by its own names, the names given, or the core order."""
    held = rasters.band_names(path)
    names: Sequence[str | None] = [band_of(name) for name in held]
    if band_names:
        if len(band_names) != len(held):
            raise LandcoverError(
                f"{path} has {len(held)} bands and --band-names gives {len(band_names)}; "
                "name every band, in order"
            )
        names = [band_of(name) for name in band_names]
    elif not any(names) and len(held) == len(CORE_BANDS):
        names = CORE_BANDS
    return {name: (path, number) for number, name in enumerate(names, start=1) if name}


def _grouped(paths: Sequence[Path], band_names: Sequence[str]) -> list[dict[str, tuple[Path, int]]]:
    """Single-band files as tiles; the k-th file of a band belongs to the k-th tile."""
    if band_names and len(band_names) != len(paths):
        raise LandcoverError(
            f"{len(paths)} single-band files were given and --band-names gives {len(band_names)}; "
            "name every file, in order"
        )
    given = band_names or [path.stem for path in paths]
    names: Sequence[str | None] = [band_of(name) for name in given]
    if any(name is None for name in names):
        in_order = all(name in (None, core) for name, core in zip(names, CORE_BANDS, strict=False))
        if band_names or len(paths) != len(CORE_BANDS) or not in_order:
            unnamed = next(path for path, name in zip(paths, names, strict=True) if name is None)
            raise LandcoverError(
                f"nothing says which band {unnamed.name} is; name files like B02.tif, give "
                "--band-names like B02, or exactly four in the order B02 B03 B04 B08"
            )
        names = CORE_BANDS
    groups: list[dict[str, tuple[Path, int]]] = []
    for path, name in zip(paths, names, strict=True):
        assert name is not None
        group = next((group for group in groups if name not in group), None)
        if group is None:
            group = {}
            groups.append(group)
        group[name] = (path, 1)
    return groups


def _tile(bands: dict[str, Band]) -> Tile:
    """A tile in wavelength order, after checking that bands are complete and grids agree."""
    missing = [name for name in CORE_BANDS if name not in bands]
    if missing:
        given = " ".join(f"{name}={band.path.name}" for name, band in bands.items()) or "none"
        raise LandcoverError(
            f"band {' '.join(missing)} is missing (given: {given}); "
            "blue B02, green B03, red B04 and near-infrared B08 are needed: "
            "give the files, or name the bands of a stacked file with --band-names"
        )
    ordered = {name: bands[name] for name in ALL_BANDS if name in bands}
    first = ordered["B02"].path
    grid = rasters.grid_of(first)
    for band in ordered.values():
        grid.require_equal(rasters.grid_of(band.path), str(first), str(band.path))
    times = {_time_in_name(band.path.name) for band in ordered.values()}
    return Tile(grid, ordered, times.pop() if len(times) == 1 else None)


def _time_in_name(name: str) -> str | None:
    """When an image named by ESA's convention was taken.

    >>> _time_in_name("T33UUU_20170216T102101_B02.jp2")
    '2017-02-16T10:21:01Z'
    """
    found = _TIME_IN_NAME.search(name)
    return _utc(found[1]) if found else None


def _utc(text: str | None) -> str | None:
    """A time as ISO 8601 writes it in UTC; None for what is no time."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat().replace("+00:00", "Z")


def _metadata(metadata: Path) -> tuple[dict[str, str | None], dict[str, float]]:
    """Elements of a product's XML, and offsets by band, which are absent before 04.00."""
    try:
        root = ElementTree.parse(metadata).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise LandcoverError(
            f"{metadata} is not readable XML ({error}); fetch the product again"
        ) from None
    elements: dict[str, str | None] = {}
    offsets = {}
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        elements[tag] = element.text
        if tag in ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET"):
            offsets[_BAND_IDS[int(element.attrib["band_id"])]] = float(element.text or 0)
    return elements, offsets


def _quantification(elements: dict[str, str | None], metadata: Path) -> float:
    """What digital numbers are divided by."""
    text = elements.get("BOA_QUANTIFICATION_VALUE") or elements.get("QUANTIFICATION_VALUE")
    if not text:
        raise LandcoverError(
            f"{metadata} gives no quantification value; give the images with --bands and "
            "--quantification"
        )
    return float(text)


def _darkness(tile: Tile) -> tuple[float, float]:
    """The lowest 0.1 percentile over the core bands, and their median, from a thinned reading."""
    darkest, medians = [], []
    for name in CORE_BANDS:
        band = tile.bands[name]
        dn = rasters.read_small(band.path, 1000, [band.number]).astype(np.float64)
        dn = dn[np.isfinite(dn) & (dn != _NODATA_DN)]
        if dn.size:
            darkest.append(np.percentile(dn, 0.1))
            medians.append(np.median(dn))
    if not darkest:
        return np.nan, np.nan
    return float(min(darkest)), float(np.median(medians))
