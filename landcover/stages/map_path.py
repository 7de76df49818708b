"""The path of a class map, as `landcover.map_scene` gives it: a notebook shows the map itself."""

from __future__ import annotations

import sys

from landcover.errors import LandcoverError
from landcover.files import html
from landcover.files.rasters import grid_of
from landcover.run import Run
from landcover.stages.store import read_report

if sys.platform == "win32":
    from pathlib import WindowsPath as _Path
else:
    from pathlib import PosixPath as _Path


class MapPath(_Path):
    """Path of RUN/maps/NAME.tif, and no other path than any.

    Examples
    --------
    >>> MapPath("runs/demo/maps/random-forest.tif").stem
    'random-forest'
    """

    def _repr_html_(self) -> str | None:
        """The map, its classes, its scores and the layers beside it; None of any other path."""
        if self.suffix != ".tif" or not self.is_file():
            return None
        run, name = Run(self.parent.parent), self.stem
        beside = [layer for layer in run.map_layers(name) if layer != "map"]
        maps = {"map": run.map(name), "labels": run.labels, "reference": run.reference}
        maps = {title: path for title, path in maps.items() if path.exists()}
        return html.card(
            f"Map {self}",
            html.facts(
                [("pixels", _size(self)), ("scored", _scored(run, name)),
                 ("beside it", ", ".join(beside) or None)]
            ),
            html.gallery(maps),
            html.class_table(maps),
            html.missing(
                (layer, f'lc.map_scene("{run.path.as_posix()}", "{name}", {layer}=True)')
                for layer in ("probabilities", "entropy", "applicability")
                if layer not in beside
            ),
        )  # fmt: skip


def _size(path: _Path) -> str | None:
    try:
        grid = grid_of(path)
    except LandcoverError:
        return None
    return f"{grid.rows:,} x {grid.cols:,}, {grid.crs.to_string()}"


def _scored(run: Run, name: str) -> str:
    """What its report says of it."""
    from landcover.reports.words import scored

    if not run.report(name).exists():
        return "no: the run has no labels, or no test blocks"
    try:
        return scored(read_report(run.report(name)))
    except LandcoverError as error:
        return f"its report cannot be read: {error}"
