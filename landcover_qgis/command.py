# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.

"""What a row of the table is, and how values become the arguments of a command.

Nothing here needs QGIS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

#: Kinds of parameters, and what their values are:
#: run (a run folder that exists), new_run and new_file (where to write), raster, vector (a path),
#: rasters (paths), folder and file (paths), field, text and choice (str), words (str, apart by
#: spaces), whole and number, extent (west, south, east, north), on (a switch), off (a switch that
#: is on unless told otherwise, whose flag says no).
KINDS = (
    "run", "new_run", "new_file", "raster", "vector", "rasters", "folder", "file", "field",
    "text", "choice", "words", "whole", "number", "extent", "on", "off",
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """Something that an algorithm asks for.

    Attributes
    ----------
    name : str
        As scripts and models of QGIS call it.
    kind : str
        Of `KINDS`.
    label : str
        What the dialog shows.
    flag : str
        The option of the command; empty for what it takes by its place.
    help : str
        What it is for.
    default : object
        What the dialog shows first; None where the command decides.
    optional : bool
        Whether it may be left empty.
    choices : tuple of str
        The values of a choice.
    of : str
        The vector parameter that a field is of.
    least : float
        The smallest number.
    not_with : mapping of str to tuple of str
        Values of other parameters with which the command does not take it.
    basic : bool
        Whether the dialog shows it at once, not among advanced parameters.
    """

    name: str
    kind: str
    label: str
    flag: str = ""
    help: str = ""
    default: Any = None
    optional: bool = True
    choices: tuple[str, ...] = ()
    of: str = ""
    least: float = 0
    not_with: tuple[tuple[str, tuple[str, ...]], ...] = ()
    basic: bool = True


@dataclass(frozen=True)
class Row:
    """An algorithm.

    Attributes
    ----------
    command : str
        The command that it calls, and its own name.
    title : str
        What the toolbox shows.
    summary : str
        What it does.
    parameters : tuple of Parameter
        In the order of the dialog.
    """

    command: str
    title: str
    summary: str
    parameters: tuple[Parameter, ...]


def arguments_of(row: Row, values: Mapping[str, Any]) -> list[str]:
    """The arguments of the `landcover` program.

    Parameters
    ----------
    row : Row
        Which algorithm.
    values : mapping of str to object
        What parameters were given, by name; None and "" are nothing.
    """
    placed, options = [], []
    for parameter in row.parameters:
        value = values.get(parameter.name)
        words = _words(parameter, value)
        if words is None or _is_barred(parameter, values):
            continue
        if parameter.flag:
            options += [parameter.flag, *words]
        else:
            placed += words
    return [row.command, *placed, *options]


def _words(parameter: Parameter, value: Any) -> list[str] | None:  # noqa: ANN401
    """A value as a command takes it after its flag; None where nothing was given."""
    if parameter.kind in ("on", "off"):
        return [] if value is (parameter.kind == "on") else None
    if value is None or value == "" or value == []:
        return None
    if parameter.kind == "rasters":
        return [str(path) for path in value]
    if parameter.kind == "words":
        return str(value).split() or None
    if parameter.kind == "extent":
        return [f"{float(edge):.8f}" for edge in value]
    if parameter.kind == "whole":
        return [str(int(value))]
    return [str(value)]


def _is_barred(parameter: Parameter, values: Mapping[str, Any]) -> bool:
    return any(values.get(name) in barred for name, barred in parameter.not_with)
