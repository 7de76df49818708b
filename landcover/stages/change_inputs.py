"""What changes are found between: grids and patches that fit, and products that replace nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from landcover.classifiers.models import Model
from landcover.errors import InputError, typed
from landcover.files import rasters
from landcover.grid import Grid, same_crs
from landcover.maps.change_rasters import RASTERS
from landcover.maps.dates import DATES
from landcover.run import Run
from landcover.stages.models import run_of
from landcover.stages.scenes import crs_name

#: Side of a patch in metres: that of EuroSAT's chips, and more than CORINE's 25 ha.
PATCH_M = 640.0
#: Smallest side of a patch, pixels.
LEAST_PATCH_PX = 8
#: Wider ones of all 44 classes would take more than some 500 MB.
MOST_PATCH_PX = 512


def require_patch(patch_px: int | None) -> None:
    """Raise InputError if patches of a side that was given are too small or too large."""
    if patch_px is not None and not LEAST_PATCH_PX <= patch_px <= MOST_PATCH_PX:
        raise InputError(
            f"patches of {patch_px} px are out of range; choose {LEAST_PATCH_PX} to {MOST_PATCH_PX}"
        )


def patch_of(patch_px: int | None, grid: Grid) -> int:
    """The side of patches in pixels, by default so many as `PATCH_M` has."""
    if patch_px is not None:
        return patch_px
    return min(max(grid.pixels(PATCH_M), LEAST_PATCH_PX), MOST_PATCH_PX)


def common_grid(paths: Sequence[Path], scenes: Sequence[Path]) -> Grid:
    """The grid of both scenes; of two reference systems, the error says how to get there."""
    grid, other = (rasters.grid_of(scene) for scene in scenes)
    if not same_crs(grid.crs, other.crs):
        names = [crs_name(held) for held in (grid, other)]
        raise InputError(
            f"{paths[0]} is in {names[0]} and {paths[1]} in {names[1]}, and dates are compared "
            "pixel by pixel; prepare both on one grid, cut to the same box: landcover "
            f"prep --bands B02.tif B03.tif B04.tif B08.tif --to-crs {typed(names[0])} --out RUN"
        )
    grid.require_equal(other, str(scenes[0]), str(scenes[1]))
    return grid


def require_apart(
    out: Run, paths: Sequence[Path], scenes: Sequence[Path], model: Model | None
) -> None:
    """Raise InputError if products would go among those of a run, or replace an input.

    By whatever links it is given.
    """
    if out.scene.exists():
        raise InputError(
            f"out={out.path} is a run folder with a scene of its own ({out.scene}); give a folder "
            f"for what changed, such as out={out.path / 'change'}"
        )
    written = [out.path / name for name in RASTERS]
    read = [*paths, *scenes]
    if model is not None:
        runs = [Run(out.path / date) for date in DATES]
        written += [path for run in runs for path in (run.path, run.scene, run.path / "maps")]
        read += [run_of(model).path, *(path / "maps" for path in paths)]
    for product, held in itertools.product(written, read):
        if product.exists() and held.exists() and product.samefile(held):
            raise InputError(
                f"out={out.path} would write over the input {held}, by {product}; inputs stay "
                "as they are, so give another out="
            )
