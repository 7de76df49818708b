"""Batches of labelled tiles: of one date, of a fixed sequence, or of dates drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.learnt_dates import spread, turn_th
from landcover.classifiers.networks.backend import Inputs
from landcover.classifiers.networks.batches import batches
from landcover.samples.labelled_tiles import LabelledTiles, turned_alike

if TYPE_CHECKING:
    import keras

#: Tiles of a step, and of an epoch at least: where there are fewer, each is shown again, turned
#: another way and with other dates. Epochs of ten steps ended the training before it had begun.
STEP_TILES, EPOCH_TILES = 16, 384


@dataclass(frozen=True)
class SequenceTiles:
    """Labelled tiles as a network is to see them.

    Attributes
    ----------
    tiles : LabelledTiles
        With all dates.
    weights : array of float32 (tiles, side, side)
        Of every pixel, 0 where nothing is learnt. A batch gives 0 too where none of its dates
        shows the pixel.
    days : array of int (dates,), optional
        Days of year; None where the network is not told them.
    together : int
        Dates of a sample: one, all of them, or so many drawn again for every batch.
    as_sequence : bool
        Whether the network takes an axis of dates.
    shows : array of bool (tiles, dates), optional
        Which dates show something of a tile; a single date is then drawn among these alone.
    """

    tiles: LabelledTiles
    weights: np.ndarray
    days: np.ndarray | None
    together: int
    as_sequence: bool
    shows: np.ndarray | None = None

    def inputs(self, images: np.ndarray, dates: np.ndarray) -> Inputs:
        """Tiles (tiles, side, side, dates, bands) and the dates (tiles, together) to be seen."""
        seen = np.take_along_axis(images, dates[:, None, None, :, None], axis=3)
        seen = seen.transpose(0, 3, 1, 2, 4) if self.as_sequence else seen[..., 0, :]
        if self.days is None:
            return np.ascontiguousarray(seen)
        return np.ascontiguousarray(seen), self.days[dates].astype(np.float32)

    def shown(self, images: np.ndarray, dates: np.ndarray) -> np.ndarray:
        """Pixels (tiles, side, side) that at least one of the dates to be seen shows, bool."""
        valid = np.isfinite(images).all(axis=4)
        return np.asarray(np.take_along_axis(valid, dates[:, None, None, :], axis=3).any(axis=3))

    def drawn(self, rows: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """Dates (tiles, together) that some tiles show, ascending; without a generator, spread."""
        held = self.tiles.images.shape[3]
        if self.together == held:
            return np.broadcast_to(np.arange(held), (len(rows), held))
        if self.together == 1 and self.shows is not None:
            number = self.shows[rows].sum(axis=1)
            number = np.maximum(number, 1)
            turn = rows % number if rng is None else rng.integers(number)
            return turn_th(self.shows[rows], turn)[:, np.newaxis]
        if rng is None:
            if self.together == 1:
                return (rows % held)[:, np.newaxis]
            return np.broadcast_to(spread(range(held), self.together), (len(rows), self.together))
        if self.as_sequence:  # one draw for the whole batch
            one = np.sort(rng.permutation(held)[: self.together])
            return np.broadcast_to(one, (len(rows), self.together))
        return rng.integers(held, size=(len(rows), self.together))


def labelled_batches(
    examples: SequenceTiles, seed: int | None = None, turn: bool = False
) -> keras.utils.PyDataset:
    """Steps of tiles; with a seed they are shuffled, and their dates drawn, again every epoch."""
    tiles = examples.tiles
    times = 1 if seed is None else -(-EPOCH_TILES // len(tiles))

    def step(shown: np.ndarray, rng: np.random.Generator) -> tuple[Inputs, ...]:
        rows = shown % len(tiles)
        images = tiles.images[rows]
        targets, weights = tiles.targets[rows], examples.weights[rows]
        if turn:
            orientations = rng.integers(8, size=len(rows))
            images, (targets, weights) = turned_alike(images, [targets, weights], orientations)
        dates = examples.drawn(rows, None if seed is None else rng)
        weights = weights * examples.shown(images, dates)
        return examples.inputs(images, dates), targets, weights

    return batches(times * len(tiles), STEP_TILES, step, seed)
