"""Rasters of any bands on the pixels of a scene, such as embeddings, as further bands of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError, typed
from landcover.files import rasters
from landcover.files.masks import alpha_bands, own_nodata, read_masked_bands
from landcover.files.open_rasters import OpenRasters
from landcover.files.raster_names import RasterName, raster_name, stem_of
from landcover.grid import TOLERANCE_PX, Grid, Window, same_crs

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: What a name of a band may not hold: other texts say several names in one, and - is a minus.
_NO_NAME = re.compile(r"[^\w.]+")
#: What some programs write where nobody chose a name.
_COUNTED = re.compile(r"(?i)band[ _]?\d+")
#: A name after a file.
_NAMED = re.compile(r"(.+):([A-Za-z][\w-]*)")


@dataclass(frozen=True)
class Stack:
    """A raster whose bands become bands of a scene, as numbers of their own unit.

    They lie on the scene's pixels and are not resampled.

    Attributes
    ----------
    path : path or str
        The file.
    grid : Grid
        Of the file.
    numbers : tuple of int
        Of its bands, from 1; alpha bands are none.
    names : tuple of str
        That they have in the scene.
    nodata : tuple of float or None
        Of each band.
    scales, offsets : tuple of float
        Of each band: value = number * scale + offset, by the tags of the file.
    """

    path: RasterName
    grid: Grid
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    nodata: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def paths(self) -> tuple[RasterName]:
        """The file."""
        return (self.path,)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing is to be said of it before it is read."""
        return ()

    def settings(self) -> dict[str, object]:
        """The bands as a manifest keeps them."""
        found: dict[str, object] = {"bands": list(self.names), "file": str(self.path)}
        if set(zip(self.scales, self.offsets, strict=True)) != {(1.0, 0.0)}:
            found |= {"scales": list(self.scales), "offsets": list(self.offsets)}
        return found

    def on(self, grid: Grid) -> Callable[[OpenRasters, Window], np.ndarray]:
        """What reads the bands (bands, rows, cols) of a window on a grid, float32.

        Raises
        ------
        InputError
            If the file lies on other pixels, or beside the grid.
        """
        self._require_lattice(grid)
        down, across = (round(place) for place in self.grid.position(grid))

        def read(files: OpenRasters, window: Window) -> np.ndarray:
            own = Window(window.row + down, window.col + across, window.rows, window.cols)
            return self._read(files[self.path], own)

        return read

    def _read(self, dataset: DatasetReader, window: Window) -> np.ndarray:
        """Values of a window of the file; NaN without data and outside."""
        stored, seen = read_masked_bands(dataset, self.numbers, window)
        values = stored.astype(np.float32)
        for band, number in enumerate(self.numbers):
            nodata = self.nodata[band]
            if nodata is not None and not np.isnan(nodata):
                values[band][stored[band] == stored.dtype.type(nodata)] = np.nan
            if (self.scales[band], self.offsets[band]) != (1.0, 0.0):
                values[band] *= np.float32(self.scales[band])
                values[band] += np.float32(self.offsets[band])
            values[band][~seen[number]] = np.nan
        values[np.isinf(values)] = np.nan
        return values

    def _require_lattice(self, grid: Grid) -> None:
        """Raise InputError unless the file has the pixels of a grid, or some of them."""
        found = self._difference(grid)
        if found is None:
            return
        west, south, east, north = (f"{side:.12g}" for side in grid.bounds)
        width, height = (f"{side:.12g}" for side in grid.resolution)
        crs = grid.crs.to_string()
        raise InputError(
            f"{self.path} is not on the pixels of the scene: {found}; bring it there, for example "
            f"with: gdalwarp -t_srs {crs if ':' in crs[:8] else typed(crs)} "
            f"-te {west} {south} {east} {north} -tr {width} {height} -r bilinear "
            f"{typed(self.path)} NEW.tif"
        )

    def _difference(self, grid: Grid) -> str | None:
        """What sets the file's pixels apart from those of a grid; None where nothing does."""
        if not same_crs(self.grid.crs, grid.crs):
            return f"it is in {self.grid.crs.to_string()[:60]}, the scene in {grid.crs.to_string()}"
        width, height = grid.resolution
        sides = self.grid.resolution
        stretch = max(
            abs(own / side - 1) * count
            for own, side, count in zip(sides, (width, height), self.grid.shape[::-1], strict=True)
        )
        if stretch > TOLERANCE_PX:
            return (
                f"its pixels are {sides[0]:.9g} x {sides[1]:.9g}, those of the scene "
                f"{width:.9g} x {height:.9g}"
            )
        row, col = grid.position(self.grid)
        if max(abs(row - round(row)), abs(col - round(col))) > TOLERANCE_PX:
            return (
                f"its corner {self.grid.transform.c:.12g} {self.grid.transform.f:.12g} lies "
                f"{col - round(col):.2f} pixels to the right of a corner of the scene's pixels, "
                f"and {row - round(row):.2f} below"
            )
        top, left = round(row), round(col)
        part, _ = Window(top, left, *self.grid.shape).within(*grid.shape)
        if not part.rows or not part.cols:
            own = " ".join(f"{side:.9g}" for side in self.grid.bounds)
            scene = " ".join(f"{side:.9g}" for side in grid.bounds)
            return f"it spans {own} (W S E N), beside the scene, {scene}"
        return None


def file_and_name(text: str | Path) -> tuple[RasterName, str | None]:
    """The file, and the name after it, of a text such as ``emb.tif:year2023``.

    A file whose own name is the whole text comes first, and so do GDAL's names of rasters.

    >>> file_and_name("emb.tif:late")
    (PosixPath('emb.tif'), 'late')
    >>> file_and_name("netcdf:cube.nc:B02"), file_and_name("emb.tif")
    (('netcdf:cube.nc:B02', None), (PosixPath('emb.tif'), None))
    """
    whole = raster_name(text)
    found = _NAMED.fullmatch(str(text))
    if isinstance(whole, str) or found is None or whole.exists():
        return whole, None
    return raster_name(found[1]), found[2]


def open_stack(path: RasterName, name: str | None = None) -> Stack:
    """A raster, and the names that its bands are to have.

    Parameters
    ----------
    path : path
        A raster of one band or more.
    name : str, optional
        Begins the names of its bands; by default the file's does, where they have no descriptions.

    Returns
    -------
    Stack
        Bands are named by their descriptions, which a name given goes before, or else by numbers
        after the name. The band of a file of one has the name alone.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing, is no raster, has no CRS, or names two bands alike.
    """
    with rasters.open_raster(path) as dataset:
        grid = rasters.grid_of_open(dataset, path)
        alpha = alpha_bands(dataset)
        numbers = tuple(number for number in dataset.indexes if number not in alpha)
        texts = [dataset.descriptions[number - 1] for number in numbers]
        nodata = tuple(own_nodata(dataset, number) for number in numbers)
        scales = tuple(dataset.scales[number - 1] for number in numbers)
        offsets = tuple(dataset.offsets[number - 1] for number in numbers)
    names = _names(texts, name, _plain(stem_of(path)))
    twice = {one for one in names if names.count(one) > 1}
    if twice:
        raise InputError(
            f"{path} names several bands {' '.join(sorted(twice))}; give each its own description, "
            "for example with: rio edit-info --bidx 2 --description NAME FILE"
        )
    return Stack(path, grid, numbers, names, nodata, scales, offsets)


def _names(texts: Sequence[str | None], name: str | None, stem: str) -> tuple[str, ...]:
    """Names of bands by what describes them."""
    name = name and _plain(name)
    plain = ["" if _COUNTED.fullmatch(text or "") else _plain(text or "") for text in texts]
    if not name:  # alone, digits such as 2018 would be a number in formulas
        plain = [f"{stem}_{text}" if text[:1].isdigit() else text for text in plain]
    if len(texts) == 1:
        return (name or plain[0] or stem,)
    return tuple(
        f"{name}_{text or number}" if name else text or f"{stem}_{number}"
        for number, text in enumerate(plain, start=1)
    )


def _plain(text: str) -> str:
    """A text as one word.

    >>> _plain("Band 3 (m)")
    'Band_3_m'
    """
    return _NO_NAME.sub("_", text).strip("_")
