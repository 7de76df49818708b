"""Version and dependencies are the same wherever they are written."""

from __future__ import annotations

import re
import tomllib

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
