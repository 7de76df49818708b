from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from rasterio.transform import rowcol, xy

from landcover.errors import InputError, LandcoverError
from landcover.grid import Grid, Window
from tests.conftest import utm_grid
from tests.fixtures.ground import outline_ha

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
    with pytest.raises(
        LandcoverError, match=r"b.tif is not on the grid of a.tif: CRS .* rio warp b"
    ):
        grid.require_equal(other, "a.tif", "b.tif")


def test_difference_forgives_a_hundredth_of_a_pixel(grid):
    assert grid.difference(utm_grid(120, 160, west=300_000.05)) is None
    assert grid.difference(utm_grid(120, 160, west=300_000.2)) is not None


@pytest.mark.parametrize(
    ("crs", "transform", "message"),
    [
        (None, Affine(10, 0, 0, 0, -10, 0), "has no CRS; give one of rasterio"),
        (CRS.from_epsg(32633), Affine(10, 1, 0, 0, -10, 0), "rotated or not north-up"),
        (CRS.from_epsg(32633), Affine(10, 0, 0, 0, 10, 0), "rotated or not north-up"),
    ],
)
def test_a_grid_is_valid_or_not_at_all(crs, transform, message):
    with pytest.raises(LandcoverError, match=message):
        Grid(crs, transform, 5, 5)


# --- areas on the ground ------------------------------------------------------------------------

#: Grids of pixels that are 10 m wide on paper: CRS, pixel in its units, upper left corner.
PLACES = {
    "UTM": (32633, 10, (300000, 5800020)),
    "the edge of a UTM zone": (32633, 10, (110000, 5800020)),
    "Web Mercator at 52 N": (3857, 10, (1500000, 6800000)),
    "Web Mercator south of the equator": (3857, 10, (-5000000, -3000000)),
    "degrees": (4326, 9e-5, (13.5, 52.3)),
    "degrees across the antimeridian": (4326, 9e-5, (179.95, -16.0)),
    "US survey feet": (2263, 32.80833, (980000, 200000)),
    "Lambert's equal area of Europe": (3035, 10, (4321000, 3210000)),
    "Gauss-Krueger on Bessel's ellipsoid": (31467, 10, (3500000, 5700000)),
    "polar stereographic, over the pole": (3413, 10, (-5000, 5000)),
}


def ground(epsg, pixel, corner, rows, cols):
    return Grid(CRS.from_epsg(epsg), Affine(pixel, 0, corner[0], 0, -pixel, corner[1]), rows, cols)


def whole(grid):
    return Window(0, 0, grid.rows, grid.cols)


@pytest.mark.parametrize("place", [p for p in PLACES if "pole" not in p])
@pytest.mark.parametrize("shape", [(1, 1), (240, 300), (1500, 1100)])
def test_areas_are_geodesic_in_every_crs(place, shape):
    grid = ground(*PLACES[place], *shape)
    assert grid.areas_ha(whole(grid)).sum() == pytest.approx(outline_ha(grid), rel=1e-5)


def test_areas_are_geodesic_at_the_pole():
    """Its polygon goes round the pole, which pyproj's area forgives."""
    grid = ground(*PLACES["polar stereographic, over the pole"], 1000, 1000)
    assert grid.areas_ha(whole(grid)).sum() == pytest.approx(outline_ha(grid), rel=1e-5)


def test_a_tile_in_web_mercator_has_the_hectares_of_equal_area():
    """1 km2 of EPSG:3035 near 52 N, warped: as many hectares as its share of the pixels says."""
    mercator = ground(3857, 10, (1500000, 6800000), 400, 400)
    to_equal = Transformer.from_crs(3857, 3035, always_xy=True)
    rows, cols = np.mgrid[0:400, 0:400]
    x, y = to_equal.transform(*mercator.xy(rows, cols))
    middle = x[200, 200], y[200, 200]
    inside = (abs(x - middle[0]) < 500) & (abs(y - middle[1]) < 500)
    assert mercator.areas_ha(whole(mercator))[inside].sum() == pytest.approx(100, rel=5e-3)
    # Plane arithmetic has it at 264 ha
    assert inside.sum() / 100 == pytest.approx(264, rel=1e-2)


def test_the_whole_earth_has_its_area():
    grid = Grid(CRS.from_epsg(4326), Affine(0.25, 0, -180, 0, -0.25, 90), 720, 1440)
    parts = [grid.areas_ha(window).sum() for window in grid.windows(500)]
    assert sum(parts) == pytest.approx(510_065_621.724 * 100, rel=1e-6)


@pytest.mark.parametrize("place", ["UTM", "Web Mercator at 52 N", "degrees"])
def test_interpolated_areas_are_those_of_the_pixels(place):
    grid = ground(*PLACES[place], 2500, 2500)
    rows, cols = np.mgrid[0:2500:83, 0:2500:83]
    between = grid.areas_ha(whole(grid))[rows, cols]
    np.testing.assert_allclose(between, grid.pixel_areas_ha(rows, cols), rtol=1e-6)


@given(row=st.integers(0, 1900), col=st.integers(0, 1900), size=st.integers(1, 100))
def test_a_pixel_has_one_area_whatever_window_it_is_read_in(row, col, size):
    grid = ground(*PLACES["Web Mercator at 52 N"], 2000, 2000)
    window = Window(row, col, size, size)
    left = Window(row, 0, 1, min(col + size, 2000))
    of_window, of_strip = grid.areas_ha(window), grid.areas_ha(left)
    n = left.cols - col
    np.testing.assert_allclose(of_window[0, :n], of_strip[0, col:], rtol=1e-12)


def test_pixel_sizes_are_those_on_the_ground():
    """Known answers: 10 m divided by the cosine's scale, metres of a degree, and of a foot."""
    west_east, north_south = ground(*PLACES["degrees"], 1, 1).pixel_size_m
    geod = Geod(ellps="WGS84")
    half = 4.5e-5
    x, y = 13.5 + half, 52.3 - half
    assert west_east == pytest.approx(geod.inv(x - half, y, x + half, y)[2], rel=1e-6)
    assert north_south == pytest.approx(geod.inv(x, y - half, x, y + half)[2], rel=1e-6)
    assert ground(*PLACES["US survey feet"], 9, 9).pixel_size_m == pytest.approx((10, 10), rel=1e-4)
    across, down = ground(*PLACES["UTM"], 9, 9).pixel_size_m
    assert across == pytest.approx(down, rel=1e-6)


def test_a_sphere_is_read_as_latitudes_of_wgs_84():
    """MODIS's sinusoidal grid lies on a sphere, and its users take its latitudes for geodetic."""
    crs = CRS.from_proj4("+proj=sinu +lon_0=0 +R=6371007.181 +units=m")
    grid = Grid(crs, Affine(463.3127, 0, 900000, 0, -463.3127, 5700000), 20, 20)
    assert grid.areas_ha(whole(grid)).sum() == pytest.approx(outline_ha(grid), rel=1e-4)


def test_a_plane_crs_has_the_areas_of_its_plane():
    feet = CRS.from_wkt('LOCAL_CS["plane",UNIT["foot",0.3048]]')
    grid = Grid(feet, Affine(100, 0, 0, 0, -100, 0), 3, 2)
    np.testing.assert_allclose(grid.areas_ha(whole(grid)), np.full((3, 2), 30.48**2 / 1e4))
    assert grid.pixel_size_m == pytest.approx((30.48, 30.48))


def test_pixels_off_the_earth_have_no_area():
    """The corners of a picture of the earth from afar show no place."""
    crs = CRS.from_proj4("+proj=ortho +lat_0=0 +lon_0=0 +R=6378137 +units=m")
    side = 100_000.0
    grid = Grid(crs, Affine(side, 0, -7e6, 0, -side, 7e6), 140, 140)
    areas = grid.areas_ha(whole(grid))
    assert areas[0, 0] == 0 and areas[-1, -1] == 0
    assert areas[70, 70] == pytest.approx(side**2 / 1e4, rel=1e-2)
    assert np.isfinite(areas).all() and areas.max() < 20 * areas[70, 70]


@pytest.mark.parametrize(
    ("crs", "side", "north", "length_m", "expected"),
    [
        (32633, 10, 5_800_000, 100, 10),
        (32633, 60, 5_800_000, 100, 2),
        (32633, 60, 5_800_000, 10, 1),
        # a metre of Web Mercator is 0.616 m on the ground at 52 N
        (3857, 10, 6_800_000, 100, 16),
        (4326, 0.001, 52, 100, 1),
        (4326, 0.0001, 0, 100, 9),
    ],
)
def test_lengths_on_the_ground_are_whole_pixels(crs, side, north, length_m, expected):
    west = 15 if crs == 4326 else 300_000
    grid = Grid(CRS.from_epsg(crs), Affine(side, 0, west, 0, -side, north), 20, 20)
    assert grid.pixels(length_m) == expected


@pytest.mark.parametrize(("rows", "cols"), [(-1, 2), (2, -1)])
def test_a_window_of_less_than_nothing_is_refused(rows, cols):
    with pytest.raises(InputError, match=rf"window of {rows} x {cols} pixels is none; give rows"):
        Window(0, 0, rows, cols)
    assert Window(-3, -3, 0, 0).padded(1) == Window(-4, -4, 2, 2)


@pytest.mark.parametrize(
    ("wkt", "part"),
    [
        ('LOCAL_CS["site",UNIT["metre",1]]', "'site' is a local one"),
        ('ENGCRS["Arbitrary",EDATUM["Unknown"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],'
         'LENGTHUNIT["metre",1]]', "'Arbitrary' is a local one"),
        (CRS.from_epsg(4978).to_wkt(), "geocentric"),
        (CRS.from_epsg(4326).to_wkt(), "in degrees and its bounds are 399960"),
    ],
)  # fmt: skip
def test_what_has_no_place_on_a_map_is_refused(tmp_path, wkt, part):
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=3, height=2, count=1, dtype="uint8",
        crs=CRS.from_wkt(wkt), transform=Affine(10, 0, 399_960, 0, -10, 5_800_020),
    ) as out:  # fmt: skip
        out.write(np.ones((1, 2, 3), np.uint8))
    with rasterio.open(path) as dataset, pytest.raises(InputError, match=part):
        Grid.of(dataset)
