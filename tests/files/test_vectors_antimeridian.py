"""Areas that lie across the 180th meridian, in every way to write them."""

import json

import numpy as np
import pytest
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from shapely import segmentize
from shapely.geometry import MultiPolygon, box, mapping

from landcover.errors import InputError, LandcoverError
from landcover.files import vectors
from landcover.grid import Grid, Window

GEOD = Geod(ellps="WGS84")
LAT = 65.0
WEST, SOUTH, EAST, NORTH = 179.99, 64.995, -179.99, 65.005


def utm(epsg, lon, side_m=2400):
    """A grid of 10 m around a longitude at 65 N."""
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, LAT)
    west, north = round(x / 10) * 10 - side_m / 2, round(y / 10) * 10 + side_m / 2
    return Grid(CRS.from_epsg(epsg), Affine(10, 0, west, 0, -10, north), side_m // 10, side_m // 10)


def degrees(west):
    """A grid of degrees, 0.06 wide, from `west` on."""
    return Grid(CRS.from_epsg(4326), Affine(2.5e-4, 0, west, 0, -2.5e-4, 65.02), 160, 240)


GRIDS = {
    "zone 1": utm(32601, 180),
    "zone 60": utm(32660, 180),
    "polar": utm(3413, 180),
    "west of it": utm(32660, 179.985),
    "east of it": utm(32601, -179.985),
    "degrees to 180.03": degrees(179.97),
    "degrees from -180.03": degrees(-180.03),
    "degrees from 180": degrees(180.0),
}


def expected(grid):
    """Pixels whose centre lies less than 0.01 degrees from the meridian, and between latitudes."""
    to = Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = to.transform(*grid.xy(*np.indices(grid.shape)))
    return (np.abs((lon + 360) % 360 - 180) < 0.01) & (lat > SOUTH) & (lat < NORTH)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_the_share_of_an_area_that_lies_on_a_grid(grid):
    # pixels of the area, weighted by the cosine of their latitude, against the area as a whole
    pixels_ha = grid.areas_ha(Window(0, 0, *grid.shape))[expected(grid)].sum()
    whole_ha = abs(GEOD.polygon_area_perimeter(*box(WEST, SOUTH, EAST + 360, NORTH).boundary.xy)[0])
    share = vectors.share_on_grid((WEST, SOUTH, EAST, NORTH), grid)
    assert share == pytest.approx(pixels_ha / (whole_ha / 1e4), abs=0.02)


def held(area, grid):
    return vectors.inside(area, grid, Window(0, 0, *grid.shape))


def geojson(path, geometry):
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(geometry)}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


AREAS = {
    "cut": MultiPolygon([box(WEST, SOUTH, 180, NORTH), box(-180, SOUTH, EAST, NORTH)]),
    "beyond 180": box(WEST, SOUTH, EAST + 360, NORTH),
    "beyond -180": box(WEST - 360, SOUTH, EAST, NORTH),
}


def differ(found, grid):
    """Pixels that differ; a pixel on an edge may fall to either side by rounding."""
    return np.count_nonzero(found != expected(grid))


@pytest.mark.parametrize("name", GRIDS)
def test_a_box_from_179_to_minus_179_lies_across_the_meridian(name):
    grid = GRIDS[name]
    found = held(vectors.read_aoi((WEST, SOUTH, EAST, NORTH), grid), grid)
    assert expected(grid).sum() > 1000
    assert differ(found, grid) <= 0.01 * expected(grid).sum()


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("area", AREAS)
def test_an_area_is_the_same_however_it_is_cut(tmp_path, name, area):
    grid = GRIDS[name]
    found = held(vectors.read_aoi(geojson(tmp_path / "area.geojson", AREAS[area]), grid), grid)
    assert differ(found, grid) <= 0.01 * expected(grid).sum()


@pytest.mark.parametrize("name", GRIDS)
def test_the_world_holds_a_scene_on_the_meridian(tmp_path, name):
    grid = GRIDS[name]
    path = geojson(tmp_path / "world.geojson", box(-180, -90, 180, 90))
    assert held(vectors.read_aoi(path, grid), grid).all()


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("epsg", [32601, 32660, 3413, 3832, 4258])
def test_an_area_of_another_system_is_turned_to_the_grid(tmp_path, name, epsg):
    import geopandas

    path, grid = tmp_path / "area.gpkg", GRIDS[name]
    ring = segmentize(box(WEST, SOUTH, EAST + 360, NORTH), 0.001)
    area = geopandas.GeoSeries([ring], crs="EPSG:4326")
    if epsg != 4258:
        area = area.to_crs(epsg)
    area.set_crs(epsg, allow_override=True).to_file(path)
    found = held(vectors.read_aoi(path, grid), grid)
    assert differ(found, grid) <= 0.01 * expected(grid).sum()


def test_an_area_of_another_system_misses_a_grid_far_away(tmp_path):
    import geopandas

    path = tmp_path / "area.gpkg"
    geopandas.GeoSeries([box(4e5, 58e5, 4.1e5, 58.1e5)], crs="EPSG:32633").to_file(path)
    with pytest.raises(InputError, match="lies outside the scene"):
        vectors.read_aoi(path, GRIDS["degrees to 180.03"])


def test_polygons_keep_their_field_on_either_side(tmp_path):
    import geopandas

    parts = [box(WEST, SOUTH, 180, NORTH), box(-180, SOUTH, EAST, NORTH), box(10, 50, 11, 51)]
    path = tmp_path / "fields.gpkg"
    geopandas.GeoDataFrame({"code": [1, 2, 3]}, geometry=parts, crs="EPSG:4326").to_file(path)
    near = vectors.read_polygons(path, GRIDS["zone 1"], "code")
    assert near.values == [1, 2]


def test_sides_that_are_swapped_are_no_area_across_the_meridian():
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 4e5, 0, -10, 58e5), 100, 100)
    with pytest.raises(InputError, match="bbox 14 52 13 53 is empty: west must be less than east"):
        vectors.read_aoi((14, 52, 13, 53), grid)
    with pytest.raises(InputError, match="is empty"):
        vectors.read_aoi((500000, 5700000, 400000, 5800000), grid)
    with pytest.raises(LandcoverError, match="lies outside the scene"):
        vectors.read_aoi((WEST, SOUTH, EAST, NORTH), grid)


def test_an_area_drawn_round_the_globe_is_refused(tmp_path):
    path = geojson(tmp_path / "round.geojson", box(EAST, SOUTH, WEST, NORTH))
    with pytest.raises(InputError, match=r"from -179.99 to 179.99 .* cut it at the 180th meridian"):
        vectors.read_aoi(path, GRIDS["zone 1"])
