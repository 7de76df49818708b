"""Which files of an item hold its bands, whatever a catalogue sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from landcover.sources.online.catalogue import choose
from landcover.sources.online.item_files import LeftOutError, bands_kept, files_of, folder_name
from tests.fixtures.stac_catalogue import COMMON, KEYS

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99_999) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
WORDS = st.sampled_from(
    ["href", "type", "roles", "gsd", "eo:bands", "raster:bands", "bands", "file:size",
     "file:checksum"]
)  # fmt: skip


def item_of(**assets):
    usual = {
        KEYS[band]: {"href": f"https://a.example/{band}.tif", "gsd": 10}
        for band in ("B02", "B03", "B04", "B08")
    }
    return {
        "id": "A", "properties": {"datetime": "2022-06-01T10:00:31Z"}, "assets": usual | assets,
        "geometry": box(0, 0, 1, 1).__geo_interface__,
    }  # fmt: skip


def test_the_own_resolution_and_the_own_file_come_first():
    def asset(name, pixel_m, ending="tif", **more):
        bands = [{"name": name, "common_name": COMMON[name]}]
        return {
            "href": f"https://a.example/{name}_{pixel_m}.{ending}", "gsd": pixel_m,
            "eo:bands": bands,
        } | more  # fmt: skip

    item = item_of(
        B11_60m=asset("B11", 60), B11_20m=asset("B11", 20), B11_jp2=asset("B11", 20, "jp2"),
        stack=asset("B12", 20, **{"eo:bands": [{"name": "B12"}, {"name": "B11"}]}),
        SCL_20m={"href": "https://a.example/SCL.tif"}, scl_jp2={"href": "https://a.example/S.jp2"},
    )  # fmt: skip
    found = files_of(item, bands_kept(["B11", "B12"]))
    assert list(found) == ["B02", "B03", "B04", "B08", "B11", "SCL"]
    assert found["B11"].href.endswith("B11_20.tif")
    assert found["SCL"].href.endswith("SCL.tif")


@pytest.mark.parametrize("missing", ["B02", "B08"])
def test_a_band_that_every_scene_needs(missing):
    item = item_of()
    del item["assets"][KEYS[missing]]
    with pytest.raises(LeftOutError, match=f"has no file of {missing}"):
        files_of(item, bands_kept())


@given(st.dictionaries(WORDS, JUNK, max_size=4), JUNK, JUNK)
def test_whatever_a_catalogue_sends_is_taken_or_left_out(asset, other, links):
    for item in (item_of(red=asset), item_of(thumbnail=other), item_of() | {"links": links}):
        try:
            found = files_of(item, bands_kept())
        except LeftOutError:
            continue
        assert all(isinstance(file.href, str) for file in found.values())


@pytest.mark.parametrize(
    "links", [None, 5, [5], [{"rel": "self"}], [{"rel": "self", "href": "//["}]]
)
def test_links_that_are_none(links):
    found = files_of(item_of() | {"links": links}, bands_kept())
    assert found["B04"].href == "https://a.example/B04.tif"


@given(JUNK, JUNK, JUNK, JUNK)
def test_whatever_an_item_says_of_itself_is_no_fault(cloud, time, geometry, tile):
    item = item_of()
    item["properties"] = {"eo:cloud_cover": cloud, "datetime": time, "grid:code": tile}
    item["geometry"] = geometry
    found = choose([item], box(0, 0, 1, 1), 20)
    assert len(found.items) + len(found.cloudy) + len(found.left_out) == 1
    name = folder_name(item)
    assert "/" not in name and not name.startswith(".")


def test_long_ids_that_begin_alike_have_folders_of_their_own():
    one, other = ({"id": "S2" * 80 + end, "properties": {}} for end in ("a", "b"))
    assert folder_name(one) != folder_name(other)
    assert all(len(folder_name(item)) < 160 for item in (one, other))
