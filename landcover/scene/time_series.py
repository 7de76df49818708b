"""Values through a year: gaps filled in time, and what a pixel's year is like on the whole.

Dates count by their day of year alone, so a model of one year reads another. A series is
(dates, bands, ...); a date is masked where one of its bands is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landcover.scene import features
from landcover.scene.feature_names import available

#: Percentiles over the valid dates, beside their mean.
PERCENTILES = (10, 50, 90)
_INDEX = "ndvi"


def masked(series: np.ndarray) -> np.ndarray:
    """A series whose masked dates are NaN in all bands."""
    valid = np.isfinite(series).all(axis=1, keepdims=True)
    return np.where(valid, series, np.float32(np.nan))


def interpolated(series: np.ndarray, days: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values on other days of the year, linear in time between the nearest valid dates.

    Before the first valid date and after the last one the value is that of this date. Where a
    wanted day has a valid date, the value is that date's own.

    Parameters
    ----------
    series : array of float32, (dates, bands, ...)
        NaN where a date is masked.
    days, wanted : array of int
        Days of year of the dates, and those that are wanted.

    Returns
    -------
    array of float32, (wanted, bands, ...)
        NaN where no date is valid.

    Examples
    --------
    >>> series = np.array([1, np.nan, 5], np.float32).reshape(3, 1, 1)
    >>> interpolated(series, np.array([100, 120, 140]), np.array([90, 110, 140])).ravel()
    array([1., 2., 5.], dtype=float32)
    """
    order = np.argsort(days, kind="stable")
    days, series = np.asarray(days)[order], masked(series[order])
    before, after = _filled(series, days), _filled(series[::-1], days[::-1])[::-1]
    found = np.full((len(wanted), *series.shape[1:]), np.nan, np.float32)
    for out, day in zip(found, wanted, strict=True):
        earlier, later = (
            int(np.searchsorted(days, day, "right")) - 1,
            int(np.searchsorted(days, day, "left")),
        )
        if earlier < 0 or later >= len(days):
            out[:] = (after[later] if earlier < 0 else before[earlier])[0]
            continue
        (value, at), (next_value, next_at) = before[earlier], after[later]
        span = next_at - at
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(span > 0, (day - at) / span, 0).astype(np.float32)
        between = value + share * (next_value - value)
        between = np.where(np.isnan(next_at), value, between)
        out[:] = np.where(np.isnan(at), next_value, between)
    return found


def _filled(series: np.ndarray, days: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """After every date the last valid value (bands, ...) so far, and its day (1, ...)."""
    value = np.full(series.shape[1:], np.nan, np.float32)
    at = np.full((1, *series.shape[2:]), np.nan, np.float32)
    found = []
    for one, day in zip(series, days.tolist(), strict=True):
        valid = np.isfinite(one[:1])
        value, at = np.where(valid, one, value), np.where(valid, np.float32(day), at)
        found.append((value, at))
    return found


def statistic_names(bands: Sequence[str]) -> tuple[str, ...]:
    """Names of what `statistics` gives.

    >>> statistic_names(["B08"])
    ('B08 mean', 'B08 10 %', 'B08 50 %', 'B08 90 %')
    """
    kinds = ("mean", *(f"{percent} %" for percent in PERCENTILES))
    return tuple(f"{name} {kind}" for name in (*bands, *_index(bands)) for kind in kinds)


def statistics(series: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    """Mean and percentiles of every band, and of NDVI where bands allow it, over valid dates.

    Parameters
    ----------
    series : array of float32, (dates, bands, ...)
        NaN where a date is masked.
    bands : sequence of str
        Names of the bands.

    Returns
    -------
    array of float32, (statistics, ...)
        In the order of `statistic_names`; NaN where no date is valid.
    """
    series = masked(series)
    if _index(bands):
        made = [features.compute_features(one, bands, (_INDEX,)) for one in series]
        series = masked(np.concatenate([series, np.stack(made)], axis=1))
    count = np.isfinite(series[:, 0]).sum(axis=0)
    ordered = np.sort(series, axis=0)  # NaN last
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(series, axis=0) / count
    found = [mean.astype(np.float32), *(_percentile(ordered, count, p) for p in PERCENTILES)]
    held = np.stack(found, axis=1)  # (bands, statistics, ...)
    return held.reshape(-1, *held.shape[2:])


def _percentile(ordered: np.ndarray, count: np.ndarray, percent: float) -> np.ndarray:
    """A percentile (bands, ...) of ordered values, linear between ranks."""
    rank = np.maximum(count - 1, 0) * np.float32(percent / 100)
    low = np.floor(rank).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    lower, upper = (
        np.take_along_axis(ordered, at[np.newaxis, np.newaxis], axis=0)[0] for at in (low, high)
    )
    return (lower + (rank - low).astype(np.float32) * (upper - lower)).astype(np.float32)


def _index(bands: Sequence[str]) -> tuple[str, ...]:
    return (_INDEX,) if _INDEX in available(bands) else ()
