"""A trained model to a wall-to-wall map, its confidence, its style and its scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landcover.errors import LandcoverError
from landcover.files.atomic import digest, versions
from landcover.maps.engine_cache import engine_of_map, key_of, with_engine
from landcover.run import Run

if TYPE_CHECKING:
    from landcover.classifiers.networks import Engine
    from landcover.maps import Agreement, Classifier


def map_scene(
    run: Run,
    model: str,
    tile_px: int = 1024,
    probabilities: bool = False,
    trained_in: Run | None = None,
    precision: str = "auto",
    client: Any = None,
    entropy: bool = False,
) -> list[Path]:
    """Map every valid pixel of a run's scene and score the map.

    Killed at any moment, the same call goes on where it was.

    Parameters
    ----------
    run : Run
        Run folder with a scene and the model.
    model : str
        Name of the model.
    tile_px : int
        Side of the windows read at once; more takes more memory. The map does not depend on it.
    probabilities : bool
        Also write the probability of every class; networks then compute in float32.
    trained_in : Run, optional
        Run folder that holds the model, where it is another one; its bands must be the same.
    precision : str
        "auto" lets a patch network compute in reduced precision where that is faster;
        "float32" declines it.
    client : distributed.Client, optional
        Of a Dask cluster that predicts the windows, from `landcover.maps.connected`.
    entropy : bool
        Also write how undecided the probabilities are.

    Returns
    -------
    list of Path
        Class map with its QGIS style and STAC item, confidence, probabilities and entropy if
        asked for, and the report where the run has labels to score against.

    Raises
    ------
    LandcoverError
        If the model is missing, or needs bands or segment types that the run lacks, or another
        process is mapping with it.
    """
    from landcover import maps
    from landcover.classifiers import models
    from landcover.files import jobs, rasters, styles
    from landcover.stages.map_item import write_map_item
    from landcover.stages.scoring import require_scorable, score_map

    holder = trained_in or run
    classifier, types = _checked(run, model, holder)
    scored = run.splits.exists() and (run.labels.exists() or run.reference.exists())
    if scored:
        require_scorable(run, [] if models.is_guest(run, model, holder) else [model])
    run.read_manifest()  # a damaged one ends it before anything is replaced
    precision = "float32" if probabilities else precision
    facts = _facts(run, model, holder, _layers(probabilities, entropy), precision)
    windows = {"windows": maps.layout(rasters.grid_of(run.scene), tile_px)}
    with jobs.opened(run.map_job(model), facts | windows) as job:
        started = time.perf_counter()
        classifier, engine = with_engine(
            classifier, run.scene, job, holder.model(model), facts, precision
        )
        workers = client and _workers(client, run, model, holder, engine, facts.get("backend"))
        paths = maps.predict_map(
            classifier,
            run.scene,
            run.map(model),
            tile_px=tile_px,
            confidence=run.confidence(model),
            probabilities=run.probabilities(model) if probabilities else None,
            entropy=run.entropy(model) if entropy else None,
            segment_types=types,
            job=job,
            workers=workers,
        )
        seconds = time.perf_counter() - started + job.seconds_found
        paths.insert(1, styles.write_qml(run.map(model), classifier.legend))
        paths.insert(2, write_map_item(run, model, holder))
        settings = {
            "model": model,
            "tile_px": tile_px,
            "made_of": key_of(facts),
            "seconds": round(seconds, 1),
            **job.notes,
        }
        inputs = [run.scene, holder.model(model) / "card.json", *filter(None, [types])]
        run.record(f"map {model}", settings, inputs, paths)
        if scored:
            score_map(run, model, {"predict": seconds}, job.notes)
            paths.append(run.report(model))
    return paths


def is_mapped(
    run: Run,
    model: str,
    probabilities: bool = False,
    trained_in: Run | None = None,
    precision: str = "auto",
    entropy: bool = False,
) -> bool:
    """Whether the run holds the map that `map_scene` would make of the same files."""
    entry = run.read_manifest()["stages"].get(f"map {model}")
    if entry is None or not all((run.path / path).exists() for path in entry["products"]):
        return False
    precision = "float32" if probabilities else precision
    layers = _layers(probabilities, entropy)
    facts = _facts(run, model, trained_in or run, layers, precision)
    return entry["settings"].get("made_of") == key_of(facts)


def _files(run: Run, model: str, holder: Run) -> list[Path]:
    """The files that a map is made from."""
    from landcover.classifiers import models

    card = models.read_card(holder, model)
    types = [run.require("segment_types")] if card["segment_layers"] else []
    own = [holder.model(model) / "card.json", models.file_of(holder, model, card["kind"])]
    return [run.require("scene"), *types, *own]


def _layers(probabilities: bool, entropy: bool) -> list[str]:
    """What is asked for beyond labels and confidence."""
    asked = {"probabilities": probabilities, "entropy": entropy}
    return [layer for layer, wanted in asked.items() if wanted]


def _facts(
    run: Run, model: str, holder: Run, layers: Sequence[str], precision: str
) -> dict[str, Any]:
    """Everything that a map depends on."""
    from landcover.classifiers import models, networks

    kind = models.read_card(holder, model)["kind"]
    facts: dict[str, Any] = {
        **{path.name: digest(path) for path in _files(run, model, holder)},
        "layers": list(layers),
        "versions": versions(),
    }
    if kind == "cnn":  # the only one that has a choice
        facts["precision"] = precision
    if kind in ("mlp", "cnn", "cnn-published"):
        facts["backend"] = networks.backend_name()
    return facts


@contextmanager
def on_cluster(address: str | None) -> Iterator[Any]:
    """A client of the Dask scheduler at an address; None without one."""
    if address is None:
        yield None
        return
    from landcover import maps

    with maps.connected(address) as client:
        yield client


def _checked(run: Run, model: str, holder: Run) -> tuple[Classifier, Path | None]:
    """The classifier, and the segment types if it needs them, fit for the run's scene."""
    from landcover.classifiers import models

    models.require_no_namesake(run, model, holder)
    classifier = models.load(holder, model, run.require("scene"))
    types = run.require("segment_types") if classifier.segment_layers else None
    if types and not models.is_guest(run, model, holder):
        _require_same_types(run, model)
    return classifier, types


def _workers(
    client: Any, run: Run, model: str, holder: Run, engine: Engine | None, backend: str | None
) -> Any:
    """A cluster that maps the scene; paths are absolute, since workers start elsewhere."""
    from landcover import maps
    from landcover.classifiers import models

    scene, files = run.scene.absolute(), _files(run, model, holder)
    return maps.Workers(
        client,
        load=partial(models.load, Run(holder.path.absolute()), model, scene, engine),
        scene=scene,
        segment_types=run.segment_types.absolute() if run.segment_types in files else None,
        digests={str(path.absolute()): digest(path) for path in files},
        backend=backend,
    )


def _require_same_types(run: Run, model: str) -> None:
    """Raise LandcoverError if the run has been segmented anew since the model was trained."""
    from landcover.classifiers import models

    if models.read_card(run, model).get("segment_types") not in (None, models.types_digest(run)):
        raise LandcoverError(
            f"model {model} was trained on other segment types than {run.segment_types} holds; "
            f"train it again: landcover train mlp {run.path}"
        )


def verify(run: Run, model: str, n: int, seed: int = 0, trained_in: Run | None = None) -> Agreement:
    """Compare a model's map with patch-by-patch prediction on n random valid pixels.

    The map's side is the engine that made it, and the labels as written; the other side is
    Keras in float32.

    Returns
    -------
    Agreement
        Largest difference of a probability, and labels that differ.

    Raises
    ------
    LandcoverError
        If the run has no such map.
    """
    from landcover import maps
    from landcover.classifiers import models

    holder, engine = trained_in or run, engine_of_map(run, model)
    by_patch = models.load(holder, model, run.require("scene"))
    mapped = models.load(holder, model, run.scene, engine)
    types = run.require("segment_types") if mapped.segment_layers else None
    return maps.verify(mapped, run.scene, n, seed, types, by_patch, run.map(model))
