"""Vector data as masks and distances."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
from scipy import ndimage
from shapely.geometry import LineString, Point, box

from landcover.errors import InputError, MissingProduct
from landcover.files.open_rasters import OpenRasters
from landcover.grid import Window
from landcover.sources import near_features
from landcover.sources.near_features import FURTHEST_M, NearFeatures
from tests.conftest import utm_grid

GRID = utm_grid(90, 110)
WHOLE = Window(0, 0, 90, 110)


def write(path, *geometries, crs=GRID.crs, layer=None, **how):
    frame = geopandas.GeoDataFrame(geometry=list(geometries), crs=crs)
    frame.to_file(path, layer=layer, **how)
    return path


def at(row, col):
    """Coordinates of a place on the grid, rows and columns from its corner."""
    return 300_000 + 10 * col, 5_800_000 - 10 * row


def read(path, distance, window=WHOLE, grid=GRID):
    layer = NearFeatures("roads", path, distance)
    with OpenRasters() as files:
        return layer.on(grid)(files, window)[0]


def test_a_point_and_a_polygon_by_their_pixels(tmp_path):
    path = write(tmp_path / "a.gpkg", Point(at(20.5, 30.5)), box(*at(60, 50), *at(55, 60)))
    mask = read(path, distance=False)
    expected = np.zeros((90, 110))
    expected[20, 30] = 1
    expected[55:60, 50:60] = 1
    np.testing.assert_array_equal(mask, expected)
    rows, cols = np.nonzero(expected)
    row, col = np.mgrid[0:90, 0:110]
    nearest = np.hypot(row[..., None] - rows, col[..., None] - cols).min(axis=-1)
    np.testing.assert_allclose(read(path, distance=True), 10 * nearest, rtol=2e-3)


def test_a_line_takes_every_pixel_that_it_touches(tmp_path):
    path = write(tmp_path / "a.geojson", LineString([at(10.5, 5.2), at(10.5, 9.8)]))
    assert np.argwhere(read(path, distance=False)).tolist() == [[10, col] for col in range(5, 10)]


def test_distance_ends_at_its_cap(tmp_path, monkeypatch):
    monkeypatch.setattr(near_features, "FURTHEST_M", 300.0)
    path = write(tmp_path / "a.gpkg", Point(at(5.5, 5.5)))
    found = read(path, distance=True)
    assert found[5, 5] == 0 and found.max() == 300
    assert found[5, 25] == pytest.approx(200, rel=2e-3)


@pytest.mark.parametrize("square", [512, 16])
def test_windows_make_no_seams(tmp_path, monkeypatch, square):
    # lines along the edges of pixels fall to one side of them, whichever window asks
    monkeypatch.setattr(near_features, "_SQUARE_PX", square)
    monkeypatch.setattr(near_features, "FURTHEST_M", 150.0)
    path = write(
        tmp_path / "a.gpkg",
        LineString([at(0, 40), at(90, 40)]),
        LineString([at(33, 0), at(33, 110)]),
        LineString([at(-8, 60), at(95, 118)]),
    )
    for distance in (False, True):
        whole = read(path, distance)
        for window in (Window(0, 0, 31, 41), Window(31, 17, 59, 93), Window(30, 39, 1, 2)):
            np.testing.assert_array_equal(read(path, distance, window), whole[window.slices])


def test_features_beside_the_scene_count_up_to_the_cap(tmp_path):
    path = write(tmp_path / "a.gpkg", Point(at(45.5, -99.5)))
    assert read(path, distance=True)[45, 0] == pytest.approx(1000, rel=2e-3)
    with pytest.raises(InputError, match="lies outside the scene"):
        read(path, distance=False)
    far = write(tmp_path / "far.gpkg", Point(at(45, -250)))
    with pytest.raises(InputError, match="lies outside the scene"):
        read(far, distance=True)
    assert FURTHEST_M == 2000


def test_another_crs(tmp_path):
    path = tmp_path / "a.gpkg"
    frame = geopandas.GeoDataFrame(geometry=[LineString([at(-50, 50.5), at(150, 50.5)])])
    frame.set_crs(GRID.crs).to_crs(4326).to_file(path)
    found = read(path, distance=True)
    expected = 10 * np.abs(np.arange(110) - 50.0)
    assert np.abs(found - expected).max() < 11  # the line is straight in degrees


def test_distance_is_that_of_scipy_of_the_whole_mask(tmp_path, rng):
    points = [Point(at(*place)) for place in rng.uniform(0, (90, 110), (12, 2))]
    path = write(tmp_path / "a.gpkg", *points)
    height, width = GRID.pixel_size_m[::-1]
    expected = ndimage.distance_transform_edt(read(path, False) == 0, sampling=(height, width))
    np.testing.assert_allclose(read(path, True), expected.clip(max=2000), rtol=1e-6)


def test_names_of_bands():
    assert NearFeatures("roads", "a.gpkg", True).names == ("roads_distance",)
    assert NearFeatures("roads", "a.gpkg", False).names == ("roads_mask",)
    with pytest.raises(InputError, match="'2 lanes' is no name"):
        NearFeatures("2 lanes", "a.gpkg", True)


def test_an_unknown_layer_and_several(tmp_path):
    path = write(tmp_path / "a.gpkg", Point(at(1, 1)), layer="roads")
    write(path, Point(at(2, 2)), layer="rails")
    with pytest.raises(InputError, match=r"has no layer 'paths'.*roads"):
        read(f"{path}|layername=paths", True)
    with pytest.raises(InputError, match=r"several layers with features: roads, rails"):
        read(path, True)
    assert read(f"{path}|layername=rails", False).sum() == 1


def test_no_crs_and_no_features(tmp_path):
    path = write(tmp_path / "a.gpkg", Point(at(1, 1)), crs=None)
    with pytest.raises(InputError, match=r"a.gpkg has no CRS"):
        read(path, True)
    empty = write(tmp_path / "empty.gpkg", Point())
    with pytest.raises(InputError, match=r"empty.gpkg holds no features"):
        read(empty, True)
    with pytest.raises(MissingProduct, match=r"none.gpkg does not exist"):
        read(tmp_path / "none.gpkg", True)
