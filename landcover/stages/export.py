"""A model in forms that other programs read, and the STAC item of its map."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers import kinds
from landcover.classifiers.exchange.check import Seen, check
from landcover.errors import LandcoverError
from landcover.files.atomic import read_json, replace_when_whole
from landcover.progress import track
from landcover.run import Run
from landcover.stages.map_item import write_map_item

if TYPE_CHECKING:
    from onnx import ModelProto

    from landcover import maps


#: Windows of the scene, and their side, on which an ONNX file is checked.
_CHECKS, _CHECK_PX = 8, 64
#: A larger forest is left out of ONNX: its file would take over 40 MB, and seconds to load.
MAX_ONNX_NODES = 1_000_000


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


def export(run: Run, name: str, out: Path | None = None) -> Exported:
    """Write a model as other programs read it: networks as ONNX, forests as ONNX and skops.

    Parameters
    ----------
    run : Run
        Run folder with the model.
    name : str
        Model.
    out : path, optional
        Folder of the exported model alone; by default the model's own, models/NAME.

    Returns
    -------
    Exported
        model.onnx, model.skops of a model of scikit-learn, and card.json; the item of the
        model's map too, which then names the ONNX file, if that came into models/NAME.

    Raises
    ------
    LandcoverError
        If the model is missing or damaged, `out` holds another model, or the ONNX file
        does not give the model's own probabilities; nothing is written then.
    """
    from landcover.classifiers import models
    from landcover.classifiers.exchange import metadata

    card = models.read_card(run, name)
    models.require_classifier(run, name, card)
    home, folder = run.model(name), out or run.model(name)
    _require_own(folder, name)
    proto, remarks = _onnx_form(home / kinds.FILES[card["kind"]], card["kind"])
    content = None
    if proto is not None:
        metadata.add_metadata(proto, card)
        content = proto.SerializeToString(deterministic=True)
        remarks.append(_check(content, run, name))
    files = ["card.json"]
    if kinds.FILES[card["kind"]].endswith(".skops"):
        files.insert(0, kinds.FILES[card["kind"]])
    paths = [_copied(home / file, folder / file) for file in files]
    onnx = folder / "model.onnx"
    if content is None:
        onnx.unlink(missing_ok=True)
        return Exported(paths, remarks)
    with replace_when_whole(onnx) as part:
        part.write_bytes(content)
    if folder == home and run.map(name).exists():
        paths.append(write_map_item(run, name, run))
    return Exported([onnx, *paths], remarks)


def _require_own(folder: Path, name: str) -> None:
    """Raise LandcoverError if a folder holds another model."""
    card = folder / "card.json"
    held = read_json(card).get("name") if card.exists() else name
    if held != name:
        raise LandcoverError(
            f"{folder} holds the model {held}, which {name} would replace; choose another --out"
        )


def _onnx_form(file: Path, kind: str) -> tuple[ModelProto | None, list[str]]:
    """A model as ONNX, or why it has no such form."""
    from landcover.classifiers import forests, networks
    from landcover.classifiers.exchange import forest_onnx

    if kind == "knn":
        return None, ["no ONNX: nearest neighbours are their training samples; see model.skops"]
    if kind != "forest":
        return networks.to_onnx(networks.load(file)), []
    forest = forests.load(file)
    nodes = forest_onnx.count_nodes(forest)
    if nodes > MAX_ONNX_NODES:
        return None, [
            f"no ONNX: the forest has {nodes:,} nodes, and over {MAX_ONNX_NODES:,} are of "
            "little use in that form; see model.skops"
        ]
    return forest_onnx.to_onnx(forest), []


def _copied(source: Path, target: Path) -> Path:
    """A file in its new place, whole or not at all."""
    if target.resolve() != source.resolve():
        with replace_when_whole(target) as part:
            shutil.copyfile(source, part)
    return target


def _check(content: bytes, run: Run, name: str) -> str:
    """Compare an ONNX file with its model on the run's scene, where both are at hand; in words."""
    from landcover import maps
    from landcover.classifiers import models

    if importlib.util.find_spec("onnxruntime") is None:
        return "model.onnx was not checked: pip install 'landcover[exchange]' for ONNX Runtime"
    with_types = bool(models.read_card(run, name)["segment_layers"])
    for needed in (run.scene, *([run.segment_types] if with_types else [])):
        if not needed.exists():
            return f"model.onnx was not checked: {needed} does not exist"
    classifier = models.load(run, name)
    types = run.segment_types if with_types else None
    return check(content, classifier, _windows(maps.Source(classifier, run.scene, types)))


def _windows(source: maps.Source) -> Iterator[Seen]:
    """Windows spread over a scene, with their segment types and valid pixels."""
    windows = list(source.grid.windows(_CHECK_PX))
    chosen = sorted({int(i) for i in np.linspace(0, len(windows) - 1, _CHECKS)})
    for window in track([windows[i] for i in chosen], "checking model.onnx"):
        image, layers = source.read(window)
        yield image, layers, source.valid(image)
