"""Models scored on test samples, maps scored on every labelled pixel of the test blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files.atomic import Fields, versions
from landcover.legend import UNLABELLED, Legend, Nomenclature
from landcover.reports import accuracy
from landcover.reports.records import Report, Scores
from landcover.samples.stacked import SCENE

if TYPE_CHECKING:
    import pandas as pd

    from landcover.reports.tally import Tally
    from landcover.samples.blocks import Blocks

SAMPLES = "test samples"
WALL_TO_WALL = "test blocks, wall to wall"
WHOLE_SCENE = "the whole scene, wall to wall"
ALL_SAMPLES = "all samples of the scene"
IN_POLYGONS = "polygons in the test blocks"
ALL_POLYGONS = "all polygons of the scene"
#: What is scored on pixels here and there, not on a map of labels.
OF_SAMPLES = (SAMPLES, ALL_SAMPLES)
#: Fields of the scores of one scene among several.
IN_SHORT = ("n_test", "n_blocks", "overall_accuracy", "overall_accuracy_ci95", "macro_f1",
            "macro_f1_ci95")  # fmt: skip
RANDOM_SPLIT = "test samples beside training samples"
POLYGON_SPLIT = "test polygons beside other polygons that train"
#: What the names of scores of other splits end in, beside spatial blocks.
OTHER_SPLITS = ("_random", "_polygons")


def measure_of(against: str, labels: str) -> str:
    """What a score against "reference" or "labels" of a named kind measures.

    Against coarse labels it is agreement with them; only a reference measures accuracy.
    """
    known = {"reference": "accuracy against the reference", "labels": f"agreement with {labels}"}
    return known[against]


def score_samples(
    samples: pd.DataFrame,
    predicted: np.ndarray,
    nomenclature: Nomenclature,
    seed: int = 0,
    of_random_split: np.ndarray | None = None,
    of_polygon_split: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Scores]:
    """Scores of a model on the test samples, by what it is scored against.

    Parameters
    ----------
    samples : DataFrame
        Rows with split, random_test, block, label and, where there is one, reference. Rows
        outside the test split are ignored.
    predicted : array of int, (len(samples),)
        Class codes; 0 counts as an error.
    nomenclature : Nomenclature
        What the codes are of.
    seed : int
        Of the bootstrap.
    of_random_split : array of int, (len(samples),), optional
        What the same model predicts when a random split trains it; scored where random_test.
    of_polygon_split : (array of int, array of bool), each (len(samples),), optional
        What the same model predicts when other polygons train it, and which samples lie in the
        polygons that are held out.

    Returns
    -------
    dict
        Scores of the test split under ``reference`` and ``labels``. Under ``reference_random``
        and ``labels_random`` the scores of the random split, with its ``leak``: how much
        higher they are than those of spatial blocks on the very same pixels. Under
        ``reference_polygons`` and ``labels_polygons`` the same of the split by polygons.

    Raises
    ------
    InputError
        If there is no labelled test row.
    """
    predicted = np.asarray(predicted)
    test = (samples["split"] == "test").to_numpy()
    random_split_test = test & samples["random_test"].to_numpy(dtype=bool)
    blocks = samples["block"].to_numpy()
    scores: dict[str, Scores] = {}
    for against, column in (("reference", "reference"), ("labels", "label")):
        if column not in samples:
            continue
        truth = samples[column].to_numpy()
        legend = _held(nomenclature, np.union1d(truth, predicted))
        scores[against] = {
            "scored_on": SAMPLES,
            **accuracy.score(
                truth[test], predicted[test], blocks=blocks[test], seed=seed, legend=legend
            ),
        }
        if of_random_split is not None and (truth[random_split_test] != UNLABELLED).any():
            scores[f"{against}_random"] = _random_split(
                truth[random_split_test],
                of_random_split[random_split_test],
                predicted[random_split_test],
                blocks[random_split_test],
                nomenclature,
                seed,
            )
        if of_polygon_split is not None:
            of_others, held_out = of_polygon_split
            held_out = test & held_out & (truth != UNLABELLED)
            if held_out.any():
                held = truth[held_out], of_others[held_out], predicted[held_out], blocks[held_out]
                scores[f"{against}_polygons"] = _random_split(
                    *held, nomenclature, seed, POLYGON_SPLIT
                )
    return scores


def score_scenes(
    samples: pd.DataFrame, predicted: np.ndarray, nomenclature: Nomenclature, seed: int = 0
) -> list[Fields]:
    """Scores of a model of several scenes on the test samples of each, in their order.

    Parameters are those of `score_samples`, of samples that have a column `stacked.SCENE`.

    Returns
    -------
    list of dict
        ``against``, ``n_test``, ``n_blocks``, ``overall_accuracy`` and ``macro_f1`` with their
        intervals; of a scene without a labelled test sample, ``n_test`` alone, which is 0.
    """
    number = samples[SCENE].to_numpy()
    found: list[Fields] = []
    for scene in range(int(number.max()) + 1):
        own = number == scene
        try:
            of_scene = score_samples(samples[own], np.asarray(predicted)[own], nomenclature, seed)
        except InputError:
            found.append({"n_test": 0})
            continue
        against, scored = next(iter(of_scene.items()))
        found.append({"against": against} | {k: v for k, v in scored.items() if k in IN_SHORT})
    return found


def _held(nomenclature: Nomenclature, codes: np.ndarray) -> Legend:
    """The legend of the codes that occur."""
    return nomenclature.holding(codes.tolist()).legend.subset(codes.tolist())


def _random_split(
    truth: np.ndarray,
    random: np.ndarray,
    blocked: np.ndarray,
    blocks: np.ndarray,
    nomenclature: Nomenclature,
    seed: int,
    scored_on: str = RANDOM_SPLIT,
) -> Scores:
    """Scores of another split, and by how much they exceed the blocked model's on its pixels."""
    codes = np.unique([truth, random, blocked]).tolist()
    ours, theirs = (
        accuracy.block_confusion(truth, predicted, blocks, codes) for predicted in (blocked, random)
    )
    leak = accuracy.paired_difference(theirs, ours, seed=seed)
    legend = _held(nomenclature, np.array(codes))
    return {
        "scored_on": scored_on,
        **accuracy.score(truth, random, blocks=blocks, seed=seed, legend=legend),
        "leak": {
            "spatial_blocks": float(accuracy.metrics_of(ours.sum(axis=0))["overall_accuracy"]),
            "difference": leak["difference"],
            "ci95": leak["ci95"],
        },
    }


def score_map(
    tally: Tally, name: str, earlier: Fields, of_model: bool, scored_on: str = WALL_TO_WALL
) -> dict[str, Scores]:
    """Scores of a map on every labelled pixel of the test blocks, by what it is scored against.

    Parameters
    ----------
    tally : Tally
        Of the map, among others or alone.
    name : str
        The map.
    earlier : dict
        The report that training wrote, or an empty one; gives the seed of the bootstrap.
    of_model : bool
        Whether this is the model's own map, which keeps the scores of the random split.
    scored_on : str
        What the tally counted, in words.
    """
    seed = earlier.get("seed", 0)
    scores: dict[str, Scores] = {
        against: {
            "scored_on": scored_on,
            **accuracy.score_confusions(by_model[name], tally.codes, seed, legend=tally.legend),
        }
        for against, by_model in tally.confusions.items()
    }
    if of_model:
        kept = [against + other for against in tally.confusions for other in OTHER_SPLITS]
        scores |= {k: v for k, v in earlier.get("scores", {}).items() if k in kept}
    return scores


def calibration_of(earlier: Fields, against: str) -> Fields | None:
    """What training found of the confidence, against what leads the report now."""
    held: Fields = earlier.get("calibration") or {}
    if held.get("against", against) == against:
        return held or None
    measured = held.get("scores", {}).get(against)
    return held | {"against": against} | measured if measured else None


def report_of(
    name: str,
    scores: Mapping[str, Scores],
    seconds: Mapping[str, float],
    seed: int,
    split: str,
    card: Mapping[str, object],
    labels: str,
) -> Report:
    """The fields of reports/NAME.json, led by the reference where there is one.

    Parameters
    ----------
    name : str
        Model, or a postprocessed map.
    scores : mapping
        From `score_samples` or `score_map`.
    seconds : mapping
        ``train`` and ``predict``, as far as they were measured.
    seed : int
        Of the bootstrap.
    split : str
        How the scene was split, in words.
    card : mapping
        Of the model; empty where it is not known.
    labels : str
        Title of the labels' nomenclature.
    """
    against = "reference" if "reference" in scores else "labels"
    described = ("kind", "trained_on", "n_train", "patch_size", "bands", "inputs")
    return {
        "model": name,
        "against": against,
        "measure": measure_of(against, labels),
        "split": split,
        **scores[against],
        "scores": dict(scores),
        "seconds": {stage: round(float(value), 3) for stage, value in seconds.items()},
        "seed": int(seed),
        "versions": versions(),
        "card": {field: card[field] for field in described if field in card}
        | ({"lost_classes": card["lost_classes"]} if card.get("lost_classes") else {}),
    }


def split_in_words(blocks: Blocks) -> str:
    """How a scene was split, for a report."""
    split = f"spatial blocks of {blocks.block_px} px, guard {blocks.guard_px} px"
    if blocks.label_range_px is None:
        return split
    return f"{split}; labels are alike up to {blocks.label_range_px:.0f} px"
