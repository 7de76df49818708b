"""The built package in dist/: what it holds, and the whole job in an environment elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
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


def test_an_installed_wheel_does_the_whole_job(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*command: str | Path) -> str:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, text=True, stdout=subprocess.PIPE
        ).stdout

    run(sys.executable, "-m", "venv", tmp_path / "env")
    run(tmp_path / "env" / "bin" / "pip", "install", "--quiet", f"{WHEEL}[service]")
    landcover = tmp_path / "env" / "bin" / "landcover"
    assert run(landcover, "--version").strip() == f"landcover {__version__}"
    found = json.loads(run(landcover, "doctor", "--json"))
    assert found["problems"] == [] and found["page"] and found["extras"]["service"] == []
    assert found["landcover"]["folder"].startswith(str(tmp_path / "env"))
    run(landcover, "demo", "run")
    compared = json.loads((tmp_path / "run" / "comparison.json").read_text("utf-8"))
    assert compared["headline"] and (tmp_path / "run" / "comparison.html").is_file()
