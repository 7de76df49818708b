from __future__ import annotations

import json
import shlex
import warnings
from contextlib import suppress

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from shapely.geometry import Point, Polygon, box

from landcover.errors import InputError, LandcoverError
from landcover.files.vectors import (
    aoi_window,
    burn,
    inside,
    read_aoi,
    read_polygons,
    with_layer,
)
from landcover.grid import Grid, Window

GRID = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), 200, 300)
WHOLE = Window(0, 0, 200, 300)


def save(path, geometries, crs="EPSG:32633", layer=None, **fields):
    frame = geopandas.GeoDataFrame(fields, geometry=geometries, crs=crs)
    frame.to_file(path, **({} if layer is None else {"layer": layer}))
    return path


def lon_lat(x, y):
    return Transformer.from_crs(32633, 4326, always_xy=True).transform(x, y)


def test_aoi_in_the_scenes_own_crs_is_taken_as_it_is(tmp_path):
    path = save(tmp_path / "a.gpkg", [box(300100, 5799000, 300400, 5799900)])
    aoi = read_aoi(path, GRID)
    assert aoi.equals(box(300100, 5799000, 300400, 5799900))
    assert aoi_window(aoi, GRID) == Window(10, 10, 90, 30)


def test_bbox_in_degrees_covers_the_pixels_whose_centre_is_in_it():
    west, south = lon_lat(300505, 5798605)
    east, north = lon_lat(302205, 5799705)
    mask = inside(read_aoi((west, south, east, north), GRID), GRID, WHOLE)
    rows, cols = np.indices(GRID.shape)
    lon, lat = lon_lat(*GRID.xy(rows, cols))
    expected = (lon > west) & (lon < east) & (lat > south) & (lat < north)
    assert expected.sum() > 10_000
    # edges follow the parallels: only a centre within a hair of one may differ
    assert (mask != expected).sum() <= 2


def test_bbox_outside_degrees_is_in_the_scenes_crs():
    aoi = read_aoi((300000, 5799000, 301000, 5800000), GRID)
    assert inside(aoi, GRID, WHOLE).sum() == 100 * 100


def test_geojson_is_in_degrees(tmp_path):
    ring = [
        lon_lat(x, y) for x, y in shapely.get_coordinates(box(300100, 5799000, 300400, 5799900))
    ]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    assert inside(read_aoi(path, GRID), GRID, WHOLE).sum() == pytest.approx(90 * 30, abs=90)


def test_a_polygon_as_large_as_the_world_holds_every_pixel(tmp_path):
    path = save(tmp_path / "world.gpkg", [box(-180, -90, 180, 90)], crs="EPSG:4326")
    aoi = read_aoi(path, GRID)
    assert aoi_window(aoi, GRID) == WHOLE
    assert inside(aoi, GRID, WHOLE).all()


def test_mask_by_windows_is_the_mask_of_the_whole(tmp_path):
    aoi = Point(301512.3, 5799123.4).buffer(777)
    whole = inside(aoi, GRID, WHOLE)
    for size in (7, 64):
        for window in GRID.windows(size):
            assert np.array_equal(inside(aoi, GRID, window), whole[window.slices])
    x, y = GRID.xy(*np.indices(GRID.shape))
    assert np.array_equal(whole, shapely.contains_xy(aoi, x, y))


def test_holes_and_layers_without_geometry_and_bowties(tmp_path):
    ring = box(300000, 5799000, 301000, 5800000) - box(300200, 5799200, 300800, 5799800)
    path = save(tmp_path / "a.gpkg", [ring], layer="ring")
    bowtie = shapely.Polygon(
        [(302000, 5799000), (302200, 5799200), (302200, 5799000), (302000, 5799200)]
    )
    save(path, [bowtie, None], layer="bowtie")
    import sqlite3

    with sqlite3.connect(path) as db:  # the table in which QGIS keeps styles
        db.execute("create table layer_styles (id integer primary key, styleQML text)")
        db.execute(
            "insert into gpkg_contents (table_name, data_type, identifier) "
            "values ('layer_styles', 'attributes', 'layer_styles')"
        )
    ring = read_aoi(with_layer(path, "ring"), GRID)
    assert ring.area == pytest.approx(1000**2 - 600**2)
    assert not inside(ring, GRID, WHOLE)[50, 50]
    assert read_aoi(f"{path}|layername=bowtie", GRID).area == pytest.approx(2 * 100 * 200 / 2)
    for wrong, message in (
        (path, r"several layers with polygons: ring, bowtie; choose one with layer=, or name it"),
        (with_layer(path, "layer_styles"), r"no layer 'layer_styles' .* are ring, bowtie; name"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read_aoi(wrong, GRID)
        (named,) = [word for word in shlex.split(str(caught.value)) if "|layername=" in word]
        assert read_aoi(named, GRID).equals(ring)
    # a layer named after its file counts more than one that is named for all files
    assert read_aoi(with_layer(f"{path}|layername=ring", "bowtie"), GRID).equals(ring)


def test_the_only_layer_with_polygons_needs_no_name(tmp_path):
    path = save(tmp_path / "a.gpkg", [box(300000, 5799000, 301000, 5800000)], layer="towns")
    save(path, [shapely.LineString([(300000, 5799000), (301000, 5800000)])], layer="roads")
    assert read_aoi(path, GRID).area == pytest.approx(1000**2)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".parquet"])
def test_damaged_files_are_one_line(tmp_path, rng, suffix):
    path = tmp_path / f"a{suffix}"
    frame = geopandas.GeoDataFrame(geometry=[box(300000, 5799000, 301000, 5800000)], crs=GRID.crs)
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    whole = path.read_bytes()
    for cut in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:cut])
        with suppress(LandcoverError):
            read_aoi(path, GRID)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        with suppress(LandcoverError):
            read_aoi(path, GRID)


@pytest.mark.filterwarnings("error")
def test_features_without_a_place_are_left_out(tmp_path):
    """Missing and empty geometries, without a word from GeoPandas."""
    shapes = [None, Polygon(), box(300000, 5799000, 300100, 5799100)]
    with warnings.catch_warnings(action="ignore"):  # what writing them says is not the matter
        path = save(tmp_path / "a.gpkg", shapes, code=[112, 211, 311])
    assert read_polygons(path, GRID, "code").values == [311]


def test_polygons_carry_their_field_and_burn_in_order(tmp_path):
    path = save(
        tmp_path / "a.gpkg",
        [
            box(300000, 5799900, 300100, 5800000),
            box(300050, 5799900, 300150, 5800000),
            box(0, 0, 9, 9),
        ],
        code=[211, 512, 311],
    )
    polygons = read_polygons(path, GRID, "code")
    assert polygons.values == [211, 512]  # the third is not on the grid
    pixels = burn(polygons, polygons.values, GRID, Window(0, 0, 10, 20))
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels[0], [211] * 5 + [512] * 10 + [0] * 5)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda d: d / "none.gpkg", "none.gpkg does not exist"),
        (lambda d: _written(d / "bad.geojson", "not vector data"), "cannot be read as vector data"),
        (
            lambda d: _written(d / "a.geojson", '{"type":"FeatureCollection","features":[]}'),
            "no polygons",
        ),
        (
            lambda d: save(d / "p.gpkg", [Point(300100, 5799000)]),
            "holds no polygons but Point; an area",
        ),
        (lambda d: save(d / "n.gpkg", [box(300000, 5799000, 300100, 5799100)], crs=None), "no CRS"),
        (lambda d: save(d / "far.gpkg", [box(4e5, 5e6, 4.1e5, 5.1e6)]), "outside the scene"),
        (
            lambda d: (0, 0, 1, 1),
            "outside the scene: it covers 0.0000 0.0000 1.0000 1.0000, the scene 12.",
        ),
        (lambda d: (13, 52, 12, 53), "bbox 13 52 12 53 is empty"),
        (lambda d: (13, 52, 14), "not four finite numbers"),
    ],
)
def test_bad_areas_are_one_line_errors(tmp_path, make, text):
    with pytest.raises(LandcoverError) as error:
        read_aoi(make(tmp_path), GRID)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_field_names_those_that_exist(tmp_path):
    path = save(tmp_path / "a.gpkg", [box(300000, 5799000, 300100, 5799100)], code=[211])
    with pytest.raises(LandcoverError, match="no field 'class'; its fields are: code"):
        read_polygons(path, GRID, "class")


def _written(path, text):
    path.write_text(text)
    return path
