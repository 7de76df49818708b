"""True and false change between synthetic years, after each step that tells them apart.

python -m experiments.years OUT [--seeds 0 1 2] [--models ltae sequence-forest] [--cloud 0.3]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import landcover as lc
from experiments.study import refusals, write_classes
from landcover.classifiers.models import Model
from landcover.commands.options import SHARE
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.files.raster_stacks import write_stack
from landcover.grid import Window
from landcover.maps.change_rasters import changed, survey
from landcover.maps.regions import large_regions
from landcover.progress import say
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.stages.change import find_change
from landcover.stages.change_years import LEAST_HA, pair_of_years, year_of
from landcover.stages.sample import sample
from landcover.stages.train import train

YEARS = (2022, 2023)
#: Dates of each year, and share of fields and stands that become another class.
DATES, CHANGES = 8, 0.05
SAMPLES = 8_000
COLUMNS = ("seed", "model", "learnt", "step", "found", "false", "right of what is shown")


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("out", type=Path, help="folder of the runs; what is trained there is kept")
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    made.add_argument("--size", type=int, default=320, help="rows and columns (default 320)")
    made.add_argument("--models", nargs="+", default=["ltae", "sequence-forest"])
    made.add_argument(
        "--trained-on", nargs="+", choices=("labels", "reference"), default=["labels", "reference"]
    )
    made.add_argument("--cloud", type=SHARE, default=0.3)
    return made


def two_years(folder: Path, seed: int, size: int, cloud: float) -> tuple[Run, np.ndarray]:
    """A run of two years with samples of the first, and where its class changed."""
    made = lc.make_sequence(seed, (size, size), DATES, YEARS, cloud=float(cloud), changes=CHANGES)
    run = Run(folder)
    if not run.samples.exists():
        for day, image in zip(made.days, made.images, strict=True):
            raster_writer.write(run.date(day), image, made.grid, made.bands, np.nan)
        names = {run.date(day): [f"{day}:{band}" for band in made.bands] for day in made.days}
        write_stack(run.sequence, names)
        first = np.ma.median(np.ma.masked_invalid(made.images[:DATES]), axis=0).filled(np.nan)
        raster_writer.write(run.scene, first.astype(np.float32), made.grid, made.bands, np.nan)
        write_classes(run.labels, made.labels, made.grid)
        write_classes(run.reference, made.reference[0], made.grid)
        sample(run, Draw(SAMPLES), max_patch=7)
    return run, made.reference[0] != made.reference[-1]


def model_of(run: Run, kind: str, targets: str) -> Model:
    """A model that learnt the dates of both years; labels are those of the first."""
    denoise = "none" if targets == "labels" else None
    name = f"{kind}-{'plain' if targets == 'labels' else 'on-reference'}"
    if run.model(name).exists():
        return lc.load_model(run.model(name))
    return train(run, kind, targets=targets, denoise=denoise, random_split=False)


def shown(run: Run, model: Model) -> Iterator[tuple[str, np.ndarray]]:
    """What is shown as change after each step."""
    out = Run(run.path / f"change-{model.name}")
    find_change(run.path, None, out, model=model, years=YEARS)
    pair, _ = pair_of_years(out, model, [year_of(run.path, model, year) for year in YEARS])
    grid = rasters.grid_of(run.scene)
    window, level = Window(0, 0, *grid.shape), pair.dates[0].nomenclature.level
    before, after = pair.probabilities(window, level)
    known = np.isfinite(before[0]) & np.isfinite(after[0])
    yield "the maps differ", known & (before.argmax(axis=0) != after.argmax(axis=0))
    transitions, scale = survey(pair, grid, level)
    whole, held = changed(pair, window, level, transitions, scale)
    yield "probabilities of both", whole > 0.5
    yield "consistency over the year", held > 0.5
    pixel_ha = float(grid.pixel_areas_ha(0, 0))
    yield "smallest area", large_regions(held > 0.5, grid.areas_ha, LEAST_HA, pixel_ha)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, compare the years, print the table row by row."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        say(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
        for seed in a.seeds:
            run, really = two_years(a.out / f"{seed}", seed, a.size, a.cloud)
            for kind in a.models:
                for targets in a.trained_on:
                    model = model_of(run, kind, targets)
                    for step, found in shown(run, model):
                        shares = found[really].mean(), found[~really].mean()
                        right = really[found].mean() if found.any() else np.nan
                        cells = [f"{100 * share:.1f}" for share in (shares[0], right)]
                        row = [str(seed), kind, targets, step, cells[0], f"{100 * shares[1]:.2f}"]
                        say(f"| {' | '.join([*row, cells[1]])} |")
                    area = read_json(run.path / f"change-{model.name}" / "change.json")["changed"]
                    low, high = area["area_ci95"]
                    true_ha = rasters.grid_of(run.scene).areas_ha(Window(0, 0, *really.shape))
                    say(
                        f"true {true_ha[really].sum():.1f} ha, estimated {area['area']:.1f} "
                        f"({low:.1f}-{high:.1f})"
                    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
