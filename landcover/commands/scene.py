"""From source rasters to a scene, its segments and samples: what the commands take and do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import (
    ANY,
    COUNT,
    COUNT_OR_NONE,
    DEFAULT_RUN,
    FINITE,
    POSITIVE,
    RASTER,
    Arguments,
    Command,
    add_run,
    add_sampling,
    add_seed,
    add_segmentation,
    in_options,
)
from landcover.errors import InputError, typed

if TYPE_CHECKING:
    from landcover.labels.schemes import LabelScheme
    from landcover.run import Run


def _define_prep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bands",
        nargs="+",
        type=RASTER,
        action="extend",
        metavar="TIF",
        help="B02 B03 B04 B08, or a stacked file; more files are further tiles of the date",
    )
    parser.add_argument(
        "--product", type=Path, action="append", metavar="X.SAFE", help="a Sentinel-2 product"
    )
    parser.add_argument(
        "--band-names",
        nargs="+",
        metavar="NAME",
        help="what the bands of a stacked file are, in order (- leaves one out), or some by "
        "number, such as B02=1 B03=2; or a name a file",
    )
    parser.add_argument("--labels", type=RASTER, metavar="CORINE.tif", help="coarse labels")
    parser.add_argument("--reference", type=RASTER, metavar="TRUTH.tif", help="better labels")
    area = parser.add_mutually_exclusive_group()
    area.add_argument("--aoi", type=Path, metavar="AOI.geojson", help="area of interest")
    area.add_argument(
        "--bbox",
        nargs=4,
        type=ANY,
        metavar=("W", "S", "E", "N"),
        help="area of interest, in degrees or in the scene's CRS; 179.9 S -179.9 N lies across the "
        "180th meridian",
    )
    parser.add_argument("--segment", action="store_true", help="segment the scene too")
    add_segmentation(parser)
    parser.add_argument(
        "--quantification",
        nargs="+",
        type=POSITIVE,
        metavar="Q",
        help="reflectance = (dn + offset) / quantification; of loose files, one for all or one a "
        "tile (default: what each file says, or else 10000; floats up to 1 are reflectance)",
    )
    parser.add_argument(
        "--offset",
        nargs="+",
        type=ANY,
        metavar="O",
        help="-1000 from processing baseline 04.00 on; of loose files, one for all or one a tile "
        "(default: what each file says, or else 0)",
    )
    parser.add_argument(
        "--nodata",
        nargs="+",
        type=FINITE,
        metavar="DN",
        help="digital numbers of loose files that mean no data, besides what the files declare; 0 "
        "means no data only where nothing is declared",
    )
    parser.add_argument(
        "--level",
        type=COUNT,
        metavar="N",
        help="level of the legend, 1 being the coarsest; CORINE has 3 (default: the finest of the "
        "labels)",
    )
    _add_scheme(parser, "labels, reference and --class-field")
    add_sampling(parser)
    add_seed(parser)
    parser.add_argument(
        "--out",
        dest="run",
        type=Path,
        default=DEFAULT_RUN,
        metavar="RUN",
        help=f"run folder (default {DEFAULT_RUN})",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="remove what was made of another scene"
    )
    parser.set_defaults(idle=_idle)


def prep_parser() -> argparse.ArgumentParser:
    """The options of ``prep``, in which other commands say what is to be told of files."""
    parser = argparse.ArgumentParser()
    _define_prep(parser)
    return parser


def _idle(a: Arguments) -> set[str]:
    """Names of settings that have no effect beside the others."""
    names: set[str] = set() if a.segment else {"scale", "sigma", "min_size"}
    if (a.bands or a.product) and not (a.labels or a.class_field):
        names |= {"samples", "method", "min_count"}
    return names


def _add_scheme(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--scheme",
        metavar="NAME|TABLE.csv",
        help=f"what the values of {what} mean: corine-grid, corine, worldcover, ... "
        "or a table of your own classes (code,name,colour); by default the values tell",
    )


def _prep(a: Arguments) -> list[Path]:
    from landcover.files.vectors import with_layer
    from landcover.run import Run
    from landcover.stages.prepare import notes_on_tiles, prepare, radiometry_warnings
    from landcover.stages.segment import segment
    from landcover.stages.staging import staged

    tiles, labels, reference = _sources(a)
    if a.polygons and labels is None and a.class_field is None:
        raise InputError(
            f"--polygons {a.polygons} was given without labels to draw inside it; "
            "give --labels CORINE.tif, or --class-field NAME if the polygons hold class codes"
        )
    for warning in radiometry_warnings(tiles):
        print(f"warning: {in_options(warning, a.parser)}", file=sys.stderr)
    notes = notes_on_tiles(tiles)
    for note in notes:
        print(f"note: {note}", flush=True)
    run = Run(a.run)
    with staged(run, a.overwrite) as stage:
        paths = prepare(
            stage,
            tiles,
            labels=labels,
            reference=reference,
            aoi=with_layer(a.aoi, a.layer) if a.aoi else a.bbox,
            level=a.level,
            scheme=_scheme(a),
        )
        for line in [*_scene(stage, notes), *_recoded(stage, "prep")]:
            print(line)
        if a.segment:
            paths += segment(stage, a.scale, a.sigma, a.min_size)
            print(_segmented(stage))
        if labels is not None or a.class_field:
            paths += _draw_samples(stage, a, level=a.level)
        else:
            print(
                f"no labels; map it with: landcover map {typed(run.path)} --model OTHER/models/NAME"
            )
    return [run.path / path.relative_to(stage.path) for path in paths]


def _scene(run: Run, told: Sequence[str]) -> Iterator[str]:
    """How many pixels have data, why others have none, and notes that have not been told."""
    from landcover.reports.left_out import scene_pixels

    prep = run.read_manifest()["stages"]["prep"]
    yield f"scene: {scene_pixels(prep['pixels'])}"
    yield from (f"note: {note}" for note in prep["notes"] if note not in told)


def _scheme(a: Arguments) -> LabelScheme | None:
    from landcover.labels.schemes import find_scheme

    return find_scheme(a.scheme) if a.scheme else None


def _recoded(run: Run, stage: str) -> Iterator[str]:
    """What each value of labels or polygons became, for somebody to see that it is right."""
    from landcover.labels.on_grid import NO_LABEL

    for name, recoded in run.read_manifest()["stages"][stage].get("classes", {}).items():
        yield f"{name}: scheme {recoded['scheme']}"
        for entry in recoded["values"]:
            if entry["name"] == NO_LABEL:
                yield f"  {NO_LABEL}, {100 * entry['share']:.1f} %"
                continue
            value = "other" if entry["value"] is None else entry["value"]
            code = f"{entry['code']} " if entry["code"] else ""
            yield f"  {value} -> {code}{entry['name']}, {100 * entry['share']:.1f} %"


def _sources(a: Arguments) -> tuple[list, Path | None, Path | None]:
    """Tiles, labels and reference that were asked for, or those of the demo scene."""
    from landcover.sources import band_files, sentinel2
    from landcover.sources.synthetic.files import write_demo

    if a.bands and a.product:
        raise InputError("--bands and --product were both given; give one of them")
    of_files = ("band_names", "quantification", "offset", "nodata")
    given = [f"--{name.replace('_', '-')}" for name in of_files if getattr(a, name)]
    if given and not a.bands:
        raise InputError(
            f"{', '.join(given)}: of loose files, and a product says its own; leave it out, or "
            "give the images with --bands"
        )
    if a.product:
        return [sentinel2.open_sentinel2(path) for path in a.product], a.labels, a.reference
    if a.bands:
        tiles = band_files.open_bands(
            a.bands, a.quantification, a.offset, a.band_names or (), nodata=a.nodata or ()
        )
        return tiles, a.labels, a.reference
    if a.labels or a.reference or a.aoi or a.bbox:
        raise InputError(
            "labels, reference or area were given without a scene; "
            "give --bands B02.tif B03.tif B04.tif B08.tif or --product X.SAFE"
        )
    bands, corine, truth = write_demo(Path("data/demo"), a.seed)
    return band_files.open_bands(bands), corine, truth


def _draw_samples(
    run: Run, a: Arguments, buffer: int | None = None, level: int | None = None
) -> list[Path]:
    """Draw samples by the options that preparing and sampling share, and say what was drawn."""
    from landcover.files.vectors import with_layer
    from landcover.samples.table import Draw
    from landcover.stages.sample import sample

    method = "polygons" if a.polygons else a.method
    polygons = with_layer(a.polygons, a.layer) if a.polygons else None
    wanted = Draw(
        a.samples, method, polygons, a.class_field, a.min_count, a.features, _scheme(a), level
    )
    paths = sample(
        run, wanted, max_patch=a.max_patch, seed=a.seed, buffer=buffer, block_px=a.block_px
    )
    for line in [*_recoded(run, "sample"), _drawn(run)]:
        print(line)
    return paths


def _define_segment(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_segmentation(parser)


def _segment(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.segment import segment

    run = Run(a.run)
    paths = segment(run, a.scale, a.sigma, a.min_size)
    print(_segmented(run))
    return paths


def _segmented(run: Run) -> str:
    """How many segments there are, how small they may be, and what lies in none."""
    from landcover.files import rasters

    stage, grid = run.read_manifest()["stages"]["segment"], rasters.grid_of(run.segments)
    settings, outside = stage["settings"], stage["without_data"]
    ha = settings["min_size"] * grid.pixel_areas_ha((grid.rows - 1) / 2, (grid.cols - 1) / 2)
    text = f"segments: {settings['segments']:,} of {settings['min_size']} px ({ha:.3g} ha) or more"
    if not outside:
        return text
    return f"{text}; {outside:,} of {grid.rows * grid.cols:,} pixels without data are in none"


def _define_sample(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_sampling(parser)
    _add_scheme(parser, "--class-field")
    parser.add_argument(
        "--buffer",
        type=COUNT_OR_NONE,
        metavar="R",
        help="also write chips of (2R + 1) x (2R + 1) pixels as one array",
    )
    add_seed(parser)


def _sample(a: Arguments) -> list[Path]:
    from landcover.run import Run

    return _draw_samples(Run(a.run), a, a.buffer)


def _drawn(run: Run) -> str:
    """The blocks, how many samples there are of each split, and which classes were too rare."""
    from landcover.files.atomic import read_json
    from landcover.files.rasters import grid_of
    from landcover.grid import in_metres

    side_m = grid_of(run.scene).pixel_m
    sampled = read_json(run.manifest)["stages"]["sample"]
    settings = sampled["settings"]
    text = f"blocks: {settings['blocks']} of {in_metres(settings['block_px'], side_m)}"
    found = settings["label_correlation"]
    if found:
        least = "at least " if found["range_px"] >= found["longest_lag_px"] else ""
        text += f"; labels are alike up to {least}{in_metres(found['range_px'], side_m)}"
    text += f"; guard {in_metres(settings['guard_px'], side_m)}\nsamples: "
    text += ", ".join(f"{n} {split}" for split, n in settings["drawn"].items())
    if settings["dropped_classes"]:
        rare = ", ".join(f"{code} ({n} px)" for code, n in settings["dropped_classes"].items())
        text += f"; left out as too rare (--min-count): {rare}"
    lines = [text, *(f"note: {note}" for note in sampled["notes"])]
    if any("none was drawn" in note for note in sampled["notes"]):
        equally = settings["method"] == "uniform"
        other = ", or draw equally of every class to train: --method stratified" if equally else ""
        lines.append(f"note: raise --samples{other}")
    return "\n".join(lines)


def _define_denoise(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_seed(parser)


def _denoise(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.denoise import denoise

    run = Run(a.run)
    paths = denoise(run, a.seed)
    for note in run.read_manifest()["stages"]["denoise"]["notes"]:
        print(f"note: {note}")
    return paths


COMMANDS: dict[str, Command] = {
    "prep": ("Bring source rasters to a scene, its labels and samples.", _define_prep, _prep),
    "segment": ("Segment a scene and type its segments.", _define_segment, _segment),
    "sample": ("Draw samples and deal blocks to splits.", _define_sample, _sample),
    "denoise": ("Estimate where the labels are wrong.", _define_denoise, _denoise),
}
