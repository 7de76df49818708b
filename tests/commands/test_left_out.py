"""Every command says which pixels and classes it leaves out, and why; numbers are known here."""

from __future__ import annotations

import re

import geopandas
import numpy as np
import pytest
import rasterio
from PIL import Image

from landcover import cli
from landcover.classifiers import cards, networks
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json, write_json
from landcover.legend import Legend, corine
from landcover.reports.label_noise import Unjudged
from landcover.run import Run
from tests.conftest import utm_grid
from tests.fixtures.map_runs import make_run
from tests.fixtures.training_runs import COLS, ROWS, write_run

PIXELS = ROWS * COLS
MODEL = "random-forest-plain"
#: Pixels of the corner without data, and of a class that is too rare to be drawn.
HOLE, RARE = 6 * 9, 12


def told(capsys, *argv):
    """The lines that a command prints beside its first and the paths it wrote."""
    assert cli.main([str(a) for a in argv]) == 0
    return capsys.readouterr().out.splitlines()[1:]


@pytest.fixture(scope="module")
def run(tmp_path_factory, hasty_teacher):
    """A run with a hole in the scene, a class of twelve pixels, and a forest."""
    run = write_run(tmp_path_factory.mktemp("left") / "run")
    labels = rasters.read_classes(run.labels)
    labels[:6, :9] = 311
    labels[90:92, 100:106] = 322
    grid = rasters.grid_of(run.labels)
    raster_writer.write(run.labels, labels, grid, ["class"], 0, Legend.corine(3))
    assert cli.main(["sample", str(run.path), "--max-patch", "7", "--samples", "3000"]) == 0
    train = ["train", "random-forest", str(run.path), "--denoise", "none", "--no-random-split"]
    assert cli.main(train) == 0
    return run


def test_sample_names_the_class_that_is_too_rare(run, capsys):
    lines = told(capsys, "sample", run.path, "--max-patch", "7", "--samples", "3000")
    assert any(re.search(r"left out as too rare \(--min-count\): 322 \(12 px\)", x) for x in lines)
    rare = (
        "note: class 322 Moors and heathland is left out: its 12 labelled pixels are fewer than 50"
    )
    assert rare in lines


def test_segment_says_what_is_in_no_segment(run, capsys):
    lines = told(capsys, "segment", run.path, "--min-size", "40")
    n = read_json(run.manifest)["stages"]["segment"]["settings"]["segments"]
    lacking = f"{HOLE} of {PIXELS:,} pixels without data are in none"
    assert f"segments: {n:,} of 40 px (0.4 ha) or more; {lacking}" in lines


def test_map_says_what_has_no_class_and_what_is_never_shown(run, capsys):
    card = read_json(run.model(MODEL) / "card.json")
    lost = "class 512 Water bodies has 9 training samples, and the model takes all of them for "
    unlearnt = "class 322 Moors and heathland is not trained on, so no map shows it, and not tested"
    left = {
        "lost_classes": [lost + "other classes"],
        "notes": [unlearnt, "class 211 Non-irrigated arable land is not tested"],
        "class_samples": card["class_samples"] | {"322": {"train": 0, "validation": 9, "test": 0}},
    }
    write_json(run.model(MODEL) / "card.json", card | left)
    try:
        lines = told(capsys, "map", run.path, "--model", MODEL)
    finally:
        write_json(run.model(MODEL) / "card.json", card)
    share = f"{100 * (PIXELS - HOLE) / PIXELS:.1f} %"
    assert (
        f"map: {PIXELS - HOLE:,} of {PIXELS:,} pixels ({share}) have a class; {HOLE} are without "
        "data in B02 B03 B04 B08"
    ) in lines
    notes = [line for line in lines if line.startswith("note:")]
    assert notes == [f"note: {unlearnt}", f"note: {lost}other classes"]


def test_compare_prints_what_its_page_says_is_left_out(run, capsys):
    told(capsys, "map", run.path, "--model", MODEL)
    cells = run.map("compact_patches")
    raster_writer.write(cells, np.ones((1, 4, 5), np.uint16), utm_grid(4, 5), ["class"], 0)
    try:
        lines = told(capsys, "compare", run.path)
    finally:
        cells.unlink()
    page = (run.path / "comparison.md").read_text("utf-8")
    notes = [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]
    assert "Not compared, because their pixels are cells: compact_patches." in notes
    assert any("class 322 Moors and heathland is left out" in note for note in notes)
    assert notes and all(note in page for note in notes)


@pytest.mark.slow  # a teacher is trained
def test_denoise_says_which_labels_it_does_not_judge(run, capsys):
    lines = told(capsys, "denoise", run.path)
    labelled = np.count_nonzero(rasters.read_classes(run.labels))
    notes = [
        f"{HOLE} of {labelled:,} labelled pixels are not judged: the scene has no data there",
        f"{RARE} pixels of class 322 Moors and heathland are not judged: no training sample is "
        "of it",
    ]
    assert [line for line in lines if line.startswith("note:")] == [f"note: {n}" for n in notes]
    page = (run.path / "label_noise.md").read_text("utf-8")
    assert all(f"Left out: {note}.\n" in page for note in notes)
    assert read_json(run.path / "label_noise.json")["notes"] == notes
    with rasterio.open(run.label_confidence) as dataset:
        unknown = dataset.read(1) == dataset.nodata
    with_label = rasters.read_classes(run.labels) > 0
    assert np.count_nonzero(unknown & with_label) == HOLE + RARE


def test_labels_that_are_not_judged_are_counted_by_reason():
    labels = np.array([[211, 211, 0, 322, 512, 512]])
    with_data = np.array([[True, False, False, True, True, True]])
    judged = np.array([[True, False, False, False, False, True]])
    unjudged = Unjudged()
    unjudged.add(labels, with_data, judged)
    unjudged.add(labels, with_data, judged)
    assert unjudged.notes(corine()) == [
        "2 of 10 labelled pixels are not judged: the scene has no data there",
        "2 pixels of class 322 Moors and heathland are not judged: no training sample is of it",
        "2 pixels of class 512 Water bodies are not judged: no training sample is of it",
    ]
    assert Unjudged().notes(corine()) == []


def test_points_and_assessment_say_what_they_do_not_count(run, tmp_path, capsys):
    told(capsys, "map", run.path, "--model", MODEL)
    points = tmp_path / "points.gpkg"
    command = ["sample-points", run.path, "--model", MODEL, "--n", "60", "--out", points]
    assert f"note: {HOLE} pixels without a class are not drawn from" in told(capsys, *command)
    frame = geopandas.read_file(points)
    frame["reference"] = [211] * (len(frame) - 4) + [0] * 4
    frame.to_file(points)
    lines = told(capsys, "assess", run.path, "--reference", points, "--model", MODEL)
    assert any(x.startswith("note: Units left out: 4 without a class.") for x in lines)


def test_classify_says_what_of_an_image_it_does_not_see(tmp_path, capsys):
    run = make_run(tmp_path / "run", 30, 40)
    image = np.full((4, 30, 40), 0.1, np.float32)
    image[2, :5, :10] = np.nan
    image[0, :2, :20] = np.nan
    path = tmp_path / "image.tif"
    raster_writer.write(path, image, utm_grid(30, 40), ["B02", "B03", "B04", "B08"], np.nan)
    assert cli.main(["classify", str(path), "--run", str(run.path)]) == 0
    note = f"note: {path}: 70 of 1,200 pixels have no data in B02 B03 B04 B08 and are left out"
    assert note in capsys.readouterr().err.splitlines()


def test_classify_says_that_it_sees_the_middle_of_a_picture(tmp_path, capsys):
    run, name = Run(tmp_path / "run"), "compact"
    legend = Legend.eurosat().subset([1, 2])
    network = networks.build_image_network("compact", 3, 2, [0.1] * 3, [0.1] * 3, 0.3)
    run.model(name).mkdir(parents=True)
    networks.save(network, cards.file_of(run.model(name), "image"))
    bands = ["B04", "B03", "B02"]
    cards.write_card(
        run.model(name), "image", legend, bands=bands, features=[], segment_layers=[],
        patch_size=64, white=0.3,
    )  # fmt: skip
    wide, square = tmp_path / "wide.png", tmp_path / "square.png"
    Image.new("RGB", (100, 60), (40, 90, 30)).save(wide)
    Image.new("RGB", (60, 60), (40, 90, 30)).save(square)
    assert cli.main(["classify", str(wide), str(square), "--run", str(run.path)]) == 0
    notes = [x for x in capsys.readouterr().err.splitlines() if x.startswith("note: ")]
    assert notes == [f"note: {wide}: the middle 60 x 60 of its 100 x 60 pixels are looked at"]
