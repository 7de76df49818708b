"""Messages of errors: the library names arguments, which commands translate into options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

ERRORS = {"LandcoverError", "InputError", "MissingProduct", "MissingDependency"}
#: A command that a message tells to run, with its options, up to the end of the clause.
COMMAND = re.compile(r"(?:landcover|python -m|dask|pip|rio) [^;,()]*")
PLACE = ROOT / "landcover"


def messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every message that an error is made with; values as X."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            made = node.func.func if isinstance(node.func, ast.Call) else node.func
            if isinstance(made, ast.Name) and made.id in ERRORS | {"reading_error"}:
                text = _text(node.args[0])
                if text:
                    yield node.lineno, text


def _text(node: ast.AST) -> str:
    """The words of a text, those of its alternatives too."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _text(part) if isinstance(part, ast.Constant) else "X" for part in node.values
        )
    return " ".join(_text(part) for part in ast.iter_child_nodes(node))


def options_in(text: str) -> list[str]:
    """Options that a message names outside of a command."""
    return re.findall(r"(?<!\w)--[a-z][a-z-]*", COMMAND.sub("", text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("choose another --out", ["--out"]),
        ("make it with: landcover map X --model X --probabilities", []),
        ("draw more samples (landcover sample X --samples N), or give --labels", ["--labels"]),
        ("a -- b", []),
    ],
)
def test_an_option_outside_of_a_command_is_found(text, found):
    assert options_in(text) == found
    code = f"raise InputError({text!r})\nraise reading_error(e)(f'{{a}} {text}')"
    assert [options_in(message) for _, message in messages(ast.parse(code))] == [found, found]


def test_messages_of_the_library_name_arguments_and_not_options():
    named, seen = [], 0
    for path in sorted(PLACE.rglob("*.py")):
        room = path.relative_to(PLACE).parts[0]
        if room not in ("commands", "cli.py"):
            for line, text in messages(ast.parse(path.read_text("utf-8"))):
                seen += 1
                named += [f"{path.relative_to(ROOT)}:{line}: {o}" for o in options_in(text)]
    assert seen > 300 and named == []
