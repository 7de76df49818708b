"""What the stages of a job took, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from landcover.stopwatch import describe

ACTIVITIES = ("reading", "computing", "writing")


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


def markdown(machine: Mapping[str, Any], sizes: Mapping[int, Sequence[Measured]]) -> str:
    """The tables of every size, and how the cost of a pixel grows with the scene.

    Parameters
    ----------
    machine : mapping
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
