"""Accuracy and arithmetic of the 7 x 7 network by its width.

    python -m benchmarks.width              # seed 0
    python -m benchmarks.width --full       # seeds 0, 1 and 2

The network as it is and one four times as wide learn the same 40,000 pixels of a synthetic
scene, the truth in 12 epochs or the coarse labels in 5, and are scored on the truth of held-out
blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np

from benchmarks.records import Row
from benchmarks.report import options, report
from landcover.classifiers import networks
from landcover.classifiers.exchange.network_onnx import arithmetic
from landcover.classifiers.networks import architectures
from landcover.sources.synthetic import SyntheticScene, make_scene
from tests.sources.test_synthetic import blocks

EPOCHS = {"truth": 12, "labels": 5}
WIDTHS = {"as it is": architectures.CNN_FILTERS[3], "wide": (32, 64, 128, 128)}


def accuracy(
    scene: SyntheticScene, widths: tuple[int, ...], learns: str, seed: int
) -> tuple[float, int]:
    """Share of held-out truth that a network meets, and its operations a pixel."""
    fit, score = blocks(scene)
    target = (scene.truth if learns == "truth" else scene.labels()).ravel()
    codes = np.unique(scene.truth)
    bands = np.ascontiguousarray(np.moveaxis(scene.image, 0, -1))
    views = np.lib.stride_tricks.sliding_window_view(bands, (7, 7), axis=(0, 1))
    row, col = np.unravel_index(fit, scene.truth.shape)
    chips = np.ascontiguousarray(np.moveaxis(views[row - 3, col - 3], 1, -1))
    targets = np.searchsorted(codes, target[fit]).reshape(-1, 1, 1)
    networks.seed_everything(seed)  # before Keras is loaded, which makes it deterministic
    import keras

    pixels = bands.reshape(-1, 4)[fit].astype(float)
    with patch.dict(architectures.CNN_FILTERS, {3: widths}):
        model = networks.build_cnn(7, 4, len(codes), pixels.mean(0), pixels.var(0))
    epochs = EPOCHS[learns]
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-fit.size // 256))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(chips, targets, batch_size=256, epochs=epochs, verbose=0)
    found = np.zeros(scene.truth.shape, int)
    found[3:-3, 3:-3] = codes[model.predict_on_batch(bands[np.newaxis])[0].argmax(axis=-1)]
    right = found.ravel()[score] == scene.truth.ravel()[score]
    return float(right.mean()), arithmetic(model).flop_per_pixel


def rows(seeds: int) -> Iterator[Row]:
    """A row for every scene, kind of target and width."""
    for seed in range(seeds):
        scene = make_scene(seed=seed)
        for learns in EPOCHS:
            for name, widths in WIDTHS.items():
                share, flop = accuracy(scene, widths, learns, seed)
                what = f"learning the {learns}, {name}, seed {seed}"
                yield Row(what, round(100 * share, 2), "%", more={"kFLOP a pixel": flop / 1e3})


def main() -> None:
    """Train and print."""
    parser = options("width", __doc__)
    parser.add_argument("--full", action="store_true", help="three scenes instead of one")
    a = parser.parse_args()
    report(parser, a, rows(3 if a.full else 1))


if __name__ == "__main__":
    main()
