"""Generalise a 10 m class map the way CORINE Land Cover is made.

An interpreter draws polygons of at least 25 ha and 100 m width, whose borders lie within
100 m of the truth; the raster product holds them as 100 m cells in EPSG:3035 (CLC technical
guidelines, EEA Technical report 17/2007; product user manual CLMS CLC, 2021).
"""

from __future__ import annotations

import heapq
from functools import cache

import numpy as np

from landcover.errors import InputError
from landcover.grid import Grid
from landcover.legend import corine

CELL_M = 100.0
MINIMUM_CELLS = 25  # 25 ha
MARGIN_CELLS = 2
#: Samples of the truth along each side of a cell.
SAMPLES = 4
#: Typical and largest distance of a drawn border from the true one, in metres: CORINE's
#: geometric accuracy is stated as better than 100 m.
BORDER_M = 45.0
BORDER_MAX_M = 95.0
BORDER_WAVE_M = 900.0
RIVER, RIVER_WEIGHT = 511, 1.6
#: The water bodies of level 1.
WATER = 5


def corine_grid(grid: Grid) -> Grid:
    """The cells of the EEA's 100 m reference grid (EPSG:3035) that hold a grid, with a margin.

    Examples
    --------
    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> scene = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 200, 300)
    >>> corine_grid(scene).resolution
    (100.0, 100.0)
    """
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.warp import transform_bounds

    crs = CRS.from_epsg(3035)
    west, south, east, north = transform_bounds(grid.crs, crs, *grid.bounds, densify_pts=41)
    left = np.floor(west / CELL_M) - MARGIN_CELLS
    top = np.ceil(north / CELL_M) + MARGIN_CELLS
    cols = int(np.ceil(east / CELL_M) + MARGIN_CELLS - left)
    rows = int(top - np.floor(south / CELL_M) + MARGIN_CELLS)
    transform = Affine(CELL_M, 0, left * CELL_M, 0, -CELL_M, top * CELL_M)
    return Grid(crs, transform, rows, cols)


def to_corine(truth: np.ndarray, grid: Grid, rng: np.random.Generator) -> tuple[np.ndarray, Grid]:
    """Labels as CORINE would hold them.

    Parameters
    ----------
    truth : array of uint16, (rows, cols)
        Three-digit CLC codes, none of them 0.
    grid : Grid
        The truth's grid, in any CRS.
    rng : numpy.random.Generator
        Source of the interpreter's imprecision.

    Returns
    -------
    cells : array of uint16
        CLC codes of 100 m cells; 0 beyond the truth. No region of one class, joined by sides,
        is smaller than 25 cells, unless the truth as a whole is.
    grid : Grid
        Their grid in EPSG:3035.

    Raises
    ------
    InputError
        If the truth does not fit the grid or holds unlabelled pixels.
    """
    if truth.shape != grid.shape:
        raise InputError(
            f"class map of {truth.shape} pixels on a grid of {grid.shape}; give both one shape"
        )
    if not truth.all():
        raise InputError("the class map holds unlabelled pixels (0); give every pixel a class")
    cells_grid = corine_grid(grid)
    seen, known = sample_truth(truth, grid, cells_grid, rng)
    codes = np.unique(truth)
    cells = _majority(np.searchsorted(codes, seen), known, codes)
    cells = drop_lonely_cells(cells)
    return merge_small(cells), cells_grid


def sample_truth(
    truth: np.ndarray, grid: Grid, cells_grid: Grid, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The truth at SAMPLES x SAMPLES points of each cell, each a little off its place.

    Returns classes (cells' rows, cols, samples) and which points lie on the scene.
    """
    from rasterio.warp import transform

    rows, cols = cells_grid.shape
    step = CELL_M / SAMPLES
    x = cells_grid.transform.c + step * (np.arange(cols * SAMPLES) + 0.5)
    y = cells_grid.transform.f - step * (np.arange(rows * SAMPLES) + 0.5)
    xx, yy = np.meshgrid(x, y)
    east, north = transform(cells_grid.crs, grid.crs, xx.ravel(), yy.ravel())
    exact_rows, exact_cols = grid.rowcol(np.array(east), np.array(north))
    known = (exact_rows >= 0) & (exact_rows < grid.rows)
    known &= (exact_cols >= 0) & (exact_cols < grid.cols)
    wave = BORDER_WAVE_M / step
    off = np.stack([_waves(rng, xx.shape, wave) for _ in range(2)]) * BORDER_M
    length = np.maximum(np.hypot(*off), 1e-9)
    off *= np.minimum(1, BORDER_MAX_M / length)
    # Metres to the CRS's own unit, to a hundredth: more is nothing to a border drawn by hand
    units_m = np.round(np.divide(grid.pixel_size_m, grid.resolution), 2)
    off /= units_m[:, np.newaxis, np.newaxis]
    at_rows, at_cols = grid.rowcol(
        np.array(east) + off[0].ravel(), np.array(north) + off[1].ravel()
    )
    seen = truth[at_rows.clip(0, grid.rows - 1), at_cols.clip(0, grid.cols - 1)]
    shape = (rows, SAMPLES, cols, SAMPLES)
    order = (0, 2, 1, 3)
    return (
        seen.reshape(shape).transpose(order).reshape(rows, cols, -1),
        known.reshape(shape).transpose(order).reshape(rows, cols, -1),
    )


def _waves(rng: np.random.Generator, shape: tuple[int, int], wave: float) -> np.ndarray:
    """Smooth noise of deviation 1."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(shape), wave / 4, mode="nearest")
    return noise / noise.std()


def _majority(index: np.ndarray, known: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The commonest class of each cell among the points on the scene; 0 where there is none.

    A cell whose edge alone touches the scene counts too: every pixel needs a label.
    """
    votes = np.stack([((index == k) & known).sum(axis=2) for k in range(codes.size)])
    # rivers are drawn through, a little widened where they are near 100 m
    votes = votes * np.where(codes == RIVER, RIVER_WEIGHT, 1.0)[:, None, None]
    cells = codes[votes.argmax(axis=0)]
    near = np.pad(known.any(axis=2), 1)
    reach = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | near[1:-1, 1:-1]
    anyway = np.stack([(index == k).sum(axis=2) for k in range(codes.size)])
    cells = np.where(known.any(axis=2), cells, codes[anyway.argmax(axis=0)])
    return np.where(reach, cells, 0).astype(np.uint16)


def drop_lonely_cells(cells: np.ndarray) -> np.ndarray:
    """Cells that agree with fewer than two of their eight neighbours join the commonest one."""
    codes = np.unique(cells[cells > 0])
    padded = np.pad(cells, 1)
    votes = np.zeros((codes.size, *cells.shape), np.int8)
    for dr in range(3):
        for dc in range(3):
            if (dr, dc) != (1, 1):
                around = padded[dr : dr + cells.shape[0], dc : dc + cells.shape[1]]
                votes += around == codes[:, None, None]
    own = np.take_along_axis(votes, np.searchsorted(codes, cells).clip(0, codes.size - 1)[None], 0)
    lonely = (cells > 0) & (own[0] < 2)
    return np.where(lonely, codes[votes.argmax(axis=0)], cells).astype(np.uint16)


@cache
def likeness(code: int, other: int) -> float:
    """How readily an interpreter joins one class to another: a factor on the shared border.

    Land is hardly ever joined to water, nor water to land, where anything else is near.

    >>> likeness(311, 312), likeness(211, 231), likeness(211, 512)
    (4.0, 2.0, 0.25)
    """
    for level, readiness in ((2, 4.0), (1, 2.0)):
        if corine().ancestor(code, level) == corine().ancestor(other, level):
            return readiness
    return 0.25 if WATER in (corine().ancestor(code, 1), corine().ancestor(other, 1)) else 1.0


def merge_small(cells: np.ndarray, minimum: int = MINIMUM_CELLS) -> np.ndarray:
    """Merge regions below a minimum size, smallest first, into a neighbour.

    Parameters
    ----------
    cells : array of int, (rows, cols)
        Class codes; 0 where there is none, which is neither merged nor merged into.
    minimum : int
        Smallest number of cells that a region, joined by sides, may keep.

    Returns
    -------
    array of the same shape and dtype
        A region goes to the neighbour of longest shared border, weighed by `likeness`.

    Examples
    --------
    >>> field = np.full((3, 4), 211); field[1, 1] = 311
    >>> merge_small(field, 2)[1].tolist()
    [211, 211, 211, 211]
    """
    from skimage.measure import label

    regions = label(cells, background=0, connectivity=1)
    size = np.bincount(regions.ravel())
    code = np.zeros(size.size, np.int64)
    code[regions.ravel()] = cells.ravel()
    border = _borders(regions, size.size)
    parent = np.arange(size.size)
    queue = [(int(size[r]), r) for r in range(1, size.size) if size[r] < minimum]
    heapq.heapify(queue)
    while queue:
        queued, small = heapq.heappop(queue)
        if parent[small] != small or size[small] != queued or not border[small]:
            continue
        taker = max(
            border[small],
            key=lambda r: (border[small][r] * likeness(int(code[small]), int(code[r])), -r),
        )
        code[small] = code[taker]
        # every neighbour that now has the same class joins too
        for other in [taker, *(r for r in border[small] if r != taker and code[r] == code[taker])]:
            _absorb(small, other, border, parent, size)
        if size[small] < minimum:
            heapq.heappush(queue, (int(size[small]), small))
    return code[_roots(parent)[regions]].astype(cells.dtype)


def _borders(regions: np.ndarray, count: int) -> list[dict[int, int]]:
    """For each region the number of cell sides it shares with each other one."""
    pairs = [
        np.stack([a.ravel(), b.ravel()], axis=1)
        for a, b in ((regions[:-1], regions[1:]), (regions[:, :-1], regions[:, 1:]))
    ]
    both = np.sort(np.concatenate(pairs), axis=1)
    both = both[(both[:, 0] != both[:, 1]) & (both[:, 0] > 0)]
    unique, sides = np.unique(both, axis=0, return_counts=True)
    border: list[dict[int, int]] = [{} for _ in range(count)]
    for (a, b), n in zip(unique.tolist(), sides.tolist(), strict=True):
        border[a][b] = n
        border[b][a] = n
    return border


def _absorb(
    into: int, other: int, border: list[dict[int, int]], parent: np.ndarray, size: np.ndarray
) -> None:
    """Make region `other` part of region `into`."""
    parent[other] = into
    size[into] += size[other]
    for neighbour, sides in border[other].items():
        del border[neighbour][other]
        if neighbour != into:
            border[into][neighbour] = border[into].get(neighbour, 0) + sides
            border[neighbour][into] = border[into][neighbour]
    border[other] = {}


def _roots(parent: np.ndarray) -> np.ndarray:
    """The region that each region has ended in."""
    while True:
        above = parent[parent]
        if (above == parent).all():
            return parent
        parent = above
