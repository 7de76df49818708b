"""The scene as teachers see it: without haze of uneven thickness, where that is proven to help.

The same field looks one way under thin haze and another under thick, and a teacher cannot know
which it is. Nothing but its view changes: the scene stays as it is, and so does what models learn
from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.files.raster_writer import RasterWriter, remove_beside
from landcover.files.styles import scene_style
from landcover.grid import Grid
from landcover.labels.evidence import drawn, out_of_fold
from landcover.progress import track
from landcover.run import Run
from landcover.samples.rows import Rows
from landcover.scene.veil import Veil, find_veil
from landcover.sensors import roles_of

#: Haze counts as uneven from this spread of its blue light on. Clear scenes have 0.008 to 0.015
#: from their land alone, and hazy ones 0.03 to 0.07 (docs/label_noise.md).
UNEVEN = 0.025
#: Forests must tell this share of labels more in blocks left out, and more than the standard error
#: of the gain over blocks.
LEAST_GAIN = 0.01


@dataclass(frozen=True)
class View:
    """What teachers see of a run.

    Attributes
    ----------
    run : Run
        The run, with the scene that they see.
    rows : Rows
        Its samples, with the bands of that scene.
    note : str, optional
        What was done; None where they see the scene as it is.
    """

    run: Run
    rows: Rows
    note: str | None = None


class _Clear(Run):
    """A run whose scene is another raster."""

    def __init__(self, run: Run, scene: Path) -> None:
        super().__init__(run.path)
        self.scene = scene


@contextmanager
def view_of(run: Run, rows: Rows, grid: Grid, folder: Path) -> Iterator[View]:
    """Give what teachers are to see of a run.

    Parameters
    ----------
    run : Run
        Run folder with scene and samples.
    rows : Rows
        What they are to learn.
    grid : Grid
        Of the scene.
    folder : path
        Where a scene without haze may lie for that long.
    """
    view = _view(run, rows, grid, folder / "clear.tif")
    try:
        yield view
    finally:
        if view.run is not run:
            view.run.scene.unlink(missing_ok=True)
            remove_beside(view.run.scene)


def _view(run: Run, rows: Rows, grid: Grid, scene: Path) -> View:
    """The view, with a scene written where there is haze to take away."""
    bands = rasters.band_names(run.scene)
    blue = roles_of(bands).get("blue")
    if blue is None:
        return View(run, rows)
    veil = find_veil(lambda window: rasters.read(run.scene, window, [blue])[0], grid)
    if veil.spread < UNEVEN:
        return View(run, rows)
    clear = _without(veil, rows, bands)
    plain, better, proven = _judged(rows, clear, bands)
    if not proven:
        return View(run, rows)
    _write(run.scene, scene, veil, grid)
    return View(
        _Clear(run, scene),
        clear,
        f"haze lies unevenly over the scene: its blue light differs by {veil.spread:.3f}; labels "
        "were judged on the image without it, on which forests tell "
        f"{100 * better:.1f} % of the labels in blocks left out, instead of {100 * plain:.1f} %",
    )


def _without(veil: Veil, rows: Rows, bands: tuple[str, ...]) -> Rows:
    """Rows whose bands are those without haze."""
    samples = rows.samples
    at = veil.at(samples["row"].to_numpy(), samples["col"].to_numpy())
    lifted = veil.lifted(samples[list(bands)].to_numpy(np.float32).T, bands, at)
    return replace(rows, samples=samples.assign(**dict(zip(bands, lifted, strict=True))))


def _judged(rows: Rows, clear: Rows, bands: tuple[str, ...]) -> tuple[float, float, bool]:
    """Shares of labels that forests find in blocks left out, and whether the gain is beyond doubt.

    They see single pixels with haze, and without it.
    """
    part = drawn(np.concatenate([rows.train, rows.validation]))
    labels, blocks = rows.targets(part), rows.samples["block"].to_numpy()[part]
    held, block = np.unique(blocks, return_inverse=True)
    if len(held) < 3:
        return 0.0, 0.0, False
    right = []
    for seen in (rows, clear):
        values = np.nan_to_num(seen.values(part, bands, ())[0])
        found = out_of_fold(values, labels, blocks, len(rows.legend))
        right.append(found.argmax(axis=1) == labels)
    gain = np.bincount(block, right[1].astype(float) - right[0]) / np.bincount(block)
    error = gain.std(ddof=1) / np.sqrt(len(held))
    plain, better = (float(np.mean(each)) for each in right)
    return plain, better, bool(better - plain > LEAST_GAIN and gain.mean() > error)


def _write(scene: Path, out: Path, veil: Veil, grid: Grid) -> None:
    """Write a scene without its haze."""
    bands = rasters.band_names(scene)
    with RasterWriter(out, grid, np.float32, bands, np.nan, style=scene_style(bands)) as writer:
        for window in track(list(grid.windows(rasters.WINDOW_PX)), "taking the haze away"):
            rows, cols = np.indices((window.rows, window.cols))
            at = veil.at(rows + window.row, cols + window.col)
            writer.write(veil.lifted(rasters.read(scene, window), bands, at), window)
