"""The service over real HTTP: right answers, bad input, limits, and many clients at once."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import httpx
import morecantile
import numpy as np
import pytest
from affine import Affine
from fastapi import HTTPException
from PIL import Image as Picture
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from benchmarks import service as benchmark
from experiments import study
from landcover import cli, maps
from landcover.classifiers import models
from landcover.classifiers.networks import ImageClassifier
from landcover.classifiers.one_image import OfOneImage
from landcover.classifiers.whole_images import WholeImageClassifier
from landcover.commands.serve import classifier_of
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import write_json
from landcover.grid import Grid, Window
from landcover.legend import Legend
from landcover.maps.cells import cells_of
from landcover.run import Run
from landcover.sensors import TRUE_COLOUR_BANDS
from landcover.service import assets, guard, observe
from landcover.service.pool import Pool
from landcover.service.server import listen
from landcover.service.state import load
from landcover.service.uploads import Predict
from landcover.sources import synthetic
from landcover.stages.models import models_of_run
from tests.conftest import error_lines, utm_grid
from tests.fixtures.map_models import BANDS, LEGEND
from tests.fixtures.map_runs import LANDCOVER
from tests.fixtures.serving import (
    LIMITS,
    Colours,
    bare_state,
    client_of,
    needs_javascript,
    picture,
    serving,
    state_of,
    write_run,
)

pytestmark = pytest.mark.usefixtures("page_of_what_is_there")
RED = picture((200, 30, 10))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("service") / "run")


@pytest.fixture(scope="module")
def url(run):
    with serving(state_of(run)) as address:
        yield address


@pytest.fixture(scope="module")
def client(url):
    with client_of(url) as client:
        yield client


def classified(client, content, name="image"):
    return client.post("/classify", files={"file": (name, content)})


def geotiff(values, bands, grid=None, **profile):
    """A GeoTIFF of (bands, rows, cols), in memory."""
    count, rows, cols = values.shape
    place = {"crs": grid.crs, "transform": grid.transform} if grid else {}
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=count, height=rows, width=cols, dtype=values.dtype,
            **place, **profile,
        ) as out:  # fmt: skip
            out.write(values)
            if bands:
                out.descriptions = bands
        return bytes(memory.read())


# Right answers


def test_health_names_what_is_served(client):
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["classifier"] == "colours"
    assert health["bands"] == ["B04", "B03", "B02"]
    assert health["models"] == ["cnn-7x7", "random-forest"]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("rgb", "name"), [((200, 30, 10), "Red"), ((10, 180, 60), "Green"), ((0, 20, 90), "Blue")]
)
def test_a_picture_gets_its_class(client, form, rgb, name):
    answer = classified(client, picture(rgb, form))
    assert answer.status_code == 200
    found = answer.json()
    assert found["Type"] == name
    assert found["model"] == "colours"
    probabilities = [found["probabilities"][colour] for colour in ("Red", "Green", "Blue")]
    assert probabilities == pytest.approx(np.array(rgb) / sum(rgb), abs=0.01)


def test_what_looks_wrong_and_what_is_left_out_is_said(client):
    dn = np.stack([np.full((40, 50), v, np.uint16) for v in (1300, 3000, 1500)])
    dn[:, 0, :3] = 0
    looks, left_out = classified(client, geotiff(dn, ("B02", "B03", "B04"))).json()["notes"]
    assert "looks like data with the +1000 offset" in looks
    assert "3 of 2,000 pixels have no data in B04 B03 B02 and are left out" in left_out


def test_a_geotiff_is_classified_by_its_band_names(client):
    dn = np.stack([np.full((40, 50), v, np.uint16) for v in (300, 2000, 500)])
    answer = classified(client, geotiff(dn, ("B02", "B03", "B04"))).json()
    assert answer["Type"] == "Green" and answer["notes"] == []
    assert answer["probabilities"]["Red"] == pytest.approx(500 / 2800, abs=1e-4)


@pytest.mark.parametrize("model", ["random-forest", "cnn-7x7"])
@pytest.mark.parametrize("window", [Window(3, 5, 50, 60), Window(0, 0, 280, 300)])
def test_predict_gives_what_mapping_gives(client, run, tmp_path, model, window):
    path, mapped = tmp_path / "part.tif", tmp_path / "map.tif"
    grid = rasters.grid_of(run.scene).crop(window)
    raster_writer.write(path, rasters.read(run.scene, window), grid, BANDS, np.nan)
    maps.predict_map(models.load_model(run.model(model)).classifier(), path, mapped)

    answer = client.post(
        "/predict", params={"model": model}, files={"file": ("part.tif", path.read_bytes())}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/tiff"
    with MemoryFile(answer.content) as memory, memory.open() as dataset:
        assert Grid.of(dataset).difference(grid) is None
        assert dataset.nodata == 0
        tags = dataset.tags(1)
        for land_class in LEGEND.classes:
            assert tags[f"CLASS_{land_class.code}"] == land_class.name
        assert Legend.from_dicts(json.loads(tags["LANDCOVER_CLASSES"])) == LEGEND
        with pytest.raises(ValueError):  # 65,536 colours, 400 kB, are not sent
            dataset.colormap(1)
        codes = dataset.read(1)
    expected = rasters.read_classes(mapped)
    assert (expected == 0).any() and (expected > 0).mean() > 0.5
    # Another shape of windows rounds sums otherwise: a tie of two classes may fall the other way
    assert (codes != expected).mean() <= (0 if model == "random-forest" else 1e-3)
    assert ((codes == 0) == (expected == 0)).all()


def test_layers_have_bounds_and_legends(client, run):
    layers = {layer["name"]: layer for layer in client.get("/layers").json()["layers"]}
    assert list(layers) == ["scene", "labels", "reference", "map-random-forest"]
    assert layers["map-random-forest"]["title"] == "Random forest"
    assert layers["scene"]["legend"] is None
    assert [entry["code"] for entry in layers["labels"]["legend"]] == list(LEGEND.codes)
    west, south, east, north = layers["labels"]["bounds"]
    box = rasters.grid_of(run.scene).bounds
    back = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True)
    assert back.transform(west, south) == pytest.approx(box[:2], abs=200)
    assert back.transform(east, north) == pytest.approx(box[2:], abs=200)


def tile_at(client, layer, lon, lat, zoom):
    """A tile as an array (rows, cols, 4), and the row and col on the run's grid of its pixels."""
    tiles = morecantile.tms.get("WebMercatorQuad")
    tile = tiles.tile(lon, lat, zoom)
    answer = client.get(f"/tiles/{layer}/{zoom}/{tile.x}/{tile.y}.png")
    assert answer.status_code == 200, answer.text
    pixels = np.array(Picture.open(io.BytesIO(answer.content)).convert("RGBA"))
    bounds = tiles.xy_bounds(tile)
    step = (bounds.right - bounds.left) / 256
    x = bounds.left + (np.arange(256) + 0.5) * step
    y = bounds.top - (np.arange(256) + 0.5) * step
    return pixels, np.meshgrid(x, y)


@pytest.mark.parametrize("layer", ["labels", "map-random-forest"])
def test_tiles_show_the_classes_in_their_colours(client, run, layer):
    grid = rasters.grid_of(run.scene)
    path = run.labels if layer == "labels" else run.map("random-forest")
    codes = rasters.read_classes(path)
    lon, lat = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(
        (grid.bounds[0] + grid.bounds[2]) / 2, (grid.bounds[1] + grid.bounds[3]) / 2
    )
    pixels, (x, y) = tile_at(client, layer, lon, lat, 14)
    there = Transformer.from_crs("EPSG:3857", "EPSG:32633", always_xy=True).transform(x, y)
    rows, cols = grid.rowcol(*there)
    inside = (rows >= 1) & (rows < grid.rows - 1) & (cols >= 1) & (cols < grid.cols - 1)
    assert inside.mean() > 0.2
    colours = {c.code: (*c.colour, 255) for c in LEGEND.classes}
    near = [codes[rows[inside] + down, cols[inside] + across]
            for down in (-1, 0, 1) for across in (-1, 0, 1)]  # fmt: skip
    plain = np.all(np.array(near) == near[4], axis=0)  # no border between classes is near
    shown, expected = pixels[inside][plain], near[4][plain]
    assert set(expected) >= set(LEGEND.codes)
    assert layer == "labels" or (expected == 0).any()
    for code in LEGEND.codes:
        assert (shown[expected == code] == colours[code]).all()
    assert (shown[expected == 0][:, 3] == 0).all()


def test_a_map_by_patches_is_a_layer_with_a_legend_of_its_own(tmp_path, rng):
    run, grid, legend = Run(tmp_path), utm_grid(320, 256), Legend.eurosat()
    cells = cells_of(grid, 32)
    codes = rng.choice(legend.codes, cells.shape).astype(np.uint16)
    codes[0] = 0
    sure = np.where(codes > 0, 80, 255).astype(np.uint8)
    sure[-1, 0] = 255  # a class whose confidence is not known
    for name, pixels in (("compact_patches", codes), ("mlp", np.full(grid.shape, 211, np.uint16))):
        held, place = (legend, cells) if name != "mlp" else (LEGEND, grid)
        raster_writer.write(run.map(name), pixels, place, ["class"], 0, held)
    raster_writer.write(run.confidence("compact_patches"), sure, cells, ["confidence_percent"], 255)
    with serving(load(run, None, LIMITS)) as url, client_of(url) as client:
        plain, layer = client.get("/layers").json()["layers"]
        assert (plain["name"], layer["name"]) == ("map-mlp", "map-compact_patches")
        assert layer["title"] == "Compact by patches"
        assert layer["max_zoom"] == plain["max_zoom"] > 14
        assert [entry["name"] for entry in layer["legend"]] == list(legend.names)
        to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
        for row, col in np.ndindex(cells.shape):
            lon, lat = to_degrees.transform(*cells.xy(row, col))
            found = client.get("/point", params={"lon": lon, "lat": lat}).json()["classes"]
            patch = found["map-compact_patches"]
            assert (patch["code"] if patch else 0) == codes[row, col]
            known = 80 if sure[row, col] < 255 else None
            assert patch is None or patch["confidence"] == known
        pixels, _ = tile_at(client, "map-compact_patches", lon, lat, 17)
        shown = (*legend[int(codes[-1, -1])].colour, 255)
        assert (pixels == shown).all(axis=-1).mean() > 0.2


def test_the_scene_is_opaque_where_it_has_data(client, run):
    grid = rasters.grid_of(run.scene)
    x, y = grid.xy(grid.rows - 30, grid.cols - 30)
    lon, lat = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(x, y)
    pixels, _ = tile_at(client, "scene", lon, lat, 17)
    assert (pixels[..., 3] == 255).mean() > 0.9
    assert pixels[..., :3].std() > 5


def test_tiles_outside_and_of_nodata_are_transparent(client):
    for address in ("/tiles/labels/3/0/0.png", "/tiles/scene/14/1/1.png"):
        answer = client.get(address)
        assert answer.status_code == 200
        pixels = np.array(Picture.open(io.BytesIO(answer.content)).convert("RGBA"))
        assert pixels.shape == (256, 256, 4)
        assert not pixels[..., 3].any()


def test_the_class_under_the_pointer(client, run, rng):
    grid = rasters.grid_of(run.scene)
    held = {
        name: rasters.read_classes(path)
        for name, path in (("labels", run.labels), ("map-random-forest", run.map("random-forest")))
    }
    confidence = rasters.read_classes(run.confidence("random-forest"))
    to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    for row, col in rng.integers(0, (grid.rows, grid.cols), (25, 2)):
        lon, lat = to_degrees.transform(*grid.xy(row, col))
        found = client.get("/point", params={"lon": lon, "lat": lat}).json()["classes"]
        for name, codes in held.items():
            assert (found[name] or {"code": 0})["code"] == codes[row, col]
        if found["map-random-forest"]:
            assert found["map-random-forest"]["confidence"] == confidence[row, col]
            assert found["map-random-forest"]["name"] == LEGEND[codes[row, col]].name
    nowhere = client.get("/point", params={"lon": -170, "lat": -89}).json()["classes"]
    assert set(nowhere.values()) == {None}


@needs_javascript
def test_the_page_takes_everything_from_here(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for address in ("/", "/docs"):
        names = re.findall(r'(?:src|href)="([^"]+)"', client.get(address).text)
        assert names and all(name.startswith("/") and name[1:2] != "/" for name in names)
        for name in names:
            assert client.get(name).status_code == 200, name
    script = client.get("/static/page.js")
    again = client.get("/static/page.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304 and not again.content


# Bad input


def png_that_declares(rows, cols):
    """A PNG of few bytes that would be huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", cols, rows, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )  # fmt: skip


def huge_geotiff():
    """A GeoTIFF of few bytes and many pixels."""
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=3, height=30_000, width=30_000, dtype="uint8",
            tiled=True, compress="deflate", sparse_ok=True,
        ):  # fmt: skip
            pass
        return bytes(memory.read())


VRT = (
    b'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1">'
    b"<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
    b"</VRTRasterBand></VRTDataset>"
)
BAD_IMAGES = {
    "empty": (b"", "empty"),
    "text": (b"hello", "no JPEG, PNG or GeoTIFF"),
    "program": (b"\x7fELF" + bytes(500), "no JPEG, PNG or GeoTIFF"),
    "vrt": (VRT, "no JPEG, PNG or GeoTIFF"),
    "truncated jpeg": (picture((9, 9, 9), "JPEG")[:300], "truncated or damaged"),
    "truncated png": (picture((9, 9, 9))[:60], "truncated or damaged"),
    "png bomb": (png_that_declares(60_000, 60_000), "60000 x 60000 pixels"),
    "png without pixels": (png_that_declares(100, 100), "truncated or damaged"),
    "large picture": (picture((9, 9, 9), size=700), "700 x 700 pixels"),
    "tiff head alone": (b"II*\0" + bytes(20), "cannot be decoded"),
    "unnamed bands": (geotiff(np.ones((5, 8, 8), np.uint16), None), "nothing says what they are"),
}


def assert_one_line(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["detail"]
    assert isinstance(body["detail"], str) and len(body["detail"].splitlines()) == 1
    return body["detail"]


def test_a_model_of_a_variant_is_served_under_its_name(run, tmp_path):
    """`train --variant texture` names models with an @."""
    name, held = "random-forest@texture", Run(tmp_path / "run")
    for path in ("scene.tif", "labels.tif", "labels.qml", "reference.tif", "reference.qml"):
        held.path.mkdir(exist_ok=True)
        shutil.copy(run.path / path, held.path / path)
    shutil.copytree(run.model("random-forest"), held.model(name))
    for path in (run.path / "maps").glob("random-forest*"):
        held.map(name).parent.mkdir(exist_ok=True)
        shutil.copy(path, held.map(name).parent / path.name.replace("random-forest", name))
    with serving(state_of(held)) as address, client_of(address) as client:
        assert client.get("/health").json()["models"] == [name]
        content = run.scene.read_bytes()
        answer = client.post("/predict", params={"model": name}, files={"file": ("a", content)})
        with MemoryFile(answer.content) as memory, memory.open() as dataset:
            np.testing.assert_array_equal(dataset.read(1), rasters.read_classes(held.map(name)))
        layers = {layer["name"]: layer for layer in client.get("/layers").json()["layers"]}
        west, south, east, north = layers[f"map-{name}"]["bounds"]
        found = client.get("/point", params={"lon": (west + east) / 2, "lat": (south + north) / 2})
        assert f"map-{name}" in found.json()["classes"]
        tile = client.get(f"/tiles/map-{quote(name, safe='')}/1/1/0.png")
        assert tile.status_code == 200 and tile.headers["content-type"] == "image/png"


@pytest.mark.parametrize("endpoint", ["/classify", "/predict"])
@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_what_is_no_image_is_refused_and_the_service_goes_on(client, endpoint, kind):
    content, said = BAD_IMAGES[kind]
    answer = client.post(endpoint, files={"file": ("../../etc/passwd", content)})
    detail = assert_one_line(answer, 422)
    assert said in detail
    assert "/vsimem" not in detail
    assert classified(client, RED).json()["Type"] == "Red"


def test_a_small_geotiff_of_many_pixels_is_refused(client):
    content = huge_geotiff()
    assert len(content) < LIMITS.upload_bytes
    assert "30000 x 30000 pixels" in assert_one_line(classified(client, content), 422)


class Redder(OfOneImage):
    """A classifier of pixels by their red reflectance."""

    name, bands, segment_layers, radius = "redder", TRUE_COLOUR_BANDS, (), 2
    legend = Legend(Colours.legend.classes[:2])

    def predict_window(self, image, segment_types=None):
        red = image[0, 2:-2, 2:-2]
        return np.stack([red > 0.1, red <= 0.1]).astype(np.float32)


class Reddest:
    """A network of whole images by their mean red reflectance."""

    def predict_on_batch(self, images):
        red = images[..., 0].mean(axis=(1, 2)) > 0.1
        return np.stack([red, ~red], axis=-1).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 300_000), (300_000, 1)], ids=["one row", "one column"])
def test_a_thin_image_takes_little_memory(shape):
    def upload(rows, cols):
        values = np.zeros((3, rows, cols), np.uint8)
        values.reshape(3, -1)[:, -5000:] = 200  # nodata costs no time, and took as much memory
        return geotiff(values, None, utm_grid(rows, cols), nodata=0, compress="deflate")

    pixels, thin = Redder(), upload(*shape)
    network = ImageClassifier("reddest", pixels.legend, pixels.bands, 64, Reddest())
    state = replace(
        bare_state(WholeImageClassifier(network)), predict={"redder": Predict(pixels)},
        limits=replace(LIMITS, pixels=100_000_000),
    )  # fmt: skip
    with serving(state) as url, client_of(url) as client:
        answers = {}
        for endpoint in ("/classify", "/predict"):
            # What is loaded and compiled at the first request is no image's
            assert client.post(endpoint, files={"file": upload(9, 9)}).status_code == 200
            tracemalloc.start()
            answers[endpoint] = client.post(endpoint, files={"file": thin})
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 60e6, endpoint
            assert client.get("/health").status_code == 200
    assert answers["/classify"].json()["probabilities"] == {"Red": 1, "Green": 0}
    with MemoryFile(answers["/predict"].content) as memory, memory.open() as dataset:
        codes = dataset.read(1)
    assert codes.shape == shape
    np.testing.assert_array_equal(codes.ravel() == 1, np.arange(300_000) >= 295_000)


@pytest.mark.parametrize("endpoint", ["/classify", "/predict"])
def test_a_thin_image_that_would_take_long_is_refused_at_once(client, endpoint):
    thin = geotiff(np.ones((3, 1, 15_626), np.uint8), None, utm_grid(1, 15_626))
    said = assert_one_line(client.post(endpoint, files={"file": ("a.tif", thin)}), 422)
    assert "1 x 15626" in said and "4,000,256" in said and "shorter pieces" in said


def test_predict_tags_its_raster_with_what_looks_wrong(client):
    dn = np.random.default_rng(0).integers(1200, 4000, (4, 40, 50)).astype(np.uint16)
    content = geotiff(dn, BANDS, utm_grid(40, 50))
    answer = client.post(
        "/predict", params={"model": "random-forest"}, files={"file": ("a.tif", content)}
    )
    assert answer.status_code == 200, answer.text
    with MemoryFile(answer.content) as memory, memory.open() as dataset:
        assert "looks like data with the +1000 offset" in dataset.tags()["NOTES"]


def test_predict_says_what_an_image_lacks(client):
    values = np.full((4, 8, 8), 0.1, np.float32)
    placeless = client.post("/predict", files={"file": ("a.tif", geotiff(values, BANDS))})
    assert "no place on the ground" in assert_one_line(placeless, 422)
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 3e5, 0, -10, 5.8e6), 8, 8)
    fewer = geotiff(values[:3], BANDS[:3], grid)
    answer = client.post("/predict", files={"file": ("a.tif", fewer)})
    assert "B08" in assert_one_line(answer, 422)


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"method": "POST", "url": "/classify"}, 422, "file: Field required"),
        ({"method": "POST", "url": "/classify", "json": {"file": "x"}}, 422, "file"),
        ({"method": "POST", "url": "/classify", "data": {"file": "text"}}, 422, "file"),
        (
            {
                "method": "POST", "url": "/classify", "content": b"--x",
                "headers": {"Content-Type": "multipart/form-data"},
            },
            400, "boundary",
        ),
        (
            {
                "method": "POST", "url": "/classify", "content": b"nonsense",
                "headers": {"Content-Type": "multipart/form-data; boundary=x"},
            },
            400, "multipart",
        ),
        ({"method": "GET", "url": "/classify"}, 405, "Not Allowed"),
        ({"method": "GET", "url": "/nothing"}, 404, "Not Found"),
        ({"method": "GET", "url": "/static/style.cs"}, 404, "there is no file"),
        ({"method": "GET", "url": "/static/..%2f..%2fapp.py"}, 404, "there is no file"),
        ({"method": "GET", "url": "/static//etc/passwd"}, 404, "there is no file"),
        ({"method": "GET", "url": "/tiles/sea/1/0/0.png"}, 404, "there is no layer 'sea'"),
        ({"method": "GET", "url": "/tiles/..%2f..%2fscene/1/0/0.png"}, 404, "Not Found"),
        ({"method": "GET", "url": "/tiles/labels/1/2/0.png"}, 404, "zoom 1 has no tile 2/0"),
        ({"method": "GET", "url": "/tiles/labels/99/0/0.png"}, 422, "z"),
        ({"method": "GET", "url": "/tiles/labels/1/-1/0.png"}, 422, "x"),
        ({"method": "GET", "url": "/point"}, 422, "lon: Field required; query.lat"),
        ({"method": "GET", "url": "/point?lon=nan&lat=1"}, 422, "lon"),
        ({"method": "GET", "url": "/health", "headers": {"Host": "evil.example"}}, 400, "host"),
    ],
    ids=lambda value: value["url"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_bad_request_is_one_line(client, request_, status, said):
    assert said in assert_one_line(client.request(**request_), status)
    assert client.get("/health").json()["status"] == "ok"


def test_an_unknown_model_is_named_with_those_there_are(client):
    answer = client.post("/predict", params={"model": "../x"}, files={"file": ("a", RED)})
    assert "'../x'; there is cnn-7x7, random-forest" in assert_one_line(answer, 404)


def test_no_other_origin_may_read_an_answer(client):
    answer = client.get("/health", headers={"Origin": "http://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.options("/classify", headers={"Origin": "http://a.example"}).status_code == 405


def test_a_request_is_one_line_of_log(client, capfd):
    client.get("/health?a=%0Aforged%20line")
    classified(client, b"hello of the log")
    said, lines = "", []
    for _ in range(200):  # a line follows its answer
        said += capfd.readouterr().out
        _, asked, rest = said.partition("GET /health?a=")
        lines = [line for line in (asked + rest).splitlines() if line.endswith("ms")]
        if len(lines) >= 2:
            break
        time.sleep(0.05)
    assert len(lines) == 2
    assert re.search(r"GET /health\?a=%0Aforged%20line 200 \d+ B \d+ ms$", lines[0])
    assert re.search(r"POST /classify 422 \d+ B \d+ ms$", lines[1])


# Limits


def empties(state):
    """Whether every seat is given back soon: a client may have its answer a little before."""
    for _ in range(200):
        if state.uploads.taken == 0:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_large_body_is_refused_while_it_streams(chunked):
    state = bare_state(Colours(), upload_bytes=100_000)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

    def body():
        yield head
        for _ in range(2000):
            yield bytes(10_000)
        yield b"\r\n--x--\r\n"

    content = body() if chunked else b"".join(body())
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with serving(state) as url, client_of(url) as client:
        answer = client.post("/classify", content=content, headers=headers)
        assert "larger than 0.0953674 MiB" in assert_one_line(answer, 413)
        assert classified(client, RED).json()["Type"] == "Red"
        assert empties(state)


def exchange(url, sent, wait_s):
    """What a server answers to raw bytes, until it closes or says nothing for a while."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait_s) as connection:
        connection.sendall(sent)
        answer = b""
        while more := connection.recv(65536):
            answer += more
            if answer.endswith(b"}"):
                break
        return answer


@pytest.fixture
def hasty(monkeypatch):
    """What is left of a body is read on for a moment."""
    monkeypatch.setattr(guard, "_READ_ON_S", 0.3)


def test_a_slow_upload_is_ended(hasty):
    state = bare_state(Colours(), timeout_s=0.5)
    begun = (
        b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    with serving(state) as url:
        answer = exchange(url, begun, 5)
        assert answer.startswith(b"HTTP/1.1 408")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"].startswith("the upload took")
        assert httpx.get(f"{url}/health").status_code == 200
        assert empties(state)


FORM = (
    b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
)
BEGUN = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


def answer_to_a_sender(url, head, body, pause_s=0.0):
    """What a client reads that sends all it has, 64 parts of 128 KiB, before it listens."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head)
        for number, part in enumerate(body):
            connection.sendall(part)
            time.sleep(pause_s if number == 0 else 0.003)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    head, _, content = answer.partition(b"\r\n\r\n")
    assert list(json.loads(content)) == ["detail"]
    return int(head.split()[1])


def declared(path=b"/classify"):
    parts = [BEGUN, *[bytes(2**17)] * 64]
    return FORM % (path, b"Content-Length: %d" % sum(map(len, parts))), parts


def chunked(path=b"/classify"):
    parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in declared()[1]]
    return FORM % (path, b"Transfer-Encoding: chunked"), [*parts, b"0\r\n\r\n"]


@pytest.fixture
def patient(monkeypatch):
    """A slow machine reads on for longer."""
    monkeypatch.setattr(guard, "_READ_ON_S", 10)


@pytest.mark.parametrize("sent", [declared, chunked])
def test_a_sender_gets_to_read_why_it_was_refused(patient, sent):
    with serving(bare_state(Colours(), upload_bytes=100_000)) as url:
        assert answer_to_a_sender(url, *sent()) == 413
        assert answer_to_a_sender(url, *sent(b"/nothing")) == (413 if sent is declared else 404)


@pytest.mark.parametrize("sent", [declared, chunked])
def test_a_slow_sender_gets_to_read_why_it_was_refused(patient, sent):
    with serving(bare_state(Colours(), timeout_s=0.2)) as url:
        assert answer_to_a_sender(url, *sent(), pause_s=0.4) == 408


@pytest.mark.parametrize("sent", [declared, chunked])
def test_a_sender_that_found_no_seat_gets_to_read_so(patient, sent):
    slow = Slow()
    state = bare_state(slow, workers=1, waiting=0)
    with serving(state) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.post, f"{url}/classify", files={"file": RED}, timeout=30)
        assert slow.began.wait(10)
        assert answer_to_a_sender(url, *sent()) == 429
        slow.go.set()
        assert first.result().status_code == 200


def test_who_waits_to_be_asked_for_a_body_is_not_asked_for_one_too_large():
    with serving(bare_state(Colours(), upload_bytes=1000)) as url:
        head = FORM % (b"/classify", b"Expect: 100-continue\r\nContent-Length: 5000")
        assert exchange(url, head, 1.5).startswith(b"HTTP/1.1 413")


def test_a_sender_without_end_is_left_after_a_while(hasty):
    with serving(bare_state(Colours(), upload_bytes=1000)) as url:
        head = FORM % (b"/classify", b"Content-Length: 5000")
        started = time.monotonic()
        assert exchange(url, head, 10).startswith(b"HTTP/1.1 413")
        assert 0.3 <= time.monotonic() - started < 6


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["silent", "half a head"])
def test_a_connection_without_a_request_is_closed(sent):
    with serving(bare_state(Colours(), idle_s=0.3)) as url:
        started = time.monotonic()
        assert exchange(url, sent, 10) == b""
        assert time.monotonic() - started < 5


class Slow(Colours):
    """A classifier that waits to be let go."""

    def __init__(self):
        self.began, self.go, self.asked = threading.Event(), threading.Event(), 0

    def probabilities(self, images, until=math.inf):
        self.asked += 1
        self.began.set()
        self.go.wait(20)
        return super().probabilities(images)


def test_too_many_requests_are_told_when_to_come_again():
    slow = Slow()
    state = bare_state(slow, workers=1, waiting=0)
    with (
        serving(state) as url, ThreadPoolExecutor(1) as pool,
        client_of(url) as client,
    ):  # fmt: skip
        first = pool.submit(classified, client, RED)
        assert slow.began.wait(10)
        refused = classified(client, RED)
        assert "the most there may be" in assert_one_line(refused, 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/health").status_code == 200
        slow.go.set()
        assert first.result().json()["Type"] == "Red"
        assert classified(client, RED).status_code == 200


def test_work_that_takes_too_long_is_given_up_and_keeps_its_seat():
    slow = Slow()
    state = bare_state(slow, workers=1, waiting=0, timeout_s=0.6)
    with serving(state) as url, client_of(url) as client:
        late = classified(client, RED)
        assert "more than 0.6 s" in assert_one_line(late, 503)
        assert "retry-after" in late.headers
        assert classified(client, RED).status_code == 429
        slow.go.set()
        assert empties(state)
        assert classified(client, RED).json()["Type"] == "Red"


def test_what_abandoned_work_ends_with_is_no_line_of_the_log(caplog):
    late = threading.Event()

    def work():
        late.wait(10)
        raise TimeoutError

    async def ask():
        pool = Pool("late", 1, 0, timeout_s=0.05)
        with pytest.raises(HTTPException), pool.seat():
            await pool.run(work)
        late.set()
        while pool.taken:
            await asyncio.sleep(0.01)
        pool.close()

    asyncio.run(ask())
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_work_that_nobody_waits_for_any_more_is_not_begun():
    slow = Slow()
    state = bare_state(slow, workers=2, waiting=0, timeout_s=0.5)
    with serving(state) as url, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(httpx.post, f"{url}/classify", files={"file": RED}) for _ in range(2)]
        assert [answer.result().status_code for answer in both] == [503, 503]
        slow.go.set()
        assert empties(state)
        assert slow.asked == 1


def test_work_that_gives_up_by_itself_took_too_long():
    class Late(Colours):
        def probabilities(self, images, until=math.inf):
            raise TimeoutError

    with serving(bare_state(Late())) as url, client_of(url) as client:
        assert "the work took more than 10 s" in assert_one_line(classified(client, RED), 503)


def test_a_fault_of_ours_shows_no_traceback():
    class Broken(Colours):
        def probabilities(self, images, until=math.inf):
            raise RuntimeError("secret")

    state = bare_state(Broken())
    with serving(state) as url, client_of(url) as client:
        assert "secret" not in assert_one_line(classified(client, RED), 500)
        assert client.get("/health").status_code == 200
        assert empties(state)


def test_many_clients_at_once_each_get_their_own_answer(url, rng):
    colours = rng.integers(1, 256, (32, 6, 3))

    def ask(mine):
        with client_of(url) as client:
            return [classified(client, picture(tuple(map(int, rgb)))).json() for rgb in mine]

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, colours))
    for mine, found in zip(colours, answers, strict=True):
        for rgb, answer in zip(mine, found, strict=True):
            probabilities = [answer["probabilities"][name] for name in ("Red", "Green", "Blue")]
            assert probabilities == pytest.approx(rgb / rgb.sum(), abs=1e-4)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory as Linux tells it")
def test_the_load_is_measured_with_the_failures_that_there_were(url, monkeypatch):
    monkeypatch.setattr(observe, "say", lambda line: None)
    load_for = benchmark.load  # the benchmark warms up for 3 s, and here nothing is compiled
    monkeypatch.setattr(benchmark, "load", lambda *asked: load_for(*asked[:-1], 0.5))
    *rows, memory = benchmark.measure(url, os.getpid(), clients=2, seconds=0.5)
    for kind, row in zip(("POST /classify", "GET /tiles"), rows, strict=True):
        assert row.what == f"{kind}, 2 clients" and row.more["failures"] == 0
        assert row.more["requests"] >= 2
        assert 0 < row.more["p50, ms"] <= row.more["max, ms"]
    assert memory.memory_mib > 50


# Starting


def test_a_page_without_its_javascript_says_what_fetches_it(run, monkeypatch):
    monkeypatch.setattr(assets, "VENDOR", ("missing.js",))
    with serving(load(run, None, LIMITS)) as url, client_of(url) as client:
        for page in ("/", "/docs"):
            text = client.get(page).text
            assert "missing.js" in text and "make web" in text
            for name in re.findall(r'(?:src|href)="([^"]+)"', text):
                assert client.get(name).status_code == 200, name
        assert client.get("/health").status_code == 200
        layers = client.get("/layers").json()["layers"]
        assert client.get(f"/tiles/{layers[0]['name']}/0/0/0.png").status_code == 200


def test_a_run_with_nothing_to_serve_is_one_line(tmp_path):
    with pytest.raises(LandcoverError, match=r"no scene, map or model.*landcover prep"):
        load(Run(tmp_path), None, LIMITS)
    with pytest.raises(LandcoverError, match=r"run folder .*none does not exist; check the path"):
        load(Run(tmp_path / "none"), None, LIMITS)


def test_a_service_without_a_classifier_still_shows_maps(run):
    state = load(run, None, LIMITS)
    with serving(state) as url, client_of(url) as client:
        assert client.get("/health").json()["classifier"] is None
        assert "no model that classifies" in assert_one_line(classified(client, RED), 404)


def test_a_taken_port_is_one_line():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LandcoverError, match=rf"port {port} .*choose another"):
            listen("127.0.0.1", port)
    with pytest.raises(LandcoverError, match="port 99999"):
        listen("127.0.0.1", 99_999)


def _interruptible():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@needs_javascript
@pytest.mark.parametrize(
    ("how", "code", "last"),
    [
        (signal.SIGINT, 130, "stopped; nothing half-written stays"),
        (signal.SIGTERM, 0, "stopped, as SIGTERM asked"),  # what systemd and Kubernetes send
    ],
)
def test_the_command_serves_a_run_until_it_is_stopped(tmp_path, how, code, last):
    run = write_run(tmp_path / "run", 60, 70, cnn=False)
    command = [*LANDCOVER, "serve", str(run.path), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell lets what it starts in the background ignore interrupts, and what that starts too
    with subprocess.Popen(command, preexec_fn=_interruptible, **pipes) as it:
        assert it.stdout.readline().startswith(f"serve {run.path}: port 0, host 127.0.0.1")
        address = re.match(r"(http://127\.0\.0\.1:\d+)/ ", it.stdout.readline())[1]
        health = httpx.get(f"{address}/health").json()
        assert health["classifier"] in health["models"]
        it.send_signal(how)
        said, errors = it.communicate(timeout=20)
    assert it.returncode == code
    assert re.fullmatch(r"\S+ \S+ GET /health 200 \d+ B \d+ ms\n", said)
    assert error_lines(errors)[-1] == last
    assert "Traceback" not in errors


def test_a_run_whose_models_need_segment_types_is_served_without_a_classifier(tmp_path):
    run = write_run(tmp_path / "run", 60, 70, cnn=False)
    card = models.load_model(run.model("random-forest")).card | {"segment_layers": ["hierarchy-8"]}
    write_json(run.model("random-forest") / "card.json", card)
    assert classifier_of(run, models_of_run(run), None) is None
    with serving(load(run, None, LIMITS)) as url, client_of(url) as client:
        refused = assert_one_line(classified(client, RED), 404)
        assert "start the service with: landcover serve RUN --classifier" in refused
        assert client.get("/health").json()["models"] == []
        assert "map-random-forest" in client.get("/layers").text
    with pytest.raises(LandcoverError, match="needs segment types"):
        classifier_of(run, models_of_run(run), run.model("random-forest"))


def test_the_runs_of_studies_are_served(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "segment", lambda run: None)
    monkeypatch.setattr(study, "sample", lambda run, *numbers, **settings: None)
    make_scene = synthetic.make_scene
    monkeypatch.setattr(
        synthetic, "make_scene", lambda rows, cols, seed, **kind: make_scene(160, 200, seed, **kind)
    )
    run = study.kind_run(tmp_path, 1)
    for each in (run, study.study_run(run, "some", 100)):
        with serving(load(each, None, LIMITS)) as url:
            layers = httpx.get(f"{url}/layers").json()["layers"]
        assert [layer["name"] for layer in layers] == ["scene", "labels", "reference"]
        for layer in layers[1:]:
            held = np.unique(rasters.read_classes(getattr(run, layer["name"]))).tolist()
            assert [entry["code"] for entry in layer["legend"]] == [c for c in held if c]


def test_a_model_that_is_not_there_is_one_line(run, capsys):
    arguments = ["serve", str(run.path), "--port", "0", "--classifier", "nothing"]
    assert cli.main(arguments) == 2
    assert (
        "has no model nothing; its models are cnn-7x7" in error_lines(capsys.readouterr().err)[-1]
    )


@pytest.mark.parametrize(("band", "name"), list(enumerate(["Red", "Green", "Blue"])))
def test_a_picture_brings_red_green_and_blue_in_this_order(client, band, name):
    pure = tuple(200 if number == band else 0 for number in range(3))
    assert classified(client, picture(pure)).json()["Type"] == name
