"""One product of a list: prepared, mapped and scored; its line of the report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Required, TypedDict

from landcover.classifiers.models import Model
from landcover.errors import InputError, LandcoverError
from landcover.files import class_rasters, jobs, rasters
from landcover.files.atomic import Fields, digest
from landcover.files.raster_names import file_of
from landcover.labels.recognition import known_schemes
from landcover.labels.schemes import LabelScheme, find_scheme
from landcover.maps.outside import outside_share
from landcover.progress import say
from landcover.reports import scores, words
from landcover.run import Run
from landcover.sensors import SENTINEL2
from landcover.sources import sentinel2
from landcover.sources.tile import Tile, common_bands
from landcover.stages import store
from landcover.stages.map_list import Item
from landcover.stages.models import run_of
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.scoring import is_foreign, is_scored


class Settings(TypedDict, total=False):
    """How `map_scene` is to map every product."""

    tile_px: int
    probabilities: bool
    precision: str
    entropy: bool
    applicability: bool | None


class _Mapped(TypedDict, total=False):
    """What a map holds, is worth and took.

    Pixels, shares that are valid and of these outside, km2 of every class. ``scores`` are there
    where it could be scored: ``against``, ``scored_on``, ``n_test``, ``n_blocks``,
    ``overall_accuracy`` and ``macro_f1`` with their intervals.
    """

    map: str
    pixels: int
    valid_share: float
    outside_share: float | None
    area_km2: dict[str, float]
    seconds: dict[str, float]
    scores: Fields


class Row(_Mapped, total=False):
    """A product's line of the report; of one that failed only its error is known."""

    product: Required[str]
    run: Required[str]
    error: str


def row_of(
    item: Item,
    model: Model,
    settings: Settings,
    earlier: Fields,
    warn: Callable[[str], None],
    patience_s: float = 0.5,
) -> Row:
    """Prepare and map one product; its line of the report, also where it failed.

    Parameters
    ----------
    item : Item
        The product, and where it is mapped.
    model : Model
        What maps it.
    settings : Settings
        How.
    earlier : dict
        Its line of an earlier report, or nothing.
    warn : callable
        Is told in a line what is doubtful of it, before its scene is made.
    patience_s : float
        How long to wait for another process that works on it.
    """
    row: Row = {"product": str(item.source), "run": str(item.run.path)}
    try:
        return {**row, **_made(item, model, settings, earlier, warn, patience_s)}
    except LandcoverError as error:
        return {**row, "error": str(error)}
    except Exception as error:  # whatever one product does, the others are still to be mapped
        return {**row, "error": f"{type(error).__name__}: {error}"}


def _made(
    item: Item,
    model: Model,
    settings: Settings,
    earlier: Fields,
    warn: Callable[[str], None],
    patience_s: float,
) -> _Mapped:
    """A product as a map, made now or before."""
    seconds = dict(earlier.get("seconds", {}))
    if item.prepared:
        return _mapped(item.run, model, settings, seconds)
    lock = item.run.path.with_name(f".{item.run.path.name}.lock")
    with jobs.alone(lock, f"product {item.source.name}", patience_s):
        seconds |= _prepare(item, model, warn)
        return _mapped(item.run, model, settings, seconds)


def _mapped(run: Run, model: Model, settings: Settings, seconds: dict[str, float]) -> _Mapped:
    """The scene of a run as a map."""
    scored = is_scored(run, is_foreign(run, model))
    seconds["map"] = _map(run, model, settings, scored)
    found: _Mapped = {**_facts(run, model.name), "seconds": seconds}
    if scored and run.report(model.name).exists():
        found["scores"] = _scores(run, model)
    return found


def _prepare(item: Item, model: Model, warn: Callable[[str], None]) -> dict[str, float]:
    """Make the scene of a product unless the run holds it; the seconds that took.

    It has the bands that the model reads, beside those of every scene. Its labels are brought to
    the level of the model's classes.
    """
    from landcover.stages.prepare import prepare, radiometry_warnings
    from landcover.stages.staging import staged

    if model.inputs.dates is not None:
        raise InputError(
            f"{item.source} is of one date, and model {model.name} reads sequences; prepare a run "
            "of several dates with landcover prep --sequence, and give its folder"
        )
    read = [name for name in model.bands if name in SENTINEL2.names]
    tiles = sentinel2.open_granules(item.source, read)
    if _is_prepared(item, tiles):
        return {}
    for warning in radiometry_warnings(tiles):
        warn(warning)
    started = time.perf_counter()
    with staged(item.run, overwrite=None) as stage:
        prepare(
            stage,
            tiles,
            labels=item.listed.labels,
            reference=item.listed.reference,
            **_meaning(item, model),
        )
    return {"prep": round(time.perf_counter() - started, 1)}


class _Meaning(TypedDict, total=False):
    """What the values of labels mean."""

    level: int
    scheme: LabelScheme | None


def _meaning(item: Item, model: Model) -> _Meaning:
    """Scheme and level of a product's labels: the model's, where its run tells them."""
    home = run_of(model)
    if not item.listed.truths or not home.legend.exists():
        return {}
    classes = read_nomenclature(home)
    if item.listed.scheme:
        return {"level": classes.level, "scheme": find_scheme(item.listed.scheme)}
    own = None if known_schemes(classes) else LabelScheme.of_codes(classes)
    return {"level": classes.level, "scheme": own}


def _scores(run: Run, model: Model) -> Fields:
    """What the map of a run scores."""
    report = store.read_report(run.report(model.name))
    return {key: report[key] for key in (*scores.IN_SHORT, "against", "scored_on")}


def _is_prepared(item: Item, tiles: Sequence[Tile]) -> bool:
    """Whether the run of a product holds its scene, by its inputs and bands."""
    inputs = item.run.read_manifest()["stages"].get("prep", {}).get("inputs", [])
    files = (*(path for tile in tiles for path in tile.paths), *item.listed.truths)
    return (
        item.run.scene.exists()
        and [entry.get("sha256") for entry in inputs] == [digest(file_of(path)) for path in files]
        and list(rasters.band_names(item.run.scene)) == common_bands(tiles)
    )


def _map(run: Run, model: Model, settings: Settings, scored: bool) -> float:
    """Map a scene unless that is done; the seconds that it took, now or then.

    A map that is to be scored is done when its report is there, too.
    """
    from landcover.stages.map import is_mapped, map_scene

    unscored = scored and not run.report(model.name).exists()
    if not unscored and is_mapped(
        run,
        model,
        settings.get("probabilities", False),
        settings.get("precision", "auto"),
        settings.get("entropy", False),
        settings.get("applicability"),
    ):
        say("  found mapped already")
    else:
        map_scene(run, model, **settings)
    return run.read_manifest()["stages"][f"map {model.name}"]["settings"]["seconds"]


def _facts(run: Run, model: str) -> _Mapped:
    """What a map holds: pixels, shares that are valid and of these outside, km2 of every class.

    What lies outside the model's area of applicability is not known of a map made without.
    """
    path = run.map(model)
    grid = rasters.grid_of(path)
    pixels = grid.rows * grid.cols
    areas = class_rasters.class_areas_ha(path)
    return {
        "map": str(path),
        "pixels": pixels,
        "valid_share": sum(class_rasters.class_pixels(path).values()) / pixels,
        "outside_share": outside_share(run.applicability(model)),
        "area_km2": {str(code): round(ha / 100, 4) for code, ha in areas.items()},
    }


def warn(line: str) -> None:
    """Tell the user in a line what is doubtful."""
    sys.stderr.write(f"warning: {line}\n")


def summary_of(row: Row) -> str:
    """A product's line of the report for a terminal."""
    if "error" in row:
        return f"failed: {row['error']}"
    took = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in row["seconds"].items())
    valid = words.percent(row["valid_share"])
    share = row["outside_share"]
    outside = "" if share is None else f", {words.percent(share)} of them outside"
    found = row.get("scores")
    right = f", {words.percent(found['overall_accuracy'])} {_measure(found)}" if found else ""
    return f"{row['map']}: {row['pixels']:,} pixels, {valid} valid{outside}{right} ({took})"


def _measure(found: Fields) -> str:
    known = {"reference": "right by its reference", "labels": "as its labels say"}
    return known[found["against"]]
