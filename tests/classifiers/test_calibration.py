"""Probabilities against what happens: known answers, other implementations, training and maps."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.metrics import log_loss

from landcover import cli, maps
from landcover.classifiers import calibration, models
from landcover.classifiers.calibration import UNTEMPERED, Temperature
from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.run import Run
from landcover.stages import map as map_stage
from landcover.stages import train
from landcover.stages.inputs import read_rows
from tests.fixtures.map_runs import make_run, maps_of
from tests.fixtures.training_runs import write_run

logits = arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(2, 8)),
                elements=st.floats(-6, 6))  # fmt: skip
temperatures = st.floats(0.2, 5)


def drawn(probabilities, rng):
    """One class a row, by its probabilities."""
    return (probabilities.cumsum(axis=1) < rng.random((len(probabilities), 1))).sum(axis=1)


def model_of(n=20_000, classes=6, temperature=1.0, seed=0):
    """What a model says whose logits are so many times too large, and what came true."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, (n, classes))
    return softmax(z * temperature, axis=1), drawn(softmax(z, axis=1), rng)


# Temperature


@given(logits, temperatures)
def test_tempering_probabilities_is_dividing_logits(z, value):
    found = calibration.tempered(softmax(z, axis=1), Temperature(value))
    np.testing.assert_allclose(found, softmax(z / value, axis=1), rtol=1e-9)


@given(logits, temperatures)
def test_tempering_back_gives_the_same_and_keeps_the_order(z, value):
    probabilities = softmax(z, axis=1)
    there = calibration.tempered(probabilities, Temperature(value))
    assert (
        np.sort(there, axis=1) == np.take_along_axis(there, probabilities.argsort(axis=1), 1)
    ).all()
    back = calibration.tempered(there, Temperature(1 / value))
    np.testing.assert_allclose(back, probabilities, rtol=1e-7)


def test_any_axis_any_type_and_missing_values(rng):
    probabilities = rng.dirichlet(np.ones(4), (5, 6)).astype(np.float32)
    probabilities[2, 3] = np.nan
    temperature = Temperature(1.7, 1e-4)
    last = calibration.tempered(probabilities, temperature)
    first = calibration.tempered(np.moveaxis(probabilities, -1, 0).copy(), temperature, axis=0)
    assert last.dtype == first.dtype == np.float32
    np.testing.assert_array_equal(np.moveaxis(first, 0, -1), last)
    assert (np.isnan(last).all(axis=-1) == np.isnan(probabilities).all(axis=-1)).all()
    np.testing.assert_allclose(last.sum(axis=-1)[~np.isnan(last[..., 0])], 1, atol=1e-6)


def test_untempered_probabilities_are_the_very_same(rng):
    probabilities = rng.dirichlet(np.ones(4), 5)
    kept = probabilities.copy()
    assert calibration.tempered(probabilities, UNTEMPERED) is probabilities
    calibration.tempered(probabilities, Temperature(3.0))
    np.testing.assert_array_equal(probabilities, kept)


def test_zeros_count_as_the_floor():
    found = calibration.tempered(np.array([1.0, 0.0, 0.0]), Temperature(2.0, 0.01))
    np.testing.assert_allclose(found, np.array([1, 0.1, 0.1]) / 1.2)
    without = calibration.tempered(np.array([1.0, 0.0]), Temperature(1.5))
    assert np.isfinite(without).all() and without[1] < 1e-100


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature):
    probabilities, targets = model_of(temperature=temperature)
    fitted = calibration.fit_temperature(probabilities, targets)
    assert fitted.value == pytest.approx(temperature, rel=0.03)
    assert fitted.floor == calibration.FLOOR
    assert fitted.value == round(fitted.value, 4)


class AsGiven(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its probabilities."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]


def test_scikit_learn_finds_the_same_temperature():
    pytest.importorskip("sklearn", "1.8", reason="older ones have no temperature scaling")
    from sklearn.frozen import FrozenEstimator

    probabilities, targets = model_of(2000, temperature=1.6, seed=4)
    model = FrozenEstimator(AsGiven().fit(probabilities, targets))
    theirs = CalibratedClassifierCV(model, method="temperature").fit(probabilities, targets)
    ours = calibration.fit_temperature(probabilities, targets, floor=1e-12)  # as theirs has it
    found = calibration.tempered(probabilities, ours)
    np.testing.assert_allclose(found, theirs.predict_proba(probabilities), atol=2e-5)


def test_no_other_temperature_is_likelier():
    probabilities, targets = model_of(1500, temperature=1.4, seed=2)
    probabilities[:200, 0] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    fitted = calibration.fit_temperature(probabilities, targets, floor=0.01)

    def loss(value):
        return log_loss(targets, calibration.tempered(probabilities, Temperature(value, 0.01)))

    tried = [loss(value) for value in np.geomspace(0.2, 8, 300)]
    assert loss(fitted.value) <= min(tried) + 1e-9


def test_classes_that_the_model_lacks_say_nothing():
    probabilities, targets = model_of(3000, temperature=1.5)
    more = (
        np.concatenate([probabilities, probabilities[:500]]),
        np.concatenate([targets, np.full(500, -1)]),
    )
    assert calibration.fit_temperature(*more) == calibration.fit_temperature(probabilities, targets)
    assert calibration.fit_temperature(probabilities, np.full(3000, -1)) == UNTEMPERED
    assert calibration.fit_temperature(probabilities[:0], targets[:0]) == UNTEMPERED


def blocks_of_one_temperature(temperatures, each=400, seed=0):
    """Rows whose targets come true as often as their probabilities at a block's temperature say."""
    rng = np.random.default_rng(seed)
    probabilities, targets = [], []
    for temperature in temperatures:
        some = rng.dirichlet(np.ones(4), each)
        real = calibration.tempered(some, Temperature(temperature, 1e-9))
        targets.append((rng.random((each, 1)) > real.cumsum(axis=1)).sum(axis=1).clip(0, 3))
        probabilities.append(some)
    return (
        np.concatenate(probabilities),
        np.concatenate(targets),
        np.arange(len(targets)).repeat(each),
    )


def test_blocks_that_agree_get_the_temperature_that_they_have():
    probabilities, targets, blocks = blocks_of_one_temperature([1.6, 1.7, 1.5, 1.6, 1.6, 1.7])
    found = calibration.fit_temperature(probabilities, targets, blocks=blocks)
    assert found == calibration.fit_temperature(probabilities, targets)
    assert 1.4 < found.value < 1.8


def test_blocks_that_do_not_agree_leave_probabilities_alone():
    probabilities, targets, blocks = blocks_of_one_temperature([4.0, 2.5, 1.0, 0.8, 1.0, 0.7])
    assert calibration.fit_temperature(probabilities, targets).value > 1.05
    assert calibration.fit_temperature(probabilities, targets, blocks=blocks) == UNTEMPERED


def test_a_calibrated_model_is_tempered_in_about_one_of_twenty_cases():
    tempered = 0
    for seed in range(200):
        probabilities, targets, blocks = blocks_of_one_temperature([1.0] * 8, 100, seed)
        tempered += calibration.fit_temperature(probabilities, targets, blocks=blocks) != UNTEMPERED
    assert 1 <= tempered <= 22


def test_a_single_block_says_nothing_of_other_blocks():
    probabilities, targets, _ = blocks_of_one_temperature([2.0])
    one = np.zeros(len(targets), int)
    assert calibration.fit_temperature(probabilities, targets, blocks=one) == UNTEMPERED


@pytest.mark.parametrize(("right", "bound"), [(True, 0.05), (False, 20)])
def test_the_temperature_stays_in_bounds(right, bound):
    probabilities = np.tile([0.9, 0.1], (50, 1))
    targets = np.zeros(50, int) if right else np.ones(50, int)
    found = calibration.fit_temperature(probabilities, targets).value
    # Where every row is right, the loss is flat long before the bound
    assert 0.05 <= found < 0.1 if right else found == pytest.approx(bound, rel=1e-3)


def test_half_a_vote_keeps_rows_without_votes_from_deciding():
    """Votes for classes drawn by their true probabilities: nearly calibrated as they are."""
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(8, 0.3), 12_000)
    votes = rng.multinomial(45, truth) / 45
    targets = drawn(truth, rng)
    half, rest = slice(6000), slice(6000, None)
    found = {}
    for floor in (calibration.floor_of(45), 1e-12):
        temperature = calibration.fit_temperature(votes[half], targets[half], floor)
        found[floor] = calibration.measures(votes[rest], targets[rest], temperature)
    fine, broken = found.values()
    assert fine["ece"] < fine["ece_before"] < 0.04 and fine["brier"] < fine["brier_before"]
    assert broken["ece"] > 3 * broken["ece_before"]


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "hot", None, True])
def test_temperatures_that_are_none(value):
    message = rf"temperature {re.escape(repr(value))} is out of range; a temperature is a positive"
    with pytest.raises(LandcoverError, match=message):
        Temperature(value)


@pytest.mark.parametrize("floor", [-0.1, 1, np.nan])
def test_floors_that_are_none(floor):
    with pytest.raises(LandcoverError, match=r"floor .* is out of range"):
        Temperature(1.0, floor)


# Reliability


@pytest.mark.parametrize(("equal", "strategy"), [("width", "uniform"), ("mass", "quantile")])
@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("ties", [False, True])
def test_bins_are_those_of_scikit_learn(equal, strategy, bins, ties, rng):
    confidence = rng.beta(5, 2, 3000)
    confidence = np.round(confidence, 1) if ties else confidence
    right = rng.random(3000) < confidence**1.3
    found = calibration.reliability(confidence, right, bins, equal)
    accuracy, mean = calibration_curve(right, confidence, n_bins=bins, strategy=strategy)
    np.testing.assert_allclose([b["accuracy"] for b in found], accuracy)
    np.testing.assert_allclose([b["confidence"] for b in found], mean)
    assert sum(b["n"] for b in found) == 3000
    if equal == "mass" and not ties:
        assert max(b["n"] for b in found) - min(b["n"] for b in found) <= 2
    json.dumps(found)


def test_the_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([1, 1, 1, 0, 1, 0], bool)
    bins = calibration.reliability(confidence, right, bins=10)
    expected = 4 / 6 * abs(0.95 - 0.75) + 2 / 6 * abs(0.55 - 0.5)
    assert calibration.calibration_error(bins) == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 20))
def test_no_bins_find_less_than_one_bin(seed, n, bins):
    """The gap over all rows is the least that any binning finds, and 1 the most."""
    rng = np.random.default_rng(seed)
    confidence, right = rng.random(n), rng.random(n) < 0.5
    for equal in ("width", "mass"):
        error = calibration.calibration_error(
            calibration.reliability(confidence, right, bins, equal)
        )
        assert abs(confidence.mean() - right.mean()) - 1e-12 <= error <= 1


def test_calibrated_probabilities_have_next_to_no_error():
    probabilities, targets = model_of(60_000)
    found = calibration.measures(probabilities, targets, UNTEMPERED)
    assert found["ece"] < 0.01 and found["classwise_ece"] < 0.01
    assert found["ece_before"] == found["ece"] and found["n"] == 60_000


@pytest.mark.parametrize("temperature", [0.6, 2.0])
def test_a_temperature_takes_out_what_a_temperature_put_in(temperature):
    probabilities, targets = model_of(40_000, temperature=temperature)
    fitted = calibration.fit_temperature(probabilities[:20_000], targets[:20_000])
    found = calibration.measures(probabilities[20_000:], targets[20_000:], fitted)
    assert found["ece_before"] > 0.08 and found["ece_equal_mass_before"] > 0.08
    assert found["ece"] < 0.015 and found["ece_equal_mass"] < 0.015
    assert found["classwise_ece"] < found["classwise_ece_before"] / 2
    assert found["brier"] < found["brier_before"]


def test_brier_score_and_classwise_error_by_hand(rng):
    probabilities, targets = model_of(400, classes=3)
    one_hot = np.eye(3)[targets]
    squares = ((probabilities - one_hot) ** 2).sum(axis=1)
    assert calibration.brier_score(probabilities, targets) == pytest.approx(squares.mean())
    lacking = np.concatenate([targets[:-1], [-1]])
    with_lacking = np.append(squares[:-1], (probabilities[-1] ** 2).sum() + 1).mean()
    assert calibration.brier_score(probabilities, lacking) == pytest.approx(with_lacking)
    edges = np.linspace(0, 1, 16)
    errors = []
    for k in range(3):
        place = np.digitize(probabilities[:, k], edges[1:-1], right=True)
        gaps = [
            abs((probabilities[:, k] - one_hot[:, k])[place == b].sum()) for b in range(15)
        ]  # fmt: skip
        errors.append(sum(gaps) / 400)
    assert calibration.classwise_error(probabilities, targets) == pytest.approx(np.mean(errors))


def test_a_class_that_the_model_lacks_is_never_right():
    probabilities = np.tile([0.7, 0.3], (10, 1))
    found = calibration.measures(probabilities, np.full(10, -1), UNTEMPERED)
    assert found["ece"] == pytest.approx(0.7) and found["bins"][0]["accuracy"] == 0


def test_bad_input_for_bins():
    with pytest.raises(LandcoverError, match=r"shape \(2,\) and outcomes of shape \(3,\)"):
        calibration.reliability(np.ones(2), np.ones(3))
    with pytest.raises(LandcoverError, match="0 bins"):
        calibration.reliability(np.ones(2), np.ones(2), bins=0)
    with pytest.raises(LandcoverError, match="equal 'width or so' are unknown; choose width or"):
        calibration.reliability(np.ones(2), np.ones(2), equal="width or so")


# Entropy


@given(logits)
def test_entropy_is_scipys_over_that_of_equal_classes(z):
    probabilities = softmax(z, axis=1)
    expected = scipy_entropy(probabilities, axis=1) / np.log(probabilities.shape[1])
    found = calibration.normalised_entropy(probabilities)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found >= 0).all() and (found <= 1 + 1e-12).all()


def test_entropy_of_certain_missing_and_single_classes():
    probabilities = np.array([[0, 1, 0], [1 / 3] * 3, [np.nan] * 3], np.float32).T
    found = calibration.normalised_entropy(probabilities, axis=0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0, 1, np.nan], atol=1e-6)
    assert calibration.normalised_entropy(np.ones((2, 1))).tolist() == [0, 0]


# Training


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("trained") / "run")
    train.train(run, leaf_sizes=(5,), random_split=False, denoise="none")
    train.train(run, "knn", random_split=False, denoise="none")
    train.train(run, "mlp", segment_layers=(), epochs=3, random_split=False, denoise="none")
    return run


def shares_of(run, name, part):
    """Probabilities of samples, by the stored model."""
    rows = read_rows(run, "labels")
    card = models.load_model(run.model(name)).card
    values = rows.values(getattr(rows, part), card["bands"], card["features"])
    return models.load_model(run.model(name)).classifier().predict(*values)


@pytest.mark.parametrize(
    ("name", "floor"),
    [("random-forest-plain", 0.005), ("knn-plain", None), ("mlp-plain", calibration.FLOOR)],
)
def test_the_card_holds_the_temperature_of_the_validation_rows(trained, name, floor):
    card, rows = models.load_model(trained.model(name)).card, read_rows(trained, "labels")
    floor = floor or 0.5 / card["settings"]["neighbours"]
    expected = calibration.fit_temperature(
        shares_of(trained, name, "validation"),
        rows.targets(rows.validation),
        floor,
        rows.samples["block"].to_numpy()[rows.validation],
    )
    assert card["probability_floor"] == expected.floor
    assert card["temperature"] == pytest.approx(expected.value, abs=2e-3)
    model = models.load_model(trained.model(name))
    assert model.classifier().temperature == model.temperature


@pytest.mark.parametrize("name", ["random-forest-plain", "knn-plain", "mlp-plain"])
def test_the_report_says_how_far_confidence_holds(trained, name):
    report, rows = read_json(trained.report(name)), read_rows(trained, "labels")
    found = report["calibration"]
    assert found["against"] == report["against"] == "reference"
    assert found["fitted_on"] == "validation samples against the labels"
    assert found["scored_on"] == "test samples"
    model = models.load_model(trained.model(name))
    assert found["temperature"] == model.temperature.value
    probabilities = shares_of(trained, name, "scored")
    for against, column in (("labels", "label"), ("reference", "reference")):
        codes = rows.samples[column].to_numpy()[rows.scored]
        known = codes > 0
        expected = calibration.measures(
            probabilities[known], rows.legend.index(codes[known]), model.temperature
        )
        held = found["scores"][against]
        assert held["n"] == expected["n"] == sum(b["n"] for b in held["bins"])
        for measure in ("ece", "ece_before", "ece_equal_mass", "classwise_ece", "brier"):
            assert held[measure] == pytest.approx(expected[measure], abs=2e-3)
    assert found["ece"] == found["scores"]["reference"]["ece"]


def test_without_a_reference_the_labels_lead(trained, tmp_path):
    import pandas as pd

    run = Run(tmp_path / "run")
    run.path.mkdir()
    for product in ("scene", "labels", "splits"):
        shutil.copy(getattr(trained, product), getattr(run, product))
    pd.read_parquet(trained.samples).drop(columns=["reference"]).to_parquet(run.samples)
    train.train(run, "knn", random_split=False, denoise="none")
    found = read_json(run.report("knn-plain"))["calibration"]
    assert found["against"] == "labels" and set(found["scores"]) == {"labels"}


def test_the_report_of_a_map_keeps_what_training_said(trained):
    before = read_json(trained.report("random-forest-plain"))["calibration"]
    map_stage.map_scene(trained, "random-forest-plain")
    after = read_json(trained.report("random-forest-plain"))
    assert after["calibration"] == before
    assert after["scored_on"] == "test blocks, wall to wall"


# Maps


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """A forest and a network of random weights, tempered."""
    return make_run(tmp_path_factory.mktemp("runs") / "mapped", 131, 174, cnn=True)


NAMES = ("random-forest", "cnn-7x7")


def retempered(run, folder, name, **fields):
    """A copy of a run whose card of one model says otherwise."""
    copy = Run(shutil.copytree(run.path, folder, ignore=shutil.ignore_patterns("maps")))
    path = copy.model(name) / "card.json"
    card = read_json(path)
    for field in ("temperature", "probability_floor"):
        card.pop(field, None)
    path.write_text(json.dumps(card | fields))
    return copy


def layers_of(run, name):
    """Labels, confidence, entropy, and the probabilities as written, by `landcover map`."""
    command = ["map", str(run.path), "--model", name, "--probabilities", "--entropy"]
    assert cli.main(command) == 0
    percent = []
    for path in (run.confidence(name), run.path / "maps" / f"{name}_entropy.tif"):
        with rasters.open_raster(path) as dataset:
            percent.append(dataset.read(1))
    return rasters.read_classes(run.map(name)), *percent, rasters.read(run.probabilities(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.6, 2.5])
def test_a_temperature_changes_confidence_and_no_label(mapped, tmp_path, name, value):
    plain = layers_of(retempered(mapped, tmp_path / "plain", name), name)
    fields = {"temperature": value, "probability_floor": 1e-3}
    warm = layers_of(retempered(mapped, tmp_path / "warm", name, **fields), name)
    np.testing.assert_array_equal(warm[0], plain[0])
    valid = plain[0] > 0
    expected = calibration.tempered(plain[3][:, valid], Temperature(value, 1e-3), axis=0)
    np.testing.assert_allclose(warm[3][:, valid], expected, atol=1e-6)
    for labels, confidence, entropy, probabilities in (plain, warm):
        probabilities = probabilities[:, valid]
        assert (confidence[~valid] == 255).all() and (entropy[~valid] == 255).all()
        assert np.abs(confidence[valid] - 100 * probabilities.max(axis=0)).max() <= 0.501
        expected = 100 * scipy_entropy(probabilities, axis=0) / np.log(len(probabilities))
        assert np.abs(entropy[valid] - expected).max() <= 0.501
        assert (labels[~valid] == 0).all() and entropy[valid].max() <= 100
    cooler, warmer = (plain, warm) if value > 1 else (warm, plain)
    assert warmer[2][valid].mean() > cooler[2][valid].mean() + 1


def test_the_entropy_raster_is_one_like_confidence(mapped, tmp_path):
    run = retempered(mapped, tmp_path / "run", "random-forest", temperature=1.4)
    layers_of(run, "random-forest")
    path = run.path / "maps" / "random-forest_entropy.tif"
    with rasters.open_raster(path) as dataset:
        assert dataset.dtypes == ("uint8",) and dataset.nodata == 255
        assert dataset.descriptions == ("entropy_percent",)
    rasters.grid_of(path).require_equal(rasters.grid_of(run.scene), "entropy", "scene")
    products = run.read_manifest()["stages"]["map random-forest"]["products"]
    assert "maps/random-forest_entropy.tif" in products


@pytest.mark.parametrize("name", NAMES)
def test_entropy_does_not_depend_on_tile_size(mapped, tmp_path, monkeypatch, name):
    monkeypatch.setattr(maps.scene_tiles, "COMPUTE_PX", 40)
    classifier = models.load_model(mapped.model(name)).classifier()
    assert classifier.temperature != UNTEMPERED
    found = set()
    for tile_px in (40, 100, 10_000):
        paths = maps.predict_map(
            classifier,
            mapped.scene,
            tmp_path / "m.tif",
            tile_px=tile_px,
            confidence=tmp_path / "c.tif",
            entropy=tmp_path / "e.tif",
        )
        assert [path.name for path in paths] == ["m.tif", "c.tif", "e.tif"]
        found.add(b"".join(rasters.read(path).tobytes() for path in paths))
    assert len(found) == 1


def test_a_map_with_entropy_is_another_job_than_one_without(mapped, tmp_path):
    run = retempered(mapped, tmp_path / "run", "random-forest", temperature=0.8)
    map_stage.map_scene(run, "random-forest")
    assert map_stage.is_mapped(run, "random-forest")
    assert not map_stage.is_mapped(run, "random-forest", entropy=True)
    assert sorted(maps_of(run)) == ["random-forest.tif", "random-forest_confidence.tif"]
    paths = map_stage.map_scene(run, "random-forest", entropy=True)
    assert run.path / "maps" / "random-forest_entropy.tif" in paths
    assert map_stage.is_mapped(run, "random-forest", entropy=True)


@pytest.mark.parametrize(
    "fields", [{"temperature": 0}, {"temperature": "warm"}, {"probability_floor": 1.5}]
)
def test_a_card_with_a_damaged_temperature(mapped, tmp_path, fields):
    run = retempered(mapped, tmp_path / "run", "random-forest", **fields)
    with pytest.raises(LandcoverError, match=r"card\.json is damaged \(.*\); train the model"):
        models.load_model(run.model("random-forest")).classifier()


def test_models_of_older_cards_are_left_as_they_are(mapped, tmp_path):
    run = retempered(mapped, tmp_path / "run", "cnn-7x7")
    assert models.load_model(run.model("cnn-7x7")).classifier().temperature == UNTEMPERED
