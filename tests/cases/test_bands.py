"""What is read of bands: values of the scene, and of the map that is made of it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import rasterio
import rasterio.shutil

import landcover as lc
from landcover.errors import InputError
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, loose, tif
from tests.fixtures.drawn_land import (
    band_and_label_files,
    declare,
    forest_map,
    grid_codes,
    numbers,
    squares,
)

TRUTH = squares()
DN = numbers(TRUTH)
GRID = utm_grid(*TRUTH.shape)
SCENE = (DN / 10_000).astype(np.float32)


def assert_scene(run: lc.Run, expected: np.ndarray) -> None:
    """Equal to the last bit of float32 that division leaves open, and without data alike."""
    np.testing.assert_allclose(lc.read(run.scene), expected, rtol=1e-6, atol=1e-8)


def spots() -> np.ndarray:
    """A few pixels in three places."""
    spots = np.zeros(TRUTH.shape, bool)
    spots[50:55, 50:56] = spots[15:19, 90:100] = spots[100:106, 30:40] = True
    return spots


def test_a_plain_product_becomes_its_map(tmp_path):
    bands, labels = band_and_label_files(tmp_path, TRUTH)
    run = lc.prepare(tmp_path / "run", bands, labels)
    assert_scene(run, SCENE)
    np.testing.assert_array_equal(lc.read(run.labels)[0], TRUTH)
    np.testing.assert_array_equal(forest_map(run), TRUTH)


def test_each_band_of_a_vrt_has_its_own_nodata(tmp_path):
    """As of the same files one by one; the path has blanks and letters beyond ASCII."""
    folder = tmp_path / "Szene Müggelsee 2022 (Kopie)"
    nodata, dn = (0, 0, 0, 65_535), DN.copy()
    for band, value in enumerate(nodata):
        dn[band, :, 100:] = value
    dn[3, 10:30, 10:30] = 65_535
    files = [
        tif(folder / f"{name}.tif", pixels[None], nodata=value, grid=GRID)
        for name, pixels, value in zip(CORE, dn, nodata, strict=True)
    ]
    place = ", ".join(map(repr, GRID.transform.to_gdal()))
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{number}"><Description>{name}</Description>'
        f"<NoDataValue>{value}</NoDataValue><ComplexSource><SourceFilename relativeToVRT="
        f'"1">{name}.tif</SourceFilename><SourceBand>1</SourceBand><NODATA>{value}</NODATA>'
        "</ComplexSource></VRTRasterBand>"
        for number, (name, value) in enumerate(zip(CORE, nodata, strict=True), start=1)
    )
    (folder / "stack.vrt").write_text(
        f'<VRTDataset rasterXSize="{GRID.cols}" rasterYSize="{GRID.rows}"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>{place}</GeoTransform>{bands}</VRTDataset>"
    )
    expected = SCENE.copy()
    expected[:, :, 100:] = expected[3, 10:30, 10:30] = np.nan
    assert_scene(lc.prepare(tmp_path / "a", folder / "stack.vrt"), expected)
    assert_scene(lc.prepare(tmp_path / "b", files), expected)


def test_a_container_beside_band_files_is_not_dropped(tmp_path):
    bands, _ = band_and_label_files(tmp_path, TRUTH)
    with h5py.File(tmp_path / "patch.h5", "w") as out:
        for name, pixels in zip(CORE, DN, strict=True):
            out[name] = pixels
    for given in ({"bands": [*bands, tmp_path / "patch.h5"]},
                  {"bands": bands, "labels": tmp_path / "patch.h5"}):  # fmt: skip
        with pytest.raises(InputError, match=r"patch.h5 holds 4 rasters .* HDF5:.*//B02, HDF5:"):
            lc.prepare(tmp_path / "run", **given)


def test_variables_of_a_netcdf_are_bands_by_the_names_given(tmp_path):
    stack = tif(tmp_path / "s.tif", DN.astype(np.int16), CORE, grid=GRID)
    rasterio.shutil.copy(stack, tmp_path / "cube.nc", driver="netCDF", FORMAT="NC4")
    names = [f"netcdf:{tmp_path / 'cube.nc'}:Band{number}" for number in (4, 1, 2, 3)]
    tiles = lc.open_bands(names, band_names=["B08", "B02", "B03", "B04"])
    assert_scene(lc.prepare(tmp_path / "run", tiles), SCENE)


@pytest.mark.parametrize("text", ["-9999", "nan", "65536"])
def test_a_nodata_value_that_the_type_cannot_hold_is_none(tmp_path, text):
    bands, _ = band_and_label_files(tmp_path, TRUTH)
    declare(bands, text)
    assert_scene(lc.prepare(tmp_path / "run", bands), SCENE)


def test_negative_reflectance_over_water_is_kept_beside_a_declared_fill(tmp_path):
    dn, expected = DN.astype(np.int16), SCENE.copy()
    dn[3, TRUTH == 512] -= 180
    expected = (dn / 10_000).astype(np.float32)
    assert (dn[3] < 0).sum() > 100 and (dn == 0).any()
    dn[:, :, :40], expected[:, :, :40] = -10_000, np.nan
    bands = loose(tmp_path, CORE, dn, nodata=-10_000, grid=GRID)
    assert_scene(lc.prepare(tmp_path / "run", bands), expected)


def test_the_least_number_of_a_type_is_found_as_fill(tmp_path):
    dn = DN.astype(np.int16)
    dn[:, spots()] = -32_768
    bands = loose(tmp_path, CORE, dn, grid=GRID)
    with pytest.raises(InputError, match=r"130 of them -32768 .* declare it with nodata=-32768"):
        lc.prepare(tmp_path / "run", bands)
    assert not (tmp_path / "run").exists()


def test_a_map_is_right_beside_fill_that_was_declared(tmp_path):
    """Fill pixels of a thousandth of the scene made scaling, and so networks, worthless."""
    dn, empty = DN.astype(np.float32), spots()
    dn[:, empty] = np.finfo(np.float32).min
    _, labels = band_and_label_files(tmp_path / "labels", TRUTH)
    bands = loose(tmp_path, CORE, dn, grid=GRID)
    with pytest.raises(InputError, match="nodata value that the file does not declare") as caught:
        lc.prepare(tmp_path / "run", bands, labels)
    declared = float(str(caught.value).rpartition("nodata=")[2])
    run = lc.prepare(tmp_path / "run", lc.open_bands(bands, nodata=[declared]), labels)
    np.testing.assert_array_equal(forest_map(run), np.where(empty, 0, TRUTH))


def test_water_that_is_0_is_mapped_where_nan_is_nodata(tmp_path):
    water, image = TRUTH == 512, SCENE.copy()
    image[3][water & (np.random.default_rng(5).random(TRUTH.shape) < 0.6)] = 0
    labels = tif(tmp_path / "clc.tif", grid_codes(TRUTH)[None], nodata=0, grid=GRID)
    run = lc.prepare(
        tmp_path / "run", loose(tmp_path, CORE, image, nodata=np.nan, grid=GRID), labels
    )
    assert_scene(run, image)
    np.testing.assert_array_equal(forest_map(run) == 512, water)


def test_the_added_1000_is_found_below_negative_water(tmp_path):
    image = SCENE.copy()
    image[2:, TRUTH == 512] = -0.012
    dn = np.rint(image * 10_000 + 1000).astype(np.uint16)
    assert dn.min() == 880
    bands = loose(tmp_path, CORE, dn, nodata=0, grid=GRID)
    with pytest.warns(UserWarning, match="darkest digital numbers are 880.* pass offset=-1000"):
        lc.prepare(tmp_path / "left", bands)
    assert_scene(lc.prepare(tmp_path / "told", lc.open_bands(bands, offset=-1000)), image)


def test_zeros_in_place_of_an_end_are_said(tmp_path):
    """Nothing tells them from nodata, but that the other bands have data there."""
    bands, _ = band_and_label_files(tmp_path, TRUTH)
    content = bands[3].read_bytes()
    half = len(content) // 2
    bands[3].write_bytes(content[:half] + bytes(len(content) - half))
    run = lc.prepare(tmp_path / "run", bands)
    empty = np.isnan(lc.read(run.scene))
    assert not empty[:3].any() and 0.4 < empty[3].mean() < 0.6
    assert_scene(run, np.where(empty, np.nan, SCENE))
    (note,) = json.loads(run.manifest.read_text())["stages"]["prep"]["notes"]
    assert f"{empty[3].sum():,} pixels have no data in B08 and data in all other bands" in note
