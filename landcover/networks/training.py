"""Training: batches, augmentation, early stopping, learning curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from landcover.networks.backend import keras_module
from landcover.progress import track

MLP_LEARNING_RATE = CNN_LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Examples:
    """Training or validation rows; inputs are made when a batch is.

    Attributes
    ----------
    inputs : callable
        Indices (n,) to a network's input, or the tuple of its inputs.
    targets : array of int, (rows,)
        Positions in the legend.
    weights : array of float32, (rows,), optional
        Weight of each row in the loss.
    """

    inputs: Callable[[np.ndarray], Any]
    targets: np.ndarray
    weights: np.ndarray | None = None


def fit(
    model: Any,
    train: Examples,
    validation: Examples,
    *,
    seed: int,
    epochs: int,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    patience: int = 5,
    turn: bool = False,
    name: str | None = None,
) -> dict[str, list[float]]:
    """Train a network and leave its best weights in it.

    Adam (Kingma and Ba 2015, arXiv:1412.6980) on cross-entropy with integer
    targets. The learning rate falls to a third when the validation loss has not
    fallen for half of `patience`, down to a hundredth of the first; training stops after
    `patience` epochs without a lower one.

    Parameters
    ----------
    model : keras.Model
        From one of the builders.
    train, validation : Examples
        Rows to learn from, and rows that decide when to stop.
    seed : int
        Of the order of rows and of turns. Together with `seed_everything` before
        building, it gives the same weights on one machine.
    epochs : int
        At most.
    batch_size : int
        Rows of a step.
    learning_rate : float
        At the start.
    patience : int
        Epochs without a better validation loss.
    turn : bool
        Show every chip flipped and turned at random: land has no up.
    name : str, optional
        What the progress bar calls it.

    Returns
    -------
    dict
        Learning curves: loss, val_loss, accuracy, val_accuracy, learning_rate, one value an epoch.
    """
    keras = keras_module()
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
        jit_compile=False,  # compiling takes longer than it saves on networks this small
    )
    progress: Any = track(range(epochs), f"training {name or model.name}")
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(
            factor=1 / 3, patience=max(1, patience // 2), min_lr=learning_rate / 100
        ),
        keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: next(progress, None)),
    ]
    next(progress)
    shape = (1,) * (len(model.output_shape) - 2)
    try:
        history = model.fit(
            _batches(train, batch_size, shape, seed, turn),
            validation_data=_batches(validation, 4 * batch_size, shape),
            epochs=epochs,
            callbacks=callbacks,
            shuffle=False,  # the batches shuffle themselves, by the seed
            verbose=0,
        ).history
    finally:
        progress.close()
    return {
        curve: [round(float(value), 6) for value in history[curve]]
        for curve in ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate")
    }


def turned(chips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Square chips (n, size, size, bands), each in one of its eight orientations at random."""
    result = np.empty_like(chips)
    drawn = rng.integers(8, size=len(chips))
    for orientation in range(8):
        chosen = drawn == orientation
        some = np.rot90(chips[chosen], orientation % 4, axes=(1, 2))
        result[chosen] = some[:, ::-1] if orientation >= 4 else some
    return result


def _batches(
    examples: Examples,
    size: int,
    shape: tuple[int, ...],
    seed: int | None = None,
    turn: bool = False,
) -> Any:
    """Batches as Keras takes them; shuffled anew every epoch when there is a seed."""
    keras: Any = keras_module()

    class Batches(keras.utils.PyDataset):  # type: ignore[name-defined]
        """The draws of a batch follow from seed, epoch and number, not from who asks when."""

        def __init__(self) -> None:
            super().__init__()
            self.epoch = -1
            self.on_epoch_end()

        def __len__(self) -> int:
            return -(-len(examples.targets) // size)

        def on_epoch_end(self) -> None:
            self.epoch += 1
            self.order = np.arange(len(examples.targets))
            if seed is not None:
                np.random.default_rng([seed, self.epoch]).shuffle(self.order)

        def __getitem__(self, number: int) -> tuple[Any, ...]:
            rows = self.order[number * size : (number + 1) * size]
            inputs = examples.inputs(rows)
            if turn:
                inputs = turned(inputs, np.random.default_rng([seed or 0, self.epoch, number]))
            targets = examples.targets[rows].reshape(-1, *shape)
            if examples.weights is None:
                return inputs, targets
            return inputs, targets, examples.weights[rows].reshape(-1, *shape)

    return Batches()
