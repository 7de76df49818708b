"""Train a network on EuroSAT's images and report how well it classifies them.

python -m experiments.eurosat_finetune EuroSAT.zip [--model compact] [--split 80/20] [--minutes 30]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.study import refusals
from landcover.classifiers.networks import HEADS, IMAGE_NETWORKS, PRECISIONS_OF_TRAINING
from landcover.commands.options import COUNT, COUNT_OR_NONE, POSITIVE, POSITIVE_OR_ZERO
from landcover.reports.words import interval, percent
from landcover.run import Run
from landcover.stages.finetune import Choices, finetune
from landcover.stages.store import read_report


def parser() -> argparse.ArgumentParser:
    """What the experiment takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("source", type=Path, help="EuroSAT's archive or folder, either form")
    made.add_argument("--model", choices=IMAGE_NETWORKS, default="compact")
    made.add_argument(
        "--split", default="80/20", help="80/20, 75/25, 90/10 or a folder with lists of names"
    )
    made.add_argument("--minutes", type=POSITIVE, default=30.0, help="of training, about, at most")
    made.add_argument("--epochs", type=COUNT, help="of the last stage, at most")
    made.add_argument("--seed", type=COUNT_OR_NONE, default=42, help="seed of every random draw")
    made.add_argument(
        "--weights", help="ImageNet's, of a backbone: imagenet, or a file of them; none by default"
    )
    made.add_argument("--head", choices=HEADS, help=f"of a backbone (default {HEADS[0]})")
    made.add_argument("--frozen", action="store_true", help="train a backbone's head alone")
    made.add_argument(
        "--no-augmentation", action="store_true", help="show training images as they are"
    )
    made.add_argument(
        "--zoom", type=POSITIVE_OR_ZERO, default=0.0,
        help="how much larger or smaller training shows images, a share (default 0: it blurs them)",
    )  # fmt: skip
    made.add_argument("--bands", nargs="+", help="bands to learn from (default all)")
    made.add_argument("--precision", choices=PRECISIONS_OF_TRAINING, default="auto")
    made.add_argument("--name", help="of the model (default: that of the network)")
    made.add_argument("--out", type=Path, default=Path("runs/eurosat"), help="run folder")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Train, score, print the score and the paths written."""
    a = parser().parse_args(argv)
    settings = {key: value for key, value in vars(a).items() if value is not None}
    print(", ".join(f"{key} {value}" for key, value in settings.items()), flush=True)
    shared = (
        "model", "split", "minutes", "epochs", "seed", "weights", "head", "frozen", "zoom",
        "precision", "name",
    )  # fmt: skip
    choices = Choices(
        **{key: getattr(a, key) for key in shared},
        augmented=not a.no_augmentation,
        bands=tuple(a.bands) if a.bands else None,
    )
    with refusals(parser()):
        paths = finetune(Run(a.out), a.source, choices)
    report = read_report(Run(a.out).report(choices.name or a.model))
    print(
        f"{percent(report['overall_accuracy'])} of {report['n_test']:,} test images right "
        f"({interval(report['overall_accuracy_ci95'])}), balanced "
        f"{percent(report['balanced_accuracy'])}"
    )
    for note in report["notes"]:
        print(f"note: {note}")
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
