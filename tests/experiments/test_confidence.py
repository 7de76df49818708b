"""Confidence against the truth: what is measured of known probabilities, and of a run."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from experiments import confidence
from experiments.confidence import FITS, measured
from landcover.files.atomic import write_json
from landcover.stages import denoise_teacher
from tests.fixtures.training_runs import write_run


def test_measures_of_known_rows():
    """Confidence is read from calibrated probabilities, the class from the model's own."""
    given = np.array([[0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.9, 0.1]])
    calibrated = np.full_like(given, 0.5)
    found = measured(given, calibrated, np.array([0, 0, 1, -1]))
    assert found == {"accuracy": 0.75, "confidence": 0.5, "ece": 0.25, "brier": 0.25}
    found = measured(given, given, np.array([0, 0, 1, -1]))
    assert found["confidence"] == pytest.approx(0.75)
    assert found["brier"] == pytest.approx(brier_score_loss([1, 1, 1, 0], [0.6, 0.7, 0.8, 0.9]))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("confidence") / "run")


@pytest.mark.parametrize("way", ["none", pytest.param("refine", marks=pytest.mark.slow)])
def test_scores_of_a_run(run, way, monkeypatch):
    monkeypatch.setattr(denoise_teacher, "TEACHER_EPOCHS", 1)
    found = confidence.scores(run, "forest", way)
    assert tuple(found) == FITS and found["none"]["temperature"] == 1
    assert len({score["accuracy"] for score in found.values()}) == 1  # labels never change
    for score in found.values():
        assert 0 <= score["ece"] <= 1 and 0 <= score["brier"] <= 1
        assert abs(score["confidence"] - score["accuracy"]) <= score["ece"] + 1e-9


def test_the_table_says_gap_error_and_score():
    score = {"accuracy": 0.7, "confidence": 0.75, "ece": 0.0612, "brier": 0.1, "temperature": 1}
    lines = confidence.markdown({"kind-0, forest, none": dict.fromkeys(FITS, score)}).splitlines()
    cell = "+5.0, 0.061, 0.100"
    assert lines[2] == f"| kind-0 | forest | none | 70.0 % | {' | '.join([cell] * len(FITS))} |"
    assert len({line.count("|") for line in lines}) == 1


def test_a_stored_score_is_not_measured_again(tmp_path, monkeypatch, capsys):
    score = {"accuracy": 0.7, "confidence": 0.75, "ece": 0.0612, "brier": 0.1, "temperature": 1}
    keys = [f"kind-0, forest, {way}" for way in confidence.WAYS]
    write_json(tmp_path / "confidence.json", {key: dict.fromkeys(FITS, score) for key in keys})
    monkeypatch.setattr(confidence, "scores", None)
    confidence.main([str(tmp_path), "--places", "kind-0", "--models", "forest"])
    assert "| kind-0 | forest | refine | 70.0 % |" in capsys.readouterr().out
