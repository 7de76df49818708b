"""Principal components of embeddings, beside scikit-learn: time of fitting and of applying.

    python -m benchmarks.components             # 100,000 samples, 250,000 pixels
    python -m benchmarks.components --full      # 400,000 samples, a million pixels

128 bands of float32 become 10 components. The alternative is StandardScaler and PCA. Its matrix
product may round otherwise where an array has another shape; landcover's sums do not.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import forget_peak, interleaved, peak_mib, ratio
from landcover.scene.components import fit_components

BANDS, COUNT = 128, 10
NAMES = tuple(f"A{band:02d}" for band in range(BANDS))


def embedding(pixels: int, seed: int) -> np.ndarray:
    """Values (pixels, bands) of correlated bands."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((pixels, 16), np.float32) @ rng.standard_normal((16, BANDS))
    mixed += rng.standard_normal((pixels, BANDS), np.float32)
    return mixed.astype(np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    a = parser.parse_args()
    samples, pixels = (400_000, 1_000_000) if a.full else (100_000, 250_000)
    values = embedding(samples, 0)
    forget_peak()
    before = peak_mib()
    ours = fit_components(values, NAMES, COUNT)
    print(f"fitting to {samples:,} samples: {peak_mib() - before:.0f} MiB above them")
    theirs = make_pipeline(StandardScaler(), PCA(COUNT, svd_solver="covariance_eigh"))
    report(
        {
            "landcover": partial(fit_components, values, NAMES, COUNT),
            "scikit-learn": partial(theirs.fit, values),
        },
        a.runs,
    )
    image = np.ascontiguousarray(embedding(pixels, 1).T)
    print(f"applying to {pixels:,} pixels")
    report(
        {
            "landcover": partial(ours.apply, image),
            "scikit-learn": lambda: theirs.transform(image.T).T.astype(np.float32),
        },
        a.runs,
    )
    found, expected = ours.apply(image), theirs.transform(image.T).T
    expected *= np.sign((found * expected).sum(axis=1, keepdims=True))
    print(f"largest difference {np.abs(found - expected).max():.0e}")


def report(ways: dict, runs: int) -> None:
    """Print seconds of the two, and of cores for landcover, and their ratio."""
    times = interleaved(ways, runs)
    started = time.process_time()
    ways["landcover"]()
    worked = time.process_time() - started
    seconds = {way: np.median(took) for way, took in times.items()}
    print(
        f"    landcover {seconds['landcover']:.1f} s, {worked:.1f} s of cores; "
        f"scikit-learn {seconds['scikit-learn']:.1f} s: landcover is "
        f"{ratio(times['scikit-learn'], times['landcover'])}",
        flush=True,
    )


if __name__ == "__main__":
    main()
