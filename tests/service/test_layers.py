"""Layers of a map that lies across the 180th meridian."""

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

from landcover.files import raster_writer, styles
from landcover.grid import Grid
from landcover.legend import corine
from landcover.service import layers


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
    path = raster_writer.write(tmp_path / "labels.tif", codes, grid, ["class"], 0)
    path.with_suffix(".qml").write_text(styles.qml(legend))
    return layers._classes(path, "Labels"), codes


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


@pytest.mark.parametrize("name", UTM)
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
