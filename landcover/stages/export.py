"""A model in forms that other programs read, and the STAC item of its map."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.exchange.check import Seen, check
from landcover.classifiers.models import Model
from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.atomic import copy_file, read_json, write_bytes
from landcover.progress import track
from landcover.run import Run
from landcover.stages.map_item import write_map_item
from landcover.stages.models import run_of

if TYPE_CHECKING:
    from landcover import maps

#: Windows of the scene, and their side, on which an ONNX file is checked.
_CHECKS, _CHECK_PX = 8, 64


@dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    Attributes
    ----------
    paths : list of Path
        Files.
    remarks : list of str
        What was checked, and what was left out and why.
    """

    paths: list[Path]
    remarks: list[str]


def export(model: Model, out: Path | None = None) -> Exported:
    """Write a model as other programs read it: as ONNX, and as the library has it.

    Parameters
    ----------
    model : Model
        What is exported. Its run's scene is what the ONNX file is checked on.
    out : path, optional
        Folder of the exported model alone; by default the model's own, models/NAME.

    Returns
    -------
    Exported
        model.onnx, the file of a model of scikit-learn or LightGBM, and card.json; the item of the
        model's map too, which then names the ONNX file, if that came into models/NAME.

    Raises
    ------
    LandcoverError
        If the model's file is missing or damaged, `out` holds another model, or the ONNX file
        does not give the model's own probabilities; nothing is written then.
    """
    from landcover.classifiers.exchange import metadata

    model.require_classes()
    folder, run = out or model.folder, run_of(model)
    if folder.resolve() != model.folder.resolve():
        _require_own(folder, model.name)
    proto, remarks = model.export()
    content = None
    if proto is not None:
        metadata.add_metadata(proto, model.card)
        content = proto.SerializeToString(deterministic=True)
        remarks.append(_check(content, run, model))
    files = [model.card_path]
    if model.file.suffix != ".keras":  # what Keras alone reads
        files.insert(0, model.file)
    paths = [copy_file(file, folder / file.name) for file in files]
    onnx = folder / "model.onnx"
    if content is None:
        onnx.unlink(missing_ok=True)
        return Exported(paths, remarks)
    write_bytes(onnx, content)
    if folder == model.folder and run.map(model.name).exists():
        paths.append(write_map_item(run, model.name, model))
    return Exported([onnx, *paths], remarks)


def _require_own(folder: Path, name: str) -> None:
    """Raise InputError if a folder holds another model."""
    card = folder / "card.json"
    held = read_json(card).get("name") if card.exists() else name
    if held != name:
        raise InputError(
            f"{folder} holds the model {held}, which {name} would replace; choose another out="
        )


def _check(content: bytes, run: Run, model: Model) -> str:
    """Compare an ONNX file with its model on the run's scene, where both exist; in words."""
    from landcover import maps

    if importlib.util.find_spec("onnxruntime") is None:
        return "model.onnx was not checked: pip install 'landcover[exchange]' for ONNX Runtime"
    types = run.segment_types if model.inputs.segment_layers else None
    for needed in (run.scene, *filter(None, [types])):
        if not needed.exists():
            return f"model.onnx was not checked: {needed} does not exist"
    classifier = model.classifier()
    maps.require_bands(classifier, rasters.band_names(run.scene), run.scene)
    return check(content, classifier, _windows(maps.Source(classifier, run.scene, types)))


def _windows(source: maps.Source) -> Iterator[Seen]:
    """Windows spread over a scene, with their segment types and valid pixels."""
    windows = list(source.grid.windows(_CHECK_PX))
    chosen = sorted({int(i) for i in np.linspace(0, len(windows) - 1, _CHECKS)})
    for window in track([windows[i] for i in chosen], "checking model.onnx"):
        image, layers = source.read(window)
        yield image, layers, source.valid(image)
