from __future__ import annotations

import json

import pytest

from landcover.errors import LandcoverError
from landcover.run import Run
from landcover.sources import band_files
from landcover.stages.prepare import prepare
from landcover.stages.staging import staged
from tests.fixtures.sentinel2_files import write_bands


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "run")


def test_a_failed_prep_keeps_the_run_as_it_was(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    with staged(run) as stage:
        prepare(stage, band_files.open_bands(paths))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(LandcoverError), staged(run) as stage:
        prepare(stage, band_files.open_bands(paths), labels=tmp_path / "nowhere.tif")
    after = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert before == after


def test_another_scene_does_not_silently_inherit_models(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    with staged(run) as stage:
        prepare(stage, band_files.open_bands(paths))
    run.model("random-forest").mkdir(parents=True)
    with staged(run) as stage:  # the same scene again: nothing is lost
        prepare(stage, band_files.open_bands(paths))
    assert run.model("random-forest").exists()
    with (
        pytest.raises(LandcoverError, match=r"holds models of another scene"),
        staged(run) as stage,
    ):
        prepare(stage, band_files.open_bands(paths, offset=-10))
    assert run.model("random-forest").exists()
    with staged(run, overwrite=True) as stage:
        prepare(stage, band_files.open_bands(paths, offset=-10))
    assert not run.model("random-forest").exists()


def test_another_scene_does_not_silently_inherit_refined_labels(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    with staged(run) as stage:
        prepare(stage, band_files.open_bands(paths))
    run.refined_labels.write_bytes(b"of the first scene")
    with (
        pytest.raises(LandcoverError, match=r"holds refined_labels.tif of another scene"),
        staged(run) as stage,
    ):
        prepare(stage, band_files.open_bands(paths, offset=-10))
    with staged(run, overwrite=True) as stage:
        prepare(stage, band_files.open_bands(paths, offset=-10))
    assert not run.refined_labels.exists()


def test_errors_and_manifest_do_not_speak_of_the_staging_folder(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    with pytest.raises(LandcoverError, match=r"run/labels.tif does not"), staged(run) as stage:
        stage.require("labels")
    with staged(run) as stage:
        prepare(stage, band_files.open_bands(paths))
        stage.record("segment", {}, [stage.scene])
    assert json.loads(run.manifest.read_text())["stages"]["segment"]["inputs"][0]["path"] == (
        "scene.tif"
    )


def test_the_same_scene_again_keeps_the_record_of_later_stages(tmp_path, run):
    paths, _ = write_bands(tmp_path)

    def prepare_again(offset=0.0, overwrite=False):
        with staged(run, overwrite) as stage:
            prepare(stage, band_files.open_bands(paths, offset=offset))
        return json.loads(run.manifest.read_text())

    prepare_again()
    run.model("knn").mkdir(parents=True)
    for stage, product in (("train knn", run.model("knn")), ("segment", run.path / "s.parquet")):
        product.exists() or product.write_text("rows")
        run.record(stage, {}, products=[product])
    run.log("train knn", {}, 3.0, {}, 100)
    manifest = prepare_again()
    assert set(manifest["stages"]) == {"prep", "train knn"}
    assert [entry["command"] for entry in manifest["commands"]] == ["train knn"]
    assert not (run.path / "s.parquet").exists()  # this time the scene was not segmented
    manifest = prepare_again(offset=-10, overwrite=True)
    assert set(manifest["stages"]) == {"prep"} and not manifest["commands"]
