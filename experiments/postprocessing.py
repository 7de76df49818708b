"""Postprocessing on six synthetic scenes.

python -m experiments.postprocessing OUT [--size 600 800]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from geopandas import GeoSeries
from rasterio.features import shapes
from shapely.geometry import shape

from experiments.study import refusals, write_classes
from landcover.commands.options import add_size
from landcover.files import raster_writer
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.sources.synthetic import make_scene
from landcover.stages import map, postprocess, sample, segment, store, train

KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"field_px": 18},
    {"field_px": 55},
    {"noise": 0.008},
    {"haze": 0.2},
    {"woods": 0.5},
)
MODELS, OVERALL = ("random-forest-plain", "cnn-7x7-plain"), "overall_accuracy"
KEYS = (("reference", OVERALL), ("reference", "macro_f1"), ("labels", OVERALL))
STEPS: dict[str, dict[str, Any]] = {
    "as mapped": {},
    "smoothing": {"smooth": True},
    "sieve, 0.1 ha": {"mmu_ha": 0.1},
    "sieve, 0.5 ha": {"mmu_ha": 0.5},
    "smoothing, then sieve, 0.5 ha": {"smooth": True, "mmu_ha": 0.5},
    "true outlines": {"polygons": "outlines.gpkg"},
    "segments": {"segments": True},
    "segments, by probability": {"segments": True, "by_probability": True},
    "small segments": {"segments": True},
    "small segments, by probability": {"segments": True, "by_probability": True},
}
#: Settings of the segments that steps from this one on use.
SEGMENTS: dict[str, dict[str, Any]] = {
    "segments": {},
    "small segments": {"scale": 60, "min_size": 20},
}
Found = dict[tuple[str, str], list[list[float]]]


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("out", type=Path, help="folder of the runs")
    add_size(made)
    return made


def trained_run(out: Path, number: int, size: Sequence[int]) -> Run:
    """The run OUT/NUMBER of one of KINDS, with both models and the outlines of the truth."""
    rows, cols = size
    run = Run(out / f"{number}")
    scene = make_scene(rows, cols, 300 + number, **KINDS[number])
    raster_writer.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)
    write_classes(run.labels, scene.labels(), scene.grid)
    write_classes(run.reference, scene.truth, scene.grid)
    outlines = [shape(s) for s, _ in shapes(scene.truth, transform=scene.grid.transform)]
    GeoSeries(outlines, crs=scene.grid.crs).to_file(run.path / "outlines.gpkg")
    sample.sample(run, Draw(20_000), max_patch=7)
    train.train(run, random_split=False, denoise="none")
    train.train(run, "cnn", epochs=15, random_split=False, denoise="none")
    return run


def measure(run: Run, found: Found) -> None:
    """Add the percentages of every step on one run."""
    for title, step in STEPS.items():
        if title in SEGMENTS:
            segment.segment(run, **SEGMENTS[title])
        if "polygons" in step:
            step = step | {"polygons": run.path / step["polygons"]}
        for model in MODELS:
            if step:
                paths = postprocess.postprocess(run, model, **step)
            else:
                paths = map.map_scene(run, model, probabilities=True)
            s = store.read_report(run.report(paths[0].stem))["scores"]
            found[model, title].append([100 * s[against][metric] for against, metric in KEYS])


def table(found: Mapping[tuple[str, str], Sequence[Sequence[float]]]) -> str:
    """Markdown: means over the scenes, and the worst and best change of accuracy."""
    lines = ["| map | step | accuracy | macro F1 | agreement | worst | best |", 7 * "|---" + "|"]
    for (model, title), values in found.items():
        scores = np.array(values)
        change = scores - found[model, "as mapped"]
        means = zip(scores.mean(axis=0), change.mean(axis=0), strict=True)
        cells = [f"{v:.1f} ({c:+.1f})" for v, c in means]
        cells += [f"{change[:, 0].min():+.1f}", f"{change[:, 0].max():+.1f}"]
        lines.append(f"| {' | '.join([model, title, *cells])} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, map and postprocess every scene, and print the table."""
    a = parser().parse_args(argv)
    found: Found = defaultdict(list)
    with refusals(parser()):
        for number in range(len(KINDS)):
            measure(trained_run(a.out, number, a.size), found)
    print(table(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
