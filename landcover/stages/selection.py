"""Which map is best where there is no truth: agreement with refined labels.

Agreement with coarse labels favours maps that repeat their coarseness. Refined labels (see
`denoise`) follow the image, and in test blocks neither they nor the maps have seen the labels
that they are compared on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landcover.files import rasters
from landcover.legend import UNLABELLED
from landcover.progress import track
from landcover.run import Run
from landcover.samples.blocks import TEST
from landcover.samples.rows import read_rows
from landcover.samples.split import read_blocks
from landcover.stages.denoise import is_made


def criteria(run: Run, names: Sequence[str]) -> dict[str, float] | None:
    """Share of the test blocks' pixels that each map has as the refined labels have them.

    Parameters
    ----------
    run : Run
        Run folder with maps.
    names : sequence of str
        Their models.

    Returns
    -------
    dict or None
        A number from 0 to 1 a model; None where the run has no refined labels of its present
        scene, labels and split.
    """
    if not run.samples.exists() or not is_made(run, read_rows(run, "labels")):
        return None
    blocks, grid = read_blocks(run), rasters.grid_of(run.refined_labels)
    pixels, same = 0, dict.fromkeys(names, 0)
    for window in track(list(grid.windows(rasters.WINDOW_PX)), "comparing with refined labels"):
        rows = np.arange(window.row, window.row + window.rows)[:, np.newaxis]
        cols = np.arange(window.col, window.col + window.cols)[np.newaxis]
        refined = rasters.read_classes(run.refined_labels, window)
        judged = (blocks.split_of(rows, cols) == TEST) & (refined != UNLABELLED)
        pixels += int(judged.sum())
        for name in names if judged.any() else ():
            found = rasters.read_classes(run.map(name), window)
            same[name] += int((found == refined)[judged].sum())
    return {name: count / pixels for name, count in same.items()} if pixels else None
