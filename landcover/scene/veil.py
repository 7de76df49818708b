"""Haze of uneven thickness: how much light it adds over a scene, from the darkest pixels of cells.

Wherever land is dark, blue light that reaches the sensor is mostly that of the air. So the darkest
blue of small cells follows the haze, and not the land, as long as each cell's neighbourhood holds
something dark: wood, water, a shadow.

Dark-object subtraction is that of Chavez (1988, doi:10.1016/0034-4257(88)90019-3), done by cells
instead of once a scene. The light of haze falls with wavelength as its model of a moderate haze
says, by a power of -1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.files.ahead import read_ahead
from landcover.grid import Grid, Window
from landcover.progress import track
from landcover.sensors import roles_of, sensor_of

#: Side of a cell on the ground, and its least side in pixels: fewer hold no dark one.
CELL_M, CELL_LEAST_PX = 160.0, 8
#: The dark of a cell is this percentile of its blue, after a blur by one pixel against noise.
DARK_PERCENTILE, _BLUR_PX = 1.0, 1.0
#: A haze so thick that nothing is seen through it reflects so much blue. It counts as no thicker
#: than the second number, so that little light is never multiplied by much.
_OPAQUE, _MOST = 0.35, 0.6
#: Power of wavelength that the light of haze falls with.
_POWER = -1.0
#: Pixels around a cell that its blur reaches.
_PAD_PX = round(4 * _BLUR_PX)
#: Rows that are read at a time: whole ones, so that no block of a file is decoded twice. Columns
#: that are worked on at a time are about as many.
_STRIP_ROWS = 1024


@dataclass(frozen=True)
class Veil:
    """Blue reflectance that haze adds over a scene, above that of its clearest part.

    Attributes
    ----------
    cells : array of float64 (rows, cols)
        Of each cell.
    cell_px : int
        Side of a cell in pixels.
    """

    cells: np.ndarray
    cell_px: int

    @property
    def spread(self) -> float:
        """How uneven it is: from the 5th to the 95th percentile of cells."""
        low, high = np.percentile(self.cells, (5, 95))
        return float(high - low)

    def at(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """That of pixels, by linear interpolation between the middles of cells.

        Parameters
        ----------
        rows, cols : array of int, of one shape
            Pixels of the scene.

        Returns
        -------
        array of float64
            Of the same shape.
        """
        from scipy.ndimage import map_coordinates

        places = [(np.asarray(at) + 0.5) / self.cell_px - 0.5 for at in (rows, cols)]
        return map_coordinates(self.cells, places, order=1, mode="nearest")

    def lifted(self, values: np.ndarray, bands: Sequence[str], veil: np.ndarray) -> np.ndarray:
        """Reflectance as it would be without the haze.

        Parameters
        ----------
        values : array of float (bands, ...)
            Reflectance of pixels.
        bands : sequence of str
            Their names; bands that the sensor does not have are left as they are.
        veil : array of float (...)
            From `at`, of these pixels.

        Returns
        -------
        array of float32 (bands, ...)
        """
        wavelengths = {band.name: band.wavelength_nm for band in sensor_of(bands).bands}
        blue_nm = wavelengths[roles_of(bands)["blue"]]
        added = np.minimum(veil, _MOST * _OPAQUE)
        through = 1 - added / _OPAQUE
        found = np.array(values, np.float32)
        for position, name in enumerate(bands):
            if name in wavelengths:
                light = (wavelengths[name] / blue_nm) ** _POWER * added
                found[position] = (found[position] - light) / through
        return found


def find_veil(read_blue: Callable[[Window], np.ndarray], grid: Grid) -> Veil:
    """How much blue light haze adds over a scene.

    Parameters
    ----------
    read_blue : callable
        A window of the scene to its blue reflectance (rows, cols), NaN without data and where the
        window reaches over the edge. Strips of whole rows are asked for, from the top, in a thread.
    grid : Grid
        Of the scene.

    Returns
    -------
    Veil
        0 everywhere where the scene has no data.

    Examples
    --------
    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> grid = Grid(CRS.from_epsg(32632), Affine(10, 0, 5e5, 0, -10, 5.6e6), 64, 64)
    >>> round(find_veil(lambda window: np.full((window.rows, window.cols), 0.05), grid).spread, 9)
    0.0
    """
    side = max(CELL_LEAST_PX, round(grid.length_px(CELL_M)))
    cells = np.full((-(-grid.rows // side), -(-grid.cols // side)), np.nan)
    strips = track(_strips(cells.shape, side), "looking for haze")
    held = np.full((_PAD_PX, cells.shape[1] * side + 2 * _PAD_PX), np.nan, np.float32)
    done = 0
    for _, blue in read_ahead(strips, read_blue):
        held = np.concatenate([held, blue])
        whole = (len(held) - 2 * _PAD_PX) // side  # cells, with the pixels around them
        cells[done : done + whole] = _darkest_of_strip(held, whole, side)
        held, done = held[whole * side :], done + whole
    if np.isnan(cells).all():
        return Veil(np.zeros_like(cells), side)
    field = _smooth(cells)
    return Veil(np.maximum(field - np.percentile(field, 1), 0), side)


def _strips(cells: tuple[int, int], side: int) -> list[Window]:
    """Strips of whole rows that cover all cells and the pixels around them."""
    rows, cols = cells[0] * side + _PAD_PX, cells[1] * side + 2 * _PAD_PX
    step = max(_STRIP_ROWS, 2 * side)  # at least one row of cells, with the pixels around it
    return [Window(row, -_PAD_PX, min(step, rows - row), cols) for row in range(0, rows, step)]


def _darkest_of_strip(blue: np.ndarray, rows: int, side: int) -> np.ndarray:
    """The dark of each cell of a strip of so many rows of cells, with pixels around it."""
    cols = (blue.shape[1] - 2 * _PAD_PX) // side
    found, step = np.full((rows, cols), np.nan), max(1, _STRIP_ROWS // side)
    for col in range(0, cols, step):
        end = min(col + step, cols)
        part = blue[: rows * side + 2 * _PAD_PX, col * side : end * side + 2 * _PAD_PX]
        found[:, col:end] = _darkest(np.asarray(part, np.float64), side)
    return found


def _darkest(blue: np.ndarray, side: int) -> np.ndarray:
    """The dark of each cell, of pixels with those around them; NaN without data."""
    from scipy.ndimage import gaussian_filter

    inner = slice(_PAD_PX, -_PAD_PX)
    known = np.isfinite(blue)
    if not known.any():
        return np.full([(length - 2 * _PAD_PX) // side for length in blue.shape], np.nan)
    if known.all():
        weight = gaussian_filter(np.ones([2 * _PAD_PX + 1] * 2), _BLUR_PX)[_PAD_PX, _PAD_PX]
        blurred = gaussian_filter(blue, _BLUR_PX)[inner, inner] / weight
    else:
        weights = gaussian_filter(known.astype(float), _BLUR_PX)
        sums = gaussian_filter(np.where(known, blue, 0), _BLUR_PX)
        empty = np.full(blue.shape, np.nan)
        blurred = np.divide(sums, weights, out=empty, where=known)[inner, inner]
    cells = blurred.reshape(blurred.shape[0] // side, side, -1, side).transpose(0, 2, 1, 3)
    # all of them: at so few, a partition takes longer
    pixels = np.sort(cells.reshape(*cells.shape[:2], -1))
    count = np.isfinite(pixels).sum(axis=-1)  # NaN is sorted last
    ranks = np.rint(DARK_PERCENTILE / 100 * np.maximum(count - 1, 0)).astype(int)
    return np.take_along_axis(pixels, ranks[..., np.newaxis], axis=-1)[..., 0]


def _smooth(cells: np.ndarray) -> np.ndarray:
    """Cells as dark as the darkest beside them, smoothed; those without data as the nearest."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter, minimum_filter

    known = np.isfinite(cells)
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return gaussian_filter(minimum_filter(cells[tuple(nearest)], 3, mode="nearest"), 1.0)
