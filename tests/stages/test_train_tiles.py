"""U-Nets of a run: trained on its tiles, mapped by its engine, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from landcover.classifiers.protocol import Inputs
from landcover.errors import InputError, MissingProduct
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.files.class_rasters import write_classes
from landcover.grid import Window
from landcover.labels.origin import RASTER_AND_POLYGONS
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.stages.map import map_scene, verify
from landcover.stages.sample import sample
from landcover.stages.train import train
from landcover.stages.train_scenes import several_scenes
from landcover.stages.train_tiles import tile_ground
from tests.fixtures.sequence_runs import BANDS, DAYS, LEGEND, write_sequence_run

PLAIN = {"denoise": "none", "random_split": False, "epochs": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles") / "run"
    run = write_sequence_run(folder, rows=192, cols=240, samples=1500)
    sample(run, Draw(1500), max_patch=47)
    return run


@pytest.fixture(scope="module")
def unet(run):
    return train(run, "unet", **PLAIN)


def test_a_unet_of_the_scene_is_mapped_as_it_predicts(run, unet):
    assert unet.name == "unet-plain" and unet.inputs.dates is None
    path = map_scene(run, unet, probabilities=True)[0]
    image = rasters.read(run.scene)
    valid = np.isfinite(image).all(axis=0)
    np.testing.assert_array_equal(rasters.read_classes(path) > 0, valid)
    found = rasters.read(run.probabilities(unet.name))
    np.testing.assert_allclose(found.sum(axis=0)[valid], 1, atol=1e-4)
    assert verify(run, unet, 10).written_mismatches == 0
    shape = read_json(run.item(path.stem))["properties"]["mlm:input"][0]["input"]["shape"]
    assert shape == [-1, 32, 32, len(BANDS)]
    predicted = unet.predict(image)
    assert predicted.shape == image.shape[1:] and ((predicted > 0) == valid).all()


def test_a_unet_of_single_dates_needs_to_be_told_which(run):
    model = train(run, "unet", dates=list(DAYS[:2]), **PLAIN)
    assert model.name == "unet-dates-plain" and model.card["dates"]["together"] == 1
    with pytest.raises(InputError, match=r"reads one date, and learnt 2; choose one with dates="):
        map_scene(run, model)
    path = map_scene(run, model, dates=[DAYS[1]])[0]
    assert path.stem == "unet-dates-plain@20220520"
    of_date = np.isfinite(rasters.read(run.date(DAYS[1]))).all(axis=0)
    np.testing.assert_array_equal(rasters.read_classes(path) > 0, of_date)


@pytest.mark.slow
def test_sequences_tell_apart_what_no_date_does(run):
    model = train(run, "unet-convlstm", **PLAIN | {"epochs": 12})
    path = map_scene(run, model)[0]
    found = read_json(run.report(model.name))
    assert found["overall_accuracy"] > 0.75 and found["macro_f1"] > 0.6
    assert verify(run, model, 5).written_mismatches == 0
    image = rasters.read(run.sequence).reshape(len(DAYS), len(BANDS), 192, 240)
    found = model.predict_proba(image)
    valid = np.isfinite(image).all(axis=1).any(axis=0)
    np.testing.assert_allclose(found.sum(axis=0)[valid], 1, atol=1e-4)
    assert np.isnan(found[:, ~valid]).all()
    best = LEGEND.code(np.nan_to_num(found).argmax(axis=0))
    assert (rasters.read_classes(path)[valid] == best[valid]).mean() > 0.9


@pytest.mark.slow
def test_random_dates_are_read_together(run):
    choices = {"date_choice": "random", "sequence_length": 3}
    model = train(run, "unet-convlstm", **PLAIN, **choices)
    assert model.name == "unet-convlstm-random-plain"
    assert model.inputs.dates.in_words() == "random 3 of 6 dates"
    assert model.card["dates"]["days"] == list(DAYS)
    path = map_scene(run, model, dates=list(DAYS[1:4]))[0]
    assert path.stem == "unet-convlstm-random-plain@20220520.20220625.20220730"
    with pytest.raises(InputError, match="reads 3 dates together, and 4 are asked for; choose 3"):
        map_scene(run, model, dates=list(DAYS[:4]))


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"sequence_length": 7}, "sequences of 7 dates need 7 dates, and there are 6"),
        ({"date_choice": "random"}, "sequences of 6 dates need more than 6 dates, and there are 6"),
        ({"dates": [DAYS[0]]}, "a sequence of 1 date is none; choose sequence_length=2 or more"),
        ({"sequence_length": 1}, "a sequence of 1 date is none"),
        ({"denoise": "erode"}, "denoise=erode is for samples, and a model of tiles learns every"),
        (
            {"min_distance_m": 40},
            "min_distance_m=40 leaves out samples, and models of kind",
        ),
        ({"features": ["ndvi"]}, "see the bands of dates alone, which are B02 B03 B04 B08"),
    ],
)
def test_choices_that_do_not_suit(run, choices, said):
    with pytest.raises(InputError, match=said):
        train(run, "unet-convlstm", **PLAIN | choices)


def test_weights_that_are_not_there_are_refused_before_labels_are_refined(run):
    with pytest.raises(MissingProduct, match=r"weights no\.h5 do not exist; check the path"):
        train(run, "unet", backbone="vgg19", weights="no.h5")


def test_a_guard_narrower_than_what_a_prediction_sees(tmp_path):
    run = write_sequence_run(tmp_path / "run", rows=128, cols=160, samples=800)
    with pytest.raises(InputError, match=r"sees 23 px .*landcover sample .* --max-patch 47"):
        train(run, "unet", **PLAIN)


@pytest.fixture
def noted(run):
    """Writes into the manifest what labels are of; taken back at the end."""
    held = run.manifest.read_bytes()
    yield lambda stage, **settings: run.record(stage, settings)
    run.manifest.write_bytes(held)


def test_polygons_of_samples_alone_are_no_raster_of_labels(run, noted):
    noted("sample", class_field="class")
    with pytest.raises(InputError, match=r"are of polygons .* prepare the run with polygons= and"):
        train(run, "unet", **PLAIN)


def test_polygons_lead_over_refined_labels(run, noted, tmp_path):
    labels = rasters.read_classes(run.labels)
    grid = rasters.grid_of(run.labels)
    held = Run(run.path)
    held.refined_labels, held.polygons = tmp_path / "refined.tif", tmp_path / "polygons.tif"
    write_classes(held.refined_labels, np.full_like(labels, LEGEND.codes[0]), grid, LEGEND)
    numbers = np.zeros(labels.shape, np.uint32)
    numbers[20:60, 30:90] = 7
    raster_writer.write(held.polygons, numbers[np.newaxis], grid, ["polygon"], nodata=0)
    noted("prep", labels_from=RASTER_AND_POLYGONS)
    window = Window(10, 20, 64, 80)
    found = tile_ground(held, Inputs(BANDS), "labels", "refine").labels(window)
    of_window = numbers[window.slices] > 0
    np.testing.assert_array_equal(found[of_window], labels[window.slices][of_window])
    assert (found[~of_window] == LEGEND.codes[0]).all()


def test_several_runs_have_dates_of_their_own(run, tmp_path):
    with pytest.raises(InputError, match="learn the dates or tiles of one run; give one run"):
        several_scenes([run, run], tmp_path / "out", "ltae")


def test_a_model_without_an_area_of_applicability(run, unet):
    with pytest.raises(MissingProduct, match=r"kind unet, such as .*, keep no area of applicab"):
        map_scene(run, unet, applicability=True)
