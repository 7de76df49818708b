"""Ways of learning from coarse labels, on ten synthetic scenes of several kinds.

python -m experiments.coarse_labels OUT [--models cnn forest mlp] [--scenes 0 1 ...] [--draws 5]
                                    [--size 600 800] [--samples N]

A scene that is drawn again is of the same kind and another seed: other land, and other samples.
Keep one folder OUT for one size and number of samples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from experiments import study
from landcover.commands.options import COUNT
from landcover.labels.denoising import CHOICES
from landcover.progress import say
from landcover.run import Run
from landcover.stages import store, train

#: Accuracy in percent, and macro F1.
Score = tuple[float, ...]
KINDS = {"cnn": "cnn", "forest": "random-forest", "mlp": "mlp"}


def scores(run: Run, model: str, targets: str = "labels", denoise: str | None = None) -> Score:
    """Train; accuracy (percent) and macro F1 on test samples that have a reference."""
    name = train.train(run, KINDS[model], targets=targets, denoise=denoise, random_split=False).name
    found = store.read_report(run.report(name))["scores"]["reference"]
    return 100 * found["overall_accuracy"], found["macro_f1"]


def score_of(a: argparse.Namespace, number: int, draw: int, model: str, way: str) -> Score:
    """Train a model on a scene in one way, and score it."""
    settings = {"targets": "reference"} if way == "truth" else {"denoise": way}
    run = study.kind_run(a.out, number, a.samples, draw, a.size)
    return scores(run, model, **settings)


def key_of(model: str, way: str, number: int, draw: int) -> str:
    """Name of a result; the first draw has no number."""
    return f"{model} {way} {number}" + (f" draw {draw}" if draw else "")


def table(known: dict[str, Score], model: str, ways: Sequence[str], draws: int = 1) -> str:
    """Scores by scene; below, means, and the share of the gap to the truth that is closed."""
    scenes = [
        (n, draw)
        for n, draw in product(range(len(study.KINDS)), range(draws))
        if all(key_of(model, way, n, draw) in known for way in ways)
    ]
    values = [[known[key_of(model, way, *scene)] for way in ways] for scene in scenes]
    lines = [f"| {model}: scene | " + " | ".join(ways) + " |", "|---" * (len(ways) + 1) + "|"]
    for (number, draw), row in zip(scenes, values, strict=True):
        title = study.kind_title(number) + (f", draw {draw}" if draw else "")
        lines.append(f"| {title} | {cells(row)} |")
    if scenes:
        lines += means(np.array(values), "scene", ways)
    return "\n".join(lines)


def cells(scores: Iterable[Score]) -> str:
    """Accuracy and macro F1 of each way, as cells of a table."""
    return " | ".join(f"{right:.1f}, {f1:.2f}" for right, f1 in scores)


def means(values: np.ndarray, place: str, ways: Sequence[str]) -> list[str]:
    """Rows of means over places (places, ways, 2), with the share of the gap of each score."""
    mean, at = values.mean(axis=0), list(ways).index
    lines = [f"| *mean of {len(values)} {place}s* | {cells(mean)} |"]
    if "none" in ways:
        gains = np.sort(values - values[:, [at("none")]], axis=0)
        for row, title in ((0, "worst gain"), (len(gains) // 2, "middle gain"), (-1, "best gain")):
            said = " | ".join(f"{right:+.1f}, {f1:+.2f}" for right, f1 in gains[row])
            lines.append(f"| *{title}* | {said} |")
    if "none" in ways and "truth" in ways:
        plain, truth = mean[at("none")], mean[at("truth")]
        closed = 100 * (mean - plain) / (truth - plain)
        said = " | ".join(f"{right:.0f} %, {f1:.0f} %" for right, f1 in closed)
        lines.append(f"| *of the gap* | {said} |")
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is missing, write every score as it comes, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", nargs="+", choices=KINDS, default=["cnn"])
    every = [*CHOICES, "truth"]
    parser.add_argument("--ways", nargs="+", choices=every, default=every)
    parser.add_argument("--scenes", nargs="+", type=int, default=range(len(study.KINDS)))
    parser.add_argument("--draws", type=COUNT, default=1, help="of every scene (default: 1)")
    parser.add_argument(
        "--size", type=COUNT, nargs=2, default=study.SIZE, help="of scenes, rows and cols"
    )
    parser.add_argument("--samples", type=COUNT, default=40_000)
    a = parser.parse_args(argv)
    known = study.Book(a.out / "scores.json")
    for number, draw, model, way in product(a.scenes, range(a.draws), a.models, a.ways):
        key = key_of(model, way, number, draw)
        if known.add(key, partial(score_of, a, number, draw, model, way)):
            say(f"{key}: {known[key][0]:.1f} % right, macro F1 {known[key][1]:.2f}")
    for model in a.models:
        say("\n" + table(known, model, a.ways, a.draws))


if __name__ == "__main__":
    main()
