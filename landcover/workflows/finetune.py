"""A labelled set of chips to a trained network of whole images, and its report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from landcover import accuracy, eurosat, images, models, networks, reports
from landcover.augmentation import NONE, Augmentation
from landcover.chip_store import reflectance
from landcover.errors import LandcoverError
from landcover.networks import Recipe, Stage
from landcover.progress import track
from landcover.runs import Run, versions, write_json
from landcover.workflows.image_page import confused_pairs, write_page

#: Share of the training part that every choice is made on.
VALIDATION_SHARE = 0.05
#: Images that are read and looked at together.
PART = 500
#: From nothing.
COMPACT = Recipe(
    stages=(Stage(60, 2e-3),),
    batch_size=128,
    augmentation=Augmentation(),
    weight_decay=0.05,
    label_smoothing=0.1,
)
#: A backbone with weights, the published way: its head first, then all, early layers slowly.
STAGED = Recipe(
    stages=(
        Stage(1, 1e-3, "plateau", frozen=True),
        Stage(40, 1e-4, "plateau", discriminative=True),
    ),
    augmentation=Augmentation(),
    weight_decay=0.01,
)
#: A backbone without weights has no early layers worth sparing.
FROM_NOTHING = replace(COMPACT, stages=(Stage(60, 1e-3),), batch_size=64)


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
        Training ends after so long.
    epochs : int, optional
        Epochs of the last stage; those of the recipe by default.
    weights : str, optional
        Of a backbone: "imagenet" or a file.
    head : str
        Of a backbone: one of `networks.HEADS`.
    frozen : bool
        Train the head of a backbone alone.
    augmented : bool
        Show the training images in other views.
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
    head: str = "concat-512"
    frozen: bool = False
    augmented: bool = True
    bands: tuple[str, ...] | None = None
    precision: str = "auto"
    name: str | None = None

    @property
    def recipe(self) -> Recipe:
        """How the network is trained."""
        with_weights = self.weights is not None
        recipe = COMPACT if self.model == "compact" else STAGED if with_weights else FROM_NOTHING
        stages = recipe.stages[:1] if self.frozen else recipe.stages
        if self.epochs:
            stages = (*stages[:-1], replace(stages[-1], epochs=self.epochs))
        augmentation = recipe.augmentation if self.augmented else NONE
        return replace(recipe, stages=stages, augmentation=augmentation)


@dataclass(frozen=True)
class _Chips:
    """The chips of a set in memory, as reflectance when asked for."""

    held: np.ndarray

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Reflectance, float32 (rows, side, side, bands)."""
        chips = self.held[rows]
        if chips.dtype == np.uint8:
            return images.true_colour(chips)
        return reflectance(chips)

    def parts(self, rows: np.ndarray, what_for: str) -> Iterator[np.ndarray]:
        """The same in parts of at most `PART`, with a bar that says what for."""
        for some in track(np.array_split(rows, -(-len(rows) // PART)), what_for):
            yield self.read(some)

    def part(self, rows: np.ndarray, labels: np.ndarray) -> networks.Images:
        """Some of them, to learn from or to judge by."""
        return networks.Images(lambda some: self.read(rows[some]), labels[rows])


def finetune(run: Run, source: Path, choices: Choices = Choices()) -> list[Path]:
    """Train a network on a labelled set of chips and score it on the test part.

    Parameters
    ----------
    run : Run
        Run folder that gets models/NAME and reports/NAME.json and .html.
    source : path
        EuroSAT, as `eurosat.open_chips` takes it.
    choices : Choices
        What a person chooses.

    Returns
    -------
    list of Path
        Network, learning curves, card, report and page.

    Raises
    ------
    LandcoverError
        If the set or a choice cannot be used; nothing is written then.
    """
    chips = eurosat.open_chips(source)
    split = split_of(chips, choices.split, choices.seed)
    bands = choices.bands or chips.bands
    recipe = choices.recipe
    name = choices.name or choices.model
    networks.precision_of(choices.precision)
    held = _Chips(chips.read(bands=bands))
    means, stds = _moments(held, split.train)
    white = images.TRUE_COLOUR_REFLECTANCE if chips.dtype == np.uint8 else None

    def build() -> Any:
        networks.seed_everything(choices.seed)
        return networks.build_image_network(
            choices.model,
            len(bands),
            len(chips.legend),
            means,
            stds,
            white,
            choices.weights,
            choices.head,
        )

    started = time.perf_counter()
    model, history = networks.train_image_network(
        build,
        held.part(split.train, chips.labels),
        held.part(split.validation, chips.labels),
        recipe,
        choices.seed,
        choices.minutes and 60 * choices.minutes,
        choices.precision,
        name,
    )
    spent = {"train": time.perf_counter() - started}
    started = time.perf_counter()
    shares = np.concatenate(
        [
            networks.image_probabilities(model, some)
            for some in held.parts(split.test, "classifying test images")
        ]
    )
    spent["predict"] = time.perf_counter() - started

    folder = run.model(name)
    path = models.file_of(run, name, "image")
    networks.save(model, path)
    curves = folder / "history.json"
    write_json(curves, history)
    card = models.write_card(
        run,
        name,
        "image",
        chips.legend,
        bands=list(bands),
        features=[],
        segment_layers=[],
        patch_size=networks.IMAGE_PX,
        white=white,
        trained_on="EuroSAT",
        n_train=len(split.train),
        n_validation=len(split.validation),
        split=choices.split,
        seed=choices.seed,
        settings=_settings(choices, recipe, history),
    )
    report = _report(name, choices, chips, split, shares, spent)
    report |= networks.parameters_of(model, recipe)
    report["confused"] = confused_pairs(report["confusion"], chips.legend)
    reports.write_report(run, report)
    test = split.test, chips.labels[split.test], shares
    page = write_page(
        run, report, history, held.read, test, bands, chips.legend, recipe.augmentation
    )
    products = [path, curves, card, run.report(name), page]
    run.record(f"finetune {name}", report["settings"], [source], products)
    return products


def split_of(chips: eurosat.ChipSet, split: str, seed: int) -> eurosat.Split:
    """The parts that a choice such as 80/20, or a folder with lists, makes of a set."""
    if Path(split).is_dir():
        return eurosat.listed_split(chips.names, split)
    learn, _, test = split.partition("/")
    if not (learn.isdigit() and test.isdigit() and int(learn) + int(test) == 100):
        raise LandcoverError(
            f"split {split!r} is neither a folder with lists nor two shares that make 100; "
            "give 80/20, 75/25, 90/10 or a folder"
        )
    test_share = int(test) / 100
    # Small sets need more, so that every class is among them
    least = len(np.unique(chips.labels)) / max(1, round(len(chips) * (1 - test_share)))
    return eurosat.seeded_split(chips.labels, test_share, seed, max(VALIDATION_SHARE, least))


def _moments(held: _Chips, rows: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and deviation of every band over the training images."""
    sums, squares, n = 0.0, 0.0, 0
    for some in held.parts(rows, "mean and deviation of bands"):
        values = some.astype(np.float64)
        sums += values.sum(axis=(0, 1, 2))
        squares += (values**2).sum(axis=(0, 1, 2))
        n += values[..., 0].size
    means = np.asarray(sums) / n
    return means.tolist(), np.sqrt(np.maximum(squares / n - means**2, 1e-12)).tolist()


def _settings(choices: Choices, recipe: Recipe, history: dict[str, list[float]]) -> dict[str, Any]:
    """What the training was, in short."""
    return {**asdict(choices), "recipe": asdict(recipe), "epochs_run": len(history["loss"])}


def _report(
    name: str,
    choices: Choices,
    chips: eurosat.ChipSet,
    split: eurosat.Split,
    shares: np.ndarray,
    spent: dict[str, float],
) -> dict[str, Any]:
    """The report's fields, as those of every other model."""
    truth = chips.legend.code(chips.labels[split.test])
    predicted = chips.legend.code(shares.argmax(axis=1))
    scores = accuracy.score(
        truth, predicted, chips.legend.codes, seed=choices.seed, legend=chips.legend
    )
    return {
        "model": name,
        "against": "reference",
        "measure": "accuracy against EuroSAT's classes",
        "split": _title(choices.split, split),
        "scored_on": "test images",
        **scores,
        "scores": {"reference": {"scored_on": "test images", **scores}},
        "seconds": {stage: round(value, 3) for stage, value in spent.items()},
        "seed": choices.seed,
        "versions": versions(),
        "kind": "image",
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "settings": asdict(choices),
    }


def _title(given: str, split: eurosat.Split) -> str:
    """A split in words."""
    kind = f"lists of {Path(given).name}" if Path(given).is_dir() else f"{given}, drawn by class"
    n = [f"{len(part):,}" for part in (split.train, split.validation, split.test)]
    return f"{kind}: {n[0]} to learn from, {n[1]} for choices, {n[2]} to test"
