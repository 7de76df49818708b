"""What the public functions refuse of their arguments, in one line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window as RasterioWindow

import landcover as lc
from landcover.stages.map import map_scene
from tests.conftest import utm_grid


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return lc.write(
        tmp_path / "scene.tif", np.ones((2, 6, 7), "float32"), utm_grid(6, 7), list("ab")
    )


CODES = np.array([1, 1, 2, 2])
UTM = CRS.from_epsg(32633)

CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "scale": (lambda: lc.segment("runs/none", scale=-1), "scale -1 is out of range"),
    "levels": (lambda: lc.segment("runs/none", levels=4), "levels 4 are not ascending"),
    "sampling seed": (lambda: lc.sample("runs/none", seed=-1), "seed -1 is out of range"),
    "no seed": (lambda: lc.sample("runs/none", seed=None), "seed None is out of range"),
    "samples": (lambda: lc.sample("runs/none", samples=0.5), "samples 0.5 is out of range"),
    "block": (lambda: lc.sample("runs/none", block_px=8.5), "block_px 8.5 is out of range"),
    "epochs": (lambda: lc.train("runs/none", "cnn", epochs=0), "epochs 0 is out of range"),
    "leaves": (lambda: lc.train("runs/none", leaf_sizes=[0]), "leaf_sizes 0 is out of range"),
    "precision": (
        lambda: map_scene(lc.Run("runs/none"), "knn", precision="float16"),
        "precision .*float16",
    ),
    "tile": (lambda: map_scene(lc.Run("runs/none"), "knn", tile_px=10.5), "tile_px 10.5 is out of"),
    "resamples": (lambda: lc.score(CODES, CODES, resamples=-1), "resamples -1 is out of range"),
    "window": (lambda: lc.Window(0, 0, 5.5, 5), "rows 5.5 is out of range; give a whole number"),
    "negative window": (lambda: lc.Window(0, 0, -5, 5), "a window of -5 x 5 pixels is none"),
    "crs": (lambda: lc.Grid("EPSG:32633", None, 3, 4), "crs 'EPSG:32633' is no CRS; give one of"),
    "transform": (lambda: lc.Grid(UTM, None, 3, 4), "transform None is no affine.Affine; give"),
    "rows": (lambda: lc.Grid(UTM, Affine(1, 0, 0, 0, -1, 0), 1.5, 4), "rows 1.5 is out of range"),
}


@pytest.mark.parametrize(("call", "said"), CALLS.values(), ids=CALLS)
def test_a_wrong_argument_is_one_line(call, said):
    with pytest.raises(lc.InputError, match=f"^{said}") as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"window": (0, 0, 5, 5)}, r"window \(0, 0, 5, 5\) is none; give Window"),
        ({"window": RasterioWindow(0, 0, 5, 5)}, "window .* is none; give Window"),
        ({"bands": []}, "bands is empty"),
    ],
)
def test_a_wrong_part_of_a_raster_is_one_line(scene, arguments, said):
    with pytest.raises(lc.InputError, match=said):
        lc.read(scene, **arguments)


def test_a_band_is_read_by_its_number_alone(scene):
    assert lc.read(scene, bands=1).shape == (1, 6, 7)


def test_a_string_names_one_band(tmp_path):
    path = lc.write(tmp_path / "one.tif", np.ones((6, 7), "float32"), utm_grid(6, 7), "abcd")
    assert lc.read(path, bands="abcd").shape == (1, 6, 7)
    with pytest.raises(
        lc.InputError, match=r"pixels have 4 band\(s\), and band_names names 1; giv"
    ):
        lc.write(tmp_path / "four.tif", np.ones((4, 6, 7), "float32"), utm_grid(6, 7), "abcd")


def test_where_a_change_goes_is_said_by_name():
    with pytest.raises(TypeError, match="positional"):
        lc.find_change("runs/a", "runs/b", "random-forest")
