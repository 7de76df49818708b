"""Whether a map's numbers are those of single patches."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.classifiers.protocol import Classifier
from landcover.errors import InputError, require_seed
from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.maps.scene_tiles import Source, reading_windows
from landcover.progress import track


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
    written_mismatches : int, optional
        Pixels whose label as written in the map differs from that of the patch; None if no map
        was read.
    """

    pixels: int
    at_border: int
    largest_difference: float
    mismatches: int
    written_mismatches: int | None = None

    def __str__(self) -> str:
        text = (
            f"{self.pixels} pixels ({self.at_border} at the border): largest difference of a "
            f"probability {self.largest_difference:.2g}, {self.mismatches} labels differ"
        )
        if self.written_mismatches is None:
            return text
        return f"{text}, {self.written_mismatches} as written in the map"


def verify(
    classifier: Classifier,
    scene: str | Path,
    n: int,
    seed: int,
    segment_types: str | Path | None = None,
    by_patch: Classifier | None = None,
    written: str | Path | None = None,
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
    by_patch : Classifier, optional
        The same model, as it predicts single patches; `classifier` itself by default.
    written : path, optional
        Its class map, whose labels are compared too.

    Returns
    -------
    Agreement
    """
    if n < 1:
        raise InputError(f"{n} pixels to verify is not positive; choose 200, for example")
    source = Source(classifier, scene, segment_types)
    require_seed(seed)
    pixels = _draw(source, n, np.random.default_rng(seed))
    by_patch = by_patch or classifier
    largest, dense_best, single_best, as_written = 0.0, [], [], []
    done: Window | None = None
    for row, col in track(pixels, "verifying"):
        tile = source.tile_at(row, col)
        if done != tile:
            done, probabilities = tile, classifier.predict_window(*source.read(tile))
            labels = None if written is None else rasters.read_classes(written, tile)
        dense = probabilities[:, row - tile.row, col - tile.col]
        cell = source.cell_at(row, col)
        alone = by_patch.predict_window(*source.read(cell))
        single = alone[:, row - cell.row, col - cell.col]
        largest = max(largest, float(np.abs(dense - single).max()))
        dense_best.append(dense.argmax())
        single_best.append(single.argmax())
        if labels is not None:
            as_written.append(labels[row - tile.row, col - tile.col])
    rows, cols = np.array(pixels).T
    codes = classifier.legend.code(np.array(single_best))
    return Agreement(
        pixels=len(pixels),
        at_border=int(_near_edge(source.grid, rows, cols, classifier.radius).sum()),
        largest_difference=largest,
        mismatches=int((np.array(dense_best) != np.array(single_best)).sum()),
        written_mismatches=None if written is None else int((np.array(as_written) != codes).sum()),
    )


def _near_edge(grid: Grid, rows: np.ndarray, cols: np.ndarray, radius: int) -> np.ndarray:
    """Whether patches of that radius reach over the edge."""
    distance = np.minimum.reduce([rows, cols, grid.rows - 1 - rows, grid.cols - 1 - cols])
    return distance < radius


def _draw(source: Source, n: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Valid pixels drawn uniformly, a quarter of them near the edge, in the order of tiles.

    One pass over the scene gives every valid pixel a random key and keeps the smallest.
    """
    radius = source.classifier.radius
    anywhere: list[tuple[float, int, int]] = []
    at_edge: list[tuple[float, int, int]] = []
    for window in reading_windows(source.grid, 1024):
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
        raise InputError(f"{source.scene} has no valid pixel; nothing can be verified")
    return sorted(
        pixels, key=lambda pixel: (source.tile_at(*pixel).row, source.tile_at(*pixel).col)
    )
