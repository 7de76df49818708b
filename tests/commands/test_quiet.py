"""What commands leave out when told to, what they say beforehand, and how they are stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import landcover as lc
from landcover import cli
from landcover.commands import COMMANDS
from tests.conftest import ROOT, utm_grid


@pytest.fixture(scope="module")
def bands(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("bands")
    land = lc.make_scene(160, 160, seed=1)
    return [
        str(lc.write(folder / f"{name}.tif", band, land.grid, [name]))
        for name, band in zip(land.bands, land.image, strict=True)
    ]


def prep(bands: list[str], run: Path, *more: str) -> list[str]:
    return ["prep", "--bands", *bands, "--quantification", "1", "--out", str(run), *more]


def test_a_quiet_command_prints_the_paths_alone(bands, tmp_path, capsys):
    assert cli.main(prep(bands, tmp_path / "loud")) == 0
    loud = capsys.readouterr().out.splitlines()
    assert cli.main(prep(bands, tmp_path / "quiet", "--quiet")) == 0
    said = capsys.readouterr()
    paths = said.out.splitlines()
    assert paths == [line.replace("loud", "quiet") for line in loud[-len(paths) :]]
    assert paths and all(Path(path).is_file() for path in paths) and said.err == ""
    entries = [lc.Run(tmp_path / name).read_manifest()["commands"] for name in ("loud", "quiet")]
    settings = [set(entry["settings"]) for (entry,) in entries]
    assert settings[0] == settings[1]


def test_a_quiet_command_still_says_what_is_wrong(bands, tmp_path, capsys):
    assert cli.main(prep(bands[:1] * 2, tmp_path / "run", "--quiet")) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1


def test_a_quiet_question_has_its_answer(bands, capsys):
    assert cli.main(["inspect", bands[0], "--quiet"]) == 0
    said = capsys.readouterr()
    assert bands[0] in said.out and said.err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_quiet(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([*name.split(), "--help"])
    assert "--quiet" in capsys.readouterr().out


def test_a_command_that_took_long_says_so_beforehand(bands, tmp_path, capsys):
    run = tmp_path / "run"
    again = prep(bands, run, "--overwrite")
    assert cli.main(again) == 0
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["commands"][0]["seconds"] = 200.0
    (run / "manifest.json").write_text(json.dumps(manifest))
    capsys.readouterr()
    assert cli.main([*again, "--seed", "2"]) == 0
    assert "expected" not in capsys.readouterr().out
    manifest["commands"][0]["seconds"] = 200.0
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert cli.main(again) == 0
    second = capsys.readouterr().out.splitlines()[1]
    assert second == "expected: about 3 min 20 s, as it took before"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program could catch")
def test_a_command_that_is_stopped_leaves_nothing_half_written(tmp_path):
    """A plugin, a container and a batch system stop a program by SIGTERM."""
    side = 600
    grid = utm_grid(side, side)
    rng = np.random.default_rng(1)
    names = ("B02", "B03", "B04", "B08")
    for name in names:
        lc.write(tmp_path / f"{name}.tif", rng.random((side, side), np.float32), grid, [name])
    paths = [str(tmp_path / f"{name}.tif") for name in names]
    run = tmp_path / "run"
    command = [sys.executable, "-m", "landcover", *prep(paths, run)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, **pipes)
    assert process.stdout is not None
    process.stdout.readline()  # the settings: it has begun
    until = time.monotonic() + 60
    while not list(run.glob(".*")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("stopped; nothing half-written stays")
    assert not (run / "scene.tif").exists() and not list(run.glob(".*"))
