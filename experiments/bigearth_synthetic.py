"""A synthetic set of BigEarthNet's form, version 2: chips of many scenes and their CORINE labels.

python -m experiments.bigearth_synthetic FOLDER [--scenes 64] [--seed 0]
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study import refusals
from landcover.commands.options import COUNT, COUNT_OR_NONE
from landcover.errors import LandcoverError
from landcover.files import raster_writer
from landcover.grid import Window
from landcover.labels.bigearthnet import codes_of_corine, legend_of
from landcover.legend import UNLABELLED
from landcover.progress import track
from landcover.sensors import DEFAULT_QUANTIFICATION
from landcover.sources import synthetic
from landcover.sources.bigearthnet import CHIP_PX

#: Seeds of scenes begin here; those of studies, tests and the demo lie far below.
FIRST_SEED = 70_000
#: Chips down and across a scene; CORINE's classes need 3.5 km to be all there.
DOWN, ACROSS = 4, 6
#: Parts of every ten scenes. Chips of one scene stay together, as the official splits keep places.
PARTS = ("train",) * 7 + ("validation",) + ("test",) * 2
#: Least share of a chip that a label stands for: a little over one of CORINE's cells of 1 ha in
#: the 144 ha of a chip. Less is a strip of a cell that the chip's edge cuts off.
LEAST_SHARE = 0.01
#: What scenes differ in: the range of a setting, and whether it is drawn by its logarithm.
SETTINGS = {
    "field_px": (14.0, 70.0, True),
    "noise": (0.001, 0.02, True),
    "haze": (0.0, 0.25, False),
    "woods": (0.1, 0.55, False),
    "pastures": (0.05, 0.65, False),
    "heath": (0.0, 0.2, False),
    "settlement": (0.4, 2.6, False),
}
_WRITERS = 4


def parser() -> argparse.ArgumentParser:
    """What the set is made of."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("folder", type=Path, help="folder to make, as BigEarthNet is unpacked")
    made.add_argument(
        "--scenes", type=COUNT, default=64, help=f"of {DOWN * ACROSS} chips each (default 64)"
    )
    made.add_argument("--seed", type=COUNT_OR_NONE, default=0, help="another one, other scenes")
    return made


def scene_settings(seed: int, number: int) -> dict[str, Any]:
    """What a scene of the set looks like, drawn within `SETTINGS`."""
    rng = np.random.default_rng([FIRST_SEED, seed, number])
    found = {}
    for name, (low, high, by_logarithm) in SETTINGS.items():
        if by_logarithm:
            found[name] = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        else:
            found[name] = float(rng.uniform(low, high))
    return found


def labels_of(codes: np.ndarray) -> list[str]:
    """Names, of the 19, of the classes that cover at least `LEAST_SHARE` of a chip's CLC codes.

    >>> labels_of(np.array([[211, 211, 122, 512]]))
    ['Arable land', 'Inland waters']
    """
    known, legend = codes_of_corine("19"), legend_of("19")
    of_19 = np.array([known.get(int(code), UNLABELLED) for code in codes.ravel()])
    held = np.bincount(of_19, minlength=len(legend) + 1) >= LEAST_SHARE * codes.size
    return [land_class.name for land_class in legend.classes if held[land_class.code]]


def write_scene(root: Path, number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Write the chips of a scene; their rows of the metadata."""
    rows, cols = DOWN * CHIP_PX, ACROSS * CHIP_PX
    made_of = FIRST_SEED + 1000 * seed + number
    scene = synthetic.make_scene(rows, cols, made_of, **scene_settings(seed, number))
    dn = np.clip(np.rint(scene.image * DEFAULT_QUANTIFICATION), 0, 65_535).astype(np.uint16)
    labels = scene.labels()
    tile = f"SYN_MSIL2A_20180601T100000_N9999_R{number:03d}_T33UVU"
    for down, across in np.ndindex(DOWN, ACROSS):
        window = Window(down * CHIP_PX, across * CHIP_PX, CHIP_PX, CHIP_PX)
        place = window.slices
        name = f"{tile}_{across:02d}_{down:02d}"
        grid = scene.grid.crop(window)
        folder = root / "BigEarthNet-S2" / tile / name
        for band, pixels in zip(scene.bands, dn, strict=True):
            raster_writer.write(folder / f"{name}_{band}.tif", pixels[place], grid, [band])
        path = root / "Reference_Maps" / tile / name / f"{name}_reference_map.tif"
        raster_writer.write(path, labels[place], grid, ["class"], UNLABELLED)
        yield {
            "patch_id": name,
            "labels": labels_of(labels[place]),
            "split": PARTS[number % len(PARTS)],
            "country": "Synthetic",
            "contains_seasonal_snow": False,
            "contains_cloud_or_shadow": False,
        }


def write_set(root: Path, scenes: int, seed: int = 0) -> list[dict[str, Any]]:
    """Write ``metadata.parquet``, ``BigEarthNet-S2`` and ``Reference_Maps``; the metadata's rows.

    Raises
    ------
    LandcoverError
        If the folder exists; a set appears when it is whole.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if root.exists():
        raise LandcoverError(f"{root} exists; remove it, or choose another folder")
    if not len(PARTS) <= scenes <= 1000:
        raise LandcoverError(
            f"{scenes} scenes are out of range; choose {len(PARTS)}, so that every part has some, "
            "to 1000"
        )
    part = root.with_name(f".{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with ThreadPoolExecutor(_WRITERS) as pool:
            made = pool.map(lambda number: list(write_scene(part, number, seed)), range(scenes))
            rows = [row for scene in track(made, "making scenes", scenes) for row in scene]
        pq.write_table(pa.Table.from_pylist(rows), part / "metadata.parquet")
        os.replace(part, root)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Write the set, and print how many chips each part has."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        rows = write_set(a.folder, a.scenes, a.seed)
    for part in dict.fromkeys(PARTS):
        print(f"{sum(row['split'] == part for row in rows):>8} {part}")
    print(a.folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
