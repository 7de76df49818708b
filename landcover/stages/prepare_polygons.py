"""Training polygons as labels of a run: alone, or leading where they lie over coarse labels."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, styles, vectors
from landcover.files.class_rasters import class_writer
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.labels.polygons import ClassPolygons, read_class_polygons
from landcover.labels.recognition import Hints, schemes_of
from landcover.labels.schemes import SCHEMES, LabelScheme
from landcover.legend import UNLABELLED, Nomenclature
from landcover.progress import track
from landcover.run import Run

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class TrainingPolygons:
    """Polygons that have classes.

    Attributes
    ----------
    path : path
        A vector file, perhaps with its layer.
    field : str
        Field of codes, or of names of classes.
    """

    path: Path
    field: str

    def read(
        self,
        grid: Grid,
        run_classes: Nomenclature | None,
        scheme: LabelScheme | None,
        level: int | None,
    ) -> ClassPolygons:
        """The polygons on a grid, with what their values mean.

        Parameters
        ----------
        grid : Grid
            Of the scene.
        run_classes : Nomenclature, optional
            Classes of the label raster beside them, at its level.
        scheme : LabelScheme, optional
            What the user says of the values.
        level : int, optional
            Level of the legend where there is no label raster.

        Raises
        ------
        LandcoverError
            As `read_class_polygons`.
        """
        beside = run_classes is not None
        among = schemes_of(run_classes) if run_classes else list(SCHEMES.values())
        hints = Hints(scheme, tuple(among), level, beside=beside)
        return read_class_polygons(self.path, self.field, grid, hints, run_classes)


def training_polygons(
    path: str | os.PathLike[str] | None, layer: str | None, field: str | None
) -> TrainingPolygons | None:
    """Polygons with classes, as they were given; None where none were.

    Raises
    ------
    InputError
        If a file was given without a field, or a field without a file.
    """
    if path is None and field is None:
        return None
    if path is None:
        raise InputError(f"class_field={field} is of polygons; give them with polygons=FILE")
    if field is None:
        raise InputError(
            f"polygons={os.fspath(path)} need the field that holds their classes; give it with "
            "class_field=NAME"
        )
    return TrainingPolygons(vectors.with_layer(path, layer), field)


def titled(classes: Nomenclature, beside: bool) -> Nomenclature:
    """Classes under a title that says which truth the labels are, for reports.

    Parameters
    ----------
    classes : Nomenclature
        Of the run.
    beside : bool
        Whether a label raster lies beside the polygons.
    """
    title = f"{classes.title} led by training polygons" if beside else "training polygons"
    return replace(classes, title=title)


def write_labels(
    run: Run, found: ClassPolygons, area: BaseGeometry | None
) -> tuple[list[Path], list[str]]:
    """Write the labels of a run as its polygons say, over those that are there already.

    Parameters
    ----------
    run : Run
        Run folder, perhaps with labels of the same level.
    found : ClassPolygons
        The polygons.
    area : shapely geometry, optional
        Outside it there are no labels.

    Returns
    -------
    products : list of Path
        labels.tif with its style, and polygons.tif: the number of the polygon at each pixel.
    notes : list of str
        What is left out, and of how much of the labels polygons say the class.

    Raises
    ------
    InputError
        If there are labels of fewer than two classes.
    """
    grid, beside = found.grid, run.labels.exists()
    windows = list(grid.windows(rasters.WINDOW_PX))
    codes, labelled, led = set[int](), 0, 0

    def labels_of(window: Window) -> tuple[np.ndarray, np.ndarray]:
        base = rasters.read_classes(run.labels, window) if beside else _nothing(window)
        inside = None if area is None else vectors.inside(area, grid, window)
        labels, numbers = found.burn_over(base, window)
        if inside is not None:
            labels, numbers = np.where(inside, labels, 0), np.where(inside, numbers, 0)
        return labels.astype(np.uint16), numbers.astype(np.uint32)

    with RasterWriter(run.polygons, grid, np.uint32, ["polygon"], 0) as out:
        highest = 0
        for window in track(windows, "Drawing training polygons"):
            labels, numbers = labels_of(window)
            codes.update(np.unique(labels).tolist())
            labelled += int(np.count_nonzero(labels))
            led += int(np.count_nonzero(numbers))
            highest = max(highest, int(numbers.max(initial=0)))
            out.write(numbers, window)
        out.style = styles.Numbers(highest)
    codes.discard(UNLABELLED)
    if len(codes) < 2:
        held = f"only class {codes.pop()}" if codes else "no labelled pixel"
        raise InputError(
            f"{found.name} has {held} within the scene; at least two classes are needed: give "
            "polygons of more classes"
        )
    legend = found.nomenclature.legend.subset(codes)
    with class_writer(run.labels, grid, legend) as out:
        for window in windows:
            out.write(labels_of(window)[0], window)
    truth = (
        f"labels are those of polygons where these lie ({100 * led / labelled:.1f} % of the "
        "labelled pixels), and of the label raster elsewhere: scores are against both together"
        if beside
        else "labels are those of the polygons alone: scores are against pixels inside polygons, "
        "which are mostly purer than the land between them"
    )
    return [run.labels, styles.qml_path(run.labels), run.polygons], [truth, *found.notes()]


def _nothing(window: Window) -> np.ndarray:
    return np.zeros((window.rows, window.cols), np.uint16)
