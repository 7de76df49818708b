"""A list of products as one job: a run folder for each, one report, failures that stop nobody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import landcover as lc
from landcover import cli
from landcover.files import raster_writer, rasters
from landcover.grid import Window
from landcover.samples.blocks import TEST
from landcover.stages.inputs import read_blocks
from tests.conftest import error_lines
from tests.fixtures.map_runs import hidden, make_run, maps_of
from tests.fixtures.safe_products import write_product, zipped
from tests.fixtures.sentinel2_files import write_safe
from tests.fixtures.several_runs import sampled, write_land

NAMES = ("east", "west", "north")


@pytest.fixture
def home(tmp_path):
    """A run with a model."""
    return make_run(tmp_path / "home", 40, 60)


@pytest.fixture
def safes(tmp_path):
    """Products of different names and pixels."""
    made, _ = write_safe(tmp_path, "L2A", -1000)
    folders = [tmp_path / f"{name}.SAFE" for name in NAMES]
    for number, folder in enumerate(folders):
        shutil.copytree(made, folder)
        images = sorted(folder.glob("GRANULE/*/IMG_DATA/R10m/*.jp2"))
        if number:  # every product has other pixels in its first band
            shutil.copyfile(images[number], images[0])
    return folders


def map_products(home, *arguments):
    argv = ["map", str(home.path), "--model", "random-forest", "--products", *map(str, arguments)]
    return cli.main(argv)


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def test_every_product_gets_a_run_folder_and_a_line(home, safes):
    assert map_products(home, *safes) == 0
    folder = home.path / "products"
    report = report_of(folder)
    assert report["model"] == "random-forest" and report["n_products"] == 3
    assert [row["product"] for row in report["products"]] == [str(safe) for safe in safes]
    total = 0.0
    for name, row in zip(NAMES, report["products"], strict=True):
        codes = rasters.read_classes(folder / name / "maps" / "random-forest.tif")
        valid = np.isfinite(rasters.read(folder / name / "scene.tif")).all(axis=0)
        assert ((codes > 0) == valid).all() and valid.any()
        assert row["pixels"] == 64 * 64 and row["valid_share"] == pytest.approx(valid.mean())
        found = {int(code): km2 for code, km2 in row["area_km2"].items()}
        pixels = zip(*np.unique(codes[valid], return_counts=True), strict=True)
        assert found == {int(code): pytest.approx(n * 1e-4) for code, n in pixels}
        assert set(row["seconds"]) == {"prep", "map"}
        assert Path(row["map"]) == folder / name / "maps" / "random-forest.tif"
        total += sum(found.values())
    assert sum(report["area_km2"].values()) == pytest.approx(total)
    text, page = ((folder / f"report.{kind}").read_text() for kind in ("md", "html"))
    for safe in safes:
        assert f"| {safe} | 4,096 | 100.0 % |" in text and str(safe) in page
    assert "3 mapped, 0 failed" in text and "3 mapped, 0 failed" in page


def test_the_map_is_what_the_stages_give_one_by_one(home, safes, tmp_path):
    assert map_products(home, safes[1]) == 0
    run = tmp_path / "alone"
    assert cli.main(["prep", "--product", str(safes[1]), "--out", str(run)]) == 0
    model = str(home.model("random-forest"))
    assert cli.main(["map", str(run), "--model", model]) == 0
    for name in ("scene.tif", "maps/random-forest.tif", "maps/random-forest_confidence.tif"):
        made = home.path / "products" / "west" / name
        assert made.read_bytes() == (run / name).read_bytes(), name


def test_a_zip_gets_the_bands_that_the_model_reads(tmp_path, hasty_teacher):
    made = write_product(tmp_path, "1C", "02.04")
    archive = zipped(made.path, tmp_path / "p.zip")
    scene = lc.read(lc.prepare(tmp_path / "home", bands=archive, keep=["B11"]).scene)
    codes = np.where(scene[4] > np.median(scene[4]), 211, 312).astype(np.uint16)
    grid = rasters.grid_of(tmp_path / "home" / "scene.tif")
    labels = lc.write(tmp_path / "clc.tif", codes, grid, ["class"], nodata=0)
    run = lc.prepare(tmp_path / "home", bands=archive, keep=["B11"], labels=labels)
    lc.sample(run, samples=800, min_count=1, block_px=20)
    lc.train(run, "random-forest", random_split=False)
    assert map_products(run, archive) == 0
    item = run.path / "products" / "p"
    assert rasters.band_names(item / "scene.tif") == ("B02", "B03", "B04", "B08", "B11")
    mapped = rasters.read_classes(item / "maps" / "random-forest.tif")
    assert (mapped == codes).mean() > 0.9
    before = (item / "scene.tif").stat().st_mtime_ns
    assert map_products(run, archive) == 0
    assert (item / "scene.tif").stat().st_mtime_ns == before


def test_one_that_fails_stops_no_other_and_is_tried_again(home, safes, tmp_path, capsys):
    image = next(safes[0].glob("GRANULE/*/IMG_DATA/R10m/*_B08_10m.jp2"))
    whole = image.read_bytes()
    image.write_bytes(whole[:300])
    out = tmp_path / "out"
    assert map_products(home, *safes[:2], "--out", out) == 2
    lines = error_lines(capsys.readouterr().err)
    # what would be told of the product that is read comes before its scene, and so before the end
    (warning,), errors = lines[:-1], lines[-1:]
    assert warning.startswith(f"warning: {safes[1]}") and "makes the darkest" in warning
    assert errors[0].startswith(f"error: 1 of 2 products failed, the first {safes[0]}: ")
    assert "cannot be read as a raster" in errors[0] and str(out / "report.md") in errors[0]
    rows = report_of(out)["products"]
    assert "error" in rows[0] and "error" not in rows[1]
    assert "1 mapped, 1 failed" in (out / "report.html").read_text()
    assert not (out / "east" / "scene.tif").exists()
    before = (out / "west" / "maps" / "random-forest.tif").stat().st_mtime_ns
    image.write_bytes(whole)
    assert map_products(home, *safes[:2], "--out", out) == 0
    output = capsys.readouterr().out
    assert output.count("found mapped already") == 1
    assert (out / "west" / "maps" / "random-forest.tif").stat().st_mtime_ns == before
    again = report_of(out)["products"]
    assert again[1] == rows[1] and "error" not in again[0]


def test_what_is_doubtful_of_a_product_is_told_before_its_map(home, safes, monkeypatch, capsys):
    """As prep does; a product that is mapped already has been told of."""
    from landcover.stages import map as stage

    mapped = stage.map_scene

    def listening(run, model, **settings):
        seen.append(capsys.readouterr().err)
        return mapped(run, model, **settings)

    seen: list[str] = []
    monkeypatch.setattr(stage, "map_scene", listening)
    assert map_products(home, *safes[:2]) == 0
    for safe, told in zip(safes, seen, strict=False):
        (line,) = error_lines(told)
        assert line.startswith(f"warning: {safe}") and "does the data carry it?" in line
    assert map_products(home, *safes[:2]) == 0
    assert "warning" not in capsys.readouterr().err


def test_a_product_whose_median_is_no_reflectance_is_refused(home, safes, capsys):
    metadata = safes[0] / "MTD_MSIL2A.xml"
    metadata.write_text(metadata.read_text().replace(">10000<", ">10<"))
    assert map_products(home, *safes[:2]) == 2
    assert "the median reflectance would be" in error_lines(capsys.readouterr().err)[-1]
    rows = report_of(home.path / "products")["products"]
    assert "error" in rows[0] and "error" not in rows[1]


def test_any_fault_of_one_product_is_told(home, safes, monkeypatch, capsys):
    from landcover.stages import prepare as prep

    prepare = prep.prepare

    def faulty(stage, tiles, **settings):
        if "east" in str(tiles[0].paths[0]):
            raise ZeroDivisionError("odd")
        return prepare(stage, tiles, **settings)

    monkeypatch.setattr(prep, "prepare", faulty)
    assert map_products(home, *safes[:2]) == 2
    assert "ZeroDivisionError: odd" in capsys.readouterr().err
    assert "error" not in report_of(home.path / "products")["products"][1]


def test_lists_and_prepared_runs_are_taken(home, safes, tmp_path, capsys):
    run = tmp_path / "prepared"
    assert cli.main(["prep", "--product", str(safes[2]), "--out", str(run)]) == 0
    (tmp_path / "list.txt").write_text(f"# products\n  # indented\n{safes[0]}\n\n  {run}  \n")
    assert map_products(home, tmp_path / "list.txt", safes[1]) == 0
    folder = home.path / "products"
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["east", "west"]
    assert [Path(row["run"]) for row in report_of(folder)["products"]] == [
        folder / "east", run, folder / "west",
    ]  # fmt: skip
    assert (run / "maps" / "random-forest.tif").exists()


def test_an_interrupted_list_goes_on(home, safes, monkeypatch, capsys):
    from landcover.stages import map as map_workflow

    map_scene = map_workflow.map_scene
    calls = []

    def interrupted(run, *arguments, **named):
        calls.append(run.path.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return map_scene(run, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(map_workflow, "map_scene", interrupted)
        assert map_products(home, *safes) == 130
    assert "2 still to come" in (home.path / "products" / "report.md").read_text()
    prepared = (home.path / "products" / "west" / "scene.tif").stat().st_mtime_ns
    assert map_products(home, *safes) == 0
    assert capsys.readouterr().out.count("found mapped already") == 1
    assert (home.path / "products" / "west" / "scene.tif").stat().st_mtime_ns == prepared
    assert hidden(home) == [] and len(report_of(home.path / "products")["products"]) == 3


def test_a_changed_model_or_setting_maps_again(home, safes, capsys):
    assert map_products(home, safes[0]) == 0
    assert map_products(home, safes[0], "--tile-px", "300") == 0
    assert "found mapped already" in capsys.readouterr().out
    assert map_products(home, safes[0], "--probabilities") == 0
    card = home.model("random-forest") / "card.json"
    card.write_text(card.read_text() + "\n")
    assert map_products(home, safes[0], "--probabilities") == 0
    assert "found mapped already" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["nowhere.SAFE"], r"nowhere\.SAFE is neither a product .* nor a run folder"),
        (["east.SAFE", "twin/east.SAFE"], "would both be mapped into"),
        (["empty.txt"], "the list of products is empty"),
        (["B02.tif"], "B02.tif is no text file"),
        (["list.txt"], "gone is neither a product"),
    ],
)
def test_what_cannot_be_mapped_is_refused_at_once(
    paths, message, home, safes, tmp_path, capsys, monkeypatch
):
    import re

    monkeypatch.chdir(tmp_path)
    shutil.copytree(safes[0], tmp_path / "twin" / "east.SAFE")
    Path("empty.txt").write_text("\n# nothing\n")
    Path("list.txt").write_text("east.SAFE\ngone\n")
    Path("B02.tif").write_bytes(b"II*\x00\xff\xfe\xfd")
    assert map_products(home, *paths) == 2
    errors = error_lines(capsys.readouterr().err)
    assert len(errors) == 1 and re.search(message, errors[0]), errors
    assert not (home.path / "products").exists()


def test_a_missing_model_and_verify_are_refused(home, safes, capsys):
    argv = ["map", str(home.path), "--model", "none", "--products", str(safes[0])]
    assert cli.main(argv) == 2
    assert "has no model none; its models are random-forest" in capsys.readouterr().err
    assert map_products(home, safes[0], "--verify", "5") == 2
    assert "--verify is of one scene" in capsys.readouterr().err


def test_products_map_on_a_cluster(home, safes):
    distributed = pytest.importorskip("distributed")
    assert map_products(home, *safes[:2]) == 0
    folder = home.path / "products"
    before = [(folder / name / "maps" / "random-forest.tif").read_bytes() for name in NAMES[:2]]
    shutil.rmtree(folder)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    ) as cluster:
        assert map_products(home, *safes[:2], "--scheduler", cluster.scheduler_address) == 0
    assert [
        (folder / name / "maps" / "random-forest.tif").read_bytes() for name in NAMES[:2]
    ] == before
    assert maps_of(home) == {}


# Scores


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    """A run with a forest, and two runs of other land that it has not seen, one without labels."""
    folder = tmp_path_factory.mktemp("land")
    home = sampled(write_land(folder / "home", 0))
    lc.train(home, "random-forest", denoise="none", random_split=False)
    bare = write_land(folder / "bare", 2)
    for name in ("labels", "reference"):
        getattr(bare, name).unlink()
    return home, write_land(folder / "labelled", 1), write_land(folder / "third", 4), bare


def scored(land, *arguments):
    argv = ["map", str(land[0].path), "--model", "random-forest-plain", "--products"]
    return cli.main([*argv, *map(str, arguments)])


def test_run_folders_are_scored_by_what_they_hold(land, tmp_path, capsys):
    home, labelled, third, bare = land
    out = tmp_path / "out"
    runs = [run.path for run in (home, labelled, third, bare)]
    assert scored(land, *runs, "--out", out) == 0
    report = report_of(out)
    rows = report["products"]
    assert [row["run"] for row in rows if "scores" in row] == [str(path) for path in runs[:3]]
    values = []
    for run, row in zip(land, rows, strict=False):
        if run is bare:
            continue
        truth = rasters.read_classes(run.reference)
        codes = rasters.read_classes(run.map("random-forest-plain"))
        judged = truth > 0
        if run is home:
            judged &= read_blocks(run).holds(Window(0, 0, *truth.shape), TEST)
        assert row["scores"]["n_test"] == judged.sum()
        right = (codes == truth)[judged].mean()
        assert row["scores"]["overall_accuracy"] == pytest.approx(right)
        low, high = row["scores"]["overall_accuracy_ci95"]
        assert low < right < high
        values.append(right)
    spread = report["summary"]["reference"]["overall_accuracy"]
    assert spread["mean"] == pytest.approx(np.mean(values)) and spread["scenes"] == 3
    assert spread["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert (spread["least"], spread["most"]) == (min(values), max(values))
    for page in ("report.md", "report.html"):
        text = (out / page).read_text("utf-8")
        assert f"{100 * values[1]:.1f} %" in text and "the whole scene, wall to wall" in text
        assert f"{100 * np.mean(values):.1f} %" in text
    assert f"{100 * values[1]:.1f} % right by its reference" in capsys.readouterr().out


def test_a_map_that_was_never_scored_is_scored(land, tmp_path, capsys):
    run = land[1]
    assert scored(land, run.path, "--out", tmp_path / "out") == 0
    before = run.report("random-forest-plain").read_bytes()
    run.report("random-forest-plain").unlink()
    assert scored(land, run.path, "--out", tmp_path / "out") == 0
    again, held = (
        json.loads(text) for text in (run.report("random-forest-plain").read_bytes(), before)
    )
    assert again["overall_accuracy"] == held["overall_accuracy"]
    capsys.readouterr()
    assert scored(land, run.path, "--out", tmp_path / "out") == 0
    assert "found mapped already" in capsys.readouterr().out


def test_a_table_gives_products_their_labels(land, safes, tmp_path):
    """Labels of products are brought to the level of the model: 211 is 2 there."""
    run = tmp_path / "prepared"
    assert cli.main(["prep", "--product", str(safes[0]), "--out", str(run)]) == 0
    grid = rasters.grid_of(run / "scene.tif")
    codes = np.full((1, *grid.shape), 211, np.uint16)
    codes[0, :, : grid.cols // 2] = 512
    raster_writer.write(tmp_path / "clc.tif", codes, grid, ["class"], 0)
    table, out = tmp_path / "list.csv", tmp_path / "out"
    table.write_text(
        f"Product;Labels\n{safes[0]};{tmp_path / 'clc.tif'}\n{safes[1]};\n", "utf-8-sig"
    )
    assert scored(land, table, "--out", out) == 0
    first, second = report_of(out)["products"]
    assert "scores" not in second and first["scores"]["against"] == "labels"
    mapped = rasters.read_classes(out / "east" / "maps" / "random-forest-plain.tif")
    truth = np.where(codes[0] == 211, 2, 5)
    agreement = (mapped == truth)[mapped > 0].mean()
    assert first["scores"]["overall_accuracy"] == pytest.approx(agreement)
    before = (out / "east" / "scene.tif").stat().st_mtime_ns
    assert scored(land, table, "--out", out) == 0
    assert (out / "east" / "scene.tif").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,labels\nA.SAFE,\n", "has the column 'path'; give a CSV with the columns product"),
        ("labels\nclc.tif\n", "has no column product; give a CSV with the columns product"),
        ("product,labels\n,clc.tif\n", "line 2, names no product; give a CSV"),
        ("product,labels\n{safe},none.tif\n", "none.tif does not exist, which the map of"),
        ("product,labels\n{run},clc.tif\n", "is a run folder, which has labels of its own or"),
        ("product,labels\n{run},a,b\n", "line 2, has 3 fields under 2 headings"),
    ],
)
def test_a_table_that_cannot_be_used(land, safes, tmp_path, capsys, text, said):
    table = tmp_path / "list.csv"
    table.write_text(text.format(safe=safes[0], run=land[1].path), "utf-8")
    assert scored(land, table, "--out", tmp_path / "out") == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert said in line and not (tmp_path / "out").exists()
