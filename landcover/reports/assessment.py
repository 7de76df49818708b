"""Accuracy and areas of a map from a reference sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from landcover.files.atomic import Fields
from landcover.reports import words
from landcover.reports.area_estimation import Estimates

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


#: The strata of a sample: what they are, pixels and units of each, and pixels of those joined.
Strata = TypedDict(
    "Strata",
    {"from": str, "pixels": dict[str, int], "units": dict[str, int], "joined": dict[str, int]},
)


class MapAssessment(Estimates):
    """What a reference sample says of one map."""

    level: int
    left_out: dict[str, int]
    strata: Strata
    pixel_ha: float
    unmet: list[str]
    remarks: list[str]


def headline(report: Fields) -> str:
    """One sentence on one map: how accurate it is, and how sure that is."""
    bounds = report["overall_accuracy_ci95"]
    sure = f" (95 % interval {words.interval(bounds)})" if bounds else ""
    return (
        f"The {report['title']} maps {words.percent(report['overall_accuracy'])} of the area "
        f"right{sure}, by {report['n_units']} reference units."
    )
