"""Names and arrays of sequences."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.errors import InputError
from landcover.scene.sequence import Dates, as_sequence, valid_dates

DAYS = ("2022-02-28", "2022-07-14", "2024-02-29")
BANDS = ("B02", "glcm:B08:entropy", "B08")
SEQUENCE = Dates(DAYS, BANDS)

days = st.lists(st.dates(date(2015, 6, 1), date(2035, 1, 1)), min_size=1, max_size=8, unique=True)
bands = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4, unique=True)


@given(days, bands)
def test_names_and_dates_say_the_same(days, bands):
    dates = Dates(tuple(sorted(day.isoformat() for day in days)), tuple(bands))
    assert Dates.of_names(dates.names) == dates
    assert len(dates.names) == len(days) * len(bands)


@given(days)
def test_the_day_of_the_year_counts_from_the_first_of_january(days):
    dates = Dates(tuple(sorted(day.isoformat() for day in days)), ("B02",))
    for day, number in zip(dates.days, dates.day_of_year, strict=True):
        first = date.fromisoformat(day).replace(month=1, day=1)
        assert first + timedelta(days=int(number) - 1) == date.fromisoformat(day)


def test_dates_are_selected_in_their_order():
    assert SEQUENCE.select(["2024-02-29", "2022-02-28"]) == Dates((DAYS[0], DAYS[2]), BANDS)
    with pytest.raises(InputError, match="there is no date 2022-07-15; there are 2022-02-28 2022-"):
        SEQUENCE.select(["2022-07-15"])
    with pytest.raises(InputError, match="2022-07-14 was given twice"):
        SEQUENCE.select(["2022-07-14", "2022-07-14"])


@pytest.mark.parametrize(
    ("days", "bands", "message"),
    [
        ((), ("B02",), "a sequence of 0 dates and 1 bands is none"),
        (("2022-07-14",), (), "a sequence of 1 dates and 0 bands is none"),
        (("2022-07-32",), ("B02",), "'2022-07-32' is no day"),
        (("20220714",), ("B02",), "'20220714' is no day"),
        (("2022-07-14", "2022-07-14"), ("B02",), "2022-07-14 was given twice"),
        (("2022-07-14", "2022-04-15"), ("B02",), "2022-04-15 stands behind 2022-07-14"),
    ],
)
def test_what_is_no_sequence_is_refused(days, bands, message):
    with pytest.raises(InputError, match=message):
        Dates(days, bands)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "0 dates"),
        (("B02", "B03"), "band 'B02' does not tell its date"),
        (("glcm:B08:entropy",), "does not tell its date"),
        (
            ("2022-04-15:B02", "2022-04-15:B03", "2022-07-14:B02"),
            "2022-07-14 has the bands B02, and 2022-04-15 has B02 B03",
        ),
        (
            ("2022-04-15:B02", "2022-07-14:B02", "2022-04-15:B03", "2022-07-14:B03"),
            "stand date by date",
        ),
    ],
)
def test_names_of_other_rasters_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        Dates.of_names(names)


def test_an_image_is_seen_date_by_date():
    image = np.arange(9 * 20, dtype=np.float32).reshape(9, 4, 5)
    sequence = as_sequence(image, SEQUENCE)
    assert np.shares_memory(sequence, image)
    for name, band in zip(SEQUENCE.names, image, strict=True):
        day, _, of = name.partition(":")
        assert (sequence[DAYS.index(day), BANDS.index(of)] == band).all()
    with pytest.raises(InputError, match="an image of 8 bands is no sequence of 3 dates of 3"):
        as_sequence(image[:8], SEQUENCE)


def test_a_date_is_valid_where_all_its_bands_are():
    rng = np.random.default_rng(1)
    sequence = rng.random((3, 4, 10, 11), np.float32)
    sequence[rng.random(sequence.shape) < 0.1] = np.nan
    assert (valid_dates(sequence) == ~np.isnan(sequence).any(axis=1)).all()
    table = sequence.reshape(3, 4, -1)
    assert (valid_dates(table) == valid_dates(sequence).reshape(3, -1)).all()
