"""Which pixels become samples: how many of each class in each split, and which ones.

A scene is gone through twice, in strips of whole rows. The first time counts
the pixels that could be drawn; how many to draw is decided on the counts, and
which ones by their rank among their like, from the top left. The second time
picks them up. So every draw is exactly random without replacement, needs no
more memory than a strip, and does not depend on the height of the strips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.samples.blocks import SPLITS, TEST, TRAIN, VALIDATION
from landcover.samples.splits import FRACTIONS

METHODS = ("uniform", "stratified", "polygons")

#: Share of the test rows on which a random split is tried; the others may train it.
RANDOM_TEST_SHARE = 0.5

#: Fewer samples in a split say nothing.
MIN_SAMPLES = 10

NOT_DRAWN = 255


@dataclass(frozen=True)
class Draws:
    """How many samples to draw.

    Attributes
    ----------
    samples : array of int64 (3, classes)
        By split and class.
    random_test : array of int64 (classes,)
        How many of the test samples a random split would test on too.
    """

    samples: np.ndarray
    random_test: np.ndarray


def plan_draws(available: np.ndarray, samples: int, method: str, rng: np.random.Generator) -> Draws:
    """Decide how many samples of each class to draw in each split.

    Test samples are always uniform over their pixels, so that scores stand for
    shares of area.

    Parameters
    ----------
    available : array of int (3, classes)
        Pixels that may be drawn, by split and class.
    samples : int
        How many to draw in all; fewer where there are fewer pixels.
    method : str
        "uniform" draws all pixels alike, and so many in each split as it has
        pixels. "stratified" draws equally from every class for training and
        validation; what a class lacks is drawn from the others. "polygons" is
        uniform too. The last two give 60, 20 and 20 % to the splits.
    rng : numpy Generator
        Decides how many of each class a uniform draw meets.

    Raises
    ------
    InputError
        If the method is unknown or a split would get fewer than ten samples.

    Examples
    --------
    >>> available = np.array([[900, 100], [300, 30], [300, 40]])
    >>> draws = plan_draws(available, 500, "stratified", np.random.default_rng(0))
    >>> draws.samples.sum(axis=1)
    array([300, 100, 100])
    >>> draws.samples[1]
    array([70, 30])
    """
    if method not in METHODS:
        raise InputError(
            f"there is no sampling method {method!r}; the methods are {', '.join(METHODS)}"
        )
    available = np.asarray(available, np.int64)
    pixels = available.sum(axis=1)
    sizes = apportion(samples, pixels if method == "uniform" else np.array(FRACTIONS), pixels)
    for name, size, most in zip(SPLITS, sizes, pixels, strict=True):
        if size < MIN_SAMPLES:
            raise InputError(
                f"{name} would get {size} of {samples} samples ({most} pixels are there); each "
                f"split needs at least {MIN_SAMPLES}: ask for more samples or give more labels"
            )
    among = _equal if method == "stratified" else _uniform
    drawn = np.stack(
        [
            among(sizes[TRAIN], available[TRAIN], rng),
            among(sizes[VALIDATION], available[VALIDATION], rng),
            _uniform(sizes[TEST], available[TEST], rng),
        ]
    )
    return Draws(drawn, np.ceil(RANDOM_TEST_SHARE * drawn[TEST]).astype(np.int64))


def apportion(total: int, weights: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Whole numbers in proportion to weights and within limits, that make `total`.

    What a limit cuts off goes to the others; less than `total` comes out only
    when all limits are reached.

    >>> apportion(100, np.array([1, 1, 2]), np.array([1000, 10, 1000]))
    array([30, 10, 60])
    """
    limits = np.asarray(limits, np.int64)
    result = np.zeros(len(limits), np.int64)
    total = min(int(total), int(limits.sum()))
    open_ = (limits > 0) & (np.asarray(weights) > 0)
    while open_.any():
        exact = np.where(open_, weights, 0) * (
            (total - result[~open_].sum()) / weights[open_].sum()
        )
        full = open_ & (exact >= limits)
        if not full.any():
            break
        result[full] = limits[full]
        open_ &= ~full
    if open_.any():
        floors = np.floor(exact[open_]).astype(np.int64)
        left = total - result[~open_].sum() - floors.sum()
        most = np.argsort(floors - exact[open_], kind="stable")[:left]
        floors[most] += 1
        result[open_] = floors
    return result


def _equal(total: int, available: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """Equal numbers of each class, as far as there are pixels."""
    return apportion(total, np.ones(len(available)), available)


def _uniform(total: int, available: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers that a draw without replacement from all pixels meets."""
    total = min(int(total), int(available.sum()))
    return rng.multivariate_hypergeometric(available, total, method="marginals")


class Picker:
    """Picks the pixels of planned draws out of strips, from the top of the scene down.

    Parameters
    ----------
    available : array of int (3, classes)
        Pixels of each stratum in the whole scene: the strips will hold exactly
        as many.
    draws : Draws
        How many of them to draw.
    rng : numpy Generator
        Decides which.
    """

    def __init__(self, available: np.ndarray, draws: Draws, rng: np.random.Generator) -> None:
        marked_of = np.zeros_like(draws.samples)
        marked_of[TEST] = draws.random_test
        self._ranks: list[np.ndarray] = []
        self._marks: list[np.ndarray] = []
        for pixels, wanted, marked in zip(
            available.ravel(), draws.samples.ravel(), marked_of.ravel(), strict=True
        ):
            self._ranks.append(np.sort(rng.choice(pixels, wanted, replace=False, shuffle=False)))
            self._marks.append(rng.permutation(wanted) < marked)
        self._seen = np.zeros(len(self._ranks), np.int64)

    def pick(self, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picks of the next strip.

        Parameters
        ----------
        strata : array of uint8 (rows, cols)
            ``split * classes + class`` of each pixel of whole rows; 255 for
            pixels that may not be drawn.

        Returns
        -------
        rows, cols : arrays of int64
            In the strip, row by row.
        random_test : array of bool
            Test samples that a random split would test on too.
        """
        counts = np.stack([np.bincount(row, minlength=NOT_DRAWN + 1) for row in strata])
        starts = counts.cumsum(axis=1) - counts  # where each stratum begins in a sorted row
        until = counts[:, : len(self._seen)].cumsum(axis=0)
        picked = [np.zeros((2, 0), np.int64)]
        marks = [np.zeros(0, bool)]
        for stratum in np.flatnonzero(until[-1]):
            seen, ranks = self._seen[stratum], self._ranks[stratum]
            first, end = np.searchsorted(ranks, (seen, seen + until[-1, stratum]))
            ranks = ranks[first:end] - seen
            rows = np.searchsorted(until[:, stratum], ranks, side="right")
            in_row = ranks - until[rows, stratum] + counts[rows, stratum]
            picked.append(np.stack([rows, starts[rows, stratum] + in_row]))
            marks.append(self._marks[stratum][first:end])
        self._seen += until[-1]
        rows, cols = np.concatenate(picked, axis=1)
        order = np.argsort(rows, kind="stable")
        rows, cols = rows[order], cols[order]
        for row in np.unique(rows):
            here = slice(*np.searchsorted(rows, (row, row + 1)))
            # row by row: so much stays in the processor's cache
            cols[here] = np.argsort(strata[row], kind="stable")[cols[here]]
        final = np.lexsort((cols, rows))
        return rows[final], cols[final], np.concatenate(marks)[order][final]


def strata_of(usable: np.ndarray, classes: np.ndarray, number: int) -> np.ndarray:
    """Stratum of each pixel, uint8 as `Picker` takes it.

    Parameters
    ----------
    usable : array of uint8 (rows, cols)
        0 for not usable, else 1 + split.
    classes : array of int (rows, cols)
        Class index, -1 for none.
    number : int
        How many classes there are.

    >>> strata_of(np.array([[0, 1, 2, 3]]), np.array([[1, -1, 0, 1]]), 2)
    array([[255, 255,   2,   5]], dtype=uint8)
    """
    if 3 * number > NOT_DRAWN:
        raise InputError(
            f"{number} classes are too many to sample, at most {NOT_DRAWN // 3} can be; prepare "
            "the run at a coarser level (landcover prep --level N), or join classes"
        )
    strata = (usable.astype(np.int16) - 1) * number + classes
    return np.where((usable > 0) & (classes >= 0), strata, NOT_DRAWN).astype(np.uint8)


def class_weights(labels: np.ndarray) -> dict[int, float]:
    """Weights under which every class counts alike: samples / (classes x samples of the class).

    Parameters
    ----------
    labels : array of int
        Class codes, or positions in a legend, of the rows that are trained on
        and of no others.

    Returns
    -------
    dict of int to float
        Their mean over the rows is 1.

    Examples
    --------
    >>> class_weights(np.array([211, 211, 211, 512]))
    {211: 0.6666666666666666, 512: 2.0}
    """
    codes, counts = np.unique(np.asarray(labels), return_counts=True)
    weights = len(labels) / (len(codes) * counts)
    return {int(code): float(weight) for code, weight in zip(codes, weights, strict=True)}
