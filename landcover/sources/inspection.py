"""What would be read of a raster or a product: bands as reflectance, or values as classes.

Every number is of every pixel, by the same rules and the same reading as `landcover prep`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.masks import has_mask
from landcover.files.raster_names import stem_of
from landcover.grid import Grid, Window, windows_of
from landcover.labels.on_grid import became
from landcover.labels.recognition import Hints, recognise
from landcover.labels.schemes import LabelScheme
from landcover.progress import track
from landcover.sensors import LANDSAT, SENTINEL2, Sensor
from landcover.sources.band_files import on_landsat, open_bands
from landcover.sources.cloud_mask import is_scl
from landcover.sources.plain_values import plain_values
from landcover.sources.products import open_product
from landcover.sources.reflectance import (
    DATA,
    PLAUSIBLE,
    REASONS,
    Band,
    Tally,
    judged,
    read_reflectance,
)
from landcover.sources.said import (
    BandSaid,
    band_of,
    bands_said,
    is_reflectance,
    require_reflectance,
)
from landcover.sources.tile import Tile, day_in_name, radiometry_warning

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: Reflectance is counted in steps so fine, for medians.
_STEP = 1e-4


@dataclass(frozen=True)
class BandFacts:
    """One band as it would be read.

    Attributes
    ----------
    number : int
        In the file, from 1.
    text : str
        What the file calls it; of a product, the name of the band's file.
    name : str or None
        The band of the sensor that it is; None for no band.
    named_by : str
        Where the name comes from.
    dtype : str
        Of its numbers.
    quantification, offset : float or None
        reflectance = (dn + offset) / quantification; None for no band.
    scaled_by : str
        Where these come from.
    nodata : tuple of float
        Digital numbers that mean no data.
    masked : bool
        Whether a mask or an alpha band can hide pixels.
    pixels : dict
        Pixels with data, and without by reason.
    least, median, most : float or None
        Reflectance; the median to 0.0001. None without data.
    pixel_m : float or None
        Side of its pixels on the ground, metres, of bands of a product.
    """

    number: int
    text: str
    name: str | None
    named_by: str
    dtype: str
    quantification: float | None = None
    offset: float | None = None
    scaled_by: str = ""
    nodata: tuple[float, ...] = ()
    masked: bool = False
    pixels: dict[str, int] = field(default_factory=dict)
    least: float | None = None
    median: float | None = None
    most: float | None = None
    pixel_m: float | None = None


@dataclass(frozen=True)
class RasterFacts:
    """A raster or a product as it would be read.

    Attributes
    ----------
    path : str
        The file, or the folder of a product.
    rows, cols : int
        Its shape.
    crs : str or None
        Its reference system; None where it has none.
    resolution : (float, float) or None
        Width and height of a pixel in units of the CRS.
    pixel_m : (float, float) or None
        The same on the ground, metres, in the middle.
    day : str or None
        When it was taken, by its metadata or its name.
    bands : list of BandFacts
        Empty for a raster of classes.
    scheme : str or None
        The scheme of a raster of classes.
    classes : list of dict
        ``value``, ``code``, ``name`` and ``share`` of its pixels.
    remarks : list of str
        What is doubtful, and why it would be refused.
    """

    path: str
    rows: int
    cols: int
    crs: str | None
    resolution: tuple[float, float] | None
    pixel_m: tuple[float, float] | None
    day: str | None
    bands: list[BandFacts] = field(default_factory=list)
    scheme: str | None = None
    classes: list[dict[str, object]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def inspect_source(
    path: Path | str,
    band_names: Sequence[str] = (),
    nodata: Sequence[float] = (),
    scheme: LabelScheme | None = None,
) -> list[RasterFacts]:
    """`inspect_raster`, and of a SAFE product or a STAC item the bands that it has.

    Products say themselves what their bands are and what is no data. One of several granules gives
    the facts of each.
    """
    tiles = open_product(path, keep=None)
    if tiles is None:
        return [inspect_raster(path, band_names, nodata, scheme)]
    return [_of_tile(path, tile) for tile in tiles]


def _of_tile(path: Path | str, tile: Tile) -> RasterFacts:
    """The facts of a product's bands."""
    remarks = [*tile.notes, *_on_choice(tile)]
    try:
        warning = radiometry_warning(tile)
    except LandcoverError as error:
        warning = str(error)
    remarks += [warning] if warning else []
    bands = []
    for name, band in tile.bands.items():
        with rasters.open_raster(band.path) as dataset:
            facts = BandFacts(
                band.number, Path(band.path).name, name, band.named_by,
                dataset.dtypes[band.number - 1], masked=has_mask(dataset, band.number),
                pixel_m=(band.grid or tile.grid).pixel_m,
            )  # fmt: skip
            bands.append(_measured(facts, dataset, band, name, remarks))
    return replace(_of_grid(path, tile.grid), day=tile.day, bands=bands, remarks=remarks)


def _on_choice(tile: Tile) -> list[str]:
    """Which of a product's bands prep takes, where that is a choice."""
    core, sizes = " ".join(tile.sensor.core), [b for b in tile.sensor.bands if b.name in tile.bands]
    if len(sizes) == len(tile.sensor.core):
        return []
    to_20_m = " ".join(band.name for band in sizes if band.pixel_m <= 20)
    return [f"prep takes {core}; with keep='20m' {to_20_m}; with keep='all' all of these bands"]


def inspect_raster(
    path: Path | str,
    band_names: Sequence[str] = (),
    nodata: Sequence[float] = (),
    scheme: LabelScheme | None = None,
) -> RasterFacts:
    """What would be read of a raster.

    Parameters
    ----------
    path : path or str
        A raster, or a name that GDAL knows.
    band_names, nodata : sequence
        As `open_bands` takes them.
    scheme : LabelScheme, optional
        Of a raster of classes; told by its values by default.

    Returns
    -------
    RasterFacts
        What would be refused is among the remarks.

    Raises
    ------
    MissingProduct
        If the file does not exist.
    LandcoverError
        If it is no whole raster.
    """
    with rasters.open_raster(path) as dataset:
        facts = _place(path, dataset)
        remarks = list(facts.remarks)
        try:
            said = bands_said(dataset, str(path), SENTINEL2, stem_of(path), band_names)
            landsat = on_landsat(path, said)
            if landsat:
                said = bands_said(dataset, str(path), LANDSAT, stem_of(path))
        except LandcoverError as error:
            return replace(facts, remarks=[*remarks, str(error)])
        if landsat:
            bands = [_band(path, dataset, b, LANDSAT, tuple(nodata), remarks) for b in said]
            return replace(facts, bands=bands, remarks=[*remarks, landsat])
        if len(said) == 1 and said[0].name is None:
            windows = _windows(dataset, f"Reading {Path(path).name}")
            values = plain_values(dataset, said[0], windows)
            known = _with_classes(facts, path, values.counts, scheme) if values.whole else None
            remark = values.remark(of_scheme=known is not None and known.scheme is not None)
            if known and (known.scheme or scheme or not values.measured):
                return replace(known, remarks=[*known.remarks, *([remark] if remark else [])])
            remarks += [remark] if remark else []
        bands = [_band(path, dataset, b, SENTINEL2, tuple(nodata), remarks) for b in said]
        remarks += _on_silent(said)
        if facts.resolution:  # else it is refused for that
            remarks += _on_light(path, bands, nodata)
    return replace(facts, bands=bands, remarks=remarks)


def _place(path: Path | str, dataset: DatasetReader) -> RasterFacts:
    """Size, place and day of a raster."""
    day = day_in_name(str(path))
    try:
        return replace(_of_grid(path, Grid.of(dataset)), day=day)
    except LandcoverError as error:
        crs = dataset.crs.to_string() if dataset.crs else None
        return RasterFacts(
            str(path), dataset.height, dataset.width, crs, None, None, day, remarks=[str(error)]
        )


def _of_grid(path: Path | str, grid: Grid) -> RasterFacts:
    """What a grid tells."""
    return RasterFacts(
        str(path), *grid.shape, grid.crs.to_string(), grid.resolution, grid.pixel_size_m, None
    )


def _band(
    path: Path | str,
    dataset: DatasetReader,
    said: BandSaid,
    sensor: Sensor,
    nodata: tuple[float, ...],
    remarks: list[str],
) -> BandFacts:
    """A band with its distribution; what would be refused of it goes to the remarks."""
    facts = BandFacts(
        said.number, said.text, said.name, said.named_by, said.dtype, masked=said.masked
    )
    if said.name is None:
        return facts
    try:
        require_reflectance(said, str(path))
    except LandcoverError as error:
        remarks.append(str(error))
        return facts
    floats = is_reflectance(dataset, said)
    band = band_of(said, path, sensor, nodata=nodata, floats=floats)
    return _measured(facts, dataset, band, said.name, remarks)


def _on_silent(said: Sequence[BandSaid]) -> list[str]:
    """What is to be said of bands that nothing names."""
    unnamed = [band for band in said if band.name is None]
    silent = [f"{b.number} ({b.text or 'unnamed'})" for b in unnamed if not is_scl(b.text)]
    which = "band this is" if len(silent) == 1 else "bands these are"
    remarks = [f"nothing says which {which}: {', '.join(silent)}"] if silent else []
    return remarks + [
        f"{b.number} ({b.text}) is the scene classification, by which mask= hides clouds"
        for b in unnamed
        if is_scl(b.text)
    ]


def _on_light(path: Path | str, bands: Sequence[BandFacts], nodata: Sequence[float]) -> list[str]:
    """What prep would warn of when all that it needs is in one raster."""
    held = {band.name: band for band in bands if band.name and band.quantification is not None}
    if not held.keys() >= set(SENTINEL2.core):
        return []
    names = [f"{name}={band.number}" for name, band in held.items()]
    try:
        (tile,) = open_bands(path, band_names=names, nodata=nodata)
        warning = radiometry_warning(tile)
    except LandcoverError as error:
        warning = str(error)
    return [warning] if warning else []


def _measured(
    facts: BandFacts, dataset: DatasetReader, band: Band, name: str, remarks: list[str]
) -> BandFacts:
    """A band with its numbers and their distribution, of every pixel."""
    tally, pixels = Tally(), np.zeros(len(REASONS), np.int64)
    low, high = PLAUSIBLE
    counts = np.zeros(round((high - low) / _STEP) + 1, np.int64)
    least, most = np.inf, -np.inf
    for window in _windows(dataset, f"Reading {name}"):
        values, why = read_reflectance(dataset, band, window, tally)
        pixels += np.bincount(why.ravel(), minlength=len(pixels))
        held = values[why == DATA]
        if held.size:
            counts += np.bincount(np.rint((held - low) / _STEP).astype(int), minlength=len(counts))
            least, most = min(least, float(held.min())), max(most, float(held.max()))
    try:
        remark = judged(tally, band, name)
    except LandcoverError as error:
        remark = str(error)
    remarks += [remark] if remark else []
    remarks += [] if pixels[DATA] else [f"{name} has no pixel with data"]
    middle = int(np.searchsorted(np.cumsum(counts), (counts.sum() + 1) // 2))
    return replace(
        facts,
        quantification=band.quantification,
        offset=band.offset,
        scaled_by=band.scaled_by,
        nodata=band.nodata,
        pixels=dict(zip(REASONS, pixels.tolist(), strict=True)),
        least=least if pixels[DATA] else None,
        median=round(low + middle * _STEP, 4) if pixels[DATA] else None,
        most=most if pixels[DATA] else None,
    )


def _windows(dataset: DatasetReader, text: str) -> Iterable[Window]:
    """Windows over a raster, whether it has a place or not."""
    return track(list(windows_of(dataset.height, dataset.width, rasters.WINDOW_PX)), text)


def _with_classes(
    facts: RasterFacts,
    path: Path | str,
    counts: Counter[float],
    scheme: LabelScheme | None,
) -> RasterFacts:
    """A raster with the classes that its values stand for."""
    total = counts.total()
    try:
        coding = recognise(set(counts), Path(path), Hints(scheme))
    except LandcoverError as error:
        listed: list[dict[str, object]] = [
            {"value": value, "code": None, "name": None, "share": n / total}
            for value, n in counts.most_common()
            if n
        ]
        return replace(facts, classes=listed, remarks=[*facts.remarks, str(error)])
    found = became(counts, coding, coding.nomenclature)
    return replace(facts, scheme=str(coding), classes=found)
