"""What a tile costs on a worker of `landcover map --products --scheduler`: seconds, memory, bytes.

    python -m benchmarks.tile_cost --run RUN --folder DIR          # a whole tile
    python -m benchmarks.tile_cost --run RUN --folder DIR --size 2196

RUN holds the models, such as data/bench/run-10980 of `landcover bench tile`. The product is that of
benchmarks.prepare_product, made in DIR and used again; of it the four bands of 10 m are read. Each
stage is a process of its own, whose start is not counted, since workers keep running; cpu_s is the
time of all cores. Of what --write wrote, benchmarks.schedule --costs makes its tables.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import in_process, peak_mib
from benchmarks.prepare_product import GRANULE, NAME, make_product

MODELS = ("random-forest", "cnn-7x7")


def main() -> None:
    """Make the product, prepare and map it, print and perhaps keep what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="a run folder with the models")
    parser.add_argument("--folder", type=Path, required=True, help="for product and maps")
    parser.add_argument("--size", type=int, default=10_980, help="side in 10 m pixels")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the numbers in a file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        print(json.dumps(_stage(a.child, a.run, a.folder)))
        return
    make_product(a.folder, a.size)
    given = ("--run", str(a.run), "--folder", str(a.folder))
    stages = {
        stage: json.loads(in_process("benchmarks.tile_cost", *given, "--child", stage)[-1])
        for stage in ("prepare", *(f"map, {model}" for model in a.models))
    }
    text = json.dumps(_costs(stages, a.folder, a.size, a.models[0]), indent=1)
    print(text)
    if a.write:
        a.write.write_text(f"{text}\n", "utf-8")


def _stage(stage: str, home: Path, folder: Path) -> dict[str, float]:
    """What a worker does with a product in a stage: seconds and GiB at most."""
    from landcover.run import Run
    from landcover.sources.sentinel2 import open_sentinel2
    from landcover.stages.map import map_scene
    from landcover.stages.prepare import prepare

    run, (name, _, model) = Run(folder / "run"), stage.partition(", ")
    started = time.perf_counter()
    if name == "prepare":
        prepare(run, [open_sentinel2(folder / NAME, "core")])
    else:
        map_scene(run, home / "models" / model)
    seconds = time.perf_counter() - started
    cpu_s, gib = time.process_time(), peak_mib() / 1024
    return {"seconds": round(seconds, 1), "cpu_s": round(cpu_s, 1), "gib": round(gib, 2)}


def _costs(stages: object, folder: Path, size: int, model: str) -> dict[str, object]:
    """The numbers of benchmarks.schedule; sizes of files in millions of bytes."""
    from landcover.files.machine import machine
    from landcover.run import Run

    run, about = Run(folder / "run"), machine()
    bounded = run.applicability(model).exists()
    images = (folder / NAME / GRANULE / "R10m").glob("*.jp2")
    return {
        "command": f"python -m benchmarks.tile_cost --run RUN --folder DIR --size {size}",
        "machine": about,
        "stages": stages,
        "megabytes": {
            "product": _megabytes(images),
            "scene": _megabytes([run.scene]),
            "map": _megabytes([run.map(model)]),
            "confidence": _megabytes([run.confidence(model)]),
            "applicability": _megabytes([run.applicability(model)] if bounded else []),
            # of the windows while it is mapped: class, confidence and dissimilarity of a pixel
            "parts": round(size**2 * (5 if bounded else 3) / 1e6, 1),
        },
    }


def _megabytes(paths: Iterable[Path]) -> float:
    return round(sum(path.stat().st_size for path in paths) / 1e6, 1)


if __name__ == "__main__":
    main()
