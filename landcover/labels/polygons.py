"""Polygons that have classes in a field: what its values mean, told as of a label raster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, vectors
from landcover.grid import Grid, Window
from landcover.labels.on_grid import became
from landcover.labels.recognition import Hints, known_schemes, recognise_field
from landcover.labels.schemes import Coding
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
    """

    grid: Grid
    shapes: vectors.Polygons
    values: np.ndarray
    coding: Coding
    nomenclature: Nomenclature

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

    @cached_property
    def _by_code(self) -> tuple[vectors.Polygons, list[int]]:
        """The polygons and their codes, the smallest code first."""
        order = np.argsort(self.codes, kind="stable").tolist()
        shapes = vectors.Polygons([self.shapes.geometries[i] for i in order])
        return shapes, [self.codes[i] for i in order]

    def burn(self, window: Window) -> np.ndarray:
        """Class codes of a window, uint16 (rows, cols).

        0 outside the polygons, and where polygons of several classes overlap: nothing tells which
        of them is true.
        """
        codes, contested = self._burn(window)
        return np.where(contested, np.uint16(UNLABELLED), codes)

    def _burn(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """The largest code of the polygons at each pixel, and where another is smaller."""
        shapes, codes = self._by_code
        largest = vectors.burn(shapes, codes, self.grid, window)
        turned = vectors.Polygons(shapes.geometries[::-1])
        return largest, largest != vectors.burn(turned, codes[::-1], self.grid, window)

    def notes(self) -> list[str]:
        """Sentences on what of the polygons is left out, for people."""
        contested = sum(
            int(np.count_nonzero(self._burn(window)[1]))
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
        return found


def read_class_polygons(
    path: Path, field: str, grid: Grid, hints: Hints, run_classes: Nomenclature | None = None
) -> ClassPolygons:
    """Read polygons and tell what the values of a field mean.

    Parameters
    ----------
    path : path
        A vector file.
    field : str
        Its field with numbers, which may be text.
    grid : Grid
        Of the scene.
    hints : Hints
        What is known of the values. Its level is that of the result where `run_classes` is None.
    run_classes : Nomenclature, optional
        The classes of the run at its level. Finer classes are brought to that level.

    Raises
    ------
    InputError
        If the field is missing or holds words, or its values fit no scheme, or several.
    LandcoverError
        If the level that is asked for is finer than the values.
    """
    shapes = vectors.read_polygons(path, grid, field)
    name = f"{path}: field {field}"
    values = np.array([_number(value, name) for value in shapes.values or []], float)
    coding = recognise_field(set(values.tolist()), name, hints)
    own = coding.nomenclature
    if run_classes is not None:
        classes = run_classes.at(min(own.level, run_classes.level))
    else:
        classes = own.at(hints.level or own.level)
        if not known_schemes(classes):  # borders are as exact as the scene shows them
            classes = classes.in_cells_of(float(np.mean(grid.pixel_size_m)))
    return ClassPolygons(grid, shapes, values, coding, classes)


def _number(value: object, name: str) -> float:
    """A number from a field that may hold text."""
    if value is None or value != value:  # NaN stands for NULL among numbers
        raise InputError(
            f"{name} is empty (NULL) for a polygon; give each polygon the number of its class, or "
            "leave out those without"
        )
    try:
        number = float(str(value))
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise InputError(
            f"{name} holds {value!r}, which is no class code; give each polygon the number of its "
            "class"
        )
    return number
