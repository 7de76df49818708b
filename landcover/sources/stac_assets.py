"""A band of a STAC asset, by what the item and the file itself say of it.

Both count: nodata values of either mean no data, and a scale or an offset that both give must be
the same. Item and file that disagree are refused, since nothing says which of them is right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.atomic import Fields
from landcover.grid import Grid
from landcover.sensors import SENTINEL2
from landcover.sources.reflectance import Band
from landcover.sources.said import (
    BandSaid,
    as_meant,
    band_of,
    bands_said,
    is_reflectance,
    require_reflectance,
)

#: Processing baseline from which products carry an offset.
OFFSET_BASELINE = 4.0
#: Properties that say whether a catalogue has applied it.
FLAGS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_BASELINES = ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline")


@dataclass(frozen=True)
class AssetBand:
    """A band of an asset: which it is, where it lies, and what the item says of its numbers.

    Attributes
    ----------
    name : str
        The sensor's.
    asset, href : str
        Key and link of the asset.
    number, of : int
        Number of the band in the asset, from 1, and how many that has.
    pixel_m, scale, offset, nodata : float or None
        As the item gives them: reflectance = dn x scale + offset.
    """

    name: str
    asset: str
    href: str
    number: int
    of: int
    pixel_m: float | None
    scale: float | None
    offset: float | None
    nodata: float | None


def open_asset(
    item: Path,
    properties: Fields,
    band: AssetBand,
    file: Path,
    quantification: float | None,
    offset: float | None,
) -> tuple[Band, Grid]:
    """A band as it is to be read, and the grid of its file.

    Parameters
    ----------
    item : path
        For errors.
    properties : dict
        Of the item.
    band : AssetBand
        What the item says.
    file : path
        Where the link of the asset leads.
    quantification, offset : float, optional
        Instead of what item and file say.

    Raises
    ------
    InputError
        If item and file disagree, or it is open whether digital numbers carry an offset.
    """
    with rasters.open_raster(file) as dataset:
        if band.number > dataset.count:
            raise InputError(
                f"{item}: asset {band.asset} names {band.of} bands, and {file} has "
                f"{dataset.count}; correct the item"
            )
        named = [f"{band.name}={band.number}"]
        held = {b.number: b for b in bands_said(dataset, str(file), SENTINEL2, "", named)}
        own = held[band.number]
        _require_same_name(item, band, file, own)
        said = _scaled(item, band, file, own, (quantification, offset))
        require_reflectance(said, str(file))
        floats = is_reflectance(dataset, said)
        grid = rasters.grid_of_open(dataset, file)
    if offset is None and not floats:
        told = band.offset is not None or own.offset
        _require_sure_offset(item, properties, band.name, said.offset if told else None)
    nodata = () if band.nodata is None else (band.nodata,)
    found = band_of(said, file, SENTINEL2, quantification, offset, nodata, floats)
    by_item = said != own and (quantification, offset) == (None, None)
    return replace(
        found, named_by="STAC item", scaled_by="STAC item" if by_item else found.scaled_by
    ), grid


def _require_same_name(item: Path, band: AssetBand, file: Path, own: BandSaid) -> None:
    """Raise InputError where the file says that the band is another one."""
    for text in (own.text, file.stem) if band.of == 1 else (own.text,):
        name = SENTINEL2.band_of(text)
        if name not in (None, band.name):
            raise InputError(
                f"{item} says that band {own.number} of {file} is {band.name}, and {text!r} of "
                f"the file says {name}; correct the one that is wrong"
            )


def _scaled(
    item: Path,
    band: AssetBand,
    file: Path,
    own: BandSaid,
    given: tuple[float | None, float | None],
) -> BandSaid:
    """What the file says, with scale and offset of the item; InputError where they disagree."""
    if band.scale is None and band.offset is None:
        return own
    of_item = None if band.scale is None else as_meant(1 / band.scale)
    divisor = of_item or own.quantification or SENTINEL2.quantification
    added = None if band.offset is None else as_meant(band.offset * divisor)
    pairs = {
        "quantification": (given[0], of_item, own.quantification),
        "offset": (given[1], added, own.offset),
    }
    for word, (instead, told, of_file) in pairs.items():
        if instead is not None or told is None or of_file is None:
            continue
        if not np.isclose(told, of_file):
            raise InputError(
                f"{item} gives the {word} {told:g} for {band.name} and the tags of {file} "
                f"{of_file:g}; give open_stac the one that is true, {word}={told:g} or "
                f"{word}={of_file:g}"
            )
    return replace(
        own, quantification=divisor, offset=(own.offset or 0.0) if added is None else added
    )


def _require_sure_offset(item: Path, properties: Fields, name: str, told: float | None) -> None:
    """Raise InputError where it is open whether digital numbers carry an offset."""
    applied, number = offset_applied(properties), baseline(properties) or 0.0
    untold = told is None or (told == 0 and applied is False)
    doubt = None
    if applied and told:
        doubt = f"says that the offset has been applied, and gives {told:g} for {name}"
    elif untold and not applied and number >= OFFSET_BASELINE:
        words = "no offset" if told is None else "offset 0"
        doubt = f"gives {words} for {name} of processing baseline {number:05.2f}"
    if doubt:
        raise InputError(
            f"{item} {doubt}; give open_stac the one that is true: offset=-1000 where digital "
            "numbers carry +1000, 0 where they do not"
        )


def offset_applied(properties: Fields) -> object:
    """Whether a catalogue has applied the offset, as it says; None where it does not say."""
    return next((properties[flag] for flag in FLAGS if flag in properties), None)


def baseline(properties: Fields) -> float | None:
    """The processing baseline, such as 4.0; None where it is not said."""
    for word in _BASELINES:
        try:
            return float(properties[word])
        except (KeyError, TypeError, ValueError):
            continue
    return None
