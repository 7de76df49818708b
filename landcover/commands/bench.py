"""The whole job on a tile, stage by stage: time, memory, and where the time goes.

Every stage is the real command in a process of its own. Its time is taken from outside, so
it holds the start of Python and of libraries; shares and peak memory are those that the
command itself keeps in the manifest. Models learn as they do by default; what is estimated of
doubtful labels first, once for all of them, is a stage of its own, so that training is measured
alone.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from landcover.commands.processes import run_alone
from landcover.files.atomic import versions, write_json, write_text
from landcover.files.machine import Machine, machine
from landcover.run import Run
from landcover.sources.synthetic.files import Sources, write_mosaic
from landcover.stopwatch import describe

ACTIVITIES = ("reading", "computing", "writing")

#: Side of a Sentinel-2 tile at 10 m.
TILE_PX = 10_980
#: Samples of the stage that drawing is judged by; more than training needs.
MANY_SAMPLES = 400_000


def bench_tile(
    folder: Path,
    sizes: Sequence[int] = (TILE_PX,),
    samples: int = 40_000,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _line: None,
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
        sources = write_mosaic(folder / f"sources-{size}", size, seed)
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
    run_alone(stage.command, quiet=True)
    seconds = time.perf_counter() - started
    took = run.read_manifest()["commands"][-1]
    inside = took["seconds"] / seconds
    reading, writing = (inside * took["shares"][name] for name in ("reading", "writing"))
    shares = {"reading": reading, "computing": 1 - reading - writing, "writing": writing}
    return Measured(stage, seconds, took["peak_memory_mib"] / 1024, shares, whole_tile)


def write(folder: Path, measured: dict[int, list[Measured]]) -> list[Path]:
    """bench.md with the tables, bench.json with every number."""
    paths = [folder / "bench.md", folder / "bench.json"]
    about = machine()
    write_text(paths[0], markdown(about, measured))
    sizes = {
        str(size): [asdict(stage) | {"met": stage.met} for stage in stages]
        for size, stages in measured.items()
    }
    write_json(paths[1], {"machine": about, "versions": versions(), "sizes": sizes})
    return paths


@dataclass(frozen=True)
class Stage:
    """One command of the job.

    Attributes
    ----------
    name : str
        In words.
    command : tuple of str
        Arguments of ``landcover``.
    by_pixels : bool
        Whether its cost grows with the scene; that of training grows with the samples.
    most_s, most_gib : float, optional
        What it may take on a whole tile.
    """

    name: str
    command: tuple[str, ...]
    by_pixels: bool = True
    most_s: float | None = None
    most_gib: float | None = None


@dataclass(frozen=True)
class Measured:
    """What a stage took.

    Attributes
    ----------
    stage : Stage
        The command.
    seconds : float
        Wall time of its process.
    gib : float
        Its peak resident size.
    shares : dict
        Shares of the time: reading, computing, writing.
    judged : bool
        Whether the limits apply: they are those of a whole tile.
    """

    stage: Stage
    seconds: float
    gib: float
    shares: dict[str, float]
    judged: bool

    @property
    def met(self) -> bool | None:
        """Whether the limits were kept; None where there are none."""
        limits = [(self.seconds, self.stage.most_s), (self.gib, self.stage.most_gib)]
        kept = [value <= most for value, most in limits if most is not None]
        return all(kept) if kept and self.judged else None


def plain_line(measured: Measured) -> str:
    """A stage on one line.

    >>> stage = Stage("segment", ("segment", "run"), most_s=240, most_gib=8)
    >>> shares = {"reading": 0.25, "computing": 0.5, "writing": 0.25}
    >>> plain_line(Measured(stage, 100.0, 9.0, shares, judged=True)).split("; ")[-1]
    'at most 240 s, 8 GiB: not met'
    """
    took = f"{_seconds(measured.seconds)}, {measured.gib:.1f} GiB; {describe(measured.shares)}"
    verdict = "" if measured.met is None else f"; at most {_limits(measured)}: {_word(measured)}"
    return f"{measured.stage.name}: {took}{verdict}"


def markdown(machine: Machine, sizes: Mapping[int, Sequence[Measured]]) -> str:
    """The tables of every size, and how the cost of a pixel grows with the scene.

    Parameters
    ----------
    machine : dict
        processor, cores, memory_gib.
    sizes : mapping
        Side of the scene in pixels, to its stages in the order of the job.
    """
    parts = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB of memory."
    ]
    for size in sorted(sizes, reverse=True):
        parts.append(f"{size} x {size} pixels ({size**2 / 1e6:.1f} million), four bands:")
        parts.append(_stages_table(sizes[size]))
    if len(sizes) > 1:
        parts.append("Seconds per million pixels, start of Python and of libraries included:")
        parts.append(_growth_table(sizes))
    return "\n\n".join(parts) + "\n"


def _stages_table(stages: Sequence[Measured]) -> str:
    """A row a stage, and the whole job."""
    judged = any(measured.met is not None for measured in stages)
    rows = [
        ["stage", "time", "peak memory", *ACTIVITIES, *(["at most", ""] if judged else [])],
        [":--", "--:", "--:", *(["--:"] * 3), *(["--:", ":--"] if judged else [])],
    ]
    for measured in stages:
        row = [measured.stage.name, *_cells(measured.seconds, measured.gib, measured.shares)]
        limits = ["", ""] if measured.met is None else [_limits(measured), _word(measured)]
        rows.append(row + (limits if judged else []))
    seconds = sum(measured.seconds for measured in stages)
    shares = {
        activity: sum(m.seconds * m.shares[activity] for m in stages) / seconds
        for activity in ACTIVITIES
    }
    whole = ["whole job", *_cells(seconds, max(m.gib for m in stages), shares)]
    return _table([*rows, whole + (["", ""] if judged else [])])


def _growth_table(sizes: Mapping[int, Sequence[Measured]]) -> str:
    """Seconds per million pixels of the stages that go over all pixels, a column a size."""
    sides = sorted(sizes)
    heads = [f"{side**2 / 1e6:.1f} million" for side in sides]
    rows = [["stage", *heads, "last / first"], [":--", *["--:"] * (len(sides) + 1)]]
    for position, first in enumerate(sizes[sides[0]]):
        if first.stage.by_pixels:
            costs = [sizes[side][position].seconds / side**2 * 1e6 for side in sides]
            rows.append([first.stage.name, *map(_digits, costs), f"{costs[-1] / costs[0]:.2f}"])
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(seconds: float, gib: float, shares: Mapping[str, float]) -> list[str]:
    percent = [f"{100 * shares[activity]:.0f} %" for activity in ACTIVITIES]
    return [_seconds(seconds), f"{gib:.1f} GiB", *percent]


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _digits(cost: float) -> str:
    return f"{cost:.2f}"


def _limits(measured: Measured) -> str:
    stage = measured.stage
    limits = [(stage.most_s, "s"), (stage.most_gib, "GiB")]
    return ", ".join(f"{most:g} {unit}" for most, unit in limits if most is not None)


def _word(measured: Measured) -> str:
    return "met" if measured.met else "not met"
