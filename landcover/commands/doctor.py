"""What is installed, what it is used for and what is missing: what ``doctor`` takes and prints."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import Arguments, Command
from landcover.errors import LandcoverError

if TYPE_CHECKING:
    from landcover.commands.installation import Installation


def _define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(asks=True)


def _doctor(a: Arguments) -> list[Path]:
    from landcover.commands.installation import look

    found = look()
    if a.json:
        print(json.dumps(dataclasses.asdict(found), ensure_ascii=False, indent=2))
    else:
        print("\n".join(page(found)))
    if found.problems:
        n = len(found.problems)
        raise LandcoverError(
            f"{n} problem{'s' if n > 1 else ''} of this installation: {'; '.join(found.problems)}"
            if a.json
            else f"{n} problem{'s' if n > 1 else ''} of this installation; see above"
        )
    return []


def page(found: Installation) -> Iterator[str]:
    """What was found, in lines.

    Parameters
    ----------
    found : Installation
        From `landcover.commands.installation.look`.

    Yields
    ------
    str
        Problems come last.
    """
    about = found.machine
    yield f"landcover {found.landcover['version']} in {found.landcover['folder']}"
    yield f"Python {found.python['version']}, {found.python['executable']}"
    yield f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB of memory"
    yield f"GPU: {', '.join(found.gpus) or 'none is seen'}"
    yield from _table("libraries", found.libraries)
    yield from _table("GDAL and PROJ", found.gdal)
    there = [name for name, held in found.drivers.items() if held]
    yield f"  drivers: {', '.join(there)}"
    yield from _table("what computes", found.engines)
    yield from _table("extras, and what for", dict(_extras(found)))
    yield from _table("the page of landcover serve", _page_facts(found))
    if found.environment:
        yield from _table("set in the environment", found.environment)
    yield from (f"note: {note}" for note in found.notes)
    yield from (f"problem: {problem}" for problem in found.problems)
    if not found.problems:
        yield "no problem was found"


def _extras(found: Installation) -> Iterator[tuple[str, str]]:
    """Extras, and whether they are installed, or how they are."""
    from landcover.commands.installation import EXTRAS

    for name, missing in found.extras.items():
        lacks = f"; missing: {', '.join(missing)}: pip install 'landcover[{name}]'"
        yield name, f"{EXTRAS[name]}{lacks if missing else ''}"


def _page_facts(found: Installation) -> dict[str, str]:
    """JavaScript, and what fetches it."""
    return {
        "JavaScript": "there" if found.page else "missing",
        "Node.js": found.node or "not there; only make web, in a checkout of the project, needs it",
    }


def _table(title: str, rows: Mapping[str, str]) -> Iterator[str]:
    """A title, and rows in two columns."""
    yield title
    width = max(map(len, rows), default=0)
    yield from (f"  {name.ljust(width)}  {value or 'missing'}" for name, value in rows.items())


COMMANDS: dict[str, Command] = {
    "doctor": (
        "Say what is installed, which engines are used, and what is missing for what.",
        _define,
        _doctor,
    ),
}
