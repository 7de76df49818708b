"""The whole job on a tile, stage by stage: time, memory, and where the time goes.

Every stage is the real command in a process of its own. Its time is taken from outside, so
it holds the start of Python and of libraries; shares and peak memory are those that the
command itself keeps in the manifest. Models learn as they do by default; what is estimated of
doubtful labels first, once for all of them, is a stage of its own, so that training is measured
alone.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from landcover.commands.bench_tables import Measured, Stage, markdown, plain_line
from landcover.errors import LandcoverError
from landcover.run import Run, replace_when_whole, versions, write_json
from landcover.sources.synthetic.files import Sources, mosaic_sources

#: Side of a Sentinel-2 tile at 10 m.
TILE_PX = 10_980
#: Samples of the stage that drawing is judged by; more than training needs.
MANY_SAMPLES = 400_000


def bench_tile(
    folder: Path,
    sizes: Sequence[int] = (TILE_PX,),
    samples: int = 40_000,
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Make a scene, take it through every stage, and write down what each took.

    Parameters
    ----------
    folder : path
        Holds the sources, made once, a run folder a size, and the tables.
    sizes : sequence of int
        Sides of the scenes in pixels; several show how cost grows.
    samples : int
        Samples to train with.
    seed : int
        Of the land and of every stage.
    tell : function of a line
        Told of every stage as soon as it is measured.

    Returns
    -------
    list of Path
        bench.md with the tables, bench.json with every number.

    Raises
    ------
    LandcoverError
        If a scene cannot be made or a stage fails.
    """
    measured: dict[int, list[Measured]] = {}
    for size in sorted(set(sizes)):
        sources = mosaic_sources(folder / f"sources-{size}", size, seed)
        run = Run(folder / f"run-{size}")
        shutil.rmtree(run.path, ignore_errors=True)
        tell(f"{size} x {size} pixels")
        measured[size] = []
        for stage in job(run, sources, samples, seed):
            measured[size].append(measure(run, stage, whole_tile=size >= TILE_PX))
            tell(plain_line(measured[size][-1]))
    return write(folder, measured)


def job(run: Run, sources: Sources, samples: int, seed: int) -> list[Stage]:
    """The commands, with what they may take on a whole tile."""
    bands = [str(path) for path in sources.bands]
    classes = ["--labels", str(sources.corine), "--reference", str(sources.truth)]
    path, seeded = str(run.path), ("--seed", str(seed))

    def sample(n: int) -> tuple[str, ...]:
        return ("sample", path, "--samples", str(n), *seeded)

    def map_with(model: str) -> tuple[str, ...]:
        return ("map", path, "--model", model, *seeded)

    return [
        Stage("prepare", ("prep", "--bands", *bands, *classes, "--out", path, *seeded)),
        Stage("segment", ("segment", path), most_s=240, most_gib=8),
        Stage(f"sample {MANY_SAMPLES:,}", sample(MANY_SAMPLES), most_s=60, most_gib=2),
        Stage(f"sample {samples:,}", sample(samples)),
        Stage("find doubtful labels", ("denoise", path, *seeded), most_gib=8),
        Stage("train forest", ("train", "random-forest", path, "--no-map", *seeded), False),
        Stage("train 7x7 CNN", ("train", "cnn", path, "--patch-size", "7", *seeded), False),
        Stage("map, forest", map_with("random-forest"), most_s=480),
        Stage("map, 7x7 CNN", map_with("cnn-7x7"), most_s=300, most_gib=3),
    ]


def measure(run: Run, stage: Stage, whole_tile: bool) -> Measured:
    """Run a stage in a process of its own; its progress shows, its products are not listed.

    Raises
    ------
    LandcoverError
        If it fails; its own line stands above.
    """
    started = time.perf_counter()
    command = [sys.executable, "-m", "landcover.cli", *stage.command]
    code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
    seconds = time.perf_counter() - started
    if code:
        why = (
            f"was ended by signal {-code}, most likely for want of memory"
            if code < 0
            else f"ended with exit code {code}, for the reason above"
        )
        raise LandcoverError(f"stage {stage.name!r} {why}: landcover {' '.join(stage.command)}")
    took = run.read_manifest()["commands"][-1]
    inside = took["seconds"] / seconds
    reading, writing = (inside * took["shares"][name] for name in ("reading", "writing"))
    shares = {"reading": reading, "computing": 1 - reading - writing, "writing": writing}
    return Measured(stage, seconds, took["peak_memory_mib"] / 1024, shares, whole_tile)


def write(folder: Path, measured: dict[int, list[Measured]]) -> list[Path]:
    """bench.md with the tables, bench.json with every number."""
    paths = [folder / "bench.md", folder / "bench.json"]
    about = machine()
    with replace_when_whole(paths[0]) as part:
        part.write_text(markdown(about, measured), "utf-8")
    sizes = {
        str(size): [asdict(stage) | {"met": stage.met} for stage in stages]
        for size, stages in measured.items()
    }
    write_json(paths[1], {"machine": about, "versions": versions(), "sizes": sizes})
    return paths


def machine() -> dict[str, Any]:
    """Processor, cores and memory in GiB: times mean little without."""
    name, memory = platform.processor() or platform.machine(), None
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
    if hasattr(os, "sysconf"):
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3)
    return {"processor": name, "cores": os.cpu_count(), "memory_gib": memory}
