"""Scores of several labels an image against scikit-learn, and what their intervals hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from landcover.legend import Legend
from landcover.reports.tag_accuracy import CLASS_METRICS, METRICS, _Ranked, tag_scores

LEGEND = Legend.corine(3).subset([211, 311, 512])


def drawn(n, seed=0):
    """Labels of three classes, and probabilities that say something about them."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 3)) < [0.2, 0.5, 0.7]
    probabilities = np.clip(0.5 + 0.25 * (truth - 0.5) + rng.normal(0, 0.2, (n, 3)), 0, 1)
    return truth.astype(np.uint8), probabilities


def by_scikit_learn(truth, probabilities):
    """Scores by name, those of classes for the classes that occur alone."""
    said, there = probabilities >= 0.5, truth.any(axis=0)
    by_class = precision_recall_fscore_support(truth, said, average=None, zero_division=0)[:3]
    micro = precision_recall_fscore_support(truth, said, average="micro", zero_division=0)[2]
    found = dict(zip(("precision", "recall", "f1"), by_class, strict=True))
    found["average_precision"] = np.array([
        average_precision_score(y, s) if y.any() else np.nan
        for y, s in zip(truth.T, probabilities.T, strict=True)
    ])  # fmt: skip
    return {key: values[there] for key, values in found.items()} | {
        "macro_ap": found["average_precision"][there].mean(),
        "micro_ap": average_precision_score(truth.ravel(), probabilities.ravel()),
        "macro_f1": found["f1"][there].mean(),
        "micro_f1": micro,
    }


def test_scores_of_known_answers():
    truth = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.1, 0.6], [0.8, 0.7, 0.1], [0.6, 0.2, 0.1], [0.1, 0.3, 0.2]])
    found = tag_scores(truth, probabilities, LEGEND)
    # ranked 1, 0, 1: precision 1 and 2/3; ranked 1, 0, 1 with 0.3 between 0.7 and 0.2
    by_code = found["per_class"]
    assert by_code["211"]["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert by_code["311"]["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert by_code["512"]["average_precision"] is None and by_code["512"]["support"] == 0
    assert by_code["512"]["f1"] is None and by_code["512"]["f1_ci95"] is None
    assert found["macro_ap"] == pytest.approx(5 / 6)
    assert by_code["211"]["f1"] == pytest.approx(0.8)
    assert by_code["311"]["recall"] == pytest.approx(0.5)
    assert found["micro_f1"] == pytest.approx(2 * 3 / (5 + 4))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 20))
def test_scores_are_those_of_scikit_learn_with_ties_too(seed, n, levels):
    """Of a resample too: scikit-learn then sees images as often as they are drawn."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=(n, 3)).astype(np.uint8)
    truth[0, 0] = 1
    probabilities = (rng.integers(levels + 1, size=(n, 3)) / levels).astype(np.float32)
    rows = rng.integers(n, size=n)
    rows[0] = 0
    for some in (np.arange(n), rows):
        found = _Ranked.of(truth, probabilities).scores(np.bincount(some, minlength=n))
        for key, expected in by_scikit_learn(truth[some], probabilities[some]).items():
            values = found[key][np.isfinite(found[key])]
            np.testing.assert_allclose(values, np.atleast_1d(expected), rtol=1e-6, err_msg=key)


def test_every_score_has_an_interval_around_it():
    truth, probabilities = drawn(300)
    found = tag_scores(truth, probabilities, LEGEND)
    pairs = [(found, METRICS), *((row, CLASS_METRICS) for row in found["per_class"].values())]
    for scores, keys in pairs:
        for key in keys:
            low, high = scores[f"{key}_ci95"]
            assert 0 <= low < scores[key] < high <= 1
            assert high - low < 0.3


def test_intervals_are_of_the_seed_and_narrow_with_images():
    widths = []
    for n in (100, 1600):
        truth, probabilities = drawn(n)
        first, again, other = (tag_scores(truth, probabilities, LEGEND, seed) for seed in (1, 1, 2))
        assert first == again != other
        widths.append(np.ptp(first["micro_ap_ci95"]))
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.4)


def test_intervals_hold_the_score_of_all_images_as_often_as_they_say():
    held = dict.fromkeys(METRICS, 0)
    known = tag_scores(*drawn(200_000), LEGEND, resamples=1)
    for seed in range(1, 61):
        found = tag_scores(*drawn(200, seed), LEGEND, resamples=100)
        for key in METRICS:
            low, high = found[f"{key}_ci95"]
            held[key] += low <= known[key] <= high
    assert all(51 <= times <= 60 for times in held.values()), held
