"""Training of one patch network on samples of a scene, whatever it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.applicability import Space
from landcover.classifiers.scaling import fit_scaling

if TYPE_CHECKING:
    from landcover.classifiers.networks import Examples, Network, TileExamples
    from landcover.samples.rows import Rows

#: Epochs without a lower validation loss after which training ends.
PATIENCE = 5


@dataclass(frozen=True)
class PatchNetwork:
    """Which network is to be trained, and how its batches are made.

    Attributes
    ----------
    patch_size : int
        Side of a patch in pixels.
    published : bool
        The published network instead of that of valid convolutions.
    batches_of : {"auto", "chips", "tiles"}
        See `networks.plan`.
    start : Start, optional
        Encoder to start from, of the network's patch size and bands; weights are drawn without.
    """

    patch_size: int
    published: bool = False
    batches_of: str = "auto"
    start: Start | None = None


@dataclass(frozen=True)
class Start:
    """An encoder whose convolutions a patch network starts from.

    Attributes
    ----------
    tagger : keras.Model
        The encoder's network.
    scaling : dict
        Means and deviations of the bands that its weights belong to.
    frozen : bool
        Leave its convolutions as they are.
    """

    tagger: Network
    scaling: dict[str, list[float]]
    frozen: bool


class PatchTraining:
    """A patch network to be trained on some rows, and what it needs of the scene.

    Parameters
    ----------
    scene : path
        Raster that holds the bands; the patches of all rows are read from it now.
    bands : sequence of str
        Bands that the network reads, all that the scene has, in order.
    rows : Rows
        What to train on; the network has their classes.
    network : PatchNetwork
        What is to be trained.
    seed : int
        Of every random draw.

    Raises
    ------
    LandcoverError
        If tiles are asked for of the published network, or the encoder has other layers.
    """

    def __init__(
        self, scene: Path, bands: Sequence[str], rows: Rows, network: PatchNetwork, seed: int
    ) -> None:
        from landcover.classifiers import networks
        from landcover.files import rasters

        self.bands, self._network, self._seed = tuple(bands), network, seed
        self._classes = len(rows.legend)
        row, col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
        model = self._build(self.scaling(rows))
        self.way = networks.plan(model, row[rows.train], col[rows.train], network.batches_of)
        self._held = self.way.hold(lambda window: rasters.read(scene, window), row, col)

    def scaling(self, rows: Rows) -> dict[str, list[float]]:
        """Means and deviations of the bands over the training rows, or those of the encoder."""
        if self._network.start is not None:
            return self._network.start.scaling
        return fit_scaling(rows.values(rows.train, self.bands, ())[0])

    def _build(self, scaling: dict[str, list[float]]) -> Network:
        from landcover.classifiers import networks

        networks.seed_everything(self._seed)
        variances = np.square(scaling["stds"]).tolist()
        build = networks.build_published if self._network.published else networks.build_cnn
        size, start = self._network.patch_size, self._network.start
        model = build(size, len(self.bands), self._classes, scaling["means"], variances)
        if start is not None:
            networks.start_from(model, start.tagger, start.frozen)
        return model

    def fit(
        self,
        rows: Rows,
        epochs: int,
        name: str,
        class_weight: str | None = None,
        patience: int = PATIENCE,
    ) -> tuple[Network, dict[str, list[float]]]:
        """A trained network, and its learning curves.

        Epochs and patience are those of `networks.Schedule`.
        """
        from landcover.classifiers import networks
        from landcover.samples.rows import class_weights, weights_of

        model = self._build(self.scaling(rows))
        weights = class_weights(rows, class_weight)

        def examples(part: np.ndarray) -> Examples | TileExamples:
            targets = rows.targets(part)
            return self.way.examples(self._held, part, targets, weights_of(targets, weights))

        history = networks.fit(
            model,
            examples(rows.train),
            examples(rows.validation),
            networks.Schedule(epochs, learning_rate=self.way.learning_rate, patience=patience),
            seed=self._seed,
            turn=True,
            name=name + rows.remark,
        )
        return model, history

    def predict(self, model: Network, part: np.ndarray) -> np.ndarray:
        """Probabilities (rows, classes) of some rows of the sample table."""
        from landcover.classifiers import networks

        anything = np.zeros(len(part), np.int32)
        return networks.predict_examples(model, self.way.examples(self._held, part, anything))

    def space(self, model: Network) -> Space:
        """The last hidden layer of a network, and how far classes differ in each of its units."""
        from landcover.classifiers import networks

        hidden = networks.hidden_network(model)
        return Space(partial(self.predict, hidden), lambda _part: networks.weights_of_units(model))
