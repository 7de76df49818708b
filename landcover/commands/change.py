"""Two dates of one place: what the command that compares them takes and does."""

from __future__ import annotations

import argparse
from pathlib import Path

from landcover.commands.options import COUNT, Arguments, Command


class _After(argparse.Action):
    """The later date, which says where the products go unless --out does."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: object,
        _option: str | None = None,
    ) -> None:
        after = Path(str(value))
        namespace.after = after
        if namespace.run is None:
            namespace.run = (after.parent if after.is_file() else after) / "change"


def _define_change(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "before", type=Path, metavar="BEFORE", help="run folder, or scene raster with --model"
    )
    parser.add_argument(
        "after",
        type=Path,
        action=_After,
        metavar="AFTER",
        help="the later date of the same place, on the same grid",
    )
    parser.add_argument(
        "--out",
        dest="run",
        type=Path,
        metavar="FOLDER",
        help="where the products go (default: change beside or in AFTER)",
    )
    parser.add_argument(
        "--model",
        help="map both dates with this model: a name in BEFORE, or RUN/models/NAME; by default "
        "the one that made the maps of both runs, where it still exists",
    )
    parser.add_argument(
        "--maps", metavar="NAME", help="whose maps are compared, where runs hold several models'"
    )
    parser.add_argument(
        "--level",
        type=COUNT,
        metavar="N",
        help="level of the classes, 1 being the coarsest; the maps' by default",
    )
    parser.add_argument(
        "--patch-px",
        type=COUNT,
        help="side of the patches that change is summed by, 8 to 512 (default 640 m, 64 at 10 m)",
    )
    parser.add_argument(
        "--no-normalise",
        action="store_true",
        help="do not bring one date to the radiometry of the other before mapping; maps that the "
        "runs hold are taken as they are",
    )


def _change(a: Arguments) -> list[Path]:
    from landcover.commands.maps import chosen_model
    from landcover.files.atomic import read_json
    from landcover.run import Run
    from landcover.stages.change import find_change

    paths = find_change(
        a.before,
        a.after,
        Run(a.run),
        model=chosen_model(Run(a.before), a.model) if a.model else None,
        maps=a.maps,
        level=a.level,
        patch_px=a.patch_px,
        normalise=not a.no_normalise,
    )
    found = read_json(paths[1])
    print(found["headline"])
    for note in found["notes"]:
        print(f"note: {note}")
    return paths


COMMANDS: dict[str, Command] = {
    "change": ("Find what changed between two dates of one place.", _define_change, _change),
}
