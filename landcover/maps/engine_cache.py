"""The engine that runs a network over a scene: measured once, then kept with the model.

Measurements differ from one time to the next, and engines round differently. So the choice is
kept in models/NAME/engines, one file for a scene, the model's files, the versions, the
processor and the precision asked for: the map of a model has the same bytes each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.applicability import APPLICABILITY
from landcover.errors import LandcoverError
from landcover.files.atomic import Fields, read_json, short_digest, write_json
from landcover.files.machine import processor
from landcover.progress import say

if TYPE_CHECKING:
    from landcover.classifiers.networks import Engine, PatchClassifier
    from landcover.files.jobs import Job
    from landcover.maps import Classifier

#: Tiles on which a network's engines are measured, spread over the scene.
_TYPICAL_TILES = 8


def with_engine(
    classifier: Classifier,
    scene: Path,
    job: Job,
    folder: Path,
    facts: Mapping[str, object],
    precision: str,
) -> tuple[Classifier, Engine | None]:
    """A patch network with its engine; other models as they are, with None.

    Parameters
    ----------
    classifier : Classifier
        Any model, loaded.
    scene : Path
        What it maps.
    job : Job
        Its notes get the engine and what was measured; a job that was begun goes on with its own.
    folder : Path
        Of the model, which keeps the choice.
    facts : mapping
        Everything that the map depends on.
    precision : {"auto", "float32"}
    """
    from landcover.classifiers import networks

    if not isinstance(classifier, networks.PatchClassifier):
        return classifier, None
    if "engine" not in job.notes:
        job.note(**_choice(classifier, scene, _cache_file(folder, facts), precision))
    engine = networks.Engine.from_dict(job.notes["engine"])
    return classifier.with_engine(engine), engine


def key_of(facts: Mapping[str, object]) -> str:
    """A short name of facts."""
    return short_digest(json.dumps(facts, sort_keys=True).encode())


def _cache_file(folder: Path, facts: Mapping[str, object]) -> Path:
    """Where the choice is kept. Layers do not matter: they change nothing but the precision."""
    of = {name: fact for name, fact in facts.items() if name not in ("layers", APPLICABILITY)}
    return folder / "engines" / f"{key_of(of | {'processor': _processor()})}.json"


def _choice(classifier: PatchClassifier, scene: Path, kept: Path, precision: str) -> Fields:
    """The engine, and what was measured: as kept, or by measurement now."""
    from landcover import maps
    from landcover.classifiers import networks

    found = _read(kept)
    if found is not None:
        say(f"engine: {networks.Engine.from_dict(found['engine'])} (as measured before)")
        return found
    source = maps.Source(classifier, scene)
    choice = networks.choose_engine(
        classifier,
        source.typical_tiles(_TYPICAL_TILES),
        precision=precision,
        n_pixels=source.grid.rows * source.grid.cols,
    )
    say(str(choice))
    found = {"engine": choice.engine.as_dict(), "measured": choice.measured}
    if choice.measured:  # a choice without one is always the same
        try:
            write_json(kept, found)
        except LandcoverError:
            say(f"the choice is not kept: {kept.parent} cannot be written; another map of this "
                "model may run on another engine, with equal labels")  # fmt: skip
    return found


def _read(kept: Path) -> Fields | None:
    """A choice that was kept; None where there is none that can be used."""
    from landcover.classifiers import networks

    try:
        found = read_json(kept)
        networks.Engine.from_dict(found["engine"])
        return {"engine": found["engine"], "measured": found["measured"]}
    except (LandcoverError, KeyError, TypeError):
        return None


def _processor() -> str:
    """The processor's name, and how many of it this process sees."""
    return f"{os.cpu_count()} x {processor()}"
