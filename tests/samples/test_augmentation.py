"""Other views of an image, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from landcover.samples.augmentation import NONE, Augmentation, moved

MOVES = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=1, max_size=4)


@given(moves=MOVES, side=st.integers(6, 9))
def test_moves_by_whole_pixels_are_those_of_scipy(moves, side):
    images = np.random.default_rng(0).random((len(moves), side, side, 2), np.float32)
    expected = [
        ndimage.shift(image, (-down, -right, 0), order=0, mode="mirror")
        for image, (down, right) in zip(images, moves, strict=True)
    ]
    np.testing.assert_array_equal(moved(images, *np.array(moves).T), expected)


@pytest.mark.parametrize("zoom", [0.0, 1e-12])
def test_images_are_moved_alike_with_and_without_zoom(rng, zoom):
    images = rng.random((20, 8, 8, 3), np.float32)
    views = Augmentation(turn=False, shift_px=3, zoom=zoom, brightness=0.0)
    still = NONE.views(images, np.random.default_rng(7))
    found = views.views(images, np.random.default_rng(7))
    expected = moved(images, *np.random.default_rng(7).integers(-3, 3, (2, 20), endpoint=True))
    np.testing.assert_array_equal(still, images)
    np.testing.assert_allclose(found, expected, atol=1e-6)
