"""Spectral indices: formulas of single pixels, which name bands by role.

Names are ambiguous in the literature: here NDWI is McFeeters' water index (not
Gao's moisture index, which is NDMI here), BI is SNAP's brightness index (the
bare soil index is BSI), and SAVI has L = 0.5. All take reflectance from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Index:
    """A spectral index of single pixels.

    Attributes
    ----------
    needs : tuple of str
        Roles of bands, of `landcover.sensors`, in the order in which the function takes them.
    function : callable
        Arrays of reflectance, one a role, to the index.
    formula : str
        The same with roles for bands and functions of NumPy.
    source : str
        Where the formula comes from.
    """

    needs: tuple[str, ...]
    function: Callable[..., np.ndarray]
    formula: str
    source: str


def _normalised_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a - b) / (a + b), kept within -1..1.

    Atmospheric correction leaves slightly negative reflectance over water and
    shade; their ratio has no bounds and would dominate any standardisation.
    """
    return np.clip((a - b) / (a + b), -1, 1)


def _evi(n: np.ndarray, r: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 2.5 * (n - r) / (n + 6 * r - 7.5 * b + 1)


def _evi2(n: np.ndarray, r: np.ndarray) -> np.ndarray:
    return 2.5 * (n - r) / (n + 2.4 * r + 1)


def _savi(n: np.ndarray, r: np.ndarray) -> np.ndarray:
    return 1.5 * (n - r) / (n + r + 0.5)


def _osavi(n: np.ndarray, r: np.ndarray) -> np.ndarray:
    return (n - r) / (n + r + 0.16)


def _msavi2(n: np.ndarray, r: np.ndarray) -> np.ndarray:
    return 0.5 * (2 * n + 1 - np.sqrt((2 * n + 1) ** 2 - 8 * (n - r)))


def _brightness(*bands: np.ndarray) -> np.ndarray:
    """Root of the mean square."""
    return np.sqrt(sum(band * band for band in bands) / len(bands))


def _bare_soil(s1: np.ndarray, r: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _normalised_difference(s1 + r, n + b)


def _s2rep(re3: np.ndarray, r: np.ndarray, re1: np.ndarray, re2: np.ndarray) -> np.ndarray:
    """Position of the red edge in nm."""
    return 705 + 35 * ((re3 + r) / 2 - re1) / (re2 - re1)


def _ireci(re3: np.ndarray, r: np.ndarray, re1: np.ndarray, re2: np.ndarray) -> np.ndarray:
    return (re3 - r) / (re1 / re2)


def _difference(a: str, b: str, source: str) -> Index:
    """A row of a normalised difference of two bands."""
    return Index((a, b), _normalised_difference, f"clip(({a} - {b}) / ({a} + {b}), -1, 1)", source)


_EDGE = ("rededge078", "red", "rededge071", "rededge075")
_FRAMPTON = "doi:10.1016/j.isprsjprs.2013.04.007"

#: Every index by name. Sources are DOIs where the paper has one.
INDICES: dict[str, Index] = {
    "ndvi": _difference("nir", "red", "Rouse et al. 1974, NASA SP-351, pp. 309-317"),
    "gndvi": _difference("nir", "green", "doi:10.1016/S0034-4257(96)00072-7"),
    "ndwi": _difference("green", "nir", "doi:10.1080/01431169608948714"),
    "evi": Index(
        ("nir", "red", "blue"),
        _evi,
        "2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1)",
        "doi:10.1016/S0034-4257(02)00096-2",
    ),
    "evi2": Index(
        ("nir", "red"),
        _evi2,
        "2.5 * (nir - red) / (nir + 2.4 * red + 1)",
        "doi:10.1016/j.rse.2008.06.006",
    ),
    "savi": Index(
        ("nir", "red"),
        _savi,
        "1.5 * (nir - red) / (nir + red + 0.5)",
        "doi:10.1016/0034-4257(88)90106-X",
    ),
    "osavi": Index(
        ("nir", "red"),
        _osavi,
        "(nir - red) / (nir + red + 0.16)",
        "doi:10.1016/0034-4257(95)00186-7",
    ),
    "msavi2": Index(
        ("nir", "red"),
        _msavi2,
        "0.5 * (2 * nir + 1 - sqrt((2 * nir + 1) ** 2 - 8 * (nir - red)))",
        "doi:10.1016/0034-4257(94)90134-1",
    ),
    "bi": Index(
        ("red", "green"), _brightness, "sqrt((red * red + green * green) / 2)", "SNAP BiOp"
    ),
    "bi2": Index(
        ("red", "green", "nir"),
        _brightness,
        "sqrt((red * red + green * green + nir * nir) / 3)",
        "SNAP Bi2Op",
    ),
    "ndmi": _difference("nir", "swir16", "doi:10.1016/S0034-4257(96)00067-3"),
    "mndwi": _difference("green", "swir16", "doi:10.1080/01431160600589179"),
    "ndsi": _difference("green", "swir16", "doi:10.1016/0034-4257(94)00092-Z"),
    "ndbi": _difference("swir16", "nir", "doi:10.1080/01431160304987"),
    "bsi": Index(
        ("swir16", "red", "nir", "blue"),
        _bare_soil,
        "clip(((swir16 + red) - (nir + blue)) / ((swir16 + red) + (nir + blue)), -1, 1)",
        "Awesome Spectral Indices, BI",
    ),
    "ui": _difference("swir22", "nir", "Awesome Spectral Indices, UI"),
    "nbr": _difference("nir", "swir22", "Awesome Spectral Indices, NBR"),
    "ndre": _difference("nir", "rededge071", "Awesome Spectral Indices, NDREI"),
    "ndi45": _difference("rededge071", "red", "SNAP Ndi45Op"),
    "s2rep": Index(
        _EDGE,
        _s2rep,
        "705 + 35 * ((rededge078 + red) / 2 - rededge071) / (rededge075 - rededge071)",
        _FRAMPTON,
    ),
    "ireci": Index(_EDGE, _ireci, "(rededge078 - red) / (rededge071 / rededge075)", _FRAMPTON),
}
