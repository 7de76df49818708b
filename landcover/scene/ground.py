"""Ground that two scenes share, whatever their CRS."""

from __future__ import annotations

from landcover.grid import Grid, same_crs

#: Outlines are bent into another CRS by this many points a side.
_POINTS = 32


def shared_ground(first: Grid, second: Grid) -> float:
    """The share of a grid's ground that another one covers, 0 to 1.

    Parameters
    ----------
    first, second : Grid
        In any CRS. Areas are those of the first one's.

    Returns
    -------
    float
        0 where they are too far apart to be drawn in one CRS.

    Examples
    --------
    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 200, 300)
    >>> east = Grid(grid.crs, Affine(10, 0, 302250, 0, -10, 5800000), 200, 300)
    >>> shared_ground(grid, east)
    0.25
    """
    import geopandas
    import numpy as np
    import shapely

    ground, other = shapely.box(*first.bounds), shapely.box(*second.bounds)
    if not same_crs(first.crs, second.crs):
        step = max(second.bounds[2] - second.bounds[0], second.bounds[3] - second.bounds[1])
        outline = shapely.segmentize(other, step / _POINTS)
        other = geopandas.GeoSeries([outline], crs=second.crs).to_crs(first.crs).iloc[0]
        if not np.isfinite(shapely.get_coordinates(other)).all() or not other.is_valid:
            return 0.0
    return float(ground.intersection(other).area / ground.area)
