"""Samples, blocks and segments of a run as a GeoPackage, which every GIS opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import LandcoverError, MissingProduct, typed
from landcover.files import rasters, vector_styles
from landcover.files.geopackage import GeoPackage, geopackage_when_whole
from landcover.files.region_polygons import region_polygons
from landcover.files.vector_styles import Form, area, circle
from landcover.progress import track
from landcover.run import Run
from landcover.samples.blocks import SPLITS
from landcover.samples.rows import read_samples
from landcover.samples.split_areas import GUARD, split_areas
from landcover.stages.inputs import read_blocks
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.segment import SEGMENTS, read_segments

if TYPE_CHECKING:
    import geopandas
    import pandas as pd

#: The stage's name in the manifest.
STAGE = "export vectors"
#: Samples that are written at once.
_ROWS = 50_000
#: Colours of splits and of the guard: those of ColorBrewer's Dark2, told apart by most eyes.
SPLIT_COLOURS = dict(zip((*SPLITS, GUARD), ("#1b9e77", "#d95f02", "#7570b3", "#666666"),
                         strict=True))  # fmt: skip


def export_vectors(run: Run, out: Path | None = None) -> list[Path]:
    """Write samples, splits and segments as layers of one GeoPackage, with their styles.

    Parameters
    ----------
    run : Run
        Run folder with samples or segments.
    out : path, optional
        Folder to write to; the run's own by default.

    Returns
    -------
    list of Path
        vectors.gpkg: ``samples``, every row and column of samples.parquet; ``splits``, the blocks
        and what the guard takes of them; ``segments``, a multipolygon each, with the columns
        of segments.parquet. What the run does not have is left out.

    Raises
    ------
    LandcoverError
        If the run has none of them, or the table of segments is not that of the raster.
    """
    run.require_folder()
    layers = _layers(run)
    if not layers:
        run.require_one_scene()
        raise MissingProduct(
            f"{run.path} has neither samples nor segments; make them with: "
            f"{run.made_by('samples')} && {run.made_by('segments')}"
        )
    path = (out or run.path) / run.vectors.name
    with geopackage_when_whole(path) as package:
        for name, write in layers.items():
            package.style(name, write(run, package))
    run.record(STAGE, {"layers": list(layers)}, sources(run), [path])
    return [path]


def sources(run: Run) -> list[Path]:
    """The files of a run that its vectors are made of, as far as they exist."""
    files = (run.samples, run.splits, run.segments, run.path / SEGMENTS, run.legend)
    return [path for path in files if path.exists()]


def vectors_of(run: Run) -> Path | None:
    """The GeoPackage of a run, written again where it is missing or older than what it holds.

    None where the run has nothing for it.
    """
    if not _layers(run):
        return None
    made = run.read_manifest()["stages"].get(STAGE, {})
    # the latest may have been written to another folder, and the one here be older
    here = run.vectors.exists() and made.get("products") == [run.vectors.name]
    if not here or made["inputs"] != run.fingerprints(sources(run)):
        export_vectors(run)
    return run.vectors


def left_out(run: Run) -> list[str]:
    """Layers that a run's vectors lack, and the command that makes each, in words."""
    found = []
    for layer, product in (("samples", "samples"), ("splits", "splits"), ("segments", "segments")):
        if layer not in _layers(run):
            found.append(f"no {layer} in this run; make them with: {run.made_by(product)}")
    return found


def _layers(run: Run) -> dict[str, Callable[[Run, GeoPackage], str]]:
    """What writes each layer that the run has, and gives its style."""
    writers = {
        "samples": (run.samples, _write_samples),
        "splits": (run.splits, _write_splits),
        "segments": (run.segments, _write_segments),
    }
    return {name: write for name, (path, write) in writers.items() if path.exists()}


def _write_samples(run: Run, package: GeoPackage) -> str:
    """Every sample, with its class by name in QGIS."""
    table = read_samples(run.samples, geometry=True)
    for start in track(list(range(0, len(table), _ROWS)), "writing samples"):
        package.write("samples", _plain(table.iloc[start : start + _ROWS]))
    legend = read_nomenclature(run).legend
    held = set(np.unique(table["label"]).tolist())
    rows = [
        (str(c.code), f"{c.code} {c.name}", circle(c.hex_colour))
        for c in legend.classes
        if c.code in held
    ]
    names = vector_styles.class_names(legend)
    coded = [name for name in ("label", "reference") if name in table.columns]
    return vector_styles.by_value("label", rows, Form(dict.fromkeys(coded, names)))


def _write_splits(run: Run, package: GeoPackage) -> str:
    package.write("splits", split_areas(read_blocks(run), rasters.grid_of(run.require("scene"))))
    rows = [(use, use, area(colour, 0.4, colour, 0.25)) for use, colour in SPLIT_COLOURS.items()]
    return vector_styles.by_value("use", rows)


def _write_segments(run: Run, package: GeoPackage) -> str:
    """A multipolygon a segment, with its row of the table."""
    import geopandas

    table, crs = read_segments(run), rasters.grid_of(run.segments).crs
    for numbers, pixels, polygons in region_polygons(run.segments):
        _require_rows(run, table, numbers, pixels)
        rows = table.iloc[numbers - 1]
        package.write("segments", _plain(geopandas.GeoDataFrame(rows, geometry=polygons, crs=crs)))
    return vector_styles.one_symbol(area("#ffff00", 0.2))


def _require_rows(run: Run, table: pd.DataFrame, numbers: np.ndarray, pixels: np.ndarray) -> None:
    """Raise LandcoverError where the table does not have these segments with as many pixels."""
    known = numbers <= len(table)
    if known.all():
        rows = table.iloc[numbers - 1]
        known = (rows["segment"].to_numpy() == numbers) & (rows["pixels"].to_numpy() == pixels)
    if not known.all():
        raise LandcoverError(
            f"{run.path / SEGMENTS} does not have segment {numbers[~known][0]} of {run.segments}; "
            f"make both again with: landcover segment {typed(run.path)}"
        )


def _plain(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Columns of types that a GeoPackage has: it has no whole numbers without a sign."""
    unsigned = frame.select_dtypes(["uint16", "uint32"]).columns
    return frame.astype(dict.fromkeys(unsigned, "int64"))
