"""CORINE Land Cover classes: codes, names, colours, and the three levels.

The 44 classes come from the EEA's legend table (facts/corine_clc.csv; its source
is noted in docs/conventions.md). Inside landcover a class is always its code:
three digits at level 3 (211), two at level 2 (21), one at level 1 (2). Code 0
means unlabelled.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from landcover.errors import LandcoverError

UNLABELLED = 0

#: Values that CORINE products use for "no class here", beside a raster's own nodata value.
NO_CLASS_GRID_CODES = frozenset({0, 48, 49, 50, 255})
NO_CLASS_CLC_CODES = frozenset({0, 255, 990, 995, 999})


@dataclass(frozen=True)
class LandClass:
    """One land-cover class.

    Attributes
    ----------
    code : int
        CLC code of one, two or three digits.
    name : str
        Official English name.
    colour : tuple of int
        Red, green and blue, 0-255.
    """

    code: int
    name: str
    colour: tuple[int, int, int]

    @property
    def hex_colour(self) -> str:
        """The colour as ``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)

    def as_dict(self) -> dict[str, object]:
        """Code, name and colour as JSON takes them."""
        return {"code": self.code, "name": self.name, "colour": self.hex_colour}


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
        """The official legend at level 1 (5 classes), 2 (15) or 3 (44)."""
        return cls(_corine_classes(_checked_level(level)))

    @classmethod
    def eurosat(cls) -> Legend:
        """EuroSAT's ten classes, numbered 1-10 in alphabetical order (facts/eurosat_classes.csv).

        >>> Legend.eurosat().names[:3]
        ('AnnualCrop', 'Forest', 'HerbaceousVegetation')
        """
        return cls(
            tuple(
                LandClass(int(row["code"]), row["name"], _colour(row))
                for row in facts("eurosat_classes")
            )
        )

    @classmethod
    def from_dicts(cls, classes: Iterable[dict]) -> Legend:
        """The inverse of ``[c.as_dict() for c in legend.classes]``, as cards store it."""
        return cls(
            tuple(
                LandClass(int(c["code"]), str(c["name"]), _rgb(str(c["colour"]))) for c in classes
            )
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
        raise LandcoverError(f"class code {code} is not in the legend {list(self.codes)}")

    def subset(self, codes: Iterable[int]) -> Legend:
        """The legend of some codes, in ascending order; 0 is left out."""
        return Legend(tuple(self[code] for code in sorted({int(c) for c in codes} - {UNLABELLED})))

    def index(self, codes: np.ndarray) -> np.ndarray:
        """Position of each code in the legend, int16; -1 for unlabelled and unknown codes."""
        table = np.full(max(1000, max(self.codes, default=0) + 1), -1, np.int16)
        table[list(self.codes)] = np.arange(len(self))
        return table[np.asarray(codes)]

    def code(self, index: np.ndarray) -> np.ndarray:
        """The inverse of `index`, uint16; -1 becomes 0."""
        table = np.array([*self.codes, UNLABELLED], np.uint16)
        return table[np.asarray(index)]


def level_of(codes: Iterable[int]) -> int:
    """The level (1, 2 or 3) that codes belong to, by their number of digits.

    >>> level_of([211, 512])
    3
    """
    lengths = {len(str(int(code))) for code in codes if code != UNLABELLED}
    if len(lengths) != 1:
        raise LandcoverError(f"codes {sorted(codes)} mix levels; use codes of one level only")
    return _checked_level(lengths.pop())


def to_level(codes: np.ndarray, level: int) -> np.ndarray:
    """Level-3 codes at a coarser level.

    >>> to_level(np.array([0, 211, 512]), 1)
    array([0, 2, 5])
    """
    return np.asarray(codes) // 10 ** (3 - _checked_level(level))


def recode_corine(values: np.ndarray, nodata: float | None = None) -> np.ndarray:
    """CORINE raster values as three-digit CLC codes.

    Recognises grid codes 1-44 and CLC codes 111-523 by the values themselves.

    Parameters
    ----------
    values : array of int or float
        Raster values of either coding.
    nodata : float, optional
        The raster's own nodata value.

    Returns
    -------
    array of uint16
        CLC codes; 0 where unlabelled.

    Raises
    ------
    LandcoverError
        If values are of neither coding, or of both.

    Examples
    --------
    >>> recode_corine(np.array([12, 41, 48]))
    array([211, 512,   0], dtype=uint16)
    """
    return corine_recoder(np.unique(values), nodata)(values)


def corine_recoder(
    values: Iterable[float], nodata: float | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that recodes windows of a raster whose distinct values are `values`.

    The coding is decided once for the raster: a window that happens to hold
    only one value could not tell.
    """
    distinct = {v for v in (float(v) for v in values) if np.isfinite(v) and v != nodata}
    grid_to_clc = _grid_codes()
    clc = set(grid_to_clc.values())
    as_grid = distinct - NO_CLASS_GRID_CODES
    as_clc = distinct - NO_CLASS_CLC_CODES
    if as_grid <= set(grid_to_clc):
        table = grid_to_clc
    elif as_clc <= clc:
        table = {code: code for code in clc}
    else:
        neither = as_grid - set(grid_to_clc), as_clc - clc
        unknown = sorted(neither[0] if len(neither[0]) < len(neither[1]) else neither[1])
        shown = ", ".join(f"{v:g}" for v in unknown[:8])
        if all(v != int(v) for v in unknown):
            raise LandcoverError(
                f"class codes {shown} in the label raster are not whole: it was interpolated, "
                "which invents classes; take the original raster, or warp it with nearest"
            )
        raise LandcoverError(
            f"unknown class codes {shown} in the label raster; CORINE has grid codes 1-44 "
            "or CLC codes 111-523, one kind in one raster: recode or mask these values"
        )

    def recode(window: np.ndarray) -> np.ndarray:
        window = np.asarray(window)
        codes = np.zeros(window.shape, np.uint16)
        for value in distinct & set(table):
            codes[window == value] = table[int(value)]
        return codes

    return recode


def _checked_level(level: int) -> int:
    if level not in (1, 2, 3):
        raise LandcoverError(f"level {level} does not exist; CORINE has levels 1, 2 and 3")
    return level


def _rgb(hex_colour: str) -> tuple[int, int, int]:
    """'#e6004d' as (230, 0, 77)."""
    red, green, blue = bytes.fromhex(hex_colour.lstrip("#"))
    return red, green, blue


def _colour(row: dict[str, str]) -> tuple[int, int, int]:
    return int(row["r"]), int(row["g"]), int(row["b"])


@cache
def facts(name: str = "corine_clc") -> tuple[dict[str, str], ...]:
    """Rows of a table of the package, facts/NAME.csv; CORINE's official legend by default."""
    text = (resources.files("landcover") / "facts" / f"{name}.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def _grid_codes() -> dict[int, int]:
    """Grid code -> CLC code."""
    return {int(row["grid_code"]): int(row["code"]) for row in facts()}


@cache
def _corine_classes(level: int) -> tuple[LandClass, ...]:
    """Classes of a level; a coarse class wears the colour of its first member below."""
    classes: dict[int, LandClass] = {}
    for row in facts():
        code = int(row["code"]) // 10 ** (3 - level)
        classes.setdefault(code, LandClass(code, row[f"level{level}"], _colour(row)))
    return tuple(classes[code] for code in sorted(classes))


def legend_of(codes: np.ndarray) -> Legend:
    """The CORINE legend of the codes that occur."""
    held = {int(code) for code in codes} - {UNLABELLED}
    return Legend.corine(level_of(held)).subset(held) if held else Legend(())
