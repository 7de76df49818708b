"""Ways of denoising on samples: what each keeps, against cleanlab and against its own parts."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landcover.errors import LandcoverError
from landcover.labels import denoising, noise
from landcover.labels.denoising import LEFT_OUT, METHODS, Evidence

N, CLASSES = 600, 3


def evidence(seed=0, wrong=0.2):
    """Samples in ten blocks, whose values tell the class; a fifth of the labels is wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(CLASSES, N, p=[0.5, 0.35, 0.15])
    labels = np.where(rng.random(N) < wrong, rng.integers(0, CLASSES, N), truth)
    labels[:20] = LEFT_OUT
    values = 2 * np.eye(CLASSES)[truth] + rng.normal(0, 0.6, (N, CLASSES))
    pixels = rng.dirichlet(np.ones(CLASSES), N)
    return Evidence(
        labels=labels,
        pixels=pixels,
        segments=0.5 * pixels + 0.5 * rng.dirichlet(np.ones(CLASSES), N),
        refined=rng.integers(0, CLASSES, N),
        border_px=rng.uniform(1, 30, N).astype(np.float32),
        blocks=rng.integers(0, 10, N),
        values=values.astype(np.float32),
        priors=np.array([0.5, 0.35, 0.15]),
        transition=np.array([[0.9, 0.08, 0.02], [0.1, 0.85, 0.05], [0.4, 0.1, 0.5]]),
        reach_px=10,
    )


@pytest.mark.parametrize("way", ["prior", "transition", "average", "refine"])
def test_ways_that_correct_never_ask_the_label(way):
    known = evidence()
    targets = METHODS[way](known)
    other = replace(known, labels=np.roll(known.labels, 7), border_px=known.border_px[::-1])
    np.testing.assert_array_equal(METHODS[way](other), targets)
    assert set(np.unique(targets)) == {0, 1, 2}


def test_ways_are_made_of_what_they_say():
    known = evidence()
    adjusted = noise.without_priors(known.pixels, known.priors)
    np.testing.assert_array_equal(denoising.prior(known), adjusted.argmax(axis=1))
    undone = noise.undo(known.pixels, known.transition)
    np.testing.assert_array_equal(denoising.transition(known), undone.argmax(axis=1))
    np.testing.assert_array_equal(denoising.average(known), known.segments.argmax(axis=1))
    np.testing.assert_array_equal(denoising.refine(known), known.refined)


@pytest.mark.parametrize("way", ["erode", "confident"])
def test_ways_that_leave_out_change_no_label(way):
    known = evidence()
    targets = METHODS[way](known)
    kept = targets != LEFT_OUT
    np.testing.assert_array_equal(targets[kept], known.labels[kept])
    assert kept[known.labels != LEFT_OUT].mean() > 0.4 and not kept[:20].any()
    assert not kept[20:].all()


@given(
    hnp.arrays(np.int64, 40, elements=st.integers(LEFT_OUT, 4)),
    hnp.arrays(np.float32, 40, elements=st.floats(1, 30, width=32)),
)
def test_erosion_keeps_every_class(labels, border_px):
    known = replace(evidence(), labels=labels, border_px=border_px)
    targets = denoising.erode(known)
    assert set(targets) | {LEFT_OUT} == set(labels) | {LEFT_OUT}
    for position in set(labels) - {LEFT_OUT}:
        own = labels == position
        assert 2 * (targets[own] == position).sum() >= own.sum()


def test_erosion_takes_100_m_where_it_can():
    border_px = np.array([1, 9, 9.9, 10, 30, 30, 30, 30, 1, 2, 3, 4], np.float32)
    labels = np.array([0] * 8 + [1] * 4)
    targets = denoising.erode(replace(evidence(), labels=labels, border_px=border_px))
    np.testing.assert_array_equal(targets, [-1, -1, -1, 0, 0, 0, 0, 0, -1, -1, 1, 1])


def test_confident_learning_is_cleanlabs_on_forests_that_have_not_seen_the_block():
    from cleanlab.filter import find_label_issues
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold, cross_val_predict

    known = evidence()
    used = known.labels != LEFT_OUT
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=0)
    probabilities = cross_val_predict(
        forest, known.values[used], known.labels[used], groups=known.blocks[used],
        cv=GroupKFold(5), method="predict_proba",
    )  # fmt: skip
    issues = find_label_issues(
        known.labels[used], probabilities, filter_by="confident_learning", n_jobs=1
    )
    np.testing.assert_array_equal(denoising.confident(known)[used] == LEFT_OUT, issues)
    assert 30 < issues.sum() < 200


def test_confident_learning_finds_labels_that_were_spoilt():
    known = evidence(wrong=0)
    spoilt = np.arange(100, 160)
    labels = known.labels.copy()
    labels[spoilt] = (labels[spoilt] + 1) % CLASSES
    targets = denoising.confident(replace(known, labels=labels))
    left_out = np.flatnonzero((targets == LEFT_OUT) & (labels != LEFT_OUT))
    assert np.isin(spoilt, left_out).mean() > 0.8
    assert np.isin(left_out, spoilt).mean() > 0.7


def test_a_class_that_confident_learning_would_wipe_out_stays(monkeypatch):
    import cleanlab.filter

    monkeypatch.setattr(
        cleanlab.filter, "find_label_issues", lambda labels, probabilities, **how: labels != 0
    )
    monkeypatch.setattr(
        denoising, "out_of_fold", lambda v, labels, b, classes: np.ones((len(labels), classes))
    )
    known = evidence()
    np.testing.assert_array_equal(denoising.confident(known), known.labels)


def test_a_class_of_one_block_is_told_from_none():
    """No forest that judges it has seen it; it is kept, and nothing breaks."""
    known = evidence()
    labels = known.labels.copy()
    labels[labels == 2] = 0
    labels[np.flatnonzero(known.blocks == 3)[:6]] = 2
    targets = denoising.confident(replace(known, labels=labels))
    assert (targets == 2).any()


def test_confident_learning_needs_two_blocks():
    known = replace(evidence(), blocks=np.zeros(N, int))
    with pytest.raises(
        LandcoverError, match=r"two spatial blocks and there is one; .*--block-px N"
    ):
        denoising.confident(known)


def test_confident_learning_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(LandcoverError, match=r"pip install 'landcover\[noise\]'") as caught:
        denoising.confident(evidence())
    assert "\n" not in str(caught.value)
