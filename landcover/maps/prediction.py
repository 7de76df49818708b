"""From windows to a map: what is missing is predicted, then everything is written in order."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

import numpy as np

from landcover.classifiers.models import Model
from landcover.classifiers.protocol import Classifier
from landcover.files import rasters, styles
from landcover.files.ahead import ahead
from landcover.files.jobs import Job
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend
from landcover.maps.cluster_windows import Workers
from landcover.maps.scene_tiles import (
    APPLICABILITY,
    CONFIDENCE,
    CONFIDENCE_NODATA,
    ENTROPY,
    LABELS,
    PROBABILITIES,
    Pixels,
    Source,
    reading_windows,
)
from landcover.progress import say, track


class Beside(TypedDict, total=False):
    """Where `predict_map` is to write what belongs to a map."""

    confidence: str | Path | None
    probabilities: str | Path | None
    entropy: str | Path | None
    applicability: str | Path | None


def predict_map(
    classifier: Classifier | Model,
    scene: str | Path,
    out: str | Path,
    *,
    tile_px: int = 1024,
    segment_types: str | Path | None = None,
    **beside: Unpack[Beside],
) -> list[Path]:
    """Predict every valid pixel of a scene.

    Confidence, probabilities and entropy are those at the classifier's temperature.

    Parameters
    ----------
    classifier : Model or Classifier
        A model of pixels, such as `load_model` gives, or anything that predicts windows.
    scene : path
        Raster that holds the classifier's bands by name; reflectance.
    out : path
        Class map, uint16 class codes with colour table and names; 0 is nodata.
    tile_px : int
        Side of the windows read and written at once, rounded to whole tiles of
        about `COMPUTE_PX`: more takes more memory. The map does not depend on it.
    segment_types : path, optional
        Raster of segment types on the scene's grid, for classifiers with `segment_layers`.
    **beside : path, optional
        Where to write what belongs to the map:

        - confidence: the winning class's probability in percent, uint8; 255 is nodata;
        - probabilities: the probability of every class, one float32 band a class; NaN is nodata;
        - entropy: how undecided the probabilities are, uint8: their entropy in percent of the
          largest possible, 255 is nodata;
        - applicability: how little a pixel is like what the model learnt from, uint8 in two bands:
          "dissimilarity_percent", in percent of the threshold up to which it lies inside the area
          of applicability, 1 to 254, and "inside", 1 or 0; 255 is nodata.

    Returns
    -------
    list of Path
        What was written; nothing appears before the last window is predicted.

    Raises
    ------
    InputError
        If the scene lacks a band, segment types are needed and not given or on another grid, or
        the model classifies whole images.
    MissingProduct
        If applicability is asked for and the model does not have it.

    Examples
    --------
    >>> import landcover as lc
    >>> model = lc.load_model("runs/mapped/models/random-forest-plain")
    >>> scene = "runs/mapped/scene.tif"
    >>> paths = lc.predict_map(model, scene, "map.tif", confidence="confidence.tif")
    >>> [path.name for path in paths]
    ['map.tif', 'confidence.tif']
    """
    if isinstance(classifier, Model):
        classifier = classifier.classifier(
            with_applicability=bool(beside.get("applicability")), grid=rasters.grid_of(scene)
        )
    source = Source(classifier, scene, segment_types)
    windows = reading_windows(source.grid, tile_px)
    further = (CONFIDENCE, PROBABILITIES, ENTROPY, APPLICABILITY)
    asked = cast("Mapping[str, str | Path | None]", beside)
    if unknown := sorted(set(asked) - set(further)):
        raise TypeError(f"predict_map() got an unexpected keyword argument {unknown[0]!r}")
    given = {LABELS: out} | {layer: asked.get(layer) for layer in further}
    paths = {layer: Path(path) for layer, path in given.items() if path}
    pixels = _predicted(source, windows, tuple(paths))
    _write(paths, source, windows, track(pixels, _title(classifier), len(windows)))
    return list(paths.values())


def predict_map_in_job(
    classifier: Classifier,
    scene: str | Path,
    paths: Mapping[str, Path],
    job: Job,
    *,
    tile_px: int = 1024,
    segment_types: str | Path | None = None,
    workers: Workers | None = None,
) -> list[Path]:
    """`predict_map` that goes on where it was interrupted, and that a cluster can do.

    Parameters
    ----------
    classifier, scene, tile_px, segment_types
        As for `predict_map`.
    paths : mapping of str to path
        Where to write the layers, by their names `LABELS`, `CONFIDENCE` and so on.
    job : Job
        Keeps the result of every window. Its facts must name all that the result depends on.
    workers : Workers, optional
        A Dask cluster that predicts the windows.

    Returns
    -------
    list of Path
        What was written, in the order of `paths`.

    Raises
    ------
    LandcoverError
        As `predict_map`, or if the workers fail.
    """
    source = Source(classifier, scene, segment_types)
    windows, layers = reading_windows(source.grid, tile_px), tuple(paths)
    _complete(job, source, windows, layers, workers)
    stored = (_stored(job, number, source, window, layers)
              for number, window in enumerate(windows))  # fmt: skip
    _write(paths, source, windows, track(stored, "writing the map", len(windows)))
    return list(paths.values())


def _title(classifier: Classifier) -> str:
    """What the progress bar calls the work."""
    return f"mapping with {classifier.name}"


def _predicted(
    source: Source, windows: Collection[Window], layers: Sequence[str]
) -> Iterator[Pixels]:
    """Layers of windows, predicted here; a few windows at once."""
    pixels = max((window.rows * window.cols for window in windows), default=1)
    image_bytes = 4 * len(source.classifier.bands) * pixels

    def predict(window: Window) -> Pixels:
        return source.predict(window, *source.read_tiles(window), layers)

    return ahead(predict, windows, image_bytes)


def _complete(
    job: Job,
    source: Source,
    windows: Sequence[Window],
    layers: Sequence[str],
    workers: Workers | None,
) -> None:
    """Predict and store every window that the job does not hold."""
    looked = track(list(enumerate(windows)), "looking for what is done")
    missing = {number: window for number, window in looked if job.read(number) is None}
    if len(missing) < len(windows):
        say(f"going on: {len(windows) - len(missing)} of {len(windows)} windows were found done")
    if workers:
        results = workers.predict(missing, layers)
    else:
        results = zip(missing, _predicted(source, missing.values(), layers), strict=True)
    last = time.perf_counter()
    for number, pixels in track(results, _title(source.classifier), len(missing)):
        now = time.perf_counter()
        job.write(number, pixels, seconds=now - last)
        last = now


def _stored(job: Job, number: int, source: Source, window: Window, layers: Sequence[str]) -> Pixels:
    """Layers of a window as stored; predicted again should the disk have damaged them since."""
    found = job.read(number)
    return next(_predicted(source, [window], layers)) if found is None else found


def _write(
    paths: Mapping[str, Path], source: Source, windows: Sequence[Window], pixels: Iterable[Pixels]
) -> None:
    """Write the layers of all windows, in order."""
    with layer_writers(paths, source.grid, source.classifier.legend) as writers:
        for window, found in zip(windows, pixels, strict=True):
            for layer, writer in writers.items():
                writer.write(found[layer], window)


@contextmanager
def layer_writers(
    paths: Mapping[str, Path], grid: Grid, legend: Legend
) -> Iterator[dict[str, RasterWriter]]:
    """Writers of the layers of a map, by their names; the rasters are whole on leaving."""
    percent = {"dtype": np.uint8, "nodata": CONFIDENCE_NODATA}
    names = [f"{c.code} {c.name}" for c in legend.classes]
    settings: dict[str, dict[str, Any]] = {
        LABELS: {
            "dtype": np.uint16, "band_names": ["class"], "nodata": UNLABELLED, "legend": legend,
        },
        CONFIDENCE: {"band_names": ["confidence_percent"], "style": styles.CONFIDENCE, **percent},
        PROBABILITIES: {
            "dtype": np.float32, "band_names": names, "nodata": np.nan,
            "style": styles.PROBABILITY,
        },
        ENTROPY: {"band_names": ["entropy_percent"], "style": styles.ENTROPY, **percent},
        APPLICABILITY: {
            "band_names": ["dissimilarity_percent", "inside"], "style": styles.APPLICABILITY,
            **percent,
        },
    }  # fmt: skip
    with ExitStack() as stack:
        yield {
            layer: stack.enter_context(RasterWriter(path, grid, **settings[layer]))
            for layer, path in paths.items()
        }
