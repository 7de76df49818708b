"""Training of one patch network on samples of a run, whatever it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from landcover.classifiers.scaling import fit_scaling
from landcover.run import Run
from landcover.samples.rows import Rows, class_weights, weights_of
from landcover.stages.inputs import pixel_inputs

#: Epochs without a lower validation loss after which training ends.
PATIENCE = 5


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

    tagger: Any
    scaling: dict[str, list[float]]
    frozen: bool


class PatchTraining:
    """A patch network to be trained on some rows, and what it needs of the scene.

    Parameters
    ----------
    run : Run
        Run folder with scene and samples.
    rows : Rows
        What to train on; the network has their classes.
    patch_size : int
        Side of a patch in pixels.
    seed : int
        Of every random draw.
    published : bool
        The published network instead of that of valid convolutions.
    train_on : {"auto", "chips", "tiles"}
        See `networks.plan`.
    start : Start, optional
        Encoder to start from, of the network's patch size and bands; weights are drawn without.

    Raises
    ------
    LandcoverError
        If tiles are asked for of the published network, or the encoder has other layers.
    """

    def __init__(
        self,
        run: Run,
        rows: Rows,
        patch_size: int,
        seed: int,
        published: bool = False,
        train_on: str = "auto",
        start: Start | None = None,
    ):
        from landcover.classifiers import networks
        from landcover.files import rasters

        self.bands, _ = pixel_inputs(run, rows.samples)
        self._builder = networks.build_published if published else networks.build_cnn
        self._patch_size, self._seed, self._classes = patch_size, seed, len(rows.legend)
        self._start = start
        row, col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
        model = self._build(self.scaling(rows))
        self.way = networks.plan(model, row[rows.train], col[rows.train], train_on)
        scene = run.require("scene")
        self._held = self.way.hold(lambda window: rasters.read(scene, window), row, col)

    def scaling(self, rows: Rows) -> dict[str, list[float]]:
        """Means and deviations of the bands over the training rows, or those of the encoder."""

        if self._start is not None:
            return self._start.scaling
        return fit_scaling(rows.values(rows.train, self.bands, ())[0])

    def _build(self, scaling: dict[str, list[float]]) -> Any:
        from landcover.classifiers import networks

        networks.seed_everything(self._seed)
        variances = np.square(scaling["stds"]).tolist()
        model = self._builder(
            self._patch_size, len(self.bands), self._classes, scaling["means"], variances
        )
        if self._start is not None:
            networks.start_from(model, self._start.tagger, self._start.frozen)
        return model

    def fit(
        self,
        rows: Rows,
        epochs: int,
        name: str,
        class_weight: str | None = None,
        patience: int = PATIENCE,
    ) -> tuple[Any, dict[str, list[float]]]:
        """A trained network, and its learning curves; parameters as of `networks.fit`."""
        from landcover.classifiers import networks

        model = self._build(self.scaling(rows))
        weights = class_weights(rows, class_weight)

        def examples(part: np.ndarray) -> Any:
            targets = rows.targets(part)
            return self.way.examples(self._held, part, targets, weights_of(targets, weights))

        history = networks.fit(
            model,
            examples(rows.train),
            examples(rows.validation),
            seed=self._seed,
            epochs=epochs,
            patience=patience,
            learning_rate=self.way.learning_rate,
            turn=True,
            name=name + rows.remark,
        )
        return model, history

    def predict(self, model: Any, part: np.ndarray) -> np.ndarray:
        """Probabilities (rows, classes) of some rows of the sample table."""
        from landcover.classifiers import networks

        anything = np.zeros(len(part), np.int32)
        return networks.predict_examples(model, self.way.examples(self._held, part, anything))
