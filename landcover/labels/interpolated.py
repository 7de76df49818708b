"""Class rasters whose codes were interpolated, which invents classes between others.

Where numbers are interpolated, the border from class 12 to class 23 passes through codes between
both, a pixel or two wide. Where classes are drawn, one class follows the other.
"""

from __future__ import annotations

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.raster_names import RasterName
from landcover.grid import Grid, Window

#: A border is no class of its own up to this width, in pixels of the raster.
RIM_PX = 3
#: Borders that are looked at, at least; fewer say nothing.
FEWEST = 20
#: Share of borders that pass through codes between both sides. Below 0.12 on eleven rasters of
#: drawn or mapped classes, and below 0.3 with speckle; 0.6 and more where those were brought to
#: finer pixels by bilinear interpolation or averages, 0.2 and more by cubic (docs/labels.md).
MOST = 0.4
#: The middle of the shared ground that is looked at, at most, in pixels of the raster.
LOOKED_AT_PX = 2048


def ramps(codes: np.ndarray) -> tuple[int, int]:
    """How many borders along rows pass through codes between both sides, and of how many.

    A border lies between two runs of more than `RIM_PX` pixels of classes whose codes leave room
    for another one. It passes through the codes of the narrow runs in it where these lie between
    both sides and only climb, or only fall, towards the other side. NaN and 0 are no side.

    Parameters
    ----------
    codes : array (rows, cols)
        Class codes, as the raster holds them.

    Returns
    -------
    passing, borders : int

    Examples
    --------
    >>> ramps(np.array([[2, 2, 2, 2, 5, 9, 9, 9, 9, 4, 4, 4, 4]]))
    (1, 2)
    """
    lines = np.nan_to_num(np.asarray(codes, float))
    lines = np.pad(lines, ((0, 0), (0, 1))).ravel()  # a line ends in 0
    starts = np.flatnonzero(np.diff(lines, prepend=np.nan) != 0)
    value, length = lines[starts], np.diff(starts, append=len(lines))
    wide = np.flatnonzero((length > RIM_PX) | (value == 0))
    left, right = value[wide[:-1]], value[wide[1:]]
    room = (left > 0) & (right > 0) & (np.abs(left - right) > 1)
    # every narrow run belongs to the border after the last wide one
    border = np.searchsorted(wide, np.arange(len(value)), side="right") - 1
    narrow = (length <= RIM_PX) & (value != 0) & (border >= 0) & (border < len(left))
    border, rim = border[narrow], value[narrow]
    low, high = np.minimum(left, right)[border], np.maximum(left, right)[border]
    within = (low < rim) & (rim < high)
    # the interpolation of a spline reaches beyond each side once; speckle does so more often
    beyond = np.bincount(border[~within], minlength=len(left))
    border, rim = border[within], rim[within]
    climbs = np.sign(np.diff(rim)) == np.sign(right - left)[border[1:]]
    back = np.bincount(border[1:][(np.diff(border) == 0) & ~climbs], minlength=len(left))
    passing = (np.bincount(border, minlength=len(left)) > 0) & (back == 0) & (beyond <= 2)
    return int((room & passing).sum()), int(room.sum())


def require_drawn(source: RasterName, grid: Grid) -> None:
    """Refuse a class raster whose borders pass through codes between both sides.

    Parameters
    ----------
    source : path
        In any CRS; it overlaps the grid.
    grid : Grid
        Of the scene.

    Raises
    ------
    InputError
        Naming the share of such borders.
    """
    own = rasters.grid_of(source)
    (codes,) = rasters.read(source, _middle(own, grid), [1])
    along = [ramps(lines) for lines in (codes, codes.T)]
    passing, borders = (sum(numbers) for numbers in zip(*along, strict=True))
    if borders >= FEWEST and passing > MOST * borders:
        raise InputError(
            f"{source} was interpolated: {passing / borders:.0%} of {borders} borders between "
            "classes pass through codes of other classes, which invents these; bring the "
            "classes to their grid by the nearest pixel, for example with: "
            "rio warp FILE NEW.tif --resampling nearest"
        )


def _middle(own: Grid, grid: Grid) -> Window:
    """The middle of the ground that a raster shares with a scene, in pixels of the raster."""
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(grid.crs, own.crs, *grid.bounds)
    corners = own.rowcol([west, east, west, east], [north, north, south, south])
    spans = []
    for at, side in zip(corners, own.shape, strict=True):
        first, end = (int(edge) for edge in np.clip([at.min(), at.max() + 1], 0, side))
        spare = max(0, end - first - LOOKED_AT_PX)
        spans.append((first + spare // 2, end - spare + spare // 2 - (first + spare // 2)))
    (row, rows), (col, cols) = spans
    return Window(row, col, max(1, rows), max(1, cols))
