"""Training networks on whole images: stages, schedules of the learning rate, augmentation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.networks.backend import (
    compiled,
    keras_module,
    keras_on_cpu,
    prepare_optimizer,
)
from landcover.classifiers.networks.batches import batches
from landcover.classifiers.networks.image_architectures import layer_table
from landcover.classifiers.networks.image_recipes import Recipe, Stage
from landcover.errors import InputError
from landcover.files.atomic import Fields
from landcover.files.machine import processor_facts
from landcover.progress import track

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor, Variable

PRECISIONS_OF_TRAINING = ("auto", "float32", "bfloat16")
CURVES = ("loss", "val_loss", "accuracy", "val_accuracy")
#: Share of a stage's steps in which a rate that falls with a cosine climbs first.
_CLIMB = 0.05
#: Thirds of a backbone's layers and the share of the rate that they learn at, where rates differ.
_DISCRIMINATIVE = (0.01, 0.1, 1.0)


@dataclass(frozen=True)
class Images:
    """Images to learn from or to judge by.

    Attributes
    ----------
    read : callable
        Indices to reflectance, float32 (n, side, side, bands).
    targets : array of int (n,)
        Classes as positions in the legend.
    """

    read: Callable[[np.ndarray], np.ndarray]
    targets: np.ndarray


def fit_images(
    model: keras.Model,
    train: Images,
    validation: Images,
    recipe: Recipe,
    seed: int = 0,
    seconds: float | None = None,
    name: str | None = None,
) -> dict[str, list[float]]:
    """Train a network on images, in place, with Adam.

    Parameters
    ----------
    model : keras.Model
        From `build_image_network`.
    train, validation : Images
        Images to learn from, and those that decide on curves, plateaus and stopping.
    recipe : Recipe
        How.
    seed : int
        Of the order of the images and of their views. Without `seconds` it gives, together with
        `seed_everything` before building, the same weights on one machine.
    seconds : float, optional
        Training ends after so long, and its schedules with it. A stage that others follow takes
        at most half of what is left.
    name : str, optional
        What the progress bar calls it.

    Returns
    -------
    dict
        Learning curves: `CURVES` and learning_rate, one value an epoch.
    """
    history: dict[str, list[float]] = {}
    ends = time.monotonic() + (seconds or 0)
    for number, stage in enumerate(recipe.stages, 1):
        left = None if seconds is None else ends - time.monotonic()
        if left is not None and number < len(recipe.stages):
            left /= 2
        title = f"training {name or model.name}, stage {number} of {len(recipe.stages)}"
        for curve, values in _fit_stage(
            model, train, validation, recipe, stage, seed + number, left, title
        ).items():
            history.setdefault(curve, []).extend(values)
    freeze_backbone(model, False)
    return history


def train_image_network(
    build: Callable[[], keras.Model],
    train: Images,
    validation: Images,
    recipe: Recipe,
    seed: int = 0,
    seconds: float | None = None,
    precision: str = "auto",
    name: str | None = None,
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Build and train a network in some precision; the trained network computes in float32.

    Parameters
    ----------
    build : callable
        Makes the network, by `build_image_network`.
    precision : {"auto", "float32", "bfloat16"}
        Of products in training; weights and sums stay float32. "auto" takes bfloat16 on a GPU,
        and on a processor that has instructions for it.

    Other parameters are those of `fit_images`.

    Returns
    -------
    keras.Model, dict
        The network and its learning curves.
    """
    keras = keras_module()
    kept = keras.config.dtype_policy()
    if precision_of(precision) == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        trained = build()
        history = fit_images(trained, train, validation, recipe, seed, seconds, name)
    finally:
        keras.config.set_dtype_policy(kept)
    model = build()
    model.set_weights(trained.get_weights())
    return model, history


def precision_of(choice: str) -> str:
    """What a choice of precision means on this machine.

    Raises
    ------
    InputError
        If the choice is unknown.
    """
    if choice not in PRECISIONS_OF_TRAINING:
        raise InputError(
            f"precision {choice!r} is unknown; choose {', '.join(PRECISIONS_OF_TRAINING)}"
        )
    if choice != "auto":
        return choice
    return "bfloat16" if not keras_on_cpu() or "avx512_bf16" in processor_facts() else "float32"


def freeze_backbone(model: keras.Model, frozen: bool) -> None:
    """Let a network's backbone learn, or nothing of it but batch normalisation."""
    normalisation = keras_module().layers.BatchNormalization
    for layer in _backbone_layers(model):
        layer.trainable = not frozen or isinstance(layer, normalisation)


def parameters_of(model: keras.Model, recipe: Recipe) -> Fields:
    """How many parameters a network has, and which of them a recipe trains.

    Returns
    -------
    dict
        ``layers``, of `layer_table` in the first stage, and ``parameters``: ``all``,
        ``trainable_first`` and ``trainable_last`` (in the first and last stage), and
        ``statistics``, which no stage trains and ``all`` leaves out.
    """
    tables = []
    for stage in (recipe.stages[0], recipe.stages[-1]):
        freeze_backbone(model, stage.frozen)
        tables.append(layer_table(model))
    freeze_backbone(model, False)
    layers = tables[0]
    trained = [sum(layer["trainable"] for layer in table) for table in tables]
    return {
        "layers": layers,
        "parameters": {
            "all": sum(layer["parameters"] for layer in layers),
            "trainable_first": trained[0],
            "trainable_last": trained[1],
            "statistics": sum(layer["statistics"] for layer in layers),
        },
    }


def _backbone_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Layers of the backbone, the first ones first; the compact network has none."""
    return next((layer.layers for layer in model.layers if layer.name == "backbone"), [])


def _fit_stage(
    model: keras.Model,
    train: Images,
    validation: Images,
    recipe: Recipe,
    stage: Stage,
    seed: int,
    seconds: float | None,
    title: str,
) -> dict[str, list[float]]:
    """Train one stage; its curves."""
    freeze_backbone(model, stage.frozen)
    _compile(model, recipe, stage)
    classes = model.output_shape[-1]
    steps = -(-len(train.targets) // recipe.batch_size)
    progress = track(range(stage.epochs), title, may_end_early=True)
    next(progress)
    rates: list[float] = []
    pace = _Pace(stage.epochs * steps, seconds)
    try:
        found = model.fit(
            _batches(train, recipe, classes, seed),
            validation_data=_batches(validation, recipe, classes),
            epochs=stage.epochs,
            callbacks=_callbacks(model, stage, pace, progress, rates),
            shuffle=False,  # the batches shuffle themselves, by the seed
            verbose=0,
        ).history
    finally:
        progress.close()
    if model.optimizer.use_ema:
        _measure_statistics(model, _batches(train, recipe, classes, seed))
    curves = {curve: found[curve] for curve in CURVES} | {"learning_rate": rates}
    return {curve: [round(float(v), 6) for v in values] for curve, values in curves.items()}


def _compile(model: keras.Model, recipe: Recipe, stage: Stage) -> None:
    """Give a network the optimiser and the loss of a stage."""
    cosine = stage.schedule == "cosine"
    kept = recipe.mean_of_weights if cosine else None
    model.compile(
        optimizer=_adam(
            _shares(model, stage),
            recipe.weight_decay,
            learning_rate=stage.learning_rate * (_cosine(0.0) if cosine else 1.0),
            global_clipnorm=recipe.clip_norm,
            use_ema=kept is not None,
            ema_momentum=kept or 0.0,
        ),
        loss=keras_module().losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=compiled(),
    )
    prepare_optimizer(model)


def _callbacks(
    model: keras.Model, stage: Stage, pace: _Pace, progress: Iterator[int], rates: list[float]
) -> list[keras.callbacks.Callback]:
    """The schedule of a stage, its end, its progress bar and the rates of its epochs."""
    keras = keras_module()

    def on_step(_step: int, logs: object = None) -> None:
        pace.step += 1
        if stage.schedule == "cosine":
            _set_rate(model, stage.learning_rate * _cosine(pace.share()))
        model.stop_training = model.stop_training or pace.share() >= 1

    def on_epoch(_epoch: int, logs: object = None) -> None:
        rates.append(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)))
        next(progress, None)

    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=on_step, on_epoch_end=on_epoch)]
    if stage.schedule == "plateau":
        callbacks += [
            keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=3),
            keras.callbacks.EarlyStopping(patience=7, restore_best_weights=True),
        ]
    return callbacks


def _set_rate(model: keras.Model, rate: float) -> None:
    """Set the learning rate of the steps to come, within an epoch too."""
    # JAX's trainer passes its variables from step to step; a value set outside is lost unless the
    # trainer has written them back first
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    model.optimizer.learning_rate = rate


def _measure_statistics(model: keras.Model, batches: keras.utils.PyDataset) -> None:
    """Means and variances of batch normalisation, over an epoch, for weights that are new to it."""
    kind = keras_module().layers.BatchNormalization
    layers = [
        layer for layer in (*model.layers, *_backbone_layers(model)) if isinstance(layer, kind)
    ]
    usual = [layer.momentum for layer in layers]
    for number in range(len(batches)):
        for layer in layers:
            layer.momentum = number / (number + 1)  # so that all batches have equal weight
        model(batches[number][0], training=True)
    for layer, momentum in zip(layers, usual, strict=True):
        layer.momentum = momentum


class _Pace:
    """How far a stage has come: by steps or by time, whichever is further."""

    def __init__(self, steps: int, seconds: float | None) -> None:
        self.step, self._steps, self._seconds = 0, steps, seconds
        self._began = time.monotonic()

    def share(self) -> float:
        """0 at the beginning, 1 at the end."""
        by_time = 0.0
        if self._seconds is not None:
            by_time = (time.monotonic() - self._began) / max(self._seconds, 1e-3)
        return min(1.0, max(self.step / self._steps, by_time))


def _cosine(share: float) -> float:
    """Share of the highest rate at a share of a stage."""
    if share < _CLIMB:
        return max(share, 1e-3) / _CLIMB
    return 0.5 + 0.5 * float(np.cos(np.pi * (share - _CLIMB) / (1 - _CLIMB)))


def _batches(
    images: Images, recipe: Recipe, classes: int, seed: int | None = None
) -> keras.utils.PyDataset:
    """Steps as Keras takes them; with a seed in another order every epoch, and in other views."""
    one_hot = np.eye(classes, dtype=np.float32)

    def step(rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        shown = images.read(rows)
        if seed is not None:
            shown = recipe.augmentation.views(shown, rng)
        return shown, one_hot[images.targets[rows]]

    return batches(len(images.targets), recipe.batch_size, step, seed)


def _shares(model: keras.Model, stage: Stage) -> list[float]:
    """Share of the learning rate of every trainable weight in a stage."""
    if stage.discriminative:
        return shares_of_rate(model)
    return [1.0] * len(model.trainable_variables)


def shares_of_rate(model: keras.Model) -> list[float]:
    """Share of the learning rate of every trainable weight, where early layers learn slowly."""
    layers = [layer for layer in _backbone_layers(model) if layer.weights]
    shares: dict[int, float] = {}
    for number, layer in enumerate(layers):
        share = _DISCRIMINATIVE[number * len(_DISCRIMINATIVE) // len(layers)]
        shares |= {id(weight): share for weight in layer.weights}
    return [shares.get(id(weight), 1.0) for weight in model.trainable_variables]


def _adam(
    shares: Sequence[float], weight_decay: float, **settings: float | None
) -> keras.optimizers.Optimizer:
    """Adam with decoupled weight decay; weights learn and decay at their share of the rate."""
    keras = keras_module()

    class Adam(keras.optimizers.Adam):  # type: ignore[name-defined]
        """Steps of a weight as long as its share says."""

        def update_step(
            self,
            gradient: KerasTensor,
            variable: Variable,
            learning_rate: KerasTensor,
        ) -> None:
            # By position: some backends hand over a variable of their own in the weight's place
            share = shares[self._get_variable_index(variable)]
            rate = learning_rate * share
            # Keras' own decay is the same for all weights
            self.assign_sub(variable, variable * weight_decay * rate)
            super().update_step(gradient, variable, rate)

    return Adam(**settings)
