"""Need, its parts and strata: known answers and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landcover.errors import InputError
from landcover.reports.need import LEVELS, NeedStrata, need, parts


def test_need_is_the_mean_of_hints_and_moves_halfway_to_1_outside():
    doubt, differ = np.array([0.0, 0.4, 1.0]), np.array([0.0, 0.2, 1.0])
    assert need([doubt, differ]).tolist() == [0, 30, 100]
    assert need([doubt]).tolist() == [0, 40, 100]
    outside = np.array([True, True, False])
    assert need([doubt, differ], outside).tolist() == [50, 65, 100]
    assert need([], outside).tolist() == [50, 50, 0]
    assert need([doubt]).dtype == np.uint8


def test_parts_are_those_of_equal_steps_of_root_frequency():
    """A worked table: roots 30 20 10 10 10 10 10 5, steps of 35."""
    pixels = np.array([900, 400, 100, 100, 100, 100, 100, 25])
    assert parts(pixels).tolist() == [0, 1, 1, 1, 2, 2, 2, 2]
    assert parts(pixels, most=1).tolist() == [0] * 8
    assert parts(np.array([0, 0, 500, 0])).max() == 0


@given(arrays(np.int64, LEVELS, elements=st.integers(0, 3_000)), st.integers(1, 5))
def test_parts_ascend_without_a_gap_and_none_is_small(pixels, most):
    part = parts(pixels, most)
    assert part[0] == 0 and set(np.diff(part)) <= {0, 1} and part[-1] < most
    sizes = np.bincount(part, pixels)
    assert len(sizes) == 1 or sizes.min() >= 50
    assert sizes.sum() == pixels.sum()


@given(st.integers(0, 10**6))
def test_every_pixel_has_a_stratum_of_its_class(seed):
    rng = np.random.default_rng(seed)
    codes = rng.choice([0, 211, 311], 3_000)
    needed = np.minimum(rng.geometric(0.05, 3_000), 100).astype(np.uint8)
    strata = NeedStrata.of(
        {c: np.bincount(needed[codes == c], minlength=LEVELS) for c in (211, 311)}
    )
    places = strata.place(codes, needed)
    assert (places[codes == 0] == 255).all()
    for h, code in strata.classes.items():
        there = places == h
        assert (codes[there] == code).all()
        assert there.sum() == strata.pixels[h]
        assert needed[there].mean() / 100 == pytest.approx(strata.wrong[h])
    assert set(places[codes > 0].tolist()) == set(strata.classes)


def test_weights_are_neymans_within_limits():
    counts = np.zeros(LEVELS, np.int64)
    counts[[0, 20, 90]] = 10_000, 6_000, 5_000
    strata = NeedStrata.of({311: counts})
    assert strata.pixels == {0: 10_000, 1: 6_000, 2: 5_000}
    expected = [10_000 * np.sqrt(0.05 * 0.95), 6_000 * 0.4, 5_000 * 0.5]
    assert list(strata.weights().values()) == pytest.approx(expected)


def test_more_strata_than_a_byte_numbers():
    of_class = np.full(LEVELS, 100)
    with pytest.raises(InputError, match=r"90 classes make 270 strata, more than 255; map fewer"):
        NeedStrata.of(dict.fromkeys(range(1, 91), of_class))
    assert len(NeedStrata.of(dict.fromkeys(range(1, 86), of_class)).pixels) == 255
