"""A raster read by windows with a margin, of which every block is decoded once.

Windows with a margin reach into the blocks around them: a window of 2 x 2 blocks with a margin of
some pixels touches 4 x 4. Where windows come row by row, the rows of blocks that they share are
kept, so that they need not be decoded again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from landcover.files import rasters
from landcover.files.raster_names import RasterName
from landcover.files.rasters import BLOCK_PX
from landcover.grid import Window

#: Rows of blocks that are kept: those of a row of windows of two blocks with margins, and what two
#: threads need where one of them begins the next row.
_KEPT = 6
#: Wide rasters of many bands are read as they are: their rows would take more memory than this.
_MOST_BYTES = 768 * 2**20


class BlockRows:
    """Windows of a raster, from rows of its blocks; several threads may read at once.

    Parameters
    ----------
    path : path or str
        Raster.
    bands : sequence of str or int
        Bands that are read, by name or number.

    Examples
    --------
    >>> rows = BlockRows("runs/demo/scene.tif", ["B04", "B08"])
    >>> rows.read(Window(-1, 10, rows=3, cols=4)).shape
    (2, 3, 4)
    """

    def __init__(self, path: RasterName, bands: Sequence[str | int]) -> None:
        self._path, self._bands = path, list(bands)
        self._shape = rasters.grid_of(path).shape
        self._rows: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, window: Window) -> np.ndarray:
        """What `rasters.read` gives of a window, (bands, rows, cols)."""
        inside, place = window.within(*self._shape)
        numbers = range(inside.row // BLOCK_PX, -(-(inside.row + inside.rows) // BLOCK_PX))
        if not (inside.rows and inside.cols and self._fit(len(numbers), window)):
            return rasters.read(self._path, window, self._bands)
        parts = [self._row(number) for number in numbers]
        found = rasters.nothing((len(self._bands), window.rows, window.cols), parts[0].dtype)
        cols = slice(inside.col, inside.col + inside.cols)
        for number, part in zip(numbers, parts, strict=True):
            first = max(inside.row, number * BLOCK_PX)
            end = min(inside.row + inside.rows, number * BLOCK_PX + part.shape[1])
            rows = slice(first - window.row, end - window.row)
            held = slice(first - number * BLOCK_PX, end - number * BLOCK_PX)
            found[:, rows, place[1]] = part[:, held, cols]
        return found

    def _fit(self, count: int, window: Window) -> bool:
        """Whether so many rows may be kept, and the window is a good part of them."""
        row_bytes = 4 * len(self._bands) * BLOCK_PX * self._shape[1]
        return count <= _KEPT and _KEPT * row_bytes <= _MOST_BYTES and window.rows >= BLOCK_PX

    def _row(self, number: int) -> np.ndarray:
        """A row of blocks (bands, rows, cols), read where it is not kept."""
        with self._lock:
            if number not in self._rows:
                height = min(BLOCK_PX, self._shape[0] - number * BLOCK_PX)
                window = Window(number * BLOCK_PX, 0, height, self._shape[1])
                self._rows[number] = rasters.read(self._path, window, self._bands)
            self._rows.move_to_end(number)
            while len(self._rows) > _KEPT:
                self._rows.popitem(last=False)
            return self._rows[number]
