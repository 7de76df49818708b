"""The networks: patch CNN of valid convolutions, the published CNN, MLP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.networks.backend import keras_module
from landcover.errors import InputError
from landcover.samples.chips import radius_of

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

MLP_UNITS = (400, 300, 200)
MLP_DROPOUT = 0.3
#: Filters by the number of 3 x 3 layers, then of the 1 x 1 layer behind them. Early layers, which
#: run on the most pixels of a chip, are narrow. With three layers, patches of 7 and 9, a network
#: nine times as costly (32, 64, 128) learns coarse labels no better: docs/performance.md. Widths
#: are multiples of 16, the numbers that a vector of the processor holds.
CNN_FILTERS = {
    1: (128, 128),
    2: (64, 128, 128),
    3: (32, 16, 32, 48),
    4: (32, 48, 64, 128, 128),
    5: (24, 32, 48, 64, 128, 128),
    6: (16, 32, 32, 64, 64, 128, 128),
}
CNN_DROPOUT = 0.3
PUBLISHED_FILTERS = (8, 16, 32, 64, 128, 128)
PUBLISHED_DENSE = 1000
MIN_PATCH, MAX_PATCH = 3, 61


def check_patch_size(patch_size: int) -> None:
    """Raise InputError unless there is a network for patches of that size: odd, 3 to 61."""
    radius_of(patch_size)
    if not MIN_PATCH <= patch_size <= MAX_PATCH:
        raise InputError(
            f"patch size {patch_size} is out of range; "
            f"choose an odd size from {MIN_PATCH} to {MAX_PATCH}"
        )


def dilations(patch_size: int) -> tuple[int, ...]:
    """Dilations of the 3 x 3 layers whose receptive field is exactly `patch_size`.

    A valid 3 x 3 convolution of dilation d widens the field by 2 d, so the
    dilations add up to the radius. Two plain layers come first; then each is
    at most one more than the sum of those before it, so no pixel of the patch
    is skipped (the gridding of Yu et al. 2017, arXiv:1705.09914).

    Parameters
    ----------
    patch_size : int
        Odd, 3 to 61.

    Returns
    -------
    tuple of int
        Ascending; at most six.

    Examples
    --------
    >>> dilations(7), dilations(61)
    ((1, 1, 1), (1, 1, 2, 4, 7, 15))
    """
    check_patch_size(patch_size)
    rest, found = radius_of(patch_size) - 1, []
    while rest:
        found.append((rest + 1) // 2)
        rest //= 2
    return (1, *reversed(found))


def build_cnn(
    patch_size: int,
    n_bands: int,
    n_classes: int,
    mean: Sequence[float] | None = None,
    variance: Sequence[float] | None = None,
) -> keras.Model:
    """A patch network of valid convolutions, which gives the same result on a chip and densely.

    Parameters
    ----------
    patch_size : int
        Receptive field in pixels: odd, 3 to 61.
    n_bands, n_classes : int
        Inputs and outputs.
    mean, variance : sequence of float, optional
        Of every band over the training samples; 0 and 1 by default.

    Returns
    -------
    keras.Model
        (batch, rows, cols, bands) of any size from patch_size up, NaN allowed, to
        probabilities (batch, rows - patch_size + 1, cols - patch_size + 1, classes).
    """
    keras = keras_module()
    inputs = keras.layers.Input((None, None, n_bands), name="reflectance")
    x = standardised(inputs, n_bands, mean, variance)
    steps = dilations(patch_size)
    *widths, head = CNN_FILTERS[len(steps)]
    for filters, dilation in zip(widths, steps, strict=True):
        x = keras.layers.Conv2D(filters, 3, dilation_rate=dilation, use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(head, 1, activation="relu")(x)
    x = keras.layers.Dropout(CNN_DROPOUT)(x)
    outputs = keras.layers.Conv2D(n_classes, 1, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name=f"cnn_{patch_size}x{patch_size}")


def build_published(
    patch_size: int,
    n_bands: int,
    n_classes: int,
    mean: Sequence[float] | None = None,
    variance: Sequence[float] | None = None,
) -> keras.Model:
    """The same-padded patch network of the published method, for comparison.

    Six 3 x 3 convolutions (8, 16, 32, 64, 128, 128 filters) that keep the chip's
    size, a dense layer of 1000, softmax. Its padding depends on where a chip ends, so it
    must be run chip by chip.

    Parameters are those of `build_cnn`.

    Returns
    -------
    keras.Model
        (batch, patch_size, patch_size, bands) to probabilities (batch, classes).
    """
    keras = keras_module()
    check_patch_size(patch_size)
    inputs = keras.layers.Input((patch_size, patch_size, n_bands), name="reflectance")
    x = standardised(inputs, n_bands, mean, variance)
    for filters in PUBLISHED_FILTERS:
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(PUBLISHED_DENSE, activation="relu")(x)
    outputs = keras.layers.Dense(n_classes, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name=f"published_{patch_size}x{patch_size}")


def build_mlp(
    n_inputs: int,
    n_classes: int,
    mean: Sequence[float] | None = None,
    variance: Sequence[float] | None = None,
    type_counts: Sequence[int] = (),
) -> keras.Model:
    """A multilayer perceptron of 400, 300 and 200 units with dropout.

    Parameters
    ----------
    n_inputs, n_classes : int
        Bands and features together; classes.
    mean, variance : sequence of float, optional
        Of every input over the training samples; 0 and 1 by default.
    type_counts : sequence of int
        For every layer of segment types, how many types there are, 0 (nodata) included.

    Returns
    -------
    keras.Model
        (batch, n_inputs), and (batch, layers) integer types where there are any, to
        probabilities (batch, classes). Types become one-hot inside.
    """
    keras = keras_module()
    values = keras.layers.Input((n_inputs,), name="values")
    inputs = [values]
    x = standardised(values, n_inputs, mean, variance)
    if type_counts:
        types = keras.layers.Input((len(type_counts),), dtype="int32", name="segment_types")
        inputs.append(types)
        one_hot = [
            # A type unknown in training counts as nodata
            keras.ops.one_hot(keras.ops.where(types[:, layer] < count, types[:, layer], 0), count)
            for layer, count in enumerate(type_counts)
        ]
        x = keras.layers.Concatenate()([x, *one_hot])
    for units in MLP_UNITS:
        x = keras.layers.Dense(units, activation="relu")(x)
        x = keras.layers.Dropout(MLP_DROPOUT)(x)
    outputs = keras.layers.Dense(n_classes, activation="softmax", name="classes")(x)
    return keras.Model(inputs if type_counts else values, outputs, name="mlp")


def hidden_network(model: keras.Model) -> keras.Model:
    """A network up to its last hidden layer, whose units its classes are told by."""
    return keras_module().Model(
        model.inputs[0], model.layers[-1].input, name=f"{model.name}_hidden"
    )


def projected_network(model: keras.Model, projection: np.ndarray) -> keras.Model:
    """A network whose outputs are linear combinations of its last hidden units.

    Parameters
    ----------
    model : keras.Model
        From `build_cnn` or `build_published`.
    projection : array of float, (units, outputs)
        Factor of every unit in every output.
    """
    keras = keras_module()
    hidden, n = model.layers[-1].input, projection.shape[1]
    dense = len(model.output_shape) == 4
    layer = (
        keras.layers.Conv2D(n, 1, use_bias=False, name="coordinates")
        if dense
        else keras.layers.Dense(n, use_bias=False, name="coordinates")
    )
    projected = keras.Model(model.inputs[0], layer(hidden), name=f"{model.name}_projected")
    layer.set_weights([projection.reshape(layer.kernel.shape)])
    return projected


def weights_of_units(model: keras.Model) -> np.ndarray:
    """How far the last layer's classes differ in each hidden unit, array of float64 (units,).

    What a unit adds to all classes alike changes no probability.
    """
    kernel = np.asarray(model.layers[-1].kernel, np.float64)
    return kernel.reshape(-1, kernel.shape[-1]).std(axis=1)


def means_of_bands(model: keras.Model) -> np.ndarray:
    """What a missing value of each band counts as, array of float32 (bands,)."""
    kind = keras_module().layers.Normalization
    layer = next(layer for layer in model.layers if isinstance(layer, kind))
    return np.asarray(layer.mean, np.float32).ravel()


def standardised(
    inputs: KerasTensor,
    n: int,
    mean: Sequence[float] | None,
    variance: Sequence[float] | None,
) -> KerasTensor:
    """Inputs minus mean over deviation; NaN becomes 0, the mean."""
    keras = keras_module()
    means = np.zeros(n) if mean is None else np.asarray(mean, np.float64)
    variances = np.ones(n) if variance is None else np.asarray(variance, np.float64)
    # An input that never varied in training carries no information; dividing by its
    # deviation of 0 would give infinite values
    variances = np.where(variances > 0, variances, 1.0)
    x = keras.layers.Normalization(mean=means.tolist(), variance=variances.tolist())(inputs)
    return keras.ops.where(keras.ops.isnan(x), 0.0, x)
