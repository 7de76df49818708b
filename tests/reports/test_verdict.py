"""What is said of two maps: clearly only where interval and test by block agree."""

from __future__ import annotations

import pytest

from landcover.reports import verdict
from landcover.reports.records import PairedTests


def paired(p_value: float | None) -> PairedTests:
    test = None if p_value is None else {"statistic": 1.0, "p_value": p_value, "n_blocks": 9}
    pixels = {"statistic": 99.0, "p_value": 0.0, "exact": False}
    return {"first_only": 90, "second_only": 9, "pixels": pixels, "blocks": test}


@pytest.mark.parametrize(
    ("difference", "bounds", "p_value", "said"),
    [
        (0.1, [0.02, 0.2], 0.01, "clearly better"),
        (0.1, [0.02, 0.2], 0.059, "probably better"),
        (0.1, [-0.01, 0.2], 0.04, "probably better"),
        (0.1, [-0.01, 0.2], 0.2, "not told apart"),
        (0.1, None, None, "not told apart"),
        (-0.1, [-0.2, -0.02], 0.01, "clearly worse"),
        (-0.1, [-0.2, -0.02], 0.3, "probably worse"),
    ],
)
def test_clearly_takes_interval_and_test(difference, bounds, p_value, said):
    overall = {"difference": difference, "ci95": bounds, "share_a_better": 0.9}
    assert verdict.of_pair(overall, paired(p_value)) == said
