"""Sequences: images of several dates on one grid, as arrays and as names of bands.

A raster of a sequence holds all bands of the first date, then all of the next; each band's name
tells its date, as ``2022-04-15:B02``. So whatever reads a raster by names reads a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from landcover.errors import InputError

#: Between a date and a band in a band's name.
_BETWEEN = ":"


@dataclass(frozen=True)
class Dates:
    """The dates of a sequence, and the bands that each of them has.

    Attributes
    ----------
    days : tuple of str
        ISO 8601, the earliest first.
    bands : tuple of str
        Bands of every date.

    Raises
    ------
    InputError
        If a day is none, is given twice or stands before an earlier one, or if there are no dates
        or no bands.

    Examples
    --------
    >>> dates = Dates(("2022-04-15", "2022-07-14"), ("B04", "B08"))
    >>> dates.names
    ('2022-04-15:B04', '2022-04-15:B08', '2022-07-14:B04', '2022-07-14:B08')
    >>> Dates.of_names(dates.names) == dates
    True
    >>> dates.day_of_year
    array([105, 195])
    """

    days: tuple[str, ...]
    bands: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.days or not self.bands:
            raise InputError(
                f"a sequence of {len(self.days)} dates and {len(self.bands)} bands is none; give "
                "one date and one band, or more"
            )
        for day in self.days:
            if _day(day) is None:
                raise InputError(f"{day!r} is no day; give one such as 2022-07-01")
        for earlier, later in zip(self.days, self.days[1:], strict=False):
            if earlier == later:
                raise InputError(f"{earlier} was given twice; give each date once")
            if earlier > later:
                raise InputError(f"{later} stands behind {earlier}; give the earliest date first")

    @classmethod
    def of_names(cls, names: Sequence[str]) -> Dates:
        """The dates that the bands of a raster are of.

        Parameters
        ----------
        names : sequence of str
            Names of bands, in the raster's order.

        Returns
        -------
        Dates
            Those whose `names` are the given ones.

        Raises
        ------
        InputError
            If the bands are not those of a sequence.
        """
        days: dict[str, list[str]] = {}
        for name in names:
            day, between, band = name.partition(_BETWEEN)
            if not between or _day(day) is None:
                raise InputError(
                    f"band {name!r} does not tell its date; the bands of a sequence are named as "
                    f"2022-04-15{_BETWEEN}B02"
                )
            days.setdefault(day, []).append(band)
        dates = cls(tuple(days), tuple(next(iter(days.values()), ())))
        for day, bands in days.items():
            if tuple(bands) != dates.bands:
                raise InputError(
                    f"{day} has the bands {' '.join(bands)}, and {dates.days[0]} has "
                    f"{' '.join(dates.bands)}; a sequence has the same bands at every date"
                )
        if dates.names != tuple(names):
            raise InputError(
                "the bands of a sequence stand date by date; these are of "
                + " ".join(name.partition(_BETWEEN)[0] for name in names)
            )
        return dates

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands of all dates, date by date."""
        return tuple(f"{day}{_BETWEEN}{band}" for day in self.days for band in self.bands)

    @property
    def day_of_year(self) -> np.ndarray:
        """Days of the year (dates,), int64; 1 is the first of January."""
        return np.array([date.fromisoformat(day).timetuple().tm_yday for day in self.days])

    def select(self, days: Sequence[str]) -> Dates:
        """Some of the dates.

        Parameters
        ----------
        days : sequence of str
            ISO 8601, in any order.

        Returns
        -------
        Dates
            The earliest first.

        Raises
        ------
        InputError
            If there is no such date, or one is given twice.
        """
        for day in days:
            if day not in self.days:
                raise InputError(f"there is no date {day}; there are {' '.join(self.days)}")
        return Dates(tuple(sorted(days)), self.bands)


def as_sequence(image: np.ndarray, dates: Dates) -> np.ndarray:
    """An image of all bands of all dates as a sequence.

    Parameters
    ----------
    image : array, (dates * bands, ...)
        Bands date by date, as a raster of a sequence holds them.
    dates : Dates
        What they are of.

    Returns
    -------
    array, (dates, bands, ...)
        A view of the image.

    Raises
    ------
    InputError
        If the image has another number of bands.

    Examples
    --------
    >>> dates = Dates(("2022-04-15", "2022-07-14"), ("B04", "B08"))
    >>> as_sequence(np.zeros((4, 10, 20)), dates).shape
    (2, 2, 10, 20)
    """
    shape = len(dates.days), len(dates.bands)
    if len(image) != shape[0] * shape[1]:
        raise InputError(
            f"an image of {len(image)} bands is no sequence of {shape[0]} dates of {shape[1]} "
            f"bands; give {shape[0] * shape[1]}"
        )
    return image.reshape(*shape, *image.shape[1:])


def valid_dates(sequence: np.ndarray) -> np.ndarray:
    """Which dates are valid at each pixel: those where all bands have a value.

    Parameters
    ----------
    sequence : array, (dates, bands, ...)
        Reflectance, NaN where a date is hidden or has no data.

    Returns
    -------
    array of bool, (dates, ...)
        Bands are taken one by one, without an array of all of them.

    Examples
    --------
    >>> sequence = np.zeros((2, 3, 1, 2))
    >>> sequence[1, 2, 0, 0] = np.nan
    >>> valid_dates(sequence)[:, 0].tolist()
    [[True, True], [False, True]]
    """
    valid = np.isfinite(sequence[:, 0])
    for band in range(1, sequence.shape[1]):
        valid &= np.isfinite(sequence[:, band])
    return valid


def _day(text: str) -> date | None:
    """A day that is written as 2022-04-15; None for other texts."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text else None
