"""Run folders and tables of studies."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from experiments.study import Table, open_run, study_run, thin
from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.run import Run
from landcover.sources import synthetic
from landcover.stages.inputs import read_rows
from tests.fixtures.training_runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("study") / "run")


def test_a_study_has_samples_of_its_own(run):
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    own = study_run(run, "some", 500, max_patch=5)
    assert own.path == run.path / "studies" / "some"
    assert {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()} == before
    samples = read_rows(own, "labels").samples
    assert len(samples) == pytest.approx(500, abs=5)
    at = samples["row"], samples["col"]
    np.testing.assert_array_equal(samples["label"], rasters.read_classes(run.labels)[at])
    np.testing.assert_array_equal(samples["reference"], rasters.read_classes(run.reference)[at])
    types = rasters.read(run.segment_types)[1][at]
    np.testing.assert_array_equal(samples["segment_type_hierarchy_8"], types)
    first = own.samples.read_bytes()
    assert study_run(run, "some", 500, max_patch=5).samples.read_bytes() == first


def test_a_study_needs_labels(tmp_path):
    with pytest.raises(LandcoverError, match=r"scene\.tif does not exist; make it with"):
        study_run(Run(tmp_path), "some", 500)


def test_thinning_keeps_every_test_sample(run):
    own = study_run(run, "thinned", 1000)
    full = read_rows(own, "labels").samples
    thin(own, 0.25)
    few = read_rows(own, "labels").samples
    assert set(map(tuple, few[["row", "col"]].values)) <= set(
        map(tuple, full[["row", "col"]].values)
    )
    count, left = (table["split"].value_counts() for table in (full, few))
    assert left["test"] == count["test"]
    assert left["train"] == pytest.approx(count["train"] / 4, rel=0.25)
    assert left["validation"] < count["validation"] / 2


def test_rows_are_made_once_and_anew_for_other_settings(run, tmp_path):
    made = []

    def make(value):
        made.append(value)
        return {"accuracy": value}

    path = tmp_path / "table.json"
    for _ in range(2):
        table = Table(path, run, epochs=1)
        table.add({"patch": 3}, partial(make, 0.5))
        table.add({"patch": 5}, partial(make, 0.25))
    assert made == [0.5, 0.25]
    assert read_json(path)["rows"] == [
        {"patch": 3, "accuracy": 0.5},
        {"patch": 5, "accuracy": 0.25},
    ]
    assert str(table).splitlines() == [
        "| patch | accuracy |", "| --- | --- |", "| 3 | 50.0 % |", "| 5 | 25.0 % |",
    ]  # fmt: skip
    assert Table(path, run, epochs=2).rows == []


def test_rows_of_another_scene_are_not_kept(run, tmp_path):
    path = tmp_path / "table.json"
    Table(path, run).add({"patch": 3}, dict)
    other = write_run(tmp_path / "other", seed=1)
    assert Table(path, run).rows == [{"patch": 3}]
    assert Table(path, other).rows == []


def test_rows_of_other_settings_are_kept_beside_and_found_again(run, tmp_path, capsys):
    path = tmp_path / "table.json"
    for seed in (0, 1):
        Table(path, run, seed=seed).add({"patch": 3}, lambda seed=seed: {"accuracy": seed / 2})
    (beside,) = set(tmp_path.glob("*.json")) - {path}
    assert read_json(beside)["rows"] == [{"patch": 3, "accuracy": 0.0}]
    assert read_json(beside)["settings"] == {"seed": 0}
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"{path} held rows of other files or settings; they are in {beside.name} now"
    )
    again = Table(path, run, seed=0)
    again.add({"patch": 3}, None)  # it is there: nothing is made, and nothing moves
    assert read_json(path)["rows"] == [{"patch": 3, "accuracy": 0.5}] and beside.exists()
    again.add({"patch": 5}, dict)
    assert read_json(path)["rows"] == [{"patch": 3, "accuracy": 0.0}, {"patch": 5}]
    (other,) = set(tmp_path.glob("*.json")) - {path}
    assert read_json(other)["rows"] == [{"patch": 3, "accuracy": 0.5}] and other != beside


def test_a_row_that_cannot_be_made_moves_nothing(run, tmp_path):
    path = tmp_path / "table.json"
    Table(path, run, seed=0).add({"patch": 3}, dict)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        Table(path, run, seed=1).add({"patch": 3}, lambda: {"accuracy": 1 / 0})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_missing_cells_and_columns_of_some_rows_are_dashes(run, tmp_path):
    table = Table(tmp_path / "table.json", run)
    table.add({"model": "a"}, lambda: {"epochs": None})
    table.add({"model": "b"}, lambda: {"points": [-0.01, 0.02]})
    assert str(table).splitlines()[2:] == ["| a | – | – |", "| b | – | +0.5 (−1.0 to +2.0) |"]


def test_the_demo_scene_is_made_where_there_is_no_run(tmp_path, monkeypatch):
    small = partial(synthetic.make_scene, 300, 400)
    monkeypatch.setattr(synthetic, "make_scene", small)
    demo = tmp_path / "demo"
    run = open_run(demo, demo)
    np.testing.assert_array_equal(rasters.read_classes(run.reference), small(seed=0).truth)
    assert run.segment_types.exists() and run.labels.exists()
    stamp = run.scene.stat().st_mtime_ns
    assert open_run(demo, demo).scene.stat().st_mtime_ns == stamp
    assert not open_run(tmp_path / "mistyped", demo).path.exists()
