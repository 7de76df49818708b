"""Ensembles of maps: what the command takes and does."""

from __future__ import annotations

import argparse
from pathlib import Path

from landcover.commands.options import Arguments, Command, add_run


def _define_ensemble(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--maps",
        nargs="+",
        required=True,
        metavar="NAME",
        help="two maps or more with the same classes, made by landcover map --probabilities",
    )
    parser.add_argument(
        "--variant",
        default="",
        metavar="WORD",
        help="ends the name of the map, as in ensemble@WORD, and keeps it beside others",
    )


def _ensemble(a: Arguments) -> list[Path]:
    from landcover.reports.words import scored
    from landcover.run import Run
    from landcover.stages.ensemble import ensemble
    from landcover.stages.store import read_report

    run = Run(a.run)
    paths = ensemble(run, a.maps, a.variant)
    if paths[-1].suffix == ".json" and paths[-1].parent == run.report("any").parent:
        print(scored(read_report(paths[-1])))
    return paths


COMMANDS: dict[str, Command] = {
    "ensemble": (
        "Average the probabilities of several maps into one, and score it.",
        _define_ensemble,
        _ensemble,
    ),
}
