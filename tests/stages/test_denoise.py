"""Doubtful labels of a small run: products, what they depend on, and what models learn of them."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from rio_cogeo import cog_validate
from sklearn.metrics import roc_auc_score

from landcover import cli
from landcover.classifiers.calibration import UNTEMPERED
from landcover.classifiers.names import name_of
from landcover.classifiers.one_image import OfOneImage
from landcover.classifiers.patch_training import PatchTraining
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.labels import denoising, evidence
from landcover.labels.denoising import METHODS
from landcover.legend import Legend
from landcover.reports import label_noise
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.stages import denoise as stage
from landcover.stages import denoise_estimate, denoise_segments, denoise_teacher, train
from landcover.stages.denoise import denoise, is_made
from landcover.stages.inputs import read_rows
from landcover.stages.sample import sample
from landcover.stages.segment import segment
from landcover.stages.targets import rows_to_learn
from tests.conftest import error_lines, utm_grid

pytestmark = pytest.mark.usefixtures("hasty_teacher")

BANDS = ("B02", "B03", "B04", "B08")
ROWS, COLS = 96, 150
CODES = np.array([211, 311, 512])
LEGEND = Legend.corine(3).subset(CODES)
MEANS = np.array([[0.12, 0.14, 0.16, 0.25], [0.04, 0.06, 0.05, 0.32], [0.03, 0.04, 0.03, 0.02]])
TABLES = ("label_confidence.tif", "refined_labels.tif", "label_noise.parquet")
REPORTS = ("label_noise.md", "label_noise.json")


def write_run(folder, rows=ROWS, cols=COLS, guard_patch=7):
    """Fields of 12 px whose labels are those of 24 px; a strip without labels, a hole."""
    rng = np.random.default_rng(0)
    small = rng.choice(3, size=(-(-rows // 12), -(-cols // 12)), p=[0.5, 0.3, 0.2])
    truth = small.repeat(12, axis=0).repeat(12, axis=1)[:rows, :cols]
    coarse = small[::2, ::2].repeat(24, axis=0).repeat(24, axis=1)[:rows, :cols]
    image = MEANS[truth].transpose(2, 0, 1) + rng.normal(0, 0.01, (4, rows, cols))
    image[:, 3:9, 5:20] = np.nan
    labels = CODES[coarse].astype(np.uint16)
    labels[46:48] = 0  # along a border, so that no small region is left
    run, grid = Run(folder), utm_grid(rows, cols)
    raster_writer.write(run.scene, image.astype(np.float32), grid, BANDS, nodata=np.nan)
    raster_writer.write(run.labels, labels, grid, ["class"], nodata=0, legend=LEGEND)
    raster_writer.write(run.reference, CODES[truth].astype(np.uint16), grid, ["class"], nodata=0)
    sample(run, Draw(2000), max_patch=guard_patch)
    return run


@dataclass(frozen=True)
class Spectral(OfOneImage):
    """A teacher that nobody has to train: it knows the classes' means, and is fond of 211."""

    legend: Legend
    name = "spectral"
    bands = BANDS
    radius = 1
    segment_layers = ()
    temperature = UNTEMPERED

    def predict_window(self, image, segment_types=None):
        centre = image[:, 1:-1, 1:-1]
        known = MEANS[np.searchsorted(CODES, self.legend.codes)]
        far = ((centre[None] - known[:, :, None, None]) ** 2).sum(axis=1)
        likely = np.exp(-far / 0.004)
        likely[0] *= 2
        return (likely / likely.sum(axis=0)).astype(np.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("base") / "run")


def copied(base, folder):
    return Run(shutil.copytree(base.path, folder))


@pytest.fixture
def copy(base, tmp_path):
    return copied(base, tmp_path / "run")


@pytest.fixture
def quick(monkeypatch):
    """No training of a teacher."""
    monkeypatch.setattr(denoise_estimate, "training_of", lambda *_: None)
    monkeypatch.setattr(denoise_estimate, "teacher", lambda _, rows: Spectral(rows.legend))


@pytest.fixture(scope="module")
def made(base, tmp_path_factory, hasty_teacher):
    """A run whose teacher has learnt for two epochs, and the rows that it learnt from."""
    run, seen = copied(base, tmp_path_factory.mktemp("made") / "run"), []
    fit = PatchTraining.fit

    def watched(self, rows, *arguments, **settings):
        seen.append(rows)
        return fit(self, rows, *arguments, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PatchTraining, "fit", watched)
        products = denoise(run)
    return run, products, seen


def tables_of(run):
    return {name: (run.path / name).read_bytes() for name in TABLES}


def files_of(run):
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def layers_of(run):
    """Labels, where there are data, and both rasters as they are stored."""
    has_data = np.isfinite(rasters.read(run.scene)).all(axis=0)
    with rasters.open_raster(run.label_confidence) as dataset:
        confidence = dataset.read(1)
    return rasters.read_classes(run.labels), has_data, confidence, rasters.read_classes(
        run.refined_labels
    )  # fmt: skip


# --- products ---------------------------------------------------------------------------------


def test_products_are_whole_and_recorded(made):
    run, products, _ = made
    assert [path.name for path in products] == [*TABLES, *REPORTS, "label_noise.png"]
    assert all(path.exists() for path in products)
    assert all(path.parent == run.path for path in products[:-1])
    assert not (run.path / ".staging").exists()
    for path in products[:2]:
        assert cog_validate(path)[0]
    entry = run.read_manifest()["stages"]["denoise"]
    assert (
        entry["products"] == [*TABLES, *REPORTS, "figures/label_noise.png"]
        and entry["settings"]["seed"] == 0
    )
    assert entry["settings"]["codes"] == CODES.tolist()
    np.testing.assert_allclose(np.sum(entry["settings"]["transition"], axis=1), 1)


def test_there_is_a_class_where_there_are_data_and_a_confidence_where_there_is_a_label_too(made):
    labels, has_data, confidence, refined = layers_of(made[0])
    assert set(np.unique(refined[has_data])) <= set(CODES) and (refined[~has_data] == 0).all()
    known = has_data & (labels != 0)
    assert (confidence[known] <= 100).all() and (confidence[~known] == 255).all()


def test_what_is_written_of_samples_is_what_the_rasters_hold(made):
    run = made[0]
    rows = rows_to_learn(run, "labels", "refine")
    at = rows.samples["row"].to_numpy(), rows.samples["col"].to_numpy()
    refined = rasters.read_classes(run.refined_labels)[at]
    np.testing.assert_array_equal(rows.samples["target"], refined)
    table = pd.read_parquet(run.label_noise)
    assert len(table) == len(rows.samples)
    for of in ("pixel", "segment"):
        total = table[[f"{of}_{code}" for code in CODES]].sum(axis=1)
        np.testing.assert_allclose(total, 1, atol=1e-5)


def test_the_teacher_has_seen_no_test_row(made):
    run, _, seen = made
    (rows,) = seen
    table = rows.samples
    assert (table["split"].iloc[rows.train] == "train").all()
    assert (table["split"].iloc[rows.validation] == "validation").all()
    np.testing.assert_array_equal(rows.train, read_rows(run, "labels").train)
    assert rows.column == "label"


def nearest_means(values, labels, blocks, classes):
    """Shares of labels by distance to their means, which every label moves; quicker than trees."""
    means = np.array([values[labels == k].mean(axis=0) for k in np.unique(labels)])
    likely = np.exp(-((values[:, None] - means) ** 2).sum(axis=2))
    return likely / likely.sum(axis=1, keepdims=True)


def test_labels_of_test_rows_decide_nothing(made, base, tmp_path, monkeypatch):
    """Other labels in the test blocks: other confidence there, and not a byte elsewhere."""
    run = copied(base, tmp_path / "run")
    table = pd.read_parquet(run.samples)
    test = (table["split"] == "test").to_numpy()
    spoil = dict(zip(CODES, np.roll(CODES, 1), strict=True))
    table.loc[test, "label"] = table.loc[test, "label"].map(spoil).astype(np.uint16)
    table.to_parquet(run.samples)
    monkeypatch.setattr(denoising, "out_of_fold", nearest_means)
    for way in METHODS:
        ours, theirs = (rows_to_learn(r, "labels", way) for r in (run, made[0]))
        for part in ("train", "validation"):
            np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part), way)
            targets = [r.samples["target"].to_numpy()[getattr(r, part)] for r in (ours, theirs)]
            np.testing.assert_array_equal(*targets, way)
    assert run.refined_labels.read_bytes() == made[0].refined_labels.read_bytes()


def test_the_reference_decides_nothing_and_the_same_seed_gives_the_same_bytes(made, base, tmp_path):
    run = copied(base, tmp_path / "run")
    truth = np.full((ROWS, COLS), 512, np.uint16)
    raster_writer.write(run.reference, truth, utm_grid(ROWS, COLS), ["class"], nodata=0)
    denoise(run)
    assert tables_of(run) == tables_of(made[0])
    assert read_json(run.path / REPORTS[1]) != read_json(made[0].path / REPORTS[1])


def test_windows_change_no_byte(copy, base, tmp_path, quick, monkeypatch):
    denoise(copy)
    other = copied(base, tmp_path / "other")
    monkeypatch.setattr(denoise_teacher, "ASKING_PX", 48)
    monkeypatch.setattr(rasters, "WINDOW_PX", 37)
    monkeypatch.setattr(label_noise, "_CELLS", 2)
    denoise(other)
    assert tables_of(copy) == tables_of(other)
    ours, theirs = (read_json(run.path / REPORTS[1]) for run in (copy, other))
    assert ours["cells"] == theirs["cells"] and ours["distances"] == theirs["distances"]


def test_it_is_better_than_the_labels(copy, quick, monkeypatch):
    monkeypatch.setattr(evidence, "HARDLY", -1.0)  # half of these labels are wrong: none is proven
    denoise(copy)
    labels, has_data, _, refined = layers_of(copy)
    truth, known = rasters.read_classes(copy.reference), has_data & (labels != 0)
    assert (labels == truth)[known].mean() < 0.7
    assert (refined == truth)[known].mean() > 0.95


# --- the report -------------------------------------------------------------------------------


def cells_of(refined):
    """Whole and straddling cells, one by one."""
    whole = straddling = 0
    for row in range(0, refined.shape[0] - 9, 10):
        for col in range(0, refined.shape[1] - 9, 10):
            counts = np.bincount(refined[row : row + 10, col : col + 10].ravel())
            if counts[0] == 0:
                whole += 1
                straddling += int(counts.max() <= 90)
    return whole, straddling


def test_the_report_counts_what_the_rasters_hold(copy, quick):
    denoise(copy)
    facts = read_json(copy.path / "label_noise.json")
    labels, _, confidence, refined = layers_of(copy)
    known, truth = confidence != 255, rasters.read_classes(copy.reference)
    right = (labels == truth)[known]
    assert facts["mean_confidence"] == pytest.approx(confidence[known].mean() / 100)
    against = facts["against_reference"]
    assert against["right"] == pytest.approx(right.mean())
    assert against["auc"] == pytest.approx(roc_auc_score(right, confidence[known]))
    assert sum(b["pixels"] for b in against["bins"]) == known.sum()
    for b in against["bins"]:
        top = 101 if b["to"] == 1 else 100 * b["to"]
        inside = (confidence[known] >= 100 * b["from"]) & (confidence[known] < top)
        assert b["pixels"] == inside.sum()
        if inside.any():
            assert b["right"] == pytest.approx(right[inside].mean())
            assert b["estimated"] == pytest.approx(confidence[known][inside].mean() / 100)
    for found in facts["classes"]:
        own = known & (labels == found["code"])
        assert found["pixels"] == own.sum()
        assert found["right"] == pytest.approx(confidence[own].mean() / 100)
        assert found["really_right"] == pytest.approx((truth == labels)[own].mean())
        of_class = known & (truth == found["code"])
        assert found["really_labelled_as_itself"] == pytest.approx(
            (labels == found["code"])[of_class].mean()
        )
        for other in found["hides"]:
            assert other["share"] == pytest.approx((refined[own] == other["code"]).mean())
    assert tuple(facts["cells"].values()) == cells_of(refined)
    assert sum(d["pixels"] for d in facts["distances"]) == known.sum()
    text = (copy.path / "label_noise.md").read_text()
    assert "by the reference" in text and "nan" not in text.lower()


@pytest.mark.parametrize(("other", "straddles"), [(0, 0), (9, 0), (10, 1), (50, 1)])
def test_a_cell_straddles_from_a_tenth_on(tmp_path, other, straddles):
    cell = np.full(100, 211, np.uint16)
    cell[:other] = np.tile([311, 512], 50)[:other]
    whole = np.zeros((24, 15), np.uint16)
    whole[10:20, :10] = cell.reshape(10, 10)
    whole[:10, :10] = 311
    whole[9, 9] = 0
    path = tmp_path / "classes.tif"
    raster_writer.write(path, whole, utm_grid(24, 15), ["class"], nodata=0)
    assert label_noise.count_cells(path, 100) == (1, straddles)


def test_without_a_reference_nothing_is_said_of_one(copy, base, tmp_path, quick):
    copy.reference.unlink()
    denoise(copy)
    facts = read_json(copy.path / "label_noise.json")
    assert facts["against_reference"] is None
    assert all(row["really_right"] is None for row in facts["classes"] + facts["distances"])
    text = (copy.path / "label_noise.md").read_text()
    assert "reference" not in text and "nan" not in text.lower() and "None" not in text


def test_a_reference_of_a_corner_judges_that_corner_and_changes_no_estimate(
    copy, base, tmp_path, quick
):
    denoise(copy)
    other = copied(base, tmp_path / "other")
    truth = rasters.read_classes(other.reference)
    truth[40:], truth[:, 60:] = 0, 0
    raster_writer.write(other.reference, truth, utm_grid(ROWS, COLS), ["class"], nodata=0)
    denoise(other)
    whole, part = (read_json(run.path / "label_noise.json") for run in (copy, other))
    for a, b in zip(whole["classes"], part["classes"], strict=True):
        assert {k: v for k, v in a.items() if "really" not in k} == {
            k: v for k, v in b.items() if "really" not in k
        }
    judged = sum(b["pixels"] for b in part["against_reference"]["bins"])
    assert 0 < judged < 40 * 60 and whole["mean_confidence"] == part["mean_confidence"]


# --- odd scenes -------------------------------------------------------------------------------


def test_a_label_that_no_training_row_holds_is_not_judged(copy, quick):
    table = pd.read_parquet(copy.samples)
    table[(table["split"] != "train") | (table["label"] != 512)].to_parquet(copy.samples)
    denoise(copy)
    labels, _, confidence, refined = layers_of(copy)
    assert (confidence[labels == 512] == 255).all()
    assert ((refined == 512) == (labels == 512)).all()  # it is kept: nothing says that it is wrong
    facts = read_json(copy.path / "label_noise.json")
    assert [row["code"] for row in facts["classes"]] == [211, 311]
    *_, water = facts["refinement"]["classes"]
    pixels = int((labels == 512).sum())
    assert (water["code"], water["before"], water["after"]) == (512, pixels, pixels)
    assert water["kept_because"] == "no training sample is of it"
    assert rows_to_learn(copy, "labels").legend.codes == (211, 311)


@pytest.mark.parametrize(("rows", "cols"), [(400, 40), (41, 300)])
def test_scenes_narrower_than_a_window(tmp_path, quick, rows, cols):
    run = write_run(tmp_path / "run", rows, cols)
    denoise(run)
    labels, has_data, confidence, refined = layers_of(run)
    assert ((refined > 0) == has_data).all()
    assert ((confidence < 255) == (has_data & (labels > 0))).all()


def test_whole_windows_without_data(copy, quick, monkeypatch):
    image = rasters.read(copy.scene)
    image[:, 48:, 75:] = np.nan
    raster_writer.write(copy.scene, image, utm_grid(ROWS, COLS), BANDS, nodata=np.nan)
    monkeypatch.setattr(denoise_teacher, "ASKING_PX", 48)
    denoise(copy)
    _, has_data, _, refined = layers_of(copy)
    assert ((refined > 0) == has_data).all()


def test_segments_of_a_scene_with_data_where_nothing_is_measured(tmp_path, monkeypatch):
    image = np.full((4, ROWS, COLS), np.nan, np.float32)
    image[:, 40:80, 40:75], image[:, 40:80, 75:110] = 0.1, 0.3
    run = Run(tmp_path)
    raster_writer.write(run.scene, image, utm_grid(ROWS, COLS), BANDS, nodata=np.nan)
    whole = denoise_segments.segment(run)
    monkeypatch.setattr(denoise_segments, "_MEASURED_PX", 16)
    monkeypatch.setattr(denoise_segments, "_MEASURED", 2)  # the first and the last corner
    found = denoise_segments.segment(run)
    np.testing.assert_array_equal(found, whole)
    assert found[60, 45] != found[60, 105] and found[0, 0] == 0


# --- what is learnt ---------------------------------------------------------------------------


def test_what_is_made_is_made_once(made, monkeypatch, tmp_path):
    run = copied(made[0], tmp_path / "run")
    monkeypatch.setattr(denoise_estimate, "teacher", None)  # nobody can be trained
    first = rows_to_learn(run, "labels")
    segment(run, min_size=60)
    rows = rows_to_learn(run, "labels")
    assert "segment" in rows.samples and "segment" not in first.samples
    np.testing.assert_array_equal(rows.samples["target"], first.samples["target"])


def relabel(run):
    labels = rasters.read_classes(run.labels)
    labels[50:55, 50:55] = 311
    raster_writer.write(
        run.labels, labels, utm_grid(ROWS, COLS), ["class"], nodata=0, legend=LEGEND
    )


@pytest.mark.parametrize(
    "spoil",
    [relabel, lambda run: sample(run, Draw(1500), max_patch=7, seed=3),
     lambda run: run.label_noise.unlink()],
    ids=["other labels", "other samples", "no table"],
)  # fmt: skip
def test_what_is_stale_or_gone_is_made_anew(copy, quick, capsys, spoil):
    denoise(copy)
    assert is_made(copy, read_rows(copy, "labels"))
    spoil(copy)
    assert not is_made(copy, read_rows(copy, "labels"))
    rows_to_learn(copy, "labels")
    assert "estimating where the labels are wrong" in capsys.readouterr().out
    assert is_made(copy, read_rows(copy, "labels"))


def test_a_stage_that_breaks_leaves_the_run_as_it_was(copy, quick, monkeypatch):
    denoise(copy)
    relabel(copy)
    before = files_of(copy)

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "_write_report", fail)
    with pytest.raises(KeyboardInterrupt):
        denoise(copy, seed=5)
    assert files_of(copy) == before


@pytest.mark.parametrize("kind", ["cut", "other rows", "other columns"])
def test_a_damaged_table_is_one_line(made, tmp_path, kind):
    run = copied(made[0], tmp_path / "run")
    table = pd.read_parquet(run.label_noise)
    if kind == "cut":
        run.label_noise.write_bytes(run.label_noise.read_bytes()[:300])
    elif kind == "other rows":
        table[:-1].to_parquet(run.label_noise)
    else:
        table.drop(columns=["pixel_311"]).to_parquet(run.label_noise)
    message = r"label_noise\.parquet is not readable .*; make it again: landcover denoise "
    with pytest.raises(LandcoverError, match=message) as caught:
        rows_to_learn(run, "labels")
    assert "\n" not in str(caught.value)


def test_none_learns_labels_as_they_are_and_makes_nothing(copy, monkeypatch):
    monkeypatch.setattr(denoise_estimate, "teacher", None)
    before = files_of(copy)
    rows, plain = rows_to_learn(copy, "labels", "none"), read_rows(copy, "labels")
    for part in ("train", "validation", "scored", "random_split_extra"):
        np.testing.assert_array_equal(getattr(rows, part), getattr(plain, part))
    assert (rows.column, rows.denoise, rows.learnt) == ("label", "none", "labels")
    reference = rows_to_learn(copy, "reference", "refine")
    assert (reference.column, reference.denoise) == ("reference", "none")
    assert files_of(copy) == before


def test_targets_serve_what_labels_served(made):
    rows, plain = (rows_to_learn(made[0], "labels", way) for way in ("refine", "none"))
    for part in ("train", "validation", "random_split_extra"):
        np.testing.assert_array_equal(getattr(rows, part), getattr(plain, part))
    np.testing.assert_array_equal(rows.scored, plain.scored)
    pd.testing.assert_frame_equal(rows.samples.drop(columns="target"), plain.samples)
    eroded = rows_to_learn(made[0], "labels", "erode")
    assert len(eroded.train) < len(plain.train) and len(eroded.random_split_extra) < len(
        plain.random_split_extra
    )
    assert set(eroded.train) < set(plain.train) and eroded.legend == plain.legend


@pytest.mark.parametrize(
    ("targets", "left"),
    [(lambda rows: np.zeros(len(rows.samples), int), "1 class"),
     (lambda rows: np.where(np.isin(np.arange(len(rows.samples)), rows.validation), -1,
                            np.arange(len(rows.samples)) % 2), "no validation row")],
)  # fmt: skip
def test_a_way_that_leaves_too_little(made, monkeypatch, targets, left):
    rows = read_rows(made[0], "labels")
    monkeypatch.setitem(METHODS, "erode", lambda known: targets(rows))
    with pytest.raises(LandcoverError, match=f"denoise=erode leaves {left} .*denoise=none"):
        rows_to_learn(made[0], "labels", "erode")


def test_labels_from_polygons_are_learnt_as_they_are_unless_asked(copy, quick, capsys):
    x, y = utm_grid(ROWS, COLS).xy(0, 0)
    boxes = [
        shapely.box(
            x + 240 * col, y - 240 * (row + 1) + 10, x + 240 * (col + 1) - 10, y - 240 * row
        )
        for row in range(4)
        for col in range(6)
    ]
    codes = [int(CODES[i % 3]) for i in range(len(boxes))]
    path = copy.path.parent / "fields.gpkg"
    geopandas.GeoDataFrame({"clc": codes}, geometry=boxes, crs=32633).to_file(path)
    sample(copy, Draw(900, method="polygons", polygons=path, class_field="clc"), max_patch=7)
    assert rows_to_learn(copy, "labels").denoise == "none"
    assert "labels from polygons are learnt as they are" in capsys.readouterr().out
    assert not copy.label_noise.exists()
    assert rows_to_learn(copy, "labels", "refine").denoise == "refine"
    assert copy.label_noise.exists()


def test_models_are_named_by_how_they_learnt(made):
    run = made[0]
    for way, name in ((None, "knn"), ("refine", "knn"), ("none", "knn-plain"),
                      ("erode", "knn-erode")):  # fmt: skip
        assert name_of("knn", denoise=way) == name
        assert train.train(run, "knn", random_split=False, denoise=way).name == name
        assert run.report(name).exists()
        card = read_json(run.model(name) / "card.json")
        assert card["denoise"] == (way or "refine")
        inputs = run.read_manifest()["stages"][f"train {name}"]["inputs"]
        assert ("label_noise.parquet" in [i["path"] for i in inputs]) == (way != "none")
    report = read_json(run.report("knn-erode"))
    assert report["calibration"]["fitted_on"].endswith("labels after --denoise erode")


# --- refusals ---------------------------------------------------------------------------------


def refused(run, message, capsys, *argv):
    """One line of that text, exit code 2, and the run as it was."""
    before = files_of(run)
    capsys.readouterr()
    assert cli.main([*argv, str(run.path)]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert re.search(message, line), line
    assert files_of(run) == before


def test_no_room_for_patches(tmp_path, capsys):
    run = write_run(tmp_path / "run", guard_patch=1)
    for argv in (("denoise",), ("train", "knn", "--no-map")):
        refused(run, r"guard of 0 px .*landcover sample .* --max-patch 7, or .*denoise.none",
                capsys, *argv)  # fmt: skip


def test_what_is_missing_or_elsewhere(copy, capsys):
    grid = utm_grid(ROWS - 1, COLS)
    for path in (copy.reference, copy.labels):
        before = path.read_bytes()
        raster_writer.write(path, np.full(grid.shape, 211, np.uint16), grid, ["class"], nodata=0)
        refused(copy, rf"{path.name} is not on the grid of", capsys, "denoise")
        path.write_bytes(before)
    copy.labels.unlink()
    refused(copy, r"labels\.tif does not exist; make it with", capsys, "denoise")
    copy.samples.unlink()
    refused(copy, r"samples\.parquet does not exist; make it with", capsys, "denoise")


def test_seeds_and_ways_that_there_are_not(copy, capsys):
    with pytest.raises(LandcoverError, match=r"seed -1 is out of range"):
        denoise(copy, seed=-1)
    with pytest.raises(LandcoverError, match=r"'magic' is unknown; choose among none, erode"):
        train.train(copy, "knn", denoise="magic")
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "knn", str(copy.path), "--denoise", "magic"])
    assert stop.value.code == 2
    assert "argument --denoise: invalid choice: 'magic'" in capsys.readouterr().err


def test_a_damaged_manifest_stops_it_before_anything_is_made(copy, quick):
    copy.manifest.write_text("{")
    with pytest.raises(LandcoverError, match=r"manifest\.json is not readable JSON"):
        denoise(copy)
    assert not copy.label_noise.exists()
