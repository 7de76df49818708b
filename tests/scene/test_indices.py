from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.scene.indices import INDICES

#: Ours -> the independent package's name and the bands by its symbols.
SPYNDEX = {
    "ndvi": "NDVI",
    "gndvi": "GNDVI",
    "ndwi": "NDWI",
    "evi": "EVI",
    "evi2": "EVI2",
    "savi": "SAVI",
    "osavi": "OSAVI",
    "msavi2": "MSAVI",
    "ndmi": "NDMI",
    "mndwi": "MNDWI",
    "ndbi": "NDBI",
    "bsi": "BI",
    "ui": "UI",
    "nbr": "NBR",
    "ndre": "NDREI",
    "s2rep": "S2REP",
    "ireci": "IRECI",
}
SYMBOLS = {
    "B": "B02",
    "G": "B03",
    "R": "B04",
    "RE1": "B05",
    "RE2": "B06",
    "RE3": "B07",
    "N": "B08",
    "S1": "B11",
    "S2": "B12",
}
CONSTANTS = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0, "nexp": 2.0, "cexp": 1.16}


def reflectance(seed=0, shape=(40, 50)):
    rng = np.random.default_rng(seed)
    return {band: rng.uniform(0.01, 0.6, shape).astype(np.float32) for band in SYMBOLS.values()}


@pytest.mark.parametrize("name", sorted(SPYNDEX))
def test_agrees_with_spyndex(name):
    spyndex = pytest.importorskip("spyndex")
    bands = reflectance()
    params = {symbol: bands[band].astype(np.float64) for symbol, band in SYMBOLS.items()}
    params |= CONSTANTS | ({"L": 0.5} if name == "savi" else {})
    expected = spyndex.computeIndex([SPYNDEX[name]], params)
    assert np.allclose(INDICES[name](bands), expected, rtol=2e-3, atol=1e-5)


def test_known_values():
    pixel = {"B03": np.float32(0.06), "B04": np.float32(0.08), "B08": np.float32(0.24)}
    pixel |= {"B05": np.float32(0.24)}
    assert INDICES["ndvi"](pixel) == pytest.approx(0.5)
    assert INDICES["ndwi"](pixel) == pytest.approx(-0.6)
    assert INDICES["ndi45"](pixel) == pytest.approx(0.5)
    # roots of mean squares, SNAP's brightness
    assert INDICES["bi"](pixel) == pytest.approx(np.sqrt((0.08**2 + 0.06**2) / 2))
    assert INDICES["bi2"](pixel) == pytest.approx(np.sqrt((0.08**2 + 0.06**2 + 0.24**2) / 3))


def test_every_index_of_a_valid_pixel_is_finite_and_nan_only_from_nan():
    zero = {band: np.zeros(3, np.float32) for band in SYMBOLS.values()}
    for name, index in INDICES.items():
        assert index.function is not None and index.source
        assert np.isfinite(index(zero)).all(), name
        for band in index.bands:
            holed = {k: v.copy() for k, v in reflectance(shape=(5,)).items()}
            holed[band][2] = np.nan
            assert np.array_equal(np.isnan(index(holed)), [False, False, True, False, False]), name


@given(st.floats(-0.0625, 1.5, width=32), st.floats(-0.0625, 1.5, width=32))
def test_normalised_differences_stay_within_one_even_for_negative_reflectance(red, nir):
    value = INDICES["ndvi"]({"B04": np.array([red]), "B08": np.array([nir])})
    assert -1 <= value[0] <= 1
