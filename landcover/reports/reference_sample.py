"""A user's own reference sample in and out: points or polygons whose true class somebody saw.

Any OGR format is read (GeoPackage, GeoJSON, Shapefile, ...), and GeoParquet. The points that
landcover draws are a form of QGIS; their design lies in a file beside them, so that they serve maps
yet to be made. Files of earlier versions carry it in fields of their own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError, LandcoverError
from landcover.files import rasters, vectors
from landcover.files.geopackage import geopackage_when_whole
from landcover.files.vector_styles import NO_VALUE, Form, by_rule, class_names, hollow_square
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend, Nomenclature
from landcover.progress import track
from landcover.reports.sample_design import (
    ID,
    KEY,
    SUFFIX,
    Design,
    design_of,
    design_path,
    strata_by,
    write_design,
)

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import shapely

#: Field of a drawn sample with the class, to be filled in.
CLASS = "reference"
#: Fields of samples that earlier versions drew: the stratum's number, and its pixels.
STRATUM, STRATUM_PX = "stratum", "stratum_px"
#: What a GeoPackage calls the number of a row.
_ROW = "fid"
#: Words of the form, and colours of points by what is known of them.
_TO_DO, _UNSURE, _DONE = "to do", "cannot tell", "done"
_COLOURS = {_TO_DO: "#ffd400", _UNSURE: "#c0c0c0", _DONE: "#00e5ff"}

#: Where a frame keeps how many features had no geometry.
_WITHOUT = "without_geometry"
_POINTS, _POLYGONS = ("Point", "MultiPoint"), ("Polygon", "MultiPolygon")


@dataclass(frozen=True)
class ReferenceSample:
    """Sampled units in the CRS of a grid.

    Attributes
    ----------
    geometries : array of shapely geometries (units,)
        Points or polygons; each is one unit.
    classes : array of int64 (units,)
        Class codes; 0 where none is given.
    nomenclature : Nomenclature
        Their classes, at their level.
    strata : array of int64 (units,) or None
        Stratum that each unit was drawn from, where the file says so; 0 where it is missing.
    sizes : dict of int to int, or None
        Pixels of each stratum when the sample was drawn.
    remark : str
        What the codes were taken for, where another level has the same ones; else empty.
    """

    geometries: np.ndarray
    classes: np.ndarray
    nomenclature: Nomenclature
    strata: np.ndarray | None = None
    sizes: dict[int, int] | None = None
    remark: str = ""


def read_sample(
    path: str | os.PathLike[str],
    grid: Grid,
    nomenclature: Nomenclature,
    field: str | None = None,
    designs: Iterable[Path] = (),
) -> ReferenceSample:
    """Read reference points or polygons.

    Parameters
    ----------
    path : path
        A vector file with a CRS.
    grid : Grid
        The scene's grid.
    nomenclature : Nomenclature
        The classes that it may name, at any one level; codes that several levels have are of
        the level worked at, and ``remark`` says so.
    field : str, optional
        Field with class codes of one level, as numbers or text, or with names as the legend or
        the form writes them; "reference" by default. Empty or 0 is a unit without a class.
    designs : iterable of path
        Files that may hold the design of a sample that landcover drew.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing, unreadable, has no CRS, holds lines or several points in one
        feature, if the field is not there or holds other than class codes of one level, or
        codes that could be of several levels beside the one worked at, if the design of a drawn
        sample is not found, a point of it is there twice or was moved, or if a stratum of the
        sample's own design has several sizes.
    """
    field = field or CLASS
    frame = _read(path)
    if field not in frame.columns:
        fields = ", ".join(str(c) for c in frame.columns if c != frame.geometry.name)
        raise InputError(
            f"{path} has no field {field!r}; name the one with the class codes with "
            f"class_field=: {fields or 'there is none'}"
        )
    classes = _codes(frame[field], nomenclature, f"{path}, field {field}")
    held = nomenclature.holding(classes.tolist())
    geometries = frame.geometry.to_crs(grid.crs).to_numpy()
    remarks = [_without_geometry(frame.attrs[_WITHOUT]), _taken_for(classes, held)]
    sample = ReferenceSample(geometries, classes, held, remark=" ".join(filter(None, remarks)))
    design = design_of(frame, f"{path}", designs)
    if design is not None:
        strata, remark = strata_by(design, frame, geometries, grid, path)
        remark = " ".join(filter(None, [sample.remark, remark]))
        return replace(sample, strata=strata, sizes=design.sizes, remark=remark)
    if STRATUM in frame.columns and STRATUM_PX in frame.columns:
        strata, sizes = _design(frame, f"{path}")
        return replace(sample, strata=strata, sizes=sizes)
    return sample


def _without_geometry(features: int) -> str:
    """That features have no geometry, and are left out."""
    return f"{features} features without a geometry are left out." if features else ""


def _taken_for(classes: np.ndarray, nomenclature: Nomenclature) -> str:
    """What the codes of a sample are taken for, if other levels have them as other classes."""
    codes = np.unique(classes[classes != UNLABELLED]).tolist()
    others = [level for level in nomenclature.levels_of(codes) if level != nomenclature.level]
    if not others:
        return ""
    named = ", ".join(f"{code} {nomenclature.legend[code].name}" for code in codes)
    return (
        f"The codes of the reference were taken as classes of level {nomenclature.level}, that of "
        f"the map ({named}); level {' and '.join(map(str, others))} has the same codes for others."
    )


def write_sample(path: Path, grid: Grid, design: Design, legend: Legend) -> list[Path]:
    """Write drawn pixels as points of a GeoPackage, for somebody to fill in the class.

    QGIS opens it as a form. The file says nothing of strata: the design lies beside it.

    Parameters
    ----------
    path : path
        Where to; it must not exist, since it may hold days of somebody's work.
    grid : Grid
        Of the scene.
    design : Design
        The drawn pixels.
    legend : Legend
        Classes to choose among: all that may be there, not those of the map alone.

    Returns
    -------
    list of Path
        The points and their design.

    Raises
    ------
    LandcoverError
        If one of the files exists or cannot be written.
    """
    import geopandas
    import pandas
    import shapely

    require_new(path)
    columns = {
        ID: design.ids,
        CLASS: pandas.array([None] * len(design.ids), dtype="Int32"),
        KEY: [design.key] * len(design.ids),
    }
    points = shapely.points(design.x, design.y)
    frame = geopandas.GeoDataFrame(columns, geometry=points, crs=grid.crs)
    beside = design_path(path)
    with geopackage_when_whole(path) as package:
        # by the name that GeoPandas gives the layer of a file: writing the file again replaces it
        package.write(path.stem, frame)
        package.style(path.stem, form(grid, legend))
        write_design(beside, design)
    return [path, beside]


def form(grid: Grid, legend: Legend) -> str:
    """The style of a drawn sample: hollow squares of a pixel's size, and a form for the class."""
    width, height = grid.resolution
    rules = {
        _TO_DO: f'"{CLASS}" IS NULL',
        _UNSURE: f'"{CLASS}" = {UNLABELLED}',
        _DONE: f'"{CLASS}" > {UNLABELLED}',
    }
    rows = [
        (
            rule,
            words,
            hollow_square(_COLOURS[words], width, height, 0.6 if words == _TO_DO else 0.3),
        )
        for words, rule in rules.items()
    ]
    choices = [(_TO_DO, NO_VALUE), (_UNSURE, str(UNLABELLED)), *class_names(legend)]
    return by_rule(
        rows,
        Form({CLASS: choices}, {CLASS: "class seen"}, (_ROW, ID, KEY), f"'point ' || \"{ID}\""),
    )


def require_new(path: Path) -> None:
    """Raise InputError if a sample is there already, or the design of one."""
    if path.exists():
        raise InputError(
            f"{path} exists and may hold classes that somebody filled in; "
            f"move it away with its {SUFFIX}, or write elsewhere with out="
        )
    beside = design_path(path)
    if beside.exists():
        raise InputError(
            f"{beside} exists, and the sample that was drawn with it cannot be assessed without "
            "it; move it to its sample, or write elsewhere with out="
        )


def _read(path: str | os.PathLike[str]) -> geopandas.GeoDataFrame:
    """Every feature of a file, as points and polygons in one CRS."""
    layers = vectors.read_layers(
        path,
        "give a GeoPackage, GeoJSON or GeoParquet",
        "give points or polygons as GeoPackage, GeoJSON or GeoParquet",
    )
    held = {name: frame for name, frame in layers.items() if len(frame)}
    if not held:
        raise InputError(f"{path} holds no features; a sample needs points or polygons")
    vectors.require_one_layer(path, list(held), "features")
    frame = _units(next(iter(held.values())), path).reset_index(drop=True)
    _require_places(frame, path)
    _refuse_twice(frame, path)
    return frame


def _require_places(frame: geopandas.GeoDataFrame, path: str | os.PathLike[str]) -> None:
    """Raise InputError if coordinates are infinite or NaN."""
    lost = ~np.isfinite(frame.geometry.bounds.to_numpy()).all(axis=1)
    if lost.any():
        raise InputError(
            f"{path}: {int(lost.sum())} features have coordinates that are no finite numbers; "
            "correct or remove them"
        )


def _refuse_twice(frame: geopandas.GeoDataFrame, path: str | os.PathLike[str]) -> None:
    """Raise InputError if a point is there twice: it would count twice."""
    first: dict[tuple[float, float], int] = {}
    for row, place in enumerate(frame.geometry):
        if place.geom_type != "Point":
            continue
        other = first.setdefault((place.x, place.y), row)
        if other != row:
            raise InputError(
                f"{path}: points {other + 1} and {row + 1} are the same place ({place.x:.9g}, "
                f"{place.y:.9g}), which would count twice; remove one of them"
            )


def _units(frame: geopandas.GeoDataFrame, path: str | os.PathLike[str]) -> geopandas.GeoDataFrame:
    """Features that are one unit each: a point, or valid and flat polygons."""
    import shapely

    vectors.require_place(path, frame)
    given = frame.geometry.to_numpy()
    without = shapely.is_missing(given) | shapely.is_empty(given)
    frame = frame[~without]
    frame.attrs[_WITHOUT] = int(without.sum())
    geometries = shapely.force_2d(frame.geometry.to_numpy())
    kinds = frame.geom_type.to_numpy()
    several = (kinds == "MultiPoint") & (shapely.get_num_geometries(geometries) > 1)
    other = ~np.isin(kinds, _POINTS + _POLYGONS)
    if (several | other).any():
        raise InputError(
            f"{path} holds {'several points in one feature' if several.any() else kinds[other][0]}"
            "; each sampled unit is one point or one polygon: split or leave out the others"
        )
    is_point = np.isin(kinds, _POINTS)
    geometries[is_point] = shapely.get_parts(geometries[is_point])
    geometries[~is_point] = shapely.make_valid(geometries[~is_point])
    return frame.set_geometry(geometries, crs=frame.crs)


def _codes(values: pd.Series, nomenclature: Nomenclature, name: str) -> np.ndarray:
    """Class codes of one level; 0 where empty."""
    import pandas

    given = values.astype("string").str.strip().fillna("")
    text = given.replace(_codes_of_names(set(given), nomenclature))
    numbers = pandas.to_numeric(text.where(text != "", "0"), errors="coerce").to_numpy(float)
    wrong = ~np.isfinite(numbers) | (numbers != np.rint(numbers))
    codes = np.where(wrong, UNLABELLED, numbers).astype(np.int64)
    held = set(codes.tolist()) - {UNLABELLED}
    if wrong.any():
        known = nomenclature.legend.classes[-1]
        raise InputError(
            f"{name} holds {text[wrong].iloc[0]!r}, which is no class code or name; "
            f"give class codes such as {known.code}, or names such as {known.name!r}, and nothing "
            "or 0 where the class is not known"
        )
    if not held:
        raise InputError(f"{name} {_without_a_class(text)}")
    known_codes = {code for legend in nomenclature.levels for code in legend.codes}
    if held - known_codes:
        unknown = ", ".join(map(str, sorted(held - known_codes)[:8]))
        raise InputError(
            f"{name} holds {unknown}, which {nomenclature.title} lacks; give codes of its legend"
        )
    try:
        nomenclature.level_of(held)
    except LandcoverError as error:
        raise InputError(f"{name}: {error}") from None
    return codes


def _codes_of_names(texts: set[str], nomenclature: Nomenclature) -> dict[str, str]:
    """Codes of the texts that are names, as the legend or the form writes them.

    Levels share some names, such as CORINE's Pastures: the level worked at counts first, then the
    finest, and one that has all of the names before the others.
    """
    order = sorted(range(len(nomenclature.levels), 0, -1), key=lambda n: n != nomenclature.level)
    by_level = [_names(nomenclature.at(level).legend) for level in order]
    named = texts & set().union(*by_level)
    whole = [names for names in by_level if named <= names.keys()]
    known = {text: code for names in reversed([*whole, *by_level]) for text, code in names.items()}
    not_seen = {_TO_DO: "", _UNSURE: str(UNLABELLED)}
    return {text: code for text, code in (not_seen | known).items() if text in texts}


def _names(legend: Legend) -> dict[str, str]:
    """Code of every name that one class alone has, and of what the form shows of a class."""
    often = Counter(legend.names)
    alone = {c.name: str(c.code) for c in legend.classes if often[c.name] == 1}
    return alone | dict(class_names(legend))


def _without_a_class(text: pd.Series) -> str:
    """What there is to say of a field that names no class."""
    unsure = int((text != "").sum())
    if not unsure:
        return "is empty; fill in the class that is seen at each place"
    where = f"all {unsure}" if unsure == len(text) else f"{unsure} of {len(text)}"
    others = "" if unsure == len(text) else " and is empty at the others"
    return (
        f"says {_UNSURE!r} ({UNLABELLED}) at {where} places{others}, so nothing can be estimated; "
        "fill in the class wherever it can be seen"
    )


def _design(frame: geopandas.GeoDataFrame, name: str) -> tuple[np.ndarray, dict[int, int]]:
    """Stratum of each unit, 0 where there is none, and the pixels of every stratum."""
    strata = frame[STRATUM].fillna(0).astype(np.int64)
    of_stratum = frame.loc[strata > 0, STRATUM_PX].groupby(strata[strata > 0])
    spoilt = of_stratum.nunique(dropna=False) != 1
    if spoilt.any() or not len(of_stratum):
        which = (
            f"stratum {spoilt.index[spoilt][0]} has several sizes" if len(spoilt) else "is empty"
        )
        raise InputError(
            f"{name}: {which} in its field {STRATUM_PX}; restore the fields "
            f"{STRATUM} and {STRATUM_PX} as they were drawn, or remove them"
        )
    sizes = of_stratum.first()
    return strata.to_numpy(), {int(k): int(v) for k, v in sizes.items()}


def classes_of(path: Path, grid: Grid, geometries: np.ndarray) -> np.ndarray:
    """Class of each unit in a raster: of a point its pixel's, of a polygon the most frequent one.

    Parameters
    ----------
    path : path
        Class raster.
    grid : Grid
        Its grid.
    geometries : array of shapely geometries (units,)
        Points and polygons in the CRS of the grid.

    Returns
    -------
    array of int64 (units,)
        0 where the raster is empty, -1 outside the grid. A polygon takes the pixels whose centre
        it holds; where two classes have as many, the lower code. One that holds no centre takes
        the pixel of a point inside it.
    """
    import shapely

    classes = classes_amid(path, grid, geometries)
    placed = _placed(geometries)
    overlap = shapely.area(shapely.intersection(geometries[placed], shapely.box(*grid.bounds)))
    for unit in track(placed[overlap > 0].tolist(), f"reading {path.name}"):
        held = _classes_inside(path, grid, geometries[unit])
        if held:
            mapped = {code: n for code, n in held.items() if code != UNLABELLED}
            classes[unit] = min(mapped, key=lambda code: (-mapped[code], code), default=UNLABELLED)
    return classes


def classes_amid(path: Path, grid: Grid, geometries: np.ndarray) -> np.ndarray:
    """Class at one point of each unit, of a polygon one amid it; values as `classes_of`.

    Where a plot lies about a drawn pixel that pixel's class is the stratum of the plot.
    """
    units, rows, cols = pixels_amid(grid, geometries)
    classes = np.full(geometries.size, -1, np.int64)
    classes[units] = classes_at(path, grid, rows, cols)
    return classes


def pixels_amid(grid: Grid, geometries: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The units that lie on a grid, and the row and column of one point of each."""
    import shapely

    placed = _placed(geometries)
    points = shapely.point_on_surface(geometries[placed])
    rows, cols = grid.rowcol(shapely.get_x(points), shapely.get_y(points))
    within = (rows >= 0) & (rows < grid.rows) & (cols >= 0) & (cols < grid.cols)
    return placed[within], rows[within], cols[within]


def shared_pixels(grid: Grid, geometries: np.ndarray, classes: np.ndarray) -> str | None:
    """A sentence on points that share a pixel with another; None where none does.

    Points at chance places may meet in one pixel, as a sample drawn with replacement does, and then
    each counts. A pixel that somebody looked at twice is one unit.
    """
    import shapely

    points = np.flatnonzero(shapely.get_dimensions(geometries) == 0)
    units, rows, cols = pixels_amid(grid, geometries[points])
    pixel, counts = np.unique(rows * grid.cols + cols, return_inverse=True, return_counts=True)[1:]
    shared = counts[pixel] > 1
    if not shared.any():
        return None
    held = np.unique(np.stack([pixel[shared], classes[points[units[shared]]]]), axis=1)[0]
    unlike = int((np.unique(held, return_counts=True)[1] > 1).sum())
    apart = f"; in {unlike} of these pixels their classes differ" if unlike else ""
    return (
        f"{int(shared.sum())} points share a pixel with another ({int((counts > 1).sum())} "
        f"pixels){apart}. Each counts, as in a sample drawn with replacement; if a pixel was "
        "looked at twice instead, the intervals are too narrow: keep one point a pixel."
    )


def classes_at(path: Path, grid: Grid, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Classes of single pixels; every part of the raster that holds some is read once."""
    classes = np.zeros(rows.size, np.int64)
    size = rasters.WINDOW_PX
    for part in np.unique(np.stack([rows // size, cols // size], axis=1), axis=0).tolist():
        row, col = part[0] * size, part[1] * size
        window = Window(row, col, min(size, grid.rows - row), min(size, grid.cols - col))
        here = (rows // size == part[0]) & (cols // size == part[1])
        classes[here] = rasters.read_classes(path, window)[rows[here] - row, cols[here] - col]
    return classes


def _placed(geometries: np.ndarray) -> np.ndarray:
    """Which geometries the grid's CRS can express; the others have infinite coordinates."""
    import shapely

    return np.flatnonzero(np.isfinite(shapely.bounds(geometries)).all(axis=1))


def _classes_inside(path: Path, grid: Grid, polygon: shapely.Geometry) -> Counter[int]:
    """Pixels of each class, 0 too, whose centre a polygon holds."""
    held: Counter[int] = Counter()
    whole = vectors.aoi_window(polygon, grid)
    for part in grid.crop(whole).windows(rasters.WINDOW_PX):
        window = Window(whole.row + part.row, whole.col + part.col, part.rows, part.cols)
        classes = rasters.read_classes(path, window)[vectors.inside(polygon, grid, window)]
        codes, counts = np.unique(classes, return_counts=True)
        held.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
    return held
