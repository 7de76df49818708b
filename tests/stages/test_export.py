"""Exported models: ONNX Runtime gives their labels, and the file alone says how to use it."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import dataclass

import numpy as np
import onnx
import pystac
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from landcover import cli, maps
from landcover.classifiers import estimators, row_models
from landcover.classifiers.exchange import forest_onnx
from landcover.classifiers.models import load_model
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.grid import Window
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.sources.synthetic import make_scene
from landcover.stages import store, train
from landcover.stages.export import export
from landcover.stages.map import map_scene
from landcover.stages.sample import sample

onnxruntime = pytest.importorskip("onnxruntime")

NAMES = ("random-forest", "knn", "mlp", "mlp-segments", "cnn-5x5", "cnn-3x3-published")
#: Kernels round differently; where two classes lie closer, either is the label.
TIE = 1e-5


@dataclass
class Made:
    """A run, and where each model was exported to."""

    run: Run
    exported: dict


@pytest.fixture(scope="module")
def made(tmp_path_factory, hasty_teacher):
    """A synthetic scene of 102,400 pixels, every kind of model, each exported."""
    folder = tmp_path_factory.mktemp("exchange")
    scene = make_scene(320, 320, seed=3)
    run = Run(folder / "run")
    image = scene.image.astype(np.float32)
    image[:, :5, :7] = np.nan
    raster_writer.write(run.scene, image, scene.grid, scene.bands, nodata=np.nan)
    raster_writer.write(run.labels, scene.truth, scene.grid, ["class"], nodata=0)
    types = np.stack([1 + (scene.truth == 311), 1 + scene.truth // 100]).astype(np.uint8)
    raster_writer.write(
        run.segment_types, types, scene.grid, ["percentile", "hierarchy-8"], nodata=0
    )
    sample(run, Draw(2000), max_patch=5, seed=0)
    train.train(run, leaf_sizes=(5,), random_split=False)
    train.train(run, "knn", random_split=False)
    train.train(run, "mlp", segment_layers=(), epochs=2, random_split=False)
    train.train(run, "mlp", epochs=2, random_split=False)
    train.train(run, "cnn", patch_size=5, epochs=2, random_split=False)
    train.train(run, "cnn", patch_size=3, published=True, epochs=1, random_split=False)
    return Made(run, {name: export(load_model(run.model(name)), folder / name) for name in NAMES})


def session_of(made, name):
    return onnxruntime.InferenceSession(made.exported[name].paths[0].read_bytes())


def facts_of(made, name):
    """What the file itself says."""
    properties = onnx.load(made.exported[name].paths[0]).metadata_props
    return {p.key: json.loads(p.value) for p in properties}


def read_scene(run, bands):
    return rasters.read(run.scene, bands=bands)


def by_rows(run, facts):
    """Values of every pixel, from the metadata alone: bands, then features by their formulas."""
    image = read_scene(run, facts["bands"])
    bands = dict(zip(facts["bands"], image, strict=True))
    numpy = {"clip": np.clip, "sqrt": np.sqrt}
    with np.errstate(invalid="ignore", divide="ignore"):
        derived = [eval(f, numpy, bands) for f in facts["features"].values()]
    values = np.stack([*image, *derived]).astype(np.float32)
    return np.ascontiguousarray(values.reshape(len(values), -1).T)


def own_probabilities(made, name, window=None):
    """Of a window, or of every pixel, by the model itself in float32: (classes, rows, cols)."""
    run = made.run
    classifier = load_model(run.model(name)).classifier()
    source = maps.Source(classifier, run.scene, run.segment_types)
    return classifier.predict_window(*source.read(window or Window(0, 0, *source.grid.shape)))


def require_same_labels(own, other, at_least):
    """Equal labels wherever the model itself is not tied; nearly no pixel is."""
    known = np.isfinite(own).all(axis=0) & (own.sum(axis=0) > 0)
    own, other = own[:, known], other[:, known]
    assert own.shape[1] >= at_least
    best = np.sort(own, axis=0)
    tied = best[-1] - best[-2] < TIE
    assert tied.mean() < 1e-4
    differing = own.argmax(axis=0) != other.argmax(axis=0)
    assert not (differing & ~tied).any()
    assert np.abs(own - other).max() < TIE


def test_the_forest_gives_the_same_bits_on_100_000_pixels(made):
    facts = facts_of(made, "random-forest")
    values = by_rows(made.run, facts)
    (found,) = session_of(made, "random-forest").run(None, {"values": values})
    own = own_probabilities(made, "random-forest")
    assert len(values) >= 100_000
    assert np.array_equal(found.T.reshape(own.shape), own)
    codes = np.array([c["code"] for c in facts["classes"]])[found.argmax(axis=1)]
    map_scene(made.run, "random-forest")
    labels = rasters.read_classes(made.run.map("random-forest"))
    valid = labels > 0
    assert np.array_equal(codes.reshape(labels.shape)[valid], labels[valid])


@pytest.mark.parametrize("name", ["mlp", "mlp-segments"])
def test_the_mlp_gives_the_same_labels_on_100_000_pixels(made, name):
    facts = facts_of(made, name)
    values = by_rows(made.run, facts)
    given = {"values": values}
    if facts["segment_layers"]:
        types = rasters.read(made.run.segment_types, bands=facts["segment_layers"])
        given["segment_types"] = types.reshape(len(types), -1).T.astype(np.int32)
    (found,) = session_of(made, name).run(None, given)
    own = own_probabilities(made, name)
    own[:, np.isnan(read_scene(made.run, facts["bands"])).any(axis=0)] = np.nan
    require_same_labels(own, found.T.reshape(own.shape), 100_000)


def test_the_cnn_gives_the_same_labels_on_100_000_pixels_at_once(made):
    facts = facts_of(made, "cnn-5x5")
    image = np.moveaxis(read_scene(made.run, facts["bands"]), 0, -1)
    radius = facts["patch_size"] // 2
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), constant_values=np.nan)
    (found,) = session_of(made, "cnn-5x5").run(None, {"reflectance": padded[np.newaxis]})
    own = own_probabilities(made, "cnn-5x5")
    require_same_labels(own, np.moveaxis(found[0], -1, 0), 100_000)


def test_the_published_cnn_takes_chips(made):
    facts = facts_of(made, "cnn-3x3-published")
    image = np.moveaxis(read_scene(made.run, facts["bands"])[:, 40:72, 40:72], 0, -1)
    chips = np.lib.stride_tricks.sliding_window_view(image, (3, 3), (0, 1))
    chips = np.moveaxis(chips, 2, -1).reshape(-1, 3, 3, 4)
    (found,) = session_of(made, "cnn-3x3-published").run(None, {"reflectance": chips})
    own = own_probabilities(made, "cnn-3x3-published", Window(41, 41, 30, 30))
    require_same_labels(own, found.T.reshape(own.shape), 900)


def test_metadata_says_all_that_the_card_says(made):
    for name in ("random-forest", "mlp-segments", "cnn-5x5"):
        card, facts = load_model(made.run.model(name)).card, facts_of(made, name)
        assert facts["card"] == card
        assert facts["classes"] == card["classes"]
        assert list(facts["features"]) == card["features"]
        assert facts["patch_size"] == card["patch_size"]
        text = onnx.load(made.exported[name].paths[0]).doc_string
        assert all(band in text for band in card["bands"])
        assert all(f"{c['code']} {c['name']}" in text for c in card["classes"])


def test_files_and_remarks(made):
    files = {n: [p.name for p in e.paths] for n, e in made.exported.items()}
    assert files["random-forest"] == ["model.onnx", "model.skops", "card.json"]
    assert files["knn"] == ["model.skops", "card.json"]
    assert files["cnn-5x5"] == ["model.onnx", "card.json"]
    for name, exported in made.exported.items():
        own = made.run.model(name) / "card.json"
        assert exported.paths[-1].read_bytes() == own.read_bytes()
        (remark,) = exported.remarks
        assert ("nearest neighbours" if name == "knn" else "0 labels differ") in remark
    loaded = estimators.load(made.exported["random-forest"].paths[1])
    assert len(loaded.estimators_) == 100


def test_the_same_bytes_again(made, tmp_path):
    for name in ("random-forest", "cnn-5x5"):
        again = export(load_model(made.run.model(name)), tmp_path / name)
        for old, new in zip(made.exported[name].paths, again.paths, strict=True):
            assert old.read_bytes() == new.read_bytes()


def test_a_large_forest_is_left_out_of_onnx(made, tmp_path, monkeypatch):
    export(load_model(made.run.model("random-forest")), tmp_path)
    monkeypatch.setattr(row_models, "MAX_ONNX_NODES", 100)
    exported = export(load_model(made.run.model("random-forest")), tmp_path)
    assert [p.name for p in exported.paths] == ["model.skops", "card.json"]
    assert not (tmp_path / "model.onnx").exists()  # that of an earlier forest would mislead
    assert "over 100" in exported.remarks[0]


def test_without_onnxruntime_the_check_is_left_out(made, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "onnxruntime" else find(n, *a)
    )
    exported = export(load_model(made.run.model("mlp")), tmp_path)
    assert "pip install 'landcover[exchange]'" in exported.remarks[0]
    assert (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize("missing", ["scene", "segment_types"])
def test_without_what_the_check_needs_it_is_left_out(made, tmp_path, missing):
    run = Run(tmp_path / "run")
    shutil.copytree(made.run.model("mlp-segments"), run.model("mlp-segments"))
    for product in {"scene", "segment_types"} - {missing}:
        shutil.copy(getattr(made.run, product), run.path)
    exported = export(load_model(run.model("mlp-segments")))
    assert f"not checked: {getattr(run, missing)} does not exist" in exported.remarks[0]
    assert (run.model("mlp-segments") / "model.onnx").exists()


def test_a_file_that_gives_other_numbers_is_not_written(made, tmp_path, monkeypatch):
    honest = forest_onnx.to_onnx

    def wrong(forest):
        forest.classes_ = forest.classes_[::-1].copy()
        forest.classes_[[0, -1]] = forest.classes_[[-1, 0]]
        return honest(forest)

    monkeypatch.setattr(forest_onnx, "to_onnx", wrong)
    with pytest.raises(LandcoverError, match="does not give the probabilities of random-forest"):
        export(load_model(made.run.model("random-forest")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_models_folder_is_refused(made, tmp_path):
    export(load_model(made.run.model("knn")), tmp_path)
    with pytest.raises(LandcoverError, match=r"holds the model knn, which mlp would replace"):
        export(load_model(made.run.model("mlp")), tmp_path)


def test_the_command_prints_agreement_and_paths(made, capsys):
    assert cli.main(["export", str(made.run.path), "--model", "mlp"]) == 0
    printed = capsys.readouterr().out
    assert "0 labels differ" in printed
    assert str(made.run.model("mlp") / "model.onnx") in printed
    assert cli.main(["export", str(made.run.path), "--model", "none"]) == 2
    assert "has no model none" in capsys.readouterr().err


def test_a_map_carries_an_item_that_goes_with_it(made):
    run = made.run
    paths = map_scene(run, "knn")
    assert run.item("knn") in paths
    first = run.item("knn").read_bytes()
    map_scene(run, "knn")
    assert run.item("knn").read_bytes() == first
    assert "knn" in store.mapped_models(run.path / "maps")
    train.train(run, "knn", random_split=False)
    assert not run.item("knn").exists() and not run.map("knn").exists()


def test_the_item_names_the_onnx_file_that_lies_beside_the_model(made):
    run = made.run
    map_scene(run, "cnn-5x5", tile_px=512)
    exported = export(load_model(run.model("cnn-5x5")))
    assert exported.paths[-1] == run.item("cnn-5x5")
    item = pystac.Item.from_file(run.item("cnn-5x5"))
    assert item.assets["onnx"].href.endswith("model.onnx")
    assert read_json(run.item("cnn-5x5"))["assets"]["onnx"]["href"].startswith("../../models/")


def test_a_map_by_another_runs_model_points_there(made, tmp_path):
    guest = Run(tmp_path / "guest")
    raster_writer.write(
        guest.scene, read_scene(made.run, None), rasters.grid_of(made.run.scene),
        rasters.band_names(made.run.scene), nodata=np.nan,
    )  # fmt: skip
    map_scene(guest, made.run.model("mlp"))
    href = read_json(guest.item("mlp"))["assets"]["model"]["href"]
    assert not href.startswith("/")
    target = (guest.item("mlp").parent / href).resolve()
    assert target == (made.run.model("mlp") / "model.keras").resolve()


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    trees=st.integers(1, 12),
    leaf=st.integers(1, 5),
    coarse=st.booleans(),
    weighted=st.booleans(),
)
def test_forests_agree_to_the_last_bit_on_thresholds_and_ties(seed, trees, leaf, coarse, weighted):
    """Values lie on thresholds and beside them, and few distinct ones make leaves tie."""
    rng = np.random.default_rng(seed)
    n, inputs, classes = rng.integers(5, 200), rng.integers(1, 5), rng.integers(2, 6)
    X = rng.random((n, inputs), np.float32)
    X = np.float32(np.round(X * 4) / 3) if coarse else X
    y = rng.integers(0, classes, n)
    y[:2] = 0, classes - 1
    weight = {k: float(k + 1) / 3 for k in range(classes)} if weighted else None
    forest = RandomForestClassifier(
        trees, min_samples_leaf=leaf, random_state=seed, class_weight=weight
    ).fit(X, y)
    edges = np.concatenate([tree.tree_.threshold for tree in forest.estimators_]).astype(np.float32)
    near = np.concatenate([edges, np.nextafter(edges, np.float32(9)), np.nextafter(edges, -edges)])
    values = np.concatenate([X, rng.choice(near, (500, inputs))]).astype(np.float32)
    values[::50, 0] = np.nan
    session = onnxruntime.InferenceSession(forest_onnx.to_onnx(forest).SerializeToString())
    (found,) = session.run(None, {"values": values})
    assert np.array_equal(found, estimators.probabilities(forest, values))
    assert forest_onnx.count_nodes(forest) == sum(t.tree_.node_count for t in forest.estimators_)
