"""Which scheme a label raster is of: decided by its values, and where several fit by its file.

Small numbers are classes of many legends: 1 to 8 may be grid codes of CORINE, or anybody's eight
classes. So values that fit several schemes are refused, unless the colours, the name or the form
of the file tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.labels.schemes import (
    SCHEMES,
    Coding,
    LabelScheme,
    distinct_values,
    unknown_values,
)

#: The EEA's products lie on its reference grid, in cells of 100 m (or 250 m).
_EEA_EPSG, _EEA_CELLS_M = 3035, (100.0, 250.0)
#: A file named after CORINE. CLC+ Backbone is another product, with classes of its own.
_NAMED_CORINE = re.compile(r"(?<![a-z])(clc|corine)(?![ _-]?(\+|plus|bb|backbone))")


def recognise(
    values: set[float],
    source: Path,
    scheme: LabelScheme | None = None,
    among: Iterable[LabelScheme] = SCHEMES.values(),
) -> Coding:
    """The meaning of a label raster's values.

    Parameters
    ----------
    values : set of float
        The distinct values that the scene takes from it.
    source : path
        The raster, which is looked at where its values fit several schemes.
    scheme : LabelScheme, optional
        What the user says it is. Other schemes of the same classes count where the values are
        none of its own: CORINE comes as grid codes and as CLC codes.
    among : iterable of LabelScheme
        What it may be where the user says nothing.

    Raises
    ------
    InputError
        If the values fit no scheme, or several and the file does not tell which.
    """
    if scheme is not None:
        for coding in (coding for one in (scheme, *relatives(scheme)) for coding in one.codings):
            if coding.fits(values):
                return coding
        raise InputError(f"{source}: {unknown_values(values, [scheme])}")
    schemes = list(among)
    fitting = _fitting(values, schemes)
    if not fitting:
        raise InputError(f"{source}: {unknown_values(values, schemes)}")
    return fitting[0] if len(fitting) == 1 else _told_apart(fitting, source)


def relatives(scheme: LabelScheme) -> list[LabelScheme]:
    """The schemes that write the same classes, with itself."""
    known = [one for one in SCHEMES.values() if one.nomenclature == scheme.nomenclature]
    return known or [scheme]


def _fitting(values: set[float], schemes: Sequence[LabelScheme]) -> list[Coding]:
    """The codings that have all values; where they say of all that they are no class, one."""
    fitting = [coding for scheme in schemes for coding in scheme.codings if coding.fits(values)]
    with_classes = [coding for coding in fitting if coding.classes(values)]
    return with_classes or fitting[:1]


def _told_apart(fitting: list[Coding], source: Path) -> Coding:
    """The one of several fitting codings that the file tells."""
    elsewhere = distinct_values(rasters.read_small(source, bands=[1]))
    fitting = [coding for coding in fitting if coding.fits(elsewhere)] or fitting
    by_colour = [coding for coding in fitting if _has_colours(coding, elsewhere, source)]
    fitting = by_colour or fitting
    if len(fitting) > 1 and _NAMED_CORINE.search(source.name.lower()):
        fitting = [c for c in fitting if c.nomenclature.name == "corine"] or fitting
        if _is_of_the_eea(source):
            fitting = [c for c in fitting if c.scheme.name == "corine-grid"] or fitting
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(f"{v:g}" for v in sorted(fitting[0].classes(elsewhere))[:12])
    names = [str(coding) for coding in fitting]
    raise InputError(
        f"{source}: its class codes {shown} fit several label schemes ({', '.join(names)}), and "
        "may be another's; say which with scheme="
        f"{'|'.join(dict.fromkeys(c.scheme.name for c in fitting))}, or give your own legend "
        "with scheme=table.csv (code,name,colour)"
    )


def _has_colours(coding: Coding, values: set[float], source: Path) -> bool:
    """Whether the file's colour table shows most of its classes in the coding's colours."""
    colours = rasters.colour_table(source)
    held = [int(value) for value in coding.classes(values) if value in coding.table]
    if not colours or not held:
        return False
    legend = coding.nomenclature.legend
    theirs = np.array([colours.get(value, (-1, -1, -1)) for value in held])
    ours = np.array([legend[coding.table[value]].colour for value in held])
    return bool((theirs == ours).all(axis=1).mean() > 0.5)


def _is_of_the_eea(source: Path) -> bool:
    """Whether a raster has the form of the EEA's products."""
    grid = rasters.grid_of(source)
    return grid.crs.to_epsg() == _EEA_EPSG and grid.resolution[0] in _EEA_CELLS_M
