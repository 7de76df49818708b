"""The study of sequences: its rows, what it makes of them, and that it goes on where it was."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from experiments import sequence, sequence_land, sequence_report
from landcover.classifiers.models import Model
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.reports import accuracy
from tests.conftest import error_lines
from tests.fixtures.sequence_runs import write_sequence_run

COLUMNS = {
    "network", "learnt", "dates", "cloud", "seed", "overall_accuracy", "macro_f1", "changes_found",
    "accuracy_where_single_sees",
}  # fmt: skip


def made_rows(folder, rng, better=0.1):
    """Rows of two networks of three places, of which sequences have more right, block by block."""
    rows = []
    for seed in range(3):
        hard = rng.uniform(0.5, 0.8, 12)
        for network in ("single", "fixed"):
            for cloud in (0.0, 0.6):
                right = hard + better * (network == "fixed") - cloud * (network == "single")
                counts = np.zeros((12, 2, 2), np.int64)
                counts[:, 0, 0] = counts[:, 1, 1] = np.round(500 * right.clip(0))
                counts[:, 0, 1] = counts[:, 1, 0] = 500 - counts[:, 0, 0]
                row = {
                    "network": network, "learnt": "refined", "dates": 1, "cloud": cloud,
                    "seed": seed, "overall_accuracy": counts[:, [0, 1], [0, 1]].sum() / 12_000,
                    "macro_f1": 0.5, "changes_found": None if seed else 0.5,
                    "accuracy_where_single_sees": 0.6,
                }  # fmt: skip
                rows.append(row)
                changes = np.stack([counts[:, 0, 0], counts[:, 0, 1]], axis=1)
                np.savez(
                    folder / f"{sequence_report.name_of(row)}.npz",
                    confusions=counts, where_single_sees=counts, changes=changes,
                )  # fmt: skip
    return rows


def test_differences_are_paired_by_the_blocks_of_all_places(tmp_path, rng):
    rows, counts = made_rows(tmp_path, rng), sequence_report.Counts(tmp_path)
    of_accuracy, of_changes = sequence_report.paired(rows, counts, "fixed", "single", 0.0)
    means = [
        np.mean([r["overall_accuracy"] for r in rows if r["network"] == n and not r["cloud"]])
        for n in ("fixed", "single")
    ]
    assert of_accuracy["difference"] == pytest.approx(means[0] - means[1])
    # blocks are as hard for both, which cancels: the interval is narrower than places differ
    low, high = of_accuracy["ci95"]
    assert 0.09 < low <= of_accuracy["difference"] <= high < 0.11
    assert of_changes["difference"] == pytest.approx(0.1, abs=0.01)
    assert sequence_report.paired(rows, counts, "fixed", "random", 0.0) == []


def test_the_table_says_means_differences_and_losses(tmp_path, rng):
    rows, counts = made_rows(tmp_path, rng), sequence_report.Counts(tmp_path)
    text = sequence_report.text(rows, counts)
    assert text.count("| single |") == 2 + 2 + 1  # rows of the table, differences, losses
    assert "| fixed | single | 0 % | +10." in text
    assert "| single | +58." in text and "| fixed | 0.0 |" in text
    assert sequence_report.picture(rows).startswith(b"\x89PNG")


def test_the_nearest_day_is_that_of_the_year():
    days = ["2022-03-02", "2022-06-20", "2022-11-01"]
    assert sequence_land.nearest_day(days, "2021-05-30") == "2022-06-20"


def test_change_is_flagged_on_as_much_of_what_stays_for_every_network(monkeypatch, tmp_path, rng):
    changed = rng.random((40, 50)) < 0.1
    first, second = rng.dirichlet([0.2, 0.2, 0.2], (2, 40, 50)).transpose(0, 3, 1, 2)
    second = np.where(changed, second, first)
    first[:, :5] = np.nan  # where a year has no class, no change is found
    rasters_of = {"first": first, "second": second}

    class Year:
        def __init__(self, name):
            self.name = name

        def probabilities(self, _map):
            return self.name

    monkeypatch.setattr(sequence.rasters, "read", lambda name: rasters_of[name])
    place = sequence_land.Place(Year("first"), Year("second"), changed)
    asked = np.ones(changed.shape, bool)
    flagged = sequence._flagged(place, ["a", "b"], asked)
    stays = asked & ~changed
    assert (flagged & stays).sum() <= sequence.FALSE_ALARMS * stays.sum()
    assert (flagged & stays).sum() >= sequence.FALSE_ALARMS * stays.sum() - 2
    assert not flagged[:5].any()
    assert flagged[changed].mean() > 0.4  # a third of these were drawn with the same class


def test_rows_are_made_once_and_other_settings_have_another_folder(tmp_path, monkeypatch, capsys):
    made = []

    def two_years(folder, *_):
        made.append(folder)
        years = [
            write_sequence_run(folder / name, seed=n, samples=1500) for n, name in enumerate("ab")
        ]
        truths = [rasters.read_classes(run.reference) for run in years]
        return sequence_land.Place(*years, truths[0] != truths[1])

    monkeypatch.setattr(sequence, "make_place", two_years)
    networks = {"forest": ("sequence-forest", {"leaf_sizes": [5]})}
    monkeypatch.setattr(sequence, "NETWORKS", networks)
    monkeypatch.setattr(sequence, "COMPARED", ())
    monkeypatch.setattr(sequence, "LEARNT", {"refined": {"denoise": "none"}})  # to be quick
    out = tmp_path / "out"
    assert sequence.main([str(out), "--small"]) == 0
    (row,) = json.loads((out / "sequence.json").read_text("utf-8"))
    assert set(row) == COLUMNS
    assert (row["network"], row["learnt"], row["cloud"], row["dates"]) == (
        "forest", "refined", 0.3, 6,
    )  # fmt: skip
    assert row["overall_accuracy"] > 0.8 and row["changes_found"] > 0.5
    counts = np.load(out / "blocks" / "forest-refined-30-0.npz")
    metrics = accuracy.metrics_of(counts["confusions"].sum(axis=0))
    assert row["macro_f1"] == pytest.approx(float(metrics["macro_f1"]), abs=1e-4)
    assert sequence.main([str(out), "--small"]) == 0
    assert made == [out / "place-30-0"] and not made[0].exists()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        sequence.main([str(out)])
    (line,) = error_lines(capsys.readouterr().err)
    assert "holds rows of another setting; give another folder" in line


@pytest.mark.slow
def test_places_seen_at_once_give_the_rows_of_one_after_another(tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "1")  # put back after the study has set it
    setting = replace(sequence.SMALL, seeds=(0, 1))
    both = sequence.Study(tmp_path / "both", setting).carry_out((0, 1), ["forest"], jobs=2)
    assert len(both) == 6 and not list((tmp_path / "both").glob("place*"))
    # alone, in a process of its own too: forests of tests have few trees
    command = [sys.executable, "-m", "experiments.sequence", str(tmp_path / "one"), "--small"]
    subprocess.run([*command, "--networks", "forest"], check=True, capture_output=True)
    one = json.loads((tmp_path / "one" / "sequence.json").read_text("utf-8"))
    assert one == [row for row in both if row["seed"] == 0]


@pytest.mark.slow
def test_the_small_form_has_a_row_for_every_network(tmp_path, monkeypatch):
    models = []
    trained = sequence._trained

    def keep(*arguments):
        models.append(trained(*arguments))
        return models[-1]

    monkeypatch.setattr(sequence, "_trained", keep)
    assert sequence.main([str(tmp_path), "--small"]) == 0
    rows = json.loads((tmp_path / "sequence.json").read_text("utf-8"))
    dates = {row["network"]: row["dates"] for row in rows if row["learnt"] == "refined"}
    assert dates == {
        "single": 1, "composite": 7, "fixed": 6, "random": 6, "attention": 7, "tempcnn": 7,
        "forest": 7,
    }  # fmt: skip
    assert all(isinstance(model, Model) for model in models)
    for path in ("sequence.md", "sequence.png"):
        assert (tmp_path / path).stat().st_size > 500
    assert read_json(tmp_path / "setting.json")["epochs"] == 1
