"""The classes of BigEarthNet: its 43, its 19, and CORINE's own, and how labels name them.

BigEarthNet's first version labels patches with 43 of CORINE's 44 classes, under slightly other
names; the nomenclature of 19 merges 32 of them and drops 11 (Sumbul et al. 2021,
doi:10.1109/MGRS.2021.3089174). The table is facts/bigearthnet_19.csv, after the constants of
bigearthnet_common, which copy those of TU Berlin.
"""

from __future__ import annotations

from functools import cache

from landcover.errors import InputError
from landcover.legend import UNLABELLED, LandClass, Legend, corine, facts

#: What a patch's labels can be taken as.
CLASSES = ("19", "43", "corine")


def legend_of(classes: str) -> Legend:
    """The legend of a nomenclature.

    "43" and "corine" have CORINE's three-digit codes, under BigEarthNet's and under CORINE's names;
    "19" has codes 1-19, and a class has the colour of the first that it merges.

    >>> [len(legend_of(classes)) for classes in CLASSES]
    [19, 43, 43]
    """
    official = corine().legend
    found: dict[int, LandClass] = {}
    for row in facts("bigearthnet_19"):
        code = _code(row, classes)
        if code and code not in found:
            origin = official[int(row["clc_code"])]
            name = origin.name if classes == "corine" else row[f"ben{classes}_label"]
            found[code] = LandClass(code, name, origin.colour)
    return Legend(tuple(found[code] for code in sorted(found)))


@cache
def codes_of_labels(classes: str) -> dict[str, int]:
    """The code of each label as patches name it; 0 where the nomenclature drops the class.

    Labels of the 43 serve every nomenclature, labels of the 19 only their own.

    >>> codes_of_labels("19")["Rice fields"], codes_of_labels("19")["Arable land"]
    (3, 3)
    """
    codes = {row["ben43_label"]: _code(row, classes) for row in _kept()}
    if classes == "19":
        codes |= {row["ben19_label"]: _code(row, classes) for row in _kept() if row["ben19_label"]}
    return codes


@cache
def codes_of_corine(classes: str) -> dict[int, int]:
    """The same of three-digit CORINE codes, which the reference maps of version 2 hold."""
    return {int(row["clc_code"]): _code(row, classes) for row in facts("bigearthnet_19")}


def _code(row: dict[str, str], classes: str) -> int:
    if classes not in CLASSES:
        raise InputError(f"classes {classes!r} are unknown; choose {', '.join(CLASSES)}")
    if classes == "19":
        return int(row["ben19_index"]) + 1 if row["ben19_index"] else UNLABELLED
    return int(row["clc_code"]) if row["ben43_label"] else UNLABELLED


def _kept() -> list[dict[str, str]]:
    """Rows of classes that patches are labelled with."""
    return [row for row in facts("bigearthnet_19") if row["ben43_label"]]
