"""False and missed change on synthetic dates.

python experiments/false_change.py OUT ROWS COLS [MODEL ...]
"""

import sys
from pathlib import Path

import numpy as np

from landcover import rasters
from landcover.progress import say
from landcover.runs import Run, read_json
from landcover.synthetic import make_dates
from landcover.workflows import sample, train
from landcover.workflows.change import find_change

HAZY = {"later_haze": 0.1, "sun": 0.9}
LATER = {
    "noise": {},
    "less haze": {"later_haze": 0.005, "sun": 1.08},
    "haze and less light": HAZY,
    "greener": {"greenness": 1.1, "sun": 1.03},
    "later in the season": {"greenness": 0.85, "later_haze": 0.04},
    "other crops": {"new_crops": True},
    "other crops, haze": HAZY | {"new_crops": True, "greenness": 0.93},
    "industry": {"estates": 8, "later_haze": 0.04, "sun": 0.96},
    "industry, haze": HAZY | {"estates": 8},
    "industry, other crops": {"estates": 8, "later_haze": 0.04, "new_crops": True},
}
TRAIN = {
    "random-forest-plain": lambda run: train.train_forest(run, random_split=False, denoise="none"),
    "random-forest": lambda run: train.train_forest(run, random_split=False),
    "cnn-7x7": lambda run: train.train_cnn(run, random_split=False),
}
FIRST_SEED = 40


def save(run, scene):
    """Write a scene and its truth into a run folder."""
    rasters.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)
    rasters.write(run.reference, scene.truth, scene.grid, ["class"], 0)


def differ(out, model):
    """Where the two maps of a comparison differ."""
    before, after = (
        rasters.read_classes(out.path / date / "maps" / f"{model}.tif")
        for date in ("before", "after")
    )
    return before != after


def row(before, after, model, really):
    """Shares of false and found change, by plain comparison of maps and by landcover change."""
    plain, ours = (Run(after.path / f"{model}-{way}") for way in ("plain", "change"))
    find_change(before.path, after.path, plain, model=(before, model), normalise=False)
    find_change(before.path, after.path, ours, model=(before, model))
    codes = rasters.read_classes(ours.path / "change.tif")
    found = codes // 100 != codes % 100
    cells = [differ(plain, model)[~really].mean(), differ(ours, model)[~really].mean()]
    cells = [f"{100 * share:.1f}" for share in cells] + [f"{100 * found[~really].mean():.2f}"]
    if not really.any():
        return cells
    area = read_json(ours.path / "change.json")["changed"]
    cells += [f"{100 * part:.1f}" for part in (found[really].mean(), really[found].mean())]
    cells.append(f"{100 * (codes[really] == 1203).mean():.1f}")
    bounds = "{:.0f}–{:.0f}".format(*area["area_ci95"])
    return [*cells, f"{really.sum() / 100:.0f}", f"{area['area']:.0f} ({bounds})"]


out, rows, cols = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
models = sys.argv[4:] or list(TRAIN)
before = Run(out / "before")
first = make_dates(rows, cols, FIRST_SEED)[0]
if not before.samples.exists():
    save(before, first)
    rasters.write(before.labels, first.labels(), first.grid, ["label"], 0)
    sample.sample(before, 20_000, max_patch=7)
for model in models:
    if not before.model(model).exists():
        TRAIN[model](before)
head = ("model", "second date", "maps differ as they are", "in one radiometry", "false change",
        "found", "right of what is shown", "as 211 to 121", "true ha", "estimated ha")  # fmt: skip
say(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
for number, (title, settings) in enumerate(LATER.items()):
    after = Run(out / f"{number}")
    second = make_dates(rows, cols, FIRST_SEED, later_seed=50 + number, **settings)[1]
    save(after, second)
    for model in models:
        cells = row(before, after, model, first.truth != second.truth)
        say(f"| {' | '.join([model, title, *cells, *['–'] * (8 - len(cells))])} |")
