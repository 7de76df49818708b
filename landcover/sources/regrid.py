"""Bands that lie on another grid than their tile, brought to it as they are read.

The kernel is cubic convolution (Keys 1981, a = -0.5): a plane comes out as it went in. Where pixels
are made larger it is as wide as they are. Reflectance is judged before, on the band's own pixels.
A pixel has data where the pixel of the band under its middle has. Beside missing pixels and at the
edge of a file, the kernel is linear over the neighbours that have data, with weights that add up to
1: no pixel is made of a missing one.

GDAL's warper has the same kernel, and tests compare with it. It takes several times as long for a
tile, and its places depend on the window that is asked for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from landcover.grid import Grid, Window, same_crs, windows_of
from landcover.sources.reflectance import OUTSIDE, Band, Tally, read_reflectance
from landcover.sources.regrid_loops import resample

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: Pixels that the kernel reaches from the middle of one.
_REACH_PX = 2
#: Pixels made larger by less than this are not made larger.
_ALIKE = 1.05
#: Places in another reference system are computed at pixels so far apart, and linear between: to
#: better than 1/1000 pixel.
_LATTICE_PX = 16
#: Pixels of the band that are read at once, at most so many a side.
_MOST_PX = 2048


def read_on(
    dataset: DatasetReader,
    band: Band,
    target: Grid,
    window: Window,
    tally: Tally | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A window of a band as reflectance on the grid of its tile, and why pixels have none.

    Parameters
    ----------
    dataset : rasterio dataset
        The band's file, open.
    band : Band
        Which band. Its own `grid` may have any CRS, resolution and alignment; without one it lies
        on the target.
    target : Grid
        Of the tile.
    window : Window
        Pixels of the target. It may reach over the edge.
    tally : Tally, optional
        Counts the band's own pixels, each in the window that holds its middle.

    Returns
    -------
    values : array of float32, (rows, cols)
        NaN without data. They do not depend on the window.
    why : array of uint8, (rows, cols)
        `DATA`, or why the pixel under the middle has none; `OUTSIDE` the file or the target.
    """
    if band.grid is None:
        return read_reflectance(dataset, band, window, tally)
    values = np.full((window.rows, window.cols), np.nan, np.float32)
    why = np.full(values.shape, OUTSIDE, np.uint8)
    part, place = window.within(*target.shape)
    inner, reasons = values[place], why[place]
    sides = _kernel_sides(band.grid, target)
    for piece in windows_of(part.rows, part.cols, max(1, int(_MOST_PX / max(sides)))):
        wanted = Window(part.row + piece.row, part.col + piece.col, piece.rows, piece.cols)
        rows, cols = _places(target, wanted, band.grid)
        source = _under(rows, cols, band.grid, sides)
        if source is None:
            continue
        counted = None if tally is None else _middles_in(band.grid, source, target, wanted)
        pixels, missing = read_reflectance(dataset, band, source, tally, counted)
        at = piece.slices
        rows, cols = rows - source.row, cols - source.col
        resample(pixels, missing, rows, cols, *sides, inner[at], reasons[at])
    return values, why


def _under(
    rows: np.ndarray, cols: np.ndarray, own: Grid, sides: tuple[float, float]
) -> Window | None:
    """The window of a band's own pixels that a kernel reaches from places; None where none is."""
    spans = []
    for places, size, side in ((rows, own.rows, sides[0]), (cols, own.cols, sides[1])):
        known = places[np.isfinite(places)]
        if not known.size or known.max() < 0 or known.min() >= size:
            return None
        margin = int(np.ceil(_REACH_PX * side)) + 1
        low, high = np.clip([known.min(), known.max()], 0, size - 1).astype(int)
        spans.append((max(0, low - margin), min(size, high + 1 + margin)))
    (top, bottom), (left, right) = spans
    return Window(top, left, bottom - top, right - left)


def _middles_in(own: Grid, source: Window, target: Grid, wanted: Window) -> np.ndarray:
    """Which pixels of a source window have their middle in a window of the target, bool.

    Windows that tile the target count every pixel once.
    """
    down, across = _places(own, source, target)
    return wanted.contains(down, across)


def _places(of: Grid, window: Window, on: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns on another grid of the middles of a window's pixels; NaN where none is.

    They are counted from the corner, so that 0.5 is the middle of the first pixel. In one reference
    system rows are (rows, 1) and columns (1, cols). They do not depend on the window.
    """
    down = np.arange(window.row, window.row + window.rows, dtype=np.float64)
    across = np.arange(window.col, window.col + window.cols, dtype=np.float64)
    if same_crs(of.crs, on.crs):
        rows, _ = _exact(of, down, np.zeros_like(down), on)
        _, cols = _exact(of, np.zeros_like(across), across, on)
        return rows[:, np.newaxis], cols[np.newaxis]
    row_nodes, col_nodes = (_nodes(axis) for axis in (down, across))
    crossed = np.meshgrid(row_nodes, col_nodes, indexing="ij")
    exact = _exact(of, crossed[0].ravel(), crossed[1].ravel(), on)
    rows, cols = (
        _between(place.reshape(crossed[0].shape), (row_nodes, col_nodes), (down, across))
        for place in exact
    )
    return rows, cols


def _nodes(axis: np.ndarray) -> np.ndarray:
    """Multiples of the lattice that enclose the pixels of an axis."""
    first, last = int(axis[0]) // _LATTICE_PX, int(axis[-1]) // _LATTICE_PX + 1
    return np.arange(first, last + 1, dtype=np.float64) * _LATTICE_PX


def _between(
    known: np.ndarray,
    nodes: tuple[np.ndarray, np.ndarray],
    axes: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Values (rows, cols) between those at nodes."""
    by_row = np.stack([np.interp(axes[0], nodes[0], of_col) for of_col in known.T], axis=1)
    return np.stack([np.interp(axes[1], nodes[1], of_row) for of_row in by_row])


def _exact(of: Grid, rows: np.ndarray, cols: np.ndarray, on: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns on another grid of the middles of pixels; NaN where there is none."""
    x, y = of.xy(rows, cols)
    if not same_crs(of.crs, on.crs):
        from rasterio.warp import transform

        x, y = (np.array(place) for place in transform(of.crs, on.crs, x, y))
        known = np.isfinite(x) & np.isfinite(y)
        x, y = np.where(known, x, np.nan), np.where(known, y, np.nan)
        if on.crs.is_geographic:  # degrees of one place may differ by a turn
            middle = (on.bounds[0] + on.bounds[2]) / 2
            x = x - 360 * np.round((x - middle) / 360)
    width, height = on.resolution
    return (on.transform.f - y) / height, (x - on.transform.c) / width


@lru_cache(maxsize=64)
def _kernel_sides(own: Grid, target: Grid) -> tuple[float, float]:
    """Height and width of the kernel, in pixels of the band, by the middle of the target."""
    rows = target.rows / 2 + np.array([0.0, 1.0, 0.0])
    cols = target.cols / 2 + np.array([0.0, 0.0, 1.0])
    rows, cols = _exact(target, rows, cols, own)
    sides = (float(np.hypot(*(places[1:] - places[0]))) for places in (rows, cols))
    tall, wide = (side if side > _ALIKE else 1.0 for side in sides)  # NaN is not larger
    return tall, wide
