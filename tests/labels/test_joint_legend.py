"""The classes of several runs together."""

from __future__ import annotations

import pytest

from landcover.errors import InputError
from landcover.labels.joint_legend import joint_nomenclature
from landcover.labels.schemes import find_scheme
from landcover.legend import LandClass, Nomenclature, corine


def of(name: str, *classes: str) -> Nomenclature:
    """One level of classes, each given as "parent code name"."""
    lineages = []
    for text in classes:
        parent, code, title = text.split(" ", 2)
        coarse = LandClass(int(parent), f"Group {parent}", (0, 0, 0))
        lineages.append([coarse, LandClass(int(code), title, (1, 2, 3))])
    return Nomenclature.of(name, name, lineages)


def test_every_class_that_any_run_has():
    first = of("mine", "1 11 Wood", "2 21 Lake")
    second = of("mine", "1 12 Scrub", "3 31 Rock", "1 11 wood")
    held = joint_nomenclature({"a": first, "b": second})
    assert held.legend.codes == (11, 12, 21, 31)
    assert held.levels[0].codes == (1, 2, 3)
    assert held.legend[11].name == "Wood"  # that of the first; spelling is no difference
    assert [held.ancestor(code, 1) for code in held.legend.codes] == [1, 1, 2, 3]
    # the order of the runs decides nothing but the spelling
    assert joint_nomenclature({"b": second, "a": first}).legend.codes == held.legend.codes


def test_a_scheme_with_itself_is_itself():
    assert joint_nomenclature({"a": corine(), "b": corine(), "c": corine()}) == corine()


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (corine(), corine().at(2), r"a has classes of level 3 of 3 .* and b of level 2 of 3"),
        (
            of("mine", "1 11 Wood", "2 21 Lake"),
            of("mine", "1 11 Scrub", "2 21 Lake"),
            r"a and b have other classes under one code: 11 is 'Wood' and 'Scrub'; prepare",
        ),
        (
            of("mine", *(f"1 {code} Wood {code}" for code in range(11, 16))),
            of("mine", *(f"1 {code} Scrub {code}" for code in range(11, 16))),
            r"13 is 'Wood 13' and 'Scrub 13' and 2 more; prepare both",
        ),
        (
            of("mine", "1 11 Wood"),
            of("yours", "1 12 Lake"),
            r"a has classes of mine and b of yours, which are other classes",
        ),
        (
            corine(),
            find_scheme("worldcover").nomenclature,
            r"a has classes of level 3 of 3 \(CORINE\) and b of level 1 of 1 \(ESA WorldCover\)",
        ),
    ],
)
def test_classes_of_other_schemes_are_refused(first, second, text):
    with pytest.raises(InputError, match=text) as error:
        joint_nomenclature({"a": first, "b": second})
    assert "\n" not in str(error.value)


def test_a_scheme_under_two_names_is_one_where_its_classes_are():
    """A table that was renamed between two runs."""
    first, second = of("mine", "1 11 Wood", "2 21 Lake"), of("renamed", "1 11 Wood")
    assert joint_nomenclature({"a": first, "b": second}).legend.codes == (11, 21)
