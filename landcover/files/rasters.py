"""Georeferenced rasters, read by windows.

Floats carry NaN for nodata as soon as they are read. Class rasters carry 0 for unlabelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from landcover.errors import InputError, LandcoverError
from landcover.files.opening import open_dataset, reading
from landcover.files.raster_names import RasterName
from landcover.grid import Grid, Window
from landcover.progress import track

#: Pixels of a window's side for reading and writing; a multiple of the files' 512 px blocks.
WINDOW_PX = 1024
BLOCK_PX = 512

#: GDAL interpolates between exactly transformed points up to this error, in pixels of the source;
#: its own default of 1/8 px moves the borders of 100 m labels by more than a 10 m pixel.
WARP_TOLERANCE_PX = 1e-4


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
def open_on_grid(path: RasterName, grid: Grid, resampling: str = "nearest") -> Iterator[WarpedVRT]:
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
        with reading(path):
            warped = WarpedVRT(
                source,
                crs=grid.crs,
                transform=grid.transform,
                width=grid.cols,
                height=grid.rows,
                resampling=Resampling[resampling],
                tolerance=WARP_TOLERANCE_PX,
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
    pixels = np.full((len(bands), window.rows, window.cols), np.nan if floating else 0, dtype)
    part, place = window.within(dataset.height, dataset.width)
    if part.rows and part.cols:
        with reading(_name(dataset)):
            inside = dataset.read(
                bands, window=RasterioWindow(part.col, part.row, part.cols, part.rows)
            )
        for band, number in zip(inside, bands, strict=True):
            nodata = dataset.nodatavals[number - 1]
            if nodata is not None and not (floating and np.isnan(nodata)):
                band[band == nodata] = np.nan if floating else 0
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


def read_classes(path: RasterName, window: Window | None = None) -> np.ndarray:
    """Class codes (rows, cols) of a one-band class raster, uint16; 0 where unlabelled."""
    return read(path, window, [1])[0].astype(np.uint16)


def read_small(
    path: RasterName, max_px: int = 1500, bands: Sequence[int | str] | None = None
) -> np.ndarray:
    """A raster thinned to at most `max_px` pixels on its longer side, for pictures.

    Classes are picked by nearest pixel, floats averaged; nodata as in `read`.
    """
    with open_raster(path) as dataset:
        numbers = _band_numbers(dataset, bands, path)
        thin = max(1.0, max(dataset.shape) / max_px)
        rows, cols = (max(1, round(side / thin)) for side in dataset.shape)
        shape = (len(numbers), rows, cols)
        floating = np.issubdtype(np.dtype(dataset.dtypes[numbers[0] - 1]), np.floating)
        resampling = Resampling.average if floating else Resampling.nearest
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
