"""Dates composed to one image, against NumPy and plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover.errors import InputError
from landcover.scene.composite import PERCENTILES, Composite, compose

DAYS = [f"2022-{month:02d}-{day:02d}" for month in range(1, 13) for day in (1, 11, 21)]


def drawn(seed: int, dates: int, bands: int = 3, shape: tuple[int, int] = (7, 5), hidden=0.4):
    """Reflectance of some dates, and where each is valid."""
    rng = np.random.default_rng(seed)
    # few distinct values, so that there are ties
    stack = rng.integers(0, 9, (dates, bands, *shape)).astype(np.float32) / 7
    valid = rng.random((dates, *shape)) > hidden
    valid[:, 0, 0] = False
    valid[:, 0, 1] = True
    return stack, valid


def holed(stack, valid):
    """The stack with NaN where a date is not valid."""
    return np.where(valid[:, np.newaxis], stack, np.nan)


@pytest.mark.parametrize("dates", [1, 2, 3, 6, 33, 36])
@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_median_and_percentiles_are_those_of_numpy(dates):
    stack, valid = drawn(dates, dates)
    image, chosen = compose(Composite("median"), stack, valid, DAYS[:dates])
    np.testing.assert_array_equal(image, np.nanmedian(holed(stack, valid), axis=0))
    assert (chosen == -1).all() and np.isnan(image[:, 0, 0]).all()
    many, _ = compose(Composite("percentiles"), stack, valid, DAYS[:dates])
    np.testing.assert_array_equal(many[:3], image)
    expected = np.nanpercentile(holed(stack, valid).astype(np.float64), PERCENTILES, axis=0)
    np.testing.assert_allclose(many[3:], expected.reshape(6, 7, 5), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_the_medoid_is_the_date_nearest_to_its_others(seed, dates):
    stack, valid = drawn(seed, dates)
    image, chosen = compose(Composite("medoid"), stack, valid, DAYS[:dates])
    for row, col in itertools.product(range(7), range(5)):
        held = np.flatnonzero(valid[:, row, col])
        if not held.size:
            assert chosen[row, col] == -1 and np.isnan(image[:, row, col]).all()
            continue
        spectra = [[float(v) for v in stack[i, :, row, col]] for i in held]
        totals = [math.fsum(math.dist(one, other) for other in spectra) for one in spectra]
        # of equal ones the earlier; sums in another order may differ in the last bit
        assert totals[list(held).index(chosen[row, col])] <= min(totals) + 1e-12
        np.testing.assert_array_equal(image[:, row, col], stack[chosen[row, col], :, row, col])


def test_of_two_valid_dates_the_medoid_is_the_earlier():
    stack, _ = drawn(0, 2)
    _, chosen = compose(Composite("medoid"), stack, np.ones((2, 7, 5), bool), DAYS[:2])
    assert (chosen == 0).all()


def test_the_best_date_is_the_nearest_valid_one_and_of_equal_ones_the_earlier():
    days = ["2022-06-01", "2022-06-11", "2022-06-21", "2022-07-11"]
    stack, valid = drawn(3, 4)
    for best, order in (
        (None, [2, 1, 0, 3]),
        ("2022-06-06", [0, 1, 2, 3]),
        ("2023-01-01", [3, 2, 1, 0]),
    ):
        image, chosen = compose(Composite("best", best), stack, valid, days)
        for row, col in itertools.product(range(7), range(5)):
            held = [i for i in order if valid[i, row, col]]
            assert chosen[row, col] == (held[0] if held else -1)
            expected = stack[held[0], :, row, col] if held else np.full(3, np.nan)
            np.testing.assert_array_equal(image[:, row, col], expected)


@pytest.mark.parametrize("method", ["median", "medoid", "best", "percentiles"])
def test_one_date_stays_as_it_is(method):
    stack, valid = drawn(1, 1)
    image, _ = compose(Composite(method), stack, valid, DAYS[:1])
    for part in np.split(image, len(image) // 3):
        np.testing.assert_array_equal(part, holed(stack, valid)[0])


@pytest.mark.parametrize("method", ["median", "medoid", "best", "percentiles"])
def test_a_pixel_is_composed_of_itself_alone(method):
    stack, valid = drawn(2, 6, shape=(150, 9))
    whole, chosen = compose(Composite(method), stack, valid, DAYS[:6])
    part = np.s_[60:71, 2:5]
    image, part_chosen = compose(
        Composite(method), stack[:, :, *part].copy(), valid[:, *part].copy(), DAYS[:6]
    )
    np.testing.assert_array_equal(image, whole[:, *part])
    np.testing.assert_array_equal(part_chosen, chosen[part])


def test_what_is_no_way_of_composing():
    with pytest.raises(InputError, match="no composite 'mean'; choose among median, medoid, best"):
        Composite("mean")
    with pytest.raises(InputError, match=r'best_date=2022-07-01 is for composite="best", and med'):
        Composite("median", "2022-07-01")
    with pytest.raises(InputError, match="best_date=July is no day; give one such as 2022-07-01"):
        Composite("best", "July")
