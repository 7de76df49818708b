"""A store of labelled chips to an encoder that patch networks start from, and its report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from landcover.classifiers import cards, networks
from landcover.classifiers.names import name_of
from landcover.classifiers.scaling import fit_scaling_of_parts
from landcover.errors import InputError
from landcover.files import tables
from landcover.files.atomic import versions, write_json
from landcover.legend import Legend
from landcover.reports import accuracy, tag_accuracy
from landcover.run import Run
from landcover.samples.class_splits import ClassSplit, counted_splits, remarks
from landcover.sources import chip_store
from landcover.sources.chip_store import SPLITS, Store
from landcover.stages.scoring import write_report
from landcover.stages.training import check_seed

#: Of the models that are made here.
KIND = "encoder"
EPOCHS = 8


@dataclass(frozen=True)
class Choices:
    """What a person chooses of a pre-training.

    Attributes
    ----------
    patch_size : int
        Of the patch networks that are to start from the encoder.
    single : bool
        Learn from chips of exactly one class, and give every chip one.
    epochs : int
        At most.
    minutes : float, optional
        Training ends with the epoch in which they are over.
    seed : int
        Of every random draw.
    """

    patch_size: int = 7
    single: bool = False
    epochs: int = EPOCHS
    minutes: float | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """Of the model."""
        return name_of(KIND, patch_size=self.patch_size, form="single" if self.single else "")


@dataclass(frozen=True)
class _Task:
    """Chips of a store by part, and what is to be said of them.

    Attributes
    ----------
    store : Store
        The chips.
    legend : Legend
        Classes that occur in the training part.
    targets : array
        Of every chip: 0 or 1 of every class, float32, or the position of its class.
    parts : dict
        Positions of the chips of each part.
    classes : list
        Chips of each class by part, of classes that are not learnt too.
    notes : list of str
        Sentences on chips and classes that are left out.
    """

    store: Store
    legend: Legend
    targets: np.ndarray
    parts: dict[str, np.ndarray]
    classes: list[ClassSplit]
    notes: list[str]

    def examples(self, part: str) -> networks.Examples:
        """Chips of a part; those of a step are read when it comes."""
        places = self.parts[part]
        return networks.Examples(
            lambda rows: chip_store.reflectance(self.store.chips[places[rows]]),
            self.targets[places],
        )


def pretrain(run: Run, source: Path, choices: Choices = Choices()) -> list[Path]:
    """Train an encoder on the training part of a store, and score it on the test part.

    Parameters
    ----------
    run : Run
        Run folder that gets models/NAME, reports/NAME.json and reports/NAME.parquet, the test
        chips' labels and probabilities.
    source : path
        Store, from `chip_store.write_store`.
    choices : Choices
        What a person chooses.

    Returns
    -------
    list of Path
        Network, learning curves, card, predictions and report.

    Raises
    ------
    LandcoverError
        If the store or a choice cannot be used; nothing is written then.
    """
    networks.check_patch_size(choices.patch_size)
    check_seed(choices.seed)
    task = _task(chip_store.open_store(source), choices.single, source)
    scaling = fit_scaling_of_parts(
        chips for chips, _ in task.store.batches(64, task.parts["train"])
    )
    networks.seed_everything(choices.seed)
    bands, classes = len(task.store.bands), len(task.legend)
    variances = np.square(scaling["stds"]).tolist()
    patches = networks.build_cnn(choices.patch_size, bands, classes, scaling["means"], variances)
    model = networks.build_tagger(patches, classes, not choices.single)
    started = time.perf_counter()
    history = networks.fit_tagger(
        model,
        task.examples("train"),
        task.examples("validation"),
        seed=choices.seed,
        epochs=choices.epochs,
        seconds=choices.minutes and 60 * choices.minutes,
        name=choices.name,
    )
    spent = {"train": time.perf_counter() - started}
    started = time.perf_counter()
    probabilities = networks.predict_tags(model, task.examples("test"))
    spent["predict"] = time.perf_counter() - started
    paths = _store(run, choices, task, scaling, model, history, source)
    paths.append(_write_predictions(run, choices.name, task, probabilities))
    paths.append(write_report(run, _report(choices, task, probabilities, spent)))
    run.record(f"pretrain {choices.name}", asdict(choices), [source / "store.json"], paths)
    return paths


def _task(store: Store, single: bool, source: Path) -> _Task:
    """What is to be learnt from a store; classes that only other parts hold are left out."""
    parts = {part: store.part(part) for part in SPLITS}
    position = np.full(len(store), -1)
    if single:
        alone, of_class = store.single()
        position[alone] = of_class
        parts = {part: places[position[places] >= 0] for part, places in parts.items()}
    found_in = store.multi_hot()[parts["train"]].any(axis=0)
    codes = np.array(store.legend.codes)[found_in]
    kind = "chips of one class" if single else "chips"
    if len(codes) < 2:
        raise InputError(
            f"the training {kind} of {source} hold {len(codes)} classes; an encoder learns from "
            "two at least: store more of them"
        )
    legend = store.legend.subset(codes)
    if single:
        known = np.isin(position, np.flatnonzero(found_in))
        parts = {part: places[known[places]] for part, places in parts.items()}
        targets = (np.cumsum(found_in) - 1)[position].astype(np.int32)
    else:
        targets = store.multi_hot(legend).astype(np.float32)
    for part, places in parts.items():
        if not len(places):
            raise InputError(
                f"{source} has no {part} {kind}; store a set with its official splits "
                "(for version 1, in a checkout of the project: "
                "python -m experiments.bigearth_read SOURCE --splits FOLDER)"
            )
    return _Task(store, legend, targets, parts, *_left_out(store, parts, single))


def _left_out(
    store: Store, parts: dict[str, np.ndarray], single: bool
) -> tuple[list[ClassSplit], list[str]]:
    """Chips of each class by part, and sentences on chips and classes that are left out."""
    hot = store.multi_hot()
    held = store.legend.subset(np.array(store.legend.codes)[hot.any(axis=0)])
    hot = store.multi_hot(held)
    found = counted_splits(held, {part: hot[places].sum(axis=0) for part, places in parts.items()})
    unused = len(store) - sum(map(len, parts.values()))
    kinds = "they hold several classes, or one that no training chip of one class has"
    notes = [f"{unused:,} of {len(store):,} chips are left out: {kinds}"]
    return found, [*(notes if unused and single else []), *remarks(found)]


def _store(
    run: Run,
    choices: Choices,
    task: _Task,
    scaling: dict[str, list[float]],
    model: networks.Network,
    history: dict[str, list[float]],
    source: Path,
) -> list[Path]:
    """Write the network, its learning curves and its card."""
    path = cards.file_of(run.model(choices.name), KIND)
    networks.save(model, path)
    curves = run.model(choices.name) / "history.json"
    write_json(curves, history)
    card = cards.write_card(
        run.model(choices.name),
        KIND,
        task.legend,
        bands=list(task.store.bands),
        features=[],
        segment_layers=[],
        patch_size=choices.patch_size,
        inputs=list(task.store.bands),
        scaling=scaling,
        trained_on=source.name,
        n_train=len(task.parts["train"]),
        n_validation=len(task.parts["validation"]),
        split="the store's",
        seed=choices.seed,
        settings=asdict(choices) | {"epochs_run": len(history["loss"])},
        class_samples={str(row["code"]): row["samples"] for row in task.classes},
        notes=task.notes,
    )
    return [path, curves, card]


def _write_predictions(run: Run, name: str, task: _Task, probabilities: np.ndarray) -> Path:
    """A row a test chip: its name, and of every class its label and its probability."""
    places = task.parts["test"]
    truth = task.store.multi_hot(task.legend)[places]
    columns: dict[str, list[str] | np.ndarray] = {
        "name": [task.store.names[place] for place in places]
    }
    for place, code in enumerate(task.legend.codes):
        columns |= {
            f"label_{code}": truth[:, place],
            f"probability_{code}": probabilities[:, place],
        }
    path = run.report(name).with_suffix(".parquet")
    return tables.write(path, columns)


def _report(
    choices: Choices, task: _Task, probabilities: np.ndarray, spent: dict[str, float]
) -> dict[str, object]:
    """The report's fields, those of other models wherever they mean something."""
    targets = task.targets[task.parts["test"]]
    scores: Mapping[str, object]
    if choices.single:
        measure = "accuracy against the labels of chips of one class"
        codes = task.legend.code(targets), task.legend.code(probabilities.argmax(axis=1))
        scores = accuracy.score(*codes, task.legend.codes, seed=choices.seed, legend=task.legend)
    else:
        measure = "average precision and F1 against the chips' labels"
        hot = targets.astype(np.uint8)
        scores = tag_accuracy.tag_scores(hot, probabilities, task.legend, choices.seed)
    held = {part: len(places) for part, places in task.parts.items()}
    return {
        "model": choices.name,
        "against": "labels",
        "measure": measure,
        "split": f"the store's: {held['train']:,} to learn from, {held['validation']:,} to watch, "
        f"{held['test']:,} to test",
        "scored_on": "test chips",
        **scores,
        "scores": {"labels": {"scored_on": "test chips", **scores}},
        "seconds": {stage: round(value, 3) for stage, value in spent.items()},
        "seed": choices.seed,
        "versions": versions(),
        "kind": KIND,
        "settings": asdict(choices),
        "notes": task.notes,
    }
