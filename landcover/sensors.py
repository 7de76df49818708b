"""Sensors: which bands they have, and how their digital numbers become reflectance."""

from __future__ import annotations

import re

import numpy as np

#: The product's core: blue, green, red, near-infrared.
CORE_BANDS = ("B02", "B03", "B04", "B08")
ALL_BANDS = ("B01", *CORE_BANDS[:3], "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
DEFAULT_QUANTIFICATION = 10_000.0
_BAND_IN_NAME = re.compile(r"(?<![A-Za-z0-9])[Bb](8[Aa]|0?[1-9]|1[0-2])(?![0-9A-Za-z])")

#: EuroSAT's pictures show dn 0-2750 of these bands, stretched to 0-255.
TRUE_COLOUR_BANDS = ("B04", "B03", "B02")
TRUE_COLOUR_REFLECTANCE = 0.275
#: The bands of EuroSAT's GeoTIFFs, in their order: B8A comes last.
EUROSAT_BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A",
)  # fmt: skip
#: Reflectance of land and cloud lies lower; a median above it is one of digital numbers.
HIGHEST_MEDIAN = 1.5


def true_colour(picture: np.ndarray) -> np.ndarray:
    """Reflectance, float32, of 8-bit true colour stretched as EuroSAT's is.

    >>> true_colour(np.array([0, 255], np.uint8)).tolist()
    [0.0, 0.2750000059604645]
    """
    return np.multiply(picture, np.float32(TRUE_COLOUR_REFLECTANCE / 255), dtype=np.float32)


def digital_numbers(reflectance: np.ndarray) -> np.ndarray:
    """Reflectance as uint16 digital numbers of the default quantification; 0 is kept for nodata.

    >>> digital_numbers(np.array([0.0, 0.1234])).tolist()
    [1, 1234]
    """
    return np.clip(np.rint(reflectance * DEFAULT_QUANTIFICATION), 1, 65_535).astype(np.uint16)


def band_of(text: str) -> str | None:
    """The Sentinel-2 band that a name speaks of, if any.

    >>> band_of("T33UUU_20170216T102101_B02.jp2"), band_of("sentinel.dolomites.b8.tif")
    ('B02', 'B08')
    >>> band_of("red") is None
    True
    """
    found = {match.upper().zfill(2) for match in _BAND_IN_NAME.findall(text.replace("_", " "))}
    return f"B{found.pop()}" if len(found) == 1 else None
