"""Batches of training: rows, chips or tiles, in an order that follows from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from landcover.classifiers.networks.backend import Inputs, keras_module
from landcover.samples.augmentation import turned
from landcover.samples.tiles import Tiles

if TYPE_CHECKING:
    import keras

#: Least number of tiles in a step: samples of one tile resemble each other, so a few tiles do not
#: represent the scene.
STEP_TILES = 24
#: Steps of tiles are filled up to a multiple of so many samples, so that few shapes are compiled.
_FILL = 128


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
    hide : callable, optional
        What hides some of the inputs of shuffled batches, by random numbers of the batch.
    """

    inputs: Callable[[np.ndarray], Inputs]
    targets: np.ndarray
    weights: np.ndarray | None = None
    hide: Callable[[Inputs, np.random.Generator], Inputs] | None = None


@dataclass(frozen=True)
class TileExamples:
    """Training or validation rows of a patch network, on tiles.

    Attributes
    ----------
    tiles : Tiles
        What the rows lie in.
    samples : array of int, (rows,)
        Their positions in `tiles`.
    dense : int
        Layers to compute densely, see `sampled_pixels`.
    targets, weights
        As in `Examples`.
    """

    tiles: Tiles
    samples: np.ndarray
    dense: int
    targets: np.ndarray
    weights: np.ndarray | None = None


def row_batches(
    examples: Examples,
    size: int,
    shape: tuple[int, ...],
    seed: int | None = None,
    turn: bool = False,
) -> keras.utils.PyDataset:
    """Batches as Keras takes them; with a seed they are shuffled again every epoch."""

    def step(rows: np.ndarray, rng: np.random.Generator) -> tuple[Inputs, ...]:
        inputs = examples.inputs(rows)
        if examples.hide is not None and seed is not None:
            inputs = examples.hide(inputs, rng)
        if turn:
            inputs = cast("np.ndarray", inputs)  # rows of numbers are not turned
            inputs = turned(inputs, rng.integers(8, size=len(inputs)))
        targets = examples.targets[rows].reshape(-1, *shape)
        if examples.weights is None:
            return inputs, targets
        return inputs, targets, examples.weights[rows].reshape(-1, *shape)

    return batches(len(examples.targets), size, step, seed)


def batches(
    rows: int,
    size: int,
    step: Callable[[np.ndarray, np.random.Generator], tuple[Inputs, ...]],
    seed: int | None = None,
) -> keras.utils.PyDataset:
    """Batches as Keras takes them; with a seed they are shuffled again every epoch.

    Parameters
    ----------
    rows : int
        How many there are.
    size : int
        Rows of a step.
    step : callable
        Positions of a step's rows, and its random numbers, to inputs, targets and perhaps weights.
    seed : int, optional
        Of the order and of the random numbers.
    """

    class Batches(in_steps()):  # type: ignore[misc]
        """Rows of a step, each made for itself."""

        def __getitem__(self, number: int) -> tuple[Inputs, ...]:
            return step(self.chosen(number), self.rng(number))

    return Batches(np.append(np.arange(0, rows, size), rows), seed)


def tile_batches(
    examples: TileExamples, size: int, seed: int | None = None, turn: bool = False
) -> keras.utils.PyDataset:
    """Steps of whole tiles from random places, about `size` samples each, or more.

    Every step gets its share of every class, by the most frequent class of each tile. Tiles
    drawn without regard to class would make steps differ too much, since a step has few places.

    Weights are divided by the samples of a mean step, so that the sum of a step's losses is
    its mean and every sample has the same weight, whatever the number in its step.
    """
    tiles, of = np.unique(examples.tiles.of[examples.samples], return_inverse=True)
    rows_of = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of))[:-1])
    steps = max(1, min(round(len(of) / size), len(tiles) // STEP_TILES))
    weights = np.ones(len(of)) if examples.weights is None else examples.weights
    weights = (weights * steps / len(of)).astype(np.float32)
    classes = np.array([np.bincount(examples.targets[rows]).argmax() for rows in rows_of])
    # Tiles sorted by class go to the steps in turn, so those of a step are `steps` apart
    dealt = np.argsort(np.arange(len(tiles)) % steps, kind="stable")

    class Batches(in_steps()):  # type: ignore[misc]
        """Samples of a step, in their tiles, each tile turned as a whole."""

        order: np.ndarray

        def on_epoch_end(self) -> None:
            super().on_epoch_end()
            self.order = self.order[np.argsort(classes[self.order], kind="stable")][dealt]

        def rows(self, number: int) -> np.ndarray:
            """Rows of a step."""
            return np.concatenate([rows_of[tile] for tile in self.chosen(number)])

        def __getitem__(self, number: int) -> tuple[Inputs, ...]:
            orientations = None
            if turn:
                orientations = self.rng(number).integers(8, size=len(self.chosen(number)))
            return _step(examples, self.rows(number), weights, orientations)

    held = np.bincount(np.arange(len(tiles)) % steps)
    return Batches(np.append(0, np.cumsum(held)), seed)


def in_steps() -> type[keras.utils.PyDataset]:
    """The base class of batches, a Keras dataset; Keras is imported only when it is called."""
    keras = keras_module()

    class InSteps(keras.utils.PyDataset):  # type: ignore[name-defined]
        """Random numbers of a step follow from seed, epoch and number, not from call order."""

        def __init__(self, bounds: np.ndarray, seed: int | None) -> None:
            super().__init__()
            self.bounds, self.seed, self.epoch = bounds, seed, -1
            self.on_epoch_end()

        def __len__(self) -> int:
            return len(self.bounds) - 1

        def on_epoch_end(self) -> None:
            self.epoch += 1
            self.order = np.arange(self.bounds[-1])
            if self.seed is not None:
                np.random.default_rng([self.seed, self.epoch]).shuffle(self.order)

        def chosen(self, number: int) -> np.ndarray:
            """Rows or tiles of a step."""
            return self.order[self.bounds[number] : self.bounds[number + 1]]

        def rng(self, number: int) -> np.random.Generator:
            """Generator of the other random numbers of a step."""
            return np.random.default_rng([self.seed or 0, self.epoch, number])

    return InSteps


def _step(
    examples: TileExamples,
    rows: np.ndarray,
    weights: np.ndarray,
    orientations: np.ndarray | None = None,
) -> tuple[Inputs, ...]:
    """Inputs of `sampled_pixels`, targets and weights; filled up with rows of no weight."""
    batch = examples.tiles.batch(examples.samples[rows], orientations)
    fill = (0, -len(rows) % _FILL)
    present = np.pad(np.ones(len(rows), np.float32), fill)
    inputs = (batch.images, batch.counts, np.pad(batch.places, fill), present)
    return inputs, np.pad(examples.targets[rows], fill), np.pad(weights[rows], fill)
