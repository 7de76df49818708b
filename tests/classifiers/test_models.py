"""A model is a folder whose card is read once, and predicts arrays as it maps scenes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landcover import cli
from landcover.classifiers.models import load_model
from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files import raster_writer, rasters
from landcover.grid import Window
from landcover.run import Run
from landcover.scene.segmentation.types import type_column
from landcover.service import assets, server, state
from landcover.stages.models import is_guest, model_of_run, run_of
from landcover.stages.train import train
from tests.fixtures.training_runs import BANDS, LEGEND, write_run

MODELS = ("random-forest-plain", "mlp-segments-plain", "cnn-5x5-plain")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run with a forest, an MLP that reads segment types, and a patch network; all mapped."""
    run = write_run(tmp_path_factory.mktemp("run"))
    shared = {"denoise": "none", "random_split": False}
    train(run, leaf_sizes=(20,), **shared)
    train(run, "mlp", epochs=2, **shared)
    train(run, "cnn", patch_size=5, epochs=2, **shared)
    for name in MODELS:
        assert cli.main(["map", str(run.path), "--model", name, "--probabilities"]) == 0
    return run


@pytest.fixture
def reads(monkeypatch) -> Counter[str]:
    """How often each model's card is read, by the name of the model."""
    counts: Counter[str] = Counter()
    read_text = Path.read_text

    def counted(path: Path, *arguments, **settings) -> str:
        if path.name == "card.json":
            counts[path.parent.name] += 1
        return read_text(path, *arguments, **settings)

    monkeypatch.setattr(Path, "read_text", counted)
    return counts


def inputs_of(run: Run, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The scene, and the segment types that a model reads."""
    model = load_model(run.model(name))
    layers = model.inputs.segment_layers
    types = rasters.read(run.segment_types, None, layers) if layers else None
    return rasters.read(run.scene), types


@pytest.mark.parametrize("name", MODELS)
def test_arrays_get_what_the_map_holds(run, name):
    model = load_model(run.model(name))
    image, types = inputs_of(run, name)
    codes = model.predict(image, types)
    assert codes.tobytes() == rasters.read_classes(run.map(name)).tobytes()
    probabilities = model.predict_proba(image, types)
    np.testing.assert_allclose(probabilities, rasters.read(run.probabilities(name)), atol=1e-6)
    known = codes > 0
    assert (model.classes_[probabilities[:, known].argmax(axis=0)] == codes[known]).all()


def test_a_table_gets_what_an_image_gets(run):
    for name in MODELS[:2]:
        model = load_model(run.model(name))
        image, types = inputs_of(run, name)
        table = image.reshape(len(BANDS), -1).T
        rows = None if types is None else types.reshape(len(types), -1).T
        np.testing.assert_array_equal(
            model.predict(table, rows), model.predict(image, types).ravel()
        )
        found = model.predict_proba(table, rows)
        assert found.shape == (len(table), len(LEGEND))
        expected = model.predict_proba(image, types).reshape(len(LEGEND), -1).T
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_arrays_that_do_not_fit_are_refused(run):
    image, types = inputs_of(run, MODELS[1])
    typed = load_model(run.model(MODELS[1]))
    for wrong in (None, types[:, 1:], types[0]):
        with pytest.raises(LandcoverError, match=r"segment_types has .*layers hierarchy-8 of"):
            typed.predict(image, wrong)
    forest, patches = (load_model(run.model(name)) for name in (MODELS[0], MODELS[2]))
    for wrong in (image[:2], image[np.newaxis], image[0, 0]):
        with pytest.raises(LandcoverError, match=r"image has .*reads the bands B02 B03 B04 B08"):
            forest.predict(wrong)
    with pytest.raises(LandcoverError, match=r"2 dimensions.*give an image \(bands, rows, cols\)"):
        patches.predict_proba(image.reshape(4, -1).T)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(0, 7), (7, 0), (0, 0)])
def test_an_image_without_pixels_has_no_classes(run, name, shape):
    model = load_model(run.model(name))
    _, types = inputs_of(run, name)
    types = None if types is None else np.zeros((len(types), *shape), np.uint8)
    assert model.predict(np.zeros((4, *shape)), types).shape == shape
    assert model.predict_proba(np.zeros((4, *shape)), types).shape == (len(LEGEND), *shape)


def test_arrays_of_any_kind_that_hold_reflectance_are_alike(run):
    image, _ = inputs_of(run, MODELS[0])
    model = load_model(run.model(MODELS[0]))
    codes = model.predict(image)
    frozen = image.copy()
    frozen.flags.writeable = False
    strided = np.moveaxis(np.ascontiguousarray(np.moveaxis(image, 0, -1)), -1, 0)
    for same in (image.astype(np.float64), frozen, strided, image.astype(">f4"), image.tolist()):
        np.testing.assert_array_equal(model.predict(same), codes)
    np.testing.assert_array_equal(model.predict(image[:, :1, :1]), codes[:1, :1])


@pytest.mark.parametrize("name", MODELS[:2])
def test_a_table_is_read_by_the_names_of_its_columns(run, name):
    image, types = inputs_of(run, name)
    model = load_model(run.model(name))
    rows = image.reshape(4, -1).T[:500]
    layers = None if types is None else types.reshape(len(types), -1).T[:500]
    codes = model.predict(rows, layers)
    table = pd.DataFrame(rows, columns=BANDS)
    if layers is not None:
        columns = [type_column(layer) for layer in model.inputs.segment_layers]
        layers = pd.DataFrame(layers, columns=columns)[columns[::-1]]
    turned = table[["B08", "B02", "B04", "B03"]].assign(label=211)
    np.testing.assert_array_equal(model.predict(turned, layers), codes)
    np.testing.assert_array_equal(model.predict(pd.DataFrame(rows), layers), codes)
    with pytest.raises(InputError, match=r"columns red B03 B04 B08, .* needs B02 too; name the"):
        model.predict_proba(table.rename(columns={"B02": "red"}), layers)


def test_masked_pixels_are_nodata(run):
    image, _ = inputs_of(run, MODELS[0])
    hidden = np.zeros(image.shape, bool)
    hidden[2, 3:5, 6] = True
    masked = np.ma.masked_array(np.where(hidden, -9999, image), hidden)
    expected = np.where(hidden, np.nan, image)
    for method in ("predict", "predict_proba"):
        ask = getattr(load_model(run.model(MODELS[0])), method)
        np.testing.assert_array_equal(ask(masked), ask(expected))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.full((4, 2, 2), 1200, np.uint16), "whole numbers up to 1200, which are no reflectance"),
        (np.full((4, 2, 2), 1200.0), "image has a median of 1200, which is no reflectance"),
        (np.full((3, 4), 1200.0), "image has a median of 1200, which is no reflectance"),
        (np.full((4, 2, 2), 0.1 + 1j), "complex128 is no type of numbers"),
        (np.full((4, 2, 2), "0.1"), "is no type of numbers"),
        ([[0.1, 0.2], [0.3]], "cannot be read as numbers"),
        (None, "image has the shape"),
    ],
)
def test_what_is_no_reflectance_is_refused_as_a_value(run, wrong, message):
    with pytest.raises(InputError, match=message) as caught:
        load_model(run.model(MODELS[0])).predict(wrong)
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


def test_what_a_model_says_of_itself(run):
    model = load_model(run.model("cnn-5x5-plain"))
    assert model.name == "cnn-5x5-plain" and model.kind.name == "cnn"
    assert model.title == "patch CNN 5×5 on labels as they are"
    assert model.bands == BANDS and model.inputs.patch_size == 5
    assert model.legend.codes == LEGEND.codes == tuple(model.classes_)
    assert run_of(model).path == run.path and model.file.name == "model.keras"
    assert model == load_model(str(model.folder)) and len({model, load_model(model.folder)}) == 1
    with pytest.raises(AttributeError):
        model.folder = run.path


def test_models_are_found_by_name_and_by_folder(run, tmp_path):
    other = Run(tmp_path)
    own = model_of_run(run, MODELS[0])
    assert model_of_run(run, own) is own and model_of_run(other, own.folder) == own
    assert is_guest(other, own) and not is_guest(run, own)
    with pytest.raises(MissingProduct, match="has no model mlp; it has no model yet"):
        model_of_run(other, "mlp")
    with pytest.raises(MissingProduct, match=r"^gone/mlp holds no model; give the folder"):
        model_of_run(other, "gone/mlp")
    with pytest.raises(MissingProduct, match=r"holds no model; give the folder of a model"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_a_command_reads_a_card_once(run, reads, name):
    model = ["--model", name]
    for command in (["map", *model], ["map", *model, "--verify", "9"], ["export", *model],
                    ["postprocess", *model, "--mmu-ha", "0.1"], ["compare"]):  # fmt: skip
        reads.clear()
        assert cli.main([command[0], str(run.path), *command[1:]]) == 0
        assert reads and set(reads.values()) == {1}, command


def test_commands_that_choose_a_model_read_every_card_once(run, reads, tmp_path):
    picture, part = tmp_path / "picture.tif", Window(20, 20, 40, 40)
    grid = rasters.grid_of(run.scene).crop(part)
    raster_writer.write(picture, rasters.read(run.scene, part), grid, BANDS, np.nan)
    assert cli.main(["classify", str(picture), "--run", str(run.path)]) == 0
    assert reads == dict.fromkeys(MODELS, 1)
    reads.clear()
    assert cli.main(["map", str(run.path)]) == 0
    assert reads == dict.fromkeys(MODELS, 1)


@pytest.mark.parametrize("given", [(), ("--classifier", MODELS[0])])
def test_serving_reads_every_card_once(run, reads, monkeypatch, given):
    served = []
    monkeypatch.setattr(assets, "load", dict)
    monkeypatch.setattr(state, "layers_of", lambda run: {})
    monkeypatch.setattr(server, "serve", lambda held, host, port: served.append(held))
    assert cli.main(["serve", str(run.path), *given]) == 0
    assert reads == dict.fromkeys(MODELS, 1)
    assert served[0].classify is not None and served[0].predict


def test_a_comparison_of_dates_reads_the_card_once(run, reads, tmp_path):
    later = Run(tmp_path / "later")
    image = rasters.read(run.scene)
    raster_writer.write(later.scene, image + 0.01, rasters.grid_of(run.scene), BANDS, np.nan)
    call = ["change", str(run.path), str(later.path), "--model", MODELS[0], "--patch-px", "16"]
    assert cli.main([*call, "--out", str(tmp_path / "out")]) == 0
    assert reads == {MODELS[0]: 1}


def test_training_that_maps_reads_the_card_once(run, reads):
    assert cli.main(["train", "knn", str(run.path), "--denoise", "none", "--no-random-split"]) == 0
    assert reads == {"knn-plain": 1}


def test_old_cards_leave_probabilities_alone_and_damaged_ones_are_refused(run, tmp_path):
    card = dict(load_model(run.model(MODELS[0])).card)
    path = tmp_path / "card.json"
    del card["temperature"], card["probability_floor"]
    path.write_text(json.dumps(card))
    assert load_model(tmp_path).temperature.value == 1
    fits = {"features": ["glcm:B08:mean"], "fitted": {"bounds:B08": "0 1"}}
    for change, said in (
        ({"kind": "nope"}, "unknown kind"),
        ({"temperature": -1}, "damaged"),
        (fits, r"card.json is damaged \(fitted bounds:B08 is '0 1', no two numbers"),
        (fits | {"fitted": 3}, r"card.json is damaged \(features need bounds:B08"),
    ):
        path.write_text(json.dumps(card | change))
        with pytest.raises(LandcoverError, match=said):
            load_model(tmp_path)
