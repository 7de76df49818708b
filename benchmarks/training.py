"""Training a patch network on chips and on tiles: time an epoch, time to the stop, accuracy.

    python -m benchmarks.training            # 7 and 31 px, a few steps of both ways
    python -m benchmarks.training --full     # 3, 7, 15, 31, 61 px, and training to the stop

Both ways train the same network on the same samples of a synthetic scene. Steps of one and of
the other follow each other in one process, so their ratio depends little on other programs. It
is printed beside the ratio that `networks.plan` estimates and chooses by.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import interleaved, peak_mib, ratio
from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from landcover.classifiers import networks
from landcover.classifiers.networks.batches import row_batches, tile_batches
from landcover.classifiers.networks.plans import ways
from landcover.classifiers.networks.tile_network import sampled_pixels
from landcover.classifiers.patch_cnn import EPOCHS
from landcover.classifiers.scaling import fit_scaling
from landcover.files import rasters
from landcover.reports import accuracy, words
from landcover.run import Run
from landcover.samples.chips import Squares
from landcover.samples.rows import Rows
from landcover.samples.table import Draw
from landcover.samples.tiles import Tiles
from landcover.sources import band_files
from landcover.sources.synthetic.files import write_demo
from landcover.stages.inputs import read_rows
from landcover.stages.prepare import prepare
from landcover.stages.sample import sample

BATCH = 256
SIZES = (3, 7, 15, 31, 61)
#: Chips of 61 x 61 pixels take an hour or more to the stop.
LARGEST_STOPPED_ON_CHIPS = 15


@dataclass(frozen=True)
class Setting:
    """A run, its rows, and what reads its scene."""

    run: Run
    rows: Rows

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of all samples."""
        return self.rows.samples["row"].to_numpy(), self.rows.samples["col"].to_numpy()

    def build(self, size: int, seed: int) -> networks.Network:
        """A network that knows the mean and variance of the training rows."""
        networks.seed_everything(seed)
        bands = rasters.band_names(self.run.scene)
        scaling = fit_scaling(self.rows.values(self.rows.train, bands, ())[0])
        variances = np.square(scaling["stds"]).tolist()
        return networks.build_cnn(
            size, len(bands), len(self.rows.legend), scaling["means"], variances
        )

    def plan(self, size: int, batches_of: str, tile_px: int | None = None) -> networks.Plan:
        """The cheapest plan of a way, or of tiles of one size."""
        row, col = (axis[self.rows.train] for axis in self.places)
        network = self.build(size, 0)
        if batches_of != "tiles" or tile_px is None:
            return networks.plan(network, row, col, batches_of)
        return min((p for p in ways(network, row, col) if p.side == tile_px), key=lambda p: p.cost)

    def examples(
        self, way: networks.Plan, held: Squares | Tiles, part: np.ndarray
    ) -> networks.Examples | networks.TileExamples:
        """Some rows in the way of a plan."""
        return way.examples(held, part, self.rows.targets(part))

    def hold(self, way: networks.Plan) -> Squares | Tiles:
        """The imagery that a plan needs."""
        return way.hold(lambda window: rasters.read(self.run.scene, window), *self.places)


class Steps:
    """The first steps of an epoch, all of them unless a count is given; the same each time.

    As in an epoch, a step's batch is made when its turn comes.
    """

    def __init__(
        self,
        setting: Setting,
        way: networks.Plan,
        held: Squares | Tiles,
        count: int | None = None,
    ) -> None:
        import keras

        examples = setting.examples(way, held, setting.rows.train)
        self.network = self.model = setting.build(way.patch_size, 0)
        if isinstance(examples, networks.Examples):
            self.batches = row_batches(examples, BATCH, (1, 1), 0, True)
        else:
            self.batches = tile_batches(examples, BATCH, 0, True)
            self.model = sampled_pixels(self.network, way.side, way.dense)
        self.model.compile(
            "adam",
            "sparse_categorical_crossentropy",
            jit_compile=keras.backend.backend() == "jax",  # as `networks.fit` does
        )
        self.numbers = range(min(count or len(self.batches), len(self.batches)))
        rows = self.batches.chosen if way.way == "chips" else self.batches.rows
        self.samples = sum(len(rows(number)) for number in self.numbers)

    def __call__(self) -> None:
        """Take the steps."""
        for number in self.numbers:
            self.model.train_on_batch(*self.batches[number])


def compare(setting: Setting, size: int, count: int, runs: int) -> Row:
    """Seconds of 10,000 samples both ways, and the ratio beside the estimated one."""
    plans = {way: setting.plan(size, way) for way in ("chips", "tiles")}
    # A step of chips of 61 x 61 pixels takes seconds: fewer of them do
    counts = {"tiles": count, "chips": 2}
    steps = {way: Steps(setting, p, setting.hold(p), counts[way]) for way, p in plans.items()}
    seconds = {
        way: values / steps[way].samples * 10_000
        for way, values in interleaved(steps, runs=runs).items()
    }
    chosen = setting.plan(size, "auto").way
    tiles = plans["tiles"]
    more: dict[str, Cell] = {
        "chips, s": float(np.median(seconds["chips"])),
        "estimated ratio": round(plans["chips"].cost / tiles.cost, 1),
        "default": chosen,
        "tile, px": tiles.side,
        "dense layers": tiles.dense,
    }
    took = float(np.median(seconds["tiles"]))
    faster = (ratio(seconds["chips"], seconds["tiles"], "chips"),)
    return Row(f"10,000 samples on tiles, {size} px", took, "s", faster, more=more)


def to_the_stop(
    setting: Setting, size: int, planned: networks.Plan, seed: int, epochs: int
) -> tuple[Row, np.ndarray]:
    """What training to the stop takes; confusions with the truth, by blocks."""
    rows = setting.rows
    started = time.perf_counter()
    held = setting.hold(planned)
    model = setting.build(size, seed)
    history = networks.fit(
        model,
        setting.examples(planned, held, rows.train),
        setting.examples(planned, held, rows.validation),
        networks.Schedule(epochs, learning_rate=planned.learning_rate),
        seed=seed,
        turn=True,
    )
    seconds = time.perf_counter() - started
    truth, blocks = (rows.samples[x].to_numpy()[rows.scored] for x in ("reference", "block"))
    found = networks.predict_examples(model, setting.examples(planned, held, rows.scored))
    codes = sorted({*rows.legend.codes, *truth[truth > 0].tolist()})
    predicted = rows.legend.code(found.argmax(axis=1))
    confusions = accuracy.block_confusion(truth, predicted, blocks, codes)
    right = accuracy.metrics_of(confusions.sum(axis=0))["overall_accuracy"]
    way = f"tiles of {planned.side} px" if planned.side else "chips"
    more: dict[str, Cell] = {
        "rows trained on": len(rows.train),
        "epochs": len(history["loss"]),
        "validation loss": float(min(history["val_loss"])),
        "accuracy on the truth, %": float(100 * right),
    }
    what = f"to the stop at {size} px on {way}, seed {seed}"
    return Row(what, seconds, "s", memory_mib=peak_mib(), more=more), confusions


def train_both(
    setting: Setting, size: int, plans: list[networks.Plan], a: argparse.Namespace
) -> Iterator[Row]:
    """Train to the stop with every plan and seed; what tiles gain over chips."""
    for seed in a.seeds:
        confusions = []
        for plan in plans:
            row, counted = to_the_stop(setting, size, plan, seed, a.epochs)
            confusions.append(counted)
            yield row
        if len(plans) == 2:
            gained = accuracy.paired_difference(confusions[1], confusions[0])
            difference = gained["difference"]
            yield Row(
                f"accuracy at {size} px of {plans[1].way} less {plans[0].way}, seed {seed}",
                None if difference is None else 100 * difference,
                "points",
                more={"95 % interval": words.interval(gained["ci95"], signed=True)},
            )


def make_setting(folder: Path, samples: int) -> Setting:
    """The demo scene with samples for patches up to 61 px."""

    run = Run(folder / "run")
    bands, labels, reference = write_demo(folder / "sources", 0)
    prepare(run, band_files.open_bands(bands), labels=labels, reference=reference)
    sample(run, Draw(samples), max_patch=61)
    return Setting(run, read_rows(run, "labels"))


def measured(a: argparse.Namespace) -> Iterator[Row]:
    """The two ways size by size, and training to the stop where that is asked for."""
    sizes = a.sizes or (SIZES if a.full else (7, 31))
    with tempfile.TemporaryDirectory() as folder:
        setting = make_setting(Path(folder), a.samples)
        for size in () if a.ways else sizes:
            yield compare(setting, size, 8 if a.full else 3, 3)
        for size in sizes if a.full or a.ways else ():
            both = ("chips", "tiles") if size <= LARGEST_STOPPED_ON_CHIPS else ("tiles",)
            plans = [setting.plan(size, way, a.tile_px) for way in a.ways or both]
            yield from train_both(setting, size, plans, a)


def main() -> None:
    """Compare the two ways size by size."""
    parser = options("training", __doc__)
    parser.add_argument("--full", action="store_true", help="all sizes, and training to the stop")
    parser.add_argument("--samples", type=int, default=40_000)
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument(
        "--ways", nargs="+", choices=("chips", "tiles"), help="train to the stop only, so"
    )
    parser.add_argument("--tile-px", type=int, help="of tiles, in training to the stop")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="at most")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    a = parser.parse_args()
    report(parser, a, measured(a))


if __name__ == "__main__":
    main()
