"""Files cut short are refused, whatever is asked of them; whole ones, however unusual, are read."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from scipy.io import netcdf_file

from landcover.errors import LandcoverError, MissingProduct
from landcover.files import rasters, wholeness
from landcover.grid import Window
from tests.conftest import ROOT
from tests.fixtures.damage import CUTS, JPEG2000, cut, noise, write_noise, write_vrt

CORNER = Window(0, 0, 8, 8)


def error_of(name) -> str:
    """What is said when the first corner of a raster is asked for; empty where it is read."""
    try:
        rasters.read(name, CORNER)
    except LandcoverError as error:
        return str(error)
    return ""


def refused(name) -> str:
    """The one line with which a raster is refused, when only its first corner is wanted."""
    message = error_of(name)
    assert "\n" not in message
    assert str(name) in message
    return message


# JPEG 2000


@pytest.fixture(scope="module")
def jpeg2000(tmp_path_factory):
    """A function that writes a file of noise with tiles of a side, once."""
    folder = tmp_path_factory.mktemp("jpeg2000")

    def write(tile: int, side: int = 200, **options: object) -> tuple[Path, np.ndarray]:
        pixels = noise(side)
        path = folder / f"{tile}_{side}_{len(options)}.jp2"
        if not path.exists():
            blocks = {"BLOCKXSIZE": tile, "BLOCKYSIZE": tile}
            write_noise(path, pixels, **JPEG2000, **blocks, **options)
        return path, pixels

    return write


@pytest.mark.parametrize("percent", CUTS)
@pytest.mark.parametrize("tile", [64, 200])
def test_a_jpeg2000_cut_short_is_refused(jpeg2000, tile, percent):
    path, _ = jpeg2000(tile)
    refused(cut(path, percent))


@pytest.mark.parametrize("tile", [64, 128, 640, 1024])
def test_a_jpeg2000_is_refused_at_every_cut_in_every_way(jpeg2000, tile, tmp_path):
    path, _ = jpeg2000(tile, side=1200)
    safe = tmp_path / "X.SAFE" / "GRANULE" / "A" / "IMG_DATA"
    safe.mkdir(parents=True)
    for percent in CUTS:
        short = shutil.move(cut(path, percent), safe / f"{percent}.jp2")
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(short, "IMG_DATA/B02.jp2")
        vrt = write_vrt(tmp_path / "a.vrt", [str(path), str(short)], 1200)
        for threads in ("1", "ALL_CPUS"):
            for name in (short, f"/vsizip/{tmp_path}/a.zip/IMG_DATA/B02.jp2", vrt):
                with rasterio.Env(GDAL_NUM_THREADS=threads):
                    refused(name)
                    for window in (None, Window(100, 700, 400, 300)):
                        with pytest.raises(LandcoverError):
                            rasters.read(name, window)


@pytest.mark.parametrize(
    ("place", "value"), [("end", 1), ("end", 7), ("box", 1), ("box", 9)], ids=str
)
def test_a_few_bytes_less_are_enough(jpeg2000, tmp_path, place, value):
    path, _ = jpeg2000(64)
    content = path.read_bytes() + (box(b"uuid", bytes(24)) if place == "box" else b"")
    (tmp_path / "a.jp2").write_bytes(content[:-value])
    refused(tmp_path / "a.jp2")


def box(kind: bytes, content: bytes) -> bytes:
    """A box of a JPEG 2000 file."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def parts(content: bytes) -> tuple[bytes, bytes, bytes]:
    """What lies before the codestream's box, the codestream, and what lies behind."""
    start = content.index(b"jp2c") - 4
    length = int.from_bytes(content[start : start + 4], "big") or len(content) - start
    return content[:start], content[start + 8 : start + length], content[start + length :]


def last_part_of_unknown_length(codestream: bytes) -> bytes:
    """The length of the last tile-part as 0: up to the end."""
    start = codestream.rindex(b"\xff\x90\0\x0a")
    return codestream[: start + 6] + bytes(4) + codestream[start + 10 :]


UNUSUAL = {
    "boxes behind the image": lambda a, b, c: a + box(b"jp2c", b) + c + box(b"uuid", bytes(24)),
    "length of the box unknown": lambda a, b, _: a + bytes(4) + b"jp2c" + b,
    "length in eight bytes": lambda a, b, c: (
        a + struct.pack(">I4sQ", 1, b"jp2c", 16 + len(b)) + b + c
    ),
    "last part of unknown length": lambda a, b, c: (
        a + box(b"jp2c", last_part_of_unknown_length(b)) + c
    ),
    "zeros behind": lambda a, b, c: a + box(b"jp2c", b) + c + bytes(512),
    "codestream alone": lambda _a, b, _c: b,
}


@pytest.mark.parametrize("make", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_files_of_jpeg2000_are_read(jpeg2000, tmp_path, make):
    path, pixels = jpeg2000(64)
    content = make(*parts(path.read_bytes()))
    (tmp_path / "a.jp2").write_bytes(content)
    np.testing.assert_array_equal(rasters.read(tmp_path / "a.jp2"), pixels)
    behind = 530 if content.endswith(bytes(20)) else 0
    (tmp_path / "a.jp2").write_bytes(content[: (len(content) - behind) * 2 // 3])
    refused(tmp_path / "a.jp2")


@pytest.mark.parametrize(
    "options", [{"TILEPARTS": "RESOLUTIONS"}, {"PLT": "YES"}, {"CODEC": "J2K"}], ids=str
)
def test_other_ways_to_write_jpeg2000_are_read(jpeg2000, options, tmp_path):
    path = tmp_path / f"a.{options.get('CODEC', 'jp2').lower()}"
    pixels = noise(200)
    write_noise(path, pixels, **JPEG2000, BLOCKXSIZE=64, BLOCKYSIZE=64, **options)
    np.testing.assert_array_equal(rasters.read(path), pixels)
    for percent in CUTS:
        refused(cut(path, percent))


# TIFF

COMPRESSIONS = ("none", "lzw", "deflate", "zstd", "packbits", "lerc", "lerc_zstd", "lzma", "jpeg")


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize("blocks", ["strips", "tiles"])
def test_a_tiff_cut_short_is_refused(tmp_path, compress, blocks):
    pixels = noise(160, 2, "uint8" if compress == "jpeg" else "uint16")
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 48} if blocks == "tiles" else {}
    path = write_noise(tmp_path / "a.tif", pixels, compress=compress, **tiles)
    assert rasters.read(path).shape == pixels.shape
    for percent in CUTS:
        refused(cut(path, percent))


LAYOUTS = {
    "big": {"BIGTIFF": "YES", "tiled": True, "blockxsize": 16, "blockysize": 16},
    "big endian": {"ENDIANNESS": "BIG"},
    "big, big endian": {"BIGTIFF": "YES", "ENDIANNESS": "BIG", "compress": "deflate"},
    "by pixel": {"interleave": "pixel", "tiled": True, "blockxsize": 32, "blockysize": 16},
    "12 bits": {"NBITS": 12},
    "one strip": {"blockysize": 160},
    "sparse": {"SPARSE_OK": True, "tiled": True, "blockxsize": 32, "blockysize": 32},
}


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_of_tiff(tmp_path, options):
    pixels = noise(160, 3)
    if "SPARSE_OK" in options:
        pixels[:, :64] = 0
    path = write_noise(tmp_path / "a.tif", pixels, **options)
    np.testing.assert_array_equal(rasters.read(path), pixels)
    for percent in CUTS:
        refused(cut(path, percent))


def test_a_tiff_without_any_block_is_whole(tmp_path):
    grid_like = noise(64)
    path = write_noise(tmp_path / "a.tif", grid_like, SPARSE_OK=True)
    with rasterio.open(path) as source:
        profile = source.profile
    with rasterio.open(tmp_path / "empty.tif", "w", **profile, SPARSE_OK=True):
        pass
    assert not rasters.read(tmp_path / "empty.tif").any()


def test_overviews_and_masks_of_a_tiff_belong_to_it(tmp_path):
    pixels = noise(1200)
    path = write_noise(tmp_path / "a.tif", pixels, nodata=None)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as out:
        out.write_mask(np.arange(1200) % 7 > np.zeros((1200, 1)))
    with rasterio.open(path, "r+") as out:
        out.build_overviews([2, 4])
    np.testing.assert_array_equal(rasters.read(path), pixels)
    cog = tmp_path / "cog.tif"
    rasterio.shutil.copy(path, cog, driver="COG", blocksize=256)
    for whole in (path, cog):
        for percent in CUTS:
            refused(cut(whole, percent))


@pytest.mark.parametrize("external", ["ovr", "msk"])
def test_files_beside_a_tiff_belong_to_it(tmp_path, external):
    path = write_noise(tmp_path / "a.tif", noise(1200))
    if external == "ovr":
        with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as out:
            out.build_overviews([2, 4])
    else:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as out:
            out.write_mask(np.arange(1200) % 7 > np.zeros((1200, 1)))
    beside = tmp_path / f"a.tif.{external}"
    rasters.read(path, CORNER)
    beside.write_bytes(beside.read_bytes()[:-20])
    assert f"a.tif.{external} is damaged or truncated" in refused(path)


@pytest.mark.parametrize("compress", ["lzw", "deflate", "zstd", "lerc", "lzma"])
def test_zeros_in_place_of_an_end_are_refused_where_they_are_read(tmp_path, compress):
    """Of a download that reserved its space; plain pixels of 0 cannot be told from nodata."""
    path = write_noise(tmp_path / "a.tif", noise(160), compress=compress, blockysize=16)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with pytest.raises(LandcoverError, match=r"a.tif cannot be read as a raster"):
        rasters.read(path)


def test_broken_tables_are_one_line(tmp_path):
    path = write_noise(tmp_path / "a.tif", noise(64))
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        broken = bytearray(content)
        for place in rng.integers(4, 300, 3):
            broken[place] = rng.integers(0, 256)
        path.write_bytes(broken)
        assert "\n" not in error_of(path)


# Other formats


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.nc", {"driver": "netCDF", "FORMAT": "NC"}),
        ("a.nc", {"driver": "netCDF", "FORMAT": "NC2"}),
        ("a.nc", {"driver": "netCDF", "FORMAT": "NC4"}),
        ("a.img", {"driver": "ENVI"}),
        ("a.bil", {"driver": "EHdr"}),
        ("a.img", {"driver": "HFA"}),
        ("a.img", {"driver": "HFA", "COMPRESSED": "YES"}),
        ("a.png", {"driver": "PNG"}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value.values()),
)
def test_other_formats(tmp_path, name, options):
    path = tmp_path / name
    write_noise(tmp_path / "plain.tif", noise(100))
    rasterio.shutil.copy(tmp_path / "plain.tif", path, **options)
    content = path.read_bytes()
    np.testing.assert_array_equal(rasters.read(path), noise(100))
    for percent in CUTS:
        path.write_bytes(content[: len(content) * percent // 100])
        if options["driver"] == "PNG":  # has no table of its parts: what is read is refused
            with pytest.raises(LandcoverError):
                rasters.read(path)
        else:
            refused(path)


@pytest.mark.parametrize("names", [("B02",), ("B02", "B03")], ids=str)
@pytest.mark.parametrize("version", [1, 2])
def test_records_of_a_classic_netcdf(tmp_path, version, names):
    """Of one variable they are not padded to four bytes, of several they are."""
    path = tmp_path / "a.nc"
    with netcdf_file(path, "w", version=version) as file:
        for dimension, side in (("time", None), ("y", 3), ("x", 7)):
            file.createDimension(dimension, side)
        for name in names:
            file.createVariable(name, "i1", ("time", "y", "x"))[:] = np.ones((4, 3, 7))
    content = path.read_bytes()
    padding = len(content) - content.rindex(b"\1") - 1
    rasters.band_names(path if len(names) == 1 else f"netcdf:{path}:B03")
    path.write_bytes(content[: -1 - padding])
    assert "bytes are missing" in refused(path if len(names) == 1 else f"netcdf:{path}:B02")


def test_a_geopackage_cut_short(tmp_path):
    path = tmp_path / "a.gpkg"
    write_noise(path, noise(300, 3, "uint8"), driver="GPKG")
    assert rasters.read(path).shape[1:] == (300, 300)
    for percent in CUTS:
        refused(cut(path, percent))


def test_an_empty_file(tmp_path):
    (tmp_path / "a.tif").touch()
    assert "it is empty" in refused(tmp_path / "a.tif")


# Rasters made of others


def test_every_source_of_a_vrt_is_looked_for(tmp_path, jpeg2000):
    path, pixels = jpeg2000(64)
    shutil.copy(path, tmp_path / "near.jp2")
    shutil.copy(path, tmp_path / "far.jp2")
    vrt = write_vrt(tmp_path / "a.vrt", ["near.jp2", "far.jp2"], 200)
    outer = write_vrt(tmp_path / "outer.vrt", [str(vrt)], 400)
    np.testing.assert_array_equal(rasters.read(vrt), np.concatenate([pixels, pixels], axis=2))
    (tmp_path / "far.jp2").write_bytes(path.read_bytes()[:-3000])
    for name in (vrt, outer):
        assert "far.jp2, which it is made of, is damaged or truncated" in refused(name)
    (tmp_path / "far.jp2").unlink()
    for name in (vrt, outer):
        with pytest.raises(MissingProduct, match=r"a file|far.jp2, which does not exist"):
            rasters.read(name, CORNER)


@pytest.mark.parametrize("name", ["NETCDF:{}:Band1", 'NETCDF:"{}":Band1'])
def test_a_raster_in_a_container_may_be_named_as_a_vrt_sees_it(tmp_path, jpeg2000, name):
    path, pixels = jpeg2000(64)
    rasterio.shutil.copy(path, tmp_path / "cube.nc", driver="netCDF")
    vrt = write_vrt(tmp_path / "a.vrt", [name.format("cube.nc")], 200)
    np.testing.assert_array_equal(rasters.read(vrt), pixels)
    (tmp_path / "cube.nc").unlink()
    with pytest.raises(MissingProduct, match=r"a.vrt is made of .*cube.nc, which does not exist"):
        rasters.read(vrt)
    with pytest.raises(MissingProduct, match=r"cube.nc does not exist; check the path"):
        rasters.read(name.format(tmp_path / "cube.nc"))


def test_a_vrt_of_itself_is_no_endless_search(tmp_path):
    vrt = write_vrt(tmp_path / "a.vrt", ["a.vrt"], 200)
    assert "\n" not in error_of(vrt)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_an_archive(tmp_path, jpeg2000, compression):
    path, pixels = jpeg2000(64)
    whole, short = tmp_path / "whole.zip", tmp_path / "short.zip"
    for archive, image in ((whole, path), (short, cut(path, 80))):
        with zipfile.ZipFile(archive, "w", compression) as out:
            out.write(image, "IMG_DATA/B02.jp2")
    name = f"/vsizip/{whole}/IMG_DATA/B02.jp2"
    np.testing.assert_array_equal(rasters.read(name), pixels)
    assert "damaged or truncated" in refused(f"/vsizip/{short}/IMG_DATA/B02.jp2")
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 1
    whole.write_bytes(content)
    assert "damaged or truncated" in refused(name)
    (tmp_path / "cut.zip").write_bytes(content[:-30])
    refused(f"/vsizip/{tmp_path}/cut.zip/IMG_DATA/B02.jp2")


def test_asking_costs_milliseconds(tmp_path):
    """A file of the tiles of a whole product, which are all the same."""
    path = write_noise(
        tmp_path / "a.tif", np.zeros((1, 10980, 10980), np.uint8), SPARSE_OK=False,
        tiled=True, blockxsize=64, blockysize=64, compress="zstd",
    )  # fmt: skip
    started = time.perf_counter()
    wholeness.require_whole(path)
    assert time.perf_counter() - started < 0.5


# Threads


def test_damage_within_a_file_is_seen_whatever_the_number_of_threads(jpeg2000, tmp_path):
    """The lengths of all parts are right, so only decoding tells."""
    path, _ = jpeg2000(64)
    content = bytearray(path.read_bytes())
    start = [found.start() for found in re.finditer(rb"\xff\x90\0\x0a", content)]
    content[start[5] + 14 : start[6]] = b"\xff" * (start[6] - start[5] - 14)
    (tmp_path / "a.jp2").write_bytes(content)
    vrt = write_vrt(tmp_path / "a.vrt", ["a.jp2"], 200)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.jp2", "a.jp2")
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from landcover.errors import LandcoverError
from landcover.files import rasters
def refuse(name):
    try:
        rasters.read(name)
    except LandcoverError as error:
        return str(error)
names = sys.argv[1:]
with ThreadPoolExecutor(4) as pool:
    told = [*map(refuse, names), *pool.map(refuse, names * 3)]
print(sum("cannot be read as a raster" in (line or "") for line in told), len(told))
"""
    names = [str(tmp_path / "a.jp2"), str(vrt), f"/vsizip/{tmp_path}/a.zip/a.jp2"]
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | {"GDAL_NUM_THREADS": "ALL_CPUS"},
    )  # fmt: skip
    assert done.stdout.split() == ["12", "12"]
