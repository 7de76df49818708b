"""Haze of uneven thickness, over land whose light without it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from landcover.scene.veil import find_veil
from tests.conftest import utm_grid

BANDS = ("B02", "B03", "B04", "B08")
HAZE = np.array([0.30, 0.26, 0.23, 0.18])  # a haze that grows thinner with wavelength
ROWS, COLS = 480, 640


def reader(blue):
    """Reads windows of an array, NaN over its edge."""

    def read(window):
        out = np.full((window.rows, window.cols), np.nan)
        rows, cols = (
            slice(max(0, start), min(end, start + size))
            for start, size, end in (
                (window.row, window.rows, blue.shape[0]),
                (window.col, window.cols, blue.shape[1]),
            )
        )
        place = (
            slice(rows.start - window.row, rows.stop - window.row),
            slice(cols.start - window.col, cols.stop - window.col),
        )
        out[place] = blue[rows, cols]
        return out

    return read


@pytest.fixture(scope="module")
def land():
    """Woods among fields, in pieces of 12 px: bands and the thickness of a haze over them."""
    rng = np.random.default_rng(3)
    wood = rng.random((ROWS // 12 + 1, COLS // 12 + 1)) < 0.3
    wood = wood.repeat(12, axis=0).repeat(12, axis=1)[:ROWS, :COLS]
    means = np.array([[0.06, 0.09, 0.10, 0.30], [0.02, 0.04, 0.025, 0.28]])
    clear = means[wood.astype(int)].transpose(2, 0, 1) + rng.normal(0, 0.0005, (4, ROWS, COLS))
    rows, cols = np.indices((ROWS, COLS))
    thickness = 0.25 + 0.2 * np.sin(rows / 120) * np.cos(cols / 150)
    return clear, thickness


def hazy(land):
    clear, thickness = land
    return clear + (HAZE[:, np.newaxis, np.newaxis] - clear) * thickness


def test_the_veil_follows_the_haze_and_not_the_land(land):
    image, (_, thickness) = hazy(land), land
    veil = find_veil(reader(image[0]), utm_grid(ROWS, COLS))
    found = veil.at(*np.indices((ROWS, COLS)))
    assert np.corrcoef(found.ravel(), thickness.ravel())[0, 1] > 0.98
    assert veil.spread > 0.06
    clear = find_veil(reader(land[0][0]), utm_grid(ROWS, COLS))
    assert clear.spread < 0.005


def test_lifting_it_makes_equal_land_look_alike(land):
    image, (clear, _) = hazy(land), land
    veil = find_veil(reader(image[0]), utm_grid(ROWS, COLS))
    lifted = veil.lifted(image, BANDS, veil.at(*np.indices((ROWS, COLS))))
    wood = clear[2] < 0.05
    for band in range(4):
        before, after = (values[band][wood].std() for values in (image, lifted))
        assert after < (0.5 if band < 3 else 0.8) * before, BANDS[band]  # the colour is a guess


def test_bands_that_the_sensor_lacks_stay(land):
    image = hazy(land)
    veil = find_veil(reader(image[0]), utm_grid(ROWS, COLS))
    values = np.concatenate([image, image[:1]])
    at = veil.at(*np.indices((ROWS, COLS)))
    lifted = veil.lifted(values, (*BANDS, "slope"), at)
    np.testing.assert_array_equal(lifted[4], image[0].astype(np.float32))
    assert (lifted[0] <= image[0] + 1e-6).all()


@pytest.mark.parametrize("rows", [1, 50, 64])
def test_the_veil_does_not_depend_on_the_strips_that_are_read(land, monkeypatch, rows):
    image = hazy(land)
    image[:, 100:103, 200:230] = np.nan
    whole = find_veil(reader(image[0]), utm_grid(ROWS, COLS))
    monkeypatch.setattr("landcover.scene.veil._STRIP_ROWS", rows)
    parts = find_veil(reader(image[0]), utm_grid(ROWS, COLS))
    np.testing.assert_allclose(parts.cells, whole.cells, rtol=0, atol=1e-12)


def test_missing_land_is_as_hazy_as_the_nearest(land):
    blue = hazy(land)[0]
    whole = find_veil(reader(blue), utm_grid(ROWS, COLS))
    blue[:, 320:400] = np.nan
    holed = find_veil(reader(blue), utm_grid(ROWS, COLS))
    assert np.isfinite(holed.cells).all()
    far = np.s_[:, : 320 // 16 - 8]
    # the clearest part, from which the veil counts, may lie in the hole
    shift = np.median(holed.cells[far] - whole.cells[far])
    np.testing.assert_allclose(holed.cells[far] - shift, whole.cells[far], atol=2e-3)
    nothing = find_veil(reader(np.full((64, 64), np.nan)), utm_grid(64, 64))
    assert nothing.spread == 0


def test_cells_are_of_metres_on_the_ground(land):
    blue = hazy(land)[0]
    grid = utm_grid(ROWS, COLS)
    coarse = replace(grid, transform=grid.transform @ Affine.scale(6))
    assert find_veil(reader(blue), grid).cell_px == 16  # 160 m
    assert find_veil(reader(blue), coarse).cell_px == 8  # 480 m: fewer pixels hold no dark one
