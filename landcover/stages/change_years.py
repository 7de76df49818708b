"""Change between two years of one place, each told by the dates of a sequence.

Light and season differ from date to date, and a model of sequences has learnt that. So no date is
brought to the radiometry of another. What was only seen differently is told from what changed by
the dates themselves: the dates of each year are dealt to two halves, and no half may deny a change,
by finding the new class before, or the old one after, twice as likely as the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landcover.classifiers.learnt_dates import LearntDates, spread
from landcover.classifiers.models import Model
from landcover.errors import InputError, typed
from landcover.files import jobs, rasters
from landcover.files.atomic import digest, versions
from landcover.maps.dates import DATES, Date, Pair
from landcover.maps.engine_cache import key_of
from landcover.progress import say
from landcover.run import Run
from landcover.stages.change_inputs import common_grid, patch_of, require_apart, require_patch
from landcover.stages.change_products import Shown, write_change
from landcover.stages.dates import date_files, dates_of, map_name, segments_of
from landcover.stages.map import classifier_of_dates, is_mapped, map_scene
from landcover.stages.models import run_of
from landcover.stages.run_legend import nomenclature_of

#: Smaller changes between years are not shown unless that is asked for, in hectares.
LEAST_HA = 0.25
#: Of a date, to find the one that shows most.
_THIN_PX = 300


@dataclass(frozen=True)
class Year:
    """A year of a run, or all of its dates.

    Attributes
    ----------
    run : Run
        Run folder.
    held : tuple of str
        All days of it.
    days : tuple of str
        Those that the model reads together: all, or as many as it takes.
    title : str
        For messages and the report.
    """

    run: Run
    held: tuple[str, ...]
    days: tuple[str, ...]
    title: str


def find_change_of_years(
    before: Path,
    after: Path | None,
    out: Run,
    model: Model | None,
    *,
    years: tuple[int, int] | None = None,
    level: int | None = None,
    patch_px: int | None = None,
    mmu_ha: float | None = None,
) -> list[Path]:
    """Find what changed between two years; see `find_change`.

    Maps of the years, with their probabilities, become maps of their runs.
    """
    require_patch(patch_px)
    if model is None:
        raise InputError(
            f"years={' '.join(map(str, years or ()))} are mapped with a model of sequences; name "
            "it with model="
        )
    _learnt(model)
    if years is not None and years[0] == years[1] and after in (None, before):
        raise InputError(f"years={years[0]} {years[1]} are one year; give two different ones")
    if years is None and after is None:
        raise InputError("after= is not given; give a later run, or years= of one run")
    paths = (before, before if after is None else after)
    compared = [
        year_of(path, model, None if years is None else years[number])
        for number, path in enumerate(paths)
    ]
    sequences = [year.run.sequence for year in compared]
    grid = common_grid(paths, sequences)
    require_apart(out, paths, sequences, None)
    shown = Shown(grid, patch_of(patch_px, grid), level, mmu_ha)
    if mmu_ha is None and shown.pixel_ha < LEAST_HA:  # a larger pixel is no small change
        shown = replace(shown, mmu_ha=LEAST_HA)
    pair, parts = pair_of_years(out, model, compared)
    settings = {"model": model.name, "years": None if years is None else list(years)}
    facts = {
        "before": compared[0].title,
        "after": compared[1].title,
        "mapped_here": True,
        "radiometry": None,
        "days": [list(year.days) for year in compared],
        "halves": [[list(days) for days in of_year] for of_year in parts] if parts else None,
    }
    return write_change(out, pair, shown, settings, facts, sequences)


def pair_of_years(
    out: Run, model: Model, compared: Sequence[Year]
) -> tuple[Pair, list[list[tuple[str, ...]]]]:
    """Two years with their probabilities, which are mapped unless they are there.

    Returns
    -------
    pair : Pair
        The years.
    parts : list
        Dates of the halves of each year; empty where one has too few.
    """
    learnt, classes = _learnt(model), nomenclature_of(run_of(model), model.legend)
    parts = [halves(year.held, learnt) for year in compared]
    if not all(parts):
        say(_untested(compared, parts, learnt))
        parts = []
    dates = []
    for place, (name, year) in enumerate(zip(DATES, compared, strict=True)):
        if not is_mapped(year.run, model, True, dates=year.days):
            say(f"mapping {year.title}")
            map_scene(year.run, model, probabilities=True, dates=year.days)
        own = enumerate(parts[place] if parts else (), start=1)
        dates.append(
            Date(
                year.title,
                _clearest(year),
                year.run.probabilities(_map_of(year, model)),
                classes,
                year.run.sequence,
                year.days,
                tuple(_half(out, model, year, f"{name}-{n}", days) for n, days in own),
            )
        )
    return Pair(dates, model.bands), parts


def halves(days: Sequence[str], learnt: LearntDates) -> list[tuple[str, ...]]:
    """Dates of a year in two parts by turns, so that each part has its whole year.

    None where a part has fewer dates than a model needs. Of a model that reads a fixed number of
    dates, each part has that number.

    >>> halves(["a", "b", "c", "d", "e"], LearntDates((), needed=2))
    [('a', 'c', 'e'), ('b', 'd')]
    >>> halves(["a", "b", "c"], LearntDates((), needed=2))
    []
    """
    parts = [tuple(days[0::2]), tuple(days[1::2])]
    together = learnt.together
    if min(map(len, parts)) < (together or learnt.needed):
        return []
    return [tuple(spread(part, together)) if together else part for part in parts]


def _learnt(model: Model) -> LearntDates:
    """What dates a model learnt from that reads several together."""
    learnt = model.inputs.dates
    if learnt is None or learnt.together == 1:
        raise InputError(
            f"model {model.name} sees one image, and years= are compared by a model of sequences; "
            f"train one: landcover train sequence-forest {typed(run_of(model).path)}"
        )
    return learnt


def year_of(path: Path, model: Model, year: int | None) -> Year:
    """A year of a run, whose dates the model can read."""
    if not path.is_dir():
        raise InputError(
            f"{path} is no run folder, and model {model.name} reads the dates of one; prepare it "
            "with landcover prep --date"
        )
    learnt, run = _learnt(model), Run(path)
    days = dates_of(run).days
    of_year = [day for day in days if year is None or day[:4] == f"{year:04d}"]
    there = ", ".join(f"{y} ({n})" for y, n in Counter(day[:4] for day in days).items())
    if not of_year:
        raise InputError(f"{path} has no date of {year}; its dates are of {there}")
    needed = learnt.together or learnt.needed
    if len(of_year) < needed:
        raise InputError(
            f"model {model.name} needs {needed} dates, and {path} has {len(of_year)}"
            f"{'' if year is None else f' of {year}'}; its dates are of {there}: prepare it with "
            "more dates, or use another model"
        )
    chosen = spread(of_year, learnt.together) if learnt.together else of_year
    of = f"{of_year[0]} to {of_year[-1]}" if year is None else str(year)
    return Year(run, tuple(of_year), tuple(chosen), f"{path}, {of} ({len(chosen)} dates)")


def _untested(
    compared: Sequence[Year], parts: Sequence[Sequence[object]], learnt: LearntDates
) -> str:
    """Why it is not tested whether change holds over the year."""
    short = next(year for year, of_year in zip(compared, parts, strict=True) if not of_year)
    return (
        f"note: whether change holds over the year is not tested, for {short.title} has too few "
        f"dates for two halves of {learnt.together or learnt.needed}"
    )


def _map_of(year: Year, model: Model) -> str:
    """The name of a year's map."""
    return map_name(year.run, model, dates_of(year.run).select(year.days))


def _clearest(year: Year) -> Path:
    """The date of a year that shows most of the scene, for pictures; of equals the middle one."""
    middle = (len(year.days) - 1) / 2

    def key(place: int) -> tuple[float, float]:
        pixels = rasters.read_small(year.run.date(year.days[place]), _THIN_PX, [1])
        return -np.isfinite(pixels).mean(), abs(place - middle)

    return year.run.date(year.days[min(range(len(year.days)), key=key)])


def _half(out: Run, model: Model, year: Year, name: str, days: Sequence[str]) -> Path:
    """Probabilities by some of the dates of a year, unless they are there."""
    from landcover import maps

    path = out.path / "halves" / f"{name}.tif"
    held = dates_of(year.run).select(days)
    segments = segments_of(year.run, model)
    files = [*date_files(year.run, held), model.card_path, model.file, *filter(None, [segments])]
    facts = {file.name: digest(file) for file in files} | {"versions": versions()}
    made = {"made_of": key_of(facts)}
    stage = out.read_manifest()["stages"].get(f"half {name}", {})
    if path.exists() and stage.get("settings") == made:
        return path
    say(f"mapping {len(days)} of the dates of {year.title}")
    classifier, _ = classifier_of_dates(year.run, model, held)
    layers = {maps.PROBABILITIES: path}
    with jobs.opened(path.with_name(f".{name}.job"), facts) as job:
        maps.predict_map_in_job(classifier, year.run.sequence, layers, job, segment_types=segments)
    out.record(f"half {name}", made, files, [path])
    return path
