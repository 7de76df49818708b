"""Models scored on test samples, maps scored on every labelled pixel of the test blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.classifiers import names
from landcover.errors import LandcoverError
from landcover.files.atomic import read_json, versions
from landcover.legend import UNLABELLED, legend_of
from landcover.reports import accuracy, store
from landcover.reports.tally import tally_maps
from landcover.run import Run
from landcover.samples.blocks import read_blocks

if TYPE_CHECKING:
    import pandas as pd

SAMPLES = "test samples"
WALL_TO_WALL = "test blocks, wall to wall"
RANDOM_SPLIT = "test samples beside training samples"

#: A score against coarse labels is agreement with them; only a reference measures accuracy.
MEASURES = {"reference": "accuracy against the reference", "labels": "agreement with CORINE"}


def score_samples(
    run: Run,
    name: str,
    samples: pd.DataFrame,
    predicted: np.ndarray,
    seconds: Mapping[str, float],
    seed: int = 0,
    of_random_split: np.ndarray | None = None,
) -> dict[str, Any]:
    """Score a model on the test samples and write reports/NAME.json.

    Parameters
    ----------
    run : Run
        Run folder; its splits.json and the model's card.json are described in the report.
    name : str
        Model.
    samples : DataFrame
        Rows with split, random_test, block, label and, where there is one, reference. Rows
        outside the test split are ignored.
    predicted : array of int, (len(samples),)
        Class codes; 0 counts as an error.
    seconds : mapping
        ``train`` and ``predict``, as far as they were measured.
    seed : int
        Of the bootstrap; kept in the report.
    of_random_split : array of int, (len(samples),), optional
        What the same model predicts when a random split trains it; scored where random_test.

    Returns
    -------
    dict
        The report: scores of the test split. Under ``reference_random`` and ``labels_random``
        the scores of the random split, with its ``leak``: how much more it promises than
        spatial blocks do on the very same pixels.

    Raises
    ------
    LandcoverError
        If there is no labelled test row.
    """
    predicted = np.asarray(predicted)
    test = (samples["split"] == "test").to_numpy()
    beside = test & samples["random_test"].to_numpy(dtype=bool)
    blocks = samples["block"].to_numpy()
    scores = {}
    for against, column in (("reference", "reference"), ("labels", "label")):
        if column not in samples:
            continue
        truth = samples[column].to_numpy()
        legend = legend_of(np.union1d(truth, predicted))
        scores[against] = {"scored_on": SAMPLES} | accuracy.score(
            truth[test], predicted[test], blocks=blocks[test], seed=seed, legend=legend
        )
        if of_random_split is not None and (truth[beside] != UNLABELLED).any():
            scores[f"{against}_random"] = _random_split(
                truth[beside], of_random_split[beside], predicted[beside], blocks[beside], seed
            )
    report = _report(run, name, scores, dict(seconds), seed)
    store.write_report(run, report)
    return report


def _random_split(
    truth: np.ndarray, random: np.ndarray, blocked: np.ndarray, blocks: np.ndarray, seed: int
) -> dict[str, Any]:
    """Scores of a random split, and what they promise beyond the blocked model's on its pixels."""
    codes = np.unique([truth, random, blocked]).tolist()
    ours, theirs = (
        accuracy.block_confusion(truth, predicted, blocks, codes) for predicted in (blocked, random)
    )
    leak = accuracy.paired_difference(theirs, ours, seed=seed)
    legend = legend_of(np.array(codes))
    return {
        "scored_on": RANDOM_SPLIT,
        **accuracy.score(truth, random, blocks=blocks, seed=seed, legend=legend),
        "leak": {
            "spatial_blocks": float(accuracy.metrics_of(ours.sum(axis=0))["overall_accuracy"]),
            "difference": leak["difference"],
            "ci95": leak["ci95"],
        },
    }


def score_map(
    run: Run, name: str, seconds: Mapping[str, float], computed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Score a map on every labelled pixel of the test blocks and write reports/NAME.json.

    The scores of the random split, the calibration, the training time and the seed are kept
    from the report that training wrote.

    Parameters
    ----------
    run : Run
        Run folder with labels, splits and the model's map.
    name : str
        Model, or a postprocessed map.
    seconds : mapping
        ``predict``, the time that the map took.
    computed : mapping, optional
        How it was computed, for the report: ``engine`` and ``measured`` of a patch network.

    Returns
    -------
    dict
        The report.
    """
    model = names.model_of(name)
    earlier = _earlier_report(run, model)
    seed = earlier.get("seed", 0)
    tally = tally_maps(run, [name])
    scores: dict[str, Any] = {
        against: {"scored_on": WALL_TO_WALL}
        | accuracy.score_confusions(by_model[name], tally.codes, seed, legend=tally.legend)
        for against, by_model in tally.confusions.items()
    }
    if name == model:  # the random split is the model's, not that of what became of its map
        beside = [f"{against}_random" for against in tally.confusions]
        scores |= {k: v for k, v in earlier.get("scores", {}).items() if k in beside}
    report = _report(run, name, scores, earlier.get("seconds", {}) | dict(seconds), seed)
    calibration = _calibration(earlier, report["against"])
    if name == model and calibration:
        report["calibration"] = calibration
    report |= dict(computed or {})
    store.write_report(run, report)
    return report


def _calibration(earlier: Mapping[str, Any], against: str) -> dict[str, Any] | None:
    """What training found of the confidence, against that which leads now."""
    held = earlier.get("calibration") or {}
    if held.get("against", against) == against:
        return held or None
    measured = held.get("scores", {}).get(against)
    return held | {"against": against} | measured if measured else None


def _earlier_report(run: Run, name: str) -> dict[str, Any]:
    """The report that training wrote; a lost or broken one is about to be replaced anyway."""
    try:
        return store.read_report(run, name)
    except LandcoverError:
        return {}


def _report(
    run: Run, name: str, scores: dict[str, Any], seconds: dict[str, float], seed: int
) -> dict[str, Any]:
    """The report's fields: led by the reference where there is one."""
    against = "reference" if "reference" in scores else "labels"
    blocks = read_blocks(run)
    split = f"spatial blocks of {blocks.block_px} px, guard {blocks.guard_px} px"
    if blocks.label_range_px is not None:
        split += f"; labels are alike up to {blocks.label_range_px:.0f} px"
    card = run.model(names.model_of(name)) / "card.json"
    described = ("kind", "trained_on", "n_train", "patch_size", "bands", "inputs")
    model = read_json(card) if card.exists() else {}
    return {
        "model": name,
        "against": against,
        "measure": MEASURES[against],
        "split": split,
        **scores[against],
        "scores": scores,
        "seconds": {stage: round(float(value), 3) for stage, value in seconds.items()},
        "seed": int(seed),
        "versions": versions(),
        "card": {field: model[field] for field in described if field in model},
    }
