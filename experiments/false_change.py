"""False and missed change on synthetic dates, by plain comparison of maps and by landcover change.

python -m experiments.false_change OUT [--size 600 800] [--models cnn-7x7 ...] [--dates noise ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study import refusals, write_classes
from landcover.classifiers.models import Model, load_model
from landcover.commands.options import add_size
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.grid import Window
from landcover.progress import say
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.sources.synthetic import Later, SyntheticScene, make_dates, make_scene
from landcover.stages import sample, train
from landcover.stages.change import find_change

HAZY = {"haze": 0.1, "sun": 0.9}
#: Settings of `make_dates` for each second date.
LATER: dict[str, dict[str, Any]] = {
    "noise": {},
    "less haze": {"haze": 0.005, "sun": 1.08},
    "haze and less light": HAZY,
    "greener": {"greenness": 1.1, "sun": 1.03},
    "later in the season": {"greenness": 0.85, "haze": 0.04},
    "other crops": {"new_crops": True},
    "other crops, haze": HAZY | {"new_crops": True, "greenness": 0.93},
    "industry": {"estates": 8, "haze": 0.04, "sun": 0.96},
    "industry, haze": HAZY | {"estates": 8},
    "industry, other crops": {"estates": 8, "haze": 0.04, "new_crops": True},
}
TRAIN: dict[str, Callable[[Run], Model]] = {
    "random-forest-plain": lambda run: train.train(run, random_split=False, denoise="none"),
    "random-forest": lambda run: train.train(run, random_split=False),
    "cnn-7x7": lambda run: train.train(run, "cnn", random_split=False),
}
FIRST_SEED = 40
#: The n-th second date has this seed and n more.
LATER_SEED = 50
SAMPLES = 20_000
COLUMNS = (
    "second date", "model", "maps differ as they are", "in one radiometry", "false change",
    "found", "right of what is shown", "as 211 to 121", "true ha", "estimated ha",
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("out", type=Path, help="folder of the runs; what is trained there is kept")
    add_size(made)
    made.add_argument("--models", nargs="+", choices=TRAIN, default=list(TRAIN))
    made.add_argument("--dates", nargs="+", choices=LATER, default=list(LATER), metavar="DATE")
    return made


def save(run: Run, scene: SyntheticScene) -> None:
    """Write a scene and its truth into a run folder."""
    raster_writer.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)
    write_classes(run.reference, scene.truth, scene.grid)


def differ(out: Run, model: str) -> np.ndarray:
    """Where the two maps of a comparison differ."""
    before, after = (
        rasters.read_classes(out.path / date / "maps" / f"{model}.tif")
        for date in ("before", "after")
    )
    return before != after


def cells(before: Run, after: Run, model: str, really: np.ndarray) -> list[str]:
    """What stands in a row of the table after its date and model; – where nothing changed."""
    plain, ours = (Run(after.path / f"{model}-{way}") for way in ("plain", "change"))
    own = load_model(before.model(model))
    find_change(before.path, after.path, plain, model=own, normalise=False)
    find_change(before.path, after.path, ours, model=own)
    codes = rasters.read_classes(ours.path / "change.tif")
    found = codes // 100 != codes % 100
    differing = [differ(way, model)[~really].mean() for way in (plain, ours)]
    row = [f"{100 * share:.1f}" for share in differing] + [f"{100 * found[~really].mean():.2f}"]
    if not really.any():
        return row + ["–"] * 5
    area = read_json(ours.path / "change.json")["changed"]
    row += [f"{100 * part:.1f}" for part in (found[really].mean(), really[found].mean())]
    row.append(f"{100 * (codes[really] == 1203).mean():.1f}")
    bounds = "{:.0f}–{:.0f}".format(*area["area_ci95"])
    grid = rasters.grid_of(ours.path / "change.tif")
    true_ha = grid.areas_ha(Window(0, 0, *grid.shape))[really].sum()
    return [*row, f"{true_ha:.0f}", f"{area['area']:.0f} ({bounds})"]


def first_date(a: argparse.Namespace) -> tuple[Run, SyntheticScene]:
    """The run of the first date with the models, and its scene."""
    rows, cols = a.size
    run, scene = Run(a.out / "before"), make_scene(rows, cols, FIRST_SEED)
    if not run.samples.exists():
        save(run, scene)
        raster_writer.write(run.labels, scene.labels(), scene.grid, ["label"], 0)
        sample.sample(run, Draw(SAMPLES), max_patch=7)
    for model in a.models:
        if not run.model(model).exists():
            TRAIN[model](run)
    return run, scene


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, compare the dates, print the table row by row."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        before, first = first_date(a)
        say(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
        for number, (title, settings) in enumerate(LATER.items()):
            if title not in a.dates:
                continue
            after = Run(a.out / f"{number}")
            rows, cols = a.size
            later = Later(LATER_SEED + number, **settings)
            second = make_dates(rows, cols, FIRST_SEED, later)[1]
            save(after, second)
            for model in a.models:
                row = cells(before, after, model, first.truth != second.truth)
                say(f"| {' | '.join([title, model, *row])} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
