"""What is read of a run to decide whether its labels are refined."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.labels.decision import Decision, decide, is_open, prove
from landcover.labels.evidence import (
    WIDTHS,
    drawn,
    evidence,
    found_cores,
    out_of_fold,
    surroundings,
)
from landcover.labels.fineness import BESIDE_M, Fineness, fineness
from landcover.legend import UNLABELLED
from landcover.progress import track
from landcover.run import Run
from landcover.samples.chips import read_chips
from landcover.samples.rows import Rows
from landcover.stages.run_legend import read_nomenclature

#: Labels are measured in so many windows of this side at most, spread over the scene.
_WINDOWS, _WINDOW_PX = 9, 1024
#: Chips looked at together.
_CHIPS = 4096


@dataclass(frozen=True)
class Judge:
    """Samples by which labels and refined labels are judged in blocks left out.

    Attributes
    ----------
    part : array of int (samples,)
        Rows of the sample table.
    values : array of float32 (samples, inputs)
        What forests see.
    labels, blocks : array of int (samples,)
        Positions of their labels, and their blocks.
    core : array of bool (samples,)
        Away from borders between labels.
    probabilities : array of float (samples, classes)
        Of forests that learn labels as they are.
    """

    part: np.ndarray
    values: np.ndarray
    labels: np.ndarray
    blocks: np.ndarray
    core: np.ndarray
    probabilities: np.ndarray

    def proven(self, decision: Decision, targets: np.ndarray) -> Decision:
        """The decision, taken back where refined labels (samples,) serve worse than labels."""
        refined = out_of_fold(self.values, targets, self.blocks, self.probabilities.shape[1])
        both = (self.probabilities, refined)
        plain, better = (found_cores(found, self.labels, self.core) for found in both)
        return prove(decision, (plain, better))


#: Small segments of each class to what is done with labels, and what proves it.
Deciding = Callable[[np.ndarray], tuple[Decision, Judge | None]]


def deciding(run: Run, rows: Rows, grid: Grid, beside: Executor) -> Deciding:
    """Begin to judge the labels of a run, and give what decides what is done with them.

    Forests are grown beside whatever is done meanwhile: they need neither segments nor teachers.

    Parameters
    ----------
    run : Run
        Run folder with scene, labels and samples.
    rows : Rows
        What is learnt; only training and validation rows are looked at.
    grid : Grid
        Of the scene.
    beside : concurrent.futures.Executor
        Whose thread grows them.

    Returns
    -------
    callable
        Small segments most of whose pixels carry the label of each class, int (classes,), to the
        decision, and to the judge by which refined labels are to be proven; no judge where labels
        stay.
    """
    part = np.concatenate([rows.train, rows.validation])
    about = _fineness(run, grid), len(np.unique(rows.samples["block"].to_numpy()[part])), len(part)
    if not is_open(*about):
        return lambda _segments: (decide(*about, []), None)
    part = drawn(part)
    at_row, at_col = (rows.samples[axis].to_numpy()[part] for axis in ("row", "col"))
    seen = _values(run, at_row, at_col)
    labels, blocks = rows.targets(part), rows.samples["block"].to_numpy()[part]
    core = _core(run, grid, at_row, at_col)
    judging = beside.submit(out_of_fold, seen, labels, blocks, len(rows.legend))

    def decision_of(segments: np.ndarray) -> tuple[Decision, Judge | None]:
        judge = Judge(part, seen, labels, blocks, core, judging.result())
        known = evidence(judge.probabilities, labels, core, blocks, segments.tolist())
        decision = decide(*about, known)
        return decision, judge if decision.reason is None else None

    return decision_of


def _fineness(run: Run, grid: Grid) -> Fineness:
    """How fine the labels are, measured in windows spread over the scene."""
    windows = list(grid.windows(_WINDOW_PX))
    places = np.linspace(0, len(windows) - 1, min(_WINDOWS, len(windows))).round().astype(int)
    read = (
        (rasters.read(run.scene, windows[k]), rasters.read_classes(run.labels, windows[k]))
        for k in track(places.tolist(), "measuring labels")
    )
    pixel_ha = float(grid.pixel_areas_ha([grid.rows // 2], [grid.cols // 2])[0])
    return fineness(read, pixel_ha, max(1, round(grid.length_px(BESIDE_M))))


def _values(run: Run, at_row: np.ndarray, at_col: np.ndarray) -> np.ndarray:
    """What forests see of samples, float32 (samples, inputs); chips are not kept beside them."""
    chips = read_chips(lambda window: rasters.read(run.scene, window), at_row, at_col, max(WIDTHS))
    parts = range(0, len(at_row), _CHIPS)
    return np.concatenate([surroundings(chips[k : k + _CHIPS]) for k in parts])


def _core(run: Run, grid: Grid, at_row: np.ndarray, at_col: np.ndarray) -> np.ndarray:
    """Which samples have no other label within reach of where borders may have moved."""
    reach = math.ceil(grid.length_px(read_nomenclature(run).border_m))

    def read(window: Window) -> np.ndarray:
        return rasters.read_classes(run.labels, window)[np.newaxis].astype(np.float32)

    away = np.hypot(*np.indices((2 * reach + 1,) * 2) - reach)
    near = away.ravel() < grid.length_px(read_nomenclature(run).border_m)
    around = read_chips(read, at_row, at_col, 2 * reach + 1)
    core = np.empty(len(at_row), bool)
    for start in range(0, len(core), _CHIPS):
        labels = around[start : start + _CHIPS].reshape(-1, (2 * reach + 1) ** 2)
        own = labels[:, labels.shape[1] // 2, np.newaxis]
        other = (labels != own) & (labels != UNLABELLED) & near
        core[start : start + _CHIPS] = ~other.any(axis=1)
    return core
