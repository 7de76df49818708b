"""What each block gives to its split, and what the guard takes, as polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landcover.grid import Grid
from landcover.samples.blocks import SPLITS, Blocks

if TYPE_CHECKING:
    import geopandas
    from shapely.geometry.base import BaseGeometry

#: What is left out beside blocks of another split.
GUARD = "guard"


def split_areas(blocks: Blocks, grid: Grid) -> geopandas.GeoDataFrame:
    """Polygons of the blocks of a scene: together they cover it once.

    Parameters
    ----------
    blocks : Blocks
        Blocks and their splits.
    grid : Grid
        The scene's grid.

    Returns
    -------
    GeoDataFrame
        ``block``, ``split`` (train, validation, test) and ``use``: the split that samples may be
        drawn for, or "guard". A block whose guard is in use has two rows.
    """
    import geopandas
    import shapely

    down, across = blocks.zones_of(np.arange(blocks.rows), np.arange(blocks.cols))
    tops, lefts = _edges(down, blocks.shape[0]), _edges(across, blocks.shape[1])
    found: dict[tuple[int, str], list[BaseGeometry]] = {}
    for (row, col), usable in np.ndenumerate(blocks.usable_zones):
        box = shapely.box(lefts[col], tops[row], lefts[col + 1], tops[row + 1])
        use = SPLITS[usable - 1] if usable else GUARD
        if box.area > 0:
            block = row // 3 * blocks.shape[1] + col // 3
            found.setdefault((block, use), []).append(box)
    a, b, c, d, e, f = grid.transform[:6]
    turn, shift = np.array([[a, d], [b, e]]), (c, f)
    splits = [SPLITS[blocks.splits.ravel()[block]] for block, _ in found]
    return geopandas.GeoDataFrame(
        {
            "block": np.array([block for block, _ in found], np.int32),
            "split": splits,
            "use": [use for _, use in found],
        },
        geometry=shapely.transform(
            np.array([_joined(boxes) for boxes in found.values()], object),
            lambda col_row: col_row @ turn + shift,
        ),
        crs=grid.crs,
    )


def _edges(zones: np.ndarray, blocks: int) -> np.ndarray:
    """First pixel of each zone, three a block, and the end of the last one."""
    return np.searchsorted(zones, np.arange(3 * blocks + 1))


def _joined(boxes: list[BaseGeometry]) -> BaseGeometry:
    """One multipolygon of boxes, without corners on straight edges."""
    import shapely

    joined = shapely.simplify(shapely.union_all(boxes), 0)
    return shapely.multipolygons(shapely.get_parts(joined))
