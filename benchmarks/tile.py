"""What `landcover bench tile` wrote, as results: every stage, and how its cost grows."""

from __future__ import annotations

import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.records import Cell, Result, Row
from benchmarks.report import commit as present_commit
from benchmarks.results import TILE, WHOLE
from landcover.commands.bench import ACTIVITIES, TILE_PX
from landcover.errors import LandcoverError
from landcover.files.atomic import read_json


def tile_results(path: Path, commit: str | None = None) -> list[Result]:
    """Results of a bench.json: stages of the largest scene, and the growth where it has several.

    Parameters
    ----------
    path : path
        bench.json. The day is that on which it was written.
    commit : str, optional
        Of the code that ran; the present one by default.

    Raises
    ------
    LandcoverError
        If the file is not one that `landcover bench tile` writes.
    """
    bench = read_json(path)
    day = datetime.date.fromtimestamp(path.stat().st_mtime).isoformat()
    code, changed = (commit, False) if commit else present_commit()

    def result(command: str, rows: list[Row]) -> Result:
        where, versions = bench["machine"], bench["versions"]
        return Result(command, day, where, code, changed, versions, None, "", tuple(rows))

    try:
        sizes = {int(side): stages for side, stages in bench["sizes"].items()}
        sides = sorted(sizes)
        stages = [_row(stage) for stage in sizes[sides[-1]]]
        found = [result(_command(sides[-1:]), [*stages, _whole(stages)])]
        if len(sides) > 1:
            growth = [
                _cost(stage, side)
                for side in sides
                for stage in sizes[side]
                if stage["stage"]["by_pixels"]
            ]
            found.append(result(_command(sides), growth))
        return found
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise LandcoverError(
            f"{path} is not what {TILE} writes ({error!r:.60}); give its bench.json"
        ) from None


def _command(sides: list[int]) -> str:
    """The command that measures scenes of some sides in pixels."""
    if len(sides) == 1:
        return TILE if sides[0] == TILE_PX else f"{TILE} --size {sides[0]}"
    shares = [(Fraction(side, TILE_PX) ** 2).limit_denominator(1000) for side in sides]
    return f"{TILE} --share {' '.join(map(str, shares))}"


def _row(stage: dict[str, Any]) -> Row:
    """A stage of one size."""
    more: dict[str, Cell] = {
        f"{name}, %": round(100 * stage["shares"][name], 1) for name in ACTIVITIES
    }
    limits = ((stage["stage"]["most_s"], "s"), (stage["stage"]["most_gib"], "GiB"))
    if stage["met"] is not None:
        more["at most"] = ", ".join(f"{most:g} {unit}" for most, unit in limits if most is not None)
        more["kept"] = bool(stage["met"])
    memory = 1024 * float(stage["gib"])
    return Row(stage["stage"]["name"], float(stage["seconds"]), "s", memory_mib=memory, more=more)


def _whole(stages: list[Row]) -> Row:
    """All stages one after the other."""
    seconds = [stage.value or 0 for stage in stages]
    shares = {
        name: sum(s * float(stage.more[name]) for s, stage in zip(seconds, stages, strict=True))
        for name in (f"{activity}, %" for activity in ACTIVITIES)
    }
    more = {name: round(share / sum(seconds), 1) for name, share in shares.items()}
    memory = max(stage.memory_mib or 0 for stage in stages)
    return Row(WHOLE, sum(seconds), "s", memory_mib=memory, more=more)


def _cost(stage: dict[str, Any], side: int) -> Row:
    """Seconds of a million pixels of a stage, of one of several sizes."""
    what = f"{stage['stage']['name']}, {side**2 / 1e6:.1f} million"
    memory = 1024 * float(stage["gib"])
    return Row(what, stage["seconds"] / side**2 * 1e6, "s a million pixels", memory_mib=memory)
