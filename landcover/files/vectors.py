"""Vector data in: areas of interest, training areas and others, brought to the scene's grid.

Any OGR format is read (GeoJSON, GeoPackage, Shapefile, ...). Of a file of several layers one is
named after its path, as QGIS writes it: ``places.gpkg|layername=towns``. A pixel is inside a
polygon when its centre is. It is on a line or a point when they touch it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from landcover.errors import InputError, LandcoverError, MissingProduct, typed
from landcover.files import meridian
from landcover.grid import Grid, Window, are_degrees

if TYPE_CHECKING:
    import geopandas
    import pyproj
    import rasterio.crs
    from shapely import STRtree
    from shapely.geometry.base import BaseGeometry

    #: A CRS as a grid has it, as a GeoDataFrame has it, or by its name.
    CRSLike: TypeAlias = rasterio.crs.CRS | pyproj.CRS | str

LON_LAT = "EPSG:4326"

#: What parts a file from the name of its layer, as QGIS writes it.
_LAYER = "|layername="

#: Attributes of a frame: ids of features that were repaired, and of those that are left out.
_REPAIRED, _WITHOUT_AREA = "repaired", "without_area"

#: Corners closer than this share of a pixel to a pixel's edge lie on it.
SNAP_PX = 1e-6

#: An edge that is straight in one CRS is curved in another; so many points a scene follow it.
POINTS_PER_SCENE = 128


@dataclass(frozen=True)
class Polygons:
    """Polygons in the CRS of a grid.

    Attributes
    ----------
    geometries : list of shapely geometries
        Polygons or multipolygons.
    values : list or None
        The value of the class field for each; None when none was asked for.
    held : int
        Polygons that the file has, also away from the grid.
    repaired, without_area : tuple of int
        Feature ids of polygons whose geometry was invalid and has been repaired, and of features
        that are no polygons or have no area, which are left out.
    distinct : tuple
        Values of the class field in the whole file, each once.
    """

    geometries: list[BaseGeometry]
    values: list[object] | None = None
    held: int = 0
    repaired: tuple[int, ...] = ()
    without_area: tuple[int, ...] = ()
    distinct: tuple[object, ...] = ()

    def touching(self, frame: BaseGeometry) -> list[int]:
        """Which of them have a point in common with a geometry, in their order."""
        return np.sort(self._index.query(frame, predicate="intersects")).tolist()

    @cached_property
    def _index(self) -> STRtree:
        """Where they lie: a window looks at its own polygons alone, however many there are."""
        import shapely

        return shapely.STRtree(self.geometries)


def read_aoi(source: str | os.PathLike[str] | Sequence[float], grid: Grid) -> BaseGeometry:
    """An area of interest in the CRS of a grid, clipped to the neighbourhood of the grid.

    Parameters
    ----------
    source : path or (west, south, east, north)
        A vector file with a CRS, or a box. A box whose values are all within
        -180..180 and -90..90 is longitude and latitude (EPSG:4326); with west
        above east it lies across the 180th meridian. Other values are
        coordinates in the CRS of the grid.
    grid : Grid
        The scene's grid.

    Returns
    -------
    shapely Polygon or MultiPolygon
        Union of all polygons. Edges are straight in the source's CRS.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing, unreadable, has no CRS or no polygons, if the
        box is not west < east (but across the 180th meridian) and south < north,
        if a polygon is drawn round the globe instead of across that meridian, or
        if the area lies outside the grid.
    """
    import shapely

    frame, name = _frame_of(source, grid)
    return shapely.union_all(_on_grid(frame, grid, name).geometry.to_numpy())


def area_in_degrees(source: str | os.PathLike[str] | Sequence[float]) -> BaseGeometry:
    """An area of interest in longitude and latitude, wherever it lies.

    Parameters
    ----------
    source : path or (west, south, east, north)
        As `read_aoi` takes it; a box in degrees.

    Returns
    -------
    shapely geometry
        Across the 180th meridian with longitudes beyond 180.

    Raises
    ------
    InputError, MissingProduct
        As `read_aoi`, and for a box that is not in degrees.
    """
    import shapely

    if isinstance(source, (str, os.PathLike)):
        frame = _read(source)
        size = max(np.ptp(frame.total_bounds[0::2]), np.ptp(frame.total_bounds[1::2]))
        if frame.crs.is_geographic:
            meridian.require_cut(frame.geometry.to_numpy(), str(source))
        lines = shapely.segmentize(frame.geometry.to_numpy(), size / POINTS_PER_SCENE)
        parts = frame.set_geometry(lines, crs=frame.crs).to_crs(LON_LAT).geometry.to_numpy()
        parts = np.array([shapely.transform(part, meridian.without_jumps) for part in parts])
    else:
        frame, _ = _frame_of(source, None)
        parts = frame.geometry.to_numpy()
    return meridian.together(_surfaces(shapely.make_valid(parts)))


def share_on_grid(source: str | os.PathLike[str] | Sequence[float], grid: Grid) -> float:
    """The share of an area of interest, as `read_aoi` takes it, that lies on a grid, 0 to 1.

    It is of areas in the CRS of the source, which are alike close to one another. 1 where that CRS
    cannot express the grid.
    """
    import geopandas
    import shapely

    frame, _ = _frame_of(source, grid)
    step = grid.cols * grid.resolution[0] / POINTS_PER_SCENE
    outline = shapely.segmentize(shapely.box(*grid.bounds), step)
    there = geopandas.GeoSeries([outline], crs=grid.crs).to_crs(frame.crs).iloc[0]
    turns = frame.crs.is_geographic
    if turns:
        there = shapely.transform(there, meridian.without_jumps)
    if not np.isfinite(there.bounds).all() or not there.is_valid:
        return 1.0
    area = shapely.union_all(frame.geometry.to_numpy())
    held = meridian.clipped(np.array([area]), there, turns)
    return float(shapely.area(held).sum() / shapely.area(area))


def read_polygons(path: str | os.PathLike[str], grid: Grid, field: str | None = None) -> Polygons:
    """Polygons of a vector file that touch a grid, in its CRS.

    Parameters
    ----------
    path : path
        A vector file with a CRS.
    grid : Grid
        The scene's grid.
    field : str, optional
        Field whose value goes with each polygon.

    Raises
    ------
    InputError, MissingProduct
        As `read_aoi`, and if the field is not there.
    """
    frame = _read(path) if field is None else _read_with(path, field)
    repaired, without_area = frame.attrs.pop(_REPAIRED), frame.attrs.pop(_WITHOUT_AREA)
    near = _on_grid(frame, grid, f"{path}")
    values = None if field is None else near[field].tolist()
    distinct = () if field is None else tuple(frame[field].unique().tolist())
    return Polygons(list(near.geometry), values, len(frame), repaired, without_area, distinct)


def require_field(path: str | os.PathLike[str], field: str) -> None:
    """Raise `InputError` or `MissingProduct` if a vector file has no such field."""
    _read_with(path, field)


def _read_with(path: str | os.PathLike[str], field: str) -> geopandas.GeoDataFrame:
    """The polygons of a file, after a look at its fields."""
    frame = _read(path)
    if field not in frame.columns:
        fields = ", ".join(str(c) for c in frame.columns if c != frame.geometry.name)
        raise InputError(f"{path} has no field {field!r}; its fields are: {fields or 'none'}")
    return frame


def read_features(
    path: str | os.PathLike[str], grid: Grid, reach_m: float = 0.0
) -> list[BaseGeometry]:
    """Features of a vector file on a grid and around it, in its CRS.

    Parameters
    ----------
    path : path
        A vector file with a CRS: points, lines, polygons, or all of them.
    grid : Grid
        The scene's grid.
    reach_m : float
        How far around it, metres.

    Returns
    -------
    list of shapely geometries
        Points, lines and polygons, one or more.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing, unreadable, or has no CRS, no features or several layers, or if no
        feature is so near.
    """
    import shapely

    layers = read_layers(path, "give a vector file", "give a GeoPackage or other OGR file")
    found = {name: held for name, frame in layers.items() if len(held := _with_place(frame))}
    if not found:
        raise InputError(f"{path} holds no features with a geometry; give a file that has some")
    require_one_layer(path, list(found), "features")
    frame = next(iter(found.values()))
    require_place(path, frame)
    near = _on_grid(frame.reset_index(drop=True), grid, str(path), _reach(grid, reach_m), False)
    return shapely.get_parts(shapely.get_parts(near.geometry.to_numpy())).tolist()


def with_layer(path: str | os.PathLike[str], layer: str | None) -> Path:
    """The path of a layer of a vector file; as it is without a layer, or where it names one.

    >>> str(with_layer("places.gpkg", "towns")), str(with_layer("a.gpkg|layername=b", "towns"))
    ('places.gpkg|layername=towns', 'a.gpkg|layername=b')
    """
    path = os.fspath(path)
    return Path(path if layer is None or _LAYER in path else f"{path}{_LAYER}{layer}")


def file_and_layer(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The vector file of a path, and the layer that the path names after it.

    >>> file_and_layer("places.gpkg|layername=towns")
    (PosixPath('places.gpkg'), 'towns')
    """
    file, bar, layer = os.fspath(path).partition(_LAYER)
    return Path(file), layer if bar else None


def read_layers(
    path: str | os.PathLike[str], if_missing: str, if_unreadable: str
) -> dict[str, geopandas.GeoDataFrame]:
    """The layers of a vector file that have geometries, by name; GeoParquet has one.

    Only one where the path names it.

    Raises
    ------
    InputError, MissingProduct
        If the file or the layer is missing, or the file unreadable; the other arguments are the
        remedies.
    """
    import geopandas
    import pyogrio

    file, wanted = file_and_layer(path)
    if not file.exists():
        raise MissingProduct(f"{file} does not exist; {if_missing}")
    try:
        if file.suffix.lower() in (".parquet", ".geoparquet"):
            return {file.stem: geopandas.read_parquet(file)}
        held = [name for name, kind in pyogrio.list_layers(file) if kind is not None]
        if wanted is not None and wanted not in held:
            raise InputError(
                f"{file} has no layer {wanted!r} with geometries; its layers are "
                f"{', '.join(held) or 'none'}; name one of these after the file, as in "
                f"{typed(with_layer(file, held[0] if held else 'NAME'))}"
            )
        names = held if wanted is None else [wanted]
        return {name: geopandas.read_file(file, layer=name, fid_as_index=True) for name in names}
    except InputError:
        raise
    except Exception as error:  # of damaged files, the libraries raise what they like
        if isinstance(error, ImportError | MemoryError):
            raise
        raise InputError(
            f"{file} cannot be read as vector data ({_one_line(error)}); {if_unreadable}"
        ) from error


def require_one_layer(path: str | os.PathLike[str], layers: Sequence[str], held: str) -> None:
    """Raise InputError where several layers of a file could be meant."""
    if len(layers) > 1:
        raise InputError(
            f"{path} has several layers with {held}: {', '.join(layers)}; choose one with layer=, "
            f"or name it after the file: {typed(with_layer(path, layers[0]))}"
        )


def require_place(path: str | os.PathLike[str], frame: geopandas.GeoDataFrame) -> None:
    """Raise InputError for features without a CRS, or with one that cannot be theirs."""
    if frame.crs is None:
        raise InputError(
            f"{path} has no CRS; assign one: save it with that of its coordinates, as QGIS can"
        )
    bounds = frame.total_bounds
    if frame.crs.is_geographic and np.isfinite(bounds).all() and not are_degrees(bounds):
        west, south, east, north = bounds
        raise InputError(
            f"{path} is in degrees, as GeoJSON is where it names no CRS, and its features lie at "
            f"{west:.6g}, {south:.6g}, {east:.6g}, {north:.6g}, which are none; save it with the "
            "CRS of its coordinates, as QGIS can"
        )


def aoi_window(geometry: BaseGeometry, grid: Grid) -> Window:
    """The smallest window of a grid that holds what lies of a geometry on the grid.

    Examples
    --------
    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> from shapely.geometry import box
    >>> grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 200, 300)
    >>> aoi_window(box(300020, 5799900, 300035, 5799990), grid)
    Window(row=1, col=2, rows=9, cols=2)
    """
    width, height = grid.resolution
    west, south, east, north = geometry.bounds
    first_col = max(0, _floor((west - grid.transform.c) / width))
    first_row = max(0, _floor((grid.transform.f - north) / height))
    end_col = min(grid.cols, -_floor((grid.transform.c - east) / width))
    end_row = min(grid.rows, -_floor((south - grid.transform.f) / height))
    if first_col >= end_col or first_row >= end_row:
        raise _outside("the area of interest", geometry.bounds, grid.crs, grid)
    return Window(first_row, first_col, end_row - first_row, end_col - first_col)


def inside(geometry: BaseGeometry, grid: Grid, window: Window) -> np.ndarray:
    """Which pixels of a window have their centre inside a geometry: bool (rows, cols)."""
    return burn(Polygons([geometry]), [1], grid, window).astype(bool)


def burn(
    polygons: Polygons, codes: Sequence[int], grid: Grid, window: Window, dtype: str = "uint16"
) -> np.ndarray:
    """Codes of polygons as pixels of a window.

    Parameters
    ----------
    polygons : Polygons
        In the CRS of the grid.
    codes : sequence of int
        One for each polygon, 1-65535; where polygons overlap the last counts.
    grid : Grid
        The whole grid.
    window : Window
        Which part of it.
    dtype : str
        Type of the result, which must hold the codes.

    Returns
    -------
    array of `dtype` (rows, cols)
        Code of the polygon that holds the pixel's centre; 0 where there is none.
    """
    import shapely
    from rasterio.features import rasterize

    part = grid.crop(window)
    here = polygons.touching(shapely.box(*part.bounds))
    shapes = [(polygons.geometries[i], int(codes[i])) for i in here]
    if not shapes:
        return np.zeros((window.rows, window.cols), dtype)
    return rasterize(
        shapes, (window.rows, window.cols), fill=0, transform=part.transform, dtype=dtype
    )


def _floor(value: float) -> int:
    """Floor that forgives rounding just below a whole number."""
    return int(np.floor(value + SNAP_PX))


def _frame_of(
    source: str | os.PathLike[str] | Sequence[float], grid: Grid | None
) -> tuple[geopandas.GeoDataFrame, str]:
    """Polygons of a path or a box, and what to call them in messages."""
    if isinstance(source, (str, os.PathLike)):
        return _read(source), str(source)
    import geopandas
    import shapely

    name = "bbox " + " ".join(f"{float(v):g}" for v in source)
    if len(source) != 4 or not all(np.isfinite(source)):
        raise InputError(f"{name} is not four finite numbers; give W S E N")
    west, south, east, north = (float(v) for v in source)
    lon_lat = max(abs(west), abs(east)) <= 180 and max(abs(south), abs(north)) <= 90
    # A box from 179 to -179 lies across the 180th meridian; one from 14 to 13 has its sides swapped
    across = lon_lat and 0 < east + 360 - west < 180
    if (west >= east and not across) or south >= north:
        raise InputError(
            f"{name} is empty: west must be less than east, or less than half the globe west of it "
            "across the 180th meridian, and south less than north; give W S E N"
        )
    if not lon_lat and grid is None:
        raise InputError(f"{name} is not in degrees; give W S E N as longitude and latitude")
    box = shapely.box(west, south, east + 360 if west >= east else east, north)
    return geopandas.GeoDataFrame(
        geometry=[box], crs=LON_LAT if lon_lat or not grid else grid.crs
    ), name


def _read(path: str | os.PathLike[str]) -> geopandas.GeoDataFrame:
    """The polygons of a file, with its CRS."""
    layers = read_layers(
        path,
        "give a GeoJSON, GeoPackage or other polygons",
        "give a GeoJSON, GeoPackage or other OGR file",
    )
    found = {name: held for name, frame in layers.items() if len(held := _only_polygons(frame))}
    if not found:
        kinds = sorted({kind for frame in layers.values() for kind in frame.geom_type.dropna()})
        held = f" but {kinds[0]}" if kinds else ""
        raise InputError(
            f"{path} holds no polygons{held}; an area needs at least one, and points and lines get "
            "an area by a buffer, as QGIS makes it"
        )
    require_one_layer(path, list(found), "polygons")
    frame = next(iter(found.values()))
    require_place(path, frame)
    return frame.reset_index(drop=True)


def _only_polygons(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Rows with a polygon of some area, made valid and flat; their ids stand in its attributes."""
    import shapely

    given = frame.index
    frame = frame[~shapely.is_missing(frame.geometry.to_numpy())]
    flat = shapely.force_2d(frame.geometry.to_numpy())
    invalid = frame.index[~shapely.is_valid(flat)]
    frame = frame.set_geometry(_surfaces(shapely.make_valid(flat)), crs=frame.crs)
    frame = frame[_areas(frame) > 0]
    frame.attrs[_REPAIRED] = tuple(frame.index.intersection(invalid).tolist())
    frame.attrs[_WITHOUT_AREA] = tuple(given.difference(frame.index).tolist())
    return frame


def _surfaces(geometries: np.ndarray) -> np.ndarray:
    """Geometries without the points and lines that repairing and clipping leave.

    Rasterising a line marks pixels whose centre is not on it.
    """
    import shapely

    collection = shapely.GeometryType.GEOMETRYCOLLECTION
    geometries = np.array(geometries, object)
    for i in np.flatnonzero(shapely.get_type_id(geometries) == collection):
        parts = shapely.get_parts(shapely.get_parts(geometries[i]))
        geometries[i] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return geometries


def _with_place(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Rows with a geometry that is not empty, polygons made valid, and flat."""
    import shapely

    geometries = shapely.force_2d(frame.geometry.to_numpy())
    held = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    return frame[held].set_geometry(shapely.make_valid(geometries[held]), crs=frame.crs)


def _reach(grid: Grid, reach_m: float) -> tuple[float, float]:
    """A length on the ground as one to the east and one to the north, in units of a grid's CRS."""
    width, height = grid.resolution
    width_m, height_m = grid.pixel_size_m
    return reach_m * width / width_m, reach_m * height / height_m


def _areas(frame: geopandas.GeoDataFrame) -> np.ndarray:
    """Area in the square of the CRS's own units: only ever compared with 0."""
    import shapely

    return shapely.area(frame.geometry.to_numpy())


def _on_grid(
    frame: geopandas.GeoDataFrame,
    grid: Grid,
    name: str,
    reach: tuple[float, float] = (0.0, 0.0),
    surfaces: bool = True,
) -> geopandas.GeoDataFrame:
    """Features that touch the grid and `reach` around it, in its CRS; with `surfaces` polygons.

    Far parts are cut off before reprojecting: a country, or the world, has
    points that the CRS of a scene cannot express.
    """
    import shapely

    same = frame.crs == grid.crs
    around = shapely.box(*(np.array(grid.bounds) + np.array([-1, -1, 1, 1]) * np.tile(reach, 2)))
    west, south, east, north = _bounds_in(around.bounds, grid.crs, frame.crs)
    if not np.isfinite([west, south, east, north]).all():
        raise _outside(name, frame.total_bounds, frame.crs, grid)
    parts = frame.geometry.to_numpy()
    if frame.crs.is_geographic:
        meridian.require_cut(parts, name)
        east += 360 if west > east else 0  # a scene across the 180th meridian
    size = max(east - west, north - south)
    margin = size / 10
    clip = shapely.box(west - margin, south - margin, east + margin, north + margin)
    turns = frame.crs.is_geographic and east - west < 360
    keep = _surfaces if surfaces else np.asarray
    clipped = keep(meridian.clipped(parts, clip, turns))
    if not same:
        clipped = shapely.segmentize(clipped, size / POINTS_PER_SCENE)
    result = frame.set_geometry(clipped, crs=frame.crs)
    result = result[_areas(result) > 0 if surfaces else ~shapely.is_empty(clipped)]
    if not same:
        result = result.to_crs(grid.crs)
        turned = keep(meridian.turned(result.geometry.to_numpy(), grid))
        result = result.set_geometry(turned, crs=result.crs)
    touching = shapely.intersects(result.geometry.to_numpy(), around)
    if not touching.any():
        raise _outside(name, frame.total_bounds, frame.crs, grid)
    return result[touching]


def _bounds_in(bounds: Sequence[float], source: CRSLike, target: CRSLike) -> tuple[float, ...]:
    """Bounds in another CRS; infinite where it cannot express them."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    source, target = CRS.from_user_input(source), CRS.from_user_input(target)
    try:
        transformer = Transformer.from_crs(source, target, always_xy=True)
        west, south, east, north = bounds
        return transformer.transform_bounds(west, south, east, north)
    except ProjError:
        return (np.inf,) * 4


def _outside(name: str, bounds: Sequence[float], crs: CRSLike, grid: Grid) -> LandcoverError:
    """The error for an area that misses the scene: both extents in one CRS."""
    area = _lon_lat_text(bounds, crs)
    scene = _lon_lat_text(grid.bounds, grid.crs)
    return InputError(
        f"{name} lies outside the scene: it covers {area}, the scene {scene} "
        "(W S E N, EPSG:4326); give an area that overlaps the scene"
    )


def _lon_lat_text(bounds: Sequence[float], crs: CRSLike) -> str:
    """West, south, east and north in degrees."""
    return " ".join(f"{v:.4f}" for v in _bounds_in(bounds, crs, LON_LAT))


def _one_line(error: Exception) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split())[:160]
