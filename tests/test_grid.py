from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import rowcol, xy

from landcover.errors import LandcoverError
from landcover.grid import Grid, Window
from tests.conftest import utm_grid

sizes = st.integers(1, 400)


@given(rows=sizes, cols=sizes, size=st.integers(1, 500))
def test_windows_cover_every_pixel_once(rows, cols, size):
    seen = np.zeros((rows, cols), int)
    for window in utm_grid(rows, cols).windows(size):
        seen[window.slices] += 1
    assert (seen == 1).all()


@given(rows=st.lists(st.integers(-50, 300), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_coordinates_agree_with_rasterio_and_come_back(rows, seed):
    grid = utm_grid(200, 300)
    cols = np.random.default_rng(seed).integers(-50, 300, len(rows))
    x, y = grid.xy(rows, cols)
    np.testing.assert_allclose([x, y], xy(grid.transform, rows, cols))
    back = grid.rowcol(x, y)
    np.testing.assert_array_equal(back, rowcol(grid.transform, x, y))
    np.testing.assert_array_equal(back, (rows, cols))


def test_crop_keeps_the_map_position(grid):
    window = Window(20, 30, 40, 50)
    assert grid.crop(window).xy(0, 0) == grid.xy(20, 30)
    assert grid.crop(window).shape == (40, 50)


def test_padded_window_reaches_over_the_edge():
    assert Window(0, 5, 10, 10).padded(3) == Window(-3, 2, 16, 16)


def test_difference_names_the_corner_and_by_how_much(grid):
    assert grid.difference(utm_grid(120, 160)) is None
    shifted = utm_grid(120, 160, west=300_005)
    assert grid.difference(shifted) == (
        "north-west corner differs by 5 east and 0 north (pixels are 10 x 10)"
    )
    assert "120 x 160 pixels against 120 x 161" in grid.difference(utm_grid(120, 161))
    other = Grid(CRS.from_epsg(32632), grid.transform, 120, 160)
    assert grid.difference(other) == "CRS EPSG:32633 against EPSG:32632"
    with pytest.raises(LandcoverError, match=r"b.tif is not on the grid of a.tif: CRS .* gdalwarp"):
        grid.require_equal(other, "a.tif", "b.tif")


def test_difference_forgives_a_hundredth_of_a_pixel(grid):
    assert grid.difference(utm_grid(120, 160, west=300_000.05)) is None
    assert grid.difference(utm_grid(120, 160, west=300_000.2)) is not None


@pytest.mark.parametrize(
    ("crs", "transform", "message"),
    [
        (None, Affine(10, 0, 0, 0, -10, 0), "has no CRS; assign one"),
        (CRS.from_epsg(32633), Affine(10, 1, 0, 0, -10, 0), "rotated or not north-up"),
        (CRS.from_epsg(32633), Affine(10, 0, 0, 0, 10, 0), "rotated or not north-up"),
    ],
)
def test_a_grid_is_valid_or_not_at_all(crs, transform, message):
    with pytest.raises(LandcoverError, match=message):
        Grid(crs, transform, 5, 5)
