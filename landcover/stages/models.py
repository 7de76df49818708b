"""The models of a run: by name, by folder, the newest."""

from __future__ import annotations

from pathlib import Path

from landcover.classifiers.cards import CARD, holds_model
from landcover.classifiers.models import Model, load_model
from landcover.classifiers.names import model_of, parse
from landcover.errors import InputError, MissingProduct, typed
from landcover.files import rasters
from landcover.files.atomic import Fields, short_file_digest
from landcover.legend import Legend
from landcover.run import Run
from landcover.stages.store import map_names


def model_of_run(run: Run, model: str | Path | Model) -> Model:
    """A model of a run by its name, or any model by its folder.

    Raises
    ------
    LandcoverError
        If there is no such model, naming those there are, or its card is damaged.
    """
    if isinstance(model, Model):
        return model
    if holds_model(model):
        return load_model(Path(model).resolve())
    if Path(model).name != str(model):
        raise MissingProduct(
            f"{model} holds no model; give the folder of one, RUN/models/NAME, or the name of one "
            f"of {run.path}"
        )
    if not holds_model(run.model(str(model))):
        run.require_folder()
        there = model_names(run)
        held = f"its models are {', '.join(there)}" if there else "it has no model yet"
        raise MissingProduct(
            f"{run.path} has no model {model}; {held}: train one, "
            f"for example with: landcover train cnn {typed(run.path)}"
        )
    return load_model(run.model(str(model)))


def model_names(run: Run) -> list[str]:
    """Names of the run's finished models, in alphabetical order."""
    return sorted(card.parent.name for card in run.model("any").parent.glob("*/card.json"))


def run_of(model: Model) -> Run:
    """The run that holds a model, whose folder is RUN/models/NAME."""
    nested = len(model.folder.parts) > 2
    return Run((model.folder if nested else model.folder.resolve()).parent.parent)


def models_of_run(run: Run) -> list[Model]:
    """The run's finished models, in alphabetical order."""
    return [load_model(run.model(name)) for name in model_names(run)]


def newest(models: list[Model]) -> Model | None:
    """The model that was finished last; None of none."""
    return max(models, key=lambda model: model.card_path.stat().st_mtime, default=None)


def default_map_model(run: Run) -> Model:
    """The run's newest patch CNN, which maps where no model is named."""
    found = newest([model for model in models_of_run(run) if model.kind.takes_patches])
    if found is None:
        run.require_folder()
        run.require_one_scene()
        raise MissingProduct(
            f"{run.path} has no patch CNN; train one with: landcover train cnn {typed(run.path)}"
        )
    return found


def default_image_model(models: list[Model]) -> Model | None:
    """Which of a run's models classifies images where none is named; None where none can.

    It is the newest network of whole images, or else the newest model of pixels that needs no
    segment types.
    """
    whole = [model for model in models if model.kind.classifies_images]
    pixels = [m for m in models if m.kind.maps_pixels and not m.inputs.segment_layers]
    return newest(whole or pixels)


def image_model(run: Run, given: str | Path | None) -> Model:
    """The model that classifies images: the one that is named, or the run's default."""
    model = default_image_model(models_of_run(run)) if given is None else model_of_run(run, given)
    if model is None:
        run.require_folder()
        raise MissingProduct(
            f"{run.path} has no model that can classify an image; train one of pixels "
            f"with: landcover train random-forest {typed(run.path)}; or of whole images, in a "
            "checkout of the project: "
            f"python -m experiments.eurosat_finetune EuroSAT.zip --out {run.path}"
        )
    return model


def folder_of_model(run: Run, name: str) -> Path | None:
    """The folder of the model that made a map, the run's own or another's; None if it is gone."""
    if holds_model(run.model(name)):
        return run.model(name)
    stage = run.read_manifest()["stages"].get(f"map {name}", {})
    cards = [run.path / entry["path"] for entry in stage.get("inputs", ())]
    folders = [card.parent for card in cards if card.name == CARD and card.exists()]
    return folders[0] if folders else None


def settings_of_map(run: Run, name: str) -> Fields:
    """How a map, or the one that it was made of, was made: ``model``, ``dates`` and so on.

    Empty where the manifest knows nothing of it.
    """
    stage = run.read_manifest()["stages"].get(f"map {model_of(name)}", {})
    settings: Fields = stage.get("settings", {})
    return settings


def days_of_map(run: Run, name: str) -> list[str]:
    """The days that a map of a sequence was made of, by the manifest; none of a map of the scene.

    An average of maps is of the days of all of them.
    """
    stages = run.read_manifest()["stages"]
    members = stages.get(f"ensemble {name}", {}).get("settings", {}).get("maps", ())
    if members:
        return sorted({day for member in members for day in days_of_map(run, member)})
    return list(settings_of_map(run, name).get("dates", ()))


def how_to_map(run: Run, name: str, probabilities: bool = False) -> str:
    """How a map of a run can be made, by the run's own model or by that of another run.

    Parameters
    ----------
    run : Run
        The run, whose manifest tells where the model of another run lay.
    name : str
        Of the map.
    probabilities : bool
        Whether the probabilities of the map are wanted too.

    Returns
    -------
    str
        The remedy of a message.
    """
    if model_of(name) != name:
        return "make it with: landcover postprocess"
    averaged = run.read_manifest()["stages"].get(f"ensemble {name}")
    if averaged:
        of = " ".join(map(typed, averaged["settings"]["maps"]))
        variant = parse(name).variant
        word = f" --variant {variant}" if variant else ""
        return f"make it with: landcover ensemble {typed(run.path)} --maps {of}{word}"
    command = f"landcover map {typed(run.path)} --model"
    folder = folder_of_model(run, name)
    days = settings_of_map(run, name).get("dates") if folder and folder.name != name else None
    further = f" --dates {' '.join(days)}" if days else ""
    further += " --probabilities" if probabilities else ""
    if folder == run.model(name):
        return f"make it with: {command} {name}{further}"
    if folder:
        return f"make it with: {command} {typed(folder)}{further}"
    return (
        f"its model is not there: map with the folder of one ({command} OTHER/models/NAME{further})"
    )


def map_of(run: Run, name: str) -> Path:
    """The class map of a model, or one made of it.

    Raises
    ------
    MissingProduct
        If it is not there, saying how to make it.
    """
    path = run.map(name)
    if not path.exists():
        run.require_folder()
        there = map_names(run.path / "maps")
        held = f"the run's maps are {', '.join(there)}; " if there else ""
        raise MissingProduct(f"{path} does not exist; {held}{how_to_map(run, name)}")
    return path


def probabilities_of(run: Run, name: str, legend: Legend) -> Path:
    """The probabilities that were written with a map, of the classes of a legend.

    Raises
    ------
    MissingProduct
        If there are none, saying how to make them.
    """
    path, stages = run.probabilities(name), run.read_manifest()["stages"]
    made = [
        product
        for stage in ("map", "ensemble")
        for product in stages.get(f"{stage} {name}", {}).get("products", ())
    ]
    bands = tuple(f"{c.code} {c.name}" for c in legend.classes)
    current = path.relative_to(run.path).as_posix() in made and path.exists()
    if not current or rasters.band_names(path) != bands:
        raise MissingProduct(
            f"{path} of this map does not exist; {how_to_map(run, name, probabilities=True)}"
        )
    return path


def is_guest(run: Run, model: Model) -> bool:
    """Whether a model is not the run's own."""
    return model.folder.resolve() != run.model(model.name).resolve()


def require_no_namesake(run: Run, model: Model) -> None:
    """Raise InputError if a guest's map would replace that of a model of the run."""
    if is_guest(run, model) and run.model(model.name).exists():
        raise InputError(
            f"{run.path} has a model {model.name} of its own, whose map this would replace; "
            "map into another run, or without naming the other run's folder"
        )


def types_digest(run: Run) -> str:
    """A short name of a run's segment types; models that learn from them remember it."""
    return short_file_digest(run.require("segment_types"))
