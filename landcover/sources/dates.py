"""Tiles by the day they were taken on, for a composite of several dates or a sequence of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from landcover.errors import InputError, typed
from landcover.sources.tile import Tile, same_ground

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from landcover.grid import Grid

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
                f"{tile.paths[0]} does not say of which day it is, which tells dates apart; name "
                "its file or folder by one day, such as 2022-06-01/B02.tif"
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


def by_group(groups: Sequence[Sequence[Tile]]) -> list[Tile]:
    """The tiles of several dates, of which each was given by itself.

    Parameters
    ----------
    groups : sequence of sequence of Tile
        The tiles of each date.

    Returns
    -------
    list of Tile
        All of them.

    Raises
    ------
    InputError
        If the tiles of a date are of several days, or two dates are of one day.
    """
    seen: dict[str, Tile] = {}
    for group in groups:
        days = {day.day: day.tiles[0] for day in by_day(group)}
        if len(days) > 1:
            (day, tile), (other, later) = list(days.items())[:2]
            raise InputError(
                f"{tile.paths[0]} is of {day} and {later.paths[0]} of {other}, and they were given "
                "as one date; give the files of each date by themselves"
            )
        for day, tile in days.items():
            if day in seen:
                raise InputError(
                    f"{seen[day].paths[0]} and {tile.paths[0]} are both of {day}, which is one "
                    "date given twice; give all files of a date together, and each date once"
                )
            seen[day] = tile
    return [tile for group in groups for tile in group]


def require_sequence(days: Sequence[DayOfTiles], one_grid: bool = True) -> None:
    """Refuse what is no sequence of dates.

    Parameters
    ----------
    days : sequence of DayOfTiles
        The dates.
    one_grid : bool
        Whether they have to lie on one grid: an area of interest takes the same pixels of all.
        Those that are warped to one reference system are not looked at.

    Raises
    ------
    InputError
        If there is one date, or grids differ, naming both files and the corner.
    """
    if len(days) == 1:
        raise InputError(
            f"all files are of {days[0].day}, and a sequence has two dates or more; give further "
            "dates, or prepare a scene of the one"
        )
    first = days[0]
    if not one_grid or any(tile.warped for day in days for tile in day.tiles):
        return
    for other in days[1:]:
        for tile in other.tiles:
            # the tiles of a day may be several; each has its own ground
            alike = [one for one in first.tiles if not one.grid.difference(tile.grid)]
            if not alike:
                one = first.tiles[0]
                raise InputError(
                    f"{tile.paths[0]} ({other.day}) is not on the grid of {one.paths[0]} "
                    f"({first.day}): {one.grid.difference(tile.grid)}; the dates of a sequence lie "
                    "on one grid: warp it first, for example with: rio warp "
                    f"{typed(tile.paths[0])} NEW.tif --like {typed(one.paths[0])}; or, where the "
                    "pixels are the same, give aoi= within all dates"
                )


def overlap_notes(days: Sequence[DayOfTiles], grid: Grid) -> list[str]:
    """What is to be said of dates of which there is one, or that cover other ground.

    Parameters
    ----------
    days : sequence of DayOfTiles
        Dates whose grids are in one CRS.
    grid : Grid
        Of the scene, which is a part of them where there is an area of interest.

    Raises
    ------
    InputError
        If a date shares no ground with any other.
    """
    import shapely

    if len(days) == 1:
        return [f"one date, {days[0].day}: the composite is that date"]
    grounds = [day.ground for day in days]
    for number, ground in enumerate(grounds):
        others = grounds[:number] + grounds[number + 1 :]
        if not any(ground.intersection(other).area > 0 for other in others):
            other_day = days[1 if number == 0 else 0]
            raise InputError(
                f"{days[number].tiles[0].paths[0]} ({days[number].day}) shares no ground with "
                f"{other_day.tiles[0].paths[0]} ({other_day.day}) or any other date; dates "
                "of one scene overlap: give those of one place"
            )
    scene = shapely.box(*grid.bounds)
    shared = shapely.intersection_all([scene, *grounds]).area
    seen = scene.intersection(shapely.union_all(grounds)).area
    share = shared / seen if seen else 1
    if share >= _WHOLE:
        return []
    return [f"all {len(days)} dates cover {100 * share:.1f} % of the scene together"]
