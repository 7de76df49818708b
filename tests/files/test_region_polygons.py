"""Regions as polygons, against GDAL's own of the whole raster and against counted pixels."""

import numpy as np
import pytest
import shapely
from rasterio.features import rasterize, shapes
from scipy.ndimage import label

from landcover.files import raster_writer
from landcover.files.region_polygons import region_polygons
from tests.conftest import utm_grid


def written(folder, numbers):
    numbers = np.asarray(numbers, np.uint32)
    grid = utm_grid(*numbers.shape)
    path = folder / "segments.tif"
    raster_writer.write(path, numbers, grid, ["segment"], 0)
    return path, grid


def polygons_of(path, window_px):
    parts = list(region_polygons(path, window_px))
    numbers, pixels, polygons = (np.concatenate(held) for held in zip(*parts, strict=True))
    order = np.argsort(numbers)
    return numbers[order], pixels[order], polygons[order]


def random_regions(rng, shape):
    """Regions that are connected by edges and corners, as segments are; numbered from 1."""
    classes = rng.integers(0, 4, shape)
    regions, count = np.zeros(shape, np.int64), 0
    for value in (1, 2, 3):
        found, more = label(classes == value, np.ones((3, 3)))
        regions[found > 0] = found[found > 0] + count
        count += more
    return regions


def test_two_pixels_that_meet_in_a_corner_are_one_polygon_of_two_squares(tmp_path):
    path, grid = written(tmp_path, [[1, 0, 3], [2, 1, 3]])
    numbers, pixels, polygons = polygons_of(path, 64)
    west, north = grid.transform.c, grid.transform.f
    boxes = [
        shapely.box(west + 10 * col, north - 10 * row - 10, west + 10 * col + 10, north - 10 * row)
        for row, col in ((0, 0), (1, 1), (1, 0))
    ]
    assert numbers.tolist() == [1, 2, 3] and pixels.tolist() == [2, 1, 2]
    assert shapely.equals(polygons[0], shapely.union_all(boxes[:2]))
    assert shapely.get_num_geometries(polygons).tolist() == [2, 1, 1]
    assert shapely.equals(polygons[1], boxes[2])


@pytest.mark.parametrize("window_px", [11, 16, 64])
def test_polygons_are_the_pixels_of_each_region_whatever_the_window(tmp_path, rng, window_px):
    regions = random_regions(rng, (34, 41))
    path, grid = written(tmp_path, regions)
    numbers, pixels, polygons = polygons_of(path, window_px)
    counted = np.bincount(regions.ravel())[1:]
    assert numbers.tolist() == list(range(1, len(counted) + 1))
    assert np.array_equal(pixels, counted)
    assert shapely.is_valid(polygons).all()
    assert shapely.area(polygons) == pytest.approx(100 * counted)
    burnt = rasterize(
        zip(polygons, numbers, strict=True), grid.shape, transform=grid.transform, dtype="int32"
    )
    assert np.array_equal(burnt, regions)
    # GDAL's own polygons of regions that corners connect, of the raster as a whole
    whole = list(shapes(regions.astype(np.int32), regions > 0, connectivity=8))
    assert len(whole) == len(numbers)


def test_windows_leave_no_corners(tmp_path):
    path, _ = written(tmp_path, np.ones((40, 40)))
    (polygon,) = polygons_of(path, 16)[2]
    assert shapely.get_num_coordinates(polygon) == 5


def test_a_raster_without_regions_gives_none(tmp_path):
    path, _ = written(tmp_path, np.zeros((5, 5)))
    assert list(region_polygons(path)) == []
