from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window

import landcover as lc
from landcover.errors import LandcoverError
from landcover.samples.chips import cut_nbytes, read_chips, squares


def image(bands=4, rows=30, cols=40, seed=0):
    return np.random.default_rng(seed).random((bands, rows, cols), dtype=np.float32)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 6).map(lambda r: 2 * r + 1),
    st.integers(0, 29),
    st.integers(0, 39),
)
def test_a_chip_is_symmetric_around_its_pixel_and_nan_outside(size, row, col):
    scene = image()
    chip = lc.chips(scene, [row], [col], size)[0]
    radius = size // 2
    assert chip.shape == (size, size, 4) and chip.dtype == np.float32
    assert np.array_equal(chip[radius, radius], scene[:, row, col])
    for i in range(size):
        for j in range(size):
            r, c = row + i - radius, col + j - radius
            expected = scene[:, r, c] if 0 <= r < 30 and 0 <= c < 40 else np.full(4, np.nan)
            assert np.array_equal(chip[i, j], expected, equal_nan=True)


def test_border_chips_are_what_gdal_reads_beyond_the_edge(tmp_path):
    scene = image(rows=12, cols=15)
    path = tmp_path / "scene.tif"
    profile = {"driver": "GTiff", "count": 4, "height": 12, "width": 15, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, transform=Affine.scale(10, -10)) as out:
        out.write(scene)
    rows, cols = np.array([0, 11, 5, 0]), np.array([0, 14, 7, 14])
    chips = lc.chips(scene, rows, cols, 9)[:]
    with rasterio.open(path) as source:
        for chip, row, col in zip(chips, rows, cols, strict=True):
            window = Window(col - 4, row - 4, 9, 9)
            read = source.read(window=window, boundless=True, fill_value=np.nan)
            assert np.array_equal(np.moveaxis(chip, -1, 0), read, equal_nan=True)


def test_batches_slices_and_masks_cut_the_same_chips_in_their_order():
    rng = np.random.default_rng(1)
    chips = lc.chips(image(), rng.integers(0, 30, 50), rng.integers(0, 40, 50), 5)
    whole = chips[:]
    assert whole.shape == chips.shape == (50, 5, 5, 4)
    assert whole.flags.c_contiguous
    order = rng.permutation(50)
    assert np.array_equal(chips.batch(order), whole[order], equal_nan=True)
    assert np.array_equal(chips[10:20], whole[10:20], equal_nan=True)
    mask = rng.random(50) < 0.5
    assert np.array_equal(chips[mask], whole[mask], equal_nan=True)


def test_cutting_does_not_touch_the_scene():
    scene = image()
    chips = lc.chips(scene, [3], [3], 3)
    chips[:][:] = 0
    assert np.array_equal(chips[0][1, 1], scene[:, 3, 3])


def test_what_is_held_is_the_smaller_of_scene_and_chips():
    rng = np.random.default_rng(2)
    rows, cols = (
        np.append([0, 29], rng.integers(0, 30, 20_000)),
        np.append([0, 39], rng.integers(0, 40, 20_000)),
    )
    many = lc.chips(image(), rows, cols, 13)
    assert many.nbytes == (30 + 12) * (40 + 12) * 4 * 4
    assert many[:10].nbytes == cut_nbytes(10, 13, 4)
    # the case that must not need 24 GB
    assert cut_nbytes(400_000, 61, 4) == pytest.approx(23.8e9, rel=0.001)
    few = lc.chips(image(), rows[:5], cols[:5], 13)
    assert few.nbytes == cut_nbytes(5, 13, 4)
    assert np.array_equal(few[:], many[:5], equal_nan=True)


@pytest.mark.parametrize("count", [3, 4000])
def test_a_scene_is_read_by_strips_and_each_once(count):
    scene = image(rows=1300, cols=60)
    rng = np.random.default_rng(3)
    rows, cols = rng.integers(0, 1300, count), rng.integers(0, 60, count)
    read = []

    def window(of):
        read.append(of)
        padded = np.pad(scene, ((0, 0), (20, 600), (20, 20)), constant_values=np.nan)
        return padded[:, of.row + 20 :, of.col + 20 :][:, : of.rows, : of.cols]

    found = read_chips(window, rows, cols, 7)
    assert np.array_equal(found[:], lc.chips(scene, rows, cols, 7)[:], equal_nan=True)
    assert max(of.rows for of in read) <= 512 + 6
    assert sum(of.rows for of in read) <= 1306 + 3 * 6 + 512


def test_squares_of_any_side_by_their_corners():
    scene = image()
    found = squares(
        lambda of: scene[:, of.row : of.row + of.rows, of.col : of.col + of.cols],
        np.array([2, 10]), np.array([0, 9]), 4,
    )[:]  # fmt: skip
    assert np.array_equal(np.moveaxis(found[1], -1, 0), scene[:, 10:14, 9:13])


def test_no_chips_at_all():
    assert lc.chips(image(), [], [], 5)[:].shape == (0, 5, 5, 4)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (4, "patch size 4 is even; a patch has a centre pixel: choose an odd size, such as 5"),
        (0, "patch size 0 is even"),
        (-3, "patch size -3 is negative"),
        (31, r"patch size 31 is larger than the scene \(30 x 40 pixels\); .* at most 29"),
    ],
)
def test_sizes_that_cannot_be_cut(size, text):
    with pytest.raises(LandcoverError, match=text):
        lc.chips(image(), [1], [1], size)


def test_centres_outside_the_image_are_refused():
    with pytest.raises(ValueError, match="outside the image of 30 x 40"):
        lc.chips(image(), [30], [0], 3)


def test_an_image_is_an_array_of_bands_rows_and_cols():
    image = np.arange(20.0).reshape(1, 4, 5)
    np.testing.assert_array_equal(
        lc.chips(image.tolist(), [1], [1], 3)[0], lc.chips(image, [1], [1], 3)[0]
    )
    with pytest.raises(lc.InputError, match=r"image has the shape \(4, 5\)"):
        lc.chips(image[0], [1], [1], 3)
