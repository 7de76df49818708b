"""Statistics of segments, against scikit-image, pandas and known shapes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import regionprops_table

from landcover.errors import InputError
from landcover.scene.segmentation.statistics import segment_statistics, statistics_by_parts

NAMES = ("segment_mean:B08", "segment_std:B08", "segment_ha", "segment_compactness")


@given(arrays(np.int64, (7, 9), elements=st.integers(0, 4)), st.integers(0, 2**32 - 1))
def test_means_and_deviations_are_those_of_pandas(segments, seed):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 1, segments.shape)
    values[rng.random(segments.shape) < 0.1] = np.nan
    found = segment_statistics({"B08": values}, segments, NAMES[:2], (10, 10))
    table = pd.DataFrame({"segment": segments.ravel(), "value": values.ravel()})
    of = table[table["segment"] > 0].groupby("segment")["value"]
    expected = pd.DataFrame({"mean": of.mean(), "std": of.std(ddof=0)})
    expected = expected.reindex(range(1, segments.max() + 1))
    np.testing.assert_allclose(found.T, expected.to_numpy(np.float64), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("side", [3, 5, 40])
def test_statistics_by_windows_are_those_of_the_whole(rng, side):
    segments = rng.integers(0, 9, (7, 9)).repeat(5, axis=0).repeat(4, axis=1)
    values = rng.uniform(0, 1, segments.shape)
    values[rng.random(segments.shape) < 0.1] = np.nan
    framed = np.pad(segments, 1)

    def parts(_):
        for row, col in product(range(0, 35, side), range(0, 36, side)):
            layer = values[row : row + side, col : col + side]
            rows, cols = layer.shape
            yield {"B08": layer}, framed[row : row + rows + 2, col : col + cols + 2]

    found = statistics_by_parts(parts, 9, NAMES, (10, 20))  # no pixel is of segment 9
    whole = segment_statistics({"B08": values}, segments, NAMES, (10, 20))
    np.testing.assert_allclose(found[:, :8], whole, rtol=1e-6)
    assert np.isnan(found[:2, 8]).all() and (found[2:, 8] == 0).all()


def test_areas_are_those_of_scikit_image(rng):
    segments = rng.integers(0, 6, (5, 5)).repeat(8, axis=0).repeat(8, axis=1)
    table = regionprops_table(segments, properties=("label", "area"), spacing=(20.0, 10.0))
    found = segment_statistics({}, segments, ["segment_ha"], (20.0, 10.0))[0]
    np.testing.assert_allclose(found[table["label"] - 1], table["area"] / 1e4, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "pixel_m", "expected"),
    [((10, 10), (10, 10), np.pi / 4), ((10, 20), (20, 10), np.pi / 4),
     ((1, 100), (10, 10), 4 * np.pi * 100 / 202**2)],
)  # fmt: skip
def test_a_square_is_compact_and_a_line_is_not(shape, pixel_m, expected):
    segments = np.zeros((120, 120), int)
    segments[5 : 5 + shape[0], 7 : 7 + shape[1]] = 1
    (found,) = segment_statistics({}, segments, ["segment_compactness"], pixel_m)
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


@pytest.mark.parametrize("names", [["segment_mean:B09"], ["segment_mean"], ["segment_ha"] * 2])
def test_what_is_no_statistic_is_refused(names):
    with pytest.raises(InputError):
        segment_statistics({"B08": np.zeros((3, 3))}, np.ones((3, 3), int), names, (10, 10))
