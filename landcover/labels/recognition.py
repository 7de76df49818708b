"""Which scheme a label raster is of: decided by its values, and where several fit by its file.

Small numbers are classes of many legends: 1 to 8 may be grid codes of CORINE, or anybody's eight
classes. So values that fit several schemes are refused, unless the file tells: by names that it
gives to its values, by their colours, by the product that its name or texts name, or by its form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import class_names, rasters
from landcover.files.raster_names import RasterName
from landcover.labels.schemes import (
    SCHEMES,
    Coding,
    LabelScheme,
    distinct_values,
    several_meanings,
    unknown_values,
)
from landcover.legend import UNLABELLED, Nomenclature

#: The EEA's products lie on its reference grid, in cells of 100 m (or 250 m).
_EEA_EPSG, _EEA_CELLS_M = 3035, (100.0, 250.0)
#: Numbers up to this are those of many legends that are no scheme of the package: Sentinel-2's
#: scene classification has 0-11, MODIS's IGBP classes 1-17. Those of CORINE's forests and waters
#: are larger.
_ANYBODYS = 17
#: How files and their texts name the products that have a scheme here. CLC+ Backbone is another
#: product than CORINE, with classes of its own.
_PRODUCTS = {
    "corine": r"(?<![a-z])(clc|corine)(?![ _-]?(\+|plus|bb|backbone))",
    "clc-plus": r"(?<![a-z])clc[ _-]?(\+|plus)[ _-]?(bb|backbone|raster)",
    "worldcover": r"world[ _-]?cover(?![a-z])",
    "dynamic-world": r"dynamic[ _-]?world(?![a-z])",
}
#: Files named after products whose classes are no scheme of the package. Their numbers are also
#: those of other schemes: 80 is artificial land in GlobeLand30, and water in WorldCover.
_OTHER_PRODUCTS = {
    "GlobeLand30": r"globe_?land|(?<=\d)lc0[2-9]0(?!\d)",
    "Copernicus Global Land Cover": r"lc100|c_gls_lc",
    "CCI Land Cover": r"esacci|c3s-lc",
    "FROM-GLC": r"from[_-]?glc",
    "GLC_FCS30": r"glc_?fcs",
    "MapBiomas": r"mapbiomas|brasil_coverage",
    "NLCD": r"(?<![a-z])nlcd",
}


@dataclass(frozen=True)
class Hints:
    """What is known of values beside themselves.

    Attributes
    ----------
    scheme : LabelScheme, optional
        What the user says they are. Then they are its values, and nothing else.
    among : sequence of LabelScheme
        What they may be where the user says nothing.
    level : int, optional
        The level that is asked for, which no values of a coarser level can give.
    beside : bool
        Whether other labels of the run have the scheme's values. Then these may have another form
        of the same classes, such as CLC codes beside CORINE's grid codes, if no value has both.
    """

    scheme: LabelScheme | None = None
    among: Sequence[LabelScheme] = tuple(SCHEMES.values())
    level: int | None = None
    beside: bool = False


def recognise(values: set[float], source: RasterName, hints: Hints | None = None) -> Coding:
    """The meaning of a label raster's values.

    Parameters
    ----------
    values : set of float
        The distinct values that the scene takes from it.
    source : path
        The raster, which is looked at where its values have several meanings.
    hints : Hints, optional
        What is known beside the values; nothing by default.

    Raises
    ------
    InputError
        If the values fit no scheme, or several and the file does not tell which, if they are
        small numbers of anybody's, or if the file is named after a product of other classes.
    """
    hints = hints or Hints()
    if hints.scheme is None:
        _refuse_other_products(source)
    fitting = _fitting(values, f"{source}", hints)
    if len(fitting) == 1 and (hints.scheme or not _is_anybodys(fitting[0], values)):
        found = fitting[0]
    else:
        found = _told_apart(fitting, source)
    _refuse_hidden_zero(found, source)
    return found


def _refuse_hidden_zero(coding: Coding, source: RasterName) -> None:
    """Raise InputError where 0 is a class, and the raster declares it as nodata."""
    if UNLABELLED not in coding.table:
        return
    with rasters.open_raster(source) as dataset:
        declared = dataset.nodatavals[0]
    if declared == UNLABELLED:
        name = coding.nomenclature.legend[coding.table[UNLABELLED]].name
        raise InputError(
            f"{source} declares 0 as nodata, and 0 is {name!r} in {coding}: nothing tells one from "
            "the other; save it with another nodata value, such as 255, for what has no data, or "
            "without one if all zeros are " + name.lower()
        )


def _refuse_other_products(source: RasterName) -> None:
    """Raise InputError if a file is named after a product of other classes."""
    name = Path(source).name.lower()
    for product, pattern in _OTHER_PRODUCTS.items():
        if re.search(pattern, name):
            raise InputError(
                f"{source} is named like {product}, whose classes are no scheme of landcover; say "
                "what its values are with scheme=table.csv (code,name,colour), or with scheme= "
                f"and one of {', '.join(SCHEMES)} if they were recoded"
            )


def recognise_field(values: set[float], name: str, hints: Hints | None = None) -> Coding:
    """The meaning of the values that polygons have in a field, as of a raster's.

    Raises
    ------
    InputError
        If the values fit no scheme, or several, or are small numbers of anybody's; `name` says
        where they stand.
    """
    hints = hints or Hints()
    fitting = _fitting(values, name, hints)
    if len(fitting) > 1:
        raise InputError(f"{name}: {several_meanings(values, fitting)}")
    if not hints.scheme and _is_anybodys(fitting[0], values):
        raise InputError(f"{name}: {_anybodys(values, fitting[0])}")
    return fitting[0]


def recognise_each(
    sources: Mapping[str, RasterName],
    values: Mapping[str, set[float]],
    schemes: Mapping[str, LabelScheme | None],
) -> dict[str, Coding]:
    """The meaning of each raster by itself, of whatever scheme.

    Parameters
    ----------
    sources, values : mapping
        Path and distinct values of each raster.
    schemes : mapping
        What the user says of each; None where its values are to tell.

    Raises
    ------
    InputError
        As `recognise`.
    """
    return {
        name: recognise(values[name], source, Hints(schemes.get(name)))
        for name, source in sources.items()
    }


def recognise_both(
    sources: Mapping[str, RasterName],
    values: Mapping[str, set[float]],
    scheme: LabelScheme | None = None,
    level: int | None = None,
) -> dict[str, Coding]:
    """The meaning of labels and reference, which have the same classes.

    Parameters
    ----------
    sources, values : mapping
        Path and distinct values of each raster, the labels first.
    scheme, level
        As `Hints` has them.

    Raises
    ------
    InputError
        As `recognise`.
    """
    codings: dict[str, Coding] = {}
    own = [name for name in sources if scheme and scheme.fitting(values[name])]
    hints = Hints(scheme, level=level)
    for name, source in sources.items():
        beside = any(other != name for other in own)
        codings[name] = recognise(values[name], source, replace(hints, beside=beside))
        hints = replace(hints, among=relatives(codings[name].scheme))
    return codings


def relatives(scheme: LabelScheme) -> list[LabelScheme]:
    """The schemes that write the same classes, with itself."""
    same = schemes_of(scheme.nomenclature)
    return same if scheme in same else [scheme, *same]


def schemes_of(nomenclature: Nomenclature) -> list[LabelScheme]:
    """The schemes that write some classes: those of the package, or else their own codes."""
    return known_schemes(nomenclature) or [LabelScheme.of_codes(nomenclature)]


def known_schemes(nomenclature: Nomenclature) -> list[LabelScheme]:
    """The schemes of the package that write some classes."""
    return [one for one in SCHEMES.values() if one.levels == nomenclature.levels]


def _fitting(values: set[float], name: str, hints: Hints) -> list[Coding]:
    """The codings that have all values, at least one."""
    if hints.scheme is None:
        schemes = list(hints.among)
    elif hints.beside and _in_another_form(values, hints.scheme):
        schemes = [one for one in relatives(hints.scheme) if one != hints.scheme]
    else:
        schemes = [hints.scheme]
    fitting = [coding for scheme in schemes for coding in scheme.fitting(values)]
    if not fitting:
        raise InputError(f"{name}: {_unknown(values, schemes, hints.scheme)}")
    # values that are all no class fit every scheme, and it does not matter which; nor do those of
    # one that counts from 0, until something else says that they are its
    fitting = [c for c in fitting if c.classes(values - {UNLABELLED})] or fitting[:1]
    if hints.level and len({coding.scheme.name for coding in fitting}) == 1:
        return [coding for coding in fitting if coding.level >= hints.level] or fitting
    return fitting


def _in_another_form(values: set[float], scheme: LabelScheme) -> bool:
    """Whether values are of a relative of a scheme, and none of them its own."""
    own = {value for coding in scheme.codings for value in coding.table}
    others = [one for one in relatives(scheme) if one != scheme and one.fitting(values)]
    return bool(others) and not scheme.codings[0].classes(values) & own


def _unknown(values: set[float], schemes: list[LabelScheme], chosen: LabelScheme | None) -> str:
    """What to say of values that fit none of some schemes."""
    others = known_schemes(chosen.nomenclature) if chosen else []
    better = [coding for one in others for coding in one.fitting(values)]
    if chosen is None or not better:
        return unknown_values(values, schemes)
    own = min(chosen.codings, key=lambda coding: len(coding.classes(values) - coding.table.keys()))
    unknown = sorted(own.classes(values) - own.table.keys())
    return (
        f"class codes {', '.join(f'{v:g}' for v in unknown[:8])} are none of scheme {chosen.name}; "
        f"all codes fit {better[0]}: give scheme={better[0].scheme.name}, or recode these"
    )


def _told_apart(fitting: list[Coding], source: RasterName) -> Coding:
    """The one of several fitting codings that the file tells."""
    elsewhere = distinct_values(rasters.read_small(source, bands=[1]))
    fitting = [coding for coding in fitting if coding.fits(elsewhere)] or fitting
    by_name = _of_these_names(fitting, elsewhere, class_names.class_names(source))
    fitting = by_name or fitting
    by_colour = [coding for coding in fitting if _has_colours(coding, elsewhere, source)]
    fitting = by_colour or fitting
    named = _products_in(class_names.said_of(source))
    if len(fitting) > 1 and named:
        fitting = [c for c in fitting if c.nomenclature.name in named] or fitting
        if _is_of_the_eea(source):
            fitting = [c for c in fitting if c.scheme.name == "corine-grid"] or fitting
    if len(fitting) == 1:
        named = named & {fitting[0].nomenclature.name}
        told = by_name or by_colour or named or _is_of_the_eea(source)
        if told or not _is_anybodys(fitting[0], elsewhere):
            return fitting[0]
        raise InputError(f"{source}: {_anybodys(elsewhere, fitting[0])}")
    finest = max(coding.level for coding in fitting)
    text = several_meanings(elsewhere, fitting)
    if len({coding.scheme.name for coding in fitting}) == 1:
        text += f", or give level={finest} if they are of the finest"
    raise InputError(f"{source}: {text}")


def _is_anybodys(coding: Coding, values: set[float]) -> bool:
    """Whether values are grid codes of CORINE, and as small as those of many other legends."""
    return coding.scheme.name == "corine-grid" and 0 < max(coding.classes(values), default=0) <= (
        _ANYBODYS
    )


def _anybodys(values: set[float], coding: Coding) -> str:
    """What to say of small numbers that nothing but their value tells."""
    shown = ", ".join(f"{value:g}" for value in sorted(coding.classes(values))[:12])
    return (
        f"its class codes {shown} fit {coding}, and other legends too, such as the scene "
        f"classification of Sentinel-2; say what they are with scheme={coding.scheme.name}, or "
        "give your own legend with scheme=table.csv (code,name,colour)"
    )


def _products_in(text: str) -> set[str]:
    """The products that a text names; none where it names several."""
    found = {name for name, pattern in _PRODUCTS.items() if re.search(pattern, text)}
    return found if len(found) == 1 else set()


def _of_these_names(
    fitting: Sequence[Coding], values: set[float], names: Mapping[int, str]
) -> list[Coding]:
    """The codings under which most values have the names that a file gives them; the best ones.

    Those that mean the same classes by the values count once.
    """
    shares = [_share_named(coding, values, names) for coding in fitting]
    best = max(shares, default=0.0)
    found = list[Coding]()
    for coding, share in zip(fitting, shares, strict=True):
        like = any(one.means_like(coding, values) for one in found)
        if best > 0.5 and share == best and not like:
            found.append(coding)
    return found


def _share_named(coding: Coding, values: set[float], names: Mapping[int, str]) -> float:
    """Share of the classes that a file names which a coding names alike."""
    legend = coding.nomenclature.legend
    held = [int(value) for value in coding.classes(values) if int(value) in names]
    own = [legend[coding.table[value]] for value in held if value in coding.table]
    given = [names[value] for value in held if value in coding.table]
    # styles write a code before the name, such as "111 - Continuous urban fabric"
    plain = [re.sub(r"^\W*\d+\W*", "", name).replace("_", " ") for name in given]
    alike = [c.is_like(replace(c, name=name)) for c, name in zip(own, plain, strict=True)]
    return float(np.mean(alike)) if alike else 0.0


def _has_colours(coding: Coding, values: set[float], source: RasterName) -> bool:
    """Whether the file's colour table shows most of its classes in the coding's colours."""
    colours = rasters.colour_table(source)
    held = [int(value) for value in coding.classes(values) if value in coding.table]
    if not colours or not held:
        return False
    legend = coding.nomenclature.legend
    theirs = np.array([colours.get(value, (-1, -1, -1)) for value in held])
    ours = np.array([legend[coding.table[value]].colour for value in held])
    return bool((theirs == ours).all(axis=1).mean() > 0.5)


def _is_of_the_eea(source: RasterName) -> bool:
    """Whether a raster has the form of the EEA's products."""
    grid = rasters.grid_of(source)
    return grid.crs.to_epsg() == _EEA_EPSG and grid.resolution[0] in _EEA_CELLS_M
