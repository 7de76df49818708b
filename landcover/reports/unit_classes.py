"""Classes of points and polygons in a class raster, read by windows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from landcover.files import rasters, vectors
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED
from landcover.progress import track


def classes_of(path: Path, grid: Grid, geometries: np.ndarray) -> np.ndarray:
    """Class of each unit in a raster: of a point its pixel's, of a polygon the most frequent one.

    Parameters
    ----------
    path : path
        Class raster.
    grid : Grid
        Its grid.
    geometries : array of shapely geometries (units,)
        Points and polygons in the CRS of the grid.

    Returns
    -------
    array of int64 (units,)
        0 where the raster is empty, -1 outside the grid. A polygon takes the pixels whose centre
        it holds; where two classes have as many, the lower code. One that holds no centre takes
        the pixel of a point inside it.
    """
    import shapely

    classes = classes_amid(path, grid, geometries)
    placed = _placed(geometries)
    overlap = shapely.area(shapely.intersection(geometries[placed], shapely.box(*grid.bounds)))
    for unit in track(placed[overlap > 0].tolist(), f"reading {path.name}"):
        held = _classes_inside(path, grid, geometries[unit])
        if held:
            mapped = {code: n for code, n in held.items() if code != UNLABELLED}
            classes[unit] = min(mapped, key=lambda code: (-mapped[code], code), default=UNLABELLED)
    return classes


def classes_amid(path: Path, grid: Grid, geometries: np.ndarray) -> np.ndarray:
    """Class at one point of each unit, of a polygon one amid it; values as `classes_of`.

    Where a plot lies about a drawn pixel that pixel's class is the stratum of the plot.
    """
    import shapely

    placed = _placed(geometries)
    points = shapely.point_on_surface(geometries[placed])
    rows, cols = grid.rowcol(shapely.get_x(points), shapely.get_y(points))
    within = (rows >= 0) & (rows < grid.rows) & (cols >= 0) & (cols < grid.cols)
    classes = np.full(geometries.size, -1, np.int64)
    classes[placed[within]] = classes_at(path, grid, rows[within], cols[within])
    return classes


def classes_at(path: Path, grid: Grid, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Classes of single pixels; every part of the raster that holds some is read once."""
    classes = np.zeros(rows.size, np.int64)
    size = rasters.WINDOW_PX
    for part in np.unique(np.stack([rows // size, cols // size], axis=1), axis=0).tolist():
        row, col = part[0] * size, part[1] * size
        window = Window(row, col, min(size, grid.rows - row), min(size, grid.cols - col))
        here = (rows // size == part[0]) & (cols // size == part[1])
        classes[here] = rasters.read_classes(path, window)[rows[here] - row, cols[here] - col]
    return classes


def _placed(geometries: np.ndarray) -> np.ndarray:
    """Which geometries the grid's CRS can express; the others have infinite coordinates."""
    import shapely

    return np.flatnonzero(np.isfinite(shapely.bounds(geometries)).all(axis=1))


def _classes_inside(path: Path, grid: Grid, polygon: Any) -> Counter[int]:
    """Pixels of each class, 0 too, whose centre a polygon holds."""
    held: Counter[int] = Counter()
    whole = vectors.aoi_window(polygon, grid)
    for part in grid.crop(whole).windows(rasters.WINDOW_PX):
        window = Window(whole.row + part.row, whole.col + part.col, part.rows, part.cols)
        classes = rasters.read_classes(path, window)[vectors.inside(polygon, grid, window)]
        codes, counts = np.unique(classes, return_counts=True)
        held.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
    return held
