"""Which bands a raster holds, by the texts, colours and wavelengths that it gives them.

A text may say that a band is another thing than reflectance, or contradict itself; that is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import ColorInterp

from landcover.errors import InputError
from landcover.files.masks import alpha_bands
from landcover.sources.cloud_mask import is_scl
from landcover.sources.levels import require_one_kind
from landcover.sources.tile import day_in_name

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from landcover.sensors import Sensor

#: Metadata of a band in which writers keep its name, in the order in which they are asked.
_NAME_TAGS = (
    "common_name", "eo:common_name", "BANDNAME", "band_name", "name", "NETCDF_VARNAME", "long_name",
    "DESCRIPTION",  # openEO
)  # fmt: skip
#: So many bands, named by their places, have a B8.
_LEAST_COUNTED = 8
#: Colours that GDAL tells apart and of which a sensor has one band each, with its role.
_COLOURS = {
    ColorInterp.blue: "blue", ColorInterp.green: "green", ColorInterp.red: "red",
    ColorInterp.nir: "nir", ColorInterp.coastal: "coastal",
}  # fmt: skip


def names_said(
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


def text_of(dataset: DatasetReader, number: int) -> str:
    """What a raster calls a band; empty where it has no name."""
    return next(filter(None, _texts(dataset, number).values()), "")


def _texts(dataset: DatasetReader, number: int) -> dict[str, str]:
    """The description of a band and the metadata that name it, by where they stand."""
    description = (dataset.descriptions[number - 1] or "").strip()
    tags: dict[str, str] = dataset.tags(number)
    if tags.get("eo", "").startswith("common_name="):  # GDAL cuts "eo:common_name" at its colon
        tags["eo:common_name"] = tags["eo"].removeprefix("common_name=")
    texts = {"description": description}
    return texts | {f"tag {key}": tags[key] for key in _NAME_TAGS if key in tags}


def _by_text(
    dataset: DatasetReader, called: str, sensor: Sensor, number: int
) -> tuple[str, str | None, str]:
    """What the description of a band, or else its metadata, says that it is."""
    texts = _texts(dataset, number)
    micrometres = dataset.tags(number, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
    wavelengths = {"central wavelength": f"{micrometres} um"} if micrometres else {}
    found = {origin: name for origin, text in texts.items() if (name := sensor.band_of(text))}
    told = texts | wavelengths
    unlike = {sensor.band_at(text) for text in told.values()} - {None, *found.values()}
    if (
        len(set(found.values())) > 1
        or any(map(sensor.contradicts, told.values()))
        or (found and unlike)
    ):
        said = ", ".join(f"{origin} {text!r}" for origin, text in told.items() if text)
        raise InputError(
            f"{called}: band {number} contradicts itself ({said}); say which it is with band_names="
        )
    for origin, name in found.items():
        return texts["description"] or texts[origin], name, origin
    return next(filter(None, texts.values()), ""), None, ""


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


def refuse_named_alpha(dataset: DatasetReader, called: str, sensor: Sensor) -> None:
    """Raise InputError if a raster calls a band of the sensor its alpha band.

    GDAL takes the fourth of four 8-bit bands for alpha where the file does not deny it.
    """
    for number in alpha_bands(dataset):
        text = text_of(dataset, number)
        if sensor.band_of(text):
            raise InputError(
                f"{called}: band {number} is named {text!r} and is an alpha band by its colour; "
                "say that none is, with: rio edit-info --colorinterp "
                f"{','.join(['gray'] + ['undefined'] * (dataset.count - 1))} FILE"
            )


def refuse_counted(names: Mapping[int, tuple[str, str | None, str]], called: str) -> None:
    """Raise InputError if a raster names its bands by their places: b1, b2, ... in order.

    The eighth of ten bands is not B8, which the names of counting writers say. Fewer bands lack
    near-infrared by such names, and are refused for that.
    """
    counted = [re.fullmatch(r"b([1-9]\d*)", text, re.IGNORECASE) for text, _, _ in names.values()]
    if len(counted) < _LEAST_COUNTED or not all(counted):
        return
    if [int(found[1]) for found in counted if found] == list(range(1, len(counted) + 1)):
        texts = [text for text, _, _ in names.values()]
        raise InputError(
            f"{called} names its bands {texts[0]} to {texts[-1]} by their places, which says "
            "nothing of what they are; name them with band_names=, all in order or some by "
            "number, such as B02=2 B03=3 B04=4 B08=8"
        )


def refuse_days(names: Mapping[int, tuple[str, str | None, str]], called: str) -> None:
    """Raise InputError if the texts of a raster's bands name several days."""
    named = {text: day for text, name, _ in names.values() if name and (day := day_in_name(text))}
    if len(set(named.values())) > 1:
        first, other = min(named, key=named.__getitem__), max(named, key=named.__getitem__)
        raise InputError(
            f"{called} has bands of {named[first]} and of {named[other]} by their names {first!r} "
            f"and {other!r}; give all bands of one day, or say which they are with band_names="
        )


def refuse_kinds(names: Mapping[int, tuple[str, str | None, str]], called: str) -> None:
    """Raise InputError if the texts of a raster's bands name several statistics or levels."""
    said = {
        f"band {number} ({text}) of {called}": (text,)
        for number, (text, name, _) in names.items()
        if name
    }
    require_one_kind(said, "bands of one scene")


def refuse_twice(names: Mapping[int, tuple[str, str | None, str]], called: str) -> None:
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


def scl_given(band_names: Sequence[str], numbers: Sequence[int]) -> dict[int, str]:
    """Numbers of the bands that `band_names`, after `names_given`, says are SCL.

    >>> scl_given(["B04", "SCL"], [1, 2]), scl_given(["SCL=5"], [1, 2, 3, 4, 5])
    ({2: 'SCL'}, {5: 'SCL'})
    """
    pairs = [text.partition("=") for text in band_names]
    held = [int(number) if equals else None for _, equals, number in pairs]
    places = numbers if None in held else held
    return {
        number: name
        for number, (name, _, _) in zip(places, pairs, strict=True)
        if number is not None and is_scl(name)
    }


def names_given(
    band_names: Sequence[str], numbers: Sequence[int], called: str, sensor: Sensor
) -> dict[int, str | None]:
    """Bands by number, as `band_names` gives them."""
    pairs = [text.partition("=") for text in band_names]
    if all(equals for _, equals, _ in pairs):
        given: dict[int, str | None] = {}
        for name, _, number in pairs:
            band = sensor.band_of(name)
            if band is None and not is_scl(name):
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
