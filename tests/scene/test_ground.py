"""Ground that grids share, in one CRS and across zones."""

from __future__ import annotations

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform

from landcover.grid import Grid
from landcover.scene.ground import shared_ground
from tests.conftest import utm_grid


@given(st.integers(-400, 400), st.integers(-400, 400))
def test_rectangles_of_one_zone(east, south):
    first = utm_grid(200, 300)
    second = utm_grid(200, 300, west=300_000 + 10 * east, north=5_800_000 - 10 * south)
    wanted = max(0, 300 - abs(east)) * max(0, 200 - abs(south)) / 60_000
    assert shared_ground(first, second) == pytest.approx(wanted)


def grid_around(epsg: int, lon: float, lat: float, side_px: int = 400) -> Grid:
    """A square of 10 m pixels around a place."""
    (x,), (y,) = transform("EPSG:4326", f"EPSG:{epsg}", [lon], [lat])
    half = 5 * side_px
    return Grid(CRS.from_epsg(epsg), Affine(10, 0, x - half, 0, -10, y + half), side_px, side_px)


def test_neighbouring_zones_share_the_ground_at_their_border():
    """At 12 E zones 32 and 33 meet; their squares are turned by the convergence of meridians."""
    first, second = grid_around(32632, 12, 50), grid_around(32633, 12, 50)
    assert 0.9 < shared_ground(first, second) < 1
    small = grid_around(32633, 12, 50, 100)
    assert shared_ground(small, first) == pytest.approx(1)
    assert shared_ground(first, small) == pytest.approx(1 / 16, rel=0.01)
    assert shared_ground(first, grid_around(32633, 12.2, 50)) == 0


@pytest.mark.parametrize(
    ("epsg", "lon", "lat"), [(32601, -177, 60), (32733, 15, -50), (32618, -75, 5)]
)
def test_places_far_apart_share_nothing(epsg, lon, lat):
    home = grid_around(32633, 15, 52)
    away = grid_around(epsg, lon, lat)
    assert shared_ground(home, away) == 0 and shared_ground(away, home) == 0


def test_degrees_and_metres():
    home = grid_around(32633, 15, 52)
    wide = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 14, 0, -0.01, 53), 200, 200)
    assert shared_ground(home, wide) == pytest.approx(1)
    assert 0 < shared_ground(wide, home) < 0.01
