"""Where rasters lie: systems, transforms, the 180th meridian, and PROJ's own files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

import landcover as lc
from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.grid import Grid
from tests.conftest import ROOT, utm_grid
from tests.fixtures.band_files import CORE, loose, tif, unplaced
from tests.fixtures.drawn_land import band_and_label_files, grid_codes, numbers, squares

TRUTH = squares(60, 60, 10)
SCENE = (numbers(TRUTH) / 10_000).astype(np.float32)
GRID = utm_grid(*TRUTH.shape)
LOCAL = CRS.from_wkt('LOCAL_CS["Arbitrary",UNIT["metre",1]]')


def prepared(folder: Path, grid: Grid = GRID, label_grid: Grid | None = None) -> lc.Run:
    """A run of the land on a grid, with labels on another."""
    bands, labels = band_and_label_files(folder, TRUTH, grid=grid)
    if label_grid is not None:
        labels = tif(labels, grid_codes(TRUTH)[None], nodata=255, grid=label_grid)
    return lc.prepare(folder / "run", bands, labels)


def assert_in_place(run: lc.Run, grid: Grid) -> None:
    assert rasters.grid_of(run.scene).difference(grid) is None
    np.testing.assert_allclose(lc.read(run.scene), SCENE, rtol=1e-6)
    np.testing.assert_array_equal(lc.read(run.labels)[0], TRUTH)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (32633, Affine(10, 0, 300_000, 0, -20, 5_800_000)),
        (3857, Affine(10, 0, 1_500_000, 0, -10, 6_900_000)),
        (4326, Affine(9e-5, 0, 13.5, 0, -9e-5, 52.3)),
        (2263, Affine(32.80833, 0, 980_000, 0, -32.80833, 200_000)),
    ],
    ids=["oblong", "web mercator", "degrees", "feet"],
)
def test_pixels_of_other_shapes_and_units(tmp_path, crs, transform):
    grid = Grid(CRS.from_epsg(crs), transform, *TRUTH.shape)
    assert_in_place(prepared(tmp_path, grid), grid)


def test_heights_of_a_compound_system_do_not_matter(tmp_path):
    compound = Grid(CRS.from_user_input("EPSG:32633+5773"), GRID.transform, *GRID.shape)
    run = prepared(tmp_path, compound, GRID)
    np.testing.assert_array_equal(lc.read(run.labels)[0], TRUTH)
    assert rasters.grid_of(run.scene).bounds == GRID.bounds


def test_points_instead_of_areas_move_nothing(tmp_path):
    """A TIFF of points gives the middle of its first pixel; GDAL gives the corner of both."""
    bands, labels = band_and_label_files(tmp_path, TRUTH)
    for path in bands:
        with rasterio.open(path, "r+") as out:
            out.update_tags(AREA_OR_POINT="Point")
    assert_in_place(lc.prepare(tmp_path / "run", bands, labels), GRID)


def test_a_world_file_gives_a_place_and_no_system(tmp_path):
    options = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
    paths = [
        unplaced(tmp_path / f"{name}.jp2", pixels[None], **options)
        for name, pixels in zip(CORE, numbers(TRUTH), strict=True)
    ]
    for path in paths:
        path.with_suffix(".j2w").write_text("10\n0\n0\n-10\n300005\n5799995\n")
    with pytest.raises(LandcoverError, match=r"B02.jp2: the raster has no CRS; assign one"):
        lc.prepare(tmp_path / "run", paths)


SOUTH_UP = Affine(10, 0, 300_000, 0, 10, 5_799_400)
ROTATED = Affine.translation(300_000, 5_800_000) @ Affine.rotation(8) @ Affine.scale(10, -10)


@pytest.mark.parametrize("transform", [SOUTH_UP, ROTATED], ids=["south-up", "rotated"])
@pytest.mark.parametrize("which", ["B02.tif", "clc.tif"])
def test_what_is_not_north_up_is_refused(tmp_path, transform, which):
    bands, labels = band_and_label_files(tmp_path, TRUTH)
    for path in bands if which == "B02.tif" else [labels]:
        with rasterio.open(path, "r+") as out:
            out.transform = transform
    with pytest.raises(LandcoverError, match=rf"{which}: transform .* not north-up; warp"):
        lc.prepare(tmp_path / "run", bands, labels)
    assert not (tmp_path / "run").exists()


def system(code: int) -> Grid:
    """The place of the land in metres, said to be in another system."""
    return Grid(CRS.from_epsg(code), GRID.transform, *GRID.shape)


@pytest.mark.parametrize(
    ("scene", "labels", "message"),
    [
        (system(4326), None, r"B02.tif: its CRS is in degrees and its bounds are 300000"),
        (GRID, system(4326), r"clc.tif: its CRS is in degrees and its bounds are 300000"),
        (Grid(LOCAL, GRID.transform, *GRID.shape), GRID, "B02.tif: the CRS 'Arbitrary' is a loc"),
        (GRID, Grid(LOCAL, GRID.transform, *GRID.shape), "clc.tif: the CRS 'Arbitrary' is a loc"),
        (GRID, system(4978), r"clc.tif: the CRS 'WGS 84' is a geocentric one"),
        (GRID, system(3031), r"clc.tif does not overlap the scene: it spans 300000"),
        (
            Grid(GRID.crs, Affine(9e-5, 0, 13.5, 0, -9e-5, 52.3), *GRID.shape), None,
            r"B02.tif: its pixels would be 9e-05 m wide.* look like degrees",
        ),
    ],
)  # fmt: skip
def test_a_system_that_cannot_be_is_refused(tmp_path, scene, labels, message):
    with pytest.raises(LandcoverError, match=message) as caught:
        prepared(tmp_path, scene, labels)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_labels_of_the_world_on_both_sides_of_the_180th_meridian(tmp_path):
    """Where west of the line is water, and east of it are fields, on a scene in UTM zone 1."""
    to_map = pyproj.Transformer.from_crs(4326, 32601, always_xy=True)
    x, y = (round(v / 10) * 10 for v in to_map.transform(180, 65))
    grid = Grid(CRS.from_epsg(32601), Affine(10, 0, x - 300, 0, -10, y + 300), *TRUTH.shape)
    world = np.zeros((60, 3600), np.uint16)
    world[:, :40], world[:, 40:80], world[:, -40:] = 211, 311, 512
    cells = Grid(CRS.from_epsg(4326), Affine(0.1, 0, -180, 0, -0.1, 68), *world.shape)
    bands = loose(tmp_path, CORE, numbers(TRUTH), nodata=0, grid=grid)
    labels = tif(tmp_path / "world.tif", world[None], nodata=0, grid=cells)
    run = lc.prepare(tmp_path / "run", bands, labels)
    lon, _ = to_map.transform(*grid.xy(*np.indices(grid.shape)), direction="INVERSE")
    assert (lon < 0).any() and (lon > 0).any()
    np.testing.assert_array_equal(lc.read(run.labels)[0], np.where(lon < 0, 211, 512))


@pytest.fixture(params=["older", pytest.param("empty", marks=pytest.mark.slow)])
def other_installation(request, tmp_path):
    """Folders of PROJ and GDAL as PostGIS and others leave them in the environment."""
    folder = tmp_path / "other"
    folder.mkdir()
    if request.param == "older":
        source = Path(pyproj.datadir.get_data_dir().split(os.pathsep)[0])
        shutil.copy(source / "proj.db", folder)
        with closing(sqlite3.connect(folder / "proj.db")) as db, db:
            for (name,) in db.execute(
                "select name from sqlite_master where type='trigger'"
            ).fetchall():
                db.execute(f'drop trigger "{name}"')
            db.execute("update metadata set value='0' where key='DATABASE.LAYOUT.VERSION.MINOR'")
    return folder


def test_files_of_another_installation_of_proj_do_not_matter(tmp_path, other_installation):
    bands, labels = band_and_label_files(tmp_path, TRUTH)
    west, south, east, north = GRID.bounds
    to_degrees = pyproj.Transformer.from_crs(32633, 4326, always_xy=True)
    box = *to_degrees.transform(west - 20, south - 20), *to_degrees.transform(east + 20, north + 20)
    names = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA")
    made = subprocess.run(
        [sys.executable, "scene_prep.py", "--bands", *bands, "--labels", labels, "--samples", "900",
         "--min-count", "10", "--bbox", *map(str, box), "--out", tmp_path / "run"],
        cwd=ROOT, env=os.environ | dict.fromkeys(names, str(other_installation)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "rror" not in made.stderr
    assert_in_place(lc.Run(tmp_path / "run"), GRID)
