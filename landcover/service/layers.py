"""The layers of a run: its scene, dates, labels, reference and maps, as tiles and at points."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict, cast

import numpy as np
from affine import Affine
from morecantile import Tile
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.transform import from_bounds
from rasterio.warp import reproject, transform_bounds
from rio_tiler.constants import WGS84_CRS
from rio_tiler.errors import PointOutsideBounds, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData

from landcover.classifiers.names import title_of
from landcover.errors import MissingProduct
from landcover.files import rasters
from landcover.files.atomic import Fields
from landcover.files.legends import legend_of
from landcover.files.opening import reading
from landcover.files.styles import STRETCH_PERCENTILES
from landcover.legend import UNLABELLED, Legend
from landcover.maps.outside import outside_share
from landcover.reports.figures import stretched
from landcover.run import Run
from landcover.sensors import true_colour_bands
from landcover.stages import store
from landcover.stages.dates import dates_of
from landcover.stages.models import days_of_map
from landcover.stages.run_legend import legend_of_map

TILE_PX = 256
#: Pixels of a tile wider than so many of the raster are warped from a thinned raster.
FAR = 4
#: Greatest zoom of tiles; a pixel of 10 m is some 300 tiles wide there.
MAX_ZOOM = 22
#: Zoom levels beyond a raster's own at which tiles are still drawn; beyond, the page enlarges them.
_FURTHER_ZOOM = 2

#: The stretch of a layer without a pixel.
UNSTRETCHED = (0.0, 1.0)
#: Of the scene that the stretch is found on.
_SMALL_PX = 1000


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes
    ----------
    title : str
        For people.
    path : Path
        Raster; opened again for every tile, so that a map made again is shown.
    bounds : tuple of float
        West, south, east, north in degrees (WGS 84).
    zooms : tuple of int
        Least and greatest zoom at which its own pixels are drawn.
    legend : Legend or None
        Of a class raster.
    bands : tuple of int
        1-based numbers: red, green and blue of a scene, or the classes.
    stretch : tuple of float
        Reflectance shown black and white.
    confidence : Path or None
        Raster of a map's confidence.
    applicability : Path or None
        Raster that says where a map lies outside its model's area of applicability.
    outside_share : float or None
        How much of it did when the layer was made.
    days : tuple of str
        Days that it shows: one of a date of the run, several of the map of a sequence.
    """

    title: str
    path: Path
    bounds: tuple[float, float, float, float]
    zooms: tuple[int, int]
    legend: Legend | None = None
    bands: tuple[int, ...] = (1,)
    stretch: tuple[float, float] = UNSTRETCHED
    confidence: Path | None = None
    applicability: Path | None = None
    outside_share: float | None = None
    days: tuple[str, ...] = ()

    def tile(self, z: int, x: int, y: int) -> bytes:
        """A tile of the web-mercator pyramid as PNG; transparent where nodata or outside.

        Raises
        ------
        LandcoverError
            If the raster cannot be read any longer.
        """
        with _reader(self.path) as reader:
            try:
                if self.legend is None:
                    return self._drawn(_tile(reader, z, x, y, self.bands, "bilinear"))
                return self._drawn(_tile(reader, z, x, y, (1,), "nearest", UNLABELLED))
            except TileOutsideBounds:
                return empty_tile()

    def picture(self, max_px: int) -> tuple[bytes, tuple[float, float, float, float]]:
        """The whole layer as one PNG in web mercator, and its west, south, east, north in degrees.

        Parameters
        ----------
        max_px : int
            Longest side of the picture, pixels.
        """
        mercator = CRS.from_epsg(3857)
        with _reader(self.path) as reader:
            edges = transform_bounds(reader.crs, mercator, *reader.bounds, densify_pts=21)
            method: Literal["nearest", "bilinear"] = "nearest" if self.legend else "bilinear"
            found = reader.part(
                edges,
                mercator,
                mercator,
                self.bands,
                max_size=max_px,
                nodata=UNLABELLED if self.legend else None,
                resampling_method=method,
                reproject_method=method,
            ).array
        west, south, east, north = transform_bounds(mercator, WGS84_CRS, *edges)
        return self._drawn(found), (west, south, east, north)

    def _drawn(self, pixels: np.ma.MaskedArray) -> bytes:
        """Pixels (bands, rows, cols) of the raster as PNG, transparent where nodata."""
        if self.legend is not None:
            index = self.legend.index(pixels.filled(UNLABELLED)[0])
            colours = np.array([*(c.colour for c in self.legend.classes), (0, 0, 0)], np.uint8)
            return _png(np.moveaxis(colours[index], -1, 0), index < 0)
        values = np.ma.filled(pixels.astype(np.float32), np.nan)
        return _png(stretched(values, *self.stretch), ~rasters.valid_pixels(values))

    def at(self, lon: float, lat: float) -> Fields | None:
        """Code, name, confidence and dissimilarity at a place; None where there is no class."""
        west, south, east, north = self.bounds
        east += 360 if west > east else 0  # across the 180th meridian
        lon += next((turn for turn in (-360, 360) if west <= lon + turn <= east), 0)
        if self.legend is None or not (west <= lon <= east and south <= lat <= north):
            return None
        code = _value_at(self.path, lon, lat)
        if code is None or code not in self.legend.codes:
            return None
        beside = {"confidence": self.confidence, "dissimilarity": self.applicability}
        values = {
            name: _value_at(path, lon, lat) if path is not None and path.exists() else None
            for name, path in beside.items()
        }
        return {"code": code, "name": self.legend[code].name, **values}


def layers_of(run: Run) -> dict[str, Layer]:
    """The layers of a run by name: scene, date-DAY, labels, reference, map-NAME of every map."""
    found: dict[str, Layer] = {}
    if run.scene.exists():
        found["scene"] = _scene(run.scene)
    if run.sequence.exists():
        found |= _dates(run)
    for name, path in (("labels", run.labels), ("reference", run.reference)):
        if path.exists():
            found[name] = _classes(path, name.capitalize(), legend_of_map(run, path))
    for name in store.map_names(run.path / "maps"):
        title = title_of(name)
        layer = _classes(
            run.map(name),
            title[0].upper() + title[1:],
            legend_of_map(run, run.map(name)),
            run.confidence(name),
            run.applicability(name),
        )
        found[f"map-{name}"] = replace(layer, days=tuple(days_of_map(run, name)))
    # The edges of wide cells are drawn as sharp as those of the scene's pixels
    deepest = max((layer.zooms[1] for layer in found.values()), default=0)
    return {name: replace(layer, zooms=(layer.zooms[0], deepest)) for name, layer in found.items()}


def layer_of(path: Path, title: str) -> Layer:
    """The layer of any raster: of a class raster where it holds a legend, else of a scene."""
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; check the path of {title!r}")
    rasters.grid_of(path)  # says it where a raster lies nowhere
    legend = legend_of(path)
    if legend is not None:
        return _classes(path, title, legend)
    return replace(_scene(path), title=title)


def _dates(run: Run) -> dict[str, Layer]:
    """The dates of a run in true colour, all with one stretch, so that light can be compared."""
    layers = {day: _scene(run.date(day)) for day in dates_of(run).days}
    # a date that is all cloud has no pixel to find a stretch on
    found = [layer.stretch for layer in layers.values() if layer.stretch != UNSTRETCHED]
    low, high = np.median(found or [UNSTRETCHED], axis=0)
    stretch = float(low), float(high)
    return {
        f"date-{day}": replace(layer, title=f"{layer.title}, {day}", stretch=stretch, days=(day,))
        for day, layer in layers.items()
    }


def _scene(path: Path) -> Layer:
    names = rasters.band_names(path)
    colours = true_colour_bands(names)
    shown = colours or (names * 3)[:3]
    numbers = tuple(names.index(name) + 1 for name in shown)
    # by number: many files name no band
    pixels = rasters.read_small(path, _SMALL_PX, numbers)
    pixels = pixels[:, rasters.valid_pixels(pixels)]
    low, high = np.percentile(pixels, STRETCH_PERCENTILES) if pixels.size else UNSTRETCHED
    return Layer(
        title="True colour" if colours else f"Scene, bands {' '.join(shown)}",
        path=path,
        **_place(path),
        bands=numbers,
        stretch=(float(low), float(high)),
    )


def _classes(
    path: Path,
    title: str,
    legend: Legend,
    confidence: Path | None = None,
    applicability: Path | None = None,
) -> Layer:
    return Layer(
        title,
        path,
        legend=legend,
        confidence=confidence,
        applicability=applicability,
        outside_share=None if applicability is None else outside_share(applicability),
        **_place(path),
    )


class _Place(TypedDict):
    bounds: tuple[float, float, float, float]
    zooms: tuple[int, int]


def _place(path: Path) -> _Place:
    with _reader(path) as reader:
        west, south, east, north = reader.get_geographic_bounds(WGS84_CRS)
        return {
            "bounds": (west, south, east, north),
            "zooms": (reader.minzoom, min(reader.maxzoom + _FURTHER_ZOOM, MAX_ZOOM)),
        }


def _value_at(path: Path, lon: float, lat: float) -> int | None:
    """The value of a raster's first band at a place; None where nodata or outside."""
    with _reader(path) as reader:
        try:
            value = reader.point(lon, lat, indexes=1).array[0]
        except PointOutsideBounds:
            return None
    return None if np.ma.is_masked(value) else int(value)


def _tile(
    reader: Reader,
    z: int,
    x: int,
    y: int,
    bands: tuple[int, ...],
    method: Literal["nearest", "bilinear"],
    nodata: int | None = None,
) -> np.ma.MaskedArray:
    """Pixels (bands, rows, cols) of a tile, masked where nodata or outside.

    A grid in degrees may reach beyond 180 or -180. What of it lies there is shown a whole turn
    away, where the tiles of that place are.
    """
    tile = Tile(x, y, z)
    mercator, thin = reader.tms.rasterio_crs, _pixels_in_one(reader, tile)
    parts = []
    for turn in _turns(reader, tile):
        place = _moved(cast("Affine", reader.transform), turn)
        if thin > FAR:
            parts.append(_far_part(reader, tile, place, bands, Resampling[method], nodata, thin))
            continue
        near = reader.part(
            reader.tms.xy_bounds(tile),
            mercator,
            mercator,
            bands,
            height=TILE_PX,
            width=TILE_PX,
            nodata=nodata,
            vrt_options={"src_transform": place} if turn else None,
            resampling_method=method,
            reproject_method=method,
        )
        parts.append(near.array)
    if not parts:
        raise TileOutsideBounds(f"tile {z}/{x}/{y} is outside the raster")
    pixels = parts[0]
    for part in parts[1:]:
        pixels = np.ma.where(np.ma.getmaskarray(pixels), part, pixels)
    return pixels


def _pixels_in_one(reader: Reader, tile: Tile) -> float:
    """How many pixels of the raster lie side by side in one of a tile, about."""
    frame = reader.tms.xy_bounds(tile)
    west, _, east, _ = transform_bounds(reader.crs, reader.tms.rasterio_crs, *reader.bounds)
    return (frame.right - frame.left) / TILE_PX / ((east - west) / _dataset(reader).width)


def _dataset(reader: Reader) -> DatasetReader:
    """What a reader reads, which `_reader` has opened."""
    return cast(DatasetReader, reader.dataset)


def _far_part(
    reader: Reader,
    tile: Tile,
    place: Affine,
    bands: tuple[int, ...],
    resampling: Resampling,
    nodata: int | None,
    thin: float,
) -> np.ma.MaskedArray:
    """A tile, warped from the raster thinned to about the tile's pixels and moved to a place.

    From the raster's own pixels GDAL would go through all the empty ground of a tile in them:
    minutes for a tile of the whole world.
    """
    dataset = _dataset(reader)
    shape = [max(1, round(side / thin)) for side in (dataset.height, dataset.width)]
    empty = np.nan if nodata is None else nodata
    held = dataset.read(bands, out_shape=(len(bands), *shape), masked=True)
    held = (held.astype(np.float32) if nodata is None else held).filled(empty)
    shrunk = Affine.scale(dataset.width / shape[1], dataset.height / shape[0])
    pixels = np.full((len(bands), TILE_PX, TILE_PX), empty, held.dtype)
    reproject(
        held,
        pixels,
        src_transform=place @ shrunk,
        src_crs=reader.crs,
        src_nodata=empty,
        dst_transform=from_bounds(*reader.tms.xy_bounds(tile), TILE_PX, TILE_PX),
        dst_crs=reader.tms.rasterio_crs,
        dst_nodata=empty,
        resampling=resampling,
    )
    missing = np.isnan(pixels) if nodata is None else pixels == nodata
    return np.ma.MaskedArray(pixels, missing)


def _moved(place: Affine, east: float) -> Affine:
    """A transform whose coordinates lie farther east."""
    return Affine(place.a, place.b, place.c + east, place.d, place.e, place.f)


def _turns(reader: Reader, tile: Tile) -> list[int]:
    """By how many degrees a raster has to be turned for a tile to show some of it."""
    if not reader.crs.is_geographic:
        return [0] if reader.tile_exists(tile.x, tile.y, tile.z) else []
    (west, south, east, north), shown = reader.bounds, reader.tms.bounds(tile)
    if south >= shown.top or north <= shown.bottom:
        return []
    return [by for by in (0, -360, 360) if west + by < shown.right and east + by > shown.left]


@contextmanager
def _reader(path: Path) -> Iterator[Reader]:
    """rio-tiler's reader of a raster; damaged and missing files in our own words."""
    with rasters.open_raster(path) as dataset, reading(path):
        # Colours are the legend's: reading the file's own, 65,536 of them, would take 40 ms
        yield Reader(None, dataset=dataset, colormap={})


def _png(rgb: np.ndarray, missing: np.ndarray) -> bytes:
    """(3, rows, cols) uint8 as PNG, transparent where missing."""
    mask = np.broadcast_to(missing, rgb.shape)
    return ImageData(np.ma.MaskedArray(rgb, mask)).render(img_format="PNG")


@cache
def empty_tile() -> bytes:
    """A tile outside a raster."""
    return _png(np.zeros((3, TILE_PX, TILE_PX), np.uint8), np.ones((TILE_PX, TILE_PX), bool))
