"""Scores of scenes that were mapped by models of others."""

from __future__ import annotations

import numpy as np
import pytest

from landcover.legend import Legend
from landcover.reports import by_scene
from landcover.reports.scores import WHOLE_SCENE

LEGEND = Legend.corine().subset([112, 211, 311, 512])
CODES = (112, 211, 311, 512)


def confusions(seed: int = 0, blocks: int = 12) -> np.ndarray:
    """Blocks in which 512 is never found, for the model does not know it."""
    found = np.random.default_rng(seed).integers(0, 40, (blocks, 4, 4))
    found[:, :, 3] = 0
    found[:, range(3), range(3)] += 200
    return found


def test_classes_that_a_model_does_not_know_are_errors_and_told_apart():
    counts = confusions()
    found = by_scene.scores_of(counts, CODES, (112, 211, 311), LEGEND, seed=0)
    total, right = counts.sum(), counts[:, range(4), range(4)].sum()
    water = counts[:, 3].sum()
    assert found["n_test"] == total and found["n_blocks"] == 12
    assert found["overall_accuracy"] == pytest.approx(right / total)
    assert found["overall_accuracy_of_known"] == pytest.approx(right / (total - water))
    (lacking,) = found["lacking"]
    assert lacking == {
        "code": 512, "name": "Water bodies", "pixels": water, "share": water / total,
    }  # fmt: skip
    low, high = found["overall_accuracy_of_known_ci95"]
    assert low < found["overall_accuracy_of_known"] < high


def test_a_model_that_knows_all_lacks_nothing():
    found = by_scene.scores_of(confusions(), CODES, CODES, LEGEND, seed=0)
    assert found["lacking"] == []
    assert found["overall_accuracy_of_known"] == found["overall_accuracy"]


def test_a_scene_of_unknown_classes_alone_has_no_score_of_known_ones():
    counts = np.zeros((3, 4, 4), int)
    counts[:, 3, 0] = 5
    found = by_scene.scores_of(counts, CODES, (112,), LEGEND, seed=0)
    assert found["overall_accuracy"] == 0 and found["overall_accuracy_of_known"] is None
    assert found["lacking"][0]["share"] == 1


def scene(run: str, value: float, known: float | None) -> by_scene.LeftOut:
    scores = by_scene.scores_of(confusions(), CODES, CODES, LEGEND, seed=0)
    about = {"run": run, "days": [], "crs": "EPSG:32633", "trained_on": [], "n_train": 1}
    return {
        **scores, **about, "scored_on": WHOLE_SCENE,
        "overall_accuracy": value, "overall_accuracy_of_known": known,
    }  # fmt: skip


def test_every_scene_counts_alike():
    scenes = [scene("a", 0.5, None), scene("b", 0.7, 0.8), scene("c", 0.9, 0.9)]
    found = by_scene.summary_of(scenes)
    assert found["overall_accuracy"] == {
        "mean": pytest.approx(0.7),
        "standard_deviation": pytest.approx(0.2),
        "least": 0.5,
        "most": 0.9,
        "scenes": 3,
    }
    assert found["overall_accuracy_of_known"]["mean"] == pytest.approx(0.85)
    assert found["overall_accuracy_of_known"]["scenes"] == 2


def test_one_scene_has_no_spread():
    assert by_scene.spread_of([0.4])["standard_deviation"] is None
    assert by_scene.spread_in_words(by_scene.spread_of([0.4])) == "40.0 %"
