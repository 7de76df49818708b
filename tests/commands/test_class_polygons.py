"""Polygons with classes as labels: what the values of their field mean, by prep and by sample."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely

from landcover import cli
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.sources.synthetic import make_scene
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
    found = read_json(run / "manifest.json")["stages"]["sample"]["classes"]["polygons"]
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
        (["oats", "lake"], [], "field use holds 'oats', which is no class code"),
        ([211, None], [], "field use is empty (NULL) for a polygon"),
        ([21, 51], ["--level", 3], "level 3 is finer than level 2"),
        ([211, 311], ["--level", 4], "level 4 does not exist"),
    ],
)
def test_what_fits_no_scheme_or_several_is_refused(
    sources, halves, tmp_path, capsys, values, options, message
):
    run = tmp_path / "run"
    words = ["--bands", sources / "stack.tif", *halves(values), *options, "--out", run]
    assert command("prep", *words) == 2 and not run.exists()
    (line,) = error_lines(capsys.readouterr().err)
    assert message in line


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
    assert command("train", "random-forest", run, "--no-random-split") == 0
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
