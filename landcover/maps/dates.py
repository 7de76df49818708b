"""Two dates, or two years, as they are compared: what they look like, and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from landcover.errors import InputError, LandcoverError
from landcover.files import rasters
from landcover.grid import Window
from landcover.legend import Legend, Nomenclature
from landcover.maps import change
from landcover.scene.radiometry import Lines, likeness
from landcover.scene.sequence import Dates, as_sequence, valid_dates

#: Scenes are thinned to this for comparing their radiometry.
THIN_PX = 1500
#: Run folders below the products, of the dates that are mapped there.
DATES = ("before", "after")


@dataclass(frozen=True)
class Date:
    """One of the two dates, or years.

    Attributes
    ----------
    name : str
        As given.
    scene, probabilities : Path
        Rasters on one grid; of a year, the scene is the date that pictures show.
    classes : Nomenclature
        What the classes of the probabilities are of.
    sequence : Path, optional
        Of a year: the raster that holds its dates.
    days : tuple of str
        Of a year: its dates.
    halves : tuple of Path
        Of a year: probabilities by parts of its dates that have none in common.
    """

    name: str
    scene: Path
    probabilities: Path
    classes: Nomenclature
    sequence: Path | None = None
    days: tuple[str, ...] = ()
    halves: tuple[Path, ...] = ()

    @cached_property
    def nomenclature(self) -> Nomenclature:
        """The classes, at the level of the probabilities."""
        return self.classes.holding(self.legend.codes)

    @cached_property
    def legend(self) -> Legend:
        """The classes of the probabilities, from the names of their bands."""
        try:
            codes = [int(name.split()[0]) for name in rasters.band_names(self.probabilities)]
            return self.classes.holding(codes).legend.subset(codes)
        except (ValueError, LandcoverError):
            raise LandcoverError(
                f"{self.probabilities} holds no probabilities of classes; make it with: "
                "landcover map RUN --probabilities"
            ) from None

    def image(self, window: Window, bands: Sequence[str]) -> np.ndarray:
        """Some bands (bands, rows, cols) of the scene; of a year the mean of its valid dates."""
        if self.sequence is None:
            return rasters.read(self.scene, window, bands)
        dates = Dates(self.days, tuple(bands))
        values = as_sequence(rasters.read(self.sequence, window, dates.names), dates)
        valid = valid_dates(values)
        sums = np.where(valid[:, np.newaxis], values, np.float32(0)).sum(axis=0)
        number = valid.sum(axis=0)
        return np.where(number > 0, sums / np.maximum(number, 1), np.float32(np.nan))

    def probabilities_of(self, path: Path, window: Window, level: int) -> np.ndarray:
        """Probabilities (classes, rows, cols) of one of its rasters, at a level."""
        held = rasters.read(path, window)
        return change.coarser(held, self.legend, self.nomenclature, level)[0]


@dataclass(frozen=True)
class Pair:
    """Two dates as they are compared.

    Attributes
    ----------
    dates : sequence of Date
        The earlier and the later.
    bands : tuple of str
        What is looked at in both scenes.
    lines : Lines, optional
        How their radiometry goes together; None where it is not compared.
    moved : int, optional
        The date that is brought to the other's radiometry on reading.
    """

    dates: Sequence[Date]
    bands: tuple[str, ...]
    lines: Lines | None = None
    moved: int | None = None

    def probabilities(self, window: Window, level: int) -> list[np.ndarray]:
        """Probabilities of both dates, (classes, rows, cols), at a level."""
        return [date.probabilities_of(date.probabilities, window, level) for date in self.dates]

    def halves(self, window: Window, level: int) -> change.Halves | None:
        """Probabilities of both years by parts of their dates; None of dates."""
        if not any(date.halves for date in self.dates):
            return None
        before, after = (
            [date.probabilities_of(path, window, level) for path in date.halves]
            for date in self.dates
        )
        return change.Halves(before, after)

    def images(self, window: Window) -> list[np.ndarray]:
        """Both scenes, (bands, rows, cols), in one radiometry."""
        images = [date.image(window, self.bands) for date in self.dates]
        if self.moved is not None and self.lines is not None:
            images[self.moved] = self.lines.apply(images[self.moved], window)
        return images

    def likeness(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """How much alike the dates look, uint8 (rows, cols); 0 everywhere if not compared."""
        if self.lines is None:
            return np.zeros(images[0].shape[1:], np.uint8)
        return likeness(images[0], images[1], self.lines.spread)


def common_legend(dates: Sequence[Date], level: int | None) -> tuple[Legend, Nomenclature]:
    """The classes to compare, and what they are of, at a level; they must be the same at both."""
    first, second = (date.nomenclature for date in dates)
    if first.levels != second.levels:
        raise InputError(
            f"{dates[0].name} has the classes of {first.title} and {dates[1].name} those of "
            f"{second.title}; compare maps of one label scheme, or map both with one model="
        )
    levels = [first.level, second.level]
    wanted = level or max(levels)
    if wanted > min(levels):
        raise InputError(
            f"level {wanted} is finer than the maps, which have levels {levels[0]} and "
            f"{levels[1]}; choose level={min(levels)}"
        )
    compared = first.at(wanted)
    change.require_few(compared.legend)
    held = [
        set(date.nomenclature.coarser(np.array(date.legend.codes), wanted).tolist())
        for date in dates
    ]
    apart = sorted(held[0] ^ held[1])
    if apart:
        raise InputError(
            f"the maps of {dates[0].name} and {dates[1].name} differ in their classes: only one "
            f"knows {', '.join(map(str, apart))}; map both with one model (model=)"
            + (", or compare at a coarser level=" if wanted > 1 else "")
        )
    return compared.legend.subset(held[0]), compared
