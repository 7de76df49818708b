"""Means of segments on every date, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd

from landcover.scene.segmentation.dated_means import dated_means


def test_means_are_those_of_pandas_however_the_scene_is_cut(rng):
    sequence = rng.uniform(size=(3, 2, 20, 30)).astype(np.float32)
    sequence[1, :, :8] = np.nan
    sequence[2, 0, 4:9, 5:15] = np.nan  # one band masks the date
    segments = rng.integers(0, 12, (20, 30))
    whole = dated_means([(sequence, segments)], 12, 3, 2)
    cut = [(sequence[:, :, :, at : at + 7], segments[:, at : at + 7]) for at in range(0, 30, 7)]
    np.testing.assert_allclose(dated_means(cut, 12, 3, 2), whole, rtol=1e-6)
    assert whole.shape == (13, 3, 2) and np.isnan(whole[[0, 12]]).all()
    valid = np.isfinite(sequence).all(axis=1)
    for date in range(3):
        for band in range(2):
            held = pd.Series(sequence[date, band][valid[date]].astype(float))
            expected = held.groupby(segments[valid[date]]).mean().reindex(range(1, 12))
            np.testing.assert_allclose(whole[1:12, date, band], expected, rtol=1e-5)
