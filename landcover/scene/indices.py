"""Spectral indices from Sentinel-2 bands.

Names are ambiguous in the literature: here NDWI is McFeeters' water index (not
Gao's moisture index, which is NDMI here), BI is SNAP's brightness index (the
bare soil index is BSI), and SAVI has L = 0.5. All take reflectance from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Index:
    """A spectral index.

    Attributes
    ----------
    bands : tuple of str
        Sentinel-2 bands in the order in which the function takes them.
    function : callable
        Arrays of reflectance, one a band, to the index.
    source : str
        Where the formula comes from.
    """

    bands: tuple[str, ...]
    function: Callable[..., np.ndarray]
    source: str

    def __call__(self, reflectance: Mapping[str, np.ndarray]) -> np.ndarray:
        """The index, float32, from arrays of reflectance by band name.

        NaN where a band is NaN; 0 where the formula divides by 0 or takes the
        root of a negative number, so that a valid pixel has a value.
        """
        arrays = [np.asarray(reflectance[band], np.float32) for band in self.bands]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = self.function(*arrays)
        known = np.logical_and.reduce([~np.isnan(array) for array in arrays])
        return np.where(known & ~np.isfinite(value), np.float32(0), value).astype(np.float32)


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


_ROUSE = "Rouse et al. 1974, NASA SP-351, pp. 309-317"
_GITELSON = "doi:10.1016/S0034-4257(96)00072-7"

#: Every index by name. Sources are DOIs where the paper has one.
INDICES: dict[str, Index] = {
    "ndvi": Index(("B08", "B04"), _normalised_difference, _ROUSE),
    "gndvi": Index(("B08", "B03"), _normalised_difference, _GITELSON),
    "ndwi": Index(("B03", "B08"), _normalised_difference, "doi:10.1080/01431169608948714"),
    "evi": Index(("B08", "B04", "B02"), _evi, "doi:10.1016/S0034-4257(02)00096-2"),
    "evi2": Index(("B08", "B04"), _evi2, "doi:10.1016/j.rse.2008.06.006"),
    "savi": Index(("B08", "B04"), _savi, "doi:10.1016/0034-4257(88)90106-X"),
    "osavi": Index(("B08", "B04"), _osavi, "doi:10.1016/0034-4257(95)00186-7"),
    "msavi2": Index(("B08", "B04"), _msavi2, "doi:10.1016/0034-4257(94)90134-1"),
    "bi": Index(("B04", "B03"), _brightness, "SNAP BiOp"),
    "bi2": Index(("B04", "B03", "B08"), _brightness, "SNAP Bi2Op"),
    "ndmi": Index(("B08", "B11"), _normalised_difference, "doi:10.1016/S0034-4257(96)00067-3"),
    "mndwi": Index(("B03", "B11"), _normalised_difference, "doi:10.1080/01431160600589179"),
    "ndbi": Index(("B11", "B08"), _normalised_difference, "doi:10.1080/01431160304987"),
    "bsi": Index(("B11", "B04", "B08", "B02"), _bare_soil, "Awesome Spectral Indices, BI"),
    "ui": Index(("B12", "B08"), _normalised_difference, "Awesome Spectral Indices, UI"),
    "nbr": Index(("B08", "B12"), _normalised_difference, "Awesome Spectral Indices, NBR"),
    "ndre": Index(("B08", "B05"), _normalised_difference, "Awesome Spectral Indices, NDREI"),
    "ndi45": Index(("B05", "B04"), _normalised_difference, "SNAP Ndi45Op"),
    "s2rep": Index(("B07", "B04", "B05", "B06"), _s2rep, "doi:10.1016/j.isprsjprs.2013.04.007"),
    "ireci": Index(("B07", "B04", "B05", "B06"), _ireci, "doi:10.1016/j.isprsjprs.2013.04.007"),
}
