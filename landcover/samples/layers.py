"""What samples are drawn from: the rasters on one grid, and polygons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.ahead import read_ahead
from landcover.grid import Grid, Window
from landcover.labels.polygons import ClassPolygons
from landcover.legend import Nomenclature
from landcover.progress import track
from landcover.scene.segmentation.types import type_column

#: Rows read at a time: whole rows, because samples are drawn by their rank in reading order.
STRIP_ROWS = 512
#: Pixels of all bands that are read at a time, about: of wide scenes of many bands fewer rows.
_STRIP_VALUES = 2**27

#: Column of the numbers of training polygons, 0 outside them.
POLYGON = "polygon"

Reader = Callable[[Window], np.ndarray]
Part = TypeVar("Part")


@dataclass(frozen=True)
class Source:
    """What samples are drawn from.

    Attributes
    ----------
    name : str
        Where the labels come from, for messages.
    grid : Grid
        Of everything.
    bands : tuple of str
        Of the image.
    image : function of a window
        Reflectance (bands, rows, cols), NaN for nodata and outside the scene.
    labels : function of a window
        Class codes (rows, cols), 0 for unlabelled.
    nomenclature : Nomenclature
        What the labels' classes are of.
    inside : function of a window, or None
        Where training and validation samples may lie, if not everywhere.
    columns : tuple of str
        What else the table says of a sample: reference, segment, segment types.
    more : function of a window
        Values of `columns` by name, each (rows, cols).
    polygons : function of a window, or None
        Numbers of training polygons, 0 outside them, where labels are of some.
    """

    name: str
    grid: Grid
    bands: tuple[str, ...]
    image: Reader
    labels: Reader
    nomenclature: Nomenclature
    inside: Reader | None
    columns: tuple[str, ...]
    more: Callable[[Window], dict[str, np.ndarray]]
    polygons: Reader | None = None

    @property
    def codes(self) -> np.ndarray:
        """Every code that labels may have, ascending: those of all levels."""
        return np.array(_all_codes(self.nomenclature))

    def strips(
        self, description: str, load: Callable[[Window], Part]
    ) -> Iterator[tuple[Window, Part]]:
        """Windows of whole rows, from the top, and what is loaded of them, one strip ahead.

        With a progress bar.
        """
        rows, cols = self.grid.shape
        most = min(STRIP_ROWS, max(16, _STRIP_VALUES // (cols * len(self.bands)) // 16 * 16))
        windows = [Window(row, 0, min(most, rows - row), cols) for row in range(0, rows, most)]
        return read_ahead(track(windows, description), load)


@dataclass(frozen=True)
class Rasters:
    """The rasters of one scene that samples are drawn from.

    Attributes
    ----------
    scene : Path
        Bands, reflectance.
    nomenclature : Nomenclature
        Classes that labels may have.
    labels : Path, optional
        Class codes; not needed where polygons have classes.
    reference, segments, segment_types : Path, optional
        What else the table says of a sample, as far as it exists.
    polygons : Path, optional
        Numbers of the training polygons that the labels are of.
    """

    scene: Path
    nomenclature: Nomenclature
    labels: Path | None = None
    reference: Path | None = None
    segments: Path | None = None
    segment_types: Path | None = None
    polygons: Path | None = None


def open_source(
    files: Rasters, polygons: str | Path | None = None, classes: ClassPolygons | None = None
) -> Source:
    """Open the rasters of a scene and check that they share its grid.

    Parameters
    ----------
    files : Rasters
        A scene and, unless `classes` are given, labels.
    polygons : path, optional
        Where training and validation samples may lie.
    classes : ClassPolygons, optional
        Polygons whose classes replace the labels.
    """
    scene = files.scene
    grid = rasters.grid_of(scene)

    def layer(path: Path, band: int = 1) -> Reader:
        grid.require_equal(rasters.grid_of(path), str(scene), str(path))
        return lambda window: rasters.read(path, window, [band])[0]

    inside, name = None, str(polygons)
    numbers = None if files.polygons is None else layer(files.polygons)
    if classes is not None:
        labels: Reader = classes.burn
        numbers = classes.numbers
    elif files.labels is None:
        raise InputError(
            f"{scene} has no labels to draw samples by; give labels, or polygons with class_field"
        )
    else:
        labels, name = layer(files.labels), "the labels"
        inside = None if polygons is None else _burner(polygons, grid)
    single = {"reference": files.reference, "segment": files.segments}
    singles = {name: layer(path) for name, path in single.items() if path is not None}
    of_types, types = files.segment_types, []
    if of_types is not None:
        grid.require_equal(rasters.grid_of(of_types), str(scene), str(of_types))
        types = [type_column(band) for band in rasters.band_names(of_types)]

    def more(window: Window) -> dict[str, np.ndarray]:
        values = {name: read(window) for name, read in singles.items()}
        if of_types is not None:
            values |= zip(types, rasters.read(of_types, window), strict=True)
        return values if numbers is None else values | {POLYGON: numbers(window)}

    return Source(
        name,
        grid,
        rasters.band_names(scene),
        lambda window: rasters.read(scene, window),
        labels,
        files.nomenclature,
        inside,
        (*singles, *types, *([POLYGON] if numbers else [])),
        more,
        numbers,
    )


def index_table(codes: np.ndarray) -> np.ndarray:
    """Position of every uint16 code among `codes`: -1 for 0, -2 for others."""
    table = np.full(2**16, -2, np.int16)
    table[0] = -1
    table[codes] = np.arange(len(codes))
    return table


def _burner(path: str | Path, grid: Grid) -> Reader:
    """A reader of 1 inside polygons and 0 outside."""
    from landcover.files import vectors

    found = vectors.read_polygons(path, grid)
    return lambda window: vectors.burn(found, [1] * len(found.geometries), grid, window)


def _all_codes(nomenclature: Nomenclature) -> list[int]:
    """The codes of all levels."""
    return sorted({code for legend in nomenclature.levels for code in legend.codes})
