"""Label schemes: what the values of a label raster mean.

A scheme is a row of `SCHEMES` and a table in facts/, or a table of the user's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files.atomic import read_json
from landcover.labels.tables import read_classes
from landcover.legend import UNLABELLED, Legend, Nomenclature, facts, lineages

#: Files that hold a legend of the user's own.
TABLES = (".csv", ".qml", ".json")


@dataclass(frozen=True)
class LabelScheme:
    """Classes, and the values that stand for them in label rasters.

    Attributes
    ----------
    name, title : str
        As ``--scheme`` takes it, and in words.
    nomenclature : Nomenclature
        The classes in their levels, with the size of the labels' cells and borders.
    values : dict of int to int
        Raster value to class code, at the finest level.
    no_class : frozenset of int
        Values that stand for no class, beside a raster's own nodata value.

    Examples
    --------
    >>> SCHEMES["corine-grid"].recode(np.array([12, 41, 48]))
    array([211, 512,   0], dtype=uint16)
    >>> len(SCHEMES["worldcover"].legend), len(SCHEMES["corine"].levels)
    (11, 3)
    """

    name: str
    title: str
    nomenclature: Nomenclature
    values: dict[int, int]
    no_class: frozenset[int] = frozenset({UNLABELLED})

    @classmethod
    def from_facts(
        cls,
        name: str,
        title: str,
        table: str,
        *,
        part_of: str | None = None,
        columns: tuple[str, str, str] = ("code", "code", "name"),
        no_class: Iterable[int] = (),
        cell_m: float = 100.0,
        border_m: float = 100.0,
    ) -> LabelScheme:
        """A scheme from a table of the package.

        Parameters
        ----------
        name, title : str
            Of the scheme.
        table : str
            Of facts/TABLE.csv, with columns as `legend.lineages` reads them.
        part_of : str, optional
            Name of the nomenclature, where several schemes write the same classes.
        columns : (str, str, str)
            Where the raster value, the code and the name of a class stand.
        no_class, cell_m, border_m
            As the scheme has them.

        Returns
        -------
        LabelScheme
            Its classes and values.
        """
        rows, (value, code, label) = facts(table), columns
        nomenclature = Nomenclature.of(
            part_of or name, title.split(",")[0], lineages(rows, code, label), cell_m, border_m
        )
        values = {int(row[value]): int(row[code]) for row in rows}
        nothing = frozenset({UNLABELLED, *no_class}) - values.keys()
        return cls(name, title, nomenclature, values, nothing)

    @classmethod
    def from_table(cls, path: str | Path) -> LabelScheme:
        """A legend of the user's own: a CSV, a QGIS style (.qml) or another run's legend.json.

        Parameters
        ----------
        path : path
            A CSV has the columns ``code``, ``name`` and ``colour`` (#rrggbb); perhaps ``value``,
            where a label raster holds other numbers than the codes; and for coarser levels
            ``parent_code`` and ``parent_name`` (and ``parent_colour``), or ``level1_code``,
            ``level1_name``, ``level2_code``, ... from the coarsest on.

        Returns
        -------
        LabelScheme
            Named after the file.

        Raises
        ------
        InputError, MissingProduct
            If the file cannot be read, or its classes make no legend.
        """
        path = Path(path)
        if path.suffix.lower() == ".json":
            return cls.of_codes(read_nomenclature_file(path))
        classes, values = read_classes(path)
        # what is known of a scheme of the package, by its name, is not true of corine.csv
        name = path.name if path.stem in SCHEMES else path.stem
        return cls(name, name, Nomenclature.of(name, name, classes), values)

    @classmethod
    def of_codes(cls, nomenclature: Nomenclature) -> LabelScheme:
        """The scheme whose values are the codes of some classes.

        Parameters
        ----------
        nomenclature : Nomenclature
            The classes; their finest level counts.

        Returns
        -------
        LabelScheme
            Under the name of the classes.
        """
        finest = nomenclature.at(len(nomenclature.levels))
        return cls(finest.name, finest.title, finest, {code: code for code in finest.legend.codes})

    @property
    def legend(self) -> Legend:
        """The classes of the finest level."""
        return self.nomenclature.legend

    @property
    def levels(self) -> tuple[Legend, ...]:
        """The classes of every level, the coarsest first."""
        return self.nomenclature.levels

    @property
    def cell_m(self) -> float:
        """Side of the labels' cells, metres."""
        return self.nomenclature.cell_m

    @property
    def border_m(self) -> float:
        """How far borders of the labels may lie off, metres."""
        return self.nomenclature.border_m

    @cached_property
    def codings(self) -> tuple[Coding, ...]:
        """What rasters of the scheme can hold: its values, or codes of a coarser level."""
        coarser = range(len(self.levels) - 1, 0, -1) if self.values_are_codes else ()
        finest = Coding(self, len(self.levels), self.values)
        return (
            finest,
            *(
                Coding(self, level, {code: code for code in self.levels[level - 1].codes})
                for level in coarser
            ),
        )

    @property
    def values_are_codes(self) -> bool:
        """Whether rasters hold the codes themselves."""
        return all(value == code for value, code in self.values.items())

    def recode(self, values: np.ndarray, nodata: float | None = None) -> np.ndarray:
        """Class codes of raster values, uint16; 0 where unlabelled.

        Parameters
        ----------
        values : array of int or float
            Of the scheme's finest level, or codes of one coarser level.
        nodata : float, optional
            The raster's own nodata value.

        Returns
        -------
        array of uint16
            Class codes in the shape of `values`.

        Raises
        ------
        InputError
            If some value is none of the scheme's, or the values are of several levels.
        """
        distinct = distinct_values(values, nodata)
        fitting = self.fitting(distinct)
        if not fitting:
            raise InputError(unknown_values(distinct, [self]))
        if len(fitting) > 1:
            raise InputError(several_meanings(distinct, fitting))
        return fitting[0].recode(values, nodata)

    def fitting(self, values: Iterable[float]) -> list[Coding]:
        """What some values of a raster can be, the finest first.

        A table may give a class of a coarser level the code of another class. Levels at which
        the values mean the same classes count once.

        Parameters
        ----------
        values : iterable of float
            Distinct values of a raster.

        Returns
        -------
        list of Coding
            None where some value is none of the scheme's.
        """
        values, found = set(values), list[Coding]()
        for coding in self.codings:
            if coding.fits(values) and not any(one.means_like(coding, values) for one in found):
                found.append(coding)
        return found


@dataclass(frozen=True)
class Coding:
    """One meaning of raster values: a scheme at a level.

    Attributes
    ----------
    scheme : LabelScheme
    level : int
        Of its nomenclature.
    table : dict of int to int
        Raster value to class code of the level.
    """

    scheme: LabelScheme
    level: int
    table: dict[int, int]

    @property
    def nomenclature(self) -> Nomenclature:
        """The scheme's classes, at the level of these values."""
        return self.scheme.nomenclature.at(self.level)

    def __str__(self) -> str:
        name = self.scheme.name
        return name if self.level == len(self.scheme.levels) else f"{name} of level {self.level}"

    def classes(self, values: Iterable[float]) -> set[float]:
        """The values that are to be classes."""
        return set(values) - self.scheme.no_class

    def fits(self, values: Iterable[float]) -> bool:
        """Whether every value is a class or stands for none."""
        return self.classes(values) <= self.table.keys()

    def means_like(self, other: Coding, values: Iterable[float]) -> bool:
        """Whether fitting values stand for the same classes in another coding."""
        own, theirs = self.nomenclature.legend, other.nomenclature.legend
        held = {int(value) for value in self.classes(values)}
        return all(own[self.table[v]].is_like(theirs[other.table[v]]) for v in held)

    def recode(self, values: np.ndarray, nodata: float | None = None) -> np.ndarray:
        """Class codes of the level, uint16; 0 for whatever is no class."""
        values = np.asarray(values)
        held, _ = counted(values)
        means = {
            value: self.table[int(value)]
            for value in held[np.isfinite(held)].tolist()
            if value != nodata and value in self.table
        }
        if _is_small(values):
            table = np.zeros(int(held.max(initial=0)) + 1, np.uint16)
            table[list(means)] = list(means.values())
            return table[values]
        codes = np.zeros(values.shape, np.uint16)
        for value, code in means.items():
            codes[values == value] = code
        return codes


def counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values, ascending, and how often each occurs.

    >>> counted(np.array([[7, 2], [7, 7]], np.uint8))
    (array([2, 7], dtype=uint8), array([1, 3]))
    """
    if not _is_small(values):
        return np.unique(values, return_counts=True)
    counts = np.bincount(values.ravel())
    held = np.flatnonzero(counts)
    return held.astype(values.dtype), counts[held]


def _is_small(values: np.ndarray) -> bool:
    """Whether values are so few that a table can hold them all, as those of most class rasters."""
    return values.dtype.kind == "u" and values.dtype.itemsize <= 2


def distinct_values(values: np.ndarray, nodata: float | None = None) -> set[float]:
    """The distinct values of a raster without NaN and its nodata value."""
    return {float(v) for v in counted(values)[0] if np.isfinite(v) and v != nodata}


def unknown_values(values: set[float], schemes: Iterable[LabelScheme]) -> str:
    """What to say of values that fit none of some schemes."""
    codings = [coding for scheme in schemes for coding in scheme.codings]
    best = min(codings, key=lambda coding: len(coding.classes(values) - coding.table.keys()))
    unknown = sorted(best.classes(values) - best.table.keys())
    shown = ", ".join(f"{v:g}" for v in unknown[:8])
    if all(v != int(v) for v in unknown):
        return (
            f"class codes {shown} are no whole numbers: they were interpolated, which invents "
            "classes, or are none; take the original classes, or warp a raster of them with nearest"
        )
    if best.scheme.nomenclature.name == "corine":
        has = "CORINE has grid codes 1-44 or CLC codes 111-523, one kind in one raster"
    else:
        has = f"{best} has {_listed(best.table)}"
    return (
        f"unknown class codes {shown}; {has}: recode or mask these values, "
        "or name the scheme of all with scheme=NAME or scheme=table.csv"
    )


def several_meanings(values: set[float], fitting: Sequence[Coding]) -> str:
    """What to say of values that several codings fit."""
    first, names = fitting[0], ", ".join(map(str, fitting))
    shown = ", ".join(f"{v:g}" for v in sorted(first.classes(values))[:12])
    schemes = list(dict.fromkeys(coding.scheme.name for coding in fitting))
    if len(schemes) > 1:
        return (
            f"its class codes {shown} fit several label schemes ({names}), and may be another's; "
            f"say which with scheme={'|'.join(schemes)}, or give your own legend with "
            "scheme=table.csv (code,name,colour)"
        )
    return (
        f"its class codes {shown} are classes of several levels of {schemes[0]} ({names}); "
        "number the coarser classes in its table otherwise than the finest"
    )


def find_scheme(name: str) -> LabelScheme:
    """The scheme that ``--scheme`` names: a row of `SCHEMES`, or a table.

    Raises
    ------
    InputError
        If there is no such scheme, or the table holds no legend.
    """
    if name in SCHEMES:
        return SCHEMES[name]
    if Path(name).suffix.lower() in TABLES:
        return LabelScheme.from_table(name)
    raise InputError(
        f"scheme {name!r} is unknown; choose {', '.join(SCHEMES)}, or give a table of classes "
        "(.csv, .qml, or the legend.json of a run)"
    )


def read_nomenclature_file(path: Path) -> Nomenclature:
    """The classes that a legend.json holds.

    Raises
    ------
    LandcoverError
        If the file is missing or broken.
    """
    try:
        return Nomenclature.from_dict(read_json(path))
    except MissingProduct:
        raise
    except LandcoverError as error:
        # not "remove it": without legend.json a run counts as one of CORINE
        found = str(error).partition("; ")[0]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        found = f"{type(error).__name__}: {error}"
    raise LandcoverError(
        f"{path} holds no legend ({found}); prepare the run again with landcover prep"
    )


def _listed(values: Mapping[int, int]) -> str:
    """Values in few words."""
    numbers = sorted(values)
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ", ".join(map(str, numbers[:12])) + (", ..." if len(numbers) > 12 else "")


#: Every scheme by name. A new one is a table in facts/ and a row here.
SCHEMES: dict[str, LabelScheme] = {
    scheme.name: scheme
    for scheme in (
        LabelScheme.from_facts(
            "corine", "CORINE, CLC codes 111-523", "corine_clc", part_of="corine",
            columns=("code", "code", "level3"), no_class=(255, 990, 995, 999),
        ),
        LabelScheme.from_facts(
            "corine-grid", "CORINE, grid codes 1-44", "corine_clc", part_of="corine",
            columns=("grid_code", "code", "level3"), no_class=(48, 49, 50, 255),
        ),
        LabelScheme.from_facts(
            "worldcover", "ESA WorldCover", "worldcover", cell_m=10, border_m=10
        ),
        LabelScheme.from_facts(
            "io-lulc-9", "Impact Observatory, 9 classes", "io_lulc_9", cell_m=10, border_m=10
        ),
        LabelScheme.from_facts(
            "io-lulc-10", "Impact Observatory, 10 classes", "io_lulc_10", cell_m=10, border_m=10
        ),
        LabelScheme.from_facts("eurosat", "EuroSAT", "eurosat_classes", cell_m=640, border_m=640),
        LabelScheme.from_facts(
            "clc-plus", "CLC+ Backbone", "clc_plus", no_class=(253, 254, 255),
            cell_m=10, border_m=10,
        ),
        # 0 is water there and unlabelled here, so its codes are its values and 1
        LabelScheme.from_facts(
            "dynamic-world", "Dynamic World", "dynamic_world", columns=("value", "code", "name"),
            no_class=(255,), cell_m=10, border_m=10,
        ),
    )
}  # fmt: skip
