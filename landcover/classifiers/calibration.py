"""Probabilities against what happens: reliability, and the temperature that corrects most of it.

A class that is given 80 % should be right in eight of ten such cases. Networks and forests
miss that, mostly by one common factor in the logarithms of their probabilities; one number,
the temperature, takes it out and leaves every label as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.files.atomic import Fields

#: Bins of confidence, as many as Guo et al. take.
BINS = 15
#: Least probability of a model that counts no votes: networks give zeros by rounding alone.
FLOOR = 1e-6
#: Temperatures that are looked at. Where every row is right the best one would be 0.
_RANGE = (0.05, 20.0)


@dataclass(frozen=True)
class Temperature:
    """What probabilities are tempered by: max(p, floor) ** (1 / value), made to add up to 1.

    Attributes
    ----------
    value : float
        T > 0. Above 1 probabilities come closer together, below 1 they part.
    floor : float
        Smaller probabilities count as this, 0 to 1.

    Raises
    ------
    LandcoverError
        If either is out of range.

    Notes
    -----
    Forests and nearest neighbours count votes, and a class without a vote gets an exact zero,
    which has no logarithm. No vote means less than one, so their floor is half a vote. A much
    smaller one lets the few rows whose class got no vote decide the temperature alone.
    """

    value: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        for name, held, most in (("temperature", self.value, np.inf), ("floor", self.floor, 1)):
            number = isinstance(held, int | float) and not isinstance(held, bool)
            if not (number and 0 <= held < most) or (name == "temperature" and held == 0):
                raise InputError(
                    f"{name} {held!r} is out of range; a temperature is a positive number, and "
                    "a floor at least 0 and less than 1"
                )


#: Leaves probabilities as they are.
UNTEMPERED = Temperature()


#: Least probability of a test that takes a temperature for another than 1.
_SIGNIFICANT = 0.05


def floor_of(votes: int | None) -> float:
    """The least probability that a model of so many votes can mean; of None for one without.

    >>> floor_of(100), floor_of(None)
    (0.005, 1e-06)
    """
    return 0.5 / votes if votes else FLOOR


def tempered(probabilities: np.ndarray, temperature: Temperature, axis: int = -1) -> np.ndarray:
    """Probabilities at another temperature.

    The order of classes stays, up to rounding and the floor, so labels are taken from the
    probabilities as the model gives them.

    Parameters
    ----------
    probabilities : array of float
        Classes along `axis`. NaN stays NaN.
    temperature : Temperature
        `UNTEMPERED` returns the probabilities as they are.
    axis : int
        Axis of the classes.

    Returns
    -------
    array of the same shape and type

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599, section 4.2. With p the softmax of logits z,
    p ** (1 / T) made to add up to 1 is the softmax of z / T.

    Examples
    --------
    >>> tempered(np.array([0.8, 0.2]), Temperature(2.0)).round(3).tolist()
    [0.667, 0.333]
    """
    if temperature == UNTEMPERED:
        return probabilities
    logs = _logarithms(probabilities, temperature.floor)
    logs -= logs.max(axis=axis, keepdims=True)
    logs /= temperature.value
    found = np.exp(logs, out=logs)
    found /= found.sum(axis=axis, keepdims=True)
    return found


def fit_temperature(
    probabilities: np.ndarray,
    targets: np.ndarray,
    floor: float = FLOOR,
    blocks: np.ndarray | None = None,
) -> Temperature:
    """The temperature under which targets are most likely, where blocks agree on one.

    Minimises the mean negative log-likelihood of rows that the model did not learn from. It
    is convex in 1 / T, so there is one minimum. A few blocks can be harder or easier than the
    rest, and their temperature is then theirs alone; so one that blocks cannot tell from 1 is 1.

    Parameters
    ----------
    probabilities : array of float, (rows, classes)
    targets : array of int, (rows,)
        Positions of the right classes. Rows with -1, a class that the model does not have,
        say nothing of a temperature and are left out.
    floor : float
        Least probability, from `floor_of`.
    blocks : array of int, (rows,), optional
        Spatial block of every row. A two-sided t-test at 5 % asks whether the slope of the
        log-likelihood at T = 1, summed over each block, differs from 0 over the blocks (the score
        test with clustered variance; Liang & Zeger 1986, doi:10.1093/biomet/73.1.13).

    Returns
    -------
    Temperature
        Its value from 0.05 to 20, to four decimals; `UNTEMPERED` where no row is left, or where
        blocks do not tell it from 1.

    Examples
    --------
    Three of four right at 90 % is too sure of itself; 75 % is 90 % at twice the temperature.

    >>> fit_temperature(np.tile([0.9, 0.1], (4, 1)), np.array([0, 0, 0, 1]))
    Temperature(value=2.0, floor=1e-06)
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    rows = np.flatnonzero(np.asarray(targets) >= 0)
    if not len(rows):
        return UNTEMPERED
    logs = _logarithms(np.asarray(probabilities, np.float64)[rows], floor)
    right = logs[np.arange(len(rows)), np.asarray(targets)[rows]]
    if blocks is not None and not _blocks_differ_from_one(logs, right, np.asarray(blocks)[rows]):
        return UNTEMPERED

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        return float(np.mean(logsumexp(factor * logs, axis=1) - factor * right))

    found = minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded", options={"xatol": 1e-7})
    return Temperature(round(float(np.exp(found.x)), 4), floor)


def _blocks_differ_from_one(logs: np.ndarray, right: np.ndarray, blocks: np.ndarray) -> bool:
    """Whether blocks agree that another temperature than 1 makes the targets likelier."""
    from scipy.special import softmax
    from scipy.stats import ttest_1samp

    slopes = right - (softmax(logs, axis=1) * logs).sum(axis=1)
    number = np.unique(blocks, return_inverse=True)[1]
    sums = np.bincount(number, slopes)
    return len(sums) > 1 and float(ttest_1samp(sums, 0.0).pvalue) < _SIGNIFICANT


def reliability(
    confidence: np.ndarray, right: np.ndarray, bins: int = BINS, equal: str = "width"
) -> list[dict[str, float]]:
    """How often predictions are right, by their confidence.

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
    InputError
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
        raise InputError(
            f"{bins} bins of confidences of shape {confidence.shape} and outcomes of shape "
            f"{right.shape} cannot be made; give one outcome a confidence, and one bin at least"
        )
    edges = np.linspace(0, 1, bins + 1)
    if equal == "mass":
        edges = np.quantile(confidence, edges) if len(confidence) else edges
    elif equal != "width":
        raise InputError(f"bins of equal {equal!r} are unknown; choose width or mass")
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
    probabilities, targets = np.asarray(probabilities, np.float64), np.asarray(targets)
    of_target = probabilities[np.arange(len(probabilities)), targets]
    right = np.where(targets >= 0, of_target, 0)
    return float(np.mean((probabilities**2).sum(axis=1) - 2 * right + 1))


def measures(probabilities: np.ndarray, targets: np.ndarray, temperature: Temperature) -> Fields:
    """What a report says of a model's probabilities, before and after its temperature.

    Parameters
    ----------
    probabilities : array of float, (rows, classes)
        As the model gives them; a row at least.
    targets : array of int, (rows,)
        Positions of the right classes; -1 is a class that the model does not have, so
        whatever it says there is wrong.
    temperature : Temperature
        Of the model.

    Returns
    -------
    dict
        ``n`` (rows); ``ece``, ``ece_equal_mass``, ``classwise_ece`` and ``brier`` with the
        temperature, and each ``..._before`` it; ``bins`` of `reliability` with it.
    """
    winner = probabilities.argmax(axis=1)
    right = winner == np.asarray(targets)
    result: Fields = {"n": len(right)}
    for suffix, t in (("_before", UNTEMPERED), ("", temperature)):
        found = tempered(probabilities, t)
        confidence = found[np.arange(len(found)), winner]
        bins = reliability(confidence, right)
        result |= {
            f"ece{suffix}": calibration_error(bins),
            f"ece_equal_mass{suffix}": calibration_error(
                reliability(confidence, right, equal="mass")
            ),
            f"classwise_ece{suffix}": classwise_error(found, targets),
            f"brier{suffix}": brier_score(found, targets),
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
    terms = _logarithms(probabilities, 0)
    terms *= probabilities
    return np.abs(terms.sum(axis=axis)) / np.log(classes).astype(probabilities.dtype)


def _logarithms(probabilities: np.ndarray, floor: float) -> np.ndarray:
    """Logarithms of probabilities, of the same type, none of them infinite."""
    least = max(floor, float(np.finfo(probabilities.dtype).tiny))
    return np.log(np.maximum(probabilities, least))
