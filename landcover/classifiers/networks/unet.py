"""U-Nets: every pixel of a tile gets its class from what lies around it.

Ronneberger, Fischer and Brox (2015, doi:10.1007/978-3-319-24574-4_28). The half that looks closer
is a small one, or VGG19 or ResNet-50 as Keras has them, for any number of bands.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.networks.architectures import standardised
from landcover.classifiers.networks.backend import keras_module, load_weights
from landcover.errors import InputError, MissingProduct, reading_error

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

#: Side of tiles in pixels.
TILE_PX = 32
#: Filters of the small encoder; the side of the tile halves between them.
FILTERS = (16, 32, 64)
DROPOUT = 0.2
_DAYS = 365.25
#: Backbones of Keras, and the layers whose outputs the decoder sees again, the finest first.
_SEEN = {
    "vgg19": ("VGG19", ("block1_conv2", "block2_conv2", "block3_conv4", "block4_conv4")),
    "resnet50": ("ResNet50", ("conv1_relu", "conv2_block3_out", "conv3_block4_out")),
}
BACKBONES = ("small", *_SEEN)


@dataclass(frozen=True)
class Encoder:
    """What the half of a U-Net is that looks closer.

    Attributes
    ----------
    backbone : {"small", "vgg19", "resnet50"}
        Which one.
    weights : path, optional
        A file with the weights of a backbone of Keras, without its top; drawn at random without.
        Those of its first layer are of three bands: their mean serves every band.
    """

    backbone: str = "small"
    weights: str | Path | None = None

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise InputError(
                f"backbone {self.backbone!r} is unknown; choose among {', '.join(BACKBONES)}"
            )
        if self.weights is not None and self.backbone not in _SEEN:
            raise InputError(
                f"weights {self.weights} are of a backbone of Keras; choose backbone=vgg19 or "
                "backbone=resnet50, or leave them out"
            )
        if self.weights is not None and not Path(self.weights).is_file():
            raise MissingProduct(f"weights {self.weights} do not exist; check the path")
        if self.weights is not None:
            _require_hdf5(self.weights)


def _require_hdf5(path: str | Path) -> None:
    """Raise InputError unless a file is HDF5, as Keras keeps weights of its backbones."""
    import h5py

    if not h5py.is_hdf5(path):
        raise InputError(
            f"weights {path} are no HDF5 file, as Keras keeps those of its backbones; give one "
            "such as vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
        )


@dataclass(frozen=True)
class TileShape:
    """What a network of tiles takes and gives.

    Attributes
    ----------
    bands, classes : int
        Of a date, and of the outputs.
    mean, variance : tuple of float
        Of every band over the training tiles.
    dated : bool
        Whether it is told the day of year.
    """

    bands: int
    classes: int
    mean: tuple[float, ...]
    variance: tuple[float, ...]
    dated: bool


def build_unet(shape: TileShape, encoder: Encoder) -> keras.Model:
    """A U-Net of one image.

    Returns
    -------
    keras.Model
        Reflectance (batch, 32, 32, bands), NaN allowed, and where it is `dated` days of year
        (batch, 1), to probabilities (batch, 32, 32, classes).
    """
    keras = keras_module()
    values = keras.layers.Input((TILE_PX, TILE_PX, shape.bands), name="reflectance")
    inputs, x = [values], standardised(values, shape.bands, shape.mean, shape.variance)
    if shape.dated:
        days = keras.layers.Input((1,), name="day_of_year")
        inputs.append(days)
        x = keras.layers.Concatenate()([x, *_season(values, days)])
    x = _small(x) if encoder.backbone == "small" else _on_backbone(x, encoder)
    outputs = keras.layers.Conv2D(shape.classes, 1, activation="softmax", name="classes")(x)
    return keras.Model(inputs if shape.dated else values, outputs, name="unet")


def _season(values: KerasTensor, days: KerasTensor) -> list[KerasTensor]:
    """Sine and cosine of the day of year, as bands."""
    ops = keras_module().ops
    angle = ops.reshape(days, (-1, 1, 1, 1)) * (2 * np.pi / _DAYS)
    # a product, since TensorFlow fails on a sum of a batch as long as a tile is wide
    flat = ops.ones_like(values[..., :1])
    return [flat * ops.sin(angle), flat * ops.cos(angle)]


def _small(x: KerasTensor) -> KerasTensor:
    """The small encoder and the decoder."""
    keras = keras_module()
    kept = []
    for filters in FILTERS[:-1]:
        x = _convolved(x, filters)
        kept.append(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dropout(DROPOUT)(_convolved(x, FILTERS[-1]))
    return _decoded(x, kept, FILTERS[:-1])


def _decoded(x: KerasTensor, kept: Sequence[KerasTensor], widths: Sequence[int]) -> KerasTensor:
    """The half that widens again, which sees the finer layers too."""
    keras = keras_module()
    for skip, filters in zip(reversed(kept), reversed(widths), strict=True):
        x = keras.layers.UpSampling2D()(x)
        x = _convolved(keras.layers.Concatenate()([x, skip]), filters)
    return x


def _convolved(x: KerasTensor, filters: int) -> KerasTensor:
    layers = keras_module().layers
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x


def _on_backbone(x: KerasTensor, encoder: Encoder) -> KerasTensor:
    """A backbone of Keras and the decoder, up to the side of the tile."""
    keras = keras_module()
    name, seen = _SEEN[encoder.backbone]
    model = _backbone(name, x.shape[-1], encoder.weights)
    outputs = [model.get_layer(layer).output for layer in seen]
    *kept, x = keras.Model(model.inputs[0], outputs, name="backbone")(x)
    widths = [16 * 2**number for number in range(len(kept))]
    x = _decoded(x, kept, widths)
    if x.shape[1] < TILE_PX:  # a backbone that halves the tile at once
        x = _convolved(keras.layers.UpSampling2D()(x), widths[0])
    return x


def _backbone(name: str, n_inputs: int, weights: str | Path | None) -> keras.Model:
    """A backbone of Keras for any number of inputs, with the weights of a file."""
    build = getattr(keras_module().applications, name)

    def of(inputs: int) -> keras.Model:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras expects pictures of three bands
            return build(include_top=False, weights=None, input_shape=(TILE_PX, TILE_PX, inputs))

    model = of(n_inputs)
    if weights is None:
        return model
    pictures = of(3)
    try:
        load_weights(pictures, weights)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise reading_error(error)(
            f"weights {weights} cannot be had for {name} ({reason}); give the ..._notop.h5 of this "
            "backbone with weights=, or none"
        ) from error
    for own, given in zip(model.layers, pictures.layers, strict=True):
        own.set_weights(
            [
                value if value.shape == tuple(held.shape) else _for_bands(value, n_inputs)
                for held, value in zip(own.weights, given.get_weights(), strict=True)
            ]
        )
    return model


def _for_bands(kernel: np.ndarray, n_inputs: int) -> np.ndarray:
    """A first layer of three bands (rows, cols, 3, filters) for others, with the same sum."""
    mean = kernel.mean(axis=2, keepdims=True)
    return np.repeat(mean, n_inputs, axis=2) * (kernel.shape[2] / n_inputs)
