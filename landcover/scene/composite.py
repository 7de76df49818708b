"""Several dates of the same pixels as one image: median, medoid, best date, percentiles.

A date counts at a pixel where it is valid there: where all its bands have data and no mask hides
it. Each pixel is composed of its own dates alone, so neither windows nor the order in which dates
are given change a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from landcover.errors import InputError
from landcover.scene.by_rows import by_rows
from landcover.scene.composite_loops import fill_quantiles, find_medoid

#: Ways of composing, by the name of the option.
METHODS = ("median", "medoid", "best", "percentiles")
#: What stands beside the median as further bands, such as B02_p10.
PERCENTILES = (10, 90)
#: A best date farther from all dates is perhaps of another year.
_FAR_DAYS = 183


@dataclass(frozen=True)
class Composite:
    """How dates become one image.

    Attributes
    ----------
    method : {"median", "medoid", "best", "percentiles"}
        ``median``: of each band, over the valid dates; of an even number the mean of the middle
        two. ``medoid``: the valid date whose spectrum has the smallest sum of Euclidean distances
        to those of the others, so that all bands of a pixel were seen together. ``best``: the
        valid date nearest to `best_date`. ``percentiles``: the median, and the percentiles
        `PERCENTILES` as further bands, interpolated linearly.
    best_date : str, optional
        A day, such as 2022-07-01; by default the middle between the first and the last date.

    Raises
    ------
    InputError
        If there is no such method, the day is none, or one is given to another method.

    Examples
    --------
    >>> Composite("percentiles").bands(["B02", "B08"])
    ['B02', 'B08', 'B02_p10', 'B08_p10', 'B02_p90', 'B08_p90']
    """

    method: str
    best_date: str | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(
                f"there is no composite {self.method!r}; choose among {', '.join(METHODS)}"
            )
        if self.best_date is None:
            return
        if self.method != "best":
            raise InputError(
                f'best_date={self.best_date} is for composite="best", and {self.method} takes all '
                "dates alike; leave it out"
            )
        try:
            date.fromisoformat(self.best_date)
        except ValueError:
            raise InputError(
                f"best_date={self.best_date} is no day; give one such as 2022-07-01"
            ) from None

    def bands(self, names: Sequence[str]) -> list[str]:
        """Names of the composite's bands, of those of the dates."""
        further = PERCENTILES if self.method == "percentiles" else ()
        return [*names, *(f"{name}_p{percent}" for percent in further for name in names)]

    @property
    def takes_one_date(self) -> bool:
        """Whether all bands of a pixel are of one date."""
        return self.method in ("medoid", "best")

    def note_on_best(self, days: Sequence[str]) -> str | None:
        """A sentence where the best date lies far from all dates; None elsewhere.

        >>> Composite("best", "2021-07-01").note_on_best(["2022-06-01", "2022-06-11"])
        'best_date=2021-07-01 is 335 days from the nearest date, 2022-06-01: check its year'
        """
        if self.best_date is None:
            return None
        best = date.fromisoformat(self.best_date)
        near, day = min((abs((date.fromisoformat(day) - best).days), day) for day in days)
        if near <= _FAR_DAYS:
            return None
        return f"best_date={best} is {near} days from the nearest date, {day}: check its year"

    def preference(self, days: Sequence[str]) -> list[int]:
        """Numbers of the dates by their distance from the best date, of equal ones the earlier.

        >>> Composite("best").preference(["2022-06-01", "2022-06-11", "2022-07-01"])
        [1, 0, 2]
        """
        numbers = [date.fromisoformat(day).toordinal() for day in days]
        middle = (min(numbers) + max(numbers)) / 2
        best = date.fromisoformat(self.best_date).toordinal() if self.best_date else middle
        return sorted(range(len(days)), key=lambda i: (abs(numbers[i] - best), numbers[i]))


def compose(
    composite: Composite, stack: np.ndarray, valid: np.ndarray, days: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """One image of several dates.

    Parameters
    ----------
    composite : Composite
        How.
    stack : array of float32, (dates, bands, rows, cols)
        Reflectance, the earliest date first.
    valid : array of bool, (dates, rows, cols)
        Where a date counts; the stack has values there in all bands.
    days : sequence of str
        When the dates are, ISO 8601.

    Returns
    -------
    image : array of float32, (composite's bands, rows, cols)
        NaN where no date is valid.
    chosen : array of int32, (rows, cols)
        Number of the date that a pixel was taken from, from 0; -1 where it was taken from none, or
        composed of several.

    Examples
    --------
    >>> stack = np.float32([0.1, 0.5, 0.2, 0.9]).reshape(4, 1, 1, 1)
    >>> valid = np.array([True, True, True, False]).reshape(4, 1, 1)
    >>> days = ["2022-06-01", "2022-06-11", "2022-06-21", "2022-07-01"]
    >>> for method in ("median", "medoid", "best"):
    ...     image, chosen = compose(Composite(method), stack, valid, days)
    ...     print(round(float(image.item()), 1), chosen.item())
    0.2 -1
    0.2 2
    0.5 1
    """
    shape = valid.shape[1:]
    if not composite.takes_one_date:
        wanted = (50, *PERCENTILES) if composite.method == "percentiles" else (50,)
        image = np.full((len(wanted), stack.shape[1], *shape), np.nan, np.float32)
        parts = np.array(wanted) / 100
        by_rows(fill_quantiles, shape[0], stack, valid, parts, image)
        return image.reshape(-1, *shape), np.full(shape, -1, np.int32)
    chosen = np.full(shape, -1, np.int32)
    if composite.method == "medoid":
        by_rows(find_medoid, shape[0], stack, valid, chosen)
    else:
        for number in composite.preference(days):
            chosen[valid[number] & (chosen < 0)] = number
    image = np.take_along_axis(stack, np.maximum(chosen, 0)[np.newaxis, np.newaxis], axis=0)[0]
    image[:, chosen < 0] = np.nan
    return image, chosen
