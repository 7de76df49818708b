"""Units of labels: areas that are drawn as one class, and are mostly of that class.

Whoever draws a map by areas gives each the class that prevails in it. So a unit of which the image
seems to show little of its own class was mistaken, more probably than drawn wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_array, csr_array

#: Share of a unit that is its class, at least. CORINE's units are to be at least 85 % right (CLC
#: technical guidelines), after what lies in areas of less than 25 ha was left out of them. Of
#: shares from 0.4 to 0.8, those of 0.5 to 0.65 served best on synthetic and on real land.
LEAST_OF_UNIT = 0.6
#: A unit that the image shows to be something else by these odds stays so.
_MOST_LOG_ODDS = 6.0
_ROUNDS = 30
#: Log odds that change no more than this are found.
_NEAR = 0.01
#: Rows of a raster whose segments and units are counted together.
_STRIP_PX = 512


@dataclass(frozen=True)
class Units:
    """Units of labels, and the segments that they lie over.

    Attributes
    ----------
    classes : array of int (units,)
        Positions of their labels among the classes.
    pixels : sparse array of float (segments + 1, units)
        Pixels that each segment shares with each unit.
    """

    classes: np.ndarray
    pixels: csr_array

    @classmethod
    def of(cls, labels: np.ndarray, ids: np.ndarray) -> Units:
        """Units and what they share with segments.

        Parameters
        ----------
        labels : array of int (rows, cols)
            Positions of labels among the classes; -1 where they say nothing. Pixels of one label
            that touch by their sides are a unit.
        ids : array of int (rows, cols)
            Segments from 1; 0 for pixels that belong to none.

        Examples
        --------
        >>> units = Units.of(np.array([[0, 0, 1, 1, 0]]), np.array([[1, 1, 1, 2, 2]]))
        >>> units.classes.tolist(), units.pixels.toarray()[1:].tolist()
        ([0, 1, 0], [[2.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
        """
        from skimage.measure import label

        regions, count = label(labels, background=-1, connectivity=1, return_num=True)
        classes = np.zeros(count + 1, np.int64)
        classes[regions.ravel()] = labels.ravel()
        shape = int(ids.max()) + 1, count
        pixels = csr_array(shape)
        for row in range(0, len(ids), _STRIP_PX):
            strip = slice(row, row + _STRIP_PX)
            held = (regions[strip] > 0) & (ids[strip] > 0)
            where = ids[strip][held], regions[strip][held] - 1
            pixels += coo_array((np.ones(len(where[0])), where), shape).tocsr()
        return cls(classes[1:], pixels)

    def by_class(self, classes: int) -> np.ndarray:
        """Pixels of each label in each segment, int64 (segments + 1, classes).

        >>> Units.of(np.array([[0, 0, 1, 1, 0]]), np.array([[1, 1, 1, 2, 2]])).by_class(2).tolist()
        [[0, 0], [2, 1], [1, 1]]
        """
        found = self.pixels @ _in_columns(np.ones(len(self.classes)), self.classes, classes)
        counts: np.ndarray = found.toarray().astype(np.int64)
        return counts


def hold_own_class(
    probabilities: np.ndarray, sizes: np.ndarray, units: Units, least: float = LEAST_OF_UNIT
) -> np.ndarray:
    """Probabilities of classes by which every unit is expected to hold enough of its own class.

    In a unit that would hold less, its class is made likelier by one factor, until it holds the
    least. So the segments that change are those that were nearest to it; and a unit that
    the image shows to be something else beyond doubt stays so.

    Parameters
    ----------
    probabilities : array of float (segments + 1, classes)
        Rows make 1.
    sizes : array of int (segments + 1,)
        Pixels of segments. Of the factor of a unit, a segment takes the share that lies in it.
    units : Units
        Of the same segments and classes.
    least : float
        Share of a unit, 0 to 1.

    Returns
    -------
    array of float64 (segments + 1, classes)
        Rows make 1.

    Examples
    --------
    >>> units = Units.of(np.zeros((1, 20), int), np.repeat([[1, 2]], 10, axis=1))
    >>> unsure = np.array([[0.5, 0.5], [0.4, 0.6], [0.2, 0.8]])
    >>> hold_own_class(unsure, np.array([0, 10, 10]), units).round(2)[1:]
    array([[0.71, 0.29],
           [0.48, 0.52]])
    """
    own, shared = units.classes, units.pixels
    if not len(probabilities) == len(sizes) == shared.shape[0]:
        raise ValueError(
            f"{len(probabilities)} rows, {len(sizes)} sizes, {shared.shape[0]} segments"
        )
    overlaps = shared.indptr, shared.indices, shared.data
    area = np.maximum(shared.sum(axis=0), 1)
    odds, holds = np.zeros(len(own)), np.zeros(len(own))
    found = np.array(probabilities, np.float64)
    for _ in range(_ROUNDS):
        _hold(found, *overlaps, own, holds)
        holds /= area
        change = np.log(least / (1 - least)) - np.log((holds + 1e-6) / (1 - holds + 1e-6))
        better = np.clip(odds + change, 0, _MOST_LOG_ODDS)
        if np.allclose(better, odds, rtol=0, atol=_NEAR):
            break
        odds = better
        _make_likelier(np.asarray(probabilities), *overlaps, sizes, own, odds, found)
    return found


@njit(cache=True, nogil=True)
def _hold(
    probabilities: np.ndarray,
    starts: np.ndarray,
    units: np.ndarray,
    pixels: np.ndarray,
    own: np.ndarray,
    holds: np.ndarray,
) -> None:
    """Expected pixels of every unit that are its own class (units,), written over `holds`.

    `starts`, `units` and `pixels` are the rows of `Units.pixels`.
    """
    holds[:] = 0
    for segment in range(len(probabilities)):
        for k in range(starts[segment], starts[segment + 1]):
            unit = units[k]
            holds[unit] += pixels[k] * probabilities[segment, own[unit]]


@njit(cache=True, nogil=True)
def _make_likelier(
    probabilities: np.ndarray,
    starts: np.ndarray,
    units: np.ndarray,
    pixels: np.ndarray,
    sizes: np.ndarray,
    own: np.ndarray,
    odds: np.ndarray,
    found: np.ndarray,
) -> None:
    """Raise own classes of units by their log odds times the share of the segment in each unit."""
    for segment in range(len(probabilities)):
        found[segment] = probabilities[segment]
        for k in range(starts[segment], starts[segment + 1]):
            share = pixels[k] / max(sizes[segment], 1)
            found[segment, own[units[k]]] *= np.exp(share * odds[units[k]])
        found[segment] /= found[segment].sum()


def _in_columns(values: np.ndarray, columns: np.ndarray, count: int) -> csr_array:
    """One value a row, each in its own column."""
    rows = np.arange(len(values))
    return coo_array((values, (rows, columns)), (len(values), count)).tocsr()
