"""What functions of the public API take: runs by their folder, models by name, files by a glob."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import InputError, MissingProduct
from landcover.run import Run

if TYPE_CHECKING:
    from landcover.classifiers.models import Model
    from landcover.labels.schemes import LabelScheme
    from landcover.scene.composite import Composite
    from landcover.scene.layers import Layer
    from landcover.sources.keep import Keep
    from landcover.sources.mask_choice import MaskChoice
    from landcover.sources.tile import Tile

PathLike = str | Path
RunLike = Run | PathLike


def run_of(run: RunLike) -> Run:
    """The run of a folder."""
    return run if isinstance(run, Run) else Run(run)


def runs_of(runs: RunLike | Iterable[RunLike]) -> list[Run]:
    """The runs of one folder, or of several."""
    return [run_of(run) for run in ([runs] if isinstance(runs, Run | str | Path) else runs)]


def out_of_several(out: RunLike | None) -> Run:
    """The run that gets what is made of several runs."""
    if out is None:
        raise InputError(
            "several runs train one model, which belongs to none of them; say where it goes: "
            "out=FOLDER, a folder of its own"
        )
    return run_of(out)


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


def composite_of(method: str | None, best_date: str | None) -> Composite | None:
    """How dates become one scene, where they are to."""
    from landcover.scene.composite import Composite

    if method is None and best_date is not None:
        raise InputError(
            f'best_date={best_date} was given without composite="best", which it is for; give both'
        )
    return None if method is None else Composite(method, best_date)


def mask_of(
    mask: bool | PathLike | Sequence[PathLike] | None,
    classes: Sequence[int | str] | None,
    above: float | None,
    dilation_m: float,
) -> MaskChoice | None:
    """What hides the clouds of tiles, where something is to."""
    from landcover.files.raster_names import raster_name
    from landcover.sources.mask_choice import MaskChoice

    if mask is None or mask is False:
        if classes or above is not None or dilation_m:
            raise InputError(
                "mask_classes=, mask_above= or mask_dilation= were given without mask=, which they "
                "are of; give mask=, of a file or of the products' own"
            )
        return None
    given: Sequence[PathLike] = (
        () if mask is True else [mask] if isinstance(mask, str | Path) else mask
    )
    files = tuple(raster_name(path) for path in given)
    return MaskChoice(files, tuple(classes or ()), above, dilation_m)


def tiles_of(
    bands: PathLike | Tile | Iterable[PathLike | Tile],
    several_dates: bool = False,
    keep: Keep | None = None,
) -> list[Tile]:
    """Tiles of whatever was given, loose files put together by their bands."""
    from landcover.sources.band_files import open_bands
    from landcover.sources.products import open_product
    from landcover.sources.tile import Tile

    given = [bands] if isinstance(bands, str | Path | Tile) else list(bands)
    tiles = [item for item in given if isinstance(item, Tile)]
    paths = [path for item in given if not isinstance(item, Tile) for path in _expanded(item)]
    loose = []
    for path in paths:
        found = open_product(path, "core" if keep is None else keep)
        if found is None:
            loose.append(path)
        else:
            tiles += found
    if tiles and not loose:
        return tiles
    return tiles + open_bands(loose, several_dates=several_dates, keep=keep)


def layers_of(
    dem: PathLike | Iterable[PathLike] | None = None,
    distance: Mapping[str, PathLike] | None = None,
    inside: Mapping[str, PathLike] | None = None,
    stack: PathLike | Iterable[PathLike] | None = None,
) -> list[Layer]:
    """Bands beside reflectance: of elevation rasters, of vector files by name, and of stacks.

    A stack may have a name after it, as in ``emb.tif:late``.
    """
    from landcover.files.raster_names import raster_name
    from landcover.sources.elevation import open_elevation
    from landcover.sources.near_features import NearFeatures
    from landcover.sources.stack import file_and_name, open_stack

    elevations = [raster_name(path) for path in _several(dem)]
    return [
        *([open_elevation(elevations)] if elevations else []),
        *(NearFeatures(name, Path(file), True) for name, file in (distance or {}).items()),
        *(NearFeatures(name, Path(file), False) for name, file in (inside or {}).items()),
        *(open_stack(*file_and_name(text)) for text in _several(stack)),
    ]


def _several(given: PathLike | Iterable[PathLike] | None) -> list[PathLike]:
    """One or several paths, or none, as a list."""
    if given is None:
        return []
    return [given] if isinstance(given, str | Path) else list(given)


def _expanded(path: PathLike) -> list[Path]:
    """The files of a glob, in the order of their names; a path as it is."""
    text = str(path)
    if os.path.exists(text) or not glob.has_magic(text):
        return [Path(text)]
    found = sorted(glob.glob(text))
    if not found:
        raise MissingProduct(f"{text} finds no file; check the pattern and the folder")
    return [Path(name) for name in found]
