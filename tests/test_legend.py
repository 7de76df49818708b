from __future__ import annotations

import csv

import numpy as np
import pytest

from landcover.errors import LandcoverError
from landcover.legend import Legend, corine_recoder, level_of, recode_corine, to_level


def test_the_three_levels_have_the_official_numbers_of_classes():
    assert [len(Legend.corine(level)) for level in (1, 2, 3)] == [5, 15, 44]
    assert Legend.corine(3)[312].name == "Coniferous forest"
    assert Legend.corine(3)[111].hex_colour == "#e6004d"
    assert Legend.corine(1)[5].name == "Water bodies"


def test_grid_codes_and_clc_codes_agree():
    clc = np.array(Legend.corine(3).codes)
    np.testing.assert_array_equal(recode_corine(np.arange(1, 45)), clc)
    np.testing.assert_array_equal(recode_corine(clc), clc)


@pytest.mark.parametrize(
    ("values", "nodata", "expected"),
    [
        ([1, 44, 48], None, [111, 523, 0]),
        ([12, 255, 0], 255, [211, 0, 0]),
        ([12, -128], -128, [211, 0]),
        ([211.0, np.nan, 999.0], None, [211, 0, 0]),
        ([311, 65535], 65535, [311, 0]),
        ([12, 49, 50], None, [211, 0, 0]),
        ([990, 995, 211], None, [0, 0, 211]),
    ],
)
def test_values_for_no_class_become_unlabelled(values, nodata, expected):
    recoded = recode_corine(np.array(values), nodata)
    assert recoded.dtype == np.uint16
    np.testing.assert_array_equal(recoded, expected)


def test_unknown_codes_are_named():
    with pytest.raises(LandcoverError, match=r"unknown class codes 57, 61 .* 1-44 or CLC codes"):
        recode_corine(np.array([12, 57, 61]))
    with pytest.raises(LandcoverError, match="unknown class codes"):
        recode_corine(np.array([12, 211]))
    with pytest.raises(LandcoverError, match=r"class codes 2.25, 7.5 .* it was interpolated"):
        recode_corine(np.array([2, 2.25, 7.5, 12]))


def test_a_window_is_recoded_as_the_whole_raster_was():
    recode = corine_recoder([0, 12, 41])
    np.testing.assert_array_equal(recode(np.array([[12]])), [[211]])


def test_coarser_levels():
    codes = np.array([[0, 112], [211, 523]])
    np.testing.assert_array_equal(to_level(codes, 2), [[0, 11], [21, 52]])
    np.testing.assert_array_equal(to_level(codes, 1), [[0, 1], [2, 5]])
    assert level_of([0, 21, 52]) == 2
    with pytest.raises(LandcoverError, match="mix levels"):
        level_of([2, 211])
    with pytest.raises(LandcoverError, match="level 4 does not exist"):
        Legend.corine(4)


def test_index_and_code_are_inverse():
    legend = Legend.corine().subset([512, 0, 211])
    codes = np.array([211, 512, 0, 311])
    np.testing.assert_array_equal(legend.index(codes), [0, 1, -1, -1])
    np.testing.assert_array_equal(legend.code(legend.index(codes)), [211, 512, 0, 0])
    assert Legend.from_dicts([c.as_dict() for c in legend.classes]) == legend


def test_the_legend_agrees_with_the_eea_raster_attribute_table(shared_data):
    with (shared_data / "clc-legend" / "CLC2018_CLC2012_V2018_20_QGIS.txt").open() as file:
        rows = [row for row in csv.reader(file) if len(row) == 6 and row[0].isdigit()]
    official = {int(row[0]): tuple(map(int, row[1:4])) for row in rows}
    ours = {c.code: c.colour for c in Legend.corine().classes}
    shared = set(official) & set(ours)
    assert len(shared) == 44
    assert [code for code in sorted(shared) if official[code] != ours[code]] == []
