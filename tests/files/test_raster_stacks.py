"""Rasters stacked by a VRT, read as one."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from landcover.errors import InputError, MissingProduct
from landcover.files import rasters
from landcover.files.raster_stacks import write_stack
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window

UTM = Grid(CRS.from_epsg(32633), Affine(10, 0, 399960.0, 0, -10, 5800020.0), 530, 610)
BANDS = ("B02", "B08")


def dates(folder, grid=UTM):
    """A stack of three dates of two bands beside their folder; its path, and its pixels."""
    rng = np.random.default_rng(7)
    pixels = rng.random((3, 2, *grid.shape)).astype(np.float32)
    pixels[1, :, :40, :50] = np.nan
    files = {}
    for number, image in enumerate(pixels):
        path = folder / "dates" / f"2022-0{number + 4}-15.tif"
        with RasterWriter(path, grid, np.float32, BANDS, nodata=np.nan) as out:
            out.write(image)
        files[path] = [f"{path.stem}:{band}" for band in BANDS]
    return write_stack(folder / "dates.vrt", files), pixels


@pytest.fixture(scope="module")
def stacked(tmp_path_factory):
    return dates(tmp_path_factory.mktemp("run"))


def test_a_stack_holds_the_bands_of_all_files(stacked):
    path, pixels = stacked
    assert rasters.band_names(path)[:3] == ("2022-04-15:B02", "2022-04-15:B08", "2022-05-15:B02")
    assert rasters.grid_of(path) == UTM
    np.testing.assert_array_equal(rasters.read(path), pixels.reshape(6, *UTM.shape))


def test_a_window_over_the_edge_is_nan_outside(stacked):
    path, pixels = stacked
    held = rasters.read(path, Window(-3, 600, 10, 20), ["2022-06-15:B08", "2022-05-15:B02"])
    assert held.dtype == np.float32
    assert np.isnan(held[:, :3]).all()
    assert np.isnan(held[:, :, 10:]).all()
    np.testing.assert_array_equal(held[0, 3:, :10], pixels[2, 1, :7, 600:])
    np.testing.assert_array_equal(held[1, 3:, :10], pixels[1, 0, :7, 600:])


@pytest.mark.parametrize("max_px", [305, 100, 37])
def test_a_thinned_stack_is_that_of_its_files(stacked, max_px):
    path, _ = stacked
    thin = rasters.read_small(path, max_px)
    for number, file in enumerate(sorted(path.with_suffix("").glob("*.tif"))):
        part = thin[2 * number : 2 * number + 2]
        alone = rasters.read_small(file, max_px)
        np.testing.assert_array_equal(np.isnan(part), np.isnan(alone))
        # GDAL may thin from another overview, so noise comes out a little different
        np.testing.assert_allclose(part, alone, atol=0.1)
    assert np.isnan(thin[2]).any()
    assert not np.isnan(thin[0]).any()


def test_a_stack_can_be_moved_and_named_from_anywhere(tmp_path, monkeypatch):
    _, pixels = dates(tmp_path / "earlier")
    (tmp_path / "earlier").rename(tmp_path / "later")
    held = rasters.read(tmp_path / "later" / "dates.vrt")
    np.testing.assert_array_equal(held, pixels.reshape(held.shape))
    (tmp_path / "later" / "here").mkdir()
    monkeypatch.chdir(tmp_path / "later" / "here")
    np.testing.assert_array_equal(rasters.read("../dates.vrt"), held)


@pytest.mark.parametrize("crs", [3035, 27700, 4326, "+proj=laea +lat_0=47 +lon_0=11 +units=m"])
def test_any_grid_is_kept(tmp_path, crs):
    crs = CRS.from_user_input(crs)
    pixel = 1e-4 if crs.is_geographic else 10.0
    grid = Grid(crs, Affine(pixel, 0, 12.3, 0, -pixel / 3, 47.1), 20, 30)
    path, pixels = dates(tmp_path, grid)
    assert rasters.grid_of(path) == rasters.grid_of(path.with_suffix("") / "2022-04-15.tif")
    np.testing.assert_array_equal(rasters.read(path), pixels.reshape(6, 20, 30))


def test_a_missing_file_of_a_stack_is_named(tmp_path):
    path, _ = dates(tmp_path)
    (tmp_path / "dates" / "2022-05-15.tif").unlink()
    with pytest.raises(MissingProduct, match=r"is made of .*2022-05-15\.tif, which does not exist"):
        rasters.read(path)


def test_files_of_two_grids_or_other_bands_are_refused(tmp_path):
    path, _ = dates(tmp_path)
    other = tmp_path / "other.tif"
    moved = Grid(UTM.crs, UTM.transform @ Affine.translation(1, 0), *UTM.shape)
    with RasterWriter(other, moved, np.float32, ["B02"], nodata=np.nan) as out:
        out.write(np.zeros((1, *UTM.shape)))
    first = tmp_path / "dates" / "2022-04-15.tif"
    with pytest.raises(InputError, match=r"other\.tif is not on the grid of .*2022-04-15\.tif"):
        write_stack(path, {first: ["a", "b"], other: ["c"]})
    with pytest.raises(InputError, match="has 2 bands and got 1 names"):
        write_stack(path, {first: ["a"]})
