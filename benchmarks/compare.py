"""Results of now beside those that are stored: what became slower?

    python -m benchmarks.compare FILE    # what --record wrote; exits with 1 where one is slower

Ratios are judged, for machines differ, and only against results of the same command on the same
kind of machine. A ratio is SLOWER when its runs of now lie wholly below those of before and its
median is below 0.8 of that of before. Where only the median is that low it is "slower?": run it
again. Seconds, memory and the like are told and never judged.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import results
from benchmarks.records import Ratio, Result, Row, number

#: Share of a ratio's former median below which it counts as lost. Medians of three runs on a
#: machine with other work differ by less between two runs of the same code in most cases.
LOST = 0.8


@dataclass(frozen=True)
class Line:
    """One number before and now, and what is said of the two."""

    command: str
    what: str
    before: str
    now: str
    verdict: str


def verdict(before: Ratio, now: Ratio) -> str:
    """What is said of a ratio.

    >>> before = Ratio(8.0, 7.0, 9.0, 3, "scikit-image")
    >>> verdict(before, Ratio(5.0, 4.0, 6.0, 3, "scikit-image"))
    'SLOWER'
    >>> verdict(before, Ratio(5.0, 4.0, 7.5, 3, "scikit-image"))
    'slower?'
    >>> verdict(before, Ratio(12.0, 11.0, 13.0, 3, "scikit-image"))
    'faster'
    >>> verdict(before, Ratio(6.8, 6.5, 6.9, 3, "scikit-image"))
    'same'
    """
    old, new = _gain(before), _gain(now)
    if new[1] < LOST * old[1]:
        return "SLOWER" if new[2] < old[0] else "slower?"
    return "faster" if new[1] * LOST > old[1] and new[0] > old[2] else "same"


def compare(before: Iterable[Result], now: Iterable[Result]) -> Iterator[Line]:
    """Every number of now beside that of before, and what was measured before alone."""
    stored = {(each.command, each.kind): each for each in before}
    for result in now:
        old = stored.get((result.command, result.kind))
        if old is None:
            yield Line(result.command, "all", "not stored for this machine", "", "new")
        else:
            yield from _lines(old, result)


def _lines(before: Result, now: Result) -> Iterator[Line]:
    old, new = _ratios(before), _ratios(now)
    for name, ratio in new.items():
        said = verdict(old[name], ratio) if name in old else "new"
        yield Line(now.command, name, old[name].cell if name in old else "", ratio.cell, said)
    for name in old.keys() - new.keys():
        yield Line(now.command, name, old[name].cell, "", "not measured")
    held = {row.what: row for row in before.rows}
    for row in now.rows:
        former = held.get(row.what, Row(row.what))
        pairs = (former.value, row.value, row.unit), (former.memory_mib, row.memory_mib, "MiB")
        for then, after, unit in pairs:
            if then is not None and after is not None:
                old_text, new_text = (f"{number(each)} {unit}" for each in (then, after))
                yield Line(now.command, row.what, old_text, new_text, "told")


def _ratios(result: Result) -> dict[str, Ratio]:
    """Ratios by their row and alternative."""
    return {
        f"{row.what}: {ratio.unit} {ratio.against}": ratio
        for row in result.rows
        for ratio in row.ratios
    }


def _gain(ratio: Ratio) -> tuple[float, float, float]:
    """Low, median and high so that more is better."""
    if not ratio.less_is_better:
        return ratio.low, ratio.median, ratio.high
    return 1 / ratio.high, 1 / ratio.median, 1 / ratio.low


def table(lines: list[Line]) -> str:
    """The lines in columns, those of a command under its name; losses are marked at their head."""
    wide = [max(len(getattr(each, name)) for each in lines) for name in ("what", "before", "now")]
    shown, command = [], ""
    for each in lines:
        if each.command != command:
            command = each.command
            shown.append(command)
        mark = "!!" if each.verdict == "SLOWER" else "  "
        cells = (each.what.ljust(wide[0]), each.before.rjust(wide[1]), each.now.rjust(wide[2]))
        shown.append(f"{mark} {'  '.join(cells)}  {each.verdict}")
    return "\n".join(shown)


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 where something became slower."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("now", type=Path, metavar="FILE", help="what --record wrote")
    parser.add_argument("--stored", type=Path, default=results.RESULTS)
    a = parser.parse_args(argv)
    with results.plain_errors():
        now = results.measured(a.now)
        lines = list(compare(results.read(a.stored), now))
    print(table([Line("", "", "before", "now", "verdict"), *lines]))
    lost = [each for each in lines if each.verdict == "SLOWER"]
    judged = sum(each.verdict not in ("told", "new", "not measured") for each in lines)
    print(f"{len(lost)} of {judged} ratios that were compared are slower")
    # The benchmark just before may fill every core itself
    if any((each.load or 0) > float(str(each.machine["cores"])) for each in now):
        print("other programs ran beside it; measure what is slower again when none do")
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
