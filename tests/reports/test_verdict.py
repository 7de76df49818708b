"""What is said of two maps: clearly only where interval and test by block agree."""

from __future__ import annotations

import pytest

from landcover.labels.origin import POLYGONS, RASTER_AND_POLYGONS
from landcover.legend import corine
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


@pytest.mark.parametrize(
    ("cell_m", "least_ha", "specified"),
    [(100, 27.4, True), (100, None, True), (10, 0.04, False), (100, 1.2, False)],
)
def test_what_corine_is_specified_to_be_is_said_of_labels_that_are_so(cell_m, least_ha, specified):
    said = verdict.detail(corine().in_cells_of(cell_m), least_ha)
    assert f"here in cells of {cell_m} m" in said
    assert ("25 hectares" in said and "85 %" in said) == specified
    assert least_ha is None or f"99 % lies in regions of {least_ha:g} hectares or more" in said


def test_where_polygons_lead_the_raster_is_spoken_of_between_them():
    said = verdict.detail(corine().in_cells_of(100), None, RASTER_AND_POLYGONS)
    assert "those of polygons where these lie; elsewhere they leave out what they cannot" in said


def test_of_polygons_alone_nothing_is_said_of_cells():
    said = verdict.detail(corine().in_cells_of(10), None, POLYGONS)
    assert said == "Labels are those of polygons, and there are none between them."
