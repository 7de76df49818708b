"""A trained model to a wall-to-wall map, its confidence, its style and its scores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import LandcoverError
from landcover.runs import Run

if TYPE_CHECKING:
    from landcover.mapping import Agreement


def map_scene(
    run: Run,
    model: str,
    tile_px: int = 1024,
    probabilities: bool = False,
    trained_in: Run | None = None,
) -> list[Path]:
    """Map every valid pixel of a run's scene and score the map.

    Parameters
    ----------
    run : Run
        Run folder with a scene and the model.
    model : str
        Name of the model.
    tile_px : int
        Side of the windows read at once; more takes more memory. The map does not depend on it.
    probabilities : bool
        Also write the probability of every class.
    trained_in : Run, optional
        Run folder that holds the model, where it is another one; its bands must be the same.

    Returns
    -------
    list of Path
        Class map with its QGIS style, confidence, probabilities if asked for, and the report
        where the run has labels to score against.

    Raises
    ------
    LandcoverError
        If the model is missing, or needs bands or segment types that the run lacks.
    """
    from landcover import mapping, models, styles
    from landcover.workflows.score import require_scorable, score_map

    home = (trained_in or run).model(model)
    guest = home.resolve() != run.model(model).resolve()
    if guest and run.model(model).exists():
        raise LandcoverError(
            f"{run.path} has a model {model} of its own, whose map this would replace; "
            "map into another run, or without naming the other run's folder"
        )
    classifier = models.load(trained_in or run, model, run.require("scene"))
    types = run.require("segment_types") if classifier.segment_layers else None
    if types and not guest:
        _require_same_types(run, model)
    scored = run.splits.exists() and (run.labels.exists() or run.reference.exists())
    if scored:
        require_scorable(run, [] if guest else [model])
    run.read_manifest()  # a damaged one ends it before anything is replaced
    started = time.perf_counter()
    paths = mapping.predict_map(
        classifier,
        run.scene,
        run.map(model),
        tile_px=tile_px,
        confidence=run.confidence(model),
        probabilities=run.probabilities(model) if probabilities else None,
        segment_types=types,
    )
    seconds = time.perf_counter() - started
    paths.insert(1, styles.write_qml(run.map(model), classifier.legend))
    inputs = [run.scene, home / "card.json", *filter(None, [types])]
    run.record(f"map {model}", {"model": model, "tile_px": tile_px}, inputs, paths)
    if scored:
        score_map(run, model, {"predict": seconds})
        paths.append(run.report(model))
    return paths


def _require_same_types(run: Run, model: str) -> None:
    """Raise LandcoverError if the run has been segmented anew since the model was trained."""
    from landcover import models

    if models.read_card(run, model).get("segment_types") not in (None, models.types_digest(run)):
        raise LandcoverError(
            f"model {model} was trained on other segment types than {run.segment_types} holds; "
            f"train it again: python -m baselines.mlp {run.path}"
        )


def verify(run: Run, model: str, n: int, seed: int = 0, trained_in: Run | None = None) -> Agreement:
    """Compare a model's map with patch-by-patch prediction on n random valid pixels.

    Returns
    -------
    Agreement
        Largest difference of a probability, and labels that differ.
    """
    from landcover import mapping, models

    classifier = models.load(trained_in or run, model, run.require("scene"))
    types = run.require("segment_types") if classifier.segment_layers else None
    return mapping.verify(classifier, run.scene, n, seed, types)
