"""Networks that give a whole image one class: a compact one, and those of the literature.

All take reflectance (batch, side, side, bands), prepare it by layers of their own, and return
probabilities. So training and every later use of the file prepare images in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from landcover.classifiers.networks.backend import keras_module, load_weights
from landcover.errors import InputError, LandcoverError, reading_error
from landcover.files.atomic import Fields

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor, Variable

#: Builds a backbone from an image's shape and the name of weights.
Backbone: TypeAlias = "Callable[[tuple[int, int, int], str | None], keras.Model]"
#: Turns pictures into what weights were trained with.
Pictures: TypeAlias = "Callable[[KerasTensor, str | Path], KerasTensor]"

#: Side of the images that the networks are made for.
IMAGE_PX = 64
#: Filters of the compact network's stages; the side of the image halves between them.
COMPACT_FILTERS = (48, 96, 192)
COMPACT_DROPOUT = 0.2
#: ImageNet's mean and deviation of red, green and blue, for pictures of 0 to 1.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: Blocks of the stages of the 50-layer residual networks.
_BLOCKS_50 = (3, 4, 6, 3)
#: Weights that are statistics, not learned.
_STATISTICS = ("moving_mean", "moving_variance", "/mean", "/variance", "/count")
HEADS = ("concat-512", "dense-256")


def build_image_network(
    kind: str,
    n_bands: int,
    n_classes: int,
    means: Sequence[float],
    stds: Sequence[float],
    white: float | None = None,
    weights: str | Path | None = None,
    head: str = "concat-512",
) -> keras.Model:
    """A network of one of `IMAGE_NETWORKS`.

    Parameters
    ----------
    kind : str
        Key of `IMAGE_NETWORKS`.
    n_bands, n_classes : int
        Inputs and outputs.
    means, stds : sequence of float
        Reflectance of every band over the training images, which standardises them. Backbones
        with weights get pictures in the way that ImageNet's weights were made for instead.
    white : float, optional
        Reflectance above which pictures are white; images brighter than that are clipped.
    weights : "imagenet" or path, optional
        ImageNet's weights of the backbone, by name where Keras has them, or from a file: the
        ``..._notop.h5`` that Keras downloads, or the same in a ``.weights.h5`` that
        `save_weights` wrote of the backbone. They are of pictures: bands must be red, green and
        blue in this order, with `white` given. Weights that were learnt from other images load as
        well and mean nothing, since they see ImageNet's form. None draws weights at random.
    head : {"concat-512", "dense-256"}
        What follows a backbone. "concat-512": mean and maximum over the image, batch
        normalisation, dropout, a dense layer of 512, and again (Howard & Gugger 2020,
        doi:10.3390/info11020108). "dense-256": mean over the image, a dense layer of 256, dropout.

    Returns
    -------
    keras.Model
        (batch, 64, 64, n_bands) to probabilities (batch, n_classes); a backbone is its layer
        ``backbone``. The compact network takes any side of 32 and more.

    Raises
    ------
    InputError
        If kind or head are unknown, or weights do not fit.
    """
    if kind not in IMAGE_NETWORKS:
        raise InputError(f"network {kind!r} is unknown; choose {', '.join(IMAGE_NETWORKS)}")
    if head not in HEADS:
        raise InputError(f"head {head!r} is unknown; choose {' or '.join(HEADS)}")
    keras = keras_module()
    network = IMAGE_NETWORKS[kind]
    side = IMAGE_PX if network.backbone else None
    inputs = keras.layers.Input((side, side, n_bands), name="reflectance")
    x = inputs if white is None else keras.ops.clip(inputs, 0.0, white)
    if network.backbone:
        x = _prepared(x, network, means, stds, white, weights)
        x = _headed(_backbone(kind, network.backbone, n_bands, weights)(x), head)
    elif weights is None:
        x = _compact(_normalised(x, means, stds))
    else:
        raise InputError(f"weights {weights} are of a backbone; the {kind} network has none")
    x = keras.layers.Dense(n_classes, name="scores")(x)
    outputs = keras.layers.Activation("softmax", dtype="float32", name="classes")(x)
    return keras.Model(inputs, outputs, name=kind.replace("-", "_"))


def layer_table(model: keras.Model) -> list[Fields]:
    """Layers of a network that have weights, those of a backbone one by one.

    Returns
    -------
    list of dict
        ``name``, ``kind``, ``output`` (shape without the batch), ``parameters`` that training
        may change, ``trainable`` (whether it may now), and ``statistics``: running moments.
    """
    rows: list[Fields] = []
    for layer in model.layers:
        if isinstance(layer, keras_module().Model):
            rows += layer_table(layer)
        elif layer.weights:
            statistics = _count(w for w in layer.weights if w.path.endswith(_STATISTICS))
            rows.append(
                {
                    "name": layer.name,
                    "kind": type(layer).__name__,
                    "output": list(layer.output.shape[1:]),
                    "parameters": _count(layer.weights) - statistics,
                    "trainable": _count(layer.trainable_weights),
                    "statistics": statistics,
                }
            )
    return rows


def _count(weights: Iterable[Variable]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _normalised(x: KerasTensor, means: Sequence[float], stds: Sequence[float]) -> KerasTensor:
    keras = keras_module()
    variances = [std**2 for std in stds]
    # In float32 whatever the rest computes in: bands of little contrast need the digits
    return keras.layers.Normalization(mean=list(means), variance=variances, dtype="float32")(x)


def _compact(x: KerasTensor) -> KerasTensor:
    """Four stages of plain and residual 3 x 3 convolutions, mean and maximum over the image."""
    keras = keras_module()
    first, second, third = COMPACT_FILTERS
    x = _convolved(x, first, 4, 2, pool=True)
    x = _residual(x, first)
    x = _convolved(x, second, pool=True)
    x = _residual(x, second)
    x = _convolved(x, third, pool=True)
    x = _convolved(x, third)
    return keras.layers.Dropout(COMPACT_DROPOUT)(_mean_and_maximum(x))


def _convolved(
    x: KerasTensor,
    filters: int,
    side: int = 3,
    stride: int = 1,
    relu: bool = True,
    pool: bool = False,
) -> KerasTensor:
    """Convolution, batch normalisation, and the larger of the result and 0.

    Where only the largest of 2 x 2 places is kept, it is kept before normalisation, which costs
    more than the convolution and then has a quarter to do.
    """
    layers = keras_module().layers
    x = layers.Conv2D(filters, side, stride, padding="same", use_bias=False)(x)
    x = layers.MaxPooling2D()(x) if pool else x
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if relu else x


def _residual(x: KerasTensor, filters: int) -> KerasTensor:
    return keras_module().layers.Add()([x, _convolved(_convolved(x, filters), filters)])


def _mean_and_maximum(x: KerasTensor) -> KerasTensor:
    layers = keras_module().layers
    return layers.Concatenate()(
        [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    )


def _headed(x: KerasTensor, head: str) -> KerasTensor:
    """The layers between a backbone and the scores of classes."""
    layers = keras_module().layers
    if head == "dense-256":
        x = layers.Dense(256, activation="relu")(layers.GlobalAveragePooling2D()(x))
        return layers.Dropout(0.5)(x)
    x = layers.Dropout(0.25)(layers.BatchNormalization()(_mean_and_maximum(x)))
    x = layers.Dense(512, activation="relu", use_bias=False)(x)
    return layers.Dropout(0.5)(layers.BatchNormalization()(x))


def _prepared(
    x: KerasTensor,
    network: ImageNetwork,
    means: Sequence[float],
    stds: Sequence[float],
    white: float | None,
    weights: str | Path | None,
) -> KerasTensor:
    """Bands in the form of a backbone: standardised, or as its weights' training pictures."""
    layers = keras_module().layers
    if weights is None:
        x = _normalised(x, means, stds)
    elif white is None or len(means) != 3:
        raise InputError(
            f"weights {weights} are of red, green and blue pictures, not of {len(means)} bands of "
            "reflectance; train without weights, or on the RGB set"
        )
    else:
        x = network.pictures(layers.Rescaling(1 / white)(x), weights)
    return layers.Rescaling(255.0)(x) if network.divides_by_255 else x


def _standardised_pictures(x: KerasTensor, _weights: str | Path) -> KerasTensor:
    """Pictures less ImageNet's mean, by its deviation."""
    return _normalised(x, *_IMAGENET)


def _centred_pictures(x: KerasTensor, _weights: str | Path) -> KerasTensor:
    """Blue first, less the means of 0 to 255, as Keras' preprocess_input has it."""
    x = keras_module().layers.Rescaling(255.0)(x)[..., ::-1]
    return _normalised(x, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))


def _contrast_of_imagenet(x: KerasTensor, weights: str | Path) -> KerasTensor:
    """What Keras' EfficientNet does to pictures when it gets ImageNet's weights by name alone.

    Distances from ImageNet's mean are divided by the root of its deviation, as the weights were
    trained with (tensorflow issue 49930); a file of the same weights brings no layer that does.
    """
    if weights == "imagenet":
        return x
    means, stds = _IMAGENET
    roots = [math.sqrt(std) for std in stds]
    return _normalised(x, [m * (1 - root) for m, root in zip(means, roots, strict=True)], roots)


def _backbone(kind: str, build: Backbone, n_bands: int, weights: str | Path | None) -> keras.Model:
    """The convolutions of a network of the literature, its weights loaded."""
    keras = keras_module()
    shape = (IMAGE_PX, IMAGE_PX, n_bands)
    named = "imagenet" if weights == "imagenet" else None
    try:
        model = build(shape, named)
        if weights is not None and named is None:
            load_weights(model, weights)
    except LandcoverError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise reading_error(error)(
            f"weights {weights} cannot be had for {kind} ({reason}); give a file of this backbone "
            "with weights=, or none"
        ) from error
    return keras.Model(model.inputs[0], model.outputs[0], name="backbone")


def _application(name: str) -> Backbone:
    def build(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
        make = getattr(keras_module().applications, name)
        return make(include_top=False, weights=weights, input_shape=shape)

    return build


def _wide_resnet(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    """The 50-layer residual network with bottlenecks twice as wide.

    Zagoruyko & Komodakis 2016, doi:10.5244/C.30.87; strides in the 3 x 3 convolutions.
    """
    keras = keras_module()
    if weights is not None:
        raise InputError(
            "Keras has no ImageNet weights of wide-resnet50-2; give a file with weights=, or none"
        )
    inputs = keras.layers.Input(shape)
    x = _convolved(inputs, 64, 7, 2)
    x = keras.layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, blocks in enumerate(_BLOCKS_50):
        for block in range(blocks):
            x = _bottleneck(x, 64 * 2**stage, stride=2 if stage and not block else 1)
    return keras.Model(inputs, x)


def _bottleneck(x: KerasTensor, filters: int, stride: int) -> KerasTensor:
    """Narrow to 2 `filters`, 3 x 3, widen to 4 `filters`, and what came in added."""
    layers = keras_module().layers
    kept = x
    if stride > 1 or x.shape[-1] != 4 * filters:
        kept = _convolved(x, 4 * filters, 1, stride, relu=False)
    x = _convolved(x, 2 * filters, 1)
    x = _convolved(x, 2 * filters, 3, stride)
    x = _convolved(x, 4 * filters, 1, relu=False)
    return layers.ReLU()(layers.Add()([kept, x]))


@dataclass(frozen=True)
class ImageNetwork:
    """A network of whole images.

    Attributes
    ----------
    backbone : callable, optional
        Builds its convolutions from an image's shape and the name of weights. Without one the
        network is built as a whole and takes images of any side.
    pictures : callable
        Pictures of 0 to 1, and the weights, to what the weights were trained with.
    divides_by_255 : bool
        Whether the backbone takes values of 0 to 255 and divides them itself.
    """

    backbone: Backbone | None = None
    pictures: Pictures = _standardised_pictures
    divides_by_255: bool = False


#: Networks by name.
IMAGE_NETWORKS = {
    "compact": ImageNetwork(),
    "resnet50": ImageNetwork(_application("ResNet50"), _centred_pictures),
    "wide-resnet50-2": ImageNetwork(_wide_resnet),
    "vgg16": ImageNetwork(_application("VGG16"), _centred_pictures),
    "efficientnet-b0": ImageNetwork(
        _application("EfficientNetB0"), _contrast_of_imagenet, divides_by_255=True
    ),
}
