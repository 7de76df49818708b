"""All items of a search brought to disk, and the offsets of their dates compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from affine import Affine

from landcover.errors import InputError, LandcoverError
from landcover.files import rasters
from landcover.files.atomic import Fields, write_json
from landcover.files.http import Sign, Web, WebError
from landcover.grid import Grid
from landcover.progress import track
from landcover.sources.cloud_mask import SCL_HIDDEN, SCL_LAYER
from landcover.sources.online.catalogue import Choice
from landcover.sources.online.fetched import Fetched, Request, fetch_item, thinned
from landcover.sources.online.item_files import LeftOutError
from landcover.sources.online.local_item import earlier, finish
from landcover.sources.online.offset_check import (
    LEAST_PIXELS,
    Claim,
    Seen,
    Verdict,
    claim_of,
    dark_land,
    settle,
)
from landcover.sources.stac import open_stac

#: Dates are compared on so many pixels of a side.
_LOOK_PX = 500
#: After so many items that fail one after the other, a server is left in peace.
_MOST_IN_A_ROW = 3
#: Not there, and not later either: an item's file is left out.
_GONE = (404, 410)


@dataclass
class Scenes:
    """What was fetched of a search, and what was not.

    Attributes
    ----------
    items : list of (path, Fetched, Verdict)
        The item that was written, what it holds, and its offset.
    left_out : dict of str to str
        Reasons by id: what an item does not hold.
    failed : dict of str to str
        Reasons by id: what may come later, and what is not as it was said.
    """

    items: list[tuple[Path, Fetched, Verdict]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def fetch_scenes(
    web: Web,
    items: Sequence[Fields],
    request: Request,
    sign: Sign | None = None,
    offset: float | None = None,
) -> Scenes:
    """Fetch the windows of all items, and write an item beside each whose offset is known.

    Parameters
    ----------
    web : Web
        The session.
    items : sequence of dict
        As the catalogue gives them, by time.
    request : Request
        What is fetched of each.
    sign : function, optional
        Signs addresses.
    offset : float, optional
        Of all items, instead of what they say and show.

    Returns
    -------
    Scenes
        One item that fails does not keep the others from being fetched.

    Raises
    ------
    LandcoverError
        If nothing can be written, or the folder holds another area.
    """
    scenes, found = Scenes(), list[Fetched]()
    alone, in_a_row = len(items) == 1, 0
    for item in items if alone else track(items, "fetching"):
        if in_a_row == _MOST_IN_A_ROW:
            scenes.failed[item["id"]] = f"not tried, since {in_a_row} in a row failed before it"
            continue
        in_a_row += 1
        try:
            found.append(fetch_item(web, item, request, sign, shows=alone))
            in_a_row = 0
        except LeftOutError as reason:
            scenes.left_out[item["id"]] = str(reason)
            in_a_row = 0
        except WebError as error:
            where = scenes.left_out if error.status in _GONE else scenes.failed
            where[item["id"]] = str(error)
            in_a_row = 0 if error.status in _GONE else in_a_row
        except InputError as error:
            scenes.failed[item["id"]] = str(error)
    for one, verdict in zip(found, _verdicts(found, offset), strict=True):
        verdict = (verdict.offset is None and earlier(one)) or verdict
        if verdict.offset is None:
            scenes.failed[one.item["id"]] = verdict.why
            continue
        path = finish(one, verdict, request.digest)
        scenes.items.append((path, one, verdict))
        try:
            open_stac(path)
        except LandcoverError as error:
            scenes.failed[one.item["id"]] = str(error)
    return scenes


def record(folder: Path, asked: Mapping[str, object], choice: Choice, scenes: Scenes) -> Path:
    """Write beside the folders what was asked, what came of it, and why the rest did not.

    Parameters
    ----------
    folder : path
        That holds the folders of the items.
    asked : dict
        The search.
    choice : Choice
        What of its items was to be fetched.
    scenes : Scenes
        What was.
    """
    items = [
        {
            "id": one.item["id"],
            "folder": path.parent.name,
            "offset": verdict.offset,
            "offset_from": verdict.by,
            "note": verdict.why,
        }
        for path, one, verdict in scenes.items
    ]
    cloudy = {name: f"{share:.1f} % cloud" for name, share in choice.cloudy.items()}
    left_out = cloudy | choice.left_out | scenes.left_out
    path = folder / "fetch.json"
    write_json(
        path, {"asked": asked, "items": items, "left_out": left_out, "failed": scenes.failed}
    )
    return path


def _verdicts(found: Sequence[Fetched], offset: float | None) -> list[Verdict]:
    """The offset of each date."""
    if offset is not None:
        return [Verdict(offset, "option")] * len(found)
    claims = [_claim(one) for one in found]
    seen = [_seen(one) for one in found]
    return settle(
        claims,
        seen,
        [one.day for one in found],
        lambda number, other: _dark_land(found[number], found[other]),
    )


def _claim(one: Fetched) -> Claim:
    """What an item says of its offset, in digital numbers."""
    files = (one.files[name] for name in one.bands)
    told = [file.offset / (file.scale or 1e-4) for file in files if file.offset is not None]
    return claim_of(one.item["properties"], round(told[0], 3) if told else None)


def _seen(one: Fetched) -> Seen:
    """The darkest digital numbers of an item."""
    return Seen.of(thinned(one.path(name)) for name in one.bands)


def _dark_land(one: Fetched, other: Fetched) -> tuple[dict[str, float], dict[str, float]] | None:
    """The dark land of two items, on pixels that both see clearly; None where they are too few."""
    grid = _thin(rasters.grid_of(one.path(one.bands[0])))
    clear = _clear(one, grid) & _clear(other, grid)
    held: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
    for name in ("B02", "B03", "B04"):  # every item has them
        own, its = (_on_grid(each.path(name), grid) for each in (one, other))
        both = clear & (own != 0) & (its != 0)
        if both.sum() >= LEAST_PIXELS:
            held[0][name], held[1][name] = own[both], its[both]
    return (dark_land(held[0]), dark_land(held[1])) if held[0] else None


def _clear(one: Fetched, grid: Grid) -> np.ndarray:
    """Where an item sees the ground, as far as it tells."""
    if SCL_LAYER not in one.files:
        return np.ones(grid.shape, bool)
    return ~np.isin(_on_grid(one.path(SCL_LAYER), grid), SCL_HIDDEN)


def _on_grid(path: Path, grid: Grid) -> np.ndarray:
    """Pixels of a band on another grid, the nearest ones; 0 where there is no data."""
    with rasters.open_on_grid(path, grid) as dataset:
        return np.nan_to_num(rasters.read_window(dataset)[0], copy=False, nan=0)


def _thin(grid: Grid) -> Grid:
    """A grid of the same ground with fewer pixels."""
    times = max(1, -(-max(grid.shape) // _LOOK_PX))
    rows, cols = (-(-side // times) for side in grid.shape)
    return Grid(grid.crs, grid.transform @ Affine.scale(times), rows, cols)
