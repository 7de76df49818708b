"""A model knows pixels of one size on the ground; scenes of other pixels are warned of."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from landcover import cli, maps
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json, write_json
from landcover.grid import Grid
from tests.conftest import error_lines
from tests.fixtures.map_models import BANDS
from tests.fixtures.map_runs import make_run
from tests.fixtures.training_runs import write_run

ROWS, COLS = 40, 50


def scene_of(run, epsg, width, height):
    """The same pixels with another size."""
    west, north = {32633: (3e5, 58e5), 3857: (15e5, 68e5), 4326: (13.0, 52.0)}[epsg]
    grid = Grid(CRS.from_epsg(epsg), Affine(width, 0, west, 0, -height, north), ROWS, COLS)
    image = np.random.default_rng(0).uniform(0, 0.4, (4, ROWS, COLS)).astype(np.float32)
    raster_writer.write(run.scene, image, grid, BANDS, nodata=np.nan)


def learnt_from(run, name, size):
    path = run.model(name) / "card.json"
    card = read_json(path)
    write_json(path, card | {"pixel_size_m": size} if size else card)


def mapped(run, name, capsys):
    """Warnings of a map, in lines."""
    assert cli.main(["map", str(run.path), "--model", name]) == 0
    said = capsys.readouterr().out.splitlines()
    return [line for line in said if line.startswith("warning:")]


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", ROWS, COLS)


@pytest.mark.parametrize(("side", "told"), [(20, True), (10, False)])
def test_an_image_of_other_pixels_is_told(run, side, told, capsys):
    scene_of(run, 32633, side, side)
    learnt_from(run, "random-forest", [10.0, 10.0])
    named = ["--run", str(run.path), "--model", "random-forest"]
    assert cli.main(["classify", str(run.scene), *named]) == 0
    note = "the image has pixels of 20 x 20 m on the ground, and model random-forest learnt"
    assert (note in capsys.readouterr().err) == told


@pytest.mark.parametrize(("epsg", "width", "height", "told"), [
    (32633, 3, 3, "3 x 3 m"),
    (32633, 11.2, 11.2, "11.2 x 11.2 m"),
    (32633, 10, 20, "10 x 20 m"),
    (3857, 10, 10, "6.17 x 6.15 m"),
    (4326, 9e-5, 9e-5, "6.18 x 10 m"),
])  # fmt: skip
def test_pixels_of_another_size_are_warned_of(run, epsg, width, height, told, capsys):
    scene_of(run, epsg, width, height)
    learnt_from(run, "random-forest", [10.0, 10.0])
    (warning,) = mapped(run, "random-forest", capsys)
    assert f"{run.scene} has pixels of {told} on the ground" in warning
    assert "random-forest learnt from pixels of 10 x 10 m; train a model" in warning


def test_a_patch_model_says_what_its_patches_see(tmp_path, capsys):
    run = make_run(tmp_path / "run", ROWS, COLS, cnn=True)
    scene_of(run, 32633, 3, 3)
    learnt_from(run, "cnn-7x7", [10.0, 10.0])
    (warning,) = mapped(run, "cnn-7x7", capsys)
    assert "and its patches of 7 x 7 pixels are 21 x 21 m instead of 70 x 70 m" in warning


@pytest.mark.parametrize(("epsg", "width", "learnt"), [
    (32633, 10, [10.0, 10.0]),
    (32633, 10.8, [10.0, 10.0]),
    (3857, 16.2, [10.0, 10.0]),
    (32633, 3, None),  # a card of an older version
])  # fmt: skip
def test_alike_and_unknown_pixels_are_not(run, epsg, width, learnt, capsys):
    scene_of(run, epsg, width, width)
    learnt_from(run, "random-forest", learnt)
    assert mapped(run, "random-forest", capsys) == []


def test_the_warning_comes_before_any_product(run, monkeypatch, capsys):
    scene_of(run, 32633, 3, 3)
    learnt_from(run, "random-forest", [10.0, 10.0])
    before = []

    def failing(*_, **__):
        before.extend(
            line for line in capsys.readouterr().out.splitlines() if line.startswith("warning:")
        )
        raise KeyboardInterrupt

    monkeypatch.setattr(maps, "predict_map_in_job", failing)
    assert cli.main(["map", str(run.path), "--model", "random-forest"]) == 130
    assert len(before) == 1


def test_training_records_the_pixels_of_its_scene(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    train = ["train", "random-forest", str(run.path), "--denoise", "none", "--no-random-split"]
    assert cli.main(train) == 0
    name = "random-forest-plain"
    size = read_json(run.model(name) / "card.json")["pixel_size_m"]
    assert size == pytest.approx([10, 10], rel=2e-3)
    assert mapped(run, name, capsys) == []


def test_a_scene_without_data_in_the_models_bands_is_refused_before_it_is_mapped(run, capsys):
    scene_of(run, 32633, 10, 10)
    image = rasters.read(run.scene)
    image[0, :20], image[2, 20:] = np.nan, np.nan
    raster_writer.write(run.scene, image, rasters.grid_of(run.scene), BANDS, nodata=np.nan)
    assert cli.main(["map", str(run.path), "--model", "random-forest"]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert f"{run.scene} has no pixel with data in all of {' '.join(BANDS)}" in line
    assert not run.map("random-forest").exists()
