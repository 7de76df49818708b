"""Scores against scikit-learn and known answers; how often intervals hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import beta
from sklearn import metrics as sk

import landcover as lc
from landcover.errors import LandcoverError
from landcover.legend import Legend
from landcover.reports import accuracy

CODES = [112, 211, 311, 512]


def codes_arrays(low):
    return hnp.arrays(np.int64, 60, elements=st.integers(low, 3))


@given(codes_arrays(0), codes_arrays(0))
def test_scores_equal_scikit_learn(reference, predicted):
    reference, predicted = np.array(CODES)[reference], np.array(CODES)[predicted]
    ours = lc.score(reference, predicted, resamples=2)
    present = np.unique(reference)
    assert ours["overall_accuracy"] == pytest.approx(sk.accuracy_score(reference, predicted))
    assert ours["balanced_accuracy"] == pytest.approx(
        sk.recall_score(reference, predicted, labels=present, average="macro")
    )
    assert ours["macro_f1"] == pytest.approx(
        sk.f1_score(reference, predicted, average="macro", zero_division=0)
    )
    assert ours["macro_jaccard"] == pytest.approx(
        sk.jaccard_score(reference, predicted, average="macro", zero_division=0)
    )
    kappa = sk.cohen_kappa_score(reference, predicted)
    assert ours["kappa"] is None if np.isnan(kappa) else ours["kappa"] == pytest.approx(kappa)
    codes = ours["confusion"]["codes"]
    assert ours["confusion"]["matrix"] == (
        sk.confusion_matrix(reference, predicted, labels=codes).tolist()
    )


def test_balanced_accuracy_and_classes_equal_scikit_learn():
    rng = np.random.default_rng(1)
    reference = rng.choice(CODES, 3000, p=[0.6, 0.2, 0.15, 0.05])
    predicted = np.where(rng.random(3000) < 0.7, reference, rng.choice(CODES, 3000))
    ours = lc.score(reference, predicted, legend=Legend.corine())
    assert ours["balanced_accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(reference, predicted)
    )
    theirs = sk.precision_recall_fscore_support(reference, predicted, labels=CODES)
    unions = sk.jaccard_score(reference, predicted, labels=CODES, average=None)
    for code, *scores, support, jaccard in zip(CODES, *theirs, unions, strict=True):
        row = ours["per_class"][str(code)]
        assert [row["precision"], row["recall"], row["f1"]] == pytest.approx(scores)
        assert row["jaccard"] == pytest.approx(jaccard)
        assert row["jaccard_ci95"][0] <= row["jaccard"] <= row["jaccard_ci95"][1]
        assert row["support"] == support
        assert row["name"] == Legend.corine()[code].name
        assert row["f1_ci95"][0] <= row["f1"] <= row["f1_ci95"][1]


def test_known_answer():
    # Congalton-style 2 x 2 by hand: 6 of 10 right, chance = (5*6 + 5*4) / 100 = 0.5
    reference = np.array([211] * 5 + [512] * 5)
    predicted = np.array([211, 211, 211, 211, 512, 211, 211, 512, 512, 512])
    predicted[3] = 512
    scores = lc.score(reference, predicted)
    assert scores["confusion"] == {"codes": [211, 512], "matrix": [[3, 2], [2, 3]]}
    assert scores["overall_accuracy"] == pytest.approx(0.6)
    assert scores["kappa"] == pytest.approx(0.2)
    # of either class 3 pixels are common to both, and 7 are held by either
    assert scores["macro_jaccard"] == pytest.approx(3 / 7)


def test_unlabelled_reference_is_left_out_and_a_missing_prediction_is_an_error():
    reference = np.array([0, 0, 211, 211, 512, 512])
    predicted = np.array([211, 0, 211, 0, 512, 512])
    scores = lc.score(reference, predicted)
    assert scores["n_test"] == 4
    assert scores["overall_accuracy"] == pytest.approx(0.75)
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert scores["confusion"]["codes"] == [0, 211, 512]
    assert scores["confusion"]["matrix"] == [[0, 0, 0], [1, 1, 0], [0, 0, 2]]
    assert scores["per_class"]["0"]["name"] == "No prediction"


def test_a_class_that_is_only_predicted_has_no_recall_and_f1_0():
    scores = lc.score(np.array([211, 211]), np.array([211, 312]))
    assert scores["balanced_accuracy"] == pytest.approx(0.5)
    assert scores["macro_f1"] == pytest.approx(1 / 3)
    assert scores["per_class"]["312"]["f1"] == 0
    assert scores["per_class"]["312"]["recall"] is None


@given(codes_arrays(0), codes_arrays(0), st.permutations(range(60)))
def test_block_confusions_add_up_and_do_not_depend_on_pixel_order(reference, predicted, order):
    reference, predicted = np.array([0, *CODES[1:]])[reference], np.array(CODES)[predicted]
    blocks = np.arange(60) // 7
    by_block = accuracy.block_confusion(reference, predicted, blocks, [0, *CODES])
    order = list(order)
    shuffled = accuracy.block_confusion(
        reference[order], predicted[order], blocks[order], [0, *CODES]
    )
    assert np.array_equal(by_block, shuffled)
    for block, confusion in enumerate(by_block):
        inside = (blocks == block) & (reference > 0)
        assert confusion.sum() == inside.sum()
        assert np.trace(confusion) == (reference == predicted)[inside].sum()


def patchy_map(rng, blocks=60, pixels=50):
    """A map that is good in some blocks and bad in others, as real ones are."""
    reference = rng.choice(CODES, (blocks, pixels))
    share_right = rng.choice([0.5, 0.95], (blocks, 1))
    predicted = np.where(rng.random((blocks, pixels)) < share_right, reference, 999)
    ids = np.broadcast_to(np.arange(blocks)[:, None], reference.shape)
    return reference.ravel(), predicted.ravel(), ids.ravel()


def test_block_intervals_cover_the_truth_and_pixel_intervals_do_not():
    # True accuracy 0.5 * 0.5 + 0.5 * 0.95 = 0.725
    covered = {"blocks": 0, "pixels": 0}
    for trial in range(200):
        reference, predicted, blocks = patchy_map(np.random.default_rng(trial))
        for name, ids in {"blocks": blocks, "pixels": None}.items():
            scores = lc.score(reference, predicted, blocks=ids, seed=trial, resamples=200)
            low, high = scores["overall_accuracy_ci95"]
            covered[name] += low <= 0.725 <= high
    assert 180 <= covered["blocks"] <= 198
    assert covered["pixels"] < 100


def test_pixel_interval_is_the_binomial_one():
    reference = np.full(1000, 211)
    predicted = np.where(np.arange(1000) < 800, 211, 512)
    low, high = lc.score(reference, predicted, resamples=4000)["overall_accuracy_ci95"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert (low, high) == pytest.approx((0.8 - half, 0.8 + half), abs=0.003)


def test_same_seed_same_scores():
    reference, predicted, blocks = patchy_map(np.random.default_rng(0))
    first = lc.score(reference, predicted, blocks=blocks, seed=5)
    assert first == lc.score(reference, predicted, blocks=blocks, seed=5)
    other = lc.score(reference, predicted, blocks=blocks, seed=6)
    assert first["kappa_ci95"] != other["kappa_ci95"]
    assert first["kappa"] == other["kappa"]


def test_blocks_without_labels_say_nothing():
    reference, predicted, blocks = patchy_map(np.random.default_rng(0))
    gaps = lc.score(reference, predicted, blocks=blocks * 3)
    assert gaps == lc.score(reference, predicted, blocks=blocks)


def test_one_block_has_no_interval():
    scores = lc.score(np.array([211, 512]), np.array([211, 211]), blocks=np.zeros(2, int))
    assert scores["n_blocks"] == 1
    assert scores["overall_accuracy"] == 0.5
    assert scores["overall_accuracy_ci95"] is None


def confusions_of(reference, predicted, blocks):
    return accuracy.block_confusion(reference, predicted, blocks, [*CODES, 999])


def test_paired_difference_sees_what_separate_intervals_hide():
    rng = np.random.default_rng(0)
    reference, worse, blocks = patchy_map(rng)
    better = np.where((worse == 999) & (rng.random(worse.size) < 0.2), reference, worse)
    a, b = confusions_of(reference, better, blocks), confusions_of(reference, worse, blocks)
    pair = accuracy.paired_difference(a, b)
    separate = [
        accuracy.score_confusions(c, [*CODES, 999])["overall_accuracy_ci95"] for c in (a, b)
    ]
    assert separate[0][0] < separate[1][1]  # the two intervals overlap
    assert pair["ci95"][0] > 0  # the difference is clear
    assert pair["share_a_better"] == 1
    assert pair["difference"] == pytest.approx(
        np.mean(better == reference) - np.mean(worse == reference)
    )


@given(st.sampled_from(accuracy.METRICS))
def test_paired_difference_turns_round(metric):
    rng = np.random.default_rng(3)
    reference, first, blocks = patchy_map(rng)
    second = rng.permutation(first)
    a, b = confusions_of(reference, first, blocks), confusions_of(reference, second, blocks)
    forth = accuracy.paired_difference(a, b, metric, resamples=200)
    back = accuracy.paired_difference(b, a, metric, resamples=200)
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert forth["ci95"] == pytest.approx([-back["ci95"][1], -back["ci95"][0]])
    none = accuracy.paired_difference(a, a, metric, resamples=200)
    assert none == {"difference": 0, "ci95": [0, 0], "share_a_better": 0}


def test_block_intervals_are_those_of_the_mean_over_many_blocks():
    # of blocks of one size, whose mean is normal: 1.96 standard errors to either side
    rng = np.random.default_rng(0)
    right = rng.binomial(100, rng.uniform(0.5, 0.9, 200))
    confusions = np.zeros((200, 15, 15), int)
    confusions[:, 3, 3], confusions[:, 3, 7] = right, 100 - right
    scores = accuracy.score_confusions(confusions, list(range(1, 16)))
    middle, error = right.mean() / 100, right.std() / 100 / np.sqrt(200)
    assert scores["overall_accuracy"] == pytest.approx(middle)
    ends = [middle - 1.96 * error, middle + 1.96 * error]
    assert scores["overall_accuracy_ci95"] == pytest.approx(ends, abs=0.1 * error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([211, 512], [211]), r"predicted has shape \(1,\) and reference \(2,\); both must"),
        (([0, 0], [211, 0]), "no labelled pixel to score; the test blocks need labels"),
        (([211, 512], [211, 312], [211, 512]), r"predicted holds class 312, .*codes \[211, 512\]"),
        (([211, 312], [211, 211], [211, 512]), "reference holds class 312"),
        (([211, 211], [211, 211], None, [0]), "blocks has shape"),
    ],
)
def test_bad_input(arguments, message):
    arrays = [np.array(a) if a is not None else None for a in arguments]
    with pytest.raises(LandcoverError, match=message):
        lc.score(*arrays)


def test_pairs_need_the_same_pixels_and_a_known_metric():
    confusions = np.ones((3, 2, 2), int)
    with pytest.raises(LandcoverError, match="not scored on the same pixels"):
        accuracy.paired_difference(confusions, confusions + 1)
    with pytest.raises(LandcoverError, match="metric recall is unknown; choose one of overall_acc"):
        accuracy.paired_difference(confusions, confusions, "recall")


@pytest.mark.parametrize(
    ("reference", "predicted", "more", "message"),
    [
        ([1, np.nan], [1, 2], {}, "reference hold nan, which is no class code"),
        ([1, 2], [1, -9999], {}, "predicted hold -9999"),
        ([1.5, 2], [1, 2], {}, "reference hold 1.5"),
        ([1, 70_000], [1, 2], {}, "reference hold 70000"),
        (["a", "b"], ["a", "b"], {}, "are no class codes"),
        ([1, 2], [1, 2], {"codes": [1, 2, 2]}, "name a class twice"),
    ],
)
def test_what_is_no_class_code_is_refused(reference, predicted, more, message):
    with pytest.raises(lc.InputError, match=message):
        lc.score(reference, predicted, **more)


@pytest.mark.parametrize("kind", [list, np.float32, np.uint8, np.uint64, bool])
def test_codes_of_any_type_score_alike(kind):
    reference, predicted = np.array([[1, 1], [0, 1]]), np.array([[1, 0], [1, 1]])
    expected = lc.score(reference, predicted, resamples=9)
    if kind is list:
        assert lc.score(reference.tolist(), predicted.tolist(), resamples=9) == expected
    else:
        assert lc.score(reference.astype(kind), predicted.astype(kind), resamples=9) == expected


def test_no_pixels_have_no_score():
    with pytest.raises(LandcoverError, match="no labelled pixel to score"):
        lc.score([], [])


def blocks_of(rows):
    """Confusion matrices of blocks, each of (right, wrong) of classes 1 and 2."""
    return np.array([[[a, b], [d, c]] for (a, b), (c, d) in rows])


def test_a_class_that_is_all_right_is_no_surer_than_its_blocks():
    """Resampled blocks are all right as well, whatever their number: that says nothing."""
    counts = blocks_of([((9, 0), (40, 0)), ((5, 0), (30, 0)), ((7, 0), (20, 0)), ((0, 0), (9, 0))])
    found = accuracy.score_confusions(counts, (1, 2))
    for code, blocks in (("1", 3), ("2", 4)):
        for name in ("precision", "recall", "f1"):
            low, high = found["per_class"][code][f"{name}_ci95"]
            assert low == pytest.approx(beta.ppf(0.025, blocks, 1)) and high == 1
    assert found["overall_accuracy_ci95"] == pytest.approx([beta.ppf(0.025, 4, 1), 1])
    assert found["kappa"] == 1 and found["kappa_ci95"] is None


def test_a_class_that_is_all_wrong_may_be_found_in_other_blocks():
    counts = blocks_of([((0, 3), (40, 0)), ((0, 5), (30, 2)), ((0, 0), (20, 0))])
    scores = accuracy.score_confusions(counts, (1, 2))["per_class"]["1"]
    assert scores["recall_ci95"] == pytest.approx([0, beta.ppf(0.975, 1, 2)])
    assert scores["f1"] == 0 and scores["f1_ci95"][1] > 0.8


def test_a_class_in_one_block_has_no_interval():
    counts = blocks_of([((16, 1), (40, 0)), ((0, 0), (30, 0)), ((0, 0), (20, 0))])
    scores = accuracy.score_confusions(counts, (1, 2))["per_class"]["1"]
    assert scores["recall"] == pytest.approx(16 / 17) and scores["recall_ci95"] is None


def test_independent_pixels_are_the_trials():
    truth = np.array([1] * 10 + [2] * 30)
    low, high = accuracy.score(truth, truth)["per_class"]["1"]["recall_ci95"]
    assert high == 1 and low == pytest.approx(beta.ppf(0.025, 10, 1))
