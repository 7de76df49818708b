"""What models of tiles learn from: the run's scene or dates, its labels, and its blocks."""

from __future__ import annotations

import numpy as np

from landcover.classifiers.protocol import Inputs
from landcover.errors import InputError, typed
from landcover.files import rasters
from landcover.grid import Window, in_metres
from landcover.run import Run
from landcover.samples.blocks import Blocks
from landcover.samples.labelled_tiles import FIELD_PX, Ground
from landcover.samples.stacked import Stacked
from landcover.scene.sequence import Dates
from landcover.stages.inputs import read_blocks
from landcover.stages.targets import labels_raster


def tile_ground(run: Run, inputs: Inputs, targets: str, denoise: str | None) -> Ground:
    """What tiles of a run are cut from; its labels are read when tiles are cut.

    Raises
    ------
    InputError
        If the run's guard is narrower than what a prediction sees, or labels are denoised in a way
        that is for samples alone.
    """
    labels = labels_raster(run, targets, denoise)
    blocks = read_blocks(run)
    _require_guard(run, blocks)
    scene, names, dates = run.require("scene"), inputs.bands, 1
    if inputs.dates is not None:
        held = Dates(inputs.dates.days, inputs.bands)
        scene, names, dates = run.require("sequence"), held.names, len(held.days)
    stacked = Stacked.of([scene], names)

    def read_labels(window: Window) -> np.ndarray:
        return rasters.read_classes(labels, window)

    return Ground(rasters.grid_of(scene), stacked.read, dates, read_labels, blocks)


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
