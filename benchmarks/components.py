"""Principal components of embeddings, beside scikit-learn: time of fitting and of applying.

    python -m benchmarks.components             # 100,000 samples, 250,000 pixels
    python -m benchmarks.components --full      # 400,000 samples, a million pixels

128 bands of float32 become 10 components. The alternative is StandardScaler and PCA. Its matrix
product may round otherwise where an array has another shape; landcover's sums do not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import forget_peak, interleaved, peak_mib, ratio
from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from landcover.scene.components import fit_components

BANDS, COUNT = 128, 10
NAMES = tuple(f"A{band:02d}" for band in range(BANDS))


def embedding(pixels: int, seed: int) -> np.ndarray:
    """Values (pixels, bands) of correlated bands."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((pixels, 16), np.float32) @ rng.standard_normal((16, BANDS))
    mixed += rng.standard_normal((pixels, BANDS), np.float32)
    return mixed.astype(np.float32)


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """A row for fitting, with memory above the samples, and one for applying."""
    samples, pixels = (400_000, 1_000_000) if a.full else (100_000, 250_000)
    values = embedding(samples, 0)
    forget_peak()
    before = peak_mib()
    ours = fit_components(values, NAMES, COUNT)
    memory = peak_mib() - before
    theirs = make_pipeline(StandardScaler(), PCA(COUNT, svd_solver="covariance_eigh"))
    ways: dict[str, Callable[[], object]] = {
        "landcover": partial(fit_components, values, NAMES, COUNT),
        "scikit-learn": partial(theirs.fit, values),
    }
    yield timed(f"fitting to {samples:,} samples", ways, a.runs, {}, memory)
    image = np.ascontiguousarray(embedding(pixels, 1).T)
    found, expected = ours.apply(image), theirs.transform(image.T).T
    expected *= np.sign((found * expected).sum(axis=1, keepdims=True))
    ways = {
        "landcover": partial(ours.apply, image),
        "scikit-learn": lambda: theirs.transform(image.T).T.astype(np.float32),
    }
    differ = {"largest difference": float(np.abs(found - expected).max())}
    yield timed(f"applying to {pixels:,} pixels", ways, a.runs, differ)


def timed(
    what: str,
    ways: Mapping[str, Callable[[], object]],
    runs: int,
    more: Mapping[str, Cell],
    memory: float | None = None,
) -> Row:
    """Seconds of the two, and of cores for landcover, and their ratio."""
    times = interleaved(ways, runs)
    started = time.process_time()
    ways["landcover"]()
    worked = time.process_time() - started
    seconds = {way: np.median(took) for way, took in times.items()}
    faster = ratio(times["scikit-learn"], times["landcover"], "scikit-learn")
    cells = {"of cores, s": worked, "scikit-learn, s": float(seconds["scikit-learn"])}
    return Row(what, float(seconds["landcover"]), "s", (faster,), memory, cells | dict(more))


def main() -> None:
    """Measure and print."""
    parser = options("components", __doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    a = parser.parse_args()
    report(parser, a, rows(a))


if __name__ == "__main__":
    main()
