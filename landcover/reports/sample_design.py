"""How a reference sample was drawn: which point is of which stratum, in a file beside the points.

It is kept apart from the points. The pixels of a stratum are those of one class of the map, so who
names the classes must not see them, nor which points share a stratum.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError, LandcoverError
from landcover.files.atomic import short_digest, write_text
from landcover.files.class_tables import read_csv
from landcover.grid import Grid

if TYPE_CHECKING:
    import geopandas

#: Fields of the points: the number of a point, and the name of the design that it is of.
ID, KEY = "id", "design_key"
#: How a file of a design is named after that of its points.
SUFFIX = "_design.csv"
#: Columns of a design: stratum, its pixels, and the pixels that a point stands for: 1 over the
#: probability that it was drawn.
COLUMNS = (KEY, ID, "x", "y", "stratum", "stratum_px", "weight")
#: Points that a message names.
_NAMED = 8


@dataclass(frozen=True)
class Design:
    """The points of a sample as they were drawn.

    Attributes
    ----------
    ids : array of int64 (points,)
        Their numbers.
    x, y : array of float (points,)
        Middles of their pixels in the CRS of the map.
    strata : array of int64 (points,)
        Stratum of each.
    sizes : dict of int to int
        Stratum to its pixels.
    path : Path or None
        Where it was read from.
    """

    ids: np.ndarray
    x: np.ndarray
    y: np.ndarray
    strata: np.ndarray
    sizes: dict[int, int]
    path: Path | None = None

    @property
    def key(self) -> str:
        """A short name of this very design."""
        sizes = np.array([self.sizes[number] for number in self.strata.tolist()], np.int64)
        arrays = (self.ids, self.x, self.y, self.strata, sizes)
        return short_digest(b"".join(array.tobytes() for array in arrays))[:12]

    @classmethod
    def of(
        cls, grid: Grid, rows: np.ndarray, cols: np.ndarray, strata: np.ndarray,
        sizes: Mapping[int, int],
    ) -> Design:  # fmt: skip
        """The design of drawn pixels, numbered from 1."""
        x, y = grid.xy(rows, cols)
        ids = np.arange(1, len(rows) + 1, dtype=np.int64)
        return cls(ids, x, y, strata.astype(np.int64), dict(sizes))


def design_path(points: Path) -> Path:
    """Where the design of a file of points lies.

    >>> design_path(Path("cnn-7x7_points.gpkg")).name
    'cnn-7x7_points_design.csv'
    """
    return points.with_name(points.stem + SUFFIX)


def write_design(path: Path, design: Design) -> Path:
    """Write a design as CSV, whole or not at all."""
    key, of_stratum = design.key, np.bincount(design.strata)
    lines = [",".join(COLUMNS)]
    rows = (design.ids, design.x, design.y, design.strata)
    for number, x, y, stratum in zip(*(values.tolist() for values in rows), strict=True):
        size = design.sizes[stratum]
        lines.append(
            f"{key},{number},{x!r},{y!r},{stratum},{size},{size / int(of_stratum[stratum])!r}"
        )
    return write_text(path, "\n".join(lines) + "\n")


def read_design(path: Path) -> Design:
    """Read what `write_design` wrote.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing, or was changed.
    """
    rows = [row for _, row in read_csv(path)]
    try:
        held = {name: [row[name] for row in rows] for name in COLUMNS}
        strata = np.array(held["stratum"], np.int64)
        sizes = dict(zip(strata.tolist(), map(int, held["stratum_px"]), strict=True))
        design = Design(
            np.array(held[ID], np.int64), np.array(held["x"], float), np.array(held["y"], float),
            strata, sizes, path,
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is no design of a sample ({error}); restore it") from None
    if set(held[KEY]) != {design.key}:
        raise InputError(f"{path} was changed since the sample was drawn; restore it")
    return design


def design_of(frame: geopandas.GeoDataFrame, name: str, paths: Iterable[Path]) -> Design | None:
    """The design that points were drawn by, among files; None where nothing says that they were.

    Parameters
    ----------
    frame : GeoDataFrame
        Points or plots, with a field ``design_key`` where landcover drew them.
    name : str
        What to call their file in messages.
    paths : iterable of path
        Where designs may lie.

    Raises
    ------
    InputError
        If the points are of several designs, or none of the files has theirs.
    """
    if KEY not in frame.columns or ID not in frame.columns:
        return None
    keys = sorted(set(frame[KEY].dropna().astype(str)) - {""})
    if not keys:
        return None
    if len(keys) > 1:
        raise InputError(
            f"{name} holds points of {len(keys)} drawn samples (design_key {', '.join(keys)}), "
            "and each has its own strata; assess one at a time"
        )
    damaged: list[str] = []
    for path in dict.fromkeys(paths):
        try:
            design = read_design(path)
        except LandcoverError as error:
            damaged.append(str(error))
            continue
        if design.key == keys[0]:
            return design
    found = f" ({damaged[0]})" if damaged else ""
    raise InputError(
        f"{name} is a sample that landcover drew, and its design {keys[0]}, which says how the "
        f"points are weighed, is neither beside it nor in the run{found}; put the file "
        f"*{SUFFIX} that was written with the points beside them"
    )


def strata_by(
    design: Design, frame: geopandas.GeoDataFrame, geometries: np.ndarray, grid: Grid,
    name: str | os.PathLike[str],
) -> tuple[np.ndarray, str]:  # fmt: skip
    """Stratum of each unit by the design that it was drawn by, and what a reader must know.

    Parameters
    ----------
    design : Design
        How the sample was drawn.
    frame : GeoDataFrame
        Its fields.
    geometries : array of shapely geometries (units,)
        In the CRS of the grid: points, or plots about them.
    grid : Grid
        Of the scene.
    name : path
        What to call the file in messages.

    Returns
    -------
    (array of int64 (units,), str)
        0 for units that were added later; and a remark on points that are missing or were added.

    Raises
    ------
    InputError
        If a point is there twice, or lies elsewhere than it was drawn.
    """
    import pandas

    keys = frame[KEY].fillna("").astype(str).to_numpy()
    numbers = pandas.to_numeric(frame[ID], errors="coerce").fillna(0).to_numpy(np.int64)
    numbers = np.where(keys == design.key, numbers, 0)
    place = {number: i for i, number in enumerate(design.ids.tolist())}
    at = np.array([place.get(number, -1) for number in numbers.tolist()], np.int64)
    drawn = at >= 0
    _refuse_twice(numbers[drawn], name)
    _refuse_moved(design, at[drawn], geometries[drawn], grid, name)
    missing = np.setdiff1d(design.ids, numbers[drawn])
    remarks = []
    if missing.size:
        remarks.append(
            f"{missing.size} of {design.ids.size} drawn points are missing from the file: "
            f"{_listed(missing)}. The other points of their strata stand for them, which is right "
            "only if they were not deleted for what is seen there: keep a point, with its class "
            "empty."
        )
    if not drawn.all():
        remarks.append(f"{int((~drawn).sum())} units were added to the drawn sample.")
    return np.where(drawn, design.strata[at], 0), " ".join(remarks)


def _refuse_twice(numbers: np.ndarray, name: str | os.PathLike[str]) -> None:
    """Raise InputError if two units are the same drawn point, as copies are."""
    held, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"{name} has points of the sample twice, by their field {ID}: "
            f"{_listed(held[counts > 1])}; each counts once: remove the copies"
        )


def _refuse_moved(
    design: Design, at: np.ndarray, geometries: np.ndarray, grid: Grid,
    name: str | os.PathLike[str],
) -> None:  # fmt: skip
    """Raise InputError if units lie more than half a pixel from where they were drawn."""
    import shapely

    sides = np.array(grid.resolution)
    drawn = shapely.points(design.x[at] / sides[0], design.y[at] / sides[1])
    scaled = shapely.transform(geometries, lambda place: place / sides)
    away = shapely.distance(scaled, drawn)
    moved = ~(away <= 0.5)  # so that an infinite place is one too
    if moved.any():
        raise InputError(
            f"{name}: {int(moved.sum())} points lie up to {away[moved].max():,.1f} pixels from "
            f"where they were drawn: {_listed(np.sort(design.ids[at[moved]]))}; a class is that of "
            f"the drawn pixel: move them back to their x and y in {design.path}"
        )


def _listed(numbers: np.ndarray) -> str:
    more = ", ..." if numbers.size > _NAMED else ""
    return ", ".join(map(str, numbers[:_NAMED].tolist())) + more
