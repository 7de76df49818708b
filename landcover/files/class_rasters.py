"""Class rasters, each with its style beside it, so that QGIS shows its legend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landcover.files.rasters import WINDOW_PX, RasterWriter
from landcover.files.styles import write_qml
from landcover.grid import Grid
from landcover.legend import UNLABELLED, Legend


@contextmanager
def class_writer(path: Path, grid: Grid, legend: Legend) -> Iterator[RasterWriter]:
    """A writer of class codes, uint16, by windows; NAME.qml is written when NAME.tif is whole."""
    with RasterWriter(path, grid, np.uint16, ["class"], UNLABELLED, legend) as out:
        yield out
    write_qml(path, legend)


def write_classes(path: Path, codes: np.ndarray, grid: Grid, legend: Legend) -> list[Path]:
    """Write class codes (rows, cols) and their style; the paths of both."""
    with class_writer(path, grid, legend) as out:
        for window in grid.windows(WINDOW_PX):
            out.write(codes[window.slices], window)
    return [path, path.with_suffix(".qml")]
