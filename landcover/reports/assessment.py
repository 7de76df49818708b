"""Accuracy and areas of a map from a reference sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from landcover.reports import words

MEASURE = "accuracy against a reference sample"
#: A class with fewer mapped or true units has accuracies of little worth, and the page says so.
FEW_UNITS = 20


@dataclass(frozen=True)
class Population:
    """What a sample stands for.

    Attributes
    ----------
    strata : array of int64 (units,)
        Stratum of each unit; 0 outside the population.
    sizes : dict of int to int
        Stratum to pixels.
    mapped : dict of int to int
        Class of the map to pixels.
    mapped_ha : dict of int to float
        Class of the map to hectares on the ground.
    source : str
        What the strata are, in words.
    """

    strata: np.ndarray
    sizes: dict[int, int]
    mapped: dict[int, int]
    mapped_ha: dict[int, float]
    source: str


def headline(report: Mapping[str, Any]) -> str:
    """One sentence on one map: how accurate it is, and how sure that is."""
    bounds = report["overall_accuracy_ci95"]
    sure = f" (95 % interval {words.interval(bounds)})" if bounds else ""
    return (
        f"The {report['title']} maps {words.percent(report['overall_accuracy'])} of the area "
        f"right{sure}, by {report['n_units']} reference units."
    )
