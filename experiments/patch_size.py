"""Patch sizes, with the published network and with ours, learning from coarse labels.

python -m experiments.patch_size [RUN] [--sizes 3 5 ...] [--samples N] [--epochs N]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from experiments.study import Table, open_run, outcome, refusals, study_run, thin
from landcover.classifiers import patch_cnn
from landcover.commands.options import COUNT, DEFAULT_RUN, add_run, add_seed
from landcover.run import Run
from landcover.stages import train

SIZES = (3, 5, 7, 11, 21, 61)
#: Whether it is the published network, and what it learns from labels.
NETWORKS = {
    "published": (True, "none"),
    "ours": (False, "none"),
    "ours, refined labels": (False, "refine"),
}


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(made)
    made.add_argument("--sizes", nargs="+", type=COUNT, default=list(SIZES))
    made.add_argument("--samples", type=COUNT, default=40_000)
    made.add_argument("--epochs", type=COUNT, default=patch_cnn.EPOCHS, help="at most")
    made.add_argument(
        "--published-up-to",
        type=COUNT,
        default=11,
        metavar="SIZE",
        help="of wider patches the published network, whose cost grows with their area, learns "
        "so many fewer that they hold as many pixels (default 11)",
    )
    add_seed(made)
    return made


def learn(a: argparse.Namespace, own: Run, size: int, network: str) -> dict[str, Any]:
    """Train one network on patches of one size."""
    published, denoise = NETWORKS[network]
    model = train.train(
        own, "cnn", patch_size=size, published=published, seed=a.seed, epochs=a.epochs,
        random_split=False, denoise=denoise,
    )  # fmt: skip
    return outcome(own, model)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and print the table; RUN/studies/patch_size.json holds it too."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        run = open_run(a.run, DEFAULT_RUN)
        settings = {name: value for name, value in vars(a).items() if name != "run"}
        table = Table(run.path / "studies" / "patch_size.json", run, **settings)
        full = study_run(run, "patch_size", a.samples, max(a.sizes), a.seed)
        for size in a.sizes:
            few = full
            if size > a.published_up_to:
                few = study_run(run, f"patch_size-{size}", a.samples, max(a.sizes), a.seed)
                thin(few, (a.published_up_to / size) ** 2, a.seed)
            for network, (published, _) in NETWORKS.items():
                own = few if published else full
                table.add(
                    {"patch": size, "network": network}, partial(learn, a, own, size, network)
                )
    print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
