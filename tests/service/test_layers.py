"""Layers of a map that lies across the 180th meridian."""

import io

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from pyproj import Transformer
from rasterio.crs import CRS

from landcover.files import raster_writer
from landcover.grid import Grid, Window
from landcover.legend import corine
from landcover.run import Run
from landcover.service import layers
from tests.conftest import utm_grid


def utm(epsg):
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(180, 65)
    return Grid(CRS.from_epsg(epsg), Affine(10, 0, x - 1200, 0, -10, y + 1200), 240, 240)


UTM = {"zone 1": utm(32601), "zone 60": utm(32660)}
GRIDS = {
    **UTM,
    "beyond 180": Grid(CRS.from_epsg(4326), Affine(2.5e-4, 0, 179.97, 0, -2.5e-4, 65.02), 160, 240),
    "beyond -180": Grid(
        CRS.from_epsg(4326), Affine(2.5e-4, 0, -180.03, 0, -2.5e-4, 65.02), 160, 240
    ),
    "from 0 to 360": Grid(
        CRS.from_epsg(4326), Affine(2.5e-4, 0, 189.97, 0, -2.5e-4, 65.02), 160, 240
    ),
}


def layer_of(tmp_path, grid):
    """A layer of random classes, and the classes."""
    legend = corine().legend.subset([211, 311, 512])
    codes = np.random.default_rng(0).choice(legend.codes, grid.shape).astype(np.uint16)
    path = raster_writer.write(tmp_path / "labels.tif", codes, grid, ["class"], 0, legend)
    return layers._classes(path, "Labels", legend), codes


def test_a_style_that_was_changed_in_qgis_changes_nothing(tmp_path):
    run, grid, legend = Run(tmp_path), utm_grid(40, 50), corine().legend.subset([211, 512])
    codes = np.full(grid.shape, 512, np.uint16)
    raster_writer.write(run.labels, codes, grid, ["class"], 0, legend)
    run.labels.with_suffix(".qml").write_text(
        '<qgis><pipe><rasterrenderer type="singlebandgray" grayBand="1"/></pipe></qgis>'
    )
    assert layers.layers_of(run)["labels"].legend == legend
    run.labels.with_suffix(".qml").unlink()
    assert layers.layers_of(run)["labels"].legend == legend


def test_a_raster_without_a_legend_has_that_of_its_run(tmp_path):
    run, grid = Run(tmp_path), utm_grid(40, 50)
    raster_writer.write(run.labels, np.full(grid.shape, 512, np.uint16), grid, ["class"], 0)
    assert layers.layers_of(run)["labels"].legend == corine().legend.subset([512])


@pytest.mark.parametrize("name", GRIDS)
def test_the_class_at_a_place_on_either_side_of_the_meridian(tmp_path, name):
    grid = GRIDS[name]
    layer, codes = layer_of(tmp_path, grid)
    to = Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
    rng = np.random.default_rng(1)
    rows, cols = rng.integers(1, grid.rows - 1, 40), rng.integers(1, grid.cols - 1, 40)
    lon, lat = to.transform(*grid.xy(rows, cols))
    lon = (lon + 180) % 360 - 180
    found = [layer.at(*at)["code"] for at in zip(lon, lat, strict=True)]
    assert found == codes[rows, cols].tolist()
    assert layer.at(float(lon[0]) + (1 if lon[0] < 0 else -1), float(lat[0])) is None
    assert layer.at(0.0, float(lat[0])) is None


@pytest.mark.parametrize("name", GRIDS)
def test_tiles_show_both_sides_of_the_meridian(tmp_path, name):
    grid = GRIDS[name]
    layer, _ = layer_of(tmp_path, grid)
    to = Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
    z = 14
    shown = set()
    for col in (grid.cols // 8, grid.cols - grid.cols // 8):
        lon, lat = to.transform(*grid.xy(grid.rows // 2, col))
        lon = (lon + 180) % 360 - 180
        x = int((lon + 180) / 360 * 2**z)
        y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**z)
        assert layer.tile(z, x, y) != layers.empty_tile()
        shown.add(x)
    assert len(shown) == 2


def pixels_of(tile):
    """Colours (rows, cols, 3) of a tile, and where it is opaque."""
    rgba = np.asarray(Image.open(io.BytesIO(tile)).convert("RGBA"))
    return rgba[..., :3], rgba[..., 3] > 0


def places_of(z, x, y):
    """Longitude and latitude of the middle of every pixel of a tile."""
    step = 2 * np.pi * 6378137 / 2**z / 256
    east = (x * 256 + np.arange(256) + 0.5) * step - np.pi * 6378137
    north = np.pi * 6378137 - (y * 256 + np.arange(256) + 0.5) * step
    to = Transformer.from_crs(3857, 4326, always_xy=True)
    return to.transform(*np.meshgrid(east, north))


#: Tiles around 65 N, 180 E, on either side, and the world.
TILES = [(z, x, y) for z, y in ((12, 1065), (13, 2131)) for x in (0, 1, 2**z - 2, 2**z - 1)]


@pytest.mark.parametrize("name", ["beyond 180", "beyond -180", "from 0 to 360"])
def test_tiles_of_degrees_hold_the_class_of_every_place(tmp_path, name):
    layer, codes = layer_of(tmp_path, GRIDS[name])
    seen = 0
    for tile in TILES if "beyond" in name else [(12, 113, 1065), (12, 114, 1065)]:
        lon, lat = places_of(*tile)
        colours, opaque = pixels_of(layer.tile(*tile))
        expected, inside = np.zeros_like(colours), np.zeros(opaque.shape, bool)
        for turn in (-360, 0, 360):
            rows, cols = GRIDS[name].rowcol(lon + turn, lat)
            here = Window(0, 0, *codes.shape).contains(rows, cols)
            inside |= here
            for c in layer.legend.classes:
                held = here.copy()
                held[here] = codes[rows[here], cols[here]] == c.code
                expected[held] = c.colour
        assert np.mean(opaque == inside) > 0.999
        assert np.mean((colours == expected)[inside & opaque]) > 0.99 if inside.any() else True
        seen += np.count_nonzero(inside & opaque)
    assert seen > 1000


@pytest.mark.parametrize("west", [-180, -150, 0])
def test_the_world_is_whole_from_wherever_its_grid_begins(tmp_path, west):
    grid = Grid(CRS.from_epsg(4326), Affine(1, 0, west, 0, -1, 80), 160, 360)
    legend = corine().legend.subset([211, 311, 512])
    lon, _ = grid.xy(*np.indices(grid.shape))
    codes = np.array(legend.codes, np.uint16)[(((lon + 180) % 360) // 120).astype(int)]
    path = raster_writer.write(tmp_path / "world.tif", codes, grid, ["class"], 0, legend)
    colours, opaque = pixels_of(layers._classes(path, "World", legend).tile(0, 0, 0))
    assert opaque[40:210].all()
    thirds = [legend[code].colour for code in legend.codes]
    assert [tuple(int(v) for v in colours[128, col]) for col in (40, 128, 215)] == thirds


def test_a_scene_is_shown_on_both_sides(tmp_path):
    grid = GRIDS["beyond 180"]
    values = np.full((3, *grid.shape), 0.2, np.float32)
    values[:, :, :120] = 0.1
    values[:, :20] = np.nan
    path = raster_writer.write(tmp_path / "scene.tif", values, grid, ["B04", "B03", "B02"], np.nan)
    layer = layers._scene(path)
    for x, shade in ((2**12 - 1, 0), (0, 255)):
        colours, opaque = pixels_of(layer.tile(12, x, 1065))
        assert 0.05 < opaque.mean() < 0.95
        assert np.median(colours[opaque]) == shade


@pytest.mark.parametrize("zoom", [0, 5, 9, 10])
def test_a_tile_much_larger_than_the_raster_shows_it_at_its_place(tmp_path, zoom):
    """GDAL would go through minutes of empty ground, where a tile of zoom 0 is 2,400,000 pixels."""
    grid, legend = utm_grid(600, 600), corine().legend.subset([211, 512])
    codes = np.full(grid.shape, 211, np.uint16)
    codes[:, 300:] = 512
    path = raster_writer.write(tmp_path / "map.tif", codes, grid, ["class"], 0, legend)
    values = np.where(codes == 211, 0.1, 0.3).astype(np.float32)[np.newaxis].repeat(3, 0)
    scene = raster_writer.write(tmp_path / "s.tif", values, grid, ["B04", "B03", "B02"], np.nan)
    places = Transformer.from_crs(grid.crs, 4326, always_xy=True)
    lon, lat = places.transform(*grid.xy(300, 300))
    tile = tile_of(lon, lat, zoom)
    for layer in (layers._classes(path, "Map", legend), layers._scene(scene)):
        colours, opaque = pixels_of(layer.tile(zoom, *tile))
        metres = 40_075_016.7 * np.cos(np.radians(lat)) / 2**zoom / 256
        assert opaque.sum() == pytest.approx((6000 / metres) ** 2, rel=0.25, abs=2)
        if zoom >= 9:
            rows, cols = np.nonzero(opaque)
            middle = (cols.min() + cols.max()) / 2
            left, right = (
                np.median(colours[rows[side], cols[side]], axis=0)
                for side in (cols < middle - 2, cols > middle + 2)
            )
            assert (left != right).any()
            if layer.legend is not None:
                assert [tuple(left), tuple(right)] == [legend[c].colour for c in (211, 512)]
            else:
                assert left[0] < right[0]


def tile_of(lon, lat, zoom):
    """Column and row of the tile of a place, by the formula of web mercator."""
    n = 2**zoom
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2
    return int((lon + 180) / 360 * n), int(y * n)
