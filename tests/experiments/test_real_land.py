"""What refined labels gain on real land, of maps whose gain is known."""

from types import SimpleNamespace

import pytest

from experiments import real_land
from landcover.files import rasters
from landcover.samples.rows import read_samples
from tests.fixtures.training_runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("real_land") / "run")


def model_of(raster):
    """A model whose map of the scene is a class raster."""
    codes = rasters.read_classes(raster)
    return SimpleNamespace(
        inputs=SimpleNamespace(segment_layers=()), predict=lambda image, types: codes
    )


def test_the_gain_of_the_truth_over_the_labels(run):
    truth, labels = model_of(run.reference), model_of(run.labels)
    rows = read_samples(run.samples)
    test = rows[(rows["split"] == "test") & (rows["reference"] > 0)]
    wrong = 100 * (test["label"] != test["reference"]).mean()
    by, low, high = real_land.gain(run, truth, labels)
    assert by == pytest.approx(wrong) and 0 <= low <= by <= high
    assert real_land.gain(run, labels, truth) == pytest.approx((-by, -high, -low))
    assert real_land.gain(run, truth, truth) == (0, 0, 0)


def test_the_table_counts_places_by_their_intervals():
    gains = {
        "cnn quarter-0": (4.0, 1.0, 7.0),
        "cnn quarter-1": (-1.0, -2.0, 1.0),
        "cnn sixteenth-3": (-3.0, -5.0, -1.0),
        "forest quarter-0": (9.0, 8.0, 10.0),
    }
    *_, third, total = real_land.gain_table(gains, "cnn").splitlines()
    assert third == "| sixteenth-3 | -3.0 | -5.0 to -1.0 |"
    assert total == (
        "| *3 places: 1 better and 1 worse by more than the interval; 2 below plain* | +0.0 | |"
    )
