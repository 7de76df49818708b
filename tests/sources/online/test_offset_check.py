"""Which offset an item carries: what it says, what its pixels show, what other dates show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.sources.online.offset_check import Seen, alike, claim_of, dark_land, settle

FLAG = "earthsearch:boa_offset_applied"


def said(number=None, applied=None):
    found = {} if number is None else {"s2:processing_baseline": number}
    return found | ({} if applied is None else {FLAG: applied})


@pytest.mark.parametrize(
    ("properties", "told", "offset", "clear"),
    [
        # before baseline 04.00 there is none, whatever is told
        (said("02.14"), None, 0, True),
        (said("02.14"), 0, 0, True),
        (said("03.01"), -1000, 0, False),
        # from then on it is there, unless the catalogue took it away and says so
        (said("04.00"), None, -1000, True),
        (said("05.09"), -1000, -1000, True),
        (said("04.00", True), 0, 0, True),
        (said("04.00", True), -1000, 0, False),
        (said("04.00", False), -1000, -1000, True),
        (said("04.00", False), None, -1000, True),
        (said("04.00", False), 0, -1000, False),
        (said("04.00"), 0, 0, False),
        # without a baseline, what is told of bands
        (said(), -1000, -1000, True),
        (said(), 0, 0, True),
        (said(), None, None, False),
        ({"processing:version": "05.10"}, None, -1000, True),
        ({"s2:processing_baseline": "?"}, None, None, False),
    ],
)
def test_what_an_item_says(properties, told, offset, clear):
    claim = claim_of(properties, told)
    assert (claim.offset, claim.clear) == (offset, clear)


def alone(properties, told, darkest):
    """The verdict on an item that no other date can be compared with."""
    (verdict,) = settle(
        [claim_of(properties, told)], [Seen(darkest)], ["2022-06-01"], lambda _one, _other: None
    )
    return verdict


NUMBERS = st.sampled_from([None, "02.14", "03.01", "04.00", "05.09"])
FLAGS = st.sampled_from([None, True, False])
TOLD = st.sampled_from([None, 0.0, -1000.0])


@given(NUMBERS, FLAGS, TOLD, st.floats(1, 699))
def test_dark_pixels_carry_none_whatever_is_said(number, applied, told, darkest):
    assert alone(said(number, applied), told, darkest).offset == 0


@given(NUMBERS, FLAGS, TOLD, st.floats(700, 5000))
def test_bright_pixels_alone_never_decide_against_what_is_said(number, applied, told, darkest):
    verdict = alone(said(number, applied), told, darkest)
    claim = claim_of(said(number, applied), told)
    assert verdict.offset in (None, claim.offset)
    if verdict.offset is None:
        assert "give the true one with offset=-1000 or offset=0" in verdict.why


@given(NUMBERS, FLAGS, TOLD, st.floats(1, 5000))
def test_a_word_that_is_not_followed_or_contradicts_itself_is_told(number, applied, told, darkest):
    verdict = alone(said(number, applied), told, darkest)
    claim = claim_of(said(number, applied), told)
    if verdict.offset != claim.offset:
        assert verdict.why and verdict.by != "catalogue"


@given(
    own=st.floats(100, 2000), change=st.floats(-300, 300), carries=st.booleans(),
    other_carries=st.booleans(),
)  # fmt: skip
def test_the_offset_that_makes_dark_land_alike(own, change, carries, other_carries):
    """Both dates see the same land up to a change of 0.03 in reflectance."""
    mine = dict.fromkeys(("B02", "B03", "B04"), own + change + 1000 * carries)
    other = dict.fromkeys(("B02", "B03", "B04"), own + 1000 * other_carries)
    assert alike(mine, other, -1000.0 * other_carries) == -1000.0 * carries


def test_land_that_is_not_alike_tells_nothing():
    assert alike({"B02": 800.0}, {"B02": 300.0}, 0.0) is None  # half way
    assert alike({"B02": 4000.0}, {"B02": 300.0}, 0.0) is None  # cloud
    assert alike({"B11": 1300.0}, {"B12": 300.0}, 0.0) is None  # no common band
    # red edges and infrared are asked only where nothing visible is there
    assert alike({"B02": 310.0, "B08": 9000.0}, {"B02": 300.0, "B08": 10.0}, 0.0) == 0


def test_dark_land_is_the_dark_end():
    values = np.arange(1, 1001)
    assert dark_land({"B02": values})["B02"] == pytest.approx(np.quantile(values, 0.05))


def test_dates_that_do_not_agree_leave_it_open():
    claims = [claim_of(said("04.00", True), 0)] * 3
    seen = [Seen(1100), Seen(200), Seen(300)]
    dark = {1: {"B02": 230.0}, 2: {"B02": 1230.0}}
    found = settle(
        claims, seen, ["a", "b", "c"], lambda _one, other: ({"B02": 1240.0}, dark[other])
    )
    assert found[0].offset is None and "b, c do not agree" in found[0].why
    assert [verdict.offset for verdict in found[1:]] == [0, 0]


def test_a_date_whose_word_agrees_with_its_look_is_corrected_by_sure_ones_alone():
    """Bright land with offset -1000 that a date without +1000 shows to carry none."""
    claims = [claim_of(said("05.09"), -1000), claim_of(said("02.14"), 0)]
    seen = [Seen(1100), Seen(300)]
    lies = settle(claims, seen, ["a", "b"], lambda *_: ({"B02": 1200.0}, {"B02": 1210.0}))
    assert (lies[0].offset, lies[0].by) == (0, "other dates")
    true = settle(claims, seen, ["a", "b"], lambda *_: ({"B02": 1200.0}, {"B02": 210.0}))
    assert (true[0].offset, true[0].why) == (-1000, "")


def test_few_comparisons_are_made():
    """Each takes reading bands of two dates; a year of dates has thousands of pairs."""
    asked = []

    def compare(one, other):
        asked.append((one, other))
        return {"B02": 1230.0}, {"B02": 230.0}

    count = 60
    claims = [claim_of(said("04.00", True), 0)] * count
    seen = [Seen(1100 if n == 30 else 200) for n in range(count)]
    verdicts = settle(claims, seen, [str(n) for n in range(count)], compare)
    assert verdicts[30].offset == -1000
    assert len(asked) == 5 and all(abs(other - 30) <= 3 for _, other in asked)
