"""Networks that learn from labels of whole chips, and patch networks that start from them.

A tagger consists of the convolutions of a patch network, run densely over a chip, and a score for
each class at every place, pooled over the chip. So its weights fit the patch network layer by
layer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from landcover.classifiers.networks.backend import compiled, keras_module, prepare_optimizer
from landcover.classifiers.networks.batches import Examples, row_batches
from landcover.errors import InputError
from landcover.progress import track

if TYPE_CHECKING:
    import keras

#: Shapes of the weights of a layer, and its dilation where it has one.
Shapes: TypeAlias = tuple[list[tuple[int, ...]], tuple[int, ...] | None]

#: The layers of scores by place: of a tagger, and of a patch network.
_TAGS, _CLASSES = "tags", "classes"
#: How much the highest scores of a chip count: 0 would be the mean over its places, infinity the
#: maximum. With 5, that of Pinheiro & Collobert, a class on 1 % of the places loses 0.9 of a score.
SHARPNESS = 5.0
TAGGER_BATCH = 16
TAGGER_LEARNING_RATE = 3e-3
#: Share of all steps in which the rate climbs.
_CLIMB = 0.05
#: Chips of one prediction; their features take some 3 MB each.
_PREDICTED = 32


def build_tagger(patch_network: keras.Model, n_classes: int, multi: bool = True) -> keras.Model:
    """A network of whole chips around the convolutions of a patch network.

    The scores s of a class at all n places of a chip are pooled as log(sum(exp(r s)) / n) / r,
    r being `SHARPNESS` (Pinheiro & Collobert 2015, doi:10.1109/CVPR.2015.7298780). A label says
    that a class is somewhere on the chip: the mean would demand it everywhere, the maximum would
    teach one place at a time, and the noisy-or of thousands of places is 1 whatever they show.
    On a chip of the patch's size there is one place, and pooling leaves its score as it is.

    Parameters
    ----------
    patch_network : keras.Model
        From `build_cnn`. Its layers up to the 1 x 1 head are shared, not copied.
    n_classes : int
        Classes of the labels.
    multi : bool
        A chip has any number of classes (sigmoid), or one (softmax).

    Returns
    -------
    keras.Model
        (batch, rows, cols, bands), NaN allowed, to probabilities (batch, classes).
    """
    keras = keras_module()
    ops = keras.ops
    head = _stem(patch_network, _CLASSES)[-1]
    scores = keras.layers.Conv2D(n_classes, 1, name=_TAGS)(head.output)
    top = ops.max(scores, axis=(1, 2), keepdims=True)  # so that no exponential overflows
    mean = ops.mean(ops.exp(SHARPNESS * (scores - top)), axis=(1, 2))
    pooled = ops.squeeze(top, (1, 2)) + ops.log(mean) / SHARPNESS
    outputs = keras.layers.Activation("sigmoid" if multi else "softmax")(pooled)
    return keras.Model(patch_network.inputs[0], outputs, name=f"tagger_{patch_network.name}")


def start_from(network: keras.Model, tagger: keras.Model, frozen: bool = False) -> None:
    """Give a patch network the convolutions of a tagger, by their order.

    Parameters
    ----------
    network : keras.Model
        From `build_cnn`, with the means and variances of bands that the tagger was built with:
        its weights do not fit bands on another scale.
    tagger : keras.Model
        From `build_tagger`, of the same patch size and bands.
    frozen : bool
        The convolutions and their batch normalisation stay as they are; only the layer that
        gives the classes learns.

    Raises
    ------
    InputError
        If layers differ, or bands are standardised otherwise; the network is unchanged then.
    """
    ours, theirs = _stem(network, _CLASSES), _stem(tagger, _TAGS)
    shapes, needed = _shapes(ours), _shapes(theirs)
    if shapes != needed:
        raise InputError(
            f"{network.name} has {_in_words(shapes)}, and {tagger.name} {_in_words(needed)}; "
            "start from an encoder of the same patch size and bands"
        )
    if not all(
        np.allclose(*pair) for pair in zip(_moments(network), _moments(tagger), strict=True)
    ):
        raise InputError(
            f"{network.name} standardises its bands otherwise than {tagger.name}; build it with "
            "the encoder's means and variances"
        )
    for own, other in zip(ours, theirs, strict=True):
        own.set_weights(other.get_weights())
        own.trainable = not frozen


def fit_tagger(
    model: keras.Model,
    train: Examples,
    validation: Examples,
    *,
    seed: int,
    epochs: int,
    seconds: float | None = None,
    name: str | None = None,
) -> dict[str, list[float]]:
    """Train a tagger in place, each chip turned and flipped at random: land has no up.

    Adam (Kingma & Ba 2015, arXiv:1412.6980) on cross-entropy; the rate climbs for a twentieth of
    the steps and falls to nothing with a cosine.

    Parameters
    ----------
    model : keras.Model
        From `build_tagger`.
    train, validation : Examples
        Chips to learn from, and those of the validation curve. Targets are 0 or 1 of every
        class, (chips, classes), or for chips of one class its position, (chips,).
    seed : int
        Of the order of chips and of turns.
    epochs : int
        At most.
    seconds : float, optional
        Training ends with the epoch in which this time is over.
    name : str, optional
        What the progress bar calls it.

    Returns
    -------
    dict
        Learning curves: loss and val_loss, one value an epoch.
    """
    keras = keras_module()
    batches = _batches(train, seed)
    steps = epochs * len(batches)
    climb = max(1, round(_CLIMB * steps))
    rate = keras.optimizers.schedules.CosineDecay(
        TAGGER_LEARNING_RATE / climb, max(1, steps - climb),
        warmup_target=TAGGER_LEARNING_RATE, warmup_steps=climb,
    )  # fmt: skip
    losses = keras.losses
    multi = train.targets.ndim == 2
    model.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss=losses.BinaryCrossentropy() if multi else losses.SparseCategoricalCrossentropy(),
        jit_compile=compiled(),
    )
    prepare_optimizer(model)
    progress = track(range(epochs), f"training {name or model.name}", may_end_early=True)
    next(progress)
    ends = time.monotonic() + seconds if seconds is not None else np.inf

    def on_epoch(_epoch: int, logs: object = None) -> None:
        next(progress, None)
        model.stop_training = time.monotonic() >= ends

    try:
        found = model.fit(
            batches,
            validation_data=_batches(validation),
            epochs=epochs,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=on_epoch)],
            shuffle=False,  # the batches shuffle themselves, by the seed
            verbose=0,
        ).history
    finally:
        progress.close()
    return {curve: [round(float(v), 6) for v in found[curve]] for curve in ("loss", "val_loss")}


def predict_tags(model: keras.Model, chips: Examples) -> np.ndarray:
    """Probabilities (chips, classes) of a tagger; targets are not used."""
    places = np.arange(len(chips.targets))
    parts = [
        np.asarray(model.predict_on_batch(chips.inputs(places[start : start + _PREDICTED])))
        for start in range(0, len(places), _PREDICTED)
    ]
    return np.concatenate(parts)


def _batches(chips: Examples, seed: int | None = None) -> keras.utils.PyDataset:
    """Steps as Keras takes them; with a seed in another order every epoch, and turned."""
    return row_batches(chips, TAGGER_BATCH, chips.targets.shape[1:], seed, turn=seed is not None)


def _stem(network: keras.Model, last: str) -> list[keras.layers.Layer]:
    """Layers with weights below the layer of that name, the lowest first."""
    names = [layer.name for layer in network.layers]
    if last not in names:
        raise InputError(
            f"{network.name} has no layer {last!r}; give a network of valid convolutions, or a "
            "tagger that was built on one"
        )
    return [layer for layer in network.layers[: names.index(last)] if layer.weights]


def _shapes(layers: list[keras.layers.Layer]) -> list[Shapes]:
    """What tells layers apart: shapes of weights, and dilations."""
    return [
        ([tuple(weight.shape) for weight in layer.weights], getattr(layer, "dilation_rate", None))
        for layer in layers
    ]


def _in_words(shapes: list[Shapes]) -> str:
    """The convolutions among layers: side, inputs, outputs and dilation of each."""
    kernels = [(weights[0], steps[0]) for weights, steps in shapes if steps is not None]
    return ", ".join(
        f"{kernel[0]}x{kernel[1]} {kernel[2]}-{kernel[3]}" + (f" by {step}" if step > 1 else "")
        for kernel, step in kernels
    )


def _moments(network: keras.Model) -> np.ndarray:
    """Mean and variance of every band, (2, bands)."""
    kind = keras_module().layers.Normalization
    layer = next(layer for layer in network.layers if isinstance(layer, kind))
    return np.stack([np.ravel(layer.mean), np.ravel(layer.variance)])
