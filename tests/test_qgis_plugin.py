"""The QGIS plugin without QGIS: what it makes of values, of lines, and of programs that misbehave.

What needs QGIS is tested in tests/qgis.
"""

from __future__ import annotations

import argparse
import configparser
import os
import re
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

import landcover
from landcover.classifiers import kinds
from landcover.cli import all_commands
from landcover.labels.denoising import CHOICES
from landcover_qgis import process, program, table
from landcover_qgis.command import KINDS, Parameter, Row, arguments_of
from landcover_qgis.program import Refused

ROOT = Path(__file__).parent.parent
PLUGIN = ROOT / "landcover_qgis"
#: A value of every kind, as the dialog gives it.
GIVEN = {
    "run": "/data/my run", "new_run": "/data/my run", "new_file": "/data/points.gpkg",
    "raster": "/data/a.tif", "vector": "/data/a.gpkg|layername=b", "rasters": ["/data/B02.tif"],
    "folder": "/data/X.SAFE", "file": "/data/X.zip", "field": "class", "text": "word",
    "words": "ndvi 2020", "whole": 5, "number": 2.5, "extent": [-1.5, 52.0, 13.0, 53.25],
    "on": True, "off": False,
}  # fmt: skip
#: What is given one at a time, since the command takes one of them.
ALTERNATIVES = {"prep": ("PRODUCT", "ARCHIVE", "BANDS", "AREA", "EXTENT")}


def parsed(row: Row, values: dict[str, object]) -> argparse.Namespace:
    """What landcover's own parser makes of an algorithm's arguments."""
    return all_commands().parse_args(arguments_of(row, values))


def value_of(parameter: Parameter) -> object:
    return parameter.choices[-1] if parameter.choices else GIVEN[parameter.kind]


def values_of(row: Row) -> list[dict[str, object]]:
    """All values, once for each of the alternatives."""
    others = ALTERNATIVES.get(row.command, ())
    every = {p.name: value_of(p) for p in row.parameters if p.name not in others}
    if row.command == "change":
        every["YEARS"] = "2020 2021"
    by_name = {p.name: p for p in row.parameters}
    return [every | {name: value_of(by_name[name])} for name in others] or [every]


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.command)
def test_all_that_a_dialog_asks_for_is_taken_by_the_command(row):
    for values in values_of(row):
        arguments = arguments_of(row, values)
        parsed(row, values)
        for parameter in row.parameters:
            if parameter.flag and parameter.name in values and parameter.name != "EPOCHS":
                barred = any(values[name] in some for name, some in parameter.not_with)
                assert (parameter.flag in arguments) != barred, parameter.name


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.command)
def test_what_is_left_alone_is_left_to_the_command(row):
    """Defaults of the dialog are the command's own."""
    needed = {p.name: value_of(p) for p in row.parameters if not p.optional}
    defaults = {p.name: p.default for p in row.parameters if p.default is not None}
    if row.command == "change":
        needed["AFTER"] = "/data/after"
    bare, shown = parsed(row, needed), parsed(row, {**defaults, **needed})
    for made_anew in ("parser", "program", "act"):
        delattr(bare, made_anew)
        delattr(shown, made_anew)
    assert vars(bare) == vars(shown)


@pytest.mark.parametrize("kind", table.MODEL_KINDS)
def test_every_kind_of_model_takes_what_the_dialog_asks_for(kind):
    asked = {p.name: value_of(p) for p in table.TRAIN.parameters}
    found = parsed(table.TRAIN, asked | {"KIND": kind, "MAP": False})
    assert found.stage == f"train {kind}" and found.runs == [Path("/data/my run")]
    assert getattr(found, "epochs", 5) == 5
    assert hasattr(found, "epochs") == (kind not in table.WITHOUT_EPOCHS)
    assert hasattr(found, "patch_size") == (kind not in table.WITHOUT_PATCH)
    assert hasattr(found, "no_map") == (kind not in table.NOT_MAPPED)


def test_lists_are_those_of_landcover():
    assert set(table.MODEL_KINDS) == set(kinds.commands()) - {"estimator"}
    assert table.DENOISE == CHOICES
    options = {row.command: row for row in table.ROWS}
    for command, flag in [("map", "--precision"), ("sample", "--method"), ("prep", "--method")]:
        (parameter,) = (p for p in options[command].parameters if p.flag == flag)
        assert tuple(choices_of(command, flag)) == parameter.choices


def choices_of(command: str, flag: str) -> list[str]:
    parser = all_commands().parse_args([command]).parser
    (action,) = (a for a in parser._actions if flag in a.option_strings)
    return list(action.choices)


def test_rows_are_well_formed():
    for row in table.ROWS:
        names = [p.name for p in row.parameters]
        assert len(names) == len(set(names)), row.command
        for p in row.parameters:
            assert p.kind in KINDS and p.label and p.help != p.label
            assert (p.kind == "choice") == bool(p.choices)
            assert p.kind != "field" or p.of in names


def test_places_come_before_options_and_nothing_is_nothing():
    values = {"BEFORE": "/a", "AFTER": "/b", "MODEL": "", "YEARS": "  ", "NORMALISE": True}
    assert arguments_of(table.CHANGE, values) == ["change", "/a", "/b"]
    values |= {"NORMALISE": False, "YEARS": " 2020  2021", "MMU_HA": 0.5}
    expected = ["change", "/a", "/b", "--years", "2020", "2021", "--mmu-ha", "0.5"]
    assert arguments_of(table.CHANGE, values) == [*expected, "--no-normalise"]


def test_an_extent_of_the_western_half_is_no_option():
    box = parsed(table.PREP, {"EXTENT": [-0.00001, -52.0, 13.0, 53.25], "RUN": "/r"}).bbox
    assert box == [-0.00001, -52.0, 13.0, 53.25]


@pytest.mark.parametrize(
    ("line", "percent"),
    [
        ("mapping with random-forest: 40 %, 12 s, about 18 s left", 40),
        ("mapping with random-forest:  40 %, 12 s", 40),
        ("Reading a: b.tif: 0 %, 2 s", 0),
        ("training, stopped early: 25 %, 3 min 20 s", 25),
        ("scene: 2,250,000 pixels, 100.0 % with data in all bands", None),
        ("12.0 s (reading 23 %, computing 55 %, writing 22 %), peak memory 481 MiB", None),
        ("note: overall: 90 %", None),
        ("joining: 120 done, 12 s", None),
    ],
)
def test_percent_is_that_of_lines_of_progress_alone(line, percent):
    assert process.percent_of(line) == percent


def test_lines_of_progress_are_those_that_landcover_prints(monkeypatch, capsys):
    from landcover import progress

    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    list(progress.track(range(4), "mapping: all"))
    lines = capsys.readouterr().err.splitlines()
    assert [process.percent_of(line) for line in lines][-1] == 100
    assert None not in [process.percent_of(line) for line in lines]


def test_paths_are_what_follows_the_measure():
    lines = ["/data/note.tif", "12.0 s (reading 1 %), peak memory 481 MiB", "/r/a.tif", "x", "/b"]
    assert process.paths_in(lines) == [Path("/r/a.tif"), Path("/b")]
    assert process.paths_in(lines[:1]) == []


class Feedback:
    """What QGIS hands an algorithm."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.percents: list[int] = []
        self.cancelled = threading.Event()

    def isCanceled(self) -> bool:
        return self.cancelled.is_set()

    def setProgress(self, percent: int) -> None:
        self.percents.append(percent)

    def setProgressText(self, text: str) -> None:
        self.said.append(text)

    pushInfo = pushWarning = setProgressText


@pytest.fixture
def fake(tmp_path):
    """Programs that call themselves landcover, in Python."""

    def make(text: str, version: str = "landcover 9.0.1") -> str:
        path = tmp_path / "landcover"
        head = f"#!{sys.executable}\nimport sys, time, os, subprocess, signal\n"
        asked = f"if sys.argv[1:] == ['--version']: print({version!r}); sys.exit()\n"
        path.write_text(head + asked + text, "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def test_a_command_is_followed_to_its_end(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("GDAL_DATA", "/nowhere")
    path = tmp_path / "grüße.tif"
    feedback = Feedback()
    called = fake(
        "print('map: RUN', sys.argv[1:], 'PYTHONHOME' in os.environ, 'GDAL_DATA' in os.environ)\n"
        "print('mapping: 40 %, 2 s, about 3 s left', file=sys.stderr)\n"
        f"print('1.0 s (all), peak memory 9 MiB'); print({str(path)!r})\n"
    )
    assert program.require_program(called) == "landcover 9.0.1"
    assert process.run(called, ["map", "a b"], feedback) == [path]
    assert feedback.percents == [40]
    assert feedback.said[0] == "map: RUN ['map', 'a b'] False False"


def test_the_line_of_an_error_is_the_algorithms(fake):
    called = fake("print('error: a.tif is missing; check the path', file=sys.stderr); sys.exit(2)")
    with pytest.raises(Refused, match=r"^a\.tif is missing; check the path$"):
        process.run(called, ["map"], Feedback())
    with pytest.raises(Refused, match=r"^landcover map failed: boom$"):
        process.run(fake("print('boom'); os._exit(3)"), ["map"], Feedback())


@pytest.mark.skipif(os.name == "nt", reason="there is no process group to look at on Windows")
@pytest.mark.parametrize("deaf", [False, True])
def test_cancelling_ends_the_whole_group(fake, tmp_path, monkeypatch, deaf):
    monkeypatch.setattr(process, "_CLEANING_S", 0.5)
    child = tmp_path / "child"
    ignored = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    called = fake(
        f"{ignored}other = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(child)!r}, 'w').write(str(other.pid))\nprint('begun', flush=True)\n"
        "other.wait(); time.sleep(60)\n"
    )
    feedback = Feedback()
    timer = threading.Thread(target=lambda: (_wait_for(child), feedback.cancelled.set()))
    timer.start()
    began = time.monotonic()
    with pytest.raises(Refused, match=r"^stopped: landcover map and what it had started are ended"):
        process.run(called, ["map"], feedback)
    assert time.monotonic() - began < 20 and "begun" in feedback.said
    timer.join()
    assert not _runs(int(child.read_text()))


def _wait_for(path: Path) -> None:
    until = time.monotonic() + 10
    while not (path.exists() and path.read_text()) and time.monotonic() < until:
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Whether a process runs; what has ended and waits for its parent does not."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except FileNotFoundError:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("landcover 0.0.9", r"is landcover 0\.0\.9, and this plugin needs 0\.2\.0 or newer"),
        ("Python 3.11.2", r"is no landcover program \(it says: Python 3\.11\.2\)"),
        ("", r"is no landcover program \(it says: nothing\)"),
    ],
)
def test_another_program_is_refused(fake, version, said):
    with pytest.raises(Refused, match=said) as caught:
        program.require_program(fake("", version))
    assert "\n" not in str(caught.value)


def test_a_program_that_is_not_there_is_refused(tmp_path):
    for given, said in [("", "no landcover program is set"), (tmp_path / "no", "does not exist")]:
        with pytest.raises(Refused, match=said):
            program.require_program(str(given))
    (tmp_path / "no").write_text("text")
    with pytest.raises(Refused, match="cannot be run"):
        program.require_program(str(tmp_path / "no"))


def test_the_plugin_is_landcovers_own_version_and_free_of_it():
    described = configparser.ConfigParser()
    described.read(PLUGIN / "metadata.txt", "utf-8")
    general = described["general"]
    assert general["version"] == landcover.__version__
    assert general["qgisMinimumVersion"] == "3.22" and (PLUGIN / general["icon"]).is_file()
    assert "GNU GENERAL PUBLIC LICENSE" in (PLUGIN / "LICENSE").read_text("utf-8")
    for path in PLUGIN.glob("*.py"):
        text = path.read_text("utf-8")
        assert text.startswith("# SPDX-License-Identifier: GPL-2.0-or-later"), path.name
        assert not re.search(r"(import|from) (landcover\b(?!_)|numpy|sklearn)", text), path.name
