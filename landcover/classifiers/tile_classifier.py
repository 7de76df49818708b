"""Networks of tiles as classifiers of windows: tiles overlap by half, and their middle is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from landcover.classifiers.protocol import Signature
from landcover.classifiers.sequences import DatedClassifier
from landcover.files.rasters import valid_pixels
from landcover.samples.labelled_tiles import STEP_PX, TILE_PX

#: (tiles, side, side, dates, bands) float32, NaN for missing, and days of year (dates,) to
#: probabilities (tiles, side, side, classes).
PredictTiles = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Pixels around the middle of a tile.
MARGIN_PX = (TILE_PX - STEP_PX) // 2
#: Tiles that are predicted at a time.
_TOGETHER = 64


@dataclass(frozen=True, kw_only=True)
class TileClassifier(DatedClassifier):
    """A network of tiles as a classifier of windows.

    The tiles of a window begin at its corner, every 16 pixels; the last ones end with it. So what
    a pixel gets depends on the window, which maps choose by the scene alone.

    Attributes
    ----------
    predict : callable
        Tiles and days of year to probabilities.
    """

    predict: PredictTiles

    @classmethod
    def of(cls, signature: Signature, predict: PredictTiles) -> TileClassifier:
        """A classifier of what a model's card says and what its file computes."""
        return cls(
            signature.name,
            signature.legend,
            signature.inputs.bands,
            signature.inputs.dates,
            temperature=signature.temperature,
            predict=predict,
        )

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it reads, by date and name where it reads dates."""
        return self.date_bands if self.learnt is None else self.held.names

    @property
    def radius(self) -> int:
        """Pixels around a window that its tiles reach to."""
        return MARGIN_PX

    @property
    def cell_px(self) -> int:
        """Side of the middle of a tile."""
        return STEP_PX

    def valid(self, image: np.ndarray) -> np.ndarray:
        """Where (rows, cols) the image, or at least one date, has a value in every band."""
        if self.learnt is None:
            return valid_pixels(image, self.radius)
        return super().valid(image)

    def predict_window(
        self, image: np.ndarray, _segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities of a window.

        Parameters
        ----------
        image : array of float32, (dates x bands, rows + 16, cols + 16)
            Reflectance of `bands`; NaN where a date is masked, and outside the scene.

        Returns
        -------
        array of float32, (classes, rows, cols)
        """
        rows, cols = (side - 2 * MARGIN_PX for side in image.shape[1:])
        short = [(0, max(0, STEP_PX - side)) for side in (rows, cols)]
        padded = np.pad(image, ((0, 0), *short), constant_values=np.nan)
        tops, lefts = (_starts(max(side, STEP_PX)) for side in (rows, cols))
        found = np.empty((len(self.legend), max(rows, STEP_PX), max(cols, STEP_PX)), np.float32)
        places = [(top, left) for top in tops for left in lefts]
        dates, days = 1, np.zeros(1)
        if self.learnt is not None:
            dates, days = len(self.held.days), self.held.day_of_year
        middle = slice(MARGIN_PX, MARGIN_PX + STEP_PX)
        for start in range(0, len(places), _TOGETHER):
            part = places[start : start + _TOGETHER]
            tiles = np.stack(
                [padded[:, top : top + TILE_PX, left : left + TILE_PX] for top, left in part]
            )
            tiles = np.moveaxis(tiles, 1, -1).reshape(len(part), TILE_PX, TILE_PX, dates, -1)
            kept = self.predict(tiles, days)[:, middle, middle]
            for (top, left), probabilities in zip(part, kept, strict=True):
                place = slice(top, top + STEP_PX), slice(left, left + STEP_PX)
                found[:, *place] = probabilities.transpose(2, 0, 1)
        return found[:, :rows, :cols]


def _starts(side: int) -> list[int]:
    """Where tiles begin along a side, in the padded window; the last one ends with it.

    >>> _starts(32), _starts(40), _starts(16)
    ([0, 16], [0, 16, 24], [0])
    """
    return [min(at, side - STEP_PX) for at in range(0, side, STEP_PX)]
