"""Labels of few pixels: none is lost in a picture, and each is wide enough to be seen."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import from_origin

from landcover.files import raster_writer
from landcover.grid import Grid
from landcover.legend import corine
from landcover.reports import figures, sparse_labels

LEGEND = corine().at(1).legend


@pytest.mark.parametrize("shape", [(230, 140), (12, 400)])
def test_thinning_loses_no_labelled_pixel(tmp_path, shape):
    codes = np.zeros(shape, np.uint16)
    places = [(1, 1), (7, 77), (shape[0] - 1, shape[1] - 1)]
    for number, place in enumerate(places, 1):
        codes[place] = number
    grid = Grid(CRS.from_epsg(32632), from_origin(500_000, 5_000_000, 10, 10), *shape)
    path = tmp_path / "labels.tif"
    raster_writer.write(path, codes, grid, ["labels"], nodata=0)
    small = sparse_labels.read_sparse(path, 30)
    assert small.shape == figures.read_folded(path, 30)[0].shape
    assert sorted(small[small > 0]) == [1, 2, 3]


def test_a_pixel_becomes_a_mark_over_the_scene_and_over_no_other_class():
    codes = np.zeros((600, 400), np.uint16)
    codes[100, 100], codes[100, 101], codes[300, 200] = 1, 2, 3
    scene = np.full((300, 200, 3), 80, np.uint8)
    picture = sparse_labels.over_scene(codes, LEGEND, scene)
    one, two, three = (LEGEND[code].colour for code in (1, 2, 3))
    assert tuple(picture[100, 100]) == one and tuple(picture[100, 101]) == two
    assert (picture[299:302, 199:202] == three).all()  # 3 pixels wide in a picture of 600
    assert (picture[298, 198:203] == 255).all() and (picture[302, 198:203] == 255).all()
    assert (picture[303] == 40).all() and (picture[:, 300] == 40).all()
    assert sparse_labels.is_sparse(codes) and not sparse_labels.is_sparse(codes + 1)


def test_a_small_picture_shows_pixels_as_they_are():
    codes = np.zeros((100, 90), np.uint16)
    codes[50, 40] = 1
    picture = sparse_labels.over_scene(codes, LEGEND, np.full((100, 90, 3), 80, np.uint8))
    assert np.count_nonzero((picture != 40).any(axis=2)) == 1
