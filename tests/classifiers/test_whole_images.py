"""Whole images to classes: by the command, and a scene by patches."""

from __future__ import annotations

import json
import shutil
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image as Pillow
from rasterio.crs import CRS

from landcover import cli
from landcover.classifiers import cards, models, networks, whole_images
from landcover.classifiers.networks import ImageClassifier
from landcover.classifiers.networks.image_classifier import ORIENTATIONS
from landcover.classifiers.one_image import OfOneImage
from landcover.classifiers.whole_images import (
    PixelMeanClassifier,
    WholeImageClassifier,
)
from landcover.errors import LandcoverError
from landcover.files import raster_writer
from landcover.grid import Grid
from landcover.legend import Legend
from landcover.maps.cells import cells_of
from landcover.run import Run
from landcover.sensors import true_colour
from landcover.sources.image import Image
from landcover.stages.models import image_model
from tests.conftest import error_lines, utm_grid

LEGEND = Legend.eurosat()
RGB = ("B04", "B03", "B02")


class ByRed:
    """A network that takes an image for the class of its mean red reflectance in hundredths."""

    seen = 0

    def predict_on_batch(self, images):
        assert images.shape[1:] == (64, 64, 3) and not np.isnan(images).any()
        self.seen += len(images) // ORIENTATIONS
        place = (images[..., 0].mean(axis=(1, 2)) * 100).astype(int)
        return np.eye(10, dtype=np.float32)[np.clip(place, 0, 9)]


def by_red(network=None):
    return WholeImageClassifier(ImageClassifier("by-red", LEGEND, RGB, 64, network or ByRed()))


def image(red, rows=64, cols=64, grid=None):
    values = np.zeros((3, rows, cols), np.float32)
    values[0] = red
    return Image(values, RGB, grid)


@pytest.mark.parametrize("side", [10, 64, 65, 200])
def test_a_picture_of_any_size_gets_the_class_of_its_content(side):
    probabilities = by_red().probabilities([image(0.035, side, side)])
    assert probabilities.argmax() == 3 and probabilities.sum() == pytest.approx(1)


def test_a_placed_image_is_covered_by_squares_and_averaged():
    red = np.repeat([0.015, 0.045], 64)[None, :]
    probabilities = by_red().probabilities([image(red, 64, 128, utm_grid(64, 128))])[0]
    assert probabilities[1] == probabilities[4] == 0.5


def test_squares_weigh_as_much_as_is_valid_of_them():
    values = image(np.repeat([0.015, 0.045], 64)[None, :], 64, 128, utm_grid(64, 128)).values
    values[:, :, :64] = np.nan
    half_empty = Image(values, RGB, utm_grid(64, 128))
    assert by_red().probabilities([half_empty])[0, 4] == 1
    values[:, :16, :64] = [[[0.015]], [[0]], [[0]]]  # a quarter of the left square
    values[1, :, 96:] = np.nan  # one band of half of the right one
    probabilities = by_red().probabilities([half_empty])[0]
    assert probabilities[1] == pytest.approx(1 / 3) and probabilities[4] == pytest.approx(2 / 3)


@pytest.mark.parametrize("grid", [utm_grid(70, 130), None], ids=["placed", "picture"])
def test_an_image_without_a_valid_pixel_is_refused(grid):
    values = np.full((3, 70, 130), 0.1, np.float32)
    values[0, :, :80], values[1, :, 50:] = np.nan, np.nan
    with pytest.raises(LandcoverError, match="no pixel with all bands B04 B03 B02 valid"):
        by_red().probabilities([Image(values, RGB, grid)])


def grid_of(crs, width, height):
    west, north = {4326: (12, 50), 2263: (984_250, 200_000)}.get(crs, (12, 6_000_000))
    return Grid(CRS.from_epsg(crs), Affine(width, 0, west, 0, -height, north), 64, 64)


DEGREE_M = 40_030_000 / 360  # of latitude


@pytest.mark.parametrize(
    ("crs", "width", "height", "said"),
    [
        (32633, 10, 10, None),
        (32633, 5, 20, None),
        (32633, 30, 30, "pixels of 29.9 x 29.9 m"),
        (32633, 10, 60, "pixels of 9.97 x 59.8 m"),
        (32633, 1, 1, "pixels of 0.997 x 0.997 m"),
        (2263, 33, 33, None),  # US survey feet
        (2263, 10, 10, "pixels of 3.05 x 3.05 m"),
        (3857, 15.6, 15.6, None),
        (4326, 10 / DEGREE_M / np.cos(np.radians(50)), 10 / DEGREE_M, None),
        (4326, 30 / DEGREE_M, 30 / DEGREE_M, "pixels of 19.3 x 30 m"),
    ],
)
def test_squares_are_of_pixels_of_about_10_m(crs, width, height, said):
    placed = image(0.035, 64, 64, grid_of(crs, width, height))
    if said is None:
        assert by_red().probabilities([placed]).argmax() == 3
        return
    with pytest.raises(LandcoverError, match=rf"^the image has {said}.*5 to 20 m.*rio warp"):
        by_red().probabilities([placed])


def test_several_images_get_what_each_gets_alone():
    some = [image(0.015), image(0.075, 30, 90), image(0.045, 200, 130, utm_grid(200, 130))]
    together = by_red().probabilities(some)
    alone = [by_red().probabilities([one])[0] for one in some]
    assert np.array_equal(together, alone)


def test_bands_are_found_by_name():
    values = np.stack([np.zeros((64, 64)), np.zeros((64, 64)), np.full((64, 64), 0.055)])
    swapped = Image(values.astype(np.float32), ("B02", "B03", "B04"), None)
    assert by_red().probabilities([swapped]).argmax() == 5
    with pytest.raises(LandcoverError, match="needs B04 B03 too"):
        by_red().probabilities([Image(values[:1], ("B02",), None)])


def test_pixels_vote_for_their_image():
    class ByPixel(OfOneImage):
        name, legend, bands, radius = "pixel", Legend(LEGEND.classes[:2]), ("B04",), 1

        def predict_window(self, padded):
            inside = padded[0, 1:-1, 1:-1]
            return np.stack([inside < 0.1, inside >= 0.1]).astype(np.float32)

    values = np.full((1, 4, 4), 0.2, np.float32)
    values[0, 0] = 0.05
    values[0, 1] = np.nan
    one = Image(values, ("B04",), None)
    probabilities = PixelMeanClassifier(ByPixel()).probabilities([one])[0]
    assert probabilities == pytest.approx([4 / 12, 8 / 12])
    with pytest.raises(TimeoutError):
        PixelMeanClassifier(ByPixel()).probabilities([one], time.monotonic() - 1)


@pytest.mark.parametrize("batches", [0, 2])
def test_work_stops_between_batches_when_its_time_is_up(monkeypatch, batches):
    network = ByRed()
    clock = SimpleNamespace(monotonic=lambda: network.seen // 32)
    monkeypatch.setattr(whole_images, "time", clock)
    large = image(0.035, 640, 640, utm_grid(640, 640))
    with pytest.raises(TimeoutError):
        by_red(network).probabilities([large], batches - 1)
    assert network.seen == 32 * batches
    assert by_red(network).probabilities([large])[0, 3] == 1


def test_images_are_asked_for_a_batch_at_a_time():
    network, ahead = ByRed(), []

    def squares():
        for number in range(70):
            ahead.append(number - network.seen)
            yield np.full((64, 64, 3), number % 10 / 100 + 0.005, np.float32)

    probabilities = by_red(network).model.probabilities(squares())
    assert max(ahead) == 31
    np.testing.assert_array_equal(probabilities, np.eye(10)[np.arange(70) % 10])
    images = np.stack(list(squares()))
    np.testing.assert_array_equal(by_red().model.probabilities(images), probabilities)


@pytest.mark.parametrize("shape", [(1, 200_000), (200_000, 1)])
def test_a_thin_image_takes_little_beside_its_own_memory(shape):
    values = np.full((3, *shape), np.nan, np.float32)
    values.reshape(3, -1)[:, -6400:] = 0.035  # nodata costs no time, and took as much memory
    thin = Image(values, RGB, utm_grid(*shape))
    tracemalloc.start()
    try:
        probabilities = by_red().probabilities([thin])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert probabilities[0, 3] == 1
    assert peak < 60e6  # a batch in eight orientations is 12.6 MB


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with an untrained network: what it says is arbitrary, and always the same."""
    run = Run(tmp_path_factory.mktemp("run"))
    networks.seed_everything(3)
    network = networks.build_image_network("compact", 3, 10, [0.1] * 3, [0.03] * 3, 0.275)
    networks.save(network, cards.file_of(run.model("compact"), "image"))
    cards.write_card(
        run.model("compact"), "image", LEGEND, bands=list(RGB), features=[], segment_layers=[],
        patch_size=64,
    )  # fmt: skip
    return run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, level in (("dark.png", 40), ("light.jpg", 200)):
        noise = rng.integers(-30, 30, (64, 64, 3))
        Pillow.fromarray((level + noise).astype(np.uint8)).save(folder / name)
    return folder


def test_the_command_says_class_and_all_probabilities_in_a_line_an_image(run, pictures, capsys):
    paths = [str(pictures / "dark.png"), str(pictures / "light.jpg")]
    assert cli.main(["classify", *paths, "--run", str(run.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == paths
    for line in lines:
        said, *shares = line.partition(": ")[2].split()
        found = {name: float(p) for name, p in (share.split("=") for share in shares)}
        assert list(found) == list(LEGEND.names)
        assert max(found, key=found.get) == said
        assert sum(found.values()) == pytest.approx(1, abs=1e-3)


def test_machines_get_json_and_nothing_else(run, pictures, capsys):
    path = str(pictures / "light.jpg")
    before = sorted(run.path.rglob("*"))
    assert cli.main(["classify", path, "--run", str(run.path), "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    pixels = np.asarray(Pillow.open(path))
    expected = (
        models.load_model(run.model("compact"))
        .image_classifier()
        .probabilities(true_colour(pixels)[None])
    )
    assert list(found["probabilities"].values()) == pytest.approx(expected[0].tolist(), abs=1e-5)
    assert found["image"] == path and found["model"] == "compact"
    assert sorted(run.path.rglob("*")) == before


def test_a_bad_image_is_named_and_the_others_are_classified(run, pictures, tmp_path, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"hello")
    good = str(pictures / "dark.png")
    assert cli.main(["classify", str(bad), good, "--run", str(run.path)]) == 2
    out, err = capsys.readouterr()
    assert out.startswith(good)
    assert "bad.jpg" in next(line for line in error_lines(err) if line.startswith("error: "))
    lacking = tmp_path / "lacking.tif"
    raster_writer.write(
        lacking, np.full((1, 64, 64), 0.1, np.float32), utm_grid(64, 64), ["B08"], np.nan
    )
    assert cli.main(["classify", str(lacking), "--run", str(run.path)]) == 2
    assert f"error: {lacking}: the image has bands B08" in capsys.readouterr().err


def test_no_model_is_said_with_the_command_that_makes_one(tmp_path, pictures, capsys):
    assert cli.main(["classify", str(pictures / "dark.png"), "--run", str(tmp_path)]) == 2
    assert "experiments.eurosat_finetune" in capsys.readouterr().err


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Run(tmp_path_factory.mktemp("scene"))
    rng = np.random.default_rng(1)
    values = rng.uniform(0.02, 0.25, (4, 150, 200)).astype(np.float32)
    values[:, :32, :32] = np.nan
    raster_writer.write(
        scene.scene, values, utm_grid(150, 200), ["B02", "B03", "B04", "B08"], np.nan
    )
    return scene


def test_a_scene_is_mapped_by_patches_where_they_lie(run, scene):
    model = str(run.model("compact"))
    assert cli.main(["map", str(scene.path), "--model", model, "--stride", "32"]) == 0
    with (
        rasterio.open(scene.map("compact_patches")) as out,
        rasterio.open(scene.confidence("compact_patches")) as confidence,
        rasterio.open(scene.scene) as source,
    ):
        codes, sure, pixels = out.read(1), confidence.read(1), source.read([3, 2, 1])
        assert out.shape == (5, 7)
        assert out.transform.a == 320 and out.bounds.left == source.bounds.left
        assert out.bounds.top == source.bounds.top and out.crs == source.crs
    assert codes[0, 0] == 0 and sure[0, 0] == 255 and (codes > 0).sum() == 34
    network = models.load_model(run.model("compact")).image_classifier()
    for row, col in ((1, 2), (2, 3), (3, 4)):
        top, left = row * 32 - 16, col * 32 - 16
        chip = pixels[:, top : top + 64, left : left + 64].transpose(1, 2, 0)
        probabilities = network.probabilities(chip[None])[0]
        assert codes[row, col] == LEGEND.codes[probabilities.argmax()]
        assert sure[row, col] == pytest.approx(100 * probabilities.max(), abs=0.51)
    assert scene.map("compact_patches").with_suffix(".qml").exists()


def test_a_scene_of_other_pixels_is_not_mapped_by_patches(run, tmp_path, capsys):
    coarse = Run(tmp_path)
    values = np.full((3, 64, 64), 0.1, np.float32)
    raster_writer.write(coarse.scene, values, grid_of(32633, 20.5, 20.5), RGB, np.nan)
    model = str(run.model("compact"))
    assert cli.main(["map", str(coarse.path), "--model", model, "--stride", "32"]) == 2
    [line] = error_lines(capsys.readouterr().err)
    assert f"{coarse.scene} has pixels of 20.4 x 20.4 m" in line
    assert not coarse.map("compact_patches").exists()


def test_cells_cover_a_grid_from_its_corner():
    grid = utm_grid(100, 64)
    cells = cells_of(grid, 32)
    assert cells.shape == (4, 2)
    assert cells.bounds[0] == grid.bounds[0] and cells.bounds[3] == grid.bounds[3]


@pytest.mark.parametrize(
    ("stride", "said"), [(["--stride", "65"], "wider than the patch"), (["--stride", "0"], "range")]
)
def test_a_stride_that_leaves_gaps_is_refused(run, scene, capsys, stride, said):
    arguments = ["map", str(scene.path), "--model", str(run.model("compact")), *stride]
    try:
        code = cli.main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [["--products", "A.SAFE"], ["--verify", "9"], ["--probabilities", "--entropy"],
     ["--tile-px", "256"], ["--precision", "float32"], ["--scheduler", "tcp://localhost:1"]],
)  # fmt: skip
def test_options_of_maps_of_pixels_are_refused(run, scene, capsys, options):
    assert cli.main(["map", str(scene.path), "--model", str(run.model("compact")), *options]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert all(option in line for option in options if option.startswith("--"))
    assert "whole images" in line


def test_a_guest_does_not_replace_the_map_of_a_namesake(run, scene, capsys):
    own = scene.model("compact")
    shutil.copytree(run.model("compact"), own)
    try:
        assert cli.main(["map", str(scene.path), "--model", str(run.model("compact"))]) == 2
    finally:
        shutil.rmtree(own)
    (line,) = error_lines(capsys.readouterr().err)
    assert "a model compact of its own" in line


def test_the_newest_image_network_is_taken_and_a_path_is_a_model_too(run):
    by_default = image_model(run, None)
    assert by_default.name == image_model(Run("nowhere"), run.model("compact")).name
    with pytest.raises(LandcoverError, match="no model forest"):
        image_model(run, "forest")
