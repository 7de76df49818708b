"""The plan of the package holds: what its source imports and opens, read from the syntax trees.

Each rule is tested on landcover/, and on a small made-up package that breaks it: a rule that
cannot fail would not be one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from landcover.run import Run
from tests.fixtures import house

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "landcover"
TESTS = ROOT / "tests"

#: The rooms of the package. An import points left along this line, or stays in its room.
LINE = (
    "errors", "grid", "legend", "sensors", "progress", "stopwatch", "files", "run", "labels",
    "sources", "scene", "samples", "classifiers", "maps", "reports", "stages", "service",
    "commands", "cli", "__main__",
)  # fmt: skip
FOLDERS = {
    "files", "labels", "sources", "scene", "samples", "classifiers", "maps", "reports", "stages",
    "service", "commands",
}  # fmt: skip

#: Modules outside landcover/files that open files, and why. This list may only shrink.
OPENS_FILES = {
    "landcover.classifiers.estimators": "skops reads and writes estimators as data",
    "landcover.classifiers.networks.backend": "Keras reads and writes networks as data",
    "landcover.legend": "facts that come with the package",
    "landcover.reports.figures": "matplotlib draws into memory",
    "landcover.reports.words": "templates that come with the package",
    "landcover.service.assets": "the page that comes with the package",
}
#: Modules left of stages that know the run folder. This list may only shrink.
KNOWS_A_RUN: set[str] = set()
MOST_EXCEPTIONS = {"OPENS_FILES": 6, "KNOWS_A_RUN": 0}

#: What a stage calls its file where that is not the command's own name.
STAGE_NAMES = {"prep": "prepare"}
#: Commands without a stage: they need no run folder, or are no part of the job.
WITHOUT_STAGE = {
    "classify", "features", "fetch", "inspect", "serve", "bench", "demo", "doctor", "completion",
}  # fmt: skip
#: Files of stages/ that are no stage, and why.
SHARED_BY_STAGES = {
    "api_arguments": "the public API takes runs, models and files in one way",
    "api_models": "stages from classifiers to reports as the public API calls them",
    "api_samples": "stages up to samples as the public API calls them",
    "finetune": "trains networks of whole images, for experiments/",
    "pretrain": "trains encoders, for experiments/",
    "dates": "train and map choose the dates of a run in one way",
    "inputs": "every stage reads blocks, the sample table and rows to learn from in one way",
    "scoring": "train, map and postprocess score models and maps, compare sets them side by side",
    "models": "stages that need a model find it by name or folder",
    "prepared_features": "prep fits features of the scene, and train and map ask what to",
    "run_legend": "stages read the classes of the run, and prep writes them",
    "scenes": "train writes which scenes a model has seen, map and compare ask for it",
    "store": "map and compare write reports, which others read by the run",
    "staging": "prep, segment, sample and train replace products when all are whole",
    "targets": "every stage that trains asks for the rows to learn",
    "training": "every stage that trains stores a model and its report",
    "truths": "scoring, compare and training ask what is known of the classes of the land",
}

BACKENDS = {"keras", "tensorflow", "jax", "torch"}
SCRIPTS = sorted(
    path for folder in (".", "baselines", "experiments") for path in (ROOT / folder).glob("*.py")
)


# The rules on landcover/


def test_an_import_points_left():
    assert house.wrong_imports(PACKAGE, LINE) == []


def test_no_imports_go_in_a_circle():
    assert house.cycle(PACKAGE) == []


def test_the_package_itself_imports_nothing_of_its_own():
    # `import landcover` is quick: the public API is loaded name by name
    start = [entry.target for entry in house.imports(PACKAGE) if entry.module == "landcover"]
    assert set(start) <= {"__future__", "lazy_loader"}


def test_the_top_has_ten_modules_and_eleven_folders():
    found = {path.stem for path in PACKAGE.glob("*.py")}
    assert found == set(LINE) - FOLDERS | {"__init__"}
    assert (len(found), len(FOLDERS)) == (10, 11)
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == FOLDERS
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"} == (
        FOLDERS | {"facts"}
    )


def test_every_folder_of_code_is_a_package():
    # one without __init__.py would be left out of a wheel
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        assert (folder / "__init__.py").is_file(), folder


@pytest.mark.parametrize("name", house.modules(PACKAGE))
def test_files_are_opened_in_files(name):
    opened = house.openers(house.modules(PACKAGE)[name])
    if house.room_of(name) == "files":
        return
    if name not in OPENS_FILES:
        assert not opened, f"{name} opens files by {sorted(opened)}; landcover/files does that"
    else:
        assert opened, f"{name} opens no file any more: take it out of OPENS_FILES"


def test_only_stages_service_and_commands_know_a_run():
    left_of_stages = LINE[LINE.index("run") + 1 : LINE.index("stages")]
    knows = {
        name
        for name in house.importers(PACKAGE, "landcover.run")
        if house.room_of(name) in left_of_stages
    }
    assert knows - KNOWS_A_RUN == set(), "these take a path, an array or a reader instead"
    assert KNOWS_A_RUN - knows == set(), "these know no run any more: take them out"


RUN = Run("RUN")
PRODUCTS = {path.name for path in vars(RUN).values()} - {RUN.path.name}
RUN_FOLDERS = {
    path.parent.name for path in (RUN.model("m"), RUN.map("m"), RUN.report("m"), RUN.figure("f"))
}


def test_rooms_left_of_stages_do_not_know_where_a_run_keeps_things():
    left_of_stages = LINE[LINE.index("run") + 1 : LINE.index("stages")]
    for name, path in house.modules(PACKAGE).items():
        if house.room_of(name) in left_of_stages:
            places = house.run_places(path, PRODUCTS, RUN_FOLDERS)
            assert not places, f"{name} takes paths instead: {sorted(places)}"


def test_exceptions_only_become_fewer():
    assert set(OPENS_FILES) <= set(house.modules(PACKAGE))
    assert len(OPENS_FILES) <= MOST_EXCEPTIONS["OPENS_FILES"]
    assert len(KNOWS_A_RUN) <= MOST_EXCEPTIONS["KNOWS_A_RUN"]


def test_keras_lives_in_networks_and_is_loaded_late():
    assert house.misplaced(PACKAGE, BACKENDS, "landcover.classifiers.networks") == []


def test_a_stage_is_named_after_its_command():
    from landcover.commands import COMMANDS

    words = {name.split()[0] for name in COMMANDS} - WITHOUT_STAGE
    stages = {STAGE_NAMES.get(word, word.replace("-", "_")) for word in words}
    files = {path.stem for path in (PACKAGE / "stages").glob("*.py")} - {"__init__"}
    assert stages <= files
    others = {file for file in files - stages if not any(file.startswith(f"{s}_") for s in stages)}
    assert others == set(SHARED_BY_STAGES)


def test_the_page_on_architecture_shows_the_line():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    shown = next(line for line in text.splitlines() if line.strip().startswith("errors "))
    assert tuple(re.findall(r"\w+", shown)) == LINE
    rows = re.findall(r"^\| ((?:`\w+/?`[ ,]*)+) \|", text, flags=re.MULTILINE)
    named = [room for row in rows for room in re.findall(r"`(\w+)/?`", row)]
    assert tuple(named) == LINE


# The rules on scripts and tests


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_is_thin_and_imports_no_script(path):
    if path.parent.name == "experiments":
        return  # they share experiments/study.py
    names = {name.split(".")[0] for name in house.imported(path)}
    assert not names & ({other.stem for other in SCRIPTS} | {"baselines", "experiments"})
    assert len(path.read_text("utf-8").splitlines()) <= 60


def test_no_test_imports_another():
    # what they share lies in tests/fixtures
    known = house.modules(TESTS)
    wrong = [
        f"{entry.module}:{entry.line} imports {entry.target}"
        for entry in house.imports(TESTS)
        if entry.target.rsplit(".", 1)[-1].startswith("test_") and entry.target in known
    ]
    assert wrong == []


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
    heavy = {"tensorflow", "keras", "sklearn", "numba", "matplotlib", "rasterio", "pandas"}
    assert "landcover" in loaded
    assert not loaded & heavy


# Every rule can fail


@pytest.fixture
def small(tmp_path):
    """A function that writes a package of two rooms, and gives its folder."""

    def write(**files: str) -> Path:
        package = tmp_path / "small"
        for name, text in {"__init__": "", "left____init__": "", "right": "", **files}.items():
            path = package / (name.replace("___", "/", 1) + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return package

    return write


LATE = {
    "plain": "import small.right",
    "lazy": "def f():\n    from small import right",
    "in a class": "class A:\n    def f(self):\n        from small.right import name",
    "type checking": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import small.right",
    "relative": "from .. import right",
    "relative name": "from ..right import name",
    "importlib": "import importlib\nright = importlib.import_module('small.right')",
    "of the package": "from small import a_public_name",
}


@pytest.mark.parametrize("text", LATE.values(), ids=LATE)
def test_an_import_to_the_right_is_found(small, text):
    wrong = house.wrong_imports(small(left___a=text), ("left", "right"))
    assert len(wrong) == 1
    assert wrong[0].startswith("small.left.a:")


def test_imports_to_the_left_are_fine(small):
    text = "import numpy\nfrom small import __version__, left\nfrom .left.a import name\n"
    assert house.wrong_imports(small(left___a="", right=text), ("left", "right")) == []


def test_a_room_beside_the_line_is_found(small):
    wrong = house.wrong_imports(small(other="import small.left"), ("left", "right"))
    assert len(wrong) == 1


@pytest.mark.parametrize("length", [2, 3, 7])
def test_a_circle_is_found(small, length):
    files = {f"left___m{n}": f"def f():\n    import small.left.m{n + 1}" for n in range(length)}
    files[f"left___m{length - 1}"] = "from .m0 import f"
    circle = house.cycle(small(**files))
    assert len(circle) == length + 1
    assert circle[0] == circle[-1]


def test_a_chain_is_no_circle(small):
    files = {f"left___m{n}": f"import small.left.m{n + 1}" for n in range(7)}
    assert house.cycle(small(**files, left___m7="")) == []


OPENING = {
    "open": "def f(path):\n    return open(path)",
    "method": "def f(path):\n    return path.read_text('utf-8')",
    "not called": "from pathlib import Path\ntexts = map(Path.read_bytes, [])",
    "numpy": "import numpy as np\ndef f(path):\n    return np.load(path)",
    "numpy, by name": "def f(path):\n    from numpy import memmap as m\n    return m(path)",
    "pandas": "import pandas as pd\ntable = pd.read_csv('a.csv')",
    "a table": "def f(table):\n    table.to_parquet('a')",
    "geopandas": "import geopandas\nread = geopandas.read_file",
    "parquet": "import pyarrow.parquet as pq\npq.ParquetFile('a')",
    "rasterio": "import rasterio\nwith rasterio.open('a') as dataset:\n    pass",
    "zip": "from zipfile import ZipFile\nZipFile('a')",
    "xml": "from xml.etree import ElementTree as ET\nET.parse('a')",
    "picture": "from PIL import Image\nImage.open('a')",
    "network": "def f(keras, path):\n    return keras.saving.load_model(path)",
    "weights": "def f(model, path):\n    model.load_weights(path)",
    "a stored network": "def f(model, path):\n    model.save(path)",
    "copy": "import shutil\nshutil.copyfile('a', 'b')",
    "write": "def f(path):\n    path.parent.joinpath('a').write_text('', 'utf-8')",
}


@pytest.mark.parametrize("text", OPENING.values(), ids=OPENING)
def test_what_opens_a_file_is_found(small, text):
    package = small(left___a=text)
    assert len(house.openers(house.modules(package)["small.left.a"])) == 1


def test_what_opens_no_file_is_not_found(small):
    text = "import numpy as np\nfrom small.left import read_text\nnp.zeros(3)\nopened = read_text\n"
    package = small(left___a=text)
    assert house.openers(house.modules(package)["small.left.a"]) == set()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("labels = folder / 'labels.tif'", "labels.tif"),
        ("LEGEND = 'legend.json'", "legend.json"),
        ("def f(run):\n    return run / 'maps' / name", "/ maps"),
        ("def f(model):\n    return model.folder.parent.parent", ".parent.parent"),
        ("comparison['models'], folder.parent, 'the labels.tif of a run'", None),
    ],
)
def test_a_way_in_a_run_folder_is_found(small, text, place):
    path = house.modules(small(left___a=text))["small.left.a"]
    assert house.run_places(path, PRODUCTS, RUN_FOLDERS) == ({place} if place else set())


@pytest.mark.parametrize("text", ["import keras", "def f():\n    import torch.nn"])
def test_keras_elsewhere_is_found(small, text):
    assert len(house.misplaced(small(left___a=text), BACKENDS, "small.right")) == 1


def test_keras_at_home_is_loaded_late(small):
    late, early = "def f():\n    import keras", "if True:\n    from keras import ops"
    assert house.misplaced(small(right=late), BACKENDS, "small.right") == []
    assert len(house.misplaced(small(right___a=early), BACKENDS, "small.right")) == 1
