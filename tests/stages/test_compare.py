"""Scores of maps against scikit-learn on the whole arrays; the comparison and its page."""

import base64
import copy
import html.parser
import io
import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from rasterio.crs import CRS
from scipy.ndimage import maximum_filter
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar

from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json, write_json
from landcover.files.class_rasters import write_classes
from landcover.grid import Grid
from landcover.legend import Legend, corine
from landcover.reports import words, zones
from landcover.reports.comparison import distinct_levels
from landcover.samples.blocks import TEST, Blocks
from landcover.stages import compare as selection
from landcover.stages import scoring as score
from landcover.stages import store
from landcover.stages.compare import compare
from landcover.stages.run_legend import write_nomenclature
from tests.fixtures.ground import outline_ha
from tests.fixtures.worlds import BLOCK, COLS, EMPTY, GRID, LEGEND, ROWS, World, score_samples


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "run")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A run with three models, compared: (world, comparison, page)."""
    world = World(tmp_path_factory.mktemp("compared") / "run & <b>town")
    for name, wrong in (("random-forest", 0.4), ("cnn-7x7", 0.1), ("mlp", 0.4)):
        world.model(name, wrong, seed=len(name))
    history = {k: [1.0, 0.5, 0.7] for k in ("loss", "val_loss", "accuracy", "val_accuracy")}
    write_json(world.run.model("mlp") / "history.json", history)
    write_json(world.run.model("mlp") / "card.json", {"n_train": 1234, "kind": "mlp"})
    world.run.record("prep", {"level": 3})
    world.model("mlp", 0.4, seed=3)
    compare(world.run)
    page = (world.run.path / "comparison.html").read_text("utf-8")
    return world, store.read_comparison(world.run.path), page


def assert_scores_equal(report, truth, predicted):
    """Scores are those of scikit-learn on the same pixels."""
    present = np.unique(truth)
    assert report["n_test"] == truth.size
    assert report["overall_accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert report["balanced_accuracy"] == pytest.approx(
        sk.recall_score(truth, predicted, labels=present, average="macro")
    )
    assert report["macro_f1"] == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert report["kappa"] == pytest.approx(sk.cohen_kappa_score(truth, predicted))


def test_samples_are_scored_by_split(world):
    frame = world.samples()
    codes = world.map("knn", 0.3)
    predicted = codes[frame["row"], frame["col"]]
    leaky = np.where(np.arange(len(frame)) % 2, frame["label"], predicted)
    report = score_samples(world.run, "knn", frame, predicted, {"train": 1.5}, 4, leaky)
    test, random_test = frame["split"] == "test", frame["random_test"]
    assert_scores_equal(report["scores"]["labels"], frame["label"][test], predicted[test])
    assert_scores_equal(report["scores"]["reference"], frame["reference"][test], predicted[test])
    for against, column in (("labels_random", "label"), ("reference_random", "reference")):
        scores = report["scores"][against]
        truth = frame[column][random_test]
        assert_scores_equal(scores, truth, leaky[random_test])
        assert scores["scored_on"] == "test samples beside training samples"
        blocked = sk.accuracy_score(truth, predicted[random_test])
        assert scores["leak"]["spatial_blocks"] == pytest.approx(blocked)
        gain = sk.accuracy_score(truth, leaky[random_test]) - blocked
        assert scores["leak"]["difference"] == pytest.approx(gain)
        low, high = scores["leak"]["ci95"]
        assert low <= gain <= high
    assert report["against"] == "reference"
    assert report["overall_accuracy"] == report["scores"]["reference"]["overall_accuracy"]
    assert report["scored_on"] == "test samples"
    assert report["split"] == "spatial blocks of 20 px, guard 5 px"
    assert report["n_blocks"] == frame["block"][test].nunique()
    assert (report["seed"], report["seconds"]) == (4, {"train": 1.5})
    assert report["versions"]["numpy"] == np.__version__
    assert store.read_report(world.run.report("knn")) == json.loads(json.dumps(report))


def test_every_combination_of_dates_is_a_row_that_says_which(world):
    shares = {"2022-04-15": 0.9, "2022-06-25": 0.5, "2022-09-03": 0.25}
    dates = {
        day: {"data": round(1000 * share), "cloud": round(1000 * (1 - share)), "outside": 500}
        for day, share in shares.items()
    }
    settings = {"level": 3, "composite": {"method": "median", "best_date": None}}
    world.run.record("prep", settings, found={"dates": dates, "pixels": {"data": 1000}})
    for name in ("ltae", "ltae@2dates", "ltae@2dates+smooth", "ensemble", "mlp"):
        world.model(name, 0.2)
    for name, days in (("ltae", list(shares)), ("ltae@2dates", list(shares)[1:])):
        world.run.record(f"map {name}", {"model": "ltae", "dates": days})
    world.run.record("map mlp", {"model": "mlp"})
    world.run.record("ensemble ensemble", {"maps": ["ltae@2dates", "ltae"]})
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    found = {model["name"]: model["dates"] for model in comparison["models"]}
    every, two = list(shares), list(shares)[1:]
    assert {name: held["days"] for name, held in found.items()} == {
        "ltae": every, "ltae@2dates": two, "ltae@2dates+smooth": two, "ensemble": every,
        "mlp": every,
    }  # fmt: skip
    assert found["ltae"]["valid"] == pytest.approx(1.65)
    assert found["ltae@2dates"]["valid"] == pytest.approx(0.75)
    assert [name for name, held in found.items() if held["composite"]] == ["mlp"]
    table = (world.run.path / "comparison.md").read_text("utf-8")
    assert "(2dates) | 2 | 0.8 | 2022-06-25, 2022-09-03 |" in table
    assert "| MLP | 3, as their median composite | 1." in table
    assert "Which dates each map shows" in (world.run.path / "comparison.html").read_text("utf-8")


def test_without_reference_the_report_speaks_of_agreement(tmp_path):
    world = World(tmp_path / "run", reference=False)
    codes = world.model("knn", 0.3)
    report = store.read_report(world.run.report("knn"))
    assert (report["against"], report["measure"]) == ("labels", "agreement with CORINE")
    assert set(report["scores"]) == {"labels", "labels_random"}
    scored = world.test & (codes > 0) & (world.labels > 0)
    assert_scores_equal(report, world.labels[scored], codes[scored])
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    assert "agreement with CORINE" in comparison["remarks"][0]
    assert "of pixels in agreement with CORINE" in comparison["headline"]
    assert comparison["measure"] == "agreement with CORINE"
    for kind in ("md", "html"):
        text = (world.run.path / f"comparison.{kind}").read_text("utf-8")
        if kind == "html":
            text = " ".join(read_page(text).text)
        text = text.replace("overall_accuracy", "").lower()  # a field's name in the settings
        assert "accuracy" not in text and "agreement with the labels" not in text
        assert "agreement with corine" in text
    assert [*comparison["models"][0]["zones"]] == ["core", "border"]
    assert comparison["labels_against_reference"] is None


@pytest.mark.parametrize("percent", [90, 150])
def test_maps_outside_their_models_area_are_listed_and_much_is_remarked(world, percent):
    """An eighth of the map is outside for sure, and all the rest where its percent is over 100."""
    for name in ("knn", "mlp"):
        world.model(name, 0.3)
    held = np.full(GRID.shape, percent, np.uint8)
    held[: ROWS // 8] = 140
    names = ["dissimilarity_percent", "inside"]
    both = np.stack([held, held <= 100]).astype(np.uint8)
    raster_writer.write(world.run.applicability("knn"), both, GRID, names, 255)
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    share = float((held > 100).mean())
    shares = {model["name"]: model["outside_share"] for model in comparison["models"]}
    assert shares == {"knn": pytest.approx(share), "mlp": None}
    said = "lies outside its area of applicability"
    assert any(said in line for line in comparison["remarks"]) == (percent > 100)
    for kind in ("md", "html"):
        text = (world.run.path / f"comparison.{kind}").read_text("utf-8")
        part = text[text.index("Area of applicability") :]
        assert words.percent(share) in part[:600]


def test_without_reference_maps_stand_in_the_order_of_refined_labels(tmp_path, monkeypatch):
    """The map that copies coarse labels best comes last if refined labels are another map's."""
    world = World(tmp_path / "run", reference=False)
    copied = world.model("cnn-61x61", 0.1)
    refined = world.model("cnn-7x7", 0.5, seed=2)
    raster_writer.write(world.run.refined_labels, refined, GRID, ["class"], 0, LEGEND)
    world.run.samples.write_bytes(b"")
    monkeypatch.setattr(selection, "is_made", lambda run, rows: True)
    monkeypatch.setattr(selection, "read_rows", lambda run, trained_on: None)
    compare(world.run)  # the criteria are far apart here
    headline = store.read_comparison(world.run.path)["headline"]
    assert headline.startswith("No map is chosen: criteria disagree: by cores that are found")
    monkeypatch.setattr("landcover.reports.choice.APART", 1.0)
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    first, second = comparison["models"]
    assert (first["name"], first["criteria"][0]) == ("cnn-7x7", 1.0)
    judged = world.test & (refined > 0)
    assert second["criteria"][0] == pytest.approx((copied == refined)[judged].mean())
    agreed = [model["scores"]["labels"]["overall_accuracy"] for model in (first, second)]
    assert agreed[0] < agreed[1]
    table = (world.run.path / "comparison.md").read_text("utf-8").split("| map |")[1]
    assert table.startswith(" criterion |")
    page = " ".join(read_page((world.run.path / "comparison.html").read_text("utf-8")).text)
    assert re.fullmatch(
        r"The patch CNN 7×7 is chosen: \d+\.\d % of its pixels are in agreement with CORINE "
        r"\(95 % interval .*\)\. It agrees with 100\.0 % of the refined labels in the test blocks, "
        r"which are an estimate by a network.*\.",
        comparison["headline"],
    )
    assert '(<a href="label_noise.md">label_noise.md</a>)' in (
        world.run.path / "comparison.html"
    ).read_text("utf-8")
    assert "criterion" in page and "in the order of a criterion" in page


@pytest.mark.parametrize("rivals", [{}, {"mlp": 0.9}, {"mlp": 0.3}])
def test_every_headline_without_reference_says_agreement_with_corine(tmp_path, rivals):
    world = World(tmp_path / "run", reference=False)
    for name, wrong in ({"knn": 0.3} | rivals).items():
        world.model(name, wrong, seed=len(name))
    compare(world.run)
    headline = store.read_comparison(world.run.path)["headline"]
    assert "agreement with CORINE" in headline
    assert " right" not in headline and "accura" not in headline and "best" not in headline


@pytest.mark.parametrize("window_px", [1024, 64])
def test_maps_are_scored_wall_to_wall_whatever_the_windows(world, monkeypatch, window_px):
    monkeypatch.setattr(rasters, "WINDOW_PX", window_px)
    codes = world.model("knn", 0.3)
    report = store.read_report(world.run.report("knn"))
    for against, truth in (("reference", world.truth), ("labels", world.labels)):
        scored = world.test & (codes > 0) & (truth > 0)
        scores = report["scores"][against]
        assert_scores_equal(scores, truth[scored], codes[scored])
        assert scores["scored_on"] == "test blocks, wall to wall"
        assert scores["n_blocks"] == np.unique(world.block[scored]).size


def test_a_map_score_keeps_what_training_reported(world):
    frame = world.samples()
    predicted = world.map("knn", 0.3)[frame["row"], frame["col"]]
    before = score_samples(world.run, "knn", frame, predicted, {"train": 1.5}, 4, predicted)
    after = score.score_map(world.run, "knn", {"predict": 2})
    assert after["seconds"] == {"train": 1.5, "predict": 2.0}
    assert after["seed"] == 4
    assert after["scores"]["labels_random"] == before["scores"]["labels_random"]
    assert after["scores"]["reference"]["n_test"] > before["scores"]["reference"]["n_test"]


def test_a_hole_in_a_map_is_an_error_and_a_hole_in_the_scene_is_not(world):
    perfect = world.truth.copy()
    perfect[EMPTY] = 0
    world.write_map("perfect", perfect)
    assert score.score_map(world.run, "perfect", {})["overall_accuracy"] == 1
    holed = perfect.copy()
    holed[100:140] = 0
    world.write_map("holed", holed)
    report = score.score_map(world.run, "holed", {})
    scored = world.test & (perfect > 0)
    assert report["n_test"] == scored.sum()
    assert report["overall_accuracy"] == pytest.approx((holed == world.truth)[scored].mean())
    assert report["confusion"]["codes"][0] == 0
    assert report["per_class"]["0"]["name"] == "No prediction"


def test_maps_are_ranked_and_the_headline_says_how_sure(compared):
    _, comparison, _ = compared
    assert comparison["models"][0]["name"] == "cnn-7x7"
    accuracies = [m["scores"]["reference"]["overall_accuracy"] for m in comparison["models"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert re.fullmatch(
        r"The patch CNN 7×7 makes the best map: 9\d\.\d % of pixels right "
        r"\(95 % interval \d\d\.\d–\d\d\.\d\), \d\d\.\d points \(\d\d\.\d–\d\d\.\d\) more than "
        r"the (MLP|random forest)\.",
        comparison["headline"],
    )


def test_pairs_hold_the_differences_of_the_scores(compared):
    _, comparison, _ = compared
    scores = {m["name"]: m["scores"]["reference"] for m in comparison["models"]}
    assert len(comparison["pairs"]) == 3
    for pair in comparison["pairs"]:
        for metric in ("overall_accuracy", "macro_f1", "kappa", "balanced_accuracy"):
            difference = scores[pair["a"]][metric] - scores[pair["b"]][metric]
            assert pair[metric]["difference"] == pytest.approx(difference)
            low, high = pair[metric]["ci95"]
            assert low < difference < high
    equal = next(p for p in comparison["pairs"] if "cnn-7x7" not in (p["a"], p["b"]))
    assert equal["overall_accuracy"]["ci95"][0] < 0 < equal["overall_accuracy"]["ci95"][1]


def test_scores_of_the_comparison_are_those_of_the_reports(compared):
    world, comparison, _ = compared
    for model in comparison["models"]:
        report = store.read_report(world.run.report(model["name"]))
        for against in ("reference", "labels"):
            expected = {k: v for k, v in report["scores"][against].items() if k != "scored_on"}
            assert model["scores"][against] == expected


def test_labels_are_scored_against_the_reference_too(compared):
    world, comparison, _ = compared
    image = rasters.read(world.run.scene)
    scored = world.test & ~np.isnan(image).any(axis=0)
    expected = (world.labels == world.truth)[scored].mean()
    labels = comparison["labels_against_reference"]
    assert labels["scores"]["overall_accuracy"] == pytest.approx(expected)
    assert labels["best_map_beyond_labels"]["ci95"][0] > 0
    assert "The labels themselves are right on" in comparison["remarks"][0]


def test_a_map_worse_than_its_labels_is_said_in_one_direction(tmp_path):
    world = World(tmp_path / "run")
    world.model("mlp", 0.6)
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    low, high = comparison["labels_against_reference"]["best_map_beyond_labels"]["ci95"]
    assert low < high < 0
    expected = f"points ({words.interval([-high, -low], signed=True)}) less right than they are"
    assert expected in comparison["remarks"][0] and "(+" in expected


def test_what_is_left_out_is_said_beside_the_scores(tmp_path):
    world = World(tmp_path / "run")
    lake = (world.truth == 512) & world.test
    world.truth[lake] = 211
    raster_writer.write(world.run.reference, world.truth, GRID, ["reference"], 0, LEGEND)
    world.model("mlp", 0.1)
    report = read_json(world.run.report("mlp"))
    report["card"]["lost_classes"] = ["class 112 X has 3 training samples"]
    write_json(world.run.report("mlp"), report)
    pixels = {"data": 60_000, "nodata": 5_000, "masked": 1_000}
    world.run.record("prep", {"level": 3}, found={"pixels": pixels, "notes": ["B05.tif not used"]})
    world.run.record("sample", {}, found={"notes": ["class 512 Water bodies is not tested"]})
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    assert comparison["remarks"][-5:] == [
        "Not tested, because the reference in the test blocks shows none: 512 Water bodies.",
        "Scene: 66,000 pixels, 90.9 % with data in all bands; without: 5,000 nodata, 1,000 masked.",
        "Files: B05.tif not used.",
        "Samples: class 512 Water bodies is not tested.",
        "The MLP: class 112 X has 3 training samples.",
    ]
    tables = (world.run.path / "comparison.md").read_text("utf-8").split(" of each class\n")[1:]
    assert len(tables) == 4  # F1, Jaccard index, precision, recall
    for table in tables:
        assert "| 512 Water bodies | 0 | not tested |" in table
        assert "| 211 " in table and table.count("not tested") == 1
    page = (world.run.path / "comparison.html").read_text("utf-8")
    assert '512 Water bodies</div><div class="small">not tested</div>' in page


def expected_zones(world):
    """Zones of the whole scene, by looking around every pixel."""
    index = LEGEND.index(world.labels)
    held = np.stack([maximum_filter(index == k, 21, mode="constant") for k in range(4)])
    border = (held.sum(axis=0) > 1) & (world.labels > 0)
    cells = world.truth.reshape(ROWS // 10, 10, COLS // 10, 10)
    mixed = cells.min(axis=(1, 3)) < cells.max(axis=(1, 3))
    mixed = mixed.repeat(10, axis=0).repeat(10, axis=1)
    return {"core": (world.labels > 0) & ~border, "border": border, "mixed": mixed}


@pytest.mark.parametrize("window_px", [1024, 64])
def test_zones_are_scored_on_their_pixels_whatever_the_windows(world, monkeypatch, window_px):
    # coarser labels than the fixture's speckle, and truth that splits some cells
    world.labels[:, :300] = np.where(np.arange(300) // 70 % 2, 211, 311)[np.newaxis]
    world.labels[140:, :90] = 0
    raster_writer.write(world.run.labels, world.labels, GRID, ["labels"], 0, LEGEND)
    world.truth[3::40, 5::30] = 512
    raster_writer.write(world.run.reference, world.truth, GRID, ["reference"], 0, LEGEND)
    monkeypatch.setattr(rasters, "WINDOW_PX", window_px)
    codes = world.model("knn", 0.3)
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    scored = world.test & (codes > 0)
    for zone, inside in expected_zones(world).items():
        for scores, layer in (
            (comparison["models"][0]["zones"][zone], codes),
            (comparison["labels_against_reference"]["zones"][zone], world.labels),
        ):
            pixels = inside & scored
            assert scores["n_test"] == pixels.sum() > 100
            right = (layer == world.truth)[pixels].mean()
            assert scores["overall_accuracy"] == pytest.approx(right)
            low, high = scores["overall_accuracy_ci95"]
            assert low <= right <= high
            assert scores["n_blocks"] == np.unique(world.block[pixels]).size


def test_zones_need_labels(world):
    world.run.labels.unlink()
    codes = world.map("knn", 0.3)
    report = score.score_map(world.run, "knn", {})
    assert report["n_test"] == (world.test & (codes > 0)).sum()
    compare(world.run)
    assert store.read_comparison(world.run.path)["models"][0]["zones"] == {}
    assert "near them, in mixed" not in (world.run.path / "comparison.html").read_text("utf-8")


def test_levels_come_from_the_same_maps(compared):
    world, comparison, _ = compared
    image = rasters.read(world.run.scene)
    scored = world.test & ~np.isnan(image).any(axis=0)
    assert comparison["level"] == 3
    for model in comparison["models"]:
        codes = rasters.read_classes(world.run.map(model["name"]))[scored]
        for level, divisor in (("2", 10), ("1", 100)):
            truth, predicted = world.truth[scored] // divisor, codes // divisor
            scores = model["levels"][level]
            assert scores["overall_accuracy"] == pytest.approx((truth == predicted).mean())
            assert scores["kappa"] == pytest.approx(sk.cohen_kappa_score(truth, predicted))
            f1 = sk.f1_score(truth, predicted, average="macro")
            assert scores["macro_f1"] == pytest.approx(f1)


def test_pairs_are_tested_on_pixels_that_one_map_alone_has_right(compared):
    world, comparison, _ = compared
    image = rasters.read(world.run.scene)
    scored = world.test & ~np.isnan(image).any(axis=0)
    for pair in comparison["pairs"]:
        a, b = (
            rasters.read_classes(world.run.map(pair[side])) == world.truth for side in ("a", "b")
        )
        tests = pair["mcnemar"]
        assert tests["first_only"] == (a & ~b & scored).sum()
        assert tests["second_only"] == (b & ~a & scored).sum()
        theirs = mcnemar([[0, tests["first_only"]], [tests["second_only"], 0]], exact=False)
        assert tests["pixels"]["p_value"] == pytest.approx(theirs.pvalue)
        excess = np.bincount(world.block[scored], (a.astype(int) - b)[scored])
        excess = excess[np.bincount(world.block[scored]) > 0]
        k = len(excess)
        expected = (k - 1) / k * excess.sum() ** 2 / (excess**2).sum()
        assert tests["blocks"]["statistic"] == pytest.approx(expected)
        assert tests["blocks"]["n_blocks"] == k == comparison["n_blocks"]


def test_errors_that_reach_over_a_block_are_said(world):
    speckled = world.model("knn", 0.3)
    patches = np.random.default_rng(5).random((ROWS // 50, -(-COLS // 50))) < 0.5
    wrong = patches.repeat(50, axis=0).repeat(50, axis=1)[:ROWS, :COLS]
    world.write_map("mlp", np.where(wrong & (speckled > 0), 111, world.truth))
    score.score_map(world.run, "mlp", {})
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    ranges = {m["name"]: m["error_correlation"]["range_px"] for m in comparison["models"]}
    assert ranges["knn"] < 3
    assert comparison["blocks"] == {"block_px": BLOCK, "guard_px": 5, "label_range_px": None}
    assert 50 < ranges["mlp"] <= 100
    said = [remark for remark in comparison["remarks"] if "neighbouring blocks depend" in remark]
    assert len(said) == 1
    assert said[0].startswith(f"Errors of the MLP are alike over up to {ranges['mlp']:.0f} pixels")
    assert "a block is 20 wide" in said[0]


def test_calibration_is_kept_and_shown(world):
    world.model("knn", 0.3)
    bins = [
        {"confidence": 0.35, "accuracy": 0.5, "n": 40},
        {"confidence": 0.9, "accuracy": 0.7, "n": 60},
    ]
    fields = {"temperature": 1.37, "ece": 0.1234, "ece_before": 0.2345, "bins": bins}
    score.write_report(
        world.run, store.read_report(world.run.report("knn")) | {"calibration": fields}
    )
    assert score.score_map(world.run, "knn", {})["calibration"] == fields
    compare(world.run)
    assert store.read_comparison(world.run.path)["models"][0]["calibration"] == fields
    reader = read_page((world.run.path / "comparison.html").read_text("utf-8"))
    text = " ".join(" ".join(reader.text).split()).replace("\N{NO-BREAK SPACE}", " ")
    assert "How far its confidence holds" in text
    assert "12.3 %" in text and "23.4 %" in text and "1.37" in text and "share right" in text
    markdown = (world.run.path / "comparison.md").read_text("utf-8")
    assert "12.3 % | 23.4 % | 1.37 |" in markdown
    discount = "10 to 17 points less often than they said"
    assert discount not in markdown + text  # what is measured here is of the truth
    world.run.reference.unlink()
    score.score_map(world.run, "knn", {})
    compare(world.run)
    for name in ("comparison.html", "comparison.md"):
        assert discount in (world.run.path / name).read_text("utf-8")


def test_areas_are_shares_of_the_whole_scene(compared):
    world, comparison, page = compared
    assert "How much of the area each class takes" in page
    mapped = rasters.read_classes(world.run.map("mlp"))
    for land_class in comparison["classes"]:
        share = (mapped == land_class["code"]).sum() / (mapped > 0).sum()
        assert land_class["area"]["mlp"] == pytest.approx(share, rel=1e-5)
    assert list(comparison["classes"][0]["area"])[:3] == ["reference", "labels", "cnn-7x7"]


def test_a_class_of_small_pixels_takes_less_of_the_area(tmp_path):
    """From 60 N to 20 S pixels in degrees double their width: half of them is not half the area."""
    tall = Grid(CRS.from_epsg(4326), Affine(0.4, 0, 0, 0, -0.4, 60), ROWS, COLS)
    world = World(tmp_path / "run", grid=tall)
    north = np.arange(ROWS)[:, None].repeat(COLS, axis=1) < ROWS // 2
    world.truth = np.where(north, 311, 211)
    world.model("mlp", 0)
    compare(world.run)
    found = store.read_comparison(world.run.path)["classes"]
    upper, whole = outline_ha(replace(tall, rows=ROWS // 2)), outline_ha(tall)
    empty = outline_ha(replace(tall, rows=EMPTY[0].stop, cols=EMPTY[1].stop))
    areas = {row["code"]: row["area"]["mlp"] for row in found}
    assert areas[311] == pytest.approx((upper - empty) / (whole - empty), rel=1e-4)
    assert areas[311] < 0.45 and sum(areas.values()) == pytest.approx(1)


def test_the_leak_is_random_minus_blocked(compared):
    _, comparison, _ = compared
    for model in comparison["models"]:
        for against in ("reference", "labels"):
            random_rows = model["scores"][f"{against}_random"]["overall_accuracy"]
            leak = model["leaks"][against]
            assert leak["difference"] == pytest.approx(random_rows - leak["spatial_blocks"])
            assert leak["ci95"][0] < leak["difference"] < leak["ci95"][1]


class Reader(html.parser.HTMLParser):
    """Collects the page's elements, and complains of any that is not closed."""

    VOID = ("meta", "img", "input", "br", "line", "circle", "link")

    def __init__(self):
        super().__init__()
        self.elements, self.open, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read_page(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_holds_all_that_it_shows(compared):
    world, _, page = compared
    reader = read_page(page)
    pictures = [a["src"] for tag, a in reader.elements if tag == "img"]
    assert len(pictures) == 2 * (3 + 3)  # true colour, reference, labels, three maps; and close up
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(src.split(",")[1]))).size for src in pictures[:6]
    ]
    assert sizes == [(COLS, ROWS)] * 6
    assert not [tag for tag, _ in reader.elements if tag in ("script", "link", "iframe")]
    for tag, attributes in reader.elements:
        for name in ("src", "href", "xlink:href", "data", "action"):
            value = attributes.get(name) or ""
            beside = tag == "a" and value == "label_noise.md"
            assert beside or value == "" or value.startswith(("data:", "#")), (tag, value[:40])
    assert not re.search(r"url\((?!#|data:)|@import", page)
    assert len(page) < 3_000_000
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[3].split(",")[1]))))
    mapped = rasters.read_classes(world.run.map("cnn-7x7"))
    assert np.array_equal(shown, np.where(mapped > 0, LEGEND.index(mapped), len(LEGEND)))


def test_the_page_says_the_facts(compared):
    _, comparison, page = compared
    text = " ".join(" ".join(read_page(page).text).split()).replace("\N{NO-BREAK SPACE}", " ")
    assert comparison["headline"] in text
    for remark in comparison["remarks"]:
        assert remark in text
    for land_class in comparison["classes"]:
        assert f"{land_class['code']} {land_class['name']}" in text
    for model in comparison["models"]:
        assert words.percent(model["scores"]["reference"]["overall_accuracy"]) in text
        assert words.interval(model["scores"]["reference"]["overall_accuracy_ci95"]) in text
    assert "12.5 s" in text and "2.2 s" in text and "1,234" in text
    assert "How the networks learned" in text and "How far its confidence" not in text
    zones = comparison["models"][0]["zones"]
    for zone in ("core", "border", "mixed"):
        assert words.percent(zones[zone]["overall_accuracy"]) in text
    for level in comparison["models"][0]["levels"].values():
        assert words.interval(level["overall_accuracy_ci95"]) in text
    tests = comparison["pairs"][-1]["mcnemar"]
    assert words.p_value(tests["blocks"]["p_value"]) in text


def test_names_are_escaped(compared):
    _, _, page = compared
    assert "<b>town" not in page
    assert "run &amp; &lt;b&gt;town" in page


def test_the_markdown_holds_scores_with_intervals(compared):
    world, comparison, _ = compared
    text = (world.run.path / "comparison.md").read_text("utf-8")
    assert comparison["headline"] in text
    best = comparison["models"][0]["scores"]["reference"]
    low, high = best["overall_accuracy_ci95"]
    assert f"| patch CNN 7×7 | {best['overall_accuracy']:.3f} ({low:.3f}–{high:.3f}) |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 20
    for before, line in itertools.pairwise(tables):
        if set(line) <= set("|-"):
            assert before.count("|") == line.count("|")


def test_the_same_run_gives_the_same_bytes(compared):
    world, _, _ = compared
    kinds = ("json", "md", "html")
    before = [(world.run.path / f"comparison.{kind}").read_bytes() for kind in kinds]
    compare(world.run)
    assert before == [(world.run.path / f"comparison.{kind}").read_bytes() for kind in kinds]


def test_equal_maps_cannot_be_told_apart(world):
    world.model("knn", 0.3, seed=1)
    world.model("mlp", 0.3, seed=2)
    compare(world.run)
    headline = store.read_comparison(world.run.path)["headline"]
    assert re.search(
        r"scores highest, .* of pixels right \(95 % interval .*\), but cannot be told apart from "
        r"the (MLP|k-nearest-neighbours classifier): the difference is .* points "
        r"\(−.* to \+.*\)\.",
        headline,
    )


def test_a_map_that_wins_on_rare_classes_is_named(world):
    # "common" is right on everything but rare 512; "rare" finds 512 and errs a little elsewhere
    truth = np.where(world.truth == 512, 311, world.truth)
    truth[::4, ::9] = 512
    raster_writer.write(world.run.reference, truth, GRID, ["reference"], 0, LEGEND)
    common, rare = np.where(truth == 512, 311, truth), truth.copy()
    rare[1::4, ::6] = 211
    for name, codes in {"common": common, "rare": rare}.items():
        codes[EMPTY] = 0
        world.write_map(name, codes)
        score.score_map(world.run, name, {})
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    assert comparison["best"] == "common"
    said = [remark for remark in comparison["remarks"] if "macro F1" in remark]
    assert said and "the rare scores highest" in said[0] and "a clear difference" in said[0]

    missed = [remark for remark in comparison["remarks"] if "hardly finds" in remark]
    assert len(missed) == 1 and missed[0].endswith("below 10 %: Water bodies (0.0 %).")


def test_levels_that_join_nothing_are_shown_once(compared):
    """The three classes of the world lie in three of each coarser level."""
    _, comparison, page = compared
    assert distinct_levels(comparison) == ["3"]
    assert "At coarser levels" not in page
    joined = copy.deepcopy(comparison)
    joined["models"][1]["levels"]["1"]["kappa"] = 0.5
    assert distinct_levels(joined) == ["3", "1"]


def test_one_map_has_nothing_to_be_compared_with(world):
    world.model("my-model", 0.3)
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    assert comparison["pairs"] == []
    assert "The my-model maps" in comparison["headline"]
    assert comparison["headline"].endswith("there is no other map to compare it with.")
    assert "How sure the ranking is" not in (world.run.path / "comparison.html").read_text()


def test_a_single_test_block_gives_no_interval(world):
    splits = np.zeros_like(world.blocks.splits)
    splits[4, 4] = TEST
    write_json(world.run.splits, Blocks(ROWS, COLS, BLOCK, 5, splits).to_dict())
    for name in ("knn", "mlp"):
        world.map(name, 0.3)
        score.score_map(world.run, name, {})
    compare(world.run)
    comparison = store.read_comparison(world.run.path)
    assert "(in a single block)" in comparison["headline"]
    assert "cannot be told apart" in comparison["headline"]
    assert any("The test set is 1 block:" in remark for remark in comparison["remarks"])


def test_a_run_without_maps_or_reports_names_the_command(world):
    with pytest.raises(LandcoverError, match=r"has no map in maps/; make one with: landcover map"):
        compare(world.run)
    world.map("knn", 0.3)
    with pytest.raises(LandcoverError, match=r"knn.json does not exist; its model is not there"):
        compare(world.run)
    write_json(world.run.model("knn") / "card.json", {})
    with pytest.raises(LandcoverError, match=r"knn.json does not exist; .*--model knn"):
        compare(world.run)
    assert not (world.run.path / "comparison.html").exists()


def test_a_map_without_a_file_names_the_command(world):
    with pytest.raises(LandcoverError, match=r"knn.tif does not exist; its model is not there"):
        score.score_map(world.run, "knn", {})


def test_a_map_on_another_grid_is_refused(world):
    other = GRID.crop(next(GRID.windows(100)))
    raster_writer.write(
        world.run.map("knn"), np.full((100, 100), 211, np.uint16), other, ["class"], 0
    )
    with pytest.raises(
        LandcoverError, match=r"knn.tif is not on the grid of .*scene.tif: 200 x 330"
    ):
        score.score_map(world.run, "knn", {})


def test_a_map_with_codes_of_no_class_is_named(world):
    codes = np.full((ROWS, COLS), 211, np.uint16)
    codes[0] = 7
    raster_writer.write(world.run.map("knn"), codes, GRID, ["class"], 0)
    with pytest.raises(LandcoverError, match=r"maps/knn.tif holds class codes 7, which .* lacks"):
        score.score_map(world.run, "knn", {})


def test_a_run_without_labels_or_splits_names_the_command(world):
    world.map("knn", 0.3)
    world.run.splits.unlink()
    with pytest.raises(LandcoverError, match=r"splits.json does not exist; .*landcover sample"):
        score.score_map(world.run, "knn", {})
    world.run.labels.unlink()
    world.run.reference.unlink()
    with pytest.raises(
        LandcoverError, match=r"labels.tif does not exist; .*landcover prep .*--labels"
    ):
        score.score_map(world.run, "knn", {})
    assert not world.run.report("knn").exists()


def test_zones_have_the_sizes_of_the_label_scheme(tmp_path):
    """Borders reach 30 m and cells have 50 m: three and five pixels of 10 m."""
    world = World(tmp_path / "run")
    write_nomenclature(world.run.legend, replace(corine(), cell_m=50, border_m=30))
    world.map("knn", 0.2)
    tally = score.tally_maps(world.run, ["knn"], world.blocks)
    assert tally.reach_px == {"labels": (3, 3), "reference": (5, 5)}
    near = zones.near_border(np.pad(world.labels, 3), (3, 3))
    mixed = zones.mixed_cells(np.pad(world.truth, 5), 0, 0, (5, 5))
    scored = world.test & (world.truth > 0)
    scored[EMPTY] = False
    counts = tally.zones["reference"]["knn"]
    assert counts["border"][:, 0].sum() == (scored & near & (world.labels > 0)).sum()
    assert counts["mixed"][:, 0].sum() == (scored & mixed).sum()


def test_maps_of_other_classes_are_not_compared(tmp_path):
    world = World(tmp_path / "run")
    write_nomenclature(world.run.legend, corine())
    world.map("knn", 0.2)
    other = Legend(tuple(replace(c, name="Tundra") for c in LEGEND.classes))
    path = world.run.map("knn")
    write_classes(path, rasters.read_classes(path), rasters.grid_of(path), other)
    with pytest.raises(
        LandcoverError, match=r"knn\.tif has a class 112 'Tundra', which is 'Discont"
    ):
        score.tally_maps(world.run, ["knn"], world.blocks)
