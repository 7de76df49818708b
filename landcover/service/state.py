"""The state of the service: models, layers and the page, loaded once at the start."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from landcover.classifiers.models import Model
from landcover.classifiers.whole_images import Classifier
from landcover.errors import MissingProduct
from landcover.run import Run
from landcover.service import assets
from landcover.service.layers import Layer, layers_of
from landcover.service.limits import Limits
from landcover.service.pool import Pool
from landcover.service.uploads import Classify, Predict
from landcover.sources.image import Image
from landcover.stages.models import models_of_run

_WARM_PX = 64


@dataclass(frozen=True)
class State:
    """All that answers requests.

    Attributes
    ----------
    run : str
        Name of the run.
    classify : Classify or None
        The class of an image; None where the run has no model for it.
    predict : dict
        The class of every pixel, by model.
    layers : dict
        Layers of the map by name.
    assets : dict
        Files of the page by name.
    limits : Limits
        Bounds on requests.
    uploads, views : Pool
        Threads for uploads, and for tiles and points.
    """

    run: str
    classify: Classify | None
    predict: dict[str, Predict]
    layers: dict[str, Layer]
    assets: dict[str, assets.Asset]
    limits: Limits
    uploads: Pool = field(init=False)
    views: Pool = field(init=False)

    def __post_init__(self) -> None:
        limits = self.limits
        pools = {
            "uploads": Pool("upload", limits.workers, limits.waiting, limits.timeout_s),
            "views": Pool("view", limits.workers, limits.tiles_waiting, limits.timeout_s),
        }
        for name, pool in pools.items():
            object.__setattr__(self, name, pool)

    def close(self) -> None:
        """Let the threads end."""
        self.uploads.close()
        self.views.close()


def load(
    run: Run, classifier: Classifier | None, limits: Limits, models: list[Model] | None = None
) -> State:
    """Load a run.

    Parameters
    ----------
    run : Run
        Run folder with models, or layers, or both.
    classifier : Classifier, optional
        Classifier of whole images.
    limits : Limits
        Bounds on requests.
    models : list of Model, optional
        Models of the run, read already; they are read here by default.

    Raises
    ------
    LandcoverError
        If there is nothing to serve, or something of it is damaged.
    """
    page = assets.load()
    models = models_of_run(run) if models is None else models
    layers, pixel_models = layers_of(run), _pixel_models(models)
    if not (layers or pixel_models or classifier):
        run.require_folder()
        raise MissingProduct(
            f"{run.path} has no scene, map or model to serve; make one with: "
            + run.made_by("scene")
        )
    classify = Classify(classifier) if classifier else None
    if classifier:
        _warm(classifier)
    return State(run.path.resolve().name, classify, pixel_models, layers, page, limits)


def _pixel_models(models: list[Model]) -> dict[str, Predict]:
    """Models of a run that need an image only; models with segment types need more."""
    return {
        model.name: Predict(model.classifier())
        for model in models
        if model.kind.maps_pixels and not model.inputs.segment_layers
    }


def _warm(classifier: Classifier) -> None:
    """Classify once: the first call of a network is slow, and no client should wait for it."""
    grey = np.full((len(classifier.bands), _WARM_PX, _WARM_PX), 0.1, np.float32)
    classifier.probabilities([Image(grey, tuple(classifier.bands))])
