"""Rasters as pictures: true colour, class colours, PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from landcover.legend import Legend

#: Reflectance percentiles that become black and white in a true-colour picture.
STRETCH_PERCENTILES = (1.0, 99.0)
NODATA_GREY = 235


def true_colour(image: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    """A true-colour picture of reflectances.

    Parameters
    ----------
    image : array of float, (bands, rows, cols)
        Reflectance; NaN where nodata.
    bands : sequence of str
        Band names; B04, B03 and B02 are shown as red, green and blue.

    Returns
    -------
    array of uint8, (rows, cols, 3)
        One stretch for the three bands keeps the hue; nodata is light grey.
    """
    rgb = np.stack([image[list(bands).index(name)] for name in ("B04", "B03", "B02")], axis=-1)
    missing = np.isnan(rgb).any(axis=-1)
    if missing.all():
        return np.full(rgb.shape, NODATA_GREY, np.uint8)
    low, high = np.percentile(rgb[~missing], STRETCH_PERCENTILES)
    stretched = np.clip((rgb - low) / max(high - low, 1e-6), 0, 1) ** (1 / 1.4)
    picture = (np.nan_to_num(stretched) * 255).round().astype(np.uint8)
    picture[missing] = NODATA_GREY
    return picture


def class_picture(codes: np.ndarray, legend: Legend) -> np.ndarray:
    """Class codes (rows, cols) in their legend's colours, uint8 (rows, cols, 3); 0 is light grey."""
    colours = np.array([*(c.colour for c in legend.classes), (NODATA_GREY,) * 3], np.uint8)
    return colours[legend.index(codes)]


def png(picture: np.ndarray) -> bytes:
    """A uint8 picture, (rows, cols) or (rows, cols, 3), as PNG bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
