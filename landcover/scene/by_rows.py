"""Compiled loops over the rows of an image, on several cores at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from landcover.files.opening import threads

#: Rows that a thread takes at a time.
_ROWS = 64


def by_rows(kernel: Callable[..., None], rows: int, *arguments: np.ndarray | float) -> None:
    """Call ``kernel(start, stop, *arguments)`` for parts of the rows, each of which it writes.

    The kernel releases the GIL (``nogil=True`` of numba), so that parts run at the same time.
    """
    starts = range(0, rows, _ROWS)
    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(lambda start: kernel(start, min(start + _ROWS, rows), *arguments), starts))
