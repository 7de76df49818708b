"""Scores of labels of which an image has several, with intervals from resampling the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landcover.legend import Legend
from landcover.reports.records import Interval

#: A class is said to be on an image from that probability on.
THRESHOLD = 0.5
RESAMPLES = 200

METRICS = ("macro_ap", "micro_ap", "macro_f1", "micro_f1")
CLASS_METRICS = ("average_precision", "precision", "recall", "f1")


def tag_scores(
    truth: np.ndarray,
    probabilities: np.ndarray,
    legend: Legend,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, object]:
    """How well probabilities of several classes an image find the classes that are there.

    Average precision, the sum of (R_k - R_(k-1)) P_k over the distinct probabilities k in falling
    order, goes by the order of the probabilities, F1 by `THRESHOLD`. Macro means average over the
    classes that occur in `truth`; micro ones take every pair of image and class alike. As in
    scikit-learn, the precision of a class that is never named is 0.

    Parameters
    ----------
    truth : array of 0 or 1 (images, classes)
        Classes of each image.
    probabilities : array of float (images, classes)
        Probabilities.
    legend : Legend
        The classes.
    seed, resamples : int
        Of the 95 % percentile bootstrap (Efron & Tibshirani 1993, ch. 13), which draws images as
        if they were independent. A resample averages over the classes that occur in it.

    Returns
    -------
    dict
        ``n_test``, ``threshold``, the four `METRICS`, and ``per_class`` {code: name,
        `CLASS_METRICS`, support}, each score with ``..._ci95`` [low, high] beside it; scores of
        a class that does not occur are None.

    Examples
    --------
    >>> legend = Legend.corine(3).subset([211, 512])
    >>> scores = tag_scores(np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.6], [0.8, 0.2]]), legend)
    >>> scores["macro_ap"], round(scores["micro_f1"], 3)
    (0.75, 0.667)
    """
    ranked = _Ranked.of(truth, probabilities)
    rng = np.random.default_rng(seed)
    n = len(truth)
    point = ranked.scores(np.ones(n, np.int64))
    resampled = [
        ranked.scores(np.bincount(rng.integers(n, size=n), minlength=n)) for _ in range(resamples)
    ]
    drawn = {key: np.stack([scores[key] for scores in resampled]) for key in point}
    support = truth.sum(axis=0)
    result: dict[str, object] = {"n_test": n, "threshold": THRESHOLD}
    result |= _fields(METRICS, 0, point, drawn)
    result["per_class"] = {
        str(land_class.code): {
            "name": land_class.name,
            **_fields(CLASS_METRICS, place, point, drawn),
            "support": int(support[place]),
        }
        for place, land_class in enumerate(legend.classes)
    }
    return result


@dataclass(frozen=True)
class _Ranking:
    """Pairs of image and class from the highest probability down.

    Attributes
    ----------
    images, hits : arrays (pairs,)
        Image of each pair, and whether the class is there.
    ends : array of int
        Places of the last pair of every distinct probability.
    """

    images: np.ndarray
    hits: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, probabilities: np.ndarray) -> _Ranking:
        order = np.argsort(-probabilities, axis=None, kind="stable")
        ranked = probabilities.ravel()[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        return cls(order // probabilities.shape[1], truth.ravel()[order], ends)

    def average_precision(self, times: np.ndarray) -> float:
        """With every image counted so many times; NaN if no class is there."""
        drawn = times[self.images]
        named = np.cumsum(drawn)[self.ends]
        right = np.cumsum(drawn * self.hits)[self.ends]
        if not right[-1]:
            return np.nan
        return float((np.diff(right, prepend=0) * right / np.maximum(named, 1)).sum() / right[-1])


@dataclass(frozen=True)
class _Ranked:
    """What scores need of all pairs, sorted and thresholded once.

    Attributes
    ----------
    alone, together : rankings
        Of every class for itself, and of all pairs.
    cells : array of float (images, 3 classes)
        Named and there, named, there.
    """

    alone: list[_Ranking]
    together: _Ranking
    cells: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, probabilities: np.ndarray) -> _Ranked:
        named = probabilities >= THRESHOLD
        columns = [slice(place, place + 1) for place in range(truth.shape[1])]
        return cls(
            [_Ranking.of(truth[:, column], probabilities[:, column]) for column in columns],
            _Ranking.of(truth, probabilities),
            np.hstack([named * truth, named, truth]).astype(np.float64),
        )

    def scores(self, times: np.ndarray) -> dict[str, np.ndarray]:
        """Scores by class, (classes,), and overall, (1,); NaN where undefined."""
        right, named, there = (times @ self.cells).reshape(3, -1)
        occurs = np.where(there > 0, 1.0, np.nan)
        f1 = occurs * 2 * right / np.maximum(named + there, 1)
        precisions = np.array([ranking.average_precision(times) for ranking in self.alone])
        overall = (
            _mean(precisions),
            self.together.average_precision(times),
            _mean(f1),
            2 * right.sum() / max((named + there).sum(), 1),
        )
        by_class = (
            precisions,
            occurs * right / np.maximum(named, 1),
            occurs * right / np.maximum(there, 1),
            f1,
        )
        return dict(zip(CLASS_METRICS, by_class, strict=True)) | {
            key: np.array([value]) for key, value in zip(METRICS, overall, strict=True)
        }


def _mean(values: np.ndarray) -> float:
    """Of the values that are defined."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _fields(
    keys: Sequence[str], place: int, point: dict[str, np.ndarray], drawn: dict[str, np.ndarray]
) -> dict[str, float | Interval]:
    """Scores as reports hold them, each with its interval; None where undefined."""
    found: dict[str, float | Interval] = {}
    for key in keys:
        value, spread = point[key][place], drawn[key][:, place]
        spread = spread[np.isfinite(spread)]
        found[key] = float(value) if np.isfinite(value) else None
        bounds = np.percentile(spread, (2.5, 97.5)).tolist() if len(spread) else None
        found[f"{key}_ci95"] = bounds
    return found
