"""Training polygons stay whole on one side of a split, and are held out whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover.errors import InputError
from landcover.files.atomic import write_json
from landcover.grid import Window
from landcover.legend import LandClass, Legend
from landcover.run import Run
from landcover.samples.blocks import SPLITS, Layout
from landcover.samples.joint_rows import joint_table
from landcover.samples.polygon_groups import Ties
from landcover.samples.rows import Rows
from landcover.samples.splits import deal
from landcover.stages.targets import _led

PLAN = Layout(80, 120, 10, 2)
WHOLE = Window(0, 0, 80, 120)


def polygons(rng: np.random.Generator, number: int, side: int = 8) -> np.ndarray:
    """Squares of random places, a later one over an earlier one."""
    found = np.zeros((80, 120), np.uint32)
    for polygon in range(1, number + 1):
        row, col = rng.integers(0, 80 - side), rng.integers(0, 120 - side)
        found[row : row + side, col : col + side] = polygon
    return found


def tied(numbers: np.ndarray, rows: int = 80) -> Ties:
    ties = Ties(PLAN)
    for row in range(0, 80, rows):
        window = Window(row, 0, min(rows, 80 - row), 120)
        ties.add(numbers[window.slices], window)
    return ties


@given(st.integers(0, 10_000), st.sampled_from([7, 13, 80]))
@settings(max_examples=15, deadline=None)
def test_a_dealt_polygon_lies_in_one_split(seed, strip):
    rng = np.random.default_rng(seed)
    numbers = polygons(rng, 12)
    classes = np.where(numbers > 0, numbers.astype(np.int64) % 2, -1)
    ties, counts = tied(numbers, strip), PLAN.no_counts(2)
    np.testing.assert_array_equal(ties.groups(), tied(numbers).groups())  # strips do not matter
    PLAN.count(counts, classes, WHOLE)
    blocks = deal(PLAN, counts, seed=seed, groups=ties.groups())
    split = blocks.split_of(*np.indices((80, 120)))
    for polygon in np.unique(numbers[numbers > 0]):
        assert len(np.unique(split[numbers == polygon])) == 1
    assert set(np.unique(split[numbers > 0])) == {0, 1, 2}


def test_without_polygons_across_blocks_the_deal_is_that_of_blocks(rng):
    numbers = np.zeros((80, 120), np.uint32)
    numbers[2:8, 2:8], numbers[52:58, 72:78], numbers[22:28, 92:98] = 1, 2, 3
    ties = tied(numbers)
    assert ties.crossing == 0
    np.testing.assert_array_equal(ties.groups(), np.arange(96))
    counts = PLAN.no_counts(2)
    PLAN.count(counts, rng.integers(0, 2, (80, 120)), WHOLE)
    alone, grouped = deal(PLAN, counts, seed=1), deal(PLAN, counts, seed=1, groups=ties.groups())
    np.testing.assert_array_equal(alone.splits, grouped.splits)


def test_polygons_that_tie_all_blocks_cannot_be_dealt(rng):
    numbers = np.ones((80, 120), np.uint32)
    ties, counts = tied(numbers), PLAN.no_counts(2)
    PLAN.count(counts, rng.integers(0, 2, (80, 120)), WHOLE)
    with pytest.raises(InputError, match="only 1 of 1"):
        deal(PLAN, counts, groups=ties.groups())


def rows(polygon: np.ndarray, codes: np.ndarray, split: np.ndarray) -> Rows:
    legend = Legend(tuple(LandClass(c, f"c{c}", (c, c, c)) for c in (1, 2)))
    samples = pd.DataFrame({"polygon": polygon, "label": codes, "split": split})
    place = {name: np.flatnonzero(split == name) for name in SPLITS}
    return Rows(
        samples, "label", legend, place["train"], place["validation"], place["test"], np.zeros(0)
    )


def test_held_out_polygons_train_nothing(rng):
    polygon = rng.integers(0, 40, 3000)
    codes, split = polygon % 2 + 1, np.array(SPLITS)[polygon % 3]
    given = rows(polygon, codes, split)
    found, out = given.split_by_polygon(seed=4)
    held = set(polygon[out])
    assert held and 0 not in held and not held & set(polygon[found.train])
    assert set(split[out]) == {"test"}
    for code in (1, 2):  # half of each class, rounded up
        tested = {p for p in polygon[(split == "test") & (codes == code)] if p}
        assert len(held & tested) == -(-len(tested) // 2)
    assert set(split[found.train]) == {"train", "test"}
    assert len(found.train) <= len(given.train)
    again, same = given.split_by_polygon(seed=4)
    np.testing.assert_array_equal(found.train, again.train)
    np.testing.assert_array_equal(out, same)


def test_a_polygon_that_blocks_part_is_held_out_in_all_its_parts(rng):
    polygon = rng.integers(1, 9, 900)
    split = np.array(SPLITS)[rng.integers(0, 3, 900)]
    found, out = rows(polygon, polygon % 2 + 1, split).split_by_polygon(seed=0)
    assert not set(polygon[out]) & set(polygon[found.train])
    assert not set(polygon[out]) & set(polygon[found.validation]) and len(found.validation)


def test_where_held_out_polygons_leave_no_validation_row_there_is_no_such_split():
    polygon = np.repeat([1, 2, 3, 4], 30)
    split = np.array(["train", "test", "train", "test"]).repeat(30)
    split[[30, 90]] = "validation"  # of the polygons that are tested alone
    assert rows(polygon, polygon % 2 + 1, split).split_by_polygon(seed=0) is None


def test_polygons_of_several_scenes_are_counted_on():
    frame = pd.DataFrame({"label": [1, 2, 1], "block": 0, "split": "train", "polygon": [0, 2, 5]})
    joint = joint_table([frame, frame.drop(columns="polygon"), frame], [], [1, 1, 1])
    assert joint["polygon"].tolist() == [0, 2, 5, 0, 0, 0, 0, 7, 10]
    assert "polygon" not in joint_table([frame.drop(columns="polygon")] * 2, [], [1, 1])


def test_samples_without_polygons_have_no_such_split(rng):
    given = rows(np.zeros(90, int), rng.integers(1, 3, 90), np.array(SPLITS)[np.arange(90) % 3])
    assert given.split_by_polygon(0) is None


@pytest.mark.parametrize(
    ("labels_from", "kept"), [("raster and polygons", True), ("polygons", False), ("raster", False)]
)
def test_refined_labels_leave_polygons_that_lead_as_they_are(tmp_path, labels_from, kept):
    run = Run(tmp_path)
    settings = {"settings": {"labels_from": labels_from}}
    write_json(run.manifest, {"stages": {"prep": settings}})
    given = rows(np.array([0, 7, 0, 9]), np.array([1, 1, 2, 2]), np.array(["train"] * 4))
    refined = np.array([1, 1, 0, 0])  # the other class everywhere
    found = _led(run, given, refined)
    assert found.tolist() == ([1, 0, 0, 1] if kept else [1, 1, 0, 0])
