"""Refined labels of a scene: by segments, with the labels that are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landcover.labels.restraint import bounds, likeliest
from landcover.legend import UNLABELLED, Legend


@dataclass(frozen=True)
class Refined:
    """What each segment is, and which labels stay.

    Attributes
    ----------
    best : array of uint16 (segments + 1,)
        Codes of segments from 1; 0 for pixels that belong to none.
    kept : array of int
        Codes of classes whose labels stay as they are.
    """

    best: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(
        cls, legend: Legend, trust: np.ndarray, posterior: np.ndarray, labelled: np.ndarray
    ) -> Refined:
        """Choose a class for each segment.

        Parameters
        ----------
        legend : Legend
            Classes.
        trust : array of float (classes,)
            How far each class may gain or lose pixels, 0 to 1. Those of 0 keep their labels, and
            no segment becomes one of them, unless all are so.
        posterior : array of float (segments + 1, classes)
            Probabilities of classes.
        labelled : array of int (segments + 1, classes)
            Pixels of each label; areas are bound on these.
        """
        scores, refined = np.array(posterior, np.float64), np.asarray(trust) > 0
        if refined.any():
            scores[:, ~refined] = 0
            areas = labelled[:, refined].sum(axis=1).astype(np.float64)
            least, most = bounds(labelled.sum(axis=0).astype(np.float64), trust)
            positions = likeliest(scores, areas, least * refined, most)
        else:
            positions = scores.argmax(axis=1)
        best = legend.code(positions).astype(np.uint16)
        best[0] = UNLABELLED
        return cls(best, np.array(legend.codes)[~refined])

    def classes(self, labels: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Refined labels, uint16, of pixels by their labels and segments."""
        stay = np.isin(labels, self.kept) & (ids != 0)
        return np.where(stay, labels, self.best[ids]).astype(np.uint16)
