"""A trained model to a wall-to-wall map, its confidence, its style and its scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from landcover.classifiers.models import Model, load_model
from landcover.errors import InputError, LandcoverError, MissingProduct, require_whole, typed
from landcover.files.atomic import Fields, digest, versions
from landcover.maps.engine_cache import key_of, with_engine
from landcover.progress import say
from landcover.reports import words
from landcover.run import Run
from landcover.stages.dates import (
    Means,
    date_files,
    dates_to_map,
    map_name,
    means_of,
    note_on_folding,
    raster_of,
    segments_of,
)
from landcover.stages.models import (
    how_to_map,
    is_guest,
    model_of_run,
    require_no_namesake,
    types_digest,
)
from landcover.stages.prepared_features import require_same_fit

if TYPE_CHECKING:
    from distributed import Client

    from landcover.classifiers.networks import Engine
    from landcover.classifiers.sequences import SegmentSequenceClassifier, SequenceClassifier
    from landcover.maps import Agreement, Classifier, Workers
    from landcover.reports.records import Foreign
    from landcover.scene.sequence import Dates


def map_scene(  # noqa: PLR0913 - what the options of landcover map choose
    run: Run,
    model: Model | str | Path,
    *,
    tile_px: int = 1024,
    probabilities: bool = False,
    precision: str = "auto",
    client: Client | None = None,
    entropy: bool = False,
    applicability: bool | None = None,
    dates: Sequence[str] | None = None,
) -> list[Path]:
    """Map every valid pixel of a run's scene and score the map.

    Killed at any moment, the same call goes on where it was.

    Parameters
    ----------
    run : Run
        Run folder with a scene.
    model : Model, str or path
        Model, name of one of the run, or folder of any; its bands must be the scene's.
    tile_px : int
        Side of the windows read at once; more takes more memory. The map does not depend on it.
    probabilities : bool
        Also write the probability of every class; networks then compute in float32.
    precision : str
        "auto" lets a patch network compute in reduced precision where that is faster;
        "float32" declines it.
    client : distributed.Client, optional
        Of a Dask cluster that predicts the windows, from `landcover.maps.connected`.
    entropy : bool
        Also write how undecided the probabilities are.
    applicability : bool, optional
        Also write where the scene is unlike what the model learnt. By default just where the model
        is another run's and knows that.
    dates : sequence of str, optional
        Of a model of sequences: the days to map, such as "2022-04-15". By default those that it
        learnt from, where it reads a fixed number, and all of the run otherwise. A map of others
        than these has them in its name.

    Returns
    -------
    list of Path
        Class map with its QGIS style and STAC item, confidence, probabilities, entropy and
        applicability if asked for, and the report where the run has labels to score against on
        land that the scene shows.

    Raises
    ------
    LandcoverError
        If the model is missing, lacks the area of applicability that is asked for, or needs bands
        or segment types that the run lacks, if the scene has no pixel that is valid in all of these
        bands, or another process is mapping with it.
    """
    from landcover import maps
    from landcover.classifiers.networks import require_precision
    from landcover.files import jobs, rasters, styles
    from landcover.stages.map_item import write_map_item
    from landcover.stages.scoring import foreign_to, is_scored, require_scorable

    require_whole("tile_px", tile_px)
    require_precision(precision)
    model = model_of_run(run, model)
    held = dates_to_map(run, model, dates)
    scene, name = raster_of(run, held), map_name(run, model, held)
    bounded = _is_bounded(run, model, applicability)
    classifier, types = _checked(run, model, held, bounded)
    foreign, cards = foreign_to(run, model), {name: model.card}
    scored = is_scored(run, foreign is not None)
    if scored:
        require_scorable(run, name, classifier.legend, cards, foreign is not None)
    run.read_manifest()  # a damaged one ends it before anything is replaced
    _warn_of_other_pixels(model, run.scene)
    if folded := note_on_folding(held, model):
        say(folded)
    without_area = not bounded and not model.kind.reads_dates
    if without_area and applicability is None and is_guest(run, model):
        say(
            f"note: model {model.name} does not say where {run.scene} is unlike what it learnt; "
            "train it again to know"
        )
    precision = "float32" if probabilities else precision
    facts = _facts(run, model, held, _layers(probabilities, entropy, bounded), precision)
    windows = {"windows": maps.layout(rasters.grid_of(scene), tile_px)}
    with jobs.opened(run.map_job(name), facts | windows) as job:
        started = time.perf_counter()
        classifier, engine = with_engine(classifier, scene, job, model.folder, facts, precision)
        backend = facts.get("backend")
        load = partial(
            _load, model.folder.absolute(), scene.absolute(), engine, bounded, held,
            means_of(run, model, held),
        )  # fmt: skip
        files = _files(run, model, held, bounded)
        workers = None if client is None else _workers(client, scene, types, files, load, backend)
        layers = {maps.LABELS: run.map(name), maps.CONFIDENCE: run.confidence(name)}
        layers |= {maps.PROBABILITIES: run.probabilities(name)} if probabilities else {}
        layers |= {maps.ENTROPY: run.entropy(name)} if entropy else {}
        layers |= {maps.APPLICABILITY: run.applicability(name)} if bounded else {}
        paths = maps.predict_map_in_job(
            classifier,
            scene,
            layers,
            job,
            tile_px=tile_px,
            segment_types=types,
            workers=workers,
        )
        seconds = time.perf_counter() - started + job.seconds_found
        paths.insert(1, styles.qml_path(run.map(name)))
        paths.insert(2, write_map_item(run, name, model, held.days if held else ()))
        settings = {
            "model": model.name,
            **({"dates": list(held.days)} if held else {}),
            "tile_px": tile_px,
            "made_of": key_of(facts),
            "seconds": round(seconds, 1),
            **job.notes,
        }
        inputs = [scene, model.card_path, *filter(None, [types])]
        run.record(f"map {name}", settings, inputs, paths)
        if scored:
            paths += _scored(run, name, seconds, job.notes, cards, foreign)
    if bounded:
        _say_outside(run, model)
    return paths


def _scored(
    run: Run,
    name: str,
    seconds: float,
    notes: Fields,
    cards: Mapping[str, Fields],
    foreign: Foreign | None,
) -> list[Path]:
    """The report of a map; none where no labelled pixel has data, which is no fault of the map."""
    from landcover.stages.scoring import NothingToScore, score_map

    try:
        score_map(run, name, {"predict": seconds}, notes, cards, foreign)
    except NothingToScore as error:
        say(f"note: {error}")
        return []
    return [run.report(name)]


def is_mapped(
    run: Run,
    model: Model | str | Path,
    probabilities: bool = False,
    precision: str = "auto",
    entropy: bool = False,
    applicability: bool | None = None,
    dates: Sequence[str] | None = None,
) -> bool:
    """Whether the run holds the map that `map_scene` would make of the same files."""
    model = model_of_run(run, model)
    held = dates_to_map(run, model, dates)
    entry = run.read_manifest()["stages"].get(f"map {map_name(run, model, held)}")
    if entry is None or not all((run.path / path).exists() for path in entry["products"]):
        return False
    precision = "float32" if probabilities else precision
    bounded = _is_bounded(run, model, applicability)
    facts = _facts(run, model, held, _layers(probabilities, entropy, bounded), precision)
    return entry["settings"].get("made_of") == key_of(facts)


def _is_bounded(run: Run, model: Model, asked: bool | None) -> bool:
    """Whether a map is to say where it leaves the model's area of applicability.

    Raises
    ------
    MissingProduct
        If that is asked for, and the model has no such area.
    """
    if asked:
        model.require_applicability()
    known = model.applicability_file.exists()
    return known and is_guest(run, model) if asked is None else asked


def _say_outside(run: Run, model: Model) -> None:
    """Say how much of a map lies outside; as a warning where that is much."""
    from landcover import maps

    share = maps.outside_share(run.applicability(model.name))
    if share is None:
        return
    said = (
        f"{words.percent(share)} of the map lies outside the area of applicability of model "
        f"{model.name}"
    )
    said += ": nothing that it learnt from is like these pixels" if share >= 5e-4 else ""
    if share > maps.WARNED_SHARE:
        said = f"warning: {said}, and its confidence there means nothing; train a model on labels "
        said += f"of such land (which pixels: {run.applicability(model.name)})"
    say(said)


def _files(run: Run, model: Model, held: Dates | None, bounded: bool = False) -> list[Path]:
    """The files that a map is made from."""
    types = [path] if (path := segments_of(run, model)) else []
    area = [model.applicability_file] if bounded else []
    scene = [run.require("scene")] if held is None else [run.sequence, *date_files(run, held)]
    return [*scene, *types, model.card_path, model.file, *area]


def _layers(probabilities: bool, entropy: bool, applicability: bool) -> list[str]:
    """What is asked for beyond labels and confidence."""
    asked = {
        "probabilities": probabilities,
        "entropy": entropy,
        "applicability": applicability,
    }
    return [layer for layer, wanted in asked.items() if wanted]


def _facts(
    run: Run, model: Model, held: Dates | None, layers: Sequence[str], precision: str
) -> Fields:
    """Everything that a map depends on."""
    from landcover.classifiers import networks

    facts: Fields = {
        **{path.name: digest(path) for path in _files(run, model, held, "applicability" in layers)},
        "layers": list(layers),
        "versions": versions(),
    }
    if model.kind.dense:  # other kinds have no choice
        facts["precision"] = precision
    if model.kind.runs_on_keras:
        facts["backend"] = networks.backend_name()
    return facts


@contextmanager
def on_cluster(address: str | None) -> Iterator[Client | None]:
    """A client of the Dask scheduler at an address; None without one."""
    if address is None:
        yield None
        return
    from landcover import maps

    with maps.connected(address) as client:
        yield client


def _checked(
    run: Run, model: Model, held: Dates | None, bounded: bool
) -> tuple[Classifier, Path | None]:
    """The classifier, and the segment types if it needs them, fit for the run's scene."""
    require_no_namesake(run, model)
    run.require("scene")
    scene = raster_of(run, held)
    means = means_of(run, model, held)
    classifier = _fit_for(model, scene, bounded=bounded, held=held, means=means)
    _require_data(scene, classifier)
    require_same_fit(run, model)
    types = segments_of(run, model)
    if types and not model.kind.segments and not is_guest(run, model):
        _require_same_types(run, model)
    return classifier, types


def _require_data(scene: Path, classifier: Classifier) -> None:
    """Raise InputError if a scene has no pixel to map; of others a first window tells."""
    from landcover.files import rasters

    bands = list(classifier.bands)
    for window in rasters.grid_of(scene).windows(rasters.window_px(len(bands))):
        padded = window.padded(classifier.radius)
        if classifier.valid(rasters.read(scene, padded, bands)).any():
            return
    raise InputError(
        f"{scene} has no pixel with data in all of {' '.join(bands)}, which model "
        f"{classifier.name} sees, so there is nothing to map; check nodata, masks and area of its "
        "sources, and prepare it again"
    )


def _warn_of_other_pixels(model: Model, scene: Path) -> None:
    """Say so where pixels are of another size on the ground than those that a model learnt."""
    from landcover.classifiers.pixel_sizes import other_pixels
    from landcover.files import rasters

    said = other_pixels(rasters.grid_of(scene), model, str(scene))
    if said:
        say(
            f"warning: {said}; train a model on this scene, or warp its bands to such pixels "
            "before landcover prep"
        )


def _fit_for(
    model: Model,
    scene: Path,
    engine: Engine | None = None,
    bounded: bool = False,
    held: Dates | None = None,
    means: Means | None = None,
) -> Classifier:
    """A model's classifier, whose bands the scene must have."""
    from landcover.classifiers.protocol import require_bands
    from landcover.files import rasters

    grid = rasters.grid_of(scene)
    classifier = model.classifier(engine, with_applicability=bounded, grid=grid)
    if held is not None:
        classifier = cast("SequenceClassifier", classifier).bound(held)
    if means is not None:
        classifier = cast("SegmentSequenceClassifier", classifier).over(means())
    require_bands(classifier, rasters.band_names(scene), scene)
    return classifier


def classifier_of_dates(run: Run, model: Model, held: Dates) -> tuple[Classifier, Path | None]:
    """A model's classifier of some dates of a run, and the segments that it reads beside them."""
    means = means_of(run, model, held)
    return _fit_for(model, run.sequence, held=held, means=means), segments_of(run, model)


def _load(
    folder: Path,
    scene: Path,
    engine: Engine | None,
    bounded: bool,
    held: Dates | None,
    means: Means | None,
) -> Classifier:
    """The classifier of a model's folder, as workers of a cluster load it."""
    return _fit_for(load_model(folder), scene, engine, bounded, held, means)


def _workers(
    client: Client,
    scene: Path,
    types: Path | None,
    files: Sequence[Path],
    load: Callable[[], Classifier],
    backend: str | None,
) -> Workers:
    """A cluster that maps the scene; paths are absolute, since workers start elsewhere."""
    from landcover import maps

    return maps.Workers(
        client,
        load=load,
        scene=scene.absolute(),
        segment_types=types.absolute() if types else None,
        facts=maps.ClientFacts.of(files, backend),
    )


def _require_same_types(run: Run, model: Model) -> None:
    """Raise LandcoverError if the run has been segmented again since the model was trained."""
    if model.card.get("segment_types") not in (None, types_digest(run)):
        raise LandcoverError(
            f"model {model.name} was trained on other segment types than {run.segment_types} "
            f"holds; train it again: landcover train mlp {typed(run.path)}"
        )


def verify(
    run: Run,
    model: Model | str | Path,
    n: int,
    seed: int = 0,
    dates: Sequence[str] | None = None,
) -> Agreement:
    """Compare a model's map with patch-by-patch prediction on n random valid pixels.

    The map's side is the engine that made it, and the labels as written; the other side is
    Keras in float32.

    Returns
    -------
    Agreement
        Largest difference of a probability, and labels that differ.

    Raises
    ------
    MissingProduct
        If the run has no such map.
    """
    from landcover import maps

    model = model_of_run(run, model)
    run.require("scene")
    held = dates_to_map(run, model, dates)
    scene, name = raster_of(run, held), map_name(run, model, held)
    engine = _engine_of_map(run, name)
    means = means_of(run, model, held)
    by_patch = _fit_for(model, scene, held=held, means=means)
    mapped = _fit_for(model, scene, engine, held=held, means=means)
    types = segments_of(run, model)
    return maps.verify(mapped, scene, n, seed, types, by_patch, run.map(name))


def _engine_of_map(run: Run, name: str) -> Engine | None:
    """The engine that a map was made with; None for models without."""
    from landcover.classifiers import networks

    settings = run.read_manifest()["stages"].get(f"map {name}", {}).get("settings")
    if settings is None or not run.map(name).exists():
        raise MissingProduct(f"{run.path} has no map of {name} to verify; {how_to_map(run, name)}")
    return networks.Engine.from_dict(settings["engine"]) if "engine" in settings else None
