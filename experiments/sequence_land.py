"""Two years of one synthetic place as runs of dates, for the study of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from experiments.study import write_classes
from landcover.files import raster_writer
from landcover.grid import Grid
from landcover.run import Run
from landcover.samples.dated_rows import values_at
from landcover.samples.labelled_tiles import FIELD_PX
from landcover.samples.rows import read_samples
from landcover.samples.table import Draw
from landcover.scene.composite import Composite, compose
from landcover.scene.sequence import Dates, valid_dates
from landcover.sources.synthetic.sequence import make_sequence
from landcover.stages.prepare_dates import write_sequence
from landcover.stages.sample import sample

#: The years of a place, the days of the year that dates are drawn from, and how an orbit repeats.
YEARS, _SEASON, _REPEAT_DAYS = (2021, 2022), (80, 306), 5
#: Of the forest that judges single dates.
_TREES = 30


@dataclass(frozen=True)
class Place:
    """One place in two years.

    Attributes
    ----------
    first, second : Run
        A run a year: its dates, their median as scene, and the truth as reference. The first has
        coarse labels and samples.
    changed : array of bool, (rows, cols)
        Where the true class differs between the years.
    """

    first: Run
    second: Run
    changed: np.ndarray


def make_place(
    folder: Path, shape: tuple[int, int], days: int, cloud: float, samples: int, seed: int
) -> Place:
    """Draw a place, and write its two years into FOLDER/first and FOLDER/second."""
    land = make_sequence(seed, shape, _days(days, seed), cloud=cloud)
    runs = Run(folder / "first"), Run(folder / "second")
    truths = []
    for run, year in zip(runs, YEARS, strict=True):
        own = [at for at, day in enumerate(land.days) if day.startswith(str(year))]
        dates = Dates(tuple(land.days[at] for at in own), land.bands)
        _write_dates(run, land.images[own], dates, land.grid)
        truths.append(land.reference[own[len(own) // 2]])
        write_classes(run.reference, truths[-1], land.grid)
    write_classes(runs[0].labels, land.labels, land.grid)
    sample(runs[0], Draw(samples), max_patch=2 * FIELD_PX + 1, seed=seed)
    return Place(*runs, truths[0] != truths[1])


def _days(number: int, seed: int) -> list[str]:
    """So many days in each of the years, from March to November; clear days fall as they do."""
    days = np.arange(_SEASON[0], _SEASON[1], _REPEAT_DAYS)
    rng = np.random.default_rng([seed, 40])
    return [
        (date(year, 1, 1) + timedelta(int(day) - 1)).isoformat()
        for year in YEARS
        for day in np.sort(rng.choice(days, number, replace=False))
    ]


def _write_dates(run: Run, images: np.ndarray, dates: Dates, grid: Grid) -> None:
    """Write every date, all of them as one raster, and their median as the scene."""
    for day, image in zip(dates.days, images, strict=True):
        raster_writer.write(run.date(day), image, grid, dates.bands, np.nan)
    write_sequence(run, dates)
    median, _ = compose(Composite("median"), images, valid_dates(images), dates.days)
    raster_writer.write(run.scene, median, grid, dates.bands, np.nan)


def best_day(run: Run, dates: Dates, seed: int) -> str:
    """The date by which a forest has most held-out samples right; those it does not show are wrong.

    The truth judges, which nobody has who must choose: the single date is as good as can be.
    """
    from sklearn.ensemble import RandomForestClassifier

    table = read_samples(run.samples)
    row, col = (table[axis].to_numpy().astype(np.int64) for axis in ("row", "col"))
    values = values_at(run.sequence, dates.names, row, col, "reading the dates")
    series = values.reshape(len(values), len(dates.days), len(dates.bands)).transpose(1, 2, 0)
    train, truth = (table["split"] == "train").to_numpy(), table["reference"].to_numpy()
    right = []
    for of_date, seen in zip(series, valid_dates(series), strict=True):
        learnt, asked = train & seen, ~train & seen
        if not (learnt.any() and asked.any()):  # clouds hide it
            right.append(0)
            continue
        forest = RandomForestClassifier(_TREES, min_samples_leaf=5, random_state=seed)
        forest.fit(of_date[:, learnt].T, table["label"].to_numpy()[learnt])
        right.append((forest.predict(of_date[:, asked].T) == truth[asked]).sum())
    return dates.days[int(np.argmax(right))]


def nearest_day(days: Sequence[str], day: str) -> str:
    """Of some days the one nearest in the year to a day.

    >>> nearest_day(["2022-05-02", "2022-07-20"], "2021-07-01")
    '2022-07-20'
    """
    held = Dates(tuple(sorted(days)), ("any",))
    wanted = Dates((day,), ("any",)).day_of_year[0]
    return held.days[int(np.abs(held.day_of_year - wanted).argmin())]
