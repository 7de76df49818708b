"""Tiles by the day they were taken on, for a composite of several dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING

from landcover.errors import InputError
from landcover.sources.tile import Tile, same_ground

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: Dates that share less of their ground than this do so partly, and that is said.
_WHOLE = 0.999


@dataclass(frozen=True)
class DayOfTiles:
    """The tiles of one day, which may be several beside one another.

    Attributes
    ----------
    day : str
        ISO 8601.
    tiles : tuple of Tile
        On one lattice; where they overlap, the first one that has data is used.
    """

    day: str
    tiles: tuple[Tile, ...]

    @property
    def ground(self) -> BaseGeometry:
        """What the tiles cover, in their CRS."""
        import shapely

        return shapely.union_all([shapely.box(*tile.grid.bounds) for tile in self.tiles])


def by_day(tiles: Sequence[Tile]) -> list[DayOfTiles]:
    """Tiles by day, the earliest first.

    Raises
    ------
    InputError
        If a tile does not say its day, or two of one day cover the same ground.
    """
    days: dict[str, list[Tile]] = {}
    for tile in tiles:
        if tile.day is None:
            raise InputError(
                f"{tile.paths[0]} does not say of which day it is, and a composite needs to know; "
                "name its file or folder by one day, such as 2022-06-01/B02.tif"
            )
        days.setdefault(tile.day, []).append(tile)
    for day, held in days.items():
        for one, other in combinations(held, 2):
            if same_ground(one.grid, other.grid):
                raise InputError(
                    f"{one.paths[0]} and {other.paths[0]} are both of {day} and cover the same "
                    "ground; give one of them"
                )
    return [DayOfTiles(day, tuple(days[day])) for day in sorted(days)]


def overlap_notes(days: Sequence[DayOfTiles]) -> list[str]:
    """What is to be said of dates of which there is one, or that cover other ground.

    Their grids are in one CRS.

    Raises
    ------
    InputError
        If a date shares no ground with any other.
    """
    if len(days) == 1:
        return [f"one date, {days[0].day}: the composite is that date"]
    grounds = [day.ground for day in days]
    for number, ground in enumerate(grounds):
        others = grounds[:number] + grounds[number + 1 :]
        if not any(ground.intersection(other).area > 0 for other in others):
            other_day = days[1 if number == 0 else 0]
            raise InputError(
                f"{days[number].tiles[0].paths[0]} ({days[number].day}) shares no ground with "
                f"{other_day.tiles[0].paths[0]} ({other_day.day}) or any other date; a composite "
                "is of dates that overlap: give those of one place"
            )
    shared = reduce(lambda one, other: one.intersection(other), grounds).area
    share = shared / reduce(lambda one, other: one.union(other), grounds).area
    if share >= _WHOLE:
        return []
    return [f"all {len(days)} dates cover {100 * share:.1f} % of the scene together"]
