"""Completion of commands, options and paths by a shell: what ``completion`` takes and prints."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from landcover.commands.options import RASTER, Arguments, Command

#: Shells that a script can be printed for.
SHELLS = ("bash", "zsh", "fish")
#: Words in the names of values that are folders.
_FOLDERS = ("RUN", "FOLDER", "DIR")


def _define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell", choices=SHELLS,
        help="whose script to print; for bash: eval \"$(landcover completion bash)\"",
    )  # fmt: skip
    parser.set_defaults(asks=True, quiet=True)  # a shell asks at every start


def _completion(a: Arguments) -> list[Path]:
    import shtab

    for parser in parsers(a.program):
        for action in parser._actions:
            kind = _completed_by(action)
            if kind is not None:
                action.complete = kind  # type: ignore[attr-defined]
    print(shtab.complete(a.program, shell=a.shell))
    return []


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands, and of theirs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


def _completed_by(action: argparse.Action) -> Mapping[str, object] | None:
    """How shtab completes the values of an option; None where they are no paths."""
    import shtab

    if action.type not in (Path, RASTER):
        return None
    named = str(action.metavar or action.dest).upper()
    return shtab.DIRECTORY if named.split("_")[-1] in _FOLDERS else shtab.FILE


COMMANDS: dict[str, Command] = {
    "completion": (
        "Print a script with which a shell completes commands, options and paths.",
        _define,
        _completion,
    ),
}
