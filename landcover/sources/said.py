"""What a raster says of its bands: which they are, how numbers become reflectance, what is no data.

Nothing is told by the place of a band in a file or in a list. `bands_said` takes an open dataset,
so that files, archives and bytes sent to the service are read by the same rules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import ColorInterp

from landcover.errors import InputError
from landcover.files.masks import NETCDF_FILL, has_mask, holds_nan, look, own_nodata
from landcover.sensors import HIGHEST_MEDIAN
from landcover.sources.band_names import (
    names_given,
    names_said,
    refuse_counted,
    refuse_days,
    refuse_kinds,
    refuse_named_alpha,
    refuse_twice,
    scl_given,
    text_of,
)
from landcover.sources.reflectance import Band

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from landcover.sensors import Sensor

#: A stack of more bands is a cube of dates.
MOST_BANDS = 1000
#: Floats are looked at on so many pixels of a side, to tell reflectance from digital numbers.
_LOOK_PX = 500
#: Units of reflectance x 100.
_PERCENT = ("%", "percent", "pct")
#: Units of what is no reflectance, such as radiance and temperature.
_OTHER_UNIT = re.compile(r"\bsr\b|radiance|watt|kelvin|^K$", re.IGNORECASE)
#: Words of texts that name what belongs to a band and is no reflectance.
_OTHER_WORDS = {
    "std", "stdev", "stddev", "variance", "uncertainty", "zenith", "azimuth", "angle", "count",
    "mask", "msk", "quality", "error", "diff", "difference", "anomaly", "trend", "slope",
}  # fmt: skip
#: In the names of bands that EO Browser stretches over 16 bits.
_RAW = "_(Raw)"
#: The words of a name such as viewZenith.
_CAMEL = re.compile("[A-Z]?[a-z]+")
#: What netCDF fills variables with where nobody chose a value; GDAL gives it as their nodata.
_UNSET = (-32_767.0, -2_147_483_647.0, 4_294_967_295.0, NETCDF_FILL)


@dataclass(frozen=True)
class BandSaid:
    """What a raster says of one of its bands.

    Attributes
    ----------
    number : int
        In the raster, from 1.
    text : str
        The name that it has there; empty where it has none.
    name : str or None
        The sensor's name of it; None where nothing says which it is.
    named_by : str
        Where the name comes from, in words.
    dtype : str
        Type of its numbers.
    quantification, offset : float or None
        By its scale and offset tags: reflectance = (dn + offset) / quantification; None where it
        has no tags.
    nodata : float or None
        Its own nodata value.
    masked : bool
        Whether a mask or an alpha band can hide pixels.
    zero_is_nodata : bool
        Whether 0 means no data: it is the band's nodata value, or nothing else is declared.
    unit : str
        Of its numbers after scaling; empty where it says none.
    """

    number: int
    text: str
    name: str | None
    named_by: str
    dtype: str
    quantification: float | None
    offset: float | None
    nodata: float | None
    masked: bool
    zero_is_nodata: bool
    unit: str = ""


def bands_said(
    dataset: DatasetReader,
    called: str,
    sensor: Sensor,
    file_name: str = "",
    band_names: Sequence[str] = (),
) -> list[BandSaid]:
    """What an open raster says of its bands; an alpha band is no band.

    Parameters
    ----------
    dataset : rasterio dataset
        Open.
    called : str
        What errors call it.
    sensor : Sensor
        Whose bands they are.
    file_name : str
        Name of the file, which speaks for a file of one band.
    band_names : sequence of str
        What the bands are, instead of what the raster says: one name a band in their order, those
        of no band of the sensor being left out; or ``NAME=NUMBER``, for some of them.

    Returns
    -------
    list of BandSaid
        In the order of the raster.

    Raises
    ------
    InputError
        If there are over `MOST_BANDS` bands, if one is there twice, if the texts of one contradict
        each other, or those of several name their places or several days, if `band_names` do not
        fit, or if a scale is no positive number.
    """
    if dataset.count > MOST_BANDS:
        raise InputError(
            f"{called} has {dataset.count:,} bands, more than the {MOST_BANDS:,} that a stack may "
            "have, as cubes of many dates do; give a file of one date"
        )
    numbers = [
        number
        for number, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True)
        if meaning != ColorInterp.alpha
    ]
    if band_names:
        given = names_given(band_names, numbers, called, sensor)
        scl = scl_given(band_names, numbers)
        names = {
            n: (scl.get(n) or text_of(dataset, n), given.get(n), "band_names=") for n in numbers
        }
    else:
        refuse_named_alpha(dataset, called, sensor)
        names = names_said(dataset, called, sensor, file_name, numbers)
        refuse_twice(names, called)
        refuse_counted(names, called)
        refuse_days(names, called)
        refuse_kinds(names, called)
    with_nan = cache(partial(_with_nan, dataset))  # read once, and only where it matters
    return [
        _said(dataset, called, number, name, (text, by), with_nan)
        for number, (text, name, by) in names.items()
    ]


def nodata_said(
    dataset: DatasetReader, number: int, with_nan: Callable[[], bool] | None = None
) -> tuple[float, ...]:
    """Digital numbers of a band that mean no data by what its raster says.

    Its own nodata value; or 0, where it declares none, has no mask or alpha, and no band of the
    raster has NaN (`with_nan` knows; by default the bands are read).
    """
    own = own_nodata(dataset, number)
    if own is not None and not _unset(dataset, number, own):
        return (own,)
    with_nan = with_nan or partial(_with_nan, dataset)
    return () if has_mask(dataset, number) or with_nan() else (0.0,)


def _with_nan(dataset: DatasetReader) -> bool:
    """Whether any band of a raster holds NaN."""
    return any(holds_nan(dataset, number) for number in dataset.indexes)


def _unset(dataset: DatasetReader, number: int, own: float) -> bool:
    """Whether a nodata value is the default of netCDF, and nobody's choice."""
    chosen = {"_FillValue", "missing_value"} & dataset.tags(number).keys()
    return dataset.driver == "netCDF" and (own in _UNSET or not chosen)


def _said(
    dataset: DatasetReader, called: str, number: int, name: str | None, texts: tuple[str, str],
    with_nan: Callable[[], bool],
) -> BandSaid:  # fmt: skip
    """Everything of one band; its text and where its name comes from are known."""
    text, by = texts
    return BandSaid(
        number, text, name, by if name else "", dataset.dtypes[number - 1],
        *_scaling(dataset, called, number),
        own_nodata(dataset, number), has_mask(dataset, number),
        name is not None and nodata_said(dataset, number, with_nan) == (0.0,),
        _unit(dataset, number),
    )  # fmt: skip


def _unit(dataset: DatasetReader, number: int) -> str:
    """The unit of a band, as GDAL or netCDF have it."""
    return (dataset.units[number - 1] or dataset.tags(number).get("units") or "").strip()


def _scaling(dataset: DatasetReader, called: str, number: int) -> tuple[float | None, float | None]:
    """Quantification and offset of digital numbers by the tags of a band."""
    scale, offset = dataset.scales[number - 1], dataset.offsets[number - 1]
    if (scale, offset) == (1, 0) and np.issubdtype(
        np.dtype(dataset.dtypes[number - 1]), np.integer
    ):
        scale, offset = _in_texts(dataset, called, number)
    factor = dataset.tags(ns="ENVI").get("reflectance_scale_factor")
    if _unit(dataset, number).lower() in _PERCENT:
        scale, offset = scale / 100, offset / 100
    if (scale, offset) == (1, 0):  # what GDAL says of a band without tags
        return (None, None) if factor is None else (_factor(factor, called), 0.0)
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(offset)):
        raise InputError(
            f"{called} gives band {number} the scale {scale:g} and the offset {offset:g}; a scale "
            "is a positive number: correct its tags, or save the band without them"
        )
    return as_meant(1 / scale), as_meant(offset / scale)


def _in_texts(dataset: DatasetReader, called: str, number: int) -> tuple[float, float]:
    """Scale and offset that the metadata of a band have by their names in netCDF.

    Programs copy these texts to files that GDAL gives no scale. Floats beside them may be scaled
    already; integers are not.
    """
    tags = dataset.tags(number)
    texts = tags.get("scale_factor", "1"), tags.get("add_offset", "0")
    try:
        return float(texts[0]), float(texts[1])
    except ValueError:
        raise InputError(
            f"{called} gives band {number} the scale {texts[0]!r} and the offset {texts[1]!r}; "
            "each is one number: correct its tags, or save the band without them"
        ) from None


def _factor(text: str, called: str) -> float:
    """The quantification that the header of an ENVI file gives."""
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise InputError(
            f"{called} gives the reflectance scale factor {text!r}; it is a positive number: "
            "correct it in the header beside the file, or take it out"
        )
    return factor


def as_meant(number: float) -> float:
    """A number without the error of binary fractions: a scale of 0.0001 is meant as 1/10000.

    >>> as_meant(1 / 1e-4), as_meant(-0.1 / 1e-4)
    (10000.0, -1000.0)
    """
    return float(f"{number:.12g}")


def require_reflectance(band: BandSaid, called: str) -> None:
    """Raise InputError for pictures, radiance, and what only belongs to a band."""
    if _OTHER_UNIT.search(band.unit):
        raise InputError(
            f"{called} gives band {band.number} the unit {band.unit!r}, which is none of "
            "reflectance; give reflectance, or correct the unit with: rio edit-info --bidx "
            f"{band.number} --units 1 FILE"
        )
    text = Path(called).stem if band.named_by == "file name" else band.text
    words = {*re.findall("[a-z]+", text.lower()), *map(str.lower, re.findall(_CAMEL, text))}
    other = sorted(_OTHER_WORDS & words)
    if other and band.named_by != "band_names=":
        raise InputError(
            f"{called}: band {band.number} is {other[0]} by its name {text!r} and no "
            "reflectance; give the bands themselves, or say which they are with band_names="
        )
    if np.dtype(band.dtype).itemsize == 1 and band.quantification is None:
        raise InputError(
            f"{called} holds 8-bit numbers ({band.dtype}), a picture stretched for the eye and no "
            "reflectance; give the bands of the product, or state the stretch in the file's scale "
            "and offset tags"
        )


def is_reflectance(dataset: DatasetReader, band: BandSaid) -> bool:
    """Whether a band without tags holds floats of reflectance.

    Their median tells, whatever their sign: digital numbers of dark water lie about 0. Whole
    numbers alone are digital numbers.
    """
    floating = np.issubdtype(np.dtype(band.dtype), np.floating)
    if band.name is None or band.quantification is not None or not floating:
        return False
    values = look(dataset, band.number, _LOOK_PX)
    own = [band.nodata] if band.nodata is not None else []
    values = values[np.isfinite(values) & ~np.isin(values, [0, *own]) & (np.abs(values) < 1e6)]
    if not values.size or np.array_equal(values, np.rint(values)):
        return False
    return bool(np.median(np.abs(values)) <= HIGHEST_MEDIAN)


def _require_numbers(quantification: float | None, offset: float | None) -> None:
    """Raise InputError for numbers that are given and make no reflectance."""
    if quantification is not None and not (math.isfinite(quantification) and quantification > 0):
        raise InputError(f"quantification={quantification:g} is no positive number; give one")
    if offset is not None and not math.isfinite(offset):
        raise InputError(f"offset={offset:g} is no finite number; give one, such as -1000")


def band_of(
    said: BandSaid,
    path: Path | str,
    sensor: Sensor,
    quantification: float | None = None,
    offset: float | None = None,
    nodata: tuple[float, ...] = (),
    floats: bool = False,
) -> Band:
    """A band with its numbers: as given, as its raster says, or the sensor's own.

    Parameters
    ----------
    said : BandSaid
        What its raster says.
    path : path or str
        The raster.
    sensor : Sensor
        Whose band it is.
    quantification, offset : float, optional
        Instead of what the raster says.
    nodata : tuple of float
        Digital numbers that mean no data, besides the raster's own.
    floats : bool
        Whether it holds floats of reflectance (`is_reflectance`).
    """
    _require_numbers(quantification, offset)
    if said.quantification is not None and said.offset is not None:
        divisor, added, by = said.quantification, said.offset, "tags of the file"
    elif floats:
        divisor, added, by = 1.0, 0.0, "floats of reflectance"
    else:
        divisor, added, by = sensor.quantification, sensor.offset, f"default of {sensor.title}"
        if quantification is None and _RAW in Path(path).name:
            raise InputError(
                f"{path} is named like a download of EO Browser, which writes reflectance x 65535 "
                f"in 16 bits; give quantification=65535, or {divisor:g} if it holds reflectance x "
                f"{divisor:g}"
            )
    if quantification is not None or offset is not None:
        by = "as given"
        divisor = divisor if quantification is None else quantification
        added = added if offset is None else offset
        if offset and abs(offset) < 1 < divisor:
            raise InputError(
                f"offset={offset:g} would change nothing: it is added to digital numbers, before "
                f"they are divided by {divisor:g}; give offset={offset * divisor:g}"
            )
    empty = nodata + (() if said.nodata is None else (said.nodata,))
    if said.zero_is_nodata and not nodata:
        empty += (0.0,)
    return Band(path, said.number, divisor, added, tuple(dict.fromkeys(empty)), said.named_by, by)


def numbers_of_set(
    dataset: DatasetReader, called: str, names: Sequence[str], sensor: Sensor
) -> dict[str, int]:
    """Numbers of the bands of a file of a set, whose files hold plain dn in an order of their own.

    Names that the file gives count before the set's order. This asks little of the file, since
    sets have hundreds of thousands.

    Parameters
    ----------
    dataset : rasterio dataset
        Open.
    called : str
        What errors call it.
    names : sequence of str
        The set's bands, in the order of its files.
    sensor : Sensor
        Whose bands they are.

    Raises
    ------
    InputError
        If the file names bands that are not the set's, or has a scale or an offset of its own.
    """
    numbers = dict(zip(names, dataset.indexes, strict=True))
    said = [sensor.band_of(text) if text else None for text in dataset.descriptions]
    if any(said):
        numbers = {name: number for number, name in enumerate(said, start=1) if name}
        if sorted(numbers) != sorted(names):
            raise InputError(
                f"{called} names its bands {' '.join(name or '-' for name in said)} and the set's "
                f"are {' '.join(names)}; fetch it again"
            )
    own = {(1.0, 0.0), (1 / sensor.quantification, sensor.offset / sensor.quantification)}
    told = set(zip(dataset.scales, dataset.offsets, strict=True))
    if not told <= own:
        raise InputError(
            f"{called} has a scale or an offset in its tags, and the files of the set hold "
            "plain digital numbers; fetch it again"
        )
    return numbers
