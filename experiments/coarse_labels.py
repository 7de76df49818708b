"""Ways of learning from coarse labels, on ten synthetic scenes of several kinds.

python -m experiments.coarse_labels OUT [--models cnn forest mlp] [--scenes 0 1 ...]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from experiments import study
from landcover.labels.denoising import CHOICES
from landcover.progress import say
from landcover.run import Run
from landcover.stages import store, train

KINDS = {"cnn": "cnn", "forest": "random-forest", "mlp": "mlp"}


def scores(
    run: Run, model: str, targets: str = "labels", denoise: str | None = None
) -> tuple[float, ...]:
    """Train; accuracy on test samples, and agreement with their labels, in percent."""
    name = train.train(run, KINDS[model], targets=targets, denoise=denoise, random_split=False).name
    found = store.read_report(run.report(name))["scores"]
    return tuple(100 * found[against]["overall_accuracy"] for against in ("reference", "labels"))


def table(known: dict[str, tuple[float, ...]], model: str, ways: Sequence[str]) -> str:
    """Accuracies by scene; below, means, and the share of the gap to the truth that is closed."""
    scenes = [
        n for n in range(len(study.KINDS)) if all(f"{model} {way} {n}" in known for way in ways)
    ]
    values = np.array([[known[f"{model} {way} {n}"][0] for way in ways] for n in scenes])
    lines = [f"| {model}: scene | " + " | ".join(ways) + " |", "|---" * (len(ways) + 1) + "|"]
    for number, row in zip(scenes, values, strict=True):
        lines.append(
            f"| {study.kind_title(number)} | " + " | ".join(f"{value:.1f}" for value in row) + " |"
        )
    mean = values.mean(axis=0)
    lines.append("| *mean* | " + " | ".join(f"{value:.1f}" for value in mean) + " |")
    if {"none", "truth"} <= set(ways):
        plain, truth = (mean[list(ways).index(way)] for way in ("none", "truth"))
        closed = 100 * (mean - plain) / (truth - plain)
        lines.append("| *of the gap* | " + " | ".join(f"{value:.0f} %" for value in closed) + " |")
        worst = (values - values[:, [list(ways).index("none")]]).min(axis=0)
        lines.append("| *worst gain* | " + " | ".join(f"{value:+.1f}" for value in worst) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is missing, write every score as it comes, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", nargs="+", choices=KINDS, default=["cnn"])
    every = [*CHOICES, "truth"]
    parser.add_argument("--ways", nargs="+", choices=every, default=every)
    parser.add_argument("--scenes", nargs="+", type=int, default=range(len(study.KINDS)))
    a = parser.parse_args(argv)
    a.out.mkdir(parents=True, exist_ok=True)
    book = a.out / "scores.json"
    known = json.loads(book.read_text("utf-8")) if book.exists() else {}
    for number, model, way in product(a.scenes, a.models, a.ways):
        key = f"{model} {way} {number}"
        if key not in known:
            settings = {"targets": "reference"} if way == "truth" else {"denoise": way}
            known[key] = scores(study.kind_run(a.out, number), model, **settings)
            book.write_text(json.dumps(known, indent=1), "utf-8")
            say(f"{key}: {known[key][0]:.1f} % right, {known[key][1]:.1f} % as labelled")
    for model in a.models:
        say("\n" + table(known, model, a.ways))


if __name__ == "__main__":
    main()
