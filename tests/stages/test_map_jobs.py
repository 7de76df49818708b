"""Mapping that is interrupted: killed processes, damaged parts, other inputs, two at once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover import cli, maps
from landcover.classifiers import models
from landcover.errors import LandcoverError
from landcover.files import jobs, raster_writer, rasters
from landcover.run import Run
from tests.conftest import ROOT, error_lines, utm_grid
from tests.fixtures.map_models import BANDS, cnn_classifier
from tests.fixtures.map_runs import LANDCOVER, MAP, hidden, interrupted, make_run, maps_of


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 20 windows, mapped without interruption."""
    run = make_run(tmp_path_factory.mktemp("runs") / "whole", 100, 5000)
    assert cli.main(["map", str(run.path), *MAP]) == 0
    return run


@pytest.fixture
def unmapped(whole, tmp_path):
    """The same run before it was mapped."""
    run = Run(tmp_path / "run")
    shutil.copytree(whole.path, run.path, ignore=shutil.ignore_patterns("maps", "manifest.json"))
    return run


def start(run):
    command = [*LANDCOVER, "map", str(run.path), *MAP]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def parts(run):
    return len(list(run.map_job("random-forest").glob("[0-9]*.part")))


def kill_when(process, condition):
    """SIGKILL a process once a condition holds; whether it was still running."""
    while process.poll() is None:
        if condition():
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False


def assert_whole(run, whole):
    """Equal bytes of every raster, whole records, nothing left behind."""
    assert maps_of(run) == maps_of(whole)
    assert hidden(run) == []
    stages = [
        json.loads((r.path / "manifest.json").read_text())["stages"]["map random-forest"]
        for r in (run, whole)
    ]
    for entry in stages:
        assert entry["settings"].pop("seconds") >= 0
    assert stages[0] == stages[1]
    assert (run.path / "maps" / "random-forest.qml").read_bytes()


def test_a_killed_map_goes_on_with_equal_bytes(whole, unmapped):
    process = start(unmapped)
    assert kill_when(process, lambda: parts(unmapped) >= 3)
    process.stdout.close()
    assert maps_of(unmapped) == {}
    writing = unmapped.path / "maps"
    process = start(unmapped)
    assert kill_when(process, lambda: any(writing.glob(".*.tif")))
    found = next(line for line in process.stdout if b"going on" in line).split()
    assert 3 <= int(found[2]) < 20 and found[4] == b"20"
    process.stdout.close()
    process = start(unmapped)
    output = process.communicate()[0].decode()
    assert process.returncode == 0, output
    assert "going on: 20 of 20 windows were found done" in output
    assert_whole(unmapped, whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments_until_it_is_done(whole, unmapped, seed):
    rng = random.Random(seed)
    kills = 0
    while kills < 6:
        process = start(unmapped)
        by_time = rng.random() < 0.5
        deadline, more = time.monotonic() + rng.uniform(0.2, 4), parts(unmapped) + rng.randint(0, 9)

        def due(by_time=by_time, deadline=deadline, more=more):
            return time.monotonic() > deadline if by_time else parts(unmapped) >= more

        killed = kill_when(process, due)
        process.stdout.close()
        kills += killed
        if not killed:  # it was quicker: begin again
            assert process.returncode == 0
            assert_whole(unmapped, whole)
            shutil.rmtree(unmapped.path / "maps")
    process = start(unmapped)
    process.communicate()
    assert process.returncode == 0
    assert_whole(unmapped, whole)


def damage(part: Path, kind: str) -> None:
    content = bytearray(part.read_bytes())
    if kind == "flipped":
        content[len(content) // 2] ^= 1
    part.write_bytes(content[: len(content) // 2] if kind == "cut" else content)


def test_damaged_parts_are_made_again(whole, unmapped, monkeypatch, capsys):
    interrupted(unmapped, monkeypatch, after=6)
    folder = unmapped.map_job("random-forest")
    found = sorted(folder.glob("[0-9]*.part"))
    assert len(found) == 6
    damage(found[0], "flipped")
    damage(found[1], "cut")
    found[2].unlink()
    capsys.readouterr()
    assert cli.main(["map", str(unmapped.path), *MAP]) == 0
    assert "going on: 3 of 20 windows were found done" in capsys.readouterr().out
    assert_whole(unmapped, whole)


def test_stopping_says_that_the_same_command_goes_on(unmapped, monkeypatch, capsys):
    interrupted(unmapped, monkeypatch, after=2)
    stopped = "stopped; nothing half-written stays; the same command goes on"
    assert stopped in capsys.readouterr().err


@pytest.mark.parametrize("change", ["scene", "model", "tile-px", "layers", "versions"])
def test_a_job_of_other_inputs_is_thrown_away(change, unmapped, monkeypatch, capsys):
    interrupted(unmapped, monkeypatch, after=2)
    arguments = list(MAP)
    if change == "scene":
        image = rasters.read(unmapped.scene)
        names, grid = rasters.band_names(unmapped.scene), rasters.grid_of(unmapped.scene)
        raster_writer.write(unmapped.scene, image + np.float32(0.01), grid, names, nodata=np.nan)
    elif change == "model":
        card = unmapped.model("random-forest") / "card.json"
        card.write_text(card.read_text() + "\n")
    elif change == "tile-px":
        arguments[3] = "600"
    elif change == "layers":
        arguments.remove("--probabilities")
    else:
        monkeypatch.setattr("landcover.stages.map.versions", lambda: {"numpy": "0"})
    capsys.readouterr()
    assert cli.main(["map", str(unmapped.path), *arguments]) == 0
    output = capsys.readouterr().out
    named = {"scene": "scene.tif", "model": "card.json", "tile-px": "windows"}.get(change, change)
    assert f".random-forest.job is of other {named}; it is thrown away" in output
    assert "going on" not in output
    assert hidden(unmapped) == []


def test_a_damaged_job_file_starts_anew(whole, unmapped, monkeypatch, capsys):
    interrupted(unmapped, monkeypatch, after=2)
    (unmapped.map_job("random-forest") / "job.json").write_text("{")
    capsys.readouterr()
    assert cli.main(["map", str(unmapped.path), *MAP]) == 0
    output = capsys.readouterr().out
    assert "job.json cannot be read; what was begun there is thrown away" in output
    assert "going on" not in output
    assert_whole(unmapped, whole)


def test_a_second_process_is_kept_out(whole, unmapped, capsys):
    process = start(unmapped)
    while not parts(unmapped):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGSTOP)
    try:
        capsys.readouterr()
        assert cli.main(["map", str(unmapped.path), *MAP]) == 2
        errors = error_lines(capsys.readouterr().err)
        assert len(errors) == 1
        assert "random-forest is being worked on by another process; wait" in errors[0]
    finally:
        process.send_signal(signal.SIGCONT)
    process.communicate()
    assert process.returncode == 0
    assert_whole(unmapped, whole)


@pytest.mark.slow
def test_two_processes_at_once_leave_one_whole_map(whole, unmapped):
    processes = [start(unmapped) for _ in range(2)]
    for process in processes:
        process.communicate()
    assert sorted(process.returncode for process in processes) in ([0, 2], [0, 0])
    assert_whole(unmapped, whole)


def test_a_job_that_fails_at_once_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), jobs.opened(tmp_path / ".a.job", {"x": 1}):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_fails_later_keeps_its_parts_and_notes(tmp_path, capsys):
    folder = tmp_path / ".a.job"
    with pytest.raises(ZeroDivisionError), jobs.opened(folder, {"x": (1, 2)}) as job:
        job.note(engine={"name": "e"})
        job.write(7, {"a": np.arange(3)}, seconds=2.5)
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), jobs.opened(folder, {"x": (1, 2)}) as job:
        assert job.notes == {"engine": {"name": "e"}}
        np.testing.assert_array_equal(job.read(7)["a"], [0, 1, 2])
        assert job.read(8) is None
        job.write(8, {"a": np.arange(3)}, seconds=1)
        assert job.read(8) is not None
        assert job.seconds_found == 2.5
        raise ZeroDivisionError
    with jobs.opened(folder, {"x": 1, "y": 2}) as job:
        assert job.read(7) is None and job.notes == {}
    assert "is of other x, y; it is thrown away" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=150)
@given(st.data())
def test_a_part_with_any_byte_changed_or_cut_off_is_missing(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("job")
    arrays = {
        "labels": np.arange(12, dtype=np.uint16).reshape(3, 4),
        "confidence": np.full((3, 4), 99, np.uint8),
    }
    job = jobs.Job(folder, {}, {})
    job.write(0, arrays, seconds=1)
    assert {name: held.tolist() for name, held in job.read(0).items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    path = folder / "000000.part"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), place]))])
    assert job.read(0) is None


def test_a_lock_of_a_dead_process_holds_nobody_up(tmp_path):
    lock = tmp_path / ".a.lock"
    lock.write_text("")
    with jobs.alone(lock, "a"):
        pass
    assert not lock.exists()


def test_a_map_without_a_job_keeps_no_parts(whole, tmp_path):
    classifier = models.load_model(whole.model("random-forest")).classifier()
    maps.predict_map(
        classifier, whole.scene, tmp_path / "m.tif", confidence=tmp_path / "c.tif", tile_px=600
    )
    assert (tmp_path / "m.tif").read_bytes() == maps_of(whole)["random-forest.tif"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("c.qml", "c.tif", "m.qml", "m.tif", "m.tif.aux.xml")
    ]


def test_typical_tiles_lie_where_the_scene_has_data(tmp_path, monkeypatch):
    monkeypatch.setattr(maps.scene_tiles, "COMPUTE_PX", 50)
    path, classifier = tmp_path / "s.tif", cnn_classifier(7)
    image = np.full((4, 200, 300), np.nan, np.float32)
    image[:, :, 180:] = np.arange(200 * 120).reshape(200, 120) / 1e5
    raster_writer.write(path, image, utm_grid(200, 300), BANDS, nodata=np.nan)
    tiles = maps.Source(classifier, path).typical_tiles(5)
    assert len(tiles) == 5
    assert {tile.shape for tile in tiles} == {(4, 50 + 6, 50 + 6)}
    assert all(np.isfinite(tile).mean() > 0.35 for tile in tiles)
    assert len({tile.tobytes() for tile in tiles}) == 5
    image[:] = np.nan
    raster_writer.write(path, image, utm_grid(200, 300), BANDS, nodata=np.nan)
    assert maps.Source(classifier, path).typical_tiles(5) == []


def test_a_folder_that_cannot_be_written_is_one_line(unmapped, capsys):
    if os.geteuid() == 0:
        (unmapped.path / "maps").write_text("a file in the place of the folder")
    else:
        (unmapped.path / "maps").mkdir(mode=0o500)
    assert cli.main(["map", str(unmapped.path), *MAP]) == 2
    assert len(error_lines(capsys.readouterr().err)) == 1


def test_bad_settings_are_refused(whole):
    with pytest.raises(LandcoverError, match="tile size 0 is not positive"):
        maps.predict_map(
            models.load_model(whole.model("random-forest")).classifier(),
            whole.scene,
            "m.tif",
            tile_px=0,
        )
