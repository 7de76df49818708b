"""The stages up to samples, as a program calls them.

A stage function itself takes a `Run` and gives the paths that it wrote, which is what a command
prints. The functions here take what there is, a path or a glob or a value made before, and give
back what one would open next. They are names of `landcover` itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from landcover.errors import InputError
from landcover.files.atomic import read_json
from landcover.files.raster_names import raster_name
from landcover.reports.shown import NoiseReport
from landcover.run import Run
from landcover.stages.api_arguments import (
    PathLike,
    RunLike,
    composite_of,
    layers_of,
    mask_of,
    run_of,
    scheme_of,
    tiles_of,
)

if TYPE_CHECKING:
    import geopandas
    import pandas as pd

    from landcover.labels.schemes import LabelScheme
    from landcover.sources.tile import Tile

#: Where the files of the demo scene go, below the folder of the run.
_DEMO = "sources"


def prepare(  # noqa: PLR0913 - an argument for each option of landcover prep
    run: RunLike,
    bands: PathLike | Tile | Sequence[PathLike | Tile] | None = None,
    labels: PathLike | None = None,
    reference: PathLike | None = None,
    *,
    aoi: PathLike | Sequence[float] | None = None,
    level: int | None = None,
    scheme: LabelScheme | PathLike | None = None,
    reference_scheme: LabelScheme | PathLike | None = None,
    to: LabelScheme | PathLike | None = None,
    polygons: PathLike | None = None,
    layer: str | None = None,
    class_field: str | None = None,
    dates: Sequence[PathLike | Tile | Sequence[PathLike | Tile]] | None = None,
    sequence: bool = False,
    labels_of_year: Mapping[int, PathLike] | None = None,
    confirm_water: bool = False,
    composite: str | None = None,
    best_date: str | None = None,
    mask: bool | PathLike | Sequence[PathLike] | None = None,
    mask_classes: Sequence[int | str] | None = None,
    mask_above: float | None = None,
    mask_dilation: float = 0.0,
    keep: str | Sequence[str] | None = None,
    to_crs: str | None = None,
    features: Sequence[str] = (),
    features_as: RunLike | None = None,
    dem: PathLike | Sequence[PathLike] | None = None,
    distance: Mapping[str, PathLike] | None = None,
    inside: Mapping[str, PathLike] | None = None,
    stack: PathLike | Sequence[PathLike] | None = None,
    overwrite: bool = False,
) -> Run:
    """Make the scene of a run, and its labels and reference on the scene's grid.

    Parameters
    ----------
    run : Run or path
        Run folder; it is made where there is none. Samples, models and maps that it holds stay
        where scene, labels and reference turn out as they were.
    bands : path, Tile, or sequence of these, optional
        Sentinel-2 imagery of one date: a SAFE product, zipped or not, band files, a stacked file,
        a STAC item, or a glob of them; or tiles from `open_sentinel2`, `open_bands` and
        `open_stac`. Numbers of loose files become reflectance as the files say (`open_bands`, which
        also takes other numbers). Without any the demo scene is made, with labels and reference:
        800 x 1600 pixels of synthetic land.
    labels : path, optional
        Coarse label raster, such as CORINE, in any CRS.
    reference : path, optional
        Better labels, in the same codes. Nothing learns from them unless it is told to.
    aoi : path or (west, south, east, north), optional
        Area of interest: polygons of a vector file, or a box. A box whose values are all within
        -180..180 and -90..90 is longitude and latitude (EPSG:4326); with west above east it lies
        across the 180th meridian. Other values are coordinates in the CRS of the scene. Outside
        the area the scene is nodata.
    level : int, optional
        Level of the legend, from 1, the coarsest; by default the finest that the labels have.
    scheme : LabelScheme, name or path, optional
        What the values of labels and reference mean: a scheme, the name of one of the package
        ("corine-grid", "corine", "worldcover", ...), or a table of classes (.csv, .qml, or the
        legend.json of a run). By default the values tell; where they fit several schemes, the
        labels are refused.
    reference_scheme : LabelScheme, name or path, optional
        What the values of the reference mean, where they are of another scheme than the labels.
    to : LabelScheme or name, optional
        Scheme whose classes labels and reference are brought to, at `level`, by a crosswalk. What
        has no single class there becomes unlabelled.
    polygons : path, optional
        Vector file of training polygons: the labels, or where there are `labels` too, leading over
        them where they lie.
    layer : str, optional
        Layer of `polygons`, where the file has several.
    class_field : str, optional
        Field of `polygons` with classes, as codes or as names.
    dates : sequence of (path, Tile, or sequence of these), optional
        Imagery of several dates instead of `bands`, what belongs to each date by itself. The run
        keeps all of them, as with `sequence`.
    sequence : bool
        Keep every date of `bands` as a raster of its own, beside a composite of them.
    labels_of_year : mapping of int to path, optional
        Label rasters of one year each, for the dates of that year. Without `labels`, the latest of
        them that has dates are the labels of the run.
    confirm_water : bool
        Make water of the labels unlabelled where the water index NDWI is not above 0 at every
        valid date.
    composite : {"median", "medoid", "best", "percentiles"}, optional
        Make one scene of several dates, each pixel of the dates that are valid there: the median
        of each band, the date most like the others, the date nearest to `best_date`, or the
        median with the percentiles 10 and 90 as further bands. By default the median of a
        sequence; else two dates of one ground are refused.
    best_date : str, optional
        Day such as "2022-07-01", for the composite "best"; by default the middle of the dates.
    mask : bool, path or sequence of path, optional
        Hide clouds: True by the SCL that products and stacks hold, or by rasters of classes or of
        a probability, matched to the tiles by day, tile number and ground.
    mask_classes : sequence of int or str, optional
        Values that hide a pixel; of SCL also names. By default SCL's 0 no data, 1 saturated or
        defective, 3 cloud shadow, 8 and 9 cloud, and 10 thin cirrus.
    mask_above : float, optional
        The mask is a probability of clouds in percent, and more than this hides a pixel.
    mask_dilation : float
        Hide also what is so near to a hidden pixel, metres.
    keep : str or sequence of str, optional
        Bands to take of products and files: "core", "10m", "20m", "all", or names, as
        `open_sentinel2` takes them. By default the core of products and STAC items, and of loose
        files all that lie on the grid of their 10 m bands.
    to_crs : str, optional
        Warp the scene once, as it is read, to square pixels of a reference system in metres:
        "auto" for the zone of UTM of the place, or one such as "EPSG:3035". For scenes in degrees,
        with pixels that are not square, or in several zones.
    features : sequence of str
        Features to write as further bands of the scene, such as "ndvi" or "glcm:B08:entropy".
    features_as : Run or path, optional
        Run whose fit of components and textures they take, so that its models can map this scene.
    dem : path or sequence of path, optional
        Elevation rasters in metres, of any grid, as the band ``elevation``.
    distance, inside : mapping of str to path, optional
        Vector files by name, such as ``{"roads": "roads.gpkg"}``: as bands ``roads_distance``,
        metres to the nearest feature, 2000 at most; or ``roads_mask``, 1 on features and 0
        elsewhere.
    stack : path or sequence of path, optional
        Rasters on the pixels of the scene, such as embeddings, whose bands become further bands.
        ``"emb.tif:late"`` begins their names with ``late``. With a stack and no `bands`, the scene
        consists of the stack.
    overwrite : bool
        Remove models, maps and reports that another scene makes meaningless.

    Returns
    -------
    Run
        The run, with scene.tif: reflectance, float32, NaN for nodata; and labels.tif and
        reference.tif: class codes, uint16, 0 for unlabelled; legend.json says what they are. A
        composite has observations.tif too: how many dates are valid, and which one is shown. A
        sequence has dates/DAY.tif too, and dates.vrt, which is all of them.

    Raises
    ------
    MissingProduct
        If a source does not exist, or a glob finds nothing.
    InputError
        If a band is missing, grids differ, a date is given twice, or labels do not lie on the
        scene or have unknown codes.
    LandcoverError
        If the run holds models of another scene and `overwrite` is false.

    Examples
    --------
    Some synthetic land stands in for a Sentinel-2 tile and a CORINE raster:

    >>> import landcover as lc
    >>> land = lc.make_scene(240, 300, seed=1)
    >>> lc.write("stack.tif", land.image, land.grid, land.bands).name
    'stack.tif'
    >>> lc.write("corine.tif", land.corine, land.corine_grid, ["CLC grid code"], nodata=0).name
    'corine.tif'
    >>> tiles = lc.open_bands(["stack.tif"], quantification=1)
    >>> run = lc.prepare("runs/small", bands=tiles, labels="corine.tif")
    >>> run
    Run('runs/small')
    >>> lc.read(run.scene).shape, lc.read(run.labels).shape
    ((4, 240, 300), (1, 240, 300))
    """
    from landcover.sources.band_files import open_bands
    from landcover.sources.dates import by_group
    from landcover.sources.mask_choice import masked
    from landcover.sources.synthetic.files import write_demo
    from landcover.sources.to_crs import to_crs as brought
    from landcover.stages import prepare as stage
    from landcover.stages.prepare_polygons import training_polygons
    from landcover.stages.prepared_features import wanted_features
    from landcover.stages.staging import staged

    run = run_of(run)
    wanted = wanted_features(features, None if features_as is None else run_of(features_as))
    layers = layers_of(dem, distance, inside, stack)
    if bands is not None and dates is not None:
        raise InputError("bands= and dates= were both given; give one of them")
    if dates is not None:
        tiles, sequence = by_group([tiles_of(date, True, keep) for date in dates]), True
    elif bands is None and stack is not None:
        tiles = []
    elif bands is None:
        if (labels, reference, aoi) != (None, None, None):
            raise InputError(
                f"labels, reference or aoi were given for {run.path} without bands; "
                "give bands=, a SAFE product or band files"
            )
        files = write_demo(run.path / _DEMO, seed=0, keep=keep or "core")
        tiles = open_bands(files.bands, keep=keep)
        labels, reference = files.corine, files.truth
    else:
        tiles = tiles_of(bands, several_dates=sequence or composite is not None, keep=keep)
    masks = mask_of(mask, mask_classes, mask_above, mask_dilation)
    tiles = masked(tiles, masks) if masks else tiles
    tiles = brought(tiles, to_crs) if to_crs else tiles
    for warning in stage.radiometry_warnings(tiles):
        warnings.warn(warning, UserWarning, stacklevel=2)
    with staged(run, overwrite, stages=("prep",)) as part:
        stage.prepare(
            part,
            tiles,
            labels=None if labels is None else raster_name(labels),
            reference=None if reference is None else raster_name(reference),
            aoi=aoi,
            level=level,
            scheme=scheme_of(scheme),
            reference_scheme=scheme_of(reference_scheme),
            to=scheme_of(to),
            polygons=training_polygons(polygons, layer, class_field),
            composite=composite_of(composite, best_date),
            sequence=sequence,
            labels_of_year={y: raster_name(path) for y, path in (labels_of_year or {}).items()},
            confirm_water=confirm_water,
            features=wanted,
            layers=layers,
        )
    return run


def segment(
    run: RunLike,
    scale: float = 1200.0,
    sigma: float = 0.5,
    min_size: int = 500,
    levels: Sequence[int] = (4, 8, 16),
) -> pd.DataFrame:
    """Segment the scene of a run by all its bands, and give every segment its types.

    Parameters
    ----------
    run : Run or path
        Run folder with a scene. Samples that it already has get the new segments.
    scale : float
        Larger scale, larger segments; in grey levels of 0-255, where 255 is a reflectance of
        0.05.
    sigma : float
        Standard deviation of the smoothing before, pixels.
    min_size : int
        Smallest segment, pixels.
    levels : sequence of int
        Numbers of types of the hierarchy, ascending.

    Returns
    -------
    pandas.DataFrame
        A row a segment: its number, its pixels, the mean reflectance of every band, its types.
        The run gets segments.tif, segment_types.tif and segments.parquet.

    Raises
    ------
    MissingProduct
        If the run has no scene.
    InputError
        If the scene has no valid pixel, or a setting is out of range.

    Examples
    --------
    >>> import landcover as lc
    >>> segments = lc.segment("runs/demo", min_size=300)
    >>> list(segments.columns[:6])
    ['segment', 'pixels', 'B02', 'B03', 'B04', 'B08']
    >>> bool(segments["pixels"].min() >= 300)
    True
    """
    from landcover.stages import segment as stage

    run = run_of(run)
    stage.segment(run, scale, sigma, min_size, levels)
    return stage.read_segments(run)


def sample(  # noqa: PLR0913 - an argument for each option of landcover sample
    run: RunLike,
    samples: int = 40_000,
    method: str = "uniform",
    *,
    polygons: PathLike | None = None,
    layer: str | None = None,
    class_field: str | None = None,
    scheme: LabelScheme | PathLike | None = None,
    min_count: int = 50,
    features: Sequence[str] | None = None,
    max_patch: int | None = None,
    block_px: int | None = None,
    buffer: int | None = None,
    seed: int = 0,
) -> geopandas.GeoDataFrame:
    """Deal the blocks of a run to training, validation and test, and draw samples.

    Parameters
    ----------
    run : Run or path
        Run folder with a scene and labels.
    samples : int
        How many to draw; fewer where there are fewer labelled pixels.
    method : {"uniform", "stratified"}
        Every labelled pixel alike, or every class alike.
    polygons : path, optional
        Vector file; training and validation samples are drawn inside it.
    layer : str, optional
        Layer of `polygons`, where the file has several.
    class_field : str, optional
        Field of `polygons` with classes, which then are the labels.
    scheme : LabelScheme, name or path, optional
        What the values of `class_field` mean, as `prepare` takes it. By default they tell.
    min_count : int
        Classes with fewer labelled pixels in the scene are left out.
    features : sequence of str, optional
        Columns of features beside the bands; by default those of ndvi, ndwi and bi2 that the
        bands allow.
    max_patch : int, optional
        Side in pixels of the largest patch that will be trained: the guard between splits is as
        wide as its radius.
    block_px : int, optional
        Side of a block in pixels; by default from the range within which labels are alike.
    buffer : int, optional
        Radius in pixels of chips, which are written to chips_R.npy: float32 (samples, 2R + 1,
        2R + 1, bands), in the order of the table.
    seed : int
        Of the deal and the draw.

    Returns
    -------
    geopandas.GeoDataFrame
        A row a sample: point, row and col on the scene, label, block, split, reflectance of the
        bands, features. The run gets samples.parquet and splits.json.

    Raises
    ------
    MissingProduct
        If scene or labels are missing.
    InputError
        If fewer than two classes or too few blocks are left, polygons cannot be read, or there is
        no such feature.

    Examples
    --------
    >>> import landcover as lc
    >>> samples = lc.sample("runs/demo", samples=2000)
    >>> sorted(samples["split"].unique())
    ['test', 'train', 'validation']
    >>> samples[["B02", "ndvi"]].isna().any().any()
    np.False_
    """
    from landcover.files.vectors import with_layer
    from landcover.samples.rows import read_samples
    from landcover.samples.table import Draw
    from landcover.stages import sample as stage

    run = run_of(run)
    stage.sample(
        run,
        Draw(
            samples,
            "polygons" if polygons is not None else method,
            None if polygons is None else with_layer(polygons, layer),
            class_field,
            min_count,
            features,
            scheme_of(scheme),
        ),
        max_patch=max_patch,
        seed=seed,
        buffer=buffer,
        block_px=block_px,
    )
    return read_samples(run.require("samples"), geometry=True)


def denoise(run: RunLike, seed: int = 0) -> NoiseReport:
    """Estimate where the labels of a run are wrong, and what is there instead.

    Parameters
    ----------
    run : Run or path
        Run folder with scene, labels and samples.
    seed : int
        Of the network that is asked.

    Returns
    -------
    dict
        What label_noise.json holds: doubt by class and by distance to borders between labels,
        and which class hides in which; shares 0-1. The run gets label_confidence.tif (percent),
        refined_labels.tif and label_noise.parquet.

    Raises
    ------
    MissingProduct
        If scene, labels or samples are missing.
    InputError
        If the guard between splits leaves no room for patches, or the seed is out of range.

    Examples
    --------
    A patch network learns the labels first, which takes a minute on the demo scene:

    >>> import landcover as lc
    >>> doubt = lc.denoise("runs/demo")  # doctest: +ELLIPSIS
    Labels are ...
    >>> sorted(doubt)[2:]
    ['classes', 'distances', 'mean_confidence', 'notes', 'refinement', 'view']
    >>> 0 < doubt["mean_confidence"] < 1
    True
    """
    from landcover.stages import denoise as stage

    run = run_of(run)
    stage.denoise(run, seed)
    return NoiseReport(read_json(run.path / "label_noise.json"))
