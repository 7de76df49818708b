"""What plants look like on a day of the year: crops, grass, orchards and woods of lowland Germany.

Days of sowing, emergence, flowering, ripeness and harvest, of leaves that unfold and fall, are
rounded from the phenological observations of Germany's weather service (Kaspar et al. 2014,
doi:10.5194/asr-11-93-2014). Rape flowers from 21 April to 19 May, as d'Andrimont et al. saw it in
Brandenburg and Bavaria (2020, Remote Sensing of Environment 239, 111660). Meadows are cut first in
May and June, and once to four times a year (Reinermann et al. 2022, doi:10.3390/rs14071647). Leaf
areas at these days, and how fields and years differ, were chosen by us: so the calendar is
published, and the amounts are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from landcover.sources.synthetic.surfaces import Cover, Crops, Season, Swards

#: Growth of crops: day of the year of harvest (days before 1 January are below 1), leaf area, share
#: that has ripened, share of dry straw. After harvest stubble stays until the soil is tilled.
_WHEAT = (
    (-95, 0, 0, 0.05), (-75, 0.15, 0, 0.03), (-40, 0.4, 0, 0), (30, 0.5, 0, 0), (75, 0.8, 0, 0),
    (95, 1.3, 0, 0), (115, 2.7, 0, 0), (135, 4.6, 0, 0), (155, 5.2, 0, 0), (172, 4.8, 0.1, 0),
    (185, 4.2, 0.5, 0.1), (197, 3.0, 0.9, 0.45), (210, 2.2, 1, 0.7), (213, 0.1, 0, 0.75),
    (235, 0.2, 0, 0.55), (250, 0.05, 0, 0.1), (275, 0.05, 0, 0.05),
)  # fmt: skip
_BARLEY = (
    (-105, 0, 0, 0.05), (-85, 0.2, 0, 0.03), (-45, 0.6, 0, 0), (30, 0.6, 0, 0), (72, 1.0, 0, 0),
    (92, 2.0, 0, 0), (112, 3.8, 0, 0), (130, 4.6, 0, 0), (145, 4.6, 0.1, 0), (160, 4.0, 0.4, 0.05),
    (175, 2.8, 0.95, 0.5), (186, 2.2, 1, 0.7), (189, 0.1, 0, 0.75), (212, 0.4, 0, 0.5),
    (228, 0.05, 0, 0.1), (275, 0.05, 0, 0.05),
)  # fmt: skip
_RAPE = (
    (-130, 0, 0, 0.1), (-115, 0.2, 0, 0.03), (-85, 1.1, 0, 0), (-50, 1.6, 0, 0), (10, 1.0, 0, 0.03),
    (60, 1.0, 0, 0.03), (85, 1.9, 0, 0), (105, 3.4, 0, 0), (120, 4.0, 0, 0), (140, 4.6, 0, 0),
    (160, 4.2, 0.1, 0), (178, 3.6, 0.5, 0.03), (195, 2.6, 1, 0.12), (203, 0.1, 0, 0.6),
    (217, 0.6, 0, 0.35), (237, 0.5, 0, 0.2), (247, 0, 0, 0.05),
)  # fmt: skip
_MAIZE = (
    (-120, 0.1, 0, 0.3), (-90, 0.8, 0, 0.1), (-60, 1.3, 0, 0.05), (-20, 1.0, 0, 0.1),
    (40, 0.6, 0, 0.25), (85, 0.5, 0, 0.2), (100, 0, 0, 0.03), (125, 0, 0, 0), (145, 0.25, 0, 0),
    (160, 0.9, 0, 0), (178, 2.6, 0, 0), (195, 4.2, 0, 0), (215, 4.8, 0, 0), (240, 4.4, 0.1, 0),
    (258, 3.6, 0.45, 0.05), (268, 2.8, 0.8, 0.15), (271, 0.1, 0, 0.35), (300, 0.05, 0, 0.25),
)  # fmt: skip
_BEET = (
    (-120, 0.1, 0, 0.3), (-90, 0.8, 0, 0.1), (-60, 1.3, 0, 0.05), (-20, 1.0, 0, 0.1),
    (40, 0.5, 0, 0.2), (75, 0.3, 0, 0.15), (88, 0, 0, 0.03), (112, 0.05, 0, 0), (130, 0.3, 0, 0),
    (148, 1.2, 0, 0), (165, 2.8, 0, 0), (185, 4.4, 0, 0), (210, 4.8, 0, 0), (245, 4.4, 0, 0),
    (270, 3.8, 0.05, 0), (290, 3.4, 0.1, 0), (296, 0.05, 0, 0.1), (330, 0.05, 0, 0.05),
)  # fmt: skip
#: Crops by name, in the order of their numbers, from 1; a ley is grass for some years.
CROP_NAMES = ("winter wheat", "winter barley", "rape", "maize", "beet and potatoes", "grass ley")
_GROWTH = tuple(np.array(rows, np.float64).T for rows in (_WHEAT, _BARLEY, _RAPE, _MAIZE, _BEET))
_RAPE_AT, _LEY_AT = 2, 5
#: Crops of spring: what grows before them is sown in some fields only, to be killed by frost.
_SPRING = (3, 4)
#: Which crop follows which: wheat may follow itself, rape comes after cereals.
_FOLLOWS = np.array(
    [
        [0.18, 0.19, 0.22, 0.22, 0.14, 0.05],
        [0.12, 0.08, 0.42, 0.20, 0.13, 0.05],
        [0.80, 0.12, 0.00, 0.05, 0.03, 0.00],
        [0.40, 0.10, 0.05, 0.33, 0.08, 0.04],
        [0.75, 0.10, 0.00, 0.15, 0.00, 0.00],
        [0.15, 0.05, 0.05, 0.15, 0.00, 0.60],
    ]
)
#: Leaf area and dry share of grass, by day of the year.
_GRASS = np.array(
    [
        (1, 0.9, 0.42), (60, 1.0, 0.38), (90, 1.8, 0.22), (115, 2.7, 0.12), (140, 3.0, 0.12),
        (165, 2.7, 0.20), (200, 2.2, 0.31), (230, 2.2, 0.31), (260, 2.3, 0.25), (290, 1.9, 0.27),
        (320, 1.4, 0.34), (365, 0.9, 0.42),
    ]
).T  # fmt: skip
#: Days of cuts of meadows, how far fields differ, and in which share of meadows there is one.
_CUTS = ((145, 8, 1.0), (190, 10, 0.9), (240, 12, 0.6))
#: Days that grass takes to grow back.
_REGROWTH_DAYS = 38
#: By day of the year: leaves of woods, of orchards, blossom of orchards, autumn colours, lawns,
#: heather and reed. Beech and oak unfold in late April, apple flowers in the last week of April.
_SEASON = {
    "leaves": ((102, 0), (116, 0.25), (130, 0.85), (142, 1), (285, 1), (300, 0.7), (318, 0)),
    "orchard_leaves": ((95, 0), (112, 0.4), (135, 1), (290, 1), (312, 0.3), (326, 0)),
    "blossom": ((108, 0), (116, 1), (124, 1), (132, 0)),
    "autumn": ((265, 0), (285, 0.4), (302, 0.9), (320, 1)),
    "grass": ((1, 0.45), (70, 0.5), (120, 1), (300, 0.9), (340, 0.5), (365, 0.45)),
    "heath": ((90, 0.1), (135, 0.8), (160, 1), (250, 1), (300, 0.3), (330, 0.1)),
}
#: Rape in flower: first and last day, and the largest share of petals.
_FLOWERING = (111, 139, 0.75)
#: How far years, fields and the growth of fields differ: days, days, share.
_YEAR_DAYS, _FIELD_DAYS, _GROWTH_SHARE = 4.0, 5.0, 0.12


@dataclass(frozen=True)
class Year:
    """What grows on every field in the year of its harvest, and when; arrays are (fields,)."""

    crop: np.ndarray  # int, place in `CROP_NAMES`
    early_days: np.ndarray  # how much earlier than usual
    growth: np.ndarray  # leaf area against the usual
    catch: np.ndarray  # bool, whether something is sown before a crop of spring
    cuts: np.ndarray  # (cuts, fields), day of each cut; NaN where there is none
    spring_days: float  # how much earlier than usual all plants are
    dry: float  # more of the grass is dry than usual


class Calendar:
    """What grows on the fields of a landscape over some years.

    Parameters
    ----------
    seed : int
        Of the landscape.
    fields : int
        How many fields there are.
    years : iterable of int
        From these and the years around them crops follow one another.
    """

    def __init__(self, seed: int, fields: int, years: Iterable[int]) -> None:
        first, last = min(years), max(years)
        own = np.random.default_rng([seed, 20])
        self._crops, self._swards = Crops.drawn(own, fields), Swards.drawn(own, fields)
        self._meadow = own.random(fields) < 0.5
        self._sward_growth = own.uniform(0.8, 1.2, fields)
        before = own.choice(len(CROP_NAMES), fields, p=[0.32, 0.12, 0.14, 0.21, 0.11, 0.10])
        self._years: dict[int, Year] = {}
        for year in range(first, last + 2):
            self._years[year] = _year(np.random.default_rng([seed, 21, year]), before)
            before = self._years[year].crop

    def on(self, day: str, weather: np.random.Generator) -> tuple[Cover, np.ndarray]:
        """What plants look like on a day, and the number of each field's crop, from 1.

        Parameters
        ----------
        day : str
            ISO 8601, of one of the years.
        weather : Generator
            Of how wet the soil is on the day.
        """
        when = date.fromisoformat(day)
        now, coming = self._years[when.year], self._years[when.year + 1]
        of_year = when.timetuple().tm_yday
        length = date(when.year, 12, 31).timetuple().tm_yday
        leaf_area, ripe, straw, sown = _crop(now, coming, of_year, length)
        sward, dry = self._sward(now, of_year)
        ley = now.crop == _LEY_AT
        leaf_area[ley], ripe[ley], straw[ley] = sward[ley], 0, dry[ley]
        wet = weather.normal(0, 0.2) + (0.2 if of_year < 90 or of_year > 300 else 0)
        crops = self._crops._replace(
            leaf_area=leaf_area.astype(np.float32),
            ripe=ripe.astype(np.float32),
            # the crops' own straw is what stands between green leaves
            straw=(straw - 0.06).clip(-0.06).astype(np.float32),
            moist=np.clip(self._crops.moist + wet, 0, 1).astype(np.float32),
        )
        grass = Swards(sward.astype(np.float32), dry.astype(np.float32))
        flowers = _flowers(now, of_year) * (now.crop == _RAPE_AT)
        at = of_year + now.spring_days
        season = Season(
            **{name: float(np.interp(at, *np.transpose(rows))) for name, rows in _SEASON.items()}
        )
        cover = Cover(crops, grass, season, flowers.astype(np.float32))
        return cover, np.where(sown, coming.crop, now.crop) + 1

    def _sward(self, year: Year, of_year: int) -> tuple[np.ndarray, np.ndarray]:
        """Leaf area and dry share of grass on every field."""
        at = of_year + year.early_days
        area = np.interp(at, _GRASS[0], _GRASS[1]) * self._sward_growth * year.growth
        dry = np.interp(at, _GRASS[0], _GRASS[2]) + (self._swards.dry - 0.3) * 0.8 + year.dry
        since = of_year - year.cuts
        since[~(since >= 0)] = np.inf
        days = since.min(axis=0)
        grown = np.clip(0.22 + 0.78 * days / _REGROWTH_DAYS, 0, 1)
        cut = self._meadow & np.isfinite(days)
        grazed = ~self._meadow & (of_year > 120) & (of_year < 310)
        area = area * np.where(cut, grown, np.where(grazed, 0.8, 1.0))
        dry = dry + np.where(cut & (grown < 0.6), 0.15, 0)
        return area, dry.clip(0.02, 0.8)


def _year(rng: np.random.Generator, before: np.ndarray) -> Year:
    """A year in which every field has a crop that may follow the one before."""
    fields = before.size
    place = rng.random(fields)
    crop = (place[:, None] > np.cumsum(_FOLLOWS, axis=1)[before]).sum(axis=1)
    spring = rng.normal(0, _YEAR_DAYS)
    early = spring + rng.normal(0, _FIELD_DAYS, fields)
    growth = np.exp(rng.normal(0, _GROWTH_SHARE, fields))
    catch = rng.random(fields) < 0.5
    cuts = np.array(
        [
            np.where(rng.random(fields) < share, rng.normal(day, days, fields), np.nan)
            for day, days, share in _CUTS
        ]
    )
    return Year(
        crop.clip(0, len(CROP_NAMES) - 1), early, growth, catch, cuts, spring, rng.normal(0, 0.05)
    )


def _crop(
    now: Year, coming: Year, of_year: int, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Leaf area, ripe and straw of crops, and whether a field has the crop of the next year.

    The crop of the year stands or lies as stubble until it is over and the next one begins.
    """
    own = of_year + now.early_days
    begins = np.array([growth[0, 0] for growth in _GROWTH] + [np.inf])[coming.crop]
    ends = np.array([growth[0, -3] for growth in _GROWTH] + [np.inf])[now.crop]
    sown = (of_year - length + coming.early_days >= begins) & (own >= ends)
    state = np.zeros((3, own.size))
    for year, at, where in (
        (now, own, ~sown),
        (coming, of_year - length + coming.early_days, sown),
    ):
        for number, (days, *values) in enumerate(_GROWTH):
            held = where & (year.crop == number)
            for row, knots in zip(state, values, strict=True):
                row[held] = np.interp(at[held], days, knots)
            if number in _SPRING:
                bare = held & ~year.catch & (at < 100)
                state[0, bare] = 0.05
        state[0, where] *= year.growth[where]
    return *state, sown


def _flowers(year: Year, of_year: int) -> np.ndarray:
    """Share of petals on every field, if rape grew there: a bell between two days."""
    first, last, most = _FLOWERING
    at = (of_year + year.early_days - first) / (last - first)
    return most * np.sin(np.pi * np.clip(at, 0, 1)) ** 0.7
