"""QGIS styles of rasters: QGIS loads NAME.qml with NAME.tif and shows what the pixels mean.

A style is a value, one class a renderer of QGIS. Who writes a raster says which it is, and the
writer of rasters writes NAME.qml beside NAME.tif.
"""

from landcover.files.styles.classes import Classes, Types
from landcover.files.styles.colours import GAMMA, STRETCH_PERCENTILES, Colours, scene_style
from landcover.files.styles.document import Style, qml, qml_path, write_qml
from landcover.files.styles.numbers import Numbers
from landcover.files.styles.reading import palette
from landcover.files.styles.scales import (
    APPLICABILITY,
    CHANGE,
    CONFIDENCE,
    ENTROPY,
    PROBABILITY,
    Scale,
    dates_style,
)

__all__ = [
    "APPLICABILITY",
    "CHANGE",
    "CONFIDENCE",
    "ENTROPY",
    "GAMMA",
    "PROBABILITY",
    "STRETCH_PERCENTILES",
    "Classes",
    "Colours",
    "Numbers",
    "Scale",
    "Style",
    "Types",
    "dates_style",
    "palette",
    "qml",
    "qml_path",
    "scene_style",
    "write_qml",
]
