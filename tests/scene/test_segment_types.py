from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.decomposition import PCA

from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.grid import Grid
from landcover.reports import segment_figures
from landcover.run import Run
from landcover.scene.segmentation import types as segment_types
from landcover.scene.segmentation.types import (
    add_segments,
    hierarchy_types,
    percentile_types,
    segment_means,
    types_of_pixels,
)
from landcover.stages.segment import FULL_SCALE_REFLECTANCE, segment


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = np.unique(np.stack([np.ravel(a), np.ravel(b)]), axis=1).shape[1]
    return pairs == len(np.unique(a)) == len(np.unique(b))


@pytest.mark.parametrize("block", [2**20, 50])
def test_means_are_those_of_scipy(monkeypatch, block):
    monkeypatch.setattr(segment_types, "_BLOCK_PIXELS", block)
    rng = np.random.default_rng(0)
    image, segments = rng.random((3, 30, 40)), rng.integers(0, 12, (30, 40))
    means, counts = segment_means(image, segments)
    index = np.arange(1, 12)
    for band in range(3):
        np.testing.assert_allclose(means[:, band], ndimage.mean(image[band], segments, index))
    np.testing.assert_array_equal(counts, [(segments == i).sum() for i in index])


def test_pixels_outside_segments_do_not_matter():
    image, segments = np.ones((2, 3, 3)), np.ones((3, 3), np.int32)
    segments[0, 0], image[:, 0, 0] = 0, np.nan
    means, counts = segment_means(image, segments)
    np.testing.assert_array_equal(means, [[1.0, 1.0]])
    assert counts.tolist() == [8]


def test_six_types_by_the_first_component():
    rng = np.random.default_rng(1)
    brightness = rng.gamma(2, 0.05, 500)
    means = brightness[:, None] * [0.5, 0.6, 0.7, 2.0] + rng.normal(0, 0.002, (500, 4))
    score = PCA(1).fit_transform(means)[:, 0]
    score *= np.sign(np.corrcoef(score, brightness)[0, 1])
    limits = np.percentile(score, [10, 25, 50, 75, 90])
    types = percentile_types(means)
    np.testing.assert_array_equal(types, 1 + (score[:, None] > limits).sum(axis=1))
    np.testing.assert_array_equal(np.bincount(types), [0, 50, 75, 125, 125, 75, 50])
    assert types.dtype == np.uint8


def test_brighter_is_higher_whatever_the_order_of_bands():
    means = np.random.default_rng(2).random((60, 1)) * [0.2, 0.1, 0.7]
    types = percentile_types(means)
    np.testing.assert_array_equal(types, percentile_types(means[:, ::-1]))
    assert types[means.sum(axis=1).argmax()] == 6
    assert types[means.sum(axis=1).argmin()] == 1


def test_one_segment_and_segments_of_one_colour_are_one_type():
    assert percentile_types(np.array([[0.2, 0.3]])).tolist() == [1]
    assert percentile_types(np.full((7, 2), 0.5)).tolist() == [1] * 7
    assert hierarchy_types(np.full((7, 2), 0.5), np.ones(7, int), (3,)).tolist() == [[1] * 7]


@pytest.mark.parametrize("seed", range(5))
def test_hierarchy_of_equal_segments_is_that_of_scipy(seed):
    means = np.random.default_rng(seed).random((200, 4))
    ours = hierarchy_types(means, np.full(200, 3), (2, 5, 20))
    for types, level in zip(ours, (2, 5, 20), strict=True):
        theirs = fcluster(linkage(means, "ward"), level, "maxclust")
        assert same_partition(types, theirs)


def test_a_segment_weighs_as_many_pixels_as_it_has():
    # Ward's clusters of n equal points each are those of scipy on the points one by one,
    # as long as equal points are joined first.
    rng = np.random.default_rng(3)
    means, counts = rng.random((40, 3)), rng.integers(1, 9, 40)
    ours = hierarchy_types(means, counts, (6,))[0]
    pixels = np.repeat(np.arange(40), counts)
    theirs = fcluster(linkage(means[pixels], "ward"), 6, "maxclust")
    assert same_partition(ours[pixels], theirs)


colours = hnp.arrays(
    float, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=st.floats(0, 1, width=16)
)


@settings(max_examples=60, deadline=None)
@given(colours, st.integers(0, 2**32))
def test_levels_are_nested_and_ordered_by_brightness(means, seed):
    counts = np.random.default_rng(seed).integers(1, 5000, len(means))
    levels = hierarchy_types(means, counts, (2, 5, 9))
    for coarse, fine in pairwise(levels):
        pairs = np.unique(np.stack([coarse, fine]), axis=1).shape[1]
        assert pairs == len(np.unique(fine))
    for types, most in zip(levels, (2, 5, 9), strict=True):
        n = types.max()
        assert n == min(most, len(np.unique(means, axis=0)))
        of_type = [np.average(means.mean(axis=1)[types == t], weights=counts[types == t])
                   for t in range(1, n + 1)]  # fmt: skip
        assert (np.diff(of_type) > -1e-12).all()


def test_many_segments_are_grouped_first_and_found_again():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 8, 20_000)
    corners = np.indices((2, 2, 2)).reshape(3, 8).T * 0.4
    means = corners[truth] + rng.normal(0, 0.01, (20_000, 3))
    types = hierarchy_types(means, rng.integers(500, 5000, 20_000), (8,))[0]
    assert same_partition(types, truth)
    groups = segment_types._colour_groups(means, np.ones(20_000))[0]
    assert 500 < groups.max() < segment_types.MAX_CENTRES


def test_cubes_of_many_bands_are_told_apart():
    means = np.random.default_rng(7).integers(0, 3, (4000, 30)) / 2
    cubes = segment_types._cube_of(means, 1000)
    assert same_partition(cubes, np.unique(means, axis=0, return_inverse=True)[1])


def test_pixels_get_types_by_index():
    types = types_of_pixels(np.array([[0, 2], [1, 2]]), np.array([7, 9], np.uint8))
    np.testing.assert_array_equal(types, [[0, 9], [7, 9]])
    assert types.dtype == np.uint8


def test_samples_get_their_segments():
    samples = pd.DataFrame({"row": [1, 0], "col": [0, 1], "segment": [8, 8], "B02": [0.1, 0.2]})
    samples["segment_type_hierarchy_99"] = 5
    segments = np.array([[1, 2], [3, 4]])
    layers = {"percentile": np.uint8([1, 2, 3, 4]), "hierarchy-4": np.uint8([5, 6, 7, 8])}
    table = add_segments(samples, segments, layers)
    assert table.columns.tolist() == [
        "row", "col", "B02", "segment", "segment_type", "segment_type_hierarchy_4"
    ]  # fmt: skip
    assert table["segment"].tolist() == [3, 2]
    assert table["segment_type_hierarchy_4"].tolist() == [7, 6]
    assert samples["segment"].tolist() == [8, 8]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: segment_means(np.ones((1, 2, 3)), np.ones((3, 2), int)),
            "differ in rows and cols",
        ),
        (lambda: percentile_types(np.ones((3, 2)), [50, 25]), r"percentiles \[50, 25\]"),
        (lambda: percentile_types(np.ones((3, 2)), [50, 101]), "not between 0 and 100"),
        (lambda: percentile_types(np.ones((3, 2)), []), r"percentiles \[\]"),
        (lambda: percentile_types(np.array([[np.nan]])), "not a table of finite numbers"),
        (lambda: hierarchy_types(np.ones((3, 2)), np.ones(3), (8, 4)), r"levels \[8, 4\]"),
        (lambda: hierarchy_types(np.ones((3, 2)), np.ones(3), (4, 300)), r"levels \[4, 300\]"),
        (lambda: hierarchy_types(np.ones((3, 2)), np.ones(4), (4,)), r"counts of shape \(4,\)"),
        (
            lambda: add_segments(pd.DataFrame({"row": [5], "col": [0]}), np.ones((2, 2)), {}),
            "row 5, col 0 lies outside segments of 2 x 2",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(LandcoverError, match=message):
        call()


@pytest.fixture
def run(tmp_path) -> Run:
    """A run with a small scene of four flat fields, noise, and a nodata corner."""
    from affine import Affine
    from rasterio.crs import CRS

    rng = np.random.default_rng(5)
    field = (np.arange(60)[:, None] // 30) * 2 + np.arange(80) // 40
    colours = np.array([[0.04, 0.06, 0.05, 0.4], [0.1, 0.12, 0.15, 0.2],
                        [0.02, 0.03, 0.01, 0.01], [0.05, 0.08, 0.06, 0.25]])  # fmt: skip
    image = colours[field].transpose(2, 0, 1) + rng.normal(0, 0.0005, (4, 60, 80))
    image[:, :5, :5] = np.nan
    run = Run(tmp_path / "run")
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 60, 80)
    raster_writer.write(
        run.scene, image.astype(np.float32), grid, ["B02", "B03", "B04", "B08"], np.nan
    )
    return run


def test_the_stage_writes_segments_types_table_and_pictures(run):
    products = segment(run, sigma=0, min_size=100)
    assert [path.relative_to(run.path).as_posix() for path in products] == [
        "segments.tif",
        "segment_types.tif",
        "segments.parquet",
        "figures/segments.png",
        "figures/segment_types.png",
    ]
    segments = rasters.read(run.segments)[0]
    assert segments.dtype == np.uint32
    assert (segments[:5, :5] == 0).all()
    assert np.unique(segments).tolist() == [0, 1, 2, 3, 4]
    names = rasters.band_names(run.segment_types)
    assert names == ("percentile", "hierarchy-4", "hierarchy-8", "hierarchy-16")
    types = rasters.read(run.segment_types)
    assert types.dtype == np.uint8
    assert ((types == 0) == (segments == 0)).all()
    # Darkest to brightest: water, the field of near infrared 0.25, soil, the brightest field.
    table = pd.read_parquet(run.path / "segments.parquet")
    assert table["pixels"].tolist() == [1175, 1200, 1200, 1200]
    assert table["B08"].round(2).tolist() == [0.4, 0.2, 0.01, 0.25]
    assert table["segment_type_hierarchy_4"].tolist() == [3, 4, 1, 2]
    for i, column in enumerate(["segment_type", "segment_type_hierarchy_4"]):
        lookup = np.concatenate([[0], table[column]])
        np.testing.assert_array_equal(types[i], lookup[segments])
    recorded = json.loads(run.manifest.read_text())["stages"]["segment"]["settings"]
    assert recorded["scale"] == 1200
    assert recorded["full_scale_reflectance"] == FULL_SCALE_REFLECTANCE


def test_the_stage_gives_the_same_bytes_again(run):
    first = [path.read_bytes() for path in segment(run, min_size=100)]
    assert [path.read_bytes() for path in segment(run, min_size=100)] == first


def test_samples_that_cannot_be_read_stop_before_anything_is_written(run):
    run.samples.write_bytes(b"half a table")
    with pytest.raises(LandcoverError, match=r"samples.parquet is not readable .* draw the sample"):
        segment(run, min_size=100)
    assert not run.segments.exists()


def test_samples_are_brought_up_to_date(run):
    geopandas = pytest.importorskip("geopandas")
    rng = np.random.default_rng(6)
    row, col = rng.integers(5, 60, 50), rng.integers(5, 80, 50)
    points = geopandas.points_from_xy(300005 + 10.0 * col, 5799995 - 10.0 * row)
    samples = geopandas.GeoDataFrame(
        {"row": row, "col": col, "split": "train", "label": np.uint16(211)},
        geometry=points,
        crs=32633,
    )
    samples.to_parquet(run.samples)
    assert run.samples in segment(run, min_size=100, levels=(2, 3))
    assert run.samples in segment(run, min_size=100, levels=(4,))
    table = geopandas.read_parquet(run.samples)
    assert [c for c in table.columns if c.startswith("segment")] == [
        "segment", "segment_type", "segment_type_hierarchy_4"
    ]  # fmt: skip
    segments, types = rasters.read(run.segments)[0], rasters.read(run.segment_types)
    np.testing.assert_array_equal(table["segment"], segments[row, col])
    np.testing.assert_array_equal(table["segment_type"], types[0, row, col])
    np.testing.assert_array_equal(table["segment_type_hierarchy_4"], types[1, row, col])
    assert table["label"].dtype == np.uint16
    assert table["split"].tolist() == ["train"] * 50
    assert table.crs.to_epsg() == 32633
    assert table.geometry.geom_equals(samples.geometry).all()


def test_a_large_scene_is_shown_by_its_centre(run, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(segment_figures, "PICTURE_PX", 50)
    segment(run, min_size=100)
    # 50 x 50 pixels, and the line that says so
    assert Image.open(run.figure("segments")).size == (50, 50 + 28)


def test_a_run_without_a_scene(tmp_path):
    with pytest.raises(LandcoverError, match=r"scene.tif does not exist; .*landcover prep"):
        segment(Run(tmp_path))


def test_a_scene_without_data(run):
    image = np.full((4, 60, 80), np.nan, np.float32)
    grid, bands = rasters.grid_of(run.scene), rasters.band_names(run.scene)
    raster_writer.write(run.scene, image, grid, bands, np.nan)
    with pytest.raises(LandcoverError, match="no pixel that is valid in every band"):
        segment(run)
    assert not run.segments.exists()


def test_bad_levels_are_found_before_the_work(run):
    with pytest.raises(LandcoverError, match=r"levels \[0\]"):
        segment(run, levels=(0,))
