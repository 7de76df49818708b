"""What there is of each class to train on, to choose by and to test with; and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NotRequired, TypedDict

import numpy as np

from landcover.legend import UNLABELLED, Legend, Nomenclature
from landcover.samples.blocks import SPLITS

if TYPE_CHECKING:
    import pandas as pd

#: What is not done with a class that a split has no sample of.
_NOT_DONE = {
    "train": "not trained on, so no map shows it",
    "validation": "not considered where settings are chosen",
    "test": "not tested",
}


class ClassPixels(TypedDict):
    """Where the labelled pixels of a class lie.

    ``pixels`` have data in all bands, ``without_data`` have not; ``blocks`` hold the former.
    ``usable`` are those that each split may draw, outside the guard. A class of too few pixels
    is left out; ``least`` is what it falls short of.
    """

    pixels: int
    without_data: int
    blocks: int
    usable: dict[str, int]
    least: int | None


class ClassSplit(TypedDict):
    """Samples of a class by split; and where its pixels lie, if that is known."""

    code: int
    name: str
    samples: dict[str, int]
    held: NotRequired[ClassPixels]


def class_splits(
    samples: pd.DataFrame,
    column: str,
    nomenclature: Nomenclature,
    held: Mapping[int, ClassPixels] | None = None,
) -> list[ClassSplit]:
    """Samples of each class by split.

    Parameters
    ----------
    samples : DataFrame
        The sample table.
    column : str
        Its column of class codes.
    nomenclature : Nomenclature
        Names the classes.
    held : mapping, optional
        Classes of the labels, and where their pixels lie.
    """
    held = held or {}
    codes, split = samples[column].to_numpy(), samples["split"].to_numpy(str)
    rows: list[ClassSplit] = []
    for code in sorted({*np.unique(codes).tolist(), *held} - {UNLABELLED}):
        of_class = split[codes == code]
        row: ClassSplit = {
            "code": code,
            "name": nomenclature.holding([code]).legend[code].name,
            "samples": {name: int((of_class == name).sum()) for name in SPLITS},
        }
        if code in held:
            row["held"] = held[code]
        rows.append(row)
    return rows


def counted_splits(legend: Legend, parts: Mapping[str, np.ndarray]) -> list[ClassSplit]:
    """Samples of each class by split, of a set that is split already.

    Parameters
    ----------
    legend : Legend
        Classes.
    parts : mapping
        Split to the number of samples of each class, in the order of the legend.
    """
    return [
        {
            "code": found.code,
            "name": found.name,
            "samples": {name: int(parts[name][place]) for name in SPLITS},
        }
        for place, found in enumerate(legend.classes)
    ]


def remarks(classes: Iterable[ClassSplit]) -> list[str]:
    """A sentence on each class that some split has no sample of.

    Examples
    --------
    >>> lake = {"code": 512, "name": "Water bodies"}
    >>> lake |= {"samples": {"train": 36, "validation": 0, "test": 0}}
    >>> remarks([lake])[0]
    'class 512 Water bodies is not considered where settings are chosen, and not tested'
    """
    return [text for row in classes if (text := _remark(row))]


def _remark(row: ClassSplit) -> str | None:
    """What is not done with a class, and why."""
    lacking = [name for name in SPLITS if not row["samples"][name]]
    if not lacking:
        return None
    left_out = len(lacking) == len(SPLITS)
    what = "left out" if left_out else ", and ".join(_NOT_DONE[name] for name in lacking)
    said = f"class {row['code']} {row['name']} is {what}"
    return f"{said}: {_why(lacking, row['held'])}" if "held" in row else said


def _why(lacking: list[str], held: ClassPixels) -> str:
    """Why a class has no sample in some splits."""
    if not held["pixels"]:
        return f"none of its {held['without_data']:,} labelled pixels has data"
    if held["least"] is not None:
        return f"its {held['pixels']:,} labelled pixels are fewer than {held['least']:,}"
    there = ", ".join(f"{n:,} {name}" for name, n in held["usable"].items())
    blocks = f"{held['blocks']} block" + "s" * (held["blocks"] > 1)
    text = f"its {held['pixels']:,} labelled pixels lie in {blocks} (outside the guard: {there})"
    missed = [name for name in lacking if held["usable"][name]]
    if missed:
        text += f"; none was drawn in {' and '.join(missed)}"
    return text
