"""Aligned rasters as further bands of a scene."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from landcover.errors import InputError
from landcover.files import raster_writer
from landcover.files.open_rasters import OpenRasters
from landcover.grid import Grid, Window
from landcover.sources.stack import file_and_name, open_stack
from tests.conftest import utm_grid

GRID = utm_grid(30, 40)
WHOLE = Window(0, 0, 30, 40)


def write(path, values, grid=GRID, names=None, nodata=None):
    return raster_writer.write(path, values, grid, names or [""] * len(values), nodata)


def read(stack, window=WHOLE, grid=GRID):
    with OpenRasters() as files:
        return stack.on(grid)(files, window)


def test_embeddings_of_8_bits_keep_their_values_and_lose_their_nodata(tmp_path, rng):
    values = rng.integers(-127, 128, (64, 30, 40)).astype(np.int8)
    values[:, 3, 4:9] = -128
    names = [f"A{number:02d}" for number in range(64)]
    stack = open_stack(write(tmp_path / "emb.tif", values, names=names, nodata=-128))
    found = read(stack)
    assert stack.names == tuple(names) and found.dtype == np.float32
    np.testing.assert_array_equal(found, np.where(values == -128, np.nan, values))


def test_floats_with_a_scale_and_nodata_of_their_own(tmp_path, rng):
    values = rng.normal(size=(3, 30, 40)).astype(np.float32)
    values[1, 2, 3] = -9999
    values[2, 5, 6] = np.inf
    path = write(tmp_path / "emb.tif", values, nodata=-9999)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.scales, dataset.offsets = (1.0, 0.5, 1.0), (0.0, 2.0, 0.0)
    found = read(open_stack(path))
    expected = values.copy()
    expected[1] = values[1] * 0.5 + 2
    expected[1, 2, 3] = expected[2, 5, 6] = np.nan
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_names_by_descriptions_or_numbers(tmp_path):
    values = np.ones((2, 30, 40), np.float32)
    plain = write(tmp_path / "emb.tif", values)
    assert open_stack(plain).names == ("emb_1", "emb_2")
    assert open_stack(plain, "late").names == ("late_1", "late_2")
    said = write(tmp_path / "said.tif", values, names=["mean height (m)", "Band 2"])
    assert open_stack(said).names == ("mean_height_m", "said_2")
    assert open_stack(said, "late").names == ("late_mean_height_m", "late_2")
    odd = write(tmp_path / "a-b.tif", values, names=["late-spring", "2018"])
    assert open_stack(odd).names == ("late_spring", "a_b_2018")
    assert open_stack(odd, "x-y").names == ("x_y_late_spring", "x_y_2018")
    one = write(tmp_path / "wetness.tif", values[:1])
    assert open_stack(one).names == ("wetness",) and open_stack(one, "wet").names == ("wet",)


def test_bands_of_one_name_are_refused(tmp_path):
    path = write(tmp_path / "emb.tif", np.ones((2, 30, 40), np.float32), names=["a", "a"])
    with pytest.raises(InputError, match=r"emb.tif names several bands a;.*--description"):
        open_stack(path)


def test_the_name_after_a_file(tmp_path):
    odd = tmp_path / "a:b"
    odd.touch()
    assert file_and_name(f"{odd}") == (odd, None)
    assert file_and_name(f"{odd}:late") == (odd, "late")
    assert file_and_name("C:/data/emb.tif") == (Path("C:/data/emb.tif"), None)


@pytest.mark.parametrize(
    ("row", "col", "rows", "cols"), [(-5, -7, 50, 60), (4, 6, 10, 12), (-3, 20, 20, 60)]
)
def test_a_part_of_the_scene_or_more_than_it(tmp_path, rng, row, col, rows, cols):
    values = rng.normal(size=(2, rows, cols)).astype(np.float32)
    grid = GRID.crop(Window(row, col, rows, cols))
    found = read(open_stack(write(tmp_path / "emb.tif", values, grid)))
    expected = np.full((2, 200, 200), np.nan, np.float32)
    expected[:, 50 + row : 50 + row + rows, 50 + col : 50 + col + cols] = values
    np.testing.assert_array_equal(found, expected[:, 50:80, 50:90])
    part = Window(2, 5, 9, 30)
    np.testing.assert_array_equal(
        read(open_stack(tmp_path / "emb.tif"), part), found[:, *part.slices]
    )


def test_a_mask_hides_pixels(tmp_path):
    with rasterio.open(
        tmp_path / "emb.tif", "w", driver="GTiff", width=40, height=30, count=2, dtype="int16",
        crs=GRID.crs, transform=GRID.transform,
    ) as out:  # fmt: skip
        out.write(np.ones((2, 30, 40), np.int16))
        mask = np.full((30, 40), 255, np.uint8)
        mask[0] = 0
        out.write_mask(mask)
    found = read(open_stack(tmp_path / "emb.tif"))
    assert np.isnan(found[:, 0]).all() and (found[:, 1:] == 1).all()


OTHERS = {
    "pixels": (Affine(30, 0, 300_000, 0, -30, 5_800_000), 32633, r"its pixels are 30 x 30"),
    "corner": (Affine(10, 0, 300_004, 0, -10, 5_800_000), 32633, r"lies 0.40 pixels to the right"),
    "zone": (Affine(10, 0, 300_000, 0, -10, 5_800_000), 32632, r"it is in EPSG:32632"),
    "place": (Affine(10, 0, 400_000, 0, -10, 5_800_000), 32633, r"beside the scene"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_grid_is_refused_with_what_differs(tmp_path, other):
    transform, code, says = OTHERS[other]
    grid = Grid(CRS.from_epsg(code), transform, 30, 40)
    stack = open_stack(write(tmp_path / "emb.tif", np.ones((1, 30, 40), np.float32), grid))
    with pytest.raises(InputError, match=rf"emb.tif is not on the pixels.*{says}.*gdalwarp"):
        stack.on(GRID)


def test_the_remedy_works(tmp_path, rng):
    if shutil.which("gdalwarp") is None:
        pytest.skip("no gdalwarp on this machine")
    grid = Grid(CRS.from_epsg(32633), Affine(30, 0, 299_900, 0, -30, 5_800_100), 30, 40)
    values = rng.normal(size=(2, 30, 40)).astype(np.float32)
    path = write(tmp_path / "emb of 2023.tif", values, grid, ["A00", "A01"], np.nan)
    with pytest.raises(InputError) as refused:
        open_stack(path).on(GRID)
    command = shlex.split(str(refused.value).split("with: ")[1])
    subprocess.run([*command, "-q"], check=True, cwd=tmp_path)
    stack = open_stack(tmp_path / "NEW.tif")
    assert stack.names == ("A00", "A01")
    assert np.isfinite(read(stack)).all()
