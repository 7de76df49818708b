"""Images to classes: what the command takes and does."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from landcover.commands.options import Arguments, Command, in_options
from landcover.commands.prep import prep_parser
from landcover.errors import LandcoverError


def _define_classify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="JPEG, PNG or GeoTIFF"
    )
    parser.add_argument(
        "--run",
        type=Path,
        default=Path("runs/eurosat"),
        help="run folder that holds the model (default runs/eurosat)",
    )
    parser.add_argument(
        "--model",
        help="name of a model of the run, or a model's folder; the newest network of whole "
        "images by default, or else the newest model of pixels",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object an image")
    parser.set_defaults(asks=True)


def _classify(a: Arguments) -> list[Path]:
    from landcover.classifiers.whole_images import left_out, load_classifier, reply
    from landcover.progress import track
    from landcover.run import Run
    from landcover.sources.image import read_image
    from landcover.stages.models import image_model

    classifier = load_classifier(image_model(Run(a.run), a.model))
    failed = []
    for path in track(a.images, "classifying images"):
        try:
            image = read_image(path)
            found = reply(classifier, image)
        except LandcoverError as error:
            # a model does not know what the image is called
            said = in_options(str(error), prep_parser())
            failed.append(said if str(path) in said else f"{path}: {said}")
            continue
        for note in [*image.notes, *(f"{path}: {said}" for said in left_out(classifier, image))]:
            print(f"note: {in_options(note, prep_parser())}", file=sys.stderr)
        if a.json:
            print(json.dumps({"image": str(path), **found}, ensure_ascii=False), flush=True)
        else:
            classes = " ".join(f"{name}={p:.4f}" for name, p in found["probabilities"].items())
            print(f"{path}: {found['Type']} {classes}", flush=True)
    if failed:
        raise LandcoverError("; ".join(failed))
    return []


COMMANDS: dict[str, Command] = {
    "classify": ("Say what images show, with probabilities.", _define_classify, _classify),
}
