from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.scene.feature_names import FEATURES
from landcover.scene.indices import INDICES

#: Ours -> the independent package's name, and its symbols of bands -> our roles.
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
    "ndsi": "NDSI",
    "ndbi": "NDBI",
    "bsi": "BI",
    "ui": "UI",
    "nbr": "NBR",
    "ndre": "NDREI",
    "s2rep": "S2REP",
    "ireci": "IRECI",
}
SYMBOLS = {
    "B": "blue",
    "G": "green",
    "R": "red",
    "RE1": "rededge071",
    "RE2": "rededge075",
    "RE3": "rededge078",
    "N": "nir",
    "S1": "swir16",
    "S2": "swir22",
}
CONSTANTS = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0, "nexp": 2.0, "cexp": 1.16}


def reflectance(seed=0, shape=(40, 50)):
    rng = np.random.default_rng(seed)
    return {role: rng.uniform(0.01, 0.6, shape).astype(np.float32) for role in SYMBOLS.values()}


def value_of(name, roles):
    return FEATURES[name](*(roles[role] for role in FEATURES[name].needs))


@pytest.mark.parametrize("name", sorted(SPYNDEX))
def test_agrees_with_spyndex(name):
    spyndex = pytest.importorskip("spyndex")
    roles = reflectance()
    params = {symbol: roles[role].astype(np.float64) for symbol, role in SYMBOLS.items()}
    params |= CONSTANTS | ({"L": 0.5} if name == "savi" else {})
    expected = spyndex.computeIndex([SPYNDEX[name]], params)
    assert np.allclose(value_of(name, roles), expected, rtol=2e-3, atol=1e-5)


def test_known_values():
    pixel = {"green": 0.06, "red": 0.08, "nir": 0.24, "rededge071": 0.24}
    assert value_of("ndvi", pixel) == pytest.approx(0.5)
    assert value_of("ndwi", pixel) == pytest.approx(-0.6)
    assert value_of("ndi45", pixel) == pytest.approx(0.5)
    # roots of mean squares, SNAP's brightness
    assert value_of("bi", pixel) == pytest.approx(np.sqrt((0.08**2 + 0.06**2) / 2))
    assert value_of("bi2", pixel) == pytest.approx(np.sqrt((0.08**2 + 0.06**2 + 0.24**2) / 3))


@pytest.mark.parametrize("name", sorted(INDICES))
def test_a_formula_as_text_is_the_function(name):
    """To the last bit, also where it divides by 0: exported models are called by the text."""
    feature = FEATURES[name]
    rng = np.random.default_rng(0)
    arrays = rng.uniform(-0.02, 0.7, (len(feature.needs), 5000)).astype(np.float32)
    arrays[:, 0] = 0
    with np.errstate(all="ignore"):
        value = eval(  # the table's own text
            feature.formula,
            {"clip": np.clip, "sqrt": np.sqrt},
            dict(zip(feature.needs, arrays, strict=True)),
        )
    value[~np.isfinite(value)] = 0
    assert np.array_equal(value, feature(*arrays))


@given(st.floats(-0.0625, 1.5, width=32), st.floats(-0.0625, 1.5, width=32))
def test_normalised_differences_stay_within_one_even_for_negative_reflectance(red, nir):
    value = value_of("ndvi", {"red": np.array([red]), "nir": np.array([nir])})
    assert -1 <= value[0] <= 1
