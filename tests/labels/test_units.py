"""Units of labels: found as by hand, and each expected to hold enough of its own class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from landcover.labels.units import LEAST_OF_UNIT, Units, hold_own_class


@st.composite
def scenes(draw, aligned=False):
    """Labels drawn as areas, -1 in places, over segments; probabilities of segments.

    Where `aligned`, no segment lies in two units.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = draw(st.integers(2, 5))
    coarse = rng.integers(-1, classes, (rng.integers(1, 5), rng.integers(1, 5)))
    labels = coarse.repeat(8, axis=0).repeat(8, axis=1)
    height, width = (4, 8) if aligned else (3, draw(st.integers(2, 11)))
    rows, cols = np.indices(labels.shape)
    ids = 1 + (rows // height) * 20 + cols // width
    ids[rng.random(ids.shape) < 0.05] = 0
    sizes = np.bincount(ids.ravel())
    sizes[0] = 0
    probabilities = rng.dirichlet(np.full(classes, draw(st.floats(0.3, 3))), len(sizes))
    return labels, ids, sizes, probabilities


def share_of_own(units, probabilities):
    """Expected share of each unit that is its class, one unit at a time."""
    shares = []
    for unit, position in enumerate(units.classes):
        pixels = units.pixels.toarray()[:, unit]
        shares.append(pixels @ probabilities[:, position] / max(pixels.sum(), 1))
    return np.array(shares)


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_units_are_those_of_each_class_labelled_alone(scene):
    labels, ids, _, _ = scene
    units = Units.of(labels, ids)
    expected = []
    for position in np.unique(labels[labels >= 0]):
        regions, count = label(labels == position)
        for number in range(1, count + 1):
            inside = ids[(regions == number) & (ids > 0)]
            expected.append((position, *np.bincount(inside, minlength=ids.max() + 1)))
    found = zip(units.classes, units.pixels.toarray().T, strict=True)
    assert sorted((position, *pixels) for position, pixels in found) == sorted(expected)


def test_units_are_whole_across_the_strips_that_are_counted():
    labels, ids = np.zeros((1300, 2), int), np.ones((1300, 2), int)
    assert Units.of(labels, ids).pixels.toarray()[1].tolist() == [2600]


@given(scenes(aligned=True))
@settings(max_examples=60, deadline=None)
def test_every_unit_holds_its_class(scene):
    labels, ids, sizes, probabilities = scene
    units = Units.of(labels, ids)
    before = np.maximum(probabilities, 0.01)  # beyond doubt nowhere
    before /= before.sum(axis=1, keepdims=True)
    after = hold_own_class(before, sizes, units)
    assert np.allclose(after.sum(axis=1), 1)
    held = np.asarray(units.pixels.sum(axis=0)) > 0
    assert (share_of_own(units, after)[held] > LEAST_OF_UNIT - 0.01).all()


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_units_that_hold_enough_change_nothing(scene):
    labels, ids, sizes, probabilities = scene
    units = Units.of(labels, ids)
    enough = share_of_own(units, probabilities).min(initial=1) - 0.01
    if enough > 0.01:
        after = hold_own_class(probabilities, sizes, units, enough)
        assert np.allclose(after, probabilities)


def test_segments_nearest_to_the_class_change_first():
    """Ten segments of 10 px in one unit of class 0: six of them must be it in the end."""
    labels, ids = np.zeros((10, 10), int), np.arange(1, 11)[:, np.newaxis].repeat(10, axis=1)
    own = np.array([0.5, *np.linspace(0.02, 0.2, 10)])
    after = hold_own_class(
        np.column_stack([own, 1 - own]), np.array([0] + [10] * 10), Units.of(labels, ids)
    )
    assert abs(after[1:, 0].mean() - LEAST_OF_UNIT) < 0.01
    assert (np.diff(after[1:, 0]) > 0).all()
    # One factor for the whole unit: odds are multiplied alike
    odds = (after[1:, 0] / after[1:, 1]) / (own[1:] / (1 - own[1:]))
    assert np.allclose(odds, odds[0])


def test_a_unit_that_is_something_else_beyond_doubt_stays_so():
    labels, ids = np.zeros((10, 10), int), np.ones((10, 10), int)
    sure = np.array([[0.5, 0.5], [1e-6, 1 - 1e-6]])
    after = hold_own_class(sure, np.array([0, 100]), Units.of(labels, ids))
    assert after[1, 0] < 0.001


def test_classes_may_be_in_any_order():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (5, 5)).repeat(6, axis=0).repeat(6, axis=1)
    ids = 1 + np.arange(30)[:, np.newaxis] // 4 * 10 + np.arange(30) // 4
    sizes = np.bincount(ids.ravel())
    probabilities = rng.dirichlet(np.ones(4), len(sizes))
    order = np.array([2, 0, 3, 1])
    turned = hold_own_class(probabilities[:, order], sizes, Units.of(order.argsort()[labels], ids))
    plain = hold_own_class(probabilities, sizes, Units.of(labels, ids))
    assert np.allclose(turned, plain[:, order])


def test_what_does_not_belong_together_is_refused():
    units = Units.of(np.array([[0, 1]]), np.array([[1, 1]]))
    with pytest.raises(ValueError, match="9 rows, 2 sizes, 2 segments"):
        hold_own_class(np.full((9, 2), 0.5), np.ones(2, int), units)
