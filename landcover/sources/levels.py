"""Bands that belong together: of one statistic of several dates, and of one level of processing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from landcover.errors import InputError

#: Words of names, by the statistic of several dates that they say.
_STATISTICS = {
    "min": "minimum", "minimum": "minimum", "max": "maximum", "maximum": "maximum",
    "mean": "mean", "average": "mean", "avg": "mean", "median": "median",
}  # fmt: skip
_SURFACE, _EVENED = "surface", "surface with slopes evened out"
#: Words of names, by the level of processing that they say.
_LEVELS = {
    "toa": "top of the atmosphere", "l1c": "top of the atmosphere",
    "msil1c": "top of the atmosphere",
    "boa": _SURFACE, "sr": _SURFACE, "l2a": _SURFACE, "msil2a": _SURFACE,
    "sre": _SURFACE, "fre": _EVENED,  # as MAJA names them
}  # fmt: skip
_PERCENTILE = re.compile(r"p\d{1,2}")


def statistic_in(text: str) -> str | None:
    """The statistic of several dates that a name says; None for none or several.

    >>> statistic_in("B02_min"), statistic_in("B03_p10"), statistic_in("B04")
    ('minimum', 'percentile p10', None)
    """
    words = _words(text)
    found = {_STATISTICS[word] for word in words if word in _STATISTICS}
    found |= {f"percentile {word}" for word in words if _PERCENTILE.fullmatch(word)}
    return found.pop() if len(found) == 1 else None


def level_in(text: str) -> str | None:
    """The reflectance that a name says, or else a folder of its path; None for none or several.

    >>> level_in("S2A_MSIL1C_20220601.SAFE/T33UUU_B02.jp2"), level_in("B04_sr")
    ('top of the atmosphere', 'surface')
    """
    for part in reversed(Path(text).parts):
        found = {_LEVELS[word] for word in _words(part) if word in _LEVELS}
        if _EVENED in found:
            found.discard(_SURFACE)  # which L2A in the same name says less closely
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def require_one_kind(names: Mapping[str, tuple[str, ...]], where: str) -> None:
    """Raise InputError if names say several statistics, or several levels of processing.

    Parameters
    ----------
    names : mapping
        What messages call each band or tile, and the names that it has, the nearest first.
    where : str
        What they would be together.
    """
    for kind_in, what in ((statistic_in, "statistic"), (level_in, "level of processing")):
        first: dict[str, str] = {}
        for called, texts in names.items():
            if kind := next(filter(None, map(kind_in, texts)), None):
                first.setdefault(kind, called)
        if len(first) > 1:
            (one, called), (other, beside), *_ = first.items()
            raise InputError(
                f"{called} and {beside} would be {where} and are of several kinds by their names "
                f"({one}, {other}); give those of one {what}"
            )


def _words(text: str) -> Iterable[str]:
    return re.findall("[a-z0-9]+", text.lower())
