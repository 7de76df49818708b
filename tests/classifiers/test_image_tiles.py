"""An image in memory, predicted by tiles of few shapes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover import maps
from landcover.classifiers.one_image import OfOneImage
from landcover.grid import Window
from tests.fixtures.map_models import cnn_classifier, forest_classifier


class Watched(OfOneImage):
    """A classifier of two classes that notes the shapes it sees."""

    radius = 2

    def __init__(self):
        self.shapes = set()

    def predict_window(self, image):
        self.shapes.add(image.shape)
        share = image[0, 2:-2, 2:-2]
        return np.stack([share, 1 - share])


def gathered(classifier, values, classes):
    """Probabilities of all tiles on one array, NaN where there are none."""
    probabilities = np.full((classes, *values.shape[1:]), np.nan, np.float32)
    for place, valid, found in maps.predict_tiles(classifier, values):
        assert np.isnan(probabilities[:, *place.slices]).all(), "tiles overlap"
        probabilities[:, *place.slices] = np.where(valid, found, np.nan)
    return probabilities


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (65, 3), (128, 100), (300, 513)])
def test_every_valid_pixel_is_predicted_once(shape, rng):
    values = rng.uniform(0, 1, (1, *shape)).astype(np.float32)
    values[0, rng.uniform(size=shape) < 0.1] = np.nan
    probabilities = gathered(Watched(), values, 2)
    np.testing.assert_array_equal(probabilities[0], values[0])


def test_images_of_many_shapes_are_seen_in_three(rng):
    watched = Watched()
    for rows, cols in rng.integers(1, 400, (60, 2)):
        list(maps.predict_tiles(watched, np.zeros((1, rows, cols), np.float32)))
    assert watched.shapes == {(1, side + 4, side + 4) for side in (64, 128, 256)}


def test_an_image_of_nodata_asks_nothing():
    watched = Watched()
    assert list(maps.predict_tiles(watched, np.full((1, 90, 80), np.nan, np.float32))) == []
    assert not watched.shapes


@pytest.mark.parametrize(
    "classifier", [forest_classifier(), cnn_classifier(5)], ids=["forest", "cnn"]
)
def test_tiles_hold_what_the_whole_image_gives(classifier, rng):
    values = rng.uniform(0, 0.4, (4, 140, 301)).astype(np.float32)
    values[:, 30:50, 90:120] = np.nan
    radius = classifier.radius
    margin = ((0, 0), (radius, radius), (radius, radius))
    whole = classifier.predict_window(np.pad(values, margin, constant_values=np.nan))
    probabilities = gathered(classifier, values, 4)
    valid = ~np.isnan(values).any(axis=0)
    assert np.isnan(probabilities[:, ~valid]).all()
    np.testing.assert_allclose(probabilities[:, valid], whole[:, valid], atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 200_000), (200_000, 1)])
def test_a_thin_image_takes_little_beside_its_own_memory(shape):
    watched, values = Watched(), np.full((1, *shape), 0.25, np.float32)
    tracemalloc.start()
    try:
        seen = sum(valid.sum() for _, valid, _ in maps.predict_tiles(watched, values))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == 200_000 and watched.shapes == {(1, 260, 260)}
    assert peak < 10e6


@given(
    shape=st.tuples(*[st.integers(1, 6)] * 2),
    corner=st.tuples(*[st.integers(-9, 9)] * 2),
    size=st.tuples(*[st.integers(1, 9)] * 2),
)
def test_a_window_is_cut_as_from_an_image_with_a_wide_margin(shape, corner, size):
    values = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    wide = np.pad(values, ((0, 0), (20, 20), (20, 20)), constant_values=np.nan)
    place, moved = Window(*corner, *size), Window(corner[0] + 20, corner[1] + 20, *size)
    found = maps.cut(values, place)
    np.testing.assert_array_equal(found, wide[:, *moved.slices])
    assert found.dtype == np.float32 and found.flags.c_contiguous
