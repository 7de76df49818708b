"""The temporal CNN: convolutions along the dates of a pixel's year.

After Pelletier, Webb and Petitjean (2019, doi:10.3390/rs11050523): three convolutions of 64 filters
over five dates, and a dense layer of 256.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from landcover.classifiers.networks.architectures import standardised
from landcover.classifiers.networks.backend import keras_module

if TYPE_CHECKING:
    import keras

FILTERS, LENGTH, LAYERS, UNITS = 64, 5, 3, 256
DROPOUT = 0.3


def build_temporal_cnn(
    n_dates: int, n_bands: int, n_classes: int, mean: Sequence[float], variance: Sequence[float]
) -> keras.Model:
    """A network of values (batch, dates, bands), without gaps, to probabilities (batch, classes).

    Parameters
    ----------
    n_dates, n_bands, n_classes : int
        Dates, which are always these; bands of a date; outputs.
    mean, variance : sequence of float
        Of every band over the training samples.
    """
    keras = keras_module()
    values = keras.layers.Input((n_dates, n_bands), name="reflectance")
    x = standardised(values, n_bands, mean, variance)
    for _ in range(LAYERS):
        x = keras.layers.Conv1D(FILTERS, LENGTH, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.Dropout(DROPOUT)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(UNITS, use_bias=False)(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(DROPOUT)(x)
    outputs = keras.layers.Dense(n_classes, activation="softmax", name="classes")(x)
    return keras.Model(values, outputs, name="temporal_cnn")
