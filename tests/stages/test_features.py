"""Features chosen by name, from samples over training to maps; one is a window's."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest

from landcover import maps
from landcover.cli import main
from landcover.errors import InputError, LandcoverError
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.samples.rows import read_samples, with_features
from landcover.samples.table import Draw
from landcover.scene.feature_names import FEATURES
from landcover.scene.features import compute_features, fit
from landcover.stages.export import export
from landcover.stages.map import map_scene, verify
from landcover.stages.sample import sample
from landcover.stages.train import train
from tests.conftest import error_lines
from tests.fixtures.training_runs import BANDS, write_run
from tests.fixtures.windowed import TEXTURE

NAMES = ("savi", TEXTURE.name)


@pytest.fixture(autouse=True)
def table():
    """The table of features with one more row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURES, TEXTURE.name, TEXTURE)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run whose table has no column of the features, and a forest that sees them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURES, TEXTURE.name, TEXTURE)
        run = write_run(tmp_path_factory.mktemp("run"))
        how = {"denoise": "none", "leaf_sizes": (5,), "random_split": False}
        yield run, train(run, features=("bands", *NAMES), **how)


def test_the_card_names_the_features(made):
    run, model = made
    assert model.inputs.features == NAMES and model.card["inputs"] == [*BANDS, *NAMES]
    assert not set(NAMES) & set(read_samples(run.samples))
    plain = train(run, "knn", denoise="none", features=("bands",), random_split=False)
    assert plain.inputs.features == ()
    assert plain.card["inputs"] == list(BANDS)


@pytest.mark.parametrize(("compute_px", "tile_px"), [(40, 64), (23, 50)])
def test_a_map_has_no_seams(made, monkeypatch, compute_px, tile_px):
    """By windows and tiles of whichever size, at nodata and at the scene's edge."""
    run, model = made
    whole = rasters.read_classes(map_scene(run, model)[0])
    run.map(model.name).unlink()
    monkeypatch.setattr(maps.scene_tiles, "COMPUTE_PX", compute_px)
    tiled = map_scene(run, model, tile_px=tile_px)[0]
    assert np.array_equal(rasters.read_classes(tiled), whole)
    assert verify(run, model, 50).mismatches == 0


def test_a_map_repeats_what_the_model_says_of_the_samples(made):
    """To the last one: the columns of samples are what the map computes at their pixels."""
    run, model = made
    mapped = rasters.read_classes(map_scene(run, model)[0])
    samples = with_features(run.scene, read_samples(run.samples), model.inputs)
    inputs = samples[[*BANDS, *NAMES]].to_numpy(np.float32)
    probabilities = model.classifier().predict(inputs, np.zeros((len(inputs), 0), np.uint8))
    labels = model.legend.code(probabilities.argmax(axis=1))
    assert np.array_equal(labels, mapped[samples["row"], samples["col"]])


def test_plain_arrays_are_predicted_as_the_map_is(made):
    run, model = made
    image = rasters.read(run.scene)
    mapped = map_scene(run, model.name)[0]
    assert np.array_equal(model.predict(image), rasters.read_classes(mapped))
    with pytest.raises(LandcoverError, match="sees the pixels around a pixel"):
        model.predict(image[:, 20, :30].T)


def test_an_exported_model_says_what_it_takes(made, tmp_path):
    _, model = made
    (path, *_) = export(model, tmp_path).paths
    facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(facts["features"]) == {
        "savi": "1.5 * (B08 - B04) / (B08 + B04 + 0.5)",
        TEXTURE.name: "standard deviation of B08 in 5 x 5 pixels",
    }


def test_the_table_serves_as_well_with_the_columns_as_without(made, tmp_path):
    _, model = made
    other = write_run(tmp_path / "run")
    sample(other, Draw(3000, features=NAMES), max_patch=7)
    how = {"denoise": "none", "leaf_sizes": (5,), "random_split": False}
    held = train(other, features=("bands", *NAMES), **how)
    assert held.card["scaling"] == model.card["scaling"]
    image = rasters.read(other.scene)
    assert np.array_equal(held.predict_proba(image), model.predict_proba(image), equal_nan=True)


def last_error(capsys):
    return error_lines(capsys.readouterr().err)[-1]


def test_features_by_the_command_line(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    forest = ["train", "random-forest", str(run.path), "--no-random-split", "--denoise", "none"]
    assert main([*forest, "--features", "bands", *NAMES]) == 0
    assert read_json(run.model("random-forest-plain") / "card.json")["features"] == list(NAMES)
    knn = ["train", "knn", str(run.path), "--no-random-split", "--denoise", "none", "--no-map"]
    assert main([*knn, "--features", "bands", "ndvi"]) == 0
    assert main(["map", str(run.path), "--features", "bands", "ndvi"]) == 0
    assert run.map("knn-plain").exists()
    assert main(["map", str(run.path), "--model", "knn-plain", "--features", "evi"]) == 2
    assert "model knn-plain sees B02 B03 B04 B08 ndvi; train one" in last_error(capsys)
    assert main(["map", str(run.path), "--features", "evi"]) == 2
    assert "has none; train one: landcover train random-forest" in last_error(capsys)
    assert main(["map", str(run.path), "--features", "nope"]) == 2
    assert "there is no feature 'nope'; the features are " in last_error(capsys)
    assert main([*knn, "--features", "ndmi"]) == 2
    assert "feature ndmi needs swir16 (B11)" in last_error(capsys)


def test_a_model_of_other_features_is_not_replaced(tmp_path):
    run = write_run(tmp_path / "run")
    how = {"denoise": "none", "leaf_sizes": (5,), "random_split": False}
    first = train(run, features=["bands", "ndvi"], **how)
    before = {path: path.read_bytes() for path in first.folder.iterdir()}
    for features, words in (
        (["bands", "evi"], "B02 B03 B04 B08 evi"),
        (["bands"], "sees B02 B03 B04 B08 has"),
        (["ndvi"], "sees ndvi has"),
        (None, "ndvi ndwi"),
    ):
        with pytest.raises(InputError, match=rf"sees B02 B03 B04 B08 ndvi, and one that .*{words}"):
            train(run, features=features, **how)
    assert {path: path.read_bytes() for path in first.folder.iterdir()} == before
    assert train(run, features=["bands", "ndvi"], **how).card["features"] == ["ndvi"]
    first.card_path.write_text("{}", "utf-8")  # a damaged one is trained again
    assert train(run, features=["evi"], **how).card["features"] == ["evi"]


def test_a_patch_network_sees_no_features(made):
    with pytest.raises(LandcoverError, match="features ndvi: models of kind cnn see the bands al"):
        train(made[0], "cnn", features=["ndvi"])


def test_a_feature_is_what_it_says(made):
    """Two ways to one number: the table's function, and numpy over the pixels of a window."""
    scene = rasters.read(made[0].scene)
    found = compute_features(scene[:, 40:49, 40:49], BANDS, [TEXTURE.name])[0]
    np.testing.assert_allclose(found[2, 2], scene[3, 42:47, 42:47].std(), rtol=1e-5)


@pytest.fixture
def alone(made):
    """The run without models of nearest neighbours."""
    shutil.rmtree(made[0].model("knn-plain"), ignore_errors=True)
    return made[0]


def test_a_model_sees_the_layers_named_and_no_others(alone):
    """Of a band that only a feature needs, the model sees the feature alone."""
    run = alone
    how = {"denoise": "none", "random_split": False}
    model = train(run, "knn", features=["B03", "ndvi", "ratio=B08 / B02"], **how)
    assert model.card["inputs"] == ["B03", "ndvi", "ratio=B08/B02"]
    assert (model.bands, model.card["unseen"]) == (BANDS, ["B02", "B04", "B08"])
    image = rasters.read(run.scene)
    table = np.stack([image[1], *compute_features(image, BANDS, model.inputs.features)])
    valid = np.isfinite(table).all(axis=0)
    expected = model.classifier().predict(table[:, valid].T, np.zeros((valid.sum(), 0), np.uint8))
    np.testing.assert_array_equal(model.predict_proba(image)[:, valid].T, expected)
    mapped = rasters.read_classes(map_scene(run, model)[0])
    np.testing.assert_array_equal(model.predict(image), mapped)


def test_a_network_of_patches_sees_the_bands_named(made):
    how = {"denoise": "none", "random_split": False, "epochs": 1, "patch_size": 3}
    model = train(made[0], "cnn", features=["B08", "B04"], **how)
    assert model.bands == ("B04", "B08") == tuple(model.card["inputs"])
    mapped = map_scene(made[0], model)[0]
    image = rasters.read(made[0].scene, bands=["B04", "B08"])
    assert (model.predict(image) == rasters.read_classes(mapped)).mean() > 0.99


def test_components_and_textures_are_fitted_to_training_samples(alone):
    run = alone
    names = ["pca:2", "glcm:pc1:contrast:3", "glcm:ndvi:entropy:5"]
    model = train(run, "knn", features=names, denoise="none", random_split=False)
    assert model.card["inputs"] == ["pc1", "pc2", *names[1:]]
    assert sorted(model.card["fitted"]) == ["bounds:ndvi", "bounds:pc1", "pca"]
    table = read_samples(run.samples)
    fitted = fit(table.loc[table["split"] == "train", list(BANDS)].to_numpy().T, BANDS, names)
    assert model.card["fitted"] == fitted
    mapped = rasters.read_classes(map_scene(run, model, tile_px=64)[0])
    np.testing.assert_array_equal(model.predict(rasters.read(run.scene)), mapped)
    assert verify(run, model, 30).mismatches == 0
    assert main(["map", str(run.path), "--features", *names]) == 0


def test_a_sample_table_has_no_columns_that_are_fitted_to_it(made):
    with pytest.raises(InputError, match=r"features pc1 pc2 are fitted to training samples"):
        sample(made[0], Draw(2000, features=("pca:2",)))


def test_variants_stand_side_by_side(made):
    run = made[0]
    knn = ["train", "knn", str(run.path), "--no-random-split", "--denoise", "none"]
    for variant, names in (("rgb", ["B02", "B03", "B04"]), ("infrared", ["B08"])):
        assert main([*knn, "--variant", variant, "--features", *names]) == 0
    assert main(["compare", str(run.path)]) == 0
    held = {model["name"]: model for model in read_json(run.path / "comparison.json")["models"]}
    assert {"knn-plain@rgb", "knn-plain@infrared"} <= set(held)
    assert "(infrared)" in (run.path / "comparison.md").read_text("utf-8")
    assert run.map("knn-plain@rgb").exists()
