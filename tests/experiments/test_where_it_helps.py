"""Points where they help: unbiased, with intervals that hold the truth, and surer."""

import numpy as np
import pytest

from experiments import where_it_helps
from landcover.files import raster_writer
from landcover.reports.need import PARTS
from landcover.run import Run
from tests.conftest import utm_grid

DRAWS = 500


def land(hinted, pixels=120_000, seed=4):
    """Truth, map and need: errors follow need, or, not hinted, need says nothing."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([211, 311, 512, 112], pixels, p=[0.45, 0.3, 0.15, 0.1])
    chance = rng.beta(0.3, 1.7, pixels)
    mapped = np.where(rng.random(pixels) < chance, rng.choice([211, 311, 512, 112], pixels), truth)
    needed = np.rint(100 * chance).astype(np.uint8)
    return truth, mapped, needed if hinted else rng.permutation(needed)


@pytest.mark.parametrize("hinted", [True, False])
def test_intervals_hold_the_truth_in_95_of_100_samples(hinted):
    """Of overall accuracy and of every class's area, whatever the hints are worth."""
    found = where_it_helps.outcomes(*land(hinted), PARTS, 400, DRAWS)
    assert found["truth"].shape == (5,)
    shares = found["held"].mean(axis=0)
    assert (shares >= 0.93).all() and (shares <= 0.97).all(), shares
    spread = found["estimates"].std(axis=0)
    bias = np.abs(found["estimates"].mean(axis=0) - found["truth"])
    assert (bias <= 3.5 * spread / np.sqrt(DRAWS)).all()


def test_estimates_are_surer_where_hints_are_good_and_hardly_less_where_they_are_not():
    errors = {
        (hinted, most): where_it_helps.outcomes(*land(hinted), most, 400, DRAWS)["estimates"].std(
            axis=0
        )
        for hinted in (True, False)
        for most in (1, PARTS)
    }
    assert (errors[True, PARTS] < 0.9 * errors[True, 1]).all()
    assert (errors[False, PARTS] < 1.15 * errors[False, 1]).all()


def test_the_table_of_a_run(tmp_path, capsys):
    truth, mapped, needed = (codes.reshape(240, 500) for codes in land(True))
    run, grid = Run(tmp_path / "run"), utm_grid(240, 500)
    raster_writer.write(run.map("knn"), mapped.astype(np.uint16), grid, ["class"], 0)
    raster_writer.write(run.reference, truth.astype(np.uint16), grid, ["class"], 0)
    raster_writer.write(run.confidence("knn"), 100 - needed, grid, ["confidence"], 255)
    call = [str(run.path), "--model", "knn", "--draws", "20"]
    assert where_it_helps.main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| by class", "| where it helps", "| hints shuffled"
    ]  # fmt: skip
    with pytest.raises(SystemExit):
        where_it_helps.main([str(run.path), "--model", "none"])
