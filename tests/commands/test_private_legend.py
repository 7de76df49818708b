"""A legend of the user's own goes through every command, under its names and in its colours."""

from __future__ import annotations

import contextlib
import json

import geopandas
import numpy as np
import pytest
from shapely import box

from landcover import cli
from landcover.classifiers.models import load_model
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.files.legends import legend_of
from landcover.grid import Window
from landcover.labels.schemes import LabelScheme
from landcover.run import Run
from landcover.samples.blocks import TEST
from landcover.service.layers import layers_of
from landcover.stages.inputs import read_blocks
from tests.fixtures.private_legends import TABLE, fields, write_inputs

NAMES = [
    "Lake & pond",
    "Stream",
    "Oak wood",
    "Pine wood",
    "Meadow",
    "Wheat",
    "Roofs",
    "Gravel <raw>",
]
GROUPS = ["Water", "Wood", "Open land", "Built"]


def run_command(*words):
    """A command that must end well."""
    assert cli.main([str(word) for word in words]) == 0, words


def prepare(inputs, table, out, *more):
    """A run of some inputs under a table of classes."""
    words = [*inputs.arguments, "--scheme", table, "--samples", 1500, "--out", out, *more]
    run_command("prep", *words)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two dates of one place, prepared and mapped with every kind of model."""
    folder = tmp_path_factory.mktemp("private")
    before = write_inputs(folder / "before")
    later = fields()
    later[40:80, 40:104] = 7
    after = write_inputs(folder / "after", 1, later)
    runs = Run(folder / "first"), Run(folder / "second")
    for inputs, run in zip((before, after), runs, strict=True):
        prepare(inputs, before.table, run.path)
    run = runs[0]
    plain = ("--denoise", "none", "--no-random-split")
    run_command("segment", run.path, "--min-size", 30)
    run_command("train", "random-forest", run.path, *plain, "--no-map")
    run_command("train", "mlp", run.path, "--no-segments", "--epochs", 2, *plain, "--no-map")
    run_command("train", "cnn", run.path, "--patch-size", 3, "--epochs", 1, *plain)
    for name in sorted(path.name for path in (run.path / "models").iterdir()):
        run_command("map", run.path, "--model", name, "--probabilities")
    return runs, before


def legend(world):
    return LabelScheme.from_table(world[1].table).legend


def test_prep_says_what_values_became(world, capsys):
    (run, _), inputs = world
    held = read_json(run.legend)
    assert (held["scheme"], held["level"]) == ("landuse", 2)
    assert [c["name"] for c in held["classes"]] == NAMES
    assert [c["name"] for c in held["levels"][0]["classes"]] == GROUPS
    assert held["levels"][1]["classes"][2] == {
        "code": 3, "name": "Oak wood", "colour": "#117711", "parent": 20,
    }  # fmt: skip
    # the labels have pixels of 10 m; nobody says that they are generalised to larger cells
    assert held["cell_m"] == held["border_m"] == pytest.approx(10, abs=0.01)
    out = run.path.with_name("again")
    prepare(inputs, inputs.table, out)
    said = capsys.readouterr().out
    labels = rasters.read_classes(run.labels)
    assert "labels: scheme landuse" in said and "reference: scheme landuse" in said
    assert f"  5 -> 5 Meadow, {100 * (labels == 5).mean():.1f} %" in said
    assert read_json(run.manifest)["stages"]["prep"]["classes"]["labels"]["scheme"] == "landuse"
    for text in (legend_of(run.labels).names, legend_of(run.reference).names):
        assert list(text) == NAMES


def test_without_a_scheme_it_is_refused(world, tmp_path, capsys):
    _, inputs = world
    assert cli.main(["prep", *inputs.arguments, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "class codes 1, 2, 3, 4, 5, 6, 7, 8 fit several label schemes" in error
    assert "--scheme corine-grid|" in error and not (tmp_path / "run").exists()


def test_coarser_level(world, tmp_path):
    _, inputs = world
    run = Run(tmp_path / "run")
    prepare(inputs, inputs.table, run.path, "--level", 1)
    assert list(legend_of(run.labels).names) == GROUPS
    assert set(np.unique(rasters.read_classes(run.labels))) == {10, 20, 30, 40}
    assert read_json(run.legend)["level"] == 1


@pytest.fixture(scope="module")
def comparison(world):
    (run, _), _ = world
    run_command("compare", run.path)
    return read_json(run.path / "comparison.json")


def test_comparison(world, comparison):
    (run, _), _ = world
    found = comparison
    assert found["level"] == 2 and [c["name"] for c in found["classes"]] == NAMES
    for model in found["models"]:
        assert list(model["levels"]) == ["1"]
        finer = model["scores"]["reference"]["overall_accuracy"]
        assert model["levels"]["1"]["overall_accuracy"] >= finer > 0.2
    page = (run.path / "comparison.html").read_text("utf-8")
    assert "Lake &amp; pond" in page and "#aaee55" in page and "CORINE" not in page
    assert "Level 1: overall" in page and "Gravel <raw>" not in page
    assert "CORINE" not in (run.path / "comparison.md").read_text("utf-8")


def test_a_coarser_score_joins_the_parents(world, comparison):
    """Overall accuracy of level 1, counted from the rasters by the table's parents."""
    (run, _), _ = world
    parent = np.array([0, 10, 10, 20, 20, 30, 30, 40, 40])

    truth = rasters.read_classes(run.reference)
    test = read_blocks(run).holds(Window(0, 0, *truth.shape), TEST)
    for model in comparison["models"]:
        mapped = rasters.read_classes(run.map(model["name"]))
        right = (parent[mapped] == parent[truth])[test]
        assert model["levels"]["1"]["overall_accuracy"] == pytest.approx(right.mean())


def test_map_item_style_and_service(world):
    (run, _), _ = world
    name = next(path.name for path in sorted((run.path / "models").iterdir()))
    assert legend_of(run.map(name)) == legend(world)
    item = json.dumps(read_json(run.item(name)), ensure_ascii=False)
    assert "Oak wood" in item and "aaee55" in item.lower()
    layers = layers_of(run)
    for layer in ("labels", "reference", f"map-{name}"):
        assert layers[layer].legend == legend(world)


def test_classify(world, capsys):
    (run, _), _ = world
    words = ["classify", run.scene, "--run", run.path, "--model", "random-forest-plain", "--json"]
    capsys.readouterr()
    run_command(*words)
    found = json.loads(capsys.readouterr().out)
    assert list(found["probabilities"]) == NAMES and found["Type"] in NAMES


def test_postprocess_and_export(world):
    (run, _), _ = world
    name = next(path.name for path in sorted((run.path / "models").iterdir()))
    run_command("postprocess", run.path, "--model", name, "--mmu-ha", 0.1)
    maps = [path for path in (run.path / "maps").glob(f"{name}+*.tif") if "_" not in path.stem]
    assert len(maps) == 1 and list(legend_of(maps[0]).names) == NAMES
    run_command("export", run.path, "--model", name)
    maps[0].unlink()  # other tests compare the models' own maps


def test_sample_points_and_assess(world):
    (run, _), _ = world
    name = next(path.name for path in sorted((run.path / "models").iterdir()))
    run_command("sample-points", run.path, "--model", name, "--n", 120)
    path = next(run.path.glob("*_points.gpkg"))
    points = geopandas.read_file(path, layer=path.stem)
    truth = rasters.read_classes(run.reference)
    rows, cols = rasters.grid_of(run.map(name)).rowcol(points.geometry.x, points.geometry.y)
    points["reference"] = truth[rows, cols].astype(int)
    points.to_file(path, layer=path.stem, driver="GPKG")
    run_command("assess", run.path, "--reference", path, "--model", name)
    report = read_json(run.report(f"{name}_assessment"))
    assert report["level"] == 2 and report["per_class"]["5"]["name"] == "Meadow"
    groups = {1: 10, 2: 10, 3: 20, 4: 20, 5: 30, 6: 30, 7: 40, 8: 40}
    points["reference"] = points["reference"].map(groups)
    points.to_file(path, layer=path.stem, driver="GPKG")
    run_command("assess", run.path, "--reference", path, "--model", name)
    coarse = read_json(run.report(f"{name}_assessment"))
    assert coarse["level"] == 1 and coarse["per_class"]["40"]["name"] == "Built"


@pytest.mark.parametrize("level", [None, 1])
def test_change(world, tmp_path, level):
    (first, second), _ = world
    model = first.path / "models" / "random-forest-plain"
    asked = [] if level is None else ["--level", level]
    out = tmp_path / "change"
    run_command("change", first.path, second.path, "--model", model, "--out", out, *asked)
    names = legend_of(out / "change.tif").names
    assert any(name.endswith("Roofs" if level is None else "Built") for name in names)
    page = (out / "change.md").read_text("utf-8")
    assert f"landuse level {level or 2}" in page and "CORINE" not in page
    codes = rasters.read_classes(out / "change.tif")[45:75, 50:95]
    place = 7 if level is None else 4
    assert (codes % 100 == place).mean() > 0.8


def test_polygons_carry_its_codes(world, tmp_path):
    (run, _), inputs = world
    grid, truth = rasters.grid_of(run.scene), rasters.read_classes(run.reference)
    places = np.arange(4, 160, 8)
    codes = truth[places, places].astype(int)
    corners = zip(*grid.xy(places, places), strict=True)
    shapes = [box(x - 30, y - 30, x + 30, y + 30) for x, y in corners]
    frame = geopandas.GeoDataFrame({"use": codes}, geometry=shapes, crs=grid.crs)
    path, out = tmp_path / "fields.gpkg", Run(tmp_path / "run")
    frame.to_file(path)
    words = ["--polygons", path, "--class-field", "use", "--samples", 300]
    files = ["--bands", *inputs.bands, "--scheme", inputs.table]
    run_command("prep", *files, *words, "--block-px", 24, "--out", out.path)
    assert read_json(out.legend)["scheme"] == "landuse"
    assert set(read_json(out.manifest)["stages"]["sample"]["settings"]["classes"]) <= set(codes)
    frame.assign(use=99).to_file(path)
    assert cli.main([str(word) for word in ("sample", out.path, *words)]) == 2


def test_denoise(world, hasty_teacher):
    (run, _), _ = world
    run_command("denoise", run.path)
    found = read_json(run.path / "label_noise.json")
    assert [row["name"] for row in found["classes"]] == NAMES


def test_a_model_of_another_scheme_is_refused(world, tmp_path, capsys):
    (run, _), inputs = world
    other = tmp_path / "other.csv"
    other.write_text(inputs.table.read_text("utf-8").replace("Meadow", "Motorway"), "utf-8")
    stranger = tmp_path / "run"
    prepare(inputs, other, stranger)
    model = run.path / "models" / "random-forest-plain"
    assert load_model(model).legend == legend(world)
    assert cli.main(["map", str(stranger), "--model", str(model)]) == 2
    error = capsys.readouterr().err
    assert "has a class 5 'Meadow', which is 'Motorway' in" in error and "Traceback" not in error
    assert not (stranger / "maps" / "random-forest-plain.tif").exists()


def deep_table(path):
    """The table with the fields of an atlas: four levels, the finest those of the labels."""
    rows = ["code,name,colour,level1_code,level1,level2_code,level2,level3_code,level3"]
    for line in TABLE.splitlines()[1:]:
        code, name, colour, parent, group, _ = line.split(",")
        rows.append(
            f"{code},{name},{colour},{100 + int(parent) // 30},half {int(parent) // 30},"
            f"{parent},{group},{200 + int(code)},kind {code}"
        )
    path.write_text("\n".join(rows), "utf-8")
    return path


@pytest.mark.parametrize(("level", "codes"), [(1, {100, 101}), (4, set(range(1, 9)))])
def test_a_table_has_as_many_levels_as_it_says(world, tmp_path, level, codes):
    _, inputs = world
    run = Run(tmp_path / "run")
    prepare(inputs, deep_table(tmp_path / "deep.csv"), run.path, "--level", level)
    assert set(np.unique(rasters.read_classes(run.labels))) == codes
    assert (read_json(run.legend)["level"], len(read_json(run.legend)["levels"])) == (level, 4)


@pytest.mark.parametrize(("level", "message"), [
    (5, "level 5 does not exist; deep has levels 1 to 4"),
    (0, "--level: 0 is out of range; give at least 1"),
    ("fine", "--level: 'fine' is not a whole number"),
])  # fmt: skip
def test_a_level_that_is_none_is_refused(world, tmp_path, capsys, level, message):
    _, inputs = world
    words = [*inputs.arguments, "--scheme", str(deep_table(tmp_path / "deep.csv"))]
    words += ["--level", str(level), "--out", str(tmp_path / "run")]
    with contextlib.suppress(SystemExit):
        assert cli.main(["prep", *words]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()
