"""A scene as a classifier sees it: tiles of one shape, read by windows, predicted one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from landcover.classifiers import calibration
from landcover.classifiers.applicability import known
from landcover.classifiers.best_class import winners
from landcover.classifiers.image_tiles import COMPUTE_PX
from landcover.classifiers.protocol import Classifier, require_bands
from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.block_rows import BlockRows
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED

#: Tiles predicted at once; their probabilities are in memory together.
_TOGETHER = 16
#: Confidence is the winner's probability in percent, 0-100; so is entropy, of the largest possible.
CONFIDENCE_NODATA = 255

#: What a map consists of, by layer: arrays (rows, cols), or (classes, rows, cols).
Pixels = dict[str, np.ndarray]
LABELS, CONFIDENCE, PROBABILITIES = "labels", "confidence", "probabilities"
ENTROPY = "entropy"
#: Two bands: how far a pixel reaches out in percent of the threshold, and 1 where it lies inside.
APPLICABILITY = "applicability"


class Source:
    """A scene as a classifier sees it.

    Parameters
    ----------
    classifier : Classifier
        Any model.
    scene : path
        Raster that holds the classifier's bands by name; reflectance.
    segment_types : path, optional
        Raster of segment types on the scene's grid, for classifiers with `segment_layers`.

    Raises
    ------
    LandcoverError
        If the scene lacks a band, or segment types are needed and not given or on another grid.
    """

    def __init__(
        self, classifier: Classifier, scene: str | Path, segment_types: str | Path | None = None
    ) -> None:
        self.classifier = classifier
        self.scene = scene
        self.grid = rasters.grid_of(scene)
        require_bands(classifier, rasters.band_names(scene), scene)
        self.types = segment_types if classifier.segment_layers else None
        if classifier.segment_layers:
            self._require_types()
        self.tile_rows, self.tile_cols = tile_shape(self.grid)
        self._block_rows = BlockRows(scene, classifier.bands)

    def _require_types(self) -> None:
        """Raise InputError unless the segment types serve the classifier."""
        name, layers = self.classifier.name, self.classifier.segment_layers
        if self.types is None:
            raise InputError(
                f"model {name} needs segment types and none are given; make them with: "
                "landcover segment RUN"
            )
        held = rasters.band_names(self.types)
        missing = [layer for layer in layers if layer not in held]
        if missing:
            raise InputError(
                f"model {name} needs segment types {' '.join(missing)}; "
                f"{self.types} has {' '.join(held)}: make them again with: landcover segment RUN"
            )
        self.grid.require_equal(rasters.grid_of(self.types), str(self.scene), str(self.types))

    def tile_at(self, row: int, col: int) -> Window:
        """The tile that holds a pixel; it may reach over the edge, as its shape is always one."""
        return Window(
            row // self.tile_rows * self.tile_rows,
            col // self.tile_cols * self.tile_cols,
            self.tile_rows,
            self.tile_cols,
        )

    def cell_at(self, row: int, col: int) -> Window:
        """The pixels that are predicted from the same tile of the classifier as a pixel.

        Cells are counted from the corner of the scene's tile; the last one ends with it, and lies
        over the one before.
        """
        tile, side = self.tile_at(row, col), self.classifier.cell_px
        top, left = (
            _start_of_cell(offset, side, length)
            for offset, length in ((row - tile.row, tile.rows), (col - tile.col, tile.cols))
        )
        shape = min(side, tile.rows), min(side, tile.cols)
        return Window(tile.row + top, tile.col + left, *shape)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Image with the classifier's margin, and segment types."""
        padded = window.padded(self.classifier.radius)
        return rasters.read(self.scene, padded, self.classifier.bands), self._read_types(window)

    def read_tiles(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """What `read` gives of the whole tiles that a window consists of.

        It is quickest where windows come row by row.
        """
        rows = math.ceil(window.rows / self.tile_rows) * self.tile_rows
        cols = math.ceil(window.cols / self.tile_cols) * self.tile_cols
        tiles = Window(window.row, window.col, rows, cols)
        image = self._block_rows.read(tiles.padded(self.classifier.radius))
        return image, self._read_types(tiles)

    def _read_types(self, window: Window) -> np.ndarray | None:
        """Segment types of a window, where the classifier takes any."""
        if self.types is None:
            return None
        return rasters.read(self.types, window, self.classifier.segment_layers)

    def valid(self, image: np.ndarray) -> np.ndarray:
        """Which pixels the classifier predicts, without the margin."""
        return self.classifier.valid(image)

    def predict(
        self,
        window: Window,
        image: np.ndarray,
        types: np.ndarray | None,
        layers: Sequence[str] = (LABELS, CONFIDENCE),
    ) -> Pixels:
        """The layers of a window that starts where a tile starts, from what `read_tiles` gave."""
        valid = self.valid(image)
        classes = len(self.classifier.legend)
        pixels = {layer: _empty(layer, classes, valid.shape) for layer in layers}
        places = [place for place in self._places(valid.shape) if valid[place.slices].any()]
        for place, probabilities in zip(
            places, self._probabilities(places, image, types), strict=True
        ):
            inside, found = valid[place.slices], _layers(layers, probabilities, self.classifier)
            inside = inside & np.isfinite(probabilities[0])  # none where it lies in no segment
            if APPLICABILITY in layers:
                found[APPLICABILITY] = self._applicability(place, image)
            for layer, out in pixels.items():
                np.copyto(out[..., *place.slices], found[layer], where=inside, casting="unsafe")
        return {layer: out[..., : window.rows, : window.cols] for layer, out in pixels.items()}

    def _places(self, shape: tuple[int, int]) -> Iterator[Window]:
        """Tiles of a window, counted from its corner."""
        for row in range(0, shape[0], self.tile_rows):
            for col in range(0, shape[1], self.tile_cols):
                yield Window(row, col, self.tile_rows, self.tile_cols)

    def _probabilities(
        self, places: Sequence[Window], image: np.ndarray, types: np.ndarray | None
    ) -> Iterator[np.ndarray]:
        """Probabilities of tiles; many at once by a classifier that is quicker so."""
        together = getattr(self.classifier, "predict_windows", None)
        for start in range(0, len(places), _TOGETHER):
            parts = [self._cut(place, image, types) for place in places[start : start + _TOGETHER]]
            if together is not None and types is None:
                yield from together([part for part, _ in parts])
            else:
                yield from (self.classifier.predict_window(*part) for part in parts)

    def _applicability(self, place: Window, image: np.ndarray) -> np.ndarray:
        """Percent of the threshold, and inside or not, (2, rows, cols) of one tile."""
        area, every_px = known(self.classifier), self.classifier.described_px
        coordinates = self.classifier.coordinates(self._cut(place, image, None)[0], every_px)
        percent = area.percent_of_threshold(coordinates)
        percent = percent.repeat(every_px, axis=0).repeat(every_px, axis=1)
        return np.stack([percent, percent <= 100])[:, : place.rows, : place.cols]

    def _cut(
        self, place: Window, image: np.ndarray, types: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Image with margin, and segment types, of one tile."""
        margin = 2 * self.classifier.radius
        padded = Window(place.row, place.col, place.rows + margin, place.cols + margin)
        return image[:, *padded.slices], None if types is None else types[:, *place.slices]

    def typical_tiles(self, n: int) -> list[np.ndarray]:
        """Images with margin of up to `n` tiles that hold data, spread over the scene.

        They are found on a thinned reading, so that the cost does not grow with the scene.
        """
        rows, cols = (
            math.ceil(side / tile)
            for side, tile in zip(self.grid.shape, (self.tile_rows, self.tile_cols), strict=True)
        )
        thin = rasters.read_small(self.scene, 8 * max(rows, cols), self.classifier.bands)
        has_data = rasters.valid_pixels(thin)
        at = [
            np.minimum(np.arange(side) * tiles // side, tiles - 1)
            for side, tiles in zip(has_data.shape, (rows, cols), strict=True)
        ]
        share = np.zeros((rows, cols))
        np.add.at(share, (at[0][:, np.newaxis], at[1]), has_data)
        good = np.argwhere(share >= max(share.max() / 2, 1))
        spread = np.linspace(0, len(good) - 1, min(n, len(good))).round().astype(int)
        chosen = good[spread]
        places = (self.tile_at(r * self.tile_rows, c * self.tile_cols) for r, c in chosen.tolist())
        return [self.read(place)[0] for place in places]


def _start_of_cell(offset: int, side: int, length: int) -> int:
    """Where the cell of a pixel begins.

    >>> [_start_of_cell(offset, 16, 44) for offset in (15, 16, 27, 28)]
    [0, 16, 16, 28]
    """
    last = max(0, length - side)
    return last if offset >= last else offset // side * side


def tile_shape(grid: Grid) -> tuple[int, int]:
    """Rows and cols of equal tiles of at most COMPUTE_PX that waste little at the far edges."""
    rows, cols = (math.ceil(n / math.ceil(n / COMPUTE_PX)) for n in grid.shape)
    return rows, cols


def reading_windows(grid: Grid, tile_px: int) -> list[Window]:
    """Windows of whole tiles, about `tile_px` wide, that cover the grid.

    Raises
    ------
    InputError
        If `tile_px` is not positive.
    """
    if tile_px < 1:
        raise InputError(f"tile size {tile_px} is not positive; choose 1024, or less memory")
    rows, cols = (max(1, round(tile_px / side)) * side for side in tile_shape(grid))
    return [
        Window(row, col, min(rows, grid.rows - row), min(cols, grid.cols - col))
        for row in range(0, grid.rows, rows)
        for col in range(0, grid.cols, cols)
    ]


def layout(grid: Grid, tile_px: int) -> dict[str, list[int]]:
    """How a grid is cut into tiles and windows; part of what an interrupted job must agree in."""
    first = reading_windows(grid, tile_px)[0]
    return {
        "grid": list(grid.shape),
        "tile": list(tile_shape(grid)),
        "window": [first.rows, first.cols],
    }


def _empty(layer: str, classes: int, shape: tuple[int, int]) -> np.ndarray:
    """A layer of nodata."""
    if layer == LABELS:
        return np.full(shape, UNLABELLED, np.uint16)
    if layer in (CONFIDENCE, ENTROPY):
        return np.full(shape, CONFIDENCE_NODATA, np.uint8)
    if layer == APPLICABILITY:
        return np.full((2, *shape), CONFIDENCE_NODATA, np.uint8)
    return np.full((classes, *shape), np.nan, np.float32)


def _layers(layers: Sequence[str], probabilities: np.ndarray, classifier: Classifier) -> Pixels:
    """What the layers hold, from a classifier's probabilities (classes, rows, cols).

    Labels are those of the probabilities as they come, so that no rounding of tempered ones
    can change any.
    """
    index, best = winners(probabilities)
    meant = calibration.tempered(probabilities, classifier.temperature, axis=0)
    held = {
        LABELS: lambda: classifier.legend.code(index),
        CONFIDENCE: lambda: np.rint(100 * (best if meant is probabilities else meant.max(axis=0))),
        PROBABILITIES: lambda: meant,
        ENTROPY: lambda: np.rint(100 * calibration.normalised_entropy(meant, axis=0)),
    }
    return {layer: held[layer]() for layer in layers if layer in held}
