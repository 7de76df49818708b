"""The sample table with the bands of every date of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.grid import Window
from landcover.progress import track
from landcover.samples.rows import Rows
from landcover.scene.sequence import Dates
from landcover.stopwatch import spent

if TYPE_CHECKING:
    import pandas as pd

#: Column of the year that a sample is of, where the dates of each year have labels of their own.
YEAR = "year"
#: Rows of a sequence that are read at a time.
_STRIP_ROWS = 256


def values_at(
    path: Path, names: Sequence[str], rows: np.ndarray, cols: np.ndarray, title: str
) -> np.ndarray:
    """Bands of a raster at some pixels, float32 (pixels, names); NaN where nodata."""
    found = np.full((len(rows), len(names)), np.nan, np.float32)
    left, right = int(cols.min(initial=0)), int(cols.max(initial=0))
    strips = rows // _STRIP_ROWS
    with rasters.open_raster(path) as dataset:
        numbers = [dataset.descriptions.index(name) + 1 for name in names]
        for strip in track(np.unique(strips).tolist(), title):
            window = Window(strip * _STRIP_ROWS, left, _STRIP_ROWS, right - left + 1)
            with spent("reading"):
                image = rasters.read_window(dataset, window, numbers)
            inside = strips == strip
            found[inside] = image[:, rows[inside] - window.row, cols[inside] - left].T
    return found


def of_own_year(rows: Rows, days: Sequence[str], values: np.ndarray) -> tuple[Rows, np.ndarray]:
    """Rows and values with nothing but the dates of each sample's own year.

    Samples that no date of their year shows are left out altogether.

    Parameters
    ----------
    rows : Rows
        With a column `YEAR`; others are given back as they are.
    days : sequence of str
        The dates.
    values : array of float32, (samples, dates x bands)
        NaN where a date is masked.
    """
    if YEAR not in rows.samples:
        return rows, values
    by_date = values.reshape(len(values), len(days), -1)
    of_day = np.array([int(day[:4]) for day in days])
    other = rows.samples[YEAR].to_numpy()[:, np.newaxis] != of_day
    by_date = np.where(other[..., np.newaxis], np.float32(np.nan), by_date)
    seen = np.isfinite(by_date).all(axis=2).any(axis=1)
    place = np.cumsum(seen) - 1
    parts = {
        part: place[getattr(rows, part)[seen[getattr(rows, part)]]]
        for part in ("train", "validation", "scored", "random_split_extra")
    }
    samples = rows.samples[seen].reset_index(drop=True)
    return replace(rows, samples=samples, **parts), by_date.reshape(values.shape)[seen]


def with_dates(rows: Rows, names: Sequence[str], values: np.ndarray, needed: int = 1) -> Rows:
    """Rows with a column for every band of every date; those with too few dates serve nothing.

    Parameters
    ----------
    rows : Rows
        Of the sample table.
    names : sequence of str
        Of the bands of all dates, date by date.
    values : array of float32, (samples, names)
        NaN where a date is masked.
    needed : int
        Valid dates that a sample must have.

    Raises
    ------
    InputError
        If nothing is left to learn from.
    """
    import pandas as pd

    dates = len(Dates.of_names(names).days)
    by_date = np.isfinite(values).reshape(len(values), dates, -1).all(axis=2)
    held = by_date.sum(axis=1) >= needed
    columns = pd.DataFrame(values, columns=list(names), index=rows.samples.index)
    samples: pd.DataFrame = pd.concat([rows.samples, columns], axis=1)
    parts = {
        part: getattr(rows, part)[held[getattr(rows, part)]]
        for part in ("train", "validation", "scored", "random_split_extra")
    }
    learnt = np.unique(samples[rows.column].to_numpy()[parts["train"]])
    if len(learnt) < len(rows.legend):  # a class that no date shows is none to learn
        rows = replace(rows, legend=rows.legend.subset(learnt.tolist()))
        known = np.isin(samples[rows.column].to_numpy(), learnt)
        for part in ("validation", "random_split_extra"):
            parts[part] = parts[part][known[parts[part]]]
    if len(learnt) < 2 or not len(parts["validation"]):
        raise InputError(
            "too few samples have a valid date to learn from: training needs two classes and "
            "validation rows of them; choose other dates=, or draw more samples"
        )
    return replace(rows, samples=samples, **parts)
