"""Polygons with classes as labels: what the values of their field mean, by prep and by sample."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely

from landcover import cli
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.grid import Window
from landcover.labels.names_alone import scheme_of_names
from landcover.labels.schemes import SCHEMES
from landcover.run import Run
from landcover.samples.blocks import TEST
from landcover.samples.table import Draw
from landcover.sources.synthetic import make_scene
from landcover.stages.inputs import read_blocks
from landcover.stages.sample import sample
from tests.conftest import error_lines

#: Raster values of its own, two classes, each in a coarser one.
TABLE = (
    "code,value,name,colour,parent_code,parent_name\n"
    "20,2,Oats,#aabb00,5,Crop\n30,3,Lake,#0000ff,6,Water\n"
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A stack, CORINE, and a table of classes."""
    folder = tmp_path_factory.mktemp("sources")
    scene = make_scene(rows=240, cols=300, seed=4)
    dn = np.rint(scene.image * 10_000).clip(1).astype(np.uint16)
    raster_writer.write(folder / "stack.tif", dn, scene.grid, list(scene.bands), nodata=0)
    raster_writer.write(folder / "corine.tif", scene.corine, scene.corine_grid, ["code"], nodata=0)
    (folder / "own.csv").write_text(TABLE, "utf-8")
    return folder


@pytest.fixture
def halves(sources, tmp_path):
    """A writer of polygons: the left and the right half of the scene, with values in a field."""

    def write(values):
        grid = rasters.grid_of(sources / "stack.tif")
        west, south, east, north = grid.bounds
        middle = (west + east) / 2
        shapes = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
        path = tmp_path / "fields.gpkg"
        geopandas.GeoDataFrame({"use": values}, geometry=shapes, crs=grid.crs).to_file(path)
        return ["--polygons", path, "--class-field", "use", "--samples", 600]

    return write


def command(*words):
    return cli.main([str(word) for word in words])


def drawn(run):
    """The labels of a run's samples."""
    return set(geopandas.read_parquet(run / "samples.parquet")["label"])


@pytest.mark.parametrize(
    ("values", "options", "codes", "level", "cell_m"),
    [
        ([211, 311], [], {211, 311}, 3, 100),
        ([21, 51], [], {21, 51}, 2, 100),
        ([211, 311], ["--level", 1], {2, 3}, 1, 100),
        ([2, 24], ["--scheme", "corine-grid"], {112, 312}, 3, 100),
        (["2", "24"], ["--scheme", "corine-grid", "--level", 1], {1, 3}, 1, 100),
        ([2, 3], ["--scheme", "corine"], {2, 3}, 1, 100),
        ([2, 3], ["--scheme", "io-lulc-10"], {2, 3}, 1, 10),
        ([2, 3], ["--scheme", "own.csv"], {20, 30}, 2, 10),
        ([2, 3], ["--scheme", "own.csv", "--level", 1], {5, 6}, 1, 10),
    ],
)
def test_they_are_told_as_the_values_of_a_raster_are(
    sources, halves, tmp_path, capsys, values, options, codes, level, cell_m
):
    run = tmp_path / "run"
    options = [sources / word if word == "own.csv" else word for word in options]
    words = ["--bands", sources / "stack.tif", *halves(values), *options, "--out", run]
    assert command("prep", *words) == 0
    assert drawn(run) == codes
    legend = read_json(run / "legend.json")
    assert legend["level"] == level and codes <= {c["code"] for c in legend["classes"]}
    assert legend["cell_m"] == legend["border_m"] == pytest.approx(cell_m, abs=0.05)
    found = read_json(run / "manifest.json")["stages"]["prep"]["classes"]["polygons"]
    said = capsys.readouterr().out
    assert f"polygons: scheme {found['scheme']}\n" in said
    for value, entry in zip(values, sorted(found["values"], key=lambda e: e["code"]), strict=True):
        assert entry["value"] == int(value) and entry["share"] == 0.5
        assert f"  {value} -> {entry['code']} {entry['name']}, 50.0 %\n" in said


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (
            [1, 2],
            [],
            "field use: its class codes 1, 2 fit several label schemes (corine of",
        ),
        ([1, 2], [], "say which with --scheme corine|corine-grid|"),
        ([21, 31], [], "21, 31 fit several label schemes (corine of level 2, corine-grid)"),
        ([21, 51], ["--scheme", "corine-grid"], "class codes 51 are none of scheme corine-grid"),
        ([211, 80_000], [], "field use: unknown class codes 80000"),
        ([2.5, 3], ["--scheme", "corine"], "field use: "),
        (["oats", "211"], [], "field use holds 'oats', which is no class code"),
        (["oats", "211"], [], "with --scheme table.csv (code,name,colour) which code each name"),
        (["oats", "211"], [], "name has: oats"),
        (["oats", None], [], "field use is empty (NULL) for a polygon"),
        (["oats", "sea"], ["--scheme", "own.csv"], "holds 'sea', which is no class of scheme own"),
        (["oats", "sea"], ["--scheme", "own.csv"], "its classes are Oats, Lake"),
        ([211, None], [], "field use is empty (NULL) for a polygon"),
        ([21, 51], ["--level", 3], "level 3 is finer than level 2"),
        ([211, 311], ["--level", 4], "level 4 does not exist"),
    ],
)
def test_what_fits_no_scheme_or_several_is_refused(
    sources, halves, tmp_path, capsys, values, options, message
):
    run = tmp_path / "run"
    options = [sources / word if word == "own.csv" else word for word in options]
    words = ["--bands", sources / "stack.tif", *halves(values), *options, "--out", run]
    assert command("prep", *words) == 2 and not run.exists()
    (line,) = error_lines(capsys.readouterr().err)
    assert message in line


def test_names_of_classes_are_told_by_the_scheme_that_is_given(sources, halves, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["--bands", sources / "stack.tif", "--scheme", sources / "own.csv", "--out", run]
    assert command("prep", *words, *halves([" oats", "LAKE"])) == 0
    assert drawn(run) == {20, 30}
    said = capsys.readouterr().out
    assert "  2 -> 20 Oats, 50.0 %\n" in said and "  3 -> 30 Lake, 50.0 %\n" in said
    for held, codes in (
        (["Non-irrigated arable land", "Water bodies"], {211, 512}),
        (["Agricultural areas", "Water bodies"], {2, 5}),  # both are names of level 1
        (["Pastures", "311"], {231, 311}),  # the finest level, where several have the name
    ):
        words = [*words[:2], "--scheme", "corine", "--out", tmp_path / f"of-{min(codes)}"]
        assert command("prep", *words, *halves(held)) == 0
        assert drawn(tmp_path / f"of-{min(codes)}") == codes
    table = tmp_path / "numbers.csv"
    table.write_text("code,name,colour\n1,2,#aabb00\n2,1,#0000ff\n", "utf-8")
    assert (
        command("prep", *words[:2], "--scheme", table, "--out", tmp_path / "n", *halves(["1", "2"]))
        == 0
    )
    samples = geopandas.read_parquet(tmp_path / "n" / "samples.parquet").sort_values("x")
    assert samples["label"].iloc[0] == 1  # a number is a number, whatever classes are called


def test_names_alone_make_a_legend(sources, halves, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["--bands", sources / "stack.tif", "--out", run]
    assert command("prep", *words, *halves(["oats", " Lake"])) == 0
    said = capsys.readouterr().out
    assert "polygons: scheme names\n" in said and "  1 -> 1 Lake, 50.0 %\n" in said
    samples = geopandas.read_parquet(run / "samples.parquet").sort_values("x")
    assert samples["label"].iloc[0] == 2 and samples["label"].iloc[-1] == 1
    legend = read_json(run / "legend.json")
    assert [c["name"] for c in legend["classes"]] == ["Lake", "oats"]
    assert len({c["colour"] for c in legend["classes"]}) == 2


def test_names_of_one_scheme_alone_are_of_it(sources, halves, tmp_path):
    run = tmp_path / "run"
    words = ["--bands", sources / "stack.tif", "--out", run]
    assert command("prep", *words, *halves(["non-irrigated arable land", "Water bodies"])) == 0
    assert drawn(run) == {211, 512}


def test_names_outside_the_scene_have_codes_too(sources, tmp_path):
    """So runs of one file have one legend, whatever their scenes show."""
    grid = rasters.grid_of(sources / "stack.tif")
    west, south, east, north = grid.bounds
    shapes = [
        shapely.box(west, south, (west + east) / 2, north),
        shapely.box((west + east) / 2, south, east, north),
        shapely.box(east + 1000, south, east + 2000, north),
    ]
    frame = geopandas.GeoDataFrame(
        {"use": ["lake", "oats", "barley"]}, geometry=shapes, crs=grid.crs
    )
    frame.to_file(tmp_path / "fields.gpkg")
    run = tmp_path / "run"
    words = ["--polygons", tmp_path / "fields.gpkg", "--class-field", "use", "--samples", 600]
    assert command("prep", "--bands", sources / "stack.tif", *words, "--out", run) == 0
    assert drawn(run) == {2, 3}


def test_colours_of_names_are_all_their_own():
    scheme = scheme_of_names([f"class {number}" for number in range(60)])
    assert len({land.colour for land in scheme.legend.classes}) == 60


def test_codes_of_two_levels_are_refused(sources, halves, tmp_path, capsys):
    table, run = tmp_path / "own.csv", tmp_path / "run"
    table.write_text(
        "code,name,colour,parent_code,parent_name\n"
        "1,Oats,#aabb00,1,Crop\n2,Rye,#bbaa00,1,Crop\n3,Lake,#0000ff,2,Water\n"
    )
    words = ["--bands", sources / "stack.tif", *halves([1, 2]), "--scheme", table, "--out", run]
    assert command("prep", *words) == 2 and not run.exists()
    (line,) = error_lines(capsys.readouterr().err)
    assert "1, 2 are classes of several levels of own" in line and "field use" in line
    assert command("prep", *words, "--level", 2) == 0
    assert read_json(run / "legend.json")["level"] == 2


def test_beside_labels_they_have_their_classes(sources, halves, tmp_path, capsys):
    run = tmp_path / "run"
    files = ["--bands", sources / "stack.tif", "--labels", sources / "corine.tif"]
    assert command("prep", *files, "--samples", 600, "--out", run) == 0
    before = (run / "legend.json").read_bytes()
    assert command("sample", run, *halves([211, 311])) == 0
    assert drawn(run) == {211, 311}
    assert command("sample", run, *halves([12, 24]), "--scheme", "corine-grid") == 0
    assert drawn(run) == {211, 312}
    assert command("sample", run, *halves([211, 312]), "--scheme", "corine-grid") == 0
    assert drawn(run) == {211, 312}  # CLC codes beside grid codes: none of them is both
    assert (run / "legend.json").read_bytes() == before
    samples = (run / "samples.parquet").read_bytes()
    for values, options, message in (
        ([21, 31], (), "fit several label schemes (corine of level 2, corine-grid)"),
        ([10, 60], (), "unknown class codes 60"),
        ([10, 60], ("--scheme", "worldcover"), "scheme worldcover has other classes than"),
    ):
        capsys.readouterr()
        assert command("sample", run, *halves(values), *options) == 2
        assert message in capsys.readouterr().err
    assert (run / "samples.parquet").read_bytes() == samples


def test_a_run_without_labels_takes_their_legend(sources, halves, tmp_path, capsys):
    run = tmp_path / "run"
    assert command("prep", "--bands", sources / "stack.tif", "--out", run) == 0
    assert not (run / "legend.json").exists()
    assert command("sample", run, *halves([2, 3])) == 2 and not (run / "legend.json").exists()
    assert command("sample", run, *halves([2, 3]), "--scheme", sources / "own.csv") == 0
    assert [c["name"] for c in read_json(run / "legend.json")["classes"]] == ["Oats", "Lake"]
    # from now on these are the run's classes
    assert command("sample", run, *halves([20, 30])) == 0
    assert drawn(run) == {20, 30}
    capsys.readouterr()
    assert command("train", "knn", run, "--no-random-split", "--no-map") == 0
    report = read_json(next(run.glob("reports/*.json")))
    right, n = f"{100 * report['overall_accuracy']:.1f} %", f"{report['n_test']:,} test samples"
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("agreement with")]
    assert f": {right} (" in line and line.endswith(n)
    (card,) = run.glob("models/*/card.json")
    assert [c["name"] for c in read_json(card)["classes"]] == ["Oats", "Lake"]


def test_polygons_outside_the_scene_and_contradictions_are_said(sources, tmp_path, capsys):
    grid = rasters.grid_of(sources / "stack.tif")
    west, south, east, north = grid.bounds
    middle = (west + east) / 2
    shapes = [
        shapely.box(west, south, middle + 20, north),
        shapely.box(middle, south, east, north),
        shapely.box(east + 1000, south, east + 2000, north),
    ]
    path = tmp_path / "fields.gpkg"
    frame = geopandas.GeoDataFrame({"use": [211, 512, 512]}, geometry=shapes, crs=grid.crs)
    frame.to_file(path)
    run, bands = tmp_path / "run", sources / "stack.tif"
    words = ["--polygons", path, "--class-field", "use", "--samples", 600]
    assert command("prep", "--bands", bands, *words, "--out", run) == 0
    said = capsys.readouterr().out
    assert "note: 1 of 3 polygons lie outside the scene" in said
    assert f"note: {2 * grid.rows} pixels lie in polygons of several classes, and are left" in said
    # their order does not matter
    frame.iloc[::-1].to_file(path)
    assert command("prep", "--bands", bands, *words, "--out", tmp_path / "turned") == 0
    first, second = (
        geopandas.read_parquet(r / "samples.parquet") for r in (run, tmp_path / "turned")
    )
    assert first.equals(second)


def written_fields(folder):
    """A synthetic scene, and a file of squares with its classes of level 1."""
    scene = make_scene(rows=200, cols=240, seed=4)
    west, _, _, north = scene.grid.bounds
    places = [(x, y) for x in range(0, 2400, 200) for y in range(0, 2000, 200)]
    boxes = [shapely.box(west + x, north - y - 120, west + x + 120, north - y) for x, y in places]
    codes = [int(scene.truth[y // 10 + 6, x // 10 + 6] // 100) for x, y in places]
    path = folder / "fields.gpkg"
    geopandas.GeoDataFrame({"use": codes}, geometry=boxes, crs=scene.grid.crs).to_file(path)
    return scene, path


def test_maps_of_a_run_of_polygons_are_compared_inside_them(tmp_path, capsys):
    """Polygons that were given with the scene are its labels; between them nothing is said."""
    scene, path = written_fields(tmp_path)
    run, bands = Run(tmp_path / "run"), tmp_path / "bands.tif"
    raster_writer.write(bands, scene.image, scene.grid, list(scene.bands), np.nan)
    words = ["--polygons", path, "--class-field", "use", "--scheme", "corine", "--block-px", 40]
    assert command("prep", "--bands", bands, *words, "--samples", 600, "--out", run.path) == 0
    assert command("train", "knn", run.path, "--no-random-split") == 0
    assert command("compare", run.path) == 0
    found = read_json(run.path / "comparison.json")
    labels, mapped = (rasters.read_classes(path) for path in (run.labels, run.map("knn")))
    test = read_blocks(run).holds(Window(0, 0, *labels.shape), TEST) & (labels > 0)
    (model,) = found["models"]
    assert found["scored_on"] == "polygons in the test blocks" and found["n_test"] == test.sum()
    agreement = model["scores"]["labels"]["overall_accuracy"]
    assert agreement == pytest.approx((mapped == labels)[test].mean())
    page = (run.path / "comparison.md").read_text("utf-8")
    assert "on the pixels inside them. It says nothing of land between them" in page
    for untrue in ("cells of", "regions of", "Core, border", "refined", "random split"):
        assert untrue not in page, untrue
    # beside a reference they are no map, whose gaps would be errors
    truth = scene.truth // 100
    raster_writer.write(run.reference, truth.astype(np.uint16), scene.grid, ["class"], 0)
    assert command("compare", run.path) == 0
    found = read_json(run.path / "comparison.json")
    assert found["against"] == "reference" and found["labels_against_reference"] is None
    assert not any("labels themselves" in remark for remark in found["remarks"])
    assert "cells of" not in (run.path / "comparison.md").read_text("utf-8")


def test_maps_of_a_run_of_polygons_are_compared_on_their_samples(tmp_path, capsys):
    """Where there is no raster of labels, those of the samples are what maps are scored by."""
    scene, path = written_fields(tmp_path)
    run, guest = Run(tmp_path / "own"), Run(tmp_path / "guest")
    wanted = Draw(900, "polygons", path, "use", scheme=SCHEMES["corine"])
    for folder, light in ((run, np.float32(1)), (guest, np.float32(1.01))):
        image = scene.image * light
        raster_writer.write(folder.scene, image, scene.grid, list(scene.bands), np.nan)
        sample(folder, wanted, max_patch=3, block_px=40)
    assert command("train", "knn", run.path, "--no-random-split") == 0
    samples = geopandas.read_parquet(run.samples)
    test = samples[samples["split"] == "test"]
    assert command("compare", run.path) == 0
    found = read_json(run.path / "comparison.json")
    mapped = rasters.read_classes(run.map("knn"))[test["row"], test["col"]]
    (model,) = found["models"]
    scores = model["scores"]["labels"]
    assert found["scored_on"] == "test samples" and scores["n_test"] == len(test)
    assert scores["overall_accuracy"] == pytest.approx((mapped == test["label"]).mean())
    assert model["zones"] == {}, "borders of polygons are no borders of classes"
    assert any("only labels of this scene are polygons" in remark for remark in found["remarks"])
    assert not any("cells of" in remark for remark in found["remarks"])
    # a model that has not seen the scene is scored on all of them
    assert command("map", guest.path, "--model", run.model("knn")) == 0
    report = read_json(guest.report("knn"))
    assert report["scored_on"] == "all samples of the scene"
    assert report["n_test"] == len(geopandas.read_parquet(guest.samples))
    assert command("compare", guest.path) == 0
    assert not list(run.path.glob(".*")) and not list(guest.path.glob(".*"))
