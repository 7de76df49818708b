"""Ways of learning from coarse labels on real land.

python -m experiments.real_land OUT --data DATA [--clc CLC] [--places ...] [--ways ...]
                                [--models cnn forest mlp] [--samples N]

DATA is the folder s2glc-quilts, of whose chips places are arrangements (experiments/quilts.py); CLC
is the folder clc-rasters, for granada-0 to granada-4 (experiments/granada.py). Every score is
written as it comes; a study that is run again makes what is missing.

Where plain and refined labels are both learnt on chips, the points that refined labels gain have an
interval: both maps are scored on the same test samples, and whole blocks are drawn again.
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
from landcover.classifiers.models import Model, load_model
from landcover.commands.options import COUNT
from landcover.files import rasters
from landcover.labels.denoising import CHOICES, DEFAULT
from landcover.progress import say
from landcover.reports import accuracy
from landcover.run import Run
from landcover.samples.rows import read_samples

QUILTS = (*WHOLES, *QUARTERS, *SIXTEENTHS)
#: Real CORINE labels, split by several seeds.
GRANADA = tuple(f"granada-{k}" for k in range(5))
PLACES = (*QUILTS, *GRANADA)
WAYS = ("none", "refine", "truth")
#: Points of accuracy that refined labels gain over plain ones, and their 95 % interval.
Gain = tuple[float, float, float]
#: Names of models that learn refined labels; of plain ones they end with "-plain".
_NAMES = {"cnn": "cnn-7x7", "forest": "random-forest", "mlp": "mlp-segments"}


def score(a: argparse.Namespace, place: str, model: str, way: str) -> Score:
    """Train on the run of a place, and score it; for Granada see `granada.Score`."""
    if place in GRANADA:
        if a.clc is None:
            raise SystemExit(f"{place} is of the folder clc-rasters: give it with --clc")
        run = granada.granada_run(a.clc, a.out, int(place.split("-")[1]))
        return granada.score(run, KINDS[model], way)
    settings = {"targets": "reference"} if way == "truth" else {"denoise": way}
    return scores(run_of(place, a.out, a.data, a.samples), model, **settings)


def gain_of(a: argparse.Namespace, place: str, model: str) -> Gain:
    """What refined labels gain on the run of a place, both models being trained."""
    run = run_of(place, a.out, a.data, a.samples)
    refined, plain = (load_model(run.model(_NAMES[model] + end)) for end in ("", "-plain"))
    return gain(run, refined, plain)


def gain(run: Run, first: Model, second: Model) -> Gain:
    """Points of accuracy of one model less those of another, on test samples with a reference."""
    rows = read_samples(run.samples)
    test = rows[(rows["split"] == "test") & (rows["reference"] > 0)]
    truth, blocks = test["reference"].to_numpy(), test["block"].to_numpy()
    maps = [_map(run, model)[test["row"], test["col"]] for model in (first, second)]
    codes = np.unique([truth, *maps]).tolist()
    ours, theirs = (accuracy.block_confusion(truth, found, blocks, codes) for found in maps)
    found = accuracy.paired_difference(ours, theirs)
    low, high = found["ci95"] or (-1.0, 1.0)  # one block says nothing
    return 100 * (found["difference"] or 0.0), 100 * low, 100 * high


def _map(run: Run, model: Model) -> np.ndarray:
    layers = model.inputs.segment_layers
    types = rasters.read(run.segment_types, bands=layers) if layers else None
    return model.predict(rasters.read(run.scene), types)


def gain_table(gains: dict[str, Gain], model: str) -> str:
    """What refined labels gain by place, and on how many places by more than the interval."""
    rows = [(place, gains[key]) for place in QUILTS if (key := f"{model} {place}") in gains]
    lines = [f"| {model}: place | refined less plain, points | interval |", "|---|---|---|"]
    lines += [
        f"| {place} | {by:+.1f} | {low:+.1f} to {high:+.1f} |" for place, (by, low, high) in rows
    ]
    if rows:
        by, low, high = np.array([found for _, found in rows]).T
        lines.append(
            f"| *{len(rows)} places: {(low > 0).sum()} better and {(high < 0).sum()} worse by more "
            f"than the interval; {(by < 0).sum()} below plain* | {by.mean():+.1f} | |"
        )
    return "\n".join(lines)


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
    known, gains = study.Book(a.out / "scores.json"), study.Book(a.out / "gains.json")
    # refined labels first: what judges the other ways near Granada is made with them
    ways = sorted(a.ways, key=lambda way: way != DEFAULT)
    for place, model, way in product(a.places, a.models, ways):
        if place in GRANADA and way == "truth":
            continue
        key = f"{model} {way} {place}"
        if known.add(key, partial(score, a, place, model, way)):
            say(f"{key}: {known[key][0]:.1f} % right, macro F1 {known[key][1]:.2f}")
        if place in QUILTS and {f"{model} {kind} {place}" for kind in WAYS[:2]} <= known.keys():
            gains.add(f"{model} {place}", partial(gain_of, a, place, model))
    for model in a.models:
        say("\n" + table(known, model, a.ways))
        say("\n" + gain_table(gains, model))
        say("\n" + granada_table(known, model, a.ways))


if __name__ == "__main__":
    main()
