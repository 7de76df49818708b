"""The contribution of each part of the compact network's training on EuroSAT.

python -m experiments.eurosat_ablation EuroSAT.zip [--only "no shift" ...] [--minutes 6]

Every row changes one thing. The test part of the split is never used: a fifth of the rest is held
out and scored instead, so that choices made here can still be tested there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study import Table, add_finetuning, refusals
from landcover.classifiers import networks
from landcover.classifiers.networks import Recipe, Stage
from landcover.commands.options import COUNT_OR_NONE
from landcover.errors import LandcoverError
from landcover.samples import image_splits
from landcover.samples.augmentation import NONE, Augmentation
from landcover.samples.image_splits import drawn_split
from landcover.stages.finetune import Choices, Task, learn, open_task, predict_test

HELD_OUT_SHARE = 0.2
#: Changes by title: fields of a recipe, of its last stage, or of its augmentation.
CHANGES: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "images as they are": {"augmentation": NONE},
    "turns alone": {"shift_px": 0, "brightness": 0.0},
    "no turns": {"turn": False},
    "no shift": {"shift_px": 0},
    "no brightness": {"brightness": 0.0},
    "zoom of 15 %": {"zoom": 0.15},
    "no label smoothing": {"label_smoothing": 0.0},
    "no weight decay": {"weight_decay": 0.0},
    "running mean of weights": {"mean_of_weights": 0.99},
    "batches of 64": {"batch_size": 64},
    "rate 0.004": {"learning_rate": 4e-3},
}


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("source", type=Path, help="EuroSAT's archive, either form")
    made.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES), metavar="ROW")
    add_finetuning(made, minutes=6.0)
    made.add_argument("--seeds", nargs="+", type=COUNT_OR_NONE, default=[42])
    made.add_argument("--out", type=Path, default=Path("runs/eurosat-ablation"), help="folder")
    return made


def held_out(task: Task, seed: int) -> Task:
    """The same chips without the test part: a share of the others takes its place."""
    rows = np.sort(np.concatenate([task.split.train, task.split.validation]))
    inner = drawn_split(task.labels[rows], HELD_OUT_SHARE, seed)
    parts = (rows[part] for part in (inner.train, inner.validation, inner.test))
    return replace(task, split=image_splits.Split(*parts))


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with other fields, of itself, its last stage or its augmentation.

    >>> recipe = changed(Choices().recipe, {"zoom": 0.3, "learning_rate": 0.1, "batch_size": 9})
    >>> recipe.augmentation.zoom, recipe.stages[-1].learning_rate, recipe.batch_size
    (0.3, 0.1, 9)
    """

    def own(kind: type) -> dict[str, Any]:
        names = {field.name for field in fields(kind)}
        return {key: value for key, value in changes.items() if key in names}

    stages = (*recipe.stages[:-1], replace(recipe.stages[-1], **own(Stage)))
    views = replace(recipe.augmentation, **own(Augmentation))
    own_fields: dict[str, Any] = {"stages": stages, "augmentation": views} | own(Recipe)
    return replace(recipe, **own_fields)


def measure(task: Task, choices: Choices, title: str) -> dict[str, Any]:
    """Train once; the cells of the table."""
    model, history = learn(task, choices, changed(choices.recipe, CHANGES[title]))
    truth, one_view = task.labels[task.split.test], task.read(task.split.test)
    found = {
        "one view": np.asarray(model.predict(one_view, verbose=0)),
        "eight views": predict_test(model, task),
    }
    shares = {name: float(np.mean(p.argmax(axis=1) == truth)) for name, p in found.items()}
    return {"epochs": len(history["loss"]), "training": history["accuracy"][-1]} | shares


def open_table(path: Path, source: Path, choices: Choices) -> Table:
    """The table of a set and of a recipe; rows of another recipe or precision lie beside it."""
    if not source.is_file():
        raise LandcoverError(
            f"{source} is no file, and the table tells sets by their file; give EuroSAT's archive"
        )
    return Table(
        path,
        source,
        split=choices.split,
        minutes=choices.minutes,
        recipe=json.loads(json.dumps(asdict(choices.recipe))),  # lists, as they are read again
        precision=networks.precision_of(choices.precision),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and print the table; OUT/ablation.json holds it too."""
    a = parser().parse_args(argv)
    chosen = Choices(split=a.split, minutes=a.minutes, epochs=a.epochs)
    with refusals(parser()):
        table = open_table(a.out / "ablation.json", a.source, chosen)
        for seed in a.seeds:
            choices = replace(chosen, seed=seed)
            task = held_out(open_task(a.source, choices), seed)
            for title in a.only:
                key = {"change": title, "seed": seed}
                table.add(key, partial(measure, task, choices, title))
    print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
