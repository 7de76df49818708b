"""The demo: its commands, in order; tests/package runs it from an installed wheel."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from landcover import cli
from landcover.commands import demo
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.sources.synthetic import make_scene
from landcover.sources.synthetic.files import Sources
from tests.conftest import ROOT, utm_grid
from tests.pages import typed

#: The doors that make demo opens, and their commands.
DOORS = typed.DOORS | {"landcover qgis": "qgis"}
SOURCES = Sources([Path("B02.tif")], Path("corine.tif"), Path("truth.tif"))


def made_by_make() -> list[str]:
    """The commands of make demo, without the run folder."""
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndemo:")[1].split("\n\n")[0]
    lines = re.findall(r"^\t\$\((?:PY|BIN)\)[ /](.*)$", recipe, flags=re.MULTILINE)
    found = []
    for line in lines:
        door = max((door for door in DOORS if line.startswith(door)), key=len)
        found.append(DOORS[door] + line.removeprefix(door))
    return [re.sub(r" (--out )?\$\(RUN\)", "", line) for line in found]


def test_the_demo_is_what_make_demo_does():
    commands = [" ".join(command) for command in demo.job(Path("RUN"), SOURCES)]
    files = " --bands B02.tif --labels corine.tif --reference truth.tif"
    ours = [re.sub(r" (--out )?RUN", "", command).replace(files, "") for command in commands]
    assert ours == made_by_make() and len(ours) == 8


def test_its_commands_can_be_given():
    parser = cli.all_commands()
    for command in demo.job(Path("RUN"), SOURCES):
        parser.parse_args(command)


@pytest.fixture
def small_scene(monkeypatch):
    """The demo draws a small scene."""
    monkeypatch.setattr(
        "landcover.sources.synthetic.make_scene", lambda **given: make_scene(160, 176, **given)
    )


@pytest.mark.usefixtures("small_scene")
def test_it_writes_its_scene_into_the_run_and_prints_each_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ran = []
    monkeypatch.setattr(demo, "run_alone", lambda command, quiet: ran.append(command))
    assert cli.main(["demo", "a run"]) == 0
    run = Path("a run")
    assert {path.name for path in tmp_path.iterdir()} == {"a run"}
    assert rasters.grid_of(run / "sources" / "B08.tif").shape == (160, 176)
    lines = capsys.readouterr().out.splitlines()
    assert "7 of 8: landcover compare 'a run'" in lines
    assert lines[-1] == str(run / "comparison.html")
    assert [command[0] for command in ran] == ["prep", *["train"] * 4, "map", "compare", "qgis"]


def test_it_leaves_what_holds_another_scene_as_it_is(tmp_path, capsys):
    run = tmp_path / "run"
    raster_writer.write(run / "scene.tif", np.ones((1, 30, 40)), utm_grid(30, 40), ["B02"])
    for path, what in ((run, "holds another scene"), (run / "scene.tif", "is a file")):
        assert cli.main(["demo", str(path)]) == 2
        assert what in capsys.readouterr().err
    assert [path.name for path in run.iterdir()] == ["scene.tif"]


@pytest.mark.usefixtures("small_scene")
def test_it_is_done_again_in_its_own_run_and_in_that_of_make_demo(tmp_path, monkeypatch):
    run, grid = tmp_path / "run", make_scene(seed=0).grid
    raster_writer.write(run / "scene.tif", np.ones((1, *grid.shape)), grid, ["B02"])
    monkeypatch.setattr(demo, "run_alone", lambda *_, **__: None)
    assert cli.main(["demo", str(run)]) == 0


@pytest.mark.usefixtures("small_scene")
def test_it_ends_with_the_command_that_fails(tmp_path, monkeypatch, capsys):
    ran = []

    def fails(command, quiet):
        ran.append(command)
        if command[0] == "train":
            raise LandcoverError("landcover train random-forest ended with exit code 2")

    monkeypatch.setattr(demo, "run_alone", fails)
    assert cli.main(["demo", str(tmp_path / "run")]) == 2
    assert [command[0] for command in ran] == ["prep", "train"]
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].startswith("error: landcover train random-forest ended")
    assert "comparison.html" not in captured.out


@pytest.mark.usefixtures("small_scene")
def test_a_quiet_demo_has_quiet_commands(tmp_path, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(demo, "run_alone", lambda command, quiet: ran.append((command[-1], quiet)))
    assert cli.main(["demo", str(tmp_path / "run"), "--quiet"]) == 0
    assert ran == [("--quiet", True)] * 8
    assert capsys.readouterr().out == f"{tmp_path / 'run' / 'comparison.html'}\n"
