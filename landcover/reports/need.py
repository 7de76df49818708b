"""Where reference points are needed most, and strata that place more of them there.

A point where a map is surely right says little. So a sample gains from what hints at errors:
low confidence, other maps that disagree, land unlike the training data. The hints only shape
the strata; estimates by strata stay unbiased, however wrong the hints are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.samples.drawing import NOT_DRAWN

#: Need is in percent, 0 to 100.
LEVELS = 101

#: Strata of one class at most. More than a few gain little (Cochran 1977, section 5A.8).
PARTS = 3

#: A stratum of fewer pixels is joined with its neighbour.
LEAST_PX = 50

#: However sure maps are, this share of a stratum may be wrong, and at most half is reckoned with:
#: so hints that say nothing cost little (5 % of the standard error where they are shuffled).
_SHARE_WRONG = (0.05, 0.5)


def need(hints: Sequence[np.ndarray], outside: np.ndarray | None = None) -> np.ndarray:
    """How likely a map seems to be wrong, pixel by pixel.

    Parameters
    ----------
    hints : sequence of arrays of float
        Each a guess at the chance of an error, 0 to 1: 1 less the confidence, the share of other
        maps that disagree. Their mean is taken. May be empty where `outside` is given.
    outside : array of bool, optional
        Pixels unlike the training data. There the hints of models are worth little: need is
        moved halfway to 1.

    Returns
    -------
    array of uint8
        Percent.

    Examples
    --------
    >>> need([np.array([0.1, 0.1]), np.array([0.0, 0.5])], np.array([False, True])).tolist()
    [5, 65]
    """
    held = np.asarray(np.mean(hints, axis=0) if len(hints) else 0.0)
    if outside is not None:
        held = np.where(outside, (1 + held) / 2, held)
    return np.rint(100 * held).astype(np.uint8)


def parts(pixels: np.ndarray, most: int = PARTS, least_px: int = LEAST_PX) -> np.ndarray:
    """Levels of need cut into a few parts, so that each is much alike.

    Cuts are at equal steps of the cumulated square roots of frequency (Dalenius and Hodges 1959,
    doi:10.1080/01621459.1959.10501501), which makes the variance small for a number of parts.

    Parameters
    ----------
    pixels : array of int (levels,)
        Of each level of need.
    most : int
        Parts.
    least_px : int
        A part with fewer pixels is joined with the next lower one that has as many.

    Returns
    -------
    array of int (levels,)
        Part of each level, counted from 0 without a gap; all 0 where there is little to part.

    Examples
    --------
    >>> parts(np.array([900, 100, 100, 0, 100, 100]), least_px=1).tolist()
    [0, 1, 1, 2, 2, 2]
    """
    roots = np.sqrt(pixels)
    middles = np.cumsum(roots) - roots / 2
    part = np.minimum(most * middles / max(roots.sum(), 1), most - 1).astype(np.int64)
    kept = np.bincount(part, pixels, most) >= least_px
    return np.maximum(np.cumsum(kept) - 1, 0)[part]


@dataclass(frozen=True)
class NeedStrata:
    """Strata of a map: its classes, each cut by need.

    Attributes
    ----------
    classes : dict of int to int
        Stratum to the class that it is of; strata count from 0, class by class.
    pixels : dict of int to int
        Stratum to its pixels.
    wrong : dict of int to float
        Stratum to its mean need, 0 to 1.
    """

    classes: dict[int, int]
    pixels: dict[int, int]
    wrong: dict[int, float]
    _lookup: np.ndarray
    _table: np.ndarray

    @classmethod
    def of(cls, counts: Mapping[int, np.ndarray], most: int = PARTS) -> NeedStrata:
        """Strata from the pixels of every class by need.

        Parameters
        ----------
        counts : mapping of int to array of int (101,)
            Class to its pixels of each percent of need.
        most : int
            Strata of a class; 1 leaves the classes whole.

        Raises
        ------
        InputError
            If there are more strata than a byte can number.
        """
        lookup = np.zeros(max(counts) + 1, np.int64)
        table = np.zeros((len(counts), LEVELS), np.int64)
        classes: dict[int, int] = {}
        pixels: dict[int, int] = {}
        wrong: dict[int, float] = {}
        for position, (code, of_class) in enumerate(counts.items()):
            part = parts(of_class, most)
            lookup[code], table[position] = position, part + len(classes)
            for held in range(int(part.max()) + 1):
                stratum, there = len(classes), np.where(part == held, of_class, 0)
                classes[stratum], pixels[stratum] = code, int(there.sum())
                wrong[stratum] = float(there @ np.arange(LEVELS)) / (100 * pixels[stratum])
        if len(classes) > NOT_DRAWN:
            raise InputError(
                f"{len(counts)} classes make {len(classes)} strata, more than {NOT_DRAWN}; "
                "map fewer classes, or draw the points within whole classes"
            )
        return cls(classes, pixels, wrong, lookup, table)

    def place(self, codes: np.ndarray, needed: np.ndarray) -> np.ndarray:
        """Stratum of each pixel from its class and need; 255 where there is no class."""
        strata = np.full(codes.shape, NOT_DRAWN, np.uint8)
        there = codes > 0
        strata[there] = self._table[self._lookup[codes[there]], needed[there]]
        return strata

    def weights(self) -> dict[int, float]:
        """What points are dealt in proportion to, Neyman's (1934) optimum for a share.

        It is N sqrt(p (1 - p)), with the need of a stratum for p, the share that is wrong there.
        """
        share = {h: min(max(p, _SHARE_WRONG[0]), _SHARE_WRONG[1]) for h, p in self.wrong.items()}
        return {h: n * float(np.sqrt(share[h] * (1 - share[h]))) for h, n in self.pixels.items()}
