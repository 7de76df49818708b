"""Probabilities against what happens: reliability, and the temperature that mends most of it.

A class that is given 80 % should be right in eight of ten such cases. Networks and forests
miss that, mostly by one common factor in the logarithms of their probabilities; one number,
the temperature, takes it out and leaves every label as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from landcover.errors import LandcoverError

#: Bins of confidence, as many as Guo et al. take.
BINS = 15
#: Smaller probabilities count as this: forests give exact zeros, which have no logarithm.
FLOOR = 1e-6
#: Temperatures that are looked at. Where every row is right the best one would be 0.
_RANGE = (0.05, 20.0)


def tempered(probabilities: np.ndarray, temperature: float, axis: int = -1) -> np.ndarray:
    """Probabilities at another temperature: p ** (1 / T), made to add up to 1 again.

    Above 1 they come closer together, below 1 they part. The order of classes stays, up to
    rounding, so labels are taken from the probabilities as the model gives them.

    Parameters
    ----------
    probabilities : array of float
        Classes along `axis`. Below `FLOOR` they count as that. NaN stays NaN.
    temperature : float
        T > 0. At 1 the probabilities are returned as they are.
    axis : int
        Axis of the classes.

    Returns
    -------
    array of the same shape and type

    Raises
    ------
    LandcoverError
        If the temperature is not positive and finite.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599, section 4.2. With p the softmax of logits z,
    p ** (1 / T) made to add up to 1 is the softmax of z / T.

    Examples
    --------
    >>> tempered(np.array([0.8, 0.2]), 2.0).round(3).tolist()
    [0.667, 0.333]
    """
    require_temperature(temperature)
    if temperature == 1:
        return probabilities
    logs = np.log(np.maximum(probabilities, FLOOR))
    logs -= logs.max(axis=axis, keepdims=True)
    logs /= temperature
    shares = np.exp(logs, out=logs)
    shares /= shares.sum(axis=axis, keepdims=True)
    return shares


def require_temperature(temperature: Any) -> None:
    """Raise LandcoverError unless it is a positive, finite number."""
    number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not (number and 0 < temperature < np.inf):
        raise LandcoverError(
            f"temperature {temperature!r} is not a positive number; "
            "1 leaves probabilities as they are"
        )


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The temperature under which targets are most likely.

    Minimises the mean negative log-likelihood of rows that the model did not learn from. It
    is convex in 1 / T, so there is one minimum.

    Parameters
    ----------
    probabilities : array of float, (rows, classes)
    targets : array of int, (rows,)
        Positions of the right classes. Rows with -1, a class that the model does not have,
        say nothing of a temperature and are left out.

    Returns
    -------
    float
        0.05 to 20, to four decimals; 1 where no row is left.

    Examples
    --------
    Three of four right at 90 % is too sure of itself; 75 % is 90 % at twice the temperature.

    >>> fit_temperature(np.tile([0.9, 0.1], (4, 1)), np.array([0, 0, 0, 1]))
    2.0
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    rows = np.flatnonzero(np.asarray(targets) >= 0)
    if not len(rows):
        return 1.0
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64)[rows], FLOOR))
    right = logs[np.arange(len(rows)), np.asarray(targets)[rows]]

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        return float(np.mean(logsumexp(factor * logs, axis=1) - factor * right))

    found = minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded", options={"xatol": 1e-7})
    return round(float(np.exp(found.x)), 4)


def reliability(
    confidence: np.ndarray, right: np.ndarray, bins: int = BINS, equal: str = "width"
) -> list[dict[str, float]]:
    """How often predictions are right, by how sure of themselves they are.

    Parameters
    ----------
    confidence : array of float, (rows,)
        Probabilities, 0 to 1.
    right : array of bool, (rows,)
        Whether each came true.
    bins : int
        Number of bins.
    equal : {"width", "mass"}
        Bins of equal width between 0 and 1, or between quantiles, so that they hold equally
        many rows; equal confidences always fall into one bin. The upper edge belongs to a bin.

    Returns
    -------
    list of dict
        ``confidence`` (mean), ``accuracy`` (share that is right) and ``n`` of every bin that
        holds a row, from low to high.

    Raises
    ------
    LandcoverError
        If shapes differ, there is no bin, or `equal` is neither of the two.

    Examples
    --------
    >>> for found in reliability(np.array([0.75, 0.75, 0.25]), np.array([1, 0, 1]), bins=2):
    ...     print(found)
    {'confidence': 0.25, 'accuracy': 1.0, 'n': 1}
    {'confidence': 0.75, 'accuracy': 0.5, 'n': 2}
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, bool)
    if confidence.shape != right.shape or bins < 1:
        raise LandcoverError(
            f"{bins} bins of confidences of shape {confidence.shape} and outcomes of shape "
            f"{right.shape} cannot be made; give one outcome a confidence, and one bin at least"
        )
    edges = np.linspace(0, 1, bins + 1)
    if equal == "mass":
        edges = np.quantile(confidence, edges) if len(confidence) else edges
    elif equal != "width":
        raise LandcoverError(f"bins of equal {equal!r} are unknown; choose width or mass")
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    n = np.bincount(place, minlength=bins)
    held = np.flatnonzero(n)
    means = (np.bincount(place, of, bins)[held] / n[held] for of in (confidence, right))
    names = ("confidence", "accuracy", "n")
    columns = (*(mean.tolist() for mean in means), n[held].tolist())
    return [dict(zip(names, found, strict=True)) for found in zip(*columns, strict=True)]


def calibration_error(bins: list[dict[str, float]]) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy, weighted by rows.

    Guo et al. 2017, arXiv:1706.04599, equation 3; bins are those of `reliability`.

    >>> calibration_error([{"confidence": 0.9, "accuracy": 0.5, "n": 1},
    ...                    {"confidence": 0.6, "accuracy": 0.6, "n": 3}])
    0.1
    """
    n = sum(b["n"] for b in bins)
    return sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / n


def classwise_error(probabilities: np.ndarray, targets: np.ndarray, bins: int = BINS) -> float:
    """Calibration error of every class's probability, winner or not; the mean over classes.

    Kull et al. 2019, arXiv:1910.12656, section 2. Parameters are those of `measures`.
    """
    targets = np.asarray(targets)
    errors = [
        calibration_error(reliability(probabilities[:, k], targets == k, bins))
        for k in range(probabilities.shape[1])
    ]
    return float(np.mean(errors))


def brier_score(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean squared distance of probabilities from what came true, summed over classes: 0 to 2.

    Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2. Unlike calibration errors
    it also rewards telling classes apart. Parameters are those of `measures`; what came true
    where a target is -1 is a class of probability 0.

    >>> round(brier_score(np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1])), 2)
    0.68
    """
    shares = np.asarray(probabilities, np.float64)
    targets = np.asarray(targets)
    right = np.where(targets >= 0, shares[np.arange(len(shares)), targets], 0)
    return float(np.mean((shares**2).sum(axis=1) - 2 * right + 1))


def measures(probabilities: np.ndarray, targets: np.ndarray, temperature: float) -> dict[str, Any]:
    """What a report says of a model's probabilities, before and after its temperature.

    Parameters
    ----------
    probabilities : array of float, (rows, classes)
        As the model gives them; a row at least.
    targets : array of int, (rows,)
        Positions of the right classes; -1 is a class that the model does not have, so
        whatever it says there is wrong.
    temperature : float
        Of the model.

    Returns
    -------
    dict
        ``n`` (rows); ``ece``, ``ece_equal_mass``, ``classwise_ece`` and ``brier`` with the
        temperature, and each ``..._before`` it; ``bins`` of `reliability` with it.
    """
    winner = probabilities.argmax(axis=1)
    right = winner == np.asarray(targets)
    result: dict[str, Any] = {"n": len(right)}
    for suffix, t in (("_before", 1.0), ("", temperature)):
        shares = tempered(probabilities, t)
        confidence = shares[np.arange(len(shares)), winner]
        bins = reliability(confidence, right)
        result |= {
            f"ece{suffix}": calibration_error(bins),
            f"ece_equal_mass{suffix}": calibration_error(
                reliability(confidence, right, equal="mass")
            ),
            f"classwise_ece{suffix}": classwise_error(shares, targets),
            f"brier{suffix}": brier_score(shares, targets),
        }
    return result | {"bins": bins}


def normalised_entropy(probabilities: np.ndarray, axis: int = -1) -> np.ndarray:
    """How undecided probabilities are: entropy over that of equal ones, 0 to 1.

    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x: -sum p log p / log(classes).

    Parameters
    ----------
    probabilities : array of float
        Classes along `axis`; they add up to 1. NaN gives NaN.
    axis : int
        Axis of the classes.

    Returns
    -------
    array of the same type, without `axis`
        0 where one class is certain, 1 where all are equal; 0 of a single class.

    Examples
    --------
    >>> normalised_entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    classes = probabilities.shape[axis]
    if classes == 1:
        return np.zeros_like(probabilities.sum(axis=axis))
    # 0 log 0 is 0, which any finite logarithm gives
    tiny = np.finfo(probabilities.dtype).tiny
    terms = np.log(np.maximum(probabilities, tiny))
    terms *= probabilities
    return np.abs(terms.sum(axis=axis)) / np.log(classes).astype(probabilities.dtype)
