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
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import interleaved, ratio
from benchmarks.records import Row
from benchmarks.report import options, report
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


def compare(run: Run, model: Model, side: int, runs: int) -> Row:
    """Time one model's maps."""
    ways = {
        str(wanted): partial(map_stage.map_scene, run, model, applicability=wanted)
        for wanted in (False, True)
    }
    seconds = interleaved(ways, runs)
    both, alone = seconds["True"], seconds["False"]
    took = ratio(both, alone, "a map alone", "times the time of", less_is_better=True)
    more = {"a map alone, s": float(np.median(alone))}
    return Row(f"{model.title}, {side:,} px", float(np.median(both)), "s", (took,), more=more)


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """A row a model."""
    side, runs = (5490, 2) if a.full else (2196, 3)
    with tempfile.TemporaryDirectory() as folder:
        home, run = kind_run(Path(folder), 0), away(Path(folder) / "away", side)
        for name in a.models:
            model = train.train(home, MODELS[name], random_split=False, denoise="none")
            yield compare(run, model, side, runs)


def main() -> None:
    """Compare for a forest and a CNN."""
    parser = options("applicability", __doc__)
    parser.add_argument("--full", action="store_true", help="a quarter of a tile")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    a = parser.parse_args()
    report(parser, a, rows(a))


if __name__ == "__main__":
    main()
