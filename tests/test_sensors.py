from __future__ import annotations

import re

import numpy as np
import pytest

from landcover import sensors
from landcover.errors import InputError, LandcoverError
from landcover.files import rasters
from landcover.scene import features, mosaic
from landcover.sensors import LANDSAT, SENSORS, SENTINEL2, Sensor, SensorBand
from landcover.sources import band_files
from landcover.sources.tile import radiometry_warning
from tests.conftest import utm_grid
from tests.fixtures.sentinel2_files import write_bands

#: A sensor as somebody would add one: a row.
PLEIADES = Sensor(
    "pleiades",
    "Pleiades",
    (
        SensorBand("MS_B", "blue", 490, 2),
        SensorBand("MS_G", "green", 560, 2),
        SensorBand("MS_R", "red", 650, 2),
        SensorBand("MS_N", "nir", 840, 2),
    ),
    quantification=4000.0,
    offset=0.0,
    file_pattern=r"(MS_[BGRN])(?![A-Z0-9])",
    source="a test",
)


@pytest.fixture(params=[*SENSORS, PLEIADES.name])
def sensor(request, monkeypatch):
    """Every row of the table, and one more."""
    monkeypatch.setitem(SENSORS, PLEIADES.name, PLEIADES)
    return SENSORS[request.param]


def test_a_row_names_each_band_and_role_once_from_blue_to_infrared(sensor):
    roles = [band.role for band in sensor.bands]
    assert len(set(sensor.names)) == len(sensor.names) and len(set(roles)) == len(roles)
    assert sensors.roles_of(sensor.names) == dict(zip(roles, sensor.names, strict=True))
    wavelengths = [band.wavelength_nm for band in sensor.bands]
    assert wavelengths == sorted(wavelengths) and 400 < wavelengths[0] < wavelengths[-1] < 2500
    assert len(sensor.core) == 4 and set(sensor.core) <= set(sensor.surface_names)
    assert sensors.sensor_of(sensor.names) is sensor
    assert re.compile(sensor.file_pattern).groups == 1 and sensor.source


def test_a_row_knows_its_bands_by_names_of_files(sensor):
    for name in sensor.names:
        for text in (name, f"a_scene_20220601_{name}.tif", f"x_{name.lower()}_10m.jp2"):
            assert sensor.band_of(text) == name, text
    assert sensor.band_of("nothing.tif") is None
    assert sensor.band_of("_and_".join(sensor.names[:2])) is None


def test_files_of_a_row_become_a_scene_with_features(sensor, tmp_path):
    grid = utm_grid(60, 80)
    low, high = (0.05 * sensor.quantification - sensor.offset, 0.5 * sensor.quantification)
    paths, dn = write_bands(tmp_path, sensor.core, grid, int(low), int(high - sensor.offset))
    (tile,) = band_files.open_bands(paths[::-1], sensor=sensor.name)
    assert tile.sensor is sensor and tuple(tile.bands) == sensor.core
    scene = tmp_path / "scene.tif"
    mosaic.write_scene(scene, [tile], grid, None)
    reflectance = rasters.read(scene)
    expected = (dn.astype(float) + sensor.offset) / sensor.quantification
    np.testing.assert_allclose(reflectance, expected, rtol=1e-5, atol=1e-6)
    ndvi = features.compute_features(reflectance, rasters.band_names(scene), ["ndvi"])[0]
    red, nir = expected[2], expected[3]
    np.testing.assert_allclose(ndvi, np.clip((nir - red) / (nir + red), -1, 1), atol=1e-5)
    assert radiometry_warning(tile) is None or sensor is not LANDSAT


def test_landsat_by_its_published_scale(tmp_path):
    """Reflectance is 0.0000275 DN - 0.2, by USGS; 7273 is the first that is not negative."""
    names = [f"LC08_L2SP_193024_20220601_20220614_02_T1_{band}" for band in LANDSAT.core]
    paths, _ = write_bands(tmp_path, names, low=7273, high=7274)
    (tile,) = band_files.open_bands(paths, sensor="landsat-8-9")
    mosaic.write_scene(tmp_path / "scene.tif", [tile], tile.grid, None)
    np.testing.assert_allclose(
        rasters.read(tmp_path / "scene.tif"), 7273 * 0.0000275 - 0.2, atol=1e-6
    )


def test_an_unknown_sensor_and_a_missing_band_are_refused(tmp_path):
    paths, _ = write_bands(tmp_path, LANDSAT.core[:3])
    with pytest.raises(LandcoverError, match="no sensor 'spot'; choose among sentinel-2, landsat"):
        band_files.open_bands(paths, sensor="spot")
    with pytest.raises(LandcoverError, match=r"band SR_B5 is missing .* near-infrared SR_B5 are"):
        band_files.open_bands(paths, sensor="landsat-8-9")


def test_what_is_known_of_sentinel_2():
    assert sensors.CORE_BANDS == ("B02", "B03", "B04", "B08")
    assert sensors.TRUE_COLOUR_BANDS == ("B04", "B03", "B02")
    assert sensors.EUROSAT_BANDS[7:] == ("B08", "B09", "B10", "B11", "B12", "B8A")
    assert SENTINEL2.names[8:11] == ("B8A", "B09", "B10")  # band ids of the product's XML
    assert set(SENTINEL2.names) - set(SENTINEL2.surface_names) == {"B10"}
    pixels = {band.name: band.pixel_m for band in SENTINEL2.bands}
    assert {name for name, px in pixels.items() if px == 10} == set(sensors.CORE_BANDS)
    assert {name for name, px in pixels.items() if px == 60} == {"B01", "B09", "B10"}


def test_bands_without_a_sensor_have_no_role():
    assert sensors.roles_of(["elevation", "B08"]) == {"nir": "B08"}
    assert sensors.sensor_of(["elevation"]) is SENTINEL2


#: Bands of Harmonized Landsat Sentinel-2 from Landsat: names of Sentinel-2, other roles.
HLS = Sensor(
    "hls-l30",
    "HLS L30",
    (
        SensorBand("B02", "blue", 482, 30),
        SensorBand("B03", "green", 561, 30),
        SensorBand("B04", "red", 655, 30),
        SensorBand("B05", "nir", 865, 30),
        SensorBand("B06", "swir16", 1609, 30),
        SensorBand("B07", "swir22", 2201, 30),
    ),
    quantification=10_000.0,
    offset=0.0,
    file_pattern=r"(?<![A-Z0-9])(B0[2-7])(?![A-Z0-9])",
    source="a test",
)


@pytest.mark.parametrize("first", [True, False])
def test_sensors_that_share_names_of_bands_keep_their_roles(first, monkeypatch):
    rows = (HLS, *SENSORS.values()) if first else (*SENSORS.values(), HLS)
    monkeypatch.setattr(sensors, "SENSORS", {row.name: row for row in rows})
    roles = {band.name: band.role for band in SENTINEL2.bands}
    for bands in (SENTINEL2.names, SENTINEL2.surface_names, SENTINEL2.core, SENTINEL2.names[1:8]):
        assert sensors.sensor_of(bands) is SENTINEL2
        assert sensors.roles_of(bands) == {roles[name]: name for name in bands}
    assert sensors.sensor_of(HLS.names) is HLS
    assert sensors.roles_of(HLS.names) == {band.role: band.name for band in HLS.bands}
    assert sensors.roles_of(["B02", "B03", "B04", "B05"])["nir"] == "B05"
    ndvi = features.compute_features(np.array([[0.1], [0.3]]), ["B04", "B08"], ["ndvi"])
    np.testing.assert_allclose(ndvi, [[0.5]], rtol=1e-6)


def test_bands_of_two_sensors_with_one_role_are_refused():
    with pytest.raises(InputError, match="bands B04 and SR_B4 are both red; keep the bands of one"):
        sensors.roles_of(["B02", "B03", "B04", "SR_B4"])


def test_true_colour_of_any_sensor_or_none():
    assert sensors.true_colour_bands(["SR_B2", "SR_B3", "SR_B4"]) == ("SR_B4", "SR_B3", "SR_B2")
    assert sensors.true_colour_bands(["B04", "B08"]) == ()
