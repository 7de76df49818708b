"""Features whose names hold a choice, against scikit-image, scikit-learn and plain NumPy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from landcover.errors import InputError
from landcover.scene import features, terrain
from landcover.scene.feature import trimmed
from landcover.scene.feature_families import expanded
from landcover.scene.feature_names import layers_of, margin, reads, require

BANDS = ("B02", "B03", "B04", "B08", "elevation")
TEXTURES = ("glcm:ndvi:contrast:5", "glcm:ndvi:entropy:5", "glcm:ndvi:correlation:5:8")
EVERY = (*TEXTURES, "glcm:pc2:mean:3", "pc1", "pc3", "slope", "aspect_sin", "aspect_cos",
         "curvature", "curvature_plan", "tpi:40", "ndvi", "gap=nir-red")  # fmt: skip


@pytest.fixture
def image(rng):
    """Reflectance and elevation with a margin of 6, and holes."""
    pixels = rng.uniform(0.02, 0.5, (5, 40, 44)).astype(np.float32)
    pixels[4] = 300 + np.add.outer(np.arange(40) ** 1.3, np.arange(44) % 9)
    pixels[:, 20:23, 17] = np.nan
    return pixels


@pytest.fixture
def fitted(image):
    return features.fit(image, BANDS, EVERY, pixel_m=(10.0, 10.0))


def test_what_was_fitted_goes_through_a_card(image, fitted):
    assert sorted(fitted) == ["bounds:ndvi", "bounds:pc2", "pca", "pixel_m"]
    stored = json.loads(json.dumps(fitted))
    again = features.compute(image, BANDS, EVERY, stored)
    np.testing.assert_array_equal(again, features.compute(image, BANDS, EVERY, fitted))


@pytest.mark.parametrize("name", EVERY)
def test_alone_and_beside_others_a_feature_is_the_same(image, fitted, name):
    """To the last bit, though textures of one layer are counted together."""
    around = margin(EVERY, fitted) - margin([name], fitted)
    alone = features.compute(trimmed(image, around), BANDS, [name], fitted)[0]
    beside = features.compute(image, BANDS, EVERY, fitted)[EVERY.index(name)]
    np.testing.assert_array_equal(alone, beside)


@pytest.mark.parametrize("corner", [(0, 0), (3, 7), (9, 2)])
def test_a_feature_is_the_same_wherever_an_array_begins(image, fitted, corner):
    around, (row, col) = margin(EVERY, fitted), corner
    whole = features.compute(image, BANDS, EVERY, fitted)
    part = image[:, row : row + 12 + 2 * around, col : col + 15 + 2 * around]
    expected = whole[:, row : row + 12, col : col + 15]
    np.testing.assert_array_equal(features.compute(part, BANDS, EVERY, fitted), expected)


def test_nodata_of_a_pixel_is_nodata_of_its_features_and_no_others(image, fitted):
    around = margin(EVERY, fitted)
    found = features.compute(image, BANDS, EVERY, fitted)
    hole = np.isnan(image[0, around:-around, around:-around])
    assert hole.any() and (np.isnan(found) == hole).all()


def test_texture_is_that_of_scikit_image(image, fitted):
    """Of an index, between the bounds that were fitted, the mean over four directions."""
    around = margin(TEXTURES)
    assert around == 2
    inner = image[:, :18, :18]
    found = features.compute(inner, BANDS, TEXTURES, fitted)
    low, high = fitted["bounds:ndvi"]
    ndvi = (inner[3] - inner[2]) / (inner[3] + inner[2])
    for name, layer in zip(TEXTURES, found, strict=True):
        part, levels = name.split(":")[2], 8 if name.endswith(":8") else 32
        grey = np.clip(np.floor((ndvi - low) / (high - low) * levels), 0, levels - 1)
        window = grey.astype(np.uint8)[7:12, 5:10]
        angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
        matrix = graycomatrix(window, [1], angles, levels, symmetric=True, normed=True)
        np.testing.assert_allclose(layer[7, 5], graycoprops(matrix, part).mean(), rtol=1e-4)


def test_components_are_those_of_scikit_learn(image, fitted):
    table = image[:4].reshape(4, -1).T
    valid = table[np.isfinite(table).all(axis=1)].astype(np.float64)
    scaled = StandardScaler().fit(valid)
    expected = PCA(3).fit(scaled.transform(valid)).transform(scaled.transform(valid))
    found = features.compute(valid.T, BANDS[:4], ["pca:3"], fitted)
    signs = np.sign((found.T * expected).sum(axis=0))
    np.testing.assert_allclose(found.T, expected * signs, atol=1e-4)


def test_components_are_of_bands_by_name(image, fitted):
    order = [3, 0, 4, 2, 1]
    shuffled = features.compute(image[order], [BANDS[i] for i in order], ["pca:2"], fitted)
    np.testing.assert_array_equal(shuffled, features.compute(image, BANDS, ["pca:2"], fitted))


def test_components_are_of_bands_and_neither_of_features_nor_of_terrain(image):
    made = features.compute(image, BANDS, ["ndvi"], {})
    both, names = np.concatenate([image, made]), [*BANDS, "ndvi"]
    assert features.fit(both, names, ["pca:2"])["pca"]["names"] == list(BANDS[:4])
    np.testing.assert_array_equal(
        features.compute(both, names, ["pca:2"]), features.compute(image, BANDS, ["pca:2"])
    )
    assert layers_of(names, ["pc1"]).bands == BANDS[:4]


def test_terrain_knows_the_size_of_a_pixel():
    """A plane that rises by 3 m a column and 4 m a row of pixels of 10 x 20 m."""
    plane = (3.0 * np.arange(9) + 4.0 * np.arange(8)[:, np.newaxis])[np.newaxis]
    fitted = {"pixel_m": [20.0, 10.0]}
    names = ["slope", "aspect", "curvature", "tpi:15"]
    steep, sine, cosine, bent, above = features.compute(plane, ["elevation"], names, fitted)
    rise = np.hypot(0.3, 0.2)
    np.testing.assert_allclose(steep, np.degrees(np.arctan(rise)), rtol=1e-5)
    # it falls to the west and to the north
    np.testing.assert_allclose(sine, -0.3 / rise, rtol=1e-5)
    np.testing.assert_allclose(cosine, 0.2 / rise, rtol=1e-5)
    np.testing.assert_allclose([bent, above], 0, atol=1e-5)


def test_terrain_without_the_size_of_a_pixel_is_refused(image):
    with pytest.raises(InputError, match="give pixel_m"):
        features.fit(image, BANDS, ["slope"])


def test_words_for_several_layers_are_taken_apart():
    assert expanded(["pca:2", "aspect", "a = nir * 2"]) == (
        "pc1", "pc2", "aspect_sin", "aspect_cos", "a=nir*2",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pixel_m", "expected"),
    [
        ("tpi", (10.0, 10.0), 30),
        ("tpi", (20.0, 20.0), 15),
        ("tpi:150", (10.0, 10.0), 15),
        ("tpi:150", (20.0, 10.0), 10),
        ("tpi:3", (10.0, 10.0), 1),
    ],
)
def test_the_radius_of_position_is_in_metres(rng, name, pixel_m, expected):
    fitted = {"pixel_m": list(pixel_m)}
    assert margin([name], fitted) == expected
    elevation = rng.uniform(0, 9, (1, 2 * expected + 2, 2 * expected + 3)).astype(np.float32)
    found = features.compute(elevation, ["elevation"], [name], fitted)[0]
    np.testing.assert_array_equal(found, terrain.position(elevation[0], expected))


def test_a_radius_of_too_many_pixels_or_none_is_refused():
    with pytest.raises(InputError, match="tpi:9000 reaches 9000 m, which are 900 pixels here"):
        margin(["tpi:9000"], {"pixel_m": [10.0, 10.0]})
    with pytest.raises(InputError, match="tpi needs the size of a pixel"):
        margin(["tpi"])
    with pytest.raises(InputError, match="radius 0 m"):
        margin(["tpi:0"])


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["ndvi=B08*2"], "ndvi is the name of a band, a role or a feature"),
        (["ndvi", "ndvi=B08*2"], "such as my_ndvi=B08"),
        (["nir=B08*2"], "nir is the name"),
        (["B04=B08*2"], "B04 is the name"),
        (["B8A=B08*2"], "B8A is the name"),
        (["slope=B08*2"], "slope is the name"),
        (["pc1=B08*2"], "pc1 is the name"),
        (["x=B08*2", "x=B08*3"], r"x=B08\*2 and x=B08\*3 have one name"),
        (["glcm:x=B08*2:mean", "x=B08*3"], "have one name"),
        (["x=B08*2", "x = B08 * 2"], "name one twice"),
    ],
)
def test_a_formula_with_the_name_of_something_else_is_refused(names, text):
    with pytest.raises(InputError, match=text):
        layers_of(BANDS, names)


def test_a_formula_with_the_name_of_one_in_the_scene_is_refused():
    bands = (*BANDS, "x=B08*2")
    assert layers_of(bands, ["x=B08*2"]).bands == ("x=B08*2",)
    with pytest.raises(InputError, match="have one name"):
        layers_of(bands, ["x=B08*3"])


def test_a_formula_may_serve_several_features():
    names = ["glcm:x=nir-red:mean", "glcm:x=nir-red:contrast", "x=nir-red"]
    assert layers_of(BANDS, names).features == tuple(names)


DAMAGED = {
    "pca": ["x", 3, None, {"names": ["B02"]}, {"names": ["B02"], "mean": ["a"]}],
    "bounds:ndvi": ["x", 3, None, [1], [1, "a"], [2, 1], [1, 1], [0, float("nan")], [0, 1, 2]],
    "pixel_m": ["10", [10], [10, 0], [10, -10], [10, float("inf")], {"height": 10}],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in DAMAGED.items() for value in values]
)
def test_damaged_fits_are_one_line(image, fitted, key, value):
    for spoilt in ({**fitted, key: value}, {k: v for k, v in fitted.items() if k != key}):
        for check in (
            lambda held: features.opened(EVERY, held),
            lambda held: features.compute(image, BANDS, EVERY, held),
        ):
            with pytest.raises(InputError) as raised:
                check(spoilt)
            assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("bands", "names", "expected"),
    [
        (BANDS, None, (BANDS, ("ndvi", "ndwi", "bi2"), ())),
        (BANDS, ["bands"], (BANDS, (), ())),
        (BANDS, ["bands", "B02"], (BANDS, (), ())),
        (BANDS, ["B08", "B02"], (("B02", "B08"), (), ())),
        (BANDS, ["ndvi"], (("B04", "B08"), ("ndvi",), ("B04", "B08"))),
        (BANDS, ["elevation", "slope"], (("elevation",), ("slope",), ())),
        (("B04", "B08", "ndvi"), None, (("B04", "B08", "ndvi"), (), ())),
        (("B04", "B08", "ndvi"), ["ndvi"], (("ndvi",), (), ())),
        (("e1", "e2"), None, (("e1", "e2"), (), ())),
        (("e1", "e2"), ["pc1"], (("e1", "e2"), ("pc1",), ("e1", "e2"))),
    ],
)
def test_layers_named_are_bands_or_made_of_them(bands, names, expected):
    found = layers_of(bands, names)
    assert (found.bands, found.features, found.unseen) == expected


@pytest.mark.parametrize("names", [[], ["nope"], ["B8A"], ["ndvi", "ndvi"], ["pca:2", "pc1"]])
def test_layers_that_are_none_are_refused(names):
    with pytest.raises(InputError):
        layers_of(BANDS, names)


def test_texture_is_of_single_pixels(image):
    """The bounds of its levels are taken from a table of samples, which has no windows."""
    with pytest.raises(InputError, match=r"glcm:slope:mean.*slope"):
        require(BANDS, ["glcm:slope:mean"])


def test_blanks_in_the_layer_of_a_texture_do_not_count():
    assert expanded(["glcm:gap = nir - red:mean"]) == ("glcm:gap=nir-red:mean",)


def test_components_are_of_what_is_measured_alone():
    """Not of masks and distances of vector files, nor of terrain or other features."""
    bands = ("B04", "B08", "elevation", "roads_distance", "parks_mask", "ndvi", "A01")
    assert reads(bands, ["pc1"]) == ("B04", "B08", "A01")


@pytest.mark.parametrize("shape", [(40, 44), (220, 5), (5,), ()])
def test_arrays_without_a_row_a_band_are_refused(shape):
    image = np.zeros(shape)
    for made in (features.fit, features.compute):
        with pytest.raises(InputError, match=r"give .bands, rows, cols. or .bands, samples."):
            made(image, BANDS, ["ndvi"])


def test_masked_pixels_have_no_value():
    image = np.ma.masked_less(np.array([[0.1, 0.2], [0.4, 0.4]]), 0.15)
    found = features.compute(image, ["B04", "B08"], ["ndvi"])[0]
    assert np.isnan(found[0]) and found[1] == pytest.approx(1 / 3)


def test_a_component_that_was_not_fitted_is_refused(image):
    held = features.fit(image, BANDS, ["pc1"])
    with pytest.raises(InputError, match="component 2 was not fitted, only 1 were"):
        features.compute(image, BANDS, ["pc2"], held)


@pytest.mark.parametrize("names", [None, [3], "ndvi"])
def test_names_are_a_list_of_texts(image, names):
    with pytest.raises(InputError, match=r"give a list of names, such as \['ndvi'\]"):
        features.compute(image, BANDS, names)
