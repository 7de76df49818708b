"""One model of several scenes that lie apart: its samples, its scores, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas
import numpy as np
import pandas as pd
import pytest
from rasterio.warp import transform
from sklearn.metrics import accuracy_score

import landcover as lc
from landcover import cli
from landcover.classifiers import networks
from landcover.errors import InputError, LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.grid import Window
from landcover.legend import LandClass, Legend, Nomenclature, corine
from landcover.run import Run
from landcover.samples.blocks import TEST
from landcover.samples.table import Draw
from landcover.scene import features
from landcover.stages.inputs import read_blocks
from landcover.stages.sample import sample
from landcover.stages.train import train
from landcover.stages.train_by_scene import leave_scenes_out
from landcover.stages.train_scenes import several_scenes, train_scenes
from tests.conftest import error_lines
from tests.fixtures.several_runs import BANDS, COLS, ROWS, ZONES, apart, sampled, write_land

PLAIN = {"denoise": "none"}
FOREST = "random-forest-plain-of-2-scenes"


@pytest.fixture(scope="module")
def lands(tmp_path_factory) -> list[Run]:
    """Three sampled runs in three UTM zones; no test writes into them."""
    return apart(tmp_path_factory.mktemp("lands"))


@pytest.fixture(scope="module")
def joint(lands, tmp_path_factory) -> tuple[Run, lc.Model]:
    """A forest of the first two."""
    out = Run(tmp_path_factory.mktemp("joint") / "two")
    return out, lc.train(lands[:2], "random-forest", out=out, **PLAIN)


def copied(run: Run, folder, shift: float = 0.0, seed: int = 0) -> Run:
    """A run of the same ground with other reflectance, as of another date; sampled."""
    there = Run(folder)
    grid, names = rasters.grid_of(run.scene), rasters.band_names(run.scene)
    raster_writer.write(there.scene, rasters.read(run.scene) + shift, grid, names, nodata=np.nan)
    for name in ("labels", "reference", "legend"):
        getattr(there, name).write_bytes(getattr(run, name).read_bytes())
    return sampled(there, seed=seed)


def test_samples_keep_their_scene_block_and_split(lands, joint):
    out, _ = joint
    table = pd.read_parquet(out.samples).drop(columns="geometry")
    parts = [pd.read_parquet(run.samples).drop(columns="geometry") for run in lands[:2]]
    assert table["scene"].tolist() == [0] * len(parts[0]) + [1] * len(parts[1])
    shared = [name for name in table if name not in ("scene", "block")]
    assert {*BANDS, "ndvi", "label", "reference", "split", "x", "y"} <= set(shared)
    together = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(table[shared], together[shared], check_dtype=False)
    held = read_json(out.scenes)["scenes"]
    first = [scene["first_block"] for scene in held]
    assert first == [0, np.size(held[0]["splits"]["splits"])]
    for number, part in enumerate(parts):
        own = table["block"][table["scene"] == number] - first[number]
        assert own.tolist() == part["block"].tolist()
    blocks = [set(table["block"][table["scene"] == number]) for number in (0, 1)]
    assert not blocks[0] & blocks[1]


def test_points_of_several_zones_are_in_longitude_and_latitude(lands, joint):
    points = geopandas.read_parquet(joint[0].samples)
    assert points.crs.to_epsg() == 4326
    for number, zone in enumerate(ZONES[:2]):
        own = points[points["scene"] == number]
        x, y = transform(f"EPSG:{zone}", "EPSG:4326", own["x"].tolist(), own["y"].tolist())
        np.testing.assert_allclose(own.geometry.x, x, atol=1e-9)
        np.testing.assert_allclose(own.geometry.y, y, atol=1e-9)


def test_card_and_report_name_every_scene(lands, joint):
    out, model = joint
    assert model.name == FOREST and model.folder == out.model(FOREST)
    cards = model.card["scenes"]
    assert [card["crs"] for card in cards] == [f"EPSG:{zone}" for zone in ZONES[:2]]
    assert [card["run"] for card in cards] == [str(run.path.resolve()) for run in lands[:2]]
    report = read_json(out.report(FOREST))
    for run, card, scored in zip(lands, cards, report["scenes"], strict=False):
        table = pd.read_parquet(run.samples)
        assert card["samples"] == table["split"].value_counts().to_dict()
        assert card["split"] == read_blocks(run).digest()
        assert scored["n_test"] == card["samples"]["test"]
    assert report["n_test"] == sum(scored["n_test"] for scored in report["scenes"])
    right = sum(s["n_test"] * s["overall_accuracy"] for s in report["scenes"])
    assert right / report["n_test"] == pytest.approx(report["overall_accuracy"])
    assert model.card["n_train"] == sum(card["samples"]["train"] for card in cards)
    assert model.applicability_file.exists()
    assert "leak" in report["scores"]["reference_random"]


def test_a_further_kind_takes_the_same_samples(lands, joint, capsys):
    out, _ = joint
    before = out.samples.read_bytes()
    argv = ["train", "knn", *(str(run.path) for run in lands[:2]), "--out", str(out.path)]
    assert cli.main([*argv, "--denoise", "none", "--no-random-split"]) == 0
    said = capsys.readouterr().out
    assert f"map a scene with it: landcover map {lands[0].path} --model {out.path}" in said
    assert out.samples.read_bytes() == before
    assert read_json(out.manifest)["stages"]["train knn-plain-of-2-scenes"]


def of_one_scene(lands, folder, kind, **choices):
    """What trained on one scene of two gives, and the model of that scene's own run."""
    several = several_scenes(lands[:2], Run(folder / "out"), kind, **PLAIN, **choices).of([0])
    training = several.training()
    ours = several.trainer(training)(training.rows)
    home = copied(lands[0], folder / "home")
    return ours, train(home, kind, random_split=False, **PLAIN, **choices), training.rows


@pytest.mark.parametrize("batches_of", ["chips", pytest.param("tiles", marks=pytest.mark.slow)])
def test_a_network_of_one_scene_is_that_of_its_run(lands, tmp_path, batches_of):
    ours, model, _ = of_one_scene(lands, tmp_path, "cnn", epochs=1, batches_of=batches_of)
    ours.store(tmp_path / "ours.keras")
    stored = (networks.load(path).get_weights() for path in (tmp_path / "ours.keras", model.file))
    assert all(np.array_equal(one, other) for one, other in zip(*stored, strict=True))


def test_a_forest_of_one_scene_is_that_of_its_run(lands, tmp_path):
    ours, model, rows = of_one_scene(lands, tmp_path, "random-forest")
    row, col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    codes = model.predict(rasters.read(lands[0].scene))[row, col]
    found = ours.predict(np.arange(len(row))).argmax(axis=1)
    assert np.array_equal(rows.legend.code(found), codes)


@pytest.mark.slow
def test_a_scene_cut_in_two_gives_the_same_weights_twice(tmp_path):
    """Parts of one scene as runs of their own; a repetition changes nothing."""
    whole = write_land(tmp_path / "whole", 5)
    parts = []
    for number in range(2):
        grid = rasters.grid_of(whole.scene)
        window = Window(0, 120 * number, ROWS, 120)
        part = Run(tmp_path / f"part-{number}")
        bands = rasters.read(whole.scene, window)
        raster_writer.write(part.scene, bands, grid.crop(window), BANDS, nodata=np.nan)
        labels = rasters.read_classes(whole.labels, window)
        raster_writer.write(part.labels, labels, grid.crop(window), ["class"], 0)
        part.legend.write_bytes(whole.legend.read_bytes())
        sample(part, Draw(800), max_patch=7, block_px=20)
        parts.append(part)
    weights = []
    for again in range(2):
        out = Run(tmp_path / f"out-{again}")
        model = lc.train(parts, "cnn", out=out, epochs=2, random_split=False, **PLAIN)
        assert model.card["scenes"][1]["bounds"][0] == model.card["scenes"][0]["bounds"][2]
        weights.append(networks.load(model.file).get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))


@pytest.mark.slow
def test_labels_are_refined_scene_by_scene(lands, tmp_path, hasty_teacher):
    runs = [copied(run, tmp_path / run.path.name) for run in lands[:2]]
    out = Run(tmp_path / "out")
    model = lc.train(runs, "random-forest", out=out, random_split=False)
    assert model.name == "random-forest-of-2-scenes" and model.card["denoise"] == "refine"
    for run, card in zip(runs, model.card["scenes"], strict=True):
        found = read_json(run.manifest)["stages"]["denoise"]["refinement"]
        assert card["denoise"] == "refine" and card["refinement"]["changed"] == found["changed"]
        assert run.refined_labels.exists()
    assert "target" not in pd.read_parquet(out.samples)


def test_bands_that_only_some_have_are_left_out_and_named(lands, tmp_path, capsys):
    more = sampled(write_land(tmp_path / "more", 1, bands=(*BANDS, "B11", "B12")))
    model = lc.train([more, lands[0]], "random-forest", out=tmp_path / "out", **PLAIN)
    assert model.bands == BANDS
    assert f"note: {more.path} has more bands than all have, and B11 B12 are left out" in (
        capsys.readouterr().out
    )


def test_scenes_of_the_same_ground_are_said(lands, tmp_path, capsys):
    again = copied(lands[0], tmp_path / "again", 0.01)
    lc.train([lands[0], again], "random-forest", out=tmp_path / "out", **PLAIN)
    said = capsys.readouterr().out
    assert f"note: 100.0 % of the ground of {lands[0].path} is in {again.path} too: what" in said


# Refused, with nothing written


def other_legend() -> Nomenclature:
    """Level 1 of CORINE with another class under code 3."""
    held = corine()
    first = tuple(
        LandClass(c.code, "Glaciers" if c.code == 3 else c.name, c.colour)
        for c in held.levels[0].classes
    )
    return replace(held, levels=(Legend(first), *held.levels[1:]))


def run_at_level_2(folder) -> Run:
    run = write_land(folder, 1)
    run.legend.write_text(json.dumps(corine().at(2).as_dict()), "utf-8")
    return run


REFUSED = {
    "no samples": (
        lambda lands, folder: [lands[0], write_land(folder / "bare", 1)],
        r"bare/samples.parquet does not exist; make it with: landcover sample",
    ),
    "no scene": (
        lambda lands, folder: [lands[0], Run(folder / "none")],
        r"run folder .*none does not exist",
    ),
    "one scene twice": (
        lambda lands, folder: [lands[0], lands[1], copied(lands[0], folder / "again")],
        r"land-0 and .*again hold the same scene, which would count twice",
    ),
    "other bands": (
        lambda lands, folder: [
            lands[0], sampled(write_land(folder / "other", 1, bands=("B02", "B03", "B04", "B8A"))),
        ],
        r"beside B02 B03 B04 in all, .*land-0 has B08; .*other has B8A; prepare them again with",
    ),
    "other classes": (
        lambda lands, folder: [
            lands[0], sampled(write_land(folder / "other", 1, nomenclature=other_legend())),
        ],
        r"other classes under one code: 3 is 'Forest and semi.natural areas' and 'Glaciers'; prep",
    ),
    "another level": (
        lambda lands, folder: [lands[0], sampled(run_at_level_2(folder / "other"))],
        r"land-0 has classes of level 1 of 3 \(CORINE\) and .*other of level 2 of 3 \(CORINE\)",
    ),
    "other pixels": (
        lambda lands, folder: [lands[0], sampled(write_land(folder / "other", 1, pixel_m=20))],
        r"land-0 has pixels of 10 x 10 m on the ground and .*other of 20 x 20 m, which are no",
    ),
    "one run": (lambda lands, folder: lands[:1], r"needs two runs or more, and 1 was given"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_scenes_that_make_no_one_model(lands, tmp_path, case):
    runs, text = REFUSED[case]
    out = Run(tmp_path / "out")
    with pytest.raises(LandcoverError, match=text) as error:
        lc.train(runs(lands, tmp_path), "random-forest", out=out, **PLAIN)
    assert "\n" not in str(error.value)
    assert not out.path.exists()


def test_what_does_not_suit_is_refused(lands, joint, tmp_path):
    two, (out, _) = lands[:2], joint
    with pytest.raises(InputError, match=r"several runs train one model, .* out=FOLDER"):
        lc.train(two, "random-forest")
    with pytest.raises(InputError, match=r"train without: landcover train mlp .*--no-segments"):
        lc.train(two, "mlp", out=tmp_path / "out", **PLAIN)
    with pytest.raises(InputError, match=r"land-0 is one of the runs to learn from"):
        lc.train(two, "random-forest", out=two[0], **PLAIN)
    file = tmp_path / "file"
    file.write_text("mine", "utf-8")
    with pytest.raises(InputError, match=r"file is a file; give a folder"):
        lc.train(two, "random-forest", out=file, **PLAIN)
    assert file.read_text("utf-8") == "mine"
    with pytest.raises(InputError, match=r"land-2 is a run with a scene of its own"):
        lc.train(two, "random-forest", out=lands[2], **PLAIN)
    with pytest.raises(InputError, match=r"two holds samples of other scenes, or of these in"):
        lc.train(lands[1:], "random-forest", out=out, **PLAIN)
    with pytest.raises(InputError, match=r"patch size 9 is larger than the run's guard of 3 px"):
        lc.train(two, "cnn", out=tmp_path / "out", patch_size=9, **PLAIN)
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_is_missing(lands, capsys):
    two = [str(run.path) for run in lands[:2]]
    assert cli.main(["train", "knn", *two]) == 2
    (said,) = error_lines(capsys.readouterr().err)
    assert said.endswith("say where it goes: --out FOLDER, a folder of its own")
    assert cli.main(["train", "knn", two[0], "--leave-one-scene-out"]) == 2
    (said,) = error_lines(capsys.readouterr().err)
    assert said.startswith("error: --leave-one-scene-out needs two runs or more")


@pytest.mark.parametrize(
    "command", [["map"], ["map", "--model", FOREST], ["compare"], ["sample"], ["denoise"]]
)
def test_a_run_of_several_scenes_names_one_of_them(lands, joint, command, capsys):
    out, _ = joint
    assert cli.main([command[0], str(out.path), *command[1:]]) == 2
    (said,) = error_lines(capsys.readouterr().err)
    assert f"{out.path} holds models of several scenes, and no scene of its own" in said
    assert f"landcover map {lands[0].path.resolve()} --model {out.path}/models/" in said


# What is scored where


def test_a_scene_it_learnt_from_is_scored_on_test_blocks(lands, joint, tmp_path):
    run, (_, model) = copied(lands[0], tmp_path / "home"), joint
    assert run.scene.read_bytes() == lands[0].scene.read_bytes()
    codes = rasters.read_classes(lc.map_scene(run, model))
    truth = rasters.read_classes(run.reference)
    test = read_blocks(run).holds(Window(0, 0, *truth.shape), TEST)
    report = read_json(run.report(model.name))
    assert "foreign" not in report and report["scored_on"] == "test blocks, wall to wall"
    assert report["n_test"] == test.sum() < truth.size
    assert report["overall_accuracy"] == pytest.approx((codes == truth)[test].mean())


def test_another_split_of_such_a_scene_is_refused(lands, joint, tmp_path):
    run = copied(lands[0], tmp_path / "dealt", seed=7)
    assert read_blocks(run).digest() != read_blocks(lands[0]).digest()
    with pytest.raises(LandcoverError, match=r"was trained on another split than .*splits.json"):
        lc.map_scene(run, joint[1])
    assert not run.map(FOREST).exists()


def test_a_map_of_an_earlier_split_is_not_compared(lands, joint, tmp_path):
    run = copied(lands[0], tmp_path / "home")
    lc.map_scene(run, joint[1])
    assert lc.compare(run)["models"][0]["name"] == FOREST
    sampled(run, seed=7)
    with pytest.raises(LandcoverError, match=r"was trained on another split than .*splits.json"):
        lc.compare(run)


def test_a_foreign_model_is_scored_on_the_whole_scene(lands, joint, tmp_path):
    run, (out, model) = copied(lands[2], tmp_path / "there"), joint
    codes = rasters.read_classes(lc.map_scene(run, model))
    truth, labels = (rasters.read_classes(path) for path in (run.reference, run.labels))
    report = read_json(run.report(FOREST))
    assert report["foreign"]["home"] == str(out.path)
    assert report["foreign"]["scenes"] == [str(one.path.resolve()) for one in lands[:2]]
    assert report["foreign"]["overlaps"] == []
    assert report["scored_on"] == "the whole scene, wall to wall"
    assert report["n_test"] == (truth > 0).sum() and report["n_blocks"] == 30
    known = truth > 0
    assert report["overall_accuracy"] == pytest.approx(accuracy_score(truth[known], codes[known]))
    agreement = report["scores"]["labels"]["overall_accuracy"]
    assert agreement == pytest.approx((codes == labels)[labels > 0].mean())


def test_a_scene_without_samples_is_scored_too(joint, tmp_path):
    run = write_land(tmp_path / "bare", 2)
    codes = rasters.read_classes(lc.map_scene(run, joint[1]))
    truth = rasters.read_classes(run.reference)
    report = read_json(run.report(FOREST))
    assert report["overall_accuracy"] == pytest.approx((codes == truth)[truth > 0].mean())
    low, high = report["overall_accuracy_ci95"]
    assert low < report["overall_accuracy"] < high


def test_the_page_compares_foreign_and_own_maps_on_the_same_pixels(lands, joint, tmp_path):
    run, (out, model) = copied(lands[2], tmp_path / "there"), joint
    own = lc.train(run, "random-forest", random_split=False, **PLAIN)
    foreign, ours = (rasters.read_classes(lc.map_scene(run, made)) for made in (model, own))
    found = lc.compare(run)
    truth = rasters.read_classes(run.reference)
    test = read_blocks(run).holds(Window(0, 0, *truth.shape), TEST)
    assert found["n_test"] == test.sum() and found["scored_on"] == "test blocks, wall to wall"
    held = {one["name"]: one for one in found["models"]}
    for name, codes in ((FOREST, foreign), (own.name, ours)):
        score = held[name]["scores"]["reference"]["overall_accuracy"]
        assert score == pytest.approx((codes == truth)[test].mean())
    (pair,) = found["pairs"]
    difference = {FOREST: foreign, own.name: ours}
    a, b = (difference[pair[key]] for key in ("a", "b"))
    assert pair["overall_accuracy"]["difference"] == pytest.approx(
        (a == truth)[test].mean() - (b == truth)[test].mean()
    )
    assert held[own.name]["foreign"] is None
    whole = held[FOREST]["foreign"]
    assert whole["n_test"] == truth.size and held[FOREST]["title"].endswith(" (foreign)")
    assert whole["overall_accuracy"] == pytest.approx((foreign == truth).mean())
    for page in ("comparison.md", "comparison.html"):
        text = (run.path / page).read_text("utf-8").replace("\u00a0", " ")
        assert f"was trained in {out.path} and has not seen this scene: on all its " in text
        assert "the same pixels for foreign models and for the run" in text


def test_maps_of_foreign_models_alone_are_compared_on_the_whole_scene(lands, joint, tmp_path):
    run, (_, model) = copied(lands[2], tmp_path / "there"), joint
    codes = rasters.read_classes(lc.map_scene(run, model))
    found = lc.compare(run)
    truth = rasters.read_classes(run.reference)
    assert found["scored_on"] == "the whole scene, wall to wall"
    score = found["models"][0]["scores"]["reference"]
    assert score["n_test"] == truth.size
    assert score["overall_accuracy"] == pytest.approx((codes == truth).mean())


def test_another_date_of_its_ground_is_foreign_and_said(lands, joint, tmp_path):
    later, (_, model) = copied(lands[0], tmp_path / "later", 0.01), joint
    lc.map_scene(later, model)
    report = read_json(later.report(FOREST))
    (overlap,) = report["foreign"]["overlaps"]
    assert overlap["share"] == 1 and overlap["run"] == str(lands[0].path.resolve())
    text = "\n".join(lc.compare(later)["remarks"])
    assert "It is no land that the" in text and "100.0 % of the ground" in text


# Leaving one scene out


def test_a_scene_left_out_is_no_part_of_what_features_are_fitted_to(lands, tmp_path):
    seen, out = ["bands", "pca:2"], Run(tmp_path / "all")
    several = several_scenes(lands[:2], out, "knn", features=seen, **PLAIN)
    alone, rows = several.of([1]), several.parts[1]
    train = rows.samples[list(BANDS)].to_numpy(np.float32)[rows.train].T
    fitted = features.fit(train, BANDS, several.inputs.features)
    assert alone.inputs.fitted == fitted != several.inputs.fitted
    (part,) = alone.parts
    expected = features.compute(
        part.samples[list(BANDS)].to_numpy(np.float32).T, BANDS, ["pc1", "pc2"], fitted
    )
    np.testing.assert_array_equal(part.samples[["pc1", "pc2"]].to_numpy().T, expected)
    assert list(part.samples) == list(rows.samples)


@pytest.mark.slow
def test_a_scene_left_out_scores_as_a_foreign_model_on_it(lands, tmp_path):
    several = several_scenes(lands, Run(tmp_path / "all"), "knn", **PLAIN)
    leave_scenes_out(several)
    found = read_json(several.out.by_scene(several.name))
    for number, held in enumerate(found["scenes"]):
        others = [run for other, run in enumerate(lands) if other != number]
        out = tmp_path / f"no-{number}"
        model = lc.train(others, "knn", out=out, random_split=False, **PLAIN)
        run = write_land(tmp_path / f"land-{number}", number)
        lc.map_scene(run, model)
        report = read_json(run.report(model.name))
        assert held["n_train"] == model.card["n_train"]
        assert held["overall_accuracy"] == pytest.approx(report["overall_accuracy"])
        assert held["macro_f1"] == pytest.approx(report["macro_f1"])
        assert held["n_test"] == report["n_test"] and held["lacking"] == []
        assert held["trained_on"] == [str(run.path) for run in others]
    values = [held["overall_accuracy"] for held in found["scenes"]]
    spread = found["summary"]["overall_accuracy"]
    assert spread["mean"] == pytest.approx(np.mean(values))
    assert spread["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert (spread["least"], spread["most"]) == (min(values), max(values))


def test_scenes_without_a_test_sample_leave_nothing_behind(lands, tmp_path, capsys):
    runs = [copied(run, tmp_path / run.path.name) for run in lands[:2]]
    for run in runs:
        table = geopandas.read_parquet(run.samples)
        table[table["split"] != "test"].to_parquet(run.samples)
    words = ["train", "knn", *(str(run.path) for run in runs), "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--denoise", "none"]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "no test row has a label" in line and "landcover sample RUN --block-px N" in line
    assert not (tmp_path / "out").exists()


def test_python_leaves_scenes_out_too(lands, tmp_path):
    out, how = tmp_path / "out", {"random_split": False, "leave_one_scene_out": True, **PLAIN}
    model = lc.train(lands[:2], "knn", out=out, **how)
    found = read_json(Run(out).by_scene(model.name))
    assert [scene["run"] for scene in found["scenes"]] == [str(run.path) for run in lands[:2]]
    with pytest.raises(InputError, match=f"leave_one_scene_out needs two runs.*{lands[0].path}"):
        lc.train(lands[0], "knn", **how)


def test_classes_that_the_others_lack_are_named(lands, tmp_path, capsys):
    """Two scenes without water: the third one's water is an error, and told apart."""
    dry = [sampled(write_land(tmp_path / f"dry-{n}", n, without=[5])) for n in (0, 1)]
    runs, out = [*dry, lands[2]], tmp_path / "out"
    argv = ["train", "knn", *(str(run.path) for run in runs), "--out", str(out)]
    argv += ["--denoise", "none", "--no-random-split", "--leave-one-scene-out"]
    assert cli.main(argv) == 0
    said = capsys.readouterr().out
    name = "knn-plain-of-3-scenes"
    found = read_json(Run(out).by_scene(name))
    (water,) = found["scenes"][2]["lacking"]
    truth = rasters.read_classes(lands[2].reference)
    assert (water["code"], water["pixels"]) == (5, (truth == 5).sum())
    assert water["share"] == pytest.approx((truth == 5).mean())
    model = lc.train(dry, "knn", out=tmp_path / "dry", random_split=False, **PLAIN)
    lc.map_scene(run := write_land(tmp_path / "wet", 2), model)
    codes = rasters.read_classes(run.map(model.name))
    without = found["scenes"][2]["overall_accuracy_of_known"]
    assert without == pytest.approx((codes == truth)[truth != 5].mean())
    assert found["scenes"][2]["overall_accuracy"] == pytest.approx((codes == truth).mean())
    assert all(scene["lacking"] == [] for scene in found["scenes"][:2])
    assert "of it is of classes that no other scene has (5 Water bodies); without them" in said
    page = Run(out).by_scene(name).with_suffix(".md").read_text("utf-8")
    assert "## Classes that the other scenes lack" in page and "5 Water bodies" in page
    # the union of the classes, although two scenes have no water
    assert 5 in [c["code"] for c in read_json(Run(out).model(name) / "card.json")["classes"]]


def test_two_scenes_without_a_raster_of_labels_are_scored_on_their_samples(lands, tmp_path):
    """As where labels came from polygons."""
    runs = [copied(run, tmp_path / run.path.name) for run in lands[:2]]
    several = several_scenes(runs, Run(tmp_path / "out"), "knn", **PLAIN)
    for run in runs:
        run.labels.unlink()
        run.reference.unlink()
    leave_scenes_out(several)
    found = read_json(several.out.by_scene(several.name))
    for run, held in zip(runs, found["scenes"], strict=True):
        table = pd.read_parquet(run.samples)
        assert held["scored_on"] == "all samples of the scene"
        assert held["n_test"] == len(table) and held["n_blocks"] == table["block"].nunique()


def test_slopes_are_of_each_scenes_own_pixels(tmp_path):
    names = (*BANDS, "elevation")
    runs = [
        sampled(write_land(tmp_path / f"of-{side}-m", number, bands=names, pixel_m=side))
        for number, side in enumerate((10, 10.8))
    ]
    seen = ["bands", "slope", "tpi:100"]
    several = several_scenes(runs, Run(tmp_path / "out"), "knn", features=seen, **PLAIN)
    for run, part, around in zip(runs, several.parts, (10, 9), strict=True):
        pixel_m = features.on_the_ground(rasters.grid_of(run.scene))
        padded = rasters.read(run.scene, Window(0, 0, ROWS, COLS).padded(around))
        dense = features.compute(padded, names, ["slope", "tpi:100"], {"pixel_m": pixel_m})
        table = part.samples
        expected = dense[:, table["row"], table["col"]]
        np.testing.assert_array_equal(table[["slope", "tpi:100"]].to_numpy().T, expected)
    model = train_scenes(several, random_split=False)
    for run in runs:  # as maps see them
        held = model.classifier(grid=rasters.grid_of(run.scene))
        assert held.inputs.fitted["pixel_m"] == features.on_the_ground(rasters.grid_of(run.scene))
        assert held.radius in (9, 10)


def test_polygons_of_several_scenes_are_held_out_whole(lands, tmp_path):
    runs = [copied(run, tmp_path / run.path.name) for run in lands[:2]]
    for run in runs:
        grid = rasters.grid_of(run.scene)
        down, across = np.indices(grid.shape) // 16
        numbers = (1 + down * 100 + across).astype(np.uint32)
        raster_writer.write(run.polygons, numbers, grid, ["polygon"], 0)
        sampled(run)
    out = Run(tmp_path / "out")
    model = lc.train(runs, "knn", out=out, **PLAIN)
    table = pd.read_parquet(out.samples)
    held = [set(table["polygon"][table["scene"] == number]) for number in (0, 1)]
    assert not held[0] & held[1] and 0 not in held[0] | held[1]
    scored = read_json(out.report(model.name))["scores"]
    assert scored["reference_polygons"]["n_test"] < scored["reference"]["n_test"]
    assert "leak" in scored["labels_polygons"]


def test_the_model_is_trained_on_scenes_in_their_order(lands, tmp_path):
    """Nothing of a run that learns with others changes."""
    before = {path: path.stat().st_mtime_ns for run in lands for path in run.path.rglob("*")}
    several = several_scenes(lands, Run(tmp_path / "out"), "knn", **PLAIN)
    train_scenes(several, random_split=False)
    after = {path: path.stat().st_mtime_ns for run in lands for path in run.path.rglob("*")}
    assert before == after
