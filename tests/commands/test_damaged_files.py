"""Files with bytes flipped, cut off or zeroed: read, or refused in one line with nothing left.

`examples` says how many damaged files are tried; the slow suite tries ten thousand.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from shapely.geometry import box

from landcover import cli
from landcover.files.raster_writer import write
from tests.conftest import utm_grid
from tests.fixtures import serving
from tests.fixtures.band_files import CORE

GRID = utm_grid(64, 72)
#: Longest that one command may take, seconds.
HANG_S = 30

DRIVERS = {
    "deflate.tif": {"driver": "GTiff", "compress": "deflate", "blockysize": 16},
    "plain.tif": {"driver": "GTiff", "tiled": True, "blockxsize": 32, "blockysize": 32},
    "zstd.tif": {"driver": "COG", "compress": "zstd", "blocksize": 128},
    "tiles.jp2": {
        "driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES",
        "BLOCKXSIZE": 32, "BLOCKYSIZE": 32,
    },
}  # fmt: skip


def sources(folder: Path) -> dict[str, Path]:
    """Small inputs of every kind."""
    rng = np.random.default_rng(0)
    codes = np.full(GRID.shape, 211, np.uint16)
    codes[:30, :40], codes[40:] = 311, 112
    level = {211: 900, 311: 300, 112: 1400}
    dn = np.stack([np.vectorize(level.get)(codes) + 200 * band for band in range(4)])
    dn = (dn + rng.integers(0, 60, dn.shape)).astype(np.uint16)
    found = {"labels": write(folder / "clc.tif", codes, GRID, ["class"], nodata=0)}
    for kind, how in DRIVERS.items():
        path = folder / f"stack_{kind}"
        with rasterio.open(
            path, "w", width=GRID.cols, height=GRID.rows, count=4, dtype="uint16", nodata=0,
            crs=GRID.crs, transform=GRID.transform, **how,
        ) as out:  # fmt: skip
            out.write(dn)
            if "jp2" not in kind:
                out.descriptions = CORE
        found[kind] = path
    west, south, east, north = GRID.bounds
    halves = [box(west, south, west + 400, north), box(west + 400, south, east, north)]
    frame = geopandas.GeoDataFrame({"code": [112, 311]}, geometry=halves, crs=GRID.crs)
    for suffix in ("gpkg", "geojson"):
        found[suffix] = folder / f"fields.{suffix}"
        frame.to_file(found[suffix])
    return found


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with some damage of the kinds that happen to files."""
    kind, place = rng.integers(4), int(rng.integers(len(content)))
    if kind == 0:  # an end that never arrived
        return content[:place]
    part = bytearray(content)
    if kind == 1:  # a block that a disk lost
        part[place : place + 64] = bytes(len(part[place : place + 64]))
    else:  # bits that flipped, half of the time where the structure is
        reach = len(part) if kind == 2 else min(400, len(part))
        for at in rng.integers(0, reach, rng.integers(1, 5)):
            part[at] ^= 1 << int(rng.integers(8))
    return bytes(part)


@contextmanager
def not_hanging() -> Iterator[None]:
    def ends(*_: object) -> None:
        raise AssertionError(f"nothing came within {HANG_S} s")

    before = signal.signal(signal.SIGALRM, ends)
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def assert_right_or_one_line(
    words: list[object], capfd: pytest.CaptureFixture[str], product: Path | None
) -> bool:
    """Run a command; whether it refused, which leaves nothing."""
    with not_hanging():
        code = cli.main([str(word) for word in words])
    err = capfd.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code in (0, 2), err
    assert "Traceback" not in err and len(lines) == (code == 2), err
    assert "does not foresee" not in err, err
    if code == 2 and product is not None:
        assert not product.exists(), err
    return code == 2


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return sources(tmp_path_factory.mktemp("sources"))


def tries(examples: int) -> pytest.MarkDecorator:
    """A quick number of examples, and the share of ten thousand in the slow suite."""
    return pytest.mark.parametrize(
        "examples", [examples // 250 or 1, pytest.param(examples, marks=pytest.mark.slow)]
    )


@tries(2000)
@pytest.mark.parametrize("kind", ["deflate.tif", "tiles.jp2"])
def test_prep_of_damaged_bands(inputs, kind, examples, tmp_path, capfd):
    rng = np.random.default_rng(examples)
    names = [] if kind.endswith("tif") else ["--band-names", *CORE]
    content, refused = inputs[kind].read_bytes(), 0
    for number in range(examples):
        path = tmp_path / f"x_{kind}"
        path.write_bytes(damaged(content, rng))
        run = tmp_path / f"run{number}"
        refused += assert_right_or_one_line(
            ["prep", "--bands", path, *names, "--out", run], capfd, run
        )
    assert refused > examples / 5


@tries(1500)
def test_prep_of_other_damaged_bands(inputs, examples, tmp_path, capfd):
    rng = np.random.default_rng(examples)
    for number in range(examples):
        kind = ("plain.tif", "zstd.tif")[number % 2]
        path, run = tmp_path / f"x_{kind}", tmp_path / f"run{number}"
        path.write_bytes(damaged(inputs[kind].read_bytes(), rng))
        assert_right_or_one_line(["prep", "--bands", path, "--out", run], capfd, run)


@tries(1500)
def test_prep_with_damaged_labels_and_areas(inputs, examples, tmp_path, capfd):
    rng = np.random.default_rng(examples)
    options = {"labels": "--labels", "gpkg": "--aoi", "geojson": "--aoi"}
    for number in range(examples):
        kind = list(options)[number % 3]
        path, run = tmp_path / inputs[kind].name, tmp_path / f"run{number}"
        path.write_bytes(damaged(inputs[kind].read_bytes(), rng))
        words = ["prep", "--bands", inputs["deflate.tif"], options[kind], path, "--out", run]
        assert_right_or_one_line(words, capfd, run)


@tries(1000)
def test_sample_with_damaged_polygons(inputs, examples, tmp_path, capfd):
    rng, run = np.random.default_rng(examples), tmp_path / "run"
    prep = ["prep", "--bands", inputs["deflate.tif"], "--labels", inputs["labels"], "--out", run]
    cli.main([str(word) for word in [*prep, "--block-px", "16", "--min-count", "0"]])
    held = (run / "samples.parquet").read_bytes()
    for number in range(examples):
        kind = ("gpkg", "geojson")[number % 2]
        path = tmp_path / inputs[kind].name
        path.write_bytes(damaged(inputs[kind].read_bytes(), rng))
        words = ["sample", run, "--polygons", path, "--block-px", "16", "--min-count", "0"]
        if assert_right_or_one_line(words, capfd, None):
            assert (run / "samples.parquet").read_bytes() == held
        held = (run / "samples.parquet").read_bytes()


@tries(1000)
def test_classify_of_damaged_images(inputs, examples, tmp_path, capfd, monkeypatch):
    rng = np.random.default_rng(examples)
    colours = serving.Colours()
    monkeypatch.setattr("landcover.stages.models.image_model", lambda *_: None)
    monkeypatch.setattr("landcover.classifiers.whole_images.load_classifier", lambda *_: colours)
    contents = image_contents(inputs)
    for number in range(examples):
        kind = list(contents)[number % len(contents)]
        path = tmp_path / f"x{kind}"
        path.write_bytes(damaged(contents[kind], rng))
        assert_right_or_one_line(["classify", path, "--run", tmp_path], capfd, None)


@tries(1000)
def test_service_of_damaged_images(inputs, examples):
    rng = np.random.default_rng(examples)
    contents = image_contents(inputs)
    with (
        serving.serving(serving.bare_state(serving.Colours()))
        if serving.HAS_JAVASCRIPT
        else nullcontext() as url
    ):
        if url is None:
            pytest.skip("the page's JavaScript is not there; fetch it once with: make web")
        with serving.client_of(url) as client:
            for number in range(examples):
                kind = list(contents)[number % len(contents)]
                content = damaged(contents[kind], rng)
                answer = client.post("/classify", files={"file": (f"x{kind}", content)})
                assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text
                assert "Traceback" not in answer.text


def image_contents(inputs: dict[str, Path]) -> dict[str, bytes]:
    """Images of every kind that is classified."""
    return {
        ".png": serving.picture((200, 30, 40)),
        ".jpg": serving.picture((20, 130, 40), "JPEG"),
        ".tif": inputs["deflate.tif"].read_bytes(),
    }
