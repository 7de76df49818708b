"""What was done with the labels that models learn: how many changed, of which classes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import numpy as np

from landcover.files import pictures, rasters
from landcover.labels.decision import Decision, why_kept
from landcover.legend import LandClass, Legend
from landcover.reports import figures

#: Gap between pictures that stand side by side, and their longest side, pixels.
_GAP_PX, _PICTURE_PX = 12, 700
_TITLES = ("labels", "refined labels", "confidence in labels (black 0 %, white 100 %)")


class RefinedClass(TypedDict):
    """Pixels of a class before and after, and why it keeps its labels; "" where it does not."""

    code: int
    name: str
    before: int
    after: int
    kept_because: str


class Refinement(TypedDict):
    """What was done with labels.

    ``changed`` is the share of labelled pixels that got another class, ``small_regions`` and
    ``border_contrast`` are what `labels.fineness` measures. ``found`` is what forests find of the
    cores of classes in blocks left out when they learn labels as they are, and refined ones.
    ``reason`` says why all labels are learnt as they are (None where some are refined).
    """

    reason: str | None
    changed: float
    small_regions: float
    border_contrast: float
    found: tuple[float, float] | None
    classes: list[RefinedClass]


def refinement_of(
    decision: Decision, legend: Legend, pixels: np.ndarray, not_learnt: Mapping[LandClass, int]
) -> Refinement:
    """What label_noise.json, the manifest and cards hold.

    Parameters
    ----------
    decision : Decision
        What was decided.
    legend : Legend
        Classes of the training rows.
    pixels : array of int (labels, classes)
        Pixels by label and refined label.
    not_learnt : mapping
        Pixels of each class that no training row is of.
    """
    kept = [why_kept(known) for known in decision.evidence] or [""] * len(legend)
    rows: list[RefinedClass] = [
        {
            "code": int(code),
            "name": name,
            "before": int(pixels[k].sum()),
            "after": int(pixels[:, k].sum()),
            "kept_because": kept[k],
        }
        for k, (code, name) in enumerate(zip(legend.codes, legend.names, strict=True))
    ]
    rows += [
        {
            "code": each.code,
            "name": each.name,
            "before": count,
            "after": count,
            "kept_because": "no training sample is of it",
        }
        for each, count in not_learnt.items()
    ]
    total = int(pixels.sum()) + sum(not_learnt.values())
    changed = int(pixels.sum() - np.trace(pixels))
    return {
        "reason": decision.reason,
        "changed": changed / total if total else 0.0,
        "small_regions": decision.fineness.small,
        "border_contrast": decision.fineness.contrast,
        "found": decision.found,
        "classes": sorted(rows, key=lambda row: row["code"]),
    }


def summary(found: Refinement) -> str:
    """One sentence: whether labels are refined, and on how many pixels.

    >>> summary({"reason": "they are few", "changed": 0, "small_regions": 0,
    ...     "border_contrast": 0, "found": None, "classes": []})
    'Labels are learnt as they are, for they are few.'
    """
    if found["reason"] is not None:
        return f"Labels are learnt as they are, for {found['reason']}."
    text = f"Labels are refined before they are learnt: {100 * found['changed']:.1f} % of labelled "
    kept = sum(bool(row["kept_because"]) for row in found["classes"])
    of_all = f"; {kept} of {len(found['classes'])} classes keep their labels" if kept else ""
    proof = ""
    if found["found"] is not None:
        plain, refined = (f"{100 * share:.0f} %" for share in found["found"])
        proof = (
            f" In blocks left out, forests that learn them find {refined} of the cores of "
            f"classes, and those that learn labels as they are {plain}."
        )
    return f"{text}pixels get another class{of_all}.{proof}"


def lines(found: Refinement) -> list[str]:
    """The summary, and a line a class with its pixels before and after."""
    if found["reason"] is not None:
        return [summary(found)]
    said = [summary(found)]
    for row in found["classes"]:
        pixels = f"{row['before']:,} -> {row['after']:,} px"
        kept = f"; keeps its labels: {row['kept_because']}" if row["kept_because"] else ""
        said.append(f"  {row['code']} {row['name']}: {pixels}{kept}")
    return said


def remarks(found: Refinement) -> list[str]:
    """For the head of a comparison: the summary, and what changes much or not at all.

    Classes that lose or gain more than a third, and those that keep their labels, are named.
    """
    said = [summary(found)]
    if found["reason"] is not None:
        return said
    moved = [
        f"{row['code']} {row['name']} ({row['before']:,} to {row['after']:,} px)"
        for row in found["classes"]
        if 3 * abs(row["after"] - row["before"]) > row["before"]
    ]
    kept = [
        f"{row['code']} {row['name']} ({row['kept_because']})"
        for row in found["classes"]
        if row["kept_because"]
    ]
    if moved:
        said.append(f"Refining changes by more than a third: {', '.join(moved)}.")
    if kept:
        said.append(f"Left as labelled: {'; '.join(kept)}.")
    return said


def panels(labels: Path, refined: Path, confidence: Path, legend: Legend) -> dict[str, np.ndarray]:
    """Labels, refined labels and the confidence in labels by title, each uint8 (rows, cols, 3)."""
    shown = [
        figures.class_picture(figures.read_folded(path, _PICTURE_PX)[0], legend)
        for path in (labels, refined)
    ]
    percent = figures.read_folded(confidence, _PICTURE_PX)[0]
    grey = np.nan_to_num(2.55 * percent).astype(np.uint8)[..., np.newaxis].repeat(3, axis=-1)
    grey[~np.isfinite(percent)] = pictures.NODATA_GREY
    return dict(zip(_TITLES, (*shown, grey), strict=True))


def picture(labels: Path, refined: Path, confidence: Path, legend: Legend) -> np.ndarray:
    """The panels side by side above a line of text, uint8 (rows, cols, 3)."""
    first, second, third = panels(labels, refined, confidence, legend).values()
    gap = np.full((first.shape[0], _GAP_PX, 3), 255, np.uint8)
    row = np.concatenate([first, gap, second, gap, third], axis=1)
    note = f"{_TITLES[0]}, {_TITLES[1]}, and {_TITLES[2]}"
    folded = figures.fold_note(*rasters.grid_of(labels).shape)
    return figures.captioned(row, f"{note}; {folded}" if folded else note)
