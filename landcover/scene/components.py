"""Principal components: many bands, such as those of an embedding, as few that hold most of it.

Fitted once on samples, kept in a model's card, and applied to every pixel by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError

#: Pixels, or samples, that are computed at a time, so that what is worked on stays in the cache.
_AT_ONCE = 1 << 14
#: A component that holds less than this share of the variance is rounding noise.
_LEAST_SHARE = 1e-12


@dataclass(frozen=True)
class Components:
    """Principal components of bands.

    Attributes
    ----------
    names : tuple of str
        The bands, in the order in which they are taken.
    mean, scale : array of float64 (bands,)
        What is taken from a band, and what it is divided by then.
    vectors : array of float64 (components, bands)
        Directions of length 1, that of the largest variance first.
    explained : array of float64 (components,)
        Share of the variance of all standardised bands that each component holds.

    Examples
    --------
    >>> values = np.array([[0, 0], [1, 2], [2, 4], [3, 7]])
    >>> components = fit_components(values, ["B04", "B08"], 1)
    >>> components.apply(values.T).astype(float).round(2).tolist()
    [[-1.84, -0.66, 0.52, 1.97]]
    >>> components.explained.round(3).tolist()
    [0.997]
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    vectors: np.ndarray
    explained: np.ndarray

    def __post_init__(self) -> None:
        bands, count = len(self.names), len(self.vectors)
        shapes = [self.mean.shape, self.scale.shape, self.vectors.shape, self.explained.shape]
        if shapes != [(bands,), (bands,), (count, bands), (count,)]:
            raise InputError(
                f"components of {bands} bands have mean, scale, vectors and explained shares of "
                f"{', '.join(map(str, shapes))}; their lengths have to agree: fit them again"
            )

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The components of every pixel.

        Parameters
        ----------
        image : array (bands, rows, cols) or (bands, samples)
            Values of the bands in the order of `names`, NaN for nodata.

        Returns
        -------
        array of float32 (components, rows, cols) or (components, samples)
            NaN where one of the bands is. A pixel has the same bits in an array of any shape.

        Raises
        ------
        InputError
            If there are more or fewer bands.
        """
        image = np.asarray(image)
        if image.ndim not in (2, 3) or len(image) != len(self.names):
            raise InputError(
                f"components of {len(self.names)} bands and an image of {image.shape} do not fit; "
                "give (bands, rows, cols) or (bands, samples)"
            )
        pixels = image.reshape(len(image), math.prod(image.shape[1:]))
        found = np.empty((len(self.vectors), pixels.shape[1]), np.float32)
        for start in range(0, pixels.shape[1], _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found[:, part] = self._apply(pixels[:, part])
        return found.reshape(len(found), *image.shape[1:])

    def _apply(self, pixels: np.ndarray) -> np.ndarray:
        """Components, float64 (components, pixels).

        Band by band, always in the same order: a matrix product may add in another order, or
        round otherwise, where the number of pixels is another one.
        """
        total = np.zeros((len(self.vectors), pixels.shape[1]))
        product = np.empty(pixels.shape[1])
        for band, mean, scale, weights in zip(
            pixels, self.mean, self.scale, self.vectors.T, strict=True
        ):
            standardised = (band - mean) / scale
            for row, weight in zip(total, weights, strict=True):
                np.multiply(standardised, weight, out=product)
                row += product
        return total

    def to_json(self) -> dict[str, list]:
        """Lists of numbers and names, for a model's card."""
        return {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "vectors": self.vectors.tolist(),
            "explained": self.explained.tolist(),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, list]) -> Components:
        """The inverse of `to_json`: the same to the last bit.

        Raises
        ------
        InputError
            If a field is missing, or no list of finite numbers, or their lengths do not agree.
        """
        try:
            names = tuple(fields["names"])
            numbers = {
                name: np.asarray_chkfinite(fields[name], np.float64)
                for name in ("mean", "scale", "vectors", "explained")
            }
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"these are no stored components ({type(error).__name__}: {error}); fit them again"
            ) from error
        return cls(names, **numbers)


def fit_components(values: np.ndarray, names: Sequence[str], count: int) -> Components:
    """Principal components of samples.

    Every band is standardised first: its mean is taken from it, and it is divided by its standard
    deviation. Otherwise bands of large numbers, such as an embedding of 8 bits beside reflectance,
    would be all that the components hold. So they are those of the matrix of correlations. A band
    that has one value only counts for nothing.

    The sign of a component is not determined. Here its weight of largest absolute value is
    positive, the first one of equals, so that runs agree.

    Parameters
    ----------
    values : array (samples, bands)
        Numbers of any kind. Samples with one that is NaN or infinite are left out.
    names : sequence of str
        The bands.
    count : int
        How many components, at most as many as bands.

    Returns
    -------
    Components

    Raises
    ------
    InputError
        If names and values do not fit, fewer samples than bands are left, there are not as many
        components as asked for, or the bands vary in fewer directions.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise InputError(
            f"values of {values.shape} and {len(names)} names do not fit; give (samples, bands) "
            "and a name a band"
        )
    if not 1 <= count <= len(names):
        raise InputError(f"count={count} components of {len(names)} bands; give 1 to {len(names)}")
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < len(names):
        raise InputError(
            f"{len(values)} samples without nodata are fewer than the {len(names)} bands that "
            "components are to be fitted to; give more samples or fewer bands"
        )
    mean, scale = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    # of equal numbers the computed deviation may be a little above 0
    scale[values.min(axis=0) == values.max(axis=0)] = 1
    standardised = (values - mean) / scale
    shares, vectors = np.linalg.eigh(standardised.T @ standardised)
    shares, vectors = np.maximum(shares[::-1], 0), vectors.T[::-1]
    shares = shares / (shares.sum() or 1)
    rank = int((shares > _LEAST_SHARE).sum())
    if rank < count:
        raise InputError(
            f"count={count} components of {len(names)} bands that vary in {rank} directions only; "
            f"give {f'at most {rank}' if rank else 'bands that vary'}"
        )
    vectors, shares = _signed(vectors[:count]), shares[:count].copy()
    return Components(tuple(names), mean, scale, vectors, shares)


def _signed(vectors: np.ndarray) -> np.ndarray:
    """Vectors (components, bands) whose first weight of the largest absolute value is positive.

    >>> _signed(np.array([[0.6, -0.8], [-0.8, 0.6]])).tolist()
    [[-0.6, 0.8], [0.8, -0.6]]
    """
    size = np.abs(vectors)
    # weights that differ by rounding alone are equal
    largest = size >= size.max(axis=1, keepdims=True) * (1 - 1e-9)
    first = np.take_along_axis(vectors, largest.argmax(axis=1)[:, np.newaxis], axis=1)
    return vectors * np.sign(first)
