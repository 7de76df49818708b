"""Random forests: growing and predicting, beside scikit-learn as it comes.

    python -m benchmarks.forests                    # 6,000 rows, half a minute
    python -m benchmarks.forests --full             # 24,000 rows, a tile of 256 x 256

Growing: scikit-learn's RandomForestClassifier against `forests.fit_forest`, which uses
scikit-learn-intelex where it is installed. Accuracy is that of each on the same pixels against
the exact truth, with the 95 % interval from resampling blocks, and that of their difference.
Predicting: the same stored forest by scikit-learn's predict_proba, and by ONNX Runtime where it
is installed, against `estimators.row_predictor`.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from benchmarks.measure import interleaved, ratio
from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from landcover.classifiers import estimators, forests
from landcover.scene import features
from landcover.sources.synthetic import BANDS, make_scene

TILE_PX = 10980**2
LEAF_SIZE = 20
BLOCK_PX = 64


def scene_rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (rows, cols, inputs), truth and block of every pixel of a synthetic scene."""
    scene = make_scene(512, 1024, seed)
    inputs = np.concatenate([scene.image, features.compute_features(scene.image, BANDS)])
    row, col = (np.asarray(place) // BLOCK_PX for place in np.indices(scene.truth.shape))
    return np.moveaxis(inputs, 0, -1), scene.truth, row * 1000 + col


def compare_growth(n: int, runs: int) -> tuple[RandomForestClassifier, list[Row]]:
    """The forest that landcover grew; times and accuracies."""
    inputs, truth, blocks = scene_rows()
    half = inputs.shape[1] // 2
    codes = np.unique(truth[:, :half])
    rng = np.random.default_rng(0)
    drawn = rng.permutation(truth[:, :half].size)[:n]
    X = inputs[:, :half].reshape(-1, inputs.shape[2])[drawn]
    y = np.searchsorted(codes, truth[:, :half].ravel()[drawn])
    grown = {}

    def grow(accelerate: bool) -> None:
        grown[accelerate] = forests.fit_forest(
            X, y, X[:1000], y[:1000], forests.Growth(0, accelerate=accelerate), (LEAF_SIZE,)
        )[0]

    ways = {"scikit-learn": lambda: grow(False)}
    if forests.fast_forest():
        ways["scikit-learn-intelex"] = lambda: grow(True)
    what = f"growing 100 trees of leaf size {LEAF_SIZE} from {n:,} rows of {X.shape[1]} inputs"
    seconds = interleaved(ways, runs)
    took = {name: float(np.median(each)) for name, each in seconds.items()}
    if not forests.fast_forest():
        more: dict[str, Cell] = {
            "scikit-learn-intelex": "not installed: pip install 'landcover[fast]'"
        }
        return grown[False], [Row(what, took["scikit-learn"], "s", more=more)]
    slow, fast = seconds.values()
    faster = (ratio(slow, fast, "scikit-learn"),)
    more = {"scikit-learn, s": took["scikit-learn"]}
    lines = [Row(what, took["scikit-learn-intelex"], "s", faster, more=more)]
    known = np.isin(truth[:, half:], codes)
    test = inputs[:, half:][known]
    given = [estimators.probabilities(grown[k], test) for k in (False, True)]
    predicted = [codes[held.argmax(axis=1)] for held in given]
    scored = truth[:, half:][known], blocks[:, half:][known]
    for name, found in zip(("scikit-learn", "landcover"), predicted, strict=True):
        share, low, high = resampled_mean(found == scored[0], scored[1])
        interval: dict[str, Cell] = {"95 % interval": f"{100 * low:.2f} to {100 * high:.2f}"}
        lines.append(Row(f"accuracy of {name}", 100 * share, "%", more=interval))
    right = [(found == scored[0]).astype(float) for found in predicted]
    gain, low, high = resampled_mean(right[1] - right[0], scored[1])
    interval = {"95 % interval": f"{100 * low:+.2f} to {100 * high:+.2f}"}
    return grown[True], [*lines, Row("difference of accuracy", 100 * gain, "points", more=interval)]


def resampled_mean(values: np.ndarray, blocks: np.ndarray) -> tuple[float, float, float]:
    """Mean over pixels with its 95 % interval from resampling whole blocks."""
    _, place = np.unique(blocks, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(0).integers(len(sums), size=(1000, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(np.mean(values)), float(low), float(high)


def compare_prediction(forest: RandomForestClassifier, side: int, runs: int) -> Iterator[Row]:
    """Times of predicting a window of the scene, and how far results agree."""
    inputs, _, _ = scene_rows(1)
    X = np.ascontiguousarray(inputs[:side, :side].reshape(side * side, -1))
    predict = estimators.row_predictor(forest)
    ways = {
        "landcover": lambda: predict(X, X[:, :0]),
        "scikit-learn": lambda: forest.predict_proba(X),
    }
    if importlib.util.find_spec("skl2onnx") and importlib.util.find_spec("onnxruntime"):
        ways["ONNX Runtime"] = onnx_session(forest, X)
    expected = forest.set_params(n_jobs=1).predict_proba(X)
    equal = np.array_equal(ways["landcover"](), expected.astype(np.float32))
    checks: dict[str, dict[str, Cell]] = {
        "landcover": {"equal to scikit-learn's to the last bit": equal}
    }
    if "ONNX Runtime" in ways:
        differ = (ways["ONNX Runtime"]().argmax(axis=1) != expected.argmax(axis=1)).sum()
        checks["ONNX Runtime"] = {"labels that differ": int(differ), "pixels": len(X)}
    forest.set_params(n_jobs=-1)
    seconds = interleaved(ways, runs)
    for name, each in seconds.items():
        rate, work = np.median(each) / len(X), cpu_seconds(ways[name], runs) / len(X)
        more: dict[str, Cell] = {
            "a tile, s": float(TILE_PX * rate), "processor time, ns a pixel": 1e9 * work,
        }  # fmt: skip
        faster = tuple(
            ratio(seconds[other], each, other) for other in ways if name == "landcover" != other
        )
        what = f"predicting {side} x {side} pixels by {name}"
        more |= checks.get(name, {})
        yield Row(what, float(1e9 * rate), "ns a pixel", faster, more=more)


def cpu_seconds(way: Callable[[], object], runs: int) -> float:
    """Median processor time of all threads: what other programs take away counts little."""
    seconds = []
    for _ in range(runs):
        started = time.process_time()
        way()
        seconds.append(time.process_time() - started)
    return float(np.median(seconds))


def onnx_session(forest: RandomForestClassifier, X: np.ndarray) -> Callable[[], np.ndarray]:
    """Prediction by ONNX Runtime."""
    import onnxruntime
    from skl2onnx import to_onnx

    model = to_onnx(forest, X[:1], options={"zipmap": False})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: X})[1]


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """The rows of growing and of predicting."""
    forest, growth = compare_growth(a.rows or (24_000 if a.full else 6_000), 3)
    yield from growth
    yield from compare_prediction(forest, 256 if a.full else 128, 5 if a.full else 3)


def main() -> None:
    """Measure and print."""
    parser = options("forests", __doc__)
    parser.add_argument("--full", action="store_true", help="24,000 rows or --rows")
    parser.add_argument("--rows", type=int)
    a = parser.parse_args()
    report(parser, a, rows(a))


if __name__ == "__main__":
    main()
