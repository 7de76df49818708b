"""Areas within bounds: by hand, by an exhaustive search, and whatever the probabilities."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover.labels.restraint import LEAST, MOST, TRACE, bounds, shifts_within


def likeliest(probabilities, sizes, least, most):
    with np.errstate(divide="ignore"):
        scores = np.log(probabilities)
    return (scores + shifts_within(probabilities, sizes, least, most)).argmax(axis=1)


def areas_of(positions, sizes, classes):
    return np.bincount(positions, sizes, minlength=classes)


@st.composite
def segments(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, classes = draw(st.integers(2, 60)), draw(st.integers(2, 6))
    spread = draw(st.floats(0.05, 5))
    probabilities = rng.dirichlet(np.full(classes, spread), count) + 1e-9
    sizes = rng.integers(1, 30, count).astype(float)
    labelled = rng.dirichlet(np.ones(classes)) * sizes.sum()
    return probabilities, sizes, labelled


@given(segments())
@settings(max_examples=150, deadline=None)
def test_areas_keep_their_bounds_to_a_segment(drawn):
    probabilities, sizes, labelled = drawn
    least, most = bounds(labelled)
    areas = areas_of(likeliest(probabilities, sizes, least, most), sizes, len(labelled))
    assert (areas >= least - sizes.max()).all()
    assert (areas <= most + sizes.max()).all()


def test_what_goes_in_circles_keeps_its_best_round():
    """Two large rows: what satisfies one class takes too much from the other, without end."""
    probabilities = np.array([[0.276, 0.396, 0.327], [0.536, 0.353, 0.111]])
    sizes, (least, most) = np.array([23.0, 20.0]), bounds(np.array([6.54, 29.85, 6.61]))
    areas = areas_of(likeliest(probabilities, sizes, least, most), sizes, 3)
    assert (areas >= least - 23).all() and (areas <= most + 23).all()


@given(segments())
@settings(max_examples=100, deadline=None)
def test_what_is_within_bounds_is_the_likeliest(drawn):
    probabilities, sizes, _ = drawn
    free = np.zeros(probabilities.shape[1]), np.full(probabilities.shape[1], sizes.sum())
    assert (likeliest(probabilities, sizes, *free) == probabilities.argmax(axis=1)).all()


@given(segments(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_segments_changes_nothing(drawn, random):
    probabilities, sizes, labelled = drawn
    order = np.array(random.sample(range(len(sizes)), len(sizes)))
    whole = likeliest(probabilities, sizes, *bounds(labelled))
    assert (likeliest(probabilities[order], sizes[order], *bounds(labelled)) == whole[order]).all()


def test_two_classes_are_those_of_an_exhaustive_search():
    """With segments of one size the sum of log probabilities is the largest that bounds allow."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        p = rng.dirichlet([0.5, 0.5], 9) + 1e-9
        least, most = np.array([4.0, 0.0]), np.array([9.0, 9.0])
        choices = [c for c in product((0, 1), repeat=9) if c.count(0) >= 4]
        score = [np.log(p[np.arange(9), list(c)]).sum() for c in choices]
        assert likeliest(p, np.ones(9), least, most).tolist() == list(
            choices[int(np.argmax(score))]
        )


def test_an_erased_class_keeps_half_and_where_it_is_likeliest():
    p = np.column_stack([np.full(100, 0.9), np.linspace(0.0, 0.2, 100)])
    found = likeliest(p, np.ones(100), *bounds(np.array([60.0, 40.0])))
    assert (found == 1).sum() == pytest.approx(LEAST * 40, abs=1)
    assert (found[-19:] == 1).all()


def test_an_inflated_class_is_held():
    p = np.column_stack([np.linspace(0.1, 0.4, 1000), np.full(1000, 0.6)])
    found = likeliest(p, np.ones(1000), *bounds(np.array([900.0, 100.0])))
    assert (found == 1).sum() == pytest.approx(MOST * 100, abs=1)
    trace = likeliest(p, np.ones(1000), *bounds(np.array([999.0, 1.0])))
    assert (trace == 1).sum() == pytest.approx(MOST * TRACE * 1000, abs=1)


def test_a_segment_never_becomes_what_it_may_not():
    p = np.array([[0.0, 0.9], [0.0, 0.8], [0.1, 0.2]])
    found = likeliest(p, np.ones(3), np.array([3.0, 0.0]), np.array([3.0, 3.0]))
    assert found.tolist() == [1, 1, 0]


def test_segments_without_area_follow_and_weigh_nothing():
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    found = likeliest(p, np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0]), np.array([2.0, 2.0]))
    assert found.tolist() == [0, 1, 1]
