"""The pixel grid: one validated value for CRS, transform and shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.errors import LandcoverError

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

#: Corners closer than this share of a pixel are the same corner.
TOLERANCE_PX = 0.01


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: rows [row, row + rows) and cols [col, col + cols).

    It may reach over the edge of a grid; readers fill what lies outside.

    Attributes
    ----------
    row, col : int
        Pixel of the upper left corner.
    rows, cols : int
        Shape in pixels.

    Examples
    --------
    >>> window = Window(0, 10, rows=4, cols=5)
    >>> np.zeros((20, 30))[window.slices].shape
    (4, 5)
    >>> window.padded(2)
    Window(row=-2, col=8, rows=8, cols=9)
    """

    row: int
    col: int
    rows: int
    cols: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for an array of the whole grid."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)

    def contains(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Which pixels lie in the window, bool."""
        down, across = rows - self.row, cols - self.col
        return (down >= 0) & (down < self.rows) & (across >= 0) & (across < self.cols)

    def padded(self, pixels: int) -> Window:
        """The window with a margin of `pixels` on every side."""
        return Window(
            self.row - pixels, self.col - pixels, self.rows + 2 * pixels, self.cols + 2 * pixels
        )


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a raster lie.

    Attributes
    ----------
    crs : rasterio.crs.CRS
        Coordinate reference system; required.
    transform : affine.Affine
        From (col, row) to map coordinates; north up, without rotation.
    rows, cols : int
        Shape in pixels.

    Examples
    --------
    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 200, 300)
    >>> grid.bounds
    (300000.0, 5798000.0, 303000.0, 5800000.0)
    >>> [float(v) for v in grid.xy(0, 0)]
    [300005.0, 5799995.0]
    >>> sum(w.rows * w.cols for w in grid.windows(128)) == grid.rows * grid.cols
    True
    """

    crs: CRS
    transform: Affine
    rows: int
    cols: int

    def __post_init__(self) -> None:
        if not self.crs:
            raise LandcoverError(
                "the raster has no CRS; assign one, for example with gdal_edit.py -a_srs EPSG:32633"
            )
        if self.rows < 1 or self.cols < 1:
            raise LandcoverError(f"grid of {self.rows} x {self.cols} pixels is empty")
        t = self.transform
        if t.b or t.d or t.a <= 0 or t.e >= 0:
            raise LandcoverError(
                f"transform {tuple(t)[:6]} is rotated or not north-up; warp the raster first, "
                "for example with gdalwarp"
            )

    @classmethod
    def of(cls, dataset: Any) -> Grid:
        """The grid of an open rasterio dataset."""
        return cls(dataset.crs, dataset.transform, dataset.height, dataset.width)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.rows, self.cols

    @property
    def resolution(self) -> tuple[float, float]:
        """Pixel width and height in units of the CRS, both positive."""
        return self.transform.a, -self.transform.e

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        west, north = self.transform.c, self.transform.f
        width, height = self.resolution
        return west, north - self.rows * height, west + self.cols * width, north

    def xy(self, rows: Any, cols: Any) -> tuple[np.ndarray, np.ndarray]:
        """Map coordinates of pixel centres."""
        width, height = self.resolution
        x = self.transform.c + (np.asarray(cols) + 0.5) * width
        y = self.transform.f - (np.asarray(rows) + 0.5) * height
        return x, y

    def rowcol(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the pixels that hold map coordinates; may lie outside the grid."""
        width, height = self.resolution
        cols = np.floor((np.asarray(x) - self.transform.c) / width).astype(np.int64)
        rows = np.floor((self.transform.f - np.asarray(y)) / height).astype(np.int64)
        return rows, cols

    def windows(self, size: int) -> Iterator[Window]:
        """Windows of at most `size` x `size` pixels that tile the grid, row by row."""
        for row in range(0, self.rows, size):
            for col in range(0, self.cols, size):
                yield Window(row, col, min(size, self.rows - row), min(size, self.cols - col))

    def crop(self, window: Window) -> Grid:
        """The grid of a window."""
        from affine import Affine

        width, height = self.resolution
        west = self.transform.c + window.col * width
        north = self.transform.f - window.row * height
        transform = Affine(width, 0, west, 0, -height, north)
        return Grid(self.crs, transform, window.rows, window.cols)

    def position(self, other: Grid) -> tuple[float, float]:
        """Row and column, in pixels of this grid, at which the corner of another one lies."""
        width, height = self.resolution
        row = (self.transform.f - other.transform.f) / height
        col = (other.transform.c - self.transform.c) / width
        return row, col

    def difference(self, other: Grid) -> str | None:
        """What sets two grids apart, in words; None when they are equal."""
        if self.crs != other.crs:
            return f"CRS {_name(self.crs)} against {_name(other.crs)}"
        if self.shape != other.shape:
            return f"{self.rows} x {self.cols} pixels against {other.rows} x {other.cols}"
        width, height = self.resolution
        for corner, sides in {"north-west": (0, 3), "south-east": (2, 1)}.items():
            east = other.bounds[sides[0]] - self.bounds[sides[0]]
            north = other.bounds[sides[1]] - self.bounds[sides[1]]
            if abs(east) > TOLERANCE_PX * width or abs(north) > TOLERANCE_PX * height:
                return (
                    f"{corner} corner differs by {east:g} east and {north:g} north "
                    f"(pixels are {width:g} x {height:g})"
                )
        return None

    def require_equal(self, other: Grid, this: str, that: str) -> None:
        """Raise LandcoverError, naming the corner, unless `other` is the same grid."""
        difference = self.difference(other)
        if difference:
            raise LandcoverError(
                f"{that} is not on the grid of {this}: {difference}; "
                "warp one to the other first, for example with gdalwarp"
            )


def _name(crs: CRS) -> str:
    """EPSG code where there is one."""
    epsg = crs.to_epsg()
    return f"EPSG:{epsg}" if epsg else crs.to_wkt()[:60]


def pixel_ha(grid: Grid) -> float | None:
    """Hectares of a pixel; None where the CRS has no unit of length."""
    if not grid.crs.is_projected:
        return None
    width, height = grid.resolution
    return width * height * grid.crs.linear_units_factor[1] ** 2 / 1e4
