"""Training and dense mapping on the device of Keras' backend, beside the device's own rates.

    KERAS_BACKEND=jax python -m benchmarks.gpu --full     # a whole tile, on a GPU
    KERAS_BACKEND=torch python -m benchmarks.gpu          # small, on any device

The 7 x 7 and the 61 x 61 network are trained for two epochs and map a scene. Operations and
bytes per second stand beside what one large matrix product and one large copy reach in the same
run. Bytes are the least that layers move: every input read and every output written once.
Labels are checked against TensorFlow's on the CPU, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import SupportsFloat

import numpy as np

from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from benchmarks.training import Setting, Steps, make_setting
from landcover import maps
from landcover.classifiers import networks
from landcover.classifiers.networks.tile_network import convolutions_of
from landcover.files import rasters
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid
from landcover.run import Run
from landcover.samples.chips import Squares
from landcover.samples.tiles import Tiles

PATCHES = (7, 61)
TILE_PX = 10_980


def device() -> tuple[str, bool]:
    """What the backend computes on, and whether that is a GPU."""
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        found = jax.devices()[0]
        return f"{backend} on {found.device_kind}", found.platform == "gpu"
    if backend == "torch":
        import torch

        gpu = torch.cuda.is_available()
        return f"{backend} on {torch.cuda.get_device_name() if gpu else 'cpu'}", gpu
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return f"{backend} on {gpus[0].name if gpus else 'cpu'}", bool(gpus)


def rates(gpu: bool) -> tuple[float, float]:
    """Operations a second of a float32 matrix product, and bytes a second of a copy."""
    import keras

    n = 8192 if gpu else 2048
    a = keras.random.normal((n, n), seed=0)
    large = keras.ops.tile(a, (4, 1))
    product = _least_seconds(lambda: keras.ops.matmul(a, a)[0, 0])
    # Adding a number reads and writes every value once, like a copy that nothing optimises away
    copy = _least_seconds(lambda: (large + 1.0)[0, 0])
    return 2 * n**3 / product, 2 * 4 * 4 * n * n / copy


def _least_seconds(run: Callable[[], SupportsFloat], runs: int = 8) -> float:
    """Seconds of the fastest of some runs, until the number that each returns is here."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        float(run())
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def dense_work(network: networks.Network) -> tuple[float, float]:
    """Operations and bytes of one pixel in a dense pass."""
    import keras

    kernels = [x.kernel.shape for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    multiplied = sum(int(np.prod(kernel)) for kernel in kernels)
    return 2.0 * multiplied, 4.0 * sum(kernel[2] + kernel[3] for kernel in kernels)


def training_operations(
    setting: Setting, network: networks.Network, way: networks.Plan, held: Squares | Tiles
) -> float:
    """Operations of an epoch: a step back costs twice the step forward."""
    row = setting.rows.train
    layers = [(x.dilation_rate[0], *x.kernel.shape[2:]) for x in convolutions_of(network)]
    inside = 9 * sum(inputs * outputs for _, inputs, outputs in layers)
    forward = len(row) * (dense_work(network)[0] / 2 - inside)
    dense = way.dense if way.way == "tiles" else len(layers)
    units = len(np.unique(held.of[row])) if isinstance(held, Tiles) else len(row)
    upper, places = layers[dense:], 1
    for _, inputs, outputs in reversed(upper):
        forward += len(row) * places * 9 * inputs * outputs
        places *= 9
    width = max(way.side, 1) + 2 * sum(dilation for dilation, _, _ in upper)
    for dilation, inputs, outputs in reversed(layers[:dense]):
        forward += units * width**2 * 9 * inputs * outputs
        width += 2 * dilation
    return 6.0 * forward


def train(setting: Setting, size: int, product: float) -> tuple[networks.Network, Row]:
    """A network trained for two epochs, and the time of the second: the first compiles."""
    way = setting.plan(size, "auto")
    held = setting.hold(way)
    epoch = Steps(setting, way, held)
    epoch()
    started = time.perf_counter()
    epoch()
    seconds = time.perf_counter() - started
    rate = training_operations(setting, epoch.network, way, held) / seconds
    more: dict[str, Cell] = {
        "samples": epoch.samples,
        "trained on": way.way,
        "GFLOP/s": rate / 1e9,
        "of a matrix product, %": 100 * rate / product,
    }
    return epoch.network, Row(f"an epoch, {size} px", seconds, "s", more=more)


def dense_map(classifier: maps.Classifier, scene: Path, out: Path) -> float:
    """Seconds of mapping a scene, reading and writing included."""
    started = time.perf_counter()
    maps.predict_map(classifier, scene, out)
    return time.perf_counter() - started


def classifier_of(setting: Setting, size: int, model: networks.Network) -> networks.PatchClassifier:
    """The network as mapping takes it."""
    bands = rasters.band_names(setting.run.scene)
    return networks.PatchClassifier(f"cnn-{size}x{size}", setting.rows.legend, bands, size, model)


def large_scene(run: Run, path: Path, side: int) -> None:
    """The run's scene, mirrored repeatedly to side x side pixels."""
    image, grid = rasters.read(run.scene), rasters.grid_of(run.scene)
    names = rasters.band_names(run.scene)
    large = Grid(grid.crs, grid.transform, side, side)
    mirrored = [
        np.abs(np.arange(side) % (2 * n) - (np.arange(side) % (2 * n) >= n) * (2 * n - 1))
        for n in image.shape[1:]
    ]
    with RasterWriter(path, large, np.float32, names, nodata=np.nan) as out:
        for window in large.windows(1024):
            rows, cols = (index[part] for index, part in zip(mirrored, window.slices, strict=True))
            out.write(image[:, rows[:, np.newaxis], cols], window)


def check(arguments: list[str]) -> None:
    """Map with a stored network on the CPU, in a process of its own."""
    folder, size, model, scene, out = arguments
    from landcover.stages.inputs import read_rows

    run = Run(Path(folder))
    setting = Setting(run, read_rows(run, "labels"))
    classifier = classifier_of(setting, int(size), networks.load(model))
    dense_map(classifier, Path(scene), Path(out))


def differing(
    setting: Setting, size: int, model: networks.Network, scene: Path, mapped: Path
) -> int:
    """How many labels differ from those of TensorFlow on the CPU."""
    folder = mapped.parent
    networks.save(model, folder / "model.keras")
    command = [sys.executable, "-m", "benchmarks.gpu", "--check", str(setting.run.path), str(size)]
    command += [str(folder / "model.keras"), str(scene), str(folder / "cpu.tif")]
    alone = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run(command, check=True, env=os.environ | alone, capture_output=True)
    ours, theirs = rasters.read_classes(mapped), rasters.read_classes(folder / "cpu.tif")
    return int((ours != theirs).sum())


def rows(full: bool) -> Iterator[Row]:
    """The device's own rates, then training and mapping with both networks."""
    samples, side = (100_000, TILE_PX) if full else (1000, 256)
    name, gpu = device()
    on: dict[str, Cell] = {"on": name if gpu else f"{name}: no GPU was found"}
    product, copy = rates(gpu)
    yield Row("matrix product of float32", product / 1e12, "TFLOP/s", more=on)
    yield Row("copy", copy / 1e9, "GB/s", more=on)
    with tempfile.TemporaryDirectory() as folder:
        setting = make_setting(Path(folder), samples)
        scene = Path(folder) / "large.tif"
        large_scene(setting.run, scene, side)
        for size in PATCHES:
            model, trained = train(setting, size, product)
            yield trained
            mapped = Path(folder) / f"{size}.tif"
            classifier = classifier_of(setting, size, model)
            dense_map(classifier, setting.run.scene, Path(folder) / "warm.tif")
            rate = side**2 / dense_map(classifier, scene, mapped)
            operations, moved = dense_work(model)
            more: dict[str, Cell] = {
                "GFLOP/s": rate * operations / 1e9,
                "of a matrix product, %": 100 * rate * operations / product,
                "of a copy, %": 100 * rate * moved / copy,
                "labels that differ from the CPU's": differing(setting, size, model, scene, mapped),
                "pixels": side**2,
            }
            yield Row(f"a map with reading and writing, {size} px", rate, "pixels/s", more=more)


def main() -> None:
    """Train and map with both networks."""
    parser = options("gpu", __doc__)
    parser.add_argument("--full", action="store_true", help="a whole tile, 100,000 samples")
    parser.add_argument("--check", nargs=5, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.check:
        check(a.check)
        return
    report(parser, a, rows(a.full))


if __name__ == "__main__":
    main()
