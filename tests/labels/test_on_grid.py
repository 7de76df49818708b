"""Class rasters on the grid of a scene."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from landcover.files import raster_writer
from landcover.grid import Grid
from landcover.labels.on_grid import cell_size_m
from tests.conftest import utm_grid

#: Where the scene lies, whose middle is near 52.33 N 12.09 E.
SCENE = utm_grid(100, 100)


@pytest.mark.parametrize(
    ("epsg", "transform", "side_m"),
    [
        (32633, Affine(20, 0, 290000, 0, -20, 5810000), 20.0),
        # the middle of the raster is at the equator, the scene is not
        (3857, Affine(5000, 0, -1e7, 0, -5000, 1e7), 5000 * np.cos(np.radians(52.33))),
        (4326, Affine(0.1, 0, -180, 0, -0.1, 90), 11_132 * (1 + np.cos(np.radians(52.33))) / 2),
        # it ends before the middle of the scene
        (32633, Affine(20, 0, 290000, 0, -20, 5799900), 20.0),
    ],
)
def test_cells_are_as_large_as_pixels_on_the_ground(tmp_path, epsg, transform, side_m):
    rows, cols = (1800, 3600) if epsg == 4326 else (4000, 4000) if epsg == 3857 else (900, 900)
    path = tmp_path / "labels.tif"
    grid = Grid(CRS.from_epsg(epsg), transform, rows, cols)
    raster_writer.write(path, np.ones(grid.shape, np.uint8), grid, ["class"], nodata=0)
    assert cell_size_m(path, SCENE) == pytest.approx(side_m, rel=0.005)
