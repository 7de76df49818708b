"""From samples to trained classifiers: what the commands take and do, made of the kinds' table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from landcover.classifiers import kinds
from landcover.classifiers.kinds import Kind, Option
from landcover.commands.options import (
    COUNT,
    Arguments,
    Command,
    add_features,
    add_map_choice,
    add_training,
)


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
    if rows[0].takes_features:
        add_features(parser, "what to see beside the bands (default ndvi ndwi bi2)")
    if rows[0].maps:
        add_map_choice(parser)


def _train(rows: list[Kind], a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.map import map_scene
    from landcover.stages.train import products_of, train

    run = Run(a.run)
    model = train(
        run,
        rows[0].command,
        seed=a.seed,
        targets=a.trained_on,
        denoise=a.denoise,
        random_split=not a.no_random_split,
        features=getattr(a, "features", None),
        **{option.name: _chosen(option, a) for option in _options(rows)},
    )
    for note in [*model.card["notes"], *model.card["lost_classes"]]:
        print(f"note: {note}")
    paths = products_of(run, model)
    mapped = rows[0].maps and not a.no_map
    return paths + (map_scene(run, model) if mapped else [])


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
