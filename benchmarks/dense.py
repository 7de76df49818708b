"""Dense prediction against Keras on chips: ratios, labels, and the distance to the machine's limit.

    python -m benchmarks.dense                      # 7 x 7 and 61 x 61, short
    python -m benchmarks.dense --full               # more windows, runs and chips
    python -m benchmarks.dense --sizes 7

A network is trained for some seconds on one synthetic scene (``--full``: longer) and predicts
another; the longer it trains, the fewer pixels are close. The alternative is the common way to
run patch networks: ``model.predict`` on chips in batches of 1024, cut in advance (their cutting is
not counted). It is called with few chips and with many, since a call has a fixed cost. All ways
run in turn in one process.
The machine's limit is the rate of a matrix product, by numpy and by OpenVINO, in the same run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.measure import interleaved, ratio
from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from landcover.classifiers import networks
from landcover.classifiers.best_class import near_ties
from landcover.classifiers.exchange.network_onnx import arithmetic
from landcover.classifiers.networks.engine_choice import candidates
from landcover.classifiers.networks.engines import available_precisions
from landcover.legend import Legend
from landcover.sources.synthetic import make_scene

TILE_PX = 256
BATCH = 1024


def trained(patch_size: int, epochs: int, seed: int = 0) -> networks.PatchClassifier:
    """A network that has seen 240 crops of a scene, with its labels, some times."""
    scene = make_scene(seed=seed)
    labels = scene.labels()
    codes, positions = np.unique(labels, return_inverse=True)
    positions = positions.reshape(labels.shape)
    side, radius = 64, patch_size // 2
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, np.array(labels.shape) - side - 2 * radius, (240, 2))
    images = [
        scene.image[:, r:, c:][:, : side + 2 * radius, : side + 2 * radius] for r, c in corners
    ]
    targets = [positions[r + radius :, c + radius :][:side, :side] for r, c in corners]
    networks.seed_everything(seed)  # before Keras is loaded, which makes it deterministic
    import keras

    values = scene.image.reshape(4, -1).astype(float)
    model = networks.build_cnn(patch_size, 4, len(codes), values.mean(1), values.var(1))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    crops = np.moveaxis(np.stack(images), 1, -1)
    model.fit(crops, np.stack(targets), batch_size=4, epochs=epochs, verbose=0)
    legend = Legend.corine().subset(codes)
    return networks.PatchClassifier("cnn", legend, ("B02", "B03", "B04", "B08"), patch_size, model)


def windows(patch_size: int, count: int, seed: int = 7) -> list[np.ndarray]:
    """Windows of a scene, with the margin that the network needs."""
    radius, across = patch_size // 2, 4
    side = TILE_PX + 2 * radius
    rows = -(-count // across) * TILE_PX + 2 * radius
    image = make_scene(rows=max(rows, 400), cols=across * TILE_PX + 2 * radius, seed=seed).image
    corners = [divmod(number, across) for number in range(count)]
    return [
        np.ascontiguousarray(image[:, r * TILE_PX :, c * TILE_PX :][:, :side, :side], np.float32)
        for r, c in corners
    ]


def matrix_products() -> dict[str, tuple[Callable[[], object], float]]:
    """Ways to multiply two matrices, with the operations of each."""
    n = 3072
    matrix = np.random.default_rng(0).random((n, n), dtype=np.float32)
    ways: dict[str, tuple[Callable[[], object], float]] = {
        "numpy float32": (lambda: matrix @ matrix, 2 * n**3)
    }
    for precision in available_precisions():
        import openvino
        from openvino import opset13

        given = opset13.parameter([n, n], np.float32)
        product = opset13.matmul(given, opset13.constant(matrix), False, True)
        hint = {"INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision]}
        graph = openvino.Model([product], [given])
        request = openvino.Core().compile_model(graph, "CPU", hint).create_infer_request()
        ways[f"OpenVINO {precision}"] = (partial(request.infer, [matrix]), 2 * n**3)
    return ways


def cut(
    images: Sequence[np.ndarray], patch_size: int, n: int
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Chips (n, size, size, bands) of pixels drawn from windows, and where they are."""
    rng = np.random.default_rng(0)
    image, row, col = rng.integers(0, [[len(images)], [TILE_PX], [TILE_PX]], (3, n))
    chips = [
        images[i][:, r : r + patch_size, c : c + patch_size]
        for i, r, c in zip(image, row, col, strict=True)
    ]
    return np.ascontiguousarray(np.moveaxis(np.stack(chips), 1, -1)), (image, row, col)


def compare(
    patch_size: int, epochs: int, n_windows: int, chip_counts: Sequence[int], runs: int
) -> Iterator[Row]:
    """Time one network's ways: a row a way, and one a matrix product."""
    classifier = trained(patch_size, epochs)
    images = windows(patch_size, n_windows)
    chips, where = cut(images, patch_size, max(chip_counts))
    model = classifier.model
    levels = candidates(classifier, available_precisions(), images[:4])
    products = matrix_products()

    def on_chips(n: int) -> np.ndarray:
        return model.predict(chips[:n], batch_size=BATCH, verbose=0)[:, 0, 0]

    ways: dict[str, Callable[[], object]] = {
        f"chips {n}": partial(on_chips, n) for n in chip_counts
    }
    ways |= {str(engine): partial(level.predict, images) for engine, level in levels.items()}
    ways |= {f"product {name}": way for name, (way, _) in products.items()}
    seconds = interleaved(ways, runs)
    rates = {
        name: flop / np.median(seconds[f"product {name}"]) for name, (_, flop) in products.items()
    }
    single = on_chips(len(chips))
    work, pixels = arithmetic(model), n_windows * TILE_PX**2
    flop, name = work.flop_per_pixel, f"{patch_size} x {patch_size}"
    of_chips = {n: float(n / np.median(seconds[f"chips {n}"])) for n in chip_counts}
    for n, rate in of_chips.items():
        computed = rate * work.flop_per_chip(patch_size) / 1e9
        more: dict[str, Cell] = {"GFLOP/s": computed}
        yield Row(f"{name}, Keras on {n:,} chips", rate, "pixels/s", more=more)
    for engine, level in levels.items():
        times = seconds[str(engine)]
        found = np.stack(level.predict(images))[where[0], :, where[1], where[2]]
        close = sum(len(near_ties(level.run(i[np.newaxis])[0], i, level.bound)) for i in images)
        rate = flop * pixels / np.median(times)
        limit = max(r for name, r in rates.items() if engine.precision in name)
        faster = tuple(
            ratio(seconds[f"chips {n}"] / n, times / pixels, f"Keras on {n:,} chips")
            for n in chip_counts
        )
        more = {
            "GFLOP/s": float(rate) / 1e9,
            "of a matrix product": float(rate / limit),
            # What the ratio to the best chips would be at the rate of a matrix product
            "times chips at most": float(limit / flop / max(of_chips.values())),
            "predicted again, %": 100 * close / pixels,
            "largest difference of a probability": float(f"{np.abs(found - single).max():.1g}"),
            "labels that differ": int((found.argmax(1) != single.argmax(1)).sum()),
            "pixels compared": len(chips),
        }
        per_second = float(pixels / np.median(times))
        yield Row(f"{name}, {engine!s}", per_second, "pixels/s", faster, more=more)
    for product, flops in rates.items():
        yield Row(f"{name}, matrix product of {product}", more={"GFLOP/s": float(flops) / 1e9})


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """The rows of every size."""
    for size in args.sizes:
        small = size < 20
        chip_counts = [8 * BATCH, 32 * BATCH] if small else [(4 if args.full else 1) * BATCH]
        epochs = (10 if small else 2) * (4 if args.full else 1)
        runs, n_windows = (7, 16) if args.full else (3, 4)
        yield from compare(size, epochs, n_windows, chip_counts, runs)


def main() -> None:
    """Compare for every size."""
    parser = options("dense", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[7, 61])
    parser.add_argument("--full", action="store_true", help="16 windows, 7 runs, longer training")
    args = parser.parse_args()
    report(parser, args, rows(args))


if __name__ == "__main__":
    main()
