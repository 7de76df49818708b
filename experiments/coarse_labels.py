"""Ways of learning from coarse labels, on ten synthetic scenes of several kinds.

python -m experiments.coarse_labels OUT [--models cnn forest mlp] [--scenes 0 1 ...]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from landcover import rasters, reports, synthetic
from landcover.denoising import CHOICES
from landcover.progress import say
from landcover.runs import Run
from landcover.workflows import sample, segment, train

#: Field size, class mix, noise and haze differ; seeds were not used in choosing the method.
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"field_px": 18},
    {"field_px": 55},
    {"woods": 0.5, "pastures": 0.4},
    {"woods": 0.12, "heath": 0.2},
    {"noise": 0.008},
    {"haze": 0.2},
    {"settlement": 2.5},
    {"noise": 0.02, "haze": 0.1, "field_px": 24},
    {"woods": 0.2, "pastures": 0.6, "settlement": 0.5},
)
TRAINERS = {"cnn": train.train_cnn, "forest": train.train_forest, "mlp": train.train_mlp}


def make_run(folder: Path, number: int) -> Run:
    """Scene, labels, truth, segments and samples of one kind; what is there is kept."""
    run, scene = (
        Run(folder / f"{number}"),
        synthetic.make_scene(600, 800, 200 + number, **KINDS[number]),
    )
    if not run.samples.exists():
        rasters.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)
        rasters.write(run.labels, scene.labels(), scene.grid, ["class"], 0)
        rasters.write(run.reference, scene.truth, scene.grid, ["class"], 0)
        segment.segment(run)
        sample.sample(run, 40_000)
    return run


def scores(run: Run, model: str, **settings: Any) -> tuple[float, ...]:
    """Train; accuracy on test samples, and agreement with their labels, in percent."""
    paths = TRAINERS[model](run, random_split=False, **settings)
    found = reports.read_report(run, paths[-1].stem)["scores"]
    return tuple(100 * found[against]["overall_accuracy"] for against in ("reference", "labels"))


def table(known: dict[str, tuple[float, ...]], model: str, ways: Sequence[str]) -> str:
    """Accuracies by scene; below, means, and the share of the gap to the truth that is closed."""
    scenes = [n for n in range(len(KINDS)) if all(f"{model} {way} {n}" in known for way in ways)]
    values = np.array([[known[f"{model} {way} {n}"][0] for way in ways] for n in scenes])
    lines = [f"| {model}: scene | " + " | ".join(ways) + " |", "|---" * (len(ways) + 1) + "|"]
    for number, row in zip(scenes, values, strict=True):
        kind = ", ".join(f"{key} {value:g}" for key, value in KINDS[number].items()) or "usual"
        lines.append(f"| {kind} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
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
    parser.add_argument("--models", nargs="+", choices=TRAINERS, default=["cnn"])
    every = [*CHOICES, "truth"]
    parser.add_argument("--ways", nargs="+", choices=every, default=every)
    parser.add_argument("--scenes", nargs="+", type=int, default=range(len(KINDS)))
    a = parser.parse_args(argv)
    a.out.mkdir(parents=True, exist_ok=True)
    book = a.out / "scores.json"
    known = json.loads(book.read_text("utf-8")) if book.exists() else {}
    for number, model, way in product(a.scenes, a.models, a.ways):
        key = f"{model} {way} {number}"
        if key not in known:
            settings = {"trained_on": "reference"} if way == "truth" else {"denoise": way}
            known[key] = scores(make_run(a.out, number), model, **settings)
            book.write_text(json.dumps(known, indent=1), "utf-8")
            say(f"{key}: {known[key][0]:.1f} % right, {known[key][1]:.1f} % as labelled")
    for model in a.models:
        say("\n" + table(known, model, a.ways))


if __name__ == "__main__":
    main()
