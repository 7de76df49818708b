"""BigEarthNet, version 1 or 2, into a store for training.

python -m experiments.bigearth_read SOURCE [--bands B02 B03 B04 B08] [--classes 19] [--out FOLDER]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from experiments.study import refusals
from landcover.files.class_rasters import class_pixels
from landcover.labels.bigearthnet import CLASSES
from landcover.progress import say
from landcover.run import Run
from landcover.sources import bigearthnet
from landcover.stages.run_legend import read_nomenclature


def parser() -> argparse.ArgumentParser:
    """What is read, what is left out, and where it goes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("source", type=Path, help="the folder that BigEarthNet was unpacked in")
    made.add_argument("--bands", nargs="+", default=bigearthnet.BANDS, metavar="B02")
    classes = made.add_mutually_exclusive_group()
    classes.add_argument("--classes", choices=CLASSES, default="19")
    classes.add_argument(
        "--classes-of", type=Path, metavar="RUN",
        help="CORINE's classes that the labels of a run hold, at their level, and no others",
    )  # fmt: skip
    made.add_argument("--single", action="store_true", help="only patches of exactly one class")
    made.add_argument(
        "--drop-cloudy", nargs="*", type=Path, metavar="LIST",
        help="leave out snow, cloud and shadow: by the CSV lists of version 1, or by the metadata",
    )  # fmt: skip
    made.add_argument(
        "--splits", type=Path, metavar="FOLDER",
        help="with train.csv, val.csv and test.csv of version 1; version 2 has its own",
    )  # fmt: skip
    made.add_argument("--out", type=Path, default=Path("runs/bigearth"))
    return made


def chosen(a: argparse.Namespace) -> bigearthnet.Patches:
    """The patches that the options select."""
    if a.classes_of:
        patches = of_place(a.source, Run(a.classes_of))
    else:
        patches = bigearthnet.open_patches(a.source, a.classes)
    if a.drop_cloudy is not None:
        patches = bigearthnet.without_doubtful(patches, a.drop_cloudy)
    if a.splits:
        patches = bigearthnet.with_splits(patches, a.splits)
    return patches.select(patches.single()[0]) if a.single else patches


def of_place(source: Path, run: Run) -> bigearthnet.Patches:
    """The patches that have classes of a run's labels, named by those."""
    labels = run.require("labels")
    held = class_pixels(labels)
    legend = read_nomenclature(run).holding(held).legend.subset(held)
    patches = bigearthnet.open_patches(source, "corine")
    kept = bigearthnet.with_legend(patches, legend)
    say(
        f"{len(patches) - len(kept):,} of {len(patches):,} patches are left out: they have none "
        f"of the {len(legend)} classes of {labels}"
    )
    return kept


def main(argv: Sequence[str] | None = None) -> int:
    """Read, store, and print how many patches each part and class has."""
    a = parser().parse_args(argv)
    if a.classes_of:
        a.classes = "corine"
    for name, value in vars(a).items():
        print(f"{name}: {' '.join(map(str, value)) if isinstance(value, list | tuple) else value}")
    with refusals(parser()):
        patches = chosen(a)
        path = bigearthnet.store(patches, a.out, a.bands)
    for part, count in sorted(Counter(patches.splits).items()):
        print(f"{count:>8} {part or 'of no part'}")
    for land_class, count in zip(
        patches.legend.classes, patches.multi_hot().sum(axis=0, dtype=int), strict=True
    ):
        if count:
            print(f"{count:>8} {land_class.code} {land_class.name}")
    print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
