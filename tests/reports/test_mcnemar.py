"""McNemar's tests against statsmodels, and how often they err on dependent pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as of_statsmodels

from landcover.errors import LandcoverError
from landcover.reports.mcnemar import EXACT_BELOW, clustered_mcnemar, mcnemar, paired_tests


@given(st.integers(0, 400), st.integers(0, 400))
def test_independent_pixels_are_tested_as_statsmodels_does(first, second):
    ours = mcnemar(first, second)
    exact = first + second < EXACT_BELOW
    theirs = of_statsmodels([[7, first], [second, 5]], exact=exact, correction=True)
    assert ours["exact"] is exact
    assert ours["statistic"] == pytest.approx(theirs.statistic)
    assert ours["p_value"] == pytest.approx(theirs.pvalue, abs=1e-12)


def obuchowski(both, first, second, neither):
    """The statistic by its definition: pooled share, variances and covariance over blocks."""
    n = both + first + second + neither
    blocks, total = len(n), n.sum()
    right_1, right_2 = both + first, both + second
    pooled = (right_1.sum() + right_2.sum()) / (2 * total)
    off_1, off_2 = right_1 - n * pooled, right_2 - n * pooled
    factor = blocks / (blocks - 1) / total**2
    variance = factor * ((off_1**2).sum() + (off_2**2).sum() - 2 * (off_1 * off_2).sum())
    return ((right_1.sum() - right_2.sum()) / total) ** 2 / variance


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_blocks_are_tested_by_obuchowskis_definition(blocks, seed):
    both, first, second, neither = np.random.default_rng(seed).integers(0, 90, (4, blocks))
    second[0] = first[0] + 1  # never without any difference
    ours = clustered_mcnemar(first, second)
    assert ours["statistic"] == pytest.approx(obuchowski(both, first, second, neither))
    assert ours["n_blocks"] == blocks
    assert ours["statistic"] <= blocks - 1 + 1e-9


def test_blocks_of_one_pixel_give_nearly_mcnemars_statistic():
    first, second = np.zeros((2, 1000), int)
    first[:120], second[120:200] = 1, 1
    # 999 / 1000 (120 - 80)^2 / 200: without correction, and with K for K - 1 it is McNemar's own
    assert clustered_mcnemar(first, second)["statistic"] == pytest.approx(0.999 * 8)
    uncorrected = of_statsmodels([[0, 120], [80, 0]], exact=False, correction=False)
    assert uncorrected.statistic == pytest.approx(8)


def test_only_the_test_by_blocks_holds_its_level_where_pixels_go_together():
    # two maps equally good; which one is right goes by block, as it does in a scene
    rng = np.random.default_rng(0)
    by_pixel, by_block = [], []
    for _ in range(600):
        leaning = rng.beta(2, 2, 20)
        first = rng.binomial(200, leaning)
        tests = paired_tests(first, 200 - first)
        by_pixel.append(tests["pixels"]["p_value"] < 0.05)
        by_block.append(tests["blocks"]["p_value"] < 0.05)
    assert 0.02 < np.mean(by_block) < 0.08
    assert np.mean(by_pixel) > 0.5


def test_a_difference_in_every_block_is_found():
    first = np.random.default_rng(1).integers(60, 90, 15)
    tests = paired_tests(first, first // 2)
    assert tests["blocks"]["p_value"] < 0.001 and tests["pixels"]["p_value"] < 0.001
    assert (tests["first_only"], tests["second_only"]) == (first.sum(), (first // 2).sum())


def test_equal_maps_and_single_blocks():
    none = np.zeros(5, int)
    assert mcnemar(0, 0) == {"statistic": 0.0, "p_value": 1.0, "exact": True}
    assert clustered_mcnemar(none, none) == {"statistic": 0.0, "p_value": 1.0, "n_blocks": 5}
    assert clustered_mcnemar(np.array([9]), np.array([1])) is None
    assert paired_tests(np.array([9]), np.array([1]))["blocks"] is None


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mcnemar(-1, 4), "-1 and 4 are no counts of pixels"),
        (lambda: clustered_mcnemar(np.ones(3), np.ones(4)), r"counts of \(3,\) and \(4,\) blocks"),
    ],
)
def test_bad_counts_are_one_line(call, text):
    with pytest.raises(LandcoverError, match=text) as error:
        call()
    assert "\n" not in str(error.value)
