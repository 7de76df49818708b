"""Rows of several scenes as those of one: samples keep their scene, and blocks stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landcover.legend import UNLABELLED, Nomenclature
from landcover.samples.layers import POLYGON
from landcover.samples.rows import TARGET, Rows
from landcover.samples.stacked import SCENE

if TYPE_CHECKING:
    import geopandas
    import pandas as pd

#: What a sample is in any scene; segments and their types are numbers of one scene alone.
_KEPT = ("row", "col", "x", "y", "label", "reference", "block", "split", "random_test")


def joint_table(
    tables: Sequence[pd.DataFrame], columns: Sequence[str], blocks: Sequence[int]
) -> pd.DataFrame:
    """The sample tables of several scenes, one after the other.

    Parameters
    ----------
    tables : sequence of DataFrame
        Of each scene.
    columns : sequence of str
        Bands and features to keep.
    blocks : sequence of int
        How many blocks each scene has: those of the second count on from those of the first.

    Returns
    -------
    DataFrame
        With a column `stacked.SCENE`, from 0. Where only some scenes have a reference or training
        polygons, the others have 0 there. Polygons are counted on from scene to scene, too.
    """
    import pandas as pd

    has_reference = any("reference" in table for table in tables)
    has_polygons = any(POLYGON in table for table in tables)
    first = np.cumsum([0, *blocks[:-1]])
    parts, polygons = [], 0
    for number, table in enumerate(tables):
        part = table[[name for name in (*_KEPT, *columns) if name in table]].copy()
        part["block"] = (part["block"].to_numpy() + first[number]).astype(np.int32)
        if has_reference and "reference" not in part:
            place = list(part).index("label") + 1
            part.insert(place, "reference", np.full(len(part), UNLABELLED, np.uint16))
        if has_polygons:
            own = np.asarray(table.get(POLYGON, np.zeros(len(table))), np.int64)
            part[POLYGON] = np.where(own > 0, own + polygons, 0).astype(np.uint32)
            polygons += int(own.max(initial=0))
        part.insert(0, SCENE, np.full(len(part), number, np.int16))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def with_places(
    table: pd.DataFrame, tables: Sequence[geopandas.GeoDataFrame]
) -> geopandas.GeoDataFrame:
    """The joint table with its points in longitude and latitude, since scenes differ in CRS.

    Parameters
    ----------
    table : DataFrame
        From `joint_table`.
    tables : sequence of GeoDataFrame
        The tables that it was made of, with their points.
    """
    import geopandas

    points = np.concatenate([held.geometry.to_crs(4326).to_numpy() for held in tables])
    return geopandas.GeoDataFrame(table, geometry=points, crs=4326)


def joint_rows(parts: Sequence[Rows], table: pd.DataFrame, nomenclature: Nomenclature) -> Rows:
    """Rows of several scenes, with the targets that each scene gave its own.

    Parameters
    ----------
    parts : sequence of Rows
        Of each scene. What serves a purpose there serves it here.
    table : DataFrame
        Of all, from `joint_table`.
    nomenclature : Nomenclature
        What the classes of all are of.

    Returns
    -------
    Rows
        The legend has the classes that any scene trains on.
    """
    first = np.cumsum([0, *(len(part.samples) for part in parts[:-1])])

    def together(name: str) -> np.ndarray:
        chosen = zip(parts, first, strict=True)
        return np.concatenate([getattr(part, name) + start for part, start in chosen])

    codes = np.concatenate([part.samples[part.column].to_numpy() for part in parts])
    held = sorted({code for part in parts for code in part.legend.codes})
    columns = {part.column for part in parts}
    ways = {part.denoise for part in parts}
    column = columns.pop() if len(columns) == 1 and TARGET not in columns else TARGET
    if column == TARGET:
        table = table.assign(**{TARGET: codes})
    return Rows(
        table,
        column,
        nomenclature.holding(held).legend.subset(held),
        together("train"),
        together("validation"),
        together("scored"),
        together("random_split_extra"),
        denoise=ways.pop() if len(ways) == 1 else " and ".join(sorted(ways)),
    )
