"""The shapes that a landscape is drawn with: smooth noise, lattices, Voronoi blocks, lines.

Coordinates are pixels: rows downwards, cols to the right. Everything here is elementary
arithmetic on arrays, so a seed gives the same bytes however many threads run.
"""

from __future__ import annotations

import numpy as np


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> np.ndarray:
    """Gaussian noise whose hills are about `scale_px` wide: float32, mean 0, deviation near 1.

    Normal numbers on a lattice of that spacing, joined by cubic B-splines.
    """
    rows = _spline_rows(shape[0], scale_px, rng.random())
    cols = _spline_rows(shape[1], scale_px, rng.random())
    coarse = rng.standard_normal((rows[1], cols[1]), dtype=np.float32)
    noise = _along_rows(_along_rows(coarse, rows).T, cols).T
    # a cubic B-spline of unit normals varies with deviation 0.479 in two dimensions
    return np.ascontiguousarray(noise) / np.float32(0.479)


def _spline_rows(size: int, scale_px: float, phase: float) -> tuple[list, int]:
    """Four (index, weight) pairs per position along one axis, and the lattice's length."""
    position = np.arange(size) / scale_px + phase
    base = np.floor(position).astype(np.int64)
    t = (position - base).astype(np.float32)
    weights = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    return [(base + k, w[:, None]) for k, w in enumerate(weights)], int(base[-1]) + 4


def _along_rows(coarse: np.ndarray, spline: tuple[list, int]) -> np.ndarray:
    """Coarse rows spread over fine ones."""
    (first, weight), *rest = spline[0]
    fine = coarse[first] * weight
    for index, weight in rest:
        fine += coarse[index] * weight
    return fine


def hashed(*parts: np.ndarray | int) -> np.ndarray:
    """One uint32 for each combination of whole numbers, spread evenly (Murmur3's mixer)."""
    mixed = np.full(1, 0x9E3779B9, np.uint32)
    for part in parts:
        value = np.atleast_1d(part).astype(np.int64).astype(np.uint32)
        mixed = (mixed ^ value) * np.uint32(0x85EBCA6B)
        mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        mixed = mixed ^ (mixed >> np.uint32(16))
    return mixed


def uniform(*parts: np.ndarray | int) -> np.ndarray:
    """The hash as float32 in [0, 1): a random number that belongs to its combination."""
    return (hashed(*parts) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def uneven_steps(
    position: np.ndarray, width: np.ndarray | float, *key: np.ndarray | int
) -> tuple[np.ndarray, np.ndarray]:
    """Cells of uneven width along a line, each row of cells uneven in its own way.

    Returns the cell's number and the distance in pixels to the nearer end of the cell.
    """
    scaled = position / width
    cell = np.floor(scaled).astype(np.int32)
    low = _boundary(cell, key)
    high = _boundary(cell + 1, key)
    before = scaled < low
    after = scaled >= high
    cell = cell - before + after
    # each cell's two ends, after the step to the neighbour
    start = np.where(before, _boundary(cell, key), np.where(after, high, low))
    end = np.where(before, low, np.where(after, _boundary(cell + 1, key), high))
    return cell, np.minimum(scaled - start, end - scaled) * width


def _boundary(index: np.ndarray, key: tuple) -> np.ndarray:
    """Where cell `index` begins, in cells: up to 0.35 off its even place."""
    return index + np.float32(0.7) * (uniform(index, *key) - np.float32(0.5))


def voronoi(rows: np.ndarray, cols: np.ndarray, size_px: float, seed: int) -> tuple:
    """Voronoi cells of a jittered lattice.

    Parameters
    ----------
    rows, cols : array of float
        Coordinates, warped beforehand where edges should bend.
    size_px : float
        Side of a cell of mean area.
    seed : int
        Seed of the pattern.

    Returns
    -------
    cell : array of uint32
        Hash of the cell.
    border_px : array of float32
        Distance to the nearest edge.
    border : array of uint32
        Hash of that edge, the same from both sides.
    """
    i0 = np.floor(rows / size_px).astype(np.int32)
    j0 = np.floor(cols / size_px).astype(np.int32)
    nearest = np.full(rows.shape, np.inf, np.float32)
    second = nearest.copy()
    cell = np.zeros(rows.shape, np.uint32)
    runner_up = cell.copy()
    between = np.zeros(rows.shape, np.float32)
    site = [np.zeros(rows.shape, np.float32) for _ in range(2)]
    other = [np.zeros(rows.shape, np.float32) for _ in range(2)]
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            i, j = i0 + di, j0 + dj
            y = (i + 0.1 + 0.8 * uniform(i, j, seed, 1)) * np.float32(size_px)
            x = (j + 0.1 + 0.8 * uniform(i, j, seed, 2)) * np.float32(size_px)
            distance = (y - rows) ** 2 + (x - cols) ** 2
            name = hashed(i, j, seed, 3)
            wins = distance < nearest
            places = ~wins & (distance < second)
            for old, new, value in zip(site, other, (y, x), strict=True):
                np.copyto(new, old, where=wins)
                np.copyto(new, value, where=places)
                np.copyto(old, value, where=wins, casting="same_kind")
            np.copyto(runner_up, cell, where=wins)
            np.copyto(runner_up, name, where=places)
            np.copyto(cell, name, where=wins)
            np.copyto(second, nearest, where=wins)
            np.copyto(second, distance, where=places, casting="same_kind")
            np.copyto(nearest, distance, where=wins, casting="same_kind")
    np.hypot(other[0] - site[0], other[1] - site[1], out=between)
    border_px = (second - nearest) / (2 * np.maximum(between, 1))
    return cell, border_px, cell ^ runner_up


def splat(shape: tuple[int, int], rows: np.ndarray, cols: np.ndarray, weight: float) -> np.ndarray:
    """Points shared among the four pixels around each: a line's coverage, float32, at most 1."""
    cover = np.zeros((shape[0] + 1) * (shape[1] + 1))
    inside = (rows > 0) & (rows < shape[0] - 1) & (cols > 0) & (cols < shape[1] - 1)
    rows, cols = rows[inside], cols[inside]
    i, j = np.floor(rows).astype(np.int64), np.floor(cols).astype(np.int64)
    u, v = rows - i, cols - j
    for di, wi in ((0, 1 - u), (1, u)):
        for dj, wj in ((0, 1 - v), (1, v)):
            index = (i + di) * (shape[1] + 1) + j + dj
            cover += np.bincount(index, wi * wj * weight, minlength=cover.size)
    cover = cover.reshape(shape[0] + 1, shape[1] + 1)[: shape[0], : shape[1]]
    return np.minimum(cover, 1).astype(np.float32)


def curve(
    rng: np.random.Generator, start: np.ndarray, end: np.ndarray, bend: float
) -> tuple[np.ndarray, np.ndarray]:
    """The course of a road between two points: (rows, cols) at quarter-pixel steps.

    `bend` is the largest sideways reach as a share of the length.
    """
    length = float(np.hypot(*(end - start)))
    t = np.linspace(0, 1, max(8, int(4 * length)))
    aside = np.zeros_like(t)
    for k in (1, 2, 3, 5, 8, 13):
        aside += rng.normal(0, bend / k**1.15) * np.sin(np.pi * k * t)
    along = start[:, None] + (end - start)[:, None] * t
    normal = np.array([-(end - start)[1], (end - start)[0]])
    return tuple(along + normal[:, None] * aside)  # type: ignore[return-value]
