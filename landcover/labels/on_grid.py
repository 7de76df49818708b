"""Class rasters of any grid on that of the scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters, styles, vectors
from landcover.grid import Grid
from landcover.legend import Legend, corine_recoder, to_level
from landcover.progress import track

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def write_classes(
    path: Path, source: Path, grid: Grid, area: BaseGeometry | None, level: int
) -> list[Path]:
    """A class raster brought to the grid by nearest neighbour, at a level of the legend."""
    windows = list(grid.windows(rasters.WINDOW_PX))
    with rasters.open_on_grid(source, grid) as warped:
        values: set[float] = set()
        for window in track(windows, f"Reading {source.name}"):
            values.update(np.unique(rasters.read_window(warped, window, [1])).tolist())
        try:
            recode = corine_recoder(values)
        except LandcoverError as error:
            raise LandcoverError(f"{source}: {error}") from None
        codes = set(to_level(recode(np.array(sorted(values))), level).tolist()) - {0}
        if len(codes) < 2:
            held = f"only class {codes.pop()}" if codes else "no labelled pixel"
            raise LandcoverError(
                f"{source} has {held} within the scene; at least two classes are needed: "
                "take a larger scene or a finer level="
            )
        legend = Legend.corine(level).subset(codes)
        with rasters.RasterWriter(path, grid, np.uint16, ["class"], 0, legend) as out:
            for window in track(windows, f"Writing {path.name}"):
                labels = to_level(recode(rasters.read_window(warped, window, [1])[0]), level)
                if area is not None:
                    labels[~vectors.inside(area, grid, window)] = 0
                out.write(labels, window)
    return [path, styles.write_qml(path, legend)]


def _require_overlap(source: Path, grid: Grid) -> None:
    """Refuse a class raster that lies elsewhere, naming both extents."""
    from rasterio.warp import transform_bounds

    own = rasters.grid_of(source)
    west, south, east, north = transform_bounds(grid.crs, own.crs, *grid.bounds)
    theirs = own.bounds
    if west >= theirs[2] or east <= theirs[0] or south >= theirs[3] or north <= theirs[1]:
        scene = ", ".join(f"{v:.6g}" for v in (west, south, east, north))
        raise LandcoverError(
            f"{source} does not overlap the scene: it spans {', '.join(f'{v:.6g}' for v in theirs)}"
            f" (W S E N in {own.crs.to_string()}) and the scene {scene}; "
            "give the raster of the scene's region"
        )
