"""From a set of chips to a network, its report and its page."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from experiments import eurosat_ablation, eurosat_bands, eurosat_finetune
from landcover import models, networks, reports
from landcover.legend import Legend
from landcover.runs import Run
from landcover.workflows.finetune import Choices, open_task, split_of
from landcover.workflows.image_page import confused_pairs
from tests.conftest import error_lines
from tests.eurosat_sets import write_set

SMALL = ("--epochs", "2", "--precision", "float32")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set") / "EuroSAT.zip", each=20)


@pytest.fixture(scope="module")
def trained(archive, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("run"))
    assert eurosat_finetune.main([str(archive), "--out", str(run.path), *SMALL]) == 0
    return run


def test_the_report_is_in_the_form_of_every_other(trained):
    report = reports.read_report(trained, "compact")
    assert report["n_test"] == 40 and report["n_train"] + report["n_validation"] == 160
    assert report["against"] == "reference" and len(report["per_class"]) == 10
    matrix = np.array(report["confusion"]["matrix"])
    assert matrix.sum() == 40
    assert report["overall_accuracy"] == pytest.approx(np.trace(matrix) / 40)
    low, high = report["overall_accuracy_ci95"]
    assert low <= report["overall_accuracy"] <= high


def test_the_stored_network_gives_the_reported_scores(trained, archive):
    from landcover import eurosat, images

    chips = eurosat.open_chips(archive)
    split = split_of(chips, "80/20", 42)
    network = models.load_image_network(trained, "compact")
    shares = network.probabilities(images.true_colour(chips.read(split.test)))
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    right = np.mean(shares.argmax(axis=1) == chips.labels[split.test])
    assert right == pytest.approx(reports.read_report(trained, "compact")["overall_accuracy"])


def test_the_page_holds_what_a_reader_looks_for(trained):
    page = trained.report("compact").with_suffix(".html").read_text("utf-8")
    assert "Learning curves" in page and "<svg" in page and page.count("data:image/png") >= 24
    for name in Legend.eurosat().names:
        assert name in page
    assert not re.search(r"(src|href)=.http", page)


def test_layers_add_up_to_the_parameters(trained):
    report = reports.read_report(trained, "compact")
    assert sum(layer["parameters"] for layer in report["layers"]) == report["parameters"]["all"]
    assert report["parameters"]["all"] < 1_000_000


def test_the_same_seed_gives_the_same_probabilities(trained, archive, tmp_path):
    again = Run(tmp_path / "again")
    arguments = [str(archive), "--out", str(again.path), "--minutes", "1e6", *SMALL]
    eurosat_finetune.main(arguments)
    first, second = (json.loads(run.report("compact").read_text()) for run in (trained, again))
    assert first["confusion"] == second["confusion"]


def test_confused_pairs_are_named_from_a_count_on():
    confusion = {"codes": [1, 2, 3], "matrix": [[9, 5, 4], [0, 9, 0], [7, 0, 9]]}
    pairs = confused_pairs(confusion, Legend.eurosat().subset([1, 2, 3]), least=5)
    assert [(pair["class"], pair["taken_for"], pair["n"]) for pair in pairs] == [
        ("HerbaceousVegetation", "AnnualCrop", 7),
        ("AnnualCrop", "Forest", 5),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--split", "80/30"], "neither a folder with lists nor two shares"),
        (["--split", "100/0"], "out of range"),
        (["--weights", "imagenet"], "compact network has none"),
        (["--bands", "B99"], "no band B99"),
    ],
)
def test_bad_choices_end_in_one_line_and_leave_nothing(archive, tmp_path, capsys, arguments, said):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        eurosat_finetune.main([str(archive), "--out", str(out), *SMALL, *arguments])
    assert stopped.value.code == 2
    lines = error_lines(capsys.readouterr().err)
    assert len(lines) == 1 and said in lines[0]
    assert not out.exists()


def test_a_frozen_resnet_trains_what_the_published_one_trained():
    network = networks.build_image_network("resnet50", 3, 10, [0.1] * 3, [0.05] * 3)
    frozen = networks.Recipe((networks.Stage(1, 1e-3, frozen=True), networks.Stage(1, 1e-4)))
    found = networks.parameters_of(network, frozen)["parameters"]
    assert round(found["all"] / 1e6, 1) == 25.6
    assert round(found["trainable_first"] / 1e6, 2) == 2.16
    assert found["trainable_last"] == found["all"]


def test_bands_are_compared_in_one_table_and_one_plot(tmp_path, capsys):
    source = write_set(tmp_path / "tifs", each=8, form="tif", top="tif")
    out = tmp_path / "out"
    arguments = [str(source), "--sets", "B04", "RGB", "--epochs", "1", "--out", str(out)]
    assert eurosat_bands.main(arguments) == 0
    assert (out / "bands.svg").read_text().startswith("<svg")
    rows = json.loads((out / "bands.json").read_text())["rows"]
    assert [row["bands"].count("B") for row in rows] == [1, 3]
    for row in rows:
        report = reports.read_report(Run(out), f"compact-{row['set']}")
        assert row["overall_accuracy"] == report["overall_accuracy"]
        assert models.read_card(Run(out), f"compact-{row['set']}")["white"] is None
    printed = capsys.readouterr().out
    shown = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(shown) == 3 and any("RGB (B04 B03 B02)" in line for line in shown)


def test_the_ablation_never_looks_at_the_test_part(archive):
    task = open_task(archive, Choices(seed=3))
    inner = eurosat_ablation.held_out(task, seed=3)
    seen = np.concatenate([inner.split.train, inner.split.validation, inner.split.test])
    assert not set(seen) & set(task.split.test)
    assert len(seen) == len(set(seen)) == len(task.split.train) + len(task.split.validation)
    assert len(inner.split.test) == round(eurosat_ablation.HELD_OUT_SHARE * len(seen))


def test_the_ablation_scores_every_change_and_keeps_what_it_has(archive, tmp_path, capsys):
    arguments = [str(archive), "--epochs", "1", "--out", str(tmp_path), "--only"]
    assert eurosat_ablation.main([*arguments, "the recipe"]) == 0
    assert eurosat_ablation.main([*arguments, "the recipe", "images as they are"]) == 0
    rows = json.loads((tmp_path / "ablation.json").read_text())["rows"]
    assert [row["change"] for row in rows] == ["the recipe", "images as they are"]
    assert all(0 <= row[views] <= 1 for row in rows for views in ("one view", "eight views"))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("change")]
    assert len(said) == 2  # the first is not trained again
