"""Features that a scene was prepared with: what they were fitted to, and who may map them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landcover.classifiers.models import Model
from landcover.errors import InputError, typed
from landcover.files.atomic import Fields
from landcover.run import Run
from landcover.scene.feature_bands import Wanted
from landcover.scene.feature_families import PIXEL_M, in_family

#: Key of a card: what features among the bands of the scene were fitted to.
PREPARED = "prepared"


def wanted_features(names: Sequence[str], as_run: Run | None = None) -> Wanted | None:
    """Features that a scene is to be prepared with, fitted as another run's were.

    Raises
    ------
    InputError
        If a run to fit as is given without features, or its scene was prepared without any.
    """
    if as_run is None:
        return Wanted(tuple(names)) if names else None
    if not names:
        raise InputError(f"features_as={as_run.path} is for features; give features=")
    fitted = _settings(as_run).get("fitted")
    if not fitted:
        raise InputError(
            f"features_as={as_run.path}: its scene was prepared without features that are fitted; "
            "leave it out"
        )
    return Wanted(tuple(names), fitted)


def prepared_fit(run: Run, bands: Sequence[str]) -> dict[str, Any]:
    """What those of a scene's bands that are features were fitted to, by their names.

    Empty where none of them needs a fit. Terrain only needs the size of pixels, each scene its own.
    """
    fitted = _settings(run).get("fitted", {})
    found = {}
    for band in bands:
        feature = in_family(band)
        if feature is not None and feature.fit in fitted and feature.fit != PIXEL_M:
            found[band] = fitted[feature.fit]
    return found


def require_same_fit(run: Run, model: Model) -> None:
    """Raise InputError if a scene has features by the names of a model's, fitted otherwise."""
    learnt = {
        name: fit for name, fit in model.card.get(PREPARED, {}).items() if name in model.bands
    }
    held = prepared_fit(run, list(learnt))
    other = [name for name, fit in learnt.items() if held.get(name) != fit]
    if other:
        raise InputError(
            f"model {model.name} learnt {' '.join(other)} as bands of its scene, and {run.scene} "
            "has them fitted otherwise; prepare it with the same fit: landcover prep --features "
            f"{' '.join(map(typed, other))} --features-as {typed(_home(model))}"
        )


def keep_fit(source: Run, run: Run) -> None:
    """Keep in a run, whose scene is that of another, what features of it were fitted to."""
    fitted = _settings(source).get("fitted")
    if fitted:
        run.record("prep", {"fitted": fitted}, [source.scene], [run.scene])


def _home(model: Model) -> str:
    """The run folder that a model lies in."""
    return str(model.folder.parent.parent)


def _settings(run: Run) -> Fields:
    """What the run's scene was prepared with."""
    return run.read_manifest()["stages"].get("prep", {}).get("settings", {})
