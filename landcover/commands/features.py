"""What features there are: the command that lists them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from landcover.commands.options import Arguments, Command


def _define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON, for other programs")
    parser.set_defaults(asks=True)


def _features(a: Arguments) -> list[Path]:
    from landcover.scene.feature_list import rows

    listed = rows()
    if a.json:
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return []
    wide = max(len(row["name"]) for row in listed)
    for row in listed:
        print(f"{row['name']:{wide}}  {row['formula']}")
        print(f"{'':{wide}}  of {row['needs']}; {row['source']}")
    return []


COMMANDS: dict[str, Command] = {
    "features": (
        "List the features: name, formula, what each is made of, source.",
        _define,
        _features,
    ),
}
