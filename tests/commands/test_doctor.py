"""What doctor says of this environment, and of installations that something is wrong with."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import numpy as np
import pytest
import rasterio

from landcover import __version__, cli
from landcover.commands import installation
from landcover.commands.installation import EXTRAS, Installation, look
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture
def quick(monkeypatch):
    """Without Keras, which takes seconds to load."""
    monkeypatch.setattr(installation, "_look_at_networks", lambda found: None)


def asked(capsys, *options: str) -> tuple[int, str, str]:
    code = cli.main(["doctor", *options])
    return code, *capsys.readouterr()


def test_this_environment_is_described(capsys):
    code, out, err = asked(capsys, "--json")
    assert code == 0, err
    found = json.loads(out[out.index("{\n") :])  # what libraries say as they load stands before
    assert found["problems"] == []
    assert found["landcover"] == {"version": __version__, "folder": str(ROOT / "landcover")}
    assert found["python"]["executable"] == sys.executable
    assert found["libraries"]["numpy"] == np.__version__
    assert found["gdal"]["GDAL of rasterio"] == rasterio.__gdal_version__
    assert set(found["drivers"]) >= {"COG", "JP2OpenJPEG", "GPKG"}
    assert all(found["drivers"].values())
    assert found["extras"]["service"] == []
    assert re.match(r"Keras 3\S* with \w+ on (cpu|gpu)", found["engines"]["training networks"])


@pytest.mark.usefixtures("quick")
def test_the_page_says_the_same(capsys):
    code, out, err = asked(capsys)
    assert code == 0 and err.startswith("doctor: ")
    assert out.startswith(f"landcover {__version__} in ")
    assert f"  numpy           {np.__version__}\n" in out
    assert out.splitlines()[-1] == "no problem was found"


def test_every_extra_is_described():
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"]) - {"dev"}


def test_extras_that_messages_name_are_described():
    """What MissingDependency tells to install is an extra that the doctor knows."""
    named = set()
    for path in (ROOT / "landcover").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= set(re.findall(r"landcover\[(\w+)\]", node.value))
    assert named >= {"service", "fetch", "fast", "lightgbm", "noise", "cluster"}
    assert named <= set(EXTRAS)


def declare(monkeypatch, *requirements: str) -> None:
    monkeypatch.setattr(installation.metadata, "requires", lambda name: list(requirements))


@pytest.mark.usefixtures("quick")
def test_what_an_extra_lacks_is_named_and_no_problem(monkeypatch, capsys):
    declare(monkeypatch, "numpy>=2", "no_such_library>=3; extra == 'fetch'", "x; extra == 'dev'")
    code, out, _ = asked(capsys)
    assert code == 0
    assert "landcover fetch; missing: no_such_library: pip install 'landcover[fetch]'" in out


@pytest.mark.usefixtures("quick")
def test_a_library_that_is_too_old_or_missing_is_a_problem(monkeypatch, capsys):
    declare(monkeypatch, "numpy>=99", "no_such_library", "scipy>=98; extra == 'fetch'")
    code, out, err = asked(capsys)
    assert code == 2
    assert f"problem: numpy {np.__version__} is installed and landcover needs >=99; update" in out
    assert "problem: no_such_library is missing; install it: pip install landcover" in out
    assert re.search(r"problem: scipy \S+ is installed and landcover\[fetch\] needs >=98", out)
    assert err.splitlines()[-1] == "error: 3 problems of this installation; see above"


@pytest.mark.usefixtures("quick")
def test_requirements_of_other_machines_are_left_out(monkeypatch):
    declare(monkeypatch, "no_such_library; platform_system == 'Elsewhere'", "numpy>=2")
    found = look()
    assert found.problems == [] and list(found.libraries) == ["numpy"]


@pytest.mark.usefixtures("quick")
def test_a_build_of_tensorflow_stands_for_another(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "tensorflow-cpu":
            raise metadata.PackageNotFoundError(name)
        return "2.20.0" if name == "tensorflow" else real(name)

    declare(monkeypatch, "tensorflow-cpu>=2.18")
    monkeypatch.setattr(installation.metadata, "version", version)
    found = look()
    assert found.problems == [] and found.libraries == {"tensorflow-cpu": "2.20.0"}


@pytest.mark.usefixtures("quick")
def test_code_that_is_not_installed_is_told(monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(installation.metadata, "requires", requires)
    assert re.fullmatch(r".* is not installed, so .*; install it: .*", look().problems[0])


@pytest.mark.usefixtures("quick")
def test_what_does_not_work_names_the_variable_that_may_be_why(monkeypatch):
    def fails(found):
        raise rasterio.errors.CRSError("no proj.db\n  here")

    monkeypatch.setenv("PROJ_LIB", "/of/another")
    monkeypatch.setattr(installation, "_project", fails)
    found = look()
    assert found.environment["PROJ_LIB"] == "/of/another"
    assert found.problems == [
        "coordinate systems: CRSError: no proj.db here; try without PROJ_LIB in the environment: "
        "unset PROJ_LIB"
    ]


@pytest.mark.usefixtures("quick")
def test_a_missing_driver_is_a_problem(monkeypatch):
    monkeypatch.setitem(installation.RASTER_DRIVERS, "NoSuch", "bands of nothing")
    found = look()
    assert found.drivers["NoSuch"] is False
    assert found.problems[0].startswith("GDAL has no driver NoSuch, for bands of nothing; install")


def test_a_gpu_that_keras_does_not_use_is_noted(monkeypatch):
    found = Installation({}, {}, installation.machine(), ["H200"])
    monkeypatch.setattr("landcover.classifiers.networks.backend_name", lambda: "tensorflow on cpu")
    installation._look_at_networks(found)
    assert "a GPU is there (H200), and Keras computes on the processor" in found.notes[0]


@pytest.mark.usefixtures("quick")
def test_problems_are_in_the_json_too(monkeypatch, capsys):
    declare(monkeypatch, "numpy>=99")
    code, out, err = asked(capsys, "--json")
    assert code == 2 and len(json.loads(out)["problems"]) == 1
    assert "numpy" in err.splitlines()[-1]


@pytest.mark.slow
def test_files_of_another_proj_are_found():
    """With a real environment that is wrong, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "landcover", "doctor"], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"PROJ_LIB": "/no/such/folder"},
    )  # fmt: skip
    assert done.returncode == 2
    assert re.search(r"^problem: coordinate systems: .*PROJ_LIB", done.stdout, re.MULTILINE)
