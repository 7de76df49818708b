"""Ranges of mosaics whose correlation is known exactly, and of what has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.grid import Window
from landcover.samples import correlation as module
from landcover.samples.correlation import Thinned, correlation


def mosaic(rng, size, rate, classes=5):
    """Rectangles between random lines: along rows and columns exactly exp(-rate h) is left.

    Two pixels h apart on a row lie in one rectangle if no line falls between them, with
    probability (1 - p)^h = exp(-rate h); else their classes are independent.
    """
    lines = [np.cumsum(rng.random(size) < 1 - np.exp(-rate)) for _ in range(2)]
    patches = rng.integers(1, classes + 1, (lines[0][-1] + 1, lines[1][-1] + 1))
    return patches[np.ix_(*lines)].astype(np.uint16)


@pytest.mark.parametrize("rate", [0.3, 0.1, 0.04])
def test_the_range_of_an_exponential_mosaic_is_three_times_its_scale(rate):
    found = [
        correlation(mosaic(np.random.default_rng(seed), 700, rate)).range_px for seed in range(8)
    ]
    assert np.mean(found) == pytest.approx(np.log(20) / rate, rel=0.1)


def test_errors_of_single_pixels_shorten_the_range_as_the_model_says():
    # half of the pixels are replaced by chance: 1/4 of the excess is left from the first lag on
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        codes = mosaic(rng, 700, 0.05, classes=2)
        noisy = np.where(rng.random(codes.shape) < 0.5, rng.integers(1, 3, codes.shape), codes)
        found.append(correlation(noisy).range_px)
    assert np.mean(found) == pytest.approx(np.log(0.25 / 0.05) / 0.05, rel=0.15)


def test_excess_agreement_is_one_minus_the_indicator_variogram_over_its_sill():
    codes = np.random.default_rng(0).choice([0, 111, 211, 512], (30, 40), p=[0.2, 0.4, 0.3, 0.1])
    found = correlation(codes)
    kinds, counts = np.unique(codes[codes > 0], return_counts=True)
    shares = counts / counts.sum()
    for lag, excess in zip(found.lags_px, found.excess, strict=True):
        squares = []  # of indicators, a pair at a time
        for row, col in zip(*np.nonzero(codes), strict=True):
            for other in ((row + lag, col), (row, col + lag)):
                if other[0] < 30 and other[1] < 40 and codes[other]:
                    squares.append(((codes[row, col] == kinds) ^ (codes[other] == kinds)).sum() / 2)
        assert excess == pytest.approx(1 - np.mean(squares) / (shares * (1 - shares)).sum())
    assert found.longest_px == 15


def test_independent_pixels_have_no_range():
    for seed in range(5):
        codes = np.random.default_rng(seed).integers(1, 5, (300, 300))
        assert correlation(codes).range_px < 1


def test_a_range_is_at_least_the_longest_lag_when_nothing_falls():
    codes = np.ones((100, 400), np.uint16)
    codes[:, 200:] = 2
    found = correlation(codes)
    assert found.range_px == found.longest_px == 50


@pytest.mark.parametrize("codes", [np.zeros((50, 50)), np.full((50, 50), 3), np.array([[1, 2, 1]])])
def test_too_little_to_tell_gives_none(codes):
    assert correlation(codes.astype(np.uint16)) is None


def test_one_labelled_pixel_a_class_gives_none():
    codes = np.zeros((40, 40), np.uint16)
    codes[0, 0], codes[39, 39] = 1, 2
    assert correlation(codes) is None


@given(
    st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(1, 40), st.integers(0)
)
def test_thinning_by_windows_is_thinning_the_whole(rows, cols, high, wide, seed):
    whole = np.random.default_rng(seed).integers(0, 99, (rows, cols), np.uint16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_PX", 20)
        thinned = Thinned(rows, cols)
    for row in range(0, rows, high):
        for col in range(0, cols, wide):
            part = whole[row : row + high, col : col + wide]
            thinned.add(part, Window(row, col, *part.shape))
    assert np.array_equal(thinned.codes, whole[:: thinned.step, :: thinned.step])
    assert max(thinned.codes.shape) <= 20


def test_thinning_keeps_the_range():
    codes = mosaic(np.random.default_rng(3), 3000, 0.02)
    thinned = Thinned(3000, 3000)
    thinned.add(codes, Window(0, 0, 3000, 3000))
    whole, thin = correlation(codes), thinned.correlation()
    assert thinned.step == 2 and thin.lags_px[0] == 2
    assert thin.range_px == pytest.approx(whole.range_px, rel=0.05)
    assert thin.as_dict()["range_px"] == round(thin.range_px, 1)


def test_the_range_of_a_thinned_tile_is_in_pixels_of_the_tile():
    # two pixels h apart agree beyond chance by exp(-0.02 h): 5 % is left at log(20) / 0.02
    codes = mosaic(np.random.default_rng(3), 6000, 0.02)
    thinned = Thinned(6000, 6000)
    thinned.add(codes, Window(0, 0, 6000, 6000))
    assert thinned.step == 4
    assert thinned.correlation().range_px == pytest.approx(np.log(20) / 0.02, rel=0.1)
