"""Windows from rows of blocks are those that are read one by one, and blocks are decoded once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover.files import block_rows, raster_writer, rasters
from landcover.files.block_rows import BlockRows
from landcover.grid import Window
from tests.conftest import utm_grid

ROWS, COLS = 70, 53


@pytest.fixture(scope="module", params=[np.float32, np.uint16])
def path(request, tmp_path_factory):
    values = np.random.default_rng(0).integers(1, 9000, (3, ROWS, COLS)).astype(request.param)
    values[1, 5:20, 7:30] = np.nan if request.param == np.float32 else 0
    nodata = np.nan if request.param == np.float32 else 0
    path = tmp_path_factory.mktemp("rows") / "scene.tif"
    return raster_writer.write(path, values, utm_grid(ROWS, COLS), ["a", "b", "c"], nodata=nodata)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(block_rows, "BLOCK_PX", 8)


@given(
    row=st.integers(-30, 90), col=st.integers(-30, 70), rows=st.integers(1, 100),
    cols=st.integers(1, 80), bands=st.sampled_from([["a"], ["c", "a"], [2]]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_window_is_what_is_read_of_it(path, row, col, rows, cols, bands):
    window = Window(row, col, rows, cols)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_rows, "BLOCK_PX", 8)
        found = BlockRows(path, bands).read(window)
    expected = rasters.read(path, window, bands)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def windows():
    return [
        Window(row, col, 16, 16).padded(3)
        for row in range(0, ROWS, 16)
        for col in range(0, COLS, 16)
    ]


def test_every_row_of_blocks_is_read_once(path, small_blocks, monkeypatch):
    read, once = rasters.read, []
    monkeypatch.setattr(rasters, "read", lambda *a: once.append(a[1]) or read(*a))
    rows = BlockRows(path, ["a", "b"])
    for window in windows():
        rows.read(window)
    assert once == [Window(row, 0, min(8, ROWS - row), COLS) for row in range(0, ROWS, 8)]


def test_threads_read_what_one_reads(path, small_blocks):
    rows = BlockRows(path, ["a", "b"])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(rows.read, windows()))
    for window, held in zip(windows(), found, strict=True):
        np.testing.assert_array_equal(held, rasters.read(path, window, ["a", "b"]))


def test_wide_rasters_are_read_window_by_window(path, small_blocks, monkeypatch):
    monkeypatch.setattr(block_rows, "_MOST_BYTES", 1000)
    read, asked = rasters.read, []
    monkeypatch.setattr(rasters, "read", lambda *a: asked.append(a[1]) or read(*a))
    rows = BlockRows(path, ["a"])
    for window in windows():
        rows.read(window)
    assert asked == windows()
