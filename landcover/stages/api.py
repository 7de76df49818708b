"""The stages as a program calls them: runs by their folder in, results in memory out.

A stage function itself takes a `Run` and gives the paths that it wrote, which is what a command
prints. The functions here take what there is, a path or a glob or a value made before, and give
back what one would open next. They are the names of `landcover` itself.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landcover.errors import InputError, MissingProduct
from landcover.files.atomic import read_json
from landcover.run import Run

if TYPE_CHECKING:
    import geopandas
    import pandas as pd

    from landcover.classifiers.models import Model
    from landcover.labels.schemes import LabelScheme
    from landcover.sources.tile import Tile

PathLike = str | Path
RunLike = Run | PathLike

#: Where the files of the demo scene go, below the folder of the run.
_DEMO = "sources"


def prepare(
    run: RunLike,
    bands: PathLike | Tile | Sequence[PathLike | Tile] | None = None,
    labels: PathLike | None = None,
    reference: PathLike | None = None,
    *,
    aoi: PathLike | Sequence[float] | None = None,
    level: int | None = None,
    scheme: LabelScheme | PathLike | None = None,
    overwrite: bool = False,
) -> Run:
    """Make the scene of a run, and its labels and reference on the scene's grid.

    Parameters
    ----------
    run : Run or path
        Run folder; it is made where there is none. Samples, models and maps that it holds stay
        where scene, labels and reference turn out as they were.
    bands : path, Tile, or sequence of these, optional
        Sentinel-2 imagery of one date: a SAFE product, band files, a stacked file, a STAC item, or
        a glob of them; or tiles from `open_sentinel2`, `open_bands` and `open_stac`. Digital
        numbers of loose files are divided by 10,000; `open_bands` takes other numbers. Without
        any the demo scene is made, with labels and reference: 800 x 1600 pixels of synthetic
        land.
    labels : path, optional
        Coarse label raster, such as CORINE, in any CRS.
    reference : path, optional
        Better labels, in the same codes. Nothing learns from them unless it is told to.
    aoi : path or (west, south, east, north), optional
        Area of interest: polygons of a vector file, or bounds in units of the scene's CRS.
        Outside it the scene is nodata.
    level : int, optional
        Level of the legend, from 1, the coarsest; by default the finest that the labels have.
    scheme : LabelScheme, name or path, optional
        What the values of labels and reference mean: a scheme, the name of one of the package
        ("corine-grid", "corine", "worldcover", ...), or a table of classes (.csv, .qml, or the
        legend.json of a run). By default the values tell; where they fit several schemes, the
        labels are refused.
    overwrite : bool
        Remove models, maps and reports that another scene makes meaningless.

    Returns
    -------
    Run
        The run, with scene.tif: reflectance, float32, NaN for nodata; and labels.tif and
        reference.tif: class codes, uint16, 0 for unlabelled; legend.json says what they are.

    Raises
    ------
    MissingProduct
        If a source does not exist, or a glob finds nothing.
    LandcoverError
        If a band is missing, grids differ, labels do not lie on the scene or have unknown codes,
        or the run holds models of another scene and `overwrite` is false.

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
    from landcover.sources.synthetic.files import write_demo
    from landcover.stages import prepare as stage
    from landcover.stages.staging import staged

    run = _run(run)
    if bands is None:
        if (labels, reference, aoi) != (None, None, None):
            raise InputError(
                f"labels, reference or aoi were given for {run.path} without bands; "
                "give bands=, a SAFE product or band files"
            )
        files = write_demo(run.path / _DEMO, seed=0)
        tiles, labels, reference = open_bands(files.bands), files.corine, files.truth
    else:
        tiles = _tiles(bands)
    with staged(run, overwrite, stages=("prep",)) as part:
        stage.prepare(
            part,
            tiles,
            labels=None if labels is None else Path(labels),
            reference=None if reference is None else Path(reference),
            aoi=aoi,
            level=level,
            scheme=_scheme(scheme),
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
    LandcoverError
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

    run = _run(run)
    stage.segment(run, scale, sigma, min_size, levels)
    return stage.read_segments(run)


def sample(
    run: RunLike,
    samples: int = 40_000,
    method: str = "uniform",
    *,
    polygons: PathLike | None = None,
    class_field: str | None = None,
    max_patch: int | None = None,
    block_px: int | None = None,
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
    class_field : str, optional
        Field of `polygons` with class codes, which then are the labels.
    max_patch : int, optional
        Side in pixels of the largest patch that will be trained: the guard between splits is as
        wide as its radius.
    block_px : int, optional
        Side of a block in pixels; by default from the range within which labels are alike.
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
    LandcoverError
        If fewer than two classes or too few blocks are left, or polygons cannot be read.

    Examples
    --------
    >>> import landcover as lc
    >>> samples = lc.sample("runs/demo", samples=2000)
    >>> sorted(samples["split"].unique())
    ['test', 'train', 'validation']
    >>> samples[["B02", "ndvi"]].isna().any().any()
    np.False_
    """
    from landcover.samples.rows import read_samples
    from landcover.samples.table import Draw
    from landcover.stages import sample as stage

    run = _run(run)
    stage.sample(
        run,
        Draw(
            samples,
            "polygons" if polygons is not None else method,
            None if polygons is None else Path(polygons),
            class_field,
        ),
        max_patch=max_patch,
        block_px=block_px,
        seed=seed,
    )
    return read_samples(run.require("samples"), geometry=True)


def denoise(run: RunLike, seed: int = 0) -> dict[str, Any]:
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
    LandcoverError
        If the guard between splits leaves no room for patches, or the seed is out of range.

    Examples
    --------
    A patch network learns the labels first, which takes a minute on the demo scene:

    >>> import landcover as lc
    >>> doubt = lc.denoise("runs/demo")  # doctest: +SKIP
    """
    from landcover.stages import denoise as stage

    run = _run(run)
    stage.denoise(run, seed)
    return read_json(run.path / "label_noise.json")


def train(
    run: RunLike,
    kind: str = "random-forest",
    *,
    seed: int = 0,
    targets: str = "labels",
    denoise: str | None = None,
    random_split: bool = True,
    **choices: Any,
) -> Model:
    """Train a classifier on the samples of a run, and score it on test samples.

    Parameters
    ----------
    run : Run or path
        Run folder with samples.
    kind : {"random-forest", "knn", "mlp", "cnn"}
        What to train, see docs/classifiers.md.
    seed : int
        Of every random draw.
    targets : {"labels", "reference"}
        What to learn. "reference" is for studies; the model's name says so.
    denoise : {"refine", "none", "erode", "confident", "prior", "transition", "average"}, optional
        What to make of labels that are partly wrong. By default labels that come from a raster
        are refined first; "none" learns them as they are, and the model's name says so.
    random_split : bool
        Train once more on a random split, and report its scores.
    **choices
        What the kind takes, such as ``class_weight="balanced"``; ``leaf_sizes`` of a forest,
        least samples of a leaf; ``features`` of a model of single pixels; ``segment_layers`` of
        an MLP, () for none; ``epochs`` of a network; ``patch_size`` of a patch CNN, odd, in
        pixels.

    Returns
    -------
    Model
        The model, in RUN/models/NAME; its scores are in RUN/reports/NAME.json.

    Raises
    ------
    MissingProduct
        If the run has no samples.
    LandcoverError
        If there is no such kind or choice, or a choice does not suit the run. Nothing is written
        then.

    Examples
    --------
    >>> import landcover as lc
    >>> model = lc.train("runs/demo", "random-forest", denoise="none", leaf_sizes=[5])
    >>> model.name, model.bands
    ('random-forest-plain', ('B02', 'B03', 'B04', 'B08'))
    """
    from landcover.stages import train as stage

    return stage.train(
        _run(run),
        kind,
        seed=seed,
        targets=targets,
        denoise=denoise,
        random_split=random_split,
        **choices,
    )


def map_scene(
    run: RunLike,
    model: Model | PathLike,
    *,
    tile_px: int = 1024,
    probabilities: bool = False,
    entropy: bool = False,
    precision: str = "auto",
) -> Path:
    """Map every valid pixel of a run's scene, and score the map where the run has labels.

    A call that was interrupted goes on where it was.

    Parameters
    ----------
    run : Run or path
        Run folder with a scene.
    model : Model, str or path
        A model, the name of one of the run, or the folder of one, RUN/models/NAME.
    tile_px : int
        Side in pixels of the windows read at once; the map does not depend on it.
    probabilities : bool
        Write maps/NAME_probabilities.tif too: float32, 0-1, a band a class.
    entropy : bool
        Write maps/NAME_entropy.tif too: how undecided the model is, percent.
    precision : {"auto", "float32"}
        "float32" keeps patch networks from computing in reduced precision.

    Returns
    -------
    Path
        The class map, maps/NAME.tif: codes, uint16, 0 for nodata. Beside it lie its confidence
        in percent, its style and its STAC item; reports/NAME.json has the scores.

    Raises
    ------
    MissingProduct
        If the run has no scene, or no such model.
    LandcoverError
        If the scene lacks bands or segment types that the model needs.

    Examples
    --------
    >>> import landcover as lc
    >>> path = lc.map_scene("runs/mapped", "random-forest-plain")
    >>> path.as_posix(), lc.read(path).dtype
    ('runs/mapped/maps/random-forest-plain.tif', dtype('uint16'))
    """
    from landcover.stages import map as stage

    run = _run(run)
    found = _model(run, model)
    stage.map_scene(
        run,
        found,
        tile_px=tile_px,
        probabilities=probabilities,
        precision=precision,
        entropy=entropy,
    )
    return run.map(found.name)


def compare(run: RunLike) -> dict[str, Any]:
    """Set every map of a run beside the others, on the same pixels of the test blocks.

    Parameters
    ----------
    run : Run or path
        Run folder with labels or a reference, splits, and maps.

    Returns
    -------
    dict
        What comparison.json holds: ``headline``, the answer in a sentence; ``best``, a name;
        ``models``, the best first, with ``scores`` and their 95 % intervals (0-1); ``pairs``,
        differences and tests; ``classes``. The run gets comparison.html and comparison.md.

    Raises
    ------
    LandcoverError
        If there is no map, or a map has no report; the message names the command.

    Examples
    --------
    >>> import landcover as lc
    >>> comparison = lc.compare("runs/mapped")
    >>> comparison["best"], [model["title"] for model in comparison["models"]]
    ('random-forest-plain', ['random forest on labels as they are'])
    """
    from landcover.stages import compare as stage
    from landcover.stages.store import read_comparison

    run = _run(run)
    stage.compare(run)
    return read_comparison(run.path)


def assess(
    run: RunLike,
    reference: PathLike,
    class_field: str | None = None,
    models: str | Sequence[str] = (),
    strata: PathLike | None = None,
) -> dict[str, dict[str, Any]]:
    """Estimate the accuracy of maps and the true area of classes from a probability sample.

    Parameters
    ----------
    run : Run or path
        Run folder with maps.
    reference : path
        Vector file of points or polygons, each one sampled unit with its true class.
    class_field : str, optional
        Field with class codes; "reference" by default.
    models : str or sequence of str
        Names of models; all that have a map by default.
    strata : path, optional
        Raster of the strata that the sample was drawn from, on the map's grid. By default the
        design that the file carries, and else the map's own classes.

    Returns
    -------
    dict
        By model, what reports/NAME_assessment.json holds: ``overall_accuracy`` and ``per_class``
        accuracies (0-1) and areas (ha), each with its 95 % interval.

    Raises
    ------
    MissingProduct
        If a map is missing.
    LandcoverError
        If the reference cannot be read, strata lie on another grid, or too few units lie on
        the map.

    Examples
    --------
    `landcover sample-points` draws such a sample; here the classes of the reference raster are
    what somebody found at its points:

    >>> import geopandas
    >>> import rasterio
    >>> import landcover as lc
    >>> from landcover.stages.sample_points import sample_points
    >>> run = lc.Run("runs/mapped")
    >>> points = geopandas.read_file(sample_points(run, "random-forest-plain", n=300)[0])
    >>> with rasterio.open(run.reference) as dataset:
    ...     rows, cols = lc.Grid.of(dataset).rowcol(points.geometry.x, points.geometry.y)
    >>> points["reference"] = lc.read(run.reference)[0][rows, cols]
    >>> points.to_file("found.gpkg")
    >>> found = lc.assess(run, "found.gpkg")["random-forest-plain"]
    >>> low, high = found["overall_accuracy_ci95"]
    >>> low < found["overall_accuracy"] < high
    True
    """
    from landcover.stages import assess as stage

    run = _run(run)
    names = [models] if isinstance(models, str) else list(models)
    _, *paths = stage.assess(
        run, Path(reference), class_field, names, None if strata is None else Path(strata)
    )
    found = [read_json(path) for path in paths]
    return {report["model"]: report for report in found}


def find_change(
    before: RunLike,
    after: RunLike,
    out: PathLike | None = None,
    *,
    model: Model | PathLike | None = None,
    maps: str | None = None,
    level: int | None = None,
    patch_px: int | None = None,
    normalise: bool = True,
) -> dict[str, Any]:
    """Find what changed between two dates of one place.

    Parameters
    ----------
    before, after : Run or path
        Run folders on one grid; or scene rasters, to be mapped with `model`.
    out : path, optional
        Folder of the products; a folder "change" in or beside `after` by default.
    model : Model, str or path, optional
        Maps both dates, after one was brought to the radiometry of the other: the name of a
        model of `before`, or a model's folder. By default the one that made the maps of both
        runs, where it still exists.
    maps : str, optional
        Whose maps are compared, where the runs hold those of several models.
    level : int, optional
        Level of the legend to compare at; that of the maps by default.
    patch_px : int, optional
        Side in pixels of the patches that changes are summed by, 8 to 512; 640 m by default.
    normalise : bool
        Whether one date is brought to the radiometry of the other at all.

    Returns
    -------
    dict
        What change.json holds: ``headline``, areas by class and by transition. The folder gets
        change.tif, change_probability.tif (percent), patches.parquet, change.md and a picture.

    Raises
    ------
    MissingProduct
        If a scene or a map is missing.
    LandcoverError
        If the dates differ in grid or classes, hold no reflectance, or have no pixel in common.

    Examples
    --------
    >>> import landcover as lc
    >>> change = lc.find_change(
    ...     "runs/jena-2018", "runs/jena-2024", model="random-forest"
    ... )  # doctest: +SKIP
    """
    from landcover.stages import change as stage

    dates = [_path(before), _path(after)]
    beside = dates[1].parent if dates[1].is_file() else dates[1]
    folder = beside / "change" if out is None else Path(out)
    chosen = None if model is None else _model(Run(dates[0]), model)
    stage.find_change(
        dates[0],
        dates[1],
        Run(folder),
        model=chosen,
        maps=maps,
        level=level,
        patch_px=patch_px,
        normalise=normalise,
    )
    return read_json(folder / "change.json")


def _path(run: RunLike) -> Path:
    """The path of a run folder or of a raster."""
    return run.path if isinstance(run, Run) else Path(run)


def _model(run: Run, model: Model | PathLike) -> Model:
    """A model of a run by its name, or any by its folder."""
    from landcover.stages.models import model_of_run

    return model_of_run(run, model)


def _run(run: RunLike) -> Run:
    """The run of a folder."""
    return run if isinstance(run, Run) else Run(run)


def _scheme(scheme: LabelScheme | PathLike | None) -> LabelScheme | None:
    """The scheme of a name or a table."""
    from landcover.labels.schemes import find_scheme

    return find_scheme(str(scheme)) if isinstance(scheme, str | Path) else scheme


def _tiles(bands: PathLike | Tile | Iterable[PathLike | Tile]) -> list[Tile]:
    """Tiles of whatever was given, loose files put together by their bands."""
    from landcover.sources.band_files import open_bands
    from landcover.sources.sentinel2 import open_sentinel2
    from landcover.sources.stac import open_stac
    from landcover.sources.tile import Tile

    given = [bands] if isinstance(bands, str | Path | Tile) else list(bands)
    tiles = [item for item in given if isinstance(item, Tile)]
    paths = [path for item in given if not isinstance(item, Tile) for path in _expanded(item)]
    loose = []
    for path in paths:
        if path.is_dir() or path.suffix.lower() == ".zip":
            tiles.append(open_sentinel2(path))
        elif path.suffix.lower() == ".json":
            tiles.append(open_stac(path))
        else:
            loose.append(path)
    return tiles + (open_bands(loose) if loose else [])


def _expanded(path: PathLike) -> list[Path]:
    """The files of a glob, in the order of their names; a path as it is."""
    text = str(path)
    if os.path.exists(text) or not glob.has_magic(text):
        return [Path(text)]
    found = sorted(glob.glob(text))
    if not found:
        raise MissingProduct(f"{text} finds no file; check the pattern and the folder")
    return [Path(name) for name in found]
