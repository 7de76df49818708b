"""A run in the browser: what the command takes and does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import COUNT, COUNT_OR_NONE, POSITIVE, Arguments, Command, add_run
from landcover.errors import MissingDependency

if TYPE_CHECKING:
    from landcover.classifiers.models import Model
    from landcover.classifiers.whole_images import Classifier
    from landcover.run import Run


def _define_serve(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--port", type=COUNT_OR_NONE, default=8000, help="0 takes a free one (default 8000)"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; the default can be reached from this machine alone",
    )
    parser.add_argument(
        "--classifier",
        type=Path,
        metavar="MODEL_FOLDER",
        help="what classifies whole images: a model of the run, or the folder of another run's; "
        "the run's newest network of whole images by default, or else its newest model of pixels",
    )
    parser.add_argument(
        "--max-upload-mib", type=POSITIVE, default=32.0, help="largest upload (default 32)"
    )
    parser.add_argument(
        "--max-pixels", type=COUNT, default=4_000_000, help="largest image (default 4000000)"
    )
    parser.add_argument(
        "--timeout", type=POSITIVE, default=30.0, help="seconds for a request (default 30)"
    )
    parser.add_argument(
        "--workers", type=COUNT, default=2, help="images worked on at once (default 2)"
    )
    parser.add_argument(
        "--waiting", type=COUNT_OR_NONE, default=64, help="uploads that may wait (default 64)"
    )


def _serve(a: Arguments) -> list[Path]:
    require_service()
    from landcover.progress import say
    from landcover.run import Run
    from landcover.service import assets
    from landcover.service.limits import MIB, Limits
    from landcover.service.server import serve
    from landcover.service.state import load
    from landcover.stages.models import models_of_run

    if lacking := assets.missing():
        say(
            f"note: the page's JavaScript is not there ({lacking[0]}); endpoints answer without "
            "it: fetch it once, in a checkout of the project, with: make web"
        )
    run = Run(a.run)
    models = models_of_run(run)
    limits = Limits(
        upload_bytes=int(a.max_upload_mib * MIB),
        pixels=a.max_pixels,
        timeout_s=a.timeout,
        workers=a.workers,
        waiting=a.waiting,
    )
    serve(load(run, classifier_of(run, models, a.classifier), limits, models), a.host, a.port)
    return []


def require_service() -> None:
    """Raise MissingDependency unless the libraries of the service are installed."""
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import rio_tiler  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"landcover serve needs {error.name}; install it with: pip install 'landcover[service]'"
        ) from None


def classifier_of(run: Run, models: list[Model], given: Path | None) -> Classifier | None:
    """The image classifier asked for, or one of the run's own models; None where it has none."""
    from landcover.classifiers.cards import holds_model
    from landcover.classifiers.whole_images import load_classifier
    from landcover.stages.models import default_image_model, model_of_run

    if given is None:
        model = default_image_model(models)
    else:
        folder = (given if holds_model(given) else run.model(str(given))).resolve()
        own = [model for model in models if model.folder.resolve() == folder]
        model = own[0] if own else model_of_run(run, given)
    return None if model is None else load_classifier(model)


COMMANDS: dict[str, Command] = {
    "serve": (
        "Serve a run on this machine: classify images, see its maps side by side.",
        _define_serve,
        _serve,
    ),
}
