"""Writes the tables of docs/scale.md again, each as the command above it prints it.

python -m benchmarks.scale_page
"""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks import schedule

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
#: A command, and the tables below it.
SHOWN = re.compile(r"^(    python -m benchmarks\.schedule(.*)\n\n)(?:(?:\|.*)?\n)+", re.MULTILINE)


def main() -> None:
    """Write the page again."""
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")


def with_tables(page: str) -> str:
    """The text of the page, with every table as it is now."""
    return SHOWN.sub(lambda found: f"{found[1]}{_tables(found[2])}\n\n", page)


def _tables(arguments: str) -> str:
    """What the command prints below the line that says where its numbers are from."""
    with redirect_stdout(io.StringIO()) as printed:
        schedule.main(shlex.split(arguments))
    return printed.getvalue().partition("\n\n")[2].rstrip("\n")


if __name__ == "__main__":
    main()
