"""From a synthetic set of BigEarthNet's form to an encoder, and from that to networks of pixels."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score

from experiments import bigearth_read, bigearth_synthetic, bigearth_train, bigearth_transfer
from experiments.study import FURTHER_KINDS, KINDS, study_run
from landcover.classifiers import cards, models, networks
from landcover.cli import script
from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.labels.bigearthnet import legend_of
from landcover.legend import Legend
from landcover.reports import tag_accuracy
from landcover.run import Run
from landcover.sources import bigearthnet
from landcover.sources.chip_store import Labelled, open_store, write_store
from landcover.sources.synthetic.look import Look
from landcover.stages import export, pretrain, train
from landcover.stages import map as map_stage
from landcover.stages.inputs import read_rows
from landcover.stages.models import image_model, model_names
from tests.conftest import error_lines
from tests.fixtures.training_runs import write_run

BANDS = ("B02", "B03", "B04", "B08")


@pytest.fixture(scope="module")
def synthetic_set(tmp_path_factory):
    """Ten scenes of four chips."""
    folder = tmp_path_factory.mktemp("synthetic") / "set"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bigearth_synthetic, "DOWN", 2)
        patch.setattr(bigearth_synthetic, "ACROSS", 2)
        assert bigearth_synthetic.main([str(folder), "--scenes", "10"]) == 0
    return folder


@pytest.fixture(scope="module")
def store(synthetic_set):
    return bigearthnet.store(
        bigearthnet.open_patches(synthetic_set), synthetic_set.with_name("store"), BANDS
    )


@pytest.fixture(scope="module")
def encoder(store):
    """The folder of an encoder of one epoch."""
    out = store.with_name("pretrained")
    call = [str(store), "--patch-size", "3", "--epochs", "1", "--out", str(out)]
    assert bigearth_train.main(call) == 0
    return Run(out).model("encoder-3x3")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("pixels") / "run")


def test_the_set_is_read_as_the_real_one_is(synthetic_set):
    patches = bigearthnet.open_patches(synthetic_set)
    assert len(patches) == 40 and {len(patches.part(p)) for p in ("train", "test")} == {28, 8}
    tiles = [name.rsplit("_", 2)[0] for name in patches.names]
    assert len(set(zip(tiles, patches.splits, strict=True))) == len(set(tiles)) == 10
    assert not any(patches.doubtful)
    chip = bigearthnet.read_patch(patches.folders[0], BANDS)
    assert 100 < np.median(chip) < 4000
    by_map = bigearthnet.open_patches(synthetic_set, "corine")
    assert by_map.names == patches.names  # the reference maps are there too


def test_labels_are_the_classes_that_cover_a_hundredth(synthetic_set):
    table = pd.read_parquet(synthetic_set / "metadata.parquet")
    maps = sorted((synthetic_set / "Reference_Maps").rglob("*.tif"))
    for row, path in zip(table.sort_values("patch_id").itertuples(), maps, strict=True):
        assert path.name.startswith(row.patch_id)
        assert list(row.labels) == bigearth_synthetic.labels_of(rasters.read_classes(path))
    codes = np.full((120, 120), 311)
    codes.ravel()[:144], codes.ravel()[144:287] = 231, 512
    assert bigearth_synthetic.labels_of(codes) == ["Pastures", "Broad-leaved forest"]


def test_settings_of_scenes_are_drawn_all_over_their_ranges():
    settings = [bigearth_synthetic.scene_settings(0, number) for number in range(50)]
    for name, (low, high, _) in bigearth_synthetic.SETTINGS.items():
        drawn = [setting[name] for setting in settings]
        assert low <= min(drawn) < low + 0.3 * (high - low) and max(drawn) <= high
        assert len(set(drawn)) == 50
    assert bigearth_synthetic.scene_settings(0, 7) == settings[7]
    assert bigearth_synthetic.scene_settings(1, 7) != settings[7]


@pytest.mark.parametrize("number", [0, 3])
def test_settings_of_the_transfer_study_lie_inside_the_ranges_of_the_set(number):
    usual = dataclasses.asdict(Look())
    for name, (low, high, _) in bigearth_synthetic.SETTINGS.items():
        assert low < KINDS[number].get(name, usual[name]) < high


@pytest.mark.parametrize("further", FURTHER_KINDS)
def test_further_scenes_of_it_lie_outside_these_ranges(further):
    for name, value in further.items():
        low, high, _ = bigearth_synthetic.SETTINGS[name]
        assert not low <= value <= high


@pytest.mark.parametrize(("folder", "scenes"), [("there", "10"), ("new", "9")])
def test_a_set_that_cannot_be_made(tmp_path, capsys, folder, scenes):
    (tmp_path / "there").mkdir()
    with pytest.raises(SystemExit) as end:
        bigearth_synthetic.main([str(tmp_path / folder), "--scenes", scenes])
    assert end.value.code == 2 and len(error_lines(capsys.readouterr().err)) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]


def test_the_report_is_what_the_predictions_say(encoder, store):
    home = Run(encoder.parent.parent)
    report, kept = read_json(home.report(encoder.name)), open_store(store)
    table = pd.read_parquet(home.report(encoder.name).with_suffix(".parquet"))
    test = kept.part("test")
    assert list(table["name"]) == [kept.names[place] for place in test]
    codes = [int(code) for code in report["per_class"]]
    truth = table[[f"label_{code}" for code in codes]].to_numpy()
    probabilities = table[[f"probability_{code}" for code in codes]].to_numpy()
    legend = kept.legend.subset(codes)
    np.testing.assert_array_equal(truth, kept.multi_hot(legend)[test])
    there = truth.any(axis=0)
    precisions = average_precision_score(truth[:, there], probabilities[:, there], average=None)
    assert report["macro_ap"] == pytest.approx(precisions.mean())
    assert report["micro_ap"] == pytest.approx(
        average_precision_score(truth, probabilities, average="micro")
    )
    said = probabilities >= report["threshold"]
    for mean in ("macro", "micro"):
        expected = f1_score(truth[:, there], said[:, there], average=mean, zero_division=0)
        if mean == "micro":
            expected = f1_score(truth, said, average=mean, zero_division=0)
        assert report[f"{mean}_f1"] == pytest.approx(expected)
    again = tag_accuracy.tag_scores(truth, probabilities, legend, seed=0)
    for key in tag_accuracy.METRICS:
        low, high = report[f"{key}_ci95"]
        assert [low, high] == pytest.approx(again[f"{key}_ci95"]) and 0 <= low < high <= 1
    found = [row["average_precision"] for row in report["per_class"].values()]
    assert [value is not None for value in found] == there.tolist()
    np.testing.assert_allclose([value for value in found if value is not None], precisions)
    assert [row["support"] for row in report["per_class"].values()] == truth.sum(axis=0).tolist()
    tagger, _ = models.load_model(encoder).encoder(3, BANDS)
    chips = networks.Examples(lambda rows: next(kept.batches(8, test[rows]))[0], truth)
    np.testing.assert_allclose(networks.predict_tags(tagger, chips), probabilities, atol=1e-6)


def test_the_card_tells_bands_and_classes_of_the_training_part(encoder, store):
    card, kept = read_json(encoder / "card.json"), open_store(store)
    learnt = kept.chips[kept.part("train")] / 10_000
    np.testing.assert_allclose(card["scaling"]["means"], learnt.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(card["scaling"]["stds"], learnt.std(axis=(0, 1, 2)), rtol=1e-4)
    held = kept.multi_hot()[kept.part("train")].any(axis=0)
    assert [c["code"] for c in card["classes"]] == np.array(kept.legend.codes)[held].tolist()
    assert card["kind"] == "encoder" and card["bands"] == list(BANDS) and card["n_train"] == 28
    home = Run(encoder.parent.parent)
    assert card["notes"] == read_json(home.report(encoder.name))["notes"]
    hot = {part: kept.multi_hot()[kept.part(part)] for part in ("train", "validation", "test")}
    for place, code in enumerate(kept.legend.codes):
        found = {part: int(of_part[:, place].sum()) for part, of_part in hot.items()}
        assert card["class_samples"].get(str(code), dict.fromkeys(hot, 0)) == found


def test_an_encoder_of_the_classes_of_a_place(synthetic_set, run, tmp_path, capsys):
    out = tmp_path / "store"
    call = [str(synthetic_set), "--bands", *BANDS, "--classes-of", str(run.path)]
    assert bigearth_read.main([*call, "--out", str(out)]) == 0
    kept = open_store(out)
    place = set(np.unique(rasters.read_classes(run.labels)).tolist()) - {0}
    assert set(kept.legend.codes) == place
    expected = {}
    for path in (synthetic_set / "Reference_Maps").rglob("*.tif"):
        held = place.intersection(np.unique(rasters.read_classes(path)).tolist())
        if held:
            expected[path.parent.name] = tuple(sorted(held))
    assert dict(zip(kept.names, kept.codes, strict=True)) == expected
    home = tmp_path / "run"
    call = [str(out), "--patch-size", "3", "--epochs", "1", "--out", str(home)]
    assert bigearth_train.main(call) == 0
    card = models.load_model(Run(home).model("encoder-3x3")).card
    held = kept.multi_hot()[kept.part("train")].any(axis=0)
    assert [c["code"] for c in card["classes"]] == np.array(kept.legend.codes)[held].tolist()


@pytest.mark.parametrize("single", [False, True])
def test_chips_and_classes_that_are_left_out_are_said(tmp_path, single):
    """Fields are in no test chip, water is in no training chip, heath is never alone."""
    chips = [
        ("train", (311,)), ("train", (211,)), ("train", (211, 311)), ("train", (311, 322)),
        ("validation", (311,)), ("validation", (211,)), ("validation", (322, 512)),
        ("test", (311,)), ("test", (512,)), ("test", (311, 322)),
    ]  # fmt: skip
    labelled = Labelled(
        tuple(f"chip{n}" for n in range(len(chips))),
        tuple(codes for _, codes in chips),
        tuple(part for part, _ in chips),
        Legend.corine(3).subset([211, 311, 322, 411, 512]),
    )
    pixels = np.full((len(chips), 8, 8, 4), 1000, np.uint16)
    source = write_store(tmp_path / "store", labelled, BANDS, iter(pixels), 8)
    task = pretrain._task(open_store(source), single, source)
    samples = {row["code"]: tuple(row["samples"].values()) for row in task.classes}
    water = "class 512 Water bodies is not trained on, so no map shows it"
    fields = "class 211 Non-irrigated arable land is not tested"
    if single:
        assert samples == {211: (1, 1, 0), 311: (1, 1, 1), 322: (0, 0, 0), 512: (0, 0, 0)}
        assert task.notes == [
            "5 of 10 chips are left out: they hold several classes, or one that no training chip "
            "of one class has",
            fields,
            "class 322 Moors and heathland is left out",
            "class 512 Water bodies is left out",
        ]
    else:
        assert samples == {211: (2, 1, 0), 311: (3, 1, 2), 322: (1, 1, 1), 512: (0, 1, 1)}
        assert task.notes == [fields, water]


def test_truth_in_the_classes_of_an_encoder():
    truth = np.array([124, 211, 231, 523])
    for legend, expected in (
        (legend_of("19"), [0, 3, 5, 19]),
        (legend_of("19").subset([3, 5]), [0, 3, 5, 19]),
        (legend_of("43"), [124, 211, 231, 523]),
        (Legend.corine(2).subset([12, 21]), [12, 21, 23, 52]),
        (Legend.corine(1).subset([2, 5]), [1, 2, 2, 5]),
    ):
        assert bigearth_transfer.in_classes_of(legend, truth).tolist() == expected


def write_chips(path, codes, splits, rng):
    """A store of dark and bright chips, which tells classes 211 and 512 apart."""
    legend = Legend.corine(3).subset([211, 311, 512])
    chips = [rng.integers(1000 * code[0] // 100, 1000 * code[0] // 100 + 400, (6, 6, 2))
             for code in codes]  # fmt: skip
    names = tuple(f"chip{number:03d}" for number in range(len(codes)))
    labelled = Labelled(names, tuple(codes), tuple(splits), legend)
    return write_store(path, labelled, ("B03", "B04"), [c.astype(np.uint16) for c in chips], 6)


def test_single_labels_take_chips_of_one_class(tmp_path, rng):
    codes = [[(211,), (512,), (211, 512)][number % 3] for number in range(120)]
    splits = ["train"] * 60 + ["validation"] * 30 + ["test"] * 30
    store = write_chips(tmp_path / "store", codes, splits, rng)
    choices = pretrain.Choices(3, single=True, epochs=15)
    pretrain.pretrain(Run(tmp_path / "run"), store, choices)
    report = read_json(Run(tmp_path / "run").report("encoder-3x3-single"))
    assert report["n_test"] == 20 and report["overall_accuracy"] == 1
    assert report["macro_f1"] == 1 and report["confusion"]["codes"] == [211, 512]


@pytest.mark.parametrize(
    ("codes", "splits", "said"),
    [
        ([(211,), (512,), (512,)], ["train", "train", "test"], "no validation chips"),
        ([(211,), (211,), (512,)], ["train", "validation", "test"], "1 classes"),
        ([(211,), (512,)], ["", ""], "0 classes"),
    ],
)
def test_stores_that_nothing_can_be_learnt_from(tmp_path, capsys, rng, codes, splits, said):
    store = write_chips(tmp_path / "store", codes, splits, rng)
    with pytest.raises(SystemExit) as end:
        bigearth_train.main([str(store), "--out", str(tmp_path / "run")])
    (line,) = error_lines(capsys.readouterr().err)
    assert end.value.code == 2 and said in line and not (tmp_path / "run").exists()


def test_an_encoder_maps_nothing(encoder, run, tmp_path):
    home = Run(encoder.parent.parent)
    for use in (
        lambda: map_stage.map_scene(run, home.model(encoder.name)),
        lambda: models.load_model(home.model(encoder.name)).image_classifier(),
        lambda: export.export(models.load_model(encoder), tmp_path / "out"),
    ):
        with pytest.raises(LandcoverError, match=r"is an encoder.*--encoder") as error:
            use()
        assert "\n" not in str(error.value)
    with pytest.raises(LandcoverError, match="no model that can classify"):
        image_model(home, None)  # which chooses among models by itself


def test_networks_of_pixels_start_from_an_encoder(encoder, run):
    shared = {"epochs": 1, "random_split": False, "denoise": "none", "encoder": encoder}
    tagger, scaling = models.load_model(encoder).encoder(3, BANDS)
    kernel = tagger.layers[2].get_weights()
    for freeze, name in ((True, "cnn-3x3-frozen-plain"), (False, "cnn-3x3-finetuned-plain")):
        model = train.train(run, "cnn", patch_size=3, freeze=freeze, **shared)
        assert model.name == name and run.report(name).exists()
        card = models.load_model(run.model(name)).card
        assert card["settings"]["encoder"] == str(encoder) and card["scaling"] == scaling
        assert card["settings"]["frozen"] == freeze
        network = networks.load(cards.file_of(run.model(name), "cnn"))
        learnt = network.layers[2].get_weights()
        assert all(map(np.array_equal, learnt, kernel)) == freeze
        assert models.load_model(run.model(name)).classifier().radius == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["--patch-size", "5", "--encoder", "ENCODER"], "sees patches of 3 px"),
        (["--patch-size", "3", "--freeze"], "--encoder FOLDER"),
        (["--patch-size", "3", "--published", "--encoder", "ENCODER"], "leave out --published"),
        (["--patch-size", "3", "--encoder", "nowhere"], "holds no model"),
        (["--patch-size", "3", "--encoder", "OTHER"], "is of kind forest"),
    ],
)
def test_what_does_not_fit_together(encoder, run, tmp_path, capsys, call, said):
    other = Run(tmp_path)
    facts = {"bands": BANDS, "features": [], "segment_layers": [], "patch_size": 1}
    cards.write_card(other.model("some-forest"), "forest", Legend.corine(3), **facts)
    places = {"ENCODER": str(encoder), "OTHER": str(other.model("some-forest"))}
    before = model_names(run)
    assert script("train cnn", [str(run.path), *(places.get(word, word) for word in call)]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert said in line and model_names(run) == before


def test_other_bands_do_not_fit(encoder):
    with pytest.raises(LandcoverError, match="B02 B03 B04 B08, and the scene has B02 B03"):
        models.load_model(encoder).encoder(3, ("B02", "B03"))


@pytest.mark.slow
def test_the_transfer_study(encoder, run, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(bigearth_transfer, "kind_run", lambda folder, number: run)
    call = [str(encoder), "--samples", "900", "--refine-at", "--scenes", "0"]
    call += ["--drawn", "3000", "--epochs", "1", "--out", str(tmp_path)]
    assert bigearth_transfer.main(call) == 0
    table = capsys.readouterr().out.splitlines()[-7:]
    rows = read_json(run.path / "studies" / "transfer.json")["rows"]
    assert len(rows) == 5 and all(line.startswith("| ") for line in table)
    assert [line.split(" | ")[1] for line in table[4:]] == list(bigearth_transfer.WAYS)
    assert {row["trained on"] for row in rows if row["samples"]} == {rows[2]["trained on"]}
    assert 0 < rows[2]["trained on"] < 900
    tables = [
        pd.read_parquet(run.path / "studies" / name / "samples.parquet")
        for name in ("transfer-3x3-seed-0-3000", "transfer-3x3-seed-0-3000-900")
    ]
    full, few = (table[table["split"] == "test"][["row", "col"]] for table in tables)
    np.testing.assert_array_equal(full, few)
    monkeypatch.setattr(bigearth_transfer.train, "train", None)
    assert bigearth_transfer.main(call) == 0  # everything is there: nothing is trained
    assert capsys.readouterr().out.splitlines() == table


@pytest.fixture
def places(run, tmp_path, monkeypatch):
    """The scenes 0 and 3 of a study that trains nothing, and the folders that it would train in."""
    runs = {0: Run(tmp_path / "0"), 3: write_run(tmp_path / "3", seed=1)}
    shutil.copytree(run.path, runs[0].path, ignore=shutil.ignore_patterns("studies", "models"))
    trained = []

    def train_none(own, *_, **__):
        trained.append(own)
        return [own.path]

    monkeypatch.setattr(bigearth_transfer, "kind_run", lambda folder, number: runs[number])
    monkeypatch.setattr(bigearth_transfer, "as_it_is", lambda encoder, full: {"accuracy": 0.25})
    monkeypatch.setattr(bigearth_transfer, "outcome", lambda own, name: {"accuracy": 0.5})
    monkeypatch.setattr(bigearth_transfer.train, "train", train_none)
    return runs, trained


def study(encoder, *options) -> int:
    """The study of 900 samples on scene 0, or what the options say."""
    call = [encoder, "--samples", 900, "--refine-at", "--drawn", 3000, "--scenes", 0, *options]
    return bigearth_transfer.main([str(word) for word in call])


def test_another_scene_trains_its_own_rows_alone(encoder, places, capsys):
    runs, trained = places
    for scenes, expected in (([0], [0]), ([3], [3]), ([3, 0], []), ([0, 3], [])):
        trained.clear()
        capsys.readouterr()
        assert study(encoder, "--scenes", *scenes) == 0
        homes = [runs[scene].path / "studies" for scene in expected]
        assert [own.path.parent for own in trained] == [home for home in homes for _ in range(3)]
    head, _, *lines = (line.split(" | ")[-3:] for line in capsys.readouterr().out.splitlines())
    assert head == ["usual", "woods 0.5, pastures 0.4", "mean |"]
    assert lines == 2 * [["25.0 %", "25.0 %", "25.0 % |"]] + 3 * [["50.0 %", "50.0 %", "50.0 % |"]]


def test_samples_are_of_the_seed_and_the_patch_size(encoder, places, monkeypatch):
    runs, trained = places
    seen = []
    model = models.load_model(encoder)
    for size, seed in ((3, 0), (3, 1), (5, 1)):
        trained.clear()
        other = replace(model, card=model.card | {"patch_size": size})
        monkeypatch.setattr(bigearth_transfer, "load_model", lambda _, other=other: other)
        study(encoder, "--seed", seed, "--epochs", size)  # other epochs: the rows are made anew
        expected = study_run(runs[0], "expected", 3000, size, seed)
        drawn, learnt = (
            set(map(tuple, read_rows(own, "labels").samples[["row", "col"]].to_numpy()))
            for own in (expected, trained[0])
        )
        assert len(trained) == 3 and learnt < drawn and learnt not in seen
        seen.append(learnt)


def test_eight_bits_wrap(tmp_path, run):
    wrapped = rasters.read(bigearth_transfer.eight_bit(run).scene)
    np.testing.assert_array_equal(np.isnan(wrapped), np.isnan(rasters.read(run.scene)))
    dn = np.rint(rasters.read(run.scene) * 10_000)
    known = np.isfinite(dn)
    np.testing.assert_allclose(wrapped[known], (dn[known].clip(0) % 256) / 10_000, atol=1e-7)
    assert np.nanmax(wrapped) <= np.float32(0.0255)
