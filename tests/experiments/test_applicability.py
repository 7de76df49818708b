"""The study of applicability: its figures by hand, and its tables."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from experiments import applicability


def test_figures_are_those_of_scikit_learn_and_of_plain_counts(rng):
    apart, doubt = rng.uniform(0, 2, 500), rng.uniform(size=500).round(1)
    wrong = rng.uniform(size=500) < apart / 3
    found = applicability._figures(wrong, apart, doubt)
    assert found["outside"] == pytest.approx(100 * (apart > 1).mean())
    assert found["wrong outside"] == pytest.approx(100 * wrong[apart > 1].mean())
    assert found["wrong inside"] == pytest.approx(100 * wrong[apart <= 1].mean())
    for name, sign in (("dissimilarity", apart), ("confidence", doubt)):
        assert found[name] == pytest.approx(100 * roc_auc_score(wrong, sign))
    lowest = np.sort(apart)[50]
    assert found["by tenths"][0] == pytest.approx(100 * wrong[apart < lowest].mean())


def test_a_map_without_errors_has_no_curve_and_one_without_outside_no_rate_there():
    found = applicability._figures(np.zeros(20, bool), np.full(20, 0.5), np.zeros(20))
    assert found["confidence"] is None and found["wrong outside"] is None
    assert found["wrong inside"] == 0


def test_the_table_has_means_over_seeds():
    row = dict.fromkeys(
        ("wrong inside", "wrong outside", "dissimilarity", "confidence", "both"), 50.0
    ) | {"by tenths": [10.0] * 10}
    known = {"cnn; haze; 0": row | {"outside": 1.0}, "cnn; haze; 1": row | {"outside": 2.0}}
    assert "| cnn | haze | 1.5 | 50.0 |" in applicability.table(known)


def test_clouds_cover_the_share_asked_for_and_are_white(rng):
    image = rng.uniform(0, 0.2, (4, 300, 300)).astype(np.float32)
    clouded, opaque = applicability.clouded(image, seed=1)
    assert (opaque > 0).mean() == pytest.approx(0.3, abs=0.01)
    assert (clouded[:, opaque == 1] > 0.3).all()
    assert (clouded[:, opaque == 0] == image[:, opaque == 0]).all()
