"""Imports run downward only: read from the syntax trees, so that no import hides in a function."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "landcover"
LAYERS = {
    0: {"__init__", "errors", "legend", "grid", "progress", "stopwatch", "bigearth_classes"},
    1: {
        "rasters", "products", "vectors", "runs", "jobs", "catalog", "reports", "styles",
        "reference_sample", "unit_classes", "images", "eurosat", "chip_store",
        "bigearth",
    },
    2: {
        "synthetic", "generalise", "segmentation", "pixel_graph", "pixel_edges", "segment_types",
        "indices", "features", "trees", "blocks", "splits", "sampling", "chips", "tiles",
        "augmentation",
        "accuracy", "tag_accuracy", "calibration", "label_noise", "denoising", "figures",
        "winners", "smoothing",
        "postprocess",
        "area_estimation", "correlation", "mcnemar", "breakdown", "radiometry", "change",
    },
    3: {"exchange", "forest_onnx", "forests", "networks", "mapping", "models", "pixels"},
    4: {"workflows"},
    5: {"cli", "commands", "options", "service"},
}  # fmt: skip
LAYER = {room: layer for layer, rooms in LAYERS.items() for room in rooms}
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


def rooms_imported(path: Path) -> set[str]:
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("landcover.")}
    return rooms & set(LAYER)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downward(path):
    room = room_of(path)
    assert room in LAYER, f"{room} has no place in the layers; give it one in docs/architecture.md"
    for other in rooms_imported(path) - {room}:
        assert LAYER[other] <= LAYER[room], f"{room} imports {other}, which lies above it"
        assert {LAYER[room], LAYER[other]} != {1, 2}, f"{room} imports {other}: files and arrays"


def test_no_two_rooms_import_each_other():
    edges = {}
    for path in MODULES:
        edges.setdefault(room_of(path), set()).update(rooms_imported(path))
    for room, others in edges.items():
        for other in others - {room}:
            assert room not in edges.get(other, set()), f"{room} and {other} import each other"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_keras_lives_in_networks(path):
    heavy = {name.split(".")[0] for name in imported(path)} & {
        "keras",
        "tensorflow",
        "jax",
        "torch",
    }
    assert heavy <= ({"keras"} if room_of(path) == "networks" else set())


def test_arrays_open_no_file():
    for room in LAYERS[2]:
        path = PACKAGE / f"{room}.py"
        if path.exists():
            assert not {"rasterio.open", "pathlib"} & imported(path), room


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_is_thin_and_imports_no_script(path):
    names = {name.split(".")[0] for name in imported(path)}
    scripts = {other.stem for other in SCRIPTS} | {"baselines", "experiments"}
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
