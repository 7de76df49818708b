"""Kinds that see a pixel through its dates: trained, stored, mapped, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from landcover import cli
from landcover.classifiers import sequence_models
from landcover.classifiers.kinds import KINDS
from landcover.classifiers.learnt_dates import RANDOM, LearntDates, spread
from landcover.classifiers.models import load_model
from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files import rasters, tables
from landcover.files.atomic import read_json
from landcover.maps import predict_map
from landcover.scene.sequence import Dates, as_sequence, valid_dates
from landcover.stages.map import is_mapped, map_scene, verify
from landcover.stages.train import train
from tests.fixtures.sequence_runs import BANDS, DAYS, LEGEND, write_sequence_run

BY_PIXEL = [name for name, kind in KINDS.items() if kind.sees == "sequence" and not kind.segments]
SHORT = {"epochs": 8, "leaf_sizes": (5,)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_sequence_run(tmp_path_factory.mktemp("sequence") / "run", rows=96, cols=128)


@pytest.fixture(scope="module", params=BY_PIXEL)
def model(request, run):
    kind = KINDS[request.param]
    taken = {option.name for option in kind.options}
    short = {key: value for key, value in SHORT.items() if key in taken}
    return train(run, kind.command, denoise="none", random_split=False, **short)


def bound(model, days=DAYS):
    return model.classifier().bound(Dates(tuple(days), BANDS))


def read(run, days=DAYS) -> np.ndarray:
    return rasters.read(run.sequence, bands=Dates(tuple(days), BANDS).names)


def test_classes_that_no_date_tells_apart_are_found(run, model):
    assert read_json(run.report(model.name))["overall_accuracy"] > 0.85
    assert model.card["dates"]["days"] == list(DAYS) and model.bands == BANDS
    assert len(model.card["scaling"]["means"]) == len(BANDS)


def test_probabilities_sum_to_one_and_have_the_order_of_the_legend(run, model):
    image = read(run)
    found = bound(model).predict_window(image)
    assert found.shape == (len(LEGEND), *image.shape[1:]) and found.dtype == np.float32
    valid = bound(model).valid(image)
    np.testing.assert_array_equal(valid, valid_dates(as_sequence(image, bound(model).held)).any(0))
    np.testing.assert_allclose(found.sum(axis=0)[valid], 1, atol=1e-4)
    assert not valid[:5, :7].any() and valid.mean() > 0.9


def test_a_masked_date_is_as_if_it_was_not_there(run, model):
    image = read(run)
    without = image.copy()
    as_sequence(without, Dates(DAYS, BANDS))[2] = np.nan
    rest = (*DAYS[:2], *DAYS[3:])
    masked = bound(model).predict_window(without)
    absent = bound(model, rest).predict_window(read(run, rest))
    valid = bound(model).valid(without)
    np.testing.assert_allclose(masked[:, valid], absent[:, valid], atol=2e-5)


def test_a_map_is_what_the_model_says_for_any_size_of_tiles(run, model, tmp_path, monkeypatch):
    monkeypatch.setattr("landcover.maps.scene_tiles.COMPUTE_PX", 50)
    held = [rasters.read_classes(map_scene(run, model)[0])]
    confidence = rasters.read(run.confidence(model.name))
    for tile_px in (40, 64):
        beside = {"confidence": tmp_path / "c.tif", "tile_px": tile_px}
        path = predict_map(bound(model), run.sequence, tmp_path / "m.tif", **beside)[0]
        np.testing.assert_array_equal(rasters.read_classes(path), held[0])
        np.testing.assert_array_equal(rasters.read(tmp_path / "c.tif"), confidence)
    image = read(run)
    best = LEGEND.code(bound(model).predict_window(image).argmax(axis=0))
    expected = np.where(bound(model).valid(image), best, 0)
    assert (held[0] == expected).mean() > 0.9999
    assert ((held[0] == 0) == (expected == 0)).all()
    found = verify(run, model, 20)
    assert found.mismatches == found.written_mismatches == 0
    assert found.largest_difference < 1e-5
    assert is_mapped(run, model)


def test_some_dates_are_another_map_beside_the_first(run, model):
    days = [DAYS[0], DAYS[1], DAYS[3]]
    path = map_scene(run, model, dates=days)[0]
    assert path.stem == f"{model.name}@20220415.20220520.20220730"
    classifier = bound(model, days)
    best = LEGEND.code(classifier.predict_window(read(run, days)).argmax(axis=0))
    valid = classifier.valid(read(run, days))
    assert (rasters.read_classes(path) == np.where(valid, best, 0)).mean() > 0.999
    item = read_json(run.item(path.stem))["properties"]
    assert item["start_datetime"][:10] == DAYS[0] and item["end_datetime"][:10] == DAYS[3]
    stage = read_json(run.manifest)["stages"][f"map {path.stem}"]
    assert stage["settings"]["dates"] == days


def test_a_stored_model_is_the_trained_one(run, model):
    again = load_model(model.folder)
    np.testing.assert_array_equal(
        bound(again).predict_window(read(run)), bound(model).predict_window(read(run))
    )
    assert again.inputs.dates == LearntDates(DAYS, needed=2)


def test_an_export_says_that_there_is_no_onnx(run, model, tmp_path, capsys):
    command = ["export", str(run.path), "--model", model.name, "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    assert f"no ONNX: models of kind {model.kind.name} have no such form" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (["2022-04-16"], "2022-04-16 is none of them; choose among these"),
        ([DAYS[0], DAYS[0]], "one is given twice"),
        ([DAYS[0]], "needs 2 dates, and .* is asked for; choose more of those"),
    ],
)
def test_dates_that_are_none(run, model, dates, said):
    with pytest.raises(InputError, match=said):
        map_scene(run, model, dates=dates)


def test_a_model_of_other_bands(model):
    with pytest.raises(InputError, match=r"trained on bands B02 .* these dates have B04 B08"):
        model.classifier().bound(Dates(DAYS, ("B04", "B08")))
    with pytest.raises(LandcoverError, match="bind it first"):
        model.classifier().bands  # noqa: B018 - asking is the test


def test_a_run_with_a_single_date(run, model, tmp_path):
    one = write_sequence_run(tmp_path / "one", rows=96, cols=128, days=DAYS[:1])
    with pytest.raises(InputError, match=r"needs 2 dates, and .*one has 1"):
        map_scene(one, model)
    with pytest.raises(InputError, match=r"needs 2 dates"):
        train(one, model.kind.command, denoise="none")
    one.sequence.unlink()
    with pytest.raises(MissingProduct, match=r"dates.vrt does not exist; make it with: landcover"):
        train(one, model.kind.command, denoise="none")


def test_dates_are_of_models_of_sequences(run):
    forest = train(run, "random-forest", denoise="none", random_split=False, leaf_sizes=(5,))
    with pytest.raises(InputError, match="sees one image; leave them out"):
        map_scene(run, forest, dates=list(DAYS[:2]))


def test_a_model_of_so_many_dates_takes_so_many():
    held = Dates(DAYS, BANDS)
    fixed = LearntDates(DAYS[:4], needed=4, together=4)
    assert fixed.chosen(held, None, "m", "RUN").days == DAYS[:4]
    assert fixed.chosen(held, DAYS[2:], "m", "RUN").days == DAYS[2:]
    two = Dates((*DAYS[:2], "2023-05-01", "2023-06-01", "2023-07-01", "2023-08-01"), BANDS)
    assert fixed.chosen(two, ["2023"], "m", "RUN").days == two.days[2:]
    with pytest.raises(InputError, match="2024 is none of them"):
        fixed.chosen(two, ["2024"], "m", "RUN")
    with pytest.raises(InputError, match="one is given twice"):
        fixed.chosen(two, ["2023", "2023-05-01"], "m", "RUN")
    drawn = LearntDates(DAYS, needed=4, together=4, choice=RANDOM)
    assert drawn.chosen(held, None, "m", "RUN").days == tuple(spread(DAYS, 4))
    assert drawn.in_words() == "random 4 of 6 dates"
    with pytest.raises(InputError, match="reads 4 dates together, and 5 are asked for; choose 4"):
        fixed.chosen(held, DAYS[1:], "m", "RUN")
    with pytest.raises(InputError, match="needs 4 dates, and RUN has 3"):
        fixed.chosen(held.select(DAYS[:3]), None, "m", "RUN")


def test_a_model_predicts_arrays_as_it_maps(run, model):
    image = read(run).reshape(len(DAYS), len(BANDS), 96, 128)
    codes, found = model.predict(image), model.predict_proba(image)
    valid = bound(model).valid(read(run))
    np.testing.assert_array_equal(codes > 0, valid)
    np.testing.assert_array_equal(np.isnan(found[0]), ~valid)
    some = model.predict_proba(image[:3], dates=DAYS[:3])
    assert some.shape == found.shape
    with pytest.raises(InputError, match=r"shape \(3, 4, 96, 128\), and model .* reads sequences"):
        model.predict(image[:3])
    with pytest.raises(InputError, match=r"no reflectance"):
        model.predict(image * 10_000)
    with pytest.raises(MissingProduct, match="keep no area of applicability"):
        map_scene(run, model, applicability=True)


def test_a_sequence_model_classifies_no_single_image(model):
    from landcover.classifiers.whole_images import load_classifier

    with pytest.raises(InputError, match="reads sequences, and a single image is of one date"):
        load_classifier(model)


def test_a_pixel_has_what_its_segment_has(run, tmp_path):
    model = train(run, "ltae-segments", denoise="none", random_split=False, epochs=12)
    assert read_json(run.report(model.name))["overall_accuracy"] > 0.85
    path = map_scene(run, model)[0]
    mapped, segments = rasters.read_classes(path), rasters.read(run.segments)[0]
    valid = bound(model).valid(read(run))
    np.testing.assert_array_equal(mapped > 0, valid)
    for segment in np.unique(segments[segments > 0]):
        assert len(np.unique(mapped[(segments == segment) & valid])) <= 1
    assert verify(run, model, 10).written_mismatches == 0
    fewer = map_scene(run, model, dates=DAYS[1:])[0]
    assert (rasters.read_classes(fewer) > 0).any()
    with pytest.raises(InputError, match="reads means of segments, which a scene alone has not"):
        model.predict(read(run).reshape(len(DAYS), len(BANDS), 96, 128))
    bare = write_sequence_run(tmp_path / "bare", rows=96, cols=128, samples=500)
    table = tables.read(bare.samples, "", geometry=True).drop(columns="segment")
    table.to_parquet(bare.samples)
    with pytest.raises(MissingProduct, match=r"landcover segment .* && landcover sample"):
        train(bare, "ltae-segments", denoise="none")


def test_hidden_dates_leave_every_row_one(rng):
    values = rng.uniform(size=(400, 4, 2)).astype(np.float32)
    values[rng.uniform(size=(400, 4)) < 0.5] = np.nan
    shown, days = sequence_models._hide_dates((values, np.ones((400, 4))), rng)
    before, after = (np.isfinite(held).all(axis=2) for held in (values, shown))
    assert not (after & ~before).any() and days.shape == (400, 4)
    np.testing.assert_array_equal(after.any(axis=1), before.any(axis=1))
    assert 0.6 < after.sum() / before.sum() < 0.85
    np.testing.assert_array_equal(shown[after], values[after])


def test_a_model_of_other_dates_of_the_same_name_is_refused(run, model):
    kind = KINDS[model.card["kind"]]
    held = f"of {' '.join(DAYS)}, and one that sees .* has the same name"
    with pytest.raises(InputError, match=held):
        train(run, kind.command, denoise="none", random_split=False, dates=DAYS[:3])
    assert load_model(model.folder).card["dates"]["days"] == list(DAYS)
