"""What the image says of classes in blocks left out, and what is decided by it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from landcover.labels.decision import TOLERATED, Decision, decide, is_open, prove, why_kept
from landcover.labels.evidence import (
    FOLDS,
    HARDLY,
    LEAST_SEGMENTS,
    WELL,
    WIDTHS,
    ClassEvidence,
    evidence,
    found_cores,
    out_of_fold,
    surroundings,
)
from landcover.labels.fineness import Fineness

COARSE = Fineness(0.0, 0.2)
SHOWN, HIDDEN = ClassEvidence(200, 500, 8, 0.9), ClassEvidence(200, 500, 8, 0.6)


def test_means_and_deviations_by_hand():
    rng = np.random.default_rng(0)
    chips = rng.random((5, 15, 15, 2))
    found = surroundings(chips)
    assert found[:, :2] == pytest.approx(chips[:, 7, 7], rel=1e-6)
    for k, width in enumerate(WIDTHS):
        low = 7 - width // 2
        square = chips[:, low : low + width, low : low + width].reshape(5, -1, 2)
        at = 2 + 4 * k
        assert found[:, at : at + 2] == pytest.approx(square.mean(axis=1), rel=1e-5)
        assert found[:, at + 2 : at + 4] == pytest.approx(square.std(axis=1), rel=1e-5)


def test_pixels_without_data_count_for_nothing():
    chips = np.ones((1, 15, 15, 1))
    chips[0, 0, 0] = np.nan
    chips[0, 7, 7] = np.nan
    assert np.isfinite(surroundings(chips)).all()
    assert surroundings(chips)[0, 1:].tolist() == [1, 0, 1, 0, 1, 0]
    assert not surroundings(np.full((1, 15, 15, 1), np.nan)).any()


def test_nothing_is_learnt_of_the_block_itself():
    """Labels that are the block's number are told by its values, but only to who has seen it."""
    rng = np.random.default_rng(0)
    blocks = np.repeat(np.arange(10), 60)
    values = blocks[:, np.newaxis] + rng.normal(0, 0.1, (600, 3))
    found = out_of_fold(values, blocks, blocks, 10)
    assert (found.argmax(axis=1) != blocks).all()
    assert (found[np.arange(600), blocks] == 0).all()


def test_two_blocks_are_enough_to_leave_one_out():
    values, labels = np.arange(40.0)[:, np.newaxis] % 2, np.arange(40) % 2
    found = out_of_fold(values, labels, np.arange(40) // 20, 2)
    assert (found.argmax(axis=1) == labels).all()


def test_the_share_of_pairs_is_that_of_the_rank_sum_test():
    rng = np.random.default_rng(0)
    labels, blocks = rng.integers(0, 3, 900), rng.integers(0, 9, 900)
    ranks = rng.random((900, 3)) + 0.3 * np.eye(3)[labels]
    core = rng.random(900) < 0.8
    for k, known in enumerate(evidence(ranks, labels, core, blocks, [40, 40, 40])):
        own, other = ranks[core & (labels == k), k], ranks[core & (labels != k), k]
        expected = mannwhitneyu(own, other).statistic / (len(own) * len(other))
        assert known.auc == pytest.approx(expected)
        assert known.samples == len(own)


@pytest.mark.parametrize(
    ("blocks", "samples", "judged"), [(FOLDS, 100, True), (FOLDS - 1, 100, False), (9, 99, False)]
)
def test_a_class_in_few_places_is_not_judged(blocks, samples, judged):
    labels = np.repeat([0, 1], [samples, 300])
    where = np.concatenate([np.arange(samples) % blocks, np.arange(300) % 10])
    ranks = np.random.default_rng(0).random((len(labels), 2))
    known = evidence(ranks, labels, np.ones(len(labels), bool), where, [50, 50])[0]
    assert (known.blocks, known.samples) == (blocks, samples)
    assert (known.auc is not None) == judged


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        (ClassEvidence(LEAST_SEGMENTS, 0, 0, None), ""),
        (ClassEvidence(LEAST_SEGMENTS - 1, 900, 9, 0.99), "29 segments of its own"),
        (ClassEvidence(1, 0, 0, None), "1 segment of its own"),
        (ClassEvidence(500, 900, 9, HARDLY + 0.01), ""),
        (ClassEvidence(500, 900, 9, HARDLY - 0.05), "60 % of pairs, and more than 65 % are needed"),
    ],
)
def test_why_a_class_keeps_its_labels(known, kept):
    assert (known.trust > 0) == (kept == "")
    assert kept in why_kept(known)


@pytest.mark.parametrize(
    ("fineness", "blocks", "samples", "known", "reason"),
    [
        (Fineness(0.2, 0.5), 40, 9000, [SHOWN] * 3, "as fine as the image: 20 % of their area"),
        (COARSE, 5, 9000, [SHOWN] * 3, "9,000 samples in 5 blocks are too few"),
        (COARSE, 40, 999, [SHOWN] * 3, "999 samples in 40 blocks are too few"),
        (COARSE, 40, 9000, [SHOWN, HIDDEN], "of 2 classes the image shows 1 well enough"),
        (COARSE, 40, 9000, [HIDDEN, HIDDEN], "of 2 classes the image shows none well enough"),
    ],
)
def test_all_labels_stay_where_nothing_can_be_proven(fineness, blocks, samples, known, reason):
    decision = decide(fineness, blocks, samples, known)
    assert reason in decision.reason
    assert not decision.trust(len(known)).any()


@pytest.mark.parametrize(
    ("auc", "trust"), [(0.3, 0), (HARDLY, 0), ((HARDLY + WELL) / 2, 0.5), (WELL, 1), (1.0, 1)]
)
def test_a_class_is_trusted_as_far_as_it_is_told_from_others(auc, trust):
    assert ClassEvidence(500, 900, 9, auc).trust == pytest.approx(trust)


def test_some_classes_are_refined():
    decision = decide(COARSE, 40, 9000, [SHOWN, HIDDEN, SHOWN])
    assert decision.reason is None
    assert decision.trust(3).tolist() == [1, 0, 1]


def test_the_image_is_asked_only_where_that_decides():
    assert is_open(COARSE, 6, 1000)
    assert not is_open(Fineness(0.2, 0.5), 40, 9000)
    assert not is_open(COARSE, 5, 9000)


@pytest.mark.parametrize("fineness", [Fineness(0.2, 0.1), Fineness(0.01, 0.9)])
def test_small_regions_or_sharp_borders_alone_are_not_fine(fineness):
    assert not fineness.fine


def test_every_class_counts_the_same_among_cores():
    from sklearn.metrics import balanced_accuracy_score

    rng = np.random.default_rng(0)
    labels, core = rng.choice(3, 500, p=[0.8, 0.15, 0.05]), rng.random(500) < 0.7
    ranks = rng.random((500, 3)) + 0.5 * np.eye(3)[labels]
    expected = balanced_accuracy_score(labels[core], ranks.argmax(axis=1)[core])
    assert found_cores(ranks, labels, core) == pytest.approx(expected)
    assert found_cores(ranks, labels, np.zeros(500, bool)) == 0


@pytest.mark.parametrize(
    ("found", "taken_back"),
    [((0.6, 0.7), False), ((0.7, 0.7 - TOLERATED / 2), False), ((0.7, 0.6), True)],
)
def test_refined_labels_that_serve_worse_are_taken_back(found, taken_back):
    decision = prove(Decision(COARSE, (SHOWN, SHOWN), None), found)
    assert decision.found == found
    assert (decision.reason is not None) == taken_back
    assert decision.trust(2).any() != taken_back
