"""How fine labels are: whether they show what the image shows, or areas that somebody drew.

Coarse labels such as CORINE's hold no region under 25 ha, and their borders were drawn up to
100 m beside those of the image. Labels as fine as the image hold many small regions, and their
borders lie where the image changes. Both are measured, so nothing is guessed from where labels
come from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from landcover.legend import UNLABELLED

#: Regions under so many hectares are small: a fifth of CORINE's smallest unit (25 ha), so that
#: units cut by resampling are not taken for fineness.
SMALL_HA = 5.0
#: Share of the labelled area in small regions from which labels may be fine. Measured: 0 to 1.1 %
#: of coarse labels, 5 to 20 % of 10 m maps, land-use polygons and either in cells of 20 to 100 m.
FINE_SMALL = 0.03
#: How much stronger the image changes along borders of labels than beside them, as a difference of
#: logarithms, from which labels may be fine. It tells detail from noise. On 80 places of 2.6 km
#: both limits let pass all maps of 10 m and 78 of the same in cells of 100 m, none drawn as CORINE
#: is, and none of which a tenth or a fifth of the pixels is drawn at random.
FINE_CONTRAST = 0.12
#: What is beside a border, metres.
BESIDE_M = 100.0


@dataclass(frozen=True)
class Fineness:
    """What was measured of labels.

    Attributes
    ----------
    small : float
        Share of the labelled area that lies in whole regions under `SMALL_HA`, 0 to 1.
    contrast : float
        Mean logarithm of the image's gradient along borders between labels, less that of the
        same borders moved by `BESIDE_M`; 0 where there are no borders.
    """

    small: float
    contrast: float

    @property
    def fine(self) -> bool:
        """Whether labels are as fine as the image."""
        return self.small >= FINE_SMALL and self.contrast >= FINE_CONTRAST


def fineness(
    windows: Iterable[tuple[np.ndarray, np.ndarray]], pixel_ha: float, beside_px: int
) -> Fineness:
    """Measure how fine labels are.

    Parameters
    ----------
    windows : iterable of (image, labels)
        Parts of a scene: float (bands, rows, cols), NaN without data, and class codes
        (rows, cols), 0 = unlabelled.
    pixel_ha : float
        Area of a pixel on the ground, hectares.
    beside_px : int
        `BESIDE_M` in pixels.

    Returns
    -------
    Fineness

    Examples
    --------
    Squares of 6 px in an image, and labels that show them:

    >>> squares = 1 + (np.indices((66, 66)) // 6 % 2).prod(axis=0)
    >>> fineness([(squares[np.newaxis].astype(float), squares)], 0.01, 3).fine
    True
    """
    small = area = 0
    on, off = [np.empty(0)], [np.empty(0)]
    for image, labels in windows:
        found = _small_pixels(labels, SMALL_HA / pixel_ha)
        small, area = small + found, area + int((labels != UNLABELLED).sum())
        gradient = _gradient(image)
        on.append(_along_borders(gradient, labels))
        off += [
            _along_borders(gradient, np.roll(labels, move, (0, 1))) for move in _moves(beside_px)
        ]
    along, beside = np.concatenate(on), np.concatenate(off)
    contrast = float(along.mean() - beside.mean()) if len(along) and len(beside) else 0.0
    return Fineness(small / area if area else 0.0, contrast)


def _moves(pixels: int) -> list[tuple[int, int]]:
    return [(pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)]


def _small_pixels(labels: np.ndarray, least: float) -> int:
    """Pixels of regions smaller than `least` pixels that no edge of the window cuts."""
    from scipy.ndimage import label as regions_of

    total = 0
    for code in np.unique(labels[labels != UNLABELLED]):
        regions, count = regions_of(labels == code)
        sizes = np.bincount(regions.ravel(), minlength=count + 1)
        edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
        sizes[np.append(np.unique(edge), 0)] = 0
        total += int(sizes[sizes < least].sum())
    return total


def _gradient(image: np.ndarray) -> np.ndarray:
    """Logarithm of how much the image changes at each pixel; NaN without data."""
    from scipy.ndimage import gaussian_gradient_magnitude

    total = np.zeros(image.shape[1:])
    for band in image:
        known = np.isfinite(band)
        if not known.any():
            return np.full(image.shape[1:], np.nan)
        filled = np.where(known, band, band[known].mean())
        spread = max(float(filled.std()), 1e-9)
        total += np.where(known, gaussian_gradient_magnitude(filled, 1.0) / spread, np.nan)
    return np.log(total + 1e-3)


def _along_borders(gradient: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The gradient at both pixels of every border between two labels."""
    found = []
    for axis in (0, 1):
        first = tuple(slice(None, -1) if a == axis else slice(None) for a in (0, 1))
        second = tuple(slice(1, None) if a == axis else slice(None) for a in (0, 1))
        a, b = labels[first], labels[second]
        border = (a != b) & (a != UNLABELLED) & (b != UNLABELLED)
        found += [gradient[first][border], gradient[second][border]]
    values = np.concatenate(found)
    return values[np.isfinite(values)]
