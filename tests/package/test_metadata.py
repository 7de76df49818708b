"""Version and dependencies are the same wherever they are written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from landcover import __version__
from tests.conftest import ROOT

RECIPE = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text("utf-8"))
#: What conda-forge calls by another name.
CONDA = {"matplotlib": "matplotlib-base", "tensorflow-cpu": "tensorflow"}


def test_the_version_is_one():
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert released[0] == (cited["version"], str(cited["date-released"]))
    assert __version__ == cited["version"] == RECIPE["context"]["version"]


def test_the_recipe_has_the_dependencies_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {"python >=" + project["requires-python"].removeprefix(">=")}
    for requirement in project["dependencies"]:
        name, least = re.match(r"([\w-]+)>=([\d.]+)", requirement).groups()
        wanted.add(f"{CONDA.get(name, name)} >={least}")
    assert set(RECIPE["requirements"]["run"]) == wanted


def test_the_recipe_is_rendered_by_the_program_that_builds_it():
    import rattler_build

    recipe = rattler_build.Stage0Recipe.from_file(str(ROOT / "recipe" / "recipe.yaml"))
    (variant,) = recipe.render()
    package = variant.recipe.package
    assert (package.name, str(package.version)) == ("landcover", __version__)


def test_the_containerfile_has_no_fault():
    lint = shutil.which("hadolint", path=Path(sys.executable).parent)
    if lint is None:
        pytest.skip("no hadolint for this machine")
    checked = subprocess.run([lint, str(ROOT / "Containerfile")], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    broken = subprocess.run([lint, "-"], input="FROM a\n", capture_output=True, text=True)
    assert broken.returncode != 0  # an image without a version: it does look
