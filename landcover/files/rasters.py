"""Georeferenced rasters in and out, by windows; products are Cloud-Optimised GeoTIFF.

Floats carry NaN for nodata as soon as they are read. Class rasters carry 0 for
unlabelled, a colour table and category names.
"""

from __future__ import annotations

import math
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend
from landcover.progress import track
from landcover.stopwatch import spent

#: Pixels of a window's side for reading and writing; a multiple of the files' 512 px blocks.
WINDOW_PX = 1024
BLOCK_PX = 512
#: Codes that a class raster can hold.
_CODES = np.iinfo(np.uint16).max + 1

#: GDAL interpolates between exactly transformed points up to this error, in pixels of the source;
#: its own default of 1/8 px moves the borders of 100 m labels by more than a 10 m pixel.
WARP_TOLERANCE_PX = 1e-4

# GDAL's block cache is a share of the machine's memory unless told otherwise, far more than
# windows need. GDAL reads these from the environment, where a user's own setting wins.
CACHE_MIB = 128
os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MIB))
os.environ.setdefault("GDAL_NUM_THREADS", "ALL_CPUS")
# Errors reach us as exceptions; what GDAL's own threads print beside them would bury our line.
os.environ.setdefault("CPL_LOG", os.devnull)


@contextmanager
def open_raster(path: str | Path) -> Iterator[Any]:
    """An open rasterio dataset.

    Raises
    ------
    MissingProduct
        If the file is missing.
    LandcoverError
        If it is no raster, or breaks off while being read.
    """
    if not Path(path).exists():
        raise MissingProduct(f"{path} does not exist; check the path")
    try:
        with spent("reading"), warnings.catch_warnings():
            # A raster without a CRS is refused, with an error of ours, where its grid is needed
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
        with dataset:
            yield dataset
    except RasterioIOError as error:
        raise LandcoverError(
            f"{path} cannot be read as a raster ({_first_line(error)}); "
            "it may be truncated or of another kind: check it with gdalinfo or fetch it again"
        ) from error


@contextmanager
def open_on_grid(path: str | Path, grid: Grid, resampling: str = "nearest") -> Iterator[Any]:
    """A dataset warped to a grid on the fly; its windows are read like any other's.

    Parameters
    ----------
    path : path
        Raster in any CRS.
    grid : Grid
        Where its pixels are wanted.
    resampling : str
        Name of a rasterio resampling; "nearest" keeps classes.
    """
    with open_raster(path) as source:
        Grid.of(source)
        with WarpedVRT(
            source,
            crs=grid.crs,
            transform=grid.transform,
            width=grid.cols,
            height=grid.rows,
            resampling=Resampling[resampling],
            tolerance=WARP_TOLERANCE_PX,
        ) as warped:
            yield warped


def grid_of(path: str | Path) -> Grid:
    """The grid of a raster file."""
    with open_raster(path) as dataset:
        try:
            return Grid.of(dataset)
        except LandcoverError as error:
            raise type(error)(f"{path}: {error}") from None


def band_names(path: str | Path) -> tuple[str, ...]:
    """Band descriptions of a raster; "band 1" and so on where it has none."""
    with open_raster(path) as dataset:
        return tuple(
            name or f"band {number}" for number, name in enumerate(dataset.descriptions, start=1)
        )


def read(
    path: str | Path,
    window: Window | None = None,
    bands: Sequence[int | str] | None = None,
) -> np.ndarray:
    """Read a window of a raster.

    Parameters
    ----------
    path : path
        Raster file.
    window : Window, optional
        Pixels wanted; it may reach over the edge. The whole raster by default.
    bands : sequence of int or str, optional
        1-based numbers or band names; all by default.

    Returns
    -------
    array, (bands, rows, cols)
        In the raster's type. Where nodata or outside: NaN for floats, 0 for integers.

    Raises
    ------
    MissingProduct
        If the file does not exist.
    LandcoverError
        If it is no raster, breaks off, or has no such band.

    Examples
    --------
    >>> scene = "runs/demo/scene.tif"
    >>> read(scene).shape
    (4, 240, 320)
    >>> np.isnan(read(scene, Window(-1, 0, rows=2, cols=2), bands=["B04"]))
    array([[[ True,  True],
            [False, False]]])
    """
    with open_raster(path) as dataset:
        return read_window(dataset, window, _band_numbers(dataset, bands, path))


def read_window(
    dataset: Any, window: Window | None = None, bands: Sequence[int] | None = None
) -> np.ndarray:
    """`read` for a dataset that is open already."""
    window = window or Window(0, 0, dataset.height, dataset.width)
    bands = list(bands or dataset.indexes)
    dtype = np.result_type(*(dataset.dtypes[number - 1] for number in bands))
    floating = np.issubdtype(dtype, np.floating)
    pixels = np.full((len(bands), window.rows, window.cols), np.nan if floating else 0, dtype)
    part, place = window.within(dataset.height, dataset.width)
    if part.rows and part.cols:
        with spent("reading"):
            inside = dataset.read(
                bands, window=RasterioWindow(part.col, part.row, part.cols, part.rows)
            )
        if dataset.nodata is not None and not (floating and np.isnan(dataset.nodata)):
            inside[inside == dataset.nodata] = np.nan if floating else 0
        pixels[:, *place] = inside
    return pixels


def valid_pixels(image: np.ndarray, margin: int = 0) -> np.ndarray:
    """Where (rows, cols) an image (bands, rows, cols) has a value in every band.

    A margin around it is left out. A table (bands, pixels) gives (pixels,). Bands are taken one by
    one, without an array of all of them.

    >>> valid_pixels(np.array([[[1.0, 2.0, np.nan, 3.0]] * 3]), margin=1)
    array([[ True, False]])
    """
    inner = tuple(slice(margin, side - margin) for side in image.shape[1:])
    valid = np.isfinite(image[0][inner])
    for band in image[1:]:
        valid &= np.isfinite(band[inner])
    return valid


def read_classes(path: str | Path, window: Window | None = None) -> np.ndarray:
    """Class codes (rows, cols) of a one-band class raster, uint16; 0 where unlabelled."""
    return read(path, window, [1])[0].astype(np.uint16)


def read_small(
    path: str | Path, max_px: int = 1500, bands: Sequence[int | str] | None = None
) -> np.ndarray:
    """A raster thinned to at most `max_px` pixels on its longer side, for pictures.

    Classes are picked by nearest pixel, floats averaged; nodata as in `read`.
    """
    with open_raster(path) as dataset:
        numbers = _band_numbers(dataset, bands, path)
        thin = max(1.0, max(dataset.shape) / max_px)
        shape = (len(numbers), round(dataset.height / thin), round(dataset.width / thin))
        floating = np.issubdtype(np.dtype(dataset.dtypes[numbers[0] - 1]), np.floating)
        resampling = Resampling.average if floating else Resampling.nearest
        with spent("reading"):
            pixels = dataset.read(numbers, out_shape=shape, resampling=resampling)
        if dataset.nodata is not None and not np.isnan(dataset.nodata):
            pixels[pixels == dataset.nodata] = np.nan if floating else 0
        return pixels


def colour_table(path: str | Path) -> dict[int, tuple[int, int, int]]:
    """Red, green and blue of the values of a raster's first band; empty where it has no table."""
    with open_raster(path) as dataset:
        try:
            table = dataset.colormap(1)
        except ValueError:  # there is none
            return {}
        return {value: (red, green, blue) for value, (red, green, blue, _) in table.items()}


class RasterWriter:
    """Write a raster by windows; it appears as a Cloud-Optimised GeoTIFF when whole.

    Leaving the ``with`` block without an error converts and renames; an error
    removes what was written. The windows may come in any order and do not overlap.
    The product is read once more before it gets its name: on a full disk GDAL
    loses the last bytes of a file without an error.

    Parameters
    ----------
    path : path
        Where the product will be.
    grid : Grid
        Its grid.
    dtype : numpy dtype
        Its type.
    band_names : sequence of str
        One name a band.
    nodata : float, optional
        Nodata value.
    legend : Legend, optional
        Gives a class raster its colour table and category names.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        dtype: Any,
        band_names: Sequence[str],
        nodata: float | None = None,
        legend: Legend | None = None,
    ) -> None:
        self.path = Path(path)
        self.grid = grid
        self.dtype = np.dtype(dtype)
        self.band_names = tuple(band_names)
        self.nodata = nodata
        self.legend = legend
        self._part = self.path.with_name(f".{self.path.stem}.part.tif")
        self._whole = self.path.with_name(f".{self.path.stem}.whole.tif")
        self._checksums: dict[Window, int] = {}

    def __enter__(self) -> RasterWriter:
        with self._writing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._dataset = rasterio.open(
                self._part,
                "w",
                driver="GTiff",
                crs=self.grid.crs,
                transform=self.grid.transform,
                width=self.grid.cols,
                height=self.grid.rows,
                count=len(self.band_names),
                dtype=self.dtype,
                nodata=self.nodata,
                tiled=True,
                blockxsize=BLOCK_PX,
                blockysize=BLOCK_PX,
                compress="zstd",
                zstd_level=1,
                bigtiff="if_safer",
            )
            self._dataset.descriptions = self.band_names
            if self.legend:
                colours = {c.code: (*c.colour, 255) for c in self.legend.classes}
                self._dataset.write_colormap(1, {0: (0, 0, 0, 0)} | colours)
        return self

    def write(self, pixels: np.ndarray, window: Window | None = None) -> None:
        """Write (bands, rows, cols), or (rows, cols) of a one-band raster, at a window."""
        window = window or Window(0, 0, *self.grid.shape)
        pixels = pixels[np.newaxis] if pixels.ndim == 2 else pixels
        expected = (len(self.band_names), window.rows, window.cols)
        if pixels.shape != expected:
            raise InputError(f"pixels are {pixels.shape}; the window takes {expected}")
        pixels = pixels.astype(self.dtype, copy=False)
        with self._writing():
            self._dataset.write(
                pixels, window=RasterioWindow(window.col, window.row, window.cols, window.rows)
            )
            for row in range(0, window.rows, WINDOW_PX):
                part = pixels[:, row : row + WINDOW_PX]
                place = Window(window.row + row, window.col, part.shape[1], window.cols)
                self._checksums[place] = zlib.crc32(np.ascontiguousarray(part).data)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            with self._writing():
                self._dataset.close()
                if kind is None:
                    self._finish()
        finally:
            self._remove_parts()

    def _finish(self) -> None:
        """Turn the plain tiled file into a Cloud-Optimised GeoTIFF and give it its name."""
        floating = np.issubdtype(self.dtype, np.floating)
        with rasterio.Env(**self._cache()):
            rasterio.shutil.copy(
                self._part,
                self._whole,
                driver="COG",
                compress="deflate",
                level=1 if floating else 6,
                predictor="yes" if floating else "no",
                blocksize=BLOCK_PX,
                # Means of classes or of segment ids would be other classes
                overview_resampling="average" if floating else "nearest",
                bigtiff="if_safer",
                num_threads="all_cpus",
            )
        self._check_whole()
        sidecar = self.path.with_name(self.path.name + ".aux.xml")
        sidecar.unlink(missing_ok=True)
        if self.legend:
            sidecar.write_text(_category_names(self.legend), "utf-8")
        os.replace(self._whole, self.path)

    def _cache(self) -> dict[str, int]:
        """Room for two rows of blocks, which overviews are made of.

        With less they are read over and over: 10.3 GB instead of 3.0 were measured for
        10980 x 2745 pixels of four bands.
        """
        blocks = math.ceil(self.grid.cols / BLOCK_PX) * len(self.band_names)
        needed = round(2.5 * blocks * BLOCK_PX**2 * self.dtype.itemsize)
        own = os.environ["GDAL_CACHEMAX"] != str(CACHE_MIB)
        return {} if own or needed <= CACHE_MIB * 2**20 else {"GDAL_CACHEMAX": needed}

    def _check_whole(self) -> None:
        """Raise OSError unless the product holds what was written."""
        with rasterio.open(self._whole) as dataset:
            for place, checksum in self._checksums.items():
                window = RasterioWindow(place.col, place.row, place.cols, place.rows)
                pixels = np.ascontiguousarray(dataset.read(window=window))
                if zlib.crc32(pixels.data) != checksum:
                    raise OSError("the file does not hold what was written into it")

    def _remove_parts(self) -> None:
        for part in (self._part, self._whole):
            with suppress(OSError):
                part.unlink()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Time spent writing; full disks and unwritable folders, as one line.

        Nothing half-written stays.
        """
        try:
            with spent("writing"):
                yield
        except Exception as error:  # GDAL's errors share no public base class
            self._remove_parts()
            raise LandcoverError(
                f"cannot write {self.path}: {_first_line(error)}; "
                "check free disk space and the folder's permissions"
            ) from error


def write(
    path: str | Path,
    pixels: np.ndarray,
    grid: Grid,
    band_names: Sequence[str],
    nodata: float | None = None,
    legend: Legend | None = None,
) -> Path:
    """Write a whole array as a Cloud-Optimised GeoTIFF, whole or not at all.

    Parameters
    ----------
    path : path
        File to write; folders are made where they lack.
    pixels : array, (bands, rows, cols) or (rows, cols)
        In the type that the file is to have.
    grid : Grid
        Where the pixels lie.
    band_names : sequence of str
        A name a band.
    nodata : float, optional
        Value of pixels without data, which the file declares.
    legend : Legend, optional
        Of class codes: the file gets its colours and names.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the array does not fit the grid or the names, or a GeoTIFF cannot hold its type.
    LandcoverError
        If the disk is full.

    Examples
    --------
    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 2, 3)
    >>> path = write("classes.tif", np.full((2, 3), 211, np.uint16), grid, ["class"], nodata=0)
    >>> read(path, bands=["class"]).tolist()
    [[[211, 211, 211], [211, 211, 211]]]
    """
    pixels = np.asarray(pixels)
    if not rasterio.dtypes.check_dtype(pixels.dtype.name):
        raise InputError(
            f"pixels are of type {pixels.dtype}, which a GeoTIFF cannot hold; convert them, for "
            "example with pixels.astype('float32')"
        )
    if nodata is not None and not rasterio.dtypes.in_dtype_range(nodata, pixels.dtype.name):
        raise InputError(
            f"nodata {nodata:g} is no value of {pixels.dtype}, the type of the pixels; choose one "
            "that is"
        )
    with RasterWriter(
        path, grid, pixels.dtype.newbyteorder("="), band_names, nodata, legend
    ) as out:
        out.write(pixels)
    return Path(path)


def _band_numbers(dataset: Any, bands: Sequence[int | str] | None, path: str | Path) -> list[int]:
    """1-based numbers of bands given by number or name."""
    if bands is None:
        return list(dataset.indexes)
    numbers = []
    for band in bands:
        number = band
        if isinstance(band, str):
            if band not in dataset.descriptions:
                held = " ".join(name or "unnamed" for name in dataset.descriptions)
                raise LandcoverError(f"{path} has no band {band}; its bands are {held}")
            number = dataset.descriptions.index(band) + 1
        elif band not in dataset.indexes:
            raise LandcoverError(f"{path} has no band {band}; it has {dataset.count}, from 1 on")
        numbers.append(int(number))
    return numbers


def _category_names(legend: Legend) -> str:
    """The side file in which GDAL keeps category names, listed from value 0 upwards."""
    names = {0: "Unlabelled"} | {c.code: f"{c.code} {c.name}" for c in legend.classes}
    categories = "".join(
        f"<Category>{escape(names.get(value, ''))}</Category>" for value in range(max(names) + 1)
    )
    return (
        '<PAMDataset><PAMRasterBand band="1">'
        f"<CategoryNames>{categories}</CategoryNames></PAMRasterBand></PAMDataset>\n"
    )


def _first_line(error: BaseException) -> str:
    """The deepest cause, which is where GDAL says what happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def read_image(scene: Path) -> np.ndarray:
    """The scene in one array, read by strips: a read as a whole would hold it twice."""
    grid = grid_of(scene)
    strips = [
        Window(row, 0, min(BLOCK_PX, grid.rows - row), grid.cols)
        for row in range(0, grid.rows, BLOCK_PX)
    ]
    image = np.empty((0, 0, 0))
    for strip in track(strips, "Reading the scene"):
        part = read(scene, strip)
        if not image.size:
            image = np.empty((len(part), *grid.shape), part.dtype)
        image[:, strip.row : strip.row + strip.rows] = part
    return image


def class_pixels(path: Path) -> dict[int, int]:
    """Pixels of each class of a class raster."""
    counts = np.zeros(_CODES, np.int64)
    windows = list(grid_of(path).windows(WINDOW_PX))
    for window in track(windows, f"counting classes of {path.name}"):
        counts += np.bincount(read_classes(path, window).ravel(), minlength=_CODES)
    counts[UNLABELLED] = 0
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}


def class_areas_ha(path: Path) -> dict[int, float]:
    """Hectares on the ground of each class of a class raster."""
    grid = grid_of(path)
    areas = np.zeros(_CODES)
    for window in track(list(grid.windows(WINDOW_PX)), f"measuring classes of {path.name}"):
        codes = read_classes(path, window).ravel()
        areas += np.bincount(codes, grid.areas_ha(window).ravel(), minlength=_CODES)
    areas[UNLABELLED] = 0
    return {int(code): float(areas[code]) for code in np.flatnonzero(areas)}
