"""Bands on grids of their own, beside Keys' kernel written out and GDAL's own warper."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from landcover.files import raster_writer
from landcover.grid import Grid, Window
from landcover.sources.reflectance import DATA, IMPLAUSIBLE, NODATA, OUTSIDE, Band, Tally
from landcover.sources.regrid import read_on
from tests.conftest import utm_grid

TARGET = utm_grid(300, 420)
WHOLE = Window(0, 0, 300, 420)


def coarse(pixel_m: float, north: float = 0, west: float = 0) -> Grid:
    """The ground of the target in larger pixels, moved by some metres."""
    transform = Affine(pixel_m, 0, TARGET.bounds[0] + west, 0, -pixel_m, TARGET.bounds[3] - north)
    return Grid(TARGET.crs, transform, round(3000 / pixel_m), round(4200 / pixel_m))


def on_disk(folder: Path, values: np.ndarray, grid: Grid, nodata: float = np.nan) -> Band:
    """A file of one band on a grid of its own; its numbers are reflectance."""
    path = folder / "band.tif"
    raster_writer.write(path, values[np.newaxis].astype(np.float32), grid, [""], nodata=nodata)
    return Band(path, 1, 1.0, 0.0, (nodata,), grid=grid)


def brought(
    band: Band, target: Grid = TARGET, window: Window | None = None, **options
) -> tuple[np.ndarray, np.ndarray]:
    window = window or Window(0, 0, *target.shape)
    with rasterio.open(band.path) as dataset:
        return read_on(dataset, band, target, window, **options)


def noise(grid: Grid, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.02, 0.6, grid.shape).astype(np.float32)


def keys(places: np.ndarray, size: int) -> np.ndarray:
    """Weights (places, pixels) of Keys' cubic convolution, a = -0.5; from pixel middles."""
    t = np.abs(places[:, np.newaxis] - np.arange(size))
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


@pytest.mark.parametrize(("pixel_m", "north", "west"), [(20, 0, 0), (60, 0, 0), (20, 5, 10)])
def test_cubic_is_keys_kernel_at_the_middles_of_pixels(tmp_path, pixel_m, north, west):
    grid = coarse(pixel_m, north, west)
    values = noise(grid)
    found, why = brought(on_disk(tmp_path, values, grid))
    # middles of 10 m pixels, counted in coarse pixels from the middle of the first
    down = ((np.arange(300) + 0.5) * 10 - north) / pixel_m - 0.5
    across = ((np.arange(420) + 0.5) * 10 - west) / pixel_m - 0.5
    expected = keys(down, grid.rows) @ values.astype(np.float64) @ keys(across, grid.cols).T
    edge = 2 * int(pixel_m / 10)
    inner = slice(edge, -edge), slice(edge, -edge)
    np.testing.assert_allclose(found[inner], expected[inner], rtol=0, atol=2e-7)
    inside = np.outer((down >= -0.5) & (down < grid.rows), (across >= -0.5) & (across < grid.cols))
    np.testing.assert_array_equal(why == DATA, inside)


def test_a_plane_is_a_plane_and_one_value_stays(tmp_path):
    grid = coarse(60)
    x, y = grid.xy(*np.indices(grid.shape))
    plane = lambda x, y: 0.2 + (x - 300_000) * 3e-5 - (5_800_000 - y) * 2e-5  # noqa: E731
    found, _ = brought(on_disk(tmp_path, plane(x, y), grid))
    expected = plane(*TARGET.xy(*np.indices(TARGET.shape)))
    inner = slice(12, -12), slice(12, -12)
    np.testing.assert_allclose(found[inner], expected[inner], rtol=0, atol=2e-7)
    found, _ = brought(on_disk(tmp_path, np.full(grid.shape, 0.1234), grid))
    assert (found == np.float32(0.1234)).all()


def test_missing_pixels_are_missing_and_touch_no_others(tmp_path):
    grid = coarse(20)
    values = noise(grid)
    whole, _ = brought(on_disk(tmp_path, values, grid))
    values[70, 80], values[30:40, 0:10] = np.nan, np.nan
    values[100, 150] = 7.0  # no reflectance
    found, why = brought(on_disk(tmp_path, values, grid))
    expected = np.full(TARGET.shape, DATA)
    expected[140:142, 160:162], expected[60:80, 0:20] = NODATA, NODATA
    expected[200:202, 300:302] = IMPLAUSIBLE
    np.testing.assert_array_equal(why, expected)
    np.testing.assert_array_equal(np.isfinite(found), why == DATA)
    # beyond the kernel all is as it was; beside the hole a pixel lies between its neighbours
    changed = np.argwhere((found != whole) & (why == DATA))
    near = [(140, 160, 2), (200, 300, 2)]
    near_hole = (changed[:, 0] >= 57) & (changed[:, 0] < 83) & (changed[:, 1] < 23)
    assert len(changed)
    for (row, col), of_hole in zip(changed, near_hole, strict=True):
        at = [-3 <= row - r < n + 3 and -3 <= col - c < n + 3 for r, c, n in near]
        assert of_hole or any(at), (row, col)
    np.testing.assert_allclose(found[139, 160], _bilinear(values, 139, 160), rtol=1e-6)


def _bilinear(values: np.ndarray, row: int, col: int) -> float:
    """At a 10 m pixel of the 20 m pixels around it that are there, with weights made 1."""
    y, x = (row + 0.5) / 2 - 0.5, (col + 0.5) / 2 - 0.5
    top, left = int(np.floor(y)), int(np.floor(x))
    weights = np.outer([top + 1 - y, y - top], [left + 1 - x, x - left])
    part = values[top : top + 2, left : left + 2].astype(np.float64)
    weights[np.isnan(part)] = 0
    return float(np.nansum(part * weights) / weights.sum())


DEGREES = Grid(CRS.from_epsg(4326), Affine(2e-4, 0, 13.0, 0, -1.2e-4, 52.4), 220, 210)
IN_ZONE = Grid(CRS.from_epsg(32633), Affine(10, 0, 364_300, 0, -10, 5_807_300), 330, 260)


def test_other_reference_systems_are_as_gdal_warps_them(tmp_path):
    rows, cols = np.indices(DEGREES.shape)
    values = 0.3 + 0.2 * np.sin(rows / 3) * np.cos(cols / 4)
    values[120:150, 70:100] = np.nan
    band = on_disk(tmp_path, values, DEGREES)
    found, why = brought(band, IN_ZONE)
    with rasterio.open(band.path) as source, WarpedVRT(
        source, crs=IN_ZONE.crs, transform=IN_ZONE.transform, width=260, height=330,
        resampling=Resampling.cubic, tolerance=1e-4,
    ) as warped:  # fmt: skip
        expected = warped.read(1)
    same = np.isfinite(found) == np.isfinite(expected)
    assert same.mean() > 0.9999 and 0.5 < (why == DATA).mean() < 1
    both = np.isfinite(found) & np.isfinite(expected)
    assert np.abs(found - expected)[both].max() < 1e-4  # 1/500 pixel of this slope


def test_degrees_beyond_the_180th_meridian_meet_their_zone(tmp_path):
    zone = Grid(CRS.from_epsg(32701), Affine(10, 0, 166_000, 0, -10, 8_231_000), 200, 300)
    with rasterio.Env():
        from rasterio.warp import transform_bounds

        west, _, east, north = transform_bounds(zone.crs, "EPSG:4326", *zone.bounds)
    if west > east:
        east += 360
    for turn in (0, 360, -360):
        grid = Grid(
            CRS.from_epsg(4326),
            Affine(1e-4, 0, west + turn - 0.003, 0, -1e-4, north + 0.003),
            300,
            400,
        )
        if not -361 < grid.bounds[0] < 361:
            continue
        band = on_disk(tmp_path, np.full(grid.shape, 0.25), grid)
        values, why = brought(band, zone)
        assert (why == DATA).mean() > 0.99, (turn, grid.bounds)
        assert (values[why == DATA] == np.float32(0.25)).all()


@given(
    row=st.integers(-20, 290),
    col=st.integers(-20, 400),
    rows=st.integers(1, 140),
    cols=st.integers(1, 140),
    own=st.sampled_from(["20 m", "60 m", "moved", "degrees"]),
)
def test_pixels_do_not_depend_on_the_window(tmp_path_factory, row, col, rows, cols, own):
    band, target, values, why = _prepared(own, tmp_path_factory)
    window = Window(row, col, rows, cols)
    part, place = window.within(*target.shape)
    found, reasons = brought(band, target, window)
    np.testing.assert_array_equal(found[place], values[part.slices])
    np.testing.assert_array_equal(reasons[place], why[part.slices])
    beyond = np.ones(found.shape, bool)
    beyond[place] = False
    assert (reasons[beyond] == OUTSIDE).all() and np.isnan(found[beyond]).all()


_KEPT: dict[str, tuple] = {}


def _prepared(own: str, factory: pytest.TempPathFactory) -> tuple:
    """A band with holes, its target, and all of it at once; made once."""
    if own not in _KEPT:
        grid, target = {
            "20 m": (coarse(20), TARGET),
            "60 m": (coarse(60), TARGET),
            "moved": (coarse(20, 7, -13), TARGET),
            "degrees": (DEGREES, IN_ZONE),
        }[own]
        values = noise(grid)
        values[np.random.default_rng(1).random(grid.shape) < 0.02] = np.nan
        band = on_disk(factory.mktemp("own"), values, grid)
        _KEPT[own] = band, target, *brought(band, target)
    return _KEPT[own]


@pytest.mark.parametrize(
    ("own", "target"), [(coarse(20), TARGET), (coarse(60), TARGET), (DEGREES, IN_ZONE)]
)
@pytest.mark.parametrize("size", [64, 100, 128])
def test_every_pixel_of_the_file_is_counted_once(tmp_path, own, target, size):
    values = noise(own)
    values[::7, ::11] = 9.0
    band = on_disk(tmp_path, values, own)
    by_windows, at_once = Tally(), Tally()
    read = partial(brought, band, target)
    for window in target.windows(size):
        read(window=window, tally=by_windows)
    read(tally=at_once)
    assert by_windows == at_once
    if own.crs == target.crs:
        assert (at_once.pixels, at_once.wrong) == (values.size, int((values == 9).sum()))
    else:
        assert 0 < at_once.pixels < values.size


def test_finer_bands_are_averaged_over_the_pixel(tmp_path):
    """Where pixels become larger the kernel is as wide: a chequered field becomes grey."""
    grid = Grid(TARGET.crs, Affine(2.5, 0, 300_000, 0, -2.5, 5_800_000), 1200, 1680)
    rows, cols = np.indices(grid.shape)
    found, _ = brought(on_disk(tmp_path, 0.2 + 0.2 * ((rows + cols) % 2), grid))
    np.testing.assert_allclose(found[4:-4, 4:-4], 0.3, atol=1e-3)


def test_a_band_elsewhere_is_outside(tmp_path):
    grid = coarse(20, north=90_000)
    _, why = brought(on_disk(tmp_path, noise(grid), grid))
    assert (why == OUTSIDE).all()
