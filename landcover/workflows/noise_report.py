"""What is doubtful about the labels of a run, as a table that a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landcover import rasters, reports
from landcover.legend import UNLABELLED, Legend
from landcover.progress import track
from landcover.runs import Run, replace_when_whole, write_json

#: Upper ends of the ranges of distance to a border between labels, in pixels.
DISTANCES_PX = (5, 10, 20, np.inf)
#: 100 m cells, and the share of a cell that a second class must hold for the cell to straddle.
CELL_PX, STRADDLES = 10, 0.1
_NODATA = 255


@dataclass
class Counts:
    """What one pass over the rasters counts.

    Attributes
    ----------
    confidence : array of int64 (distances, 101, 2)
        Pixels by distance, confidence in percent, and whether the label is right (1). Without a
        reference all count as wrong (0).
    hidden, real : array of int64 (labels, classes)
        Pixels by label and likeliest class, and by label and class of the reference.
    class_confidence : array of float (labels,)
        Sum of the confidence of each label's pixels.
    cells, straddling : int
        Whole 100 m cells, and those in which the likeliest classes are two or more.
    """

    confidence: np.ndarray
    hidden: np.ndarray
    real: np.ndarray
    class_confidence: np.ndarray
    cells: int = 0
    straddling: int = 0


def write_report(
    run: Run, legend: Legend, priors: np.ndarray, transition: np.ndarray
) -> list[Path]:
    """Write label_noise.md and label_noise.json from the rasters that `denoise` has written.

    Parameters
    ----------
    run : Run
        Run folder with labels, label_confidence.tif and refined_labels.tif.
    legend : Legend
        Classes that were learnt.
    priors : array (classes,)
        Share of each label among the samples that were learnt.
    transition : array (classes, labels)
        From `label_noise.transitions`.
    """
    counts = _count(run, legend)
    facts = {
        "classes": _classes(counts, legend, priors, transition, run.reference.exists()),
        "distances": _distances(counts, run.reference.exists()),
        "cells": {"whole": counts.cells, "straddling": counts.straddling},
        "mean_confidence": _mean_confidence(counts.confidence.sum(axis=(0, 2))),
        "against_reference": _against_reference(counts) if run.reference.exists() else None,
    }
    json, markdown = run.path / "label_noise.json", run.path / "label_noise.md"
    write_json(json, facts)
    with replace_when_whole(markdown) as part:
        part.write_text(reports.render("label_noise.md", facts=facts), "utf-8")
    return [markdown, json]


def _count(run: Run, legend: Legend) -> Counts:
    from landcover.workflows.denoise import distances

    n = len(legend)
    counts = Counts(
        np.zeros((len(DISTANCES_PX), 101, 2), np.int64),
        np.zeros((n, n), np.int64),
        np.zeros((n, n), np.int64),
        np.zeros(n),
    )
    grid = rasters.grid_of(run.scene)
    for window in track(list(grid.windows(rasters.WINDOW_PX)), "counting doubts"):
        labels = rasters.read_classes(run.labels, window)
        refined = rasters.read_classes(run.refined_labels, window)
        confidence = rasters.read(run.label_confidence, window)[0]
        truth = rasters.read_classes(run.reference, window) if run.reference.exists() else None
        known = (confidence != _NODATA) & (refined != UNLABELLED)
        if truth is not None:
            known &= truth != UNLABELLED
        ring = np.searchsorted(DISTANCES_PX, distances(run, grid, window)[known])
        right = (truth == labels)[known].astype(int) if truth is not None else 0
        np.add.at(counts.confidence, (ring, confidence[known], right), 1)
        learnt = known & (legend.index(labels) >= 0)
        label = legend.index(labels)[learnt]
        np.add.at(counts.hidden, (label, legend.index(refined)[learnt]), 1)
        counts.class_confidence += np.bincount(label, confidence[learnt] / 100, minlength=n)
        if truth is not None:
            real = legend.index(truth)[learnt]
            np.add.at(counts.real, (label[real >= 0], real[real >= 0]), 1)
        whole, straddling = _straddling(refined)
        counts.cells += whole
        counts.straddling += straddling
    return counts


def _straddling(refined: np.ndarray) -> tuple[int, int]:
    """Cells of 100 m that are wholly known, and those that hold two classes or more."""
    rows, cols = (side // CELL_PX for side in refined.shape)
    cells = refined[: rows * CELL_PX, : cols * CELL_PX].reshape(rows, CELL_PX, cols, CELL_PX)
    cells = np.sort(cells.transpose(0, 2, 1, 3).reshape(rows * cols, CELL_PX**2), axis=1)
    cells = cells[cells[:, :1].ravel() != UNLABELLED] if len(cells) else cells
    if not len(cells):
        return 0, 0
    # The commonest class leaves less than a tenth where some value spans nine tenths in order
    span = int(np.ceil((1 - STRADDLES) * CELL_PX**2))
    pure = (cells[:, span - 1 :] == cells[:, : cells.shape[1] - span + 1]).any(axis=1)
    return len(cells), int((~pure).sum())


def _classes(
    counts: Counts, legend: Legend, priors: np.ndarray, transition: np.ndarray, known: bool
) -> list[dict[str, Any]]:
    """A row a class: how far its label is right, what hides in it, where it hides."""
    found = []
    for position, (code, name) in enumerate(zip(legend.codes, legend.names, strict=True)):
        row = counts.hidden[position]
        pixels = int(row.sum())
        others = [k for k in np.argsort(-row) if k != position and row[k] > 0.01 * pixels][:3]
        kept = transition[position]
        found.append(
            {
                "code": int(code),
                "name": name,
                "pixels": pixels,
                "share_of_samples": float(priors[position]),
                "right": float(counts.class_confidence[position] / pixels) if pixels else None,
                "really_right": _share(counts.real[position], position) if known else None,
                "hides": [
                    {"code": int(legend.codes[k]), "share": float(row[k] / pixels)} for k in others
                ],
                "labelled_as_itself": float(kept[position]),
                "really_labelled_as_itself": (
                    _share(counts.real[:, position], position) if known else None
                ),
                "labelled_as": [
                    {"code": int(legend.codes[k]), "share": float(kept[k])}
                    for k in np.argsort(-kept)
                    if k != position and kept[k] > 0.02
                ][:3],
            }
        )
    return found


def _share(counts: np.ndarray, position: int) -> float | None:
    return float(counts[position] / counts.sum()) if counts.sum() else None


def _distances(counts: Counts, known: bool) -> list[dict[str, Any]]:
    """A row a range of distances: how far labels are right."""
    found, low = [], 0.0
    for ring, high in zip(counts.confidence, DISTANCES_PX, strict=True):
        pixels = int(ring.sum())
        found.append(
            {
                "from_m": 10 * low,
                "to_m": 10 * high if np.isfinite(high) else None,
                "pixels": pixels,
                "right": _mean_confidence(ring.sum(axis=1)),
                "really_right": float(ring[:, 1].sum() / pixels) if known and pixels else None,
            }
        )
        low = high
    return found


def _mean_confidence(pixels: np.ndarray) -> float | None:
    """Mean of confidences counted by percent, 0 to 1."""
    total = pixels.sum()
    return float((pixels * np.arange(101)).sum() / total / 100) if total else None


def _against_reference(counts: Counts) -> dict[str, Any]:
    """How well the confidence tells right labels from wrong ones.

    ``auc`` is the chance that a right label has more confidence than a wrong one, ties
    counting half (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).
    """
    wrong, right = counts.confidence.sum(axis=0).T.astype(float)
    below = np.cumsum(wrong) - wrong
    pairs = right.sum() * wrong.sum()
    bins = [slice(low, low + 20 if low < 80 else 101) for low in range(0, 100, 20)]
    return {
        "right": float(right.sum() / (right.sum() + wrong.sum())),
        "auc": float((right * (below + wrong / 2)).sum() / pairs) if pairs else None,
        "bins": [
            {
                "from": part.start / 100,
                "to": min(part.stop, 100) / 100,
                "pixels": int((right + wrong)[part].sum()),
                "estimated": _mean_confidence(
                    np.where(np.isin(np.arange(101), np.arange(101)[part]), right + wrong, 0)
                ),
                "right": float(right[part].sum() / max(1, (right + wrong)[part].sum())),
            }
            for part in bins
        ],
    }
