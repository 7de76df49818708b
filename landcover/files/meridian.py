"""Polygons across the 180th meridian: longitudes of one place differ by whole turns of 360."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from landcover.grid import Grid


def require_cut(geometries: np.ndarray, name: str) -> None:
    """Raise InputError for a polygon drawn round the globe instead of across the 180th meridian.

    Parameters
    ----------
    geometries : array of shapely geometries
        In longitude and latitude.
    name : str
        What the error calls their file.
    """
    import shapely

    west, _, east, _ = shapely.bounds(shapely.get_parts(geometries)).T
    astray = (east - west > 180) & (west > -180) & (east < 180)
    if astray.any():
        first = int(np.flatnonzero(astray)[0])
        raise InputError(
            f"{name} holds a polygon from {west[first]:g} to {east[first]:g} degrees east, more "
            "than half the globe; cut it at the 180th meridian into two polygons, one that ends at "
            "180 and one that begins at -180, as GeoJSON asks (RFC 7946)"
        )


def clipped(geometries: np.ndarray, clip: BaseGeometry, turns: bool) -> np.ndarray:
    """The part of geometries in a clip; with `turns` also of their likes a turn of 360 away.

    Parameters
    ----------
    geometries : array of shapely geometries
        In one CRS.
    clip : shapely Polygon
        In the same CRS, a box or any other.
    turns : bool
        Whether x is longitude, of which -179.9 and 180.1 are the same.
    """
    import shapely

    west, _, east, _ = shapely.total_bounds(geometries)
    least, _, most, _ = clip.bounds
    near = [by for by in (-360, 360) if turns and west + by < most and east + by > least]
    found = shapely.intersection(geometries, clip)
    for by in near:
        turned = shapely.transform(geometries, lambda xy, by=by: xy + [by, 0])
        found = shapely.union(found, shapely.intersection(turned, clip))
    return found


def turned(geometries: np.ndarray, grid: Grid) -> np.ndarray:
    """Reprojected geometries at the longitudes of a grid, where the grid is in degrees.

    Reprojecting gives longitudes of -180 to 180. So a polygon across 180 degrees has corners at
    both ends of them, and a grid that goes on beyond has others for the same places.

    Parameters
    ----------
    geometries : array of shapely geometries
        In the CRS of the grid.
    grid : Grid
        A scene's grid.

    Returns
    -------
    array of shapely geometries
        Clipped to the neighbourhood of a grid in degrees; as they are on other grids.
    """
    import shapely

    if not geometries.size or not grid.crs.is_geographic:
        return geometries
    west, south, east, north = grid.bounds
    margin = (east - west) / 10
    clip = shapely.box(west - margin, south - margin, east + margin, north + margin)
    whole = np.array([shapely.transform(one, without_jumps) for one in geometries], object)
    return clipped(whole, clip, turns=east - west < 360)


def without_jumps(lon_lat: np.ndarray) -> np.ndarray:
    """Corners of a geometry, each at the longitude that is nearest to that of the first.

    >>> without_jumps(np.array([[179.75, 65.0], [-179.75, 65.0]])).tolist()
    [[179.75, 65.0], [180.25, 65.0]]
    """
    turns = np.rint((lon_lat[:, 0] - lon_lat[:1, 0]) / 360)
    return lon_lat - np.stack([360 * turns, np.zeros_like(turns)], axis=-1)


def together(parts: np.ndarray) -> BaseGeometry:
    """The union of parts in degrees; where that leaves one half of the globe, west of 180 or east.

    Parts that end at 180 and others that begin at -180 become neighbours: the latter are turned.

    >>> from shapely import box
    >>> together(np.array([box(179, 60, 180, 61), box(-180, 60, -179, 61)])).bounds
    (179.0, 60.0, 181.0, 61.0)
    """
    import shapely

    west, _, east, _ = shapely.total_bounds(parts)
    if east - west > 180:
        turned_parts = [
            shapely.transform(one, lambda xy: xy + [360 * (xy[:, 0].max() <= 0), 0])
            for one in shapely.get_parts(parts)
        ]
        whole = shapely.union_all(turned_parts)
        if whole.bounds[2] - whole.bounds[0] < east - west:
            return whole
    return shapely.union_all(parts)


def boxes(area: BaseGeometry) -> list[tuple[float, float, float, float]]:
    """The box around an area in degrees as one box, or two at the 180th meridian.

    >>> from shapely import box
    >>> boxes(box(179, 60, 181, 61))
    [(179.0, 60.0, 180.0, 61.0), (-180.0, 60.0, -179.0, 61.0)]
    """
    west, south, east, north = area.bounds
    if west < -180:
        west, east = west + 360, east + 360
    if east <= 180:
        return [(west, south, east, north)]
    if west >= 180:
        return [(west - 360, south, east - 360, north)]
    return [(west, south, 180.0, north), (-180.0, south, east - 360, north)]
