"""Several scenes read as one: they stand one below the other, too far apart to share a square.

So whatever cuts chips or tiles out of one scene cuts them out of several, and reads of each only
what its samples need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.files import rasters
from landcover.grid import Window

if TYPE_CHECKING:
    import pandas as pd

#: Column of a sample table of several scenes: which one a sample is of, from 0.
SCENE = "scene"
#: Scenes begin at multiples of this and are at least as far apart: more than any patch reaches, and
#: a multiple of the side of every tile, so that a scene has the same tiles wherever it stands.
APART_PX = 64


@dataclass(frozen=True)
class Stacked:
    """Scenes, one below the other.

    Attributes
    ----------
    scenes : tuple of Path
        Rasters of reflectance; grids, CRS and widths may differ.
    bands : tuple of str
        What is read of each, by name.
    first_rows, rows : tuple of int
        Where each one begins, and how many rows it has.
    """

    scenes: tuple[Path, ...]
    bands: tuple[str, ...]
    first_rows: tuple[int, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(cls, scenes: Sequence[Path], bands: Sequence[str]) -> Stacked:
        """Put scenes in their places."""
        rows = [rasters.grid_of(scene).rows for scene in scenes]
        taken = [-(-(number + APART_PX) // APART_PX) * APART_PX for number in rows]
        first = np.cumsum([0, *taken[:-1]]).tolist()
        return cls(tuple(scenes), tuple(bands), tuple(first), tuple(rows))

    def places(self, samples: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of samples, int64; those of a table without scenes are of the first."""
        row, col = (samples[axis].to_numpy().astype(np.int64) for axis in ("row", "col"))
        if SCENE in samples:
            row += np.array(self.first_rows)[samples[SCENE].to_numpy()]
        return row, col

    def read(self, window: Window) -> np.ndarray:
        """A window, which may reach over edges: float32 (bands, rows, cols), NaN outside."""
        found = np.full((len(self.bands), window.rows, window.cols), np.nan, np.float32)
        for scene, first, rows in zip(self.scenes, self.first_rows, self.rows, strict=True):
            top, end = max(window.row, first), min(window.row + window.rows, first + rows)
            if top < end:
                part = Window(top - first, window.col, end - top, window.cols)
                found[:, top - window.row : end - window.row] = rasters.read(
                    scene, part, list(self.bands)
                )
        return found
