"""Ways of learning from coarse labels on real land: quilts of Sentinel-2 chips with a 10 m map.

python -m experiments.real_land OUT --data DATA [--places quarter-0 whole-1 ...] [--ways ...]

DATA is the folder s2glc-quilts, see experiments/quilts.py. A place is an arrangement of its
chips. Every score is written as it comes; a study that is run again makes what is missing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.coarse_labels import KINDS
from experiments.quilts import quilt_run
from landcover.labels.denoising import CHOICES
from landcover.progress import say
from landcover.run import Run
from landcover.stages import store, train

#: The quilts whole and by quarters, and further arrangements of their chips.
PLACES = (*(f"whole-{k}" for k in range(6)), *(f"quarter-{k}" for k in range(8)))
WAYS = ("none", "refine", "truth")

#: Accuracy in percent and macro F1 against the 10 m map.
Score = tuple[float, float]


def score(run: Run, model: str, way: str) -> Score:
    """Train on a run, and score on its test samples that have a reference."""
    targets, denoise = ("reference", None) if way == "truth" else ("labels", way)
    trained = train.train(run, KINDS[model], targets=targets, denoise=denoise, random_split=False)
    found = store.read_report(run.report(trained.name))["scores"]["reference"]
    return 100 * found["overall_accuracy"], found["macro_f1"]


def table(known: dict[str, Score], model: str, ways: Sequence[str]) -> str:
    """Scores by place; below, means by size, and the share of the gap that is closed."""
    head = f"| {model}: place | " + " | ".join(ways) + " |"
    lines = [head, "|---" * (len(ways) + 1) + "|"]
    for size in ("whole", "quarter"):
        rows = [
            (place, [known[f"{model} {way} {place}"] for way in ways])
            for place in PLACES
            if place.startswith(size) and all(f"{model} {way} {place}" in known for way in ways)
        ]
        for place, scores in rows:
            cells = " | ".join(f"{right:.1f}, {f1:.2f}" for right, f1 in scores)
            lines.append(f"| {place} | {cells} |")
        if rows:
            lines += _means(np.array([scores for _, scores in rows]), size, ways)
    return "\n".join(lines)


def _means(values: np.ndarray, size: str, ways: Sequence[str]) -> list[str]:
    """Rows of means over places (places, ways, 2), with the share of the gap of each score."""
    mean = values.mean(axis=0)
    cells = " | ".join(f"{right:.1f}, {f1:.2f}" for right, f1 in mean)
    lines = [f"| *mean of {len(values)} {size}s* | {cells} |"]
    if {"none", "truth"} <= set(ways):
        plain, truth = (mean[list(ways).index(way)] for way in ("none", "truth"))
        closed = 100 * (mean - plain) / (truth - plain)
        cells = " | ".join(f"{right:.0f} %, {f1:.0f} %" for right, f1 in closed)
        lines.append(f"| *of the gap* | {cells} |")
        worst = (values - values[:, [list(ways).index("none")]])[..., 0].min(axis=0)
        lines.append("| *worst gain* | " + " | ".join(f"{gain:+.1f}" for gain in worst) + " |")
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is missing, write every score as it comes, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder s2glc-quilts")
    parser.add_argument("--models", nargs="+", choices=KINDS, default=["cnn"])
    every = [*CHOICES, "truth"]
    parser.add_argument("--ways", nargs="+", choices=every, default=list(WAYS))
    parser.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES))
    a = parser.parse_args(argv)
    a.out.mkdir(parents=True, exist_ok=True)
    book = a.out / "scores.json"
    known = json.loads(book.read_text("utf-8")) if book.exists() else {}
    for place in a.places:
        kind, number = place.split("-")
        for model in a.models:
            for way in a.ways:
                key = f"{model} {way} {place}"
                if key not in known:
                    run = quilt_run(a.data, a.out, kind, int(number))
                    known[key] = score(run, model, way)
                    book.write_text(json.dumps(known, indent=1), "utf-8")
                    say(f"{key}: {known[key][0]:.1f} % right, macro F1 {known[key][1]:.2f}")
    for model in a.models:
        say("\n" + table(known, model, a.ways))


if __name__ == "__main__":
    main()
