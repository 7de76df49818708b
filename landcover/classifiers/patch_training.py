"""Training of one patch network on samples of scenes, whatever it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """A patch network to be trained on some rows, and what it needs of their scenes.

    Parameters
    ----------
    scenes : sequence of path
        Rasters that hold the bands; the patches of all rows are read from them now. Which one a
        row is of, its column `stacked.SCENE` says, where there are several.
    bands : sequence of str
        Bands that the network reads, in order.
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
        self,
        scenes: Sequence[Path],
        bands: Sequence[str],
        rows: Rows,
        network: PatchNetwork,
        seed: int,
    ) -> None:
        from landcover.classifiers import networks
        from landcover.samples.stacked import Stacked

        self.bands, self._network, self._seed = tuple(bands), network, seed
        self._classes = len(rows.legend)
        ground = Stacked.of(scenes, self.bands)
        row, col = ground.places(rows.samples)
        model = self._build(self.scaling(rows))
        self.way = networks.plan(model, row[rows.train], col[rows.train], network.batches_of)
        self._held = self.way.hold(ground.read, row, col)

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self._network.patch_size

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

    def space(self, model: Network, rows: Rows) -> Space:
        """What a network decides by: the units of its last hidden layer, and the bands themselves.

        A unit weighs as far as classes differ in it. Hidden layers tell apart what they have
        learnt, and may give what is new, such as clouds, the units of something known. The bands
        show that it is new. Together they vary as much as the units do.
        """
        from landcover.classifiers import networks

        hidden = networks.hidden_network(model)
        means, stds = (np.array(self.scaling(rows)[key]) for key in ("means", "stds"))

        def describe(part: np.ndarray) -> np.ndarray:
            offsets = np.nan_to_num(rows.values(part, self.bands, ())[0] - means)
            return np.hstack([self.predict(hidden, part), offsets])

        def weigh(part: np.ndarray) -> np.ndarray:
            of_units = networks.weights_of_units(model)
            spread = np.linalg.norm(of_units * self.predict(hidden, part).std(axis=0))
            varying = spread / np.sqrt(len(stds))
            return np.append(
                of_units, np.divide(varying, stds, np.zeros_like(stds), where=stds > 0)
            )

        return Space(describe, weigh)
