"""Every row of the table of kinds keeps one contract; one more classifier is one more row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landcover import cli
from landcover.classifiers import kinds
from landcover.classifiers.cards import write_card
from landcover.classifiers.fitting import Setup
from landcover.classifiers.kind import Kind, Option
from landcover.classifiers.kinds import KINDS
from landcover.classifiers.models import load_model
from landcover.classifiers.networks import architectures
from landcover.classifiers.protocol import Inputs, require_bands
from landcover.commands import COMMANDS
from landcover.commands import train as train_commands
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.legend import Legend
from landcover.maps import predict_map
from landcover.samples.rows import Rows
from landcover.scene import features
from landcover.scene.feature_names import available
from tests.conftest import ROOT, utm_grid
from tests.fixtures import guide
from tests.fixtures.training_runs import write_run

BANDS = ("B02", "B03", "B04", "B08")
LEGEND = Legend.corine(3).subset([211, 311, 512])
SIDE = 40
#: Kinds of one image; those of several dates keep the same contract in test_sequence_kinds.py
TRAINED = [name for name, kind in KINDS.items() if kind.trainer and not kind.reads_dates]
#: Choices that keep a training short, for the kinds that take them.
SHORT = {
    "epochs": 12, "patch_size": 3, "leaf_sizes": (1,),
    "estimator": "sklearn.naive_bayes.GaussianNB",
}  # fmt: skip


@pytest.fixture(scope="module")
def land(tmp_path_factory) -> tuple[Path, np.ndarray, np.ndarray, Rows]:
    """A scene of three well-parted classes in stripes: its path, pixels, truth, and rows."""
    rng = np.random.default_rng(0)
    truth = np.array(LEGEND.codes)[np.indices((SIDE, SIDE))[1] // 5 % 3]
    level = np.select([truth == 211, truth == 311], [0.35, 0.15], 0.03)
    image = (level + rng.normal(0, 0.01, (4, SIDE, SIDE))).astype(np.float32)
    image[1, 3, 30:] = np.nan
    path = tmp_path_factory.mktemp("land") / "scene.tif"
    raster_writer.write(path, image, utm_grid(SIDE, SIDE), BANDS, nodata=np.nan)
    row, col = np.indices((SIDE, SIDE))[:, 4:36, 4:36].reshape(2, -1)
    names = available(BANDS)
    columns = np.concatenate([image, features.compute_features(image, BANDS, names)])
    table = pd.DataFrame(
        {name: values[row, col] for name, values in zip((*BANDS, *names), columns, strict=True)}
    )
    table = table.assign(row=row, col=col, label=truth[row, col], block=row // 8)
    order = rng.permutation(len(table))
    parts = np.sort(order[:500]), np.sort(order[500:700]), np.sort(order[700:])
    rows = Rows(table, "label", LEGEND, *parts, random_split_extra=np.arange(0))
    return path, image, truth, rows


def trained(name: str, scene: Path, rows: Rows, seed: int = 0):
    """A kind's model trained on rows, and its inputs."""
    kind = KINDS[name]
    taken = {option.name for option in kind.options}
    choices = kind.choose({key: value for key, value in SHORT.items() if key in taken})
    if "segment_layers" in choices:
        choices["segment_layers"] = ()
    names = available(BANDS) if kind.takes_features else ()
    inputs = Inputs(BANDS, names, (), choices.get("patch_size", 1))
    return kind.trainer(Setup(name, inputs, seed, (scene,)), **choices)(rows), inputs


@pytest.fixture(scope="module", params=TRAINED)
def stored(request, land, tmp_path_factory):
    """A kind, its trained model, and the same stored and opened."""
    kind = KINDS[request.param]
    if kind.framework == "LightGBM":
        pytest.importorskip("lightgbm")
    scene, _, _, rows = land
    fitted, inputs = trained(kind.name, scene, rows)
    folder = tmp_path_factory.mktemp("models") / "models" / kind.name
    folder.mkdir(parents=True)
    fitted.store(folder / kind.file)
    write_card(folder, kind.name, LEGEND, **inputs.as_card(), settings=fitted.settings)
    return kind, fitted, load_model(folder)


def test_probabilities_have_a_column_a_class_in_the_order_of_the_legend(land, stored):
    *_, rows = land
    kind, fitted, model = stored
    found = fitted.predict(rows.scored)
    assert found.shape == (len(rows.scored), len(LEGEND)) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)
    codes = LEGEND.code(found.argmax(axis=1))
    labels = rows.samples["label"].to_numpy()[rows.scored]
    assert (codes == labels).mean() > (0.6 if kind.framework == "Keras" else 0.9)
    assert model.classes_.tolist() == list(LEGEND.codes)
    if kind.votes:
        assert fitted.settings[kind.votes] >= 1


def test_what_is_stored_gives_the_same_probabilities(land, stored):
    _, image, _, rows = land
    _, fitted, model = stored
    row, col = (rows.samples[axis].to_numpy()[rows.scored] for axis in ("row", "col"))
    found = model.predict_proba(image)
    assert found.shape == (len(LEGEND), SIDE, SIDE) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, row, col].T, fitted.predict(rows.scored), atol=2e-5)


def test_a_map_is_the_same_bytes_whatever_is_read_at_once(land, stored, tmp_path, monkeypatch):
    monkeypatch.setattr("landcover.maps.scene_tiles.COMPUTE_PX", 13)
    scene, *_ = land
    *_, model = stored
    paths = [
        predict_map(model, scene, tmp_path / f"{px}.tif", confidence=tmp_path / f"c{px}.tif",
                    tile_px=px)
        for px in (16, 1024)
    ]  # fmt: skip
    for one, other in zip(*paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_nodata_in_nodata_out(land, stored):
    _, image, _, _ = land
    *_, model = stored
    missing = np.isnan(image).any(axis=0)
    codes, probabilities = model.predict(image), model.predict_proba(image)
    assert missing.any() and codes.dtype == np.uint16
    np.testing.assert_array_equal(codes == 0, missing)
    np.testing.assert_array_equal(np.isnan(probabilities), np.stack([missing] * 3))
    best = LEGEND.code(np.nan_to_num(probabilities).argmax(axis=0))
    np.testing.assert_array_equal(codes, np.where(missing, 0, best))


def test_a_missing_input_is_one_clear_line(land, stored):
    _, image, _, _ = land
    kind, _, model = stored
    with pytest.raises(LandcoverError, match=r"reads the bands B02 B03 B04 B08; give") as caught:
        model.predict(image[:3])
    assert "\n" not in str(caught.value)
    with pytest.raises(LandcoverError, match=r"was trained on bands B02 B03 B04 B08; .*has B02"):
        require_bands(model.classifier(), ("B02",), "scene.tif")
    table = image.reshape(4, -1).T[:50]
    if kind.takes_features:
        np.testing.assert_array_equal(model.predict(table), model.predict(image)[:2].ravel()[:50])
        assert model.predict_proba(table).shape == (50, 3)
    else:
        with pytest.raises(LandcoverError, match="sees the pixels around a pixel; give an image"):
            model.predict(table)


@pytest.mark.parametrize("name", TRAINED)
def test_the_same_seed_gives_the_same_bytes(land, name, monkeypatch):
    if KINDS[name].framework == "LightGBM":
        pytest.importorskip("lightgbm")
    monkeypatch.setitem(SHORT, "epochs", 1)
    monkeypatch.setattr(architectures, "PUBLISHED_FILTERS", (4,))  # quick to set up
    monkeypatch.setattr(architectures, "PUBLISHED_DENSE", 10)
    scene, _, _, rows = land
    bytes_of = [trained(name, scene, rows, 3)[0].predict(rows.scored).tobytes() for _ in range(2)]
    assert bytes_of[0] == bytes_of[1]


def test_every_row_is_whole():
    for name, kind in KINDS.items():
        assert kind.name == name and Path(kind.file).suffix in (".skops", ".txt", ".keras")
        assert kind.runs_on_keras == kind.file.endswith(".keras")
        if kind.trainer is not None:
            assert kind.maps_pixels or kind.reads_dates
            assert kind.command and kind.titles
            assert set(kind.described) == set(kind.titles)
    for first, *others in kinds.commands().values():
        assert first.summary and first.switch is None
        assert all(kind.switch is not None for kind in others)


def test_the_documents_table_is_that_of_the_kinds():
    assert kinds.table() in (ROOT / "docs" / "classifiers.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "choices", "said"),
    [
        ("bayes", {}, "kind 'bayes' is unknown; choose among random-forest, knn, extra-trees"),
        ("encoder", {}, "kind 'encoder' is unknown"),
        ("knn", {"epochs": 3}, "epochs is no choice of kind knn; it takes features"),
        ("mlp", {"published": True}, "published is no choice of kind mlp"),
        (
            "random-forest",
            {"n_estimators": 100},
            "n_estimators is no choice of kind random-forest; it takes class_weight, leaf_sizes, f",
        ),
        ("random-forest", {"leaf_sizes": [5, 0]}, "leaf_sizes 0 is out of range; give a whole"),
        ("random-forest", {"class_weight": "equal"}, "class_weight 'equal' is unknown; choose"),
        ("cnn", {"epochs": 0}, "epochs 0 is out of range; give a whole number from 1 on"),
        ("cnn", {"epochs": 1.5}, "epochs 1.5 is out of range"),
    ],
)
def test_unknown_kinds_and_choices(kind, choices, said):
    with pytest.raises(LandcoverError, match=said):
        kinds.trained_kind(kind, choices)


def test_one_value_of_several_is_a_value():
    assert kinds.trained_kind("mlp", {"segment_layers": "percentile"})[1]["segment_layers"] == (
        "percentile",
    )
    assert kinds.trained_kind("random-forest", {"leaf_sizes": 5})[1]["leaf_sizes"] == (5,)


def test_a_kind_is_shown_by_its_name():
    assert repr(kinds.KINDS["forest"]) == "Kind('forest')"


def test_one_more_classifier_is_a_file_and_a_row(tmp_path, monkeypatch, capsys):
    """Trained, mapped, scored, compared, exported, stored and loaded by the commands there are."""
    naive_bayes = guide.module_of("landcover/classifiers/naive_bayes.py")
    row = Kind(
        name="bayes",
        command="naive-bayes",
        titles={"": "naive Bayes"},
        file="model.skops",
        sees="pixel",
        architecture="naive Bayes",
        framework="scikit-learn",
        trainer=naive_bayes.trainer,
        load=naive_bayes.load,
        options=(Option("smoothing", 1e-9, float, "share of the largest variance"),),
        summary="Train naive Bayes and map with it.",
    )
    monkeypatch.setitem(KINDS, row.name, row)
    command = "train naive-bayes"
    monkeypatch.setitem(COMMANDS, command, train_commands.commands()[command])
    run = write_run(tmp_path / "run")
    path, name = str(run.path), "naive-bayes-plain"
    assert cli.main([*command.split(), path, "--denoise", "none", "--smoothing", "1e-6"]) == 0
    model = load_model(run.model(name))
    assert model.title == "naive Bayes on labels as they are"
    assert model.card["settings"]["smoothing"] == 1e-6
    scene = rasters.read(run.scene)
    np.testing.assert_array_equal(model.predict(scene), rasters.read_classes(run.map(name)))
    assert read_json(run.report(name))["overall_accuracy"] > 0.5
    assert cli.main(["compare", path]) == 0
    (compared,) = read_json(run.path / "comparison.json")["models"]
    assert compared["title"] == model.title
    item = read_json(run.item(name))["properties"]
    assert item["mlm:architecture"] == "naive Bayes" and item["mlm:framework"] == "scikit-learn"
    capsys.readouterr()
    assert cli.main(["export", path, "--model", name, "--out", str(tmp_path / "out")]) == 0
    assert "no ONNX: models of kind bayes have no such form" in capsys.readouterr().out
    exported = load_model(tmp_path / "out")
    np.testing.assert_array_equal(exported.predict(scene), model.predict(scene))
