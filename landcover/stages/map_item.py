"""The STAC item of a run's map: the map, and the model in every form that it is stored in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from landcover.classifiers.models import Model
from landcover.files.atomic import write_json
from landcover.legend import Legend
from landcover.maps.outside import outside_share
from landcover.run import Run
from landcover.stages.models import days_of_map
from landcover.stages.scenes import prepared


def write_map_item(run: Run, name: str, model: Model, days: Sequence[str] | None = None) -> Path:
    """Write the STAC item of a map that a model made, or of a map made of that one.

    A map of several dates is of its `days`, by default as the manifest tells them; others are of
    the days of the scene.
    """
    from landcover.classifiers.exchange import metadata
    from landcover.reports import stac

    days = days_of_map(run, name) if days is None else days
    files = stac.MapFiles(
        name,
        run.path.resolve().name,
        run.map_layers(name),
        run.item(name),
        model.folder,
        _times(run, days),
        outside_share(run.applicability(name)),
        days=days,
    )
    item = stac.item_of(
        files,
        metadata.stac_classes(model.legend),
        metadata.mlm_properties(model.card, _dn_range(run)),
        metadata.mlm_bands(model.card),
    )
    return _write(run, name, item)


def write_ensemble_item(run: Run, name: str, members: Sequence[str], legend: Legend) -> Path:
    """Write the STAC item of an average of maps, which points to theirs instead of to a model."""
    from landcover.classifiers.exchange import metadata
    from landcover.reports import stac

    days = sorted({day for member in members for day in days_of_map(run, member)})
    files = stac.MapFiles(
        name,
        run.path.resolve().name,
        run.map_layers(name),
        run.item(name),
        model=None,
        acquired=_times(run, days),
        days=days,
        members=[_held(run, member) for member in members],
    )
    return _write(run, name, stac.item_of(files, metadata.stac_classes(legend)))


def _write(run: Run, name: str, item: Mapping[str, object]) -> Path:
    """Write an item; that of an earlier version goes, which would be of an earlier map."""
    write_json(run.item(name), item)
    run.earlier_item(name).unlink(missing_ok=True)
    return run.item(name)


def _held(run: Run, name: str) -> Path:
    """The item of a map, where it lies."""
    earlier = run.earlier_item(name)
    return earlier if earlier.exists() and not run.item(name).exists() else run.item(name)


def _times(run: Run, days: Sequence[str]) -> Sequence[str]:
    """When what a map shows was taken: on some days, or else as the scene was."""
    acquired: Sequence[str] = prepared(run).get("acquired", ())
    return [f"{day}T00:00:00Z" for day in days] or acquired


def _dn_range(run: Run) -> tuple[float, float] | None:
    """Digital numbers of reflectance 0 and 1, where all bands of a run's product share them."""
    radiometry = {
        (band["offset"], band["quantification"])
        for tiles in prepared(run).get("bands", {}).values()
        for band in tiles
    }
    if len(radiometry) != 1:
        return None
    offset, quantification = radiometry.pop()
    return 0.0 - offset, quantification - offset
