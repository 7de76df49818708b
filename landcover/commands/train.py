"""From samples to trained classifiers: what the commands take and do, made of the kinds' table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landcover.classifiers import kinds
from landcover.classifiers.kind import Kind, Option
from landcover.commands.options import (
    COUNT,
    Arguments,
    Command,
    add_features,
    add_map_choice,
    add_training,
    hygiene_of,
)
from landcover.errors import InputError, typed

if TYPE_CHECKING:
    from landcover.classifiers.models import Model


def commands() -> dict[str, Command]:
    """A command for every kind that is trained on samples."""
    return {
        f"train {name}": (rows[0].summary, partial(_define, rows), partial(_train, rows))
        for name, rows in kinds.commands().items()
    }


def _define(rows: list[Kind], parser: argparse.ArgumentParser) -> None:
    add_training(parser)
    for option in _options(rows):
        _add(parser, option)
    made, default = "", ""
    if rows[0].takes_features:
        made, default = ", and features, which landcover features lists", " ndvi ndwi bi2"
    add_features(
        parser,
        "the layers to see, and no others: bands for all bands of the scene, names of its bands"
        f"{made} (default bands{default})",
    )
    if rows[0].maps:
        add_map_choice(parser)
    parser.add_argument(
        "--tensorboard",
        type=Path,
        metavar="DIR",
        help="of networks: a folder that gets a log of every epoch, which TensorBoard shows",
    )


def _train(rows: list[Kind], a: Arguments) -> list[Path]:
    if a.tensorboard is None:
        return _train_unlogged(rows, a)
    if not rows[0].runs_on_keras:
        raise InputError(
            f"--tensorboard {a.tensorboard} logs the epochs of networks, and {rows[0].command} is "
            "trained without epochs; leave it out"
        )
    from landcover.classifiers.networks import logged_in

    with logged_in(a.tensorboard):
        return [*_train_unlogged(rows, a), a.tensorboard]


def _train_unlogged(rows: list[Kind], a: Arguments) -> list[Path]:
    from landcover.reports.words import scored
    from landcover.run import Run
    from landcover.stages.dates import must_be_told
    from landcover.stages.map import map_scene
    from landcover.stages.store import read_report
    from landcover.stages.train import products_of, train

    chosen: dict[str, Any] = {option.name: _chosen(option, a) for option in _options(rows)}
    chosen |= {
        "seed": a.seed,
        "targets": a.trained_on,
        "denoise": a.denoise,
        "variant": a.variant or "",
        "features": getattr(a, "features", None),
        **hygiene_of(a),
    }
    if a.out or len(a.runs) > 1:
        return _train_together(rows[0].command, a, chosen)
    if a.leave_one_scene_out:
        raise InputError(
            f"--leave-one-scene-out needs two runs or more, and {a.runs[0]} is one; give further "
            "runs, and --out"
        )
    run = Run(a.run)
    model = train(run, rows[0].command, random_split=not a.no_random_split, **chosen)
    _print_notes(model)
    if rows[0].maps:
        print(scored(read_report(run.report(model.name))))
    paths = products_of(run, model)
    mapped = rows[0].maps and not a.no_map
    if mapped and must_be_told(run, model):
        by_year = model.inputs.dates is not None and model.inputs.dates.by_year
        one = ("years", "YEAR") if by_year else ("dates", "DAY")
        how = f"landcover map {typed(run.path)} --model {typed(model.name)} --dates {one[1]}"
        print(f"map one of its {one[0]} with it: {how}")
        return paths
    return paths + (map_scene(run, model) if mapped else [])


def _train_together(kind: str, a: Arguments, chosen: dict[str, Any]) -> list[Path]:
    """One model of several runs."""
    from landcover.reports.by_scene import lines
    from landcover.reports.words import scored
    from landcover.run import Run
    from landcover.stages.api_arguments import out_of_several
    from landcover.stages.store import read_report
    from landcover.stages.train_by_scene import leave_scenes_out, pages_of
    from landcover.stages.train_scenes import products_of, several_scenes, train_scenes

    runs, out = [Run(path) for path in a.runs], out_of_several(a.out)
    several = several_scenes(runs, out, kind, **chosen)
    model = train_scenes(several, not a.no_random_split)
    _print_notes(model)
    print(scored(read_report(out.report(model.name))))
    paths = products_of(several, model)
    if a.leave_one_scene_out:
        for line in lines(leave_scenes_out(several)):
            print(line)
        paths += pages_of(several)
    how = f"landcover map {typed(runs[0].path)} --model {typed(model.folder)}"
    print(f"map a scene with it: {how}")
    return paths


def _print_notes(model: Model) -> None:
    for note in [*model.card["notes"], *model.card["lost_classes"]]:
        print(f"note: {note}")


def _options(rows: list[Kind]) -> list[Option]:
    """What the command line offers of the options of a command's kinds."""
    switches = [kind.switch for kind in rows if kind.switch is not None]
    return [option for option in (*rows[0].options, *switches) if option.help]


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    """Define an option of a kind."""
    if option.type is bool:
        parser.add_argument(_flag(option), action="store_true", help=option.help)
        return
    convert: Callable[[str], object] = COUNT if option.type is int else option.type
    group = parser.add_mutually_exclusive_group() if option.nothing else parser
    if option.nothing:
        group.add_argument(option.nothing[0], action="store_true", help=option.nothing[1])
    group.add_argument(
        _flag(option),
        type=convert,
        default=option.default if option.shown else None,
        choices=option.choices or None,
        nargs="+" if option.many else None,
        metavar=option.metavar,
        help=option.help,
    )


def _chosen(option: Option, a: Arguments) -> object:
    """What the command line says of an option of a kind; the default where it says nothing."""
    if option.nothing and getattr(a, _place(option.nothing[0])):
        return ()
    value = getattr(a, _place(_flag(option)))
    return option.default if value is None else value


def _flag(option: Option) -> str:
    return option.flag or f"--{option.name.replace('_', '-')}"


def _place(flag: str) -> str:
    """Where argparse keeps what a flag was given."""
    return flag.removeprefix("--").replace("-", "_")


COMMANDS: dict[str, Command] = commands()
