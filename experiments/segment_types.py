"""The MLP with and without segment types, and the forest, learning from ever more samples.

python -m experiments.segment_types [RUN] [--samples 10000 100000 ...] [--denoise none refine]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from experiments.study import Table, open_run, outcome, refusals, study_run
from landcover.classifiers import mlp
from landcover.commands.options import COUNT, DEFAULT_RUN, add_run, add_seed
from landcover.labels.denoising import CHOICES, DEFAULT, PLAIN
from landcover.run import Run
from landcover.stages import train

#: Segment types of the MLP by title: percentiles are the published ones, the hierarchy is ours.
TYPES = {
    "MLP": (),
    "MLP, percentile types": ("percentile",),
    "MLP, hierarchy-8 types": ("hierarchy-8",),
}
FOREST = "random forest"


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(made)
    made.add_argument("--samples", nargs="+", type=COUNT, default=[10_000, 100_000, 250_000])
    made.add_argument("--epochs", type=COUNT, default=mlp.EPOCHS, help="at most")
    made.add_argument("--denoise", nargs="+", choices=CHOICES, default=[PLAIN, DEFAULT])
    add_seed(made)
    return made


def learn(a: argparse.Namespace, own: Run, denoise: str, title: str) -> dict[str, Any]:
    """Train one model on one number of samples."""
    shared: dict[str, Any] = {"seed": a.seed, "random_split": False, "denoise": denoise}
    if title == FOREST:
        model = train.train(own, **shared)
    else:
        choices = {"epochs": a.epochs, "segment_layers": TYPES[title]}
        model = train.train(own, "mlp", **choices, **shared)
    return outcome(own, model)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and print the table; RUN/studies/segment_types.json holds it too."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        run = open_run(a.run, DEFAULT_RUN)
        path = run.path / "studies" / "segment_types.json"
        table = Table(path, run, epochs=a.epochs, seed=a.seed)
        for samples in a.samples:
            own = study_run(run, f"segment_types-{samples}", samples, seed=a.seed)
            for denoise in a.denoise:
                for title in (FOREST, *TYPES):
                    key = {"samples": samples, "denoise": denoise, "model": title}
                    table.add(key, partial(learn, a, own, denoise, title))
    print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
