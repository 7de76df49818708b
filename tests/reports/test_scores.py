"""What a map's report keeps of the report that training wrote, and scores scene by scene."""

import numpy as np
import pytest

from landcover.legend import corine
from landcover.reports import scores
from landcover.stages import scoring, store
from tests.fixtures.worlds import World

HELD = {
    "temperature": 1.4,
    "against": "reference",
    "ece": 0.2,
    "scores": {"reference": {"ece": 0.2}, "labels": {"ece": 0.05}},
}


@pytest.fixture
def world(tmp_path):
    """A run whose model was trained and reported while there was a reference."""
    world = World(tmp_path / "run")
    world.model("knn", 0.3)
    report = store.read_report(world.run.report("knn")) | {"calibration": HELD}
    scoring.write_report(world.run, report)
    return world


def test_a_map_keeps_what_training_found_against_the_reference(world):
    report = scoring.score_map(world.run, "knn", {})
    assert report["calibration"] == HELD
    assert set(report["scores"]) == {"reference", "labels", "reference_random", "labels_random"}


def test_nothing_against_a_reference_is_kept_once_that_is_gone(world):
    world.run.reference.unlink()
    report = scoring.score_map(world.run, "knn", {})
    assert report["calibration"] == HELD | {"against": "labels", "ece": 0.05}
    assert set(report["scores"]) == {"labels", "labels_random"}
    assert report["measure"] == "agreement with CORINE"


def test_a_calibration_that_says_nothing_of_the_leading_comparison_is_dropped(world):
    report = store.read_report(world.run.report("knn"))
    report["calibration"] = HELD | {"scores": {"reference": {"ece": 0.2}}}
    scoring.write_report(world.run, report)
    world.run.reference.unlink()
    assert "calibration" not in scoring.score_map(world.run, "knn", {})


def test_a_postprocessed_map_has_no_confidence_of_its_own(world):
    world.map("knn+smooth", 0.2)
    assert "calibration" not in scoring.score_map(world.run, "knn+smooth", {})


def test_each_scene_of_several_is_scored_by_itself(tmp_path):
    """As if it were alone; one without a labelled test sample has none."""
    world = World(tmp_path / "run")
    frame = world.samples(900)
    predicted = world.map("knn", 0.3)[frame["row"], frame["col"]]
    frame = frame.assign(scene=np.arange(len(frame)) % 3)
    frame.loc[frame["scene"] == 1, "split"] = "train"
    found = scores.score_scenes(frame, predicted, corine())
    assert found[1] == {"n_test": 0}
    for number in (0, 2):
        own = (frame["scene"] == number) & (frame["split"] == "test") & (frame["reference"] > 0)
        right = predicted[own.to_numpy()] == frame["reference"][own]
        assert found[number]["n_test"] == own.sum()
        assert found[number]["overall_accuracy"] == pytest.approx(right.mean())
        assert found[number]["against"] == "reference"
