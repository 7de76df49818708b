"""Classes: a legend of one level, and a nomenclature of several levels.

Inside landcover a class is always its code, 1 to 65535; code 0 means unlabelled. The tables of
the schemes that landcover knows are in facts/ (sources in docs/conventions.md); what a raster's
values mean is `landcover.labels.schemes`' business.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from landcover.errors import InputError

UNLABELLED = 0
#: Class rasters are uint16.
HIGHEST_CODE = 65_535


@dataclass(frozen=True)
class LandClass:
    """One land-cover class.

    Attributes
    ----------
    code : int
        1 to 65535.
    name : str
        As the scheme's authors name it.
    colour : tuple of int
        Red, green and blue, 0-255.
    """

    code: int
    name: str
    colour: tuple[int, int, int]

    @property
    def hex_colour(self) -> str:
        """The colour as ``#rrggbb``."""
        return hex_of(self.colour)

    def as_dict(self) -> dict[str, str | int]:
        """Code, name and colour as JSON takes them.

        Returns
        -------
        dict
            ``code``, ``name``, and ``colour`` as ``#rrggbb``.
        """
        return {"code": self.code, "name": self.name, "colour": self.hex_colour}

    def is_like(self, other: LandClass) -> bool:
        """Whether code and name agree, apart from the spelling.

        Editions of one legend write "Peat bogs" and "Peatbogs", "Bare rock" and "Bare rocks".

        Parameters
        ----------
        other : LandClass
            The class to compare with.

        Returns
        -------
        bool
            True where both are the same class.
        """
        return self.code == other.code and _letters(self.name) == _letters(other.name)


@dataclass(frozen=True)
class Legend:
    """Classes in ascending order of code: the order of every model's outputs.

    Attributes
    ----------
    classes : tuple of LandClass
        Code, name and colour of each.

    Examples
    --------
    >>> legend = Legend.corine(level=3).subset([512, 211])
    >>> legend.codes
    (211, 512)
    >>> legend.index(np.array([[512, 0], [211, 211]])).tolist()
    [[1, -1], [0, 0]]
    """

    classes: tuple[LandClass, ...]

    @classmethod
    def corine(cls, level: int = 3) -> Legend:
        """CORINE's official legend at level 1 (5 classes), 2 (15) or 3 (44).

        Parameters
        ----------
        level : int
            1, 2 or 3.

        Returns
        -------
        Legend
            The classes of the level.
        """
        return corine().at(level).legend

    @classmethod
    def eurosat(cls) -> Legend:
        """EuroSAT's ten classes, numbered 1-10 in alphabetical order (facts/eurosat_classes.csv).

        Returns
        -------
        Legend
            The ten classes.

        Examples
        --------
        >>> Legend.eurosat().names[:3]
        ('AnnualCrop', 'Forest', 'HerbaceousVegetation')
        """
        return cls(tuple(classes[-1] for classes in lineages(facts("eurosat_classes"))))

    @classmethod
    def from_dicts(cls, classes: Iterable[Mapping[str, str | int]]) -> Legend:
        """The inverse of ``[c.as_dict() for c in legend.classes]``, as cards store it.

        Parameters
        ----------
        classes : iterable of mapping
            Each with ``code``, ``name`` and ``colour``.

        Returns
        -------
        Legend
            Classes in ascending order of code.
        """
        return cls(
            tuple(LandClass(int(c["code"]), str(c["name"]), rgb(str(c["colour"]))) for c in classes)
        )

    @property
    def codes(self) -> tuple[int, ...]:
        """Class codes, ascending."""
        return tuple(c.code for c in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of the codes."""
        return tuple(c.name for c in self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, code: int) -> LandClass:
        for land_class in self.classes:
            if land_class.code == code:
                return land_class
        raise InputError(f"class code {code} is not in the legend {list(self.codes)}")

    def subset(self, codes: Iterable[int]) -> Legend:
        """The legend of some codes, in ascending order; 0 is left out.

        Parameters
        ----------
        codes : iterable of int
            Class codes.

        Returns
        -------
        Legend
            The classes of these codes.
        """
        return Legend(tuple(self[code] for code in sorted({int(c) for c in codes} - {UNLABELLED})))

    def index(self, codes: np.ndarray) -> np.ndarray:
        """Position of each code in the legend, int16; -1 for unlabelled and unknown codes.

        Parameters
        ----------
        codes : array of int
            Class codes, of any shape.

        Returns
        -------
        array of int16
            Positions, in the shape of `codes`.
        """
        highest = int(np.max(codes, initial=0))
        table = np.full(max(highest, max(self.codes, default=0)) + 1, -1, np.int16)
        table[list(self.codes)] = np.arange(len(self))
        return table[np.asarray(codes)]

    def code(self, index: np.ndarray) -> np.ndarray:
        """The inverse of `index`, uint16; -1 becomes 0.

        Parameters
        ----------
        index : array of int
            Positions, of any shape.

        Returns
        -------
        array of uint16
            Class codes, in the shape of `index`.
        """
        table = np.array([*self.codes, UNLABELLED], np.uint16)
        return table[np.asarray(index)]


@dataclass(frozen=True)
class Nomenclature:
    """The classes of a label scheme in their levels, and the level that is worked at.

    Attributes
    ----------
    name, title : str
        In commands and files, and in texts.
    levels : tuple of Legend
        From the coarsest, which is level 1, to the finest.
    parents : tuple of dict of int to int
        Of every level but the first, the coarser class of each class.
    level : int
        Which level the codes in use have, such as those of a run's labels.
    cell_m, border_m : float
        Side of the labels' cells on the ground, and how far their borders may lie off.

    Examples
    --------
    >>> corine().level_of([21, 51]), corine().coarser(np.array([0, 211, 512]), 1).tolist()
    (2, [0, 2, 5])
    """

    name: str
    title: str
    levels: tuple[Legend, ...]
    parents: tuple[dict[int, int], ...]
    level: int
    cell_m: float = 100.0
    border_m: float = 100.0

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        classes: Iterable[Sequence[LandClass]],
        cell_m: float = 100.0,
        border_m: float = 100.0,
    ) -> Nomenclature:
        """Put classes, each given after its coarser ones, in their levels; at the finest level.

        A class of a coarser level is the same for all that are given with it: the first counts.

        Parameters
        ----------
        name, title : str
            Name of the scheme, and what pages call it.
        classes : iterable of sequence of LandClass
            A class of the finest level after its coarser ones, the coarsest first.
        cell_m : float
            Side of the labels' cells, metres.
        border_m : float
            How far borders of the labels may lie off, metres.

        Returns
        -------
        Nomenclature
            At the finest level.
        """
        held = list(classes)
        depth = len(held[0])
        found: list[dict[int, LandClass]] = [{} for _ in range(depth)]
        parents: list[dict[int, int]] = [{} for _ in range(depth - 1)]
        for lineage in held:
            for level, land_class in enumerate(lineage):
                found[level].setdefault(land_class.code, land_class)
                if level:
                    parents[level - 1].setdefault(land_class.code, lineage[level - 1].code)
        levels = tuple(Legend(tuple(one[code] for code in sorted(one))) for one in found)
        return cls(name, title, levels, tuple(parents), depth, cell_m, border_m)

    @property
    def legend(self) -> Legend:
        """The classes of the level that is worked at."""
        return self.levels[self.level - 1]

    def at(self, level: int) -> Nomenclature:
        """The same worked at another level.

        Parameters
        ----------
        level : int
            From 1, the coarsest.

        Returns
        -------
        Nomenclature
            The same classes, at that level.

        Raises
        ------
        InputError
            If there is no such level.
        """
        if not 1 <= level <= len(self.levels):
            has = "level 1 only" if len(self.levels) == 1 else f"levels 1 to {len(self.levels)}"
            raise InputError(f"level {level} does not exist; {self.title} has {has}")
        return replace(self, level=level)

    def in_cells_of(self, side_m: float) -> Nomenclature:
        """The same with labels in cells of another size, whose borders may lie off by a cell.

        Parameters
        ----------
        side_m : float
            Side of a cell on the ground, metres; rounded to centimetres.

        Returns
        -------
        Nomenclature
            The same classes at the same level.
        """
        side_m = max(round(side_m, 2), 0.01)
        return replace(self, cell_m=side_m, border_m=side_m)

    def levels_of(self, codes: Iterable[int]) -> list[int]:
        """The levels that have all of some codes, each time as other classes.

        Parameters
        ----------
        codes : iterable of int
            Class codes; 0 is left out.

        Returns
        -------
        list of int
            From 1, the coarsest: the level worked at first, then the finest first.

        Examples
        --------
        >>> corine().levels_of([21, 51]), corine().levels_of([21, 211])
        ([2], [])
        """
        wanted = {int(code) for code in codes} - {UNLABELLED}
        found = list[int]()
        for level in sorted(range(len(self.levels), 0, -1), key=lambda level: level != self.level):
            legend = self.levels[level - 1]
            if wanted <= set(legend.codes):
                before = (self.levels[other - 1] for other in found)
                if not any(all(one[c].is_like(legend[c]) for c in wanted) for one in before):
                    found.append(level)
        return found

    def level_of(self, codes: Iterable[int]) -> int:
        """The level that has all of some codes; the one worked at, if it is among several.

        Parameters
        ----------
        codes : iterable of int
            Class codes; 0 is left out.

        Returns
        -------
        int
            The level, from 1, the coarsest.

        Raises
        ------
        InputError
            If no level has them all, or several levels beside the one worked at have, as other
            classes.
        """
        wanted = {int(code) for code in codes} - {UNLABELLED}
        found = self.levels_of(wanted)
        if len(found) > 1 and found[0] != self.level:
            raise InputError(
                f"class codes {_listed(wanted)} are other classes at each of the levels "
                f"{', '.join(map(str, sorted(found)))} of {self.title}; give codes of level "
                f"{self.level}"
            )
        if found:
            return found[0]
        unknown = wanted - {code for legend in self.levels for code in legend.codes}
        if unknown:
            raise InputError(
                f"class codes {_listed(unknown)} are not in the legend of {self.title}"
            )
        raise InputError(f"codes {_listed(wanted)} mix levels; use codes of one level only")

    def holding(self, codes: Iterable[int]) -> Nomenclature:
        """The same at the level of some codes.

        Parameters
        ----------
        codes : iterable of int
            Class codes; 0 is left out.

        Returns
        -------
        Nomenclature
            The same classes, at the level that has all of the codes.

        Raises
        ------
        InputError
            If no level has all of them.
        """
        return self.at(self.level_of(codes))

    def coarser(self, codes: np.ndarray, level: int) -> np.ndarray:
        """Codes of the level worked at as those of the same or a coarser level; 0 stays 0.

        Parameters
        ----------
        codes : array of int
            Class codes of the level worked at, of any shape.
        level : int
            The same or a coarser level.

        Returns
        -------
        array of int
            Codes of `level`, in the shape and type of `codes`.

        Raises
        ------
        InputError
            If `level` is finer than the level worked at.
        """
        codes = np.asarray(codes)
        if level > self.level:
            raise InputError(
                f"level {level} is finer than level {self.level} of these classes; "
                f"choose level {self.level} or less"
            )
        if level == self.level:
            return codes
        highest = max(*self.legend.codes, int(np.max(codes, initial=0)))
        table = np.zeros(highest + 1, codes.dtype)
        for code in self.legend.codes:
            table[code] = self.ancestor(code, level)
        return table[codes]

    def ancestor(self, code: int, level: int) -> int:
        """The class of the same or a coarser level that holds a class of the level worked at.

        Parameters
        ----------
        code : int
            A class of the level worked at.
        level : int
            The same or a coarser level.

        Returns
        -------
        int
            Code of the class at `level`.
        """
        for parents in reversed(self.parents[level - 1 : self.level - 1]):
            code = parents[code]
        return code

    def require_like(self, legend: Legend, source: str, against: str) -> None:
        """Refuse classes that the level worked at lacks, or has under other names.

        Parameters
        ----------
        legend : Legend
            Of a model or a map.
        source, against : str
            What has these classes, and what has this nomenclature, for the message.

        Raises
        ------
        InputError
            Naming the first class that does not fit.
        """
        own = {c.code: c for c in self.legend.classes}
        for found in legend.classes:
            there = own.get(found.code)
            if there is None or not there.is_like(found):
                theirs = f"is {there.name!r}" if there else "does not exist"
                raise InputError(
                    f"{source} has a class {found.code} {found.name!r}, which {theirs} in "
                    f"{against} ({self.title}, level {self.level}); take a model of the same "
                    "label scheme and level"
                )

    def as_dict(self) -> dict[str, object]:
        """What legend.json holds.

        Returns
        -------
        dict
            Of what JSON takes.
        """
        levels = []
        for number, legend in enumerate(self.levels, 1):
            classes = [c.as_dict() for c in legend.classes]
            if number > 1:
                parents = self.parents[number - 2]
                classes = [c | {"parent": parents[int(str(c["code"]))]} for c in classes]
            levels.append({"level": number, "classes": classes})
        return {
            "scheme": self.name,
            "title": self.title,
            "level": self.level,
            "cell_m": self.cell_m,
            "border_m": self.border_m,
            "classes": [c.as_dict() for c in self.legend.classes],
            "levels": levels,
        }

    @classmethod
    def from_dict(cls, held: Mapping[str, Any]) -> Nomenclature:
        """The inverse of `as_dict`; KeyError, TypeError or ValueError where something is amiss.

        Parameters
        ----------
        held : mapping
            What `as_dict` gave.

        Returns
        -------
        Nomenclature
            At the level that it was written at.
        """
        levels = tuple(Legend.from_dicts(level["classes"]) for level in held["levels"])
        parents = tuple(
            {int(c["code"]): int(c["parent"]) for c in level["classes"]}
            for level in held["levels"][1:]
        )
        found = cls(
            str(held["scheme"]),
            str(held["title"]),
            levels,
            parents,
            int(held["level"]),
            float(held["cell_m"]),
            float(held["border_m"]),
        )
        found._require_whole()
        return found.at(found.level)

    def _require_whole(self) -> None:
        """Raise ValueError unless codes ascend, every class lies in one, and sizes are sizes."""
        if not self.levels:
            raise ValueError("it has no level")
        for legend in self.levels:
            codes = (UNLABELLED, *legend.codes, HIGHEST_CODE + 1)
            if len(codes) < 3 or any(a >= b for a, b in pairwise(codes)):
                raise ValueError(f"codes {list(legend.codes)} are not ascending, 1 to 65535")
        for legend, parents in zip(self.levels, self.parents, strict=False):
            lost = sorted(set(parents.values()) - set(legend.codes))
            if lost:
                raise ValueError(f"no class {lost[0]} is there, which others lie in")
        if not all(0 < size < np.inf for size in (self.cell_m, self.border_m)):
            raise ValueError(f"cell_m {self.cell_m:g} or border_m {self.border_m:g} is no length")


@cache
def corine() -> Nomenclature:
    """CORINE Land Cover in its three levels; a coarse class has the colour of its first member.

    The classes are those of the EEA's legend table, facts/corine_clc.csv.
    """
    return Nomenclature.of("corine", "CORINE", lineages(facts("corine_clc"), name="level3"))


def lineages(
    rows: Iterable[Mapping[str, str]], code: str = "code", name: str = "name"
) -> list[tuple[LandClass, ...]]:
    """The class of every row of a table after its coarser ones, the coarsest first.

    A row has a code, a name and a colour (``colour`` or ``hex`` as #rrggbb, or ``r``, ``g`` and
    ``b``), and for coarser levels ``level1_code`` and ``level1``, ``level2_code`` and ``level2``,
    ..., and perhaps ``level1_colour``. Without one a coarser class has the colour of its first.
    """
    found = []
    for row in rows:
        own = LandClass(int(row[code]), row[name], _colour(row))
        lineage: list[LandClass] = []
        while f"level{len(lineage) + 1}_code" in row:
            level = f"level{len(lineage) + 1}"
            shown = row.get(f"{level}_colour") or own.hex_colour
            lineage.append(LandClass(int(row[f"{level}_code"]), row[level], rgb(shown)))
        found.append((*lineage, own))
    return found


@cache
def facts(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a table of the package, facts/NAME.csv."""
    text = (resources.files("landcover") / "facts" / f"{name}.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def class_codes(values: npt.ArrayLike, what: str) -> np.ndarray:
    """An array of class codes as integers.

    Parameters
    ----------
    values : array_like
        Whole numbers from 0 to 65535 of any type.
    what : str
        Name of the argument, for the message.

    Raises
    ------
    InputError
        If something else is among them, such as NaN or a raster's nodata value.

    Examples
    --------
    >>> class_codes([[211.0, 0.0]], "labels")
    array([[211,   0]])
    """
    given = np.asarray(values)
    if given.dtype.kind not in "iufb":
        raise InputError(f"{what} of type {given.dtype} are no class codes; give whole numbers")
    with np.errstate(invalid="ignore"):  # NaN is compared below
        found = given.astype(np.int64) if given.dtype.kind in "fb" else given
    wrong = given[(found != given) | (found < UNLABELLED) | (found > HIGHEST_CODE)]
    if wrong.size:
        raise InputError(
            f"{what} hold {wrong[0]:g}, which is no class code; give whole numbers from 1 to "
            f"{HIGHEST_CODE}, and {UNLABELLED} for unlabelled"
        )
    return found


def _listed(codes: Iterable[int]) -> str:
    """Codes in few words."""
    held = sorted(codes)
    return ", ".join(map(str, held[:8])) + (", ..." if held[8:] else "")


def hex_of(colour: tuple[int, int, int]) -> str:
    """(230, 0, 77) as '#e6004d'."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def rgb(hex_colour: str) -> tuple[int, int, int]:
    """'#e6004d' as (230, 0, 77); ValueError where it is no such colour."""
    red, green, blue = bytes.fromhex(hex_colour.removeprefix("#"))
    return red, green, blue


def _colour(row: Mapping[str, str]) -> tuple[int, int, int]:
    given = row.get("colour") or row.get("hex")
    return rgb(given) if given else (int(row["r"]), int(row["g"]), int(row["b"]))


def _letters(name: str) -> str:
    """A name without the spelling that editions of a legend differ in."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.casefold()).split()
    return "".join(word.removesuffix("s") for word in words)
