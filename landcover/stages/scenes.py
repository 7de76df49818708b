"""Which scenes a model has learnt from: as its card says it, and as another run asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from landcover.files import rasters
from landcover.files.atomic import Fields, digest
from landcover.grid import Grid
from landcover.reports.records import Overlap
from landcover.run import Run
from landcover.samples.blocks import Blocks
from landcover.scene.ground import shared_ground

#: Grids that share less of their ground only touch.
LEAST_SHARED = 0.001


def scene_facts(run: Run, blocks: Blocks) -> Fields:
    """What the card of a model says of a scene that it learnt from, split into blocks.

    Returns
    -------
    dict
        ``scene`` (SHA-256 of scene.tif), ``split`` (digest of splits.json), ``crs``, ``bounds``
        in that CRS, ``shape`` (rows, cols), ``pixel_size_m`` and ``days``, where they are known.
    """
    scene = run.require("scene")
    grid = rasters.grid_of(scene)
    return {
        "scene": digest(scene),
        "split": blocks.digest(),
        "crs": crs_name(grid),
        "bounds": [round(edge, 6) for edge in grid.bounds],
        "shape": list(grid.shape),
        "pixel_size_m": [round(m, 4) for m in grid.pixel_size_m],
        "days": days_of(run),
    }


def crs_name(grid: Grid) -> str:
    """The CRS of a grid, as `rasterio.crs.CRS.from_user_input` reads it again."""
    code = grid.crs.to_authority()
    return ":".join(code) if code else str(grid.crs.to_wkt())


def days_of(run: Run) -> list[str]:
    """The days of a run's scene, as far as its sources tell."""
    held = prepared(run)
    times = held.get("days") or held.get("acquired") or ()  # older runs hold times alone
    return sorted({str(time)[:10] for time in times})


def prepared(run: Run) -> Fields:
    """How the scene of a run was prepared, from its manifest."""
    settings: Fields = run.read_manifest()["stages"].get("prep", {}).get("settings", {})
    return settings


def split_seen(card: Mapping[str, object], run: Run, own: bool) -> str | None:
    """Digest of the split by which a model learnt from a run's scene; None where it did not.

    Parameters
    ----------
    card : mapping
        Of the model.
    run : Run
        The run whose scene it maps.
    own : bool
        Whether it is a model of the run; cards of an older version name no scene.
    """
    split, named = card.get("split"), card.get("scenes")
    if own and isinstance(split, dict) and "digest" in split:
        return str(split["digest"])
    scene = digest(run.require("scene"))
    for held in named if isinstance(named, list) else []:
        if held["scene"] == scene:
            return str(held["split"])
    return None


def overlaps(card: Mapping[str, object], run: Run) -> list[Overlap]:
    """Scenes of a model's card that cover ground of a run's scene, with the share of that.

    The scene itself is none of them.
    """
    scene, grid = digest(run.require("scene")), rasters.grid_of(run.scene)
    named = card.get("scenes")
    found = list[Overlap]()
    for held in named if isinstance(named, list) else []:
        if held["scene"] == scene:
            continue
        share = shared_ground(grid, _grid_of(held))
        if share > LEAST_SHARED:
            found.append({"run": held.get("run"), "days": held["days"], "share": round(share, 4)})
    return found


def _grid_of(held: Fields) -> Grid:
    """The grid that a card tells of."""
    from affine import Affine
    from rasterio.crs import CRS

    west, south, east, north = held["bounds"]
    rows, cols = held["shape"]
    across, down = (east - west) / cols, (north - south) / rows
    crs = CRS.from_user_input(held["crs"])
    return Grid(crs, Affine(across, 0, west, 0, -down, north), rows, cols)


def mean_pixel_size(facts: Sequence[Mapping[str, Sequence[float]]]) -> list[float]:
    """Width and height of the pixels of several scenes, metres, on average."""
    sides = np.mean([held["pixel_size_m"] for held in facts], axis=0)
    return [round(float(side), 4) for side in sides]
