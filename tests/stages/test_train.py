"""Training and mapping stages on a small run: products, cards, rows used, refusals."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from landcover import maps
from landcover.classifiers import models
from landcover.errors import InputError, LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json, write_json
from landcover.run import Run
from landcover.stages import map as map_stage
from landcover.stages import train
from landcover.stages.inputs import read_rows
from landcover.stages.models import model_names, model_of_run
from tests.conftest import utm_grid
from tests.fixtures.training_runs import BANDS, COLS, LEGEND, write_run

pytestmark = pytest.mark.usefixtures("hasty_teacher")


@dataclass
class Made:
    """A run and the products of its training, by model."""

    run: Run
    products: dict


@pytest.fixture(scope="module")
def made(tmp_path_factory, hasty_teacher):
    run = write_run(tmp_path_factory.mktemp("run"))
    trained = {
        "random-forest": train.train(run, leaf_sizes=(5, 20)),
        "knn": train.train(run, "knn"),
        "mlp": train.train(run, "mlp", segment_layers=(), epochs=4),
        "mlp-segments": train.train(run, "mlp", epochs=4),
        "cnn-5x5": train.train(run, "cnn", patch_size=5, epochs=8),
        "cnn-3x3-published": train.train(run, "cnn", patch_size=3, published=True, epochs=2),
    }
    return Made(run, {name: train.products_of(run, model) for name, model in trained.items()})


MODELS = ("random-forest", "knn", "mlp", "mlp-segments", "cnn-5x5", "cnn-3x3-published")


def test_every_model_is_there_by_name(made):
    assert model_names(made.run) == sorted(MODELS)
    for name, products in made.products.items():
        assert all(path.exists() for path in products)
        assert products[-1] == made.run.report(name)
        held = {path.name for path in made.run.model(name).iterdir()}
        network = name.startswith(("mlp", "cnn"))
        stored = {"model.keras", "history.json"} if network else {"model.skops"}
        assert held - stored in ({"card.json"}, {"card.json", "applicability.npz"})
        assert stored <= held


@pytest.mark.parametrize("name", MODELS)
def test_the_card_says_what_the_model_is(made, name):
    card = read_json(made.run.model(name) / "card.json")
    assert card["classes"] == [c.as_dict() for c in LEGEND.classes]
    assert card["bands"] == list(BANDS)
    assert card["patch_size"] == {"cnn-5x5": 5, "cnn-3x3-published": 3}.get(name, 1)
    assert card["trained_on"] == "labels"
    assert card["split"]["kind"] == "spatial blocks" and card["split"]["guard_px"] == 3
    assert card["seed"] == 0
    assert {"python", "numpy", "scikit-learn", "keras"} <= set(card["versions"])
    assert card["inputs"][:4] == list(BANDS)
    assert ("hierarchy-8 (one-hot)" in card["inputs"]) == (name == "mlp-segments")
    assert card["commit"] is None or len(card["commit"]) == 40


def test_rows_serve_one_purpose_each(made):
    rows = read_rows(made.run, "labels")
    table = rows.samples
    training = table.iloc[rows.train]
    assert (training["split"] == "train").all() and not training["random_test"].any()
    assert (training["label"] != 0).all()
    assert (table.iloc[rows.validation]["split"] == "validation").all()
    scored = table.iloc[rows.scored]
    assert (scored["split"] == "test").all()
    purposes = np.concatenate([rows.train, rows.validation, rows.scored])
    assert len(np.unique(purposes)) == len(purposes)
    card = read_json(made.run.model("mlp") / "card.json")
    assert card["n_train"] == len(rows.train)


def test_scaling_is_that_of_the_training_rows_alone(made):
    rows = read_rows(made.run, "labels")
    training = rows.samples.iloc[rows.train]
    for name in ("mlp", "cnn-5x5"):
        scaling = read_json(made.run.model(name) / "card.json")["scaling"]
        np.testing.assert_allclose(scaling["means"][:4], training[list(BANDS)].mean(), rtol=1e-5)
        np.testing.assert_allclose(
            scaling["stds"][:4], training[list(BANDS)].std(ddof=0), rtol=1e-4
        )


def test_reports_lead_with_the_reference_and_tell_the_random_split(made):
    for name in MODELS:
        report = read_json(made.run.report(name))
        assert report["against"] == "reference"
        assert {"labels", "reference", "labels_random", "reference_random"} <= set(report["scores"])
        assert report["seconds"]["train"] > 0 and report["seconds"]["predict"] > 0


def test_context_beats_single_pixels_where_texture_tells(made):
    accuracy = {name: read_json(made.run.report(name))["overall_accuracy"] for name in MODELS}
    assert accuracy["cnn-5x5"] > accuracy["random-forest"] + 0.02
    assert accuracy["mlp-segments"] > accuracy["mlp"] + 0.02


def test_learning_curves_are_stored(made):
    history = read_json(made.run.model("cnn-5x5") / "history.json")
    assert set(history) == {"loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"}
    assert 1 <= len(history["loss"]) <= 8
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("name", [n for n in MODELS if n != "knn"])
def test_a_map_repeats_what_the_model_said_of_the_samples(made, name):
    paths = map_stage.map_scene(made.run, name, tile_px=64)
    beside = {f"{name}.tif", f"{name}.qml", f"{name}_confidence.tif"}
    assert paths[0].name == f"{name}.tif" and beside <= {path.name for path in paths}
    rows = read_rows(made.run, "labels")
    table = rows.samples.iloc[rows.scored]
    mapped = rasters.read_classes(made.run.map(name))[table["row"], table["col"]]
    test = (table["split"] == "test").to_numpy()
    truth = table["reference"].to_numpy()
    report = read_json(made.run.report(name))
    # The map's score is wall to wall; on the samples it must be close to it
    agreement = (mapped == truth)[test].mean()
    assert agreement == pytest.approx(report["overall_accuracy"], abs=0.05)
    assert (mapped != 0).all()


def test_maps_are_recorded_with_their_settings(made):
    map_stage.map_scene(made.run, "random-forest")
    stages = read_json(made.run.manifest)["stages"]
    recorded = stages["map random-forest"]["settings"]
    assert recorded["model"] == "random-forest" and recorded["tile_px"] == 1024
    assert "maps/random-forest.qml" in stages["map random-forest"]["products"]
    assert stages["train cnn-5x5"]["settings"]["seed"] == 0


def test_probabilities_on_request(made):
    paths = map_stage.map_scene(made.run, "mlp", probabilities=True)
    assert made.run.probabilities("mlp") in paths
    probabilities = rasters.read(made.run.probabilities("mlp"))
    np.testing.assert_allclose(np.nansum(probabilities, axis=0)[10:], 1, atol=1e-5)


def test_verify_by_name(made):
    for name in ("cnn-5x5", "mlp-segments"):
        map_stage.map_scene(made.run, name)
    agreement = map_stage.verify(made.run, "cnn-5x5", 60, seed=1)
    assert agreement.mismatches == 0 and agreement.largest_difference < 1e-5
    assert map_stage.verify(made.run, "mlp-segments", 20).mismatches == 0


def test_a_model_maps_another_runs_scene(made, tmp_path):
    other = Run(tmp_path / "other")
    image = np.random.default_rng(5).uniform(0, 0.3, (4, 40, 50)).astype(np.float32)
    raster_writer.write(other.scene, image, utm_grid(40, 50), BANDS, nodata=np.nan)
    paths = map_stage.map_scene(other, made.run.model("cnn-5x5"))
    assert paths[0] == other.map("cnn-5x5")
    assert (rasters.read_classes(paths[0]) != 0).all()
    assert not other.report("cnn-5x5").exists()


def test_the_card_says_how_the_network_was_trained(made):
    for name, way in (("cnn-5x5", "chips"), ("cnn-3x3-published", "chips")):
        assert read_json(made.run.model(name) / "card.json")["settings"]["train_on"] == way


def products_in(made, folder):
    """A run of its own with the scene and samples of the shared one."""
    run = Run(folder)
    run.path.mkdir()
    for product in ("scene", "labels", "samples", "splits"):
        getattr(run, product).write_bytes(getattr(made.run, product).read_bytes())
    return run


@pytest.fixture
def copy(made, tmp_path):
    return products_in(made, tmp_path / "run")


@pytest.fixture(scope="module")
def again(made, tmp_path_factory, hasty_teacher):
    """The shared run from its samples on, trained a second time."""
    run = products_in(made, tmp_path_factory.mktemp("again") / "run")
    train.train(run, leaf_sizes=(5, 20), random_split=False)
    train.train(run, "mlp", segment_layers=(), epochs=4, random_split=False)
    train.train(run, "cnn", patch_size=5, epochs=8, random_split=False)
    return run


@pytest.mark.parametrize("name", ["random-forest", "mlp", "cnn-5x5"])
def test_the_same_seed_gives_the_same_map(made, again, name):
    bytes_of = []
    for run in (made.run, again):
        maps.predict_map(
            models.load_model(run.model(name)).classifier(),
            run.scene,
            run.map(name),
            confidence=run.confidence(name),
        )
        bytes_of.append(run.map(name).read_bytes() + run.confidence(name).read_bytes())
    assert bytes_of[0] == bytes_of[1]


def test_learning_from_the_reference_has_a_name_of_its_own(made):
    model = train.train(made.run, targets="reference", leaf_sizes=(20,))
    card = read_json(made.run.model("random-forest-on-reference") / "card.json")
    assert card["trained_on"] == "reference"
    assert train.products_of(made.run, model) == [
        model.file, model.folder / "applicability.npz", model.card_path,
        made.run.report("random-forest-on-reference"),
    ]  # fmt: skip


def test_a_new_model_takes_the_old_ones_maps_away(copy):
    train.train(copy, leaf_sizes=(20,), denoise="none", random_split=False)
    map_stage.map_scene(copy, "random-forest-plain")
    assert copy.map("random-forest-plain").exists()
    begun = copy.map_job("random-forest-plain")
    begun.mkdir()
    (begun / "000000.part").write_bytes(b"of an interrupted map")
    train.train(copy, seed=1, leaf_sizes=(20,), denoise="none", random_split=False)
    assert not begun.exists()
    assert not copy.map("random-forest-plain").exists()
    assert not copy.confidence("random-forest-plain").exists()


def test_balanced_weights_are_those_of_the_rows_trained_on(made):
    from landcover.samples.rows import class_weights

    rows = read_rows(made.run, "labels")
    counts = rows.samples.iloc[rows.train]["label"].value_counts()
    expected = [len(rows.train) / (3 * counts[code]) for code in LEGEND.codes]
    np.testing.assert_allclose(class_weights(rows, "balanced"), expected)
    with pytest.raises(LandcoverError, match="class weight 'heavy' is unknown"):
        class_weights(rows, "heavy")


def test_training_on_tiles_learns_what_chips_learn(made, copy):
    settings = {"epochs": 8, "batches_of": "tiles", "denoise": "none", "random_split": False}
    train.train(copy, "cnn", patch_size=5, **settings)
    card = read_json(copy.model("cnn-5x5-plain") / "card.json")
    assert card["settings"]["train_on"] == "tiles" and card["settings"]["tile_px"] >= 1
    on_tiles = read_json(copy.report("cnn-5x5-plain"))["scores"]["labels"]["overall_accuracy"]
    on_chips = read_json(made.run.report("cnn-5x5"))["scores"]["labels"]["overall_accuracy"]
    assert on_tiles > on_chips - 0.05


@pytest.mark.slow  # that seeds repeat weights on tiles: tests/classifiers/test_tile_training.py
def test_training_on_tiles_repeats_itself(copy):
    settings = {"epochs": 8, "batches_of": "tiles", "denoise": "none", "random_split": False}
    weights = []
    for _ in range(2):
        train.train(copy, "cnn", patch_size=5, **settings)
        model = models.load_model(copy.model("cnn-5x5-plain")).classifier().model
        weights.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_tiles_for_the_published_network(copy):
    with pytest.raises(LandcoverError, match="published network pads its patches"):
        train.train(copy, "cnn", patch_size=3, published=True, batches_of="tiles", denoise="none")


@pytest.mark.parametrize(
    ("patch_size", "message"),
    [
        (6, "patch size 6 is even"),
        (9, r"patch size 9 .*guard of 3 px.*at most 7.*landcover sample .* --max-patch 9"),
        (1, "patch size 1 is out of range"),
    ],
)
def test_patch_sizes_that_do_not_fit(copy, patch_size, message):
    with pytest.raises(LandcoverError, match=message):
        train.train(copy, "cnn", patch_size=patch_size)
    assert not copy.model("x").parent.exists()


def test_a_patch_larger_than_the_scene(copy):
    message = r"patch size 201 is larger than the scene \(128 x 160 .* odd size of at most 127"
    with pytest.raises(LandcoverError, match=message):
        train.train(copy, "cnn", patch_size=201)


def test_a_split_of_another_scene(copy):
    small = rasters.read(copy.scene)[:, :40]
    raster_writer.write(copy.scene, small, utm_grid(40, COLS), BANDS, nodata=np.nan)
    message = r"splits\.json is of a scene of 128 x 160 .* has 40 x 160; .*landcover sample"
    for kind in ("random-forest", "cnn"):
        with pytest.raises(LandcoverError, match=message):
            train.train(copy, kind)


@pytest.mark.parametrize("content", [[], {}, {"rows": "many"}])
def test_a_damaged_split(copy, content):
    write_json(copy.splits, content)
    with pytest.raises(LandcoverError, match=r"splits\.json is (damaged|not readable JSON)"):
        train.train(copy, "cnn", patch_size=5)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_not_every_library_takes(copy, seed):
    with pytest.raises(
        LandcoverError, match=rf"seed {seed} is out of range; choose 0 to 4294967295"
    ):
        train.train(copy, "knn", seed=seed, denoise="none")


def test_a_damaged_manifest_stops_a_stage_before_it_replaces_anything(copy, made):
    copy.manifest.write_text("{")
    with pytest.raises(LandcoverError, match=r"manifest\.json is not readable JSON"):
        train.train(copy, "knn")
    assert not copy.model("knn").exists() and not copy.label_noise.exists()
    with pytest.raises(LandcoverError, match=r"manifest\.json is not readable JSON"):
        map_stage.map_scene(copy, made.run.model("knn"))
    assert not copy.map("knn").exists()


def test_labels_on_another_grid_stop_a_map_before_it_is_made(copy, made):
    raster_writer.write(copy.labels, np.full((40, 50), 211, np.uint16), utm_grid(40, 50), ["class"])
    with pytest.raises(LandcoverError, match=r"labels\.tif is not on the grid of"):
        map_stage.map_scene(copy, made.run.model("knn"))
    assert not copy.map("knn").exists()


def test_segment_types_that_the_run_lacks(copy, made):
    import pandas as pd

    table = pd.read_parquet(made.run.samples).drop(columns=["segment_type_hierarchy_8"])
    table.to_parquet(copy.samples)
    with pytest.raises(
        LandcoverError, match=r"segment types.*landcover segment .*landcover sample"
    ):
        train.train(copy, "mlp")


def test_an_unknown_layer_of_segment_types(made):
    held = " ".join(rasters.band_names(made.run.segment_types))
    message = rf"segment_layers nope: .*segment_types\.tif has no such layer; choose among {held}"
    for layers in ("nope", ["nope"], ["hierarchy-8", "nope"]):
        with pytest.raises(InputError, match=message):
            train.train(made.run, "mlp", segment_layers=layers)


@pytest.mark.parametrize(
    ("product", "command"),
    [("samples", "landcover sample"), ("scene", "landcover prep"), ("splits", "landcover sample")],
)
def test_a_run_without_the_needed_stage(copy, product, command):
    getattr(copy, product).unlink()
    with pytest.raises(LandcoverError, match=f"does not exist; make it with: {command}"):
        train.train(copy, "cnn", patch_size=5)


def change_samples(copy, change):
    import pandas as pd

    change(pd.read_parquet(copy.samples)).to_parquet(copy.samples)


def test_samples_of_one_class(copy):
    change_samples(copy, lambda table: table.assign(label=np.uint16(211)))
    with pytest.raises(LandcoverError, match="hold class 211 only; a classifier needs two"):
        train.train(copy)


def test_samples_without_validation_rows(copy):
    change_samples(copy, lambda table: table[table["split"] != "validation"])
    with pytest.raises(LandcoverError, match=r"no validation row.*landcover sample .*--samples"):
        train.train(copy)


def test_samples_of_another_scene(copy):
    change_samples(copy, lambda table: table.drop(columns=["B08", "ndvi"]))
    with pytest.raises(LandcoverError, match="lacks the columns B08 of the scene"):
        train.train(copy, "mlp", segment_layers=())


def test_samples_without_a_reference(copy):
    change_samples(copy, lambda table: table.drop(columns=["reference"]))
    with pytest.raises(LandcoverError, match="has no column reference"):
        train.train(copy, targets="reference")
    with pytest.raises(LandcoverError, match="targets 'truth' are unknown"):
        train.train(copy, targets="truth")


def test_damaged_samples(copy):
    copy.samples.write_bytes(copy.samples.read_bytes()[:500])
    with pytest.raises(LandcoverError, match=r"samples\.parquet is not readable") as caught:
        train.train(copy)
    assert "\n" not in str(caught.value)


def test_a_missing_model_names_those_there_are(made, copy):
    with pytest.raises(LandcoverError, match=r"no model cnn-9x9; its models are cnn-3x3-published"):
        model_of_run(made.run, "cnn-9x9")
    with pytest.raises(LandcoverError, match=r"it has no model yet: train .*landcover train cnn"):
        map_stage.map_scene(copy, "cnn-7x7")


def test_a_model_of_other_bands(made, tmp_path):
    other = Run(tmp_path)
    image = np.full((2, 30, 30), 0.1, np.float32)
    raster_writer.write(other.scene, image, utm_grid(30, 30), ("B02", "B03"), nodata=np.nan)
    with pytest.raises(
        LandcoverError, match=r"random-forest was trained on bands B02 B03 B04 B08; .*has B02 B03:"
    ):
        map_stage.map_scene(other, made.run.model("random-forest"))


def test_damaged_models(made, copy):
    folder = copy.model("mlp")
    folder.mkdir(parents=True)
    source = made.run.model("mlp")
    card = json.loads((source / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(LandcoverError, match=r"model\.keras does not exist; train the model mlp"):
        models.load_model(copy.model("mlp")).classifier()
    del card["bands"]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(LandcoverError, match=r"card\.json is damaged \(bands\)"):
        models.load_model(copy.model("mlp")).classifier()
    (folder / "card.json").write_text(json.dumps(card | {"bands": list(BANDS), "kind": "none"}))
    with pytest.raises(LandcoverError, match=r"damaged \(unknown kind\); train the model again"):
        models.load_model(copy.model("mlp")).classifier()
