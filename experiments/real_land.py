"""Ways of learning from coarse labels on real land.

python -m experiments.real_land OUT --data DATA [--clc CLC] [--places ...] [--ways ...]
                                [--models cnn forest mlp] [--samples N]

DATA is the folder s2glc-quilts, of whose chips places are arrangements (experiments/quilts.py); CLC
is the folder clc-rasters, for granada-0 to granada-4 (experiments/granada.py). Every score is
written as it comes; a study that is run again makes what is missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from experiments import granada, study
from experiments.coarse_labels import KINDS, Score, cells, means, scores
from experiments.places import QUARTERS, SIXTEENTHS, WHOLES, run_of
from experiments.quilts import SIDES
from landcover.commands.options import COUNT
from landcover.labels.denoising import CHOICES, DEFAULT
from landcover.progress import say

QUILTS = (*WHOLES, *QUARTERS, *SIXTEENTHS)
#: Real CORINE labels, split by several seeds.
GRANADA = tuple(f"granada-{k}" for k in range(5))
PLACES = (*QUILTS, *GRANADA)
WAYS = ("none", "refine", "truth")


def score(a: argparse.Namespace, place: str, model: str, way: str) -> Score:
    """Train on the run of a place, and score it; for Granada see `granada.Score`."""
    if place in GRANADA:
        if a.clc is None:
            raise SystemExit(f"{place} is of the folder clc-rasters: give it with --clc")
        run = granada.granada_run(a.clc, a.out, int(place.split("-")[1]))
        return granada.score(run, KINDS[model], way)
    settings = {"targets": "reference"} if way == "truth" else {"denoise": way}
    return scores(run_of(place, a.out, a.data, a.samples), model, **settings)


def table(known: dict[str, Score], model: str, ways: Sequence[str]) -> str:
    """Scores by place; below, means by size, and the share of the gap that is closed."""
    head = f"| {model}: place | " + " | ".join(ways) + " |"
    lines = [head, "|---" * (len(ways) + 1) + "|"]
    for size in SIDES:
        rows = [
            (place, [known[f"{model} {way} {place}"] for way in ways])
            for place in QUILTS
            if place.startswith(size) and all(f"{model} {way} {place}" in known for way in ways)
        ]
        lines += [f"| {place} | {cells(found)} |" for place, found in rows]
        if rows:
            lines += means(np.array([found for _, found in rows]), size, ways)
    return "\n".join(lines)


def granada_table(known: dict[str, Score], model: str, ways: Sequence[str]) -> str:
    """Means over the splits of Granada, by way."""
    lines = [f"| {model}: Granada | splits | agreement | macro F1 | cores |", "|---" * 5 + "|"]
    for way in ways:
        found = [known[key] for k in GRANADA if (key := f"{model} {way} {k}") in known]
        if found:
            agreement, f1, cores = np.mean(found, axis=0)
            lines.append(f"| {way} | {len(found)} | {agreement:.1f} | {f1:.2f} | {cores:.1f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is missing, write every score as it comes, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder s2glc-quilts")
    parser.add_argument("--clc", type=Path, help="folder clc-rasters")
    parser.add_argument("--models", nargs="+", choices=KINDS, default=["cnn"])
    every = [*CHOICES, "truth"]
    parser.add_argument("--ways", nargs="+", choices=every, default=list(WAYS))
    parser.add_argument("--places", nargs="+", choices=PLACES, default=[*WHOLES, *QUARTERS])
    parser.add_argument("--samples", type=COUNT, default=40_000, help="of arrangements of chips")
    a = parser.parse_args(argv)
    known = study.Book(a.out / "scores.json")
    # refined labels first: what judges the other ways near Granada is made with them
    ways = sorted(a.ways, key=lambda way: way != DEFAULT)
    for place, model, way in product(a.places, a.models, ways):
        if place in GRANADA and way == "truth":
            continue
        key = f"{model} {way} {place}"
        if known.add(key, partial(score, a, place, model, way)):
            say(f"{key}: {known[key][0]:.1f} % right, macro F1 {known[key][1]:.2f}")
    for model in a.models:
        say("\n" + table(known, model, a.ways))
        say("\n" + granada_table(known, model, a.ways))


if __name__ == "__main__":
    main()
