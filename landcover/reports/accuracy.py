"""Scores of a class map, with intervals from resampling whole spatial blocks.

Everything is computed from confusion matrices, one a block: they add up, so a
whole tile is scored by windows, and a bootstrap resample is one weighted sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np

from landcover.errors import InputError, require_seed, require_whole
from landcover.legend import UNLABELLED, Legend, class_codes
from landcover.reports.records import (
    ClassName,
    ClassShares,
    Difference,
    Interval,
    OverallScores,
    Scores,
)
from landcover.reports.score_report import ScoreReport

#: The scores of a map, the leading one first.
METRICS = ("overall_accuracy", "balanced_accuracy", "macro_f1", "macro_jaccard", "kappa")
#: Scores by name, of one confusion matrix or of many.
Metrics: TypeAlias = dict[str, np.ndarray]

RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)
#: What lies outside a 95 % interval at either end.
_TAIL = 0.025


def score(
    reference: np.ndarray,
    predicted: np.ndarray,
    codes: Sequence[int] | None = None,
    blocks: np.ndarray | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    legend: Legend | None = None,
) -> Scores:
    """Score predicted classes against reference classes.

    Pixels whose reference is 0 (unlabelled) are left out. A pixel with a
    reference but without a prediction (0) is an error: it counts in class 0's
    column of the confusion matrix, which then leads the matrix.

    Parameters
    ----------
    reference, predicted : array of int, same shape
        Class codes; 0 = unlabelled.
    codes : sequence of int, optional
        Order of the confusion matrix; the codes that occur by default.
    blocks : array of int >= 0, same shape, optional
        Spatial block of each pixel. Neighbouring pixels are alike, so intervals
        that resample pixels are far too narrow; resampling blocks keeps what
        they share. Without blocks the pixels are taken as independent.
    seed : int
        Of the resampling.
    resamples : int
        Number of bootstrap resamples.
    legend : Legend, optional
        Gives classes their names.

    Returns
    -------
    dict
        As `score_confusions` gives it.

    Raises
    ------
    InputError
        If reference or predicted hold anything but class codes, `codes` name one twice or lack
        one, shapes differ, or no pixel has a reference.

    Examples
    --------
    >>> scores = score(np.array([211, 211, 512, 0]), np.array([211, 512, 512, 211]))
    >>> round(scores["overall_accuracy"], 3), scores["n_test"]
    (0.667, 3)
    >>> scores["confusion"]
    {'codes': [211, 512], 'matrix': [[1, 1], [0, 1]]}
    """
    reference, predicted = class_codes(reference, "reference"), class_codes(predicted, "predicted")
    _require_same_shape(reference, predicted, "predicted")
    require_seed(seed)
    require_whole("resamples", resamples, 0)
    labelled = reference != UNLABELLED
    held = np.union1d(reference[labelled], predicted[labelled])
    codes = [int(code) for code in (held if codes is None else codes)]
    if len(set(codes)) < len(codes):
        raise InputError(f"codes {codes} name a class twice; name each once")
    if UNLABELLED in held and UNLABELLED not in codes:
        codes = [UNLABELLED, *codes]
    if blocks is None:
        together = np.zeros(reference.shape, np.int64)
        total = block_confusion(reference, predicted, together, codes)
        scores = score_confusions(total, codes, seed, resamples, legend, independent=True)
        return cast("Scores", ScoreReport(scores))
    confusions = block_confusion(reference, predicted, blocks, codes)
    scores = score_confusions(confusions, codes, seed, resamples, legend)
    return cast("Scores", ScoreReport(scores))


def block_confusion(
    reference: np.ndarray, predicted: np.ndarray, blocks: np.ndarray, codes: Sequence[int]
) -> np.ndarray:
    """Confusion matrices, one a block.

    Parameters
    ----------
    reference, predicted : array of int, same shape
        Class codes; pixels with reference 0 are left out.
    blocks : array of int, same shape
        Block numbers from 0.
    codes : sequence of int
        Order of the matrices.

    Returns
    -------
    array of int64, (highest block + 1, classes, classes)
        Rows are the reference, columns the prediction.

    Raises
    ------
    InputError
        If shapes differ or a class is not in `codes`.
    """
    reference, predicted, blocks = (np.asarray(a) for a in (reference, predicted, blocks))
    _require_same_shape(reference, predicted, "predicted")
    _require_same_shape(reference, blocks, "blocks")
    labelled = reference != UNLABELLED
    rows = _positions(reference[labelled], codes, "reference")
    cols = _positions(predicted[labelled], codes, "predicted")
    n, classes = int(blocks.max(initial=-1)) + 1, len(codes)
    cells = (blocks[labelled].astype(np.int64) * classes + rows) * classes + cols
    return np.bincount(cells, minlength=n * classes**2).reshape(n, classes, classes)


def score_confusions(
    confusions: np.ndarray,
    codes: Sequence[int],
    seed: int = 0,
    resamples: int = RESAMPLES,
    legend: Legend | None = None,
    independent: bool = False,
) -> Scores:
    """Scores and 95 % percentile-bootstrap intervals from confusion matrices of blocks.

    As in scikit-learn, balanced accuracy (mean recall) averages over the classes
    that the reference holds, macro F1 and the macro Jaccard index over those that either side
    holds.
    Intervals resample blocks with replacement (Efron & Tibshirani 1993, ch. 13;
    blocks as units: Roberts et al. 2017, doi:10.1111/ecog.02881). A single
    block cannot tell how blocks vary, so its intervals are None, and so are those of a class that
    one block holds. Where all is right, or all wrong, resamples do not vary either: see `_exact`.

    Parameters
    ----------
    confusions : array of int, (blocks, classes, classes)
        From `block_confusion`.
    codes : sequence of int
        Class codes in the order of the matrices.
    seed, resamples : int
        Of the bootstrap.
    legend : Legend, optional
        Gives classes their names.
    independent : bool
        Resample pixels as if they were independent, instead of blocks.

    Returns
    -------
    dict
        ``n_test`` (pixels), ``n_blocks`` (None if independent), the `METRICS`, each with
        ``..._ci95`` [low, high] beside it, ``per_class`` {code: name, precision, recall, f1,
        jaccard, their intervals, support}, ``confusion`` {codes, matrix}. Shares are 0-1 (kappa
        -1 to 1); None where undefined.

    Raises
    ------
    InputError
        If no pixel is counted.
    """
    confusions = _occupied(confusions)
    total = confusions.sum(axis=0)
    if independent:
        drawn = _resampled_pixels(total, seed, resamples)
    else:
        drawn = _resampled_blocks(confusions, seed, resamples)
    point, spread = metrics_of(total), metrics_of(drawn)
    support = total.sum(axis=1)
    trials = _trials(confusions, independent)
    return {
        "n_test": int(total.sum()),
        "n_blocks": None if independent else len(confusions),
        **_overall_scores(point, spread, int(total.sum()) if independent else len(confusions)),
        "per_class": {
            str(code): {
                **class_name(code, legend),
                **_class_scores(position, trials, point, spread),
                "support": int(support[position]),
            }
            for position, code in enumerate(codes)
        },
        "confusion": {"codes": [int(c) for c in codes], "matrix": total.tolist()},
    }


def score_overall(confusions: np.ndarray, seed: int = 0) -> OverallScores:
    """The scores of all classes together, as `score_confusions` gives them of blocks."""
    confusions = _occupied(confusions)
    drawn = _resampled_blocks(confusions, seed, RESAMPLES)
    return _overall_scores(metrics_of(confusions.sum(axis=0)), metrics_of(drawn), len(confusions))


def paired_difference(
    confusions_a: np.ndarray,
    confusions_b: np.ndarray,
    metric: str = "overall_accuracy",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Difference:
    """How much better map a is than map b, both scored on the same blocks.

    Every resample draws the same blocks for both, so what makes a block hard
    for both cancels; the interval is narrower than the two maps' own suggest.

    Parameters
    ----------
    confusions_a, confusions_b : array of int, (blocks, classes, classes)
        Block for block from the same pixels.
    metric : str
        One of `METRICS`.
    seed, resamples : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``difference`` (a - b), ``ci95`` [low, high] or None with a single block,
        ``share_a_better``: share of resamples in which a beats b.

    Raises
    ------
    InputError
        If the blocks do not hold the same number of pixels.
    """
    if metric not in METRICS:
        raise InputError(f"metric {metric} is unknown; choose one of {', '.join(METRICS)}")
    support_a, support_b = confusions_a.sum(axis=(1, 2)), confusions_b.sum(axis=(1, 2))
    if not np.array_equal(support_a, support_b):
        raise InputError(
            "the two maps were not scored on the same pixels of the same blocks; "
            "score both on one split"
        )
    both = np.stack([confusions_a, confusions_b], axis=1)[support_a > 0]
    _require_pixels(both)
    drawn = metrics_of(_resampled_blocks(both, seed, resamples))[metric]
    point = metrics_of(both.sum(axis=0))[metric]
    differences = drawn[:, 0] - drawn[:, 1] if drawn.size else np.empty(0)
    interval = _percentiles(differences)
    return {
        "difference": finite(point[0] - point[1]),
        "ci95": interval,
        "share_a_better": float(np.mean(differences > 0)) if interval else None,
    }


def metrics_of(confusion: np.ndarray) -> Metrics:
    """Scores of confusion matrices (..., classes, classes), NaN where undefined.

    Overall accuracy; balanced accuracy; macro F1; the macro Jaccard index; Cohen's kappa (1960,
    doi:10.1177/001316446002000104), each of shape (...); and precision, recall, f1 and the
    Jaccard index (intersection over union) of every class, each (..., classes).
    """
    confusion = np.asarray(confusion, np.float64)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, claimed = confusion.sum(axis=-1), confusion.sum(axis=-2)
    n = support.sum(axis=-1)
    present = support > 0
    recall = _ratio(right, support)
    # A class that is claimed where there is none at all has F1 and Jaccard index 0, as in
    # scikit-learn. One that only a resample happens to miss gets no score there: 0 would depend on
    # the draw alone
    missed = ~present & present.any(axis=tuple(range(present.ndim - 1)))
    f1 = np.where(missed, np.nan, _ratio(2 * right, support + claimed))
    jaccard = np.where(missed, np.nan, _ratio(right, support + claimed - right))
    overall = _ratio(right.sum(axis=-1), n)
    chance = _ratio((support * claimed).sum(axis=-1), n**2)
    return {
        "overall_accuracy": overall,
        "balanced_accuracy": _mean_where(recall, present),
        "macro_f1": _mean_where(f1, ~np.isnan(f1)),
        "macro_jaccard": _mean_where(jaccard, ~np.isnan(jaccard)),
        "kappa": _ratio(overall - chance, 1 - chance),
        "precision": _ratio(right, claimed),
        "recall": recall,
        "f1": f1,
        "jaccard": jaccard,
    }


def _resampled_blocks(confusions: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Sums of blocks drawn with replacement, (resamples, ...); empty for fewer than two blocks."""
    blocks = len(confusions)
    if blocks < 2:
        return np.empty((0, *confusions.shape[1:]))
    rng = np.random.default_rng(seed)
    times_drawn = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)
    sums = times_drawn.astype(np.float64) @ confusions.reshape(blocks, -1).astype(np.float64)
    return sums.reshape(resamples, *confusions.shape[1:])


def _resampled_pixels(total: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Confusion matrices of as many pixels drawn independently, (resamples, classes, classes)."""
    n = int(total.sum())
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, total.ravel() / n, size=resamples).reshape(resamples, *total.shape)


def _occupied(confusions: np.ndarray) -> np.ndarray:
    """The blocks that hold a scored pixel; the others say nothing."""
    confusions = np.asarray(confusions)
    _require_pixels(confusions)
    return confusions[confusions.sum(axis=(1, 2)) > 0]


def _require_pixels(confusions: np.ndarray) -> None:
    if not confusions.any():
        raise InputError(
            "no labelled pixel to score; the test blocks need labels: "
            "use a label raster that covers them or another split"
        )


def _require_same_shape(reference: np.ndarray, other: np.ndarray, name: str) -> None:
    if reference.shape != other.shape:
        raise InputError(
            f"{name} has shape {other.shape} and reference {reference.shape}; "
            "both must hold the same pixels"
        )


def _positions(values: np.ndarray, codes: Sequence[int], name: str) -> np.ndarray:
    """Position of each class code in `codes`."""
    table = np.full(int(max(values.max(initial=0), max(codes, default=0))) + 1, -1, np.int64)
    table[list(codes)] = np.arange(len(codes))
    positions = table[values]
    if (positions < 0).any():
        unknown = ", ".join(str(v) for v in np.unique(values[positions < 0])[:8])
        raise InputError(
            f"{name} holds class {unknown}, which is not among the codes "
            f"{[int(c) for c in codes]}; add it or mask it"
        )
    return positions


def _trials(confusions: np.ndarray, independent: bool) -> dict[str, np.ndarray]:
    """How many blocks, or independent pixels, each score of each class rests on."""
    counts = confusions.sum(axis=0, keepdims=True) if independent else confusions
    support, claimed = counts.sum(axis=2), counts.sum(axis=1)
    right = np.diagonal(counts, axis1=1, axis2=2)
    union = support + claimed - right
    held = {"precision": claimed, "recall": support, "f1": union, "jaccard": union}
    return {
        name: (of_class if independent else of_class > 0).sum(axis=0)
        for name, of_class in held.items()
    }


def _overall_scores(point: Metrics, spread: Metrics, trials: int) -> OverallScores:
    """Scores of all classes together, with their intervals."""

    def interval(name: str, share: float) -> Interval:
        return _interval(spread[name], share, trials)

    overall, balanced, macro_f1, jaccard = (float(point[name]) for name in METRICS[:4])
    return {
        "overall_accuracy": overall,
        "overall_accuracy_ci95": interval("overall_accuracy", overall),
        "balanced_accuracy": balanced,
        "balanced_accuracy_ci95": interval("balanced_accuracy", balanced),
        "macro_f1": macro_f1,
        "macro_f1_ci95": interval("macro_f1", macro_f1),
        "macro_jaccard": jaccard,
        "macro_jaccard_ci95": interval("macro_jaccard", jaccard),
        "kappa": finite(point["kappa"]),
        "kappa_ci95": interval("kappa", np.nan),
    }


def _class_scores(
    position: int, trials: Mapping[str, np.ndarray], point: Metrics, spread: Metrics
) -> ClassShares:
    """Shares of one class of the report."""

    def interval(name: str) -> Interval:
        held = int(trials[name][position])
        return _interval(spread[name][:, position], point[name][position], held)

    return {
        "precision": finite(point["precision"][position]),
        "precision_ci95": interval("precision"),
        "recall": finite(point["recall"][position]),
        "recall_ci95": interval("recall"),
        "f1": finite(point["f1"][position]),
        "f1_ci95": interval("f1"),
        "jaccard": finite(point["jaccard"][position]),
        "jaccard_ci95": interval("jaccard"),
    }


def class_name(code: int, legend: Legend | None) -> ClassName:
    """The name of a class as a field of its scores; none where no legend tells it."""
    if code == UNLABELLED:
        return {"name": "No prediction"}
    return {} if legend is None else {"name": legend[code].name}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; NaN where whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def _mean_where(values: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the values in use."""
    return _ratio(np.where(use, values, 0).sum(axis=-1), use.sum(axis=-1))


def finite(value: float | np.ndarray) -> float | None:
    """A float that JSON can hold; None for one that is not defined."""
    return float(value) if np.isfinite(value) else None


def _interval(values: np.ndarray, point: float, trials: int) -> Interval:
    """95 % interval of a share from its resamples, or from its trials where these do not vary."""
    found = _percentiles(values)
    if found is None or found[0] < found[1]:
        return found
    return _exact(point, trials)


def _percentiles(values: np.ndarray) -> Interval:
    """95 % percentile interval of the resamples in which the score is defined."""
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = np.percentile(values, _PERCENTILES)
    return [float(low), float(high)]


def _exact(point: float, trials: int) -> Interval:
    """95 % interval of a share of 0 or 1, with its blocks, or independent pixels, as trials.

    Resamples of what is all right are all right too, however few they are drawn from. Each block
    counts as one trial, for its pixels go together (Clopper and Pearson 1934,
    doi:10.1093/biomet/26.4.404). None for one trial, which says nothing of others, and for any
    other share.

    >>> [round(end, 3) for end in _exact(1.0, 3)], _exact(1.0, 1)
    ([0.292, 1.0], None)
    """
    if trials < 2 or point not in (0, 1):
        return None
    least = float(_TAIL ** (1 / trials))
    return [least, 1.0] if point == 1 else [0.0, 1 - least]
