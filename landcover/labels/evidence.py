"""What the image says of each class where its judge has not learnt, over blocks left out in turn.

A model repeats the labels that it has learnt, so agreement with those proves nothing. Forests that
have seen other blocks only show whether the image tells a class from other land at all. The core
of a class's areas is asked, away from borders, where coarse labels are seldom wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Widths of the squares around a pixel whose means and deviations the forests see, in pixels.
WIDTHS = (3, 7, 15)
#: Blocks are left out in so many groups.
FOLDS = 5
#: Trees of the forest that sees the other groups.
TREES = 100
#: Samples that the forests learn from, at most: more change no verdict.
ENOUGH = 20_000
#: Shares of pairs in which the core of a class ranks above other land: up to the first the image
#: hardly shows the class, from the second it shows it well. Chance is one half; kinds of one cover,
#: such as two grasslands, reach about 0.65.
HARDLY, WELL = 0.65, 0.9
#: With fewer blocks, or samples in its core, a class cannot be judged in blocks left out.
LEAST_BLOCKS, LEAST_SAMPLES = FOLDS, 100
#: With fewer segments of its own a class has nothing to be recognised by.
LEAST_SEGMENTS = 30


@dataclass(frozen=True)
class ClassEvidence:
    """What is known of one class.

    Attributes
    ----------
    segments : int
        Small segments most of whose pixels carry its label.
    samples, blocks : int
        Samples in the core of its areas, and the blocks that they lie in.
    auc : float, optional
        Share of pairs of a core sample of the class and one of another in which the former is
        ranked first, in blocks left out; None where it cannot be judged so.
    """

    segments: int
    samples: int
    blocks: int
    auc: float | None

    @property
    def trust(self) -> float:
        """How far the class may be refined, 0 (its labels stay) to 1.

        A class that cannot be judged in blocks left out is held by its area alone
        (`labels.restraint`).
        """
        if self.segments < LEAST_SEGMENTS:
            return 0.0
        if self.auc is None:
            return 1.0
        return min(1.0, max(0.0, (self.auc - HARDLY) / (WELL - HARDLY)))


def surroundings(chips: np.ndarray) -> np.ndarray:
    """What lies around samples: values, and means and deviations over squares of three widths.

    Parameters
    ----------
    chips : array of float (samples, rows, cols, bands)
        Squares of the widest of `WIDTHS` around samples; NaN without data.

    Returns
    -------
    array of float32 (samples, bands * 7)

    Examples
    --------
    >>> surroundings(np.ones((2, 15, 15, 4))).shape
    (2, 28)
    """
    middle, bands = chips.shape[1] // 2, chips.shape[-1]
    columns = [chips[:, middle, middle]]
    for width in WIDTHS:
        near = slice(middle - width // 2, middle + width // 2 + 1)
        square = chips[:, near, near].reshape(len(chips), -1, bands)
        known = np.isfinite(square)
        count = np.maximum(known.sum(axis=1), 1)
        mean = np.where(known, square, 0).sum(axis=1) / count
        away = np.where(known, square - mean[:, np.newaxis], 0)
        columns += [mean, np.sqrt(np.square(away).sum(axis=1) / count)]
    return np.nan_to_num(np.concatenate(columns, axis=1)).astype(np.float32)


def drawn(part: np.ndarray) -> np.ndarray:
    """The samples that are asked: all of `part`, or `ENOUGH` of them drawn, in order.

    >>> len(drawn(np.arange(30_000))), drawn(np.array([7, 3]))
    (20000, array([3, 7]))
    """
    return np.sort(np.random.default_rng(0).permutation(part)[:ENOUGH])


def out_of_fold(
    values: np.ndarray, labels: np.ndarray, blocks: np.ndarray, classes: int
) -> np.ndarray:
    """Probabilities of labels from random forests that have seen other blocks only.

    Parameters
    ----------
    values : array of float (samples, inputs)
        What the forests see.
    labels : array of int (samples,)
        Positions of classes.
    blocks : array of int (samples,)
        Spatial blocks, two at least; folds never part one.
    classes : int
        How many classes there are.

    Returns
    -------
    array of float64 (samples, classes)
        0 for classes that the other blocks do not hold.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold

    found = np.zeros((len(labels), classes))
    folds = GroupKFold(min(FOLDS, len(np.unique(blocks))))
    for seen, rest in folds.split(values, labels, blocks):
        forest = RandomForestClassifier(TREES, min_samples_leaf=5, n_jobs=-1, random_state=0)
        forest.fit(values[seen], labels[seen])
        found[rest[:, np.newaxis], forest.classes_] = forest.predict_proba(values[rest])
    return found


def evidence(
    probabilities: np.ndarray,
    labels: np.ndarray,
    core: np.ndarray,
    blocks: np.ndarray,
    segments: Sequence[int],
) -> list[ClassEvidence]:
    """What is known of each class, from probabilities of `out_of_fold`.

    Parameters
    ----------
    probabilities : array of float (samples, classes)
        Of labels, out of fold.
    labels : array of int (samples,)
        Positions of classes.
    core : array of bool (samples,)
        Samples away from borders between labels.
    blocks : array of int (samples,)
        Spatial blocks.
    segments : sequence of int (classes,)
        Small segments of each class.

    Returns
    -------
    list of ClassEvidence
        One a class.
    """
    from sklearn.metrics import roc_auc_score

    labels, blocks, ranks = labels[core], blocks[core], probabilities[core]
    found = []
    for position, count in enumerate(segments):
        own = labels == position
        samples, places = int(own.sum()), len(np.unique(blocks[own]))
        judged = samples >= LEAST_SAMPLES and places >= LEAST_BLOCKS and not own.all()
        auc = float(roc_auc_score(own, ranks[:, position])) if judged else None
        found.append(ClassEvidence(int(count), samples, places, auc))
    return found


def found_cores(probabilities: np.ndarray, labels: np.ndarray, core: np.ndarray) -> float:
    """Mean share over classes of their core samples that are found, 0 to 1.

    Every class counts the same, so nothing is gained by giving a rare class away to a common one.

    Parameters
    ----------
    probabilities : array of float (samples, classes)
        From `out_of_fold`, of whatever was learnt.
    labels : array of int (samples,)
        Positions of classes that labels have.
    core : array of bool (samples,)
        Samples away from borders between labels.

    Examples
    --------
    >>> found_cores(np.eye(2)[[0, 0, 0, 0, 1, 0]], np.array([0, 0, 0, 0, 1, 1]), np.ones(6, bool))
    0.75
    """
    labels, found = labels[core], probabilities[core].argmax(axis=1)
    shares = [float((found[labels == k] == k).mean()) for k in np.unique(labels)]
    return float(np.mean(shares)) if shares else 0.0
