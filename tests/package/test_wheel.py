"""The built package in dist/: what it holds, and the whole job in an environment elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from landcover import __version__
from landcover.service.assets import VENDOR
from tests.conftest import ROOT

pytestmark = pytest.mark.package
WHEEL = ROOT / "dist" / f"landcover-{__version__}-py3-none-any.whl"
SDIST = ROOT / "dist" / f"landcover-{__version__}.tar.gz"


def wanted() -> set[str]:
    """Files of the package that are no code, and the code, as git lists them."""
    listed = subprocess.run(
        ["git", "ls-files", "landcover"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return set(listed) | {f"landcover/service/static/vendor/{name}" for name in VENDOR}


def test_the_wheel_holds_code_facts_templates_page_and_types():
    held = set(zipfile.ZipFile(WHEEL).namelist())
    assert wanted() - held == set()
    assert "landcover/py.typed" in held
    assert {name.split("/")[0] for name in held} == {
        "landcover", f"landcover-{__version__}.dist-info"
    }  # fmt: skip


def test_the_sdist_holds_what_makes_the_wheel():
    with tarfile.open(SDIST) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert (wanted() | {"pyproject.toml", "LICENSE", "CHANGELOG.md"}) - held == set()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder with an environment of its own, env, that holds the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    run(folder, sys.executable, "-m", "venv", "env")
    run(folder, folder / "env" / "bin" / "pip", "install", "--quiet", f"{WHEEL}[service]")
    yield folder
    shutil.rmtree(folder)  # two gigabytes


def run(folder: Path, *command: str | Path) -> str:
    """What a command prints that is started in a folder, and knows nothing of this checkout."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def test_an_installed_wheel_is_whole_and_makes_a_map(installed):
    landcover = installed / "env" / "bin" / "landcover"
    assert run(installed, landcover, "--version").strip() == f"landcover {__version__}"
    found = json.loads(run(installed, landcover, "doctor", "--json"))
    assert found["problems"] == [] and found["page"] and found["extras"]["service"] == []
    assert found["landcover"]["folder"].startswith(str(installed / "env"))
    run(installed, landcover, "prep", "--out", "small", "--samples", "2000")
    plain = ("--denoise", "none", "--no-random-split")
    run(installed, landcover, "train", "random-forest", "small", *plain)
    run(installed, landcover, "compare", "small")
    assert (installed / "small" / "maps" / "random-forest-plain.tif").is_file()
    assert (installed / "small" / "comparison.html").is_file()


@pytest.mark.slow
def test_an_installed_wheel_does_the_whole_job(installed):
    run(installed, installed / "env" / "bin" / "landcover", "demo", "run")
    compared = json.loads((installed / "run" / "comparison.json").read_text("utf-8"))
    assert compared["headline"] and (installed / "run" / "comparison.html").is_file()
