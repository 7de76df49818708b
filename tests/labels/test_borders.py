"""Distances to borders: pairs of pixels, and a distance transform of every label."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_edt

from landcover.labels.borders import border_distance


def nearest_other(labels, most, sides):
    """`border_distance` by looking at every pair of pixels."""
    found = np.full(labels.shape, most, float)
    places = np.argwhere(labels != 0)
    for row, col in places:
        others = places[labels[tuple(places.T)] != labels[row, col]]
        if len(others):
            nearest = np.hypot(*((others - (row, col)) * sides).T).min()
            found[row, col] = min(nearest, most)
    return found


@given(
    hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14),
               elements=st.sampled_from([0, 211, 211, 211, 311, 512])),
    st.integers(1, 9) | st.floats(1, 9),
    st.tuples(*[st.sampled_from([1.0, 0.76, 1.24, 3.0])] * 2),
)  # fmt: skip
def test_it_is_that_of_the_nearest_other_label(labels, most, sides):
    found = border_distance(labels, most, sides)
    labelled = labels != 0
    assert found.dtype == np.float32 and found.shape == labels.shape
    np.testing.assert_allclose(
        found[labelled], nearest_other(labels, most, sides)[labelled], rtol=1e-6
    )


def test_what_is_unlabelled_is_no_border_and_hides_none():
    labels = np.array([[211, 211, 0, 0, 311, 0, 0, 0]])
    np.testing.assert_array_equal(border_distance(labels, 5)[0, [0, 1, 4]], [4, 3, 3])
    assert (border_distance(np.zeros((3, 4), int), 5) == 5).all()


def test_it_is_that_of_a_distance_transform_of_each_label():
    """Areas with crooked borders, a hole without labels, and a corner of one pixel."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, 300, (60, 2))
    pixels = np.indices((300, 260)).reshape(2, -1).T
    nearest = np.linalg.norm(pixels[:, np.newaxis] - places, axis=-1).argmin(axis=1)
    labels = rng.integers(1, 9, 60)[nearest].reshape(300, 260).astype(np.uint16)
    labels[90:140, 60:200] = 0
    labels[0, 0] = 9
    expected = np.full(labels.shape, 12.5, np.float32)
    for label in np.unique(labels[labels > 0]):
        own = labels == label
        distance = distance_transform_edt(own | (labels == 0), sampling=(1.5, 1.0))
        expected[own] = np.minimum(distance[own], 12.5)
    np.testing.assert_allclose(border_distance(labels, 12.5, (1.5, 1.0)), expected, rtol=1e-6)


def test_without_another_label_every_distance_is_the_largest():
    for most in (3.0, 1e7):
        assert (border_distance(np.full((3, 40), 7), most) == np.float32(most)).all()
