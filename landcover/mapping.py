"""Wall-to-wall prediction: every valid pixel of a scene, by overlapping windows.

Floating-point sums depend a little on the shape of the arrays they run over, and
so can a label where two classes tie. Prediction therefore runs on tiles whose
shape and place follow from the scene alone; how many of them are read at once
changes memory, never a number.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from landcover import rasters
from landcover.errors import LandcoverError
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend
from landcover.progress import track

#: Sides of the tiles that a classifier sees at once are at most this, plus its radius.
COMPUTE_PX = 256
#: Confidence is the winner's probability in percent, 0-100.
CONFIDENCE_NODATA = 255


class Classifier(Protocol):
    """What mapping asks of a model.

    Attributes
    ----------
    name : str
        Name of the model.
    legend : Legend
        Classes in the order of the outputs.
    bands : tuple of str
        Bands that it reads, in order.
    radius : int
        Pixels around a pixel that its prediction depends on.
    segment_layers : tuple of str
        Bands of the raster of segment types that it reads; empty if none.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def legend(self) -> Legend: ...  # noqa: D102
    @property
    def bands(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def radius(self) -> int: ...  # noqa: D102
    @property
    def segment_layers(self) -> tuple[str, ...]: ...  # noqa: D102

    def predict_window(
        self, image: np.ndarray, segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities (classes, rows, cols) of an image padded by `radius` on every side."""


@dataclass(frozen=True)
class Agreement:
    """How a map's numbers compare with those of single patches.

    Attributes
    ----------
    pixels : int
        Pixels compared.
    at_border : int
        Those of them whose patch reaches over the edge of the scene.
    largest_difference : float
        Largest absolute difference of a probability.
    mismatches : int
        Pixels whose label differs.
    """

    pixels: int
    at_border: int
    largest_difference: float
    mismatches: int

    def __str__(self) -> str:
        return (
            f"{self.pixels} pixels ({self.at_border} at the border): largest difference of a "
            f"probability {self.largest_difference:.2g}, {self.mismatches} labels differ"
        )


def predict_map(
    classifier: Classifier,
    scene: str | Path,
    out: str | Path,
    *,
    tile_px: int = 1024,
    confidence: str | Path | None = None,
    probabilities: str | Path | None = None,
    segment_types: str | Path | None = None,
) -> list[Path]:
    """Predict every valid pixel of a scene.

    Parameters
    ----------
    classifier : Classifier
        Any model.
    scene : path
        Raster that holds the classifier's bands by name; reflectance.
    out : path
        Class map, uint16 class codes with colour table and names; 0 is nodata.
    tile_px : int
        Side of the windows read and written at once, rounded to whole tiles of
        about `COMPUTE_PX`: more takes more memory. The map does not depend on it.
    confidence : path, optional
        Where to write the winning class's probability in percent, uint8; 255 is nodata.
    probabilities : path, optional
        Where to write the probability of every class, one float32 band a class; NaN is nodata.
    segment_types : path, optional
        Raster of segment types on the scene's grid, for classifiers with `segment_layers`.

    Returns
    -------
    list of Path
        What was written; nothing appears before the last window is predicted.

    Raises
    ------
    LandcoverError
        If the scene lacks a band, or segment types are needed and not given or on another grid.
    """
    if tile_px < 1:
        raise LandcoverError(f"tile size {tile_px} is not positive; choose 1024, or less memory")
    source = _Source(classifier, scene, segment_types)
    grid, legend = source.grid, classifier.legend
    with ExitStack() as stack:

        def writer(path: str | Path, *settings, **named) -> rasters.RasterWriter:
            return stack.enter_context(rasters.RasterWriter(path, grid, *settings, **named))

        labels_out = writer(out, np.uint16, ["class"], nodata=UNLABELLED, legend=legend)
        confidence_out = probabilities_out = None
        if confidence:
            confidence_out = writer(
                confidence, np.uint8, ["confidence_percent"], nodata=CONFIDENCE_NODATA
            )
        if probabilities:
            names = [f"{c.code} {c.name}" for c in legend.classes]
            probabilities_out = writer(probabilities, np.float32, names, nodata=np.nan)
        windows = list(_reading_windows(grid, tile_px))
        for window in track(windows, f"mapping with {classifier.name}"):
            shares, valid = source.predict(window)
            codes = legend.code(shares.argmax(axis=0))
            labels_out.write(np.where(valid, codes, UNLABELLED), window)
            if confidence_out:
                percent = np.rint(100 * shares.max(axis=0))
                confidence_out.write(np.where(valid, percent, CONFIDENCE_NODATA), window)
            if probabilities_out:
                probabilities_out.write(np.where(valid, shares, np.float32(np.nan)), window)
    return [Path(path) for path in (out, confidence, probabilities) if path]


def verify(
    classifier: Classifier,
    scene: str | Path,
    n: int,
    seed: int,
    segment_types: str | Path | None = None,
) -> Agreement:
    """Compare the map's numbers with predictions of single patches at random valid pixels.

    Parameters
    ----------
    classifier, scene, segment_types
        As for `predict_map`.
    n : int
        Pixels to compare; a quarter of them, where there are enough, lies within the
        classifier's radius of the scene's edge, where patches reach outside.
    seed : int
        Of the draw.

    Returns
    -------
    Agreement
    """
    if n < 1:
        raise LandcoverError(f"{n} pixels to verify is not positive; choose 200, for example")
    source = _Source(classifier, scene, segment_types)
    pixels = _draw(source, n, np.random.default_rng(seed))
    radius = classifier.radius
    largest, mismatches, at_border = 0.0, 0, 0
    done: tuple[Window | None, np.ndarray] = (None, np.empty(0))
    for row, col in track(pixels, "verifying"):
        tile = source.tile_at(row, col)
        if done[0] != tile:
            done = tile, source.predict_tile(tile)
        dense = done[1][:, row - tile.row, col - tile.col]
        single = source.predict_tile(Window(row, col, 1, 1))[:, 0, 0]
        largest = max(largest, float(np.abs(dense - single).max()))
        mismatches += int(dense.argmax() != single.argmax())
        at_border += int(_near_edge(source.grid, np.array(row), np.array(col), radius))
    return Agreement(len(pixels), at_border, largest, mismatches)


class _Source:
    """A scene as a classifier sees it."""

    def __init__(self, classifier: Classifier, scene: str | Path, segment_types: str | Path | None):
        self.classifier = classifier
        self.scene = scene
        self.grid = rasters.grid_of(scene)
        require_bands(classifier, rasters.band_names(scene), scene)
        self.types = segment_types if classifier.segment_layers else None
        if classifier.segment_layers:
            if segment_types is None:
                raise LandcoverError(
                    f"model {classifier.name} needs segment types and none are given; "
                    "make them with segment.py"
                )
            held = rasters.band_names(segment_types)
            missing = [name for name in classifier.segment_layers if name not in held]
            if missing:
                raise LandcoverError(
                    f"model {classifier.name} needs segment types {' '.join(missing)}; "
                    f"{segment_types} has {' '.join(held)}: make them again with segment.py"
                )
            other = rasters.grid_of(segment_types)
            self.grid.require_equal(other, str(scene), str(segment_types))
        self.tile_rows, self.tile_cols = _tile_shape(self.grid)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Image with the classifier's margin, and segment types."""
        padded = window.padded(self.classifier.radius)
        image = rasters.read(self.scene, padded, self.classifier.bands)
        types = None
        if self.types is not None:
            types = rasters.read(self.types, window, self.classifier.segment_layers)
        return image, types

    def valid(self, image: np.ndarray) -> np.ndarray:
        """Where every band has a value, without the margin."""
        radius = self.classifier.radius
        inner = slice(radius, -radius or None)
        return ~np.isnan(image[:, inner, inner]).any(axis=0)

    def tile_at(self, row: int, col: int) -> Window:
        """The tile that holds a pixel; it may reach over the edge, as its shape is always one."""
        return Window(
            row // self.tile_rows * self.tile_rows,
            col // self.tile_cols * self.tile_cols,
            self.tile_rows,
            self.tile_cols,
        )

    def predict_tile(self, tile: Window) -> np.ndarray:
        """Probabilities (classes, rows, cols) of one tile."""
        return self.classifier.predict_window(*self.read(tile))

    def predict(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and validity of a window that starts where a tile starts."""
        rows = math.ceil(window.rows / self.tile_rows) * self.tile_rows
        cols = math.ceil(window.cols / self.tile_cols) * self.tile_cols
        whole = Window(window.row, window.col, rows, cols)
        image, types = self.read(whole)
        valid = self.valid(image)
        shares = np.zeros((len(self.classifier.legend), rows, cols), np.float32)
        margin = 2 * self.classifier.radius
        for row in range(0, rows, self.tile_rows):
            for col in range(0, cols, self.tile_cols):
                place = Window(row, col, self.tile_rows, self.tile_cols).slices
                if not valid[place].any():
                    continue
                patch = Window(row, col, self.tile_rows + margin, self.tile_cols + margin).slices
                tile_types = None if types is None else types[:, *place]
                shares[:, *place] = self.classifier.predict_window(image[:, *patch], tile_types)
        return shares[:, : window.rows, : window.cols], valid[: window.rows, : window.cols]


def require_bands(classifier: Classifier, held: tuple[str, ...], scene: str | Path) -> None:
    """Raise LandcoverError unless a scene holds the bands that a model was trained on."""
    if not set(classifier.bands) <= set(held):
        raise LandcoverError(
            f"model {classifier.name} was trained on bands {' '.join(classifier.bands)}; "
            f"{Path(scene).name} has {' '.join(held)}: prepare a scene with these bands "
            "or train a model on it"
        )


def _tile_shape(grid: Grid) -> tuple[int, int]:
    """Rows and cols of equal tiles of at most COMPUTE_PX that waste little at the far edges."""
    rows, cols = (math.ceil(n / math.ceil(n / COMPUTE_PX)) for n in grid.shape)
    return rows, cols


def _reading_windows(grid: Grid, tile_px: int) -> Iterator[Window]:
    """Windows of whole tiles, about `tile_px` wide, that cover the grid."""
    rows, cols = (max(1, round(tile_px / side)) * side for side in _tile_shape(grid))
    for row in range(0, grid.rows, rows):
        for col in range(0, grid.cols, cols):
            yield Window(row, col, min(rows, grid.rows - row), min(cols, grid.cols - col))


def _near_edge(grid: Grid, rows: np.ndarray, cols: np.ndarray, radius: int) -> np.ndarray:
    """Whether patches of that radius reach over the edge."""
    distance = np.minimum.reduce([rows, cols, grid.rows - 1 - rows, grid.cols - 1 - cols])
    return distance < radius


def _draw(source: _Source, n: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Valid pixels drawn uniformly, a quarter of them near the edge, in the order of tiles.

    One pass over the scene gives every valid pixel a random key and keeps the smallest.
    """
    radius = source.classifier.radius
    anywhere: list[tuple[float, int, int]] = []
    at_edge: list[tuple[float, int, int]] = []
    for window in _reading_windows(source.grid, 1024):
        image, _ = source.read(window)
        rows, cols = np.nonzero(source.valid(image))
        rows, cols = rows + window.row, cols + window.col
        edge = _near_edge(source.grid, rows, cols, radius)
        for kept, chosen, size in ((anywhere, ~edge, n), (at_edge, edge, n)):
            keys = rng.random(int(chosen.sum()))
            smallest = np.argsort(keys)[:size]
            drawn = zip(
                keys[smallest].tolist(),
                rows[chosen][smallest].tolist(),
                cols[chosen][smallest].tolist(),
                strict=True,
            )
            kept[:] = heapq.nsmallest(size, [*kept, *drawn])
    quarter = min(len(at_edge), max(n // 4, n - len(anywhere)))
    pixels = [(row, col) for _, row, col in at_edge[:quarter] + anywhere[: n - quarter]]
    if not pixels:
        raise LandcoverError(f"{source.scene} has no valid pixel; nothing can be verified")
    return sorted(
        pixels, key=lambda pixel: (source.tile_at(*pixel).row, source.tile_at(*pixel).col)
    )
