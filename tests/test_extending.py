"""The guide to extending: its blocks of code run, and what they add works without other changes."""

from __future__ import annotations

import ast
import csv
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import landcover as lc
from landcover import cli, sensors
from landcover.classifiers.kind import Kind
from landcover.classifiers.kinds import KINDS
from landcover.classifiers.models import load_model
from landcover.commands import COMMANDS
from landcover.commands import train as train_commands
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.labels import schemes
from landcover.run import Run
from landcover.samples.rows import read_samples
from landcover.scene.feature import Feature
from landcover.scene.feature_names import FEATURES
from landcover.scene.features import compute_features
from landcover.scene.indices import Index
from landcover.sources import band_files
from tests.conftest import ROOT, utm_grid
from tests.fixtures import guide
from tests.fixtures.sentinel2_files import write_bands
from tests.fixtures.training_runs import BANDS, write_run


@pytest.fixture
def rows(monkeypatch):
    """The row that each recipe adds, made where the guide says, in files that it makes up too."""
    made, new = {}, {}
    for recipe, path, text in guide.blocks():
        if path.endswith(".csv"):
            table = tuple(csv.DictReader(text.splitlines()[1:]))
            monkeypatch.setattr(schemes, "facts", {Path(path).stem: table}.__getitem__)
            continue
        module = path.removesuffix(".py").replace("/", ".")
        if (ROOT / path).exists():
            known = vars(importlib.import_module(module)) | new
            (expression,) = ast.parse(text).body
            assert isinstance(expression, ast.Expr), f"{path} gets one row"
            made[recipe] = eval(compile(ast.Expression(expression.value), path, "eval"), known)
        else:
            held = guide.module_of(path)
            monkeypatch.setitem(sys.modules, module, held)
            new[module.rpartition(".")[2]] = held
    return made


#: Training without what the guide does not speak of.
QUICK = ["--denoise", "none", "--no-random-split"]


def require_map_of(run, name, features):
    """Fail unless the map of a model of the run is what the model says of its scene."""
    model = load_model(run.model(name))
    assert model.inputs.features == features
    mapped = rasters.read_classes(run.map(name))
    np.testing.assert_array_equal(model.predict(rasters.read(run.scene)), mapped)
    assert len(np.unique(mapped)) > 2 and read_json(run.report(name))["overall_accuracy"] > 0.5


def test_the_guide_needs_as_many_files_as_it_says():
    told = [int(n) for n in re.findall(r"^\| an? .* \| (\d) \|", guide.TEXT, flags=re.MULTILINE)]
    files = {}
    for recipe, path, _ in guide.blocks():
        files.setdefault(recipe, set()).add(path)
    assert [len(paths) for paths in files.values()] == told


def test_a_classifier(rows, tmp_path, monkeypatch):
    row = rows["A classifier"]
    assert isinstance(row, Kind)
    # all that stages, commands and exports ask of a kind follows from the row
    assert row.maps_pixels and row.has_classes and row.takes_features
    assert not (row.takes_patches or row.classifies_images or row.runs_on_keras)
    monkeypatch.setitem(KINDS, row.name, row)
    command = f"train {row.command}"
    monkeypatch.setitem(COMMANDS, command, train_commands.commands()[command])
    run = write_run(tmp_path / "run")
    assert cli.main([*guide.command("train naive-bayes", run.path), *QUICK]) == 0
    assert cli.main(guide.command("compare", run.path)) == 0
    name = "naive-bayes-plain"
    model = load_model(run.model(name))
    assert model.card["settings"]["smoothing"] == 1e-6
    mapped = rasters.read_classes(run.map(name))
    np.testing.assert_array_equal(model.predict(rasters.read(run.scene)), mapped)
    assert read_json(run.report(name))["overall_accuracy"] > 0.5


def test_no_other_module_compares_the_words_of_a_row():
    words = {"sees", "framework"}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "landcover").rglob("*.py")
        if path != ROOT / "landcover/classifiers/kind.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Attribute)
        and node.left.attr in words
        and any(isinstance(part, ast.Constant) for part in node.comparators)
    ]
    assert wrong == []


def test_an_index(rows, monkeypatch, tmp_path):
    row = rows["An index"]
    assert isinstance(row, Index)
    feature = Feature("cig", row.needs, row.function, row.formula, row.source)
    monkeypatch.setitem(FEATURES, "cig", feature)
    run = write_run(tmp_path / "run")
    assert cli.main([*guide.command("train random-forest", run.path), *QUICK]) == 0
    require_map_of(run, "random-forest-plain", ("ndvi", "cig"))
    nir, green = np.array([0.4, 0.3, np.nan]), np.array([0.1, 0.0, 0.1])
    np.testing.assert_allclose(feature(nir, green), [3, 0, np.nan], rtol=1e-6)
    text = eval(row.formula, {"nir": nir[:1], "green": green[:1]})
    np.testing.assert_allclose(text, row.function(nir[:1], green[:1]))


def test_a_feature_of_windows_by_the_commands(rows, monkeypatch, tmp_path):
    row = rows["A feature of windows"]
    monkeypatch.setitem(FEATURES, row.name, row)
    run = write_run(tmp_path / "run")
    sample = guide.command("sample", run.path)
    assert cli.main([*sample, "--samples", "2000", "--max-patch", "7"]) == 0
    assert row.name in read_samples(run.samples)
    assert cli.main([*guide.command("train knn", run.path), *QUICK]) == 0
    require_map_of(run, "knn-plain", ("ndvi", row.name))


def test_a_feature_of_windows(rows, monkeypatch, rng):
    row = rows["A feature of windows"]
    monkeypatch.setitem(FEATURES, row.name, row)
    image = rng.uniform(0.1, 0.4, (4, 12, 15)).astype(np.float32)
    image[3, 4, 5] = np.nan
    found = compute_features(
        np.pad(image, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan), BANDS, [row.name]
    )[0]
    assert found.shape == (12, 15)
    nir = image[3]
    assert found[8, 8] == nir[7:10, 7:10].max() - nir[7:10, 7:10].min()
    assert found[0, 0] == nir[:2, :2].max() - nir[:2, :2].min()
    assert found[4, 4] == np.nanmax(nir[3:6, 3:6]) - np.nanmin(nir[3:6, 3:6])
    assert np.isnan(found[4, 5]) and np.isnan(found).sum() == 1


def test_a_label_scheme(rows, monkeypatch, tmp_path, capsys, rng):
    row = rows["A label scheme"]
    monkeypatch.setitem(schemes.SCHEMES, row.name, row)
    grid, codes = utm_grid(160, 160), np.array([11, 12, 21], np.uint16)
    truth = codes[rng.integers(0, 3, (20, 20))].repeat(8, axis=0).repeat(8, axis=1)
    level = np.select([truth == 11, truth == 12], [3000, 1500], 400)
    dn = (level + rng.normal(0, 100, (4, 160, 160))).clip(1).astype(np.uint16)
    raster_writer.write(tmp_path / "scene.tif", dn, grid, BANDS)
    raster_writer.write(tmp_path / "survey.tif", truth, grid, ["class"], nodata=0)
    path = str(tmp_path / "run")
    prep = ["--bands", "scene.tif", "--labels", "survey.tif", "--scheme", row.name]
    monkeypatch.chdir(tmp_path)
    assert cli.main(["prep", *prep, "--samples", "2000", "--block-px", "16", "--out", path]) == 0
    assert "Cereals" in capsys.readouterr().out
    forest = ["--denoise", "none", "--no-random-split"]
    assert cli.main(["train", "random-forest", path, *forest]) == 0
    assert cli.main(["compare", path]) == 0
    legend = read_json(Run(path).path / "legend.json")
    assert len(legend["levels"]) == 2 and "Arable land" in str(legend["levels"][0])
    (model,) = read_json(Run(path).path / "comparison.json")["models"]
    assert list(model["levels"]) == ["1"]
    page = (Run(path).path / "comparison.html").read_text("utf-8")
    assert "Root crops" in page and "#c98f3c" in page


def test_a_sensor(rows, monkeypatch, tmp_path):
    row = rows["A sensor"]
    monkeypatch.setitem(sensors.SENSORS, row.name, row)
    paths, dn = write_bands(tmp_path, row.names, utm_grid(20, 30))
    (tile,) = band_files.open_bands(paths[::-1], sensor=row.name)
    assert tuple(tile.bands) == row.names
    run = lc.prepare(tmp_path / "run", bands=[tile])
    scene = lc.read(run.scene)
    assert tuple(rasters.band_names(run.scene)) == row.names
    np.testing.assert_allclose(scene, dn / np.float32(10_000), rtol=1e-6)
    ndvi = compute_features(scene, row.names, ["ndvi"])[0]
    red, nir = dn[2].astype(float), dn[3].astype(float)
    np.testing.assert_allclose(ndvi, (nir - red) / (nir + red), atol=1e-5)
