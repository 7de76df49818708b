"""How fine labels are drawn: measured, since a raster in CORINE's codes need not be CORINE."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.legend import UNLABELLED, Nomenclature
from landcover.progress import track

#: Share of the labelled area that may lie in smaller regions.
SLIVERS = 0.01
#: Smallest region that a scheme's maps are specified to have, hectares; of others it is a cell.
SPECIFIED_HA = {"corine": 25.0}
#: Regions below this share of the specified one are none of it; on another grid it may lose that.
_PART = 0.8
#: Cells that are wider than the scheme's by this factor are no rounding of it.
_WIDER = 1.5


def least_region_ha(path: Path) -> float | None:
    """How large the regions of one class are that hold 99 % of the labelled area, at least.

    The smallest region of all says little: polygons drawn as cells leave slivers of a single one.
    Pixels are connected by their sides and corners. Regions that reach the edge of a window, or
    pixels without a class, may go on there and count as large.

    Parameters
    ----------
    path : path
        Class raster.

    Returns
    -------
    float or None
        Hectares on the ground; None where hardly a region lies whole within a window.
    """
    from skimage.measure import label

    grid = rasters.grid_of(path)
    whole, total = [np.zeros(0)], 0.0
    for window in track(list(grid.windows(rasters.WINDOW_PX)), f"Measuring {path.name}"):
        regions = label(rasters.read_classes(path, window), background=UNLABELLED, connectivity=2)
        sizes = np.bincount(regions.ravel(), grid.areas_ha(window).ravel())
        total += float(sizes[1:].sum())
        whole.append(np.delete(sizes, _cut(regions)))
    sizes = np.sort(np.concatenate(whole))
    beyond = np.flatnonzero(np.cumsum(sizes) > SLIVERS * total)
    return float(sizes[beyond[0]]) if beyond.size else None


def _cut(regions: np.ndarray) -> np.ndarray:
    """Numbers of regions at the edge of an array or beside pixels of 0, and 0."""
    within = np.pad(regions, 1)
    beside = np.zeros(regions.shape, bool)
    for row in range(3):
        for col in range(3):
            rows, cols = regions.shape
            beside |= within[row : row + rows, col : col + cols] == 0
    return np.unique(np.append(regions[beside], 0))


def as_drawn(nomenclature: Nomenclature, cell_m: float, least_ha: float | None) -> Nomenclature:
    """The classes of labels, with cells as they are drawn where these are not the scheme's.

    Parameters
    ----------
    nomenclature : Nomenclature
        With the cells of its scheme.
    cell_m : float
        Side of the raster's own cells on the ground, metres.
    least_ha : float, optional
        From `least_region_ha`.

    Returns
    -------
    Nomenclature
        In cells of `cell_m` where these are wider than the scheme's, or narrower and the labels
        are finer than it is specified to be. A copy of the scheme's raster in narrower cells is
        not, and stays in cells of the scheme.
    """
    side_m = nomenclature.cell_m
    finer = cell_m < side_m and not as_specified(nomenclature, least_ha)
    return nomenclature.in_cells_of(cell_m) if finer or cell_m > _WIDER * side_m else nomenclature


def as_specified(nomenclature: Nomenclature, least_ha: float | None) -> bool:
    """Whether regions are as large as a scheme's are specified to be, as far as can be seen."""
    specified = SPECIFIED_HA.get(nomenclature.name, nomenclature.cell_m**2 / 1e4)
    return least_ha is None or least_ha >= _PART * specified
