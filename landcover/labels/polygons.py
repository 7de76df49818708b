"""Polygons that have classes in a field: what its values mean, told as of a label raster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, vectors
from landcover.grid import Grid, Window
from landcover.labels.names_alone import plain, scheme_of_names
from landcover.labels.on_grid import became
from landcover.labels.recognition import Hints, known_schemes, recognise_field
from landcover.labels.schemes import Coding, LabelScheme
from landcover.legend import UNLABELLED, Nomenclature


@dataclass(frozen=True)
class ClassPolygons:
    """Polygons in the CRS of a grid, and the class of each.

    Attributes
    ----------
    grid : Grid
        Of the scene.
    shapes : vectors.Polygons
        The polygons, with the values of their field.
    values : array of float
        The values as numbers.
    coding : Coding
        What they mean.
    nomenclature : Nomenclature
        The classes at the level that the polygons are brought to.
    name : str
        File and field, for messages.
    """

    grid: Grid
    shapes: vectors.Polygons
    values: np.ndarray
    coding: Coding
    nomenclature: Nomenclature
    name: str = "polygons"

    @cached_property
    def codes(self) -> list[int]:
        """Class code of each polygon; 0 where its value stands for no class."""
        codes = self.coding.recode(self.values)
        return self.coding.nomenclature.coarser(codes, self.nomenclature.level).tolist()

    @property
    def became(self) -> dict[str, object]:
        """The scheme, and what each value became with its share of the polygons."""
        counts = Counter[float](self.values.tolist())
        values = became(counts, self.coding, self.nomenclature)
        return {"scheme": self.coding.scheme.name, "values": values}

    def burn(self, window: Window) -> np.ndarray:
        """Class codes of a window, uint16 (rows, cols).

        0 outside the polygons, and where polygons of several classes overlap: nothing tells which
        of them is true.
        """
        codes, _, contested = self._burn(window)
        return np.where(contested, np.uint16(UNLABELLED), codes)

    def numbers(self, window: Window) -> np.ndarray:
        """Numbers of the polygons of a window from 1 on, uint32 (rows, cols); 0 where no class is.

        They are counted by where they lie, from the west, whatever their order in the file; where
        polygons of one class overlap, the last counts.
        """
        return self._burn(window)[1]

    def burn_over(self, labels: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Class codes of a window in which polygons lead, and the numbers of the polygons.

        Parameters
        ----------
        labels : array (rows, cols)
            Codes of other labels at the level of the polygons.
        window : Window
            Where they lie.

        Returns
        -------
        codes : array of uint16 (rows, cols)
            Those of polygons where they lie; 0 where those of several classes do; `labels`
            elsewhere.
        numbers : array of uint32 (rows, cols)
            As `numbers` gives them.
        """
        codes, numbers, contested = self._burn(window)
        led = np.where(codes != UNLABELLED, codes, labels).astype(np.uint16)
        return np.where(contested, np.uint16(UNLABELLED), led), numbers

    def _burn(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Class codes and polygons' numbers of a window, and where polygons of several classes lie.

        Polygons are drawn from the smallest code to the largest, those of one code from the west,
        and the other way round: where the two give one code, all polygons of a pixel have it.
        """
        upwards, downwards, codes, numbers = self._drawn
        last = vectors.burn(upwards, range(1, len(codes)), self.grid, window, dtype="uint32")
        first = vectors.burn(
            downwards, range(len(codes) - 1, 0, -1), self.grid, window, dtype="uint32"
        )
        largest = codes[last]
        contested = largest != codes[first]
        named = ~contested & (largest != UNLABELLED)
        return largest, np.where(named, numbers[last], np.uint32(0)), contested

    @cached_property
    def _drawn(self) -> tuple[vectors.Polygons, vectors.Polygons, np.ndarray, np.ndarray]:
        """The polygons in the order in which they are drawn, and back; code and number of each.

        Codes and numbers are 0 at the place 0, which no polygon has.
        """
        place = np.empty(len(self.codes), np.uint32)
        ends = [geometry.bounds for geometry in self.shapes.geometries]
        place[sorted(range(len(ends)), key=ends.__getitem__)] = np.arange(1, len(ends) + 1)
        given = np.array(self.codes)
        order = np.lexsort((place, given))
        shapes = [self.shapes.geometries[i] for i in order]
        codes = np.array([UNLABELLED, *given[order]], np.uint16)
        numbers = np.array([0, *place[order]], np.uint32)
        return vectors.Polygons(shapes), vectors.Polygons(shapes[::-1]), codes, numbers

    def notes(self) -> list[str]:
        """Sentences on what of the polygons is left out, for people."""
        contested = sum(
            int(np.count_nonzero(self._burn(window)[2]))
            for window in self.grid.windows(rasters.WINDOW_PX)
        )
        held, here = self.shapes.held, len(self.shapes.geometries)
        found = (
            [f"{held - here:,} of {held:,} polygons lie outside the scene"] if held > here else []
        )
        if contested:
            found.append(
                f"{contested:,} pixels lie in polygons of several classes, and are left out"
            )
        if self.shapes.repaired:
            found.append(f"invalid geometry was repaired of {_features(self.shapes.repaired)}")
        if self.shapes.without_area:
            what = _features(self.shapes.without_area)
            found.append(f"{what} of the polygons' file without an area: left out")
        return found


def _features(numbers: Sequence[int]) -> str:
    """Features by their ids, in few words."""
    shown = ", ".join(map(str, numbers[:12])) + (", ..." if len(numbers) > 12 else "")
    return f"{len(numbers):,} feature{'s' * (len(numbers) > 1)} (id {shown})"


def read_class_polygons(
    path: Path, field: str, grid: Grid, hints: Hints, run_classes: Nomenclature | None = None
) -> ClassPolygons:
    """Read polygons and tell what the values of a field mean.

    Parameters
    ----------
    path : path
        A vector file.
    field : str
        Its field with numbers, which may be text, or with names of classes: of `hints.scheme` or
        of the run, or of any where neither is given (`scheme_of_names`).
    grid : Grid
        Of the scene.
    hints : Hints
        What is known of the values. Its level is that of the result where `run_classes` is None.
    run_classes : Nomenclature, optional
        The classes of the run at its level. Finer classes are brought to that level.

    Raises
    ------
    InputError
        If the field is missing or holds names that are no class of the scheme, or its values fit no
        scheme, or several.
    LandcoverError
        If the level that is asked for is finer than the values.
    """
    shapes = vectors.read_polygons(path, grid, field)
    name = f"{path}: field {field}"
    if hints.scheme is None and run_classes is None and _are_names(shapes.distinct):
        hints = replace(hints, scheme=scheme_of_names(_texts(shapes.distinct)))
    named = hints.scheme or (LabelScheme.of_codes(run_classes) if run_classes else None)
    values = np.array(_numbers(shapes.values or [], name, named, hints.scheme), float)
    coding = recognise_field(set(values.tolist()), name, hints)
    own = coding.nomenclature
    if run_classes is not None:
        classes = run_classes.at(min(own.level, run_classes.level))
    else:
        classes = own.at(hints.level or own.level)
        if not known_schemes(classes):  # borders are as exact as the scene shows them
            classes = classes.in_cells_of(float(np.mean(grid.pixel_size_m)))
    return ClassPolygons(grid, shapes, values, coding, classes, name)


def _numbers(
    values: Sequence[object], name: str, scheme: LabelScheme | None, said: LabelScheme | None
) -> list[float]:
    """Numbers of a field, which may hold them as text, or names of a scheme's classes.

    `said` is the scheme that the user named, for messages.
    """
    texts = {plain(value) for value in values if not np.isfinite(_number(value))}
    named = _values_by_name(scheme, texts) if scheme else {}
    found = []
    for value in values:
        if value is None or value != value:  # NaN stands for NULL among numbers
            raise InputError(
                f"{name} is empty (NULL) for a polygon; give each polygon the number of its class, "
                "or leave out those without"
            )
        number = _number(value)
        number = number if np.isfinite(number) else named.get(plain(value), np.nan)
        if not np.isfinite(number):
            raise InputError(f"{name} holds {value!r}, {_unknown(values, said)}")
        found.append(number)
    return found


def _are_names(values: Sequence[object]) -> bool:
    """Whether a field holds text, and no numbers; it may lack values."""
    texts = _texts(values)
    named = (isinstance(text, str) and not np.isfinite(_number(text)) for text in texts)
    return bool(texts) and all(named)


def _texts(values: Sequence[object]) -> list[object]:
    """The values that are there: not NULL, which is NaN among numbers."""
    return [value for value in values if value is not None and value == value]


def _number(value: object) -> float:
    """A number from a field that may hold text; NaN for other text."""
    try:
        return float(str(value))
    except ValueError:
        return np.nan


def _values_by_name(scheme: LabelScheme, texts: set[str]) -> dict[str, float]:
    """The value of each class by its name, of the finest level that has all the names.

    Names that several classes of a level have are left out.
    """
    levels = [_names_of(coding) for coding in scheme.codings]
    return next((names for names in levels if texts <= names.keys()), levels[0])


def _names_of(coding: Coding) -> dict[str, float]:
    """The value of each class of a level by its name."""
    legend = coding.nomenclature.legend
    held = Counter(plain(name) for name in legend.names)
    pairs = ((value, code) for value, code in coding.table.items() if code != UNLABELLED)
    names = {plain(legend[code].name): float(value) for value, code in pairs}
    return {name: value for name, value in names.items() if held[name] == 1}


def _unknown(values: Sequence[object], scheme: LabelScheme | None) -> str:
    """Why a text is no class, and what to do."""
    if scheme:
        classes = ", ".join(scheme.levels[-1].names)
        return f"which is no class of scheme {scheme.name}; its classes are {classes}"
    names = ", ".join(dict.fromkeys(str(v) for v in values if not np.isfinite(_number(v))))
    return (
        "which is no class code; give each polygon the number of its class, or say with "
        f"scheme=table.csv (code,name,colour) which code each name has: {names}"
    )
