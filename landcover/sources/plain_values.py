"""The values of a raster that names no band: classes, measurements, or interpolated classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from landcover.files.masks import read_masked

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from landcover.grid import Window
    from landcover.sources.said import BandSaid

#: Values of a raster of classes, at most: others are measurements.
MOST_CLASSES = 1000
#: Values that fit no scheme are measurements where they are more than so many.
_MOST_UNKNOWN = 64
#: Numbers beside fractions are classes where they are so many pixels, of so few values.
_LEAST_WHOLE = 0.1
#: Three pixels in a row that all differ lie in order by chance in a third of all cases. Beyond this
#: share, and where so many pixels are the middle of such a row, values pass into one another.
_IN_ORDER, _LEAST_MIDDLES = 0.6, 0.01
#: Neighbours differ by 1 where they differ, with this share, in elevations without steep slopes.
_BY_ONE = 0.9
#: Fewer values than this are classes: these, too, can follow one another in order on the ground.
_FEWEST_GRADED = 16


@dataclass
class PlainValues:
    """Values, counted by windows.

    Attributes
    ----------
    counts : Counter
        Pixels by value, of whole numbers; those without data as 0.
    fractions : int
        Pixels of other numbers. Windows after the first one with any are not counted.
    middles, in_order : int
        Pixels that differ from both neighbours, which differ too; and those of them whose value
        lies between theirs.
    steps, by_one : int
        Neighbours that differ; and those of them by 1.
    """

    counts: Counter[float] = field(default_factory=Counter)
    fractions: int = 0
    middles: int = 0
    in_order: int = 0
    steps: int = 0
    by_one: int = 0

    @property
    def whole(self) -> bool:
        """Whether all are whole numbers, and few enough for classes."""
        return not self.fractions and len(self.counts) <= MOST_CLASSES

    @property
    def graded(self) -> bool:
        """Whether values pass into one another, as those of classes do not."""
        if len(self.counts) < _FEWEST_GRADED:
            return False
        enough = self.middles >= _LEAST_MIDDLES * self.counts.total()
        return self.by_one > _BY_ONE * self.steps or (
            enough and self.in_order > _IN_ORDER * self.middles
        )

    @property
    def measured(self) -> bool:
        """Whether values that fit no scheme are measurements."""
        return self.graded or len(self.counts) > _MOST_UNKNOWN

    def count(self, pixels: np.ndarray, known: np.ndarray) -> None:
        """Count a window, (rows, cols)."""
        values = pixels[known]
        whole = values[values == np.rint(values)]
        self.counts[0.0] += pixels.size - values.size
        self.fractions += values.size - whole.size
        distinct, times = np.unique(whole, return_counts=True)
        self.counts.update(dict(zip(distinct.astype(float).tolist(), times.tolist(), strict=True)))
        if not self.fractions:
            for turned, seen in ((pixels, known), (pixels.T, known.T)):
                self._count_middles(turned.astype(float), seen)

    def _count_middles(self, values: np.ndarray, known: np.ndarray) -> None:
        """Count pixels between those above and below them."""
        above, own, below = values[:-2], values[1:-1], values[2:]
        seen = known[:-2] & known[1:-1] & known[2:]
        differ = seen & (above != own) & (own != below) & (above != below)
        between = (np.minimum(above, below) < own) & (own < np.maximum(above, below))
        self.middles += int(differ.sum())
        self.in_order += int((differ & between).sum())
        step = np.abs(values[1:] - values[:-1])[known[1:] & known[:-1]]
        self.steps += int((step > 0).sum())
        self.by_one += int((step == 1).sum())

    def remark(self, of_scheme: bool) -> str | None:
        """A sentence where the values are no classes, or were ones.

        `of_scheme` tells whether they are those of a scheme.
        """
        held = [value for value, times in self.counts.items() if times and value]
        if self.fractions:
            blurred = sum(self.counts.values()) >= _LEAST_WHOLE * (
                self.fractions + self.counts.total()
            )
            if not held or len(held) > _MOST_UNKNOWN or not blurred:
                return None
            listed = " ".join(f"{value:g}" for value, _ in self.counts.most_common(4) if value)
            return (
                f"fractions lie between whole numbers such as {listed}: if these are classes, they "
                "were interpolated, and mean nothing; bring classes to another grid by the nearest "
                "pixel"
            )
        if not self.whole or not (self.graded or (self.measured and not of_scheme)):
            return None
        values = f"{len(held)} values from {min(held):g} to {max(held):g}"
        if self.graded:
            return (
                f"{values} pass into one another from pixel to pixel: measurements, such as "
                "elevations, or classes that were interpolated; bring classes to another grid by "
                "the nearest pixel"
            )
        return f"{values} are those of no scheme: measurements, or classes that scheme= explains"


def plain_values(dataset: DatasetReader, said: BandSaid, windows: Iterable[Window]) -> PlainValues:
    """The values of a band that nothing names; read no further than it takes to tell them."""
    found = PlainValues()
    for window in windows:
        pixels, known = read_masked(dataset, said.number, window)
        known &= np.isfinite(pixels)
        if said.nodata is not None:
            known &= pixels != said.nodata
        found.count(pixels, known)
        if not found.whole:
            break
    return found
