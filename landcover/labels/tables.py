"""A legend as a table that somebody wrote: classes, colours and coarser levels, all checked.

The columns are those of docs/conventions.md: code, name and colour, perhaps value, and for coarser
levels parent_code and parent_name, or level1_code and level1_name, level2_code and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from landcover.errors import InputError
from landcover.files import class_tables, styles
from landcover.legend import HIGHEST_CODE, LandClass, lineages

#: Other headings that people give these columns.
_ALIASES = {
    "color": "colour",
    "hex": "colour",
    "parent_code": "level1_code",
    "parent": "level1_name",
    "parent_name": "level1_name",
    "parent_colour": "level1_colour",
    "parent_color": "level1_colour",
}
_COLOUR = re.compile("#?[0-9a-fA-F]{6}")

Row = tuple[str, dict[str, str]]


def read_classes(path: Path) -> tuple[list[tuple[LandClass, ...]], dict[int, int]]:
    """Every class of a table after its coarser ones, and the code of each raster value.

    Parameters
    ----------
    path : path
        A CSV, or the style of a paletted raster that QGIS saved (.qml), which has one level.

    Raises
    ------
    InputError
        If columns are missing, a code, value or colour is none, a name is empty, a code stands
        twice, or the coarser classes do not nest; the message names the line.
    """
    headings: dict[str, str] = {}
    if path.suffix.lower() == ".qml":
        rows = [(f"{path}, entry {n}", row) for n, row in enumerate(styles.palette(path), 1)]
        rows = [row for row in rows if row[1]["code"] != "0"]  # 0 is unlabelled
        if not rows:
            raise InputError(
                f"{path} holds no classes; style the raster as paletted / unique values"
            )
    else:
        read = list(class_tables.read_csv(path))
        rows = [(f"{path}, line {n}", _plain(row)) for n, row in read]
        headings = {_ALIASES.get(heading, heading): heading for _, row in read for heading in row}
    depth = _require_columns(path, rows)
    for where, row in rows:
        _require_class(where, row, "", headings)
        for level in range(1, depth + 1):
            _require_class(where, row, f"level{level}_", headings)
    found = lineages(_as_facts(row, depth) for _, row in rows)
    _require_single(path, [str(classes[-1].code) for classes in found], "code")
    _require_single(path, [row.get("value", "") for _, row in rows if "value" in row], "value")
    _require_nested(path, found)
    values = [int(row.get("value") or row["code"]) for _, row in rows]
    return found, dict(zip(values, (classes[-1].code for classes in found), strict=True))


def _plain(row: Mapping[str, str]) -> dict[str, str]:
    """A row under the headings that are used here."""
    plain = {_ALIASES.get(heading, heading): value for heading, value in row.items()}
    for heading in [heading for heading in plain if re.fullmatch(r"level\d+", heading)]:
        plain[f"{heading}_name"] = plain.pop(heading)
    return plain


def _as_facts(row: Mapping[str, str], depth: int) -> dict[str, str]:
    """A row as `lineages` takes it: without what it does not have."""
    held = {key: row[key] for key in ("code", "name", "colour")}
    for level in range(1, depth + 1):
        held[f"level{level}_code"] = row[f"level{level}_code"]
        held[f"level{level}"] = row[f"level{level}_name"]
        held[f"level{level}_colour"] = row.get(f"level{level}_colour", "")
    return held


def _require_columns(path: Path, rows: Sequence[Row]) -> int:
    """Refuse a table without its columns; the number of coarser levels."""
    if len(rows) < 2:
        raise InputError(f"{path} holds {len(rows)} class(es); a legend needs at least two")
    held = rows[0][1]
    numbers = sorted({int(n) for key in held for n in re.findall(r"^level(\d+)_", key)})
    wanted = ["code", "name", "colour"]
    for level in range(1, max(numbers, default=0) + 1):
        wanted += [f"level{level}_code", f"level{level}_name"]
    missing = [column for column in wanted if column not in held]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}; a table of classes has the columns code, "
            "name and colour, and for coarser levels parent_code and parent_name, or level1_code, "
            "level1_name, level2_code, ..."
        )
    return max(numbers, default=0)


def _require_class(
    where: str, row: Mapping[str, str], level: str, headings: Mapping[str, str]
) -> None:
    """Refuse a code, name or colour that is none, by the heading that the table has."""

    def said(key: str) -> str:
        return headings.get(key, key)

    for key in (f"{level}code", "value") if not level and "value" in row else (f"{level}code",):
        text = row[key]
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= HIGHEST_CODE:
            raise InputError(
                f"{where}: {said(key)} {text!r} is no whole number from 1 to {HIGHEST_CODE}; "
                "0 means unlabelled, and a class raster holds 16 bits"
            )
    if not row[f"{level}name"]:
        raise InputError(f"{where}: {said(f'{level}name')} is empty; name every class")
    colour = row.get(f"{level}colour", "")
    if (not level or colour) and not _COLOUR.fullmatch(colour):
        raise InputError(
            f"{where}: {said(f'{level}colour')} {colour!r} is no colour such as #e6004d"
        )


def _require_single(path: Path, values: Sequence[str], what: str) -> None:
    """Refuse a value that stands twice."""
    numbers = [int(value) for value in values]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise InputError(f"{path} has the {what} {twice} twice; give each class its own")


def _require_nested(path: Path, found: Iterable[Sequence[LandClass]]) -> None:
    """Refuse a coarser class that has two names or colours, or lies in two classes."""
    first: dict[tuple[int, int], Sequence[LandClass]] = {}
    for classes in found:
        for level, land_class in enumerate(classes[:-1], start=1):
            held = first.setdefault((level, land_class.code), classes)
            own, above = held[level - 1], held[: level - 1]
            if own.name != land_class.name:
                raise InputError(
                    f"{path}: class {own.code} of level {level} is {own.name!r} and "
                    f"{land_class.name!r}; give each code one name"
                )
            if [c.code for c in above] != [c.code for c in classes[: level - 1]]:
                raise InputError(
                    f"{path}: class {own.code} of level {level} lies in classes {above[-1].code} "
                    f"and {classes[level - 2].code} of level {level - 1}; levels must nest"
                )
