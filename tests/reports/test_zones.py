"""Zones against a brute-force look around every pixel; levels against scoring coarser maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landcover.legend import corine
from landcover.reports import accuracy, zones

rasters = hnp.arrays(
    np.uint16,
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    elements=st.sampled_from([0, 1, 111, 211, 65535]),
)


def two_classes(codes):
    return len(np.unique(codes[codes > 0])) > 1


@given(rasters, st.integers(1, 4), st.integers(1, 4))
def test_border_pixels_have_two_classes_around_them(labels, down, across):
    padded = np.pad(labels, ((down, down), (across, across)))
    found = zones.near_border(padded, (down, across))
    for row, col in np.ndindex(labels.shape):
        around = padded[row : row + 2 * down + 1, col : col + 2 * across + 1]
        assert found[row, col] == two_classes(around)


@given(
    rasters,
    st.tuples(*[st.integers(1, 5) | st.floats(1, 5)] * 2),
    st.integers(1, 14),
    st.integers(1, 14),
)
def test_mixed_cells_hold_two_classes_whatever_the_windows(reference, cell, high, wide):
    rows, cols = reference.shape
    down, across = zones.whole_pixels(cell)
    padded = np.pad(reference, ((down, down), (across, across)))
    cells = [zones.cells_of(np.arange(n), side) for n, side in zip((rows, cols), cell, strict=True)]
    for row in range(0, rows, high):
        for col in range(0, cols, wide):
            inner = reference[row : row + high, col : col + wide]
            window = padded[row : row + inner.shape[0] + 2 * down]
            window = window[:, col : col + inner.shape[1] + 2 * across]
            found = zones.mixed_cells(window, row, col, cell)
            assert found.shape == inner.shape
            for i, j in np.ndindex(inner.shape):
                own = np.ix_(cells[0] == cells[0][row + i], cells[1] == cells[1][col + j])
                assert found[i, j] == two_classes(reference[own])


@given(st.integers(1, 60), st.integers(1, 10) | st.floats(1, 10))
def test_cells_are_as_wide_as_they_are_said_to_be(pixels, side):
    cells = zones.cells_of(np.arange(pixels), side)
    assert (np.abs(np.bincount(cells)[:-1] - side) < 1).all()
    for cell in range(len(np.bincount(cells)) - 1):
        assert abs((cells <= cell).sum() - (cell + 1) * side) <= 0.5 + 1e-9


def test_a_border_reaches_100_metres_to_either_side():
    labels = np.full((60, 60), 211, np.uint16)
    labels[:, 30:] = 512
    labels[:, 50:] = 0  # where labels end there is no border
    found = zones.near_border(np.pad(labels, 10), (10, 10))
    assert np.flatnonzero(found[5]).tolist() == list(range(20, 40))


CODES = [0, 111, 112, 121, 211, 231, 311, 512]


def test_levels_are_the_scores_of_the_coarser_maps():
    rng = np.random.default_rng(0)
    reference = rng.choice(CODES[1:], 4000)
    predicted = np.where(rng.random(4000) < 0.6, reference, rng.choice(CODES, 4000))
    blocks = rng.integers(0, 12, 4000)
    confusions = accuracy.block_confusion(reference, predicted, blocks, CODES)
    levels = zones.score_levels(confusions, CODES, corine(), seed=4)
    assert list(levels) == ["2", "1"]
    for level, scores in levels.items():
        divisor = 10 ** (3 - int(level))
        coarse = accuracy.score(reference // divisor, predicted // divisor, blocks=blocks, seed=4)
        for metric in accuracy.METRICS:
            assert scores[metric] == pytest.approx(coarse[metric]), (level, metric)
            assert scores[f"{metric}_ci95"] == pytest.approx(coarse[f"{metric}_ci95"])
    assert levels["1"]["overall_accuracy"] > levels["2"]["overall_accuracy"]


def test_a_run_of_level_one_has_no_coarser_level():
    assert zones.score_levels(np.ones((3, 2, 2), int), [1, 5], corine().at(1)) == {}
    assert list(zones.score_levels(np.ones((3, 2, 2), int), [11, 51], corine().at(2))) == ["1"]


def test_a_zone_is_scored_as_its_pixels_are():
    rng = np.random.default_rng(1)
    right, block = rng.random(3000) < 0.7, rng.integers(0, 9, 3000)
    counts = np.stack([np.bincount(block, minlength=11), np.bincount(block[right], minlength=11)])
    scores = zones.score_zone(counts.T, seed=2)
    whole = accuracy.score(np.where(right, 1, 2), np.ones(3000, int), blocks=block, seed=2)
    for key in ("n_test", "n_blocks", "overall_accuracy", "overall_accuracy_ci95"):
        assert scores[key] == pytest.approx(whole[key]), key
    assert scores["n_blocks"] == 9


def test_an_empty_zone_has_no_score():
    assert zones.score_zone(np.zeros((4, 2), int)) == {
        "n_test": 0,
        "n_blocks": 0,
        "overall_accuracy": None,
        "overall_accuracy_ci95": None,
    }
