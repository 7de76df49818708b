"""Two dates or years of one place: what the command that compares them takes and does."""

from __future__ import annotations

import argparse
from pathlib import Path

from landcover.commands.options import COUNT, POSITIVE_OR_ZERO, Arguments, Command


class _Compared(argparse.Action):
    """What is compared, which says where the products go unless --out does."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: object,
        _option: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, value)
        before, after, years = namespace.before, namespace.after, namespace.years
        if namespace.run is None and after is not None:
            namespace.run = (after.parent if after.is_file() else after) / "change"
        elif namespace.run is None and before is not None and years is not None:
            namespace.run = before / f"change-{years[0]}-{years[1]}"


def _years_without(after: argparse.Action) -> type[argparse.Action]:
    """What reads the years of BEFORE, with which AFTER may be left out."""

    class Years(_Compared):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            value: object,
            option: str | None = None,
        ) -> None:
            after.required = False
            super().__call__(parser, namespace, value, option)

    return Years


def _define_change(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "before",
        type=Path,
        action=_Compared,
        metavar="BEFORE",
        help="run folder, or scene raster with --model",
    )
    after = parser.add_argument(
        "after",
        type=Path,
        action=_Compared,
        metavar="AFTER",
        help="the later date of the same place, on the same grid; left out with --years of one run",
    )
    parser.add_argument(
        "--years",
        nargs=2,
        type=COUNT,
        action=_years_without(after),
        metavar="YEAR",
        help="compare two years of a run of several dates, with a model of sequences",
    )
    parser.add_argument(
        "--out",
        dest="run",
        type=Path,
        metavar="FOLDER",
        help="where the products go (default: change beside or in AFTER, of years change-YEAR-YEAR "
        "in BEFORE)",
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
        "--mmu-ha",
        type=POSITIVE_OR_ZERO,
        metavar="X",
        help="do not show connected change of less than X hectares (default 0.25 of years, else 0)",
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
        years=a.years and tuple(a.years),
        mmu_ha=a.mmu_ha,
    )
    found = read_json(paths[1])
    print(found["headline"])
    for note in found["notes"]:
        print(f"note: {note}")
    return paths


COMMANDS: dict[str, Command] = {
    "change": (
        "Find what changed between two dates or years of one place.",
        _define_change,
        _change,
    ),
}
