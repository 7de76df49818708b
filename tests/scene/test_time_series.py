"""Gaps filled in time and statistics over valid dates, against NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.scene import time_series

BANDS = ("B02", "B04", "B08")
DAYS = np.array([100, 130, 150, 200, 220, 300])


def series(rng, masked: float, pixels: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Values (dates, bands, pixels) with masked dates, and which are valid."""
    values = rng.uniform(0.01, 1, (len(DAYS), len(BANDS), pixels)).astype(np.float32)
    valid = rng.uniform(size=(len(DAYS), pixels)) >= masked
    values[:, 1][~valid] = np.nan  # one missing band masks the date
    return values, valid


@given(seed=st.integers(0, 99), masked=st.sampled_from([0, 0.3, 0.8, 1]))
def test_gaps_are_filled_as_numpy_does(seed, masked):
    values, valid = series(np.random.default_rng(seed), masked, 8)
    wanted = np.array([50, 100, 141, 210, 340])
    found = time_series.interpolated(values, DAYS, wanted)
    for pixel in range(8):
        held = valid[:, pixel]
        for band in range(len(BANDS)):
            expected = np.full(len(wanted), np.nan)
            if held.any():
                expected = np.interp(wanted, DAYS[held], values[held, band, pixel])
            np.testing.assert_allclose(found[:, band, pixel], expected, rtol=1e-4)


def test_statistics_are_those_of_numpy(rng):
    values, valid = series(rng, 0.5)
    values[:, :, 0] = np.nan
    found = time_series.statistics(values, BANDS).reshape(len(BANDS) + 1, 4, -1)
    seen = np.where(valid[:, np.newaxis], values, np.nan)[..., 1:]
    ndvi = (seen[:, 2] - seen[:, 1]) / (seen[:, 2] + seen[:, 1])
    seen = np.concatenate([seen, ndvi[:, np.newaxis]], axis=1)
    ever = np.isfinite(seen).any(axis=(0, 1))
    np.testing.assert_allclose(found[:, 0, 1:][:, ever], np.nanmean(seen[..., ever], 0), rtol=1e-4)
    percentiles = np.nanpercentile(seen[..., ever], time_series.PERCENTILES, axis=0)
    np.testing.assert_allclose(
        found[:, 1:, 1:][..., ever], percentiles.transpose(1, 0, 2), rtol=1e-3, atol=1e-6
    )
    assert np.isnan(found[..., 0]).all()
    assert len(time_series.statistic_names(BANDS)) == found.shape[0] * found.shape[1]


@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3]])
def test_the_order_of_dates_does_not_matter(rng, order):
    values, _ = series(rng, 0.3)
    wanted = np.array([90, 160, 200])
    np.testing.assert_array_equal(
        time_series.interpolated(values[order], DAYS[order], wanted),
        time_series.interpolated(values, DAYS, wanted),
    )
    np.testing.assert_allclose(
        time_series.statistics(values[order], BANDS), time_series.statistics(values, BANDS),
        rtol=1e-5,
    )  # fmt: skip
