"""Training tiles: samples that lie close together, looked at together.

Chips of neighbouring samples overlap, so a network that sees them one by one
computes the same convolutions again and again. A tile holds all samples of a square,
and as much scene around it as their patches reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from landcover.grid import Window
from landcover.samples.augmentation import turned
from landcover.samples.chips import Squares, squares


@dataclass(frozen=True)
class Batch:
    """Some samples with the tiles that they lie in.

    Attributes
    ----------
    images : array of float32 (tiles, side + 2 radius, side + 2 radius, bands)
        Reflectance; NaN for nodata, outside the scene, and where no patch of these samples is.
    counts : array of float32 (tiles, side, side)
        Samples of every pixel.
    places : array of int32 (samples,)
        Where each sample lies in the flattened `counts`.
    """

    images: np.ndarray
    counts: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Tiles:
    """The tiles of a scene that hold samples.

    Attributes
    ----------
    squares : Squares
        Pixels of every tile, with its margin.
    of : array of int (samples,)
        Tile that each sample lies in.
    rows, cols : arrays of int (samples,)
        Its pixel within the tile.
    side, radius : int
        Pixels of a tile's side, and of the margin around it.
    """

    squares: Squares
    of: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    side: int
    radius: int

    @classmethod
    def around(
        cls,
        read: Callable[[Window], np.ndarray],
        rows: np.ndarray,
        cols: np.ndarray,
        side: int,
        radius: int,
    ) -> Tiles:
        """Read the tiles that samples lie in.

        Parameters
        ----------
        read : callable
            A window, which may reach over the edge, to (bands, rows, cols), NaN outside.
        rows, cols : arrays of int (samples,)
            Pixels of the samples.
        side, radius : int
            Pixels of a tile's side, and of the margin around it.
        """
        rows, cols = np.asarray(rows, np.int64), np.asarray(cols, np.int64)
        corners, of = tiles_of(rows, cols, side)
        held = squares(read, corners[:, 0] - radius, corners[:, 1] - radius, side + 2 * radius)
        return cls(held, of, rows % side, cols % side, side, radius)

    def batch(self, samples: np.ndarray, orientations: np.ndarray | None = None) -> Batch:
        """The tiles of some samples.

        Parameters
        ----------
        samples : array of int (samples,)
            Positions.
        orientations : array of int (tiles,), optional
            0 to 7 for each tile in turn; unturned by default. See `turned`.
        """
        tiles, of = np.unique(self.of[samples], return_inverse=True)
        rows, cols = self.rows[samples], self.cols[samples]
        images = self.squares.batch(tiles)
        if orientations is not None:
            images = turned(images, orientations)
            rows, cols = _turned_places(rows, cols, orientations[of], self.side)
        places = (of * self.side + rows) * self.side + cols
        flat = np.bincount(places, minlength=len(tiles) * self.side**2).astype(np.float32)
        counts = flat.reshape(len(tiles), self.side, self.side)
        images[~_covered(counts > 0, self.radius)] = np.nan
        return Batch(images, counts, places.astype(np.int32))


def tiles_of(rows: np.ndarray, cols: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Tiles that hold pixels: their corners (tiles, 2), and the tile of every pixel.

    >>> corners, of = tiles_of(np.array([3, 70, 5]), np.array([130, 2, 190]), side=64)
    >>> corners.tolist(), of.tolist()
    ([[0, 128], [64, 0]], [0, 1, 0])
    """
    across = int(cols.max(initial=0)) // side + 1
    numbers, of = np.unique(rows // side * across + cols // side, return_inverse=True)
    return np.stack(np.divmod(numbers, across), axis=1) * side, of


def _turned_places(
    rows: np.ndarray, cols: np.ndarray, orientations: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where pixels of a square come to lie when it is turned."""
    for quarter in range(1, 4):
        turns = orientations % 4 >= quarter
        rows, cols = np.where(turns, side - 1 - cols, rows), np.where(turns, rows, cols)
    return np.where(orientations >= 4, side - 1 - rows, rows), cols


def _covered(held: np.ndarray, radius: int) -> np.ndarray:
    """Pixels within `radius` of samples, along both axes, for tiles (tiles, side, side)."""
    found = np.pad(held, ((0, 0), (radius, radius), (radius, radius))).astype(np.uint8)
    for axis in (1, 2):
        found = maximum_filter1d(found, 2 * radius + 1, axis=axis)
    return found.astype(bool)
