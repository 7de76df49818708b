"""A run as a project of QGIS: every product in its group, with its style."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from landcover.classifiers.names import title_of
from landcover.errors import LandcoverError
from landcover.files import geopackage, rasters, styles
from landcover.files.atomic import read_json
from landcover.files.qgis_project import Group, Layer, keep_what_qgis_saved, write_project
from landcover.files.texts import read_text
from landcover.files.vector_styles import area, circle, one_symbol
from landcover.grid import Grid
from landcover.progress import say
from landcover.run import Run
from landcover.stages import store
from landcover.stages.export_vectors import vectors_of

#: Names of a run's rasters in the layer tree.
_LABELS = {
    "refined_labels": "refined labels",
    "labels": "labels",
    "reference": "reference",
    "label_confidence": "confidence of labels",
    "polygons": "training polygons",
}
_SURE = ("confidence", "entropy", "applicability", "probabilities")
#: Symbols of vector layers that carry no style, such as points saved by another program.
_PLAIN = {"Point": circle("#ffd400"), "Polygon": area("#ffff00", 0.2)}


def qgis(run: Run) -> list[Path]:
    """Write a project of QGIS with everything that a run holds.

    Parameters
    ----------
    run : Run
        Run folder with a scene.

    Returns
    -------
    list of Path
        RUN/RUN.qgs, and vectors.gpkg, which is written where it is missing or older than samples
        and segments: QGIS is often built without Parquet. Paths in the project begin in its
        folder. A project that QGIS has saved there since is kept as RUN.qgs~.

    Raises
    ------
    LandcoverError
        If there is no scene, or a product cannot be read.
    """
    grid = rasters.grid_of(run.require("scene"))
    vectors = vectors_of(run)
    folder = run.path.resolve()
    groups = [
        Group("samples", _samples(run, grid, vectors), expanded=False),
        Group("maps", _maps(run)),
        Group("confidence", _confidence(run), expanded=False),
        Group("labels", _labels(run)),
        Group("segments", _segments(run, grid, vectors), expanded=False),
        Group("inputs", _scene(run), _dates(run)),
    ]
    groups = _with_one_legend([group for group in groups if group.all_layers()])
    path = folder / f"{folder.name}.qgs"
    kept = keep_what_qgis_saved(path)
    if kept is not None:
        say(f"note: {path.name} had been saved in QGIS; that project is kept as {kept.name}")
    write_project(path, groups, grid, folder.name)
    products = [run.path / path.name, *([vectors] if vectors else [])]
    layers = {group.name: [layer.title for layer in group.all_layers()] for group in groups}
    run.record("qgis", {"layers": layers}, [], products[:1])
    return products


def _samples(run: Run, grid: Grid, vectors: Path | None) -> list[Layer]:
    """Reference samples to fill in, samples and splits."""
    points = [
        layer for path in sorted(run.path.glob("*_points.gpkg")) for layer in _layers(path, grid)
    ]
    return [*points, *(_ for _ in _layers(vectors, grid) if _.name in ("samples", "splits"))]


def _segments(run: Run, grid: Grid, vectors: Path | None) -> list[Layer]:
    """Borders of segments, their types and their numbers."""
    borders = [layer for layer in _layers(vectors, grid) if layer.name == "segments"]
    rows = ((run.segment_types, "segment types"), (run.segments, "numbers of segments"))
    return [*borders, *_rasters(rows)]


def _maps(run: Run) -> list[Layer]:
    """Maps, the best on top; only this one is drawn at first."""
    names = store.map_names(run.path / "maps")
    names.sort(key=lambda name: _accuracy(run, name), reverse=True)
    layers = _rasters((run.map(name), _title(name)) for name in names)
    return [replace(layer, shown=i == 0) for i, layer in enumerate(layers)]


def _accuracy(run: Run, name: str) -> tuple[bool, float]:
    """What maps are ordered by: accuracy against the reference, or else agreement with labels."""
    try:
        report = read_json(run.report(name))
        return report.get("against") == "reference", float(report["overall_accuracy"])
    except (LandcoverError, KeyError, TypeError, ValueError):
        return False, -1.0  # a map without a report, as of a scene without labels


def _title(name: str) -> str:
    """A model in words, and its name."""
    title = title_of(name)
    return title if title == name else f"{title} ({name})"


def _confidence(run: Run) -> list[Layer]:
    """How sure each map is, map by map."""
    rows = [
        (path, f"{layer} of {name}")
        for name in store.map_names(run.path / "maps")
        for layer, path in run.map_layers(name).items()
        if layer in _SURE
    ]
    return _rasters(rows)


def _labels(run: Run) -> list[Layer]:
    """What models learn, and what they are scored by."""
    of_years = sorted(run.dates.glob("labels_*.tif"))
    rows = [
        *((getattr(run, name), title) for name, title in _LABELS.items()),
        *((path, path.stem.replace("_", " of ")) for path in of_years),
    ]
    return _rasters(rows)


def _scene(run: Run) -> list[Layer]:
    """The scene in true colour, and how often it was seen."""
    (scene,) = _rasters([(run.scene, "scene, true colour")])
    return [*_rasters([(run.observations, "valid dates")]), replace(scene, shown=True)]


def _dates(run: Run) -> list[Group]:
    """Every date of a run of several."""
    days = [(path, path.stem) for path in sorted(run.dates.glob("[0-9]*.tif"))]
    return [Group("dates", _rasters(days), expanded=False)] if days else []


def _rasters(rows: Iterable[tuple[Path, str]]) -> list[Layer]:
    """Layers of the rasters that exist, with the styles beside them."""
    return [
        Layer(path.resolve(), title, _style(path), rasters.grid_of(path))
        for path, title in rows
        if path.exists()
    ]


def _style(path: Path) -> str:
    """The style beside a raster; of a run made before every raster had one, its bands in grey."""
    beside = styles.qml_path(path)
    if beside.exists():
        return read_text(beside, "style", "make the raster again")
    return styles.qml(styles.scene_style(rasters.band_names(path)).fitted(path))


def _layers(path: Path | None, grid: Grid) -> list[Layer]:
    """Layers of a GeoPackage, each in its own CRS: points may have been saved in another one."""
    from rasterio.crs import CRS

    if path is None:
        return []
    found = []
    for layer in geopackage.layers_of(path):
        geometry = "Polygon" if "POLYGON" in layer.geometry else "Point"
        style = layer.qml or one_symbol(_PLAIN[geometry])
        own = grid if layer.crs is None else replace(grid, crs=CRS.from_user_input(layer.crs))
        found.append(Layer(path.resolve(), layer.name, style, own, layer.name, geometry))
    return found


def _with_one_legend(groups: list[Group]) -> list[Group]:
    """The same with the legend of classes shown once: under the best map, or else under labels."""
    for name in ("maps", "labels"):
        for i, group in enumerate(groups):
            if group.name == name:
                first = replace(group.layers[0], shown=True, expanded=True)
                groups[i] = replace(group, layers=[first, *group.layers[1:]])
                return groups
    return groups
