"""Training the compact network of whole images: steps as they are, and compiled with XLA.

    python -m benchmarks.image_training

XLA is what Keras chooses on TensorFlow unless it is told, or unless sums are asked for in a fixed
order, as landcover asks: for both ways to be possible, this benchmark leaves the order open. Steps
of both ways and of both precisions follow each other in one process, on images of noise.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.measure import interleaved, ratio
from landcover.classifiers import networks
from landcover.classifiers.networks.backend import keras_module

BATCH, STEPS = 128, 8
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def parser() -> argparse.ArgumentParser:
    """What the benchmark takes."""
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--runs", type=int, default=3, help="of every way")
    return made


def steps(policy: str, xla: bool) -> Callable[[], Any]:
    """Some steps of a network in a precision, compiled or not."""
    keras = keras_module()
    kept = keras.config.dtype_policy()
    networks.seed_everything(0)
    keras.config.set_dtype_policy(policy)
    model = networks.build_image_network("compact", 3, 10, [0.1] * 3, [0.05] * 3)
    keras.config.set_dtype_policy(kept)
    optimizer = keras.optimizers.AdamW(1e-3, global_clipnorm=1.0)
    model.compile(optimizer, "categorical_crossentropy", jit_compile=xla)
    rng = np.random.default_rng(0)
    images = rng.random((BATCH * STEPS, 64, 64, 3), np.float32)
    targets = np.eye(10, dtype=np.float32)[rng.integers(10, size=len(images))]
    return lambda: model.fit(images, targets, batch_size=BATCH, verbose=0)


def main(argv: Sequence[str] | None = None) -> int:
    """Print images a second of every way, and XLA's ratio to the steps as they are."""
    a = parser().parse_args(argv)
    os.environ["TF_DETERMINISTIC_OPS"] = "0"  # Keras declines XLA otherwise
    ways = {}
    for name, policy in PRECISIONS.items():
        ways[name] = steps(policy, xla=False)
        ways[f"{name}, XLA"] = steps(policy, xla=True)
    seconds = interleaved(ways, a.runs)
    for name, each in seconds.items():
        print(f"{name}: {BATCH * STEPS / np.median(each):.0f} images a second")
    for name in PRECISIONS:
        print(f"{name}: {ratio(seconds[f'{name}, XLA'], seconds[name])} as with XLA")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
