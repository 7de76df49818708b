"""What a raster says of its bands: which they are, how numbers become reflectance, what is no data.

Nothing is told by the place of a band in a file or in a list. `bands_said` takes an open dataset,
so that files, archives and bytes sent to the service are read by the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import ColorInterp

from landcover.errors import InputError
from landcover.files.masks import has_mask, holds_nan, look, own_nodata
from landcover.sensors import HIGHEST_MEDIAN
from landcover.sources.reflectance import Band

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from landcover.sensors import Sensor

#: A stack of more bands is a cube of dates.
MOST_BANDS = 1000
#: Floats are looked at on so many pixels of a side, to tell reflectance from digital numbers.
_LOOK_PX = 500
#: Metadata of a band in which writers keep its name, in the order in which they are asked.
_NAME_TAGS = (
    "common_name", "eo:common_name", "BANDNAME", "band_name", "name", "NETCDF_VARNAME", "long_name",
)  # fmt: skip
#: What netCDF fills variables with where nobody chose a value; GDAL gives it as their nodata.
_UNSET = (-32_767.0, -2_147_483_647.0, 4_294_967_295.0, 9.969209968386869e36)
#: Colours that GDAL tells apart and of which a sensor has one band each, with its role.
_COLOURS = {
    ColorInterp.blue: "blue", ColorInterp.green: "green", ColorInterp.red: "red",
    ColorInterp.nir: "nir", ColorInterp.coastal: "coastal",
}  # fmt: skip


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
        each other, if `band_names` do not fit, or if a scale is no positive number.
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
    names = _names(dataset, called, sensor, file_name, numbers)
    if band_names:
        given = _given(band_names, numbers, called, sensor)
        names = {number: (names[number][0], given.get(number), "band_names=") for number in numbers}
    else:
        _refuse_twice(names, called)
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
    )  # fmt: skip


def _scaling(dataset: DatasetReader, called: str, number: int) -> tuple[float | None, float | None]:
    """Quantification and offset of digital numbers by the tags of a band."""
    scale, offset = dataset.scales[number - 1], dataset.offsets[number - 1]
    if (scale, offset) == (1, 0):  # what GDAL says of a band without tags
        factor = dataset.tags(ns="ENVI").get("reflectance_scale_factor")
        return (float(factor), 0.0) if factor else (None, None)
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(offset)):
        raise InputError(
            f"{called} gives band {number} the scale {scale:g} and the offset {offset:g}; a scale "
            "is a positive number: correct its tags, or save the band without them"
        )
    # A scale of 0.0001 is meant as 1/10000, which binary fractions miss by a little
    return round(1 / scale, 6), round(offset / scale, 6)


def _names(
    dataset: DatasetReader, called: str, sensor: Sensor, file_name: str, numbers: Sequence[int]
) -> dict[int, tuple[str, str | None, str]]:
    """Text, name and origin of the name of each band."""
    found = {number: _by_text(dataset, called, sensor, number) for number in numbers}
    if len(numbers) == 1:
        number = numbers[0]
        found[number] = _with_file(found[number], sensor.band_of(file_name), called)
    if not any(name for _, name, _ in found.values()):
        roles = {band.role: band.name for band in sensor.bands}
        for number in numbers:
            role = _COLOURS.get(dataset.colorinterp[number - 1])
            if role in roles and np.dtype(dataset.dtypes[number - 1]).itemsize > 1:
                found[number] = (found[number][0], roles[role], "colour interpretation")
    return found


def _by_text(
    dataset: DatasetReader, called: str, sensor: Sensor, number: int
) -> tuple[str, str | None, str]:
    """What the description of a band, or else its metadata, says that it is."""
    description = (dataset.descriptions[number - 1] or "").strip()
    tags: dict[str, str] = dataset.tags(number)
    if tags.get("eo", "").startswith("common_name="):  # GDAL cuts "eo:common_name" at its colon
        tags["eo:common_name"] = tags["eo"].removeprefix("common_name=")
    texts = {"description": description}
    texts |= {f"tag {key}": tags[key] for key in _NAME_TAGS if key in tags}
    found = {origin: name for origin, text in texts.items() if (name := sensor.band_of(text))}
    if len(set(found.values())) > 1 or any(map(sensor.contradicts, texts.values())):
        said = ", ".join(f"{origin} {text!r}" for origin, text in texts.items() if text)
        raise InputError(
            f"{called}: band {number} contradicts itself ({said}); say which it is with band_names="
        )
    for origin, name in found.items():
        return description or texts[origin], name, origin
    return description, None, ""


def _with_file(
    found: tuple[str, str | None, str], by_file: str | None, called: str
) -> tuple[str, str | None, str]:
    """The name of the band of a file of one, by its text and by the file's name."""
    text, name, by = found
    if name and by_file and name != by_file:
        raise InputError(
            f"{called} is named like {by_file} and its {by} {text!r} says {name}; rename the file, "
            "or say which it is with band_names="
        )
    return found if name else (text, by_file, "file name")


def _refuse_twice(names: Mapping[int, tuple[str, str | None, str]], called: str) -> None:
    """Raise InputError if two bands of a raster are the same band of the sensor."""
    held: dict[str, list[str]] = {}
    for number, (text, name, _) in names.items():
        if name:
            held.setdefault(name, []).append(f"{number} ({text or 'unnamed'})")
    twice = {name: places for name, places in held.items() if len(places) > 1}
    if twice:
        name, places = next(iter(twice.items()))
        more = f", and so {' '.join(list(twice)[1:])}" if len(twice) > 1 else ""
        raise InputError(
            f"{called} has {name} {len(places)} times, as bands {', '.join(places)}{more}; dates, "
            "percentiles and angles are not told apart by themselves: say which are meant with "
            f"band_names=, such as {name}={places[0].split()[0]}"
        )


def _given(
    band_names: Sequence[str], numbers: Sequence[int], called: str, sensor: Sensor
) -> dict[int, str | None]:
    """Bands by number, as `band_names` gives them."""
    pairs = [text.partition("=") for text in band_names]
    if all(equals for _, equals, _ in pairs):
        given: dict[int, str | None] = {}
        for name, _, number in pairs:
            band = sensor.band_of(name)
            if band is None:
                raise InputError(
                    f"band_names= gives {name}={number}, and {sensor.title} has no band {name}; "
                    f"its bands are {' '.join(sensor.names)}"
                )
            if not number.isdigit() or int(number) not in numbers:
                raise InputError(
                    f"band_names= gives {name}={number}, and the bands of {called} are numbered "
                    f"{numbers[0]} to {numbers[-1]}; give one of these"
                )
            given[int(number)] = band
        listed = list(given.values())
        if len(given) < len(pairs):
            raise InputError("band_names= gives a band's number twice; give each once")
    elif len(band_names) == len(numbers):
        listed = [sensor.band_of(name) for name in band_names]
        given = dict(zip(numbers, listed, strict=True))
    else:
        raise InputError(
            f"{called} has {len(numbers)} bands and band_names= gives {len(band_names)} names; "
            "name every band, in order, with - for those to leave out, or some by number, such as "
            f"{sensor.core[0]}={numbers[0]}"
        )
    named = [name for name in listed if name]
    for name in named:
        if named.count(name) > 1:
            raise InputError(f"band_names= gives {name} {named.count(name)} times; give it once")
    return given


def require_reflectance(band: BandSaid, called: str) -> None:
    """Raise InputError for pictures and complex numbers."""
    if np.dtype(band.dtype).itemsize == 1 and band.quantification is None:
        raise InputError(
            f"{called} holds 8-bit numbers ({band.dtype}), a picture stretched for the eye and no "
            "reflectance; give the bands of the product, or state the stretch in the file's scale "
            "and offset tags"
        )
    if np.issubdtype(np.dtype(band.dtype), np.complexfloating):
        raise InputError(f"{called} holds complex numbers; give bands of reflectance")


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
    if said.quantification is not None and said.offset is not None:
        divisor, added, by = said.quantification, said.offset, "tags of the file"
    elif floats:
        divisor, added, by = 1.0, 0.0, "floats of reflectance"
    else:
        divisor, added, by = sensor.quantification, sensor.offset, f"default of {sensor.title}"
    if quantification is not None or offset is not None:
        by = "as given"
        divisor = divisor if quantification is None else quantification
        added = added if offset is None else offset
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
