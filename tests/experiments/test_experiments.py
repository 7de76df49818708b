"""The studies, each by its main on a small run; and what the faults that they measure are."""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score

from experiments import false_change, patch_size, published_faults, segment_types
from experiments.study import study_run
from landcover.classifiers import forests, networks
from landcover.classifiers.networks import architectures
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.labels import evidence
from landcover.reports import change, words
from landcover.run import Run
from landcover.stages import denoise_teacher, store
from landcover.stages.inputs import pixel_inputs, read_rows
from tests.conftest import ROOT, error_lines
from tests.fixtures.training_runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("experiments") / "run")


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    """Networks that take less time to set up, and a teacher that soon stops."""
    monkeypatch.setattr(denoise_teacher, "TEACHER_EPOCHS", 1)
    monkeypatch.setattr(evidence, "TREES", 20)
    monkeypatch.setattr(architectures, "PUBLISHED_FILTERS", (4,))
    monkeypatch.setattr(architectures, "PUBLISHED_DENSE", 10)
    monkeypatch.setattr(architectures, "MLP_UNITS", (16,))


def printed(capsys):
    """Cells of the table on standard output, by column."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.slow
def test_patch_sizes(run, capsys, monkeypatch):
    call = [str(run.path), "--sizes", "3", "5", "--samples", "600", "--epochs", "1"]
    call += ["--published-up-to", "3"]
    assert patch_size.main(call) == 0
    rows = read_json(run.path / "studies" / "patch_size.json")["rows"]
    wanted = [(size, network) for size in (3, 5) for network in patch_size.NETWORKS]
    assert [(row["patch"], row["network"]) for row in rows] == wanted
    table = printed(capsys)
    assert [row["accuracy"] for row in table] == [words.percent(r["accuracy"]) for r in rows]
    assert all(row["epochs"] == 1 and 0 < row["accuracy"] < 1 for row in rows)
    own = Run(run.path / "studies" / "patch_size")
    for row, name in (
        (rows[1], "cnn-3x3-plain"), (rows[2], "cnn-3x3"), (rows[0], "cnn-3x3-published-plain"),
    ):  # fmt: skip
        scores = store.read_report(own.report(name))["scores"]
        assert row["accuracy"] == scores["reference"]["overall_accuracy"]
        assert row["agreement"] == scores["labels"]["overall_accuracy"]
    learnt = [row["trained on"] for row in rows]
    assert len(set(learnt[:3] + learnt[4:])) == 1
    assert learnt[3] == pytest.approx(learnt[0] * 9 / 25, rel=0.25)
    few = Run(run.path / "studies" / "patch_size-5")
    tests = [store.read_report(r.report(n))["n_test"] for r, n in
             ((own, "cnn-5x5"), (few, "cnn-5x5-published-plain"))]  # fmt: skip
    assert tests[0] == tests[1]
    monkeypatch.setattr(patch_size.train, "train", None)
    assert patch_size.main(call) == 0  # everything is there: nothing is trained
    assert printed(capsys) == table


@pytest.mark.slow
def test_segment_types(run, capsys, monkeypatch):
    monkeypatch.delitem(segment_types.TYPES, "MLP")  # which differs from the others by less
    call = [str(run.path), "--epochs", "1", "--samples"]
    assert segment_types.main([*call, "300", "--denoise", "none"]) == 0
    first = printed(capsys)
    assert segment_types.main([*call, "600", "--denoise", "refine"]) == 0
    rows, table = read_json(run.path / "studies" / "segment_types.json")["rows"], printed(capsys)
    assert [(row["samples"], row["denoise"], row["model"]) for row in rows] == [
        (samples, way, model)
        for samples, way in ((300, "none"), (600, "refine"))
        for model in (segment_types.FOREST, *segment_types.TYPES)
    ]
    assert len(table) == len(rows) and table[:3] == first
    assert rows[3]["trained on"] == pytest.approx(2 * rows[0]["trained on"], rel=0.2)
    assert rows[0]["epochs"] is None and rows[1]["epochs"] == 1
    own = Run(run.path / "studies" / "segment_types-600")
    card = read_json(own.model("mlp-segments") / "card.json")
    assert card["segment_layers"] == ["hierarchy-8"]
    found = store.read_report(own.report("mlp-segments"))
    assert rows[5]["accuracy"] == found["overall_accuracy"]


def test_faults(run, capsys, monkeypatch):
    monkeypatch.delitem(published_faults.FAULTS, ("random split", "published CNN"))  # like a forest
    call = [str(run.path), "--samples", "600", "--epochs", "1", "--seeds", "1"]
    assert published_faults.main([*call, "--patch-size", "3"]) == 0
    rows = read_json(run.path / "studies" / "published_faults.json")["rows"]
    assert [(row["fault"], row["model"]) for row in rows] == list(published_faults.FAULTS)
    for row in rows:
        for measure in ("accuracy", "agreement"):
            difference = row[f"{measure} with"] - row[f"{measure} without"]
            assert row[f"{measure}, points"] == [pytest.approx(difference)]
    table = printed(capsys)
    assert [row["fault"] for row in table] == [row["fault"] for row in rows]
    own = Run(run.path / "studies" / "published_faults")
    leak = store.read_report(own.report("random-forest-plain"))["scores"]["labels_random"]["leak"]
    assert rows[2]["agreement, points"] == [pytest.approx(leak["difference"])]


def test_false_change(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(false_change, "SAMPLES", 2000)
    monkeypatch.setitem(false_change.LATER, "industry", {"estates": 2, "sun": 0.96})
    monkeypatch.setattr(forests, "Growth", partial(forests.Growth, n_trees=20))
    monkeypatch.setattr(change, "_picture", lambda *drawn: b"")  # nobody looks at it
    call = [str(tmp_path), "--size", "200", "220", "--models", "random-forest-plain"]
    assert false_change.main([*call, "--dates", "industry", "noise"]) == 0
    table = printed(capsys)
    assert [row["second date"] for row in table] == ["noise", "industry"]
    assert {row["model"] for row in table} == {"random-forest-plain"}
    assert table[0]["found"] == table[0]["true ha"] == "–"
    places = list(false_change.LATER)
    truth = rasters.read_classes(tmp_path / "before" / "reference.tif")
    for row in table:
        run = Run(tmp_path / str(places.index(row["second date"])))
        codes = rasters.read_classes(run.path / "random-forest-plain-change" / "change.tif")
        shown, stayed = codes // 100 != codes % 100, rasters.read_classes(run.reference) == truth
        assert row["false change"] == f"{100 * shown[stayed].mean():.2f}"
        assert float(row["false change"]) < float(row["maps differ as they are"]) / 5
    assert table[1]["found"] == f"{100 * shown[~stayed].mean():.1f}"
    assert table[1]["true ha"] == f"{(~stayed).sum() / 100:.0f}"
    documented = (ROOT / "docs" / "change.md").read_text("utf-8").splitlines()
    [head] = [line for line in documented if line.startswith("| second date |")]
    assert head == f"| {' | '.join(table[0])} |"


def test_a_size_that_no_country_fits_in_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        false_change.main([str(tmp_path), "--size", "20", "20"])
    assert stopped.value.code == 2
    [line] = error_lines(capsys.readouterr().err)
    assert line == "error: rows 20 is out of range; choose a whole 160 to 20000"


@pytest.fixture(scope="module")
def own(run):
    return study_run(run, "faults", 900, 5)


def asked(**settings):
    return argparse.Namespace(epochs=1, patch_size=5, **settings)


def test_a_forest_of_one_hot_targets_leaves_rows_without_a_class(own):
    rows = read_rows(own, "labels")
    seen = pixel_inputs(own, rows.samples)
    X, X_test = (
        rows.values(part, seen.bands, seen.features)[0] for part in (rows.train, rows.scored)
    )
    hot, hot_test = (np.eye(3, dtype=int)[rows.targets(part)] for part in (rows.train, rows.scored))
    forest = RandomForestClassifier(100, random_state=0).fit(X, hot)
    predicted = forest.predict(X_test)
    assert (predicted.sum(axis=1) == 0).any()
    found = published_faults.one_hot(asked(), own, 0)["labels"]
    # Whole rows of columns must be right, as scikit-learn counts several columns
    assert found[0] == pytest.approx(accuracy_score(hot_test, predicted))
    whole = RandomForestClassifier(100, random_state=0).fit(X, rows.targets(rows.train))
    assert found[1] == pytest.approx(whole.score(X_test, rows.targets(rows.scored)))
    read = published_faults.one_hot(asked(), own, 0, highest=True)["labels"]
    assert read[0] > found[0] and read[1] == found[1]


def test_the_scaler_sees_test_samples_or_not(own, monkeypatch):
    rows = read_rows(own, "labels")
    inputs = pixel_inputs(own, rows.samples)
    seen = []

    def build(n_inputs, n_classes, means, variances):
        seen.append((means, variances))

    monkeypatch.setattr(networks, "build_mlp", build)
    monkeypatch.setattr(
        published_faults, "learnt", lambda *_: rows.samples["label"].to_numpy()[rows.scored]
    )
    assert published_faults.scaler(asked(), own, 0)["labels"] == (1, 1)
    everything = np.arange(len(rows.samples))
    for (means, variances), part in zip(seen, (everything, rows.train), strict=True):
        values = rows.values(part, inputs.bands, inputs.features)[0].astype(np.float64)
        np.testing.assert_allclose(means, values.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(variances, values.var(axis=0), rtol=1e-6)
    assert not np.allclose(seen[0][0], seen[1][0], rtol=1e-6)


def test_an_even_window_misses_its_centre(own, monkeypatch):
    rows = read_rows(own, "labels")
    seen = []

    def learnt(a, rows, model, seed, patches):
        seen.append(patches)
        return rows.samples["label"].to_numpy()[rows.scored]

    monkeypatch.setattr(published_faults, "learnt", learnt)
    published_faults.even_window(asked(), own, 0)
    even, odd = seen
    image = np.moveaxis(rasters.read(own.scene), 0, -1)
    inside = rows.samples["row"].between(20, 100) & rows.samples["col"].between(20, 100)
    for i in np.flatnonzero(inside)[:20]:
        row, col = rows.samples["row"].iloc[i], rows.samples["col"].iloc[i]
        published = image[row - 2 : row + 2, col - 2 : col + 2]
        assert published.shape == (4, 4, 4)
        np.testing.assert_array_equal(even[i][:4, :4], published)
        np.testing.assert_array_equal(odd[i], image[row - 2 : row + 3, col - 2 : col + 3])
    assert np.isnan(even[:, 4]).all() and np.isnan(even[:, :, 4]).all()


@pytest.mark.parametrize("study", [patch_size, segment_types, published_faults])
def test_a_folder_without_a_scene_is_one_line(study, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        study.main([str(tmp_path)])
    assert ended.value.code == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert line.startswith("error: ") and "scene.tif does not exist; make it with" in line


def test_an_even_patch_is_one_line(run, capsys):
    with pytest.raises(SystemExit) as ended:
        patch_size.main([str(run.path), "--sizes", "4"])
    assert ended.value.code == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "patch size 4 is even" in line and "choose an odd size" in line
