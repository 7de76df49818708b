"""Two dates as they are compared: their scenes in one radiometry, and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.grid import Window
from landcover.legend import Legend, level_of
from landcover.maps import change
from landcover.scene.radiometry import Lines, likeness

#: Scenes are thinned to this for comparing their radiometry.
THIN_PX = 1500
#: Run folders below the products, of the dates that are mapped there.
DATES = ("before", "after")


@dataclass(frozen=True)
class Date:
    """One of the two dates.

    Attributes
    ----------
    name : str
        As given.
    scene, probabilities : Path
        Rasters on one grid.
    """

    name: str
    scene: Path
    probabilities: Path

    @cached_property
    def legend(self) -> Legend:
        """The classes of the probabilities, from the names of their bands."""
        try:
            codes = [int(name.split()[0]) for name in rasters.band_names(self.probabilities)]
            return Legend.corine(level_of(codes)).subset(codes)
        except (ValueError, LandcoverError):
            raise LandcoverError(
                f"{self.probabilities} holds no probabilities of classes; make it with: "
                "landcover map RUN --probabilities"
            ) from None


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

    def shares(self, window: Window, level: int) -> list[np.ndarray]:
        """Probabilities of both dates, (classes, rows, cols), at a level."""
        return [
            change.coarser(rasters.read(date.probabilities, window), date.legend, level)[0]
            for date in self.dates
        ]

    def images(self, window: Window) -> list[np.ndarray]:
        """Both scenes, (bands, rows, cols), in one radiometry."""
        images = [rasters.read(date.scene, window, self.bands) for date in self.dates]
        if self.moved is not None and self.lines is not None:
            images[self.moved] = self.lines.apply(images[self.moved], window)
        return images

    def likeness(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """How much alike the dates look, uint8 (rows, cols); 0 everywhere if not compared."""
        if self.lines is None:
            return np.zeros(images[0].shape[1:], np.uint8)
        return likeness(images[0], images[1], self.lines.spread)


def common_legend(dates: Sequence[Date], level: int | None) -> Legend:
    """The classes to compare, at a level; they must be the same at both dates."""
    legends = [date.legend for date in dates]
    levels = [level_of(legend.codes) for legend in legends]
    wanted = level or max(levels)
    if wanted > min(levels):
        raise LandcoverError(
            f"level {wanted} is finer than the maps, which have levels {levels[0]} and "
            f"{levels[1]}; choose level={min(levels)}"
        )
    first, second = (
        Legend.corine(wanted).subset(np.array(legend.codes) // 10 ** (of - wanted))
        for legend, of in zip(legends, levels, strict=True)
    )
    apart = sorted(set(first.codes) ^ set(second.codes))
    if apart:
        raise LandcoverError(
            f"the maps of {dates[0].name} and {dates[1].name} differ in their classes: only one "
            f"knows {', '.join(map(str, apart))}; map both with one model (model=), or compare "
            "at a coarser level="
        )
    return first
