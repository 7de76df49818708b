"""Training with early stopping on the validation loss; learning curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.networks.backend import (
    compiled,
    keras_module,
    predict,
    prepare_optimizer,
)
from landcover.classifiers.networks.batches import Examples, TileExamples, row_batches, tile_batches
from landcover.classifiers.networks.tile_batches import SequenceTiles, labelled_batches
from landcover.classifiers.networks.tile_network import sampled_pixels
from landcover.classifiers.networks.training_logs import callbacks_of_logs
from landcover.progress import track

if TYPE_CHECKING:
    import keras

MLP_LEARNING_RATE = 1e-3

#: Samples on tiles that are predicted at a time.
_PREDICTED = 1024


@dataclass(frozen=True)
class Schedule:
    """How long and in which steps a network is trained.

    Attributes
    ----------
    epochs : int
        At most.
    batch_size : int
        Rows of a step; on tiles about as many, or those of `batches.STEP_TILES` tiles where
        these are more.
    learning_rate : float
        At the start.
    patience : int
        Epochs without a better validation loss.
    """

    epochs: int
    batch_size: int = 256
    learning_rate: float = 1e-3
    patience: int = 5


def fit(
    model: keras.Model,
    train: Examples | TileExamples | SequenceTiles,
    validation: Examples | TileExamples | SequenceTiles,
    schedule: Schedule,
    *,
    seed: int,
    turn: bool = False,
    name: str | None = None,
) -> dict[str, list[float]]:
    """Train a network in place, up to its best weights; return its learning curves.

    Adam (Kingma and Ba 2015, arXiv:1412.6980) on cross-entropy with integer
    targets. The learning rate falls to a third when the validation loss has not
    fallen for half of the schedule's patience, down to a hundredth of the first; training stops
    after so many epochs without a lower one.

    Parameters
    ----------
    model : keras.Model
        From one of the builders.
    train, validation : Examples, TileExamples or SequenceTiles
        Rows or tiles to learn from, and those that decide when to stop; both of one kind.
    schedule : Schedule
        How long and in which steps.
    seed : int
        Of the order of rows and of turns. Together with `seed_everything` before
        building, it gives the same weights on one machine.
    turn : bool
        Show every chip, or tile, flipped and turned at random: land has no up.
    name : str, optional
        What the progress bar calls it.

    Returns
    -------
    dict
        Learning curves: loss, val_loss, accuracy, val_accuracy, learning_rate, one value an epoch.
    """
    keras = keras_module()
    trained, reduction = model, "sum_over_batch_size"
    if isinstance(train, TileExamples):  # whose weights are those of a mean already
        trained, reduction = sampled_pixels(model, train.tiles.side, train.dense), "sum"
    trained.compile(
        optimizer=keras.optimizers.Adam(schedule.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(reduction=reduction),
        # Unlike the loss as Keras logs it, a weighted metric is exact for steps of any size
        weighted_metrics=[
            keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy"),
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        ],
        jit_compile=compiled(),
    )
    prepare_optimizer(trained)
    title = f"training {name or model.name}"
    progress = track(range(schedule.epochs), title, may_end_early=True)
    judged = "val_cross_entropy"
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(
            judged,
            factor=1 / 3,
            patience=max(1, schedule.patience // 2),
            min_lr=schedule.learning_rate / 100,
        ),
        keras.callbacks.EarlyStopping(
            judged, patience=schedule.patience, mode="min", restore_best_weights=True
        ),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: next(progress, None)),
        *callbacks_of_logs(name or model.name),
    ]
    next(progress)
    try:
        history = trained.fit(
            _batches(model, train, schedule.batch_size, seed, turn),
            validation_data=_batches(model, validation, 4 * schedule.batch_size),
            epochs=schedule.epochs,
            callbacks=callbacks,
            shuffle=False,  # the batches shuffle themselves, by the seed
            verbose=0,
        ).history
    finally:
        progress.close()
    return {
        curve: [round(float(value), 6) for value in history[logged]]
        for curve, logged in (
            ("loss", "cross_entropy"),
            ("val_loss", judged),
            ("accuracy", "accuracy"),
            ("val_accuracy", "val_accuracy"),
            ("learning_rate", "learning_rate"),
        )
    }


def predict_examples(model: keras.Model, examples: Examples | TileExamples) -> np.ndarray:
    """Probabilities (rows, classes) of examples of either kind; their targets are not used."""
    if isinstance(examples, Examples):
        return predict(model, examples.inputs, len(examples.targets))
    trained = sampled_pixels(model, examples.tiles.side, examples.dense)
    batches = tile_batches(examples, _PREDICTED)
    found = np.zeros((len(examples.samples), model.output_shape[-1]), np.float32)
    for number in range(len(batches)):
        rows = batches.rows(number)
        inputs = batches[number][0]
        found[rows] = np.asarray(trained.predict_on_batch(inputs))[: len(rows)]
    return found


def _batches(
    model: keras.Model,
    examples: Examples | TileExamples | SequenceTiles,
    size: int,
    seed: int | None = None,
    turn: bool = False,
) -> keras.utils.PyDataset:
    """Steps of any kind of examples."""
    if isinstance(examples, SequenceTiles):
        return labelled_batches(examples, seed, turn)
    if isinstance(examples, TileExamples):
        return tile_batches(examples, size, seed, turn)
    return row_batches(examples, size, (1,) * (len(model.output_shape) - 2), seed, turn)
