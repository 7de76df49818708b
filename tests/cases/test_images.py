"""Single images: one chip in every packing gives one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

import landcover as lc
from landcover.errors import InputError
from landcover.grid import Grid
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, tif
from tests.fixtures.drawn_land import numbers, squares

DN = numbers(squares(64, 64, 16))
GRID = utm_grid(64, 64)
REFLECTANCE = (DN / 10_000).astype(np.float32)


def tags(scale: float, offset: float = 0.0) -> dict[str, list[float]]:
    return {"scales": [scale] * 4, "offsets": [offset] * 4}


PACKINGS = {
    "numbers": (DN, CORE, {}),
    "offset in tags": (DN + 1000, CORE, {"tags": tags(1e-4, -0.1)}),
    "reflectance": (REFLECTANCE, CORE, {}),
    "floats of numbers": (DN.astype(np.float32), CORE, {}),
    "floats of numbers with tags": (DN.astype(np.float32), CORE, {"tags": tags(1e-4)}),
    "colours": (DN, ("blue", "green", "red", "nir"), {}),
    "Earth Engine": (DN, ("B2", "B3", "B4", "B8"), {"nodata": 0}),
    "four bytes": (DN.astype(np.int32), CORE, {}),
    "degrees": (
        DN, CORE,
        {"grid": Grid(CRS.from_epsg(4326), Affine(9e-5, 0, 13.5, 0, -9e-5, 52.3), 64, 64)},
    ),
    "web mercator": (
        DN, CORE,
        {"grid": Grid(CRS.from_epsg(3857), Affine(16.4, 0, 1.5e6, 0, -16.4, 6.9e6), 64, 64)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PACKINGS)
def test_every_packing_of_a_chip_is_one_image(tmp_path, name):
    pixels, said, how = PACKINGS[name]
    image = lc.read_image(tif(tmp_path / "a.tif", pixels, said, **({"grid": GRID} | how)))
    assert image.bands == CORE
    np.testing.assert_allclose(image.values, REFLECTANCE, rtol=1e-5, atol=2e-7)


def test_what_is_masked_is_no_data(tmp_path):
    dn, mask = DN.copy(), np.full(GRID.shape, 255, np.uint8)
    dn[:, :, 32:], mask[:, 32:] = 9000, 0
    path = tif(tmp_path / "a.tif", dn, CORE, grid=GRID)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as out:
        out.write_mask(mask)
    values = lc.read_image(path).values
    np.testing.assert_allclose(values[:, :, :32], REFLECTANCE[:, :, :32], rtol=1e-6)
    assert np.isnan(values[:, :, 32:]).all()


def test_an_image_that_is_not_north_up_has_values_and_no_place(tmp_path):
    path = tif(tmp_path / "a.tif", DN, CORE, grid=GRID)
    with rasterio.open(path, "r+") as out:
        out.transform = Affine(10, 0, 300_000, 0, 10, 5_799_360)
    image = lc.read_image(path)
    assert image.grid is None
    np.testing.assert_allclose(image.values, REFLECTANCE, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_13_bands_of_another_type_than_eurosat_s_are_not_taken_for_its(tmp_path, dtype):
    pixels = np.resize(DN, (13, *GRID.shape)).astype(dtype)
    with pytest.raises(InputError, match=rf"13 bands of {dtype} \(unnamed.*nothing says what"):
        lc.read_image(tif(Path(tmp_path) / "a.tif", pixels, grid=GRID))
