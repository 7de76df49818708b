"""The MLP as a kind: how it is trained and loaded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.fitting import Fitted, Setup, Trainer, fitted_rows
from landcover.classifiers.protocol import Signature
from landcover.classifiers.scaling import fit_scaling

if TYPE_CHECKING:
    from landcover.classifiers.networks import Examples
    from landcover.classifiers.pixels import PixelClassifier
    from landcover.samples.rows import Rows

#: Eight colours, which tell more of the class than the published method's six bins of brightness.
SEGMENT_LAYERS = ("hierarchy-8",)
EPOCHS = 60


def trainer(
    setup: Setup,
    class_weight: str | None = None,
    epochs: int = EPOCHS,
    segment_layers: tuple[str, ...] = (),
) -> Trainer:
    """What trains an MLP.

    Parameters
    ----------
    setup : Setup
        What the model is to be; its inputs name the layers of segment types.
    class_weight : {None, "balanced"}
        "balanced" gives every class the same say, whatever its number of rows.
    epochs : int
        At most; validation loss stops earlier.
    segment_layers : tuple of str
        As the inputs have them.
    """
    from landcover.classifiers import networks
    from landcover.samples.rows import class_weights, weights_of
    from landcover.scene.segmentation.types import type_column

    inputs = setup.inputs
    columns = inputs.seen, inputs.features, segment_layers

    def fit(rows: Rows) -> Fitted:
        scaling = fit_scaling(rows.values(rows.train, inputs.seen, inputs.features)[0])
        counts = [int(rows.samples[type_column(layer)].max()) + 1 for layer in segment_layers]
        networks.seed_everything(setup.seed)
        model = networks.build_mlp(
            len(inputs.seen) + len(inputs.features),
            len(rows.legend),
            scaling["means"],
            np.square(scaling["stds"]).tolist(),
            counts,
        )
        weights = class_weights(rows, class_weight)

        def examples(part: np.ndarray) -> Examples:
            targets = rows.targets(part)
            row_inputs = networks.row_inputs(model, *rows.values(part, *columns))
            return networks.Examples(row_inputs, targets, weights_of(targets, weights))

        history = networks.fit(
            model,
            examples(rows.train),
            examples(rows.validation),
            networks.Schedule(epochs, learning_rate=networks.MLP_LEARNING_RATE),
            seed=setup.seed,
            name=setup.name + rows.remark,
        )
        settings = {"epochs": len(history["loss"]), "class_weight": class_weight}
        save, predict = partial(networks.save, model), networks.row_predictor(model)
        return replace(fitted_rows(rows, inputs, save, predict, settings), history=history)

    return fit


def load(path: Path, signature: Signature) -> PixelClassifier:
    """The classifier in a Keras file."""
    from landcover.classifiers import networks
    from landcover.classifiers.pixels import PixelClassifier

    return PixelClassifier.of(signature, networks.row_predictor(networks.load(path)))
