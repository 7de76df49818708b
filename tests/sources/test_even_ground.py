"""One number in all bands over even ground, by known answers and by land that has none."""

from __future__ import annotations

import numpy as np
import pytest

from landcover.errors import LandcoverError
from landcover.sources.even_ground import EvenGround, judged_even
from landcover.sources.image import read_image
from landcover.sources.reflectance import Band, reflectance
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, tif

SHAPE = (100, 100)
BLOCK = (slice(None), slice(0, 20), slice(0, 20))  # 4 % of the pixels
SCALES = {
    "whole numbers": (np.int16, 10_000.0, 0.0),
    "with an offset": (np.int16, 10_000.0, -1000.0),
    "floats": (np.float32, 1.0, 0.0),
}


def judged(dn, quantification=10_000.0, offset=0.0, window=50):
    """What is said of digital numbers that are read by windows."""
    band = Band("x.tif", 1, quantification, offset, ())
    ground = EvenGround(dict.fromkeys(CORE, band))
    values = reflectance(dn, band)
    for row in range(0, SHAPE[0], window):
        for col in range(0, SHAPE[1], window):
            ground.count(values[:, row : row + window, col : col + window])
    return judged_even(ground)


def land(dtype=np.int16, quantification=10_000.0, offset=0.0, seed=0):
    values = np.random.default_rng(seed).uniform(0.02, 0.4, (4, *SHAPE))
    dn = values * quantification - offset
    return (np.rint(dn) if np.issubdtype(dtype, np.integer) else dn).astype(dtype)


@pytest.mark.parametrize("number", [9999, 10_000, 1, 5])
@pytest.mark.parametrize("window", [10, 50, 100])
def test_a_number_that_fills_a_block_is_told(number, window):
    dn = land()
    assert judged(dn) is None
    dn[BLOCK] = number
    said = judged(dn, window=window)
    assert f"have the number {number} " in said and said.endswith(f"nodata={number}")


@pytest.mark.parametrize(("scale", "number"), [
    ("whole numbers", -1), ("with an offset", 0), ("with an offset", -1), ("floats", -0.01),
])  # fmt: skip
def test_a_number_below_0_is_refused(scale, number):
    dn = land(*SCALES[scale])
    dn[BLOCK] = number
    with pytest.raises(LandcoverError, match=rf"declare it with nodata={number}$"):
        judged(dn, *SCALES[scale][1:])


def test_floats_of_1_are_told():
    dn = land(*SCALES["floats"])
    dn[BLOCK] = 1.0
    assert "have the number 1 (1) in all" in judged(dn, 1.0)


def test_most_of_a_tile_is_told_too():
    for number in (0, 700, 10_000):
        dn = land()
        dn[:, :90] = number
        assert f"have the number {number} " in judged(dn)


@pytest.mark.parametrize("what", ["still water", "squares", "a speck", "bright clouds", "gaps"])
def test_land_and_water_are_not_taken_for_it(what):
    rng, dn = np.random.default_rng(2), land()
    if what == "still water":  # few numbers, of each band its own
        dn[:, :60] = rng.integers(0, 3, (4, 60, 100)) + np.array([30, 20, 10, 5])[:, None, None]
    elif what == "squares":  # drawn land without noise
        dn[:] = np.array([400, 600, 500, 3000])[:, None, None]
    elif what == "a speck":
        dn[:, :6, :6] = 10_000
    elif what == "bright clouds":  # cut off here and there
        dn = np.minimum(rng.normal(9500, 800, dn.shape), 10_000).astype(np.int16)
    else:  # two bands filled, and not all
        dn[:2, :20, :20] = 10_000
    assert judged(dn) is None


def test_an_image_is_judged_as_a_tile(tmp_path):
    dn, grid = land(), utm_grid(*SHAPE)
    dn[BLOCK] = 10_000
    notes = read_image(tif(tmp_path / "s.tif", dn, CORE, grid=grid)).notes
    assert any("have the number 10000 (1)" in note for note in notes)
    dn[BLOCK] = -1
    with pytest.raises(LandcoverError, match="landcover prep takes this"):
        read_image(tif(tmp_path / "s.tif", dn, CORE, grid=grid))
