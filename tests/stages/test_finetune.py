"""From a set of chips to a network, its report and its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import eurosat_ablation, eurosat_bands, eurosat_finetune, eurosat_splits
from landcover import sensors
from landcover.classifiers import models, networks
from landcover.classifiers.networks import image_recipes
from landcover.classifiers.scaling import fit_scaling_of_parts
from landcover.errors import LandcoverError
from landcover.legend import Legend
from landcover.reports import image_page
from landcover.run import Run
from landcover.samples.image_splits import split_of
from landcover.sources import eurosat
from landcover.stages import finetune, store
from landcover.stages.finetune import Choices, open_task
from tests.conftest import error_lines
from tests.fixtures.eurosat_sets import write_set

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
    report = store.read_report(trained.report("compact"))
    assert report["n_test"] == 40 and report["n_train"] + report["n_validation"] == 160
    assert report["against"] == "reference" and len(report["per_class"]) == 10
    matrix = np.array(report["confusion"]["matrix"])
    assert matrix.sum() == 40
    assert report["overall_accuracy"] == pytest.approx(np.trace(matrix) / 40)
    low, high = report["overall_accuracy_ci95"]
    assert low <= report["overall_accuracy"] <= high


def test_the_stored_network_gives_the_reported_scores(trained, archive):
    chips = eurosat.open_chips(archive)
    split = split_of(chips, "80/20", 42)
    network = models.load_model(trained.model("compact")).image_classifier()
    probabilities = network.probabilities(sensors.true_colour(chips.read(split.test)))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    right = np.mean(probabilities.argmax(axis=1) == chips.labels[split.test])
    assert right == pytest.approx(store.read_report(trained.report("compact"))["overall_accuracy"])


def test_the_page_holds_what_a_reader_looks_for(trained):
    page = trained.report("compact").with_suffix(".html").read_text("utf-8")
    assert "Learning curves" in page and "<svg" in page and page.count("data:image/png") >= 24
    for name in Legend.eurosat().names:
        assert name in page
    assert not re.search(r"(src|href)=.http", page)


def test_views_in_training_are_of_training_images(trained, archive):
    page = trained.report("compact").with_suffix(".html").read_text("utf-8")
    shown = re.findall(r'src="([^"]+)" alt="image"', page)
    chips = eurosat.open_chips(archive)
    train = split_of(chips, "80/20", 42).train
    known = {
        image_page._picture(image, chips.bands) for image in sensors.true_colour(chips.read(train))
    }
    assert len(set(shown)) == image_page.VIEWED and set(shown) <= known


def test_layers_add_up_to_the_parameters(trained):
    report = store.read_report(trained.report("compact"))
    assert sum(layer["parameters"] for layer in report["layers"]) == report["parameters"]["all"]
    assert report["parameters"]["all"] < 1_000_000
    learns = sum(layer["trainable"] for layer in report["layers"])
    assert learns == report["parameters"]["trainable_first"]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_scaling_of_parts_is_that_of_the_whole(seed, sizes):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(0.2, 0.1, (n, 4, 4, 3)).astype(np.float32) for n in sizes]
    found, whole = fit_scaling_of_parts(iter(parts)), np.concatenate(parts).astype(float)
    np.testing.assert_allclose(found["means"], whole.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(found["stds"], whole.std(axis=(0, 1, 2)))


def test_the_same_seed_gives_the_same_probabilities(trained, archive, tmp_path):
    again = Run(tmp_path / "again")
    arguments = [str(archive), "--out", str(again.path), "--minutes", "1e6", *SMALL]
    eurosat_finetune.main(arguments)
    first, second = (json.loads(run.report("compact").read_text()) for run in (trained, again))
    assert first["confusion"] == second["confusion"]


def test_confused_pairs_are_named_from_a_count_on():
    confusion = {"codes": [1, 2, 3], "matrix": [[9, 5, 4], [0, 9, 0], [7, 0, 9]]}
    pairs = image_page.confused_pairs(confusion, Legend.eurosat().subset([1, 2, 3]), least=5)
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
        (["--weights", "none.weights.h5"], "weights none.weights.h5 do not exist"),
        (["--zoom", "1"], "leaves nothing of a pixel"),
        (["--frozen"], "convolutions that are drawn at random"),
        (["--bands", "B99"], "no band B99"),
        (["--head", "concat-512"], "head concat-512 is for a backbone"),
        (["--zoom", "0.1", "--no-augmentation"], "zoom 0.1: images that are shown as they are"),
        (
            ["--model", "vgg16", "--weights", "imagenet", "--bands", "B02", "B03", "B04"],
            "weights imagenet are of pictures of B04 B03 B02, not of chips of B02 B03 B04",
        ),
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


def test_weights_of_pictures_meet_no_reflectance(tmp_path):
    """Three bands of the GeoTIFFs are red, green and blue too, but not as ImageNet's were."""
    source = write_set(tmp_path / "tifs", each=5, form="tif", top="tif")
    weights = tmp_path / "vgg16_notop.h5"
    weights.write_bytes(b"never read")
    for given_weights in ("imagenet", str(weights)):
        choices = Choices("vgg16", weights=given_weights, bands=sensors.TRUE_COLOUR_BANDS)
        with pytest.raises(LandcoverError, match="RGB set without bands=, or no weights"):
            open_task(source, choices)


@pytest.fixture
def listed(archive, tmp_path):
    """Lists without one test image of the last class, one training image of the first, and more."""
    chips, folder = eurosat.open_chips(archive), tmp_path / "lists"
    split, names = split_of(chips, "80/20", 1), np.array(chips.names)
    folder.mkdir()
    parts = {
        "train": split.train[chips.labels[split.train] != 0],
        "val": split.validation,
        "test": split.test[chips.labels[split.test] != 9],
    }
    for part, rows in parts.items():
        (folder / f"of-{part}.txt").write_text("\n".join(names[rows]))
    return folder, {part: chips.labels[rows] for part, rows in parts.items()}


def test_images_and_classes_without_a_part_are_said(archive, listed, trained, tmp_path, capsys):
    folder, labels = listed
    network = models.load_model(trained.model("compact")).image_classifier().model
    history = json.loads((trained.model("compact") / "history.json").read_text())
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "learn", lambda *_: (network, history))
        arguments = [str(archive), "--out", str(out), "--split", str(folder)]
        assert eurosat_finetune.main(arguments) == 0
    unused = 200 - sum(map(len, labels.values()))
    first, last = Legend.eurosat().classes[0], Legend.eurosat().classes[9]
    notes = [
        f"{unused} of 200 images are in no list, and not used",
        f"class {first.code} {first.name} is not trained on, so no map shows it",
        f"class {last.code} {last.name} is not tested",
    ]
    assert [x for x in capsys.readouterr().out.splitlines() if x.startswith("note: ")] == [
        f"note: {note}" for note in notes
    ]
    run = Run(out)
    card = models.load_model(run.model("compact")).card
    assert card["notes"] == store.read_report(run.report("compact"))["notes"] == notes
    counts = {name: np.bincount(of, minlength=10) for name, of in labels.items()}
    for place, found in enumerate(Legend.eurosat().classes):
        named = zip(("train", "validation", "test"), ("train", "val", "test"), strict=True)
        expected = {name: counts[part][place] for name, part in named}
        assert card["class_samples"][str(found.code)] == expected
    page = run.report("compact").with_suffix(".html").read_text("utf-8")
    assert f"<p>Class {last.code} {last.name} is not tested.</p>" in page


def test_nothing_is_said_where_nothing_is_left_out(trained):
    assert store.read_report(trained.report("compact"))["notes"] == []
    page = trained.report("compact").with_suffix(".html").read_text("utf-8")
    assert '<div class="remarks">' not in page


def test_a_frozen_backbone_stays_frozen_for_all_its_epochs():
    frozen = Choices("resnet50", weights="imagenet", frozen=True).recipe
    staged = Choices("resnet50", weights="imagenet").recipe
    assert [stage.frozen for stage in frozen.stages] == [True]
    assert frozen.stages[0].epochs == staged.stages[-1].epochs > 1
    assert [stage.frozen for stage in staged.stages] == [True, False]


@pytest.mark.slow  # half a minute: a network of 25 million
def test_a_backbone_from_a_file_is_trained_on_listed_parts(archive, tmp_path):
    """Its convolutions stay as they are in the file when it is frozen, and move when it is not."""
    import keras

    resnet = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(64, 64, 3))
    weights = tmp_path / "resnet.weights.h5"
    resnet.save_weights(weights)
    chips = eurosat.open_chips(archive)
    lists, split = tmp_path / "lists", split_of(chips, "80/20", 1)
    lists.mkdir()
    for part, rows in (("train", split.train), ("val", split.validation), ("test", split.test)):
        names = "\n".join(f"{chips.names[row]}.jpg" for row in rows)
        (lists / f"eurosat-{part}.txt").write_text(names)
    shared = [
        str(archive), "--model", "resnet50", "--weights", str(weights), "--head", "dense-256",
        "--no-augmentation", "--split", str(lists), "--epochs", "1", "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    first = resnet.get_layer("conv1_conv").get_weights()[0]
    moved = {}
    for name, more in (("frozen", ["--frozen"]), ("staged", [])):
        assert eurosat_finetune.main([*shared, "--name", name, *more]) == 0
        network = models.load_model(Run(tmp_path / "run").model(name)).image_classifier()
        backbone = network.model.get_layer("backbone")
        moved[name] = np.abs(backbone.get_layer("conv1_conv").get_weights()[0] - first).max()
    assert moved["frozen"] == 0 < moved["staged"]
    report = store.read_report(Run(tmp_path / "run").report("staged"))
    assert report["n_test"] == len(split.test) and "lists of lists" in report["split"]
    assert report["parameters"]["trainable_first"] < report["parameters"]["all"]


def test_a_frozen_resnet_trains_what_the_published_one_trained():
    network = networks.build_image_network("resnet50", 3, 10, [0.1] * 3, [0.05] * 3)
    frozen = networks.Recipe((networks.Stage(1, 1e-3, frozen=True), networks.Stage(1, 1e-4)))
    found = networks.parameters_of(network, frozen)["parameters"]
    assert round(found["all"] / 1e6, 1) == 25.6
    assert round(found["trainable_first"] / 1e6, 2) == 2.16
    assert found["trainable_last"] == found["all"]


@pytest.mark.slow
def test_bands_are_compared_in_one_table_and_one_plot(tmp_path, capsys, monkeypatch):
    source = write_set(tmp_path / "tifs", each=8, form="tif", top="tif")
    asked, read = [], eurosat.ChipSet.read

    def look(chips, indices=None, bands=None):
        asked.append(bands)
        return read(chips, indices, bands)

    monkeypatch.setattr(eurosat.ChipSet, "read", look)
    out = tmp_path / "out"
    arguments = [str(source), "--sets", "B04", "RGB", "--epochs", "1", "--out", str(out)]
    assert eurosat_bands.main(arguments) == 0
    assert asked == [("B02", "B03", "B04")]  # once, whatever the sets share
    assert (out / "bands.svg").read_text().startswith("<svg")
    rows = json.loads((out / "bands.json").read_text())["rows"]
    assert [row["bands"].count("B") for row in rows] == [1, 3]
    for row in rows:
        report = store.read_report(Run(out).report(f"compact-{row['set']}"))
        assert row["overall_accuracy"] == report["overall_accuracy"]
        assert models.load_model(Run(out).model(f"compact-{row['set']}")).card["white"] is None
    printed = capsys.readouterr().out
    shown = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(shown) == 3 and any("RGB (B04 B03 B02)" in line for line in shown)


def test_a_task_of_some_bands_is_the_set_read_in_these(tmp_path):
    source = write_set(tmp_path / "tifs", each=5, form="tif", top="tif")
    task, bands = open_task(source), ("B12", "B8A", "B04")
    some, expected = task.of_bands(bands), open_task(source, Choices(bands=bands))
    np.testing.assert_array_equal(some.pixels, expected.pixels)
    assert some.bands == bands and some.pixels.flags.c_contiguous
    rows = np.array([3, 1])
    np.testing.assert_array_equal(some.read(rows), expected.read(rows))
    assert task.of_bands(task.bands) is task


def test_the_ablation_never_looks_at_the_test_part(archive):
    task = open_task(archive, Choices(seed=3))
    inner = eurosat_ablation.held_out(task, seed=3)
    seen = np.concatenate([inner.split.train, inner.split.validation, inner.split.test])
    assert not set(seen) & set(task.split.test)
    assert len(seen) == len(set(seen)) == len(task.split.train) + len(task.split.validation)
    assert len(inner.split.test) == round(eurosat_ablation.HELD_OUT_SHARE * len(seen))


@pytest.mark.slow
def test_the_ablation_scores_every_change_and_keeps_what_it_has(archive, tmp_path, capsys):
    arguments = [str(archive), "--epochs", "1", "--out", str(tmp_path), "--only"]
    assert eurosat_ablation.main([*arguments, "the recipe"]) == 0
    assert eurosat_ablation.main([*arguments, "the recipe", "images as they are"]) == 0
    rows = json.loads((tmp_path / "ablation.json").read_text())["rows"]
    assert [row["change"] for row in rows] == ["the recipe", "images as they are"]
    assert all(0 <= row[views] <= 1 for row in rows for views in ("one view", "eight views"))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("change")]
    assert len(said) == 2  # the first is not trained again


def test_rows_of_another_recipe_or_precision_share_no_table(archive, tmp_path, monkeypatch):
    measured = []

    def measure(task, choices, title):
        measured.append(title)
        return {"one view": 0.5}

    monkeypatch.setattr(eurosat_ablation, "measure", measure)

    def run() -> int:
        arguments = [str(archive), "--only", "the recipe", "--out", str(tmp_path)]
        assert eurosat_ablation.main(arguments) == 0
        rows = json.loads((tmp_path / "ablation.json").read_text())["rows"]
        assert len(rows) == 1
        return len(measured)

    assert run() == run() == 1
    other = replace(image_recipes.COMPACT, weight_decay=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(image_recipes, "COMPACT", other)
        assert run() == run() == 2
    with monkeypatch.context() as patch:
        patch.setattr(networks, "precision_of", lambda choice: "half")
        assert run() == run() == 3
    assert run() == 3  # the first row is found again


def test_an_ablation_of_no_archive_ends_before_anything_is_read(tmp_path, capsys):
    for source in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(SystemExit) as stopped:
            eurosat_ablation.main([str(source), "--out", str(tmp_path / "out")])
        (line,) = error_lines(capsys.readouterr().err)
        assert stopped.value.code == 2 and f"{source} is no file" in line


@given(st.integers(0, 2**32 - 1))
def test_mix_and_rates_add_up_to_the_difference_of_accuracies(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 50, (2, 4, 4)) + np.eye(4, dtype=int)
    mix, rates = eurosat_splits.mix_and_rates(first, second)
    right = [np.trace(matrix) / matrix.sum() for matrix in (first, second)]
    assert mix + rates.sum() == pytest.approx(right[1] - right[0])


def test_other_shares_of_classes_alone_are_all_mix():
    first = np.array([[9, 1], [5, 5]])
    mix, rates = eurosat_splits.mix_and_rates(first, first * [[1], [3]])
    assert not rates.any() and mix == pytest.approx(24 / 40 - 14 / 20)


def test_a_split_beside_itself_differs_in_nothing(trained, archive, capsys):
    report = str(trained.report("compact"))
    assert eurosat_splits.main([str(archive), report, report]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    splits, classes = rows[1:3], rows[4:]
    assert splits[0] == splits[1] and "80/20" in splits[0]
    assert len(classes) == 11 and all(row.endswith("| 0.0 |") for row in classes)


@pytest.mark.parametrize("content", [{}, {"kind": "encoder", "settings": {}}])
def test_splits_are_compared_by_reports_of_finetuning_alone(archive, tmp_path, capsys, content):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit) as stopped:
        eurosat_splits.main([str(archive), str(path), str(path)])
    (line,) = error_lines(capsys.readouterr().err)
    assert stopped.value.code == 2
    assert f"{path} is no report of an image network; give reports/NAME.json" in line
