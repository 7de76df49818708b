"""Rasters written by windows, as Cloud-Optimised GeoTIFF, whole or not at all.

Class rasters get a legend, and every raster the style by which QGIS shows it. There is no colour
table: one of 65,536 entries would be most of the file, and QGIS would list them all.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio.windows import Window as RasterioWindow

from landcover.errors import InputError, LandcoverError
from landcover.files import legends, styles
from landcover.files.atomic import replace_when_whole
from landcover.files.opening import CACHE_MIB, THREADS, root_cause
from landcover.files.packing import smaller_as_differences
from landcover.files.rasters import BLOCK_PX, WINDOW_PX
from landcover.grid import Grid, Window
from landcover.legend import Legend
from landcover.stopwatch import spent

#: Bytes of GDAL's cache while a product is made, at most.
_MOST_CACHE = 2**30


class RasterWriter:
    """Write a raster by windows; it appears as a Cloud-Optimised GeoTIFF when whole.

    Leaving the ``with`` block without an error converts and renames; an error
    removes what was written. The windows may come in any order and do not overlap.
    The product is read once more before it gets its name: on a full disk GDAL
    loses the last bytes of a file without an error. What lies beside it is replaced with it:
    NAME.qml, its style, and NAME.tif.aux.xml, the legend as a raster attribute table.

    Legend and style are those of the attributes of these names when the block is left, so what
    depends on the pixels can be set then.

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
        The classes of a class raster, which the file keeps.
    style : Style, optional
        How QGIS shows it; the classes of the legend by default. Without either it has no style.
    many : bool
        Whether it is one of many that are open at once: then it is written band by band and by one
        thread, which takes a tenth of the memory and more time.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        dtype: npt.DTypeLike,
        band_names: Sequence[str],
        nodata: float | None = None,
        legend: Legend | None = None,
        *,
        style: styles.Style | None = None,
        many: bool = False,
    ) -> None:
        self.path = Path(path)
        self.grid = grid
        self._threads: int | str = 1 if many else THREADS
        self._interleave = "band" if many else "pixel"
        self.dtype = np.dtype(dtype)
        self._floating = np.issubdtype(self.dtype, np.floating)
        self.band_names = tuple(band_names)
        self.nodata = nodata
        self.legend = legend
        self.style = style
        self._part = self.path.with_name(f".{self.path.stem}.part.tif")
        self._whole = self.path.with_name(f".{self.path.stem}.whole.tif")
        self._checksums: dict[Window, int] = {}

    def __enter__(self) -> RasterWriter:
        # Floats hardly become smaller in so little time, but many files at once fill a disk; codes
        # become smaller tenfold and more
        pressed = (
            {}
            if self._floating and self._interleave == "pixel"
            else {"compress": "zstd", "zstd_level": 1}
        )
        with self._writing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # What a killed process left: rasterio opens it before it writes over it, and fails
            self._remove_parts()
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
                bigtiff="if_safer",
                num_threads=self._threads,
                interleave=self._interleave,
                # Four bands of bytes would be red, green, blue and opacity
                photometric="minisblack",
                **pressed,
            )
            self._dataset.descriptions = self.band_names
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._writing():
                if kind is None and self.legend:
                    self._dataset.update_tags(1, **legends.tags(self.legend))
                self._dataset.close()
                if kind is None:
                    self._finish()
        finally:
            self._remove_parts()

    def _finish(self) -> None:
        """Turn the plain tiled file into a Cloud-Optimised GeoTIFF and give it its name."""
        differences = self._floating and smaller_as_differences(self._part)
        options = {
            "GDAL_NUM_THREADS": THREADS,
            # GDAL keeps overviews in a file of its own at first: packing that one tightly, as it
            # does otherwise, took most of the time of making them
            "ZSTD_LEVEL_OVERVIEW": 1,
        }
        with rasterio.Env(**options, **self._cache()):
            rasterio.shutil.copy(
                self._part,
                self._whole,
                driver="COG",
                # Not zstd, which is quicker: programs may be built without it
                compress="deflate",
                level=1 if self._floating else 6,
                predictor="yes" if differences else "no",
                blocksize=BLOCK_PX,
                # Means of classes or of segment ids would be other classes
                overview_resampling="average" if self._floating else "nearest",
                bigtiff="if_safer",
                num_threads=THREADS,
            )
        self._check_whole()
        self._replace_beside()
        os.replace(self._whole, self.path)

    def _replace_beside(self) -> None:
        """Style and attribute table; those of an earlier raster of this name go."""
        table_path(self.path).unlink(missing_ok=True)
        if self.path.exists():  # else a style of this name may be another file's
            remove_beside(self.path)
        style = self.style or (styles.Classes(self.legend) if self.legend else None)
        texts: dict[Path, str] = {}
        if style:
            texts[styles.qml_path(self.path)] = styles.qml(style.fitted(self._whole))
        if self.legend:
            texts[table_path(self.path)] = legends.attribute_table(self.legend)
        for path, text in texts.items():
            with replace_when_whole(path) as part:
                part.write_text(text, "utf-8")

    def _cache(self) -> dict[str, int]:
        """Room for two rows of blocks, which overviews are made of.

        With less they are read over and over: 10.3 GB instead of 3.0 were measured for
        10980 x 2745 pixels of four bands. Many bands of a wide scene get `_MOST_CACHE` all the
        same.
        """
        blocks = math.ceil(self.grid.cols / BLOCK_PX) * len(self.band_names)
        needed = round(2.5 * blocks * BLOCK_PX**2 * self.dtype.itemsize)
        own = os.environ["GDAL_CACHEMAX"] != str(CACHE_MIB)
        return (
            {}
            if own or needed <= CACHE_MIB * 2**20
            else {"GDAL_CACHEMAX": min(needed, _MOST_CACHE)}
        )

    def _check_whole(self) -> None:
        """Raise OSError unless the product holds what was written."""
        with rasterio.open(self._whole, num_threads=THREADS) as dataset:
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
                f"cannot write {self.path}: {root_cause(error)}; "
                "check free disk space and the folder's permissions"
            ) from error


def table_path(raster: Path) -> Path:
    """Where GDAL keeps what it knows of a raster beside it, such as its attribute table."""
    return raster.with_name(f"{raster.name}.aux.xml")


def remove_beside(raster: Path) -> None:
    """Remove the style and the attribute table of a raster."""
    for path in (styles.qml_path(raster), table_path(raster)):
        path.unlink(missing_ok=True)


def write(
    path: str | Path,
    pixels: np.ndarray,
    grid: Grid,
    band_names: Sequence[str],
    nodata: float | None = None,
    legend: Legend | None = None,
    style: styles.Style | None = None,
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
        Of class codes: the file keeps names and colours, and QGIS shows them.
    style : Style, optional
        How QGIS shows other rasters, of `landcover.files.styles`.

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
    >>> from landcover.files.rasters import read
    >>> grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 2, 3)
    >>> path = write("classes.tif", np.full((2, 3), 211, np.uint16), grid, ["class"], nodata=0)
    >>> read(path, bands=["class"]).tolist()
    [[[211, 211, 211], [211, 211, 211]]]
    """
    pixels = np.asarray(pixels)
    names = [band_names] if isinstance(band_names, str) else list(band_names)
    bands = len(pixels) if pixels.ndim == 3 else 1
    if len(names) != bands:
        raise InputError(
            f"pixels have {bands} band(s), and band_names names {len(names)}; give a name a band"
        )
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
    dtype = pixels.dtype.newbyteorder("=")
    with RasterWriter(path, grid, dtype, names, nodata, legend, style=style) as out:
        out.write(pixels)
    return Path(path)
