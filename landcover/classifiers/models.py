"""Trained models of a run, by name: card, files, and the classifier that a name stands for."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landcover.classifiers.calibration import Temperature
from landcover.classifiers.kinds import FILES
from landcover.classifiers.pixels import PixelClassifier
from landcover.classifiers.protocol import Classifier, require_bands
from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.atomic import digest, read_json, versions, write_json
from landcover.legend import Legend
from landcover.run import Run

if TYPE_CHECKING:
    from landcover.classifiers.networks import Engine, ImageClassifier


def of_folder(folder: str | Path) -> tuple[Run, str] | None:
    """Run and name of the model in a folder RUN/models/NAME; None if there is no model."""
    folder = Path(folder).resolve()
    if not (folder / "card.json").exists():
        return None
    return Run(folder.parent.parent), folder.name


def is_guest(run: Run, name: str, holder: Run) -> bool:
    """Whether the model called `name` that `holder` has is not the run's own."""
    return holder.model(name).resolve() != run.model(name).resolve()


def require_no_namesake(run: Run, name: str, holder: Run) -> None:
    """Raise LandcoverError if a guest's map would replace that of a model of the run."""
    if is_guest(run, name, holder) and run.model(name).exists():
        raise LandcoverError(
            f"{run.path} has a model {name} of its own, whose map this would replace; "
            "map into another run, or without naming the other run's folder"
        )


def names(run: Run) -> list[str]:
    """Names of the run's finished models, in alphabetical order."""
    return sorted(card.parent.name for card in run.model("any").parent.glob("*/card.json"))


def file_of(run: Run, name: str, kind: str) -> Path:
    """Path of a model's file."""
    return run.model(name) / FILES[kind]


def write_card(run: Run, name: str, kind: str, legend: Legend, **fields: Any) -> Path:
    """Write models/NAME/card.json, which finishes a model.

    Parameters
    ----------
    run : Run
        Run folder.
    name : str
        Model.
    kind : str
        Key of `FILES`.
    legend : Legend
        Classes in the order of the model's outputs.
    **fields
        bands, features, segment_layers, patch_size, temperature, probability_floor,
        trained_on, split, seed and more.
    """
    path = run.model(name) / "card.json"
    write_json(
        path,
        {
            "name": name,
            "kind": kind,
            "file": FILES[kind],
            "classes": [c.as_dict() for c in legend.classes],
            **fields,
            "versions": versions(),
            "commit": _commit(),
        },
    )
    return path


def read_card(run: Run, name: str) -> dict[str, Any]:
    """Read a model's card.

    Raises
    ------
    LandcoverError
        If there is no such model, naming those there are, or its card is damaged.
    """
    path = run.model(name) / "card.json"
    if not path.exists():
        there = names(run)
        held = f"its models are {', '.join(there)}" if there else "it has no model yet"
        raise LandcoverError(
            f"{run.path} has no model {name}; {held}: train one, "
            f"for example with: landcover train cnn {run.path}"
        )
    card = read_json(path)
    needed = {"kind", "classes", "bands", "features", "segment_layers", "patch_size"}
    lacking = needed - set(card)
    if lacking or card["kind"] not in FILES:
        raise LandcoverError(
            f"{path} is damaged ({', '.join(sorted(lacking)) or 'unknown kind'}); "
            "train the model again"
        )
    try:
        temperature_of(card)
    except LandcoverError as error:
        raise LandcoverError(f"{path} is damaged ({error}); train the model again") from None
    return card


def temperature_of(card: dict[str, Any]) -> Temperature:
    """What a model's probabilities are tempered by; cards of older models leave them alone."""
    return Temperature(card.get("temperature", 1.0), card.get("probability_floor", 0.0))


def load(
    run: Run, name: str, scene: Path | None = None, engine: Engine | None = None
) -> Classifier:
    """The classifier of a name, checked against the scene that it is to map.

    Parameters
    ----------
    run : Run
        Run folder that holds the model.
    name : str
        Model.
    scene : path, optional
        Scene to map; the run's own by default.
    engine : Engine, optional
        What runs a patch network, from `networks.choose_engine`; Keras by default.

    Raises
    ------
    LandcoverError
        If the model is missing or damaged, or was trained on bands that the scene lacks.
    """
    card = read_card(run, name)
    classifier = load_of_card(run, name)
    if engine is not None and card["kind"].startswith("cnn"):
        classifier = classifier.with_engine(engine)
    scene = scene or run.require("scene")
    require_bands(classifier, rasters.band_names(scene), scene)
    return classifier


def load_image_network(run: Run, name: str) -> ImageClassifier:
    """The classifier of whole images of a name.

    Raises
    ------
    LandcoverError
        If the model is missing, damaged or of pixels.
    """
    from landcover.classifiers import networks

    card = read_card(run, name)
    require_classifier(run, name, card)
    if card["kind"] != "image":
        raise LandcoverError(
            f"model {name} of {run.path} classifies pixels, not whole images; map with it: "
            f"landcover map {run.path} --model {name}"
        )
    return networks.ImageClassifier(
        name,
        Legend.from_dicts(card["classes"]),
        tuple(card["bands"]),
        card["patch_size"],
        networks.load(_existing_file(run, name, card)),
    )


def load_of_card(run: Run, name: str) -> Any:
    """The classifier of pixels of a name, as its card describes it, for whatever scene."""
    from landcover.classifiers import forests, networks

    card = read_card(run, name)
    require_classifier(run, name, card)
    if card["kind"] == "image":
        raise LandcoverError(
            f"model {name} of {run.path} classifies whole images; map with it on a stride: "
            f"landcover map RUN --model {run.model(name)} --stride 32"
        )
    path = _existing_file(run, name, card)
    legend = Legend.from_dicts(card["classes"])
    bands = tuple(card["bands"])
    if card["kind"].startswith("cnn"):
        model = networks.load(path)
        return networks.PatchClassifier(
            name, legend, bands, card["patch_size"], model, temperature=temperature_of(card)
        )
    if card["kind"] == "mlp":
        predict = networks.row_predictor(networks.load(path))
    else:
        predict = forests.row_predictor(forests.load(path))
    return PixelClassifier(
        name,
        legend,
        bands,
        tuple(card["features"]),
        tuple(card["segment_layers"]),
        predict,
        temperature=temperature_of(card),
    )


def load_encoder(
    folder: Path, patch_size: int, bands: Sequence[str]
) -> tuple[Any, dict[str, list[float]]]:
    """The network of an encoder, and means and deviations of the bands that it was trained on.

    Parameters
    ----------
    folder : path
        A model's folder, RUN/models/NAME.
    patch_size : int
        Of the patch network that is to start from it.
    bands : sequence of str
        Bands of that network.

    Raises
    ------
    LandcoverError
        If there is no such model, it is no encoder, or one of another patch size or bands.
    """
    from landcover.classifiers import networks

    found = of_folder(folder)
    if found is None:
        raise LandcoverError(
            f"{folder.resolve()} holds no model; give the folder of an encoder, which is made "
            "with: python -m experiments.bigearth_train STORE"
        )
    run, name = found
    card = read_card(run, name)
    if card["kind"] != "encoder":
        raise LandcoverError(
            f"model {name} of {run.path} is of kind {card['kind']}, and a network starts from an "
            "encoder; make one with: python -m experiments.bigearth_train STORE"
        )
    if card["patch_size"] != patch_size:
        raise LandcoverError(
            f"encoder {name} sees patches of {card['patch_size']} px, and the network is for "
            f"{patch_size}; choose --patch-size {card['patch_size']}, or another encoder"
        )
    if tuple(card["bands"]) != tuple(bands):
        raise LandcoverError(
            f"encoder {name} was trained on bands {' '.join(card['bands'])}, and the scene has "
            f"{' '.join(bands)}; they must be the same, in that order"
        )
    return networks.load(_existing_file(run, name, card)), card["scaling"]


def require_classifier(run: Run, name: str, card: dict[str, Any]) -> None:
    """Raise LandcoverError if a model only helps others to learn."""
    if card["kind"] == "encoder":
        raise LandcoverError(
            f"model {name} of {run.path} is an encoder, which has no classes of the scene; train "
            f"a network from it: landcover train cnn RUN --encoder {run.model(name)}"
        )


def _existing_file(run: Run, name: str, card: dict[str, Any]) -> Path:
    path = file_of(run, name, card["kind"])
    if not path.exists():
        raise LandcoverError(f"{path} does not exist; train the model {name} again")
    return path


def types_digest(run: Run) -> str:
    """A short name of a run's segment types; models that learn from them remember it."""
    return digest(run.require("segment_types"))[:16]


def _commit() -> str | None:
    """The commit of this checkout; None for an installed package or without git."""
    folder = Path(__file__).parents[1]
    if not (folder.parent / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
