"""An ensemble: the mean of the probabilities of several maps of a run, a map of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from landcover.classifiers.names import name_of
from landcover.errors import InputError
from landcover.files import rasters, styles
from landcover.files.atomic import Fields
from landcover.legend import Legend
from landcover.progress import say
from landcover.reports.records import Foreign
from landcover.run import Run
from landcover.stages.models import how_to_map, map_of, probabilities_of
from landcover.stages.run_legend import legend_of_map
from landcover.stages.scoring import known_cards, map_digest, require_same_splits, score_map
from landcover.stages.store import read_report

#: What the names of ensembles begin with.
ENSEMBLE = "ensemble"
#: The mean of a single map is that map.
LEAST_MEMBERS = 2


def ensemble(run: Run, maps: Sequence[str], variant: str = "") -> list[Path]:
    """Map the class of the highest mean probability of several maps.

    Where a map has no class, the mean is that of the others. The order of the maps does not
    matter. The ensemble is scored as any other map, where all of its members are.

    Parameters
    ----------
    run : Run
        Run folder with the maps and their probabilities.
    maps : sequence of str
        Names of two maps or more, of models with the same classes.
    variant : str
        A word at the end of the name, such as "dates" for ensemble@dates.

    Returns
    -------
    list of Path
        Class map with its QGIS style and STAC item, confidence, probabilities, and the report if
        it was scored.

    Raises
    ------
    MissingProduct
        If a map or its probabilities are missing; the message names the command.
    InputError
        If there are fewer than two maps, one is named twice, or their classes differ. Nothing is
        written then.
    """
    from landcover import maps as layers
    from landcover.maps.averaging import average_maps
    from landcover.stages.map_item import write_ensemble_item

    members = _members(maps)
    name = name_of(ENSEMBLE, variant=variant)
    if name in members:
        raise InputError(f"map {name} would replace one of its own members; give another variant")
    legend = _common_legend(run, members)
    probabilities = [probabilities_of(run, member, legend) for member in members]
    grid = rasters.grid_of(run.require("scene"))
    for path in probabilities:
        grid.require_equal(rasters.grid_of(path), str(run.scene), str(path))
    reports = {
        member: read_report(run.report(member), how_to_map(run, member))
        for member in members
        if run.report(member).exists()
    }
    foreign = _foreign(list(reports.values()))
    if foreign is None and reports:
        require_same_splits(run, members, known_cards(run, members))
    started = time.perf_counter()
    paths = {
        layers.LABELS: run.map(name),
        layers.CONFIDENCE: run.confidence(name),
        layers.PROBABILITIES: run.probabilities(name),
    }
    average_maps(probabilities, paths, legend)
    seconds = time.perf_counter() - started
    products = list(paths.values())
    products.insert(1, styles.qml_path(run.map(name)))
    products.insert(2, write_ensemble_item(run, name, members, legend))
    run.record(f"{ENSEMBLE} {name}", {"maps": members}, probabilities, products)
    if len(reports) < len(members):  # what an earlier ensemble of this name scored is not this one
        run.report(name).unlink(missing_ok=True)
        lacking = ", ".join(member for member in members if member not in reports)
        say(f"note: {name} is not scored, because there is no report of {lacking}")
    else:
        of = {member: map_digest(run, member) for member in members}
        score_map(run, name, {"predict": seconds}, {"ensemble": {"of": of}}, {}, foreign)
        products.append(run.report(name))
    return products


def _members(maps: Sequence[str]) -> list[str]:
    """Names of maps in one order, so that sums do not depend on how they were given."""
    members = sorted(set(maps))
    if len(members) < len(maps):
        twice = next(name for name in members if list(maps).count(name) > 1)
        raise InputError(f"maps name {twice} twice; name each map once")
    if len(members) < LEAST_MEMBERS:
        raise InputError(
            f"maps name {' '.join(members) or 'none'}; an ensemble is the mean of "
            f"{LEAST_MEMBERS} maps or more"
        )
    return members


def _common_legend(run: Run, members: Sequence[str]) -> Legend:
    """The classes of some maps, which must be the same."""
    legends = {member: legend_of_map(run, map_of(run, member)) for member in members}
    first, *others = members
    for other in others:
        if legends[other].codes != legends[first].codes:
            raise InputError(
                f"map {other} has the classes {_listed(legends[other])}, and {first} has "
                f"{_listed(legends[first])}; average maps of models with the same classes"
            )
    return legends[first]


def _listed(legend: Legend) -> str:
    return " ".join(map(str, legend.codes))


def _foreign(reports: Sequence[Mapping[str, Fields]]) -> Foreign | None:
    """What is known of members none of which has seen the scene; None where one has."""
    found = [report["foreign"] for report in reports if "foreign" in report]
    if not found or len(found) < len(reports):
        return None
    return {
        "home": " and ".join(sorted({held["home"] for held in found})),
        "scenes": sorted({scene for held in found for scene in held["scenes"]}),
        "overlaps": [overlap for held in found for overlap in held["overlaps"]],
    }
