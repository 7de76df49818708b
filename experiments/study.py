"""Common parts of studies: run folders of their own, and the tables of their results."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from landcover.classifiers.models import Model
from landcover.commands.options import COUNT, POSITIVE, in_options
from landcover.errors import LandcoverError
from landcover.files import class_rasters, raster_writer
from landcover.files.atomic import digest, read_json, replace_when_whole, short_digest, write_json
from landcover.grid import Grid
from landcover.legend import Legend
from landcover.progress import say
from landcover.reports import words
from landcover.run import Run
from landcover.samples.rows import read_samples
from landcover.samples.table import Draw
from landcover.sources import band_files, synthetic
from landcover.sources.synthetic.files import write_demo
from landcover.stages import store
from landcover.stages.prepare import prepare
from landcover.stages.sample import sample
from landcover.stages.segment import segment
from landcover.stages.staging import staged

#: What a study takes from the run that it is about; samples, models and reports are its own.
_SHARED = ("scene", "labels", "reference", "segments", "segment_types")

#: Rows and cols of synthetic scenes.
SIZE = (600, 800)
#: Synthetic scenes that differ in fields, class mix, noise and haze, of seeds 200 to 209. Only
#: numbers 3, 7 and 9 had no part in choosing how to learn from labels: docs/method.md.
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"field_px": 18},
    {"field_px": 55},
    {"woods": 0.5, "pastures": 0.4},
    {"woods": 0.12, "heath": 0.2},
    {"noise": 0.008},
    {"haze": 0.2},
    {"settlement": 2.5},
    {"noise": 0.02, "haze": 0.1, "field_px": 24},
    {"woods": 0.2, "pastures": 0.6, "settlement": 0.5},
)
#: More of them, which no study takes by default. Their settings lie outside those of the
#: scenes of `experiments/bigearth_synthetic.py`: another sensor and air, and another land.
FURTHER_KINDS: tuple[dict[str, Any], ...] = (
    {"noise": 0.03, "haze": 0.35, "field_px": 80},
    {"woods": 0.06, "pastures": 0.02, "heath": 0.3, "settlement": 3.0, "field_px": 12},
)


class Book(dict[str, Any]):
    """Results by name in a JSON file, written as each comes; what the file holds is kept.

    Parameters
    ----------
    path : path
        Of the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(read_json(path) if path.exists() else {})
        self._path = path

    def add(self, name: str, make: Callable[[], Any]) -> bool:
        """Add what `make` returns, unless there is a result of that name; whether it was added."""
        if name in self:
            return False
        self[name] = make()
        write_json(self._path, dict(self))
        return True


@contextmanager
def refusals(parser: argparse.ArgumentParser) -> Iterator[None]:
    """End a study with one line and code 2 where its input cannot be used."""
    try:
        yield
    except LandcoverError as error:
        parser.exit(2, f"error: {in_options(str(error), parser)}\n")


def add_finetuning(parser: argparse.ArgumentParser, minutes: float) -> None:
    """Which split of EuroSAT is learnt, and how long each training takes."""
    parser.add_argument("--split", default="80/20", help="as in eurosat_finetune")
    parser.add_argument(
        "--minutes", type=POSITIVE, default=minutes, help="of each training, about, at most"
    )
    parser.add_argument("--epochs", type=COUNT, help="of each training, at most")


def open_run(path: Path, demo: Path) -> Run:
    """The run at `path`; at `demo` the segmented demo scene is made if nothing is there."""
    run = Run(path)
    if path == demo and not path.exists():
        bands, labels, reference = write_demo(path / "sources", seed=0)
        with staged(run) as stage:
            prepare(stage, band_files.open_bands(bands), labels=labels, reference=reference)
            segment(stage)
    return run


def kind_title(number: int) -> str:
    """What sets one of KINDS, or FURTHER_KINDS after them, apart.

    >>> kind_title(0), kind_title(3)
    ('usual', 'woods 0.5, pastures 0.4')
    """
    return ", ".join(f"{key} {value:g}" for key, value in _kind(number).items()) or "usual"


def kind_run(
    folder: Path,
    number: int,
    samples: int = 40_000,
    draw: int = 0,
    size: tuple[int, int] = SIZE,
) -> Run:
    """The run FOLDER/NUMBER of one of these kinds, segmented and sampled; what is there is kept.

    Every `draw` is a scene of another seed, 1000 apart; `size` is rows and cols.
    """
    run = Run(folder / (f"{number}-draw-{draw}" if draw else f"{number}"))
    if not run.samples.exists():
        scene = synthetic.make_scene(*size, 200 + number + 1000 * draw, **_kind(number))
        raster_writer.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)
        write_classes(run.labels, scene.labels(), scene.grid)
        write_classes(run.reference, scene.truth, scene.grid)
        segment(run)
        sample(run, Draw(samples))
    return run


def _kind(number: int) -> dict[str, Any]:
    return (*KINDS, *FURTHER_KINDS)[number]


def write_classes(path: Path, codes: np.ndarray, grid: Grid) -> None:
    """Write CLC codes (rows, cols) with the legend of those that occur."""
    legend = Legend.corine().subset(np.unique(codes))
    class_rasters.write_classes(path, codes, grid, legend)


def study_run(
    run: Run, name: str, samples: int, max_patch: int | None = None, seed: int = 0
) -> Run:
    """A run folder for a study, in RUN/studies: a run's scene and labels, and samples of its own.

    Parameters
    ----------
    run : Run
        What the study is about; nothing of it changes.
    name : str
        Of the folder.
    samples, max_patch, seed
        See `sample.sample`. The same numbers draw the same samples again.
    """
    for product in ("scene", "labels"):
        run.require(product)
    own = Run(run.path / "studies" / name)
    own.path.mkdir(parents=True, exist_ok=True)
    for product in _SHARED:
        copy_raster(getattr(run, product), own.path)
    sample(own, Draw(samples), max_patch=max_patch, seed=seed)
    return own


def copy_raster(raster: Path, folder: Path) -> None:
    """Copy a raster and its style into a folder, those of them that there are."""
    for path in (raster, raster.with_suffix(".qml")):
        if path.exists():
            with replace_when_whole(folder / path.name) as part:
                shutil.copyfile(path, part)


def thin(run: Run, share: float, seed: int = 0) -> None:
    """Keep a share of the training and validation samples of a study, and every test sample."""
    table = read_samples(run.samples, geometry=True)
    drawn = np.random.default_rng([seed, 3]).random(len(table)) < share
    with replace_when_whole(run.samples) as part:
        table[drawn | (table["split"] == "test").to_numpy()].to_parquet(part, index=False)


def outcome(run: Run, model: Model) -> dict[str, Any]:
    """What training a model took and gave, as cells of a `Table`.

    Returns
    -------
    dict
        Rows trained on, epochs (None of models that have none), seconds of training, and on
        test samples the accuracy against the reference (None where there is none) and the
        agreement with the labels, both 0-1.
    """
    card, report = model.card, store.read_report(run.report(model.name))
    right = {key: score["overall_accuracy"] for key, score in report["scores"].items()}
    return {
        "trained on": card["n_train"],
        "epochs": card["settings"].get("epochs"),
        "seconds": round(report["seconds"]["train"]),
        "accuracy": right.get("reference"),
        "agreement": right.get("labels"),
    }


class Table:
    """Rows of a study, written as they come; a study that is run again makes what is missing.

    Rows may have taken hours, so those of other files or settings are not overwritten: they move
    to a file beside, NAME.MARK.json, and are found there once files and settings are theirs again.

    Parameters
    ----------
    path : path
        JSON file. Rows that it holds of the same files and settings are kept.
    about : Run or path
        The run, or the file, that the study is about.
    **settings
        What all rows share.
    """

    def __init__(self, path: Path, about: Run | Path, **settings: object) -> None:
        self.path = path
        files = [about] if isinstance(about, Path) else map(about.require, ("scene", "labels"))
        made_of = {file.stem: digest(file) for file in files}
        self._settings = {"made_of": made_of, "settings": settings}
        found = (_read(place) for place in (path, self._beside(self._settings)))
        self.rows = next((rows for known, rows in found if known == self._settings), [])

    def add(self, key: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> None:
        """Add a row of `key` and the cells that `make` returns, unless there is one of that key."""
        if any(key.items() <= row.items() for row in self.rows):
            return
        say(", ".join(f"{name} {value}" for name, value in key.items()))
        self.rows.append({**key, **make()})
        self._set_aside()
        write_json(self.path, self._settings | {"rows": self.rows})
        self._beside(self._settings).unlink(missing_ok=True)  # all of it is in the file now

    def _set_aside(self) -> None:
        """Move what the file holds of other files or settings beside it."""
        known, rows = _read(self.path)
        if known not in ({}, self._settings):
            kept = self._beside(known)
            write_json(kept, known | {"rows": rows})
            say(f"{self.path} held rows of other files or settings; they are in {kept.name} now")

    def _beside(self, settings: Mapping[str, Any]) -> Path:
        """Where rows of these files and settings are while the file holds others."""
        text = json.dumps(settings, sort_keys=True)
        return self.path.with_suffix(f".{short_digest(text.encode())[:8]}.json")

    def __str__(self) -> str:
        """Markdown; shares are in percent, lists of differences their mean and reach in points."""
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        lines = [columns, ["---"] * len(columns)]
        lines += [[_cell(row.get(column)) for column in columns] for row in self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the rows of a table's file share, and the rows; both empty where there is no file."""
    known = read_json(path) if path.exists() else {}
    rows = known.pop("rows", [])
    return known, rows


def _cell(value: object) -> str:
    """One value of a table in words.

    >>> _cell(0.842), _cell(None), _cell(7), _cell([0.01, 0.03])
    ('84.2 %', '–', '7', '+2.0 (+1.0 to +3.0)')
    """
    if isinstance(value, list):
        reach = f" ({words.interval((min(value), max(value)), signed=True)})"
        return words.points(float(np.mean(value))) + (reach if len(value) > 1 else "")
    if value is None or isinstance(value, float):
        return words.percent(value)
    return str(value)
