"""Sequences of dates against single dates, composites and forests: a row for each, under clouds.

python -m experiments.sequence OUT [--small]

OUT/sequence.json is a list of rows, OUT/sequence.md a table of them, and OUT/sequence.png the plot.
A study that is interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from experiments import sequence_report
from experiments.sequence_land import Place, best_day, make_place, nearest_day
from experiments.study import refusals
from landcover.classifiers.kinds import trained_kind
from landcover.classifiers.learnt_dates import spread
from landcover.classifiers.models import Model
from landcover.errors import InputError, require_whole
from landcover.files import rasters
from landcover.files.atomic import (
    read_json,
    replace_when_whole,
    write_bytes,
    write_json,
    write_text,
)
from landcover.grid import Window
from landcover.legend import Legend
from landcover.progress import say
from landcover.reports import accuracy
from landcover.run import Run
from landcover.samples.blocks import TEST, TRAIN
from landcover.scene.sequence import valid_dates
from landcover.stages.dates import dates_of
from landcover.stages.ensemble import ensemble
from landcover.stages.inputs import read_blocks
from landcover.stages.map import map_scene
from landcover.stages.train import train

#: Kind and choices of every network; `single` reads the best date, which is chosen for it.
#: Classes weigh alike in all of them, since accuracy is what is compared.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "single": ("unet", {"class_weight": "none"}),
    "composite": ("unet", {"class_weight": "none"}),
    "fixed": ("unet-convlstm", {"class_weight": "none"}),
    "random": ("unet-convlstm", {"class_weight": "none", "date_choice": "random"}),
    "attention": ("ltae", {}),
    "tempcnn": ("tempcnn", {}),
    "forest": ("sequence-forest", {}),
}
#: What the labels are that a network learns, in the options of training; refined in most rows.
LEARNT: dict[str, dict[str, Any]] = {
    "refined": {},
    "plain": {"denoise": "none"},
    "reference": {"targets": "reference"},
}
#: Networks that learn all three, and under which cloud.
COMPARED, COMPARED_CLOUD = ("single", "attention", "forest"), 0.3
#: Change is found where probabilities differ more than on all but this share of what stays.
FALSE_ALARMS = 0.05
#: Places seen to at once at most, unless told otherwise: each takes some 2 GB.
MOST_JOBS = 4
#: Every class that can occur, so that matrices of different places add up.
CODES = (0, *Legend.corine(3).codes)


@dataclass(frozen=True)
class Setting:
    """How much a study takes: epochs are at most, of networks of pixels and of tiles."""

    shape: tuple[int, int]
    days: int
    samples: int
    epochs: int
    tile_epochs: int
    clouds: tuple[float, ...]
    seeds: tuple[int, ...]


FULL = Setting((320, 480), 10, 5000, 25, 12, (0.0, 0.3, 0.6, 0.8), (0, 1, 2))
SMALL = Setting((200, 300), 7, 600, 1, 1, (0.3,), (0,))


@dataclass(frozen=True)
class Case:
    """A row to be made."""

    network: str
    learnt: str
    cloud: float
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return sequence_report.name_of(asdict(self))


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("out", type=Path, help="folder of the results; what is there is kept")
    made.add_argument("--small", action="store_true", help="one small place and one epoch")
    made.add_argument("--seeds", type=int, nargs="+", help="some of the places alone")
    made.add_argument(
        "--jobs",
        type=int,
        default=min(MOST_JOBS, os.cpu_count() or 1),
        help=f"places at once (default: all cores, {MOST_JOBS} at most)",
    )
    made.add_argument("--networks", nargs="+", choices=NETWORKS, help="some networks alone")
    return made


def cases(setting: Setting) -> Iterator[Case]:
    """Every row of a study, place by place."""
    for seed in setting.seeds:
        for cloud in setting.clouds:
            for network in NETWORKS:
                yield Case(network, "refined", cloud, seed)
            if cloud == COMPARED_CLOUD:
                for network in COMPARED:
                    yield Case(network, "plain", cloud, seed)
                    yield Case(network, "reference", cloud, seed)


class Study:
    """The rows in a folder, and what each block of a place adds to them."""

    def __init__(self, out: Path, setting: Setting) -> None:
        self.out, self.setting = out, setting
        held, own = out / "setting.json", asdict(setting) | {"shape": list(setting.shape)}
        own |= {"clouds": list(setting.clouds), "seeds": list(setting.seeds)}
        if held.exists() and read_json(held) != own:
            raise InputError(f"{out} holds rows of another setting; give another folder")
        write_json(held, own)

    def blocks(self, case: Case) -> Path:
        """The counts of a row, block by block."""
        return self.out / "blocks" / f"{case.name}.npz"

    def row(self, case: Case) -> Path:
        """The row itself."""
        return self.out / "blocks" / f"{case.name}.json"

    def carry_out(
        self, seeds: Sequence[int], networks: Sequence[str], jobs: int = 1
    ) -> list[dict[str, Any]]:
        """Make the rows that are missing of some places and networks, and give all there are.

        So many places are seen to at once, each in a process of its own.
        """
        require_whole("jobs", jobs)
        places: dict[tuple[float, int], list[Case]] = {}
        wanted = list(cases(self.setting))
        for case in wanted:
            asked = case.seed in seeds and case.network in networks
            if asked and not self.row(case).exists():
                places.setdefault((case.cloud, case.seed), []).append(case)
        workers = min(jobs, len(places))
        if workers <= 1:
            for (cloud, seed), missing in places.items():
                self.see(cloud, seed, missing)
        else:
            _with_one_thread()
            pool = ProcessPoolExecutor(workers, get_context("spawn"))
            try:
                waiting = [pool.submit(self.see, *at, rows) for at, rows in places.items()]
                for seen in as_completed(waiting):
                    seen.result()
            finally:
                pool.shutdown(cancel_futures=True)
        return [read_json(self.row(case)) for case in wanted if self.row(case).exists()]

    def see(self, cloud: float, seed: int, missing: Sequence[Case]) -> None:
        """Draw a place, and make the rows that are missing of it."""
        folder, of = self.out / f"place-{round(100 * cloud)}-{seed}", self.setting
        shutil.rmtree(folder, ignore_errors=True)  # of a study that was interrupted
        place = make_place(folder, of.shape, of.days, cloud, of.samples, seed)
        day = best_day(place.first, dates_of(place.first), seed)
        for case in missing:
            say(case.name)
            self.add(case, place, day)
        shutil.rmtree(folder)

    def add(self, case: Case, place: Place, day: str) -> None:
        """Train a network, map both years with it, and keep what that gives."""
        model = _trained(case, place.first, day, self.setting)
        later = nearest_day(dates_of(place.second).days, day)
        years = ((place.first, day), (place.second, later))
        maps = [_mapped(case.network, run, model, own) for run, own in years]
        counts = _counts(place, day, maps)
        path = self.blocks(case)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_when_whole(path) as part, part.open("wb") as file:
            confusions, seen, changes = counts.values()
            np.savez_compressed(
                file, confusions=confusions, where_single_sees=seen, changes=changes
            )
        row = _row(case, model, len(dates_of(place.first).days), counts)
        write_json(self.row(case), row)


def _with_one_thread() -> None:
    """Let networks of the processes to come compute in one thread; they read this when they begin.

    Training keeps no more than one core busy for most of its time.
    """
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"


def _trained(case: Case, run: Run, day: str, setting: Setting) -> Model:
    """The model of a row."""
    name, choices = NETWORKS[case.network]
    kind, taken = trained_kind(name, choices)
    choices = choices | ({"dates": [day]} if case.network == "single" else {})
    if "epochs" in taken:
        choices |= {"epochs": setting.tile_epochs if kind.learns_tiles else setting.epochs}
    return train(run, name, seed=case.seed, random_split=False, **LEARNT[case.learnt], **choices)


def _mapped(network: str, run: Run, model: Model, day: str) -> str:
    """The name of what a network maps of a year, with its probabilities.

    A single date is the one given. A network of random dates reads two sequences that show all
    dates together, and its map is the mean of both.
    """
    ways: list[list[str] | None] = [[day] if network == "single" else None]
    if network == "random" and model.inputs.dates is not None:
        ways = [*two_draws(dates_of(run).days, model.inputs.dates.needed)]
    names = [map_scene(run, model, probabilities=True, dates=dates)[0].stem for dates in ways]
    return names[0] if len(names) == 1 else ensemble(run, names)[0].stem


def two_draws(days: Sequence[str], number: int) -> list[list[str]]:
    """So many of some days, evenly spread; and the others, no more, with some of the first.

    >>> two_draws(["a", "b", "c", "d", "e"], 3)
    [['a', 'c', 'e'], ['a', 'b', 'd']]
    """
    first = spread(days, number)
    others = [day for day in days if day not in first]
    return [first, sorted([*others, *spread(first, number - len(others))])]


def _counts(place: Place, day: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """What each block holds: confusions of the first year's map, and changes found and missed.

    Scores are of pixels of the test blocks that some date shows; a network that has no class
    there is wrong. Changes are those outside the training blocks.
    """
    blocks, run = read_blocks(place.first), place.first
    of_block = blocks.blocks_in(Window(0, 0, *place.changed.shape))
    split = blocks.splits.ravel()[of_block]
    truth, found = rasters.read_classes(run.reference), rasters.read_classes(run.map(names[0]))
    shown = rasters.valid_pixels(rasters.read(run.scene))
    by_day = valid_dates(rasters.read(run.date(day))[np.newaxis])[0]

    def confusions(where: np.ndarray) -> np.ndarray:
        return accuracy.block_confusion(np.where(where, truth, 0), found, of_block, CODES)

    test = (split == TEST) & shown
    asked = (split != TRAIN) & shown & rasters.valid_pixels(rasters.read(place.second.scene))
    flagged = _flagged(place, names, asked)
    changed = asked & place.changed
    numbers = [
        np.bincount(of_block[changed & (flagged == hit)], minlength=blocks.splits.size)
        for hit in (True, False)
    ]
    return {
        "confusions": confusions(test),
        "where_single_sees": confusions(test & by_day),
        "changes": np.stack(numbers, axis=1),
    }


def _flagged(place: Place, names: Sequence[str], asked: np.ndarray) -> np.ndarray:
    """Where change is shown, at `FALSE_ALARMS` of what stays; never where a year has no class.

    The score is the length of the change vector in the space of probabilities (Chen et al. 2011,
    doi:10.1109/LGRS.2010.2068537). It takes nothing for how frequent changes are.
    """
    before, after = (
        rasters.read(run.probabilities(name))
        for run, name in zip((place.first, place.second), names, strict=True)
    )
    length = np.linalg.norm(after - before, axis=0)
    score = np.where(np.isfinite(length), length, -1.0)
    # votes of a forest are often equal, and a threshold would take all of them or none
    score += np.random.default_rng(0).uniform(0, 1e-6, score.shape)
    stays = score[asked & ~place.changed]
    return score > np.quantile(stays, 1 - FALSE_ALARMS, method="higher")


def _row(case: Case, model: Model, held: int, counts: dict[str, np.ndarray]) -> dict[str, Any]:
    """A row of sequence.json."""
    metrics = accuracy.metrics_of(counts["confusions"].sum(axis=0))
    seen = accuracy.metrics_of(counts["where_single_sees"].sum(axis=0))
    found, missed = counts["changes"].sum(axis=0).tolist()
    read = {"single": 1, "composite": held}
    learnt = model.inputs.dates
    together = held if learnt is None or learnt.together is None else learnt.together
    return {
        "network": case.network,
        "learnt": case.learnt,
        "dates": read.get(case.network, together),
        "cloud": case.cloud,
        "seed": case.seed,
        "overall_accuracy": round(float(metrics["overall_accuracy"]), 4),
        "macro_f1": round(float(metrics["macro_f1"]), 4),
        "changes_found": round(found / (found + missed), 4) if found + missed else None,
        "accuracy_where_single_sees": round(float(seen["overall_accuracy"]), 4),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Make the rows, their table and their plot."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        setting = SMALL if a.small else FULL
        study = Study(a.out, setting)
        rows = study.carry_out(a.seeds or setting.seeds, a.networks or list(NETWORKS), a.jobs)
        paths = {name: a.out / f"sequence.{name}" for name in ("json", "md", "png")}
        counts = sequence_report.Counts(a.out / "blocks")
        text = sequence_report.text(rows, counts)
        write_json(paths["json"], rows)
        write_text(paths["md"], text)
        write_bytes(paths["png"], sequence_report.picture(rows))
    print(text)
    for path in paths.values():
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
