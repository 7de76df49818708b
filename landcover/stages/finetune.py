"""A labelled set of chips to a trained network of whole images, and its report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from landcover import sensors
from landcover.classifiers import cards, networks
from landcover.classifiers.networks import Recipe, image_recipes
from landcover.classifiers.scaling import fit_scaling_of_parts
from landcover.errors import InputError, MissingProduct
from landcover.files.atomic import Fields, versions, write_json, write_text
from landcover.legend import Legend
from landcover.progress import track
from landcover.reports import accuracy, image_page
from landcover.run import Run
from landcover.samples import image_splits
from landcover.samples.augmentation import NONE
from landcover.samples.class_splits import ClassSplit, counted_splits, remarks
from landcover.samples.image_splits import split_of
from landcover.sources import eurosat
from landcover.sources.chip_store import reflectance
from landcover.stages.scoring import write_report

#: Of the models that are made here.
KIND = "image"
#: Images that are read and looked at together.
PART = 500


@dataclass(frozen=True)
class Choices:
    """What a person chooses of a training.

    Attributes
    ----------
    model : str
        Key of `networks.IMAGE_NETWORKS`.
    split : str
        Shares such as 80/20, or a folder with three lists of names.
    seed : int
        Of every random draw.
    minutes : float, optional
        Training ends with the step that is under way then, and a look at the validation images.
    epochs : int, optional
        Epochs of the last stage; those of the recipe by default.
    weights : str, optional
        ImageNet's, for a backbone on the RGB set: "imagenet" or a file.
    head : str, optional
        Of a backbone: one of `networks.HEADS`, the first by default.
    frozen : bool
        Train nothing of a backbone with weights but its batch normalisation, and its head.
    augmented : bool
        Show the training images in other views.
    zoom : float
        How much larger or smaller these may be, as a share.
    bands : tuple of str, optional
        Bands to learn from; all of the set by default.
    precision : {"auto", "float32", "bfloat16"}
        Of the products in training; "auto" takes bfloat16 where the processor has it.
    name : str, optional
        Of the model; that of the network by default.
    """

    model: str = "compact"
    split: str = "80/20"
    seed: int = 42
    minutes: float | None = 30.0
    epochs: int | None = None
    weights: str | None = None
    head: str | None = None
    frozen: bool = False
    augmented: bool = True
    zoom: float = 0.0
    bands: tuple[str, ...] | None = None
    precision: str = "auto"
    name: str | None = None

    @property
    def recipe(self) -> Recipe:
        """How the network is trained; InputError if a choice would have no effect."""
        if self.zoom >= 1:
            raise InputError(
                f"zoom {self.zoom:g} leaves nothing of a pixel; give a share below 1, such as 0.15"
            )
        if self.zoom and not self.augmented:
            raise InputError(
                f"zoom {self.zoom:g}: images that are shown as they are have no other views; "
                "leave out zoom=, or have images augmented"
            )
        with_weights = self.weights is not None
        if self.frozen and not with_weights:
            raise InputError(
                f"frozen: {self.model} would keep convolutions that are drawn at random; give the "
                "weights of a backbone, or train all of it"
            )
        if self.head is not None and self.model == "compact":
            raise InputError(
                f"head {self.head} is for a backbone; the compact network has its own: leave out "
                "head=, or choose a backbone with model="
            )
        beginning = image_recipes.STAGED if with_weights else image_recipes.FROM_NOTHING
        recipe = image_recipes.COMPACT if self.model == "compact" else beginning
        stages = recipe.stages
        if self.frozen:
            stages = (replace(stages[0], epochs=stages[-1].epochs),)
        if self.epochs:
            stages = (*stages[:-1], replace(stages[-1], epochs=self.epochs))
        augmentation = replace(recipe.augmentation, zoom=self.zoom) if self.augmented else NONE
        return replace(recipe, stages=stages, augmentation=augmentation)


@dataclass(frozen=True)
class Task:
    """Chips in memory, and what each is for.

    Attributes
    ----------
    pixels : array (chips, side, side, bands)
        As the set has them.
    labels : array of int (chips,)
        Classes as positions in the legend.
    legend : Legend
        Their classes.
    bands : tuple of str
        Their bands.
    split : Split
        Rows to learn from, to choose by, and to test with.
    """

    pixels: np.ndarray
    labels: np.ndarray
    legend: Legend
    bands: tuple[str, ...]
    split: image_splits.Split

    @property
    def white(self) -> float | None:
        """Reflectance above which the chips are white; None where they hold reflectance."""
        return sensors.TRUE_COLOUR_REFLECTANCE if self.pixels.dtype == np.uint8 else None

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Reflectance, float32 (rows, side, side, bands)."""
        chips = self.pixels[rows]
        return reflectance(chips) if self.white is None else sensors.true_colour(chips)

    def parts(self, rows: np.ndarray, what_for: str) -> Iterator[np.ndarray]:
        """The same in parts of at most `PART`, with a bar that says what for."""
        for some in track(np.array_split(rows, -(-len(rows) // PART)), what_for):
            yield self.read(some)

    def part(self, rows: np.ndarray) -> networks.Images:
        """Some of them, to learn from or to judge by."""
        return networks.Images(lambda some: self.read(rows[some]), self.labels[rows])

    def scaling(self) -> dict[str, list[float]]:
        """Mean and deviation of every band over the training images."""
        return fit_scaling_of_parts(self.parts(self.split.train, "mean and deviation of bands"))

    def of_bands(self, bands: tuple[str, ...]) -> Task:
        """The same chips in some of their bands, in the order given; pixels are copied."""
        if bands == self.bands:
            return self
        pixels = np.take(self.pixels, [self.bands.index(band) for band in bands], axis=-1)
        return replace(self, pixels=pixels, bands=bands)


def open_task(source: Path, choices: Choices = Choices()) -> Task:
    """Read the chips of a set and split them; LandcoverError as in `finetune`.

    Chips stay in memory as the set has them, 8 or 16 bits: the whole RGB set takes 0.33 GB, and
    the 13 bands 2.9 GB.
    """
    networks.precision_of(choices.precision)
    if choices.weights not in (None, "imagenet") and not Path(choices.weights).is_file():
        raise MissingProduct(
            f"weights {choices.weights} do not exist; give a file of the backbone's, or none"
        )
    chips = eurosat.open_chips(source)
    split = split_of(chips, choices.split, choices.seed)
    bands = choices.bands or chips.bands
    pictures = sensors.TRUE_COLOUR_BANDS
    if choices.weights is not None and not chips.bands == bands == pictures:
        raise InputError(
            f"weights {choices.weights} are of pictures of {' '.join(pictures)}, not of chips of "
            f"{' '.join(bands)}; give EuroSAT's RGB set without bands=, or no weights"
        )
    return Task(chips.read(bands=bands), chips.labels, chips.legend, bands, split)


def left_out(task: Task) -> tuple[list[ClassSplit], list[str]]:
    """Images of each class by part; and sentences on images and classes without a part."""
    split, classes = task.split, len(task.legend)
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    found = counted_splits(
        task.legend,
        {name: np.bincount(task.labels[rows], minlength=classes) for name, rows in parts.items()},
    )
    unused = len(task.labels) - sum(map(len, parts.values()))
    notes = [f"{unused:,} of {len(task.labels):,} images are in no list, and not used"]
    return found, [*(notes if unused else []), *remarks(found)]


def learn(
    task: Task, choices: Choices, recipe: Recipe
) -> tuple[networks.Network, dict[str, list[float]]]:
    """Train a network; it and its learning curves."""
    scaling = task.scaling()

    def build() -> networks.Network:
        networks.seed_everything(choices.seed)
        return networks.build_image_network(
            choices.model,
            len(task.bands),
            len(task.legend),
            scaling["means"],
            scaling["stds"],
            task.white,
            choices.weights,
            choices.head or networks.HEADS[0],
        )

    return networks.train_image_network(
        build,
        task.part(task.split.train),
        task.part(task.split.validation),
        recipe,
        choices.seed,
        choices.minutes and 60 * choices.minutes,
        choices.precision,
        choices.name or choices.model,
    )


def predict_test(model: networks.Network, task: Task) -> np.ndarray:
    """Probabilities (images, classes) of the test images."""
    parts = task.parts(task.split.test, "classifying test images")
    return np.concatenate([networks.image_probabilities(model, some) for some in parts])


def finetune(
    run: Run, source: Path, choices: Choices = Choices(), task: Task | None = None
) -> list[Path]:
    """Train a network on a labelled set of chips and score it on the test part.

    Parameters
    ----------
    run : Run
        Run folder that gets models/NAME and reports/NAME.json and .html.
    source : path
        EuroSAT, as `eurosat.open_chips` takes it.
    choices : Choices
        What a person chooses.
    task : Task, optional
        What `open_task` gives of source and choices, where it is read already.

    Returns
    -------
    list of Path
        Network, learning curves, card, report and page.

    Raises
    ------
    LandcoverError
        If the set or a choice cannot be used; nothing is written then.
    """
    recipe = choices.recipe
    task = task or open_task(source, choices)
    name = choices.name or choices.model
    started = time.perf_counter()
    model, history = learn(task, choices, recipe)
    learnt = time.perf_counter()
    probabilities = predict_test(model, task)
    spent = {"train": learnt - started, "predict": time.perf_counter() - learnt}

    path = cards.file_of(run.model(name), KIND)
    networks.save(model, path)
    curves = run.model(name) / "history.json"
    write_json(curves, history)
    settings = asdict(choices) | {"recipe": asdict(recipe), "epochs_run": len(history["loss"])}
    by_class, notes = left_out(task)
    card = cards.write_card(
        run.model(name),
        KIND,
        task.legend,
        bands=list(task.bands),
        features=[],
        segment_layers=[],
        patch_size=networks.IMAGE_PX,
        white=task.white,
        trained_on="EuroSAT",
        n_train=len(task.split.train),
        n_validation=len(task.split.validation),
        split=choices.split,
        seed=choices.seed,
        settings=settings,
        class_samples={str(row["code"]): row["samples"] for row in by_class},
        notes=notes,
    )
    report = _report(name, choices, task, probabilities, spent)
    report |= networks.parameters_of(model, recipe)
    report["notes"] = notes
    report["confused"] = image_page.confused_pairs(report["confusion"], task.legend)
    write_report(run, report)
    test = task.split.test
    images = image_page.Shown(
        task.read, task.bands, task.legend, task.split.train, test, task.labels[test], probabilities
    )
    page = write_text(
        run.report(name).with_suffix(".html"),
        image_page.page(report, history, images, recipe.augmentation),
    )
    products = [path, curves, card, run.report(name), page]
    run.record(f"finetune {name}", report["settings"], [source], products)
    return products


def _report(
    name: str,
    choices: Choices,
    task: Task,
    probabilities: np.ndarray,
    spent: dict[str, float],
) -> Fields:
    """The report's fields, as those of every other model."""
    truth = task.legend.code(task.labels[task.split.test])
    predicted = task.legend.code(probabilities.argmax(axis=1))
    scores = accuracy.score(
        truth, predicted, task.legend.codes, seed=choices.seed, legend=task.legend
    )
    return {
        "model": name,
        "against": "reference",
        "measure": "accuracy against EuroSAT's classes",
        "split": _title(choices.split, task.split),
        "scored_on": "test images",
        **scores,
        "scores": {"reference": {"scored_on": "test images", **scores}},
        "seconds": {stage: round(value, 3) for stage, value in spent.items()},
        "seed": choices.seed,
        "versions": versions(),
        "kind": KIND,
        "n_train": len(task.split.train),
        "n_validation": len(task.split.validation),
        "settings": asdict(choices),
    }


def _title(given: str, split: image_splits.Split) -> str:
    """A split in words."""
    kind = f"lists of {Path(given).name}" if Path(given).is_dir() else f"{given}, drawn by class"
    n = [f"{len(part):,}" for part in (split.train, split.validation, split.test)]
    return f"{kind}: {n[0]} to learn from, {n[1]} for choices, {n[2]} to test"
