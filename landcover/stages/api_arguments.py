"""What functions of the public API take: runs by their folder, models by name, files by a glob."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import MissingProduct
from landcover.run import Run

if TYPE_CHECKING:
    from landcover.classifiers.models import Model
    from landcover.labels.schemes import LabelScheme
    from landcover.sources.tile import Tile

PathLike = str | Path
RunLike = Run | PathLike


def run_of(run: RunLike) -> Run:
    """The run of a folder."""
    return run if isinstance(run, Run) else Run(run)


def path_of(run: RunLike) -> Path:
    """The path of a run folder or of a raster."""
    return run.path if isinstance(run, Run) else Path(run)


def model_of(run: Run, model: Model | PathLike) -> Model:
    """A model of a run by its name, or any by its folder."""
    from landcover.stages.models import model_of_run

    return model_of_run(run, model)


def scheme_of(scheme: LabelScheme | PathLike | None) -> LabelScheme | None:
    """The scheme of a name or a table."""
    from landcover.labels.schemes import find_scheme

    return find_scheme(str(scheme)) if isinstance(scheme, str | Path) else scheme


def tiles_of(bands: PathLike | Tile | Iterable[PathLike | Tile]) -> list[Tile]:
    """Tiles of whatever was given, loose files put together by their bands."""
    from landcover.sources.band_files import open_bands
    from landcover.sources.products import open_product
    from landcover.sources.tile import Tile

    given = [bands] if isinstance(bands, str | Path | Tile) else list(bands)
    tiles = [item for item in given if isinstance(item, Tile)]
    paths = [path for item in given if not isinstance(item, Tile) for path in _expanded(item)]
    loose = []
    for path in paths:
        tile = open_product(path)
        if tile is None:
            loose.append(path)
        else:
            tiles.append(tile)
    return tiles + (open_bands(loose) if loose or not tiles else [])


def _expanded(path: PathLike) -> list[Path]:
    """The files of a glob, in the order of their names; a path as it is."""
    text = str(path)
    if os.path.exists(text) or not glob.has_magic(text):
        return [Path(text)]
    found = sorted(glob.glob(text))
    if not found:
        raise MissingProduct(f"{text} finds no file; check the pattern and the folder")
    return [Path(name) for name in found]
