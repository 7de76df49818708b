"""Each scene mapped by a model of the others alone: how well one more scene would be mapped."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from landcover.classifiers.models import Model
from landcover.files.atomic import staging_folder, versions, write_together
from landcover.progress import say
from landcover.reports import by_scene, tally
from landcover.reports.by_scene import ByScene, LeftOut
from landcover.reports.tally import TRUTHS
from landcover.reports.words import render
from landcover.run import Run
from landcover.samples.rows import TARGETS
from landcover.stages.scoring import scored_on
from landcover.stages.train_scenes import Several
from landcover.stages.truths import held_truths, raster_of_samples


def leave_scenes_out(several: Several) -> ByScene:
    """Train, for each scene, on the others alone, and score that on the whole of it.

    A model stops and is calibrated by validation blocks of the scenes that it learns from. The
    held-out scene is scored on all of its labelled pixels; or on all of its samples, where these
    alone have classes.

    Parameters
    ----------
    several : Several
        From `train_scenes.several_scenes`.

    Returns
    -------
    dict
        What reports/NAME_by_scene.json of the run that holds the model says; see `pages_of`.
    """
    runs = several.joint.runs
    against = _common_truth(several)
    found = []
    for number, run in enumerate(runs):
        others = [other for other in range(len(runs)) if other != number]
        say(f"leaving out {run.path} ({number + 1} of {len(runs)})")
        found.append(left_out(several.of(others), several, number, against))
    content: ByScene = {
        "model": several.name,
        "against": against,
        "scenes": found,
        "summary": by_scene.summary_of(found),
        "notes": list(several.joint.notes),
        "seed": several.seed,
        "versions": versions(),
    }
    page, data = pages_of(several)
    write_together({page: render("by_scene.md", c=content)}, data, dict(content))
    return content


def pages_of(several: Several) -> list[Path]:
    """What `leave_scenes_out` writes: reports/NAME_by_scene.md and .json."""
    data = several.out.by_scene(several.name)
    return [data.with_suffix(".md"), data]


def _common_truth(several: Several) -> str:
    """What all scenes can be scored by: a reference where every one has it."""
    for truth in TRUTHS:
        if all(_has(several, number, truth) for number in range(len(several.parts))):
            return truth
    return "labels"


def _has(several: Several, number: int, truth: str) -> bool:
    """Whether a scene has a raster of a truth, or has none at all and its samples know it."""
    held = held_truths(several.joint.runs[number])
    return truth in held if held else TARGETS[truth] in several.parts[number].samples


def left_out(others: Several, several: Several, number: int, against: str) -> LeftOut:
    """A model of other scenes, and its scores on one that it lacks.

    Parameters
    ----------
    others, several : Several
        What the model learns from, and all scenes.
    number : int
        Of the scene that is scored, among all.
    against : {"reference", "labels"}
        What it is scored by.
    """
    run = several.joint.runs[number]
    training = others.training()
    with staging_folder(several.out.path) as stage:
        model = training.stored_in(stage / several.name, others.trainer(training))
        path = stage / "map.tif"
        _map(model, run, path)
        confusions, codes, scored_on = _confusions(several, number, path, against)
    legend = several.joint.nomenclature.legend
    held = by_scene.scores_of(confusions, codes, model.legend.codes, legend, several.seed)
    return {
        "run": str(run.path),
        "days": several.joint.facts[number]["days"],
        "crs": several.joint.facts[number]["crs"],
        "trained_on": [str(other.path) for other in others.joint.runs],
        "n_train": len(training.rows.train),
        "scored_on": scored_on,
        **held,
    }


def _map(model: Model, run: Run, path: Path) -> None:
    from landcover.maps.prediction import predict_map

    predict_map(model, run.scene, path)


def _confusions(
    several: Several, number: int, path: Path, against: str
) -> tuple[np.ndarray, tuple[int, ...], str]:
    """Confusion matrices of the blocks of a scene, and the order of their classes."""
    run, blocks = several.joint.runs[number], several.joint.blocks[number].all_tested()
    with ExitStack() as files:
        truth = held_truths(run).get(against) or files.enter_context(
            raster_of_samples(run, against)
        )
        layers = {against: truth, "map": path}
        counted = tally.tally_maps(layers, run.scene, blocks, several.joint.nomenclature)
    return counted.confusions[against]["map"], counted.codes, scored_on(run, True, against)
