"""Which dates each map of a run shows, for the rows of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from landcover.reports.records import MapDates
from landcover.run import Run
from landcover.stages.models import days_of_map
from landcover.stages.truths import years_of_labels


def dates_of_maps(run: Run, names: Sequence[str]) -> dict[str, MapDates]:
    """The dates that maps show, and how many of them are valid at a pixel on average.

    Parameters
    ----------
    run : Run
        Whose manifest tells of its dates, and of which dates each map was made.
    names : sequence of str
        Of maps.

    Returns
    -------
    dict
        By map; empty in a run of a single date.
    """
    prep = run.read_manifest()["stages"].get("prep", {})
    valid = {day: _valid_share(pixels) for day, pixels in prep.get("dates", {}).items()}
    if not valid:
        return {}
    years = years_of_labels(run, names)
    found: dict[str, MapDates] = {}
    for name in names:
        days = days_of_map(run, name)
        composite = prep["settings"].get("composite") or {}
        found[name] = {
            "days": list(days or valid),
            "composite": None if days else composite.get("method"),
            "valid": sum(valid.get(day, 0.0) for day in days or valid),
            "labels_of": years.get(name),
        }
    return found


def _valid_share(pixels: Mapping[str, int]) -> float:
    """Share of the pixels of a scene's area that a date shows."""
    within = sum(n for reason, n in pixels.items() if reason != "outside")
    return pixels["data"] / within if within else 0.0
