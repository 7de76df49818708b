"""A U-Net of every date under a bidirectional ConvLSTM.

After Sefrin, Riese and Keller (2021, doi:10.3390/rs13010078). The U-Net gives a map of class
probabilities a date; a ConvLSTM of 3 x 3 filters, as many as classes, reads these maps forwards and
another one backwards. With C classes they have 8 C (18 C + 1) weights: 9,280 for eight. Other than
there, the logarithms of probabilities are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from landcover.classifiers.networks.backend import keras_module
from landcover.classifiers.networks.unet import TILE_PX

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

KERNEL_PX = 3
#: States lie between -1 and 1; so many times their sum are the scores of the classes.
_SCALE = 4.0
#: Added to the forget gate's input, so that an untrained cell remembers.
_REMEMBERED = 1.0
#: A probability p is read as 1 + log(p) / _SPAN, and one below _LEAST as _LEAST. What dates say of
#: a pixel multiplies, so their logarithms add up.
_LEAST, _SPAN = 1e-4, 4.0


def build_conv_lstm(n_dates: int, classes: int) -> keras.Model:
    """A bidirectional ConvLSTM over what a U-Net says of so many dates.

    Returns
    -------
    keras.Model
        Probabilities (batch, dates, 32, 32, classes), the dates in the order of time, to
        probabilities (batch, 32, 32, classes). Where a date is masked, by NaN, a pixel's state
        stays as it was.
    """
    keras = keras_module()
    ops = keras.ops
    said = keras.layers.Input((n_dates, TILE_PX, TILE_PX, classes), name="said_of_dates")
    missing = ops.any(ops.isnan(said), axis=-1, keepdims=True)
    present = ops.where(missing, 0.0, 1.0)
    maps = 1 + ops.log(ops.maximum(ops.where(missing, 1.0, said), _LEAST)) / _SPAN
    forwards = conv_lstm(maps, present, range(n_dates), "forwards")
    backwards = conv_lstm(maps, present, range(n_dates - 1, -1, -1), "backwards")
    scores = _SCALE * (forwards + backwards)
    outputs = keras.layers.Activation("softmax", dtype="float32", name="classes")(scores)
    return keras.Model(said, outputs, name="temporal")


def build_unet_convlstm(unet: keras.Model, temporal: keras.Model) -> keras.Model:
    """A U-Net of single dates under a ConvLSTM.

    Parameters
    ----------
    unet : keras.Model
        From `build_unet`, dated; its weights are shared by all dates.
    temporal : keras.Model
        From `build_conv_lstm`, of the same classes.

    Returns
    -------
    keras.Model
        Reflectance (batch, dates, 32, 32, bands) and days of year (batch, dates) to probabilities
        (batch, 32, 32, classes). Masked is a pixel of a date of which a band is NaN.
    """
    keras = keras_module()
    ops = keras.ops
    bands, (n_dates, *square, classes) = unet.inputs[0].shape[-1], temporal.inputs[0].shape[1:]
    values = keras.layers.Input((n_dates, *square, bands), name="reflectance")
    days = keras.layers.Input((n_dates,), name="day_of_year")
    said = unet([ops.reshape(values, (-1, *square, bands)), ops.reshape(days, (-1, 1))])
    said = ops.reshape(said, (-1, n_dates, *square, classes))
    missing = ops.any(ops.isnan(values), axis=-1, keepdims=True)
    outputs = temporal(ops.where(missing, float("nan"), said))
    return keras.Model([values, days], outputs, name="unet_convlstm")


def conv_lstm(
    maps: KerasTensor, present: KerasTensor, order: Sequence[int], name: str
) -> KerasTensor:
    """The last state of a ConvLSTM that reads maps in an order.

    Shi et al. (2015, arXiv:1506.04214), as Keras' ConvLSTM2D has it. That layer knows no masked
    pixels, so the recurrence is written out.

    Parameters
    ----------
    maps : tensor (batch, dates, rows, cols, classes)
        What is read.
    present : tensor (batch, dates, rows, cols, 1)
        1 where a date is valid, 0 where it is masked: nothing is read there and the state stays.
    order : sequence of int
        Of the dates.
    name : str
        What its layers are called.
    """
    keras = keras_module()
    ops = keras.ops
    _, dates, rows, cols, filters = maps.shape
    read = keras.layers.Conv2D(4 * filters, KERNEL_PX, padding="same", name=f"{name}_maps")
    recall = keras.layers.Conv2D(
        4 * filters, KERNEL_PX, padding="same", use_bias=False, name=f"{name}_state",
        kernel_initializer="orthogonal",
    )  # fmt: skip
    seen = read(ops.reshape(maps * present, (-1, rows, cols, filters)))
    seen = ops.reshape(seen, (-1, dates, rows, cols, 4 * filters))
    state = memory = ops.zeros_like(maps[:, 0])
    for date in order:
        gates = seen[:, date] + recall(state)
        let_in, forget, new, let_out = ops.split(gates, 4, axis=-1)
        kept = ops.sigmoid(forget + _REMEMBERED) * memory
        next_memory = kept + ops.sigmoid(let_in) * ops.tanh(new)
        next_state = ops.sigmoid(let_out) * ops.tanh(next_memory)
        here = present[:, date] > 0
        state, memory = ops.where(here, next_state, state), ops.where(here, next_memory, memory)
    return state
