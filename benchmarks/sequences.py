"""Sequences: how long networks of several dates take to map, and how a ConvLSTM trains.

    python -m benchmarks.sequences             # scenes of up to 500 px, two minutes
    python -m benchmarks.sequences --full      # up to 1,000 px

L-TAE maps a raster of several dates by the engine of maps, and the same pixels are given to the
network plainly, by Keras' `predict` in its batches of 32, in turn. Then pixels and dates grow.
Steps of a ConvLSTM are timed with and without the engine's fused kernels, in
processes of their own: with them there are no sums in a fixed order, which landcover trains with.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from benchmarks.measure import forget_peak, in_process, interleaved, peak_mib, ratio
from benchmarks.records import Row
from benchmarks.report import options, report
from landcover import maps
from landcover.classifiers.kinds import KINDS
from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.protocol import Inputs, Signature
from landcover.classifiers.sequences import SequenceClassifier
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid
from landcover.legend import Legend
from landcover.scene.sequence import Dates, as_sequence

BANDS = tuple(f"B{number:02d}" for number in range(2, 12))
LEGEND = Legend.corine(3).subset([111, 112, 211, 231, 242, 311, 312, 324, 512])
#: Pixels that Keras gets plainly.
_PLAIN = 20_000


def days(number: int) -> tuple[str, ...]:
    """Days of a year, evenly spread."""
    first = np.datetime64("2022-01-10")
    return tuple(str(first + int(at)) for at in np.linspace(0, 340, number))


def write_scene(path: Path, side: int, dates: Dates) -> None:
    """A sequence of noise, of which a third is under clouds."""
    grid = Grid(CRS.from_epsg(32632), Affine(10, 0, 300_000, 0, -10, 5_800_000), side, side)
    rng = np.random.default_rng(0)
    with RasterWriter(path, grid, np.float32, list(dates.names), np.nan) as out:
        for window in grid.windows(512):
            shape = len(dates.days), len(dates.bands), window.rows, window.cols
            image = rng.random(shape, np.float32) * 0.4
            cloud = rng.random((len(dates.days), -(-window.rows // 32), -(-window.cols // 32)))
            under = (cloud < 0.3).repeat(32, axis=1).repeat(32, axis=2)
            hidden = under[:, np.newaxis, : window.rows, : window.cols]
            out.write(np.where(hidden, np.nan, image).reshape(-1, *shape[2:]), window)


def attention(dates: Dates, folder: Path) -> SequenceClassifier:
    """An attention network as a model's file gives it, bound to dates; untrained is as quick."""
    from landcover.classifiers import networks

    file = folder / "model.keras"
    networks.save(networks.build_ltae(len(BANDS), len(LEGEND), [0.2] * 10, [0.02] * 10), file)
    inputs = Inputs(BANDS, dates=LearntDates(dates.days, 2))
    return KINDS["ltae"].load(file, Signature("ltae", LEGEND, inputs)).bound(dates)


def mapped(classifier: SequenceClassifier, scene: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak MiB of a map; its network is compiled before."""
    classifier.predict_window(np.zeros((len(classifier.bands), 250, 250), np.float32))
    forget_peak()
    started = time.perf_counter()
    maps.predict_map(classifier, scene, out, confidence=out.with_name("c.tif"))
    return time.perf_counter() - started, peak_mib()


def compare(folder: Path, dates: Dates, runs: int) -> Row:
    """The ratio of times of pixels in windows and in Keras' own batches."""
    from landcover.classifiers import networks

    classifier = attention(dates, folder)
    model = networks.load(folder / "model.keras")
    image = np.random.default_rng(0).random((len(dates.names), 100, 200), np.float32)
    values = as_sequence(image, dates).reshape(len(dates.days), len(BANDS), _PLAIN)
    values = np.ascontiguousarray(values.transpose(2, 0, 1))
    at = np.tile(dates.day_of_year.astype(np.float32), (_PLAIN, 1))
    times = interleaved(
        {
            "windows": partial(classifier.predict_window, image),
            "plain": partial(model.predict, [values, at], verbose=0),
        },
        runs,
    )
    plain = model.predict([values, at], verbose=0).T.reshape(-1, 100, 200)
    differ = float(np.abs(classifier.predict_window(image) - plain).max())
    faster = (ratio(times["plain"], times["windows"], "Keras by batches of 32"),)
    what = f"L-TAE, {len(dates.days)} dates of {_PLAIN:,} pixels"
    return Row(
        what, float(np.median(times["windows"])), "s", faster, more={"largest difference": differ}
    )


def grow(folder: Path, sides: list[int], numbers: list[int]) -> Iterator[Row]:
    """What maps take, by pixels and by dates."""
    for side, number in [*((side, 6) for side in sides), *((sides[-1], n) for n in numbers)]:
        dates = Dates(days(number), BANDS)
        scene = folder / "dates.tif"
        write_scene(scene, side, dates)
        seconds, mib = mapped(attention(dates, folder), scene, folder / "map.tif")
        each = 1e9 * seconds / (side**2 * number)
        what, more = f"a map of {side} px, {number} dates", {"ns a pixel and date": each}
        yield Row(what, seconds, "s", memory_mib=mib, more=more)


def train_step(fused: bool) -> None:
    """Print what a step of a ConvLSTM takes; for a process of its own."""
    from landcover.classifiers import networks
    from landcover.classifiers.networks.backend import keras_module

    model, keras = networks.build_conv_lstm(6, 8), keras_module()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(), jit_compile=fused)
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.ones(8), (16, 6, 32, 32)).astype(np.float32)
    targets = rng.integers(8, size=(16, 32, 32))

    def step() -> None:
        model.train_on_batch(said, targets)

    started = time.perf_counter()
    step()
    first = time.perf_counter() - started
    times = interleaved({"step": step}, 8)["step"]
    print(float(np.median(times)), first)


def fused_and_not() -> Iterator[Row]:
    """Steps of training with fused kernels and without, each in a process of its own."""
    os.environ["TF_DETERMINISTIC_OPS"] = "0"
    for name, kernels in (("--step-fused", "fused"), ("--step-plain", "plain")):
        (line,) = in_process("benchmarks.sequences", name)[-1:]
        step, first = map(float, line.split())
        what = f"a step of the ConvLSTM of 16 tiles, {kernels} kernels"
        yield Row(what, step, "s", more={"the first, s": first})


def rows(full: bool) -> Iterator[Row]:
    """The comparison, the growth, and the steps of training."""
    with tempfile.TemporaryDirectory() as folder:
        yield compare(Path(folder), Dates(days(6), BANDS), 5 if full else 3)
        yield from grow(Path(folder), [250, 500, 1000] if full else [250, 500], [3, 12])
    yield from fused_and_not()


def main() -> None:
    """Measure and print."""
    parser = options("sequences", __doc__)
    parser.add_argument("--full", action="store_true", help="scenes of up to 1,000 px")
    parser.add_argument("--step-fused", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--step-plain", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.step_fused or a.step_plain:
        train_step(a.step_fused)
        return
    report(parser, a, rows(a.full))


if __name__ == "__main__":
    main()
