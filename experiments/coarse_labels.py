"""Ways of learning from coarse labels, on ten synthetic scenes of several kinds.

python -m experiments.coarse_labels OUT [--models cnn forest mlp] [--scenes 0 1 ...]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from landcover import rasters, reports, synthetic
from landcover.denoising import CHOICES
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


def scores(run: Run, model: str, **settings: Any) -> tuple[float, float]:
    """Accuracy on test samples and agreement with their labels, in percent; trained if it is not."""
    paths = TRAINERS[model](run, random_split=False, **settings)
    found = reports.read_report(run, paths[-1].stem)["scores"]
    return tuple(100 * found[against]["overall_accuracy"] for against in ("reference", "labels"))


def main() -> None:
    """Train what is missing, write every score as it comes, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", nargs="+", choices=TRAINERS, default=["cnn"])
    parser.add_argument(
        "--ways", nargs="+", choices=[*CHOICES, "truth"], default=[*CHOICES, "truth"]
    )
    parser.add_argument("--scenes", nargs="+", type=int, default=range(len(KINDS)))
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    book = a.out / "scores.json"
    known = json.loads(book.read_text()) if book.exists() else {}
    for number in a.scenes:
        for model in a.models:
            for way in a.ways:
                key = f"{model} {way} {number}"
                if key not in known:
                    kind = {"trained_on": "reference"} if way == "truth" else {"denoise": way}
                    known[key] = scores(make_run(a.out, number), model, **kind)
                    book.write_text(json.dumps(known, indent=1))
                    print(key, *(f"{value:.1f}" for value in known[key]), flush=True)


if __name__ == "__main__":
    main()
