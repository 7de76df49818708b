"""Crosswalks: the table itself, and what values become."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from landcover.errors import InputError
from landcover.labels.crosswalks import crosswalk, crosswalks
from landcover.labels.schemes import SCHEMES
from landcover.legend import facts

WORLDCOVER, CORINE, IO = (SCHEMES[name] for name in ("worldcover", "corine", "io-lulc-9"))


def test_every_class_of_a_scheme_has_one_row_and_targets_that_exist():
    for (own, target), rows in crosswalks().items():
        assert set(rows) == set(SCHEMES[own].legend.codes), (own, target)
        assert {c for codes, _ in rows.values() for c in codes} <= set(SCHEMES[target].legend.codes)
        # who is told nothing of a class is told why
        assert all(codes or remark for codes, remark in rows.values())


def test_names_in_the_table_are_those_of_the_scheme():
    for row in facts("crosswalks"):
        legend = SCHEMES[row["from_scheme"]].legend
        assert legend[int(row["from_code"])].name == row["from_name"]


@pytest.mark.parametrize(
    ("own", "target", "level", "values", "codes"),
    [
        # by hand from the definitions, not from the table
        ("worldcover", "corine", 1, [10, 40, 50, 80, 90], [3, 2, 1, 5, 4]),
        ("corine", "worldcover", None, [211, 311, 112, 512, 335], [40, 10, 50, 80, 70]),
        ("corine-grid", "worldcover", None, [12, 23, 2, 41], [40, 10, 50, 80]),
        ("dynamic-world", "worldcover", None, [0, 1, 4, 6], [80, 10, 40, 50]),
        ("dynamic-world", "io-lulc-9", None, [0, 2, 5, 8], [1, 11, 11, 9]),
        ("io-lulc-10", "io-lulc-9", None, [3, 6, 10], [11, 11, 10]),
        ("clc-plus", "worldcover", None, [2, 3, 4, 7], [10, 10, 10, 40]),
        ("corine", "corine", 1, [211, 523], [2, 5]),
    ],
)
def test_values_become_the_classes_that_they_mean(own, target, level, values, codes):
    found = crosswalk(SCHEMES[own].codings[0], SCHEMES[target], level)
    np.testing.assert_array_equal(found.coding.recode(np.array(values)), codes)


def test_coarse_classes_are_what_all_their_members_are():
    level_2 = CORINE.codings[2 if CORINE.codings[1].level == 1 else 1]
    assert level_2.level == 2
    found = crosswalk(level_2, WORLDCOVER)
    assert found.coding.table[21] == 40 and found.coding.table[31] == 10
    assert "10 or 20" in found.lost[32] or "30" in found.lost[32]  # grass, heath and young trees


def test_a_class_that_would_be_parted_or_is_missing_becomes_unlabelled_and_is_told():
    found = crosswalk(WORLDCOVER.codings[0], CORINE, 1)
    assert found.coding.recode(np.array([30, 95, 10, 0])).tolist() == [0, 0, 3, 0]
    (note,) = found.notes(Counter({10.0: 70, 30.0: 20, 95.0: 10, 0.0: 100, np.nan: 5}), "a.tif")
    assert note.startswith("30.0 % of the labels have no single class in CORINE, level 1")
    assert "30 Grassland (20.0 %): 2 or 3 (pastures are" in note
    assert "95 Mangroves (10.0 %): CORINE has no class" in note
    assert found.notes(Counter({10.0: 5}), "a.tif") == []


def test_one_to_many_is_refused_with_the_reason():
    found = crosswalk(WORLDCOVER.codings[0], CORINE)
    with pytest.raises(InputError) as caught:
        found.notes(Counter({10.0: 90, 70.0: 10}), "a.tif")
    text = str(caught.value)
    assert "a.tif: 90.0 % of its labelled pixels have no single class in CORINE, level 3" in text
    assert "10 Tree cover (90.0 %): 311 or 312 or 313" in text and "level=1" in text


def test_there_is_not_a_crosswalk_between_all_schemes():
    with pytest.raises(InputError, match=r"no crosswalk from eurosat to corine; .* none"):
        crosswalk(SCHEMES["eurosat"].codings[0], CORINE)
    with pytest.raises(InputError, match=r"from worldcover there are: corine, io-lulc-9"):
        crosswalk(WORLDCOVER.codings[0], SCHEMES["dynamic-world"])
    with pytest.raises(InputError, match="level 4 does not exist"):
        crosswalk(WORLDCOVER.codings[0], CORINE, 4)
    with pytest.raises(InputError, match="level 3 is finer than the values"):
        crosswalk(next(c for c in CORINE.codings if c.level == 1), CORINE, 3)
