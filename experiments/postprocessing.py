"""Postprocessing on six synthetic scenes: python experiments/postprocessing.py OUT ROWS COLS."""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from geopandas import GeoSeries
from rasterio.features import shapes
from shapely.geometry import shape

from landcover import rasters, reports
from landcover.progress import say
from landcover.runs import Run
from landcover.synthetic import make_scene
from landcover.workflows import map, postprocess, sample, segment, train

KINDS = ({}, {"field_px": 18}, {"field_px": 55}, {"noise": 0.008}, {"haze": 0.2}, {"woods": 0.5})
MODELS, OVERALL = ("random-forest-plain", "cnn-7x7-plain"), "overall_accuracy"
KEYS = (("reference", OVERALL), ("reference", "macro_f1"), ("labels", OVERALL))

out, rows, cols = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
found = defaultdict(list)
for number, kind in enumerate(KINDS):
    run, scene = Run(out / f"{number}"), make_scene(rows, cols, 300 + number, **kind)
    rasters.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)
    rasters.write(run.labels, scene.labels(), scene.grid, ["label"], 0)
    rasters.write(run.reference, scene.truth, scene.grid, ["class"], 0)
    outlines = [shape(s) for s, _ in shapes(scene.truth, transform=scene.grid.transform)]
    GeoSeries(outlines, crs=scene.grid.crs).to_file(run.path / "outlines.gpkg")
    sample.sample(run, 20_000, max_patch=7)
    train.train_forest(run, random_split=False, denoise="none")
    train.train_cnn(run, epochs=15, random_split=False, denoise="none")
    steps = {
        "as mapped": {},
        "smoothing": {"smooth": True},
        "sieve, 0.1 ha": {"mmu_ha": 0.1},
        "sieve, 0.5 ha": {"mmu_ha": 0.5},
        "smoothing, then sieve, 0.5 ha": {"smooth": True, "mmu_ha": 0.5},
        "true outlines": {"polygons": run.path / "outlines.gpkg"},
        "segments": {"segments": True},
        "segments, by probability": {"segments": True, "by_probability": True},
        "small segments": {"segments": True},
        "small segments, by probability": {"segments": True, "by_probability": True},
    }
    for title, step in steps.items():
        if title in ("segments", "small segments"):
            segment.segment(run, **({"scale": 60, "min_size": 20} if "small" in title else {}))
        for model in MODELS:
            paths = step and postprocess.postprocess(run, model, **step)
            paths = paths or map.map_scene(run, model, probabilities=True)
            s = reports.read_report(run, paths[0].stem)["scores"]
            found[model, title].append([100 * s[against][metric] for against, metric in KEYS])
say("| map | step | accuracy | macro F1 | agreement | worst | best |\n" + 7 * "|---" + "|")
for (model, title), values in found.items():
    change = np.array(values) - found[model, "as mapped"]
    cells = [f"{v:.1f} ({c:+.1f})" for v, c in np.mean([values, change], axis=1).T]
    cells += [f"{change[:, 0].min():+.1f}", f"{change[:, 0].max():+.1f}"]
    say(f"| {' | '.join([model, title, *cells])} |")
