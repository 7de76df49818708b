"""Training samples that are left out: in the card, in every kind, from the command line."""

from __future__ import annotations

import numpy as np

from landcover import cli
from landcover.classifiers.models import load_model
from tests.fixtures.training_runs import write_run


def test_what_is_left_out_is_said_and_stays_in_the_card(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    plain = ["train", "nearest-centroid", str(run.path), "--denoise", "none", "--no-map"]
    assert cli.main([*plain, "--variant", "all"]) == 0
    whole = load_model(run.model("nearest-centroid-plain@all"))
    assert cli.main([*plain, "--min-distance-m", "40", "--balance"]) == 0
    said = capsys.readouterr()
    model = load_model(run.model("nearest-centroid-plain"))
    held = model.card["hygiene"]
    assert whole.card["hygiene"] == {}
    assert (held["min_distance_m"], held["balance"], held["outliers"]) == (40.0, True, None)
    left_out = [n for counts in held["left_out"].values() for n in counts.values()]
    assert model.card["n_train"] == whole.card["n_train"] - sum(left_out) < whole.card["n_train"]
    assert model.card["n_validation"] == whole.card["n_validation"]
    assert "min_distance_m=40.0 leaves out" in said.out + said.err
    assert np.isfinite(model.temperature.value)


def test_a_limit_out_of_range_writes_nothing(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    before = sorted(path.name for path in run.path.rglob("*"))
    command = ["train", "nearest-centroid", str(run.path), "--denoise", "none"]
    assert cli.main([*command, "--min-distance-m", "1e8"]) == 2
    assert "--min-distance-m 100000000.0 leaves no training sample" in capsys.readouterr().err
    unstorable = "sklearn.gaussian_process.GaussianProcessClassifier"
    assert cli.main(["train", "estimator", str(run.path), "--estimator", unstorable]) == 2
    assert "cannot be stored as data" in capsys.readouterr().err
    assert sorted(path.name for path in run.path.rglob("*")) == before
