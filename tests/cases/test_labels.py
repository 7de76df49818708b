"""What label rasters hold: values of labels.tif."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import Resampling, calculate_default_transform, reproject

import landcover as lc
from landcover.errors import LandcoverError
from landcover.grid import Grid
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, loose, tif
from tests.fixtures.drawn_land import GRID_CODES, declare, grid_codes, numbers, squares

TRUTH = squares(60, 60, 10)
GRID = utm_grid(*TRUTH.shape)
LABELS = grid_codes(TRUTH)


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bands")
    return loose(folder, CORE, numbers(TRUTH), nodata=0, grid=GRID)


def labels_of(folder, bands, path, **options):
    return lc.read(lc.prepare(folder / "run", bands, path, **options).labels)[0]


@pytest.mark.parametrize("text", ["-9999", "-128", "256", "nan", "-3.40282346638529e+38"])
def test_a_nodata_value_that_bytes_cannot_hold_is_none(tmp_path, bands, text):
    path = tif(tmp_path / "clc.tif", LABELS[None], nodata=255, grid=GRID)
    declare([path], text)
    np.testing.assert_array_equal(labels_of(tmp_path, bands, path), TRUTH)


def test_signed_bytes(tmp_path, bands):
    """EEA's rasters of CORINE have nodata -128 in them, and 48 for what is outside."""
    values, expected = LABELS.astype(np.int8), TRUTH.copy()
    values[:10], values[10:20], expected[:20] = -128, 48, 0
    path = tif(tmp_path / "clc.tif", values[None], nodata=-128, grid=GRID)
    np.testing.assert_array_equal(labels_of(tmp_path, bands, path), expected)


def test_signed_bytes_read_as_unsigned_are_refused(tmp_path, bands):
    values = LABELS.astype(np.int8)
    values[:10] = -128
    path = tif(tmp_path / "clc.tif", values.view(np.uint8)[None], nodata=255, grid=GRID)
    declare([path], "-128")
    with pytest.raises(LandcoverError, match=r"clc.tif: unknown class codes 128"):
        labels_of(tmp_path, bands, path)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int32", "float32", "float64"])
def test_numbers_of_every_type(tmp_path, bands, dtype):
    floats = np.dtype(dtype).kind == "f"
    values, expected = LABELS.astype(dtype), TRUTH.copy()
    values[:10], expected[:10] = (np.nan if floats else 0), 0
    path = tif(tmp_path / "clc.tif", values[None], nodata=np.nan if floats else None, grid=GRID)
    np.testing.assert_array_equal(labels_of(tmp_path, bands, path), expected)


def test_the_least_integer_as_nodata_in_web_mercator(tmp_path, bands):
    mercator = CRS.from_epsg(3857)
    transform, width, height = calculate_default_transform(
        GRID.crs, mercator, GRID.cols, GRID.rows, *GRID.bounds, resolution=4
    )
    values = np.zeros((height, width), np.int32)
    reproject(
        LABELS.astype(np.int32), values, src_transform=GRID.transform, src_crs=GRID.crs,
        dst_transform=transform, dst_crs=mercator, resampling=Resampling.nearest,
    )  # fmt: skip
    least = np.iinfo(np.int64).min
    values = np.where(values == 0, least, values.astype(np.int64))
    grid = Grid(mercator, transform, height, width)
    path = tif(tmp_path / "clc.tif", values[None], nodata=least, grid=grid)
    np.testing.assert_array_equal(labels_of(tmp_path, bands, path), TRUTH)


def test_positions_among_classes_are_said_to_be_grid_codes(tmp_path, bands):
    """They are grid codes by their values; what each became is kept and printed."""
    one_less = np.where(LABELS == 2, 1, LABELS - 1)
    path = tif(tmp_path / "clc.tif", one_less[None], nodata=0, grid=GRID)
    run = lc.prepare(tmp_path / "run", bands, path)
    became = run.read_manifest()["stages"]["prep"]["classes"]["labels"]
    assert became["scheme"] == "corine-grid"
    assert [row["code"] for row in became["values"]] == [111, 142, 223, 244, 511]


def test_labels_of_a_run_keep_their_meaning(tmp_path, bands):
    """Codes of level 2, such as 11, 21, 23 and 31, would be grid codes of other classes."""
    no_water = np.where(TRUTH == 512, 0, LABELS).astype(np.uint8)
    path = tif(tmp_path / "clc.tif", no_water[None], nodata=0, grid=GRID)
    first = lc.prepare(tmp_path / "first", bands, path, level=2)
    expected = np.where(TRUTH == 512, 0, TRUTH // 10)
    np.testing.assert_array_equal(lc.read(first.labels)[0], expected)
    second = lc.prepare(tmp_path / "second", bands, first.labels, level=2)
    np.testing.assert_array_equal(lc.read(second.labels)[0], expected)
    third = lc.prepare(tmp_path / "third", bands, path, first.labels, level=2)
    np.testing.assert_array_equal(lc.read(third.reference)[0], expected)
    np.testing.assert_array_equal(lc.read(third.labels)[0], expected)


# --- labels in another place or reference system ------------------------------------------------

EQUAL_AREA = CRS.from_epsg(3035)
CUSTOM = CRS.from_proj4("+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80")
ESRI = CRS.from_wkt(EQUAL_AREA.to_wkt(version="WKT1_ESRI"))


@pytest.mark.parametrize("crs", [EQUAL_AREA, CUSTOM, ESRI], ids=["epsg", "custom", "esri"])
def test_cells_of_another_system_fall_where_they_lie(tmp_path, bands, crs):
    """Cells of 100 m in random classes; PROJ alone says in which one a pixel's centre lies."""
    from pyproj import Transformer

    rows, cols = np.indices(GRID.shape)
    to_cells = Transformer.from_crs(GRID.crs.to_wkt(), crs.to_wkt(), always_xy=True)
    x, y = to_cells.transform(*GRID.xy(rows, cols))
    west, north = np.floor(x.min() / 100 - 2) * 100, np.ceil(y.max() / 100 + 2) * 100
    codes = np.random.default_rng(0).choice(list(GRID_CODES), (16, 16))
    grid = Grid(crs, Affine(100, 0, west, 0, -100, north), 16, 16)
    path = tif(tmp_path / "clc.tif", grid_codes(codes)[None], nodata=255, grid=grid)
    expected = codes[(north - y).astype(int) // 100, (x - west).astype(int) // 100]
    np.testing.assert_array_equal(labels_of(tmp_path, bands, path), expected)
