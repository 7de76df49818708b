"""What is left out of training samples: known answers, properties, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import median_abs_deviation
from sklearn.decomposition import PCA

from landcover.errors import InputError
from landcover.legend import Legend
from landcover.samples import hygiene
from landcover.samples.hygiene import Hygiene
from landcover.samples.rows import Rows

LEGEND = Legend.corine(3).subset([211, 311, 512])
SIDES = (10.0, 10.0)


def rows_of(counts=(60, 30, 25), extra=20, seed=0):
    """Rows of three classes in two bands, further ones for validation, and test rows to borrow."""
    rng = np.random.default_rng(seed)
    n = sum(counts)
    label = np.concatenate([np.repeat(LEGEND.codes, counts), rng.choice(LEGEND.codes, 2 * extra)])
    level = pd.Series(label).map({211: 0.3, 311: 0.1, 512: 0.0}).to_numpy()
    table = pd.DataFrame({
        "row": rng.integers(500, size=len(label)), "col": rng.integers(500, size=len(label)),
        "label": label, "B02": level + rng.normal(0, 0.01, len(label)),
        "B03": level + rng.normal(0, 0.01, len(label)),
    })  # fmt: skip
    at = np.arange(len(label))
    borrowed = at[n + extra :]
    return Rows(table, "label", LEGEND, at[:n], at[n : n + extra], borrowed, borrowed)


def cleaned(rows, **rules):
    def values(part):
        return rows.values(part, ("B02", "B03"), ())[0]

    return Hygiene(**rules).clean(rows, values, [SIDES], 0)


def test_without_rules_rows_stay_as_they_are():
    rows = rows_of()
    assert cleaned(rows) is rows and hygiene.sentences(rows) == []


@pytest.mark.parametrize(
    "rules", [{"outliers": 2.0}, {"pca_outliers": 2.0}, {"min_distance_m": 300}, {"balance": True}]
)
def test_only_training_rows_are_left_out_and_all_are_counted(rules):
    rows = rows_of()
    found = cleaned(rows, **rules)
    assert 0 < len(found.left_out) < len(rows.train)
    np.testing.assert_array_equal(np.sort([*found.train, *found.left_out]), rows.train)
    for part in ("validation", "scored", "random_split_extra"):
        np.testing.assert_array_equal(getattr(found, part), getattr(rows, part))
    (rule,) = rules
    counts = found.hygiene["left_out"][rule]
    codes = rows.samples["label"].to_numpy()[found.left_out]
    assert counts == {str(c): int((codes == c).sum()) for c in np.unique(codes)}
    (sentence,) = hygiene.sentences(found)
    assert sentence.startswith(f"{rule}={rules[rule]} leaves out {len(codes)} training samples: ")
    again = cleaned(rows, **rules)
    np.testing.assert_array_equal(again.train, found.train)


def test_a_random_split_is_cleaned_alike():
    found = cleaned(rows_of(), balance=True)
    split = found.randomly_split(0)
    counts = np.bincount(split.targets(split.train))
    assert counts.max() <= np.median(np.bincount(found.targets(found.train), minlength=3)) + 15
    assert set(split.train) & set(found.random_split_extra)
    assert counts.max() == int(np.ceil(np.median(counts)))


def test_rows_of_other_polygons_are_cleaned_alike():
    rows = rows_of()
    label = rows.samples["label"].to_numpy()
    polygon = np.random.default_rng(1).integers(1, 9, len(label)) * 1000 + label
    found = cleaned(replace(rows, samples=rows.samples.assign(polygon=polygon)), balance=True)
    split, held_out = found.split_by_polygon(0)
    counts = np.bincount(split.targets(split.train))
    assert counts.max() == int(np.ceil(np.median(counts)))
    assert set(split.train) & set(found.left_out) and set(split.train) & set(rows.scored)
    assert not set(polygon[split.train]) & set(polygon[held_out])


def test_outliers_are_found_by_median_and_mad_of_their_class():
    rng = np.random.default_rng(0)
    values, targets = rng.standard_t(2, size=(300, 3)), rng.integers(2, size=300)
    expected = np.zeros(300, bool)
    for code in (0, 1):
        own = values[targets == code]
        z = (own - np.median(own, axis=0)) / median_abs_deviation(own, scale="normal")
        expected[targets == code] = (np.abs(z) > 3.5).any(axis=1)
    assert 0 < expected.sum() < 150
    # 1.4826 is rounded
    found = hygiene.outliers(values, targets, 3.5)
    assert (found != expected).mean() < 0.01


def test_few_samples_constant_inputs_and_nan_are_usual():
    few = np.array([[0.0]] * 18 + [[99.0]])
    assert not hygiene.outliers(few, np.zeros(19, int), 1).any()
    constant = np.array([[0.0]] * 30 + [[99.0]])
    assert not hygiene.outliers(constant, np.zeros(31, int), 1).any()
    missing = np.append(np.arange(30.0), np.nan)[:, np.newaxis]
    assert not hygiene.outliers(missing, np.zeros(31, int), 3).any()
    assert not hygiene.badly_given_back(np.hstack([missing] * 3), np.zeros(31, int), 3)[30]


def test_what_components_do_not_give_back_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 5)) + rng.normal(0, 0.1, (80, 5))
    at = (values - values.mean(axis=0)) / values.std(axis=0)
    full = PCA().fit(at)
    held = int(np.searchsorted(np.cumsum(full.explained_variance_ratio_), 0.95)) + 1
    pca = PCA(held).fit(at)
    expected = np.linalg.norm(at - pca.inverse_transform(pca.transform(at)), axis=1)
    np.testing.assert_allclose(hygiene.residuals(values), expected, atol=1e-9)


def test_a_row_off_the_plane_of_its_class_is_found():
    rng = np.random.default_rng(2)
    values = np.outer(rng.normal(size=100), [1, 2, 3]) + rng.normal(0, 0.01, (100, 3))
    values[7] = [1, -2, 1]  # each value usual, together not
    assert not hygiene.outliers(values, np.zeros(100, int), 3.5)[7]
    assert hygiene.badly_given_back(values, np.zeros(100, int), 5)[7]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(1, 60))
def test_kept_rows_are_apart_and_left_out_ones_near_a_kept_one(seed, distance):
    rng = np.random.default_rng(seed)
    at, targets = rng.integers(0, 100, (60, 2)).astype(float), rng.integers(3, size=60)
    out = hygiene.too_near(at, targets, distance, rng)
    kept = at[~out]
    assert len(kept) == 1 or pdist(kept).min() >= distance
    if out.any():
        nearest = np.linalg.norm(at[out][:, None] - kept, axis=-1).min(axis=1)
        assert (nearest < distance).all()


def test_rare_classes_stay_where_samples_are_near():
    at = np.zeros((9, 2))
    out = hygiene.too_near(at, np.array([0] * 5 + [1] * 3 + [2]), 5, np.random.default_rng(0))
    assert np.flatnonzero(~out).tolist() == [8]


def test_samples_of_different_scenes_are_never_near():
    rows = rows_of()
    table = rows.samples.assign(row=0, col=0, scene=np.arange(len(rows.samples)) % 2)
    places = hygiene.places(Rows(table, *[getattr(rows, n) for n in (
        "column", "legend", "train", "validation", "scored", "random_split_extra")]),
        rows.train, [(10, 20)] * 2)  # fmt: skip
    assert pdist(np.unique(places, axis=0)).min() > 1e6


def test_samples_lie_apart_by_the_pixels_of_their_scene():
    rows = rows_of()
    scene = np.arange(len(rows.samples)) % 2
    table = rows.samples.assign(row=3, col=2, scene=scene)
    found = hygiene.places(replace(rows, samples=table), rows.train, [(10, 20), (11, 21)])
    expected = np.where(scene[rows.train], [[63], [22]], [[60], [20]])
    np.testing.assert_array_equal(found[:, :2].T, expected)


def test_a_rule_that_empties_a_class_is_refused():
    with pytest.raises(
        InputError, match=r"min_distance_m=100000000.0 leaves no training sample of"
    ):
        cleaned(rows_of(), min_distance_m=1e8)


@pytest.mark.parametrize("rule", ["outliers", "pca_outliers", "min_distance_m"])
@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "much"])
def test_limits_out_of_range_are_one_line(rule, value):
    with pytest.raises(InputError, match=f"{rule}={value} is out of range; give a number above 0"):
        Hygiene.take({rule: value})
