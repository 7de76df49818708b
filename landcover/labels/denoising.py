"""What to learn from labels that are partly wrong: better targets, or fewer.

Every way takes what is known of some samples and gives the position of the class that each is to
be learnt as, or -1 for samples that are left out; so any classifier can learn from any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError, MissingDependency
from landcover.labels import noise
from landcover.labels.evidence import out_of_fold

LEFT_OUT = -1


@dataclass(frozen=True)
class Evidence:
    """What is known of samples.

    Attributes
    ----------
    labels : array of int (samples,)
        Positions of their labels among the classes; -1 for other or no labels.
    pixels : array of float (samples, classes)
        Probabilities of labels at each pixel, from a classifier that learnt from labels.
    segments : array of float (samples, classes)
        Their means over the pixel's segment.
    refined : array of int (samples,)
        Positions of their refined labels (`labels.refined`).
    border_px : array of float (samples,)
        Distance to the nearest border between labels, in pixels of their mean side.
    blocks : array of int (samples,)
        Spatial blocks; folds never part one.
    values : array of float (samples, inputs)
        What a forest can tell labels from.
    priors : array of float (classes,)
        Share of each label among what the classifier learnt from.
    transition : array of float (classes, labels)
        From `label_noise.transitions`.
    reach_px : float
        How far borders between labels may lie off, in the same unit.
    """

    labels: np.ndarray
    pixels: np.ndarray
    segments: np.ndarray
    refined: np.ndarray
    border_px: np.ndarray
    blocks: np.ndarray
    values: np.ndarray
    priors: np.ndarray
    transition: np.ndarray
    reach_px: float


def erode(known: Evidence) -> np.ndarray:
    """Leave out what borders may have moved over, or, of a class that has little else, half."""
    targets = known.labels.copy()
    for position in np.unique(targets[targets != LEFT_OUT]):
        own = known.labels == position
        limit = min(known.reach_px, np.median(known.border_px[own]))
        targets[own & (known.border_px < limit)] = LEFT_OUT
    return targets


def confident(known: Evidence) -> np.ndarray:
    """Leave out what confident learning finds mislabelled.

    Northcutt, Jiang and Chuang (2021), doi:10.1613/jair.1.12125, by cleanlab, on
    probabilities from a forest that has not seen the sample's block.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise MissingDependency(
            "confident learning needs cleanlab, which is not installed; "
            "install it with: pip install 'landcover[noise]'"
        ) from None
    targets = known.labels.copy()
    labelled = np.flatnonzero(targets != LEFT_OUT)
    held, labels = np.unique(targets[labelled], return_inverse=True)
    blocks = known.blocks[labelled]
    if len(np.unique(blocks)) < 2:
        raise InputError(
            "confident learning needs training samples in two spatial blocks and there is one; "
            "draw the samples again in smaller blocks (landcover sample RUN --block-px N), or give "
            "another denoise="
        )
    probabilities = out_of_fold(known.values[labelled], labels, blocks, len(held)) + 1e-6
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    issues = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    lost = np.setdiff1d(held, held[labels[~issues]])
    targets[labelled[issues]] = LEFT_OUT
    back = np.isin(known.labels, lost)  # a class that would vanish stays as it is
    targets[back] = known.labels[back]
    return targets


def prior(known: Evidence) -> np.ndarray:
    """The likeliest class of the pixel once large classes are no longer preferred."""
    return noise.without_priors(known.pixels, known.priors).argmax(axis=1)


def transition(known: Evidence) -> np.ndarray:
    """The likeliest class of the pixel once the transitions to labels are undone."""
    return noise.undo(known.pixels, known.transition).argmax(axis=1)


def average(known: Evidence) -> np.ndarray:
    """The likeliest label of the pixel's segment."""
    return known.segments.argmax(axis=1)


def refine(known: Evidence) -> np.ndarray:
    """The likeliest class of the pixel's segment, within what labels and image allow."""
    return known.refined


#: Ways by name. The default is what did best over scenes of many kinds: docs/method.md.
METHODS: dict[str, Callable[[Evidence], np.ndarray]] = {
    "erode": erode,
    "confident": confident,
    "prior": prior,
    "transition": transition,
    "average": average,
    "refine": refine,
}
PLAIN, DEFAULT = "none", "refine"
CHOICES = (PLAIN, *METHODS)
