"""Lightweight temporal attention: a network that weighs the dates of a pixel's year.

After Garnot and Landrieu (2020, doi:10.1007/978-3-030-65742-0_12). Every head has one query for all
pixels and its own share of the channels. A query times a linear key is itself linear in the date's
embedding, so it is one layer here: the same functions with fewer products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.networks.architectures import standardised
from landcover.classifiers.networks.backend import keras_module

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

#: Channels of a date's embedding, heads that share them, and units before the classes: with ten
#: bands and nine classes about 9,000 weights.
CHANNELS, HEADS, HIDDEN = 64, 8, 48
DROPOUT = 0.1
#: Longest period of the positional encoding, in days over 2 pi.
PERIOD = 1000.0
#: What a masked date's score is lowered by: its weight is exactly 0 then.
_MASKED = 1e9


def build_ltae(
    n_bands: int, n_classes: int, mean: Sequence[float], variance: Sequence[float]
) -> keras.Model:
    """A network of the dates of a pixel, however many they are and in whatever order.

    Parameters
    ----------
    n_bands, n_classes : int
        Bands of a date, and outputs.
    mean, variance : sequence of float
        Of every band over the training samples.

    Returns
    -------
    keras.Model
        Values (batch, dates, bands), in which a date with NaN is masked and does not enter, and
        days of year (batch, dates), to probabilities (batch, classes).
    """
    keras = keras_module()
    ops = keras.ops
    values = keras.layers.Input((None, n_bands), name="reflectance")
    days = keras.layers.Input((None,), name="day_of_year")
    masked = ops.any(ops.isnan(values), axis=-1, keepdims=True)
    x = standardised(values, n_bands, mean, variance)
    x = keras.layers.Dense(CHANNELS, activation="relu", name="bands")(x)
    x = keras.layers.Dense(CHANNELS, name="embedding")(x)
    x = keras.layers.LayerNormalization()(x) + _positions(days)
    scores = keras.layers.Dense(HEADS, use_bias=False, name="queries")(x)
    weights = ops.softmax(ops.where(masked, -_MASKED, scores), axis=1)
    parts = keras.layers.Reshape((-1, HEADS, CHANNELS // HEADS))(x)
    attended = ops.sum(ops.expand_dims(weights, -1) * parts, axis=1)
    x = keras.layers.Reshape((CHANNELS,))(attended)
    x = keras.layers.Dense(HIDDEN, use_bias=False, name="hidden")(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(DROPOUT)(x)
    outputs = keras.layers.Dense(n_classes, activation="softmax", name="classes")(x)
    return keras.Model([values, days], outputs, name="ltae")


def _positions(days: KerasTensor) -> KerasTensor:
    """Sine and cosine of the day of year at many periods, (batch, dates, channels)."""
    ops = keras_module().ops
    rates = PERIOD ** (-np.arange(0, CHANNELS, 2, dtype=np.float32) / CHANNELS)
    angles = ops.expand_dims(days, -1) * rates.reshape(1, 1, -1)
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
