"""Principal components, against scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from landcover.errors import InputError
from landcover.scene.components import Components, fit_components


def mixed(seed: int, samples: int, bands: int, dtype=np.float32) -> np.ndarray:
    """Values (samples, bands) of correlated bands with scales and means of their own."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(samples, bands)) @ rng.normal(size=(bands, bands))
    return (values * rng.uniform(0.5, 20, bands) + rng.normal(0, 30, bands)).astype(dtype)


def names_of(bands: int) -> list[str]:
    return [f"A{band:02d}" for band in range(bands)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(4, 3), (10, 10), (64, 5), (128, 10)]))
def test_components_are_those_of_scikit_learn(seed, sides):
    bands, count = sides
    values = mixed(seed, 300, bands)
    standardised = StandardScaler().fit_transform(values.astype(np.float64))
    expected = PCA(count, svd_solver="full").fit(standardised)
    found = fit_components(values, names_of(bands), count)
    np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_, rtol=1e-9)
    sign = np.sign((found.vectors * expected.components_).sum(axis=1))
    wanted = sign * expected.transform(standardised)
    np.testing.assert_allclose(found.apply(values.T).T, wanted, rtol=1e-4, atol=1e-4)
    assert found.names == tuple(names_of(bands)) and found.vectors.shape == (count, bands)


def test_embeddings_of_int8_are_numbers_like_others():
    values = np.random.default_rng(0).integers(-127, 128, (200, 64)).astype(np.int8)
    found = fit_components(values, names_of(64), 4)
    as_floats = fit_components(values.astype(np.float32), names_of(64), 4)
    assert np.array_equal(found.vectors, as_floats.vectors)
    assert np.array_equal(found.apply(values.T), as_floats.apply(values.T.astype(np.float32)))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_largest_weight_is_positive(seed):
    vectors = fit_components(mixed(seed, 60, 6), names_of(6), 6).vectors
    largest = np.abs(vectors).argmax(axis=1)
    assert (vectors[np.arange(6), largest] > 0).all()
    # of two bands both weights are the square root of a half: the first one is positive
    pair = fit_components(mixed(seed, 60, 2), names_of(2), 2).vectors
    assert (pair[:, 0] > 0).all()


def test_the_order_of_samples_does_not_turn_a_component():
    values = mixed(1, 500, 8)
    one = fit_components(values, names_of(8), 8)
    other = fit_components(values[::-1], names_of(8), 8)
    np.testing.assert_allclose(other.vectors, one.vectors, atol=1e-9)


def test_a_pixel_has_the_same_bits_in_an_array_of_any_shape():
    fitted = fit_components(mixed(2, 400, 33), names_of(33), 7)
    image = mixed(3, 37 * 1001, 33).T.reshape(33, 37, 1001)
    image[5, 3, 4] = np.nan
    whole = fitted.apply(image)
    assert whole.shape == (7, 37, 1001) and whole.dtype == np.float32
    assert np.array_equal(fitted.apply(image.reshape(33, -1)), whole.reshape(7, -1), equal_nan=True)
    for rows, cols in [
        ((0, 1), (0, 1)),
        ((3, 20), (4, 9)),
        ((36, 37), (0, 1001)),
        ((5, 6), (7, 8)),
    ]:
        place = slice(None), slice(*rows), slice(*cols)
        assert np.array_equal(fitted.apply(image[place]), whole[place], equal_nan=True)
    ordered = np.asfortranarray(image)
    assert np.array_equal(fitted.apply(ordered), whole, equal_nan=True)


def test_nodata_of_one_band_is_nodata_of_all_components():
    fitted = fit_components(mixed(4, 50, 5), names_of(5), 2)
    image = mixed(5, 12, 5).T.reshape(5, 3, 4)
    image[2, 1, 3] = np.nan
    found = fitted.apply(image)
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 1, 3], [1, 1, 3]]
    assert fitted.apply(np.empty((5, 0, 4), np.float32)).shape == (2, 0, 4)
    assert fitted.apply(np.empty((5, 4, 0), np.float32)).shape == (2, 4, 0)


def test_samples_with_nodata_are_left_out():
    values = mixed(6, 80, 4)
    holed = np.repeat(values, 2, axis=0)
    holed[::2, 1] = np.nan
    holed[0, 1] = np.inf
    one, other = (fit_components(each, names_of(4), 3) for each in (values, holed))
    assert one.to_json() == other.to_json()


def test_a_band_of_one_value_counts_for_nothing():
    values = mixed(7, 90, 4)
    values[:, 2] = np.float32(0.1)
    fitted = fit_components(values, names_of(4), 3)
    without = fit_components(values[:, [0, 1, 3]], names_of(3), 3)
    np.testing.assert_allclose(fitted.vectors[:, [0, 1, 3]], without.vectors, atol=1e-9)
    np.testing.assert_allclose(fitted.explained, without.explained)
    assert np.abs(fitted.vectors[:, 2]).max() < 1e-9


def test_a_card_keeps_every_bit():
    fitted = fit_components(mixed(8, 300, 12), names_of(12), 5)
    read = Components.from_json(json.loads(json.dumps(fitted.to_json())))
    assert read.to_json() == fitted.to_json() and read.names == fitted.names
    image = mixed(9, 1000, 12).T
    assert np.array_equal(read.apply(image), fitted.apply(image))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": mixed(0, 3, 4)}, "3 samples without nodata are fewer than the 4 bands"),
        ({"values": np.full((9, 4), np.nan)}, "0 samples without nodata"),
        ({"values": np.ones((9, 4))}, "vary in 0 directions only; give bands that vary"),
        ({"values": mixed(0, 9, 1).repeat(4, axis=1)}, "vary in 1 directions only; give at most 1"),
        ({"values": np.ones(9)}, r"values of \(9,\) and 4 names do not fit"),
        ({"names": names_of(3)}, r"values of \(9, 4\) and 3 names do not fit"),
        ({"count": 5}, "count=5 components of 4 bands; give 1 to 4"),
        ({"count": 0}, "count=0 components of 4 bands; give 1 to 4"),
    ],
)
def test_what_cannot_be_fitted_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        fit_components(**({"values": mixed(1, 9, 4), "names": names_of(4), "count": 2} | changed))


@pytest.mark.parametrize("shape", [(3, 2, 2), (4,), (4, 2, 2, 2)])
def test_an_image_of_other_bands_is_refused(shape):
    fitted = fit_components(mixed(1, 9, 4), names_of(4), 2)
    with pytest.raises(InputError, match=r"components of 4 bands and an image of \("):
        fitted.apply(np.ones(shape))


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": [1.0, 2.0]}, {"scale": None}, {"vectors": [[1.0, "a", 0.0, 0.0]]},
        {"explained": [float("nan"), 0.1]}, {"names": 4}, {"vectors": [[1.0], [1.0, 2.0]]},
    ],
)  # fmt: skip
def test_a_card_that_was_changed_by_hand_is_refused(changed):
    fields = fit_components(mixed(1, 9, 4), names_of(4), 2).to_json()
    with pytest.raises(InputError, match="fit them again"):
        Components.from_json(fields | changed)
    with pytest.raises(InputError, match="KeyError: 'names'"):
        Components.from_json({})
