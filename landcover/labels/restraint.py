"""How far refined labels may go from the labels that they refine.

Labels drawn as areas are wrong in detail, seldom in amount: what lies scattered in other areas is
lost, and what encloses others gains. A class whose area changes beyond that was not refined but
mistaken for another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: A class that the image shows well keeps at least this share of its labelled area, and gets at
#: most so many times it. CORINE's units are areas of 25 ha that are at least 85 % right (CLC
#: technical guidelines). True areas over labelled ones on land of known truth are in
#: docs/label_noise.md.
LEAST, MOST = 0.5, 3.0
#: A class that labels hold on less than this share of the scene may grow as if it were this.
TRACE = 0.01
_ROUNDS = 20


def bounds(labelled: np.ndarray, trust: npt.ArrayLike = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest areas that classes may have.

    Parameters
    ----------
    labelled : array of float (classes,)
        Labelled areas.
    trust : array of float (classes,)
        How far each class may be refined, 0 (not at all) to 1.

    Examples
    --------
    >>> least, most = bounds(np.array([900.0, 99.0, 1.0]), [1, 0.5, 1])
    >>> least.tolist(), most.tolist()
    ([450.0, 74.25, 0.5], [2700.0, 198.0, 30.0])
    """
    trust = np.asarray(trust)
    least = (1 - (1 - LEAST) * trust) * labelled
    most = (1 + (MOST - 1) * trust) * np.maximum(labelled, trust * TRACE * labelled.sum())
    return least, most


def shifts_within(
    probabilities: np.ndarray, sizes: np.ndarray, least: np.ndarray, most: np.ndarray
) -> np.ndarray:
    """What brings the area of every class within bounds, where each row is its likeliest class.

    Each class that would hold too little or too much is made likelier or less likely everywhere
    by one factor, until it holds what it may. So the rows that change are those that were
    nearest to another class.

    Parameters
    ----------
    probabilities : array of float (rows, classes)
        Probabilities of classes, of segments or of pixels; 0 for one that a row may not become.
    sizes : array of float (rows,)
        Areas; 0 for rows that count for nothing.
    least, most : array of float (classes,)
        Bounds of the area of each class, in the unit of `sizes`.

    Returns
    -------
    array of float (classes,)
        Logarithms of factors. Where a row is the class whose probability times its factor is
        largest, areas keep the bounds to one row, where a choice can do that. Of few large rows,
        what one class is given may be taken from the next without end: then the best factors of
        `_ROUNDS` rounds are returned.

    Examples
    --------
    >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    >>> shifts = shifts_within(sure, np.ones(4), np.array([0, 1.0]), np.array([4, 4.0]))
    >>> (np.log(sure) + shifts).argmax(axis=1)
    array([0, 0, 0, 1])
    """
    with np.errstate(divide="ignore"):
        scores = np.log(probabilities)
    shifts = np.zeros(scores.shape[1])
    best, least_wrong = shifts, np.inf
    for _ in range(_ROUNDS + 1):  # the last is judged, too
        areas = np.bincount(scores.argmax(axis=1), sizes, minlength=scores.shape[1])
        wrong = np.maximum(least - areas, areas - most)
        if wrong.max() < least_wrong:
            best, least_wrong = shifts.copy(), wrong.max()
        changed = False
        for position in np.argsort(-wrong)[: np.count_nonzero(wrong > 0)]:
            shift = _shift(scores, sizes, position, least[position], most[position])
            scores[:, position] += shift
            shifts[position] += shift
            changed |= shift != 0
        if not changed:
            return shifts
    return best


def _shift(
    scores: np.ndarray, sizes: np.ndarray, position: int, least: float, most: float
) -> float:
    """What is to be added to the scores of one class to bring its area within bounds."""
    lacks = np.delete(scores, position, axis=1).max(axis=1) - scores[:, position]
    possible = np.flatnonzero(np.isfinite(lacks) & (sizes > 0))
    nearest = possible[np.argsort(lacks[possible], kind="stable")]
    held = np.cumsum(sizes[nearest])
    now = float(sizes[nearest][lacks[nearest] < 0].sum())
    if least <= now <= most or not len(nearest):
        return 0.0
    kept = int(np.searchsorted(held, least)) + 1 if now < least else _whole(held, most)
    kept = min(kept, len(nearest))
    ends = np.concatenate([[lacks[nearest[0]] - 2], lacks[nearest], [lacks[nearest[-1]] + 2]])
    return float((ends[kept] + ends[kept + 1]) / 2)


def _whole(held: np.ndarray, most: float) -> int:
    """How many of the sizes that were added up fit."""
    return int(np.searchsorted(held, most, side="right"))
