from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter

import landcover as lc
from landcover.errors import LandcoverError
from landcover.files import raster_writer
from landcover.grid import Window
from landcover.samples.blocks import SPLITS, Blocks, layout
from landcover.samples.splits import deal
from tests.conftest import utm_grid


def patchy(rows, cols, cell=16, classes=5, seed=0, p=0.35):
    """Labels in square patches, some classes rarer than others, some unlabelled."""
    rng = np.random.default_rng(seed)
    small = np.minimum(rng.geometric(p, (-(-rows // cell), -(-cols // cell))) - 1, classes)
    codes = np.array([211, 231, 311, 312, 512, 0, 111, 112, 121, 122])
    return codes[small].repeat(cell, 0).repeat(cell, 1)[:rows, :cols]


def split_map(blocks):
    rows, cols = np.indices((blocks.rows, blocks.cols))
    return blocks.split_of(rows, cols)


@st.composite
def dealt(draw):
    """Any deal on any scene, not only those that `deal` would make."""
    block = draw(st.integers(4, 14))
    guard = draw(st.integers(0, block // 2))
    rows, cols = draw(st.integers(3, 50)), draw(st.integers(3, 50))
    shape = layout(rows, cols, block, guard).shape
    splits = draw(
        st.lists(st.integers(0, 2), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    )
    return Blocks(rows, cols, block, guard, np.array(splits, np.uint8).reshape(shape))


@settings(deadline=None, max_examples=150)
@given(dealt())
def test_usable_is_the_chebyshev_guard(blocks):
    usable = blocks.usable(Window(0, 0, blocks.rows, blocks.cols))
    split = split_map(blocks)
    highest = maximum_filter(split, 2 * blocks.guard_px + 1, mode="constant", cval=0)
    assert np.array_equal(usable, np.where(highest > split, 0, split + 1))


@settings(deadline=None, max_examples=60)
@given(dealt(), st.integers(0, 10))
def test_no_training_chip_overlaps_a_validation_or_test_pixel(blocks, smaller):
    size = 2 * max(0, blocks.guard_px - smaller) + 1
    assume(size <= min(blocks.rows, blocks.cols))
    usable = blocks.usable(Window(0, 0, blocks.rows, blocks.cols))
    split = split_map(blocks)[None].astype(np.float32)
    train = lc.chips(split, *np.nonzero(usable == 1), size)[:]
    assert not np.isin(train, [1, 2]).any()
    validation = lc.chips(split, *np.nonzero(usable == 2), size)[:]
    assert not np.isin(validation, [2]).any()


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(st.integers(60, 130), st.integers(60, 130), st.sampled_from([5, 9, 17]), st.integers(0, 99))
def test_the_same_for_deals_of_labels_with_the_largest_patch(rows, cols, max_patch, seed):
    plan = layout(rows, cols, max_patch=max_patch)
    blocks = lc.spatial_blocks(
        patchy(rows, cols, seed=seed), plan.block_px, plan.guard_px, seed=seed
    )
    usable = blocks.usable(Window(0, 0, rows, cols))
    split = split_map(blocks)[None].astype(np.float32)
    train = lc.chips(split, *np.nonzero(usable == 1), max_patch)[:]
    assert len(train) and not np.isin(train, [1, 2]).any()


@given(dealt(), st.integers(-9, 40), st.integers(-9, 40), st.integers(1, 30), st.integers(1, 30))
@settings(deadline=None, max_examples=60)
def test_a_window_of_the_guard_is_the_window_of_the_whole(blocks, row, col, rows, cols):
    whole = np.pad(blocks.usable(Window(0, 0, blocks.rows, blocks.cols)), 100)
    part = blocks.usable(Window(row, col, rows, cols))
    assert np.array_equal(part, whole[100 + row :, 100 + col :][:rows, :cols])


def test_test_blocks_stay_whole():
    blocks = lc.spatial_blocks(patchy(300, 400))
    usable = blocks.usable(Window(0, 0, 300, 400))
    assert np.array_equal(usable == 3, split_map(blocks) == 2)


@pytest.mark.parametrize("seed", range(12))
def test_every_class_with_three_blocks_is_usable_in_each_split(seed):
    labels = patchy(480, 640, cell=32, classes=8, seed=seed)
    blocks = lc.spatial_blocks(labels, block_px=64, guard_px=16, seed=seed)
    split, usable = split_map(blocks), blocks.usable(Window(0, 0, 480, 640))
    block = blocks.block_of(*np.indices(labels.shape))
    for code in np.unique(labels[labels > 0]):
        if len(np.unique(block[labels == code])) >= 3:
            assert set(split[labels == code]) == {0, 1, 2}, code
            assert set(usable[labels == code]) >= {1, 2, 3}, code


def test_a_class_in_exactly_three_blocks_goes_one_to_each():
    labels = np.full((160, 160), 211)
    for row, col in ((0, 0), (5, 7), (9, 2)):  # blocks of 16
        labels[row * 16 + 5 : row * 16 + 11, col * 16 + 5 : col * 16 + 11] = 512
    for seed in range(5):
        blocks = lc.spatial_blocks(labels, block_px=16, guard_px=4, seed=seed)
        assert {int(blocks.splits[p]) for p in ((0, 0), (5, 7), (9, 2))} == {0, 1, 2}


def patched(*places, size=6, shape=(160, 160)):
    """Fields, and patches of water at these rows and columns."""
    labels = np.full(shape, 211)
    for row, col in places:
        labels[row : row + size, col : col + size] = 512
    return labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("places", "held"),
    [
        ([(85, 53)], {0}),  # in the middle of one block of 16 px
        ([(80, 48)], {0}),  # in its corner, where the guard of three others would reach
        ([(85, 53), (21, 133)], {0, 2}),  # in two blocks: one to train, one to test
        ([(77, 53)], {0}),  # over the border of two blocks, where a guard would cover all
        ([(77, 45)], {0}),  # over the corner of four
    ],
)
def test_a_class_in_few_places_is_trained_on_first_and_tested_second(places, held, seed):
    labels = patched(*places)
    blocks = lc.spatial_blocks(labels, block_px=16, guard_px=4, seed=seed)
    usable = blocks.usable(Window(0, 0, 160, 160))[labels == 512]
    assert 1 in usable
    assert set(usable.tolist()) - {0} == {1 + split for split in held}
    shares = np.bincount(split_map(blocks).ravel(), minlength=3) / labels.size
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.06)


def test_two_classes_of_one_block_each_are_both_trained_on():
    for seed in range(8):
        labels = patched((85, 53))
        labels[21:27, 133:139] = 311
        blocks = lc.spatial_blocks(labels, block_px=16, guard_px=4, seed=seed)
        usable = blocks.usable(Window(0, 0, 160, 160))
        assert 1 in usable[labels == 512] and 1 in usable[labels == 311]


def test_what_polygons_hold_in_one_block_is_trained_on_and_tested_outside_them():
    labels = patched((85, 53), (21, 133), (133, 21))
    inside = np.zeros(labels.shape, int)
    inside[80:96] = 1  # of the water, the patch in one block only
    inside[:48, :64] = 1
    plan = layout(160, 160, 16, 4)
    counts = plan.no_counts(4)
    plan.count(counts, 2 * (labels == 512) + inside, Window(0, 0, 160, 160))
    counts = counts.reshape(*counts.shape[:2], 2, 2)
    for seed in range(8):
        blocks = deal(plan, counts, seed=seed)
        usable = blocks.usable(Window(0, 0, 160, 160))
        assert 1 in usable[(labels == 512) & (inside == 1)]
        assert 3 in usable[labels == 512]


def test_deals_that_lose_no_class_are_what_they_were():
    labels = patchy(480, 640, cell=32, classes=8, seed=3)
    digests = [lc.spatial_blocks(labels, 64, 16, seed=seed).digest() for seed in range(3)]
    assert digests == ["b38995954fe1b3b2", "bc766c9d2194998c", "4508fe31657ace85"]


@pytest.mark.parametrize("fractions", [(0.6, 0.2, 0.2), (0.5, 0.1, 0.4)])
def test_fractions_of_labelled_pixels(fractions):
    labels = patchy(640, 640, cell=16, seed=3)
    blocks = lc.spatial_blocks(labels, block_px=32, fractions=fractions)
    held = np.bincount(split_map(blocks)[labels > 0], minlength=3) / (labels > 0).sum()
    assert held == pytest.approx(fractions, abs=0.03)


def test_blocks_without_labels_keep_nobody_out():
    labels = patchy(200, 200, seed=1)
    labels[100:] = 0
    blocks = lc.spatial_blocks(labels, block_px=20, guard_px=5)
    assert not blocks.splits[5:].any()


def test_a_seed_deals_the_same_blocks_and_another_seed_others():
    labels = patchy(300, 300)
    first, again, other = (lc.spatial_blocks(labels, seed=s).to_dict() for s in (4, 4, 5))
    assert first == again != other


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
@pytest.mark.parametrize(
    "window", [Window(0, 0, 61, 83), Window(7, 20, 19, 1), Window(60, 0, 1, 83)]
)
def test_counts_are_those_of_single_pixels(window, dtype, rng):
    plan = layout(61, 83, block_px=16, guard_px=3)
    classes = rng.integers(-1, 3, (window.rows, window.cols)).astype(dtype)
    counts = rng.integers(0, 5, plan.no_counts(3).shape)  # it adds to what there is
    expected = counts.copy()
    for (row, col), number in np.ndenumerate(classes):
        if number >= 0:
            pixel = np.array([window.row + row]), np.array([window.col + col])
            (down,), (across,) = plan.zones_of(*pixel)
            expected[down, across, number] += 1
    plan.count(counts, classes, window)
    np.testing.assert_array_equal(counts, expected)


def test_counting_by_windows_deals_as_the_whole_does():
    labels = patchy(210, 330)
    codes, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape) - 1
    whole = lc.spatial_blocks(labels, seed=2)
    for size in (1, 37, 128):
        plan = layout(210, 330)
        counts = plan.no_counts(len(codes))
        for row in range(0, 210, size):
            for col in range(0, 330, 100):
                part = index[row : row + size, col : col + 100]
                plan.count(counts, part, Window(row, col, *part.shape))
        assert counts.sum() == (labels > 0).sum()
        assert deal(plan, counts, seed=2).to_dict() == whole.to_dict()


def test_json_round_trip():
    blocks = lc.spatial_blocks(patchy(90, 120))
    content = json.loads(json.dumps(blocks.to_dict()))
    assert content["names"] == list(SPLITS)
    again = Blocks.from_dict(content)
    assert again.to_dict() == blocks.to_dict() and again.splits.dtype == np.uint8
    known = replace(blocks, label_range_px=33.3)
    assert Blocks.from_dict(json.loads(json.dumps(known.to_dict()))).label_range_px == 33.3
    assert known.digest() == blocks.digest()
    del content["label_range_px"]  # of an earlier version
    assert Blocks.from_dict(content).label_range_px is None


def strips(side, block, guard):
    """Widths of the strips of a scene's side, the last one without its sliver."""
    widths = [min(block, side - start) for start in range(0, side, block)]
    if len(widths) > 1 and widths[-1] - guard < min(10, -(-block // 4)):
        widths[-2:] = [sum(widths[-2:])]
    return widths


@given(st.integers(20, 3000), st.integers(20, 3000), st.floats(0, 1000))
def test_blocks_outgrow_the_range_while_24_are_left(rows, cols, range_px):
    plan = layout(rows, cols, range_px=range_px)
    down, across = plan.shape
    assert plan.block_px % 10 == 0 and plan.block_px >= 20
    assert down * across >= 24 or plan.block_px == 20
    larger = plan.block_px + 10
    sides = larger, min(30, larger // 4)
    assert plan.block_px >= range_px or len(strips(rows, *sides)) * len(strips(cols, *sides)) < 24
    assert plan.guard_px == min(30, plan.block_px // 4)


@pytest.mark.parametrize(
    ("settings", "block", "guard"),
    [
        ({}, 120, 30),
        ({"range_px": 121}, 130, 30),
        ({"range_px": 2000}, 2000, 30),
        ({"range_px": 9000}, 2730, 30),  # with 2740 the fifth block would be 20 px wide
        ({"max_patch": 61}, 120, 30),
        ({"max_patch": 81, "range_px": 30}, 160, 40),
        ({"block_px": 77, "range_px": 300}, 77, 19),
        ({"block_px": 77, "max_patch": 15}, 77, 7),
    ],
)
def test_blocks_of_a_whole_tile(settings, block, guard):
    plan = layout(10980, 10980, **settings)
    assert (plan.block_px, plan.guard_px) == (block, guard)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 90), st.integers(0, 45))
def test_no_block_is_a_sliver(rows, cols, block, guard):
    assume(2 * guard <= block)
    plan = layout(rows, cols, block, guard)
    ids = plan.blocks_in(Window(0, 0, rows, cols))
    for side, numbers in ((rows, ids[:, 0] // plan.shape[1]), (cols, ids[0])):
        assert np.bincount(numbers).tolist() == strips(side, block, guard)
    assert np.array_equal(np.unique(ids), np.arange(np.prod(plan.shape)))


@pytest.mark.parametrize(
    ("rows", "cols", "shape"),
    [
        (240, 480, (2, 4)),
        (243, 481, (2, 4)),  # a few pixels more are no further blocks
        (240, 519, (2, 4)),  # 39 px are a guard of 30 and less than a cell of labels
        (240, 520, (2, 5)),
        (12, 480, (1, 4)),  # a thin scene has no guard along its thin side
        (12, 485, (1, 4)),
        (480, 3, (4, 1)),
    ],
)
def test_scenes_a_few_pixels_larger_than_their_blocks(rows, cols, shape):
    plan = layout(rows, cols, 120, 30)
    assert plan.shape == shape
    labels = patchy(rows, cols, cell=6, seed=3)
    blocks = lc.spatial_blocks(labels, 120, 30) if max(shape) > 2 else None
    if blocks is not None:
        usable = blocks.usable(Window(0, 0, rows, cols))
        assert blocks.splits.shape == shape
        assert set(np.unique(usable)) >= {1, 2, 3}
        # every pixel of the scene belongs to a block, those of the sliver to the one beside it
        assert np.array_equal(usable == 3, split_map(blocks) == 2)


def test_a_split_with_slivers_of_an_earlier_version_stays_readable(tmp_path):
    splits = np.array([[0, 1, 2, 0], [2, 1, 0, 1]], np.uint8)
    blocks = Blocks(40, 63, 20, 5, splits)  # today the fourth column of 3 px is no block
    assert layout(40, 63, 20, 5).shape == (2, 3)
    again = Blocks.from_dict(json.loads(json.dumps(blocks.to_dict())))
    assert again.block_of([0, 39], [62, 62]).tolist() == [3, 7]
    path, scene = tmp_path / "splits.json", tmp_path / "scene.tif"
    path.write_text(json.dumps(blocks.to_dict()), "utf-8")
    raster_writer.write(scene, np.ones((1, 40, 63), np.float32), utm_grid(40, 63), ["B02"], np.nan)
    assert np.array_equal(Blocks.read(path, scene).splits, splits)


def test_block_ids_run_row_by_row():
    blocks = Blocks(40, 50, 20, 5, np.array([[0, 1, 2], [2, 1, 0]], np.uint8))
    assert blocks.block_of([0, 19, 20, 39], [0, 20, 39, 49]).tolist() == [0, 1, 4, 5]
    assert blocks.split_of([0, 19, 20, 39], [0, 20, 39, 49]).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: layout(100, 100, 20, 11), "guard of 11 px leaves nothing of blocks of 20 px"),
        (lambda: layout(100, 100, 0, 0), "blocks of 0 px with a guard of 0 px do not exist"),
        (
            lambda: lc.spatial_blocks(np.ones((16, 20), int)),
            "only 1 of 1 blocks of 20 px hold labels",
        ),
        (
            lambda: lc.spatial_blocks(np.zeros((99, 99), int)),
            "only 0 of 25 blocks of 20 px hold labels",
        ),
        (
            lambda: lc.spatial_blocks(patchy(99, 99), fractions=(1, 0, 0)),
            r"fractions \[1, 0, 0\] are not",
        ),
        (
            # every label is within 4 px of three other blocks
            lambda: lc.spatial_blocks(np.pad(np.ones((8, 8), int), 4), 8, 4),
            "no pixel is left for train: 4 labelled blocks of 8 px with a guard of 4 px",
        ),
    ],
)
def test_too_little_to_split_is_said_in_one_line(call, text):
    with pytest.raises(LandcoverError, match=text) as error:
        call()
    assert "\n" not in str(error.value)


@given(st.integers(200, 3000), st.integers(200, 3000), st.integers(1, 40), st.floats(0, 400))
def test_blocks_are_whole_cells_of_the_labels(rows, cols, cell_px, range_px):
    block = layout(rows, cols, range_px=range_px, cell_px=cell_px).block_px
    assert block % cell_px == 0
    assert block >= max(20, 2 * cell_px)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((60, 60), np.nan), "labels hold nan, which is no class code"),
        (np.full((60, 60), -128), "labels hold -128"),
        (np.ones((1, 60, 60), int), r"labels have the shape \(1, 60, 60\); give \(rows, cols\)"),
        (np.zeros((0, 0), int), "labels have the shape"),
    ],
)
def test_what_is_no_label_raster_is_refused(labels, message):
    with pytest.raises(lc.InputError, match=message):
        lc.spatial_blocks(labels, block_px=20)


def test_labels_of_any_type_are_dealt_alike(rng):
    labels = rng.integers(0, 4, (60, 80))
    expected = lc.spatial_blocks(labels, block_px=10)
    for same in (labels.tolist(), labels.astype(np.float64), labels.astype(np.uint8)):
        assert lc.spatial_blocks(same, block_px=10).to_dict() == expected.to_dict()
