"""Lengths are metres on the ground, whatever the pixels and the CRS; pyproj.Geod is the judge."""

import numpy as np
import pytest
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS

from landcover.files import raster_writer
from landcover.grid import Grid
from landcover.labels.borders import border_distance
from landcover.labels.generalise import to_corine
from landcover.reports import label_noise, zones

GEOD = Geod(ellps="WGS84")
LON, LAT = 13.0, 52.0
SIDE_M = 1234.0
FEET = "+proj=tmerc +lat_0=52 +lon_0=13.1 +datum=WGS84 +units=us-ft +no_defs"
#: CRS, and width and height of a pixel in its unit.
GRIDS = {
    "utm10": ("EPSG:32633", 10, 10),
    "utm20": ("EPSG:32633", 20, 20),
    "utm3": ("EPSG:32633", 3, 3),
    "utm10x20": ("EPSG:32633", 10, 20),
    "mercator": ("EPSG:3857", 10, 10),
    "degrees": ("EPSG:4326", 9e-5, 9e-5),
    "laea30": ("EPSG:3035", 30, 30),
    "feet": (FEET, 32.8, 32.8),
}


def grid_around(name, side_m=SIDE_M):
    """A grid of about `side_m` metres a side around LON, LAT; and longitudes and latitudes."""
    text, width, height = GRIDS[name]
    crs = CRS.from_user_input(text)
    there = Transformer.from_crs("EPSG:4326", crs.to_wkt(), always_xy=True)
    x, y = there.transform(LON, LAT)
    ends = [
        np.array(there.transform(*GEOD.fwd(LON, LAT, azimuth, side_m / 2)[:2]))
        for azimuth in (90, 270, 0, 180)
    ]
    cols = round(np.hypot(*(ends[0] - ends[1])) / width)
    rows = round(np.hypot(*(ends[2] - ends[3])) / height)
    # LON and LAT on the corner of a pixel, near the middle
    corner = x - cols // 2 * width, y + rows // 2 * height
    grid = Grid(crs, Affine(width, 0, corner[0], 0, -height, corner[1]), rows, cols)
    places = grid.xy(*np.indices(grid.shape))
    lon, lat = there.transform(*places, direction="INVERSE")
    return grid, lon, lat


def metres(lon, lat, to_lon, to_lat):
    return GEOD.inv(
        lon, lat, np.broadcast_to(to_lon, lon.shape), np.broadcast_to(to_lat, lat.shape)
    )[2]


def sides(lon, lat):
    """Height and width of the pixel in the middle."""
    row, col = lon.shape[0] // 2, lon.shape[1] // 2
    height = GEOD.inv(lon[row, col], lat[row, col], lon[row + 1, col], lat[row + 1, col])[2]
    width = GEOD.inv(lon[row, col], lat[row, col], lon[row, col + 1], lat[row, col + 1])[2]
    return height, width


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("length_m", [25, 100, 333])
def test_a_length_on_the_ground_is_so_many_pixels(name, length_m):
    grid, lon, lat = grid_around(name)
    height, width = sides(lon, lat)
    spans = grid.spans_px(length_m)
    assert spans == pytest.approx((max(1, length_m / height), max(1, length_m / width)), rel=0.006)
    assert grid.length_px(length_m) == pytest.approx(2 * length_m / (height + width), rel=0.006)
    ratio = grid.relative_sides[0] / grid.relative_sides[1]
    assert ratio == pytest.approx(height / width, rel=0.006)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("along", ["meridian", "parallel"])
def test_the_border_zone_is_100_metres_wide(name, along):
    grid, lon, lat = grid_around(name)
    if along == "meridian":
        first, away = lon < LON, metres(lon, lat, LON, lat)
    else:
        first, away = lat < LAT, metres(lon, lat, lon, LAT)
    labels = np.where(first, 211, 512).astype(np.uint16)
    down, across = (round(span) for span in grid.spans_px(100))
    near = zones.near_border(np.pad(labels, ((down, down), (across, across))), (down, across))
    pixel = max(sides(lon, lat))
    assert near[away < 100 - pixel].all()
    assert not near[away > 100 + pixel].any()


@pytest.mark.parametrize("name", GRIDS)
def test_distances_to_a_border_are_metres_in_every_direction(name):
    """Around a round lake: pixels that are wider than high would make an ellipse of them."""
    grid, lon, lat = grid_around(name)
    away = metres(lon, lat, LON, LAT) - 150
    labels = np.where(away < 0, 512, 211).astype(np.uint16)
    far = grid.length_px(300)
    found = border_distance(labels, far, grid.relative_sides)
    pixel_m = float(np.mean(grid.pixel_size_m))
    land = (away > 0) & (found < far)
    assert land.sum() > 100
    # Between centres of pixels, so up to a pixel more than to the shore
    off = found[land] * pixel_m - away[land]
    assert off.min() > -0.02 * 300
    assert off.max() < 1.5 * max(sides(lon, lat)) + 0.02 * 300


@pytest.mark.parametrize("name", GRIDS)
def test_cells_of_100_metres_are_counted_by_the_ground(name, tmp_path):
    grid, lon, lat = grid_around(name)
    codes = np.full(grid.shape, 211, np.uint16)
    path = raster_writer.write(tmp_path / "classes.tif", codes, grid, ["class"], nodata=0)
    height, width = sides(lon, lat)
    whole, straddling = label_noise.count_cells(path, 100)
    # The last pixel of a cell may reach beyond the scene by less than half of it
    least = np.floor((np.array([grid.rows * height, grid.cols * width]) - 0.5) / 100)
    most = np.floor((np.array([(grid.rows + 0.5) * height, (grid.cols + 0.5) * width]) + 0.5) / 100)
    assert np.prod(least) <= whole <= np.prod(most)
    assert straddling == 0


@pytest.mark.parametrize("name", ["utm20", "mercator", "degrees", "feet"])
def test_borders_are_drawn_as_far_off_in_any_unit(name):
    """Cells more than a drawn border's error from the true one keep their class."""
    grid, lon, _ = grid_around(name, 4000.0)
    truth = np.where(lon < LON, 211, 512).astype(np.uint16)
    cells, cells_grid = to_corine(truth, grid, np.random.default_rng(0))
    back = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True)
    at_lon, at_lat = back.transform(*cells_grid.xy(*np.indices(cells_grid.shape)))
    away = metres(at_lon, at_lat, LON, at_lat)
    expected = np.where(at_lon < LON, 211, 512)
    clear = (cells > 0) & (away > 95 + 71 + 20)
    assert clear.sum() > 800
    assert (cells == expected)[clear].all()
    assert not (cells == expected)[(cells > 0) & ~clear].all()
