"""Images of a catalogue on loopback, brought to disk: the same pixels, and true offsets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import geopandas
import numpy as np
import pytest
import rasterio
from shapely.geometry import box

import landcover as lc
from landcover import cli
from landcover.errors import InputError
from landcover.files import http, remote_rasters
from landcover.grid import Grid
from landcover.sources.online.item_files import bands_kept, folder_name
from tests.conftest import ROOT, error_lines
from tests.fixtures.stac_catalogue import (
    COLLECTION,
    KEYS,
    SIDE,
    StacServer,
    box_of,
    geotiff,
    land,
    outline,
    tile_grid,
)
from tests.fixtures.web_server import serving_files, wait_for

pytest.importorskip(
    "pystac_client", reason="pystac-client is not installed; pip install 'landcover[fetch]'"
)
ALL = (*KEYS, "SCL")
NAMES = {band: band for band in ALL}  # keys of Planetary Computer's assets
LATE = {"s2:processing_baseline": "05.09"}
DAY = "2022-06-01"


@pytest.fixture
def stac(monkeypatch):
    monkeypatch.setattr(http, "WAIT_S", 0.01)
    with serving_files() as web:
        yield StacServer(web)


@pytest.fixture
def fetch(stac, tmp_path, capsys):
    """The command, as somebody types it; its exit code, lines and error."""

    def run(*more, out="out", area=None, dates="2022-05-01/2022-09-30", cloud="20"):
        place = area or ["--bbox", *map(str, box_of(tile_grid(), 0.5))]
        code = cli.main(
            ["fetch", *place, "--dates", dates, "--cloud", cloud, "--out", str(tmp_path / out),
             "--catalogue", stac.url, *more]
        )  # fmt: skip
        said = capsys.readouterr()
        return code, said.out.splitlines(), error_lines(said.err)

    return run


def item_in(folder):
    return json.loads((folder / "item.json").read_text())


def pixels_of(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.transform


def cut(pixels, transform, pixel_m, grid=None):
    """What of a tile's pixels lies under a fetched window."""
    grid = grid or tile_grid()
    row = round((grid.transform.f - transform.f) / pixel_m)
    col = round((transform.c - grid.transform.c) / pixel_m)
    return pixels[row:, col:]


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# What comes


def test_bands_come_on_their_own_lattice_and_cover_the_same_ground(stac, fetch, tmp_path):
    numbers = land(ALL)
    stac.add("A", DAY, numbers)
    code, _, _ = fetch("--keep", "all")
    assert code == 0
    folder = tmp_path / "out" / f"{DAY}_A"
    assert files_in(folder) == sorted([*(f"{band}.tif" for band in ALL), "item.json"])
    bounds = set()
    for band in ALL:
        found, transform = pixels_of(folder / f"{band}.tif")
        pixel_m = {"SCL": 20, "B01": 60, "B09": 60}.get(
            band, 10 if band in ("B02", "B03", "B04", "B08") else 20
        )
        assert transform.a == pixel_m
        rows, cols = found.shape
        assert (found == cut(numbers[band], transform, pixel_m)[:rows, :cols]).all()
        bounds.add((transform.c, transform.f, cols * pixel_m, rows * pixel_m))
    assert len(bounds) == 1
    (_, _, width, height), *_ = bounds
    assert width % 60 == 0 and height % 60 == 0
    assert SIDE * 10 / 2 <= width < SIDE * 10 * 0.6


def test_only_the_window_is_read(stac, fetch):
    """A file of 16 blocks, of which an area touches one."""
    numbers = {band: np.random.default_rng(0).integers(1, 4000, (240, 240)).astype(np.uint16)
               for band in ("B02", "B03", "B04", "B08")}  # fmt: skip
    stac.add("A", DAY, numbers)
    for path in [p for p in stac.web.files if p.endswith(".tif")]:
        pad = geotiff(numbers["B02"], tile_grid(), blocksize=128) + bytes(2_000_000)
        stac.web.files[path] = pad  # what no window needs
    for asset in stac.items[0]["assets"].values():
        del asset["file:size"], asset["file:checksum"]
    assert fetch()[0] == 0
    asked = [request for request in stac.web.asked(".tif") if request[0] == "GET"]
    assert asked and all(ranges for _, _, ranges in asked)
    for _, _, ranges in asked:
        first, last = map(int, ranges.removeprefix("bytes=").split("-"))
        assert last - first < 400_000


def test_prep_makes_the_scene_of_the_source_arrays(stac, fetch, tmp_path, capsys):
    numbers = land()
    stac.add("A", DAY, numbers, carries=1000, told=-1000, **LATE)
    assert fetch()[0] == 0
    folder, run = tmp_path / "out" / f"{DAY}_A", tmp_path / "run"
    assert cli.main(["prep", "--product", str(folder), "--out", str(run)]) == 0
    with rasterio.open(run / "scene.tif") as scene:
        found, transform = scene.read(), scene.transform
    for band, values in zip(("B02", "B03", "B04", "B08"), found, strict=True):
        expected = cut(numbers[band], transform, 10)[: values.shape[0], : values.shape[1]] / 10_000
        np.testing.assert_allclose(values, expected, atol=1e-6)
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["stages"]["prep"]["settings"]["acquired"] == [f"{DAY}T10:00:31Z"]
    capsys.readouterr()
    assert lc.open_stac(folder / "item.json").bands["B02"].offset == -1000


def test_dates_with_further_bands_become_a_composite_without_clouds(stac, fetch, tmp_path, capsys):
    bands = ("B02", "B03", "B04", "B08", "B11", "SCL")
    dates = {f"2022-06-0{day}": land(bands, day=day) for day in (1, 3, 5)}
    for number, (day, numbers) in enumerate(dates.items()):
        numbers["SCL"][:, 40 * number : 40 * number + 30] = 9  # at other places of 20 m pixels
        stac.add(f"D{number}", day, numbers, carries=1000, told=-1000, **LATE)
    assert fetch("--keep", "B11")[0] == 0
    products = [f"--product={path}" for path in sorted((tmp_path / "out").glob("2*"))]
    run = tmp_path / "run"
    code = cli.main(
        ["prep", *products, "--composite", "median", "--mask", "--keep", "all", "--out", str(run)]
    )
    assert code == 0, capsys.readouterr().err
    with rasterio.open(run / "scene.tif") as scene:
        assert scene.descriptions == bands[:-1]
        found, transform = scene.read(3), scene.transform
    shown = []
    for numbers in dates.values():
        cloudy = np.kron(numbers["SCL"], np.ones((2, 2))) == 9
        shown.append(np.where(cloudy, np.nan, numbers["B04"] / 10_000))
    expected = cut(np.nanmedian(shown, axis=0), transform, 10)
    np.testing.assert_allclose(
        found, expected[: found.shape[0], : found.shape[1]], atol=1e-6, equal_nan=True
    )


def test_the_item_says_what_is_here(stac, fetch, tmp_path):
    pystac = pytest.importorskip("pystac")
    stac.add("A", DAY, land(), carries=1000, told=-1000, **LATE)
    fetch()
    path = tmp_path / "out" / f"{DAY}_A" / "item.json"
    item = pystac.Item.from_file(str(path))
    west, south, east, north = item.bbox
    wanted = box_of(tile_grid(), 0.5)
    assert box(west, south, east, north).buffer(1e-6).contains(box(*wanted))
    assert box(*wanted).area > 0.8 * box(west, south, east, north).area
    asset = item_in(path.parent)["assets"]["B04"]
    assert asset["raster:bands"] == [
        {"nodata": 0.0, "spatial_resolution": 10.0, "scale": 0.0001, "offset": -0.1}
    ]
    assert asset["file:size"] == (path.parent / "B04.tif").stat().st_size
    assert asset["landcover:fetched_from"] == f"{stac.web.url}/A/B04.tif"
    (link,) = item_in(path.parent)["links"]
    assert link == {
        "rel": "derived_from", "href": f"{stac.url}/collections/{COLLECTION}/items/A"
    }  # fmt: skip


def test_an_area_of_a_file_and_pages_of_a_search(stac, fetch, tmp_path):
    for day in range(1, 8):
        stac.add(f"D{day}", f"2022-06-0{day}", land(day=day))
    stac.page = 2
    area = geopandas.GeoDataFrame(geometry=[box(*box_of(tile_grid(), 0.3))], crs="EPSG:4326")
    area.to_crs("EPSG:3035").to_file(tmp_path / "area.gpkg")
    code, lines, _ = fetch(area=["--aoi", str(tmp_path / "area.gpkg")])
    assert code == 0
    assert len(stac.searches) == 4
    assert "to fetch: 7" in lines
    assert len(list((tmp_path / "out").glob("*/item.json"))) == 7


def test_what_is_left_out_is_said(stac, fetch, tmp_path):
    stac.add("clear", DAY, land())
    stac.add("cloudy", "2022-06-03", land(), cloud=80.0)
    stac.add("beside", "2022-06-05", land(), grid={"west": 302_460})
    stac.items[-1]["bbox"] = stac.items[0]["bbox"]  # a catalogue that gives more than was asked
    stac.add("lacking", "2022-06-07", land(), assets={"nir": None})
    empty = {band: np.zeros_like(numbers) for band, numbers in land().items()}
    stac.add("empty", "2022-06-09", empty)
    code, lines, _ = fetch()
    assert code == 0
    assert "left out: 1 with more than 20 % cloud (80.0 %)" in lines
    told = {line.split(": ")[1]: line for line in lines if line.startswith("left out")}
    assert "does not reach the area" in told["beside"]
    assert "has no file of B08" in told["lacking"]
    assert "has no data in the area" in told["empty"]
    names = ("B02.tif", "B03.tif", "B04.tif", "B08.tif", "SCL.tif", "item.json")
    assert files_in(tmp_path / "out") == [*(f"{DAY}_clear/{name}" for name in names), "fetch.json"]
    kept = json.loads((tmp_path / "out" / "fetch.json").read_text())
    assert [item["folder"] for item in kept["items"]] == [f"{DAY}_clear"]
    assert set(kept["left_out"]) == {"cloudy", "beside", "lacking", "empty"}
    assert kept["asked"]["dates"] == "2022-05-01/2022-09-30"


def test_of_one_image_processed_twice_the_later_is_taken(stac, fetch):
    of_one = {"grid:code": "MGRS-33UUU"}
    stac.add("old", DAY, land(), **of_one, **{"s2:processing_baseline": "03.01"})
    stac.add("new", DAY, land(), carries=1000, told=-1000, **of_one, **LATE)
    code, lines, _ = fetch()
    assert code == 0
    assert "left out: old: new is the same image, processed later" in lines
    assert lines[-1].endswith(f"{DAY}_new")


def test_clouds_of_the_area_are_told(stac, fetch):
    numbers = land()
    numbers["SCL"][:, : SIDE // 4] = 9  # its western half
    stac.add("A", DAY, numbers, cloud=3.0)
    _, lines, _ = fetch()
    line = next(line for line in lines if line.startswith(f"{DAY}_A"))
    assert "data 100 % of the window, cloud and shadow 50 %" in line


def test_items_of_several_zones(stac, fetch, tmp_path):
    """12 degrees east is where zones 32 and 33 meet."""
    stac.add("east", DAY, land())
    west = {"epsg": 32632, "west": 709_020, "north": 5_800_020}
    stac.add("west", DAY, land(), grid=west)
    boxes = [box_of(tile_grid()), box_of(tile_grid(**west))]
    w, s = (min(b[k] for b in boxes) for k in (0, 1))
    e, n = (max(b[k] for b in boxes) for k in (2, 3))
    code, lines, _ = fetch(area=["--bbox", *map(str, (w, s, e, n))])
    assert code == 0
    assert any("2 reference systems (EPSG:32632, EPSG:32633)" in line for line in lines)


def test_an_area_across_two_tiles_makes_one_scene(stac, fetch, tmp_path):
    numbers = land(), land(seed=1)
    stac.add("left", DAY, numbers[0])
    stac.add("right", DAY, numbers[1], grid={"west": 302_400})
    boxes = [box_of(tile_grid(), 0.5), box_of(tile_grid(west=302_400), 0.5)]
    place = [boxes[0][0], boxes[0][1], boxes[1][2], boxes[1][3]]
    assert fetch(area=["--bbox", *map(str, place)])[0] == 0
    products = [f"--product={tmp_path}/out/{DAY}_{name}" for name in ("left", "right")]
    assert cli.main(["prep", *products, "--out", str(tmp_path / "run")]) == 0
    with rasterio.open(tmp_path / "run" / "scene.tif") as scene:
        values, transform = scene.read(1), scene.transform
    whole = np.concatenate([numbers[0]["B02"], numbers[1]["B02"]], axis=1) / 10_000
    expected = cut(whole, transform, 10)[: values.shape[0], : values.shape[1]]
    assert np.isfinite(values).mean() > 0.95
    np.testing.assert_allclose(
        values[np.isfinite(values)], expected[np.isfinite(values)], atol=1e-6
    )


def test_across_the_180th_meridian(stac, fetch, tmp_path):
    """Zone 60 ends at 180 degrees east, and its grid goes on."""
    grid = {"epsg": 32660, "west": 703_440, "north": 5_800_020}
    numbers = land()
    stac.add("A", DAY, numbers, grid=grid)
    outline = np.array(stac.items[0]["geometry"]["coordinates"][0])
    assert outline[:, 0].min() < 0 < outline[:, 0].max()  # drawn round the globe
    stac.items[0]["bbox"] = [-180, -90, 180, 90]
    # a box of some 600 m around the meridian
    middle = float(np.median(outline[:, 1]))
    place = ["--bbox", "179.995", str(middle - 0.003), "-179.995", str(middle + 0.003)]
    code, _, errors = fetch(area=place)
    assert (code, errors) == (0, [errors[0]] if errors else [])
    assert len(stac.searches) == 2
    assert [asked["bbox"][0] for asked in stac.searches] == [179.995, -180.0]
    found, transform = pixels_of(tmp_path / "out" / f"{DAY}_A" / "B02.tif")
    expected = cut(numbers["B02"], transform, 10, tile_grid(**grid))
    assert (found == expected[: found.shape[0], : found.shape[1]]).all()
    assert 600 <= found.shape[1] * 10 <= 900


def test_other_forms_of_items(stac, fetch, tmp_path):
    """As Planetary Computer has them: keys are names of bands, and nothing is said of numbers."""
    numbers = land(ALL)
    item = stac.add("A", DAY, numbers, carries=1000, scale=None, keys=NAMES, sizes=False, **LATE)
    for asset in item["assets"].values():
        del asset["raster:bands"]
    code, _, _ = fetch("--keep", "20m")
    assert code == 0
    folder = tmp_path / "out" / f"{DAY}_A"
    assert "B11.tif" in files_in(folder) and "B09.tif" not in files_in(folder)
    assert lc.open_stac(folder / "item.json").bands["B04"].offset == -1000


def test_pictures_and_second_formats_of_an_item_are_left_alone(stac, fetch, tmp_path):
    """As Earth Search has them: JPEG 2000 behind an account, true colour of three bands."""
    item = stac.add("A", DAY, land())
    red = item["assets"]["red"]
    item["assets"] = {
        "red-jp2": red | {"href": "s3://bucket/B04.jp2", "type": "image/jp2"},
        "scl-jp2": {"href": "s3://bucket/SCL.jp2", "type": "image/jp2", "roles": ["data"]},
        "visual": {"href": "s3://bucket/TCI.tif", "eo:bands": [
            {"name": name, "common_name": name} for name in ("red", "green", "blue")
        ]},
        "thumbnail": {"href": "s3://bucket/a.jpg", "roles": ["thumbnail"]},
        "granule_metadata": {"href": "s3://bucket/metadata.xml"},
        "aot": {"href": "s3://bucket/AOT.tif"},
    } | item["assets"]  # fmt: skip
    code, _, errors = fetch()
    assert (code, errors) == (0, [])
    held = item_in(tmp_path / "out" / f"{DAY}_A")["assets"]
    assert list(held) == ["B02", "B03", "B04", "B08", "SCL"]


def test_items_of_stac_1_1(stac, fetch, tmp_path):
    item = stac.add("A", DAY, land(), carries=1000, **LATE)
    item["stac_version"] = "1.1.0"
    for key, asset in item["assets"].items():
        del asset["raster:bands"]
        band = (asset.pop("eo:bands", None) or [{"name": key}])[0]
        asset["bands"] = [{"name": band["name"]}]
        if key != "scl":
            asset["bands"][0]["eo:common_name"] = band["common_name"]
            asset |= {"raster:scale": 0.0001, "raster:offset": -0.1, "nodata": 0}
    code, _, errors = fetch()
    assert (code, errors) == (0, [])
    assert offsets(tmp_path) == {"A": -0.1}


# Offsets


def offsets(tmp_path):
    return {
        path.name.split("_", 1)[1]: item_in(path)["assets"]["B04"]["raster:bands"][0]["offset"]
        for path in sorted(item.parent for item in (tmp_path / "out").glob("2*/item.json"))
    }


@pytest.mark.parametrize(
    ("carries", "told", "applied", "true"),
    [
        (1000, -1000, None, -0.1),
        (1000, -1000, False, -0.1),
        (0, 0, True, 0.0),
        (0, -1000, True, 0.0),  # as Earth Search writes it
        (0, -1000, False, 0.0),  # a lie: earth-search, issue 71
        (0, None, None, 0.0),
        (0, -1000, None, 0.0),
    ],
)
def test_pixels_decide_where_they_can(stac, fetch, tmp_path, carries, told, applied, true):
    flag = {} if applied is None else {"earthsearch:boa_offset_applied": applied}
    numbers = land()
    stac.add("A", DAY, numbers, carries=carries, told=told, **flag, **LATE)
    code, lines, _ = fetch()
    assert code == 0
    assert offsets(tmp_path) == {"A": true}
    consistent = (carries, told) == (1000, -1000) or (told, applied) == (0, True)
    assert any(line.startswith("note: A: it says") for line in lines) != consistent
    band = lc.open_stac(tmp_path / "out" / f"{DAY}_A" / "item.json").bands["B02"]
    assert (band.offset, band.quantification) == (true * 10_000, 10_000)


def add_one_that_lies(stac):
    """It says that +1000 was taken away, and it was not; of two other dates the word is true."""
    applied = {"earthsearch:boa_offset_applied": True}
    stac.add("before", "2022-05-01", land(day=1), carries=0, told=0, **applied, **LATE)
    stac.add("lies", "2022-06-01", land(day=2), carries=1000, told=0, **applied, **LATE)
    stac.add("after", "2022-07-01", land(day=3), carries=1000, told=-1000, **LATE)


def test_one_note_speaks_of_all_items_that_say_the_same(stac, fetch):
    """Most items of Earth Search contradict themselves in one way."""
    applied = {"earthsearch:boa_offset_applied": True}
    for day in range(1, 6):
        stac.add(f"D{day}", f"2022-06-0{day}", land(day=day), told=-1000, **applied, **LATE)
    _, lines, _ = fetch()
    (note,) = (line for line in lines if line.startswith("note"))
    assert note == (
        "note: D1, D2, D3 and 2 more: it says baseline 05.09, offset applied: true, offset -1000; "
        "its dark pixels carry no +1000, and 0 is used"
    )


def test_a_lie_that_other_dates_show(stac, fetch, tmp_path):
    add_one_that_lies(stac)
    code, lines, _ = fetch()
    assert code == 0
    assert offsets(tmp_path) == {"before": 0.0, "lies": -0.1, "after": -0.1}
    (note,) = (line for line in lines if line.startswith("note: lies"))
    assert "its dark land is that of 2022-05-01, 2022-07-01 with offset -1000" in note
    assert "which is used instead" in note
    lc.open_stac(tmp_path / "out" / "2022-06-01_lies" / "item.json")
    properties = item_in(tmp_path / "out" / "2022-06-01_lies")["properties"]
    assert properties["landcover:catalogue_said"] == {"earthsearch:boa_offset_applied": True}


def test_real_dates_in_two_zones_are_compared(stac, fetch, tmp_path, shared_data):
    """The same land in California in 2020 and 2021, of zones 10 and 11; +1000 put on the second."""
    applied = {"earthsearch:boa_offset_applied": True}
    boxes = []
    for name, carries in (("20200802", 0), ("20210708", 1000)):
        day = f"{name[:4]}-{name[4:6]}-{name[6:]}"
        item = stac.add(name, day, {}, **applied, **LATE)
        for band in ("B02", "B03", "B04", "B08"):
            with rasterio.open(shared_data / "california-igisci" / name / f"{band}.tif") as file:
                grid = Grid(file.crs, file.transform, file.height, file.width)
                pixels = file.read(1) + np.int16(carries)
            path = f"/{name}/{band}.tif"
            stac.web.files[path] = geotiff(pixels, grid, file.nodata)
            item["assets"][KEYS[band]] = {"href": stac.web.url + path, "gsd": 10}
        item["geometry"], item["bbox"] = outline(grid)
        boxes.append(item["bbox"])
    code, _, errors = fetch(area=["--bbox", *map(str, boxes[0])], dates="2020-01-01/2021-12-31")
    assert (code, errors) == (0, [])
    assert offsets(tmp_path) == {"20200802": 0.0, "20210708": -0.1}


def test_bright_land_without_an_offset_is_believed_where_other_dates_agree(stac, fetch, tmp_path):
    def bright(day):
        found = land(("B02", "B03", "B04", "B08"), day=day)
        return {band: (numbers + 1100).astype(np.uint16) for band, numbers in found.items()}

    old = {"s2:processing_baseline": "02.14"}
    dark = land(("B02", "B03", "B04", "B08"), day=9)
    for numbers in dark.values():
        numbers[:] = numbers + 1100
        numbers[100:104, 100:110] = 300  # a pond, and the same land otherwise
    stac.add("pond", "2022-05-01", dark, told=0, **old)
    stac.add("bright", "2022-06-01", bright(1), told=0, **old)
    assert fetch()[0] == 0
    assert offsets(tmp_path) == {"pond": 0.0, "bright": 0.0}


def test_what_stays_open_is_refused_and_can_be_said(stac, fetch, tmp_path):
    stac.add("A", DAY, land(), carries=1000, told=0, **LATE)
    code, _, errors = fetch()
    assert code == 2
    assert "no other date can be compared: give the true one with offset=-1000" in errors[-1] or (
        "no other date can be compared: give the true one with --offset -1000" in errors[-1]
    )
    assert offsets(tmp_path) == {}
    before = len(stac.web.asked(".tif"))
    code, _, _ = fetch("--offset", "-1000")
    assert code == 0 and offsets(tmp_path) == {"A": -0.1}
    assert len(stac.web.asked(".tif")) == before  # its bands were there


def test_an_offset_found_by_other_dates_stays(stac, fetch, tmp_path):
    add_one_that_lies(stac)
    fetch()
    code, _, _ = fetch(dates="2022-06-01")
    assert code == 0
    assert offsets(tmp_path)["lies"] == -0.1


# Servers


def test_the_same_command_again_asks_the_catalogue_alone(stac, fetch, tmp_path):
    stac.add("A", DAY, land())
    fetch()
    before, content = len(stac.web.asked(".tif")), files_in(tmp_path)
    code, lines, _ = fetch()
    assert code == 0 and len(stac.web.asked(".tif")) == before
    assert any(line.endswith("was there") for line in lines)
    assert files_in(tmp_path) == content


def test_further_bands_are_added(stac, fetch, tmp_path):
    stac.add("A", DAY, land(ALL))
    fetch()
    before = len(stac.web.asked("/A/B02.tif"))
    assert fetch("--keep", "B11")[0] == 0
    assert "B11" in item_in(tmp_path / "out" / f"{DAY}_A")["assets"]
    assert "B02" in item_in(tmp_path / "out" / f"{DAY}_A")["assets"]
    assert len(stac.web.asked("/A/B02.tif")) <= before + 4  # its header, for the window


def test_a_folder_of_another_area_is_left_alone(stac, fetch, tmp_path):
    stac.add("A", DAY, land())
    fetch()
    code, _, errors = fetch(area=["--bbox", *map(str, box_of(tile_grid(), 0.2))])
    assert code == 2 and "holds another area" in errors[-1]


def test_a_damaged_file_is_fetched_again(stac, fetch, tmp_path):
    stac.add("A", DAY, land())
    fetch()
    path = tmp_path / "out" / f"{DAY}_A" / "B04.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert fetch()[0] == 0
    assert path.read_bytes() == whole


def test_passing_faults_are_no_matter(stac, fetch, tmp_path):
    numbers = land()
    stac.add("A", DAY, numbers)
    stac.web.fail("status", "/search", times=2, value=502)
    stac.web.fail("status", "B02.tif", times=2, value=500)
    stac.web.fail("cut", "B03.tif", times=2, after=1)
    stac.web.fail("status", "B08.tif", times=1, value=503, after=2)
    code, _, errors = fetch()
    assert (code, errors) == (0, [])
    found, transform = pixels_of(tmp_path / "out" / f"{DAY}_A" / "B03.tif")
    assert (found == cut(numbers["B03"], transform, 10)[: found.shape[0], : found.shape[1]]).all()


def test_a_slow_server_is_asked_again(stac, fetch, monkeypatch):
    monkeypatch.setattr(remote_rasters, "ANSWER_S", 1.0)
    stac.add("A", DAY, land())
    stac.web.fail("stall", "B03.tif", times=1, after=2)
    assert fetch()[0] == 0


def test_one_item_that_fails_does_not_keep_the_others(stac, fetch, tmp_path):
    stac.add("bad", DAY, land())
    stac.add("gone", "2022-06-11", land())
    stac.add("good", "2022-06-21", land())
    stac.web.fail("status", "/bad/B04.tif", value=500)
    stac.web.fail("status", "/gone/B04.tif", value=404)
    code, lines, errors = fetch()
    assert code == 2
    assert "1 of 3 items could not be used: bad: " in errors[-1]
    assert "HTTP status 500" in errors[-1] and "\n" not in errors[-1]
    assert any(line.startswith("left out: gone: ") and "404" in line for line in lines)
    assert lines[-1].endswith("2022-06-21_good")
    stac.web.faults.clear()
    assert fetch()[0] == 0
    assert (tmp_path / "out" / f"{DAY}_bad" / "item.json").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file:size": 99}, "the catalogue says 99; it is another file or was cut"),
        ({"href": "file:///etc/passwd"}, "only http and https are fetched"),
        ({"href": "s3://bucket/B04.tif"}, "only http and https are fetched"),
    ],
)
def test_what_an_item_says_wrongly_is_refused(stac, fetch, tmp_path, change, said):
    stac.add("A", DAY, land(), assets={"red": change})
    code, _, errors = fetch()
    assert code == 2 and said in errors[-1]
    assert not (tmp_path / "out" / f"{DAY}_A").exists()


def test_links_of_an_item_may_be_relative_to_it(stac, fetch, tmp_path):
    item = stac.add("A", DAY, land())
    for asset in item["assets"].values():
        asset["href"] = "../../../../" + asset["href"].removeprefix(f"{stac.web.url}/")
    code, _, errors = fetch()
    assert (code, errors) == (0, [])
    item["assets"]["red"]["href"] = "/etc/passwd"  # of the server
    code, lines, _ = fetch(out="other")
    assert code == 2 and any(f"{stac.web.url}/etc/passwd: HTTP status 404" in one for one in lines)


def test_a_server_that_is_down_is_left_in_peace(stac, fetch):
    for day in range(1, 7):
        stac.add(f"D{day}", f"2022-06-0{day}", land(day=day))
    stac.web.fail("status", ".tif", value=503)
    code, _, errors = fetch()
    assert code == 2 and "6 of 6 items could not be used" in errors[-1]
    assert "D4: not tried, since 3 in a row failed before it" in errors[-1]
    assert not stac.web.asked("/D4/")


def test_bands_that_an_item_lacks_are_told(stac, fetch):
    stac.add("A", DAY, land(("B02", "B03", "B04", "B08")))
    code, lines, _ = fetch("--keep", "B11")
    assert code == 0
    assert "note: A has no B11 SCL, so its clouds are not told" in lines


def test_reflectance_as_floats_stays_as_it_is(stac, fetch, tmp_path):
    numbers = {
        band: (pixels / 10_000).astype(np.float32)
        for band, pixels in land(("B02", "B03", "B04", "B08")).items()
    }
    item = stac.add("A", DAY, numbers, scale=None)
    for asset in item["assets"].values():
        del asset["raster:bands"]
    code, _, errors = fetch()
    assert (code, errors) == (0, [])
    band = lc.open_stac(tmp_path / "out" / f"{DAY}_A" / "item.json").bands["B02"]
    assert (band.quantification, band.offset) == (1, 0)


def test_without_pystac_client_the_remedy_is_named(stac, fetch, monkeypatch):
    monkeypatch.setitem(sys.modules, "pystac_client", None)
    code, _, errors = fetch()
    assert code == 2 and "pip install 'landcover[fetch]'" in errors[-1]


def test_a_file_that_is_no_raster_is_refused(stac, fetch, tmp_path):
    stac.add("A", DAY, land(), sizes=False)
    stac.web.files["/A/B04.tif"] = b"<html>sign in</html>" * 100
    code, _, errors = fetch()
    assert code == 2 and "is neither GeoTIFF nor JPEG 2000 (it begins with b'<html>" in errors[-1]


def test_a_virtual_raster_does_not_reach_files_of_this_machine(stac, fetch, tmp_path):
    secret = tmp_path / "secret.tif"
    secret.write_bytes(geotiff(land()["B04"], tile_grid()))
    stac.add("A", DAY, land(), sizes=False)
    stac.web.files["/A/B04.tif"] = (
        '<VRTDataset rasterXSize="240" rasterYSize="240">'
        '<VRTRasterBand dataType="UInt16" band="1">'
        f"<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>"
        f"</VRTRasterBand></VRTDataset>"
    ).encode()
    code, _, errors = fetch()
    assert code == 2 and "neither GeoTIFF nor JPEG 2000" in errors[-1]


def test_a_file_that_is_another_when_it_comes_whole_is_refused(stac, fetch, tmp_path):
    stac.add("A", DAY, land(), sizes=False)
    stac.web.fail("no_ranges", "B04.tif")
    stac.web.fail("other", "B04.tif", after=1)
    code, _, errors = fetch()
    assert code == 2 and "/A/B04.tif is neither GeoTIFF nor JPEG 2000" in errors[-1]
    assert not [name for name in files_in(tmp_path / "out") if "whole" in name]


def test_a_redirect_is_followed_to_http_alone(stac, fetch, tmp_path):
    stac.add("A", DAY, land())
    stac.web.files["/moved.tif"] = stac.web.files["/A/B04.tif"]
    fault = stac.web.fail("redirect", "/A/B04.tif", value="/moved.tif")
    assert fetch()[0] == 0
    fault.value = "file:///etc/passwd"
    code, _, errors = fetch(out="other")
    assert code == 2 and "only these are fetched" in errors[-1]


def test_servers_without_ranges_and_other_formats_give_whole_files(stac, fetch, tmp_path):
    numbers = land()
    stac.add("A", DAY, numbers)
    stac.web.fail("no_ranges", "B03.tif")
    jp2 = geotiff(
        numbers["B04"], tile_grid(), None, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES"
    )
    stac.web.files["/A/B04.tif"] = jp2
    for key in ("file:size", "file:checksum"):
        del stac.items[0]["assets"]["red"][key]
    code, _, errors = fetch()
    assert (code, errors) == (0, [])
    for band in ("B03", "B04"):
        found, transform = pixels_of(tmp_path / "out" / f"{DAY}_A" / f"{band}.tif")
        expected = cut(numbers[band], transform, 10)
        assert (found == expected[: found.shape[0], : found.shape[1]]).all()
    assert not any("whole" in name for name in files_in(tmp_path / "out"))


def test_a_wrong_checksum_of_a_whole_file_is_refused(stac, fetch, tmp_path):
    stac.add("A", DAY, land(), assets={"green": {"file:checksum": "1220" + "00" * 32}})
    stac.web.fail("no_ranges", "B03.tif")
    code, _, errors = fetch()
    assert code == 2 and "the sha256 of what came is" in errors[-1]
    assert not any("whole" in name for name in files_in(tmp_path / "out"))


def test_packed_answers_are_unpacked(stac, fetch, tmp_path):
    numbers = land()
    stac.add("A", DAY, numbers)
    stac.web.fail("gzip", "B03.tif")
    code, _, errors = fetch()
    assert (code, errors) == (0, [])
    found, transform = pixels_of(tmp_path / "out" / f"{DAY}_A" / "B03.tif")
    assert (found == cut(numbers["B03"], transform, 10)[: found.shape[0], : found.shape[1]]).all()


def tokens_of(stac, names):
    """A service that gives tokens one after the other, the last one again and again."""
    left = list(names)
    asked = []

    def token(_path, _body):
        asked.append(left[0])
        name = left.pop(0) if len(left) > 1 else left[0]
        return {"token": name, "msft:expiry": "2999-01-01T00:00:00Z"}

    stac.web.routes[f"/token/{COLLECTION}"] = token
    return asked


def test_tokens_are_asked_for_and_renewed(stac, fetch, tmp_path):
    stac.add("A", DAY, land(), folder="signed/")
    stac.web.tokens = {"sig=new"}
    asked = tokens_of(stac, ["sig=expired", "sig=new"])
    code, _, errors = fetch("--token-url", f"{stac.web.url}/token")
    assert (code, errors) == (0, [])
    assert set(asked) == {"sig=expired", "sig=new"}
    assert "sig=" not in (tmp_path / "out" / f"{DAY}_A" / "item.json").read_text()


def test_a_token_that_ends_while_reading(stac, fetch, tmp_path, monkeypatch):
    numbers = land()
    stac.add("A", DAY, numbers, folder="signed/")
    stac.web.tokens = {"sig=1"}
    tokens_of(stac, ["sig=1", "sig=2"])
    opened = remote_rasters.RemoteRaster.read

    def read(self, window):
        stac.web.tokens = {"sig=2"}
        self._close()  # it has to be opened again, with a token that has ended
        return opened(self, window)

    monkeypatch.setattr(remote_rasters.RemoteRaster, "read", read)
    code, _, errors = fetch("--token-url", f"{stac.web.url}/token")
    assert (code, errors) == (0, [])
    found, transform = pixels_of(tmp_path / "out" / f"{DAY}_A" / "B08.tif")
    assert (found == cut(numbers["B08"], transform, 10)[: found.shape[0], : found.shape[1]]).all()


def test_without_a_token_the_refusal_is_told(stac, fetch):
    stac.add("A", DAY, land(), folder="signed/")
    stac.web.tokens = {"sig=1"}
    code, _, errors = fetch()
    assert code == 2 and "HTTP status 403" in errors[-1] and "signature" in errors[-1]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_command_goes_on_with_the_same_bytes(stac, fetch, tmp_path, how):
    for day in (1, 2, 3):
        stac.add(f"D{day}", f"2022-06-0{day}", land(day=day))
    assert fetch(out="whole")[0] == 0
    stac.web.fail("stall", "/D2/B08.tif")
    command = [
        sys.executable, "-m", "landcover.cli", "fetch",
        "--bbox", *map(str, box_of(tile_grid(), 0.5)), "--dates", "2022-05-01/2022-09-30",
        "--cloud", "20", "--out", str(tmp_path / "out"), "--catalogue", stac.url,
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    waiting = tmp_path / "out" / ".2022-06-02_D2.part"
    wait_for(lambda: len(list(waiting.glob("B0*.tif"))) == 3, 60)
    process.send_signal(how)
    stac.web.released.set()
    _, said = process.communicate(timeout=30)
    # The read that was waiting ends in an error of its own, which may come before the signal
    if how == signal.SIGINT and process.returncode != 2:
        assert process.returncode == 130
        assert error_lines(said)[-1].endswith("the same command goes on")
    assert not list((tmp_path / "out").glob("2022*/item.json"))
    before = len(stac.web.asked("/D1/"))
    stac.web.faults.clear()
    assert fetch()[0] == 0
    assert len(stac.web.asked("/D1/")) == before
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")
    for name in files_in(tmp_path / "whole"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# What is typed, and what a catalogue says


BOX = ["--bbox", "1", "2", "3", "4"]
DATED = [*BOX, "--dates", DAY]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dates", "2022-05-01"], "sentinel-2 is fetched for an area; give --bbox W S E N"),
        (BOX, "images are of dates; give --dates FIRST/LAST"),
        ([*BOX, "--dates", "May"], "are none; give FIRST/LAST"),
        ([*BOX, "--dates", "2022-06-02/2022-06-01"], "end before they begin"),
        ([*BOX, "--dates", "2022-06-01/"], "are none; give FIRST/LAST"),
        ([*DATED, "--offset", "1000"], "give --offset -1000, or --offset 0"),
        ([*DATED, "--offset", "-0.1"], "not to reflectance"),
        (["--bbox", "3", "2", "1", "4", "--dates", DAY], "is empty: west must be"),
        (["--bbox", "300000", "2", "300010", "4", "--dates", DAY], "is not in degrees"),
        ([*DATED, "--keep", "B10"], "which level 2A does not have"),
        ([*DATED, "--year", "2020"], "--year: not for"),
        (
            [*DATED, "--catalogue", "nasa"],
            "there is no catalogue 'nasa'; choose among earth-search, planetary-computer",
        ),
    ],
)  # fmt: skip
def test_what_is_typed_wrongly(options, said, tmp_path, capsys):
    assert cli.main(["fetch", *options, "--out", str(tmp_path / "out")]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert said in error
    assert not (tmp_path / "out").exists()


def test_nothing_found(stac, fetch, tmp_path):
    stac.add("A", DAY, land(), cloud=90.0)
    code, _, errors = fetch()
    assert code == 2 and "nothing is left to fetch of 1 items" in errors[-1]
    code, _, errors = fetch(dates="2020-06-01")
    assert code == 2 and "nothing is left to fetch of 0 items" in errors[-1]
    code, _, errors = fetch("--collection", "landsat")
    assert code == 2 and "has no collection 'landsat'; it has sentinel-2-l2a" in errors[-1]
    assert not (tmp_path / "out").exists()


def test_what_is_no_catalogue(stac, tmp_path, capsys):
    stac.web.files["/page"] = b"<html>"
    stac.web.routes["/other"] = lambda _path, _body: {"type": "Feature"}
    for path in ("/page", "/other", "/absent"):
        code = cli.main(
            ["fetch", "--bbox", "1", "2", "3", "4", "--dates", DAY, "--out", str(tmp_path / "o"),
             "--catalogue", f"{stac.web.url}{path}?key=secret"]
        )  # fmt: skip
        error = error_lines(capsys.readouterr().err)[-1]
        assert code == 2 and "does not answer a search" in error and "secret" not in error


def test_links_of_a_catalogue_do_not_reach_files_of_this_machine(stac, fetch, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    found = {
        "type": "FeatureCollection",
        "features": [stac.add("A", DAY, land())],
        "links": [{"rel": "next", "href": str(secret), "method": "GET"}],
    }
    stac.web.routes["/stac/search"] = lambda _path, _body: found
    code, _, errors = fetch()
    assert code == 2
    assert "only http and https are fetched" in errors[-1] or "does not answer" in errors[-1]


def test_names_of_folders_stay_inside():
    properties = {"datetime": "2022-06-01T10:00:31Z"}
    for name in ("../../x", "/etc", "..", "a\0b", "C:\\x", ".hidden"):
        found = folder_name({"id": name, "properties": properties})
        assert found.startswith("2022-06-01_") and "/" not in found and ".." not in found


def test_bands_are_chosen_by_name():
    assert bands_kept() == ("B02", "B03", "B04", "B08", "SCL")
    assert bands_kept(["20m"])[4:] == ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL")
    assert bands_kept(["B8A", "swir16", "SCL"])[4:] == ("B8A", "B11", "SCL")
    assert len(bands_kept(["all"])) == 13
    with pytest.raises(InputError, match="keep='B10' is B10, which level 2A does not have"):
        bands_kept(["B10"])
