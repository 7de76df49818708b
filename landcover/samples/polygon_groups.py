"""Training polygons whole on one side of a split: blocks that a polygon ties go there together."""

from __future__ import annotations

import numpy as np

from landcover.grid import Window
from landcover.samples.blocks import Layout


class Ties:
    """Which blocks hold parts of the same polygons, gathered by windows.

    Parameters
    ----------
    plan : Layout
        The blocks.

    Examples
    --------
    >>> ties = Ties(Layout(4, 8, 4, 0))
    >>> ties.add(np.array([[1, 1, 0, 2, 2, 0, 0, 3]] * 4), Window(0, 0, 4, 8))
    >>> ties.groups().tolist(), ties.crossing
    ([0, 0], 1)
    """

    def __init__(self, plan: Layout) -> None:
        self._plan = plan
        self._pairs = np.zeros((0, 2), np.int64)

    def add(self, numbers: np.ndarray, window: Window) -> None:
        """Add the polygons of a window.

        Parameters
        ----------
        numbers : array of int (rows, cols)
            Number of the polygon at each pixel; 0 outside.
        window : Window
            Where they lie.
        """
        held = numbers > 0
        pairs = np.stack([numbers[held], self._plan.blocks_in(window)[held]], axis=1)
        self._pairs = np.unique(np.concatenate([self._pairs, pairs]), axis=0)

    @property
    def crossing(self) -> int:
        """Polygons that lie in several blocks."""
        _, blocks = np.unique(self._pairs[:, 0], return_counts=True)
        return int((blocks > 1).sum())

    def groups(self) -> np.ndarray:
        """Group of each block, int64 (blocks,): those that polygons tie have one number."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        down, across = self._plan.shape
        blocks = down * across
        polygons, of_polygon = np.unique(self._pairs[:, 0], return_inverse=True)
        size = blocks + len(polygons)
        ends = self._pairs[:, 1], blocks + of_polygon
        graph = coo_matrix((np.ones(len(of_polygon)), ends), shape=(size, size))
        _, found = connected_components(graph, directed=False)
        _, groups = np.unique(found[:blocks], return_inverse=True)
        return groups.astype(np.int64)
