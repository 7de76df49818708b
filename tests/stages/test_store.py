"""Reports on disk: what is written is read; what is broken is named with its remedy."""

import json
import re
from importlib import resources

import jinja2
import pytest

from landcover.errors import LandcoverError
from landcover.files.atomic import write_json
from landcover.reports import words
from landcover.run import Run
from landcover.stages import store


def report(**changes):
    return {
        "model": "knn",
        "against": "labels",
        "measure": "agreement with the labels",
        "scored_on": "test samples",
        "split": "spatial blocks of 64 px, guard 16 px",
        "n_test": 10,
        "overall_accuracy": 0.5,
        "balanced_accuracy": 0.5,
        "macro_f1": 0.5,
        "kappa": None,
        "per_class": {},
        "confusion": {},
        "scores": {"labels": {}},
        "seconds": {},
        "seed": 0,
        "versions": {},
    } | changes


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "run")


def test_a_report_is_read_as_written(run):
    path = run.report("knn")
    write_json(path, report())
    assert store.read_report(run.report("knn")) == report()
    assert [p.name for p in path.parent.iterdir()] == ["knn.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(report())[:80], "is not whole JSON"),
        ("", "is not whole JSON"),
        ("[1, 2]", "is not whole JSON"),
        ('{"type": "FeatureCollection"}', "is not a report: it lacks model, against"),
        (json.dumps(report(n_test="ten")), "is not a report: n_test is 'ten'"),
        (json.dumps(report(model="mlp")), "is not a report: it is of model mlp"),
        (json.dumps(report(against="reference")), "is not a report: its scores lack reference"),
    ],
)
def test_a_broken_report_is_named_with_the_command_that_makes_it(run, content, message):
    path = run.report("knn")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(LandcoverError, match=message) as caught:
        store.read_report(run.report("knn"))
    assert str(path) in str(caught.value)
    assert f"make it with: landcover map {run.path} --model knn" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_report_names_the_command(run):
    with pytest.raises(LandcoverError, match=r"knn.json does not exist; make it with: lan"):
        store.read_report(run.report("knn"))


def test_maps_are_found_without_their_side_rasters(run):
    folder = run.map("any").parent
    folder.mkdir(parents=True)
    for name in (
        "mlp.tif",
        "knn.tif",
        "knn_confidence.tif",
        "knn_probabilities.tif",
        "knn_entropy.tif",
        "compact_patches.tif",
        "compact_patches_confidence.tif",
        "knn.qml",
    ):
        (folder / name).touch()
    (folder / ".mlp.part.tif").touch()
    assert store.mapped_models(run.path / "maps") == ["knn", "mlp"]
    assert store.map_names(run.path / "maps") == ["knn", "mlp", "compact_patches"]


def test_a_run_without_maps_names_the_command(run):
    with pytest.raises(LandcoverError, match=r"has no map in maps/; make one with: landcover map"):
        store.mapped_models(run.path / "maps")


def test_a_comparison_is_read_as_written(run):
    paths = store.write_comparison(run.path, {"headline": "It is 5 × better."}, "# é", "<p>é</p>")
    assert [p.name for p in paths] == ["comparison.json", "comparison.md", "comparison.html"]
    assert store.read_comparison(run.path)["headline"] == "It is 5 × better."
    assert paths[1].read_text("utf-8") == "# é"
    assert len(list(run.path.iterdir())) == 3


def test_a_comparison_that_cannot_be_written_leaves_the_earlier_one_whole(run):
    paths = store.write_comparison(run.path, {"headline": "first"}, "first", "first")
    before = [path.read_bytes() for path in paths]
    blocked = run.path / ".comparison.md.part.md"
    blocked.mkdir()
    with pytest.raises(LandcoverError, match=r"cannot write .*comparison\.md"):
        store.write_comparison(run.path, {"headline": "second"}, "second", "second")
    blocked.rmdir()
    assert [path.read_bytes() for path in paths] == before
    assert sorted(path.name for path in run.path.glob("*comparison*")) == [
        "comparison.html",
        "comparison.json",
        "comparison.md",
    ]


def test_a_missing_or_foreign_comparison_names_the_command(run):
    command = f"landcover compare {run.path}"
    with pytest.raises(LandcoverError, match=f"does not exist; make it with: {command}"):
        store.read_comparison(run.path)
    run.path.mkdir()
    (run.path / "comparison.json").write_text("{}")
    with pytest.raises(LandcoverError, match=f"is not a comparison; make it again with: {command}"):
        store.read_comparison(run.path)


def test_a_template_asks_for_all_that_it_shows():
    with pytest.raises(jinja2.UndefinedError):
        words.render("comparison.md")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0349, "+3.5"), (-0.0349, "−3.5"), (0.0004, "0.0"), (-0.0004, "0.0"), (None, "–")],
)
def test_points(value, shown):
    assert words.points(value) == shown


def test_a_bar_in_a_name_does_not_end_its_cell():
    """Of `{{ text | cell }}`; every column that shows a class's name in a table has it."""
    templates = resources.files("landcover.reports") / "templates"
    tables = [
        line
        for page in ("comparison.md", "assessment.md", "change.md", "label_noise.md")
        for line in (templates / page).read_text("utf-8").splitlines()
        if line.startswith("|") and re.search(r"{{ (class|c|row)\.name", line)
    ]
    assert len(tables) == 7 and all(".name | cell }}" in line for line in tables)
    assert words.cell("Town | village") == r"Town \| village"
