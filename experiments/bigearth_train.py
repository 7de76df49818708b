"""Train an encoder on BigEarthNet, from a store, and report how well it names classes of chips.

python -m experiments.bigearth_train STORE [--patch-size 7] [--single] [--epochs N]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.study import refusals
from landcover.commands.options import COUNT, COUNT_OR_NONE, POSITIVE
from landcover.files.atomic import read_json
from landcover.reports.words import percent
from landcover.run import Run
from landcover.stages.pretrain import EPOCHS, Choices, pretrain

_MULTI = ("macro_ap", "micro_ap", "macro_f1", "micro_f1")
_SINGLE = ("overall_accuracy", "macro_f1")


def parser() -> argparse.ArgumentParser:
    """What the experiment takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("store", type=Path, help="from python -m experiments.bigearth_read")
    made.add_argument(
        "--patch-size", type=COUNT, default=7, help="of networks that start from it (default 7)"
    )
    made.add_argument("--single", action="store_true", help="only chips of exactly one class")
    made.add_argument("--epochs", type=COUNT, default=EPOCHS, help=f"default {EPOCHS}")
    made.add_argument("--minutes", type=POSITIVE, help="of training, about, at most")
    made.add_argument("--seed", type=COUNT_OR_NONE, default=0, help="seed of every random draw")
    made.add_argument("--out", type=Path, default=Path("runs/bigearth"), help="run folder")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Train, score, print the scores and the paths written."""
    a = parser().parse_args(argv)
    print(", ".join(f"{key} {value}" for key, value in vars(a).items()), flush=True)
    choices = Choices(a.patch_size, a.single, a.epochs, a.minutes, a.seed)
    with refusals(parser()):
        paths = pretrain(Run(a.out), a.store, choices)
    report = read_json(Run(a.out).report(choices.name))
    shown = _SINGLE if a.single else _MULTI
    found = ", ".join(f"{key} {percent(report[key])}" for key in shown)
    print(f"{report['n_test']:,} test chips: {found}")
    for code, scores in report["per_class"].items():
        score = scores["f1" if a.single else "average_precision"]
        print(f"{percent(score):>8} {scores['support']:>6} {code} {scores['name']}")
    for note in report["notes"]:
        print(f"note: {note}")
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
