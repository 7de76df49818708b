"""A list of products to maps: a run folder for each, one report of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from landcover.classifiers.models import Model
from landcover.errors import LandcoverError
from landcover.files.atomic import Fields, read_json
from landcover.progress import say
from landcover.reports.by_scene import spread_of
from landcover.reports.tally import TRUTHS
from landcover.stages import store
from landcover.stages.map_list import Item, items_of
from landcover.stages.map_product import Row, Settings, row_of, summary_of, warn
from landcover.stages.map_products_cluster import rows_of_workers
from landcover.stages.models import run_of

if TYPE_CHECKING:
    from distributed import Client


def map_products(
    model: Model,
    paths: Sequence[Path],
    folder: Path,
    *,
    client: Client | None = None,
    **settings: Unpack[Settings],
) -> list[Path]:
    """Map every product of a list with one model; what fails does not stop the others.

    A map is scored where its run has labels or a reference, on the whole scene if the model has
    not seen it. The report is written again after every product. The same call goes on where it
    was, and leaves alone what is mapped already. With a cluster a whole product is the work of
    one worker, and another one takes it up where that worker is lost.

    Parameters
    ----------
    model : Model
        What maps them.
    paths : sequence of Path
        SAFE products, zipped or not, run folders with a scene, text files that list such paths, or
        CSV tables with the columns product, labels, reference and scheme.
    folder : Path
        Where run folders of products, and the report, go.
    client : distributed.Client, optional
        Of a Dask cluster whose workers make whole products, from `landcover.maps.connected`.
    **settings
        tile_px, probabilities, precision, entropy and applicability, as `map_scene` takes them.

    Returns
    -------
    list of Path
        report.md, report.html and report.json of the folder, and every map.

    Raises
    ------
    LandcoverError
        Before anything is done, if a path is nothing that can be mapped. In the end, if a
        product failed. At once, if a worker of the cluster lacks files or libraries of this
        machine, or none is left.
    """
    items = items_of(paths, folder)
    earlier = _earlier_rows(folder)
    if client is None:
        made = _one_by_one(items, model, settings, earlier)
    else:
        made = rows_of_workers(client, items, folder, model, settings, earlier)
    rows: dict[int, Row] = {}
    for number, row in made:
        rows[number] = row
        in_order = [rows[n] for n in sorted(rows)]
        written = _write_report(folder, model, in_order, len(items))
    failed = [row for row in in_order if "error" in row]
    if failed:
        raise LandcoverError(
            f"{len(failed)} of {len(rows)} products failed, the first {failed[0]['product']}: "
            f"{failed[0]['error']} (all are in {written[0]}; the same command tries them again)"
        )
    return [*written, *(Path(row["map"]) for row in in_order)]


def _one_by_one(
    items: Sequence[Item], model: Model, settings: Settings, earlier: Mapping[str, Fields]
) -> Iterator[tuple[int, Row]]:
    """Every product with its number, mapped here."""
    for number, item in enumerate(items, start=1):
        say(f"{number} of {len(items)}: {item.source}")
        row = row_of(item, model, settings, earlier.get(str(item.source), {}), warn)
        say(f"  {summary_of(row)}")
        yield number, row


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
