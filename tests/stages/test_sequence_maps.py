"""Maps of dates and years: jobs, clusters, steps after mapping, items, comparison, lists."""

from __future__ import annotations

import shutil

import numpy as np
import pystac
import pytest
from pystac.extensions.mlm import MLMExtension

from landcover import cli
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.run import Run
from landcover.stages.export import export
from landcover.stages.models import days_of_map, how_to_map, model_of_run
from landcover.stages.store import read_comparison
from landcover.stages.train import train
from tests.conftest import error_lines
from tests.fixtures.map_runs import hidden, interrupted, maps_of
from tests.fixtures.sequence_runs import DAYS, TWO_YEARS, write_sequence_run

MODEL = "sequence-forest-plain"
YEAR = f"{MODEL}@2022"
LATER = [day for day in TWO_YEARS if day not in DAYS]
#: Every layer of the first year, by small windows.
MAP = [
    "--model", MODEL, "--dates", *DAYS, "--tile-px", "1", "--probabilities", "--entropy",
]  # fmt: skip


def validated(path):
    """The item of a map; tests/reports/test_stac.py validates what it has of extensions."""
    item = pystac.Item.from_file(path)
    item.stac_extensions = []
    item.validate()
    return pystac.Item.from_file(path)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """A run of two years, its forest of the first one, and a map of that year."""
    folder = tmp_path_factory.mktemp("years") / "run"
    run = write_sequence_run(folder, rows=64, cols=96, days=TWO_YEARS, samples=1500)
    chosen = {"leaf_sizes": (5,), "dates": list(DAYS)}
    train(run, "sequence-forest", denoise="none", random_split=False, **chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("landcover.maps.scene_tiles.COMPUTE_PX", 32)
        assert cli.main(["map", str(run.path), *MAP, "--verify", "5"]) == 0
    return run


@pytest.fixture
def run(mapped, tmp_path, monkeypatch):
    """The same run, to be changed."""
    monkeypatch.setattr("landcover.maps.scene_tiles.COMPUTE_PX", 32)
    return Run(shutil.copytree(mapped.path, tmp_path / "run"))


def test_layers_of_a_year_say_the_same(mapped):
    codes = rasters.read_classes(mapped.map(YEAR))
    probabilities = rasters.read(mapped.probabilities(YEAR))
    seen = np.isfinite(probabilities[0])
    np.testing.assert_array_equal(seen, codes > 0)
    assert seen.mean() > 0.9 and not seen[:5, :7].any()
    best = np.array([211, 231, 312])[probabilities[:, seen].argmax(axis=0)]
    np.testing.assert_array_equal(best, codes[seen])
    confidence = rasters.read(mapped.confidence(YEAR))[0]
    np.testing.assert_allclose(confidence[seen], 100 * probabilities[:, seen].max(axis=0), atol=0.6)
    assert (codes == rasters.read_classes(mapped.reference))[seen].mean() > 0.85
    assert read_json(mapped.report(YEAR))["scored_on"] == "test blocks, wall to wall"


def test_a_map_of_a_year_that_was_broken_off_goes_on(run, mapped, monkeypatch):
    shutil.rmtree(run.path / "maps")
    interrupted(run, monkeypatch, 2, MAP)
    assert len(list(run.map_job(YEAR).glob("[0-9]*.part"))) == 2
    assert cli.main(["map", str(run.path), *MAP]) == 0
    assert maps_of(run) == maps_of(mapped) and hidden(run) == []


def test_a_cluster_maps_a_year_to_the_same_bytes(run, mapped):
    distributed = pytest.importorskip("distributed")
    shutil.rmtree(run.path / "maps")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = ["--scheduler", cluster.scheduler_address]
        assert cli.main(["map", str(run.path), *MAP, *address]) == 0
    assert maps_of(run) == maps_of(mapped)


def test_the_item_of_a_map_names_the_days_that_it_shows(run):
    assert days_of_map(run, YEAR) == list(DAYS)
    item = validated(run.item(YEAR))
    assert isinstance(item, pystac.Item) and item.properties["landcover:days"] == list(DAYS)
    assert item.properties["start_datetime"] == f"{DAYS[0]}T00:00:00Z"
    assert item.properties["end_datetime"] == f"{DAYS[-1]}T00:00:00Z"
    assert item.assets["model"].title == f"The model {MODEL} as skops"
    structure = MLMExtension.ext(item).input[0].input
    assert structure.dim_order == ["batch", "time", "channel"] and structure.shape == [-1, -1, 4]
    assert {"map", "confidence", "probabilities", "entropy"} <= set(item.assets)


def test_an_export_keeps_the_days_of_the_map_of_all(run):
    assert cli.main(["map", str(run.path), "--model", MODEL]) == 0
    before = run.item(MODEL).read_bytes()
    export(model_of_run(run, MODEL))
    assert run.item(MODEL).read_bytes() == before
    assert read_json(run.item(MODEL))["properties"]["landcover:days"] == list(TWO_YEARS)


def test_a_map_of_a_year_is_smoothed_and_sieved_as_any(run):
    steps = ["--smooth", "--mmu-ha", "0.1"]
    assert cli.main(["postprocess", str(run.path), "--model", YEAR, *steps]) == 0
    (made,) = run.path.glob(f"maps/{YEAR}+*.tif")
    assert validated(run.item(made.stem)).properties["landcover:days"] == list(DAYS)
    assert read_json(run.report(made.stem))["postprocessing"]["of"] == YEAR


def test_years_are_rows_of_the_comparison(run, capsys):
    assert cli.main(["map", str(run.path), "--model", MODEL, "--dates", *LATER]) == 0
    assert cli.main(["compare", str(run.path)]) == 0
    found = read_comparison(run.path)
    assert {row["name"] for row in found["models"]} == {YEAR, f"{MODEL}@2023"}
    assert "random forest of dates on labels as they are (2022)" in capsys.readouterr().out


def test_how_to_make_a_map_of_a_year_again_is_a_command_that_makes_it(run, capsys):
    run.map(YEAR).unlink()
    command = how_to_map(run, YEAR, probabilities=True).removeprefix("make it with: landcover ")
    assert cli.main(command.split()) == 0
    assert run.map(YEAR).exists()


def test_a_list_of_products_takes_runs_of_dates(run, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["map", str(run.path), "--model", MODEL, "--out", str(out), "--products"]
    assert cli.main([*command, str(run.path)]) == 0
    row = read_json(out / "report.json")["products"][0]
    assert row["map"] == str(run.map(MODEL)) and row["scores"]["overall_accuracy"] > 0.7
    product = tmp_path / "S2A.zip"
    product.write_bytes(b"")
    assert cli.main([*command, str(product)]) == 2
    said = error_lines(capsys.readouterr().err)[-1]
    assert f"of one date, and model {MODEL} reads sequences; prepare a run of several dates" in said


def test_maps_of_all_dates_go_with_the_model_that_made_them(run):
    kept = run.map(f"{MODEL}@other.2022")  # of the model of a variant, which is another one
    shutil.copy(run.map(YEAR), kept)
    chosen = {"leaf_sizes": (5,), "dates": list(DAYS), "seed": 7}
    train(run, "sequence-forest", denoise="none", random_split=False, **chosen)
    assert [path for path in kept.parent.rglob("*") if path.is_file()] == [kept]


def test_points_of_a_year_are_drawn_by_its_map(run):
    assert cli.main(["sample-points", str(run.path), "--model", YEAR, "--n", "30"]) == 0
    assert (run.path / f"{YEAR}_points.gpkg").exists()
