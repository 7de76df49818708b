"""Elevation rasters on the grid of a scene."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from landcover.errors import InputError
from landcover.files import raster_writer
from landcover.files.open_rasters import OpenRasters
from landcover.grid import Grid, Window
from landcover.sources.elevation import open_elevation
from tests.conftest import utm_grid

WHOLE = Window(0, 0, 40, 50)


def coarse_grid(pixel=30, west=299_700.0, north=5_800_300.0):
    return Grid(CRS.from_epsg(32633), Affine(pixel, 0, west, 0, -pixel, north), 40, 45)


def plane(grid):
    """Elevations that rise to the north-east, at the middles of pixels."""
    x, y = grid.xy(*np.mgrid[0 : grid.rows, 0 : grid.cols])
    return 200 + 0.1 * (x - 300_000) + 0.05 * (y - 5_799_600)


def write_dem(path, grid, values, dtype=np.float32, nodata=None):
    return raster_writer.write(path, values.astype(dtype), grid, ["Band 1"], nodata)


def read(layer, grid, window=WHOLE):
    with OpenRasters() as files:
        return layer.on(grid)(files, window)[0]


def test_a_plane_stays_a_plane_whatever_the_pixels(tmp_path):
    grid = utm_grid(40, 50)
    dem = write_dem(tmp_path / "dem.tif", coarse_grid(), plane(coarse_grid()))
    layer = open_elevation([dem])
    np.testing.assert_allclose(read(layer, grid), plane(grid), atol=1e-3)
    part = Window(7, 30, 11, 12)
    np.testing.assert_array_equal(read(layer, grid, part), read(layer, grid)[part.slices])
    assert layer.names == ("elevation",)


def test_it_comes_from_degrees(tmp_path):
    from pyproj import Transformer

    grid = utm_grid(40, 50)
    to_degrees = Transformer.from_crs(32633, 4326, always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(*grid.bounds)
    step = 2.5e-4
    of = Grid(
        CRS.from_epsg(4326), Affine(step, 0, west - 0.002, 0, -step, north + 0.002),
        int((north - south) / step) + 20, int((east - west) / step) + 20,
    )  # fmt: skip
    lon, lat = of.xy(*np.mgrid[0 : of.rows, 0 : of.cols])
    x, y = to_degrees.transform(lon, lat, direction="INVERSE")
    values = 200 + 0.1 * (x - 300_000) + 0.05 * (y - 5_799_600)
    found = read(open_elevation([write_dem(tmp_path / "dem.tif", of, values)]), grid)
    np.testing.assert_allclose(found, plane(grid), atol=0.05)


def test_nodata_and_scale_are_those_of_the_file(tmp_path):
    grid = utm_grid(40, 50)
    values = np.full((40, 50), 1234)
    values[:, :10] = -32768
    path = write_dem(tmp_path / "dem.tif", grid, values, np.int16, -32768)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.scales, dataset.offsets = (0.1,), (5.0,)
    found = read(open_elevation([path]), grid)
    assert np.isnan(found[:, :10]).all()
    np.testing.assert_allclose(found[:, 10:], 128.4, atol=1e-3)


def test_sea_level_is_an_elevation(tmp_path):
    grid = utm_grid(40, 50)
    path = write_dem(tmp_path / "dem.tif", grid, np.zeros((40, 50)), np.int16)
    assert not read(open_elevation([path]), grid).any()


def test_the_first_raster_with_a_value_counts(tmp_path):
    grid = utm_grid(40, 50)
    west = np.where(np.arange(50) < 20, 100.0, np.nan) + np.zeros((40, 50))
    paths = [
        write_dem(tmp_path / "west.tif", grid, west, nodata=np.nan),
        write_dem(tmp_path / "all.tif", grid, np.full((40, 50), 300.0)),
    ]
    found = read(open_elevation(paths), grid)
    np.testing.assert_array_equal(found, np.where(np.arange(50) < 20, 100, 300) * np.ones((40, 1)))


def test_elsewhere_is_refused(tmp_path):
    dem = write_dem(tmp_path / "dem.tif", coarse_grid(west=400_000.0), np.zeros((40, 45)))
    with pytest.raises(InputError, match=r"dem.tif does not overlap the scene"):
        open_elevation([dem]).on(utm_grid(40, 50))


def test_an_undeclared_nodata_value_is_refused(tmp_path):
    grid = utm_grid(40, 50)
    values = np.full((40, 50), 300.0)
    values[5:9] = -9999
    dem = write_dem(tmp_path / "dem.tif", grid, values)
    with pytest.raises(InputError, match=r"holds -9999 as elevation.*edit-info --nodata -9999"):
        read(open_elevation([dem]), grid)


def test_no_crs_is_refused(tmp_path):
    with rasterio.open(
        tmp_path / "dem.tif", "w", driver="GTiff", width=5, height=4, count=1, dtype="float32",
        transform=Affine(10, 0, 0, 0, -10, 0),
    ) as out:  # fmt: skip
        out.write(np.ones((1, 4, 5), np.float32))
    with pytest.raises(InputError, match=r"dem.tif: the raster has no CRS"):
        open_elevation([tmp_path / "dem.tif"])


def test_of_several_bands_the_one_that_says_elevation(tmp_path):
    grid = utm_grid(40, 50)
    both = np.stack([np.zeros((40, 50)), np.full((40, 50), 70.0)]).astype(np.float32)
    named = raster_writer.write(tmp_path / "named.tif", both, grid, ["slope", "DSM of 2020"])
    assert (read(open_elevation([named]), grid) == 70).all()
    unnamed = raster_writer.write(tmp_path / "unnamed.tif", both, grid, ["a", "b"])
    with pytest.raises(InputError, match=r"2 bands \(a, b\), and none of them says"):
        open_elevation([unnamed])


def test_feet_are_refused(tmp_path):
    grid = utm_grid(40, 50)
    path = write_dem(tmp_path / "dem.tif", grid, np.ones((40, 50)))
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.units = ("ft",)
    with pytest.raises(InputError, match="elevations in ft"):
        open_elevation([path])


def test_eight_bits_are_said(tmp_path):
    path = write_dem(tmp_path / "dem.tif", utm_grid(40, 50), np.ones((40, 50)), np.uint8)
    assert open_elevation([path]).notes == (
        f"{path}: its 8-bit numbers are taken for elevations, 1 m each",
    )
