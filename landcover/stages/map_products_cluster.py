"""A list of products on a Dask cluster: a whole product is one task of one worker.

Workers prepare, map and score by themselves, into the folders that the client would use, so that
one machine goes on with what a cluster began, and the other way round.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from landcover.classifiers.models import Model, load_model
from landcover.errors import LandcoverError
from landcover.files.atomic import Fields
from landcover.maps.client_facts import ClientFacts, cannot_read
from landcover.maps.cluster import workers_of
from landcover.maps.cluster_tasks import on_workers
from landcover.progress import say
from landcover.run import Run
from landcover.stages.map_list import Item, Listed
from landcover.stages.map_product import Row, Settings, row_of, summary_of, warn
from landcover.stages.models import run_of

if TYPE_CHECKING:
    from distributed import Client

#: How long a worker waits for a product that another process works on: a file server takes up to
#: 90 s to free the locks of a machine that it has lost.
PATIENCE_S = 120


@dataclass(frozen=True)
class _Task:
    """A product for a worker; every path is absolute, since workers start elsewhere."""

    item: Item
    folder: Path
    model: Path
    settings: Settings
    earlier: Fields
    facts: ClientFacts


@dataclass(frozen=True)
class _Outcome:
    """What became of a product: its row, what to warn of, and a path that the worker lacks."""

    row: Row
    warnings: Sequence[str] = ()
    unseen: Path | None = None


def rows_of_workers(
    client: Client,
    items: Sequence[Item],
    folder: Path,
    model: Model,
    settings: Settings,
    earlier: Mapping[str, Fields],
) -> Iterator[tuple[int, Row]]:
    """Every product with its number, in the order in which workers finish them.

    Parameters
    ----------
    client : distributed.Client
        From `landcover.maps.connected`.
    items : sequence of Item
        Products, numbered from 1.
    folder : Path
        Where run folders go; workers must see it.
    model : Model
        What maps them.
    settings : Settings
        How.
    earlier : mapping
        Lines of an earlier report, by product.

    Raises
    ------
    LandcoverError
        If a worker lacks files that this machine has, has other versions or another backend of
        Keras, or none is left.
    """
    folder.mkdir(parents=True, exist_ok=True)  # workers tell by it whether they share the disk
    facts = _facts(model)
    tasks = {
        number: _Task(
            _absolute(item), folder.absolute(), model.folder.absolute(), settings,
            earlier.get(str(item.source), {}), facts,
        )
        for number, item in enumerate(items, start=1)
    }  # fmt: skip
    idle = len(workers_of(client)) - len(items)
    if idle > 0:
        say(f"note: a product is the work of one worker, so {idle} workers have nothing to do")
    with closing(on_workers(client, _work, tasks)) as results:
        try:
            for done, (number, outcome) in enumerate(results, start=1):
                row = _row(items[number - 1], model, outcome)
                say(f"{done} of {len(items)} done: {row['product']}: {summary_of(row)}")
                yield number, row
        except KeyboardInterrupt:
            say("products that workers have begun go on there; nothing else will begin")
            raise


def _facts(model: Model) -> ClientFacts:
    """What workers must have in common with this machine."""
    from landcover.classifiers.networks import backend_name

    home = run_of(model)
    files = [model.card_path, model.file, model.applicability_file, home.legend, home.scenes]
    backend = backend_name() if model.kind.runs_on_keras else None
    return ClientFacts.of([path for path in files if path.exists()], backend)


def _absolute(item: Item) -> Item:
    """A product with absolute paths."""
    held = item.listed
    labels, reference = (path and path.absolute() for path in (held.labels, held.reference))
    listed = Listed(held.product.absolute(), labels, reference, held.scheme)
    return Item(listed, Run(item.run.path.absolute()))


def _row(item: Item, model: Model, outcome: object) -> Row:
    """A product's line of the report, in the words of the client's paths.

    Raises
    ------
    LandcoverError
        If the worker lacks a path that is there on this machine.
    """
    row: Row = {"product": str(item.source), "run": str(item.run.path)}
    if isinstance(outcome, LandcoverError):
        return {**row, "error": str(outcome)}
    found = cast("_Outcome", outcome)
    for line in found.warnings:
        warn(line)
    if found.unseen is not None:
        if found.unseen.exists():
            raise LandcoverError(found.row["error"])
        gone = f"{found.unseen} is not there any more; put it back, or take it off the list"
        return {**row, "error": gone}
    if "map" not in found.row:
        return {**found.row, **row}
    path = item.run.map(model.name)
    if not path.exists():
        unseen = f"{found.row['map']} was written by a worker and is not there on this machine"
        return {**row, "error": f"{unseen}; share the folder"}
    return {**found.row, **row, "map": str(path)}


# From here on: what runs on workers.

#: Another client's product, or one that was cancelled after it began, may be at work here.
_one_at_a_time = threading.Lock()


def _work(task: _Task) -> _Outcome:
    """A product prepared, mapped and scored on a worker that has what the client has."""
    import distributed

    task.facts.require()
    for path in (task.folder, task.item.source, *task.item.listed.truths):
        try:
            path.stat()
        except OSError as error:
            told = cannot_read(distributed.get_worker().address, path, error)
            row: Row = {"product": "", "run": "", "error": told}
            return _Outcome(row, unseen=path)
    warnings: list[str] = []
    with _one_at_a_time:
        model = load_model(task.model)
        told_to = warnings.append
        row = row_of(task.item, model, task.settings, task.earlier, told_to, PATIENCE_S)
    return _Outcome(row, warnings)
