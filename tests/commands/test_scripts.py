"""Every script, run by its main(argv) over one small scene; and what each says to bad input."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from rio_cogeo import cog_validate

import patches
import sample_raster
import scene_prep
import segment
from baselines import compare_reports, knn, mlp, random_forest
from landcover import cli
from landcover.files import raster_writer, rasters
from landcover.sources.synthetic import make_scene
from tests.conftest import ROOT, error_lines
from tests.fixtures.sentinel2_files import write_bands

# pytest must not collect the script, whose name says "test"
test_patches = __import__("importlib").import_module("test_patches")

BANDS = ("B02", "B03", "B04", "B08")

pytestmark = pytest.mark.usefixtures("hasty_teacher")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Bands, CORINE and truth of a small synthetic scene, as files."""
    folder = tmp_path_factory.mktemp("sources")
    scene = make_scene(rows=224, cols=288, seed=4)
    dn = np.rint(scene.image * 10_000).clip(1).astype(np.uint16)
    for name, pixels in zip(BANDS, dn, strict=True):
        raster_writer.write(folder / f"{name}.tif", pixels, scene.grid, [name], nodata=0)
    raster_writer.write(folder / "corine.tif", scene.corine, scene.corine_grid, ["code"], nodata=0)
    raster_writer.write(folder / "truth.tif", scene.truth, scene.grid, ["code"])
    return folder


@pytest.fixture(scope="module")
def bands(sources):
    return [str(sources / f"{name}.tif") for name in BANDS]


@pytest.fixture(scope="module")
def made(sources, bands, tmp_path_factory, hasty_teacher):
    """A run taken through every stage by the scripts."""
    run = tmp_path_factory.mktemp("runs") / "small"
    labels, reference = str(sources / "corine.tif"), str(sources / "truth.tif")
    common = ["--bands", *bands, "--labels", labels, "--reference", reference, "--level", "2"]
    assert scene_prep.main([*common, "--segment", "--samples", "2500", "--out", str(run)]) == 0
    quick = [str(run), "--no-random-split"]
    assert random_forest.main([str(run)]) == 0
    assert knn.main([*quick, "--no-map"]) == 0
    assert mlp.main([*quick, "--no-segments", "--epochs", "2"]) == 0
    assert mlp.main([*quick, "--epochs", "2"]) == 0
    assert patches.main([*quick, "--patch-size", "5", "--epochs", "2"]) == 0
    assert test_patches.main([str(run), "--verify", "50"]) == 0
    assert compare_reports.main([str(run)]) == 0
    return run


@pytest.fixture
def copy(made, tmp_path):
    """A copy to spoil."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def test_the_run_folder_holds_what_the_design_names(made):
    for name in ("scene", "labels", "reference", "segments", "segment_types"):
        assert cog_validate(made / f"{name}.tif")[0], name
    table = geopandas.read_parquet(made / "samples.parquet")
    columns = {"row", "col", "label", "reference", "block", "split", "segment", "segment_type"}
    assert columns | set(BANDS) <= set(table.columns)
    assert table.crs == rasterio.open(made / "scene.tif").crs
    for model in ("random-forest", "knn", "mlp", "mlp-segments", "cnn-5x5"):
        card = json.loads((made / "models" / model / "card.json").read_text())
        assert {"classes", "bands", "patch_size", "trained_on", "split", "seed"} <= set(card)
        report = json.loads((made / "reports" / f"{model}.json").read_text())
        assert report["against"] == "reference" and 0 < report["overall_accuracy"] < 1
    for model in ("random-forest", "mlp", "mlp-segments", "cnn-5x5"):
        assert cog_validate(made / "maps" / f"{model}.tif")[0]
        assert (made / "maps" / f"{model}.qml").exists()
    for name in ("comparison.json", "comparison.md", "comparison.html", "manifest.json"):
        assert (made / name).exists()


def test_every_valid_pixel_is_mapped_and_no_other(made):
    valid = np.isfinite(rasters.read(made / "scene.tif")).all(axis=0)
    for model in ("random-forest", "cnn-5x5"):
        assert ((rasters.read_classes(made / "maps" / f"{model}.tif") > 0) == valid).all()


def test_settings_come_first_and_paths_last(sources, bands, tmp_path, capsys):
    run = tmp_path / "run"
    labels = str(sources / "corine.tif")
    argv = ["--bands", *bands, "--labels", labels, "--samples", "900", "--seed", "7"]
    assert scene_prep.main([*argv, "--out", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"prep {run}: ") and "seed 7" in lines[0]
    assert lines[-1] == str(run / "samples.parquet")
    assert all(Path(line).exists() for line in lines if line.startswith(str(run)))


def test_the_same_seed_gives_the_same_bytes(sources, bands, made, tmp_path):
    run = tmp_path / "again"
    labels, reference = str(sources / "corine.tif"), str(sources / "truth.tif")
    common = ["--bands", *bands, "--labels", labels, "--reference", reference, "--level", "2"]
    assert scene_prep.main([*common, "--segment", "--samples", "2500", "--out", str(run)]) == 0
    assert random_forest.main([str(run)]) == 0
    tables = ["samples.parquet", "splits.json"]
    scene = ["scene.tif", "labels.tif", "segments.tif", "segment_types.tif"]
    for name in (*scene, *tables, "maps/random-forest.tif", "maps/random-forest_confidence.tif"):
        assert (run / name).read_bytes() == (made / name).read_bytes(), name


def test_stages_run_again_alone(copy):
    assert segment.main([str(copy), "--min-size", "200"]) == 0
    assert sample_raster.main([str(copy), "--samples", "2000", "--buffer", "2"]) == 0
    table = geopandas.read_parquet(copy / "samples.parquet")
    chips = np.load(copy / "chips_2.npy", mmap_mode="r")
    assert chips.shape == (len(table), 5, 5, 4)
    np.testing.assert_array_equal(chips[:, 2, 2], table[list(BANDS)].to_numpy(np.float32))


def test_a_model_of_another_split_is_not_scored(copy, capsys):
    assert sample_raster.main([str(copy), "--samples", "2000", "--max-patch", "7"]) == 0
    message = r"was trained on another split than .*splits.json holds.*train it again"
    assert_refused(compare_reports.main, [copy], message, capsys, copy)
    assert_refused(test_patches.main, [copy], message, capsys, copy)


def test_a_model_of_one_run_maps_another_without_labels(made, bands, tmp_path):
    run = tmp_path / "elsewhere"
    assert scene_prep.main(["--bands", *bands, "--out", str(run)]) == 0
    model = str(made / "models" / "cnn-5x5")
    assert test_patches.main([str(run), "--model", model, "--probabilities"]) == 0
    np.testing.assert_array_equal(
        rasters.read_classes(run / "maps" / "cnn-5x5.tif"),
        rasters.read_classes(made / "maps" / "cnn-5x5.tif"),
    )
    probabilities = rasters.read(run / "maps" / "cnn-5x5_probabilities.tif")
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert not (run / "reports").exists()


def test_a_model_of_other_segment_types_is_refused(copy, capsys):
    assert segment.main([str(copy), "--min-size", "100"]) == 0
    message = r"was trained on other segment types than .*landcover train mlp"
    assert_refused(test_patches.main, [copy, "--model", "mlp-segments"], message, capsys, copy)
    assert mlp.main([str(copy), "--epochs", "1", "--no-random-split", "--no-map"]) == 0
    assert test_patches.main([str(copy), "--model", "mlp-segments"]) == 0


def test_a_model_of_another_run_does_not_replace_ones_own(made, copy, capsys):
    model = str(made / "models" / "cnn-5x5")
    message = r"has a model cnn-5x5 of its own, whose map this would replace"
    assert_refused(test_patches.main, [copy, "--model", model], message, capsys, copy)


def files_of(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def assert_refused(main, argv, message, capsys, run=None):
    """One line of that text, exit code 2, and the run folder as it was."""
    before = files_of(run) if run and run.exists() else None
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in argv])
    except SystemExit as stop:
        code = stop.code
    errors = error_lines(capsys.readouterr().err)
    assert code == 2
    assert len(errors) == 1, errors
    assert re.search(message, errors[0]), errors[0]
    if run is not None:
        after = files_of(run) if run.exists() else None
        assert before == after


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bands", "nowhere.tif"], r"nowhere.tif does not exist; check the path"),
        (["--product", "nowhere.SAFE"], r"nowhere.SAFE does not exist; check the path"),
        (["--labels", "corine.tif"], r"given without a scene; give --bands"),
        (["--level", "0"], r"argument --level: 0 is out of range; give at least 1"),
        (["--samples", "0"], r"argument --samples: 0 is out of range; give at least 1"),
        (["--quantification", "0"], r"argument --quantification: 0 is out of range"),
        (["--scale", "-1"], r"argument --scale: -1 is out of range"),
        (["--seed", "x"], r"argument --seed: 'x' is not a whole number"),
        (["--bbox", "1", "2", "3"], r"argument --bbox: expected 4 arguments"),
    ],
)
def test_prep_refuses_bad_arguments(arguments, message, tmp_path, capsys):
    run = tmp_path / "run"
    assert_refused(scene_prep.main, [*arguments, "--out", run], message, capsys, run)


def test_prep_refuses_bad_rasters(sources, bands, tmp_path, capsys):
    run = tmp_path / "run"
    common = ["--bands", *bands, "--out", run]
    cut = tmp_path / "B08.tif"
    cut.write_bytes(Path(bands[3]).read_bytes()[:20_000])
    argv = ["--bands", *bands[:3], cut, "--out", run]
    assert_refused(scene_prep.main, argv, r"B08.tif cannot be read as a raster", capsys, run)
    bare = tmp_path / "B02.tif"
    profile = {"driver": "GTiff", "width": 9, "height": 9, "count": 1, "dtype": "uint16"}
    with rasterio.open(bare, "w", **profile) as out:
        out.write(np.ones((1, 9, 9), np.uint16))
    argv = ["--bands", bare, *bands[1:], "--out", run]
    assert_refused(scene_prep.main, argv, "B02.tif: the raster does not say where", capsys, run)
    argv = [*common, "--bbox", 20, 40, 20.1, 40.1]
    assert_refused(scene_prep.main, argv, r"outside", capsys, run)
    grid = rasters.grid_of(bands[0])
    for name, codes, message in [
        ("one", [211], r"one.tif has only class 211"),
        ("odd", [211, 600], r"odd.tif: unknown class codes 600"),
        ("void", [0], r"void.tif has no labelled pixel"),
    ]:
        pixels = np.resize(np.array(codes, np.uint16), grid.shape)
        raster_writer.write(tmp_path / f"{name}.tif", pixels, grid, ["code"])
        argv = [*common, "--labels", tmp_path / f"{name}.tif"]
        assert_refused(scene_prep.main, argv, message, capsys, run)
    argv = [*common, "--labels", sources / "corine.tif", "--level", 4]
    assert_refused(scene_prep.main, argv, r"level 4 does not exist; .* levels 1 to 3", capsys, run)
    argv = [*common, "--labels", sources / "corine.tif", "--samples", 12]
    assert_refused(scene_prep.main, argv, r"each split needs at least 10", capsys, run)
    argv = [*common[:-1], bands[0]]
    assert_refused(scene_prep.main, argv, r"cannot write .*permissions", capsys)


def test_polygons_with_classes_are_labels_enough(sources, bands, tmp_path, capsys):
    run, path = tmp_path / "run", tmp_path / "polygons.gpkg"
    west, south, east, north = rasters.grid_of(bands[0]).bounds
    middle = (west + east) / 2
    halves = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    crs = rasters.grid_of(bands[0]).crs
    geopandas.GeoDataFrame({"clc": [211, 311]}, geometry=halves, crs=crs).to_file(path)
    common = ["--bands", *bands, "--polygons", path, "--out", run]
    assert_refused(scene_prep.main, common, r"without labels.*--class-field", capsys, run)
    argv = [*common, "--class-field", "clc", "--samples", 600]
    assert scene_prep.main(list(map(str, argv))) == 0
    assert "samples: " in capsys.readouterr().out
    assert set(geopandas.read_parquet(run / "samples.parquet")["label"]) == {211, 311}


def test_a_scene_of_nodata_is_refused(tmp_path, capsys):
    paths, _ = write_bands(tmp_path, low=0, high=1)
    run = tmp_path / "run"
    argv = ["--bands", *paths, "--out", run]
    assert_refused(scene_prep.main, argv, r"has no pixel with data in all bands", capsys, run)


@pytest.mark.parametrize(
    ("main", "arguments", "missing", "command"),
    [
        (segment.main, [], "scene.tif", r"landcover prep"),
        (sample_raster.main, [], "labels.tif", r"landcover prep --bands .* --labels"),
        (random_forest.main, [], "samples.parquet", r"landcover sample"),
        (mlp.main, ["--no-segments"], "samples.parquet", r"landcover sample"),
        (patches.main, ["--patch-size", "5"], "splits.json", r"landcover sample"),
        (test_patches.main, ["--model", "cnn-5x5"], "scene.tif", r"landcover prep"),
        (test_patches.main, ["--model", "mlp-segments"], "segment_types.tif", r"landcover segment"),
        (test_patches.main, [], "models", r"landcover train cnn"),
        (compare_reports.main, [], "maps", r"landcover map "),
    ],
)
def test_a_missing_stage_names_its_command(main, arguments, missing, command, copy, capsys):
    path = copy / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert_refused(main, [copy, *arguments], command, capsys, copy)


def test_a_run_that_does_not_exist(tmp_path, capsys):
    for main in (segment.main, sample_raster.main, random_forest.main, mlp.main, patches.main,
                 test_patches.main, compare_reports.main):  # fmt: skip
        assert_refused(main, [tmp_path / "none"], r"none.* (does not exist|has no)", capsys)
        assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("4", r"patch size 4 is even"),
        ("401", r"patch size 401"),
        ("61", r"patch size 61 is larger than the run's guard .* --max-patch 61"),
    ],
)
def test_patches_refuses_bad_sizes(size, message, copy, capsys):
    assert_refused(patches.main, [copy, "--patch-size", size], message, capsys, copy)


def test_a_model_of_other_bands_is_refused(made, sources, bands, tmp_path, capsys):
    card = json.loads((made / "models" / "cnn-5x5" / "card.json").read_text())
    other = Path(shutil.copytree(made, tmp_path / "other"))
    card["bands"] = ["B02", "B03", "B04", "B11"]
    (other / "models" / "cnn-5x5" / "card.json").write_text(json.dumps(card))
    message = r"model cnn-5x5 was trained on bands B02 B03 B04 B11; scene.tif has B02 B03 B04 B08"
    assert_refused(test_patches.main, [other], message, capsys, other)


def test_damaged_files_of_a_run_are_named(copy, capsys):
    for name, main, arguments in [
        ("models/cnn-5x5/model.keras", test_patches.main, ["--model", "cnn-5x5"]),
        ("models/random-forest/model.skops", test_patches.main, ["--model", "random-forest"]),
        ("models/mlp/card.json", test_patches.main, ["--model", "mlp"]),
        ("samples.parquet", random_forest.main, []),
        ("reports/mlp.json", compare_reports.main, []),
    ]:
        path = copy / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert_refused(main, [copy, *arguments], path.name.replace(".", r"\."), capsys, copy)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "command",
    ["random_forest", "sample", "compare"],
)
def test_a_full_disk_leaves_the_run_as_it_was(command, copy):
    """A limit on the size of files stands in for a full disk: both fail in the write itself."""
    before = files_of(copy)
    module = {
        "random_forest": "baselines.random_forest",
        "sample": "sample_raster",
        "compare": "baselines.compare_reports",
    }[command]

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-m", module, str(copy)],
        cwd=ROOT, capture_output=True, text=True, preexec_fn=limit, check=False, env=os.environ,
    )  # fmt: skip
    errors = error_lines(done.stderr)
    assert done.returncode == 2, done.stderr
    assert len(errors) == 1 and "check free disk space" in errors[0], errors
    assert files_of(copy) == before


def test_the_command_and_the_scripts_are_one(made, capsys):
    assert cli.main(["compare", str(made)]) == 0
    headline = json.loads((made / "comparison.json").read_text())["headline"]
    assert headline in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--help"])
    assert stop.value.code == 0
    assert {"random-forest", "knn", "mlp", "cnn"} <= set(capsys.readouterr().out.split())


def test_the_package_is_its_command():
    """`python -m landcover`, where no script of the environment is on the path."""
    done = subprocess.run(
        [sys.executable, "-m", "landcover", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("landcover ")
    done = subprocess.run([sys.executable, "-m", "landcover", "nope"], capture_output=True)
    assert done.returncode == 2
