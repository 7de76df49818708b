"""Generalising a class map to CORINE: known answers, and properties by independent means."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.crs import CRS
from scipy import ndimage

from landcover.errors import LandcoverError
from landcover.grid import Grid
from landcover.labels.generalise import corine_grid, merge_small, to_corine

CODES = np.array([211, 231, 311, 312, 512], np.uint16)


def scene_grid(rows, cols, epsg=32633):
    return Grid(CRS.from_epsg(epsg), Affine(10, 0, 400_000, 0, -10, 5_800_000), rows, cols)


def on_scene(cells, cells_grid, grid):
    """Class of the nearest cell at each pixel, worked out with pyproj."""
    from pyproj import Transformer

    rows, cols = np.mgrid[: grid.rows, : grid.cols]
    x, y = grid.xy(rows, cols)
    east, north = Transformer.from_crs(grid.crs, cells_grid.crs, always_xy=True).transform(x, y)
    return cells[cells_grid.rowcol(east, north)]


def region_sizes(cells):
    """Sizes of regions joined by sides, counted by SciPy."""
    sizes = []
    for code in np.unique(cells[cells > 0]):
        regions, _ = ndimage.label(cells == code)
        sizes += np.bincount(regions.ravel())[1:].tolist()
    return sizes


def test_a_uniform_map_stays_uniform():
    grid = scene_grid(300, 400)
    cells, cells_grid = to_corine(
        np.full((300, 400), 211, np.uint16), grid, np.random.default_rng(0)
    )
    assert set(np.unique(cells)) == {0, 211}
    assert (on_scene(cells, cells_grid, grid) == 211).all()


@pytest.mark.parametrize(("side_px", "kept"), [(90, True), (30, False)])
def test_minimum_mapping_unit(side_px, kept):
    """81 ha stay, 9 ha do not."""
    truth = np.full((400, 400), 211, np.uint16)
    truth[150 : 150 + side_px, 150 : 150 + side_px] = 512
    cells, _ = to_corine(truth, scene_grid(400, 400), np.random.default_rng(1))
    assert (512 in cells) is kept


def test_a_narrow_strip_is_lost_and_a_wide_river_is_drawn_through():
    grid = scene_grid(400, 600)
    truth = np.full(grid.shape, 211, np.uint16)
    truth[100:104] = 311  # 40 m
    truth[250:265] = 511  # 150 m
    cells, cells_grid = to_corine(truth, grid, np.random.default_rng(2))
    assert 311 not in cells
    seen = on_scene(cells, cells_grid, grid)
    assert (seen == 511).any(axis=0).all()


@pytest.mark.parametrize("seed", range(4))
def test_borders_lie_near_the_truth(seed):
    """Cells reach 71 m from their centre, and borders are drawn within 95 m."""
    grid = scene_grid(400, 600)
    truth = np.full(grid.shape, 211, np.uint16)
    truth[:, 300:] = 311
    cells, cells_grid = to_corine(truth, grid, np.random.default_rng(seed))
    wrong = on_scene(cells, cells_grid, grid) != truth
    assert wrong.any()
    assert np.abs(np.nonzero(wrong)[1] - 299.5).max() <= 17


def test_merging_prefers_the_likest_neighbour():
    cells = np.full((9, 12), 211)
    cells[:, 6:] = 312
    cells[4, 5] = 311  # longer border with the field, more like the wood
    merged = merge_small(cells, 5)
    assert merged[4, 5] == 312
    cells[cells == 312] = 512
    assert merge_small(cells, 5)[4, 5] == 211


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.uint16,
        st.tuples(st.integers(3, 14), st.integers(3, 14)),
        elements=st.sampled_from(CODES),
    ),
    st.integers(2, 25),
)
def test_merging_leaves_no_small_region(cells, minimum):
    merged = merge_small(cells, minimum)
    assert merged.dtype == cells.dtype and set(np.unique(merged)) <= set(np.unique(cells))
    sizes = region_sizes(merged)
    assert min(sizes) >= minimum or len(sizes) == 1
    assert np.array_equal(merge_small(merged, minimum), merged)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint16, (12, 12), elements=st.sampled_from(CODES)), st.integers(0, 3))
def test_merging_keeps_regions_that_are_large_enough_where_they_are(cells, code):
    cells = cells.copy()
    cells[:, :6] = CODES[code]
    assert (merge_small(cells, 20)[:, :6] == CODES[code]).all()


def test_merging_leaves_nodata_alone():
    cells = np.zeros((8, 8), np.uint16)
    cells[2:6, 2:6] = 211
    cells[3, 3] = 311
    merged = merge_small(cells, 5)
    assert np.array_equal(merged > 0, cells > 0) and set(np.unique(merged)) == {0, 211}


@pytest.mark.parametrize("epsg", [32633, 25832, 2154])
def test_grid_lies_on_whole_hundreds(epsg):
    grid = corine_grid(scene_grid(333, 217, epsg))
    assert grid.crs.to_epsg() == 3035
    assert all(float(edge).is_integer() and edge % 100 == 0 for edge in grid.bounds)


def test_same_generator_same_labels():
    truth = np.random.default_rng(5).choice(CODES, (25, 25)).repeat(12, 0).repeat(12, 1)
    first, second = (
        to_corine(truth, scene_grid(300, 300), np.random.default_rng(8))[0] for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_bad_maps_are_refused():
    truth = np.full((200, 200), 211, np.uint16)
    with pytest.raises(LandcoverError, match=r"class map of \(200, 200\) pixels on a grid of"):
        to_corine(truth, scene_grid(200, 201), np.random.default_rng(0))
    truth[3, 3] = 0
    with pytest.raises(LandcoverError, match="holds unlabelled pixels"):
        to_corine(truth, scene_grid(200, 200), np.random.default_rng(0))
