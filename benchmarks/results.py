"""The file of results: the latest of each command on each kind of machine.

    python -m benchmarks.results --keep FILE                       # take in results of another file
    python -m benchmarks.results --tile data/bench/bench.json      # those of landcover bench tile

benchmarks/results.json is committed; `python -m benchmarks.page` writes docs/performance.md of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from benchmarks.records import Ratio, Result, Row
from landcover.errors import LandcoverError
from landcover.files.atomic import read_json, write_text

RESULTS = Path(__file__).with_name("results.json")
#: The command that measures every stage of the job on a whole tile.
TILE = "landcover bench tile"
#: The row of all its stages together.
WHOLE = "whole job"


@contextmanager
def plain_errors() -> Iterator[None]:
    """End with one line and exit code 2 where input cannot be used."""
    try:
        yield
    except LandcoverError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def read(path: Path = RESULTS) -> list[Result]:
    """The results of a file; none where there is no file.

    Raises
    ------
    LandcoverError
        If it holds something else.
    """
    if not path.exists():
        return []
    try:
        return [_result(each) for each in read_json(path)["results"]]
    except (KeyError, TypeError, ValueError) as error:
        raise LandcoverError(
            f"{path} holds no results of benchmarks ({error!s:.80}); "
            "remove it, or restore it from git"
        ) from None


def measured(path: Path) -> list[Result]:
    """The results of a file that has to be there.

    Raises
    ------
    LandcoverError
        If there are none.
    """
    if found := read(path):
        return found
    raise LandcoverError(f"{path} holds no results; run make bench, or a benchmark with --record")


def keep(path: Path, new: Iterable[Result]) -> None:
    """Put results into a file, in place of those of the same command and kind of machine.

    Raises
    ------
    LandcoverError
        If a row has no name of its own, or the file cannot be read or written.
    """
    held = {(each.command, each.kind): each for each in read(path)}
    for result in new:
        _check(result)
        held[result.command, result.kind] = result
    write_text(path, _text(sorted(held.values(), key=lambda r: (r.command, str(r.kind)))))


def latest(results: Iterable[Result], command: str) -> Result | None:
    """The last result of a command on any machine."""
    found = [each for each in results if each.command == command]
    return max(found, key=lambda each: each.date, default=None)


def tile_stages(path: Path = RESULTS) -> dict[str, Row]:
    """The stages of the last whole tile by name: seconds are `value`, memory `memory_mib`.

    Raises
    ------
    LandcoverError
        If none is stored.
    """
    found = latest(read(path), TILE)
    if found is None:
        raise LandcoverError(
            f"{path} holds no whole tile; run {TILE}, and python -m benchmarks.results --tile"
        )
    return {row.what: row for row in found.rows if row.what != WHOLE}


def _check(result: Result) -> None:
    """Rows are found by name, so names have to differ, and each has to say something."""
    seen = set()
    for row in result.rows:
        if row.what in seen:
            raise LandcoverError(f"{result.command}: two rows are named {row.what!r}; rename one")
        if row == Row(row.what):
            raise LandcoverError(f"{result.command}: row {row.what!r} holds no number; give it one")
        seen.add(row.what)
    if not seen:
        raise LandcoverError(f"{result.command} gave no rows; a benchmark has to yield some")


def _result(stored: dict[str, Any]) -> Result:
    rows = []
    for row in stored["rows"]:
        ratios = tuple(Ratio(**each) for each in row.get("ratios", ()))
        rows.append(Row(**{**row, "ratios": ratios}))
    result = Result(**{**stored, "rows": tuple(rows)})
    _check(result)
    return result


def _text(results: Iterable[Result]) -> str:
    """JSON with a row a line, so that a difference is read easily."""
    return '{"results": [\n' + ",\n".join(map(_lines, results)) + "\n]}\n"


def _lines(result: Result) -> str:
    names = [each.name for each in fields(result) if each.name != "rows"]
    head = [f" {json.dumps(name)}: {_json(getattr(result, name))}" for name in names]
    rows = ",\n".join(f"  {_json(_short(row))}" for row in result.rows)
    return "{\n" + ",\n".join(head) + f',\n "rows": [\n{rows}\n ]\n}}'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(row: Row) -> dict[str, Any]:
    """A row without what is empty, numbers with five digits."""
    given = asdict(row)
    for ratio in given["ratios"]:
        for name in ("median", "low", "high"):
            ratio[name] = _rounded(ratio[name])
    given |= {"value": _rounded(row.value), "memory_mib": _rounded(row.memory_mib)}
    given["more"] = {head: _rounded(cell) for head, cell in row.more.items()}
    return {name: value for name, value in given.items() if value not in (None, "", (), [], {})}


def _rounded(value: Any) -> Any:  # noqa: ANN401  # a cell of any kind
    if not isinstance(value, float):
        return value
    short = float(f"{value:.5g}")
    return int(short) if abs(short) >= 1e4 else short


def main() -> None:
    """Take in results of another file."""
    from benchmarks.tile import tile_results

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--into", type=Path, default=RESULTS, help="default: the committed file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--keep", type=Path, metavar="FILE", help="results that --record wrote")
    source.add_argument("--tile", type=Path, metavar="FILE", help="what landcover bench tile wrote")
    parser.add_argument("--commit", help="of the code that measured the tile; default: the present")
    a = parser.parse_args()
    with plain_errors():
        new = measured(a.keep) if a.keep else tile_results(a.tile, a.commit)
        keep(a.into, new)
    print("\n".join(each.command for each in new))


if __name__ == "__main__":
    main()
