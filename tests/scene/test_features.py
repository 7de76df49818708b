from __future__ import annotations

import numpy as np
import pytest

from landcover.errors import LandcoverError
from landcover.scene.features import FEATURES, available, compute
from landcover.scene.indices import INDICES

BANDS = ("B02", "B03", "B04", "B08")


def image(shape=(4, 6, 5), seed=0):
    return np.random.default_rng(seed).uniform(0.01, 0.5, shape).astype(np.float32)


def test_the_defaults_need_only_the_10_m_bands():
    assert available(BANDS) == FEATURES == ("ndvi", "ndwi", "bi2")


def test_a_table_and_a_window_get_the_same_numbers():
    window = image()
    dense = compute(window, BANDS)
    assert dense.shape == (3, 6, 5) and dense.dtype == np.float32
    assert np.array_equal(compute(window.reshape(4, -1), BANDS), dense.reshape(3, -1))


def test_bands_are_found_by_name_in_any_order():
    window = image()
    assert np.array_equal(compute(window[::-1], BANDS[::-1]), compute(window, BANDS))
    assert np.allclose(compute(window, BANDS, ["ndvi"])[0], _ndvi(window))


def test_nodata_stays_nodata():
    window = image()
    window[3, 2, 2] = np.nan  # B08, which all three use
    assert np.isnan(compute(window, BANDS)[:, 2, 2]).all()
    assert np.isnan(compute(window, BANDS)).sum() == 3


def test_only_what_bands_allow_is_available_and_the_rest_refused():
    assert available(["B04", "B03"], tuple(INDICES)) == ("bi",)
    with pytest.raises(
        LandcoverError, match="feature nbr needs B12; the bands are B02 B03 B04 B08"
    ):
        compute(image(), BANDS, ["nbr"])
    with pytest.raises(LandcoverError, match="there is no feature 'colour'; the features are ndvi"):
        compute(image(), BANDS, ["colour"])


def test_no_features_is_an_empty_array():
    assert compute(image(), BANDS, ()).shape == (0, 6, 5)


def _ndvi(window):
    red, nir = window[2].astype(float), window[3].astype(float)
    return (nir - red) / (nir + red)
