"""The published stack of 20 layers: how pixels are held out, and what the table says."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import polygon_stack as ps


@pytest.fixture(scope="module")
def place():
    return ps.land(3, 160, 200, polygons=48)


def test_the_stack_has_the_published_layers(place):
    layers, names = ps.stack(place)
    assert names[:11] == list(ps.BANDS) and names[11:17] == list(ps.INDICES)
    assert names[17:] == ["elevation", "slope", "aspect_sin", "aspect_cos"]
    assert layers.shape == (21, 160, 200) and np.isfinite(layers).all()
    red, nir = layers[names.index("B04")], layers[names.index("B08")]
    np.testing.assert_allclose(layers[names.index("ndvi")], (nir - red) / (nir + red), atol=1e-5)


def test_polygons_are_of_their_class(place):
    layers, _ = ps.stack(place)
    table = ps.table_of(place, layers)
    assert len(np.unique(table.polygon)) == len(place.shapes) >= 30
    for number in np.unique(table.polygon):  # a polygon counts to one block
        assert len(np.unique(table.block[table.polygon == number])) == 1
    assert np.bincount(table.polygon).max() <= ps.OF_POLYGON


@pytest.mark.parametrize("size", [1, 7, 60])
def test_whole_groups_are_held_out_and_every_class_is_trained(rng, size):
    groups = np.arange(3000) // size
    codes = groups % 3 + 1
    test = ps.hold_out(groups, codes, rng)
    assert not set(groups[test]) & set(groups[~test])
    assert set(codes[~test]) == {1, 2, 3} == set(codes[test])
    for code in (1, 2, 3):
        of_class = codes == code
        assert ps.TESTED <= test[of_class].mean() < ps.TESTED + size / of_class.sum() + 1e-9


def test_a_class_of_one_group_is_not_tested(rng):
    groups, codes = np.array([1, 1, 2, 2, 3, 4]), np.array([1, 1, 1, 1, 2, 1])
    test = ps.hold_out(groups, codes, rng)
    assert test.any() and not test[4]


def test_the_three_ways_stand_side_by_side(place, tmp_path, monkeypatch):
    monkeypatch.setattr(ps, "BLOCK_PX", 30)
    found = ps.result("land", place, seeds=2, out=tmp_path)
    means = {way: np.mean(runs, axis=0)[0] for way, runs in found["scores"].items()}
    assert means["pixels"] > means["polygons"] - 0.02  # neighbours give the answer away
    assert means["pixels"] > found["true"]  # polygons are pure, land is not
    assert (tmp_path / "land.tif").exists()
    head, _, line = ps.report({"land": found}).splitlines()
    assert line.startswith("| land | 21, ") and line.count("|") == head.count("|")
