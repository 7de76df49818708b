"""Training the compact network of whole images: steps as they are, and compiled with XLA.

    python -m benchmarks.image_training

XLA is what Keras chooses on TensorFlow unless it is told, or unless sums are asked for in a fixed
order, as landcover asks: for both ways to be possible, this benchmark leaves the order open. Steps
of both ways and of both precisions follow each other in one process, on images of noise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measure import interleaved, ratio
from benchmarks.records import Row
from benchmarks.report import options, report
from landcover.classifiers import networks
from landcover.classifiers.networks.backend import keras_module

BATCH, STEPS = 128, 8
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


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


def rows(runs: int) -> Iterator[Row]:
    """Images a second of every way, and the ratio of steps as they are to XLA's."""
    os.environ["TF_DETERMINISTIC_OPS"] = "0"  # Keras declines XLA otherwise
    ways = {}
    for name, policy in PRECISIONS.items():
        ways[name] = steps(policy, xla=False)
        ways[f"{name}, XLA"] = steps(policy, xla=True)
    seconds = interleaved(ways, runs)
    for name, each in seconds.items():
        rate = float(BATCH * STEPS / np.median(each))
        faster = (ratio(seconds[f"{name}, XLA"], each, "XLA"),) if name in PRECISIONS else ()
        yield Row(name, rate, "images/s", faster)


def main() -> None:
    """Measure and print."""
    parser = options("image_training", __doc__)
    parser.add_argument("--runs", type=int, default=3, help="of every way")
    a = parser.parse_args()
    report(parser, a, rows(a.runs))


if __name__ == "__main__":
    main()
