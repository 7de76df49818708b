from __future__ import annotations

import pytest

from landcover.errors import LandcoverError
from landcover.labels.bigearthnet import CLASSES, codes_of_corine, codes_of_labels, legend_of
from landcover.legend import Legend


def test_the_nomenclatures_have_their_published_sizes():
    assert [len(legend_of(classes)) for classes in CLASSES] == [19, 43, 43]
    codes = codes_of_corine("19")
    assert sum(code > 0 for code in codes.values()) == 32
    assert sum(code == 0 for code in codes.values()) == 11 + 1  # and 335, which nothing has


def test_43_classes_are_corines_but_one_under_their_own_names():
    corine = Legend.corine(3)
    for classes in ("43", "corine"):
        assert set(corine.codes) - set(legend_of(classes).codes) == {335}
        assert [c.colour for c in legend_of(classes).classes] == [
            corine[code].colour for code in legend_of(classes).codes
        ]
    assert legend_of("corine")[324].name == corine[324].name
    assert legend_of("43")[324].name == "Transitional woodland/shrub"


@pytest.mark.parametrize(
    ("label", "codes"),
    [
        ("Rice fields", {"19": 3, "43": 213, "corine": 213}),
        ("Airports", {"19": 0, "43": 124, "corine": 124}),
        ("Sea and ocean", {"19": 19, "43": 523, "corine": 523}),
        ("Pastures", {"19": 5, "43": 231, "corine": 231}),
    ],
)
def test_labels_of_the_43_have_a_code_in_each(label, codes):
    assert {classes: codes_of_labels(classes)[label] for classes in CLASSES} == codes


def test_labels_of_the_19_are_their_own_names():
    codes, legend = codes_of_labels("19"), legend_of("19")
    assert [codes[name] for name in legend.names] == list(legend.codes)
    assert "Arable land" not in codes_of_labels("43")


def test_labels_and_corine_codes_agree():
    corine = legend_of("43")
    for classes in CLASSES:
        for land_class in corine.classes:
            assert codes_of_labels(classes)[land_class.name] == codes_of_corine(classes)[land_class.code]  # fmt: skip # noqa: E501


def test_other_nomenclatures_are_refused():
    with pytest.raises(LandcoverError, match=r"classes '20' are unknown; choose 19, 43, corine"):
        legend_of("20")
