"""Other views of a square image that leave its class as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """Random changes of an image, drawn again every time that it is shown.

    Land has no up, so all eight orientations are as likely; the other changes are drawn evenly
    within their bounds.

    Attributes
    ----------
    turn : bool
        Flips and quarter turns.
    shift_px : int
        Moves by at most so many pixels along both axes, whole ones: parts of a pixel blur.
    zoom : float
        A pixel becomes at most so much larger or smaller, as a share of its side. Views are
        blurred then, which images to classify are not.
    brightness : float
        All bands are multiplied by at most so much more or less than one.
    """

    turn: bool = True
    shift_px: int = 4
    zoom: float = 0.0
    brightness: float = 0.1

    def views(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One view of every image.

        Parameters
        ----------
        images : array of float32 (n, side, side, bands)
            Any unit.
        rng : Generator
            Where draws come from.

        Returns
        -------
        array of float32 (n, side, side, bands)
            Land beyond an image's edge is its mirror image.
        """
        n, side = images.shape[:2]
        images = turned(images, np.asarray(rng.integers(8, size=n))) if self.turn else images
        moves = np.asarray(rng.integers(-self.shift_px, self.shift_px, (2, n), endpoint=True))
        if self.zoom:
            scale = np.asarray(1 + rng.uniform(-self.zoom, self.zoom, n))
            rows, cols = (_samplers(side, scale, along + (side - 1) / 2) for along in moves)
            images = resampled(images, rows, cols)
        elif self.shift_px:
            images = moved(images, *moves)
        if self.brightness:
            factor = 1 + rng.uniform(-self.brightness, self.brightness, (n, 1, 1, 1))
            images = images * factor.astype(np.float32)
        return np.ascontiguousarray(images, np.float32)


#: Images as they are.
NONE = Augmentation(turn=False, shift_px=0, brightness=0.0)


def moved(images: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Images (n, side, side, bands), each seen from whole pixels further down and right.

    >>> moved(np.arange(9).reshape(1, 3, 3, 1), np.array([1]), np.array([0]))[0, ..., 0].tolist()
    [[3, 4, 5], [6, 7, 8], [3, 4, 5]]
    """
    side, edge = images.shape[1], int(max(np.abs(down).max(), np.abs(right).max()))
    wide = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="reflect")
    result = np.empty_like(images)
    for view, image, row, col in zip(result, wide, down + edge, right + edge, strict=True):
        view[:] = image[row : row + side, col : col + side]
    return result


def resampled(images: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Images (n, r, c, bands) under samplers (n, r, r) and (n, c, c), as two products.

    >>> rows, cols = (_samplers(3, np.ones(1), np.array([middle])) for middle in (1.0, 0.5))
    >>> resampled(np.arange(9.0).reshape(1, 3, 3, 1), rows, cols)[0, ..., 0].tolist()
    [[0.5, 0.5, 1.5], [3.5, 3.5, 4.5], [6.5, 6.5, 7.5]]
    """
    n, _, width, bands = images.shape
    upright = rows @ images.reshape(n, images.shape[1], width * bands)
    across = upright.reshape(n, -1, width, bands).swapaxes(1, 2)
    both = cols @ across.reshape(n, width, -1)
    return both.reshape(n, cols.shape[1], -1, bands).swapaxes(1, 2)


def _samplers(side: int, scale: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Linear interpolation along one axis, a matrix (n, side, side) of float32 per image.

    A new pixel covers `scale` old ones, and weighs them by a triangle as wide: wider than a
    pixel, it averages what finer detail would alias.
    """
    places = centre[:, None] + (np.arange(side) - (side - 1) / 2) * scale[:, None]
    last = side - 1
    places = last - np.abs(last - np.abs(places) % (2 * last))  # mirrored at both edges
    distance = np.abs(places[:, :, None] - np.arange(side))
    weights = np.clip(1 - distance / np.maximum(scale, 1)[:, None, None], 0, None)
    return (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)


def turned(images: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """Square images (n, size, size, bands), each in one of its eight orientations.

    An orientation is 0 to 3 quarter turns against the clock, and then upside down from 4 on.
    """
    result = np.empty_like(images)
    for orientation in range(8):
        chosen = orientations == orientation
        some = np.rot90(images[chosen], orientation % 4, axes=(1, 2))
        result[chosen] = some[:, ::-1] if orientation >= 4 else some
    return result
