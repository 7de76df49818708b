"""Terrain: known surfaces, GDAL's numbers, holes, and windows of one scene."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.files import raster_writer, rasters
from landcover.scene import terrain
from tests.conftest import utm_grid

PIXEL_M = (10.0, 20.0)


def places(rows=7, cols=9):
    """Metres to the north and to the east of the middle, with PIXEL_M."""
    down, across = np.mgrid[0:rows, 0:cols]
    return -PIXEL_M[0] * (down - rows // 2), PIXEL_M[1] * (across - cols // 2)


@pytest.fixture
def hills(rng):
    """Smooth hills of whole metres, which float32 holds exactly."""
    from scipy import ndimage

    rough = ndimage.gaussian_filter(rng.normal(size=(42, 53)), 3)
    return np.rint(300 + 400 * rough / rough.std())


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_of_a_plane(to_north, to_east):
    north, east = places()
    plane = 500 + to_north * north + to_east * east
    steep = np.hypot(to_north, to_east)
    np.testing.assert_allclose(
        terrain.slope(plane, PIXEL_M), np.degrees(np.arctan(steep)), atol=1e-5
    )
    if steep > 1e-3:
        sine, cosine = terrain.aspect(plane, PIXEL_M)
        np.testing.assert_allclose(sine, -to_east / steep, atol=1e-4)
        np.testing.assert_allclose(cosine, -to_north / steep, atol=1e-4)
    for part in terrain.curvature(plane, PIXEL_M):
        np.testing.assert_allclose(part, 0, atol=1e-8)
    np.testing.assert_allclose(terrain.position(plane, 2), 0, atol=1e-9)


def test_flat_land_faces_nowhere():
    flat = np.full((5, 5), 12.0)
    sine, cosine = terrain.aspect(flat, PIXEL_M)
    assert not sine.any() and not cosine.any()
    assert not np.signbit(sine).any()


@given(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(0.01, 1))
def test_curvatures_of_a_quadratic_surface(east2, north2, mixed, rise):
    # at its middle it rises to the east, so that the profile runs east and the plan north
    north, east = places(3, 3)
    surface = rise * east + east2 * east**2 / 2 + north2 * north**2 / 2 + mixed * north * east
    general, profile, plan = (part[0, 0] for part in terrain.curvature(surface, PIXEL_M))
    assert profile == pytest.approx(-east2, abs=1e-6)
    assert plan == pytest.approx(-north2, abs=1e-6)
    assert general == pytest.approx(-east2 - north2, abs=1e-6)


def test_curvatures_across_the_axes():
    # a ridge from the south-west to the north-east, on land that rises along it
    pixel = (10.0, 10.0)
    down, across = np.mgrid[-1:2, -1:2]
    along, beside = 10 * (across - down) / 2**0.5, 10 * (across + down) / 2**0.5
    general, profile, plan = (
        part[0, 0] for part in terrain.curvature(0.2 * along - 0.01 * beside**2, pixel)
    )
    assert plan == pytest.approx(0.02, rel=1e-5)
    assert profile == pytest.approx(0, abs=1e-6)
    assert general == pytest.approx(0.02, rel=1e-5)


def test_curvatures_of_every_pixel_by_the_published_formulas(hills, rng):
    """Zevenbergen and Thorne 1987, equations 4 to 8 and 10 to 15, one pixel after the other."""
    side = 10.0
    hills = hills + rng.normal(size=hills.shape)
    found = terrain.curvature(hills, (side, side))
    for row, col in product(range(1, hills.shape[0] - 1, 4), range(1, hills.shape[1] - 1, 3)):
        z1, z2, z3, z4, z5, z6, z7, z8, z9 = (
            float(z) for z in hills[row - 1 : row + 2, col - 1 : col + 2].ravel()
        )
        d = ((z4 + z6) / 2 - z5) / side**2
        e = ((z2 + z8) / 2 - z5) / side**2
        f = (-z1 + z3 + z7 - z9) / (4 * side**2)
        g, h = (-z4 + z6) / (2 * side), (z2 - z8) / (2 * side)
        along = 2 * (d * g**2 + e * h**2 + f * g * h) / (g**2 + h**2)
        across = 2 * (d * h**2 + e * g**2 - f * g * h) / (g**2 + h**2)
        expected = -2 * (d + e), -along, -across
        here = [part[row - 1, col - 1] for part in found]
        np.testing.assert_allclose(here, expected, rtol=1e-4, atol=1e-7)


def test_position_of_every_pixel_by_its_window(hills):
    radius = 4
    hills[10, 12:20] = np.nan
    found = terrain.position(hills, radius)
    for row, col in product(range(0, found.shape[0], 3), range(found.shape[1])):
        window = hills[row : row + 2 * radius + 1, col : col + 2 * radius + 1].copy()
        middle = window[radius, radius]
        window[radius, radius] = np.nan
        if np.isnan(middle):
            assert np.isnan(found[row, col])
        else:
            assert found[row, col] == pytest.approx(middle - np.nanmean(window), abs=1e-4)


def every_layer(elevation, radius=3):
    """All of them on one shape, (layers, rows - 2r, cols - 2r)."""
    narrow = elevation[radius - 1 : 1 - radius, radius - 1 : 1 - radius]
    return np.stack(
        [
            terrain.slope(narrow, PIXEL_M),
            *terrain.aspect(narrow, PIXEL_M),
            *terrain.curvature(narrow, PIXEL_M),
            terrain.position(elevation, radius),
        ]
    )


def test_a_pixel_does_not_depend_on_the_tile(hills, rng):
    elevation = hills + rng.normal(size=hills.shape)
    elevation[rng.random(elevation.shape) < 0.1] = np.nan
    whole = every_layer(elevation)
    for row, col in ((0, 0), (5, 11), (17, 30)):
        part = every_layer(elevation[row : row + 15, col : col + 16])
        np.testing.assert_array_equal(part, whole[:, row : row + 9, col : col + 10])


def test_every_pixel_with_elevation_has_a_value(hills, rng):
    hills[rng.random(hills.shape) < 0.4] = np.nan
    inner = hills[3:-3, 3:-3]
    for layer in every_layer(hills):
        np.testing.assert_array_equal(np.isnan(layer), np.isnan(inner))


def test_a_pixel_alone_is_flat():
    alone = np.full((7, 7), np.nan)
    alone[3, 3] = 250
    assert every_layer(alone)[:, 0, 0].tolist() == [0] * 7


def test_a_plane_keeps_its_slope_beside_a_hole():
    north, east = places()
    plane = 0.3 * north + 0.4 * east
    plane[:, 4:] = np.nan
    found = terrain.slope(plane, PIXEL_M)
    np.testing.assert_allclose(found[:, :3], np.degrees(np.arctan(0.5)), rtol=1e-6)


def gdaldem(tmp_path, mode, elevation, *options):
    """What GDAL makes of elevations, NaN where it has none."""
    if shutil.which("gdaldem") is None:
        pytest.skip("no gdaldem on this machine")
    source, out = tmp_path / "dem.tif", tmp_path / f"{mode}.tif"
    if not source.exists():
        grid = utm_grid(*elevation.shape)
        raster_writer.write(source, elevation.astype(np.float32), grid, ["elevation"])
    subprocess.run(["gdaldem", mode, source, out, "-q", *options], check=True)
    return rasters.read(out)[0][1:-1, 1:-1].astype(np.float64)


def test_slope_and_aspect_and_position_are_those_of_gdal(tmp_path, hills):
    pixel = (10.0, 10.0)
    np.testing.assert_allclose(
        terrain.slope(hills, pixel), gdaldem(tmp_path, "slope", hills), atol=1e-4
    )
    np.testing.assert_allclose(
        terrain.position(hills, 1), gdaldem(tmp_path, "TPI", hills), atol=1e-4
    )
    degrees = np.radians(gdaldem(tmp_path, "aspect", hills))
    flat = np.isnan(degrees)
    assert flat.mean() < 0.1
    for part, expected in zip(
        terrain.aspect(hills, pixel), (np.sin(degrees), np.cos(degrees)), strict=True
    ):
        np.testing.assert_allclose(part[~flat], expected[~flat], atol=1e-4)
        assert not part[flat].any()
