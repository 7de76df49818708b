"""The choice between training a patch network on chips and on tiles, by estimated cost.

The cost is the number of multiplications that one sample takes in an epoch: those of the
convolutions, and for every feature those of normalising, comparing and moving it. The two
constants come from timing single layers on two CPU cores; benchmarks/training.py compares
estimates with measured times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.networks.batches import STEP_TILES, Examples, TileExamples
from landcover.classifiers.networks.tile_network import convolutions_of
from landcover.errors import InputError
from landcover.files.atomic import Fields
from landcover.grid import Window
from landcover.samples.chips import Squares, read_chips
from landcover.samples.tiles import Tiles, tiles_of

if TYPE_CHECKING:
    import keras

BATCHES_OF = ("auto", "chips", "tiles")
SIDES = (1, 2, 4, 8, 16, 32, 64)
#: At the start. Steps of tiles hold samples that resemble each other: with the rate of chips,
#: training stops before it has learned as much. Measured: docs/performance.md.
LEARNING_RATES = {"chips": 1e-3, "tiles": 2e-3}

#: Least number of steps in an epoch: with fewer, the weights learn too little from each pass.
_LEAST_STEPS = 80
#: Multiplications that take as long as the work on one feature outside the convolutions.
_FEATURE = 200
#: How much slower a multiplication is in the small convolutions of gathered features.
_GATHERED = 2.5


@dataclass(frozen=True)
class Plan:
    """A way of training a patch network.

    Attributes
    ----------
    way : {"chips", "tiles"}
        Chips one by one, or tiles of samples with shared convolutions.
    patch_size : int
        Side of a patch.
    cost : float
        Estimated multiplications a sample.
    side : int
        Side of the tiles in pixels.
    dense : int
        Layers that are computed densely on them.
    """

    way: str
    patch_size: int
    cost: float
    side: int = 0
    dense: int = 0

    @property
    def learning_rate(self) -> float:
        """What `fit` takes."""
        return LEARNING_RATES[self.way]

    def hold(
        self, read: Callable[[Window], np.ndarray], rows: np.ndarray, cols: np.ndarray
    ) -> Squares | Tiles:
        """Read what samples need of a scene, see `chips.squares`."""
        if self.way == "chips":
            return read_chips(read, rows, cols, self.patch_size)
        return Tiles.around(read, rows, cols, self.side, self.patch_size // 2)

    def examples(
        self,
        held: Squares | Tiles,
        part: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Examples | TileExamples:
        """Some of the samples that are held, as `fit` and `predict_examples` take them."""
        if isinstance(held, Tiles):
            return TileExamples(held, part, self.dense, targets, weights)
        return Examples(lambda batch: held.batch(part[batch]), targets, weights)

    def as_dict(self) -> Fields:
        """What a model's card says of it."""
        if self.way == "chips":
            return {"train_on": "chips"}
        return {"train_on": "tiles", "tile_px": self.side, "dense_layers": self.dense}


def plan(
    network: keras.Model, rows: np.ndarray, cols: np.ndarray, batches_of: str = "auto"
) -> Plan:
    """The cheapest way of training a network on some samples.

    Parameters
    ----------
    network : keras.Model
        From `build_cnn`, or `build_published`, which sees chips only.
    rows, cols : arrays of int (samples,)
        Pixels of the training samples.
    batches_of : {"auto", "chips", "tiles"}
        What to choose from.

    Raises
    ------
    InputError
        If `batches_of` is unknown, or tiles are asked for of a padded network.
    """
    if batches_of not in BATCHES_OF:
        raise InputError(
            f"batches_of {batches_of!r} is unknown; choose among {', '.join(BATCHES_OF)}"
        )
    dense = len(network.output_shape) == 4
    if batches_of == "tiles" and not dense:
        raise InputError(
            "the published network pads its patches and cannot be trained on tiles; "
            "train it on chips"
        )
    if not dense:
        return Plan("chips", network.input_shape[1], float("nan"))
    plans = list(ways(network, np.asarray(rows), np.asarray(cols)))
    return min((p for p in plans if batches_of in ("auto", p.way)), key=lambda p: p.cost)


def ways(network: keras.Model, rows: np.ndarray, cols: np.ndarray) -> Iterator[Plan]:
    """Every way of training a dense network, with its cost; parameters as of `plan`."""
    layers = [
        (layer.dilation_rate[0], *layer.kernel.shape[2:]) for layer in convolutions_of(network)
    ]
    size = 1 + 2 * sum(dilation for dilation, _, _ in layers)
    yield Plan("chips", size, _dense_cost(layers, 1, 0))
    for side in SIDES:
        tiles = len(tiles_of(rows, cols, side)[0])
        if side > 1 and tiles < STEP_TILES * _LEAST_STEPS:
            return
        for dense in range(1, len(layers) + 1):
            lower, upper = layers[:dense], layers[dense:]
            reach = sum(dilation for dilation, _, _ in upper)
            cost = _dense_cost(lower, side, reach) * tiles / len(rows) + _sampled_cost(upper)
            gathered = 9 ** len(upper) * lower[-1][2] * _FEATURE / 2
            yield Plan("tiles", size, cost + gathered, side, dense)


def _dense_cost(layers: list[tuple[int, int, int]], side: int, reach: int) -> float:
    """Multiplications of layers whose last output is a square of `side` and twice `reach`."""
    cost, width = 0.0, side + 2 * reach
    for dilation, inputs, outputs in reversed(layers):
        cost += width**2 * outputs * (9 * inputs + _FEATURE)
        width += 2 * dilation
    return cost


def _sampled_cost(layers: list[tuple[int, int, int]]) -> float:
    """Multiplications of layers that are computed at one sample alone."""
    cost, places = 0.0, 1
    for _, inputs, outputs in reversed(layers):
        cost += places * outputs * (9 * inputs * _GATHERED + _FEATURE)
        places *= 9
    return cost
