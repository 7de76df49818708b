"""What chooses a map without a reference: by hand on small rasters, and when none is named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import balanced_accuracy_score

from landcover.files import rasters
from landcover.files.raster_writer import write
from landcover.legend import Legend
from landcover.reports.choice import APART, FEWEST_BLOCKS, Criteria, criteria
from landcover.samples.blocks import TEST, Blocks
from tests.conftest import utm_grid

SIDE, BLOCK = 120, 20
LEGEND = Legend.corine().subset([211, 311, 512])
CODES = np.array(LEGEND.codes)


@pytest.fixture
def land(tmp_path):
    """Labels of 40 px, refined labels, two maps, and blocks dealt at random."""
    rng = np.random.default_rng(0)
    labels = CODES[rng.permutation(9) % 3].reshape(3, 3).repeat(40, axis=0).repeat(40, axis=1)
    layers = {"labels": labels}
    for name, wrong in {"refined": 0.2, "a": 0.1, "b": 0.5}.items():
        spoilt = rng.random((SIDE, SIDE)) < wrong
        layers[name] = np.where(spoilt, rng.choice(CODES, (SIDE, SIDE)), labels)
    layers["refined"][:10] = 0
    grid = utm_grid(SIDE, SIDE)
    paths = {
        name: write(tmp_path / f"{name}.tif", codes.astype(np.uint16), grid, ["class"], 0)
        for name, codes in layers.items()
    }
    splits = rng.permutation(np.arange(36) % 3).reshape(6, 6).astype(np.uint8)
    return layers, paths, Blocks(SIDE, SIDE, BLOCK, 2, splits)


def found_in(land):
    _, paths, blocks = land
    maps = {name: paths[name] for name in ("a", "b")}
    return criteria(maps, paths["refined"], paths["labels"], blocks, 50.0)


@pytest.mark.parametrize("window", [1024, 33])
def test_both_shares_are_those_of_the_whole_arrays(land, monkeypatch, window):
    monkeypatch.setattr(rasters, "WINDOW_PX", window)
    layers, _, blocks = land
    rows, cols = np.indices((SIDE, SIDE))
    test = blocks.split_of(rows, cols) == TEST
    labels, core = layers["labels"], np.zeros((SIDE, SIDE), bool)
    for code in CODES:
        core |= distance_transform_edt(labels == code) * (labels == code) >= 5
    judged = test & (layers["refined"] > 0)
    found = found_in(land)
    for name in ("a", "b"):
        refined = (layers[name] == layers["refined"])[judged].mean()
        cores = balanced_accuracy_score(labels[core & test], layers[name][core & test])
        assert found.values(name) == pytest.approx((refined, cores))
        assert found.criterion(name) == pytest.approx((refined + cores) / 2)


def test_the_better_map_is_chosen_and_its_lead_is_sure(land):
    found = found_in(land)
    assert found.choice() == ("a", "")
    low, high = found.interval("a", "b", 0)
    assert 0 < low < found.criterion("a") - found.criterion("b") < high
    assert found.interval("a", "a", 0) == (0, 0)


def counted(blocks=12, refined=(0.8, 0.7), cores=(0.8, 0.7), largest=(0.5, 0.5)):
    """Criteria of maps a and b from their shares, alike in every block."""
    return Criteria(
        {
            n: np.tile([1000, round(1000 * r)], (blocks, 1))
            for n, r in zip("ab", refined, strict=True)
        },
        {
            n: np.tile([[100, round(100 * c)]], (blocks, 1, 1))
            for n, c in zip("ab", cores, strict=True)
        },
        dict.fromkeys("ab", largest),
    )


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (counted(blocks=FEWEST_BLOCKS - 1), "the test set has 4 blocks"),
        (counted(largest=(0.99, 0.4)), "has one class on 99 % of the test blocks"),
        (counted((12), (0.9, 0.6), (0.6, 0.6 + 1.5 * APART)), "criteria disagree: by cores"),
        (counted((12), (0.6, 0.6 + 1.5 * APART), (0.9, 0.6)), "criteria disagree: by agreement"),
    ],
)
def test_no_map_is_named_where_nothing_can_tell(found, why):
    name, reason = found.choice()
    assert name is None and why in reason


def test_a_scene_of_one_class_has_not_collapsed():
    assert counted(largest=(0.99, 0.97)).choice() == ("a", "")


def test_labels_without_cores_leave_the_other_share():
    found = counted()
    bare = Criteria(found.refined, {n: np.zeros((12, 1, 2), int) for n in "ab"}, found.largest)
    assert bare.values("a") == (0.8, None)
    assert bare.criterion("a") == 0.8 and bare.choice() == ("a", "")
