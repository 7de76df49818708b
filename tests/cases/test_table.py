"""The table of README.md names tests that exist, and all of this folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

HERE = Path(__file__).parent
ROW = re.compile(r"^\| (?P<case>\d\d\w?) \| (?P<what>[^|]+) \| (?P<tests>`.+`) \|$", re.MULTILINE)
#: File, class if any, function and parameters of a test.
TEST = re.compile(r"`(?P<file>[\w/.]+\.py)::(?P<name>[\w:]+)(\[(?P<parameters>\w+)\])?`")
ROWS = {row["case"]: row["tests"] for row in ROW.finditer((HERE / "README.md").read_text("utf-8"))}


def in_file(path: Path) -> set[str]:
    """The tests of a file by name, with that of their class before it."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


def test_no_case_is_left_out():
    numbers = {f"{number:02}" for number in range(27)} - {"03", "21", "22", "24"}
    assert set(ROWS) == numbers | {"08b", "16b", "16c", "17b"}


@pytest.mark.parametrize("case", ROWS)
def test_tests_that_are_named_exist(case):
    named = list(TEST.finditer(ROWS[case]))
    assert " ".join(test.group() for test in named) == ROWS[case]
    for test in named:
        path = ROOT / "tests" / test["file"]
        assert test["name"] in in_file(path), test.group()
        assert (test["parameters"] or "") in path.read_text("utf-8"), test.group()


def test_every_test_of_this_folder_is_named():
    named = {
        f"{test['file']}::{test['name']}" for row in ROWS.values() for test in TEST.finditer(row)
    }
    here = {
        f"cases/{path.name}::{name}"
        for path in HERE.glob("test_*.py")
        if path.name != Path(__file__).name
        for name in in_file(path)
    }
    assert here and not here - named
