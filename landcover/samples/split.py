"""The split of a run, read back and checked against the run's scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.run import Run, read_json

if TYPE_CHECKING:
    from landcover.samples.blocks import Blocks


def read_blocks(run: Run) -> Blocks:
    """The blocks that the samples of a run were drawn from.

    Raises
    ------
    LandcoverError
        If splits.json is missing, damaged, or of another scene than the run's.
    """
    from landcover.samples.blocks import Blocks

    content = read_json(run.require("splits"))
    again = f"draw the samples again: python sample_raster.py {run.path}"
    try:
        blocks = Blocks.from_dict(content)
    except (KeyError, TypeError, ValueError) as error:
        raise LandcoverError(f"{run.splits} is damaged ({error}); {again}") from error
    shape = rasters.grid_of(run.require("scene")).shape
    if (blocks.rows, blocks.cols) != shape or blocks.splits.shape != blocks.shape:
        raise LandcoverError(
            f"{run.splits} is of a scene of {blocks.rows} x {blocks.cols} pixels and "
            f"{run.scene} has {shape[0]} x {shape[1]}; {again}"
        )
    return blocks
