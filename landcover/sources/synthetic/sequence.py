"""Dates of one synthetic landscape: the year of its plants, clouds, and changes between years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from scipy import ndimage

from landcover.errors import InputError
from landcover.grid import Grid
from landcover.labels import generalise
from landcover.sensors import SENTINEL2
from landcover.sources.keep import Keep, kept_bands
from landcover.sources.synthetic.clouds import cover, draw_sky, mask_of
from landcover.sources.synthetic.instrument import sense
from landcover.sources.synthetic.landscape import (
    ARABLE,
    BROAD_LEAVED,
    CONIFEROUS,
    MIXED,
    ORCHARD,
    PASTURE,
    Landscape,
    draw,
)
from landcover.sources.synthetic.look import Look, check_range
from landcover.sources.synthetic.phenology import CROP_NAMES, Calendar
from landcover.sources.synthetic.scene import ORIGIN, grid_codes, grid_of, labels_on
from landcover.sources.synthetic.spectra import ALL_BANDS, Spectra
from landcover.sources.synthetic.surfaces import Unevenness, paint

#: First and last day of the year of dates that are asked for by their number; the orbit repeats.
_FIRST_DAY, _LAST_DAY, _REPEAT_DAYS = 75, 305, 5
#: Snow may lie before and after these days of the year, on this share of dates.
_SNOW_DAYS, _SNOW_SHARE = (65, 335), 0.35
#: Snow that is seen on a class against open land: between trees, and not on water.
_SNOW_ON = {BROAD_LEAVED: 0.55, CONIFEROUS: 0.25, MIXED: 0.4, ORCHARD: 0.75}
_WATER_FROM = 500
#: Dates of Sentinel-2 lie a fraction of a pixel apart; ESA requires less than 0.3 px.
_SHIFT_PX = 0.2
#: One district of orchards for this many pixels.
_PX_PER_ORCHARDS = 120_000
#: What land may become from one year to the next, and how readily.
_CHANGES = {
    ARABLE: ((PASTURE, 0.7), (ORCHARD, 0.3)),
    PASTURE: ((ARABLE, 0.85), (ORCHARD, 0.15)),
    ORCHARD: ((ARABLE, 0.6), (PASTURE, 0.4)),
    BROAD_LEAVED: ((PASTURE, 1.0),),
    CONIFEROUS: ((PASTURE, 1.0),),
}
#: Woods are cleared less readily than fields change.
_CLEARED = 0.35


@dataclass(frozen=True)
class SyntheticSequence:
    """A synthetic sequence.

    Attributes
    ----------
    images : array of float32, (dates, bands, rows, cols)
        Reflectance; NaN in all bands where the mask of the date hides it. Masks are wrong in
        places, so some of what is left is cloud or shadow, and some of what is hidden is clear.
    days : tuple of str
        ISO 8601, the earliest first.
    bands : tuple of str
        B02, B03, B04, B08, unless others were asked for.
    grid : Grid
        10 m pixels in EPSG:32633.
    labels : array of uint16, (rows, cols)
        CLC codes of coarse labels of the first year, on the grid.
    reference : array of uint16, (dates, rows, cols)
        Exact CLC codes at each date.
    cloud : array of uint8, (dates, rows, cols)
        What truly hides the ground: 0 nothing, 1 a cloud, 2 the shadow of one.
    crops : array of uint8, (dates, rows, cols)
        What grows on arable land: a number from 1, by `crop_names`; 0 elsewhere.
    labels_of_year : dict of int to array of uint16
        Coarse labels of each year.
    corine : array of uint8
        The labels of the first year as CLC grid codes of 100 m cells; 0 beyond the scene.
    corine_grid : Grid
        Their grid in EPSG:3035.
    crop_names : tuple of str
        Names of crops.
    """

    images: np.ndarray
    days: tuple[str, ...]
    bands: tuple[str, ...]
    grid: Grid
    labels: np.ndarray
    reference: np.ndarray
    cloud: np.ndarray
    crops: np.ndarray
    labels_of_year: dict[int, np.ndarray]
    corine: np.ndarray
    corine_grid: Grid
    crop_names: tuple[str, ...] = CROP_NAMES


def make_sequence(  # noqa: PLR0913 - settings of a landscape, its years and its clouds
    seed: int = 0,
    shape: tuple[int, int] = (256, 256),
    dates: int | Sequence[str] = 6,
    years: Sequence[int] = (2022,),
    *,
    cloud: float = 0.3,
    changes: float = 0.05,
    orchards: float = 0.1,
    haze: float = 0.03,
    keep: Keep = "core",
    **look: float,
) -> SyntheticSequence:
    """Make dates of one landscape from a seed.

    Crops are sown, flower, ripen and are harvested; meadows are mown; broad-leaved trees lose
    their leaves; soil is wet or dry, and in winter snow may lie. From year to year fields have
    other crops, and some land becomes another class.

    Parameters
    ----------
    seed : int
        Seed of all random numbers; not negative.
    shape : (int, int)
        Rows and columns of 10 m pixels, at least 160 each.
    dates : int or sequence of str
        Days, such as ``["2022-04-15", "2022-07-14"]``; or a number of dates in each of the years,
        spread from the middle of March to the beginning of November.
    years : sequence of int
        Years of dates that are asked for by number.
    cloud : float
        Share of the pixels that clouds or their shadows hide, 0 to 0.95, on average: dates differ.
        With 0 there are neither clouds nor masks.
    changes : float
        Share of fields, orchards, pastures and woods that becomes another class from each year to
        the next, 0 to 0.5.
    orchards : float
        Share of fields and pastures that orchards take, 0 to 0.5.
    haze : float
        Share of the light that comes from haze, 0 to 0.3, on average.
    keep : str or sequence of str
        Bands of Sentinel-2, as `make_scene` takes them.
    **look : float
        Further settings of `make_scene`.

    Returns
    -------
    SyntheticSequence
        The same settings and versions give the same bytes. Of the same years, a date does not
        depend on which others there are, but for its share of clouds.

    Raises
    ------
    InputError
        If a setting is outside its range, or a day is none or given twice.

    Examples
    --------
    >>> sequence = make_sequence(1, (160, 160), 4, years=(2021, 2022), cloud=0.2)
    >>> sequence.images.shape, sequence.days[:2]
    ((8, 4, 160, 160), ('2021-03-16', '2021-05-30'))
    >>> (sequence.reference[0] != sequence.reference[-1]).any()
    np.True_
    """
    for name, value, high in (
        ("cloud", cloud, 0.95), ("changes", changes, 0.5), ("orchards", orchards, 0.5),
        ("haze", haze, 0.3),
    ):  # fmt: skip
        check_range(name, value, 0, high)
    days = _days(dates, years)
    as_look = Look(**look)
    grid = grid_of(*shape, seed, ORIGIN)
    bands = tuple(kept_bands(keep, ALL_BANDS, SENTINEL2, "a synthetic scene"))
    places, light, hills = (np.random.default_rng([seed, part]) for part in (0, 1, 3))
    land = _with_orchards(draw(places, grid.shape, as_look, hills), seed, orchards)
    held = sorted({int(day[:4]) for day in days})
    lands = _over_years(land, seed, held, changes)
    calendar = Calendar(seed, land.fields, held)
    uneven = Unevenness.drawn(light, grid.shape)
    count = len(days)
    images = np.empty((count, len(bands), *grid.shape), np.float32)
    clouds, crops = (np.zeros((count, *grid.shape), np.uint8) for _ in range(2))
    for number, (day, share) in enumerate(
        zip(days, _cloud_shares(seed, count, cloud), strict=True)
    ):
        own = lands[int(day[:4])]
        weather = np.random.default_rng([seed, 30, date.fromisoformat(day).toordinal()])
        plants, grown = calendar.on(day, weather)
        image = paint(own, bands, uneven, plants, as_look.shade)
        _snow(image, own, day, weather, bands, uneven)
        image *= np.float32(1 + weather.normal(0, 0.02))
        off = weather.normal(0, _SHIFT_PX, 2)
        image = ndimage.shift(image, (0, *off), order=1, mode="nearest")
        sky = draw_sky(weather, grid.shape, share)
        cover(image, sky, Spectra.of(bands), weather)
        sense(weather, image, bands, as_look.noise, haze * weather.uniform(0.3, 1.7))
        image[:, mask_of(weather, sky, image[bands.index("B02")])] = np.nan
        images[number], clouds[number] = image, sky.truth
        arable = own.truth == ARABLE
        crops[number][arable] = grown[own.field[arable]]
    cells = {year: _cells(one, grid, seed) for year, one in lands.items()}
    labels = {year: labels_on(*both, grid) for year, both in cells.items()}
    reference = np.stack([lands[int(day[:4])].truth for day in days])
    first = held[0]
    return SyntheticSequence(
        images, days, bands, grid, labels[first], reference, clouds, crops, labels, *cells[first]
    )


def _days(dates: int | Sequence[str], years: Sequence[int]) -> tuple[str, ...]:
    """The days of a sequence."""
    if isinstance(dates, str):
        raise InputError(f"dates {dates!r} is one day; give a number of dates, or a list of days")
    if isinstance(dates, int | np.integer):
        if not len(years):
            raise InputError("years is empty; give one or more, such as (2021, 2022)")
        check_range("dates", dates, 1, (_LAST_DAY - _FIRST_DAY) // _REPEAT_DAYS + 1)
        steps = np.linspace(_FIRST_DAY, _LAST_DAY, dates) if dates > 1 else np.array([190.0])
        of_year = _REPEAT_DAYS * np.round(steps / _REPEAT_DAYS).astype(int)
        return tuple(
            (date(year, 1, 1) + timedelta(days=day - 1)).isoformat()
            for year in sorted(set(years))
            for day in of_year.tolist()
        )
    for day in dates:
        try:
            written = date.fromisoformat(day).isoformat()
        except ValueError:
            written = ""
        if written != day:  # days are sorted and compared as text, so 20220701 is refused too
            raise InputError(f"date {day!r} is no day; give one such as 2022-07-01")
        if list(dates).count(day) > 1:
            raise InputError(f"date {day} was given twice; give each date once")
    if not dates:
        raise InputError("dates is empty; give one or more")
    return tuple(sorted(dates))


def _cloud_shares(seed: int, dates: int, cloud: float) -> np.ndarray:
    """The share that is hidden at each date: few or many clouds, `cloud` on average."""
    if cloud == 0:
        return np.zeros(dates)
    from scipy.stats import beta

    rng = np.random.default_rng([seed, 31])
    even = (np.arange(dates) + 0.5) / dates
    return rng.permutation(beta.ppf(even, 4 * cloud, 4 * (1 - cloud)))


def _with_orchards(land: Landscape, seed: int, share: float) -> Landscape:
    """The landscape with orchards on some fields and pastures, near one another as they are."""
    rng = np.random.default_rng([seed, 22])
    open_land = (land.truth == ARABLE) | (land.truth == PASTURE)
    area = np.bincount(land.field[open_land], minlength=land.fields)
    places = np.flatnonzero(open_land)
    middles = rng.choice(places, max(1, round(open_land.size / _PX_PER_ORCHARDS)))
    away = np.ones(open_land.shape, bool)
    away.ravel()[middles] = False
    far = ndimage.distance_transform_edt(away).ravel()
    pixels = np.bincount(land.field.ravel(), minlength=land.fields)
    far = np.bincount(land.field.ravel(), far, land.fields) / np.maximum(1, pixels)
    order = np.argsort(far + rng.normal(0, 6, land.fields), kind="stable")
    planted = np.zeros(land.fields, bool)
    planted[order[np.cumsum(area[order]) <= share * open_land.sum()]] = True
    truth = land.truth.copy()
    truth[open_land & planted[land.field]] = ORCHARD
    return replace(land, truth=truth)


def _over_years(
    land: Landscape, seed: int, years: Sequence[int], changes: float
) -> dict[int, Landscape]:
    """The landscape of each year: whole fields and stands become another class in between."""
    lands = {years[0]: land}
    for year in range(years[0] + 1, years[-1] + 1):
        rng = np.random.default_rng([seed, 23, year])
        truth = land.truth.copy()
        changing = np.isin(truth, list(_CHANGES))
        area = np.bincount(land.field[changing], minlength=land.fields)
        order = rng.permutation(land.fields)
        left = changes * changing.sum()
        for number in order.tolist():
            own = (land.field == number) & changing
            codes = np.bincount(land.truth[own]) if area[number] else np.zeros(1, int)
            code = int(codes.argmax())
            willing = rng.random() < (_CLEARED if code >= BROAD_LEAVED else 1.0)
            place = rng.random()
            if not willing or not area[number] or codes[code] > left:
                continue
            to, odds = zip(*_CHANGES[code], strict=True)
            chosen = min(int((place > np.cumsum(odds)).sum()), len(to) - 1)
            truth[own & (land.truth == code)] = to[chosen]
            left -= codes[code]
        land = replace(land, truth=truth)
        lands[year] = land
    return {year: lands[year] for year in years}


def _snow(
    image: np.ndarray,
    land: Landscape,
    day: str,
    weather: np.random.Generator,
    bands: Sequence[str],
    uneven: Unevenness,
) -> None:
    """Snow in winter, on some dates, in place: less between trees, none on water."""
    of_year = date.fromisoformat(day).timetuple().tm_yday
    lies, depth = weather.random() < _SNOW_SHARE, weather.uniform(0.6, 1)
    if not lies or _SNOW_DAYS[0] < of_year < _SNOW_DAYS[1]:
        return
    on = np.ones(land.truth.shape, np.float32)
    for code, share in _SNOW_ON.items():
        on[land.truth == code] = share
    on[land.truth > _WATER_FROM] = 0
    on *= np.clip(depth * (1 + 0.2 * uneven.patch + 0.15 * uneven.broad), 0, 1)
    image += (Spectra.of(bands).snow[:, None, None] - image) * on


def _cells(land: Landscape, grid: Grid, seed: int) -> tuple[np.ndarray, Grid]:
    """Labels of a landscape as CORINE's cells; all years are drawn by one hand."""
    cells, cells_grid = generalise.to_corine(land.truth, grid, np.random.default_rng([seed, 2]))
    return grid_codes(cells), cells_grid
