"""What models of tiles learn from: the run's scene or dates, its labels, and its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from landcover.classifiers.protocol import Inputs
from landcover.errors import InputError, typed
from landcover.files import rasters
from landcover.grid import Window, in_metres
from landcover.labels.origin import RASTER_AND_POLYGONS
from landcover.run import Run
from landcover.samples.blocks import Blocks
from landcover.samples.labelled_tiles import FIELD_PX, Ground
from landcover.samples.stacked import Stacked
from landcover.scene.sequence import Dates
from landcover.stages.inputs import read_blocks
from landcover.stages.targets import labels_raster
from landcover.stages.train_years import labels_of_years
from landcover.stages.truths import labels_from


def tile_ground(
    run: Run, inputs: Inputs, targets: str, denoise: str | None, years: Sequence[int] = ()
) -> Ground:
    """What tiles of a run are cut from; its labels are read when tiles are cut.

    With `years`, the dates of each have labels of that year (`train_years.years_to_learn`).

    Raises
    ------
    InputError
        If the run's guard is narrower than what a prediction sees, or labels are denoised in a way
        that is for samples alone.
    """
    of_years = labels_of_years(run, years, denoise)
    labels = run.labels if years else labels_raster(run, targets, denoise)
    blocks = read_blocks(run)
    _require_guard(run, blocks)
    scene, names, dates = run.require("scene"), inputs.bands, 1
    if inputs.dates is not None:
        held = Dates(inputs.dates.days, inputs.bands)
        scene, names, dates = run.require("sequence"), held.names, len(held.days)
    stacked = Stacked.of([scene], names)

    refined_beside = labels == run.refined_labels and labels_from(run) == RASTER_AND_POLYGONS

    def read_labels(window: Window) -> np.ndarray:
        codes = rasters.read_classes(labels, window)
        if not (refined_beside and run.polygons.exists()):
            return codes
        # polygons that lead over coarse labels are never refined
        led = rasters.read(run.polygons, window)[0] > 0
        return np.where(led, rasters.read_classes(run.labels, window), codes)

    grid = rasters.grid_of(scene)
    if inputs.dates is None or not years:
        return Ground(grid, stacked.read, dates, read_labels, blocks)
    of_day = np.array([int(day[:4]) for day in inputs.dates.days])
    parts = [(of_day == year, partial(rasters.read_classes, of_years[year])) for year in years]
    return Ground(grid, stacked.read, dates, read_labels, blocks, parts)


def _require_guard(run: Run, blocks: Blocks) -> None:
    """Raise InputError if what is tested would see what is learnt."""
    if blocks.guard_px < FIELD_PX:
        side_m = rasters.grid_of(run.scene).pixel_m
        raise InputError(
            f"a prediction of tiles sees {in_metres(FIELD_PX, side_m)} around a pixel, and the "
            f"run's guard is {in_metres(blocks.guard_px, side_m)}: tested pixels would see those "
            "that are learnt; draw the samples again: "
            f"landcover sample {typed(run.path)} --max-patch {2 * FIELD_PX + 1}"
        )
