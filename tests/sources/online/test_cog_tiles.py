"""Layers in tiles, cut to an area: the pixels of the tiles, wherever the area lies."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from shapely import box

from landcover import cli
from landcover.errors import InputError
from landcover.files import http
from landcover.grid import Grid
from landcover.sources.online.cog_tiles import LAYERS, tiles_of
from tests.conftest import error_lines
from tests.fixtures.stac_catalogue import StacServer, geotiff
from tests.fixtures.web_server import serving_files

pytest.importorskip("requests", reason="requests is not installed; pip install 'landcover[fetch]'")
CLASSES = np.array([10, 20, 30, 40, 50, 60, 80], np.uint8)


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(http, "WAIT_S", 0.01)
    with serving_files() as held:
        yield held


@pytest.fixture
def fetch(web, tmp_path, capsys):
    def run(what, *more, bbox=(11.9, 47.9, 12.1, 48.1), base=True):
        of_base = ["--base-url", web.url] if base else []
        code = cli.main(
            ["fetch", what, "--bbox", *map(str, bbox), "--out", str(tmp_path / "out"), *of_base,
             *more]
        )  # fmt: skip
        said = capsys.readouterr()
        return code, said.out.splitlines(), error_lines(said.err)

    return run


def degrees(west, north, side, px):
    """A grid in degrees."""
    cell = side / px
    return Grid(CRS.from_epsg(4326), Affine(cell, 0, west, 0, -cell, north), px, px)


def add_worldcover(web, corner, west, north, seed, year=2021, version="v200"):
    pixels = np.random.default_rng(seed).choice(CLASSES, (300, 300))
    path = f"/{version}/{year}/map/ESA_WorldCover_10m_{year}_{version}_{corner}_Map.tif"
    web.files[path] = geotiff(pixels, degrees(west, north, 3, 300))
    return pixels


def whole(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.transform, dataset.nodata


def test_an_area_across_four_tiles_is_one_raster(web, fetch, tmp_path):
    tiles = {
        (row, col): add_worldcover(web, name, 9 + 3 * col, 51 - 3 * row, 2 * row + col)
        for (row, col), name in {
            (0, 0): "N48E009", (0, 1): "N48E012", (1, 0): "N45E009", (1, 1): "N45E012"
        }.items()
    }  # fmt: skip
    land = np.block([[tiles[0, 0], tiles[0, 1]], [tiles[1, 0], tiles[1, 1]]])
    code, lines, _ = fetch("worldcover")
    assert code == 0
    assert lines[-1] == str(tmp_path / "out" / "worldcover_2021.tif")
    found, transform, nodata = whole(lines[-1])
    # pixels of 0.01 degrees from 9 E, 51 N
    col, row = round((transform.c - 9) / 0.01), round((51 - transform.f) / 0.01)
    assert (row, col) == (290, 290) and found.shape == (20, 20) and nodata == 0
    assert (found == land[row : row + 20, col : col + 20]).all()
    note = json.loads((tmp_path / "out" / "worldcover_2021.json").read_text())
    assert len(note["tiles"]) == 4 and note["absent"] == []


def test_it_is_labels_for_prep(web, fetch, tmp_path):
    """What was fetched is recognised as WorldCover."""
    from landcover.sources.inspection import inspect_source

    add_worldcover(web, "N48E009", 9, 51, 0)
    fetch("worldcover", bbox=(10, 49, 10.1, 49.1))
    (facts,) = inspect_source(tmp_path / "out" / "worldcover_2021.tif")
    assert facts.scheme == "worldcover"


def test_the_same_again_asks_nothing(web, fetch):
    add_worldcover(web, "N48E009", 9, 51, 0)
    fetch("worldcover", bbox=(10, 49, 10.1, 49.1))
    asked = len(web.requests)
    code, lines, _ = fetch("worldcover", bbox=(10, 49, 10.1, 49.1))
    assert code == 0 and len(web.requests) == asked
    assert "it was there, whole and of the same tiles and area" in lines
    fetch("worldcover", bbox=(10, 49, 10.2, 49.1))
    assert len(web.requests) > asked


def test_tiles_of_sea_are_told(web, fetch):
    pixels = add_worldcover(web, "N48E009", 9, 51, 0)
    code, lines, _ = fetch("worldcover", bbox=(11.9, 49, 12.1, 49.1))
    assert code == 0
    assert any("note: 1 tiles are not served" in line and "N48E012" in line for line in lines)
    found, transform, _ = whole(lines[-1])
    # the raster ends where the tile does: beyond nothing is known
    assert transform.c == pytest.approx(11.9) and found.shape == (10, 10)
    assert (found == pixels[190:200, 290:300]).all()


def test_no_tile_at_all(web, fetch, tmp_path):
    code, _, errors = fetch("worldcover")
    assert code == 2 and "none of 4 tiles is there and reaches the area" in errors[-1]
    assert not list((tmp_path / "out").glob("*"))


def test_another_year(web, fetch):
    add_worldcover(web, "N48E009", 9, 51, 0, 2020, "v100")
    code, lines, _ = fetch("worldcover", "--year", "2020", bbox=(10, 49, 10.1, 49.1))
    assert code == 0 and lines[-1].endswith("worldcover_2020.tif")
    code, _, errors = fetch("worldcover", "--year", "2019")
    assert code == 2 and "year 2019: WorldCover is of 2020 and 2021" in errors[-1]


def add_dem(web, name, west, north, rows, cols):
    heights = np.random.default_rng(0).random((rows, cols), np.float32) * 1000
    name = f"Copernicus_DSM_COG_10_{name}_DEM"
    grid = Grid(
        CRS.from_epsg(4326),
        Affine(1 / cols, 0, west - 0.5 / cols, 0, -1 / rows, north + 0.5 / rows),
        rows, cols,
    )  # fmt: skip
    web.files[f"/{name}/{name}.tif"] = geotiff(heights, grid, None)
    return heights


def test_elevation(web, fetch):
    heights = add_dem(web, "N47_00_E011_00", 11, 48, 120, 120)
    code, lines, _ = fetch("dem", bbox=(11.2, 47.2, 11.3, 47.3))
    assert code == 0 and lines[-1].endswith("dem.tif")
    found, transform, nodata = whole(lines[-1])
    row = round((48 + 0.5 / 120 - transform.f) * 120)
    col = round((transform.c - 11 + 0.5 / 120) * 120)
    assert (found == heights[row : row + found.shape[0], col : col + found.shape[1]]).all()
    assert nodata == -9999


def test_elevation_where_the_lattice_changes(web, fetch):
    """From 50 degrees north on, the DEM's pixels are 1.5 times as wide."""
    add_dem(web, "N49_00_E011_00", 11, 50, 120, 120)
    add_dem(web, "N50_00_E011_00", 11, 51, 120, 80)
    code, lines, _ = fetch("dem", bbox=(11.2, 49.9, 11.3, 50.1))
    assert code == 0
    assert [line.rpartition("/")[2] for line in lines[-2:]] == ["dem-1.tif", "dem-2.tif"]
    assert any(line.startswith("note: 2 rasters, since tiles have several") for line in lines)


def test_layers_across_the_180th_meridian_are_two_rasters(web, fetch):
    east = add_worldcover(web, "N63E177", 177, 66, 0)
    west = add_worldcover(web, "N63W180", -180, 66, 1)
    code, lines, _ = fetch("worldcover", bbox=(179.9, 65.0, -179.9, 65.1))
    assert code == 0
    for path, pixels, col in ((lines[-2], east, 290), (lines[-1], west, 0)):
        found, _, _ = whole(path)
        assert (found == pixels[90:100, col : col + 10]).all()


def test_corine_of_an_address(web, fetch, tmp_path):
    codes = np.random.default_rng(0).choice(np.array([111, 211, 312, 512], np.int16), (60, 60))
    grid = Grid(CRS.from_epsg(3035), Affine(100, 0, 4_320_000, 0, -100, 2_800_000), 60, 60)
    web.files["/CLC2018.tif"] = geotiff(codes, grid, -128)
    code, lines, _ = fetch(
        "corine", "--url", f"{web.url}/CLC2018.tif", bbox=(10.02, 48.27, 10.05, 48.29), base=False
    )
    assert code == 0
    found, transform, nodata = whole(lines[-1])
    row, col = round((2_800_000 - transform.f) / 100), round((transform.c - 4_320_000) / 100)
    assert (found == codes[row : row + found.shape[0], col : col + found.shape[1]]).all()
    assert 15 < found.size < 1500 and nodata == -128


def test_corine_without_an_address(fetch):
    code, _, errors = fetch("corine", base=False)
    assert code == 2 and "no address of CORINE without an account is known" in errors[-1]


def test_layers_of_a_catalogue(web, fetch):
    stac = StacServer(web, collections=("esa-worldcover",))
    pixels = add_worldcover(web, "N48E009", 9, 51, 0)
    (path,) = web.files
    signed = f"/signed{path}"
    web.files[signed] = web.files.pop(path)
    web.tokens = {"sig=1"}
    web.routes["/token/esa-worldcover"] = lambda _path, _body: {"token": "sig=1"}
    stac.items.append({
        "type": "Feature", "stac_version": "1.0.0", "id": "N48E009", "bbox": [9, 48, 12, 51],
        "collection": "esa-worldcover", "links": [],
        "geometry": box(9, 48, 12, 51).__geo_interface__,
        "properties": {"datetime": "2021-01-01T00:00:00Z"},
        "assets": {"map": {"href": web.url + signed}},
    })  # fmt: skip
    code, lines, _ = fetch(
        "worldcover", "--catalogue", stac.url, "--collection", "esa-worldcover", "--token-url",
        f"{web.url}/token", bbox=(10, 49, 10.1, 49.1), base=False,
    )  # fmt: skip
    assert code == 0
    found, _, _ = whole(lines[-1])
    assert (found == pixels[190:200, 100:110]).all()
    code, _, errors = fetch("worldcover", "--catalogue", stac.url, base=False)
    assert code == 2 and "give --collection" in errors[-1]


def test_addresses_are_those_that_are_published():
    # as the providers document them
    (url,) = tiles_of(LAYERS["worldcover"], box(18.1, 54.1, 18.2, 54.2))
    assert url == (
        "https://esa-worldcover.s3.eu-central-1.amazonaws.com/v200/2021/map/"
        "ESA_WorldCover_10m_2021_v200_N54E018_Map.tif"
    )
    (url,) = tiles_of(LAYERS["dem"], box(-3.9, 55.1, -3.8, 55.2))
    assert url == (
        "https://copernicus-dem-30m.s3.eu-central-1.amazonaws.com/"
        "Copernicus_DSM_COG_10_N55_00_W004_00_DEM/Copernicus_DSM_COG_10_N55_00_W004_00_DEM.tif"
    )
    with pytest.raises(InputError, match="the area takes 1,296 tiles"):
        tiles_of(LAYERS["worldcover"], box(0, -54, 108, 54))


@given(
    lon=st.floats(-179, 179), lat=st.floats(-59, 59), wide=st.floats(0.001, 8),
    high=st.floats(0.001, 8),
)  # fmt: skip
@pytest.mark.parametrize("name", ["worldcover", "dem"])
def test_tiles_cover_an_area(name, lon, lat, wide, high):
    """Every point of it lies in exactly one tile, by the corner in its name."""
    import re

    layer = LAYERS[name]
    urls = tiles_of(layer, box(lon, lat, lon + wide, lat + high))
    corners = set()
    for url in urls:
        ns, south, ew, west = re.search(r"_([NS])(\d\d)(?:_00_)?([EW])(\d{3})_", url).groups()
        corners.add(((-1 if ns == "S" else 1) * int(south), (-1 if ew == "W" else 1) * int(west)))
    assert len(corners) == len(urls)
    side = layer.degrees
    for x in (lon, lon + wide / 3, lon + wide * 0.999):
        for y in (lat, lat + high / 3, lat + high * 0.999):
            east = (x + 180) % 360 - 180
            corner = (int(np.floor(y / side)) * side, int(np.floor(east / side)) * side)
            assert corner in corners


def test_across_the_180th_meridian():
    names = [
        u.rpartition("_v200_")[2] for u in tiles_of(LAYERS["worldcover"], box(179, 64, 181, 65))
    ]
    assert names == ["N63E177_Map.tif", "N63W180_Map.tif"]
