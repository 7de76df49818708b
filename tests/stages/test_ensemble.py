"""Ensembles: the mean of probabilities as a map, whatever the order and the windows."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import landcover as lc
from landcover.cli import main
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.files.class_rasters import write_classes
from landcover.legend import Legend
from landcover.maps.averaging import average_maps, averaged
from landcover.stages.compare import compare
from landcover.stages.ensemble import ensemble
from tests.conftest import error_lines, utm_grid
from tests.fixtures.training_runs import write_run

LEGEND = Legend.corine(3).subset([211, 311, 512])
MEMBERS = ["knn-plain", "nearest-centroid-plain", "random-forest-plain"]


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """A run with three maps and their probabilities."""
    run = write_run(tmp_path_factory.mktemp("ensemble") / "run")
    for kind in ("knn", "nearest-centroid", "random-forest"):
        choices = {"leaf_sizes": [5]} if kind == "random-forest" else {}
        model = lc.train(run, kind, denoise="none", random_split=False, **choices)
        lc.map_scene(run, model, probabilities=True)
    return run


@pytest.fixture
def run(mapped, tmp_path):
    return lc.Run(shutil.copytree(mapped.path, tmp_path / "run"))


def drawn(rng, members=3, shape=(7, 9)):
    """Probabilities of maps that lack some pixels, and all the first one."""
    arrays = rng.dirichlet(np.ones(3), (members, *shape)).transpose(0, 3, 1, 2).astype(np.float32)
    arrays[:, :, rng.random((members, *shape))[0] < 0.2] = np.nan
    for array in arrays:
        array[:, rng.random(shape) < 0.2] = np.nan
    arrays[:, :, 0, 0] = np.nan
    return list(arrays)


@given(st.integers(0, 1000))
def test_the_mean_is_that_of_the_maps_that_have_a_pixel(seed):
    members = drawn(np.random.default_rng(seed))
    found = averaged(members, LEGEND)
    held = np.isfinite([member[0] for member in members]).sum(axis=0)
    mean = np.nansum(members, axis=0, dtype=np.float64)[:, held > 0] / held[held > 0]
    np.testing.assert_allclose(found["probabilities"][:, held > 0], mean, rtol=1e-6)
    np.testing.assert_allclose(found["probabilities"][:, held > 0].sum(axis=0), 1, rtol=1e-5)
    codes = np.array(LEGEND.codes)[found["probabilities"][:, held > 0].argmax(axis=0)]
    assert np.array_equal(found["labels"][held > 0], codes)
    assert (found["labels"][held == 0] == 0).all() and (found["confidence"][held == 0] == 255).all()
    assert np.isnan(found["probabilities"][:, held == 0]).all()


def test_windows_change_nothing(tmp_path, monkeypatch, rng):
    shape, layers = (70, 90), ("labels", "confidence", "probabilities")
    paths = [tmp_path / f"{n}.tif" for n in range(2)]
    names = [f"{c.code} {c.name}" for c in LEGEND.classes]
    for path, array in zip(paths, drawn(rng, 2, shape), strict=True):
        raster_writer.write(path, array, utm_grid(*shape), names, np.nan)
    found = []
    for side in (1024, 32):
        monkeypatch.setattr(rasters, "window_px", lambda bands, side=side: side)
        out = {layer: tmp_path / f"{side}-{layer}.tif" for layer in layers}
        average_maps(paths, out, LEGEND)
        found.append([path.read_bytes() for path in out.values()])
    assert found[0] == found[1]


def test_the_order_of_the_members_changes_nothing(run):
    made = []
    for maps in (MEMBERS, MEMBERS[::-1]):
        paths = ensemble(run, maps)
        made.append({path.name: path.read_bytes() for path in paths if path.suffix == ".tif"})
    assert made[0] == made[1]
    assert set(made[0]) == {
        "ensemble.tif", "ensemble_confidence.tif", "ensemble_probabilities.tif",
    }  # fmt: skip


def test_it_is_scored_compared_and_averaged_as_any_other_map(run, capsys):
    maps = ["--maps", *MEMBERS]
    assert main(["ensemble", str(run.path), *maps, "--variant", "all"]) == 0
    said = capsys.readouterr().out
    report = read_json(run.report("ensemble@all"))
    assert f"{100 * report['overall_accuracy']:.1f} %" in said
    assert set(report["ensemble"]["of"]) == set(MEMBERS)
    assert report["scored_on"] == "test blocks, wall to wall"
    compared = lc.compare(run)
    (row,) = [model for model in compared["models"] if model["name"] == "ensemble@all"]
    assert row["title"] == "ensemble (all)"
    assert row["scores"]["reference"]["overall_accuracy"] == report["overall_accuracy"]
    item = read_json(run.item("ensemble@all"))
    assert [link["href"] for link in item["links"]] == [f"./{name}.json" for name in MEMBERS]
    further = lc.ensemble(run, ["ensemble@all", "knn-plain"])
    assert further == run.map("ensemble")


def test_a_run_without_reports_has_an_ensemble_without_scores(run):
    for name in MEMBERS[:2]:
        run.report(name).unlink()
    paths = ensemble(run, MEMBERS[:2])
    assert run.report("ensemble") not in paths and not run.report("ensemble").exists()


def test_members_of_other_classes_are_refused(run, capsys):
    codes = np.where(rasters.read_classes(run.map("knn-plain")) == 512, 512, 211)
    grid, legend = rasters.grid_of(run.scene), LEGEND.subset([211, 512])
    write_classes(run.map("knn-plain"), codes, grid, legend)
    assert main(["ensemble", str(run.path), "--maps", *MEMBERS[:2]]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "knn-plain has 211 512;" in line and "same classes" in line
    assert not run.map("ensemble").exists()


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (["knn-plain"], "an ensemble is the mean of 2 maps or more"),
        (["knn-plain", "knn-plain"], "name knn-plain twice"),
        (["knn-plain", "svm"], "svm.tif does not exist; the run's maps are knn-plain"),
    ],
)
def test_what_is_no_ensemble_is_refused(run, maps, said, capsys):
    assert main(["ensemble", str(run.path), "--maps", *maps]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert said in line
    assert not run.map("ensemble").exists()


def test_maps_without_probabilities_are_refused_with_the_command_that_makes_them(run, capsys):
    lc.map_scene(run, "knn-plain")
    assert main(["ensemble", str(run.path), "--maps", *MEMBERS]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert line.endswith(f"landcover map {run.path} --model knn-plain --probabilities")


def test_a_member_that_was_mapped_again_is_found_by_the_comparison(run):
    ensemble(run, MEMBERS, "all")
    codes = rasters.read_classes(run.map("knn-plain"))
    raster_writer.write(
        run.map("knn-plain"), codes[::-1].copy(), rasters.grid_of(run.scene), ["class"], 0, LEGEND
    )
    with pytest.raises(lc.LandcoverError, match="run landcover ensemble again, or remove it"):
        compare(run)


def test_a_lost_report_names_the_command_with_its_members(run):
    ensemble(run, MEMBERS, "all")
    run.report("ensemble@all").unlink()
    with pytest.raises(
        lc.MissingProduct, match=f"landcover ensemble .* --maps {' '.join(MEMBERS)} --variant all"
    ):
        compare(run)


def test_a_member_without_a_report_leaves_no_report_of_an_earlier_ensemble(run, capsys):
    ensemble(run, MEMBERS[:2])
    assert run.report("ensemble").exists()
    run.report(MEMBERS[2]).unlink()
    products = ensemble(run, MEMBERS)
    assert not run.report("ensemble").exists() and run.report("ensemble") not in products
    assert f"ensemble is not scored, because there is no report of {MEMBERS[2]}" in (
        capsys.readouterr().out
    )
