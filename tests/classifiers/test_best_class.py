"""Best classes and near ties against numpy, and chips against sliding windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.classifiers.best_class import near_ties, winners
from landcover.samples.chips import cut_chips


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_winners_are_argmax_and_max(kind):
    rng = np.random.default_rng(0)
    # Few values, so that there are ties, of which the first class wins
    probabilities = rng.integers(0, 4, (5, 30, 41)).astype(kind)
    index, best = winners(probabilities)
    assert np.array_equal(index, probabilities.argmax(axis=0))
    assert best.dtype == kind and np.array_equal(best, probabilities.max(axis=0))
    # Any layout of memory
    index, best = winners(probabilities.transpose(0, 2, 1))
    assert np.array_equal(index, probabilities.argmax(axis=0).T)


@given(
    probabilities=st.lists(st.floats(1e-6, 1), min_size=3, max_size=6),
    bound=st.floats(1e-4, 2),
)
def test_near_ties_by_logarithms(probabilities, bound):
    column = np.array(probabilities, np.float32)
    first, second = np.sort(np.log(column.astype(np.float64)))[::-1][:2]
    if abs(first - second - bound) > 1e-5:
        found = near_ties(column.reshape(-1, 1, 1), np.zeros((1, 1, 1), np.float32), bound)
        assert len(found) == (first - second < bound)


def test_near_ties_of_an_image_against_sorting():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(6), (20, 33)).transpose(2, 0, 1).astype(np.float32)
    image = rng.random((3, 24, 37), dtype=np.float32)
    image[rng.random(image.shape) < 0.05] = np.nan
    first, second = np.sort(probabilities, axis=0)[::-1][:2]
    close = np.log(first / second) <= 0.3
    valid = ~np.isnan(image[:, 2:-2, 2:-2]).any(axis=0)
    assert (close & ~valid).any() and (close & valid).any()
    assert np.array_equal(near_ties(probabilities, image, 0.3), np.flatnonzero(close & valid))


def test_chips_are_the_patches_around_pixels():
    image = np.random.default_rng(2).random((2, 12, 15), dtype=np.float32)
    pixels = np.array([0, 10, 11, 87])
    chips = np.zeros((2, 5, 5, 6), np.float32)
    cut_chips(image, pixels, chips, 1)
    views = np.lib.stride_tricks.sliding_window_view(image, (5, 5), axis=(1, 2))
    expected = views[:, *np.divmod(pixels, 11)]
    assert np.array_equal(chips[..., 1:5], np.moveaxis(expected, 1, -1))
    assert not chips[..., [0, 5]].any()
