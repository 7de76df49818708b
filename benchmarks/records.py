"""What a benchmark finds: rows of numbers, ratios with their spread, and where it ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: What stands in a further column of a row.
Cell = float | int | bool | str


@dataclass(frozen=True)
class Ratio:
    """A number against a named alternative, run by run on the same machine.

    Attributes
    ----------
    median, low, high : float
        Of the runs; low and high are the least and the largest of them.
    runs : int
        How many there were.
    against : str
        The alternative, such as "scikit-image".
    unit : str
        Words between the number and the alternative.
    less_is_better : bool
        True where a larger ratio is a loss.
    """

    median: float
    low: float
    high: float
    runs: int
    against: str
    unit: str = "times as fast as"
    less_is_better: bool = False

    @property
    def cell(self) -> str:
        """The ratio in a table: median, and the spread where there were several runs.

        >>> Ratio(3.0, 2.0, 4.04, 3, "NumPy").cell, Ratio(61.4, 61.4, 61.4, 1, "NumPy").cell
        ('3.0 (2.0-4.0)', '61')
        """
        digits = 0 if self.median >= 20 else 1
        spread = f" ({self.low:.{digits}f}-{self.high:.{digits}f})" if self.runs > 1 else ""
        return f"{self.median:.{digits}f}{spread}"

    def __str__(self) -> str:
        head, _, spread = self.cell.partition(" ")
        runs = f" {spread[:-1]} in {self.runs} runs)" if spread else ""
        return f"{head} {self.unit} {self.against}{runs}"


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's table.

    Attributes
    ----------
    what : str
        What was measured, unlike that of every other row. Where a table has a column for
        each size or the like, that is the part after the last comma.
    value : float, optional
        The number itself, in `unit`.
    unit : str
        Such as "s" or "pixels/s".
    ratios : tuple of Ratio
        Against every alternative.
    memory_mib : float, optional
        Peak memory.
    more : mapping
        Further columns by their heads; a head ends with its unit.
    """

    what: str
    value: float | None = None
    unit: str = ""
    ratios: tuple[Ratio, ...] = ()
    memory_mib: float | None = None
    more: Mapping[str, Cell] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{number(self.value)} {self.unit}"] if self.value is not None else []
        parts += map(str, self.ratios)
        if self.memory_mib is not None:
            parts.append(f"memory {number(self.memory_mib)} MiB")
        parts += [f"{head} {number(cell)}" for head, cell in self.more.items()]
        return f"{self.what}: {'; '.join(parts)}"


@dataclass(frozen=True)
class Result:
    """The rows that a command printed, and what the numbers depend on.

    Attributes
    ----------
    command : str
        What was typed. A folder of one's own is FOLDER.
    date : str
        Day of the measurement, such as 2026-11-30.
    machine : mapping
        processor, cores, memory_gib, and gpus where there are any.
    commit : str
        Short hash of the code that ran; empty where it is not known.
    changed : bool
        Whether the code differed from that commit.
    versions : mapping
        Of the packages that the measuring process had loaded.
    load : float, optional
        Load average of the minute before; a benchmark that ran just before counts too.
    note : str
        What a reader has to know besides.
    rows : tuple of Row
        The numbers.
    """

    command: str
    date: str
    machine: Mapping[str, object]
    commit: str
    changed: bool
    versions: Mapping[str, str]
    load: float | None
    note: str
    rows: tuple[Row, ...]

    @property
    def kind(self) -> tuple[object, ...]:
        """What ratios depend on in a machine: processor, cores and GPUs."""
        gpus = self.machine.get("gpus", [])
        return (self.machine["processor"], self.machine["cores"], *(gpus if gpus else ()))  # type: ignore[misc]

    def row(self, what: str) -> Row:
        """The row of a name; KeyError where there is none."""
        return {row.what: row for row in self.rows}[what]


def number(value: Cell) -> str:
    """A number with three digits or all before its point, a text as it is.

    >>> [number(x) for x in (4220285.3, 95.82, 0.0007, 1e-6, 0.0, 400000, True, "chips")]
    ['4,220,285', '95.8', '0.0007', '1e-06', '0', '400,000', 'yes', 'chips']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
