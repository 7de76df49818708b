"""The gain from an encoder of chips for a network of pixels: from nothing, frozen, fine-tuned.

python -m experiments.bigearth_transfer ENCODER [--samples 1000 10000 100000] [--scenes 0 3 10 11]
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study import (
    FURTHER_KINDS,
    KINDS,
    Table,
    copy_raster,
    kind_run,
    kind_title,
    outcome,
    refusals,
    study_run,
    thin,
)
from landcover.classifiers import networks, patch_cnn
from landcover.classifiers.models import load_model
from landcover.classifiers.patch_training import PATIENCE
from landcover.commands.options import COUNT, COUNT_OR_NONE, add_seed
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import digest
from landcover.labels.bigearthnet import codes_of_corine, legend_of
from landcover.legend import UNLABELLED, Legend, corine
from landcover.reports.words import percent
from landcover.run import Run
from landcover.samples.chips import read_chips
from landcover.sensors import DEFAULT_QUANTIFICATION
from landcover.stages import train
from landcover.stages.inputs import read_rows

#: What is drawn on a scene; enough that 100,000 are left to learn from, the rest being test ones.
DRAWN = 160_000
#: With fewer samples an epoch has fewer steps. So training may take more epochs, and waits more
#: epochs for a lower loss; otherwise networks that start from nothing would stop too early.
FULL_EPOCHS = 10_000
#: By the name in the table: whether there is an encoder, and whether it is frozen.
WAYS = {"from nothing": (False, False), "frozen": (True, True), "fine-tuned": (True, False)}
AS_IT_IS = "chip network as it is"
#: What sets rows apart; every scene is a column.
KEYS = ("samples", "network", "labels", "pixels")
_SCENES = len(KINDS) + len(FURTHER_KINDS)


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("encoder", type=Path, help="folder of an encoder")
    made.add_argument(
        "--samples", nargs="+", type=COUNT, default=[1_000, 10_000, 100_000],
        help="to learn from and to stop by (default 1000 10000 100000)",
    )  # fmt: skip
    made.add_argument(
        "--refine-at", nargs="*", type=COUNT, default=[10_000], metavar="N",
        help="samples at which refined labels are learnt too (default 10000)",
    )  # fmt: skip
    made.add_argument(
        "--scenes", nargs="+", type=COUNT_OR_NONE, default=[0, 3, 10, 11], choices=range(_SCENES),
        help="of study.KINDS and FURTHER_KINDS (default 0 3 10 11)",
    )  # fmt: skip
    made.add_argument("--drawn", type=COUNT, default=DRAWN, help="samples of a scene, test too")
    made.add_argument("--epochs", type=COUNT, default=patch_cnn.EPOCHS, help="at most, of 10,000")
    made.add_argument("--out", type=Path, default=Path("runs/transfer"))
    add_seed(made)
    return made


def eight_bit(run: Run) -> Run:
    """A run of the same place whose scene went through 8 bits: digital numbers modulo 256."""
    own = Run(run.path.with_name(f"{run.path.name}-8-bit"))
    if not own.reference.exists():
        image = rasters.read(run.scene)
        dn = np.rint(np.nan_to_num(image) * DEFAULT_QUANTIFICATION).clip(0).astype(np.uint16)
        wrapped = dn.astype(np.uint8).astype(np.float32) / np.float32(DEFAULT_QUANTIFICATION)
        wrapped[np.isnan(image)] = np.nan
        grid, bands = rasters.grid_of(run.scene), rasters.band_names(run.scene)
        raster_writer.write(own.scene, wrapped, grid, bands, np.nan)
        for product in (run.labels, run.reference):
            copy_raster(product, own.path)
    return own


def with_samples(full: Run, samples: int, seed: int) -> Run:
    """A run beside `full` with the same test samples, and about so many others."""
    own = Run(full.path.with_name(f"{full.path.name}-{samples}"))
    if not own.samples.exists():
        rows = read_rows(full, "labels")
        learnt = int((rows.samples["split"].to_numpy() != "test").sum())
        if samples > learnt:
            raise LandcoverError(
                f"{full.path} has {learnt:,} samples to learn from, and {samples:,} are wanted; "
                "draw more: --drawn N, or choose fewer"
            )
        part = own.path.with_name(f".{own.path.name}")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(full.path, part)
        thin(Run(part), samples / learnt, seed)
        part.rename(own.path)
    return own


def as_it_is(encoder: Path, full: Run) -> dict[str, Any]:
    """The chip network's own most probable class on the patch of every test pixel."""
    model = load_model(encoder)
    size = model.inputs.patch_size
    tagger, _ = model.encoder(size, rasters.band_names(full.scene))
    rows = read_rows(full, "labels")
    row, col = (rows.samples[axis].to_numpy()[rows.scored] for axis in ("row", "col"))
    cut = read_chips(partial(rasters.read, full.scene), row, col, size)
    probabilities = networks.predict(tagger, cut.batch, len(row))
    legend = model.legend
    truth = rows.samples["reference"].to_numpy()[rows.scored]
    right = legend.code(probabilities.argmax(axis=1)) == in_classes_of(legend, truth)
    return {"trained on": 0, "accuracy": float(right[truth != 0].mean())}


def in_classes_of(legend: Legend, codes: np.ndarray) -> np.ndarray:
    """CORINE's codes of three digits in an encoder's classes: the 19, or CORINE's of some level."""
    if not set(legend.classes) <= set(legend_of("19").classes):
        return corine().coarser(codes, corine().level_of(legend.codes))
    of_19 = codes_of_corine("19")
    return np.array([of_19.get(code, UNLABELLED) for code in codes.tolist()])


def learn(
    a: argparse.Namespace, full: Callable[[], Run], samples: int, way: str, denoise: str
) -> dict[str, Any]:
    """Train one network on the pixels of a scene."""
    start, freeze = WAYS[way]
    longer = max(1, FULL_EPOCHS // samples)
    own = with_samples(full(), samples, a.seed)
    model = train.train(
        own,
        "cnn",
        patch_size=load_model(a.encoder).inputs.patch_size,
        seed=a.seed,
        epochs=a.epochs * longer,
        patience=PATIENCE * longer,
        random_split=False,
        denoise=denoise,
        encoder=a.encoder if start else None,
        freeze=freeze,
    )
    return outcome(own, model)


def rows_of(
    a: argparse.Namespace, scene: int, full: Callable[[int, bool], Run]
) -> dict[tuple[Any, ...], Any]:
    """What makes the cells of a scene, by the values of KEYS."""
    plain = partial(full, scene, False)
    wrapped = partial(full, scene, True)
    made: dict[tuple[Any, ...], Any] = {}
    for name, of in (("16 bits", plain), ("8 bits", wrapped)):
        made[0, AS_IT_IS, "–", name] = lambda of=of: as_it_is(a.encoder, of())
    for samples in a.samples:
        for way in WAYS:
            made[samples, way, "none", "16 bits"] = partial(learn, a, plain, samples, way, "none")
            if samples in a.refine_at:
                key = samples, way, "refine", "16 bits"
                made[key] = partial(learn, a, plain, samples, way, "refine")
        if samples in a.refine_at:
            key = samples, "from nothing", "none", "8 bits"
            made[key] = partial(learn, a, wrapped, samples, "from nothing", "none")
    return made


def markdown(rows: list[dict[str, Any]]) -> str:
    """Accuracy by scene and their mean, a line for all rows of the same KEYS."""
    scenes = list(dict.fromkeys(row["scene"] for row in rows))
    lines = [[*KEYS, *scenes, "mean"], ["---"] * (len(KEYS) + len(scenes) + 1)]
    for key in sorted({tuple(row[name] for name in KEYS) for row in rows}, key=_order):
        found = {r["scene"]: r["accuracy"] for r in rows if tuple(r[n] for n in KEYS) == key}
        cells = [percent(found.get(scene)) for scene in scenes]
        mean = percent(float(np.mean(list(found.values())))) if len(found) == len(scenes) else "–"
        lines.append([f"{key[0]:,}", *key[1:], *cells, mean])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _order(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """By samples, then labels and pixels, then ways in the order of WAYS."""
    samples, network, labels, pixels = key
    return samples, labels, -int(pixels.split()[0]), [*WAYS, AS_IT_IS].index(network)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and print the table; OUT/SCENE/studies/transfer.json has its columns.

    A file a scene, whose rows are of that scene's files: other scenes leave them alone.
    """
    a = parser().parse_args(argv)
    with refusals(parser()):
        size = load_model(a.encoder).inputs.patch_size
        study = f"transfer-{size}x{size}-seed-{a.seed}-{a.drawn}"

        @cache
        def full(scene: int, wrapped: bool) -> Run:
            """A scene with all its samples."""
            base = kind_run(a.out, scene)
            return study_run(eight_bit(base) if wrapped else base, study, a.drawn, size, a.seed)

        settings = {
            "encoder": digest(load_model(a.encoder).file),
            **{name: getattr(a, name) for name in ("drawn", "epochs", "seed")},
        }
        tables = {}
        for scene in a.scenes:
            run = kind_run(a.out, scene)
            tables[scene] = Table(run.path / "studies" / "transfer.json", run, **settings)
        made = {scene: rows_of(a, scene, full) for scene in a.scenes}
        for key in next(iter(made.values())):
            for scene, table in tables.items():
                named = {"scene": kind_title(scene), **dict(zip(KEYS, key, strict=True))}
                table.add(named, made[scene][key])
    print(markdown([row for table in tables.values() for row in table.rows]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
