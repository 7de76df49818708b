from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from sklearn.utils.class_weight import compute_class_weight

from landcover.errors import LandcoverError
from landcover.samples.blocks import TEST, TRAIN, VALIDATION
from landcover.samples.drawing import (
    NOT_DRAWN,
    Draws,
    Picker,
    apportion,
    class_weights,
    plan_draws,
    strata_of,
)

CLASSES = 3


def scene(rows=97, cols=60, seed=0):
    """Strata of a scene with pixels that cannot be drawn, and how many there are of each."""
    rng = np.random.default_rng(seed)
    strata = rng.integers(0, 3 * CLASSES, (rows, cols)).astype(np.uint8)
    strata[rng.random((rows, cols)) < 0.3] = NOT_DRAWN
    available = np.bincount(strata[strata != NOT_DRAWN], minlength=3 * CLASSES)
    return strata, available.reshape(3, CLASSES)


def draw(strata, available, height, samples=400, method="uniform", seed=5):
    rng = np.random.default_rng(seed)
    draws = plan_draws(available, samples, method, rng)
    picker = Picker(available, draws, rng)
    found = []
    for row in range(0, len(strata), height):
        rows, cols, marks = picker.pick(strata[row : row + height])
        found += zip(rows + row, cols, marks, strict=True)
    return np.array(found).reshape(-1, 3), draws


@pytest.mark.parametrize("method", ["uniform", "stratified", "polygons"])
def test_the_samples_do_not_depend_on_the_height_of_strips(method):
    strata, available = scene()
    whole, _ = draw(strata, available, 97, method=method)
    for height in (1, 2, 10, 96, 500):
        assert np.array_equal(draw(strata, available, height, method=method)[0], whole)


@settings(deadline=None, max_examples=40)
@given(st.integers(100, 20_000), st.integers(0, 1000), st.sampled_from(["uniform", "stratified"]))
def test_as_many_of_each_stratum_as_planned_and_none_twice(samples, seed, method):
    strata, available = scene(seed=seed % 7)
    found, draws = draw(strata, available, 13, samples, method, seed)
    rows, cols, marks = found.T
    assert len(set(zip(rows, cols, strict=True))) == len(found)
    drawn = np.bincount(strata[rows, cols], minlength=3 * CLASSES)
    assert np.array_equal(drawn.reshape(3, CLASSES), draws.samples)
    assert draws.samples.sum() == min(samples, available.sum()) or method == "stratified"
    set_aside = np.bincount(strata[rows, cols][marks == 1], minlength=3 * CLASSES)
    assert np.array_equal(set_aside.reshape(3, CLASSES)[TEST], draws.random_test)
    assert np.array_equal(draws.random_test, -(-draws.samples[TEST] // 2))
    assert not set_aside.reshape(3, CLASSES)[:TEST].any()


def test_every_pixel_is_drawn_equally_often():
    strata, available = scene(rows=12, cols=10)
    hits = np.zeros(strata.shape, int)
    for seed in range(600):
        found, _ = draw(strata, available, 5, 40, seed=seed)
        hits[found[:, 0], found[:, 1]] += 1
    assert not hits[strata == NOT_DRAWN].any()
    for split in range(3):
        of_split = hits[(strata // CLASSES == split) & (strata != NOT_DRAWN)]
        assert chisquare(of_split).pvalue > 1e-3


def test_stratified_is_equal_where_there_are_pixels_and_the_rest_is_redistributed():
    available = np.array([[90_000, 9_000, 100], [30_000, 3_000, 50], [30_000, 3_000, 300]])
    draws = plan_draws(available, 10_000, "stratified", np.random.default_rng(0))
    assert draws.samples.sum(axis=1).tolist() == [6000, 2000, 2000]
    trained_on = draws.samples[TRAIN]
    assert trained_on[2] == 100  # all that there are
    assert abs(trained_on[0] - trained_on[1]) <= 1
    assert draws.samples[VALIDATION].tolist() == [975, 975, 50]
    # testing stays as the land is
    assert draws.samples[TEST, 0] == pytest.approx(2000 * 30 / 33.3, abs=100)


def test_uniform_follows_the_pixels_of_the_splits():
    available = np.array([[5000, 0], [2000, 500], [2000, 500]])
    sizes = plan_draws(available, 1000, "uniform", np.random.default_rng(0)).samples.sum(axis=1)
    assert sizes.tolist() == [500, 250, 250]


def test_asking_for_more_than_there_is_gives_all():
    strata, available = scene()
    found, _ = draw(strata, available, 20, samples=10**6)
    assert len(found) == (strata != NOT_DRAWN).sum()


@given(
    st.integers(0, 5000),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 900)), min_size=1, max_size=8),
)
def test_shares_keep_limits_and_make_the_total(total, rows):
    weights, limits = np.array(rows).T
    result = apportion(total, weights, limits)
    assert (result >= 0).all() and (result <= limits).all()
    assert not result[weights == 0].any()
    assert result.sum() == min(total, limits[weights > 0].sum())


def test_picking_out_of_an_empty_strip():
    _, available = scene()
    rng = np.random.default_rng(0)
    picker = Picker(available, plan_draws(available, 200, "uniform", rng), rng)
    rows, cols, marks = picker.pick(np.full((4, 60), NOT_DRAWN, np.uint8))
    assert len(rows) == len(cols) == len(marks) == 0
    assert isinstance(plan_draws(available, 200, "uniform", rng), Draws)


@pytest.mark.parametrize(
    ("available", "samples", "method", "text"),
    [
        ([[99, 9], [99, 9], [99, 9]], 20, "uniform", "train would get 7 of 20 samples .108 pixels"),
        ([[999, 9], [4, 0], [99, 9]], 500, "stratified", "validation would get 4 of 500 samples"),
        ([[99, 9], [99, 9], [0, 0]], 500, "uniform", "test would get 0 of 500 samples .0 pixels"),
        ([[99, 9], [99, 9], [99, 9]], 50, "grid", "no sampling method 'grid'; .* uniform, strat"),
    ],
)
def test_too_few_samples_for_a_split(available, samples, method, text):
    with pytest.raises(LandcoverError, match=text):
        plan_draws(np.array(available), samples, method, np.random.default_rng(0))


def test_too_many_classes_for_strata():
    with pytest.raises(LandcoverError, match="86 classes are too many"):
        strata_of(np.zeros((1, 1), np.uint8), np.zeros((1, 1), int), 86)


def test_class_weights_are_scikit_learns_balanced_ones():
    labels = np.random.default_rng(0).choice([211, 311, 512], 1000, p=[0.7, 0.25, 0.05])
    expected = compute_class_weight("balanced", classes=np.array([211, 311, 512]), y=labels)
    assert list(class_weights(labels).values()) == pytest.approx(expected)
    assert np.mean([class_weights(labels)[c] for c in labels]) == pytest.approx(1)
