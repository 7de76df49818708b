"""Patch networks on tiles: convolutions that neighbouring samples share.

Lower layers run densely over a tile, because patches of neighbouring samples need the same
features there. Upper layers run at the samples alone: a 3 x 3 convolution of dilation d needs
nine places around each, two of them 81, and features gathered in that order make every dilated
convolution a plain one of stride 3.

With fixed normalisation, loss and gradients are those of chips. In training, batch normalisation
weights every feature by how often the samples read it, whether it was computed densely or
gathered. So a step does not depend on how its samples were put into tiles. But the samples of a
step are neighbours, and their moments are not those of the scene. So batch renormalisation
(Ioffe 2017, arXiv:1702.03275) is used: it normalises by the running moments, with the gradient of
batch normalisation.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.networks.backend import keras_module

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

#: Share of the running moments that a step keeps: about half an epoch of steps count.
_MOMENTUM = 0.98
#: How far a step's deviation and mean may be corrected: the bounds of the paper.
_LARGEST_RATIO, _LARGEST_SHIFT = 3.0, 5.0


def sampled_pixels(network: keras.Model, side: int, dense: int) -> keras.Model:
    """A network that shares the weights of a patch network and predicts samples on tiles.

    Parameters
    ----------
    network : keras.Model
        From `build_cnn`.
    side : int
        Side of the tiles in pixels.
    dense : int
        Layers of 3 x 3 convolutions to compute densely; the others at the samples.

    Returns
    -------
    keras.Model
        (images, counts, places, present) to probabilities (samples, classes). The first three are
        those of `tiles.Batch`; `present` (samples,) is 1, or 0 for rows of padding.
    """
    keras = keras_module()
    ops = keras.ops
    kinds = (keras.layers.BatchNormalization, keras.layers.ReLU)
    norms = [layer for layer in network.layers if isinstance(layer, kinds[0])]
    last = max(n for n, layer in enumerate(network.layers) if isinstance(layer, kinds[1]))
    head = network.layers[last + 1 :]
    scaling = next(x for x in network.layers if isinstance(x, keras.layers.Normalization))
    convolutions = convolutions_of(network)
    steps = [layer.dilation_rate[0] for layer in convolutions]
    offsets = _offsets(steps[dense:])
    reach = sum(steps[dense:])

    class SampledPixels(keras.Model):  # type: ignore[name-defined]
        """Dense below, samples above."""

        def __init__(self) -> None:
            super().__init__(name=network.name)
            self.network = network

        def call(self, inputs: KerasTensor, training: bool = False) -> KerasTensor:
            images, counts, places, present = inputs
            x = scaling(images)
            x = ops.where(ops.isnan(x), 0.0, x)
            weights = _reads(ops, counts, steps[1:])
            for layer, norm, read in zip(
                convolutions[:dense], norms[:dense], weights[:dense], strict=True
            ):
                x = _normalised(norm, layer(x), read, training)
            x = _gathered(ops, x, places, side, reach, offsets)
            for layer, norm in zip(convolutions[dense:], norms[dense:], strict=True):
                x = ops.conv(x, layer.kernel, strides=3)
                read = ops.reshape(present, (-1, 1, 1)) * ops.ones_like(x[..., 0])
                x = _normalised(norm, x, read, training)
            for layer in head:
                dropout = isinstance(layer, keras.layers.Dropout)
                x = layer(x, training=training) if dropout else layer(x)
            return ops.reshape(x, (-1, x.shape[-1]))

    return SampledPixels()


def convolutions_of(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers of 3 x 3 convolutions of a network, the lowest first."""
    kind = keras_module().layers.Conv2D
    return [x for x in network.layers if isinstance(x, kind) and x.kernel_size == (3, 3)]


def _offsets(steps: list[int]) -> np.ndarray:
    """Where along an axis the upper layers read for one sample, three places together a layer."""
    found = np.zeros(1, np.int32)
    for step in reversed(steps):
        found = (found[:, np.newaxis] + step * np.array([-1, 0, 1], np.int32)).ravel()
    return found


def _gathered(
    ops: ModuleType,
    x: KerasTensor,
    places: KerasTensor,
    side: int,
    reach: int,
    offsets: np.ndarray,
) -> KerasTensor:
    """Features (tiles, side + 2 reach, ...) around samples, (samples, n, n, features)."""
    width = side + 2 * reach
    tile, row, col = places // side**2, places // side % side, places % side
    along = ops.convert_to_tensor(offsets + reach, "int32")
    rows = (tile * width + row)[:, None] + along
    at = rows[:, :, None] * width + (col[:, None] + along)[:, None, :]
    return ops.take(ops.reshape(x, (-1, x.shape[-1])), at, axis=0)


def _reads(ops: ModuleType, counts: KerasTensor, steps: list[int]) -> list[KerasTensor]:
    """How often samples read each place of every layer's output, the lowest layer first."""
    found = [counts]
    for step in reversed(steps):
        wide = found[0]
        for axis in (1, 2):
            pads = [(0, 0)] * 3
            shifted = []
            for shift in range(3):
                pads[axis] = (shift * step, (2 - shift) * step)
                shifted.append(ops.pad(wide, pads))
            wide = shifted[0] + shifted[1] + shifted[2]
        found.insert(0, wide)
    return found


def _normalised(
    norm: keras.layers.BatchNormalization,
    x: KerasTensor,
    weights: KerasTensor,
    training: bool,
) -> KerasTensor:
    """Batch renormalisation over weighted places, and ReLU."""
    ops = keras_module().ops
    mean, variance = norm.moving_mean, norm.moving_variance
    if training and norm.trainable:
        share = weights / ops.sum(weights)
        known_mean, known_variance = ops.copy(mean), ops.copy(variance)
        mean = ops.einsum("bhw,bhwc->c", share, x)
        variance = ops.einsum("bhw,bhwc->c", share, ops.square(x - mean))
        # About the running mean, so that the variance between steps is part of it
        wide = variance + ops.square(mean - known_mean)
        for moving, now in ((norm.moving_mean, mean), (norm.moving_variance, wide)):
            moving.assign(moving * _MOMENTUM + now * (1 - _MOMENTUM))
        deviation = ops.sqrt(known_variance + norm.epsilon)
        ratio = ops.sqrt(variance + norm.epsilon) / deviation
        shift = (mean - known_mean) / deviation
        x = _renormalised(ops, x, mean, variance + norm.epsilon, ratio, shift)
        return ops.relu(x * norm.gamma + norm.beta)
    return ops.relu(
        ops.batch_normalization(
            x, mean, variance, axis=-1, offset=norm.beta, scale=norm.gamma, epsilon=norm.epsilon
        )
    )


def _renormalised(
    ops: ModuleType,
    x: KerasTensor,
    mean: KerasTensor,
    variance: KerasTensor,
    ratio: KerasTensor,
    shift: KerasTensor,
) -> KerasTensor:
    """Features normalised by a step's moments, with a correction that has no gradient."""
    ratio = ops.clip(ops.stop_gradient(ratio), 1 / _LARGEST_RATIO, _LARGEST_RATIO)
    shift = ops.clip(ops.stop_gradient(shift), -_LARGEST_SHIFT, _LARGEST_SHIFT)
    return (x - mean) * ops.rsqrt(variance) * ratio + shift
