"""A list of products to maps: a run folder for each, one report of all."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

from landcover.classifiers.models import Model
from landcover.errors import InputError, LandcoverError
from landcover.files import class_rasters, jobs, rasters
from landcover.files.atomic import Fields, digest, read_json
from landcover.files.texts import read_text
from landcover.maps.outside import outside_share
from landcover.progress import say
from landcover.reports import words
from landcover.run import Run
from landcover.sources import sentinel2
from landcover.stages import store
from landcover.stages.models import run_of

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
    """A product's line of the report; of one that failed only its error is known."""

    product: Required[str]
    run: Required[str]
    seconds: dict[str, float]
    error: str


@dataclass(frozen=True)
class Item:
    """One product of the list.

    Attributes
    ----------
    source : Path
        As given: a SAFE product, or a run folder with a scene.
    run : Run
        Where it is mapped.
    """

    source: Path
    run: Run

    @property
    def prepared(self) -> bool:
        """Whether it was given as a run folder."""
        return self.source == self.run.path


def map_products(
    model: Model, paths: Sequence[Path], folder: Path, **settings: Unpack[Settings]
) -> list[Path]:
    """Map every product of a list with one model; what fails does not stop the others.

    The report is written again after every product. The same call goes on where it was, and
    leaves alone what is mapped already.

    Parameters
    ----------
    model : Model
        What maps them.
    paths : sequence of Path
        SAFE products, run folders with a scene, or text files that list such paths.
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


def items_of(paths: Iterable[Path], folder: Path) -> list[Item]:
    """What a list of paths stands for, in order, each once.

    Raises
    ------
    InputError
        If a path is none of the things that can be mapped, or two products have one name.
    """
    items: dict[Path, Item] = {}
    for path in _listed(paths):
        if (path / "scene.tif").is_file():
            item = Item(path, Run(path))
        elif path.is_dir() and any(path.glob("MTD_MSIL*.xml")):
            item = Item(path, Run(folder / path.resolve().stem))
        else:
            raise InputError(
                f"{path} is neither a product (X.SAFE with its MTD_MSIL*.xml) nor a run folder "
                "with a scene.tif; give such folders, or a text file with one path a line"
            )
        other = items.setdefault(item.run.path.resolve(), item)
        if other.source.resolve() != path.resolve():
            raise InputError(
                f"{other.source} and {path} would both be mapped into {item.run.path}; "
                "map them with different out="
            )
    if not items:
        raise InputError("the list of products is empty; give at least one product")
    return list(items.values())


def _listed(paths: Iterable[Path]) -> list[Path]:
    """Paths, with those that a text file lists in the place of the file."""
    found: list[Path] = []
    for path in paths:
        if not path.is_file():
            found.append(path)
            continue
        taken = "give X.SAFE folders, run folders, or text files with one such path a line"
        lines = read_text(path, "text file", taken).splitlines()
        listed = (line.strip() for line in lines)
        found += [Path(line) for line in listed if line and not line.startswith("#")]
    return found


def _row(item: Item, model: Model, settings: Settings, earlier: Fields) -> Row:
    """Prepare and map one product; its line of the report, also where it failed."""
    row: Row = {"product": str(item.source), "run": str(item.run.path)}
    try:
        seconds = dict(earlier.get("seconds", {}))
        if not item.prepared:
            lock = item.run.path.with_name(f".{item.run.path.name}.lock")
            with jobs.alone(lock, f"product {item.source.name}"):
                seconds |= _prepare(item)
        seconds["map"] = _map(item.run, model, settings)
        return {**row, **_facts(item.run, model.name), "seconds": seconds}
    except LandcoverError as error:
        return {**row, "error": str(error)}
    except Exception as error:  # whatever one product does, the others are still to be mapped
        return {**row, "error": f"{type(error).__name__}: {error}"}


def _prepare(item: Item) -> dict[str, float]:
    """Make the scene of a product unless the run holds it; the seconds that took."""
    from landcover.stages.prepare import prepare, radiometry_warnings
    from landcover.stages.staging import staged

    tile = sentinel2.open_sentinel2(item.source)
    inputs = item.run.read_manifest()["stages"].get("prep", {}).get("inputs", [])
    if item.run.scene.exists() and [entry.get("sha256") for entry in inputs] == [
        digest(Path(path)) for path in tile.paths
    ]:
        return {}
    for warning in radiometry_warnings([tile]):
        sys.stderr.write(f"warning: {warning}\n")
    started = time.perf_counter()
    with staged(item.run, overwrite=None) as stage:
        prepare(stage, [tile])
    return {"prep": round(time.perf_counter() - started, 1)}


def _map(run: Run, model: Model, settings: Settings) -> float:
    """Map a scene unless that is done; the seconds that it took, now or then."""
    from landcover.stages.map import is_mapped, map_scene

    if is_mapped(
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
    return f"{row['map']}: {row['pixels']:,} pixels, {valid} valid{outside} ({took})"


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
        "area_km2": {code: round(km2, 4) for code, km2 in total.items() if km2},
    }
    return store.write_products(folder, content)
