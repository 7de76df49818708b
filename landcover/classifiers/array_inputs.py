"""Arrays that a model is given to predict, checked and brought to one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from landcover.classifiers.protocol import Inputs
from landcover.errors import InputError
from landcover.scene.feature_names import windowed
from landcover.scene.sequence import Dates
from landcover.sensors import HIGHEST_MEDIAN, reflectance_bands, sensor_of

if TYPE_CHECKING:
    import pandas as pd


def pixels_of(
    image: np.ndarray | pd.DataFrame,
    segment_types: np.ndarray | pd.DataFrame | None,
    inputs: Inputs,
    name: str,
) -> tuple[np.ndarray, np.ndarray | None]:
    """An image or table as (bands, rows, cols), and its types as (layers, rows, cols).

    Parameters
    ----------
    image, segment_types
        As for `Model.predict`.
    inputs : Inputs
        What the model reads.
    name : str
        Of the model, for messages.

    Returns
    -------
    pixels : array of float32 (bands, rows, cols)
        NaN where masked; a table is one row of pixels.
    types : array (layers, rows, cols) or None
        None where the model reads no layers.

    Raises
    ------
    InputError
        If an array has another shape than the model needs, or holds no reflectance.
    """
    from landcover.scene.segmentation.types import type_column

    layers = inputs.segment_layers
    columns = [type_column(layer) for layer in layers]
    image = _numbers(_in_order(image, inputs.bands, "image", name), inputs.bands)
    if segment_types is not None:
        segment_types = _in_order(segment_types, columns, "segment_types", name)
    as_table = image.ndim == 2
    if as_table and (inputs.patch_size > 1 or windowed(inputs.features)):
        raise InputError(
            f"image has 2 dimensions, and model {name} sees the pixels around a pixel; "
            f"give an image (bands, rows, cols) of bands {' '.join(inputs.bands)}"
        )
    pixels = image.T[:, np.newaxis] if as_table else image
    if pixels.ndim != 3 or len(pixels) != len(inputs.bands):
        raise InputError(
            f"image has the shape {image.shape}, and model {name} reads the bands "
            f"{' '.join(inputs.bands)}; give (bands, rows, cols) or (samples, bands)"
        )
    _require_reflectance(pixels, inputs.bands)
    if not layers:
        return pixels, None
    types = None if segment_types is None else np.asarray(segment_types)
    if types is not None and as_table and types.ndim == 2:
        types = types.T[:, np.newaxis]
    if types is None or types.shape != (len(layers), *pixels.shape[1:]):
        held = "none" if segment_types is None else str(np.shape(segment_types))
        raise InputError(
            f"segment_types has the shape {held}, and model {name} reads the layers "
            f"{' '.join(layers)} of every pixel; give (layers, rows, cols) or (samples, layers), "
            f"for example lc.read(run.segment_types, bands={list(layers)})"
        )
    return pixels, types


def sequence_of(
    image: np.ndarray | pd.DataFrame, inputs: Inputs, days: Sequence[str] | None, name: str
) -> tuple[np.ndarray, Dates]:
    """A sequence as (dates x bands, rows, cols), and its dates.

    Parameters
    ----------
    image : array (dates, bands, rows, cols)
        Reflectance, NaN or masked where nodata.
    inputs : Inputs
        What the model reads.
    days : sequence of str, optional
        Of the sequence; those that the model learnt from by default.
    name : str
        Of the model, for messages.

    Raises
    ------
    InputError
        If the array has another shape, or holds no reflectance.
    """
    own = inputs.dates.days if inputs.dates else ()
    held = Dates(tuple(own if days is None else days), inputs.bands)
    shape = (len(held.days), len(held.bands))
    if np.ndim(image) != 4 or np.shape(image)[:2] != shape:
        raise InputError(
            f"image has the shape {np.shape(image)}, and model {name} reads sequences; give "
            f"(dates, bands, rows, cols) of {shape[0]} dates with the bands "
            f"{' '.join(held.bands)}, and other days with dates="
        )
    values = _numbers(cast("np.ndarray", image), inputs.bands)
    for one in values:
        _require_reflectance(one, inputs.bands)
    return values.reshape(shape[0] * shape[1], *values.shape[2:]), held


def _require_reflectance(pixels: np.ndarray, bands: Sequence[str]) -> None:
    """Raise InputError where bands of a sensor hold digital numbers, by their median."""
    known = sensor_of(bands).names
    values = pixels[[band in known for band in bands]]
    values = values[np.isfinite(values)]
    median = float(np.median(values)) if values.size else 0.0
    if median > HIGHEST_MEDIAN:
        raise InputError(
            f"image has a median of {median:.4g}, which is no reflectance; "
            "give (numbers + offset) / quantification of the product, 0 to 1"
        )


def _in_order(
    table: np.ndarray | pd.DataFrame, names: Sequence[str], argument: str, model: str
) -> np.ndarray:
    """The columns that a model reads of a table whose columns have names; others as they are."""
    held = list(getattr(table, "columns", ()))
    if not held or not all(isinstance(name, str) for name in held):
        return cast("np.ndarray", table)
    if missing := [name for name in names if name not in held]:
        raise InputError(
            f"{argument} has the columns {' '.join(held)}, and model {model} needs "
            f"{' '.join(missing)} too; name the columns so, or give an array in the order "
            f"{' '.join(names)}"
        )
    return cast("pd.DataFrame", table)[list(names)].to_numpy()


def _numbers(image: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    """An array of numbers as float32, NaN where it is masked; whole ones are no reflectance."""
    try:
        given = np.ma.asarray(image)
        whole = np.issubdtype(given.dtype, np.integer) and bool(reflectance_bands(bands))
        if given.dtype.kind not in "fiubO":
            raise ValueError(f"{given.dtype} is no type of numbers")
        values = np.ma.filled(given.astype(np.float32), np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"image cannot be read as numbers ({error}); give reflectance, 0 to 1, as floats"
        ) from None
    if whole and np.nanmax(values, initial=0) > 1:
        raise InputError(
            f"image holds whole numbers up to {np.nanmax(values):.0f}, which are no reflectance; "
            "give (numbers + offset) / quantification of the product, 0 to 1"
        )
    return values
