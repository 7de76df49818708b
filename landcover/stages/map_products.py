"""A list of products to maps: a run folder for each, one report of all."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

from landcover.classifiers.models import Model
from landcover.errors import InputError, LandcoverError
from landcover.files import class_rasters, jobs, rasters
from landcover.files.atomic import Fields, digest, read_json
from landcover.files.raster_names import file_of
from landcover.labels.recognition import known_schemes
from landcover.labels.schemes import LabelScheme, find_scheme
from landcover.maps.outside import outside_share
from landcover.progress import say
from landcover.reports import scores, words
from landcover.reports.by_scene import spread_of
from landcover.reports.tally import TRUTHS
from landcover.run import Run
from landcover.sensors import SENTINEL2
from landcover.sources import sentinel2
from landcover.sources.tile import Tile, common_bands
from landcover.stages import store
from landcover.stages.map_list import Item, items_of
from landcover.stages.models import run_of
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.scoring import is_foreign, is_scored

if TYPE_CHECKING:
    from distributed import Client


class Settings(TypedDict, total=False):
    """How `map_scene` is to map every product."""

    tile_px: int
    probabilities: bool
    precision: str
    client: Client | None
    entropy: bool
    applicability: bool | None


class _Held(TypedDict, total=False):
    """What a map holds: pixels, shares that are valid and of these outside, km2 of every class."""

    map: str
    pixels: int
    valid_share: float
    outside_share: float | None
    area_km2: dict[str, float]


class Row(_Held, total=False):
    """A product's line of the report; of one that failed only its error is known.

    ``scores`` are there where its map could be scored: ``against``, ``scored_on``, ``n_test``,
    ``n_blocks``, ``overall_accuracy`` and ``macro_f1`` with their intervals.
    """

    product: Required[str]
    run: Required[str]
    seconds: dict[str, float]
    scores: Fields
    error: str


def map_products(
    model: Model, paths: Sequence[Path], folder: Path, **settings: Unpack[Settings]
) -> list[Path]:
    """Map every product of a list with one model; what fails does not stop the others.

    A map is scored where its run has labels or a reference, on the whole scene if the model has
    not seen it. The report is written again after every product. The same call goes on where it
    was, and leaves alone what is mapped already.

    Parameters
    ----------
    model : Model
        What maps them.
    paths : sequence of Path
        SAFE products, zipped or not, run folders with a scene, text files that list such paths, or
        CSV tables with the columns product, labels, reference and scheme.
    folder : Path
        Where run folders of products, and the report, go.
    **settings
        tile_px, probabilities, precision, client, entropy and applicability, as `map_scene`
        takes them.

    Returns
    -------
    list of Path
        report.md, report.html and report.json of the folder, and every map.

    Raises
    ------
    LandcoverError
        Before anything is done, if a path is nothing that can be mapped. In the end, if a
        product failed.
    """
    items = items_of(paths, folder)
    earlier = _earlier_rows(folder)
    rows: list[Row] = []
    for number, item in enumerate(items, start=1):
        say(f"{number} of {len(items)}: {item.source}")
        rows.append(_row(item, model, settings, earlier.get(str(item.source), {})))
        say(f"  {_summary(rows[-1])}")
        written = _write_report(folder, model, rows, len(items))
    failed = [row for row in rows if "error" in row]
    if failed:
        raise LandcoverError(
            f"{len(failed)} of {len(rows)} products failed, the first {failed[0]['product']}: "
            f"{failed[0]['error']} (all are in {written[0]}; the same command tries them again)"
        )
    return [*written, *(Path(row["map"]) for row in rows)]


def _row(item: Item, model: Model, settings: Settings, earlier: Fields) -> Row:
    """Prepare and map one product; its line of the report, also where it failed."""
    row: Row = {"product": str(item.source), "run": str(item.run.path)}
    try:
        seconds = dict(earlier.get("seconds", {}))
        if not item.prepared:
            lock = item.run.path.with_name(f".{item.run.path.name}.lock")
            with jobs.alone(lock, f"product {item.source.name}"):
                seconds |= _prepare(item, model)
        scored = is_scored(item.run, is_foreign(item.run, model))
        seconds["map"] = _map(item.run, model, settings, scored)
        row |= {**_facts(item.run, model.name), "seconds": seconds}
        if scored and item.run.report(model.name).exists():
            row["scores"] = _scores(item.run, model)
        return row
    except LandcoverError as error:
        return {**row, "error": str(error)}
    except Exception as error:  # whatever one product does, the others are still to be mapped
        return {**row, "error": f"{type(error).__name__}: {error}"}


def _prepare(item: Item, model: Model) -> dict[str, float]:
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
        sys.stderr.write(f"warning: {warning}\n")
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


def _facts(run: Run, model: str) -> _Held:
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


def _summary(row: Row) -> str:
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


def _spread(rows: Sequence[Row]) -> Fields:
    """Mean and spread over scored products, by what they are scored against."""
    held = [row["scores"] for row in rows if "scores" in row]
    return {
        against: {
            name: spread_of([found[name] for found in held if found["against"] == against])
            for name in ("overall_accuracy", "macro_f1")
        }
        for against in TRUTHS
        if any(found["against"] == against for found in held)
    }


def _earlier_rows(folder: Path) -> dict[str, Fields]:
    """Lines of the report of an earlier call, by product."""
    try:
        return {row["product"]: row for row in read_json(folder / "report.json")["products"]}
    except (LandcoverError, KeyError, TypeError):
        return {}


def _write_report(folder: Path, model: Model, rows: Sequence[Row], n_products: int) -> list[Path]:
    """report.md, report.html and report.json of the products so far."""
    areas = [row["area_km2"] for row in rows if row.get("area_km2")]
    classes = model.card["classes"]
    total = {str(c["code"]): sum(a.get(str(c["code"]), 0.0) for a in areas) for c in classes}
    content = {
        "model": model.name,
        "trained_in": str(run_of(model).path),
        "n_products": n_products,
        "classes": [c for c in classes if total[str(c["code"])]],
        "products": list(rows),
        "summary": _spread(rows),
        "area_km2": {code: round(km2, 4) for code, km2 in total.items() if km2},
    }
    return store.write_products(folder, content)
