"""Texture of moving windows, against scikit-image and against pairs counted one by one."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import graycomatrix, graycoprops

from landcover.errors import InputError
from landcover.scene.texture import PROPERTIES, quantised, texture

ALL = tuple(PROPERTIES)
ANGLES = np.deg2rad([0, 45, 90, 135])
#: The other pixel of a pair, at 0, 45, 90 and 135 degrees.
STEPS = ((0, 1), (-1, 1), (-1, 0), (-1, -1))


def grey(seed: int, shape: tuple[int, int], levels: int, holes: float = 0.0) -> np.ndarray:
    """Grey levels as numbers, rough or smooth by the seed, with NaN for some."""
    rng = np.random.default_rng(seed)
    rough = rng.normal(0, 1, shape) + rng.integers(0, 3) * rng.normal(0, 1, shape).cumsum(axis=1)
    layer = np.clip(np.round(levels / 2 + levels / 6 * rough), 0, levels - 1)
    layer[rng.random(shape) < holes] = np.nan
    return layer


def of_levels(layer: np.ndarray, levels: int, window: int, names=ALL) -> np.ndarray:
    """Texture of grey levels as they are."""
    return texture(layer, names, low=0, high=levels, window=window, levels=levels)


def by_hand(square: np.ndarray) -> list[float]:
    """Every property of one window, from its pairs one by one; NaN is nodata."""
    found = []
    inside = [range(side) for side in square.shape]
    for down, right in STEPS:
        pairs = Counter()
        for row, col in product(*inside):
            if row + down in inside[0] and col + right in inside[1]:
                i, j = square[row, col], square[row + down, col + right]
                if not math.isnan(i) and not math.isnan(j):
                    pairs[i, j] += 1
                    pairs[j, i] += 1
        if pairs:
            found.append(of_shares({pair: n / pairs.total() for pair, n in pairs.items()}))
    return [math.fsum(values) / len(found) for values in zip(*found, strict=True)] or [0] * len(ALL)


def of_shares(shares: dict[tuple[float, float], float]) -> list[float]:
    """Every property of a matrix that is symmetric."""

    def mean(what) -> float:
        return math.fsum(share * what(i, j) for (i, j), share in shares.items())

    asm = math.fsum(share**2 for share in shares.values())
    middle = mean(lambda i, j: i)
    variance = mean(lambda i, j: (i - middle) ** 2)
    covariance = mean(lambda i, j: (i - middle) * (j - middle))
    return [
        mean(lambda i, j: (i - j) ** 2),
        mean(lambda i, j: abs(i - j)),
        mean(lambda i, j: 1 / (1 + (i - j) ** 2)),
        asm,
        math.sqrt(asm),
        -math.fsum(share * math.log(share) for share in shares.values()),
        middle,
        variance,
        covariance / variance if len({i for i, _ in shares}) > 1 else 1,
    ]


def require_scikit_image(seed: int, window: int, levels: int, more: tuple[int, int]) -> None:
    """Assert that all windows of a layer have the properties that scikit-image finds."""
    layer = grey(seed, (window + more[0] - 1, window + more[1] - 1), levels)
    found = of_levels(layer, levels, window)
    for row, col in np.ndindex(more):
        square = layer[row : row + window, col : col + window].astype(np.uint8)
        matrix = graycomatrix(square, [1], ANGLES, levels, symmetric=True, normed=True)
        expected = [graycoprops(matrix, name).mean() for name in ALL]
        np.testing.assert_allclose(found[:, row, col], expected, rtol=2e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5, 9]), st.sampled_from([2, 7, 32]))
def test_properties_are_those_of_scikit_image(seed, window, levels):
    require_scikit_image(seed, window, levels, (2, 4))


@pytest.mark.parametrize(("window", "levels"), [(31, 255), (3, 256), (9, 256)])
def test_they_are_at_many_levels_and_in_wide_windows(window, levels):
    require_scikit_image(7, window, levels, (1, 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5]), st.sampled_from([0.1, 0.5, 0.9]))
def test_pairs_with_nodata_are_left_out(seed, window, holes):
    layer = grey(seed, (window + 2, window + 3), 8, holes)
    found = of_levels(layer, 8, window)
    for row, col in np.ndindex(3, 4):
        expected = by_hand(layer[row : row + window, col : col + window])
        np.testing.assert_allclose(found[:, row, col], expected, rtol=1e-6, atol=1e-6)


def test_a_direction_without_pairs_is_left_out():
    """Two pixels beside each other in a window have pairs at 0 degrees alone."""
    layer = np.full((3, 3), np.nan)
    layer[1, :2] = 0, 3
    found = dict(zip(ALL, of_levels(layer, 4, 3)[:, 0, 0], strict=True))
    assert (found["contrast"], found["dissimilarity"], found["mean"]) == (9, 3, 1.5)
    assert (found["ASM"], found["variance"], found["correlation"]) == (0.5, 2.25, -1)


@pytest.mark.parametrize("value", [0, 3])
def test_a_window_of_one_level_is_uniform(value):
    found = dict(zip(ALL, of_levels(np.full((9, 9), value), 4, 9)[:, 0, 0], strict=True))
    assert found == {
        "contrast": 0, "dissimilarity": 0, "homogeneity": 1, "ASM": 1, "energy": 1,
        "entropy": 0, "mean": value, "variance": 0, "correlation": 1,
    }  # fmt: skip


@pytest.mark.parametrize("pixels", [0, 1])
def test_a_window_without_pairs_is_0(pixels):
    layer = np.full((3, 3), np.nan)
    layer[1, 1 : 1 + pixels] = 2
    assert not of_levels(layer, 4, 3).any()


def test_a_pixel_is_the_same_wherever_an_array_begins():
    """To the last bit, and across the parts of rows that threads take."""
    layer = np.random.default_rng(3).random((150, 40)).astype(np.float32)
    layer[20:60, 8:19] = np.nan
    layer[np.random.default_rng(4).random(layer.shape) < 0.05] = np.nan
    how = {"low": 0.1, "high": 0.8, "window": 7, "levels": 16}
    whole = texture(layer, ALL, **how)
    for row, col, rows, cols in [(0, 0, 5, 5), (61, 3, 40, 20), (37, 30, 107, 4), (143, 33, 1, 1)]:
        part = texture(layer[row : row + rows + 6, col : col + cols + 6], ALL, **how)
        assert np.array_equal(part, whole[:, row : row + rows, col : col + cols])
        assert part.shape == (len(ALL), rows, cols) and part.dtype == np.float32


def test_a_property_is_the_same_beside_others_and_alone():
    layer = grey(5, (12, 12), 32)
    together = of_levels(layer, 32, 9)
    for position, name in enumerate(ALL):
        assert np.array_equal(of_levels(layer, 32, 9, [name])[0], together[position])
    backwards = of_levels(layer, 32, 9, ALL[::-1])
    assert np.array_equal(backwards, together[::-1])
    assert of_levels(layer, 32, 9, []).shape == (0, 4, 4)


def test_defaults_are_32_levels_and_windows_of_9():
    layer = np.random.default_rng(6).random((11, 10))
    found = texture(layer, ["entropy"], low=0, high=1)
    assert found.shape == (1, 3, 2)
    assert np.array_equal(found, texture(layer, ["entropy"], low=0, high=1, window=9, levels=32))


@pytest.mark.parametrize("levels", [2, 32, 256])
def test_levels_are_of_equal_width_and_their_ends_clipped(levels):
    edges = np.linspace(-0.5, 1.5, levels + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    inside = quantised(middles, -0.5, 1.5, levels)
    assert inside.tolist() == list(range(levels))
    beyond = quantised(np.array([-np.inf, -9, -0.5, 1.5, 9, np.inf, np.nan]), -0.5, 1.5, levels)
    assert beyond.tolist() == [0, 0, 0, levels - 1, levels - 1, levels - 1, levels]
    # of binary fractions the edges themselves are exact: a level begins at its lower one
    assert quantised(edges[:-1], -0.5, 1.5, levels).tolist() == list(range(levels))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"properties": ["asm"]}, r"no texture property 'asm'; .* contrast .* ASM energy"),
        ({"properties": "ASM"}, r"properties are 'ASM'; give a list .* \['ASM'\]"),
        ({"window": 4}, r"window=4 has no middle pixel"),
        ({"window": 1}, r"window=1 has no .* neighbours; give 3, 5, 7"),
        ({"window": 11}, r"\(10, 12\) holds no window of 11 x 11 pixels; .*\(rows \+ 10"),
        ({"layer": np.zeros((2, 10, 12))}, r"layer of \(2, 10, 12\) holds no window"),
        ({"levels": 1}, r"levels=1 is not between 2 and 256"),
        ({"levels": 257}, r"levels=257 is not between 2 and 256"),
        ({"low": 1}, r"low=1 and high=1 bound no grey levels"),
        ({"high": np.nan}, r"high=nan bound no grey levels"),
        ({"low": -np.inf}, r"low=-inf .* give two numbers, the lower one first"),
    ],
)
def test_what_means_nothing_is_refused(changed, message):
    how = {"layer": np.zeros((10, 12)), "properties": ["ASM"], "low": 0, "high": 1} | changed
    with pytest.raises(InputError, match=message):
        texture(how.pop("layer"), how.pop("properties"), **how)
