from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from rasterio.warp import Resampling, reproject

from landcover import cli
from landcover.commands import COMMANDS, bench, processes
from landcover.commands.bench import Measured, Stage, markdown
from landcover.commands.options import SHARE
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.labels import generalise
from landcover.labels.schemes import SCHEMES
from landcover.run import Run
from landcover.sources.synthetic import files, make_scene
from tests.conftest import ROOT

SIDE = 330


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    """Two by two scenes of 165 pixels."""
    folder = tmp_path_factory.mktemp("mosaic")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "SCENE_PX", 165)
        return files.write_mosaic(folder, SIDE, seed=3)


def test_a_mosaic_is_its_scenes_side_by_side(mosaic):
    """Reflectance and truth to the digital number, at the places of their seeds."""
    dn = np.concatenate([rasters.read(path) for path in mosaic.bands])
    truth = rasters.read(mosaic.truth)[0]
    assert dn.dtype == np.uint16 and dn.shape == (4, SIDE, SIDE)
    for i, j in np.ndindex(2, 2):
        scene = make_scene(165, 165, (3 << 20) + (i << 10) + j)
        place = np.s_[165 * i : 165 * (i + 1), 165 * j : 165 * (j + 1)]
        np.testing.assert_array_equal(truth[place], scene.truth)
        np.testing.assert_allclose(dn[:, *place] / 10_000, scene.image.clip(1e-4), atol=5.1e-5)
    assert (dn > 0).all()


def test_the_mosaic_s_labels_are_its_scenes_labels(mosaic):
    """Inside every scene, away from seams, each pixel has the label that its scene gives it."""
    grid = rasters.grid_of(mosaic.bands[0])
    cells = SCHEMES["corine-grid"].recode(rasters.read(mosaic.corine)[0])
    cells_grid = rasters.grid_of(mosaic.corine)
    assert cells_grid == generalise.corine_grid(grid)
    labels = np.zeros(grid.shape, np.uint16)
    reproject(
        cells, labels, src_transform=cells_grid.transform, src_crs=cells_grid.crs,
        dst_transform=grid.transform, dst_crs=grid.crs, resampling=Resampling.nearest,
    )  # fmt: skip
    assert (labels > 0).all()
    west, north = grid.bounds[0], grid.bounds[3]
    for i, j in np.ndindex(2, 2):
        origin = west + 1650 * j, north - 1650 * i
        own = make_scene(165, 165, (3 << 20) + (i << 10) + j, origin=origin).labels()
        inner = np.s_[30:-30, 30:-30]
        place = np.s_[165 * i : 165 * (i + 1), 165 * j : 165 * (j + 1)]
        np.testing.assert_array_equal(labels[place][inner], own[inner])


def test_a_mosaic_is_made_once(mosaic, monkeypatch):
    folder = mosaic.truth.parent
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(files, "SCENE_PX", 165)
    assert files.write_mosaic(folder, SIDE, seed=3) == mosaic
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize(("seed", "gone"), [(3, "truth.tif"), (4, None)])
def test_other_land_is_made_anew_and_not_taken_for_whole_before(
    mosaic, tmp_path, monkeypatch, seed, gone
):
    folder = shutil.copytree(mosaic.truth.parent, tmp_path / "copy")
    if gone:
        (folder / gone).unlink()
    monkeypatch.setattr(files, "SCENE_PX", 165)
    monkeypatch.setattr(files, "_make", None)  # nothing can be drawn
    with pytest.raises(TypeError):
        files.write_mosaic(folder, SIDE, seed=seed)
    assert not (folder / "mosaic.json").exists()


def test_a_half_sized_mosaic_is_the_corner_of_the_whole():
    quarter = list(files._places(5490, 0))
    whole = dict(files._places(10_980, 0))
    assert len(quarter) == 16 and len(whole) == 64
    assert all(whole[window] == seed for window, seed in quarter)
    assert len(set(whole.values())) == 64
    assert sum(window.rows * window.cols for window in whole) == 10_980**2


def test_too_small_a_mosaic_is_refused(tmp_path):
    with pytest.raises(LandcoverError, match=r"size 159 is too small .* at least 160"):
        files.write_mosaic(tmp_path, 159)


SHARES = {"reading": 0.25, "computing": 0.5, "writing": 0.25}


def measured(seconds, gib, judged=True, by_pixels=True, **most):
    stage = Stage("map", ("map", "run"), by_pixels, **most)
    return Measured(stage, seconds, gib, SHARES, judged)


@pytest.mark.parametrize(
    ("seconds", "gib", "most", "met"),
    [
        (300, 3, {"most_s": 300, "most_gib": 3}, True),
        (301, 1, {"most_s": 300, "most_gib": 3}, False),
        (1, 3.1, {"most_s": 300, "most_gib": 3}, False),
        (480, 99, {"most_s": 480}, True),
        (1, 1, {}, None),
    ],
)
def test_limits_are_judged_on_a_whole_tile_alone(seconds, gib, most, met):
    assert measured(seconds, gib, **most).met is met
    assert measured(seconds, gib, judged=False, **most).met is None


def rows_of(text):
    """Cells of the rows of all tables, without the rulers."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line[0].startswith(":")]


def test_tables_add_up():
    small = [measured(10, 0.5, False), measured(60, 0.4, False, by_pixels=False)]
    large = [measured(100, 1.5, most_s=90, most_gib=2), measured(300, 2.5, by_pixels=False)]
    about = {"processor": "Any CPU", "cores": 2, "memory_gib": 24}
    text = markdown(about, {1000: small, 4000: large})
    rows = rows_of(text)
    assert rows[0][-2:] == ["at most", ""]
    assert rows[1] == ["map", "100 s", "1.5 GiB", "25 %", "50 %", "25 %", "90 s, 2 GiB", "not met"]
    assert rows[3][:3] == ["whole job", "400 s", "2.5 GiB"]
    assert ["whole job", "70 s", "0.5 GiB", "25 %", "50 %", "25 %"] in rows
    # 10 s for 1 million pixels, 100 s for 16 million
    assert rows[-1] == ["map", "10.00", "6.25", "0.62"]
    assert "Any CPU, 2 cores, 24 GiB" in text


def test_a_stage_is_measured_from_outside_and_from_its_own_record(tmp_path):
    """What the manifest says, with the start of Python beside it as computing."""
    run = Run(tmp_path / "run")
    scene = make_scene(170, 170, seed=1)
    paths = []
    for name, band in zip(scene.bands, scene.image, strict=True):
        paths.append(tmp_path / f"{name}.tif")
        raster_writer.write(paths[-1], files.digital_numbers(band), scene.grid, [name], nodata=0)
    stage = Stage("prepare", ("prep", "--bands", *map(str, paths), "--out", str(run.path)))
    found = bench.measure(run, stage, whole_tile=False)
    record = run.read_manifest()["commands"][-1]
    assert record["command"] == "prep"
    assert found.seconds > record["seconds"] - 0.05
    assert found.gib == pytest.approx(record["peak_memory_mib"] / 1024)
    assert 0.03 < found.gib < 2
    assert sum(found.shares.values()) == pytest.approx(1)
    for activity in ("reading", "writing"):
        own = record["shares"][activity] * record["seconds"]
        assert found.shares[activity] * found.seconds == pytest.approx(own)
        assert found.shares[activity] > 0


def test_a_failing_stage_is_named(tmp_path, capfd):
    stage = Stage("segment", ("segment", str(tmp_path / "none")))
    with pytest.raises(LandcoverError, match=r"^landcover segment .* ended with exit code 2"):
        bench.measure(Run(tmp_path / "none"), stage, whole_tile=False)
    assert "none does not exist; check" in capfd.readouterr().err


def test_a_stage_killed_for_memory_is_told(tmp_path, monkeypatch):
    killed = SimpleNamespace(wait=lambda: -9)
    monkeypatch.setattr(processes.subprocess, "Popen", lambda *a, **k: killed)
    with pytest.raises(
        LandcoverError, match="ended by signal 9, most likely because memory ran out"
    ):
        bench.measure(Run(tmp_path), Stage("segment", ("segment", "run")), whole_tile=True)


def test_the_job_holds_commands_that_there_are():
    named = files.Sources([], files.Path("c.tif"), files.Path("t.tif"))
    job = bench.job(Run("run"), named, 40_000, 0)
    for stage in job:
        words = [" ".join(stage.command[:n]) for n in (1, 2)]
        assert any(word in COMMANDS for word in words), stage
    limits = {
        stage.name: (stage.most_s, stage.most_gib)
        for stage in job
        if stage.most_s or stage.most_gib
    }
    assert limits == {
        "segment": (240, 8),
        "find doubtful labels": (None, 8),
        "sample 400,000": (60, 2),
        "map, forest": (480, None),
        "map, 7x7 CNN": (300, 3),
    }


@pytest.mark.parametrize(("text", "share"), [("1/16", 1 / 16), ("0.25", 0.25), ("1", 1)])
def test_shares_of_a_tile(text, share):
    assert SHARE(text) == Fraction(share)


@pytest.mark.parametrize("text", ["0", "1/0", "2", "half", "nan"])
def test_shares_that_are_none_are_refused(text, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench", "tile", "--share", text])
    assert stop.value.code == 2
    assert "is no part of a whole" in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_scene_goes_through_every_stage(tmp_path):
    command = [sys.executable, "-m", "landcover.cli", "bench", "tile", "--size", "700"]
    command += ["--samples", "4000", "--folder", str(tmp_path / "bench")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ
    )
    numbers = json.loads((tmp_path / "bench" / "bench.json").read_text())
    stages = numbers["sizes"]["700"]
    assert [stage["stage"]["command"][0] for stage in stages] == [
        "prep", "segment", "sample", "sample", "denoise", "train", "train", "map", "map"
    ]  # fmt: skip
    for stage in stages:
        assert stage["seconds"] > 0 and stage["gib"] > 0 and stage["met"] is None
        assert sum(stage["shares"].values()) == pytest.approx(1)
    table = (tmp_path / "bench" / "bench.md").read_text()
    assert table in done.stdout
    run = tmp_path / "bench" / "run-700"
    for name in ("random-forest", "cnn-7x7"):
        assert (rasters.read_classes(run / "maps" / f"{name}.tif") > 0).all()
