from __future__ import annotations

import json

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS
from rio_cogeo import cog_validate
from shapely.geometry import Polygon

from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.legends import legend_of
from landcover.grid import Grid
from landcover.legend import Legend
from landcover.run import Run
from landcover.scene.mosaic import mosaic_grid
from landcover.sources import band_files
from landcover.stages.prepare import prepare
from landcover.stages.staging import staged
from tests.conftest import utm_grid
from tests.fixtures.sentinel2_files import write_bands


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "run")


def corine_over(path, grid, codes, cell=100, crs="EPSG:3035", nodata=None):
    """A class raster of random codes in another CRS that covers a grid with a margin."""
    forward = Transformer.from_crs(grid.crs, crs, always_xy=True)
    west, south, east, north = forward.transform_bounds(*grid.bounds)
    left, top = west // cell * cell - 3 * cell, north // cell * cell + 3 * cell
    cols, rows = int((east - left) / cell) + 4, int((top - south) / cell) + 4
    coarse = Grid(CRS.from_string(crs), Affine(cell, 0, left, 0, -cell, top), rows, cols)
    cells = np.random.default_rng(1).choice(codes, coarse.shape).astype(np.uint16)
    raster_writer.write(path, cells, coarse, ["code"], nodata=nodata)
    return cells, coarse


def test_a_scene_holds_named_reflectances_with_nan_for_nodata(tmp_path, run):
    paths, dn = write_bands(tmp_path, low=0)
    prepare(run, band_files.open_bands(paths, 10_000, -1000))
    scene = rasters.read(run.scene)
    expected = np.where(dn == 0, np.nan, (dn.astype(float) - 1000) / 10_000)
    np.testing.assert_allclose(scene, expected, atol=1e-6)
    with rasterio.open(run.scene) as dataset:
        assert dataset.descriptions == ("B02", "B03", "B04", "B08")
        assert np.isnan(dataset.nodata) and dataset.dtypes[0] == "float32"
    valid, errors, warnings = cog_validate(run.scene)
    assert valid and not errors and not warnings


def test_labels_come_by_nearest_from_another_crs(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    grid = utm_grid(60, 80)
    cells, coarse = corine_over(tmp_path / "clc.tif", grid, [2, 12, 25, 48], nodata=48)
    prepare(run, band_files.open_bands(paths), labels=tmp_path / "clc.tif", level=2)
    cols, rows = np.meshgrid(np.arange(80), np.arange(60))
    forward = Transformer.from_crs(grid.crs, coarse.crs, always_xy=True)
    at = cells[coarse.rowcol(*forward.transform(*grid.xy(rows, cols)))]
    expected = np.select([at == 2, at == 12, at == 25], [11, 21, 31], 0)
    labels = rasters.read_classes(run.labels)
    assert (labels != expected).mean() < 1e-3
    assert rasters.grid_of(run.labels) == grid
    with rasterio.open(run.labels) as dataset:
        assert dataset.nodata == 0
    assert legend_of(run.labels) == Legend.corine(2).subset([11, 21, 31])
    assert run.labels.with_suffix(".qml").exists()
    assert run.figure("true_colour").exists() and run.figure("labels").exists()


@settings(max_examples=15, deadline=None)
@given(
    shifts=st.lists(st.tuples(st.integers(-30, 30), st.integers(-30, 30)), min_size=1, max_size=3),
    seed=st.integers(0, 9),
)
def test_a_mosaic_is_its_tiles_and_the_first_with_data_wins(tmp_path_factory, shifts, seed):
    folder = tmp_path_factory.mktemp("mosaic")
    tiles, pictures = [], []
    for number, (row, col) in enumerate([(0, 0), *shifts]):
        (folder / str(number)).mkdir()
        grid = utm_grid(20, 25, 300_000 + 10 * col, 5_800_000 - 10 * row)
        paths, dn = write_bands(folder / str(number), grid=grid, seed=seed + number)
        dn[:, :5, :5] = 0  # a hole that the next tile may fill
        for path, pixels in zip(paths, dn, strict=True):
            raster_writer.write(path, pixels, grid, [""], nodata=0)
        tiles += band_files.open_bands(paths)
        pictures.append((row, col, dn))
    run = Run(folder / "run")
    prepare(run, tiles)
    grid = rasters.grid_of(run.scene)
    assert grid == mosaic_grid(tiles)
    top = min(row for row, _, _ in pictures)
    left = min(col for _, col, _ in pictures)
    expected = np.zeros((4, *grid.shape))
    for row, col, dn in reversed(pictures):
        place = expected[:, row - top : row - top + 20, col - left : col - left + 25]
        np.copyto(place, dn, where=dn != 0)
    expected = np.where(expected == 0, np.nan, expected / 10_000)
    np.testing.assert_allclose(rasters.read(run.scene), expected, atol=1e-6)


def test_tiles_off_the_lattice_are_refused(tmp_path):
    tiles = []
    for name, west in (("a", 300_000), ("b", 300_404)):
        (tmp_path / name).mkdir()
        paths, _ = write_bands(tmp_path / name, grid=utm_grid(20, 20, west=west))
        tiles += band_files.open_bands(paths)
    there = r"EPSG:32633 at 10 x 10 against EPSG:32633 at 10 x 10, shifted by 0.40 px"
    with pytest.raises(LandcoverError, match=rf"not on the pixel lattice .*\({there}\)"):
        mosaic_grid(tiles)


@pytest.mark.parametrize("form", ["geojson", "gpkg", "bbox"])
def test_clipping_to_an_area_leaves_nodata_outside(tmp_path, run, form):
    paths, _ = write_bands(tmp_path)
    grid = utm_grid(60, 80)
    corine_over(tmp_path / "clc.tif", grid, [12, 25])
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    if form == "bbox":
        aoi = back.transform_bounds(300_200, 5_799_600, 300_500, 5_799_800)
    else:
        triangle = Polygon([(300_200, 5_799_800), (300_505, 5_799_800), (300_200, 5_799_495)])
        aoi = tmp_path / f"aoi.{form}"
        crs = "EPSG:4326" if form == "geojson" else "EPSG:3035"
        geopandas.GeoSeries([triangle], crs=grid.crs).to_crs(crs).to_file(aoi)
    prepare(run, band_files.open_bands(paths), labels=tmp_path / "clc.tif", aoi=aoi)
    clipped = rasters.grid_of(run.scene)
    valid = np.isfinite(rasters.read(run.scene)).all(axis=0)
    cols, rows = np.meshgrid(np.arange(clipped.cols), np.arange(clipped.rows))
    x, y = clipped.xy(rows, cols)
    if form == "bbox":
        lon, lat = back.transform(x, y)
        inside = (lon > aoi[0]) & (lon < aoi[2]) & (lat > aoi[1]) & (lat < aoi[3])
    else:
        inside = (x - 300_200) + (5_799_800 - y) < 305
        inside &= (x > 300_200) & (y < 5_799_800)
    assert inside.sum() > 400
    assert (valid != inside).sum() <= 2  # a centre on the very edge
    assert not rasters.read_classes(run.labels)[~valid].any()
    assert clipped.rows < 60 and clipped.cols < 80


def bad_no_overlap(folder):
    corine_over(folder / "far.tif", utm_grid(60, 80, west=700_000), [12, 25])
    return {"labels": folder / "far.tif"}, r"far.tif does not overlap the scene: it spans"


def bad_codes(folder):
    corine_over(folder / "codes.tif", utm_grid(60, 80), [12, 77])
    return {"labels": folder / "codes.tif"}, r"codes.tif: unknown class codes 77"


def bad_one_class(folder):
    corine_over(folder / "one.tif", utm_grid(60, 80), [18])
    return {"labels": folder / "one.tif"}, r"one.tif has only class 231 within the scene"


def bad_unlabelled(folder):
    corine_over(folder / "none.tif", utm_grid(60, 80), [0])
    return {"labels": folder / "none.tif"}, r"none.tif has no labelled pixel within the scene"


def bad_missing(folder):
    return {"labels": folder / "nowhere.tif"}, r"nowhere.tif does not exist; check the path"


def bad_area(folder):
    return {"aoi": (20.0, 40.0, 20.1, 40.1)}, r"outside"


@pytest.mark.parametrize(
    "case", [bad_no_overlap, bad_codes, bad_one_class, bad_unlabelled, bad_missing, bad_area]
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, run, case):
    paths, _ = write_bands(tmp_path)
    arguments, message = case(tmp_path)
    with pytest.raises(LandcoverError, match=message) as caught, staged(run) as stage:
        prepare(stage, band_files.open_bands(paths), **arguments)
    assert "\n" not in str(caught.value)
    assert not run.path.exists()


@pytest.mark.parametrize("case", [bad_missing, bad_no_overlap])
def test_labels_are_looked_at_before_the_scene_is_written(tmp_path, run, case, monkeypatch):
    paths, _ = write_bands(tmp_path)
    arguments, message = case(tmp_path)
    monkeypatch.setattr("landcover.scene.mosaic.write_scene", lambda *_: pytest.fail("written"))
    with pytest.raises(LandcoverError, match=message):
        prepare(run, band_files.open_bands(paths), **arguments)


def test_an_area_between_the_middles_of_pixels_is_too_small(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    tiles = band_files.open_bands(paths)
    west, north = tiles[0].grid.bounds[0], tiles[0].grid.bounds[3]
    corner = (west + 21, north - 23, west + 23, north - 21)
    message = "its middle in the area of interest; .*, or give a larger area"
    with pytest.raises(LandcoverError, match=message), staged(run) as stage:
        prepare(stage, tiles, aoi=corner)
    assert not run.path.exists()


def test_level_0_is_no_level(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    tiles = band_files.open_bands(paths)
    labels = tmp_path / "corine.tif"
    corine_over(labels, tiles[0].grid, [2, 12, 23, 41])
    message = r"level 0 does not exist; .* levels 1 to 3"
    for held in (None, labels):
        with pytest.raises(LandcoverError, match=message), staged(run) as stage:
            prepare(stage, tiles, labels=held, level=0)
    assert not run.path.exists()


def test_a_scene_without_data_is_refused(tmp_path, run):
    paths, _ = write_bands(tmp_path, low=0, high=1)
    with pytest.raises(LandcoverError, match=r"B02.tif has no pixel with data in all bands"):
        prepare(run, band_files.open_bands(paths))
    assert not run.scene.exists()


def test_the_same_input_gives_the_same_bytes(tmp_path):
    paths, _ = write_bands(tmp_path)
    corine_over(tmp_path / "clc.tif", utm_grid(60, 80), [12, 25])
    contents = []
    for name in ("one", "two"):
        run = Run(tmp_path / name)
        prepare(run, band_files.open_bands(paths), labels=tmp_path / "clc.tif")
        contents.append([run.scene.read_bytes(), run.labels.read_bytes()])
    assert contents[0] == contents[1]


def test_the_manifest_says_how_the_scene_was_made(tmp_path, run):
    paths, _ = write_bands(tmp_path)
    prepare(run, band_files.open_bands(paths, 10_000, -1000))
    entry = json.loads(run.manifest.read_text())["stages"]["prep"]
    assert entry["settings"]["bands"]["B08"] == [
        {"file": "B08.tif", "band": 1, "quantification": 10_000, "offset": -1000}
    ]
    assert [item["path"] for item in entry["inputs"]] == [str(path) for path in paths]
    assert all(len(item["sha256"]) == 64 for item in entry["inputs"])


def test_tiles_with_different_bands_give_those_that_all_have(tmp_path, run):
    dn = np.full((5, 60, 80), 700, np.uint16)
    for name, count, west in (("a", 5, 300_000), ("b", 4, 300_800)):
        names = ["B02", "B03", "B04", "B08", "B11"][:count]
        grid = utm_grid(60, 80, west=west)
        raster_writer.write(tmp_path / f"{name}.tif", dn[:count], grid, names, nodata=0)
    prepare(run, band_files.open_bands([tmp_path / "a.tif", tmp_path / "b.tif"]))
    assert rasters.band_names(run.scene) == ("B02", "B03", "B04", "B08")
    assert np.isfinite(rasters.read(run.scene)).all()
    assert rasters.grid_of(run.scene).shape == (60, 160)
