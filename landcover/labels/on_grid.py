"""Class rasters of any grid on that of the scene."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, vectors
from landcover.files.ahead import read_ahead
from landcover.files.class_rasters import class_writer
from landcover.files.masks import alpha_bands
from landcover.files.opening import VectorDataError, root_cause
from landcover.files.raster_names import RasterName
from landcover.files.styles import qml_path
from landcover.grid import Grid, Window
from landcover.labels.schemes import Coding, counted
from landcover.legend import UNLABELLED, Nomenclature
from landcover.progress import track

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: What pixels of a label raster have that hold 0 or nodata.
NO_LABEL = "no label"


def read_values(source: RasterName, grid: Grid) -> set[float]:
    """The distinct values of a class raster on a grid, without its own nodata."""
    values: set[float] = set()
    require_classes(source)
    with rasters.open_on_grid(source, grid, alpha=True) as warped:
        windows = track(list(grid.windows(rasters.WINDOW_PX)), f"Reading {Path(source).name}")
        for _, part in read_ahead(windows, partial(rasters.read_or_nan, warped)):
            values.update(counted(part)[0].tolist())
    return {value for value in values if np.isfinite(value)}


def require_classes(source: RasterName) -> None:
    """Refuse what is no raster of classes: several bands, of which any could be meant, or a scale.

    An alpha band is none of them. Classes have codes, which no scale or offset may change.
    """
    with rasters.open_raster(source) as dataset:
        alpha = alpha_bands(dataset)
        bands = [number for number in dataset.indexes if number not in alpha]
        if len(bands) > 1:
            held = ", ".join(dataset.descriptions[n - 1] or "unnamed" for n in bands[:4])
            raise InputError(
                f"{source} has {len(bands)} bands ({held}{', ...' if bands[4:] else ''}), and a "
                "raster of classes has one; take the one that is meant out of it, for example "
                f"with: rio stack FILE NEW.tif --bidx {bands[0]}"
            )
        tags = {(dataset.scales[n - 1], dataset.offsets[n - 1]) for n in bands} - {(1.0, 0.0)}
        for scale, offset in tags:
            raise InputError(
                f"{source} has the scale {scale:g} and the offset {offset:g} in its tags, and a "
                "raster of classes holds codes as they are; save it with the codes that are meant "
                "and without these tags"
            )


def write_classes(
    path: Path,
    source: RasterName,
    grid: Grid,
    area: BaseGeometry | None,
    coding: Coding,
    nomenclature: Nomenclature,
    values: set[float],
) -> tuple[list[Path], Counter[float]]:
    """Bring a class raster to the grid by nearest neighbour, at a level of the legend.

    Parameters
    ----------
    path, source : path
        Where to, and the raster in any CRS.
    grid : Grid
        Of the scene.
    area : shapely geometry, optional
        Outside it there are no labels.
    coding : Coding
        What the raster's values mean.
    nomenclature : Nomenclature
        The classes at the level to write, that of the coding or a coarser one.
    values : set of float
        From `read_values`.

    Returns
    -------
    products : list of Path
        The raster and its style.
    pixels : Counter
        Pixels of each of its values within the area.

    Raises
    ------
    InputError
        If fewer than two classes lie within the scene, or the level is finer than the values.
    """
    theirs, level = coding.nomenclature, nomenclature.level
    if level > theirs.level:
        raise InputError(
            f"{source} holds classes of level {theirs.level} ({coding}), which level {level} "
            f"would part; choose level={theirs.level}"
        )

    def codes_of(values: np.ndarray) -> np.ndarray:
        return theirs.coarser(coding.recode(values), level)

    codes = set(codes_of(np.array(sorted(values))).tolist()) - {UNLABELLED}
    if len(codes) < 2:
        found = f"only class {codes.pop()}" if codes else "no labelled pixel"
        raise InputError(
            f"{source} has {found} within the scene; at least two classes are needed: take a "
            + ("larger scene" if level == theirs.level else f"larger scene, or level={level + 1}")
        )
    legend, pixels = nomenclature.legend.subset(codes), Counter[float]()
    with (
        rasters.open_on_grid(source, grid, alpha=True) as warped,
        class_writer(path, grid, legend) as out,
    ):
        windows = track(list(grid.windows(rasters.WINDOW_PX)), f"Writing {path.name}")
        for window, part in read_ahead(windows, partial(rasters.read_or_nan, warped)):
            labels = codes_of(part)
            if area is not None:
                inside = vectors.inside(area, grid, window)
                labels[~inside] = UNLABELLED
                part = part[inside]
            distinct, counts = counted(part)
            for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
                pixels[value] += count
            out.write(labels, window)
    return [path, qml_path(path)], pixels


def became(
    pixels: Counter[float], coding: Coding, nomenclature: Nomenclature
) -> list[dict[str, object]]:
    """What each value of a label raster became, with its share of the scene, the commonest first.

    Values that stand for no class are counted together, under code 0: as `NO_LABEL` where they
    are 0 or nodata alone.
    """
    values = np.array(sorted(value for value in pixels if np.isfinite(value)), float)
    codes = coding.nomenclature.coarser(coding.recode(values), nomenclature.level)
    total, unlabelled = sum(pixels.values()), sum(pixels.values())
    found: list[dict[str, object]] = []
    held = zip(values.tolist(), codes.tolist(), strict=True)
    for value, code in sorted(held, key=lambda pair: -pixels[pair[0]]):
        if code != UNLABELLED:
            unlabelled -= pixels[value]
            name, share = nomenclature.legend[code].name, pixels[value] / total
            found.append({"value": int(value), "code": code, "name": name, "share": share})
    if unlabelled:
        share = unlabelled / total
        others = values[(codes == UNLABELLED) & (values != UNLABELLED)]
        name = "unlabelled" if others.size else NO_LABEL
        found.append({"value": None, "code": UNLABELLED, "name": name, "share": share})
    return found


def cell_size_m(source: RasterName, grid: Grid) -> float:
    """Side on the ground of the pixels that a raster has in the middle of a grid, metres."""
    from rasterio.warp import transform

    own = rasters.grid_of(source)
    x, y = grid.xy((grid.rows - 1) / 2, (grid.cols - 1) / 2)
    (there_x,), (there_y,) = transform(grid.crs, own.crs, [float(x)], [float(y)])
    row, col = own.rowcol(there_x, there_y)
    inside = np.clip(row, 0, own.rows - 1), np.clip(col, 0, own.cols - 1)
    pixel = own.crop(Window(int(inside[0]), int(inside[1]), 1, 1))
    return float(np.mean(pixel.pixel_size_m))


def require_overlap(source: RasterName, grid: Grid) -> None:
    """Refuse a class raster that lies elsewhere, naming both extents."""
    try:
        own = rasters.grid_of(source)
    except VectorDataError as error:
        raise InputError(
            f"{error}, and polygons that have classes with polygons= and class_field="
        ) from None
    require_shared_ground(source, own, grid)


def require_shared_ground(source: RasterName, own: Grid, grid: Grid) -> None:
    """Refuse a raster, by its own grid, that lies elsewhere than a scene; naming both extents."""
    from rasterio.warp import transform_bounds

    try:
        west, south, east, north = transform_bounds(grid.crs, own.crs, *grid.bounds)
    except Exception as error:  # GDAL's errors share no public base class
        raise InputError(
            f"{source} has a CRS that the scene's cannot be brought to ({root_cause(error)}"
            f"): {own.crs.to_wkt()[:60]}...; assign the true one, for example with: "
            "rio edit-info --crs EPSG:CODE FILE"
        ) from error
    theirs = own.bounds
    if west >= theirs[2] or east <= theirs[0] or south >= theirs[3] or north <= theirs[1]:
        scene = ", ".join(f"{v:.6g}" for v in (west, south, east, north))
        raise InputError(
            f"{source} does not overlap the scene: it spans {', '.join(f'{v:.6g}' for v in theirs)}"
            f" (W S E N in {own.crs.to_string()}) and the scene {scene}; "
            "give the raster of the scene's region"
        )
