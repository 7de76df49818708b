"""What it gains to leave training samples out, or to draw classes equally, on land with a truth.

    python -m experiments.hygiene OUT --data DATA/s2glc-quilts [--samples 8000]

Models learn coarse labels as they are, with each rule of `samples.hygiene` alone and without any.
All are scored on the same test samples against the 10 m truth; intervals are of the difference,
by blocks of all places of a group together.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments import study
from experiments.places import run_of
from landcover.commands.options import COUNT
from landcover.progress import say
from landcover.reports import accuracy, words
from landcover.run import Run
from landcover.samples.rows import read_samples
from landcover.samples.table import Draw
from landcover.stages.sample import sample
from landcover.stages.train import train

PLACES = ("quarter-0", "kind-0", "quarter-1", "kind-1", "quarter-2", "kind-2", "quarter-3")
MODELS: dict[str, dict[str, Any]] = {
    "random-forest": {"leaf_sizes": (5, 20)},
    "logistic-regression": {},
}
STRATIFIED = "--method stratified"
RULES: dict[str, dict[str, Any]] = {
    "--outliers 3.5": {"outliers": 3.5},
    "--outliers 6": {"outliers": 6.0},
    "--pca-outliers 3.5": {"pca_outliers": 3.5},
    "--min-distance-m 60": {"min_distance_m": 60.0},
    "--balance": {"balance": True},
    "--class-weight balanced": {"class_weight": "balanced"},
    STRATIFIED: {},
}
METRICS = ("overall_accuracy", "balanced_accuracy")


def scored(run: Run, drawn: Run, model: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Train on the samples of one draw, and count test samples of another by block and class."""
    choices = {**MODELS[model], **rule}
    made = train(drawn, model, denoise="none", random_split=False, **choices)
    table = read_samples(run.samples)
    test = table[(table["split"] == "test") & (table["reference"] > 0)]
    codes = made.predict(test[list(made.bands)].to_numpy())
    counted = test.assign(found=codes).groupby(["block", "reference", "found"], as_index=False)
    table = counted.size()[["block", "reference", "found", "size"]]
    return {
        "trained_on": made.card["n_train"],
        "counts": table.to_numpy(int).tolist(),
    }


def stratified(run: Run, samples: int) -> Run:
    """The same scene, labels and blocks, with samples drawn equally from every class."""
    own = Run(run.path.with_name(f"{run.path.name}-stratified"))
    if not own.samples.exists():
        for product in ("scene", "labels", "reference"):
            study.copy_raster(getattr(run, product), own.path)
        held = run.read_manifest()["stages"]["sample"]["settings"]
        drawn = Draw(samples, "stratified", min_count=held["min_count"])
        sample(own, drawn, seed=held["seed"], block_px=held["block_px"])
    return own


def confusions(book: Mapping[str, Any], places: Sequence[str], model: str, rule: str) -> np.ndarray:
    """Test samples (blocks of all places, classes, classes) of one model."""
    rows = [
        (f"{place}/{block}", *row)
        for place in places
        for block, *row in book[f"{place} {model} {rule}"]["counts"]
    ]
    every = [row for key, held in book.items() if key.split(" ")[0] in places
             for row in held["counts"]]  # fmt: skip
    codes = sorted({code for _, *pair, _ in every for code in pair})
    blocks = sorted({row[0] for row in rows})
    found = np.zeros((len(blocks), len(codes), len(codes)), np.int64)
    for block, truth, mapped, n in rows:
        found[blocks.index(block), codes.index(truth), codes.index(mapped)] = n
    return found


def table(book: Mapping[str, Any], places: Sequence[str]) -> str:
    """Points of accuracy that each rule gains, with its interval, as Markdown."""
    kinds = {"synthetic": "kind", "quilts": "quarter"}
    lines = ["| rule | model | land | samples kept | overall accuracy | balanced accuracy |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for rule in RULES:
        for model in MODELS:
            for title, start in kinds.items():
                group = [place for place in places if place.startswith(start)]
                if not group:
                    continue
                ours, plain = (confusions(book, group, model, name) for name in (rule, "none"))
                kept = [
                    sum(book[f"{place} {model} {name}"]["trained_on"] for place in group)
                    for name in (rule, "none")
                ]
                cells = [_gain(ours, plain, metric) for metric in METRICS]
                share = words.percent(kept[0] / kept[1])
                lines.append(f"| `{rule}` | {model} | {title} | {share} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(ours: np.ndarray, plain: np.ndarray, metric: str) -> str:
    found = accuracy.paired_difference(ours, plain, metric)
    interval = words.interval(found["ci95"], signed=True) if found["ci95"] else "–"
    return f"{words.points(found['difference'])} ({interval})"


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and print the table; OUT/hygiene.json holds the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder s2glc-quilts")
    parser.add_argument("--places", nargs="+", default=list(PLACES))
    parser.add_argument("--samples", type=COUNT, default=8000)
    a = parser.parse_args(argv)
    with study.refusals(parser):
        book = study.Book(a.out / "hygiene.json")
        for place in a.places:
            run = run_of(place, a.out, a.data, a.samples)
            for rule, choices in {"none": {}, **RULES}.items():
                drawn = stratified(run, a.samples) if rule == STRATIFIED else run
                for model in MODELS:
                    name = f"{place} {model} {rule}"
                    if book.add(name, partial(scored, run, drawn, model, choices)):
                        say(name)
    print(table(book, a.places))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
