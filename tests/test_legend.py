from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.errors import LandcoverError
from landcover.legend import LandClass, Legend, Nomenclature, corine
from tests.fixtures.nomenclatures import nomenclatures


def test_the_three_levels_have_the_official_numbers_of_classes():
    assert [len(Legend.corine(level)) for level in (1, 2, 3)] == [5, 15, 44]
    assert Legend.corine(3)[312].name == "Coniferous forest"
    assert Legend.corine(3)[111].hex_colour == "#e6004d"
    assert Legend.corine(1)[5].name == "Water bodies"
    with pytest.raises(LandcoverError, match="level 4 does not exist; CORINE has levels 1 to 3"):
        Legend.corine(4)


def test_coarser_levels():
    codes = np.array([[0, 112], [211, 523]])
    np.testing.assert_array_equal(corine().coarser(codes, 2), [[0, 11], [21, 52]])
    np.testing.assert_array_equal(corine().coarser(codes, 1), [[0, 1], [2, 5]])
    np.testing.assert_array_equal(corine().at(2).coarser(np.array([21, 0]), 1), [2, 0])
    assert [corine().ancestor(511, level) for level in (1, 2, 3)] == [5, 51, 511]
    with pytest.raises(LandcoverError, match="level 3 is finer than level 2"):
        corine().at(2).coarser(np.array([21]), 3)


def test_the_level_of_codes():
    assert corine().level_of([0, 21, 52]) == 2
    assert corine().holding([1, 5]).legend == Legend.corine(1)
    assert corine().level_of([0]) == 3
    with pytest.raises(LandcoverError, match="mix levels"):
        corine().level_of([2, 211])
    with pytest.raises(LandcoverError, match="codes 7, 99 are not in the legend of CORINE"):
        corine().level_of([7, 99, 211])


def test_codes_of_several_levels_are_of_the_one_worked_at():
    groups = [LandClass(1, "green", (0, 9, 0)), LandClass(2, "grey", (9, 9, 9))]
    fine = [LandClass(code, f"class {code}", (code, 0, 0)) for code in (1, 2, 3)]
    above = [groups[0], groups[1], groups[1]]
    mine = Nomenclature.of("mine", "Mine", zip(above, fine, strict=True))
    assert mine.level_of([1, 2]) == 2 and mine.at(1).level_of([1, 2]) == 1
    assert mine.at(1).level_of([1, 3]) == 2
    assert mine.levels_of([1, 2]) == [2, 1] and mine.at(1).levels_of([1, 2]) == [1, 2]
    assert mine.levels_of([1, 3]) == [2] and mine.levels_of([1, 4]) == []
    np.testing.assert_array_equal(mine.coarser(np.array([0, 1, 2, 3]), 1), [0, 1, 2, 2])


def test_codes_of_several_other_levels_are_refused_by_name():
    groups = [LandClass(1, "green", (0, 9, 0)), LandClass(1, "green", (0, 9, 0))]
    middle = [LandClass(1, "wood", (0, 9, 0)), LandClass(2, "field", (9, 9, 0))]
    fine = [LandClass(11, "oak", (0, 9, 0)), LandClass(22, "rye", (9, 9, 0))]
    mine = Nomenclature.of("mine", "Mine", zip(groups, middle, fine, strict=True))
    with pytest.raises(LandcoverError, match=r"codes 1 are other classes at .* 1, 2 of Mine"):
        mine.level_of([1])
    assert mine.at(2).level_of([1]) == 2 and mine.level_of([1, 2]) == 2
    alike = [LandClass(1, "green", (0, 9, 0)), LandClass(2, "field", (9, 9, 0))]
    same = Nomenclature.of("same", "Same", zip(groups, alike, fine, strict=True))
    assert same.level_of([1]) == 2  # the same class at both


@given(nomenclatures())
def test_what_json_holds_is_the_nomenclature(mine):
    held = json.loads(json.dumps(mine.as_dict()))
    assert Nomenclature.from_dict(held) == mine
    assert [c["code"] for c in held["classes"]] == list(mine.legend.codes)


@given(nomenclatures(), st.data())
def test_a_level_by_way_of_another_is_the_level(mine, data):
    codes = np.array(data.draw(st.lists(st.sampled_from((0, *mine.legend.codes)))), np.uint16)
    for through in range(1, mine.level + 1):
        for to in range(1, through + 1):
            direct = mine.coarser(codes, to)
            step = mine.at(through).coarser(mine.coarser(codes, through), to)
            np.testing.assert_array_equal(direct, step)
            assert direct.dtype == np.uint16 and ((direct == 0) == (codes == 0)).all()
            assert set(direct.tolist()) <= {0, *mine.at(to).legend.codes}


def test_classes_of_another_scheme_are_refused():
    own = Legend.corine().subset([211, 412])
    corine().require_like(own, "model m", "runs/x")
    spelt = Legend((LandClass(412, "Peatbogs", (1, 2, 3)),))
    corine().require_like(spelt, "model m", "runs/x")
    other = Legend((LandClass(211, "Water", (0, 0, 255)),))
    with pytest.raises(
        LandcoverError,
        match="model m has a class 211 'Water', which is 'Non-irrigated arable land' in runs/x",
    ):
        corine().require_like(other, "model m", "runs/x")
    with pytest.raises(LandcoverError, match=r"211 .* does not exist in runs/x .*level 2"):
        corine().at(2).require_like(own, "model m", "runs/x")


def test_index_and_code_are_inverse():
    legend = Legend.corine().subset([512, 0, 211])
    codes = np.array([211, 512, 0, 311])
    np.testing.assert_array_equal(legend.index(codes), [0, 1, -1, -1])
    np.testing.assert_array_equal(legend.code(legend.index(codes)), [211, 512, 0, 0])
    assert Legend.from_dicts([c.as_dict() for c in legend.classes]) == legend
    assert legend.index(np.array([65535, 211])).tolist() == [-1, 0]


def test_the_legend_agrees_with_the_eea_raster_attribute_table(shared_data):
    with (shared_data / "clc-legend" / "CLC2018_CLC2012_V2018_20_QGIS.txt").open() as file:
        rows = [row for row in csv.reader(file) if len(row) == 6 and row[0].isdigit()]
    official = {int(row[0]): tuple(map(int, row[1:4])) for row in rows}
    ours = {c.code: c.colour for c in Legend.corine().classes}
    shared = set(official) & set(ours)
    assert len(shared) == 44
    assert [code for code in sorted(shared) if official[code] != ours[code]] == []
