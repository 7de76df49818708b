"""Which offset the digital numbers of a catalogue's item carry, by what it says and what is seen.

From processing baseline 04.00 on, digital numbers of Sentinel-2 carry +1000, unless a catalogue has
taken it away. Items are known to say one thing while their pixels show the other
(Element84/earth-search, issues 66 and 71), so their word is compared with their darkest pixels, and
where these can be either, with the dark land of other dates at the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.files.atomic import Fields
from landcover.sources.stac_assets import OFFSET_BASELINE, baseline, offset_applied

#: What processing baseline 04.00 and later add to digital numbers.
ADDED = 1000.0
#: Land is this dark almost everywhere; numbers that carry `ADDED` do not go so far down.
WITHOUT_BELOW = 700.0
#: Numbers that carry `ADDED` come out negative below this.
WITH_ABOVE = 800.0
#: Dark land of two dates differs by less than this share of `ADDED`, if the offsets are right.
_NEAR = 0.35
#: Fewer pixels that both dates see clearly are not compared.
LEAST_PIXELS = 200
#: Of the pixels of a date, the share that is dark land.
_DARK_SHARE = 5.0
#: A date is compared with so many others, the nearest in time.
_MOST_COMPARED = 5


def require_offset(offset: float) -> None:
    """Raise InputError for an offset that digital numbers of no catalogue have.

    Catalogues say it in reflectance, and some add what is to be taken away: both slips would be
    seen by nobody.
    """
    if offset not in (0.0, -ADDED):
        raise InputError(
            f"offset={offset:g} is none that images of Sentinel-2 have: it is added to digital "
            f"numbers, not to reflectance; give offset={-ADDED:g}, or offset=0"
        )


@dataclass(frozen=True)
class Claim:
    """What an item says of its offset.

    Attributes
    ----------
    offset : float or None
        reflectance = (dn + offset) / quantification; None where nothing is said.
    said : str
        In words.
    clear : bool
        Whether what it says agrees with itself.
    """

    offset: float | None
    said: str
    clear: bool


def claim_of(properties: Fields, told: float | None) -> Claim:
    """What an item says of its offset.

    Parameters
    ----------
    properties : dict
        Of the item.
    told : float or None
        The offset of its bands, in digital numbers.
    """
    applied, number = offset_applied(properties), baseline(properties)
    late = number is not None and number >= OFFSET_BASELINE
    words = [f"baseline {number:05.2f}"] if number is not None else []
    words += [f"offset applied: {str(bool(applied)).lower()}"] if applied is not None else []
    words += [f"offset {told:g}"] if told is not None else []
    said = ", ".join(words) or "nothing of an offset"
    if number is not None and not late:
        return Claim(0.0, said, not told)
    if applied is not None:
        offset = 0.0 if applied or not late else -ADDED
        return Claim(offset, said, told is None or told == offset)
    if told is not None:
        return Claim(told, said, bool(told) or not late)
    return Claim(-ADDED if late else None, said, late)


@dataclass(frozen=True)
class Seen:
    """The digital numbers of an item, as far as offsets show in them.

    Attributes
    ----------
    darkest : float
        The 0.1 percentile of the darkest band.
    """

    darkest: float

    @classmethod
    def of(cls, bands: Iterable[np.ndarray]) -> Seen:
        """That of bands, of which one at least has data; 0 is none."""
        held = (dn[dn != 0] for dn in bands)
        return cls(min(float(np.percentile(dn, 0.1)) for dn in held if dn.size))


@dataclass(frozen=True)
class Verdict:
    """The offset that is used, and why.

    Attributes
    ----------
    offset : float or None
        None where it stays open.
    by : str
        Who says so: ``catalogue``, ``pixels``, ``other dates``, ``option``.
    why : str
        A sentence for people; "" where the item's word and its pixels agree.
    """

    offset: float | None
    by: str = "catalogue"
    why: str = ""


#: Of two dates by their numbers in a list, the dark land of both on the same pixels; None where
#: they share none, or see too few clearly.
Compare = Callable[[int, int], tuple[dict[str, float], dict[str, float]] | None]


def settle(
    claims: Sequence[Claim], seen: Sequence[Seen], days: Sequence[str], compare: Compare
) -> list[Verdict]:
    """The offset of each date of a place.

    Parameters
    ----------
    claims : sequence of Claim
        What each item says.
    seen : sequence of Seen
        What its pixels show.
    days : sequence of str
        When it was taken.
    compare : function
        See `Compare`.

    Returns
    -------
    list of Verdict
        In the order of the items.
    """
    own = [_own(claim, look) for claim, look in zip(claims, seen, strict=True)]
    certain = [number for number, look in enumerate(seen) if look.darkest < WITHOUT_BELOW]
    agreeing = [
        number
        for number, (verdict, look) in enumerate(zip(own, seen, strict=True))
        if verdict.offset and look.darkest < 2 * ADDED
    ]
    verdicts = []
    for number, verdict in enumerate(own):
        if verdict.offset is None:
            found = _comparisons(number, [*certain, *agreeing], own, days, compare)
            verdict = _by_other_dates(claims[number], found, seen[number])
        elif verdict.offset and (found := _comparisons(number, certain, own, days, compare)):
            by_others = _by_other_dates(claims[number], found, seen[number])
            verdict = by_others if by_others.offset == 0 else verdict
        verdicts.append(verdict)
    return verdicts


def _own(claim: Claim, seen: Seen) -> Verdict:
    """What an item and its own pixels tell, without other dates."""
    shows = f"its darkest numbers are {seen.darkest:.0f}"
    if seen.darkest < WITHOUT_BELOW:
        if claim.offset == 0:
            right = f"it says {claim.said}; its dark pixels carry no +1000, and 0 is used"
            return Verdict(0.0, *(("catalogue", "") if claim.clear else ("pixels", right)))
        return Verdict(
            0.0, "pixels", f"it says {claim.said}, and {shows}: they carry no +1000, and 0 is used"
        )
    if claim.offset and seen.darkest >= WITH_ABOVE:
        return Verdict(claim.offset)
    return Verdict(None)


def _comparisons(
    number: int,
    others: Sequence[int],
    own: Sequence[Verdict],
    days: Sequence[str],
    compare: Compare,
) -> list[tuple[str, float]]:
    """What the nearest other dates say of one: their days, and the offset that makes them alike."""
    found: list[tuple[str, float]] = []
    for other in sorted(set(others) - {number}, key=lambda one: abs(one - number)):
        if len(found) == _MOST_COMPARED:
            break
        dark = compare(number, other)
        offset = dark and alike(*dark, own[other].offset or 0.0)
        if offset is not None:
            found.append((days[other], float(offset)))
    return found


def dark_land(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The dark end of each band: land such as forest and water, which changes little.

    Parameters
    ----------
    values : dict of array, (pixels,)
        Digital numbers of pixels that two dates see clearly.
    """
    return {name: float(np.percentile(dn, _DARK_SHARE)) for name, dn in values.items()}


def alike(
    own: Mapping[str, float], other: Mapping[str, float], other_offset: float
) -> float | None:
    """The offset that makes the dark land of a date that of another one.

    Parameters
    ----------
    own, other : dict of float
        `dark_land` of both, on the same pixels.
    other_offset : float
        Of the other date.

    Returns
    -------
    float or None
        0 or -1000; None where neither does.

    Examples
    --------
    >>> alike({"B04": 1230.0}, {"B04": 210.0}, 0.0), alike({"B04": 240.0}, {"B04": 210.0}, 0.0)
    (-1000.0, 0.0)
    """
    visible = [name for name in ("B02", "B03", "B04") if name in own and name in other]
    names = visible or sorted(set(own) & set(other))
    if not names:
        return None
    apart = float(np.median([own[name] - (other[name] + other_offset) for name in names]))
    near = [offset for offset in (0.0, -ADDED) if abs(apart + offset) < _NEAR * ADDED]
    return near[0] if near else None


def _by_other_dates(claim: Claim, found: Sequence[tuple[str, float]], seen: Seen) -> Verdict:
    """The verdict of other dates on one whose own pixels leave it open."""
    offsets = {offset for _, offset in found}
    held = sorted({day for day, _ in found})
    days = ", ".join(held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else "")
    if len(offsets) != 1:
        against = f"{days} do not agree on it" if offsets else "no other date can be compared"
        return Verdict(
            None,
            "other dates",
            f"it says {claim.said}, and its darkest numbers are {seen.darkest:.0f}, as with +1000; "
            f"{against}: give the true one with offset=-1000 or offset=0",
        )
    offset = offsets.pop()
    too = "as it says" if offset == claim.offset else "which is used instead"
    return Verdict(
        offset,
        "other dates",
        f"it says {claim.said}; its dark land is that of {days} with offset {offset:g}, {too}",
    )
