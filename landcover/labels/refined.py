"""Refined labels: the likeliest class within what labels allow, and the labels that are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from landcover.labels.restraint import bounds, shifts_within
from landcover.legend import UNLABELLED, Legend

#: Of what a pixel is taken for, the share that the pixel itself says; its segment says the rest.
#: Of shares from 0 to 1, those of 0.3 to 0.5 served best on synthetic and on real land.
PIXEL_SHARE = 0.4


@dataclass(frozen=True)
class Posterior:
    """Probabilities of classes, of segments and of the pixels in them.

    Attributes
    ----------
    means : array of float (segments + 1, classes)
        Means over segments of what a classifier says of pixels.
    corrected : array of float (segments + 1, classes)
        The same of segments after every correction.
    pixel_share : float
        How much a pixel differs from its segment, 0 (not at all) to 1.
    """

    means: np.ndarray
    corrected: np.ndarray
    pixel_share: float = 0.0

    def at(self, ids: np.ndarray, pixels: np.ndarray | None = None) -> np.ndarray:
        """Probabilities at pixels.

        Parameters
        ----------
        ids : array of int (...)
            Their segments.
        pixels : array of float (..., classes), optional
            What the classifier says of each of them; left out, all pixels of a segment are alike.

        Returns
        -------
        array of float (..., classes)
            Corrected as those of their segments were.

        Examples
        --------
        >>> posterior = Posterior(np.array([[0.5, 0.5]]), np.array([[0.8, 0.2]]), 0.5)
        >>> posterior.at(np.array([0, 0]), np.array([[0.5, 0.5], [0.1, 0.9]])).round(2)
        array([[0.8 , 0.2 ],
               [0.63, 0.37]])
        """
        found = np.take(self.corrected, ids, axis=0)
        if pixels is not None:
            said = np.broadcast_to(pixels, found.shape).reshape(-1, found.shape[-1])
            of_rows = found.reshape(said.shape)
            _differ(self.means, np.ravel(ids), self.pixel_share, said, of_rows)
        return found


@dataclass(frozen=True)
class Refined:
    """Which class pixels become, and which labels stay.

    Attributes
    ----------
    legend : Legend
        Classes.
    shifts : array of float (classes,)
        What is added to logarithms of probabilities before the largest is taken; minus infinity
        for a class that no pixel may become.
    given_up : array of int
        Codes of classes whose labels give way to what the image says. Labels of all other
        classes stay as they are, those of classes that are not in the legend among them.
    """

    legend: Legend
    shifts: np.ndarray
    given_up: np.ndarray

    @classmethod
    def of(
        cls, legend: Legend, trust: np.ndarray, probabilities: np.ndarray, labelled: np.ndarray
    ) -> Refined:
        """Decide it by segments, or by pixels spread over the scene.

        Parameters
        ----------
        legend : Legend
            Classes.
        trust : array of float (classes,)
            How far each class may gain or lose pixels, 0 to 1. Those of 0 keep their labels, and
            no pixel becomes one of them, unless all are so.
        probabilities : array of float (rows, classes)
            Probabilities of classes.
        labelled : array of int (rows, classes)
            Pixels of each label in each row; areas are bound on these.
        """
        refined = np.asarray(trust) > 0
        if not refined.any():
            return cls.as_labelled(legend)
        scores = np.where(refined, probabilities, 0)
        areas = labelled[:, refined].sum(axis=1).astype(np.float64)
        least, most = bounds(labelled.sum(axis=0).astype(np.float64), trust)
        shifts = shifts_within(scores, areas, least * refined, most)
        return cls(legend, np.where(refined, shifts, -np.inf), np.array(legend.codes)[refined])

    @classmethod
    def as_labelled(cls, legend: Legend) -> Refined:
        """All labels stay, and pixels without one become their likeliest class."""
        return cls(legend, np.zeros(len(legend)), np.array([], np.uint16))

    def classes(self, labels: np.ndarray, ids: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Refined labels of pixels.

        Parameters
        ----------
        labels, ids : array of int (...)
            Codes, and segments; pixels of segment 0 have no data.
        probabilities : array of float (..., classes)
            From `Posterior.at`.

        Returns
        -------
        array of uint16 (...)
            Codes; 0 where there is no data.
        """
        best = np.empty(np.shape(ids), np.int64)
        rows = probabilities.reshape(best.size, len(self.shifts))
        _likeliest(rows, np.exp(self.shifts), best.reshape(-1))
        open_to_it = np.isin(labels, [UNLABELLED, *self.given_up.tolist()])
        found = np.where(open_to_it, self.legend.code(best), labels)
        return np.where(ids == 0, UNLABELLED, found).astype(np.uint16)


@njit(cache=True, nogil=True)
def _differ(
    means: np.ndarray, ids: np.ndarray, share: float, pixels: np.ndarray, found: np.ndarray
) -> None:
    """Let rows of `found`, corrected as their segments, differ as pixels from their segments."""
    for row in range(len(ids)):
        total = 0.0
        for k in range(found.shape[1]):
            ratio = pixels[row, k] / max(means[ids[row], k], 1e-6)
            found[row, k] *= (1 - share) + share * ratio
            total += found[row, k]
        total = max(total, 1e-12)
        for k in range(found.shape[1]):
            found[row, k] /= total


@njit(cache=True, nogil=True)
def _likeliest(probabilities: np.ndarray, factors: np.ndarray, best: np.ndarray) -> None:
    """Position of the largest product of each row; the first of equal ones."""
    for row in range(len(probabilities)):
        largest, best[row] = -1.0, 0
        for k in range(len(factors)):
            product = probabilities[row, k] * factors[k]
            if product > largest:
                largest, best[row] = product, k
