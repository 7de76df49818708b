"""Clouds of level 1C: a band a class, from processing baseline 04.00 on."""

from __future__ import annotations

import numpy as np
import pytest

import landcover as lc
from landcover.errors import InputError
from landcover.sources.mask_choice import MaskChoice, masked
from tests.fixtures.band_files import tif
from tests.fixtures.safe_products import MadeProduct, coarser, write_product, zipped

pytestmark = pytest.mark.filterwarnings("ignore:.*makes the darkest pixels negative")


@pytest.fixture(scope="module")
def l1c(tmp_path_factory) -> MadeProduct:
    return write_product(tmp_path_factory.mktemp("l1c"), "1C", "04.00")


def on_10_m(flags):
    return np.kron(flags, np.ones((6, 6), bool))


@pytest.mark.parametrize(
    ("classes", "bands"), [(None, [0, 1]), ([1], [0]), (["snow", "Cirrus"], [1, 2])]
)
@pytest.mark.parametrize("packed", [False, True])
def test_bands_of_the_mask_hide_pixels(l1c, tmp_path, classes, bands, packed):
    path = zipped(l1c.path, tmp_path / "p.zip") if packed else l1c.path
    run = lc.prepare(tmp_path / "run", bands=path, mask=True, mask_classes=classes)
    opaque, cirrus, snow = l1c.flags["T33UUU"].astype(bool)
    first = [opaque, cirrus & ~opaque, snow & ~opaque & ~cirrus]  # a pixel is of one class
    hidden = on_10_m(np.any([first[band] for band in bands], axis=0))
    image = lc.read(run.scene)
    np.testing.assert_array_equal(np.isnan(image), np.broadcast_to(hidden, image.shape))
    prep = run.read_manifest()["stages"]["prep"]
    assert prep["pixels"]["cloud"] == hidden.sum() and not prep["pixels"]["masked"]
    assert ("1 opaque cloud: " in prep["notes"][-1]) == (0 in bands)
    assert prep["settings"]["masks"][0]["band"] == [1, 2, 3]


def test_a_file_of_that_name_beside_loose_bands(l1c, tmp_path):
    files = [l1c.image(name) for name in ("B02", "B03", "B04", "B08")]
    mask = next(l1c.path.rglob("MSK_CLASSI_B00.jp2"))
    run = lc.prepare(tmp_path / "run", bands=lc.open_bands(files, offset=-1000), mask=mask)
    hidden = on_10_m(l1c.flags["T33UUU"][:2].any(axis=0))
    np.testing.assert_array_equal(np.isnan(lc.read(run.scene)[0]), hidden)


def test_what_is_no_such_mask_is_refused(l1c, tmp_path):
    tile = lc.open_sentinel2(l1c.path)
    grid = coarser(tile.grid, 60)
    two = tif(tmp_path / "a" / "MSK_CLASSI_B00.tif", np.zeros((2, 20, 20), np.uint8), grid=grid)
    with pytest.raises(InputError, match=r"has 2 bands, and that has 3 \(opaque cloud, cirrus"):
        masked([tile], MaskChoice((two,)))
    odd = np.full((3, 20, 20), 7, np.uint8)
    with pytest.raises(InputError, match="holds 7 in band 1, and its bands are 0 or 1"):
        masked([tile], MaskChoice((tif(tmp_path / "b" / "MSK_CLASSI_B00.tif", odd, grid=grid),)))
    with pytest.raises(InputError, match="mask_classes= has 8, and MSK_CLASSI has classes 1 to 3"):
        masked([tile], MaskChoice(classes=(8,)))


@pytest.mark.parametrize("old", [False, True])
def test_polygons_of_before_are_not_read_and_that_is_said(tmp_path, old):
    made = write_product(tmp_path, "1C", "02.04", old=old)
    tile = lc.open_sentinel2(made.path)
    with pytest.raises(InputError, match=r"MSK_CLOUDS_.*\.gml has the clouds as polygons.* not re"):
        masked([tile], MaskChoice())
