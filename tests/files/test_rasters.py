from __future__ import annotations

import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rio_cogeo import cog_validate

from landcover.errors import InputError, LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.class_names import class_names, gdal_names
from landcover.files.class_rasters import same_classes
from landcover.files.legends import legend_of
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Window
from landcover.legend import Legend
from tests.conftest import ROOT, utm_grid

BANDS = ("B02", "B03", "B04", "B08")


@pytest.fixture
def scene(tmp_path, grid, rng):
    pixels = rng.random((4, *grid.shape), dtype=np.float32)
    pixels[:, :7, :9] = np.nan
    path = tmp_path / "scene.tif"
    raster_writer.write(path, pixels, grid, BANDS, nodata=np.nan)
    return path, pixels


def test_round_trip(scene, grid):
    path, pixels = scene
    np.testing.assert_array_equal(rasters.read(path), pixels)
    assert rasters.grid_of(path) == grid
    assert rasters.band_names(path) == BANDS


def test_products_are_valid_cloud_optimised_geotiffs(tmp_path, rng):
    big = utm_grid(1100, 1300)
    raster_writer.write(
        tmp_path / "s.tif", rng.random((2, 1100, 1300), np.float32), big, ["a", "b"]
    )
    raster_writer.write(
        tmp_path / "l.tif", rng.choice([211, 312], (1100, 1300)).astype(np.uint16), big, ["class"],
        nodata=0, legend=Legend.corine().subset([211, 312]),
    )  # fmt: skip
    for name in ("s.tif", "l.tif"):
        valid, errors, warnings = cog_validate(tmp_path / name)
        assert valid and not errors and not warnings


def test_floats_are_packed_the_way_that_takes_fewer_bytes(tmp_path, grid, rng):
    rows, cols = np.mgrid[: grid.rows, : grid.cols].astype(np.float32)
    images = {
        "smooth": np.hypot(rows + np.float32(0.3), cols) / 7,
        "integers": rng.integers(800, 900, grid.shape).astype(np.float32) / np.float32(10_000),
        "empty": np.full(grid.shape, np.nan, np.float32),
    }
    predictors = {}
    for name, image in images.items():
        path = raster_writer.write(tmp_path / f"{name}.tif", image, grid, ["B02"], np.nan)
        np.testing.assert_array_equal(rasters.read(path)[0], image)
        with rasterio.open(path) as dataset:
            predictors[name] = dataset.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR")
    assert predictors == {"smooth": "3", "integers": None, "empty": None}


def test_a_window_over_the_edge_is_filled(scene):
    path, pixels = scene
    window = Window(-2, 155, 5, 10)
    got = rasters.read(path, window, ["B08", "B02"])
    assert got.shape == (2, 5, 10)
    np.testing.assert_array_equal(got[:, 2:, :5], pixels[[3, 0], :3, 155:160])
    assert np.isnan(got[:, :2]).all() and np.isnan(got[:, :, 5:]).all()
    far = rasters.read(path, Window(1000, 1000, 3, 3))
    assert np.isnan(far).all()


def test_declared_nodata_becomes_nan_or_zero(tmp_path, grid):
    floats = np.full(grid.shape, 7, np.float32)
    floats[0, 0] = -9999
    raster_writer.write(tmp_path / "f.tif", floats, grid, ["a"], nodata=-9999)
    assert np.isnan(rasters.read(tmp_path / "f.tif")[0, 0, 0])
    integers = np.full(grid.shape, 7, np.uint16)
    integers[0, 0] = 65535
    raster_writer.write(tmp_path / "i.tif", integers, grid, ["a"], nodata=65535)
    assert rasters.read(tmp_path / "i.tif")[0, 0, 0] == 0
    assert np.isnan(rasters.read_small(tmp_path / "f.tif")[0, 0, 0])


def test_windows_in_any_order_give_the_same_bytes(tmp_path, grid, rng):
    pixels = rng.integers(1, 500, grid.shape).astype(np.uint16)
    contents = []
    for size, step in ((1000, 1), (50, 1), (33, -1)):
        path = tmp_path / "out.tif"
        with RasterWriter(path, grid, np.uint16, ["class"], nodata=0) as out:
            for window in list(grid.windows(size))[::step]:
                out.write(pixels[window.slices], window)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] == contents[2]


def test_a_class_raster_carries_colours_and_names(tmp_path, grid):
    legend = Legend.corine().subset([211, 512])
    path = tmp_path / "labels.tif"
    raster_writer.write(path, np.full(grid.shape, 512, np.uint16), grid, ["class"], 0, legend)
    with rasterio.open(path) as dataset, pytest.raises(ValueError, match="NULL color table"):
        dataset.colormap(1)
    assert legend_of(path) == legend
    names = {211: "Non-irrigated arable land", 512: "Water bodies"}
    assert gdal_names(path) == class_names(path) == names
    path.with_name("labels.tif.aux.xml").unlink()
    path.with_suffix(".qml").unlink()
    assert legend_of(path) == legend and class_names(path) == names


def test_nothing_of_an_earlier_raster_lies_beside_the_next(tmp_path, grid):
    path, pixels = tmp_path / "a.tif", np.ones(grid.shape, np.uint16)
    raster_writer.write(path, pixels, grid, ["class"], 0, Legend.corine(1))
    assert {p.name for p in tmp_path.iterdir()} == {"a.tif", "a.qml", "a.tif.aux.xml"}
    raster_writer.write(path, pixels, grid, ["a"], 0)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    (tmp_path / "b.qml").write_text("of something else")
    raster_writer.write(tmp_path / "b.tif", pixels, grid, ["a"], 0)
    assert (tmp_path / "b.qml").exists()


def test_four_bands_of_bytes_are_no_colours(tmp_path, grid):
    path = tmp_path / "types.tif"
    raster_writer.write(path, np.ones((4, *grid.shape), np.uint8), grid, list("abcd"), 0)
    with rasterio.open(path) as dataset:
        assert ColorInterp.alpha not in dataset.colorinterp
        assert dataset.colorinterp[0] == ColorInterp.gray


def test_the_legend_of_a_raster_of_earlier_days_is_its_colour_table(tmp_path, grid):
    legend, path = Legend.corine().subset([211, 512]), tmp_path / "old.tif"
    raster_writer.write(path, np.full(grid.shape, 512, np.uint16), grid, ["class"], 0)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.write_colormap(1, {c.code: (*c.colour, 255) for c in legend.classes})
    assert legend_of(path) is None
    names = {0: "Unlabelled"} | {c.code: f"{c.code} {c.name}" for c in legend.classes}
    categories = "".join(f"<Category>{names.get(n, '')}</Category>" for n in range(513))
    path.with_name("old.tif.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{categories}</CategoryNames>'
        "</PAMRasterBand></PAMDataset>"
    )
    assert legend_of(path) == legend
    again = tmp_path / "new.tif"
    raster_writer.write(again, np.full(grid.shape, 512, np.uint16), grid, ["class"], 0, legend)
    assert path.read_bytes() != again.read_bytes() and same_classes(path, again)
    raster_writer.write(again, np.full(grid.shape, 211, np.uint16), grid, ["class"], 0, legend)
    assert not same_classes(path, again)


def test_an_error_while_writing_leaves_nothing_and_keeps_the_old(scene, grid):
    path, _ = scene
    before = path.read_bytes()
    with pytest.raises(RuntimeError), RasterWriter(path, grid, np.uint8, ["a"]) as out:
        out.write(np.ones(grid.shape, np.uint8))
        raise RuntimeError
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize("name", [".map.part.tif", ".map.whole.tif"])
@pytest.mark.parametrize("content", [b"", b"II*\0\x08\0\0\0", b"II*\0\x08\0\0\0\xff\xff\0\0"])
def test_what_a_killed_process_left_is_written_over(tmp_path, grid, name, content):
    (tmp_path / name).write_bytes(content)
    pixels = np.full(grid.shape, 3, np.uint8)
    path = raster_writer.write(tmp_path / "map.tif", pixels, grid, ["class"])
    assert (rasters.read(path) == 3).all()
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


def test_pixels_must_fit_the_window(tmp_path, grid):
    with (
        pytest.raises(ValueError, match="the window takes"),
        RasterWriter(tmp_path / "a.tif", grid, np.uint8, ["a"]) as out,
    ):
        out.write(np.ones((3, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_missing_unreadable_and_truncated_files(scene, tmp_path):
    with pytest.raises(LandcoverError, match=r"nowhere.tif does not exist; check the path"):
        rasters.read(tmp_path / "nowhere.tif")
    text = tmp_path / "text.tif"
    text.write_text("not a raster")
    with pytest.raises(LandcoverError, match=r"text.tif cannot be read as a raster"):
        rasters.read(text)
    path, _ = scene
    cut = tmp_path / "cut.tif"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(LandcoverError, match=r"cut.tif cannot be read .* truncated"):
        rasters.read(cut)


def test_no_crs_is_named_with_its_file(tmp_path):
    path = tmp_path / "bare.tif"
    profile = {"driver": "GTiff", "width": 3, "height": 3, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", transform=utm_grid(3, 3).transform, **profile):
        pass
    with pytest.raises(LandcoverError, match=r"bare.tif: the raster has no CRS; assign one"):
        rasters.grid_of(path)


def test_one_band_needs_no_list(scene):
    path, pixels = scene
    for band in ("B04", 3):
        np.testing.assert_array_equal(rasters.read(path, bands=band), pixels[2:3])
    with pytest.raises(LandcoverError, match=r"has no band B4; its bands are B02 B03 B04 B08"):
        rasters.read(path, bands="B4")


def test_an_unknown_band_is_named(scene):
    with pytest.raises(LandcoverError, match=r"has no band B11; its bands are B02 B03 B04 B08"):
        rasters.read(scene[0], bands=["B11"])


def test_an_unwritable_folder_is_one_line(tmp_path, grid):
    (tmp_path / "file").write_text("")
    with pytest.raises(LandcoverError, match=r"cannot write .*file/a.tif: .*; check free disk"):
        raster_writer.write(tmp_path / "file" / "a.tif", np.ones(grid.shape, np.uint8), grid, ["a"])


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    """A limit on the size of files stands in for a full disk: both fail in the write itself.

    Wherever it strikes, in the first file or in the last bytes of the product, there is an
    error and no file, or the whole product: GDAL tells of no error in its last writes.
    """
    code = f"""
import resource, signal, numpy as np
from pathlib import Path
from landcover.files import raster_writer, rasters
from landcover.errors import LandcoverError
from tests.conftest import utm_grid
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(r"{tmp_path}/big.tif")
noise = np.random.default_rng(0).integers(0, 60_000, (2, 600, 700)).astype(np.uint16)
raster_writer.write(path, noise, utm_grid(600, 700), ["a", "b"])
whole = path.stat().st_size
for limit in [300_000, *range(whole * 7 // 10, whole, whole // 40), whole - 1, whole]:
    path.unlink(missing_ok=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, {resource.RLIM_INFINITY}))
    try:
        raster_writer.write(path, noise, utm_grid(600, 700), ["a", "b"])
        assert np.array_equal(rasters.read(path), noise), limit
        print("whole")
    except LandcoverError as error:
        assert not list(path.parent.iterdir()), limit
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=rasters.__file__.rsplit("/landcover/", 1)[0], env=os.environ,
    )  # fmt: skip
    *refused, last = done.stdout.splitlines()
    assert last == "whole", done.stderr
    assert len(refused) >= 12
    assert all("cannot write" in line and "check free disk space" in line for line in refused)


def test_warped_classes_are_those_of_the_nearest_pixel_whatever_the_window(tmp_path):
    """Against pyproj, pixel by pixel: the class of the cell in which the pixel's centre lies."""
    from affine import Affine
    from pyproj import Transformer
    from rasterio.crs import CRS

    from landcover.grid import Grid

    scene = utm_grid(90, 110, west=400_000, north=5_800_000)
    forward = Transformer.from_crs(scene.crs, "EPSG:3035", always_xy=True)
    x0, y0 = forward.transform(scene.bounds[0], scene.bounds[3])
    west, north = x0 // 100 * 100 - 1000, y0 // 100 * 100 + 1000
    coarse = Grid(CRS.from_epsg(3035), Affine(100, 0, west, 0, -100, north), 40, 40)
    cells = np.arange(1, 1601, dtype=np.uint16).reshape(coarse.shape)
    raster_writer.write(tmp_path / "c.tif", cells, coarse, ["id"])
    cols, rows = np.meshgrid(np.arange(scene.cols), np.arange(scene.rows))
    expected = cells[coarse.rowcol(*forward.transform(*scene.xy(rows, cols)))]
    with rasters.open_on_grid(tmp_path / "c.tif", scene) as warped:
        for size in (1000, 37):
            got = np.zeros(scene.shape, np.uint16)
            for window in scene.windows(size):
                got[window.slices] = rasters.read_window(warped, window)[0]
            assert (got != expected).mean() < 1e-3  # ties at cell borders
            if size == 1000:
                whole = got
        np.testing.assert_array_equal(got, whole)


def test_overviews_of_wide_scenes_do_not_read_their_blocks_over_and_over(tmp_path):
    """Bytes that a process reads in all, as the operating system counts them; a small cache
    stands in for a wide scene."""
    code = """
import sys, numpy as np
from pathlib import Path
from landcover.files import raster_writer
from tests.conftest import utm_grid
raster_writer.CACHE_MIB = 8
grid, path = utm_grid(2048, 3000), Path(sys.argv[1])
pixels = np.random.default_rng(0).random((4, *grid.shape), np.float32)
def bytes_read():
    return int(Path("/proc/self/io").read_text().split()[1])
with raster_writer.RasterWriter(path, grid, np.float32, list("abcd"), np.nan) as out:
    out.write(pixels)
    before = bytes_read()
print((bytes_read() - before) / path.stat().st_size)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "wide.tif")], cwd=ROOT, text=True, check=True,
        capture_output=True, env=os.environ | {"GDAL_CACHEMAX": "8"},
    )  # fmt: skip
    assert float(done.stdout) < 8


@pytest.mark.parametrize(
    ("dtype", "nodata", "message"),
    [
        (np.float16, None, "pixels are of type float16, which a GeoTIFF cannot hold"),
        (bool, None, "pixels are of type bool"),
        (object, None, "pixels are of type object"),
        (np.uint8, -9999, "nodata -9999 is no value of uint8"),
        (np.uint8, np.nan, "nodata nan is no value of uint8"),
    ],
)
def test_what_a_file_cannot_hold_is_no_matter_of_the_disk(tmp_path, grid, dtype, nodata, message):
    with pytest.raises(InputError, match=message):
        raster_writer.write(tmp_path / "a.tif", np.ones(grid.shape, dtype), grid, ["a"], nodata)
    assert not list(tmp_path.iterdir())


def test_lists_and_numbers_of_another_byte_order_are_written(tmp_path, grid, rng):
    pixels = rng.random(grid.shape, np.float32)
    path = raster_writer.write(tmp_path / "a.tif", pixels.astype(">f4"), grid, ["a"])
    np.testing.assert_array_equal(rasters.read(path)[0], pixels)
    path = raster_writer.write(tmp_path / "b.tif", pixels.tolist(), grid, ["a"])
    np.testing.assert_array_equal(rasters.read(path)[0], pixels)


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_band_that_is_not_there_is_refused(tmp_path, grid, number):
    path = raster_writer.write(tmp_path / "a.tif", np.ones(grid.shape, np.uint8), grid, ["a"])
    with pytest.raises(LandcoverError, match=f"has no band {number}; it has 1, from 1 on"):
        rasters.read(path, bands=[number])


def test_many_bands_are_thinned_by_an_overview(tmp_path):
    image = np.random.default_rng(0).normal(size=(33, 514, 520)).astype(np.float32)
    names = [f"E{number}" for number in range(33)]
    path = raster_writer.write(tmp_path / "many.tif", image, utm_grid(514, 520), names, np.nan)
    expected = image.reshape(33, 257, 2, 260, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(rasters.read_small(path, 300), expected, atol=1e-5)
    np.testing.assert_array_equal(rasters.read_small(path, 520), image)
