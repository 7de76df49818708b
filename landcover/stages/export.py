"""A model in forms that other programs read, and the STAC item of its map."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.errors import LandcoverError
from landcover.progress import track
from landcover.reports import store
from landcover.run import Run, read_json, replace_when_whole
from landcover.samples.chips import views

if TYPE_CHECKING:
    from onnx import ModelProto

    from landcover.maps import Classifier

#: A larger forest is left out of ONNX: its file would take over 40 MB, and seconds to load.
MAX_ONNX_NODES = 1_000_000
#: Windows of the scene, and their side, on which an ONNX file is checked.
_CHECKS, _CHECK_PX = 8, 64
#: Other kernels round otherwise, by some 1e-6; more is another model.
_TOLERANCE = 1e-3

#: Pixels of a window with margin, and its segment types, to probabilities.
Predict = Callable[[np.ndarray, "np.ndarray | None"], np.ndarray]


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
    proto, remarks = _onnx_form(home / models.FILES[card["kind"]], card["kind"])
    content = None
    if proto is not None:
        metadata.add_metadata(proto, card)
        content = proto.SerializeToString(deterministic=True)
        remarks.append(_check(content, run, name))
    files = ["card.json"]
    if models.FILES[card["kind"]].endswith(".skops"):
        files.insert(0, models.FILES[card["kind"]])
    paths = [_copied(home / file, folder / file) for file in files]
    onnx = folder / "model.onnx"
    if content is None:
        onnx.unlink(missing_ok=True)
        return Exported(paths, remarks)
    with replace_when_whole(onnx) as part:
        part.write_bytes(content)
    if folder == home and run.map(name).exists():
        paths.append(write_item(run, name, run))
    return Exported([onnx, *paths], remarks)


def write_item(run: Run, name: str, home: Run) -> Path:
    """Write the STAC item of a model's map; `home` is the run that holds the model."""
    from landcover.classifiers import models
    from landcover.classifiers.exchange import metadata
    from landcover.reports import stac

    model = store.model_of(name)
    card = models.read_card(home, model)
    properties = metadata.mlm_properties(card, _dn_range(run))
    return stac.write_item(run, name, home.model(model), properties, metadata.mlm_bands(card))


def _dn_range(run: Run) -> tuple[float, float] | None:
    """Digital numbers of reflectance 0 and 1, where all bands of a run's product share them."""
    settings = run.read_manifest()["stages"].get("prep", {}).get("settings", {})
    radiometry = {
        (band["offset"], band["quantification"])
        for tiles in settings.get("bands", {}).values()
        for band in tiles
    }
    if len(radiometry) != 1:
        return None
    offset, quantification = radiometry.pop()
    return 0.0 - offset, quantification - offset


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
    """Compare an ONNX file with its model on pixels of the run's scene; the outcome in words."""
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
    source = maps.Source(classifier, run.scene, types)
    predict = _onnx_predict(content, classifier)
    windows = list(source.grid.windows(_CHECK_PX))
    chosen = {int(i) for i in np.linspace(0, len(windows) - 1, _CHECKS)}
    pixels, differing, largest = 0, 0, 0.0
    for window in track([windows[i] for i in sorted(chosen)], "checking model.onnx"):
        image, layers = source.read(window)
        valid = source.valid(image)
        own = classifier.predict_window(image, layers)[:, valid]
        other = predict(image, layers)[:, valid]
        pixels += own.shape[1]
        differing += int((own.argmax(axis=0) != other.argmax(axis=0)).sum())
        largest = max(largest, float(np.abs(own - other).max(initial=0)))
    found = f"largest difference of a probability {largest:.2g}, {differing} labels differ"
    if largest > _TOLERANCE:
        raise LandcoverError(
            f"ONNX Runtime does not give the probabilities of {name} ({found} on {pixels} pixels); "
            "nothing was written: update onnxruntime, and report this if it stays"
        )
    return f"ONNX Runtime against the model on {pixels} pixels: {found}"


def _onnx_predict(content: bytes, classifier: Classifier) -> Predict:
    """An ONNX file as a function of windows, as the classifier that it came from is."""
    from onnxruntime import InferenceSession

    from landcover.classifiers.pixels import PixelClassifier

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()

    def run(*arrays: np.ndarray) -> Any:
        return session.run(None, {i.name: a for i, a in zip(inputs, arrays, strict=False)})[0]

    def window(image: np.ndarray, types: np.ndarray | None = None) -> np.ndarray:
        pixels = np.ascontiguousarray(np.moveaxis(image, 0, -1), np.float32)
        side = inputs[0].shape[1]
        if not isinstance(side, int):
            return np.moveaxis(run(pixels[np.newaxis])[0], -1, 0)
        chips = views(pixels, side)
        rows, cols = chips.shape[:2]
        return run(chips.reshape(-1, *chips.shape[2:])).T.reshape(-1, rows, cols)

    if isinstance(classifier, PixelClassifier):
        by_row = replace(
            classifier, predict=lambda values, types: run(values, types.astype(np.int32))
        )
        return by_row.predict_window
    return window
