"""The classes of several runs together: one scheme, one level, and all that any of them has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from landcover.errors import InputError
from landcover.legend import LandClass, Legend, Nomenclature

#: Classes that a message names at most.
_NAMED = 3


def joint_nomenclature(held: Mapping[str, Nomenclature]) -> Nomenclature:
    """The classes that several runs hold between them.

    Parameters
    ----------
    held : mapping of str to Nomenclature
        Classes of each run, by what messages call it. A run may lack classes that others have.

    Returns
    -------
    Nomenclature
        At the level of all; scheme and sizes are those of the first.

    Raises
    ------
    InputError
        If levels or schemes differ, or one code is another class in two runs.

    Examples
    --------
    >>> from landcover.legend import corine
    >>> joint_nomenclature({"a": corine(), "b": corine()}).level
    3
    """
    names = list(held)
    first, *others = held.values()
    for name, other in zip(names[1:], others, strict=True):
        _require_like(names[0], first, name, other)
        first = _union(first, other)
    return first


def _require_like(first: str, ours: Nomenclature, second: str, theirs: Nomenclature) -> None:
    """Raise InputError unless two runs have classes of one scheme and level."""
    if (len(ours.levels), ours.level) != (len(theirs.levels), theirs.level):
        raise InputError(
            f"{first} has classes of level {ours.level} of {len(ours.levels)} ({ours.title}) and "
            f"{second} of level {theirs.level} of {len(theirs.levels)} ({theirs.title}); one model "
            "has classes of one level: prepare both with labels of the same scheme and level "
            "(landcover prep --level N)"
        )
    both = zip(ours.levels, theirs.levels, strict=True)
    other = [text for one, two in both for text in _other_classes(one, two)]
    if other:
        more = f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
        raise InputError(
            f"{first} and {second} have other classes under one code: "
            f"{', '.join(other[:_NAMED])}{more}; prepare both with labels of the same scheme "
            "(landcover prep --scheme NAME)"
        )
    codes, more_codes = set(ours.legend.codes), set(theirs.legend.codes)
    if ours.name != theirs.name and not (codes <= more_codes or more_codes <= codes):
        raise InputError(
            f"{first} has classes of {ours.title} and {second} of {theirs.title}, which are other "
            "classes; prepare both with labels of the same scheme (landcover prep --scheme NAME)"
        )


def _other_classes(ours: Legend, theirs: Legend) -> list[str]:
    """Codes that stand for other classes in two legends, in words."""
    known = {c.code: c for c in theirs.classes}
    return [
        f"{c.code} is {c.name!r} and {known[c.code].name!r}"
        for c in ours.classes
        if c.code in known and not c.is_like(known[c.code])
    ]


def _union(ours: Nomenclature, theirs: Nomenclature) -> Nomenclature:
    """The classes of either, level by level; those that both have are ours."""
    levels = []
    for one, two in zip(ours.levels, theirs.levels, strict=True):
        classes: dict[int, LandClass] = {c.code: c for c in (*two.classes, *one.classes)}
        levels.append(Legend(tuple(classes[code] for code in sorted(classes))))
    parents = tuple(two | one for one, two in zip(ours.parents, theirs.parents, strict=True))
    return replace(ours, levels=tuple(levels), parents=parents)
