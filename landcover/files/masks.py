"""Which pixels of a band have data, by everything that a raster says of it.

GDAL's own mask of a band is one of several: a file's mask hides its nodata value, and a nodata
value hides its alpha band. Here all of them count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterioWindow

from landcover.files.opening import reading

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from landcover.grid import Window

#: What netCDF fills floats with where nobody chose a value.
NETCDF_FILL = 9.969209968386869e36


@dataclass(frozen=True)
class _Masks:
    """What hides pixels of a raster besides nodata values.

    Attributes
    ----------
    alpha : tuple of int
        Numbers of the alpha bands.
    own : tuple of bool
        Of each band, whether it has a mask that is more than its nodata value or the alpha band.
    """

    alpha: tuple[int, ...]
    own: tuple[bool, ...]


#: Asked once of an open raster: GDAL looks through all its bands, and it is read by windows.
_MASKS: WeakKeyDictionary[DatasetReader, _Masks] = WeakKeyDictionary()


def alpha_bands(dataset: DatasetReader) -> tuple[int, ...]:
    """Numbers of the alpha bands: mostly none or one."""
    return _masks(dataset).alpha


def has_mask(dataset: DatasetReader, number: int) -> bool:
    """Whether a mask, internal or beside the file, or an alpha band can hide pixels of a band."""
    masks = _masks(dataset)
    return bool(masks.alpha) or masks.own[number - 1]


def own_nodata(dataset: DatasetReader, number: int) -> float | None:
    """The nodata value of a band; None where it declares none that its type can hold."""
    value = dataset.nodatavals[number - 1]
    return None if value is None else float(value)


def holds_nan(dataset: DatasetReader, number: int) -> bool:
    """Whether a band of floats holds NaN, or what netCDF writes in its place (`NETCDF_FILL`).

    It is read block by block until one is found.
    """
    if not np.issubdtype(np.dtype(dataset.dtypes[number - 1]), np.floating):
        return False
    with reading(dataset.name):
        return any(
            _has_nan(dataset.read(number, window=window))
            for _, window in dataset.block_windows(number)
        )


def _has_nan(values: np.ndarray) -> bool:
    return bool((np.isnan(values) | (values == values.dtype.type(NETCDF_FILL))).any())


def look(dataset: DatasetReader, number: int, px: int = 1000) -> np.ndarray:
    """Values of the pixels of a band that its mask lets be seen, in one dimension.

    Thinned to at most `px` a side and not averaged: for the distribution, nodata among them.
    """
    thin = max(1.0, max(dataset.shape) / px)
    shape = tuple(max(1, round(side / thin)) for side in dataset.shape)
    with reading(dataset.name):
        values = dataset.read(number, out_shape=shape)
        seen = np.ones(shape, bool)
        masks = _masks(dataset)
        if masks.own[number - 1]:
            seen &= dataset.read_masks(number, out_shape=shape) != 0
        for alpha in masks.alpha:
            seen &= dataset.read(alpha, out_shape=shape) != 0
    return values[seen]


def read_masked(
    dataset: DatasetReader, number: int, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a band as they are stored, and where its mask and alpha let them be seen.

    Parameters
    ----------
    dataset : rasterio dataset
        Open.
    number : int
        Of the band, from 1.
    window : Window
        It may reach over the edge.

    Returns
    -------
    pixels : array, (rows, cols)
        In the band's type, nodata values among them; 0 outside the raster.
    seen : array of bool, (rows, cols)
        Not masked, not transparent, not outside.
    """
    pixels = np.zeros((window.rows, window.cols), dataset.dtypes[number - 1])
    seen = np.zeros(pixels.shape, bool)
    part, place = window.within(dataset.height, dataset.width)
    if part.rows and part.cols:
        where = RasterioWindow(part.col, part.row, part.cols, part.rows)
        with reading(dataset.name):
            masks = _masks(dataset)
            pixels[place] = dataset.read(number, window=where)
            seen[place] = True
            if masks.own[number - 1]:
                seen[place] &= dataset.read_masks(number, window=where) != 0
            for alpha in masks.alpha:
                seen[place] &= dataset.read(alpha, window=where) != 0
    return pixels, seen


def read_masked_bands(
    dataset: DatasetReader, numbers: Sequence[int], window: Window
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Pixels of several bands in one reading, and where each may be seen.

    Parameters
    ----------
    dataset : rasterio dataset
        Open.
    numbers : sequence of int
        Of the bands, from 1.
    window : Window
        It may reach over the edge.

    Returns
    -------
    pixels : array, (bands, rows, cols)
        In a type that holds those of all bands, nodata values among them; 0 outside the raster.
    seen : dict of int to array of bool, (rows, cols)
        By number: not masked, not transparent, not outside. Bands without a mask of their own share
        one array.
    """
    dtype = np.result_type(*(dataset.dtypes[number - 1] for number in numbers))
    pixels = np.zeros((len(numbers), window.rows, window.cols), dtype)
    shared = np.zeros(pixels.shape[1:], bool)
    part, place = window.within(dataset.height, dataset.width)
    masks = _masks(dataset)
    own: dict[int, np.ndarray] = {}
    if part.rows and part.cols:
        where = RasterioWindow(part.col, part.row, part.cols, part.rows)
        with reading(dataset.name):
            pixels[:, *place] = dataset.read(list(numbers), window=where)
            shared[place] = True
            for alpha in masks.alpha:
                shared[place] &= dataset.read(alpha, window=where) != 0
            for number in numbers:
                if masks.own[number - 1]:
                    own[number] = shared.copy()
                    own[number][place] &= dataset.read_masks(number, window=where) != 0
    return pixels, {number: own.get(number, shared) for number in numbers}


def _masks(dataset: DatasetReader) -> _Masks:
    """The masks of an open raster."""
    found = _MASKS.get(dataset)
    if found is None:
        numbers = zip(dataset.indexes, dataset.colorinterp, strict=True)
        alpha = tuple(number for number, meaning in numbers if meaning == ColorInterp.alpha)
        nothing = {MaskFlags.all_valid, MaskFlags.alpha}
        own = tuple(
            not nothing & set(flags) and set(flags) != {MaskFlags.nodata}
            for flags in dataset.mask_flag_enums
        )
        found = _MASKS[dataset] = _Masks(alpha, own)
    return found
