"""One product, written in every way that says the same, gives one scene."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning

from landcover.files import rasters
from landcover.scene.mosaic import mosaic_grid, write_scene
from landcover.sources.band_files import open_bands
from landcover.stages.prepare import radiometry_warnings
from tests.fixtures.packed_files import write_packed
from tests.fixtures.packings import CORE, packings, products


def check(product, packing, folder):
    """The scene made of a packing is the product's."""
    with warnings.catch_warnings():  # a mask beside a file has no place
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        files, options = write_packed(folder, product, packing)
    tiles = open_bands(files, **options)
    radiometry_warnings(tiles)
    written = write_scene(folder / "scene.tif", tiles, mosaic_grid(tiles), None)
    got = rasters.read(folder / "scene.tif")
    expected = product.scene
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=2e-7)
    assert written.pixels["data"] == (~product.holes).all(axis=0).sum()
    others = (~product.holes).sum(axis=0) - ~product.holes == len(product.holes) - 1
    alone = (product.holes & others).sum(axis=(1, 2))
    told = alone > 0.01 * (alone + (~product.holes).sum(axis=(1, 2)))
    assert [text.partition(" pixels have no data in ")[2][:3] for text in written.notes] == [
        name for name, few in zip(CORE, told, strict=True) if few
    ]
    grid = rasters.grid_of(folder / "scene.tif")
    code, west, north, side = product.place
    assert f"EPSG:{grid.crs.to_epsg()}" == code
    assert grid.shape == expected.shape[1:]
    assert grid.transform.almost_equals(Affine(side, 0, west, 0, -side, north), side * 1e-5)


def run(examples):
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
    @given(st.data())
    def packed(data):
        product = data.draw(products())
        packing = data.draw(packings(product))
        note(f"{product} {packing}")
        with tempfile.TemporaryDirectory() as folder:
            check(product, packing, Path(folder))

    packed()


def test_every_packing_gives_one_scene():
    run(30)


@pytest.mark.slow
def test_many_packings_give_one_scene():
    run(300)
