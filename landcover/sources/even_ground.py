"""One number in all bands over even ground: a nodata value that lies where reflectance can.

Land and water differ from pixel to pixel, and from band to band. A block of pixels that has one and
the same digital number everywhere, in all bands, was filled in.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from landcover.errors import InputError
from landcover.sources.reflectance import Band

#: Fewer bands than this can have one number by chance.
_LEAST_BANDS = 3
#: Blocks of fewer pixels, or of a smaller share of all, may be anything.
_LEAST_PIXELS, _LEAST_SHARE = 25, 0.01
#: Reflectance that float32 does not tell apart.
_SAME = 1e-6


@dataclass
class EvenGround:
    """Pixels of a tile with one number in all bands, like those beside and below them.

    Attributes
    ----------
    bands : dict of Band
        By name.
    pixels : int
        With data in all bands.
    numbers : Counter
        Of these, those on even ground, by digital number.
    """

    bands: dict[str, Band]
    pixels: int = 0
    numbers: Counter[float] = field(default_factory=Counter)

    def count(self, values: np.ndarray) -> None:
        """Count a window of reflectance, (bands, rows, cols), NaN where a band has no data."""
        if len(values) < _LEAST_BANDS:
            return
        self.pixels += int(np.isfinite(values).all(axis=0).sum())
        even = np.ones(np.subtract(values.shape[1:], 1).clip(0), bool)
        for band in values:
            even &= (band[:-1, :-1] == band[1:, :-1]) & (band[:-1, :-1] == band[:-1, 1:])
            if not even.any():
                return
        of = list(self.bands.values())
        divisors = np.array([[band.quantification] for band in of])
        offsets = np.array([[band.offset] for band in of])
        found, counts = np.unique(values[:, :-1, :-1][:, even], axis=1, return_counts=True)
        numbers = found.astype(np.float64) * divisors - offsets
        alike = np.ptp(numbers, axis=0) <= _SAME * divisors.max() * (1 + np.abs(found).max(axis=0))
        digits = max(0, round(-math.log10(_SAME * divisors[0, 0])))
        for number, count in zip(numbers[0, alike].tolist(), counts[alike].tolist(), strict=True):
            self.numbers[round(number, digits) + 0.0] += count


def judged_even(ground: EvenGround) -> str | None:
    """A sentence on one number that fills blocks of all bands; None where there is none.

    Clouds and snow may be cut off at a number, such as 10000, and dark water at 0. So it is told,
    and refused only where it is below 0, at which nothing is cut off.

    Raises
    ------
    InputError
        If the number can be nothing but a nodata value.
    """
    if not ground.numbers:
        return None
    ((number, times),) = ground.numbers.most_common(1)
    share = times / ground.pixels
    if times < _LEAST_PIXELS or share <= _LEAST_SHARE:
        return None
    band = next(iter(ground.bands.values()))
    value = (number + band.offset) / band.quantification
    said = (
        f"{band.path}: {times:,} of {ground.pixels:,} pixels ({100 * share:.1f} %) have the number "
        f"{number:.9g} ({value:.4g}) in all of {' '.join(ground.bands)}, and so have their "
        "neighbours"
    )
    if value < 0:
        raise InputError(
            f"{said}: a nodata value that the file does not declare; declare it with "
            f"nodata={number:.9g}"
        )
    return (
        f"{said}: if this is no cloud or snow cut off at that number, it means no data; declare it "
        f"with nodata={number:.9g}"
    )
