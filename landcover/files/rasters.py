"""Georeferenced rasters, read by windows.

Floats carry NaN for nodata as soon as they are read. Class rasters carry 0 for unlabelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from landcover.errors import InputError, LandcoverError
from landcover.files.ahead import read_ahead
from landcover.files.masks import alpha_bands
from landcover.files.opening import open_dataset, reading
from landcover.files.raster_names import RasterName
from landcover.grid import Grid, Window

#: Pixels of a window's side for reading and writing; a multiple of the files' 512 px blocks.
WINDOW_PX = 1024
BLOCK_PX = 512
#: More bands than this are read and written by smaller windows.
_FEW_BANDS = 32

#: GDAL interpolates between exactly transformed points up to this error, in pixels of the source;
#: its own default of 1/8 px moves the borders of 100 m labels by more than a 10 m pixel.
WARP_TOLERANCE_PX = 1e-4


def window_px(bands: int) -> int:
    """Side of the windows in which so many bands are read and written together, pixels.

    >>> window_px(20), window_px(128)
    (1024, 512)
    """
    return WINDOW_PX if bands <= _FEW_BANDS else BLOCK_PX


@contextmanager
def open_raster(path: RasterName) -> Iterator[DatasetReader]:
    """An open rasterio dataset, to be read with `read_window`, by one thread at a time.

    Parameters
    ----------
    path : path or str
        A raster file, or GDAL's name of a raster in another file.

    Raises
    ------
    MissingProduct
        If the file is missing.
    LandcoverError
        If it is no raster, is cut short, or holds rasters that have names of their own.
    """
    with open_dataset(path) as dataset:
        yield dataset


@contextmanager
def open_on_grid(
    path: RasterName, grid: Grid, resampling: str = "nearest", alpha: bool = False
) -> Iterator[WarpedVRT]:
    """A dataset warped to a grid on the fly; its windows are read like any other's.

    Parameters
    ----------
    path : path
        Raster in any CRS.
    grid : Grid
        Where its pixels are wanted.
    resampling : str
        Name of a rasterio resampling; "nearest" keeps classes.
    alpha : bool
        Whether the last band says where there is data, as `read_or_nan` needs it.
    """
    with open_raster(path) as source:
        Grid.of(source)
        add = alpha and not alpha_bands(source)
        with reading(path):
            warped = WarpedVRT(
                source,
                crs=grid.crs,
                transform=grid.transform,
                width=grid.cols,
                height=grid.rows,
                resampling=Resampling[resampling],
                tolerance=WARP_TOLERANCE_PX,
                add_alpha=add,
            )
        with warped:
            yield warped


def grid_of(path: RasterName) -> Grid:
    """The grid of a raster file."""
    with open_raster(path) as dataset:
        return grid_of_open(dataset, path)


def grid_of_open(dataset: DatasetReader, path: RasterName) -> Grid:
    """The grid of a raster that is open already; `path` is what errors call it."""
    with reading(path):
        try:
            return Grid.of(dataset)
        except LandcoverError as error:
            raise type(error)(f"{path}: {error}") from None


def band_names(path: RasterName) -> tuple[str, ...]:
    """Band descriptions of a raster; "band 1" and so on where it has none."""
    with open_raster(path) as dataset:
        return tuple(
            name or f"band {number}" for number, name in enumerate(dataset.descriptions, start=1)
        )


def read(
    path: RasterName,
    window: Window | None = None,
    bands: int | str | Sequence[int | str] | None = None,
) -> np.ndarray:
    """Read a window of a raster.

    Parameters
    ----------
    path : path
        Raster file.
    window : Window, optional
        Pixels wanted; it may reach over the edge. The whole raster by default.
    bands : int, str, or sequence of these, optional
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
    if window is not None and not isinstance(window, Window):
        raise InputError(f"window {window!r} is none; give Window(row, col, rows, cols)")
    with open_raster(path) as dataset:
        return read_window(dataset, window, _band_numbers(dataset, bands, path))


def read_windows(
    path: RasterName,
    windows: Iterable[Window],
    bands: int | str | Sequence[int | str] | None = None,
) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of a raster and what `read` gives of each, in order.

    The file is opened once, and the next window is read while one is worked on.
    """
    with open_raster(path) as dataset:
        numbers = _band_numbers(dataset, bands, path)
        yield from read_ahead(windows, lambda window: read_window(dataset, window, numbers))


def read_window(
    dataset: DatasetReader | WarpedVRT,
    window: Window | None = None,
    bands: Sequence[int] | None = None,
) -> np.ndarray:
    """`read` for a dataset that is open already."""
    window = window or Window(0, 0, dataset.height, dataset.width)
    bands = list(bands or dataset.indexes)
    dtype = np.result_type(*(dataset.dtypes[number - 1] for number in bands))
    floating = np.issubdtype(dtype, np.floating)
    shape = len(bands), window.rows, window.cols
    part, place = window.within(dataset.height, dataset.width)
    inside = np.zeros((len(bands), 0, 0), dtype)
    if part.rows and part.cols:
        with reading(_name(dataset)):
            inside = dataset.read(
                bands, window=RasterioWindow(part.col, part.row, part.cols, part.rows)
            )
        for band, number in zip(inside, bands, strict=True):
            nodata = dataset.nodatavals[number - 1]
            if nodata is not None and not (floating and np.isnan(nodata)):
                band[band == nodata] = np.nan if floating else 0
    if inside.shape == shape and inside.dtype == dtype:
        return inside
    pixels = nothing(shape, dtype)
    if inside.size:
        pixels[:, *place] = inside
    return pixels


def nothing(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array without data: NaN of floats, 0 of integers."""
    return np.full(shape, np.nan if np.issubdtype(dtype, np.floating) else 0, dtype)


def read_or_nan(dataset: WarpedVRT, window: Window) -> np.ndarray:
    """The first band of a window, with NaN for nodata and what is hidden or outside.

    So 0 is told apart from nodata, which `read_window` does not do for integers.

    Parameters
    ----------
    dataset : WarpedVRT
        From `open_on_grid`, with `alpha`.
    window : Window
        Within the dataset.

    Returns
    -------
    array (rows, cols)
        In the raster's type where all is data, float64 otherwise.
    """
    place = RasterioWindow(window.col, window.row, window.cols, window.rows)
    with reading(_name(dataset)):
        values, held = dataset.read([1, dataset.count], window=place)
    hidden = held == 0
    return np.where(hidden, np.nan, values.astype(np.float64)) if hidden.any() else values


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


def read_classes(path: RasterName, window: Window | None = None) -> np.ndarray:
    """Class codes (rows, cols) of a one-band class raster, uint16; 0 where unlabelled."""
    return read(path, window, [1])[0].astype(np.uint16)


def read_small(
    path: RasterName,
    max_px: int = 1500,
    bands: Sequence[int | str] | None = None,
    *,
    average: bool = True,
) -> np.ndarray:
    """A raster thinned to at most `max_px` pixels on its longer side, for pictures.

    Classes are picked by nearest pixel, floats averaged if `average`; nodata as in `read`. Of many
    bands an overview is read, where there is one so small.
    """
    with open_raster(path) as dataset:
        numbers = _band_numbers(dataset, bands, path)
        level = _overview(dataset, max_px) if len(numbers) > _FEW_BANDS else None
        if level is not None:
            with rasterio.open(path, overview_level=level) as overview:
                return read_window(overview, bands=numbers)
        thin = max(1.0, max(dataset.shape) / max_px)
        rows, cols = (max(1, round(side / thin)) for side in dataset.shape)
        shape = (len(numbers), rows, cols)
        floating = np.issubdtype(np.dtype(dataset.dtypes[numbers[0] - 1]), np.floating)
        resampling = Resampling.average if floating and average else Resampling.nearest
        with reading(path):
            pixels = dataset.read(numbers, out_shape=shape, resampling=resampling)
        if dataset.nodata is not None and not np.isnan(dataset.nodata):
            pixels[pixels == dataset.nodata] = np.nan if floating else 0
        return pixels


def colour_table(path: RasterName) -> dict[int, tuple[int, int, int]]:
    """Red, green and blue of the values of a raster's first band; empty where it has no table."""
    with open_raster(path) as dataset:
        with reading(path):
            try:
                table = dataset.colormap(1)
            except ValueError:  # there is none
                return {}
        return {value: (red, green, blue) for value, (red, green, blue, _) in table.items()}


def _overview(dataset: DatasetReader, max_px: int) -> int | None:
    """The largest overview of at most so many pixels a side; None where there is none, or no need.

    GDAL thins band by band, and decodes all bands of a pixel-interleaved file for each of them.
    """
    factors = dataset.overviews(1) if max(dataset.shape) > max_px else []
    fitting = (n for n, factor in enumerate(factors) if max(dataset.shape) <= max_px * factor)
    return next(fitting, None)


def _name(dataset: DatasetReader | WarpedVRT) -> str:
    """What a dataset was opened by."""
    return str(getattr(dataset, "src_dataset", dataset).name)


def _band_numbers(
    dataset: DatasetReader, bands: int | str | Sequence[int | str] | None, path: RasterName
) -> list[int]:
    """1-based numbers of bands given by number or name, one or several."""
    if bands is None:
        return list(dataset.indexes)
    if isinstance(bands, str | int):
        bands = [bands]
    numbers = []
    if not len(bands):
        raise InputError("bands is empty; give names or numbers, or leave it out to read all")
    for band in bands:
        number = band
        if isinstance(band, str):
            if band not in dataset.descriptions:
                held = " ".join(name or "unnamed" for name in dataset.descriptions)
                raise InputError(f"{path} has no band {band}; its bands are {held}")
            number = dataset.descriptions.index(band) + 1
        elif band not in dataset.indexes:
            raise InputError(f"{path} has no band {band}; it has {dataset.count}, from 1 on")
        numbers.append(int(number))
    return numbers
