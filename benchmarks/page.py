"""docs/performance.md, from the file of results and a template with the words.

    python -m benchmarks.page

The template is benchmarks/performance.jinja. It asks for the tables of commands; results that it
does not ask for stand at the end of the page, so that none is stored and never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from benchmarks import results
from benchmarks.records import Ratio, Result, Row, number
from landcover.files.atomic import write_text

TEMPLATE = Path(__file__).with_name("performance.jinja")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


class Tables:
    """Tables of stored results, in Markdown; it remembers which commands were shown."""

    def __init__(self, stored: Sequence[Result]) -> None:
        self.stored = stored
        self.shown: set[str] = set()

    def table(
        self, command: str, only: str = "", beside: Mapping[str, Mapping[str, str]] | None = None
    ) -> str:
        """A line a row, those with nothing in common in tables of their own, and their source.

        Parameters
        ----------
        command : str
            Whose last result is shown.
        only : str
            How names of rows begin that are shown.
        beside : mapping
            Further columns by the name of a row; KeyError where there is no such row.
        """
        result = self._latest(command)
        rows = [row for row in result.rows if row.what.startswith(only)]
        if unknown := set(beside or {}) - {row.what for row in rows}:
            raise KeyError(f"{command} has no rows {sorted(unknown)}; {TEMPLATE.name} names them")
        parts = [_plain(group, beside or {}) for group in _groups(rows)]
        return "\n\n".join([*parts, source(result)])

    def across(self, command: str, only: str, of: str = "ratio", growth: bool = False) -> str:
        """A column for what stands after the last comma of the rows' names.

        Parameters
        ----------
        command, only : str
            As of `table`.
        of : str
            What cells hold: "ratio", "value" or "memory".
        growth : bool
            Whether the last column says how the last number compares with the first.
        """
        result = self._latest(command)
        named = [row for row in result.rows if row.what.startswith(only)]
        held = [row for row in named if _has(row, of)]
        cells = {tuple(row.what.rsplit(", ", 1)): row for row in held}
        columns = list(dict.fromkeys(column for _, column in cells))
        gib = _in_gib(held)
        lines = [["", *columns, *(["last / first"] if growth else [])]]
        for name in dict.fromkeys(name for name, _ in cells):
            rows = [cells.get((name, column)) for column in columns]
            line = [name, *(_cell(row, of, gib) if row else "" for row in rows)]
            if growth:
                numbers = [row.value for row in rows if row and row.value]
                whole = len(numbers) == len(columns)
                line.append(f"{numbers[-1] / numbers[0]:.2f}" if whole else "")
            lines.append(line)
        return markdown(lines)

    def where(self, command: str) -> str:
        """The source of a command's result; `across` leaves it out, for tables that share one."""
        return source(self._latest(command))

    def rest(self) -> str:
        """The tables of all results that were not shown."""
        commands = sorted({each.command for each in self.stored} - self.shown)
        return "\n\n".join(self.table(command) for command in commands)

    def _latest(self, command: str) -> Result:
        found = results.latest(self.stored, command)
        if found is None:
            raise KeyError(f"{TEMPLATE.name} asks for {command!r}, of which no result is stored")
        self.shown.add(command)
        return found


def page(path: Path = results.RESULTS) -> str:
    """The whole page."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.from_string(TEMPLATE.read_text("utf-8"))
    tables = Tables(results.read(path))
    return template.render(
        stored=[each.command for each in tables.stored],
        table=tables.table,
        across=tables.across,
        where=tables.where,
        rest=tables.rest,
    )


def source(result: Result) -> str:
    """Where and when a result was measured, in a line."""
    machine = result.machine
    where = [f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB"]
    where += [str(gpu) for gpu in machine.get("gpus", [])]  # type: ignore[attr-defined]
    parts = [f"`{result.command}`: {result.date}", ", ".join(where)]
    if result.commit:
        parts.append(f"commit {result.commit}{' and changes' if result.changed else ''}")
    if result.load is not None:
        parts.append(f"load average {result.load:g} before")
    if runs := sorted({ratio.runs for row in result.rows for ratio in row.ratios}):
        parts.append(f"ratios of {' or '.join(map(str, runs))} run{'s' if runs != [1] else ''}")
    parts += [", ".join(f"{name} {version}" for name, version in result.versions.items())]
    return "; ".join([*filter(None, parts), *filter(None, [result.note])]) + "."


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; columns but the first stand to the right."""
    rule = [":--", *["--:"] * (len(lines[0]) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def _plain(rows: Sequence[Row], beside: Mapping[str, Mapping[str, str]]) -> str:
    """A line a row, and a column for everything that any of them has."""
    units = list(dict.fromkeys(row.unit for row in rows if row.value is not None))
    against = list(dict.fromkeys(_head(ratio) for row in rows for ratio in row.ratios))
    memory, gib = any(_has(row, "memory") for row in rows), _in_gib(rows)
    more = list(dict.fromkeys(head for row in rows for head in row.more))
    added = list(dict.fromkeys(head for row in rows for head in beside.get(row.what, {})))
    lines = [["", *units, *against, *(["peak memory"] if memory else []), *more, *added]]
    for row in rows:
        line = [row.what]
        line += [_cell(row, "value") if row.unit == unit else "" for unit in units]
        held = {_head(ratio): ratio.cell for ratio in row.ratios}
        line += [held.get(head, "") for head in against]
        line += [_cell(row, "memory", gib)] if memory else []
        line += [number(row.more[head]) if head in row.more else "" for head in more]
        line += [beside.get(row.what, {}).get(head, "") for head in added]
        lines.append(line)
    return markdown(lines)


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that share a column together: a table of all would be mostly empty."""
    groups: list[tuple[set[str], list[Row]]] = []
    for row in rows:
        heads = {row.unit} if row.value is not None else set()
        heads |= {*map(_head, row.ratios), *row.more}
        heads |= {"peak memory"} if _has(row, "memory") else set()
        for columns, group in groups:
            if columns & heads:
                columns |= heads
                group.append(row)
                break
        else:
            groups.append((heads, [row]))
    return [group for _, group in groups]


def _has(row: Row, of: str) -> bool:
    return bool(row.ratios) if of == "ratio" else _number_of(row, of) is not None


def _cell(row: Row, of: str, gib: bool = False) -> str:
    """What a row has of a kind, memory in GiB or in MiB; empty where it has none."""
    if not _has(row, of):
        return ""
    if of == "ratio":
        return row.ratios[0].cell
    found = _number_of(row, of) or 0.0
    if of == "memory":
        return f"{found / 1024:.1f} GiB" if gib else f"{found:.0f} MiB"
    return number(found)


def _number_of(row: Row, of: str) -> float | None:
    return row.memory_mib if of == "memory" else row.value


def _in_gib(rows: Sequence[Row]) -> bool:
    """Whether a column of memory is told in GiB: where one of its cells reaches that."""
    return any((row.memory_mib or 0) >= 1024 for row in rows)


def _head(ratio: Ratio) -> str:
    return f"{ratio.unit} {ratio.against}"


def main() -> None:
    """Write the page."""
    write_text(PAGE, page())
    print(PAGE)


if __name__ == "__main__":
    main()
