"""Small runs with models that nobody had to train, for the tests of mapping jobs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from landcover.classifiers import forests, models, networks
from landcover.run import Run
from tests.test_mapping import BANDS, LEGEND, random_cnn, write_scene

LANDCOVER = [sys.executable, "-m", "landcover.cli"]


def make_run(path: Path, rows: int, cols: int, *, cnn: bool = False) -> Run:
    """A run with a scene, a forest and, if asked for, a patch network of random weights."""
    run = Run(path)
    path.mkdir(parents=True)
    write_scene(run.scene, rows, cols)
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 0.4, (1500, 5)).astype(np.float32)
    y = ((X[:, 0] > 0.2) * 2 + (X[:, 3] > 0.2)).astype(int)
    forest, *_ = forests.fit_forest(X, y, X, y, seed=0, leaf_sizes=(3,), n_trees=15)
    run.model("random-forest").mkdir(parents=True)
    forests.save(forest, models.file_of(run, "random-forest", "forest"))
    _write_card(run, "random-forest", "forest", ["ndvi"], 1)
    if cnn:
        run.model("cnn-7x7").mkdir()
        networks.save(random_cnn(7), models.file_of(run, "cnn-7x7", "cnn"))
        _write_card(run, "cnn-7x7", "cnn", [], 7)
    return run


def _write_card(run: Run, name: str, kind: str, features: list[str], patch_size: int) -> None:
    models.write_card(
        run,
        name,
        kind,
        LEGEND,
        bands=list(BANDS),
        features=features,
        segment_layers=[],
        patch_size=patch_size,
        temperature=1.5,
        probability_floor=1e-3,
        trained_on="labels",
        split={},
        seed=0,
    )


def maps_of(run: Run) -> dict[str, bytes]:
    """Every raster of the maps folder, by name; hidden files too, of which there must be none."""
    return {path.name: path.read_bytes() for path in sorted(run.path.glob("maps/*.tif"))}


def hidden(run: Run) -> list[str]:
    """What a job leaves behind."""
    return sorted(path.name for path in run.path.glob("maps/.*"))
