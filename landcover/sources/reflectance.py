"""Digital numbers to reflectance, with every pixel that has none known and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files.masks import read_masked
from landcover.sensors import DEFAULT_QUANTIFICATION

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from landcover.grid import Grid, Window

#: What land, water, snow, cloud and glint can show; numbers beyond are no reflectance.
PLAUSIBLE = (-0.3, 2.0)
#: So many pixels of one value are no accident.
_REPEATED = 3
#: Up to this share of a band's pixels, values beyond `PLAUSIBLE` are left out and told.
_FEW = 0.01

#: Distinct values beyond `PLAUSIBLE` that are kept of a band: floats can be unlike one another.
_MOST_VALUES = 10_000

#: Numbers up to this are those of 8 bits, or percent.
_MOST_OF_8_BITS = 255

#: Why a pixel has no data. Of the reasons of its bands, and of all tiles, the last of this order.
DATA, CLOUD, NODATA, MASKED, IMPLAUSIBLE, OUTSIDE = range(6)
REASONS = ("data", "cloud", "nodata", "masked", "implausible", "outside")


@dataclass(frozen=True)
class Band:
    """One band in a file, and how its digital numbers become reflectance.

    Attributes
    ----------
    path : path or str
        The file, or a name that GDAL knows, such as ``netcdf:cube.nc:B02``.
    number : int
        In the file, from 1.
    quantification, offset : float
        reflectance = (dn + offset) / quantification.
    nodata : tuple of float
        Digital numbers that mean no data; NaN and infinity always do.
    named_by, scaled_by : str
        Where the band's name and these numbers come from, in words.
    grid : Grid or None
        Of the file, where that is not the grid of its tile: the band is brought to the tile's as it
        is read (`landcover.sources.regrid`). None on the tile's own.
    """

    path: Path | str
    number: int
    quantification: float = DEFAULT_QUANTIFICATION
    offset: float = 0.0
    nodata: tuple[float, ...] = (0.0,)
    named_by: str = ""
    scaled_by: str = ""
    grid: Grid | None = None
    plausible: tuple[float, float] = PLAUSIBLE


@dataclass
class Tally:
    """Pixels of a band that were read: how many there are, and those that are no reflectance.

    Attributes
    ----------
    pixels : int
        Of the file, with a value.
    wrong : int
        Of these, those beyond `PLAUSIBLE`.
    implausible : Counter
        Pixels by digital number, of those beyond `PLAUSIBLE`; of many numbers the frequent ones.
    seen : int
        Pixels of the tile with data in this band. They are those of the file, or others where the
        band lies on a grid of its own.
    alone : int
        Pixels of the tile without data in this band that have data in every other.
    beyond : int
        Of these, those that lie outside the band's file.
    """

    pixels: int = 0
    wrong: int = 0
    implausible: Counter[float] = field(default_factory=Counter)
    seen: int = 0
    alone: int = 0
    beyond: int = 0

    def count_wrong(self, dn: np.ndarray) -> None:
        """Count digital numbers beyond `PLAUSIBLE`, in memory that their number does not set."""
        values, counts = np.unique(dn, return_counts=True)
        kept = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
        self.wrong += dn.size
        found = zip(values[kept].astype(float).tolist(), counts[kept].tolist(), strict=True)
        self.implausible.update(dict(found))
        if len(self.implausible) > _MOST_VALUES:
            self.implausible = Counter(dict(self.implausible.most_common(_MOST_VALUES)))


def reflectance(dn: np.ndarray, band: Band) -> np.ndarray:
    """Reflectance of digital numbers, float32; NaN where there is no data.

    >>> reflectance(np.array([0, 1000, 3000]), Band("x", 1, offset=-1000)).tolist()
    [nan, 0.0, 0.20000000298023224]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond float32 are told apart
        values = (dn.astype(np.float32) + np.float32(band.offset)) / np.float32(band.quantification)
    values[_empty(dn, band.nodata)] = np.nan
    return values


def read_reflectance(
    dataset: DatasetReader,
    band: Band,
    window: Window,
    tally: Tally | None = None,
    counted: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A window of a band as reflectance, and why pixels have none.

    Parameters
    ----------
    dataset : rasterio dataset
        The band's file, open.
    band : Band
        Which band, and what its numbers mean.
    window : Window
        It may reach over the edge.
    tally : Tally, optional
        Counts the pixels of this window.
    counted : array of bool, (rows, cols), optional
        Which of them; all by default.

    Returns
    -------
    values : array of float32, (rows, cols)
        NaN without data, and where the value is no reflectance (`PLAUSIBLE`).
    why : array of uint8, (rows, cols)
        `DATA`, `NODATA`, `MASKED`, `IMPLAUSIBLE` or `OUTSIDE` the file.
    """
    dn, seen = read_masked(dataset, band.number, window)
    values = reflectance(dn, band)
    why = np.full(values.shape, OUTSIDE, np.uint8)
    _, place = window.within(dataset.height, dataset.width)
    why[place] = DATA
    why[place][np.isnan(values[place])] = NODATA
    why[place][~seen[place]] = MASKED
    low, high = band.plausible
    bad = (why == DATA) & ~((values >= low) & (values <= high))
    if tally is not None:
        known, wrong = why == DATA, bad
        if counted is not None:
            known, wrong = known & counted, wrong & counted
        tally.pixels += int(known.sum())
        tally.count_wrong(dn[wrong])
    why[bad] = IMPLAUSIBLE
    values[why != DATA] = np.nan
    return values, why


def judged(tally: Tally, band: Band, name: str) -> str | None:
    """A sentence on the few pixels of a band that are no reflectance; None where there are none.

    Raises
    ------
    InputError
        If they are many, or one value that repeats: a nodata value that nothing declares.
    """
    wrong = tally.wrong
    if not wrong:
        return None
    (value, times), *_ = tally.implausible.most_common(1)
    shown = f"{value:.9g} ({(value + band.offset) / band.quantification:.4g})"
    low, high = PLAUSIBLE
    count = f"{band.path}: {wrong:,} of {tally.pixels:,} pixels of {name}"
    if times >= _REPEATED and 2 * times >= wrong:
        raise InputError(
            f"{count} are no reflectance, {times:,} of them {shown}: a nodata value that the file "
            f"does not declare; declare it with nodata={value:.9g}"
        )
    if wrong > _FEW * tally.pixels:
        raise InputError(
            f"{count} would be no reflectance ({low:g} to {high:g}), most often {shown}; check "
            "quantification= and offset=, and declare nodata= values"
        )
    listed = ", ".join(f"{value:.9g}" for value, _ in tally.implausible.most_common(3))
    return f"{count} are no reflectance (digital numbers {listed}) and are left out"


def holes_alone(tally: Tally, band: Band, name: str) -> str | None:
    """A sentence on pixels that lack this band alone, where they are more than a few.

    A band of a product has its holes where the others have theirs. Others come from a file that was
    not fetched to its end, or from a nodata value that is data, such as 0 over dark water.
    """
    if tally.alone <= _FEW * (tally.seen + tally.alone):
        return None
    if 2 * tally.beyond > tally.alone:
        return (
            f"{band.path}: {tally.beyond:,} pixels lie outside this file of {name} and have data "
            f"in all other bands ({100 * tally.beyond / (tally.seen + tally.alone):.1f} %), and "
            "are left out: check that its corners are those of the other bands, since it is "
            "shifted against them or smaller"
        )
    return (
        f"{band.path}: {tally.alone:,} pixels have no data in {name} and data in all other bands "
        f"({100 * tally.alone / (tally.seen + tally.alone):.1f} %), and are left out: check that "
        f"the file is whole, and that {_listed(band.nodata)} means no data in it"
    )


def _listed(nodata: Sequence[float]) -> str:
    """Nodata values in words."""
    return " or ".join(f"{value:.9g}" for value in nodata) or "NaN"


def too_dark(brightest: float, band: Band) -> str | None:
    """A sentence on digital numbers that are all as small as those of 8 bits, or percent.

    Only where nothing but the default of a sensor says what they mean.
    """
    if not (brightest <= _MOST_OF_8_BITS and band.scaled_by.startswith("default")):
        return None
    return (
        f"{band.path}: no digital number is above {brightest:.4g}: these are numbers of 8 bits or "
        f"percent, and no reflectance x {band.quantification:g}; say what they are with "
        f"quantification= ({band.quantification:g} if it is as dark as that)"
    )


def _empty(dn: np.ndarray, nodata: Sequence[float]) -> np.ndarray:
    """Where digital numbers mean no data."""
    if np.issubdtype(dn.dtype, np.integer):
        limits = np.iinfo(dn.dtype)
        held = [int(v) for v in nodata if limits.min <= v <= limits.max and v == int(v)]
        return np.isin(dn, held)
    # as the file's type holds it: -3.4028235e38 is another number in float32
    with np.errstate(over="ignore"):
        return ~np.isfinite(dn) | np.isin(dn, np.array(nodata).astype(dn.dtype))
