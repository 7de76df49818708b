"""Training tiles: what is learnt of them, what lies between them and the test, their turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landcover.errors import InputError
from landcover.grid import Window
from landcover.samples import labelled_tiles
from landcover.samples.augmentation import turned
from landcover.samples.blocks import TEST, TRAIN, VALIDATION, Blocks
from landcover.samples.chips import cut as cut_window
from landcover.samples.labelled_tiles import FIELD_PX, TILE_PX, Ground, turned_alike
from tests.conftest import utm_grid

ROWS, COLS, DATES, BANDS = 250, 330, 3, 2
CODES = (211, 311)


@pytest.fixture(scope="module")
def ground():
    """Every value of the image tells its pixel and date; label 512 is none of the legend."""
    rng = np.random.default_rng(0)
    row, col = np.indices((ROWS, COLS))
    place = (row * COLS + col).astype(np.float32)
    image = np.stack([place + 1e5 * date + 0.25 * band for date in range(3) for band in range(2)])
    labels = rng.choice([0, 211, 311, 512], size=(ROWS, COLS), p=[0.1, 0.5, 0.3, 0.1])
    splits = np.array([[0, 0, 2], [0, 1, 0]], np.uint8)
    blocks = Blocks(ROWS, COLS, 125, 24, splits)
    return Ground(
        utm_grid(ROWS, COLS),
        lambda window: cut_window(image, window),
        DATES,
        lambda window: labels[window.slices],
        blocks,
    ), labels


def places(tiles) -> np.ndarray:
    """The pixel (tiles, side, side) that every value of the tiles is of; -1 outside the scene."""
    return np.nan_to_num(tiles.images[:, :, :, 0, 0], nan=-1).astype(np.int64)


@pytest.mark.parametrize("split", [TRAIN, VALIDATION])
def test_what_is_learnt_lies_apart_from_what_is_tested(ground, split):
    held, labels = ground
    tiles = labelled_tiles.cut(held, split, CODES, most=1000, seed=0)
    at = places(tiles)
    whole = held.blocks.split_of(*np.indices((ROWS, COLS)))
    usable = held.blocks.usable(Window(0, 0, ROWS, COLS))
    learnt = at[tiles.learnt]
    assert len(tiles) > 2 and (usable.ravel()[learnt] == split + 1).all()
    np.testing.assert_array_equal(
        np.array(CODES)[tiles.targets[tiles.learnt]], labels.ravel()[learnt]
    )
    # hardly a pixel that may be learnt is left out, beside blocks of a later split too
    able = (usable == split + 1) & np.isin(labels, CODES)
    assert len(np.unique(learnt)) > 0.95 * able.sum()
    # no tile shows a pixel of a later split, and no prediction of one sees a learnt pixel
    later = np.isin(whole, [VALIDATION, TEST] if split == TRAIN else [TEST])
    assert not later.ravel()[at[at >= 0]].any()
    rows, cols = np.nonzero(later)
    apart = min(
        np.maximum(np.abs(rows - pixel // COLS), np.abs(cols - pixel % COLS)).min()
        for pixel in np.unique(learnt)[::97]
    )
    assert apart > FIELD_PX


def test_ignored_pixels_weigh_nothing_and_classes_alike(ground):
    tiles = labelled_tiles.cut(ground[0], TRAIN, CODES, most=1000, seed=0)
    counts = np.bincount(tiles.targets[tiles.learnt], minlength=2)
    weights = tiles.weights(counts.sum() / 2 / counts)
    assert (weights[~tiles.learnt] == 0).all()
    of_class = [weights[tiles.learnt & (tiles.targets == c)].sum() for c in range(2)]
    assert of_class[0] == pytest.approx(of_class[1], rel=1e-3)
    assert weights.mean() == pytest.approx(1, rel=1e-3)
    alike = np.unique(tiles.weights(None))
    np.testing.assert_allclose(alike, [0, 1 / tiles.learnt.mean()], rtol=1e-5)


def test_what_no_date_shows_is_not_learnt(ground):
    held, _ = ground

    def hidden(window):
        image = held.read(window)
        image[1, :, ::2] = np.nan  # a band of the first date, and all others of every fourth row
        image[2:, ::4] = np.nan
        return image

    clouded = replace(held, read=hidden)
    whole, tiles = (labelled_tiles.cut(g, TRAIN, CODES, 1000, seed=0) for g in (held, clouded))
    seen = np.isfinite(tiles.images).all(axis=4).any(axis=3)
    assert (whole.learnt & ~seen).any()
    np.testing.assert_array_equal(tiles.learnt, whole.learnt & seen)
    assert not tiles.targets[~tiles.learnt].any() and not tiles.weights(None)[~seen].any()


def test_dates_and_bands_stay_in_their_places(ground):
    tiles = labelled_tiles.cut(ground[0], TRAIN, CODES, most=5, seed=1)
    assert tiles.images.shape == (5, TILE_PX, TILE_PX, DATES, BANDS)
    at = places(tiles)
    for date in range(DATES):
        for band in range(BANDS):
            found = tiles.images[:, :, :, date, band]
            expected = np.where(at < 0, np.nan, at + np.float32(1e5 * date + 0.25 * band))
            np.testing.assert_allclose(found, expected, atol=0.3)


@pytest.mark.parametrize("orientation", range(8))
def test_all_dates_and_labels_of_a_tile_turn_alike(orientation, rng):
    images = rng.uniform(size=(2, 6, 6, 3, 2)).astype(np.float32)
    classes = rng.integers(9, size=(2, 6, 6))
    both = np.full(2, orientation)
    shown, (labels,) = turned_alike(images, [classes], both)
    for date in range(3):
        np.testing.assert_array_equal(shown[:, :, :, date], turned(images[:, :, :, date], both))
    np.testing.assert_array_equal(labels, turned(classes[..., None], both)[..., 0])
    # a label stays with its pixel, and no class is invented
    pixel = np.arange(36).reshape(1, 6, 6).repeat(2, axis=0)
    moved, (place,) = turned_alike(pixel[..., None, None].astype(np.float32), [pixel], both)
    np.testing.assert_array_equal(moved[..., 0, 0].astype(np.int64), place)
    assert sorted(place[0].ravel().tolist()) == list(range(36))


def test_the_eight_turns_differ(rng):
    tile = rng.uniform(size=(1, 6, 6, 2, 1)).astype(np.float32)
    views = {turned_alike(tile, [], np.array([o]))[0].tobytes() for o in range(8)}
    assert len(views) == 8


def test_a_draw_follows_the_seed(ground):
    first, again, other = (
        labelled_tiles.cut(ground[0], TRAIN, CODES, most=4, seed=seed).images for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)


def test_blocks_without_room_for_a_tile(ground):
    held = ground[0]
    none = Ground(held.grid, held.read, DATES, lambda w: np.zeros((w.rows, w.cols)), held.blocks)
    with pytest.raises(InputError, match="no tile of 32 x 32 pixels lies in the training blocks"):
        labelled_tiles.cut(none, TRAIN, CODES, most=4, seed=0)
