"""All features as a list, for people and other programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from landcover.scene.feature import ALL, Feature
from landcover.scene.feature_families import FAMILIES, TERRAIN_FEATURES
from landcover.scene.feature_names import FEATURES, feature, require
from landcover.scene.segmentation.statistics import OF_LAYERS, OF_SHAPES, OF_TYPES, SOURCE
from landcover.sensors import roles_of


def formula(name: str, bands: Sequence[str]) -> str:
    """A feature's formula with the names of bands for their roles.

    >>> formula("ndvi", ["B04", "B08"])
    'clip((B08 - B04) / (B08 + B04), -1, 1)'
    """
    require(bands, [name])
    roles = roles_of(bands)
    of = feature(name)
    if not of.needs or of.needs == (ALL,):
        return of.formula
    words = "|".join(map(re.escape, of.needs))
    return re.sub(rf"\b({words})\b", lambda found: roles.get(found[1], found[1]), of.formula)


def table() -> str:
    """All features as a table of Markdown, for the documentation."""
    lines = [
        "| feature | needs | radius | formula | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{row['name']}` | {row['needs']} | {row['radius']} | {_as_code(row)} "
        f"| {row['source']} |"
        for row in rows()
    ]
    return "\n".join(lines) + "\n"


def rows() -> list[dict[str, str]]:
    """Every feature and family as texts: name, needs, radius, formula, source."""
    return [
        *({"name": f.name, "needs": ", ".join(f.needs), "radius": _radius(f),
           "formula": f.formula, "source": f.source} for f in _listed()),
        *({"name": name, "needs": needs, "radius": "", "formula": text, "source": source}
          for name, needs, text, source in FAMILIES),
        *({"name": f"{name}:LAYER", "needs": "segments and a band", "radius": "",
           "formula": text, "source": SOURCE} for name, text in OF_LAYERS.items()),
        *({"name": name, "needs": "segments", "radius": "", "formula": text, "source": SOURCE}
          for name, text in OF_SHAPES.items()),
        *({"name": f"{name}:TYPES", "needs": "segments", "radius": "", "formula": text,
           "source": SOURCE} for name, text in OF_TYPES.items()),
    ]  # fmt: skip


def _radius(of: Feature) -> str:
    """The radius of a feature in words: 0, 1 px, 300 m."""
    if of.radius_m:
        return f"{of.radius_m:g} m"
    return f"{of.radius} px" if of.radius else "0"


def _listed() -> Iterator[Feature]:
    """Features of fixed names."""
    yield from FEATURES.values()
    yield from TERRAIN_FEATURES.values()


def _as_code(row: Mapping[str, str]) -> str:
    """A formula as code, and the words for a family as they are."""
    return f"`{row['formula']}`" if row["radius"] != "" else str(row["formula"])
