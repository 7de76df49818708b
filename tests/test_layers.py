"""Imports run downward only: read from the syntax trees, so that no import hides in a function."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "landcover"
LINE = (
    "errors", "grid", "legend", "sensors", "progress", "stopwatch", "files", "run", "labels",
    "sources", "scene", "samples", "classifiers", "maps", "reports", "stages", "service",
    "commands", "cli",
)  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(
    path for folder in (".", "baselines", "experiments") for path in (ROOT / folder).glob("*.py")
)


def imported(path: Path) -> set[str]:
    """Full names of every module that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path):
    room = room_of(path)
    if room == "__init__":
        return
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("landcover.")}
    for other in rooms & set(LINE):
        assert LINE.index(other) <= LINE.index(room), f"{room} imports {other}, to its right"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_keras_lives_in_networks(path):
    heavy = {name.split(".")[0] for name in imported(path)} & {
        "keras",
        "tensorflow",
        "jax",
        "torch",
    }
    assert heavy <= ({"keras"} if "networks" in path.parts else set())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_is_thin_and_imports_no_script(path):
    names = {name.split(".")[0] for name in imported(path)}
    scripts = {other.stem for other in SCRIPTS} | {"baselines", "experiments"}
    if path.parent.name != "experiments":  # they share experiments/study.py
        assert not names & scripts
    if path.parent.name != "experiments":
        assert len(path.read_text("utf-8").splitlines()) <= 60


@pytest.mark.parametrize(
    "command",
    [["-c", "import landcover"], ["-m", "landcover.cli", "--help"], ["scene_prep.py", "--help"]],
    ids=["import", "landcover --help", "scene_prep.py --help"],
)
def test_starting_loads_nothing_heavy(command):
    trace = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    loaded = {line.rsplit("|")[-1].strip().split(".")[0] for line in trace.splitlines()}
    assert not loaded & {"tensorflow", "keras", "sklearn", "numba", "matplotlib", "rasterio"}
