from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landcover.errors import InputError, LandcoverError
from landcover.scene.feature_list import formula, table
from landcover.scene.feature_names import DEFAULTS, FEATURES, available, margin
from landcover.scene.features import compute_features
from landcover.sensors import ALL_BANDS, CORE_BANDS, SENSORS, roles_of
from tests.fixtures.windowed import TEXTURE

BANDS = CORE_BANDS


def image(shape=(4, 6, 5), seed=0):
    return np.random.default_rng(seed).uniform(0.01, 0.5, shape).astype(np.float32)


@pytest.fixture(params=[*FEATURES, TEXTURE.name])
def feature(request, monkeypatch):
    """Every row of the table, and one of a window."""
    monkeypatch.setitem(FEATURES, TEXTURE.name, TEXTURE)
    return FEATURES[request.param]


def test_a_row_gives_a_window_of_float32(feature):
    around = feature.radius
    scene = image((13, 9 + 2 * around, 7 + 2 * around))
    found = compute_features(scene, ALL_BANDS, [feature.name])
    assert found.shape == (1, 9, 7) and found.dtype == np.float32
    assert np.isfinite(found).all() and found.std() > 0
    assert feature.source and feature.formula and feature.name == feature.name.lower()


def test_a_row_takes_bands_by_name_in_any_order(feature):
    scene = image((13, 9, 9))
    order = np.random.default_rng(1).permutation(13)
    shuffled = compute_features(scene[order], [ALL_BANDS[i] for i in order], [feature.name])
    assert np.array_equal(shuffled, compute_features(scene, ALL_BANDS, [feature.name]))
    needed = [roles_of(ALL_BANDS)[role] for role in feature.needs]
    alone = compute_features(scene[[ALL_BANDS.index(b) for b in needed]], needed, [feature.name])
    assert np.array_equal(alone, shuffled)


def test_a_pixel_of_a_row_is_nodata_where_a_band_of_it_is(feature):
    """And nowhere else: windows with nodata in them are judged by what is valid."""
    around = feature.radius
    whole = image((13, 9 + 2 * around, 7 + 2 * around))
    for role in feature.needs:
        holed = whole.copy()
        holed[ALL_BANDS.index(roles_of(ALL_BANDS)[role]), 4 + around, 3 + around] = np.nan
        found = compute_features(holed, ALL_BANDS, [feature.name])[0]
        assert np.argwhere(np.isnan(found)).tolist() == [[4, 3]], role


@pytest.mark.parametrize("value", [0.0, -0.05, 1.0])
def test_a_valid_pixel_of_a_row_has_a_value(feature, value):
    flat = np.full((13, 9, 9), value, np.float32)
    assert np.isfinite(compute_features(flat, ALL_BANDS, [feature.name])).all()


def test_a_row_is_the_same_wherever_an_array_begins(feature):
    around = feature.radius
    whole = image((13, 30 + 2 * around, 30 + 2 * around))
    whole[:, 10:14, 5:9] = np.nan
    found = compute_features(whole, ALL_BANDS, [feature.name])
    for row, col in [(0, 0), (3, 7), (11, 2)]:
        part = whole[:, row : row + 12 + 2 * around, col : col + 15 + 2 * around]
        expected = found[:, row : row + 12, col : col + 15]
        seen = compute_features(part, ALL_BANDS, [feature.name])
        assert np.array_equal(seen, expected, equal_nan=True)


def test_a_missing_input_of_a_row_is_named_by_role_and_band(feature):
    role = feature.needs[-1]
    name = roles_of(ALL_BANDS)[role]
    left = [band for band in ALL_BANDS if band != name]
    with pytest.raises(LandcoverError, match=rf"feature {feature.name} needs .*{role} \({name}\)"):
        compute_features(image((12, 9, 9)), left, [feature.name])
    assert feature.name not in available(left, tuple(FEATURES))


def test_the_defaults_need_only_the_10_m_bands():
    assert available(BANDS) == DEFAULTS == ("ndvi", "ndwi", "bi2")


def test_a_table_and_a_window_get_the_same_numbers():
    window = image()
    dense = compute_features(window, BANDS)
    assert dense.shape == (3, 6, 5) and dense.dtype == np.float32
    assert np.array_equal(compute_features(window.reshape(4, -1), BANDS), dense.reshape(3, -1))


def test_another_sensor_has_its_own_red():
    landsat = SENSORS["landsat-8-9"].core
    assert np.array_equal(compute_features(image(), landsat), compute_features(image(), BANDS))
    with pytest.raises(LandcoverError, match=r"rededge071 .which Landsat 8 and 9 .* has not"):
        compute_features(image(), landsat, ["ndi45"])


def test_two_bands_of_one_role_are_refused():
    with pytest.raises(LandcoverError, match="bands B04 and SR_B4 are both red"):
        compute_features(image(), ["B02", "B04", "SR_B4", "B08"])


def test_a_margin_serves_the_widest_and_the_others_alike(monkeypatch):
    monkeypatch.setitem(FEATURES, TEXTURE.name, TEXTURE)
    names = ("ndvi", TEXTURE.name)
    assert (margin(()), margin(DEFAULTS), margin(names)) == (0, 0, TEXTURE.radius)
    scene = image((4, 20, 20))
    both = compute_features(scene, BANDS, names)
    assert np.array_equal(both[0], compute_features(scene[:, 2:-2, 2:-2], BANDS, ["ndvi"])[0])
    assert np.array_equal(both[1], compute_features(scene, BANDS, [TEXTURE.name])[0])


def test_a_table_has_no_windows(monkeypatch):
    monkeypatch.setitem(FEATURES, TEXTURE.name, TEXTURE)
    with pytest.raises(LandcoverError, match=r"need 2 pixels around every pixel, .* \(4, 30\)"):
        compute_features(image((4, 30)), BANDS, [TEXTURE.name])
    with pytest.raises(LandcoverError, match="need 2 pixels around"):
        compute_features(image((4, 4, 9)), BANDS, [TEXTURE.name])


def test_only_what_bands_allow_is_available_and_the_rest_refused():
    assert available(["B04", "B03"], tuple(FEATURES)) == ("bi",)
    with pytest.raises(
        LandcoverError, match=r"feature nbr needs swir22 \(B12\); the bands are B02 B03 B04 B08"
    ):
        compute_features(image(), BANDS, ["nbr"])
    with pytest.raises(LandcoverError, match="there is no feature 'colour'; the features are ndvi"):
        compute_features(image(), BANDS, ["colour"])
    with pytest.raises(LandcoverError, match="ndvi bi ndvi name one twice"):
        compute_features(image(), BANDS, ["ndvi", "bi", "ndvi"])


def test_no_features_is_an_empty_array():
    assert compute_features(image(), BANDS, ()).shape == (0, 6, 5)


def test_formulas_name_the_bands_at_hand():
    assert formula("bi2", BANDS) == "sqrt((B04 * B04 + B03 * B03 + B08 * B08) / 3)"
    assert formula("s2rep", ALL_BANDS) == "705 + 35 * ((B07 + B04) / 2 - B05) / (B06 - B05)"
    assert formula("ndvi", ["SR_B4", "SR_B5"]) == "clip((SR_B5 - SR_B4) / (SR_B5 + SR_B4), -1, 1)"


def test_the_documents_hold_the_table():
    document = Path(__file__).parents[2] / "docs/features.md"
    assert table() in document.read_text("utf-8")


def test_a_text_is_no_list_of_features():
    with pytest.raises(InputError, match=r"features are 'ndvi'; give a list .* \['ndvi'\]"):
        compute_features(np.ones((2, 3, 3)), ["B04", "B08"], "ndvi")
