"""What the area of applicability adds to the time of a map, as a ratio.

    python -m benchmarks.applicability             # 2,196 pixels a side
    python -m benchmarks.applicability --full      # 5,490 pixels a side

A forest and a 7 x 7 CNN, with default settings, learn the labels of a synthetic scene as they are
and map a larger one, made of copies of another, with confidence; in turn with and without the
raster of applicability. Everything is counted: reading, predicting, writing and overviews.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import interleaved, ratio
from experiments.study import kind_run
from landcover.classifiers.models import Model
from landcover.files import raster_writer
from landcover.run import Run
from landcover.sources import synthetic
from landcover.stages import map as map_stage
from landcover.stages import train

MODELS = {"forest": "random-forest", "cnn": "cnn"}


def away(folder: Path, side: int) -> Run:
    """A run with a scene of copies of one of 610 pixels a side."""
    scene = synthetic.make_scene(610, 610, seed=5)
    copies = -(-side // 610)
    image = np.tile(scene.image, (1, copies, copies))[:, :side, :side]
    grid = replace(scene.grid, rows=side, cols=side)
    run = Run(folder)
    run.path.mkdir()
    raster_writer.write(run.scene, image, grid, scene.bands, np.nan)
    return run


def compare(run: Run, model: Model, runs: int) -> None:
    """Time one model's maps and print the ratio."""
    ways = {
        str(wanted): partial(map_stage.map_scene, run, model, applicability=wanted)
        for wanted in (False, True)
    }
    seconds = interleaved(ways, runs)
    took = ratio(seconds["True"], seconds["False"], "times the time of a map alone")
    print(f"{model.title}: {took}; a map alone {np.median(seconds['False']):.1f} s")


def main() -> None:
    """Compare for a forest and a CNN."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="a quarter of a tile")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    a = parser.parse_args()
    side, runs = (5490, 2) if a.full else (2196, 3)
    with tempfile.TemporaryDirectory() as folder:
        home, run = kind_run(Path(folder), 0), away(Path(folder) / "away", side)
        print(f"{side} x {side} pixels")
        for name in a.models:
            model = train.train(home, MODELS[name], random_split=False, denoise="none")
            compare(run, model, runs)


if __name__ == "__main__":
    main()
