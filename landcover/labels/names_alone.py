"""Classes of which somebody gives the names alone, such as the field of training polygons."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable

from landcover.labels.schemes import SCHEMES, Coding, LabelScheme
from landcover.legend import LandClass, Nomenclature

#: What the legend of such classes is called.
NAME = "names"
#: Hues of colours lie so far apart, in turns: however many there are, none comes twice.
_TURN = 0.618034


def plain(value: object) -> str:
    """A name as it is compared: without regard to case and to spaces around it."""
    return str(value).strip().casefold()


def scheme_of_names(names: Iterable[object]) -> LabelScheme:
    """The classes that have some names: of a scheme of the package, or a legend of their own.

    Parameters
    ----------
    names : iterable
        As somebody wrote them; those that differ in case and spaces around them alone are one.

    Returns
    -------
    LabelScheme
        The scheme that alone has all names at one level. Else one class for each name, in
        alphabetical order, with codes from 1 on and colours of their own.

    Examples
    --------
    >>> own = scheme_of_names(["wood", "Meadow", "wood "])
    >>> [(land.code, land.name) for land in own.legend.classes]
    [(1, 'Meadow'), (2, 'wood')]
    >>> scheme_of_names(["Pastures", "Water bodies"]).name
    'corine'
    """
    written: dict[str, str] = {}
    for name in names:
        written.setdefault(plain(name), str(name).strip())
    fitting: dict[str, LabelScheme] = {}
    for scheme in SCHEMES.values():
        if any(written.keys() <= _names(coding) for coding in scheme.codings):
            fitting.setdefault(scheme.nomenclature.name, scheme)
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    classes = [
        LandClass(code, written[name], _colour(code))
        for code, name in enumerate(sorted(written), 1)
    ]
    nomenclature = Nomenclature.of(NAME, "classes by name", [(one,) for one in classes])
    return LabelScheme.of_codes(nomenclature)


def _names(coding: Coding) -> set[str]:
    return {plain(name) for name in coding.nomenclature.legend.names}


def _colour(code: int) -> tuple[int, int, int]:
    """A colour of its own for each code; neighbours in number lie far apart."""
    strong = colorsys.hls_to_rgb(code * _TURN % 1, (0.42, 0.6)[code % 2], 0.6)
    red, green, blue = (round(255 * part) for part in strong)
    return red, green, blue
