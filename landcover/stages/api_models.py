"""The stages from classifiers to reports, as a program calls them.

What they take and give follows the rule of `api_samples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import InputError
from landcover.files.atomic import read_json
from landcover.reports.shown import (
    AssessmentReport,
    AssessmentReports,
    ChangeReport,
    ComparisonReport,
)
from landcover.run import Run
from landcover.stages.api_arguments import (
    PathLike,
    RunLike,
    model_of,
    out_of_several,
    path_of,
    run_of,
    runs_of,
)
from landcover.stages.map_path import MapPath

if TYPE_CHECKING:
    from landcover.classifiers.models import Model


def train(  # noqa: PLR0913 - what all kinds of models take
    run: RunLike | Sequence[RunLike],
    kind: str = "random-forest",
    *,
    out: RunLike | None = None,
    seed: int = 0,
    targets: str = "labels",
    denoise: str | None = None,
    random_split: bool = True,
    features: Sequence[str] | None = None,
    variant: str = "",
    leave_one_scene_out: bool = False,
    **choices: object,
) -> Model:
    """Train a classifier on the samples of a run, or of several, and score it on test samples.

    Parameters
    ----------
    run : Run or path, or a sequence of them
        Run folder with samples; or several, whose scenes may lie apart.
    kind : str
        What to train, such as "random-forest", "knn", "mlp" or "cnn", see docs/classifiers.md.
    out : Run or path, optional
        Of several runs: a further run folder, which gets their samples, the model and its report.
    seed : int
        Of every random draw.
    targets : {"labels", "reference"}
        What to learn. "reference" is for studies; the model's name says so.
    denoise : {"refine", "none", "erode", "confident", "prior", "transition", "average"}, optional
        What to make of labels that are partly wrong. By default labels that come from a raster
        are refined first; "none" learns them as they are, and the model's name says so.
    random_split : bool
        Train once more on a random split, and report its scores.
    features : sequence of str, optional
        The layers that the model sees, and no others: "bands" for all bands of the scene, names of
        its bands, and for a model of single pixels names of features (docs/features.md). By
        default all bands, and for a model of single pixels those of ndvi, ndwi and bi2 that the
        bands allow.
    variant : str
        A word at the end of the model's name, such as "texture" for random-forest@texture: keeps
        it beside one of other features or choices.
    leave_one_scene_out : bool
        Of several runs: map each scene with a model of the others too. What these score, by scene
        and over all, is in OUT/reports/NAME_by_scene.json and .md.
    **choices
        What the kind takes, such as ``class_weight="balanced"``; ``leaf_sizes`` of a forest,
        least samples of a leaf; ``segment_layers`` of an MLP, () for none; ``epochs`` of a
        network; ``patch_size`` of a patch CNN, odd, in pixels; ``estimator`` of kind "estimator",
        an import path in scikit-learn. All but models of tiles take what is left out of samples:
        ``outliers`` and ``pca_outliers`` in robust deviations, ``min_distance_m``, ``balance``.

    Returns
    -------
    Model
        The model, in RUN/models/NAME; its scores are in RUN/reports/NAME.json.

    Raises
    ------
    MissingProduct
        If a run has no samples.
    InputError
        If there is no such kind or choice, a choice does not suit the run, or several runs differ
        in bands, classes or the size of pixels. Nothing is written then.

    Examples
    --------
    >>> import landcover as lc
    >>> model = lc.train("runs/demo", "random-forest", denoise="none", leaf_sizes=[5])
    >>> model.name, model.bands
    ('random-forest-plain', ('B02', 'B03', 'B04', 'B08'))

    One model of two scenes, which has no scene of its own:

    >>> lc.train(["runs/jena", "runs/gera"], "cnn", out="runs/both")  # doctest: +SKIP
    """
    from landcover.stages import train as stage

    if out is not None or not isinstance(run, Run | str | Path):
        from landcover.stages import train_scenes

        several = train_scenes.several_scenes(
            runs_of(run),
            out_of_several(out),
            kind,
            seed=seed,
            targets=targets,
            denoise=denoise,
            features=features,
            variant=variant,
            **choices,
        )
        model = train_scenes.train_scenes(several, random_split)
        if leave_one_scene_out:
            from landcover.stages.train_by_scene import leave_scenes_out

            leave_scenes_out(several)
        return model
    if leave_one_scene_out:
        raise InputError(
            f"leave_one_scene_out needs two runs or more, and {run_of(run).path} is one; give "
            "further runs, and out="
        )
    return stage.train(
        run_of(run),
        kind,
        seed=seed,
        targets=targets,
        denoise=denoise,
        random_split=random_split,
        features=features,
        variant=variant,
        **choices,
    )


def map_scene(
    run: RunLike,
    model: Model | PathLike,
    *,
    tile_px: int = 1024,
    probabilities: bool = False,
    entropy: bool = False,
    applicability: bool | None = None,
    precision: str = "auto",
    dates: Sequence[str] | None = None,
) -> MapPath:
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
    applicability : bool, optional
        Write maps/NAME_applicability.tif too: where the scene is unlike what the model learnt. By
        default just where the model is another run's.
    precision : {"auto", "float32"}
        "float32" keeps patch networks from computing in reduced precision.
    dates : sequence of str, optional
        Of a model of sequences: the days to map, such as ["2022-04-15", "2022-07-14"]. By default
        those that it learnt from where it reads a fixed number, else all of the run.

    Returns
    -------
    Path
        The class map, maps/NAME.tif: codes, uint16, 0 for nodata. Beside it lie its confidence
        in percent, its style and its STAC item; reports/NAME.json has the scores.

    Raises
    ------
    MissingProduct
        If the run has no scene, or no such model, or the model lacks the area of applicability
        that is asked for.
    InputError
        If the scene lacks bands or segment types that the model needs.

    Examples
    --------
    >>> import landcover as lc
    >>> path = lc.map_scene("runs/mapped", "random-forest-plain")
    >>> path.as_posix(), lc.read(path).dtype
    ('runs/mapped/maps/random-forest-plain.tif', dtype('uint16'))
    """
    from landcover.stages import map as stage

    run = run_of(run)
    found = model_of(run, model)
    paths = stage.map_scene(
        run,
        found,
        tile_px=tile_px,
        probabilities=probabilities,
        precision=precision,
        entropy=entropy,
        applicability=applicability,
        dates=dates,
    )
    return MapPath(paths[0])


def ensemble(run: RunLike, maps: Sequence[str], *, variant: str = "") -> MapPath:
    """Average the probabilities of several maps into a map of its own, and score it.

    Parameters
    ----------
    run : Run or path
        Run folder with the maps, made with ``probabilities=True``.
    maps : sequence of str
        Names of two maps or more, of models with the same classes. Their order does not matter.
    variant : str
        A word at the end of the map's name, such as "dates" for ensemble@dates.

    Returns
    -------
    Path
        The class map, maps/ensemble.tif or maps/ensemble@VARIANT.tif. Beside it lie its confidence,
        probabilities, style and STAC item; reports/NAME.json has the scores.

    Raises
    ------
    MissingProduct
        If a map or its probabilities are missing.
    InputError
        If there are fewer than two maps, one is named twice, or their classes differ.

    Examples
    --------
    >>> import landcover as lc
    >>> models = [lc.train("runs/demo", kind, denoise="none") for kind in ("knn", "random-forest")]
    >>> for model in models:
    ...     path = lc.map_scene("runs/demo", model, probabilities=True)
    >>> lc.ensemble("runs/demo", [model.name for model in models]).name
    'ensemble.tif'
    """
    from landcover.stages import ensemble as stage

    return MapPath(stage.ensemble(run_of(run), maps, variant)[0])


def compare(run: RunLike) -> ComparisonReport:
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
    MissingProduct
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

    run = run_of(run)
    stage.compare(run)
    return ComparisonReport(read_comparison(run.path))


def assess(
    run: RunLike,
    reference: PathLike,
    class_field: str | None = None,
    models: str | Sequence[str] = (),
    strata: PathLike | None = None,
) -> AssessmentReports:
    """Estimate the accuracy of maps and the true area of classes from a probability sample.

    Parameters
    ----------
    run : Run or path
        Run folder with maps.
    reference : path
        Vector file of points or polygons, each one sampled unit with its true class.
    class_field : str, optional
        Field with class codes or names; "reference" by default.
    models : str or sequence of str
        Names of models; all that have a map by default.
    strata : path, optional
        Raster of the strata that the sample was drawn from, on the map's grid. By default the
        design of a drawn sample, and else the map's own classes.

    Returns
    -------
    dict
        By model, what reports/NAME_assessment.json holds: ``overall_accuracy`` and ``per_class``
        accuracies (0-1) and areas (ha), each with its 95 % interval.

    Raises
    ------
    MissingProduct
        If a map is missing.
    InputError
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

    run = run_of(run)
    names = [models] if isinstance(models, str) else list(models)
    _, *paths = stage.assess(
        run, Path(reference), class_field, names, None if strata is None else Path(strata)
    )
    found = [read_json(path) for path in paths]
    return AssessmentReports({r["model"]: AssessmentReport(r) for r in found})


def find_change(  # noqa: PLR0913 - what the options of landcover change choose
    before: RunLike,
    after: RunLike | None = None,
    *,
    out: PathLike | None = None,
    model: Model | PathLike | None = None,
    maps: str | None = None,
    level: int | None = None,
    patch_px: int | None = None,
    normalise: bool = True,
    years: tuple[int, int] | None = None,
    mmu_ha: float | None = None,
) -> ChangeReport:
    """Find what changed between two dates or years of one place.

    Parameters
    ----------
    before, after : Run or path
        Run folders on one grid; or scene rasters, to be mapped with `model`. With `years` of one
        run, `after` is left out.
    out : path, optional
        Folder of the products; a folder "change" in or beside `after` by default, and
        "change-YEAR-YEAR" in `before` for years of one run.
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
        Whether one date is brought to the radiometry of the other at all; years never are.
    years : (int, int), optional
        Years to compare, of runs of several dates and a `model` of sequences. Such a model takes
        all dates of two runs without them.
    mmu_ha : float, optional
        Connected change of less than this, in hectares, is not shown; 0 by default, and of years
        0.25.

    Returns
    -------
    dict
        What change.json holds: ``headline``, areas by class and by transition. The folder gets
        change.tif, change_probability.tif (percent), patches.parquet, change.md and a picture;
        of years also `halves`, probabilities by parts of their dates.

    Raises
    ------
    MissingProduct
        If a scene or a map is missing.
    InputError
        If the dates differ in grid or classes, hold no reflectance, or have no pixel in common.

    Examples
    --------
    For a second date, a part of the scene is replaced by pixels of another part:

    >>> import rasterio
    >>> import landcover as lc
    >>> run = lc.Run("runs/mapped")
    >>> with rasterio.open(run.scene) as dataset:
    ...     grid, bands = lc.Grid.of(dataset), dataset.descriptions
    >>> later = lc.read(run.scene)
    >>> later[:, 100:160, 100:160] = later[:, 20:80, 20:80]
    >>> lc.write("later.tif", later, grid, bands, nodata=float("nan")).name
    'later.tif'
    >>> model = lc.load_model(run.model("random-forest-plain"))
    >>> change = lc.find_change(
    ...     run.scene, "later.tif", out="change", model=model
    ... )  # doctest: +ELLIPSIS
    mapping runs/mapped/scene.tif
    ...
    mapping later.tif
    ...
    >>> change["unit"], 20 < change["changed"]["area"] < 50
    ('ha', True)
    """
    from landcover.stages import change as stage

    first, second = path_of(before), None if after is None else path_of(after)
    folder = stage.folder_of_change(first, second, years) if out is None else Path(out)
    chosen = None if model is None else model_of(Run(first), model)
    stage.find_change(
        first,
        second,
        Run(folder),
        model=chosen,
        maps=maps,
        level=level,
        patch_px=patch_px,
        normalise=normalise,
        years=years,
        mmu_ha=mmu_ha,
    )
    return ChangeReport(read_json(folder / "change.json"), folder)
