"""Class rasters whose codes were interpolated are refused; drawn and speckled ones are not."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

import landcover as lc
from landcover.cli import main
from landcover.errors import InputError
from landcover.grid import Grid
from landcover.labels.interpolated import ramps, require_drawn

GRID_CODES = [2, 12, 18, 23, 25, 41]


def patches(side=64, cell=9, codes=GRID_CODES, seed=0):
    """Squares of classes, with corners that differ."""
    rng = np.random.default_rng(seed)
    squares = rng.choice(codes, (side // cell + 1, side // cell + 1))
    return np.kron(squares, np.ones((cell, cell), int))[:side, :side].astype(np.uint8)


def write(path, codes, pixel_m=100.0):
    transform = rasterio.transform.from_origin(600_000, 5_800_000, pixel_m, pixel_m)
    with rasterio.open(
        path, "w", driver="GTiff", height=codes.shape[0], width=codes.shape[1], count=1,
        dtype=codes.dtype, crs="EPSG:32633", transform=transform, nodata=0,
    ) as out:  # fmt: skip
        out.write(codes, 1)
    return path


def finer(path, to, factor, resampling):
    """The raster on pixels that are finer by a factor."""
    with rasterio.open(path) as source:
        shape = tuple(int(n * factor) for n in source.shape)
        codes = source.read(1, out_shape=shape, resampling=resampling)
        pixel_m = source.transform.a / factor
    return write(to, codes, pixel_m)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ([2] * 4 + [9] * 4, (0, 1)),
        ([2] * 4 + [5] + [9] * 4, (1, 1)),
        ([9] * 4 + [7, 4] + [2] * 4, (1, 1)),
        ([2] * 4 + [7, 4] + [9] * 4, (0, 1)),  # does not climb
        ([2] * 4 + [12] + [9] * 4, (0, 1)),  # a narrow strip of another class
        ([2] * 4 + [3] * 4, (0, 0)),  # no room
        ([2] * 4 + [0] + [9] * 4, (0, 0)),  # no label between
        ([2] * 4 + [5] * 4 + [9] * 4, (0, 2)),  # wide enough to be a class
        ([5], (0, 0)),
    ],
)
def test_borders_of_a_line(line, found):
    assert ramps(np.array([line])) == found
    assert ramps(np.array([line[::-1]])) == found


def test_lines_do_not_run_into_one_another():
    assert ramps(np.array([[2, 2, 2, 2, 5], [9, 9, 9, 9, 9]])) == (0, 0)


@pytest.mark.parametrize("factor", [1.3, 2.5, 4, 10])
@pytest.mark.parametrize("resampling", [Resampling.bilinear, Resampling.cubic_spline])
def test_interpolated_codes_are_refused(tmp_path, factor, resampling):
    drawn = write(tmp_path / "drawn.tif", patches())
    made = finer(drawn, tmp_path / "made.tif", factor, resampling)
    grid = Grid(rasterio.crs.CRS.from_epsg(32633), *_shape_of(drawn))
    require_drawn(drawn, grid)
    with pytest.raises(InputError, match=r"made.tif was interpolated: \d+% of \d+ borders"):
        require_drawn(made, grid)


def test_nearest_pixels_are_taken(tmp_path):
    drawn = write(tmp_path / "drawn.tif", patches())
    made = finer(drawn, tmp_path / "made.tif", 3.3, Resampling.nearest)
    require_drawn(made, Grid(rasterio.crs.CRS.from_epsg(32633), *_shape_of(drawn)))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("classes", [3, 9, 44])
def test_speckle_is_no_interpolation(share, classes):
    rng = np.random.default_rng(classes)
    codes = patches(300, 12, np.arange(1, classes + 1))
    noisy = np.where(
        rng.random(codes.shape) < share, rng.integers(1, classes + 1, codes.shape), codes
    )
    passing, borders = ramps(noisy)
    assert passing < 0.3 * borders


def test_prep_refuses_and_leaves_nothing(tmp_path, capsys):
    scene = lc.make_scene(160, 160, seed=1)
    lc.write(tmp_path / "B.tif", scene.image, scene.grid, band_names=scene.bands)
    west, _, _, north = scene.grid.bounds
    codes = patches(40, 7)
    transform = rasterio.transform.from_origin(west - 300, north + 300, 100, 100)
    drawn = tmp_path / "drawn.tif"
    with rasterio.open(
        drawn, "w", driver="GTiff", height=40, width=40, count=1, dtype="uint8",
        crs=scene.grid.crs, transform=transform, nodata=0,
    ) as out:  # fmt: skip
        out.write(codes, 1)
    with rasterio.open(drawn) as source:
        made = source.read(1, out_shape=(200, 200), resampling=Resampling.bilinear)
        profile = source.profile | {"width": 200, "height": 200}
        profile["transform"] = source.transform @ source.transform.scale(0.2)
    with rasterio.open(tmp_path / "made.tif", "w", **profile) as out:
        out.write(made, 1)
    out = tmp_path / "run"
    command = ["prep", "--bands", str(tmp_path / "B.tif"), "--out", str(out), "--labels"]
    assert main([*command, str(tmp_path / "made.tif")]) == 2
    assert "made.tif was interpolated" in capsys.readouterr().err
    assert not (out / "scene.tif").exists()


def _shape_of(path):
    with rasterio.open(path) as source:
        return source.transform, *source.shape
