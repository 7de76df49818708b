"""Crosswalks: the classes of one scheme as those of another, from facts/crosswalks.csv.

A row of the table says which classes of the other scheme share the meaning of a class. They count
at the level that is wanted: WorldCover's tree cover is three classes of CORINE's level 3, and one
of its level 1. A class that stays one is brought over, and several may become one. A class that
would have to be parted, or that the other scheme does not have, becomes unlabelled, and its reason
is told; nothing is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from landcover.errors import InputError
from landcover.labels.schemes import Coding, LabelScheme
from landcover.legend import UNLABELLED, Nomenclature, facts

#: Labels of which a crosswalk loses more than this share are refused.
MOST_LOST = 0.5


@dataclass(frozen=True)
class Crosswalk:
    """What the values of a raster become under another scheme.

    Attributes
    ----------
    coding : Coding
        The raster's values as codes of the other scheme, at the level that is wanted.
    lost : dict of int to str
        Values that become unlabelled, and why.
    names : dict of int to str
        What the raster's own scheme calls all of its values.
    """

    coding: Coding
    lost: dict[int, str]
    names: dict[int, str]

    def require_classes(self, values: Iterable[float], source: str) -> None:
        """Raise InputError, with the reasons, if fewer than two classes are left of some values.

        Parameters
        ----------
        values : iterable of float
            Those of the raster.
        source : str
            The raster, for messages.
        """
        held = sorted({int(value) for value in values})
        lost = [f"{v} {self.names[v]}: {self.lost[v]}" for v in held if v in self.lost]
        if lost and len({self.coding.table[v] for v in held if v in self.coding.table}) < 2:
            raise InputError(
                f"{source}: fewer than two of its classes have a single class in {self._where} "
                f"({'; '.join(lost)}); {self._remedy}"
            )

    @property
    def _where(self) -> str:
        own = self.coding.nomenclature
        return f"{own.title}, level {own.level}" if len(own.levels) > 1 else own.title

    @property
    def _remedy(self) -> str:
        coarser = ", or a coarser level, such as level=1" * (self.coding.level > 1)
        return (
            f"choose another scheme{coarser}, or say what its values are with a table of your "
            "own: scheme=table.csv"
        )

    def notes(self, pixels: Counter[float], source: str) -> list[str]:
        """Sentences on what became unlabelled, with its share of the labelled pixels.

        Parameters
        ----------
        pixels : Counter
            Pixels of each value of the raster.
        source : str
            The raster, for messages.

        Raises
        ------
        InputError
            If over half of the labelled pixels would become so.
        """
        labelled = sum(pixels[value] for value in self.names)
        held = {value: pixels[value] / labelled for value in self.lost if pixels[value]}
        reasons = [
            f"{value} {self.names[value]} ({100 * share:.1f} %): {self.lost[value]}"
            for value, share in sorted(held.items(), key=lambda pair: -pair[1])
        ]
        if not reasons:
            return []
        share = sum(held.values())
        if share > MOST_LOST:
            raise InputError(
                f"{source}: {100 * share:.1f} % of its labelled pixels have no single class in "
                f"{self._where} ({'; '.join(reasons)}); {self._remedy}"
            )
        return [
            f"{100 * share:.1f} % of the labels have no single class in {self._where}, and are "
            f"unlabelled: {'; '.join(reasons)}"
        ]


def crosswalk(coding: Coding, target: LabelScheme, level: int | None = None) -> Crosswalk:
    """What values become under another scheme.

    Parameters
    ----------
    coding : Coding
        What the values mean.
    target : LabelScheme
        The scheme to bring them to.
    level : int, optional
        Of its classes, from 1, the coarsest; by default the finest.

    Raises
    ------
    InputError
        If there is no such level, no crosswalk between the two schemes, or no class that stays one.

    Examples
    --------
    >>> from landcover.labels.schemes import SCHEMES
    >>> worldcover = SCHEMES["worldcover"].codings[0]
    >>> found = crosswalk(worldcover, SCHEMES["corine"], 1)
    >>> found.coding.table[10], found.lost[30]
    (3, '2 or 3 (pastures are class 231 of CORINE and natural grasslands class 321)')
    """
    own = coding.nomenclature
    nomenclature = target.nomenclature.at(level or len(target.levels))
    nomenclature = replace(nomenclature, cell_m=own.cell_m, border_m=own.border_m)
    names = {value: own.legend[code].name for value, code in coding.table.items()}
    if own.levels == nomenclature.levels:
        kept, lost = _coarser(coding, nomenclature), dict[int, str]()
    else:
        rows = _rows(coding.scheme, target)
        found = {v: _among(code, own, rows, nomenclature) for v, code in coding.table.items()}
        kept = {value: codes[0] for value, (codes, _) in found.items() if len(codes) == 1}
        lost = {
            value: _reason(codes, remark)
            for value, (codes, remark) in found.items()
            if value not in kept
        }
    scheme = replace(
        coding.scheme,
        nomenclature=nomenclature,
        values=kept,
        no_class=coding.scheme.no_class | lost.keys(),
    )
    return Crosswalk(Coding(scheme, nomenclature.level, kept), lost, names)


def _coarser(coding: Coding, nomenclature: Nomenclature) -> dict[int, int]:
    """Values of the scheme itself at the level that is wanted."""
    if nomenclature.level > coding.level:
        raise InputError(
            f"level {nomenclature.level} is finer than the values, which are of {coding}; choose "
            f"level={coding.level}"
        )
    own = coding.nomenclature
    return {value: own.ancestor(code, nomenclature.level) for value, code in coding.table.items()}


def _rows(own: LabelScheme, target: LabelScheme) -> dict[int, tuple[tuple[int, ...], str]]:
    """Codes of the target and a remark for each class of a scheme at its finest level."""
    pair = own.nomenclature.name, target.nomenclature.name
    if pair not in crosswalks():
        there = sorted(to for start, to in crosswalks() if start == pair[0])
        known = ", ".join(there) if there else "none"
        raise InputError(
            f"there is no crosswalk from {own.name} to {target.name}; from {own.name} there are: "
            f"{known}. Say what each value becomes with a table of your own: scheme=table.csv"
        )
    return crosswalks()[pair]


def _among(
    code: int,
    own: Nomenclature,
    rows: dict[int, tuple[tuple[int, ...], str]],
    target: Nomenclature,
) -> tuple[list[int], str]:
    """Classes of the target that a class has, at the level of the target, and remarks."""
    finest = own.at(len(own.levels))
    members = [c for c in finest.legend.codes if finest.ancestor(c, own.level) == code]
    there = target.at(len(target.levels))
    codes = {there.ancestor(to, target.level) for c in members for to in rows[c][0]}
    remarks = dict.fromkeys(rows[c][1] for c in members if rows[c][1])
    return sorted(codes), "; ".join(remarks)


def _reason(codes: list[int], remark: str) -> str:
    """Why a value becomes unlabelled."""
    if not codes:
        return remark or "it has no such class"
    several = " or ".join(map(str, codes))
    return f"{several} ({remark})" if remark else several


@cache
def crosswalks() -> dict[tuple[str, str], dict[int, tuple[tuple[int, ...], str]]]:
    """Every crosswalk of the package by its two schemes: the codes and the remark of each class.

    Raises
    ------
    InputError
        If the table names a class twice.
    """
    found: dict[tuple[str, str], dict[int, tuple[tuple[int, ...], str]]] = {}
    for row in facts("crosswalks"):
        rows = found.setdefault((row["from_scheme"], row["to_scheme"]), {})
        code = int(row["from_code"])
        if code in rows or code == UNLABELLED:
            raise InputError(
                f"crosswalks.csv has class {code} of {row['from_scheme']} twice, or as 0; give it "
                "one row"
            )
        rows[code] = tuple(map(int, row["to_codes"].split())), row["remark"]
    return found
