"""Which dates each map of a run shows, for the rows of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from landcover.classifiers.names import model_of
from landcover.files.atomic import Fields
from landcover.reports.records import MapDates
from landcover.run import Run


def dates_of_maps(run: Run, names: Iterable[str]) -> dict[str, MapDates]:
    """The dates that maps show, and how many of them are valid at a pixel on average.

    Parameters
    ----------
    run : Run
        Whose manifest tells of its dates, and of which dates each map was made.
    names : iterable of str
        Of maps.

    Returns
    -------
    dict
        By map; empty in a run of a single date.
    """
    stages = run.read_manifest()["stages"]
    prep = stages.get("prep", {})
    valid = {day: _valid_share(pixels) for day, pixels in prep.get("dates", {}).items()}
    if not valid:
        return {}
    found: dict[str, MapDates] = {}
    for name in names:
        days = _days(stages, name)
        composite = prep["settings"].get("composite") or {}
        found[name] = {
            "days": list(days or valid),
            "composite": None if days else composite.get("method"),
            "valid": sum(valid.get(day, 0.0) for day in days or valid),
        }
    return found


def _days(stages: Mapping[str, Fields], name: str) -> Sequence[str]:
    """The days that a map was made of; none of one of the scene."""
    members = stages.get(f"ensemble {name}", {}).get("settings", {}).get("maps")
    if members:
        return sorted({day for member in members for day in _days(stages, member)})
    settings = stages.get(f"map {model_of(name)}", {}).get("settings", {})
    days: Sequence[str] = settings.get("dates", ())
    return days


def _valid_share(pixels: Mapping[str, int]) -> float:
    """Share of the pixels of a scene's area that a date shows."""
    within = sum(n for reason, n in pixels.items() if reason != "outside")
    return pixels["data"] / within if within else 0.0
