"""The pixel grid: one validated value for CRS, transform and shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from landcover.errors import InputError, require_whole, typed

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import Transformer
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

#: Corners closer than this share of a pixel are the same corner.
TOLERANCE_PX = 0.01
#: Areas are computed at pixels so far apart and interpolated between them: to better than 1e-6.
AREA_STEP_M = 5_000.0
#: Formats in whose files GDAL assigns no CRS to what is there.
_WRITTEN_ONCE = ("Zarr", "netCDF", "HDF5Image", "HDF4Image")
#: No camera sees land in pixels as narrow as this: such coordinates are degrees taken for metres.
LEAST_PIXEL_M = 0.001


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

    def __post_init__(self) -> None:
        for name in ("row", "col", "rows", "cols"):
            require_whole(name, getattr(self, name), None)
        if self.rows < 0 or self.cols < 0:
            raise InputError(
                f"a window of {self.rows} x {self.cols} pixels is none; "
                "give rows and cols from 0 on"
            )

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for an array of the whole grid."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)

    def contains(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Which pixels lie in the window, bool.

        Parameters
        ----------
        rows, cols : array
            Pixels of the grid, or places on it counted from its corner; NaN lies in none.

        Returns
        -------
        array of bool
            In the shape of `rows` and `cols` together.
        """
        down, across = rows - self.row, cols - self.col
        return (down >= 0) & (down < self.rows) & (across >= 0) & (across < self.cols)

    def within(self, rows: int, cols: int) -> tuple[Window, tuple[slice, slice]]:
        """The part that lies on a raster of some shape, and where that part lies in the window.

        Parameters
        ----------
        rows, cols : int
            Shape of the raster, pixels.

        Returns
        -------
        (Window, (slice, slice))
            The part on the raster; and its rows and columns in an array of this window.

        Examples
        --------
        >>> Window(-1, 2, rows=3, cols=3).within(8, 4)
        (Window(row=0, col=2, rows=2, cols=2), (slice(1, 3, None), slice(0, 2, None)))
        """
        top, left = max(self.row, 0), max(self.col, 0)
        bottom = max(min(self.row + self.rows, rows), top)
        right = max(min(self.col + self.cols, cols), left)
        place = slice(top - self.row, bottom - self.row), slice(left - self.col, right - self.col)
        return Window(top, left, bottom - top, right - left), place

    def padded(self, pixels: int, across: int | None = None) -> Window:
        """The window with a margin on every side.

        Parameters
        ----------
        pixels : int
            Width of the margin.
        across : int, optional
            Its width to the left and right, where that is another.

        Returns
        -------
        Window
            It may reach over the edge of the grid.
        """
        across = pixels if across is None else across
        return Window(
            self.row - pixels, self.col - across, self.rows + 2 * pixels, self.cols + 2 * across
        )


def in_metres(pixels: float, pixel_m: float | None = None) -> str:
    """A length in pixels, and in metres on the ground where the side of a pixel is known.

    >>> in_metres(170, 10.004), in_metres(3.4, 0.5), in_metres(30)
    ('170 px (1,700 m)', '3 px (1.7 m)', '30 px')
    """
    if pixel_m is None:
        return f"{pixels:.0f} px"
    metres = float(f"{pixels * pixel_m:.3g}")
    shown = f"{metres:,.0f}" if metres >= 10 else f"{metres:g}"
    return f"{pixels:.0f} px ({shown} m)"


def windows_of(rows: int, cols: int, size: int) -> Iterator[Window]:
    """Windows of at most `size` x `size` pixels that tile a raster, row by row.

    >>> [(w.row, w.col, w.rows, w.cols) for w in windows_of(3, 2, 2)]
    [(0, 0, 2, 2), (2, 0, 1, 2)]
    """
    for row in range(0, rows, size):
        for col in range(0, cols, size):
            yield Window(row, col, min(size, rows - row), min(size, cols - col))


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
            raise InputError(
                "the grid has no CRS; give one of rasterio, for example "
                "rasterio.crs.CRS.from_epsg(32633)"
            )
        if not hasattr(self.crs, "to_wkt"):
            raise InputError(
                f"crs {self.crs!r} is no CRS; give one of rasterio, for example "
                "rasterio.crs.CRS.from_epsg(32633)"
            )
        if not hasattr(self.transform, "itransform"):
            raise InputError(
                f"transform {self.transform!r} is no affine.Affine; give one, for example "
                "Affine(10, 0, west, 0, -10, north)"
            )
        for name in ("rows", "cols"):
            require_whole(name, getattr(self, name), None)
        if self.rows < 1 or self.cols < 1:
            raise InputError(f"grid of {self.rows} x {self.cols} pixels is empty")
        t = self.transform
        if t.b or t.d or t.a <= 0 or t.e >= 0:
            raise InputError(
                f"transform {tuple(t)[:6]} is rotated or not north-up; warp the raster first, "
                "for example with: rio warp FILE NEW.tif --dst-crs EPSG:CODE"
            )

    @classmethod
    def of(cls, dataset: DatasetReader) -> Grid:
        """The grid of an open rasterio dataset.

        Parameters
        ----------
        dataset : rasterio dataset
            An open raster.

        Returns
        -------
        Grid
            Its CRS, transform and shape.

        Raises
        ------
        InputError
            If the raster has no CRS, one without maps of the earth or one that its coordinates
            cannot be of, or if its pixels are rotated.
        """
        _require_place(dataset)
        assign = _assign_crs(dataset)
        if not dataset.crs:
            raise InputError(
                f"the raster has no CRS; assign one, that of its coordinates, with: {assign}"
            )
        grid = cls(dataset.crs, dataset.transform, dataset.height, dataset.width)
        in_degrees = _require_map(grid.crs.to_wkt(), assign)
        west, south, east, north = grid.bounds
        if in_degrees and not are_degrees(grid.bounds):
            raise InputError(
                f"its CRS is in degrees and its bounds are {west:.6g}, {south:.6g}, {east:.6g}, "
                f"{north:.6g}, which are none; assign the CRS that its coordinates are of, for "
                f"example with: {assign}"
            )
        if not in_degrees and max(grid.pixel_size_m) < LEAST_PIXEL_M:
            raise InputError(
                f"its pixels would be {max(grid.pixel_size_m):.1g} m wide, and its bounds are "
                f"{west:.6g}, {south:.6g}, {east:.6g}, {north:.6g}: these look like degrees and "
                f"its CRS is in {grid.crs.linear_units}; assign the CRS that its coordinates are "
                f"of, with: {assign.replace('CODE', '4326')}"
            )
        return grid

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

    def xy(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Map coordinates of pixel centres.

        Parameters
        ----------
        rows, cols : array of int or float
            Rows and columns of pixels, counted from 0.

        Returns
        -------
        (array of float, array of float)
            x and y in units of the CRS.
        """
        width, height = self.resolution
        x = self.transform.c + (np.asarray(cols) + 0.5) * width
        y = self.transform.f - (np.asarray(rows) + 0.5) * height
        return x, y

    def rowcol(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the pixels that hold map coordinates; may lie outside the grid.

        Parameters
        ----------
        x, y : array of float
            Map coordinates, in units of the CRS.

        Returns
        -------
        (array of int, array of int)
            Rows and columns.
        """
        width, height = self.resolution
        cols = np.floor((np.asarray(x) - self.transform.c) / width).astype(np.int64)
        rows = np.floor((self.transform.f - np.asarray(y)) / height).astype(np.int64)
        return rows, cols

    @property
    def pixel_size_m(self) -> tuple[float, float]:
        """Width and height, in metres on the ground, of the pixel in the middle of the grid.

        >>> from affine import Affine
        >>> from rasterio.crs import CRS
        >>> mercator = Affine(10, 0, 1500000, 0, -10, 6800000)
        >>> width, height = Grid(CRS.from_epsg(3857), mercator, 100, 100).pixel_size_m
        >>> round(width, 2), round(height, 2)
        (6.17, 6.15)
        """
        across, down = self._sides_m((self.rows - 1) / 2, (self.cols - 1) / 2)
        return float(np.linalg.norm(across)), float(np.linalg.norm(down))

    @property
    def pixel_m(self) -> float:
        """Mean of width and height, in metres on the ground, of the pixel in the middle."""
        return float(np.mean(self.pixel_size_m))

    def pixels(self, length_m: float) -> int:
        """Whole pixels nearest to a length on the ground, at least one.

        Parameters
        ----------
        length_m : float
            Metres on the ground.

        Returns
        -------
        int
            Number of pixels, 1 or more.

        Examples
        --------
        >>> from affine import Affine
        >>> from rasterio.crs import CRS
        >>> scene = Grid(CRS.from_epsg(32633), Affine(10, 0, 3e5, 0, -10, 58e5), 100, 100)
        >>> scene.pixels(100), scene.pixels(3)
        (10, 1)
        """
        return max(1, round(length_m / self.pixel_m))

    @property
    def relative_sides(self) -> tuple[float, float]:
        """Height and width of a pixel on the ground, in units of their mean.

        1 and 1 where they are equal to half a percent.

        Examples
        --------
        >>> from affine import Affine
        >>> from rasterio.crs import CRS
        >>> degrees = Grid(CRS.from_epsg(4326), Affine(9e-5, 0, 13, 0, -9e-5, 52), 100, 100)
        >>> [round(side, 2) for side in degrees.relative_sides]
        [1.24, 0.76]
        """
        width, height = self.pixel_size_m
        if abs(height - width) <= 0.005 * (height + width) / 2:
            return 1.0, 1.0
        return 2 * height / (height + width), 2 * width / (height + width)

    def length_px(self, length_m: float) -> float:
        """A length on the ground in pixels of the mean of their sides.

        Parameters
        ----------
        length_m : float
            Metres on the ground.

        Returns
        -------
        float
            Whole where it is whole to half a percent, as in `spans_px`; may be less than 1.
        """
        return _nearly_whole(length_m / self.pixel_m)

    def spans_px(self, length_m: float) -> tuple[float, float]:
        """Pixels down and across that make a length on the ground, fractions of them too.

        Parameters
        ----------
        length_m : float
            Metres on the ground.

        Returns
        -------
        (float, float)
            1 or more each, as nothing on the grid is smaller. Whole numbers where they are whole
            to half a percent: pixels of UTM are not quite 10 m wide, and ten of them are 100 m.

        Examples
        --------
        >>> from affine import Affine
        >>> from rasterio.crs import CRS
        >>> scene = Grid(CRS.from_epsg(32633), Affine(10, 0, 3e5, 0, -10, 58e5), 100, 100)
        >>> scene.spans_px(100), scene.spans_px(55)[0].__round__(2)
        ((10.0, 10.0), 5.5)
        >>> degrees = Grid(CRS.from_epsg(4326), Affine(9e-5, 0, 13, 0, -9e-5, 52), 100, 100)
        >>> [round(span, 2) for span in degrees.spans_px(100)]
        [10.0, 16.18]
        """
        width, height = self.pixel_size_m
        down, across = (_nearly_whole(length_m / side) for side in (height, width))
        return max(1.0, down), max(1.0, across)

    def pixel_areas_ha(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> np.ndarray:
        """Hectares that pixels have on the ground.

        A pixel is the parallelogram between the middles of its sides, with these on the
        ellipsoid of the CRS. So the unit of the CRS and the scale of its projection are in the
        result. A CRS that does not say where on the earth it lies is plane.

        Parameters
        ----------
        rows, cols : array_like
            Of the pixels; fractions lie between their middles.

        Returns
        -------
        array of float64
            Of the same shape; 0 where the projection has no place on the earth.
        """
        across, down = self._sides_m(rows, cols)
        return np.nan_to_num(np.linalg.norm(np.cross(across, down), axis=-1) / 1e4)

    def areas_ha(self, window: Window) -> np.ndarray:
        """Hectares on the ground of every pixel of a window, float64 (rows, cols).

        They are those of `pixel_areas_ha` at pixels 5 km apart, with linear interpolation
        between. The same pixel has the same area whatever window it is read in.

        Parameters
        ----------
        window : Window
            Pixels of the grid.

        Returns
        -------
        array of float64, (rows, cols)
            Hectares.
        """
        step = max(1, int(AREA_STEP_M / max(self.pixel_size_m)))
        rows = _nodes(window.row, window.rows, step, self.rows)
        cols = _nodes(window.col, window.cols, step, self.cols)
        known = self.pixel_areas_ha(*np.meshgrid(rows, cols, indexing="ij"))
        down = np.arange(window.row, window.row + window.rows)
        across = np.arange(window.col, window.col + window.cols)
        by_row = np.stack([np.interp(down, rows, of_col) for of_col in known.T], axis=1)
        return np.stack([np.interp(across, cols, of_row) for of_row in by_row])

    def _sides_m(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """From the left to the right side of pixels, and from the upper to the lower (..., 3)."""
        rows, cols = np.asarray(rows, np.float64), np.asarray(cols, np.float64)
        earth = _earth(self.crs.to_wkt())
        left, right, upper, lower = (
            earth.places_m(*self.xy(rows + down, cols + across))
            for down, across in ((0, -0.5), (0, 0.5), (-0.5, 0), (0.5, 0))
        )
        return right - left, lower - upper

    def windows(self, size: int) -> Iterator[Window]:
        """Windows of at most `size` x `size` pixels that tile the grid, row by row.

        Parameters
        ----------
        size : int
            Longest side of a window, pixels.

        Returns
        -------
        iterator of Window
            From the upper left, row by row; those at the far edges may be smaller.
        """
        return windows_of(self.rows, self.cols, size)

    def crop(self, window: Window) -> Grid:
        """The grid of a window.

        Parameters
        ----------
        window : Window
            Pixels of this grid.

        Returns
        -------
        Grid
            In the same CRS, as large as the window.
        """
        from affine import Affine

        width, height = self.resolution
        west = self.transform.c + window.col * width
        north = self.transform.f - window.row * height
        transform = Affine(width, 0, west, 0, -height, north)
        return Grid(self.crs, transform, window.rows, window.cols)

    def position(self, other: Grid) -> tuple[float, float]:
        """Row and column, in pixels of this grid, at which the corner of another one lies.

        Parameters
        ----------
        other : Grid
            A grid in the same CRS.

        Returns
        -------
        (float, float)
            Row and column, in pixels of this grid.
        """
        width, height = self.resolution
        row = (self.transform.f - other.transform.f) / height
        col = (other.transform.c - self.transform.c) / width
        return row, col

    def difference(self, other: Grid) -> str | None:
        """What sets two grids apart, in words; None when they are equal.

        Parameters
        ----------
        other : Grid
            The grid to compare with.

        Returns
        -------
        str or None
            What differs: CRS, pixel size, corner or shape.
        """
        if not same_crs(self.crs, other.crs):
            return f"CRS {_name(self.crs)} against {_name(other.crs)}"
        shapes = (
            []
            if self.shape == other.shape
            else [f"{self.rows} x {self.cols} pixels against {other.rows} x {other.cols}"]
        )
        width, height = self.resolution
        for corner, sides in {"north-west": (0, 3), "south-east": (2, 1)}.items():
            east = other.bounds[sides[0]] - self.bounds[sides[0]]
            north = other.bounds[sides[1]] - self.bounds[sides[1]]
            if abs(east) > TOLERANCE_PX * width or abs(north) > TOLERANCE_PX * height:
                shapes.append(
                    f"{corner} corner differs by {east:g} east and {north:g} north "
                    f"(pixels are {width:g} x {height:g})"
                )
                break
        return ", ".join(shapes) or None

    def require_equal(self, other: Grid, this: str, that: str) -> None:
        """Raise InputError, naming the corner, unless `other` is the same grid.

        Parameters
        ----------
        other : Grid
            The grid to compare with.
        this, that : str
            What the error calls the two grids, such as paths.

        Raises
        ------
        InputError
            If the grids differ.
        """
        difference = self.difference(other)
        if difference:
            raise InputError(
                f"{that} is not on the grid of {this}: {difference}; "
                "warp it first, for example with: "
                f"rio warp {typed(that)} NEW.tif --like {typed(this)}"
            )


def same_crs(one: CRS, other: CRS) -> bool:
    """Whether two reference systems are the same, whatever form they are written in.

    A raster's columns run east and its rows south, so that the order of axes, in which two forms of
    one system can differ, does not count.

    Parameters
    ----------
    one, other : rasterio.crs.CRS
        To compare.

    Returns
    -------
    bool
        True where they are equal, or equivalent to one EPSG code.

    Examples
    --------
    >>> from rasterio.crs import CRS
    >>> wgs84 = CRS.from_epsg(4326)
    >>> same_crs(wgs84, CRS.from_wkt(wgs84.to_wkt(version="WKT1_ESRI")))
    True
    >>> same_crs(wgs84, CRS.from_epsg(4258))
    False
    """
    return bool(one == other or (one.to_epsg() and one.to_epsg() == other.to_epsg()))


def _name(crs: CRS) -> str:
    """EPSG code where there is one."""
    epsg = crs.to_epsg()
    return f"EPSG:{epsg}" if epsg else crs.to_wkt()[:60]


@dataclass(frozen=True)
class _Earth:
    """From map coordinates of a CRS to metres in space.

    Attributes
    ----------
    to_degrees : pyproj.Transformer or None
        To longitude and latitude; None for a plane CRS without a place on the earth.
    unit : float
        Radians of its angles; of a plane CRS, metres of its lengths.
    radius_m, flattening : float
        Equatorial radius and flattening of the ellipsoid.
    """

    to_degrees: Transformer | None
    unit: float
    radius_m: float = 6_378_137.0
    flattening: float = 1 / 298.257223563

    def places_m(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Places (..., 3); from the middle of the earth where the CRS lies on it."""
        if self.to_degrees is None:
            return np.stack([x * self.unit, y * self.unit, np.zeros_like(x)], axis=-1)
        lon, lat = (np.asarray(v) * self.unit for v in self.to_degrees.transform(x, y))
        known = np.isfinite(lon) & np.isfinite(lat)
        lon, lat = np.where(known, lon, np.nan), np.where(known, lat, np.nan)
        polar = (1 - self.flattening) ** 2
        normal = self.radius_m / np.sqrt(np.cos(lat) ** 2 + polar * np.sin(lat) ** 2)
        across = normal * np.cos(lat)
        return np.stack(
            [across * np.cos(lon), across * np.sin(lon), polar * normal * np.sin(lat)], axis=-1
        )


def are_degrees(bounds: Sequence[float]) -> bool:
    """Whether west, south, east and north can be degrees; east may be a turn or two further on.

    >>> are_degrees((179, -17, 181, -16)), are_degrees((399_960, 5_797_620, 402_360, 5_800_020))
    (True, False)
    """
    west, south, east, north = bounds
    return south >= -91 and north <= 91 and west >= -361 and east <= 721


def _require_place(dataset: DatasetReader) -> None:
    """InputError for a raster of which no CRS alone would make a place on earth."""
    if dataset.transform != dataset.transform.identity():
        return
    points, crs = dataset.gcps
    if points:
        code = f"EPSG:{crs.to_epsg()}" if crs and crs.to_epsg() else "EPSG:CODE"
        raise InputError(
            "ground control points alone say where the raster lies; warp it first, for example "
            f"with: rio warp FILE NEW.tif --dst-crs {code}"
        )
    place = "EPSG:CODE --transform '[10, 0, WEST, 0, -10, NORTH]'"
    raise InputError(
        "the raster does not say where it lies; give it a CRS and the place of its upper left "
        f"corner, for example with: {_assign_crs(dataset).replace('EPSG:CODE', place)}"
    )


def _assign_crs(dataset: DatasetReader) -> str:
    """The command that assigns a raster its CRS, EPSG:CODE.

    To a copy where GDAL changes nothing in the file: in formats that it writes only once, in
    archives, and in Cloud-Optimised GeoTIFFs, whose layout would be broken.
    """
    layout = dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT")
    once = dataset.driver in _WRITTEN_ONCE or dataset.name.startswith("/vsi") or layout == "COG"
    if once:
        copy = "rio convert FILE NEW.tif --driver GTiff"
        return f"{copy} && rio edit-info --crs EPSG:CODE NEW.tif"
    return "rio edit-info --crs EPSG:CODE FILE"


@lru_cache(maxsize=64)
def _require_map(wkt: str, assign: str) -> bool:
    """Whether a CRS is in degrees; InputError unless it is one of maps of the earth."""
    from pyproj import CRS

    crs = CRS.from_wkt(wkt)
    if crs.geodetic_crs is None or crs.is_geocentric:
        kind = "a geocentric one" if crs.is_geocentric else "a local one, without a place on earth"
        raise InputError(
            f"the CRS {crs.name!r} is {kind}; assign the true one, for example with: {assign}"
        )
    return bool(crs.is_geographic and crs.axis_info[0].unit_name == "degree")


@lru_cache(maxsize=64)
def _earth(wkt: str) -> _Earth:
    """The earth of a CRS.

    Each CRS is taken on its own ellipsoid, which fits the ground where it is used. A sphere is
    none: its maps, MODIS's and others', hold latitudes of WGS 84.
    """
    from pyproj import CRS, Transformer

    crs = CRS.from_wkt(wkt)
    on_earth = crs.geodetic_crs
    if on_earth is None:
        return _Earth(None, crs.axis_info[0].unit_conversion_factor)
    to_degrees = Transformer.from_crs(crs, on_earth, always_xy=True)
    unit = on_earth.axis_info[0].unit_conversion_factor
    body = on_earth.ellipsoid
    if body is None or not body.inverse_flattening:
        return _Earth(to_degrees, unit)
    return _Earth(to_degrees, unit, body.semi_major_metre, 1 / body.inverse_flattening)


def _nearly_whole(pixels: float) -> float:
    """A number of pixels, made whole where it is that to half a percent."""
    whole = round(pixels)
    return float(whole) if abs(pixels - whole) <= 0.005 * whole else pixels


def _nodes(start: int, count: int, step: int, size: int) -> np.ndarray:
    """Multiples of a step that enclose some pixels, none beyond the grid."""
    nodes = np.arange(start // step, (start + count - 1) // step + 2) * step
    return np.unique(np.clip(nodes, 0, size - 1))
