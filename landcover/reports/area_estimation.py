"""Accuracy and class areas from a probability sample of reference data, with their uncertainty.

A map's own pixel counts are no areas: what it confuses it counts wrongly. A sample of
places whose true class is known corrects for that, and says how sure the result is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np

from landcover.errors import InputError
from landcover.legend import UNLABELLED, Legend
from landcover.reports.accuracy import class_name, finite
from landcover.reports.records import ClassName, Interval
from landcover.samples.drawing import apportion

#: Half width of a 95 % interval in standard errors, as both papers take it.
Z95 = 1.96

#: A spread cannot be told from one unit.
MIN_UNITS = 2


@dataclass(frozen=True)
class Design:
    """How a sample was drawn: at random within strata, of which the sizes are known.

    Attributes
    ----------
    stratum : array of int64 (units,)
        Position of each unit's stratum in `sizes`.
    sizes : array of float64 (strata,)
        Units of each stratum in the whole population, such as pixels.
    drawn : array of int64 (strata,)
        Units of each stratum in the sample, at least two.
    """

    stratum: np.ndarray
    sizes: np.ndarray
    drawn: np.ndarray

    @classmethod
    def of(cls, strata: np.ndarray, sizes: Mapping[int, int]) -> Design:
        """The design of a sample from its strata.

        Parameters
        ----------
        strata : array of int (units,)
            Stratum of each unit. One stratum for all is a simple random sample.
        sizes : mapping of int to int
            Stratum to its size in the population. Every stratum of it is needed.

        Raises
        ------
        InputError
            If a unit's stratum has no size, or a stratum has fewer than two units or
            more than it is large.
        """
        codes = np.array(sorted(code for code, size in sizes.items() if size > 0), np.int64)
        strata = np.asarray(strata, np.int64)
        unknown = np.setdiff1d(strata, codes)
        if unknown.size:
            raise InputError(
                f"the sample has units of stratum {unknown[0]}, which has no size; "
                "give the size of every stratum"
            )
        stratum = np.searchsorted(codes, strata)
        drawn = np.bincount(stratum, minlength=codes.size)
        large = np.array([sizes[code] for code in codes.tolist()], np.float64)
        for code, size, n in zip(codes, large, drawn, strict=True):
            if n < MIN_UNITS:
                raise InputError(
                    f"stratum {code} has {n} units in the sample; a standard error takes at "
                    f"least {MIN_UNITS}: draw more there, or join it with another stratum"
                )
            if n > size:
                raise InputError(
                    f"stratum {code} has {n} units in the sample and {size:g} in all; "
                    "take each once, and check the sizes"
                )
        return cls(stratum, large, drawn)


class Estimate(NamedTuple):
    """An estimate with its standard error and 95 % interval; NaN and None where undefined."""

    value: float
    se: float
    ci95: Interval

    @classmethod
    def of(cls, shares: np.ndarray, errors: np.ndarray, position: int) -> Estimate:
        """One of several estimates."""
        value, se = float(shares[position]), float(errors[position])
        bounds = [max(0.0, value - Z95 * se), min(1.0, value + Z95 * se)] if se > 0 else None
        return cls(value, se, bounds)


class ClassEstimates(ClassName):
    """Estimates of one class, and the units that are mapped as it and that are it."""

    users_accuracy: float | None
    users_accuracy_se: float | None
    users_accuracy_ci95: Interval
    producers_accuracy: float | None
    producers_accuracy_se: float | None
    producers_accuracy_ci95: Interval
    area_share: float
    area_share_se: float
    area_share_ci95: Interval
    n_mapped: int
    n_reference: int
    area_ha: NotRequired[float]
    area_ha_se: NotRequired[float]
    area_ha_ci95: NotRequired[Interval]
    mapped_ha: NotRequired[float]


class SampleConfusion(TypedDict):
    """Units, and shares of the population: rows are the reference, columns the map."""

    codes: list[int]
    counts: list[list[int]]
    proportions: list[list[float]]


class Estimates(TypedDict):
    """Accuracy and areas of a map from a sample."""

    n_units: int
    population_px: int
    overall_accuracy: float
    overall_accuracy_se: float
    overall_accuracy_ci95: Interval
    per_class: dict[str, ClassEstimates]
    confusion: SampleConfusion


def estimate(
    reference: np.ndarray,
    mapped: np.ndarray,
    strata: np.ndarray,
    sizes: Mapping[int, int],
    legend: Legend | None = None,
    areas: np.ndarray | None = None,
) -> Estimates:
    """Estimate a map's accuracy and the true share of every class from a sample.

    The estimators are those of Stehman (2014, doi:10.1080/01431161.2014.930207), for strata
    of any kind. Where the strata are the classes of the map they are those of Olofsson et al.
    (2014, doi:10.1016/j.rse.2014.02.015), save that a stratum of which a good part was drawn
    gets its smaller standard error (finite population correction). One stratum is simple
    random sampling.

    Parameters
    ----------
    reference : array of int (units,)
        True class codes.
    mapped : array of int (units,)
        Class codes of the map; 0 where it is empty, which counts as an error.
    strata : array of int (units,)
        Stratum that each unit was drawn from.
    sizes : mapping of int to int
        Stratum to its pixels in the population.
    legend : Legend, optional
        Gives classes their names.
    areas : array of float (units,), optional
        Area of the pixel that each unit was drawn as, in any unit; all alike by default. The
        estimates are shares of the area, whatever sizes the pixels of a projection have.

    Returns
    -------
    dict
        ``n_units``; ``population_px``; ``overall_accuracy``; ``per_class`` {code: name,
        users_accuracy, producers_accuracy, area_share, n_mapped, n_reference}; ``confusion``
        {codes, counts, proportions} with rows = reference, columns = map, whose proportions
        of the whole population sum to 1. Each estimate is a share of 0-1 with its standard error
        ``..._se`` and 95 % interval ``..._ci95`` [low, high] beside it. None where undefined;
        the interval is None too where the sample holds no variation, such as a class without
        any error met: that does not make it certain.

    Raises
    ------
    InputError
        As `Design.of`, and if shapes differ or a reference is 0.

    Examples
    --------
    Half the map is woods, of which 9 in 10 are; 2 in 10 of the rest are woods too.

    >>> mapped = np.repeat([311, 211], 10)
    >>> reference = np.array([311] * 9 + [211] + [211] * 8 + [311] * 2)
    >>> found = estimate(reference, mapped, mapped, {211: 6000, 311: 4000})
    >>> woods = found["per_class"]["311"]
    >>> round(found["overall_accuracy"], 3), round(woods["area_share"], 3)
    (0.84, 0.48)
    >>> [round(bound, 3) for bound in woods["area_share_ci95"]]
    [0.305, 0.655]
    """
    reference, mapped = np.asarray(reference, np.int64), np.asarray(mapped, np.int64)
    strata = np.asarray(strata, np.int64)
    _require_units(reference, mapped, strata, areas)
    design = Design.of(strata, sizes)
    codes = np.union1d(reference, mapped)
    is_reference, is_mapped = reference[:, None] == codes, mapped[:, None] == codes
    right = is_reference & is_mapped
    cells = (is_reference[:, :, None] & is_mapped[:, None, :]).reshape(len(reference), -1)
    area = np.ones((len(reference), 1)) if areas is None else areas[:, None]
    overall = ratio(design, right.any(axis=1, keepdims=True) * area, area)
    measures = (
        ratio(design, right * area, is_mapped * area),
        ratio(design, right * area, is_reference * area),
        ratio(design, is_reference * area, area),
    )
    counts = cells.sum(axis=0).reshape(codes.size, codes.size)
    proportions = ratio(design, cells * area, area)[0].reshape(counts.shape)
    whole = Estimate.of(*overall, 0)
    return {
        "n_units": len(reference),
        "population_px": int(design.sizes.sum()),
        "overall_accuracy": whole.value,
        "overall_accuracy_se": whole.se,
        "overall_accuracy_ci95": whole.ci95,
        "per_class": {
            str(code): _of_class(
                class_name(code, legend),
                [Estimate.of(*measure, position) for measure in measures],
                int(counts[:, position].sum()),
                int(counts[position].sum()),
            )
            for position, code in enumerate(codes.tolist())
        },
        "confusion": {
            "codes": codes.tolist(),
            "counts": counts.tolist(),
            "proportions": proportions.tolist(),
        },
    }


def ratio(design: Design, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio of two population totals, and its standard error.

    With Y = sum of N_h y_h and X = sum of N_h x_h over the strata, R = Y / X and

        V(R) = 1 / X^2 * sum of N_h^2 (1 - n_h / N_h) s_h^2 / n_h

    where s_h^2 is the variance of y - R x in stratum h: equations 27 and 28 of Stehman (2014),
    whose s_y^2 + R^2 s_x^2 - 2 R s_xy it is. With x = 1 everywhere it is a mean, and its
    variance equation 25. User's accuracy takes y = 1 where the class is mapped and right, and
    x = 1 where it is mapped.

    Parameters
    ----------
    design : Design
        Of the sample.
    y, x : array (units, k) and (units, k) or (units, 1)
        Values of each unit.

    Returns
    -------
    ratio, standard_error : arrays of float64 (k,)
        NaN where X is 0.

    Examples
    --------
    >>> design = Design.of(np.array([1, 1, 2, 2]), {1: 100, 2: 300})
    >>> mean, error = ratio(design, np.array([[1], [0], [1], [1]]), np.ones((4, 1)))
    >>> mean.tolist(), error.round(4).tolist()
    ([0.875], [0.1237])
    """
    y = np.asarray(y, np.float64)
    x = np.broadcast_to(np.asarray(x, np.float64), y.shape)
    total = design.sizes @ _means(design, x)
    with np.errstate(invalid="ignore"):  # 0 / 0 is undefined, and stays so
        share = (design.sizes @ _means(design, y)) / total
        # Centred first: where a stratum is all alike nothing is left, not even rounding
        residual = _centred(design, y) - share * _centred(design, x)
        spread = _sums(design, residual**2) / (design.drawn - 1)[:, None]
        weight = design.sizes**2 * (1 - design.drawn / design.sizes) / design.drawn
        error = np.sqrt(weight @ spread) / total
    return share, error


def join_rare(
    strata: np.ndarray, sizes: Mapping[int, int]
) -> tuple[np.ndarray, dict[int, int], list[int]]:
    """Join strata of fewer than two units with the largest one.

    Parameters
    ----------
    strata : array of int (units,)
        Stratum of each unit.
    sizes : mapping of int to int
        Stratum to its size.

    Returns
    -------
    strata : array of int (units,)
        With the joined ones under the code of the largest.
    sizes : dict
        Of the strata that are left.
    joined : list of int
        Those that are not.

    Examples
    --------
    >>> join_rare(np.array([1, 1, 2, 2, 3]), {1: 70, 2: 20, 3: 6, 4: 4})
    (array([1, 1, 2, 2, 1]), {1: 80, 2: 20}, [3, 4])
    """
    strata = np.asarray(strata)
    largest = max(sizes, key=lambda code: sizes[code])
    joined = [code for code in sizes if code != largest and (strata == code).sum() < MIN_UNITS]
    kept = {code: size for code, size in sizes.items() if code not in joined}
    kept[largest] += sum(sizes[code] for code in joined)
    return np.where(np.isin(strata, joined), largest, strata), kept, joined


def allocate(
    sizes: Mapping[int, int],
    units: int,
    least: int,
    weights: Mapping[int, float] | None = None,
) -> dict[int, int]:
    """Deal a sample to strata: in proportion to their size, but no fewer than `least`.

    So the areas of common classes are estimated well, and the accuracy of rare ones at all
    (Olofsson et al. 2014, section 5.1.2, who propose 50 to 100 for each rare class).

    Parameters
    ----------
    sizes : mapping of int to int
        Stratum to its pixels.
    units : int
        How many to draw in all.
    least : int
        Of each stratum; all of one that is smaller.
    weights : mapping of int to float, optional
        What to deal in proportion to in place of the size, all above 0; Neyman's (1934,
        doi:10.2307/2342192) is the size times the standard deviation in the stratum.

    Returns
    -------
    dict of int to int
        Stratum to units.

    Raises
    ------
    InputError
        If the least of all strata are more than `units`.

    Examples
    --------
    >>> allocate({211: 64_500, 311: 32_000, 324: 2_000, 512: 1_500}, 640, 75)
    {211: 328, 311: 162, 324: 75, 512: 75}
    >>> allocate({1: 500, 2: 500}, 100, 10, {1: 3.0, 2: 1.0})
    {1: 75, 2: 25}
    """
    pixels = np.array(list(sizes.values()), np.int64)
    shares = pixels if weights is None else np.array([weights[h] for h in sizes])
    lowest = np.minimum(least, pixels)
    if lowest.sum() > units:
        raise InputError(
            f"{units} samples are too few for {len(sizes)} classes with {least} each; "
            f"ask for at least {lowest.sum()}"
        )
    rare = np.zeros(pixels.size, bool)
    while True:
        rest = np.where(
            rare, 0, apportion(units - lowest[rare].sum(), shares * ~rare, pixels * ~rare)
        )
        fewer = ~rare & (rest < lowest)
        if not fewer.any():
            dealt = np.where(rare, lowest, rest)
            return dict(zip(sizes, dealt.tolist(), strict=True))
        rare |= fewer


def _sums(design: Design, values: np.ndarray) -> np.ndarray:
    """Sum of each stratum, (strata, k)."""
    sums = np.zeros((design.sizes.size, values.shape[1]))
    np.add.at(sums, design.stratum, values)
    return sums


def _means(design: Design, values: np.ndarray) -> np.ndarray:
    return _sums(design, values) / design.drawn[:, None]


def _centred(design: Design, values: np.ndarray) -> np.ndarray:
    return values - _means(design, values)[design.stratum]


def _of_class(
    name: ClassName, measures: Sequence[Estimate], n_mapped: int, n_reference: int
) -> ClassEstimates:
    """One class's row: user's and producer's accuracy, and its share of the area."""
    users, producers, share = measures
    return {
        **name,
        "users_accuracy": finite(users.value),
        "users_accuracy_se": finite(users.se),
        "users_accuracy_ci95": users.ci95,
        "producers_accuracy": finite(producers.value),
        "producers_accuracy_se": finite(producers.se),
        "producers_accuracy_ci95": producers.ci95,
        "area_share": share.value,
        "area_share_se": share.se,
        "area_share_ci95": share.ci95,
        "n_mapped": n_mapped,
        "n_reference": n_reference,
    }


def _require_units(
    reference: np.ndarray, mapped: np.ndarray, strata: np.ndarray, areas: np.ndarray | None
) -> None:
    if not reference.shape == mapped.shape == strata.shape or reference.ndim != 1:
        raise InputError(
            f"reference, map and strata have shapes {reference.shape}, {mapped.shape} and "
            f"{strata.shape}; each takes one value a unit"
        )
    if areas is not None and (np.shape(areas) != reference.shape or not (areas > 0).all()):
        raise InputError(
            f"areas have shape {np.shape(areas)} for {reference.size} units, or one is not above "
            "0; give the area of each unit's pixel"
        )
    if not reference.size:
        raise InputError(
            "the sample holds no unit; draw some with: landcover sample-points RUN --model NAME"
        )
    if (reference == UNLABELLED).any():
        raise InputError("the reference holds class 0, which is unlabelled; leave these units out")
