"""What stages read of a run folder: its blocks, its sample table, and rows to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from landcover.files import rasters
from landcover.run import Run
from landcover.samples import rows as sample_rows
from landcover.samples.blocks import Blocks
from landcover.samples.rows import Rows
from landcover.scene.feature_names import Layers
from landcover.stages.run_legend import read_nomenclature

if TYPE_CHECKING:
    import pandas as pd


def read_blocks(run: Run) -> Blocks:
    """The blocks that the samples of a run were drawn from.

    Raises
    ------
    LandcoverError
        If splits.json is missing, damaged, or of another scene than the run's.
    """
    return Blocks.read(run.require("splits"), run.require("scene"))


def read_rows(run: Run, targets: str) -> Rows:
    """Read the sample table and deal its rows to their purposes.

    Parameters
    ----------
    run : Run
        Run folder with samples.
    targets : {"labels", "reference"}
        What is learnt.
    """
    sample_rows.column_of(targets)
    samples = sample_rows.read_samples(run.require("samples"))
    read_blocks(run)  # a split of another scene has other samples than the scene's
    return sample_rows.deal_rows(samples, targets, run.samples, read_nomenclature(run))


def pixel_inputs(run: Run, samples: pd.DataFrame, chosen: Sequence[str] | None = None) -> Layers:
    """What is seen of the scene; see `samples.rows.pixel_inputs`."""
    bands = rasters.band_names(run.require("scene"))
    return sample_rows.pixel_inputs(samples, bands, run.samples, chosen)
