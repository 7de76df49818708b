"""From source rasters to a scene, and with labels to samples: what ``prep`` takes and does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import (
    ANY,
    COUNT,
    DEFAULT_RUN,
    FINITE,
    POSITIVE,
    POSITIVE_OR_ZERO,
    RASTER,
    Arguments,
    Command,
    add_features,
    add_sampling,
    add_seed,
    add_segmentation,
    in_options,
)
from landcover.commands.prep_sources import by_name, sources, yearly_labels
from landcover.commands.scene import add_scheme, draw_samples, recoded, scheme_of, segmented
from landcover.errors import InputError, typed

if TYPE_CHECKING:
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
    _add_products(parser)
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
    add_scheme(parser, "labels, reference and --class-field")
    parser.add_argument(
        "--reference-scheme",
        metavar="NAME|TABLE.csv",
        help="what the values of the reference mean, where they are of another scheme than the "
        "labels",
    )
    parser.add_argument(
        "--to",
        metavar="NAME",
        help="bring labels and reference to the classes of another scheme by a crosswalk, such as "
        "corine (with --level 1), worldcover or io-lulc-9; what has no single class there becomes "
        "unlabelled, and is said",
    )
    parser.add_argument(
        "--to-crs",
        metavar="auto|EPSG:CODE",
        help="warp the scene once to square pixels in metres, auto: in the zone of UTM of the "
        "place; for scenes in degrees, or in several zones",
    )
    _add_masks(parser)
    _add_dates(parser)
    add_features(
        parser,
        "features to write into scene.tif as bands of their names, such as ndvi glcm:B08:entropy "
        "pca:3, as landcover features lists them",
    )
    parser.add_argument(
        "--features-as",
        type=Path,
        metavar="RUN",
        help="fit features (components, levels of textures) as another run did, so that its models "
        "can map this scene",
    )
    _add_layers(parser)
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


def _add_products(parser: argparse.ArgumentParser) -> None:
    """Products, and which of their granules and bands are taken."""
    parser.add_argument(
        "--product",
        type=Path,
        action="append",
        metavar="X.SAFE|X.zip",
        help="a Sentinel-2 product of level 1C or 2A, a zip archive being read in place, or what "
        "landcover fetch made of one date",
    )
    parser.add_argument(
        "--granule",
        nargs="+",
        metavar="TILE",
        help="of a product of several granules those to take, such as T33UUU (default: all)",
    )
    parser.add_argument(
        "--keep",
        nargs="+",
        metavar="all|core|10m|20m|NAME",
        help="bands to take: the four 10 m bands (core, and 10m), those of 20 m too, all, or names "
        "such as B8A beside the core; coarser bands come to the 10 m grid by cubic convolution "
        "(default: core of products and of the demo scene; of loose files all on the 10 m grid)",
    )


def _add_dates(parser: argparse.ArgumentParser) -> None:
    """Several dates: each kept, and how they become one scene."""
    parser.add_argument(
        "--date",
        nargs="+",
        type=RASTER,
        action="append",
        metavar="FILE",
        help="band files or products of one date, once for each date, instead of --bands: the run "
        "keeps every date, in dates/ and dates.vrt",
    )
    parser.add_argument(
        "--sequence",
        action="store_true",
        help="of --bands or --product of several dates, keep every date as --date does",
    )
    parser.add_argument(
        "--labels-of-year",
        nargs="+",
        action="extend",
        metavar="YEAR=FILE",
        help="coarse labels of one year, for the dates of that year, such as 2021=corine.tif; "
        "without --labels the latest that has dates are the labels of the run",
    )
    parser.add_argument(
        "--confirm-water",
        action="store_true",
        help="unlabel water of the labels where NDWI is not above 0 at every valid date",
    )
    parser.add_argument(
        "--composite",
        metavar="median|medoid|best|percentiles",
        help="make one scene of several dates, of the valid ones at each pixel; percentiles: the "
        "median, and B02_p10, B02_p90, ... beside it (default with --date and --sequence: median)",
    )
    parser.add_argument(
        "--best-date",
        metavar="DAY",
        help="with --composite best: the day that dates are to be near to, such as 2022-07-01 "
        "(default: the middle of the dates)",
    )


def _add_layers(parser: argparse.ArgumentParser) -> None:
    """Bands beside reflectance."""
    parser.add_argument(
        "--dem",
        nargs="+",
        type=RASTER,
        metavar="DEM.tif",
        help="elevation in metres on any grid, as the band elevation, by cubic convolution",
    )
    parser.add_argument(
        "--distance",
        nargs="+",
        metavar="NAME=FILE",
        help="metres to the nearest feature of a vector file, 2000 at most, as the band "
        "NAME_distance, such as roads=roads.gpkg",
    )
    parser.add_argument(
        "--inside",
        nargs="+",
        metavar="NAME=FILE",
        help="1 on features of a vector file and 0 elsewhere, as the band NAME_mask",
    )
    parser.add_argument(
        "--stack",
        nargs="+",
        action="extend",
        metavar="TIF[:NAME]",
        help="a raster on the scene's pixels, such as embeddings, whose bands become further "
        "bands; without --bands and --product the scene consists of it",
    )


def _add_masks(parser: argparse.ArgumentParser) -> None:
    """What hides clouds."""
    parser.add_argument(
        "--mask",
        nargs="*",
        type=RASTER,
        metavar="SCL.tif",
        help="hide clouds: by the SCL of products and stacks, or by rasters of classes or of a "
        "probability, matched to the tiles by day, tile and ground",
    )
    parser.add_argument(
        "--mask-classes",
        nargs="+",
        metavar="CLASS",
        help="values of --mask that hide a pixel, of SCL also names such as cloud-shadow (default, "
        "of SCL: 0 1 3 8 9 10)",
    )
    parser.add_argument(
        "--mask-above",
        type=POSITIVE_OR_ZERO,
        metavar="PERCENT",
        help="--mask is a probability of clouds, and more than this hides a pixel",
    )
    parser.add_argument(
        "--mask-dilation",
        type=POSITIVE_OR_ZERO,
        default=0.0,
        metavar="M",
        help="hide also what is so near to a hidden pixel, metres (default 0)",
    )


def prep_parser() -> argparse.ArgumentParser:
    """The options of ``prep``, in which other commands say what is to be told of files."""
    parser = argparse.ArgumentParser()
    _define_prep(parser)
    return parser


def _idle(a: Arguments) -> set[str]:
    """Names of settings that have no effect beside the others."""
    names: set[str] = set() if a.segment else {"scale", "sigma", "min_size"}
    labels = a.labels or a.labels_of_year or a.class_field
    if (a.bands or a.product or a.date) and not labels:
        names |= {"samples", "method", "min_count"}
    return names | ({"mask_dilation"} if a.mask is None else set())


def _prep(a: Arguments) -> list[Path]:
    from landcover.files.vectors import with_layer
    from landcover.run import Run
    from landcover.scene.segmentation.statistics import is_of_segments
    from landcover.sources.mask_choice import masked
    from landcover.sources.to_crs import to_crs
    from landcover.stages.api_arguments import composite_of, layers_of, mask_of
    from landcover.stages.prepare import (
        notes_on_layers,
        notes_on_tiles,
        prepare,
        radiometry_warnings,
    )
    from landcover.stages.prepare_polygons import training_polygons
    from landcover.stages.prepared_features import wanted_features
    from landcover.stages.staging import staged

    _require_class_field(a)
    composite = composite_of(a.composite, a.best_date)
    named = a.features or ()
    of_segments = [name for name in named if is_of_segments(name)]
    made = [name for name in named if name not in of_segments]
    if of_segments and not a.segment:
        raise InputError(
            f"--features {' '.join(of_segments)} are of segments; make them too: --segment"
        )
    features = wanted_features(made, Run(a.features_as) if a.features_as else None)
    given = True if a.mask == [] else a.mask
    masks = mask_of(given, a.mask_classes, a.mask_above, a.mask_dilation)
    layers = layers_of(a.dem, by_name(a, "distance"), by_name(a, "inside"), a.stack)
    of_years = yearly_labels(a)
    tiles, labels, reference = sources(a)
    tiles = masked(tiles, masks) if masks else tiles
    tiles = to_crs(tiles, a.to_crs) if a.to_crs else tiles
    labelled = labels is not None or bool(of_years)
    if a.polygons and not labelled and a.class_field is None:
        raise InputError(
            f"--polygons {a.polygons} was given without labels to draw inside it; "
            "give --labels CORINE.tif, or --class-field NAME if the polygons hold class codes"
        )
    training = training_polygons(a.polygons, a.layer, a.class_field) if a.class_field else None
    for warning in radiometry_warnings(tiles):
        print(f"warning: {in_options(warning, a.parser)}", file=sys.stderr)
    notes = notes_on_tiles(tiles) + notes_on_layers(layers)
    for note in notes:
        print(f"note: {in_options(note, a.parser)}", flush=True)
    run = Run(a.run)
    with staged(run, a.overwrite) as stage:
        paths = prepare(
            stage,
            tiles,
            labels=labels,
            reference=reference,
            aoi=with_layer(a.aoi, a.layer) if a.aoi else a.bbox,
            level=a.level,
            scheme=scheme_of(a),
            reference_scheme=scheme_of(a, "reference_scheme"),
            to=scheme_of(a, "to"),
            polygons=training,
            composite=composite,
            sequence=bool(a.sequence or a.date),
            labels_of_year=of_years,
            confirm_water=a.confirm_water,
            features=features,
            layers=layers,
        )
        for line in [*_scene(stage, notes), *recoded(stage, "prep")]:
            print(in_options(line, a.parser))
        if a.segment:
            paths += _segments(stage, a, of_segments)
        if labelled or a.class_field:
            paths += draw_samples(stage, a, labels_of_polygons=training is not None)
        else:
            print(
                f"no labels; map it with: landcover map {typed(run.path)} --model OTHER/models/NAME"
            )
    return [run.path / path.relative_to(stage.path) for path in paths]


def _segments(stage: Run, a: Arguments, features: Sequence[str]) -> list[Path]:
    """Segment the scene that was made, and give it features of segments as bands."""
    from landcover.files.rasters import band_names
    from landcover.stages.segment import segment
    from landcover.stages.segment_features import require_segment_features, write_segment_features

    require_segment_features(features, band_names(stage.scene))
    paths = segment(stage, a.scale, a.sigma, a.min_size)
    if features:
        write_segment_features(stage, features)
    print(segmented(stage))
    return paths


def _require_class_field(a: Arguments) -> None:
    """Refuse a field of classes that polygons lack, before bands are read, which takes a while."""
    from landcover.files.vectors import require_field, with_layer

    if not a.class_field:
        return
    if not a.polygons:
        raise InputError(
            f"--class-field {a.class_field} is a field of polygons; give them with --polygons FILE"
        )
    require_field(with_layer(a.polygons, a.layer), a.class_field)


def _scene(run: Run, told: Sequence[str]) -> Iterator[str]:
    """How many pixels have data, why others have none, and notes that have not been told."""
    from landcover.reports.left_out import date_lines, scene_pixels, valid_date_line

    prep = run.read_manifest()["stages"]["prep"]
    yield f"scene: {scene_pixels(prep['pixels'])}"
    yield from date_lines(prep["dates"])
    if prep["valid_dates"]:
        yield valid_date_line(prep["valid_dates"])
    yield from (f"note: {note}" for note in prep["notes"] if note not in told)


COMMANDS: dict[str, Command] = {
    "prep": ("Bring source rasters to a scene, its labels and samples.", _define_prep, _prep),
}
