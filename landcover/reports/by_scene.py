"""Scenes that were each mapped by a model of the others: scores of each, mean and spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np

from landcover.legend import Legend
from landcover.reports import accuracy
from landcover.reports.records import Interval
from landcover.reports.words import interval, percent


class Lacking(TypedDict):
    """A class of a scene that no other scene trains on: all of its pixels are errors."""

    code: int
    name: str
    pixels: int
    share: float


class SceneScores(TypedDict):
    """Scores of one scene; ``overall_accuracy_of_known`` is without the classes lacking."""

    n_test: int
    n_blocks: int | None
    overall_accuracy: float
    overall_accuracy_ci95: Interval
    macro_f1: float
    macro_f1_ci95: Interval
    kappa: float | None
    kappa_ci95: Interval
    lacking: list[Lacking]
    overall_accuracy_of_known: float | None
    overall_accuracy_of_known_ci95: Interval


class LeftOut(SceneScores):
    """One scene, and the model of the others that mapped it."""

    run: str
    days: list[str]
    crs: str
    trained_on: list[str]
    n_train: int
    scored_on: str


class Spread(TypedDict):
    """How scenes differ in a score; the standard deviation is that of a sample."""

    mean: float
    standard_deviation: float | None
    least: float
    most: float
    scenes: int


class ByScene(TypedDict):
    """NAME_by_scene.json; ``notes`` are on bands left out and on ground that scenes share."""

    model: str
    against: str
    scenes: list[LeftOut]
    summary: dict[str, Spread]
    notes: list[str]
    seed: int
    versions: dict[str, str]


def scores_of(
    confusions: np.ndarray, codes: Sequence[int], known: Sequence[int], legend: Legend, seed: int
) -> SceneScores:
    """Scores of a scene.

    Parameters
    ----------
    confusions : array of int (blocks, classes, classes)
        Of its blocks.
    codes : sequence of int
        Classes in the order of the matrices.
    known : sequence of int
        Classes that the model knows.
    legend : Legend
        Names the classes.
    seed : int
        Of the bootstrap.
    """
    found = accuracy.score_overall(confusions, seed)
    pixels = confusions.sum(axis=(0, 2))
    total = int(pixels.sum())
    lacking: list[Lacking] = [
        {
            "code": int(code),
            "name": legend[int(code)].name,
            "pixels": int(n),
            "share": float(n / total),
        }
        for code, n in zip(codes, pixels, strict=True)
        if n and code not in known
    ]
    of_known = confusions.copy()
    of_known[:, ~np.isin(codes, known)] = 0
    without = accuracy.score_overall(of_known, seed) if of_known.any() else None
    return {
        "n_test": total,
        "n_blocks": int(confusions.any(axis=(1, 2)).sum()),
        "overall_accuracy": found["overall_accuracy"],
        "overall_accuracy_ci95": found["overall_accuracy_ci95"],
        "macro_f1": found["macro_f1"],
        "macro_f1_ci95": found["macro_f1_ci95"],
        "kappa": found["kappa"],
        "kappa_ci95": found["kappa_ci95"],
        "lacking": lacking,
        "overall_accuracy_of_known": without["overall_accuracy"] if without else None,
        "overall_accuracy_of_known_ci95": without["overall_accuracy_ci95"] if without else None,
    }


def summary_of(scenes: Sequence[LeftOut]) -> dict[str, Spread]:
    """Mean and spread over scenes of shares that are right and macro F1; scenes count alike."""
    held: dict[str, list[float | None]] = {
        "overall_accuracy": [scene["overall_accuracy"] for scene in scenes],
        "macro_f1": [scene["macro_f1"] for scene in scenes],
        "overall_accuracy_of_known": [scene["overall_accuracy_of_known"] for scene in scenes],
    }
    return {
        name: spread_of([value for value in values if value is not None])
        for name, values in held.items()
        if any(value is not None for value in values)
    }


def spread_of(values: Sequence[float]) -> Spread:
    """Mean and spread of one value a scene.

    >>> found = spread_of([0.6, 0.8])
    >>> round(found["mean"], 3), round(found["standard_deviation"], 3), found["most"]
    (0.7, 0.141, 0.8)
    """
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "least": min(values),
        "most": max(values),
        "scenes": len(values),
    }


def spread_in_words(spread: Spread) -> str:
    """A mean with its spread.

    >>> spread_in_words(spread_of([0.6, 0.8]))
    '70.0 %, standard deviation 14.1 points, 60.0 % to 80.0 %'
    """
    deviation = spread["standard_deviation"]
    between = f"{percent(spread['least'])} to {percent(spread['most'])}"
    if deviation is None:
        return percent(spread["mean"])
    return f"{percent(spread['mean'])}, standard deviation {100 * deviation:.1f} points, {between}"


def lines(content: ByScene) -> Iterator[str]:
    """The report as a terminal shows it."""
    measure = "accuracy" if content["against"] == "reference" else "agreement"
    width = max(len(scene["run"]) for scene in content["scenes"])
    yield f"each scene mapped by a model of the others, {measure}:"
    for scene in content["scenes"]:
        bounds = scene["overall_accuracy_ci95"]
        within = f" ({interval(bounds)})" if bounds else ""
        of_classes = f", macro F1 {scene['macro_f1']:.3f}"
        yield f"  {scene['run']:<{width}}  {percent(scene['overall_accuracy'])}{within}{of_classes}"
        if scene["lacking"]:
            named = ", ".join(f"{c['code']} {c['name']}" for c in scene["lacking"])
            share = percent(sum(c["share"] for c in scene["lacking"]))
            yield (
                f"  {'':<{width}}  {share} of it is of classes that no other scene has ({named}); "
                f"without them {percent(scene['overall_accuracy_of_known'])}"
            )
    yield f"  {'mean':<{width}}  {spread_in_words(content['summary']['overall_accuracy'])}"
