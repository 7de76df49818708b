"""Scene and labels to splits and a sample table, and to chips for other programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import InputError, require_seed, require_whole
from landcover.files import rasters, tables
from landcover.files.atomic import replace_when_whole, write_json
from landcover.files.vectors import file_and_layer
from landcover.labels.polygons import ClassPolygons, read_class_polygons
from landcover.labels.recognition import Hints, schemes_of
from landcover.labels.schemes import SCHEMES
from landcover.run import Run
from landcover.samples import chips, splits
from landcover.samples.blocks import SPLITS, Blocks, Layout, layout
from landcover.samples.class_splits import class_splits, remarks
from landcover.samples.correlation import Correlation, Thinned
from landcover.samples.layers import Rasters, Source, open_source
from landcover.samples.polygon_groups import Ties
from landcover.samples.table import Draw, count, draw, require_features, write_chips
from landcover.stages.run_legend import read_nomenclature, write_nomenclature

if TYPE_CHECKING:
    import geopandas
    import numpy as np


def sample(
    run: Run,
    wanted: Draw | None = None,
    *,
    max_patch: int | None = None,
    seed: int = 0,
    buffer: int | None = None,
    block_px: int | None = None,
) -> list[Path]:
    """Deal the blocks of a run to splits and draw samples.

    Parameters
    ----------
    run : Run
        Run folder with a scene and labels; reference and segments join the
        table where the run has them.
    wanted : Draw, optional
        What to draw; 40,000 labelled pixels, all alike, by default.
    max_patch : int, optional
        Side of the largest patch that will be trained: sets the guard.
    seed : int
        Of the deal and the draw.
    buffer : int, optional
        Radius of chips to write as ``chips_R.npy``, float32 (samples, 2R + 1,
        2R + 1, bands), in the order of the table.
    block_px : int, optional
        Side of a block; by default from the labels' correlation range, see `blocks.layout`.

    Returns
    -------
    list of Path
        splits.json, samples.parquet and the chips.

    Raises
    ------
    LandcoverError
        If scene or labels are missing or on different grids, if fewer than two
        classes or too few pixels are left, if patches are even or larger than
        the scene, if polygons cannot be read, or if the disk is too small.
    """
    require_seed(seed)
    for name, value in {"max_patch": max_patch, "block_px": block_px}.items():
        if value is not None:
            require_whole(name, value)
    wanted = wanted or Draw()
    polygons, class_field = wanted.polygons, wanted.class_field
    classes = _class_polygons(run, wanted)
    source = open_source(_rasters(run, classes), polygons, classes)
    require_features(source.bands, wanted.features)
    correlated = _correlation(source)
    label_range = round(correlated.range_px, 1) if correlated else None
    plan = _layout(source, block_px, max_patch, buffer, label_range or 0.0)
    counted = count(source, plan, wanted.min_count)
    blocks, whole = _dealt(source, plan, counted.counts, seed)
    blocks = replace(blocks, label_range_px=label_range)
    table = draw(source, blocks, counted, wanted, seed)
    by_class = class_splits(table, "label", source.nomenclature, counted.by_class(blocks))
    products = _write(run, blocks, table, buffer, source)
    if classes is not None and not _has_classes(run):
        products.append(write_nomenclature(run.legend, classes.nomenclature))
    run.record(
        "sample",
        {
            "samples": wanted.samples,
            "method": wanted.method,
            "polygons": None if polygons is None else str(polygons),
            "class_field": class_field,
            "min_count": wanted.min_count,
            "max_patch": max_patch,
            "block_px": blocks.block_px,
            "block_px_from": "labels" if block_px is None else "--block-px",
            "label_correlation": correlated.as_dict() if correlated else None,
            "blocks": int(blocks.splits.size),
            "guard_px": blocks.guard_px,
            "buffer": buffer,
            "features": None if wanted.features is None else list(wanted.features),
            "seed": seed,
            "classes": counted.codes.tolist(),
            "dropped_classes": {str(code): n for code, n in counted.dropped.items()},
            "drawn": {name: int((table["split"] == name).sum()) for name in SPLITS},
        },
        [path for path in (run.scene, run.labels, *_file(polygons)) if path.exists()],
        products,
        ({} if classes is None else {"classes": {"polygons": classes.became}})
        | {
            "class_splits": by_class,
            "notes": ([] if classes is None else _of_polygons(run, classes))
            + whole
            + remarks(by_class),
        },
    )
    return products


def _dealt(source: Source, plan: Layout, counts: np.ndarray, seed: int) -> tuple[Blocks, list[str]]:
    """The blocks as dealt, with polygons whole where that can be; and what to say of it."""
    if source.polygons is None:
        return splits.deal(plan, counts, seed=seed), []
    ties = Ties(plan)
    for window, numbers in source.strips("Looking which blocks polygons tie", source.polygons):
        ties.add(numbers, window)
    if not ties.crossing:
        return splits.deal(plan, counts, seed=seed), []
    try:
        blocks = splits.deal(plan, counts, seed=seed, groups=ties.groups())
    except InputError:
        text = (
            f"{ties.crossing:,} polygons lie in several blocks and tie too many to be dealt whole: "
            "blocks part them, so that parts of one polygon are trained on and tested, a "
            "guard apart; smaller polygons or block_px= keep them whole"
        )
        return splits.deal(plan, counts, seed=seed), [text]
    several = "1 polygon lies" if ties.crossing == 1 else f"{ties.crossing:,} polygons lie"
    return blocks, [f"{several} in several blocks, which are dealt together"]


def _of_polygons(run: Run, classes: ClassPolygons) -> list[str]:
    """What is left out of polygons, and that maps have another truth than samples, if so."""
    if not _has_classes(run):
        return classes.notes()
    return [
        "samples are drawn from the polygons alone, and scores on test samples are against them; "
        "maps are scored against the labels of the run",
        *classes.notes(),
    ]


def _file(polygons: str | Path | None) -> list[Path]:
    """The file of polygons, without the layer that its path may name."""
    return [] if polygons is None else [file_and_layer(polygons)[0]]


def _class_polygons(run: Run, wanted: Draw) -> ClassPolygons | None:
    """The polygons that replace the run's labels, if a field of theirs was named.

    Beside label rasters their classes are the run's. In a run without label rasters they make
    its legend, unless it has one and no other scheme is asked for.
    """
    if wanted.class_field is None:
        return None
    grid, held, scheme = rasters.grid_of(run.require("scene")), None, wanted.scheme
    if wanted.polygons is None:
        raise InputError(
            f"class field {wanted.class_field!r} needs polygons to read it from; give polygons=FILE"
        )
    if _has_classes(run) or (scheme is None and run.legend.exists()):
        held = read_nomenclature(run)
        if scheme is not None and scheme.levels != held.levels:
            raise InputError(
                f"scheme {scheme.name} has other classes than {run.path}, whose labels are of "
                f"{held.title}; give a scheme of the same classes"
            )
    among = tuple(SCHEMES.values()) if held is None else tuple(schemes_of(held))
    hints = Hints(scheme, among, beside=_has_classes(run))
    return read_class_polygons(Path(wanted.polygons), wanted.class_field, grid, hints, held)


def _has_classes(run: Run) -> bool:
    """Whether a run has a label raster."""
    return run.labels.exists() or run.reference.exists()


def _rasters(run: Run, classes: ClassPolygons | None) -> Rasters:
    """The rasters of a run that samples are drawn from, and their classes or those of polygons."""
    scene = run.require("scene")
    if classes is None:
        run.require("labels")
    paths = (run.labels, run.reference, run.segments, run.segment_types, run.polygons)
    return Rasters(
        scene,
        classes.nomenclature if classes is not None else read_nomenclature(run),
        *(path if path.exists() else None for path in paths),
    )


def _correlation(source: Source) -> Correlation | None:
    """How far the labels are alike, from every n-th row and column."""
    thinned = Thinned(*source.grid.shape)
    for window, labels in source.strips("Measuring how far labels are alike", source.labels):
        thinned.add(labels, window)
    return thinned.correlation()


def _layout(
    source: Source, block_px: int | None, max_patch: int | None, buffer: int | None, range_px: float
) -> Layout:
    """Blocks and guard for the patches that are announced or written."""
    grid = source.grid
    if buffer is not None and buffer < 0:
        raise InputError(f"buffer {buffer} is negative; give the radius of a chip in pixels")
    for size in (max_patch, None if buffer is None else 2 * buffer + 1):
        if size is not None:
            chips.require_fits(size, grid.rows, grid.cols)
    cell_px = grid.pixels(source.nomenclature.cell_m)
    plan = layout(*grid.shape, block_px, None, max_patch, range_px, cell_px, grid.pixel_m)
    if buffer is not None and buffer > plan.guard_px:
        plan = layout(*grid.shape, block_px, None, 2 * buffer + 1, range_px, cell_px, grid.pixel_m)
    return plan


def _write(
    run: Run,
    blocks: Blocks,
    table: geopandas.GeoDataFrame,
    buffer: int | None,
    source: Source,
) -> list[Path]:
    """Write splits, table and chips."""
    products = [run.splits, run.samples]
    with replace_when_whole(run.samples) as part:
        tables.write(part, table)
        if buffer is not None:
            products.append(write_chips(run.path / f"chips_{buffer}.npy", source, table, buffer))
    write_json(run.splits, blocks.to_dict())
    for path in run.path.glob("chips_*.npy"):
        if path not in products:  # of an earlier draw, so of other samples
            path.unlink()
    return products
