"""Change between two dates, from the class probabilities of both.

Two maps that are each wrong in one pixel of ten differ in almost one of five where nothing
changed. So change is not where two maps differ: it is where the probabilities of both dates say
so against the odds of change, and these odds are estimated from the same two dates.

The two dates count as two signs for whether a pixel changed. For the class of one that did not,
they do not: a model that is unsure of a pixel is unsure of it in the same way at both dates, and
multiplied, two equal doubts would make a rare class likely where each map says another. So what
stays has the mean of both dates' probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.files.rasters import valid_pixels
from landcover.legend import UNLABELLED, LandClass, Legend, Nomenclature

#: A smaller probability counts as this one. Otherwise a single wrong 0 would count as a change.
LEAST_PROBABILITY = 1e-3
#: Share of pixels that stay, to begin the estimation with.
STAY = 0.98
#: Rounds of the estimation, at most, and the sum of differences at which it has settled.
ROUNDS, SETTLED = 300, 1e-5
#: A half of a year denies a change where it finds the other class so many times as likely. At 1 the
#: unsure halves of a good model would leave out much of what changed.
DENIES = 2
#: What counts of a change that does not hold over the year. Not 0, so that where neighbours make it
#: change after all, its classes are known.
HELD_BACK = 1e-6
#: Distances of probabilities are kept so far from 0 and 1.
_TINY = 1e-6
#: How many degrees of likeness there are, as `radiometry.likeness` tells them.
LIKENESSES = 3
#: What the transitions of the whole scene count in those of one likeness, in pixels.
PRIOR_PIXELS = 50
#: A code of a change raster is twice two digits.
MOST_CLASSES = 99
#: Classes that stay are drawn with so much of their colour, on white.
PALE = 0.2


@dataclass(frozen=True)
class Transitions:
    """How often every class of the first date becomes every class of the second.

    Attributes
    ----------
    shares : array of float64, (classes, classes)
        Share of the pixels, from rows to columns; they add up to 1. Those of what stays are a
        means to the odds, and say little of how frequent classes are.
    odds : array of float32, (likenesses, classes, classes)
        Among pixels that look so much alike at both dates: their shares over what they would
        be if the dates had nothing to do with each other.
    apart : float, optional
        Of years: the `distance` of probabilities from which on they show change.
    """

    shares: np.ndarray
    odds: np.ndarray
    apart: float | None = None

    def rows(
        self,
        before: np.ndarray,
        after: np.ndarray,
        likeness: np.ndarray,
        halves: Halves | None = None,
    ) -> Iterator[np.ndarray]:
        """Probability of every class at both dates, one class of the first after another.

        All at once, many classes at many pixels would need far more memory.

        Parameters
        ----------
        before, after : array of float, (classes, pixels)
            Probabilities of the same pixels.
        likeness : array of int, (pixels,)
            How much alike each looks, a position in the `odds`.
        halves : Halves, optional
            Of years: change that does not hold in them counts as what stays.

        Yields
        ------
        array of float32, (classes, pixels)
            From one class of the first date to each of the second; all rows add up to 1 for each
            pixel, NaN where either date has none. What stays is spread over the classes by the
            mean of both dates' probabilities.
        """
        before, after = _floored(before), _floored(after)
        totals, becomes = np.zeros((2, *likeness.shape), np.float32)
        for i in range(len(before)):
            joint = self._joint(i, before, after, likeness)
            totals += joint.sum(axis=0)
            _hold(joint, i, halves)
            joint[i] = 0
            becomes += joint.sum(axis=0)
        stays = 1 - becomes / totals
        both = before.sum(axis=0) + after.sum(axis=0)
        for i, row in enumerate(before):
            joint = self._joint(i, before, after, likeness)
            _hold(joint, i, halves)
            joint /= totals
            joint[i] = stays * (row + after[i]) / both
            yield joint

    def _joint(
        self, i: int, before: np.ndarray, after: np.ndarray, likeness: np.ndarray
    ) -> np.ndarray:
        """What speaks for one class before and each after, (classes, pixels)."""
        joint = self._odds_of(i, likeness)
        joint *= after
        joint *= before[i]
        return joint

    def _odds_of(self, i: int, likeness: np.ndarray) -> np.ndarray:
        """Odds from one class to all at pixels, (classes, pixels)."""
        return np.take(self.odds[:, i].T, likeness, axis=1)

    def changed(
        self,
        before: np.ndarray,
        after: np.ndarray,
        likeness: np.ndarray,
        halves: Halves | None = None,
    ) -> np.ndarray:
        """Probability that the class changed, float32: 1 less the diagonal of the `rows`.

        Parameters are those of `rows`, of pixels in any shape.
        """
        before, after = _floored(before), _floored(after)
        total, becomes = np.zeros((2, *likeness.shape), np.float32)
        for i, j in np.ndindex(self.odds.shape[1:]):
            of_pair = self.odds[:, i, j][likeness] * before[i] * after[j]
            total += of_pair
            if i != j:
                becomes += of_pair if halves is None else of_pair * halves.hold(i, j)
        return becomes / total

    def shown(
        self,
        before: np.ndarray,
        after: np.ndarray,
        likeness: np.ndarray,
        halves: Halves | None = None,
    ) -> np.ndarray:
        """What a change map shows above 0.5: the probability of change, or of years more.

        Parameters are those of `changed`. The odds of classes take errors of both years for
        independent; but a model that learnt coarse labels is unsure of a pixel in the same way in
        both. So of years the distance of both probabilities counts too, which is 0 for two equal
        doubts: it gives 0.5 at `apart`, less what halves of the years deny of the change.
        """
        by_odds = self.changed(before, after, likeness, halves)
        if self.apart is None:
            return by_odds
        apart = distance(before, after)
        odds = apart / np.maximum(1 - apart, _TINY) * ((1 - self.apart) / self.apart)
        found = odds / (1 + odds)
        if halves is not None:
            whole = self.changed(before, after, likeness)
            found = found * (by_odds / np.maximum(whole, _TINY))
        return np.asarray(np.maximum(by_odds, found), np.float32)


def distance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far probabilities (classes, ...) lie apart, 0 to 1: Hellinger's distance, squared.

    >>> distance(np.array([0.5, 0.5]), np.array([0.5, 0.5])).item()
    0.0
    >>> distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])).item()
    1.0
    """
    return np.asarray(np.maximum(1 - np.sqrt(before * after).sum(axis=0), 0))


def distance_of_change(before: np.ndarray, after: np.ndarray, share: float) -> float:
    """The distance that just so large a share of pixels (classes, pixels) exceeds.

    The share is that of change, by `estimate_transitions`; how far apart the probabilities of
    change lie, the scene itself says.
    """
    apart = distance(before, after)
    apart = apart[np.isfinite(apart)]
    return float(np.clip(np.quantile(apart, 1 - np.clip(share, 0, 1)), _TINY, 1 - _TINY))


@dataclass(frozen=True)
class Halves:
    """Probabilities of two years by parts of their dates, to test whether change holds in each.

    Attributes
    ----------
    before, after : sequence of array of float, (classes, ...)
        Of the same pixels, an array a part; NaN where no date of a part sees a pixel.
    """

    before: Sequence[np.ndarray]
    after: Sequence[np.ndarray]

    def hold(self, i: int, j: int) -> np.ndarray:
        """What counts of a change from one class to another: 1 where it holds, and else next to 0.

        It holds unless a part of the first year finds class j `DENIES` times as likely as i, or a
        part of the second i as j. A part that does not see a pixel says nothing of it.

        >>> sure, unsure = np.array([[0.9], [0.1]]), np.array([[0.3], [0.7]])
        >>> Halves([sure, sure], [1 - sure]).hold(0, 1), Halves([sure, unsure], []).hold(0, 1)
        (array([1.], dtype=float32), array([1.e-06], dtype=float32))
        """
        held = np.ones(np.shape([*self.before, *self.after][0])[1:], bool)
        for part in self.before:
            held &= ~(DENIES * part[i] <= part[j])
        for part in self.after:
            held &= ~(DENIES * part[j] <= part[i])
        return np.where(held, np.float32(1), np.float32(HELD_BACK))

    def at(self, part: tuple[slice, ...], known: np.ndarray) -> Halves:
        """The known pixels of a part of a window, (classes, pixels)."""
        before, after = (
            [of_dates[:, *part][:, known] for of_dates in of_year]
            for of_year in (self.before, self.after)
        )
        return Halves(before, after)


def _hold(joint: np.ndarray, i: int, halves: Halves | None) -> None:
    """Hold back what changes from a class and does not hold in all parts of the years."""
    for j in range(len(joint) if halves is not None else 0):
        if i != j and halves is not None:
            joint[j] *= halves.hold(i, j)


def estimate_transitions(
    before: np.ndarray, after: np.ndarray, likeness: np.ndarray | None = None
) -> Transitions:
    """The transitions under which two dates' probabilities are most likely.

    With p and p' the probabilities of the dates and q their mean over the pixels of both, classes
    i and j have, by Bayes and as long as errors of the dates are independent, the probability::

        P(i, j)  ~  shares_ij / (q_i q_j) p_i p'_j

    where p / q stands for how well a class explains a pixel: one model gave both, and what it
    took for the frequency of a class is the same, also of a class that one date lacks. So the
    shares are the mean of P over the pixels, and P follows from them, in turn. The likelihood is
    concave in the shares, so where this begins does not matter. For two equal dates its maximum
    has no change at all: by the inequality of the means, no p_i p_j / (q_i q_j) gains on the
    classes that stay.

    Pixels that look alike change less often than those that do not, so each likeness has shares
    of its own; the shares of all pixels count there as `PRIOR_PIXELS` more.

    Parameters
    ----------
    before, after : array of float, (classes, pixels)
        Probabilities of the same pixels, a sample of the scene. Pixels with NaN are left out.
    likeness : array of int, (pixels,), optional
        How much alike each looks at both dates, below `LIKENESSES`; all the same by default.

    Returns
    -------
    Transitions

    Raises
    ------
    InputError
        If no pixel has probabilities at both dates.

    References
    ----------
    Bruzzone and Serpico 1997, doi:10.1109/36.602528, who estimate the same joint probabilities
    with densities in the place of p / q; Saerens, Latinne and Decaestecker 2002,
    doi:10.1162/089976602753284446, for probabilities of a classifier.

    Examples
    --------
    Two maps, each unsure everywhere, that differ in one pixel of five without a change.

    >>> before = np.array([[0.7, 0.7, 0.7, 0.3, 0.3], [0.3, 0.3, 0.3, 0.7, 0.7]])
    >>> after = before[:, [0, 1, 3, 3, 4]]
    >>> found = estimate_transitions(before, after)
    >>> (found.changed(before, after, np.zeros(5, int)) > 0.5).any()
    np.False_
    """
    known = valid_pixels(before) & valid_pixels(after)
    if not known.any():
        raise InputError(
            "the two dates have no pixel in common that both map; give maps that overlap"
        )
    before = _floored(before[:, known]).astype(np.float64)
    after = _floored(after[:, known]).astype(np.float64)
    means = (before.mean(axis=1) + after.mean(axis=1)) / 2
    before, after = before / means[:, np.newaxis], after / means[:, np.newaxis]
    apart = np.outer(means, means)
    start = STAY * np.diag(means) + (1 - STAY) * apart
    whole = _most_likely(before, after, start, 0 * start)
    if likeness is None:
        return Transitions(whole, (whole / apart).astype(np.float32)[np.newaxis])
    parts = [np.asarray(likeness)[known] == number for number in range(LIKENESSES)]
    shares = [
        _most_likely(before[:, part], after[:, part], start, PRIOR_PIXELS * whole) for part in parts
    ]
    total = np.average(shares, axis=0, weights=[part.mean() for part in parts])
    return Transitions(total, (np.array(shares) / apart).astype(np.float32))


def _most_likely(
    before: np.ndarray, after: np.ndarray, shares: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Shares of transitions by expectation and maximisation.

    `before` and `after` are probabilities over their means, `prior` numbers of pixels that are
    counted beside those given.
    """
    pixels = before.shape[1] + prior.sum()
    for _ in range(ROUNDS):
        likelihood = np.einsum("in,in->n", before, shares @ after)
        made = (shares * ((before / likelihood) @ after.T) + prior) / pixels
        moved, shares = np.abs(made - shares).sum(), made
        if moved < SETTLED:
            break
    return shares


def decide(
    joint: Iterable[np.ndarray], changed: np.ndarray, unchanged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest classes of both dates, given whether a pixel changed.

    Parameters
    ----------
    joint : (classes, pixels) of every class of the first date
        From `Transitions.rows`.
    changed : array of bool, (pixels,)
        Where the class differs.
    unchanged : array of int, (pixels,)
        Positions of the classes where it does not, from `classes_that_stay`.

    Returns
    -------
    before, after : array of int64, (pixels,)
        Positions of the classes: equal where nothing changed, else different.
    """
    before, after = np.zeros((2, changed.size), np.int64)
    likeliest = np.full(changed.size, -1.0, np.float32)
    for i, row in enumerate(joint):
        apart = np.array(row)
        apart[i] = -1
        best = apart.max(axis=0)
        likelier = best > likeliest
        before[likelier], likeliest[likelier] = i, best[likelier]
        after[likelier] = apart[:, likelier].argmax(axis=0)
    return np.where(changed, before, unchanged), np.where(changed, after, unchanged)


def classes_that_stay(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The class that each pixel has if it did not change: one that its map has at either date.

    Where the two maps differ, it is the one of their classes that is likelier at both dates
    together; a third class would be one that neither map shows.

    Parameters
    ----------
    before, after : array of float, (classes, pixels)
        Probabilities of both dates.

    Returns
    -------
    array of int64, (pixels,)
        Positions of the classes.

    Examples
    --------
    The mean is highest for the third class, which is the second choice of both maps.

    >>> classes_that_stay(np.array([[0.5], [0.1], [0.4]]), np.array([[0.0], [0.6], [0.4]]))
    array([1])
    """
    of_maps = np.sort([before.argmax(axis=0), after.argmax(axis=0)], axis=0)
    first, second = np.take_along_axis(before + after, of_maps, axis=0)
    return np.where(second > first, of_maps[1], of_maps[0])


def variance_together(probabilities: np.ndarray) -> np.ndarray:
    """Variance of a number of pixels whose errors go together entirely.

    Of pixels with probabilities p_1 >= p_2 >= ..., k are of the class when one common draw falls
    between p_(k+1) and p_k. Their expected square is the sum of (2k - 1) p_k. No dependence
    of pixels has a larger variance.

    Parameters
    ----------
    probabilities : array of float, (..., pixels)

    Returns
    -------
    array of float64, (...)

    Examples
    --------
    A field of 10 pixels, which is built over or not, and one that surely is.

    >>> variance_together(np.array([[0.5] * 10, [1.0] * 10])).tolist()
    [25.0, 0.0]
    """
    rising = np.sort(probabilities, axis=-1)
    k = np.arange(rising.shape[-1], 0, -1, dtype=np.float64)
    squares = np.einsum("...n,n->...", rising, 2 * k - 1)  # unlike @, in no copy of float64
    return np.maximum(squares - rising.sum(axis=-1, dtype=np.float64) ** 2, 0)


def coarser(
    probabilities: np.ndarray, legend: Legend, nomenclature: Nomenclature, level: int
) -> tuple[np.ndarray, Legend]:
    """Probabilities (classes, ...) and legend at the same or a coarser level; members add up.

    The legend is of classes of the nomenclature at its level.
    """
    codes = nomenclature.coarser(np.array(legend.codes), level)
    coarse = nomenclature.at(level).legend.subset(codes.tolist())
    sums = np.zeros((len(coarse), *probabilities.shape[1:]), probabilities.dtype)
    np.add.at(sums, coarse.index(codes), probabilities)
    return sums, coarse


def from_to(before: np.ndarray, after: np.ndarray, legend: Legend, official: Legend) -> np.ndarray:
    """Codes of a change raster from positions in the legend, uint16.

    A code is 100 times the first class and once the second, each by its place among the official
    classes of the level, from 1: at CORINE's level 3 that is its grid code. 1203 is arable land
    (12) that became industry (3); 1212 stayed arable.

    >>> official = Legend.corine()
    >>> from_to(np.array([0]), np.array([1]), official.subset([121, 211]), official).tolist()
    [312]
    """
    require_few(official)
    place = official.index(np.array(legend.codes)).astype(np.int64) + 1
    return (100 * place[before] + place[after]).astype(np.uint16)


def require_few(official: Legend) -> None:
    """Raise InputError if a code of a change raster cannot hold two classes of a legend."""
    if len(official) > MOST_CLASSES:
        raise InputError(
            f"a change raster holds pairs of at most {MOST_CLASSES} classes and the legend has "
            f"{len(official)}; compare at a coarser level= if it has one, or map fewer classes"
        )


def change_legend(codes: Iterable[int], official: Legend) -> Legend:
    """Names and colours of the codes of a change raster.

    What changed has the colour of its new class, what stayed a pale one of its own.

    >>> [c.name for c in change_legend([1203, 1212], Legend.corine()).classes]
    ['211 → 121 Industrial or commercial units', '211 Non-irrigated arable land, unchanged']
    """
    known = official.classes
    classes = []
    for code in sorted(set(codes) - {UNLABELLED}):
        before, after = known[code // 100 - 1], known[code % 100 - 1]
        if before == after:
            pale = tuple(round(255 - PALE * (255 - channel)) for channel in after.colour)
            name = f"{after.code} {after.name}, unchanged"
            classes.append(LandClass(code, name, (pale[0], pale[1], pale[2])))
        else:
            name = f"{before.code} → {after.code} {after.name}"
            classes.append(LandClass(code, name, after.colour))
    return Legend(tuple(classes))


def _floored(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities as float32, none below the least; NaN stays."""
    return np.maximum(probabilities, LEAST_PROBABILITY, dtype=np.float32)
