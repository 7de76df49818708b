"""STAC items as catalogues write them, with small files beside them."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine

import landcover as lc
from landcover.errors import InputError, MissingProduct
from landcover.files import raster_writer, rasters
from landcover.grid import Grid
from landcover.sources.tile import reflectance
from tests.conftest import utm_grid
from tests.fixtures.band_files import DN, tif
from tests.fixtures.sentinel2_files import CORE, write_bands
from tests.fixtures.stac_items import COMMON, new_assets, old_assets, write_item


@pytest.fixture
def files(tmp_path):
    """The four files with +1000, and their digital numbers."""
    return write_bands(tmp_path, low=1050, high=4000)[1]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_an_item_gives_the_reflectance_that_it_says(tmp_path, files, version):
    assets = old_assets() if version == "1.0.0" else new_assets()
    path = write_item(tmp_path, assets, version, **{"s2:processing_baseline": "04.00"})
    tile = lc.open_stac(path)
    assert tuple(tile.bands) == CORE and tile.acquired == "2022-06-01T10:00:31Z"
    for band, dn in zip(tile.bands.values(), files, strict=True):
        assert (band.quantification, band.offset) == (10_000, -1000)
        read = rasters.read(band.path, bands=[band.number])[0]
        np.testing.assert_allclose(reflectance(read, band), dn * 0.0001 - 0.1, atol=1e-6)


def test_a_stack_is_read_by_its_bands(tmp_path):
    grid = utm_grid(60, 80)
    dn = np.random.default_rng(0).integers(60, 4000, (4, *grid.shape)).astype(np.uint16)
    raster_writer.write(tmp_path / "stack.tif", dn, grid, [""] * 4, nodata=0)
    names = ("B08", "B04", "B03", "B02")
    told = {"href": "stack.tif", "bands": [{"name": name} for name in names]}
    tile = lc.open_stac(write_item(tmp_path, {"all": told}, "1.1.0"))
    assert [tile.bands[name].number for name in names] == [1, 2, 3, 4]
    assert {(band.quantification, band.offset) for band in tile.bands.values()} == {(10_000, 0)}


def test_pictures_and_other_resolutions_are_passed_over(tmp_path, files):
    picture = [{"name": name, "common_name": COMMON[name]} for name in ("B04", "B03", "B02")]
    assets = {"visual": {"href": "B02.tif", "eo:bands": picture, "roles": ["data"]}}
    assets |= {"thumbnail": {"href": "B03.tif", "eo:bands": picture[:1], "roles": ["thumbnail"]}}
    assets |= {"SCL": {"href": "B03.tif", "roles": ["data"]}} | new_assets()
    assets["B02_20m"] = assets["B02_10m"] | {"gsd": 20}
    tile = lc.open_stac(write_item(tmp_path, assets, "1.1.0"))
    assert [band.path.name for band in tile.bands.values()] == [f"{name}.tif" for name in CORE]


def test_a_band_in_two_assets_is_refused_until_they_are_named(tmp_path, files):
    assets = old_assets()
    assets["red-jp2"] = assets["red"]
    path = write_item(tmp_path, assets)
    with pytest.raises(InputError, match=r"band B04 in several assets \(red, red-jp2\)"):
        lc.open_stac(path)
    assert lc.open_stac(path, assets=["red", "green", "blue", "nir"]).bands["B04"].number == 1
    with pytest.raises(InputError, match="has no asset ultraviolet; its assets are blue green"):
        lc.open_stac(path, assets=["ultraviolet"])


@pytest.mark.parametrize(
    ("told", "properties", "message"),
    [
        (-0.1, {"earthsearch:boa_offset_applied": True}, "has been applied, and gives -1000"),
        (None, {"s2:processing_baseline": "05.11"}, "gives no offset for B02 of .* 05.11"),
        (
            0,
            {"earthsearch:boa_offset_applied": False, "processing:version": "04.00"},
            "gives offset 0 for B02 of processing baseline 04.00",
        ),
        (0, {}, "and its pixels disagree: the darkest digital numbers are 10"),
    ],
)
def test_doubt_about_the_offset_is_refused(tmp_path, files, told, properties, message):
    path = write_item(tmp_path, old_assets(offset=told), **properties)
    with pytest.raises(InputError, match=message):
        lc.open_stac(path)
    assert {band.offset for band in lc.open_stac(path, offset=-1000).bands.values()} == {-1000}


def test_an_offset_that_the_files_no_longer_carry_is_refused(tmp_path):
    """Earth Search's issue 71: the item says that it has not been applied, and it has."""
    write_bands(tmp_path, low=60, high=4000)
    flags = {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.11"}
    path = write_item(tmp_path, old_assets(), **flags)
    with pytest.raises(InputError, match="makes the darkest pixels negative"):
        lc.open_stac(path)
    assert lc.open_stac(path, offset=0).bands["B02"].offset == 0


def retagged(folder, nodata=None, scales=None, offsets=None, descriptions=None, dn=None):
    """The four files with what they themselves say."""
    for number, name in enumerate(CORE):
        pixels = DN[number] if dn is None else dn[number]
        tags = {key: value for key, value in (("scales", scales), ("offsets", offsets)) if value}
        told = None if descriptions is None else [descriptions[number]]
        tif(folder / f"{name}.tif", pixels[None], told, nodata=nodata, tags=tags)


def empty_of(tile):
    return [band.nodata for band in tile.bands.values()]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.1.0 of the asset"])
def test_the_items_nodata_counts_beside_the_files(tmp_path, version):
    """Both mean no data; 0 is data where either declares another."""
    retagged(tmp_path, nodata=4000)
    assets = old_assets(scale=None, offset=None) if version == "1.0.0" else new_assets()
    for asset in assets.values():
        if version == "1.0.0":
            asset["raster:bands"][0]["nodata"] = 9
        else:
            asset.pop("raster:scale")
            asset["bands"][0].pop("raster:offset")
            (asset if "asset" in version else asset["bands"][0])["nodata"] = 9
    path = write_item(tmp_path, assets, version.split()[0])
    assert empty_of(lc.open_stac(path)) == [(9, 4000)] * 4
    retagged(tmp_path)
    assert empty_of(lc.open_stac(path)) == [(9,)] * 4
    scene = lc.read(lc.prepare(tmp_path / "run", bands=path).scene)
    np.testing.assert_array_equal(np.isnan(scene), DN == 9)


@pytest.mark.parametrize("nodata", ["nan", "inf", "-inf", None])
def test_nodata_that_is_no_number_leaves_the_files_own(tmp_path, nodata):
    retagged(tmp_path, nodata=7)
    assets = old_assets(scale=None, offset=None)
    for asset in assets.values():
        asset["raster:bands"][0]["nodata"] = nodata
    assert empty_of(lc.open_stac(write_item(tmp_path, assets))) == [(7,)] * 4


def test_scale_and_offset_of_the_files_count_where_the_item_is_silent(tmp_path):
    retagged(tmp_path, scales=[1e-4], offsets=[-0.1], dn=DN + 1000)
    tile = lc.open_stac(
        write_item(tmp_path, old_assets(None, None), **{"s2:processing_baseline": "05.11"})
    )
    band = tile.bands["B02"]
    assert (band.quantification, band.offset, band.scaled_by) == (10_000, -1000, "tags of the file")
    floats = (DN / 10_000).astype(np.float32)
    retagged(tmp_path, dn=floats, nodata=np.nan)
    item = write_item(tmp_path, old_assets(None, None), **{"s2:processing_baseline": "05.11"})
    assert lc.open_stac(item).bands["B02"].quantification == 1


@pytest.mark.parametrize(
    ("tags", "message", "true"),
    [
        (
            {"scales": [1e-4], "offsets": [-0.05]},
            r"gives the offset -1000 for B02 and the tags of .*B02.tif -500; give open_stac the on",
            {"offset": -1000},
        ),
        (
            {"scales": [2e-4], "offsets": [-0.2]},
            r"gives the quantification 10000 for B02 and the tags of .*B02.tif 5000",
            {"quantification": 10_000},
        ),
    ],
)
def test_item_and_file_that_disagree_are_refused(tmp_path, tags, message, true):
    retagged(tmp_path, **tags, dn=DN + 1000)
    path = write_item(tmp_path, old_assets())
    with pytest.raises(InputError, match=message):
        lc.open_stac(path)
    band = lc.open_stac(path, **true).bands["B02"]
    assert (band.quantification, band.offset) == (10_000, -1000)


def test_a_file_that_says_another_band_is_refused(tmp_path):
    retagged(tmp_path, descriptions=("B2", "B3", "B8", "B4"), dn=DN + 1000)
    message = r"says that band 1 of .*B04.tif is B04, and 'B8' of the file says B08"
    with pytest.raises(InputError, match=message):
        lc.open_stac(write_item(tmp_path, old_assets()))
    retagged(tmp_path)
    assets = old_assets(None, None)
    assets["nir"]["href"], assets["red"]["href"] = "B04.tif", "B08.tif"
    with pytest.raises(InputError, match="'B08' of the file says B08"):
        lc.open_stac(write_item(tmp_path, assets))
    assets = {"all": {"href": "B02.tif", "bands": [{"name": name} for name in CORE]}}
    with pytest.raises(InputError, match=r"asset all names 4 bands, and .*B02.tif has 1; correct"):
        lc.open_stac(write_item(tmp_path, assets, "1.1.0"))


def test_numbers_given_count_more_than_the_item(tmp_path, files):
    path = write_item(tmp_path, old_assets(scale=None, offset=None))
    tile = lc.open_stac(path, quantification=8000, offset=-900)
    assert {(band.quantification, band.offset) for band in tile.bands.values()} == {(8000, -900)}


def test_files_that_are_elsewhere_are_not_fetched(tmp_path, files):
    assets = old_assets()
    assets["green"] |= {"href": "https://example.org/B03.tif"}
    with pytest.raises(
        MissingProduct, match=r"B03 is not here .*https://example.org/B03.tif.*noth"
    ):
        lc.open_stac(write_item(tmp_path, assets))
    assets["green"] |= {"href": (tmp_path / "B03.tif").as_uri()}
    assert lc.open_stac(write_item(tmp_path, assets)).bands["B03"].path == tmp_path / "B03.tif"


def test_what_is_no_item_of_sentinel_2(tmp_path, files):
    with pytest.raises(MissingProduct, match="does not exist; give the JSON file of a STAC item"):
        lc.open_stac(tmp_path / "nothing.json")
    (tmp_path / "x.json").write_text("{half")
    with pytest.raises(InputError, match="is not readable JSON"):
        lc.open_stac(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"type": "Collection", "stac_version": "1.0.0"}')
    with pytest.raises(InputError, match=r"is no STAC item .type 'Collection', without valid prop"):
        lc.open_stac(tmp_path / "x.json")
    with pytest.raises(InputError, match="is of landsat and open_stac reads Sentinel-2"):
        lc.open_stac(write_item(tmp_path, old_assets(), constellation="landsat"))
    assets = old_assets()
    del assets["nir"]
    with pytest.raises(InputError, match=r"no band B08 \(found: B02 B03 B04\)"):
        lc.open_stac(write_item(tmp_path, assets))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eo:bands": [{"name": "B04", "common_name": "nir"}]}, "named B04 with the common name"),
        ({"eo:bands": [{"name": "B08"}, {"name": "B04"}]}, "2 eo:bands and 1 raster:bands"),
        ({"eo:bands": "B08"}, "has eo:bands that is no list of bands"),
        (
            {"eo:bands": [{"name": 8, "common_name": ["nir"]}]},
            r"no band B08 \(found: B02 B03 B04\)",
        ),
        ({"raster:bands": [{"scale": 0}]}, "gives the scale 0; correct the item"),
        ({"raster:bands": [{"scale": 1e-4, "offset": "-0.1"}]}, "gives the offset '-0.1'"),
    ],
)
def test_an_item_that_contradicts_itself(tmp_path, files, change, message):
    assets = old_assets()
    assets["nir"] |= change
    with pytest.raises(InputError, match=message):
        lc.open_stac(write_item(tmp_path, assets))


def test_a_time_that_is_none_leaves_the_names(tmp_path, files):
    path = write_item(tmp_path, old_assets())
    path.write_text(path.read_text().replace('"2022-06-01T10:00:31Z"', "7"))
    assert lc.open_stac(path).acquired is None


def test_further_bands_are_taken_where_they_are_asked_for(tmp_path, files):
    coarse = Grid(utm_grid(1, 1).crs, Affine(20, 0, 300_000, 0, -20, 5_800_000), 30, 40)
    dn = np.full((1, 30, 40), 2000, np.uint16)
    raster_writer.write(tmp_path / "B11.tif", dn, coarse, [""], nodata=0)
    swir = {"href": "B11.tif", "bands": [{"name": "B11", "eo:common_name": "swir16"}], "gsd": 20}
    swir |= {"raster:scale": 0.0001, "raster:offset": -0.1}
    path = write_item(tmp_path, new_assets() | {"B11_20m": swir}, "1.1.0")
    tile = lc.open_stac(path)
    assert tuple(tile.bands) == CORE and "left out B11, which keep='all' takes" in tile.notes[0]
    for keep in ("all", "20m", ["swir16"]):
        tile = lc.open_stac(path, keep=keep)
        assert list(tile.bands) == [*CORE, "B11"] and tile.bands["B11"].grid.resolution == (20, 20)
    scene = lc.read(lc.prepare(tmp_path / "run", bands=path, keep="all").scene)
    np.testing.assert_allclose(scene[4], 0.1, atol=1e-6)
    with pytest.raises(InputError, match=r"keep='B12' is B12, which .*item.json does not have"):
        lc.open_stac(path, keep=["B12"])
