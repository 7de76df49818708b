"""Scenes brought to square pixels in metres, against a field that is known everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

import landcover as lc
from landcover.cli import main
from landcover.errors import InputError
from landcover.files import rasters
from landcover.grid import Grid
from landcover.sources.to_crs import ground_pixel_m, to_crs, utm_of
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, tif


def field(lon, lat):
    """Reflectance of the core bands at places, smooth over many pixels."""
    down = np.asarray(lat) * 111_320
    across = np.asarray(lon) % 360 * 111_320 * np.cos(np.radians(lat))
    return np.stack(
        [0.3 + 0.1 * np.sin(down / 310 + n) * np.cos(across / 370 - n) for n in range(4)]
    ).astype(np.float32)


def places(grid):
    """Longitude and latitude of the middles of pixels."""
    x, y = grid.xy(*np.mgrid[: grid.rows, : grid.cols])
    return Transformer.from_crs(grid.crs, 4326, always_xy=True).transform(x, y)


def stack(path, grid):
    return tif(path, field(*places(grid)), CORE, grid=grid, nodata=np.nan)


def degrees(west=13.0, north=52.0, step=9e-5, shape=(150, 220)):
    return Grid(CRS.from_epsg(4326), Affine(step, 0, west, 0, -step, north), *shape)


def prepared(folder, paths, **how):
    """The scene, its grid, and the notes."""
    run = lc.prepare(folder / "run", bands=paths, **how)
    notes = run.read_manifest()["stages"]["prep"]["notes"]
    return lc.read(run.scene), rasters.grid_of(run.scene), notes


def inside(grid, source, margin=3):
    """Pixels whose middle lies well inside a source grid."""
    x, y = grid.xy(*np.mgrid[: grid.rows, : grid.cols])
    x, y = Transformer.from_crs(grid.crs, source.crs, always_xy=True).transform(x, y)
    if source.crs.is_geographic:
        x = x - 360 * np.round((x - source.bounds[0]) / 360)
    rows, cols = source.rowcol(x, y)
    down = (rows >= margin) & (rows < source.rows - margin)
    return down & (cols >= margin) & (cols < source.cols - margin)


def outside(grid, source):
    return ~inside(grid, source, margin=-1)


@pytest.mark.parametrize(
    ("source", "epsg", "pixel_m"),
    [
        (degrees(), 32633, 10),
        (degrees(step=1.15e-4), 32633, 10),  # as GDAL warps 10 m at this latitude
        (degrees(step=1.8e-4), 32633, 20),
        (degrees(179.99, -16.9), 32760, 10),
        (degrees(5.3, 60.4), 32632, 10),
        (Grid(CRS.from_epsg(32633), Affine(12, 0, 4e5, 0, -8, 57e5), 150, 130), 32633, 10),
        (Grid(CRS.from_epsg(3857), Affine(16.2, 0, 1447000, 0, -16.2, 6800000), 150, 130), 32633,
         10),
    ],
)  # fmt: skip
def test_pixels_become_square_metres_of_the_zone(tmp_path, source, epsg, pixel_m):
    image, grid, notes = prepared(tmp_path, stack(tmp_path / "s.tif", source), to_crs="auto")
    assert grid.crs.to_epsg() == epsg and grid.resolution == (pixel_m, pixel_m)
    assert grid.transform.c % pixel_m == 0 and grid.transform.f % pixel_m == 0
    assert "pixels of " in notes[0] and f"to EPSG:{epsg}, {pixel_m} m, by cubic" in notes[0]
    known = inside(grid, source)
    assert known.mean() > 0.5
    error = np.abs(image - field(*places(grid)))[:, known]
    assert error.max() < 2e-3
    assert np.isnan(image[:, outside(grid, source)]).all()


def test_a_scene_of_square_metres_stays_as_it_is(tmp_path):
    paths = stack(tmp_path / "s.tif", utm_grid(60, 80))
    plain = lc.prepare(tmp_path / "plain", bands=paths)
    same = lc.prepare(tmp_path / "same", bands=paths, to_crs="auto")
    assert plain.scene.read_bytes() == same.scene.read_bytes()
    notes = same.read_manifest()["stages"]["prep"]["notes"]
    assert notes == ["already in EPSG:32633 with square pixels: nothing was warped"]


@pytest.mark.parametrize(
    ("zones", "lon", "lat", "epsg"),
    [((32632, 32633), 12.0, 52.0, 32632), ((32660, 32601), 180.0, 65.0, 32660)],
)
def test_neighbouring_zones_become_one_mosaic(tmp_path, zones, lon, lat, epsg):
    grids, paths = [], []
    for number, zone in enumerate(zones):
        x, y = Transformer.from_crs(4326, zone, always_xy=True).transform(lon, lat)
        west, cols = (round(x, -1) - 2000, 220) if number == 0 else (round(x, -1) - 200, 120)
        grids.append(Grid(CRS.from_epsg(zone), Affine(10, 0, west, 0, -10, round(y, -1)), 90, cols))
        paths.append(stack(tmp_path / f"{zone}.tif", grids[-1]))
    with pytest.raises(InputError, match="bring them to one with to_crs=auto"):
        prepared(tmp_path, paths)
    image, grid, notes = prepared(tmp_path, paths, to_crs="auto")
    assert grid.crs.to_epsg() == epsg
    known = inside(grid, grids[0]) | inside(grid, grids[1])
    assert np.abs(image - field(*places(grid)))[:, known].max() < 2e-3
    # the tile that is in the zone already keeps its very numbers, where it comes first
    assert sum("warped from" in note for note in notes) == 1


def test_another_reference_system(tmp_path):
    source = degrees()
    image, grid, _ = prepared(tmp_path, stack(tmp_path / "s.tif", source), to_crs="EPSG:3035")
    assert grid.crs.to_epsg() == 3035 and grid.resolution == (10, 10)
    assert np.abs(image - field(*places(grid)))[:, inside(grid, source)].max() < 2e-3


def test_labels_and_masks_come_along_by_nearest(tmp_path):
    source = degrees()
    rows, cols = np.mgrid[: source.rows, : source.cols]
    classes = np.where((rows // 30 + cols // 40) % 2, 211, 311).astype(np.uint16)
    labels = lc.write(tmp_path / "l.tif", classes, source, ["class"], nodata=0)
    clouds = np.where((rows > 50) & (rows < 70), 9, 4).astype(np.uint8)
    mask = tif(tmp_path / "SCL.tif", clouds[np.newaxis], grid=source)
    run = lc.prepare(
        tmp_path / "run", bands=stack(tmp_path / "s.tif", source), labels=labels, mask=mask,
        to_crs="auto",
    )  # fmt: skip
    grid = rasters.grid_of(run.scene)
    lon, lat = places(grid)
    row, col = source.rowcol(lon, lat)
    known = inside(grid, source)
    image, found = lc.read(run.scene), lc.read(run.labels)[0]
    assert (found == classes[row.clip(0, 149), col.clip(0, 219)])[known].mean() > 0.9995
    np.testing.assert_array_equal(np.isnan(image[0])[known], (clouds == 9)[row[known], col[known]])


def test_sizes_of_pixels():
    assert ground_pixel_m(utm_grid(10, 10)) == 10
    assert ground_pixel_m(degrees(step=3e-4)) == 26.2


def test_zones_meet_at_their_meridians():
    for zone in range(1, 61):
        west = -180 + 6 * (zone - 1)
        assert utm_of(west, 10).to_epsg() == 32_600 + zone
        assert utm_of(west + 5.999, -10).to_epsg() == 32_700 + zone


class TestRefused:
    def refused(self, tmp_path, grid, wanted):
        with pytest.raises(InputError) as caught:
            to_crs(lc.open_bands(stack(tmp_path / "s.tif", grid)), wanted)
        return str(caught.value)

    def test_beyond_utm(self, tmp_path):
        text = self.refused(tmp_path, degrees(10, 85), "auto")
        assert text.startswith("the place lies at 84.99 degrees north, where UTM has no zone")
        assert "to_crs=EPSG:3995" in text

    @pytest.mark.parametrize(
        ("wanted", "reason"),
        [
            ("EPSG:4326", "to_crs=EPSG:4326 is not in metres"),
            ("EPSG:2263", "to_crs=EPSG:2263 is not in metres"),
            ("utm", "to_crs=utm is no reference system; give auto, or one such as"),
            ("EPSG:3857", "a metre of EPSG:3857 is 0.617 x 0.615 m on the ground there"),
        ],
    )
    def test_what_is_no_reference_system_in_metres(self, tmp_path, wanted, reason):
        assert reason in self.refused(tmp_path, degrees(), wanted)

    def test_by_the_command(self, tmp_path, capsys):
        path = stack(tmp_path / "s.tif", degrees(10, 85))
        command = ["prep", "--bands", str(path), "--to-crs", "auto", "--out", str(tmp_path / "run")]
        assert main(command) == 2
        assert "such as --to-crs EPSG:3995" in capsys.readouterr().err
