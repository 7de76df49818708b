"""What the documentation and docstrings name is there: files and Python names."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

from landcover import cli
from tests.conftest import ROOT
from tests.fixtures import house
from tests.pages.typed import commands

FOLDERS = ("landcover", "baselines", "benchmarks", "experiments", "tests")
PAGES = sorted(
    path for pattern in ("*.md", "docs/*.md", "data/*.md") for path in ROOT.glob(pattern)
)  # fmt: skip
#: History names things as they were.
PAGES = [path for path in PAGES if path.name != "CHANGELOG.md"]
SOURCES = sorted(path for folder in FOLDERS[:4] for path in (ROOT / folder).rglob("*.py"))

FILE = re.compile(rf"(?<![\w/.])(?:{'|'.join(FOLDERS)}|docs)/[\w/-]+\.(?:py|md|csv)\b")
NAME = re.compile(
    rf"(?<![\w/.-])(?!\w+\.NAME\b)(?:{'|'.join(FOLDERS)})(?:\.[A-Za-z_]\w*)+(?![\w/]|\.\w)"
)


def absent_files(text: str) -> list[str]:
    """Files of the project that a text names and that are not there."""
    return [name for name in FILE.findall(text) if not (ROOT / name).is_file()]


def absent_names(text: str) -> list[str]:
    """Dotted Python names that a text holds and that lead nowhere."""
    return [name for name in NAME.findall(text) if not _leads_somewhere(name)]


def _leads_somewhere(name: str) -> bool:
    """Whether a module, or something in one, has the name; `landcover.grid` or `.grid.Grid`."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def prose(path: Path) -> str:
    """Docstrings and comments of a source file."""
    comments = re.findall(r"#.*", path.read_text("utf-8"))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = [
        ast.get_docstring(node) or ""
        for node in ast.walk(house.parsed(path))
        if isinstance(node, documented)
    ]
    return "\n".join([*texts, *comments])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_what_is_there(page):
    # files that docs/extending.md tells to write begin with their name
    text = re.sub(r"(?:(?<=```python\n)|(?<=```csv\n))# \S+\n", "", page.read_text("utf-8"))
    assert absent_files(text) == []
    assert absent_names(text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_links_to_pages_that_are_there(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    made = {"pictures", "generated"}  # when the documentation is built
    assert [
        link
        for link in links
        if link.split("/")[0] not in made
        and not (page.parent / link).exists()
        # the page of a tutorial is made of its notebook
        and not (page.parent / link).with_suffix(".ipynb").exists()
    ] == []


@pytest.mark.parametrize("folder", FOLDERS[:4])
def test_docstrings_and_comments_name_what_is_there(folder):
    wrong = {}
    for path in (path for path in SOURCES if path.is_relative_to(ROOT / folder)):
        text = prose(path)
        if found := absent_files(text) + absent_names(text):
            wrong[str(path.relative_to(ROOT))] = found
    assert wrong == {}


def test_what_is_absent_is_found():
    assert absent_files("see landcover/grid.py and `landcover/rasters.py`") == [
        "landcover/rasters.py"
    ]
    text = "landcover.grid.Grid.windows, landcover.rasters.read, landcover.grid.Raster."
    assert absent_names(text) == ["landcover.rasters.read", "landcover.grid.Raster"]
    assert absent_names("python -m landcover.cli map, landcover.toml.lock/") == []


def test_a_command_of_a_page_is_found():
    text = "    python -m baselines.mlp R \\\n      [--epochs 3]  # note\n    landcover map R && ls"
    assert commands(text) == ["train mlp R --epochs 3", "map R"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_of_a_page_can_be_given(path, capsys):
    """With a number for a letter, and the first of several choices."""
    parser = cli.all_commands()
    for command in commands(path.read_text("utf-8")):
        try:
            one = re.sub(r"([\w-]+)(?:\|[\w-]+)+", r"\1", command)
            parser.parse_args(shlex.split(re.sub(r"\b[NRSX]\b", "7", one)))
        except SystemExit:
            pytest.fail(f"{path.name}: {command}: {capsys.readouterr().err}")
