"""What of the answers of a catalogue is taken, and signatures of its addresses."""

from __future__ import annotations

import time

import pytest
from shapely import box

from landcover.errors import InputError
from landcover.files import meridian, vectors
from landcover.files.http import Web
from landcover.sources.online.catalogue import CATALOGUES, choose, collection_of, find_catalogue
from landcover.sources.online.signing import Tokens
from tests.fixtures.web_server import serving_files

pytest.importorskip("requests", reason="requests is not installed; pip install 'landcover[fetch]'")
AREA = box(12.0, 50.0, 12.1, 50.1)


def item(name, day="2022-06-01", outline=AREA, **properties):
    return {
        "id": name, "assets": {}, "geometry": outline and outline.__geo_interface__,
        "properties": {"datetime": f"{day}T10:00:00Z", "platform": "sentinel-2a"} | properties,
    }  # fmt: skip


def test_items_are_chosen_by_place_cloud_and_processing():
    tile = {"s2:mgrs_tile": "33UUU"}
    items = [
        item("b", "2022-06-03", **{"eo:cloud_cover": 20.0}),
        item("a", **{"eo:cloud_cover": 20.1}),
        item("c", outline=box(13, 50, 14, 51)),
        item("old", "2022-06-05", **tile, **{"s2:processing_baseline": "03.00"}),
        item("new", "2022-06-05", **tile, **{"s2:processing_baseline": "05.00"}),
        item("silent", "2022-06-07"),
        item("nowhere", "2022-06-09", outline=None),
    ]
    found = choose(items, AREA, 20)
    assert [one["id"] for one in found.items] == ["b", "new", "silent", "nowhere"]
    assert found.cloudy == {"a": 20.1}
    assert found.left_out == {
        "c": "does not reach the area",
        "old": "new is the same image, processed later",
    }


@pytest.mark.parametrize("order", [1, -1])
def test_of_one_image_the_later_wins_in_any_order(order):
    tile = {"grid:code": "MGRS-33UUU", "s2:processing_baseline": "05.00"}
    items = [
        item("first", **tile, **{"s2:generation_time": "2022-06-02T00:00:00Z"}),
        item("second", **tile, **{"s2:generation_time": "2023-06-02T00:00:00Z"}),
    ][::order]
    assert [one["id"] for one in choose(items, AREA).items] == ["second"]


def test_neighbours_and_other_satellites_are_no_second_processing():
    items = [
        item("a", **{"grid:code": "MGRS-33UUU"}),
        item("b", **{"grid:code": "MGRS-33UVU"}),
        item("c", **{"grid:code": "MGRS-33UUU", "platform": "sentinel-2b"}),
    ]
    assert len(choose(items, AREA).items) == 3


@pytest.mark.parametrize(
    ("outline", "reaches"),
    [
        (box(179.5, 65, 180, 66), True),
        (box(-180, 65, -179.5, 66), True),
        (box(-180, 65, 180, 66), True),  # drawn round the globe: the raster decides
        (box(178, 65, 179, 66), False),
        (box(10, 65, 11, 66), False),
    ],
)
def test_outlines_at_the_180th_meridian(outline, reaches):
    area = vectors.area_in_degrees([179.6, 65.2, -179.6, 65.4])
    assert area.bounds == pytest.approx((179.6, 65.2, 180.4, 65.4))
    assert bool(choose([item("a", outline=outline)], area).items) == reaches


def test_boxes_of_an_area():
    assert meridian.boxes(box(1, 2, 3, 4)) == [(1, 2, 3, 4)]
    assert meridian.boxes(box(179, 2, 181, 4)) == [(179, 2, 180, 4), (-180, 2, -179, 4)]
    assert meridian.boxes(box(-181, 2, -179, 4)) == [(179, 2, 180, 4), (-180, 2, -179, 4)]
    assert meridian.boxes(box(181, 2, 182, 4)) == [(-179, 2, -178, 4)]


def test_an_area_cut_at_the_180th_meridian_is_one(tmp_path):
    """As GeoJSON asks (RFC 7946): two polygons, one that ends at 180, one that begins at -180."""
    import geopandas

    parts = [box(179.5, 65, 180, 66), box(-180, 65, -179.5, 66)]
    geopandas.GeoDataFrame(geometry=parts, crs="EPSG:4326").to_file(tmp_path / "a.geojson")
    area = vectors.area_in_degrees(tmp_path / "a.geojson")
    assert area.bounds == (179.5, 65, 180.5, 66)


def test_catalogues_are_known_by_name_or_address():
    assert set(CATALOGUES) == {"earth-search", "planetary-computer"}
    own = find_catalogue("https://example.com/stac?key=secret")
    assert own.url.endswith("secret") and "secret" not in own.title
    assert collection_of(own, "sentinel-2", None) == "sentinel-2-l2a"
    assert collection_of(CATALOGUES["planetary-computer"], "dem", None) == "cop-dem-glo-30"
    with pytest.raises(InputError, match="give collection="):
        collection_of(CATALOGUES["earth-search"], "dem", None)
    with pytest.raises(InputError, match="only http and https"):
        find_catalogue("file:///etc")


# Signatures


@pytest.fixture
def tokens():
    """A service that counts its tokens, and what it says of their end."""
    with serving_files() as web:
        given = []
        end = {"msft:expiry": "2999-01-01T00:00:00Z"}

        def token(_path, _body):
            given.append(f"sig={len(given) + 1}")
            return {"token": given[-1]} | end

        web.routes["/token"] = token
        yield web, given, end


def test_a_token_is_used_until_it_ends(tokens):
    server, given, end = tokens
    with Web() as web:
        sign = Tokens(web, f"{server.url}/token").sign
        assert sign("https://a.example/x.tif", False) == "https://a.example/x.tif?sig=1"
        assert sign("https://a.example/y.tif", False).endswith("?sig=1") and len(given) == 1
        assert sign("https://a.example/x.tif", True).endswith("?sig=2")
        end["msft:expiry"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 30))
        sign("https://a.example/x.tif", True)  # it ends within a minute
        sign("https://a.example/x.tif", False)
        assert len(given) == 4


def test_tokens_go_to_their_hosts_alone(tokens):
    server, given, _ = tokens
    with Web() as web:
        sign = Tokens(web, f"{server.url}/token", ".blob.core.windows.net").sign
        own = "https://sentinel2l2a01.blob.core.windows.net/a.tif"
        for other in (
            "https://example.com/a.tif", "https://blob.core.windows.net.example.com/a.tif",
            f"{own}?sig=of-another",
        ):  # fmt: skip
            assert sign(other, False) == other
        assert given == []
        assert sign(own, False) == f"{own}?sig=1"


@pytest.mark.parametrize("answer", [{}, {"token": ""}, {"token": 1}, []])
def test_a_service_that_gives_no_token(tokens, answer):
    server, _, _ = tokens
    server.routes["/token"] = lambda _path, _body: answer
    with Web() as web, pytest.raises(InputError, match="gave no token"):
        Tokens(web, f"{server.url}/token").sign("https://a.example/x.tif", False)
