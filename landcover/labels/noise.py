"""Where coarse labels are wrong, estimated from what a classifier makes of the image.

A classifier that has learnt from noisy labels predicts labels, p(label | image), not classes.
Two things stand between them. Large classes swallow the small ones that lie scattered in them, so
the label of the larger wins wherever the image is undecided; and labels are drawn in areas, so
that a network that sees a pixel's surroundings learns where they were drawn. Averages over small
segments, whose borders come from the image, answer the second. Two corrections answer the first:
dividing by a power of the labels' own shares (logit adjustment), and undoing the transitions from
classes to labels, which the segments that are surest of a class show, and those that are then
taken for it. Either alone goes wrong on some scenes; their product holds.

Rows of probabilities are pixels or segments, columns are classes, here and throughout.
"""

from __future__ import annotations

import numpy as np

#: Power of the labels' shares that is divided out. 0 keeps what the labels prefer, 1 treats all
#: classes as equally common; between them errs least where it is not known how many were swallowed.
PRIOR_POWER = 0.75
#: The same for a classifier that has learnt refined labels, where less was swallowed.
SECOND_POWER = 0.25
#: Of the area that carries a class's label, the part that is surest of it shows its transitions.
ANCHOR_SHARE = 0.1
_LEAST_ANCHORS = 3
#: Steps of undoing transitions. More of them trust the transitions further than they are known.
_STEPS = 30
#: Rows undone at once: what thirty steps work on then stays in a core's cache.
_ROWS = 2048
#: Probabilities never count as smaller: a class is not ruled out, and no logarithm is infinite.
_FLOOR = 1e-3


def without_priors(
    probabilities: np.ndarray, priors: np.ndarray, power: float = PRIOR_POWER
) -> np.ndarray:
    """Probabilities as they would be if labels were more alike in number.

    Logit adjustment (Menon et al. 2021, arXiv:2007.07314): p / prior ** power, normalised.

    Parameters
    ----------
    probabilities : array of float (rows, classes)
        Probabilities of labels.
    priors : array of float (classes,)
        Share of each label among what the classifier learnt from.
    power : float
        0 to 1.

    Examples
    --------
    >>> without_priors(np.array([[0.6, 0.4]]), np.array([0.8, 0.2])).round(2)
    array([[0.35, 0.65]])
    """
    return _normalised(probabilities / np.maximum(priors, _FLOOR) ** power)


def transitions(probabilities: np.ndarray, sizes: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """How often each class carries which label.

    Anchors show it where a class is beyond doubt. But the surest segments are not typical: a class
    that also lies in small pieces carries its label less often there. All segments that
    the anchors' transitions let be taken for a class are typical, and partly wrong. The mean of
    the two serves on most kinds of land.

    Parameters
    ----------
    probabilities : array of float (segments, classes)
        Mean probabilities of labels.
    sizes : array of int (segments,)
        Pixels.
    priors : array of float (classes,)
        Share of each label.

    Returns
    -------
    array of float64 (classes, labels)
        Rows make 1. A class that no segment is taken for keeps what its anchors say.
    """
    anchored = transitions_of_anchors(probabilities, sizes, priors)
    taken = posterior(probabilities, priors, anchored).argmax(axis=1)
    weights = np.eye(len(priors))[taken].T * sizes
    typical = np.where(weights.any(axis=1, keepdims=True), weights @ probabilities, anchored)
    return (anchored + _normalised(typical)) / 2


def transitions_of_anchors(
    probabilities: np.ndarray, sizes: np.ndarray, priors: np.ndarray
) -> np.ndarray:
    """How often each class carries which label where it is beyond doubt.

    Anchors of a class are the segments most sure to carry its label, up to a tenth of the area that
    does. There the class itself is beyond doubt, whatever its label is elsewhere, so
    the mean of their probabilities is p(label | class) (Patrini et al. 2017, arXiv:1609.03683).

    Parameters and result are those of `transitions`.

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.6, 0.4]])
    >>> transitions_of_anchors(probabilities, np.full(5, 20), np.array([0.8, 0.2])).round(2)
    array([[0.87, 0.13],
           [0.67, 0.33]])
    """
    found = np.empty((probabilities.shape[1],) * 2)
    for position, prior in enumerate(priors):
        surest = np.argsort(-probabilities[:, position], kind="stable")
        wanted = ANCHOR_SHARE * max(prior, _FLOOR) * sizes.sum()
        enough = max(_LEAST_ANCHORS, int(np.searchsorted(sizes[surest].cumsum(), wanted)))
        anchors = surest[:enough]
        found[position] = np.average(probabilities[anchors], axis=0, weights=sizes[anchors])
    return _normalised(found)


def undo(probabilities: np.ndarray, transition: np.ndarray) -> np.ndarray:
    """Probabilities of classes whose labels would be distributed as given.

    Maximum likelihood by expectation maximisation from equal probabilities, thirty steps, which
    cannot leave the range from 0 to 1 as the inverse matrix does (Richardson 1972,
    doi:10.1364/JOSA.62.000055, for a matrix).

    Parameters
    ----------
    probabilities : array of float (rows, labels)
        Probabilities of labels.
    transition : array of float (classes, labels)
        From `transitions`.

    Returns
    -------
    array of float (rows, classes)

    Examples
    --------
    >>> undo(np.array([[0.65, 0.35]]), np.array([[0.95, 0.05], [0.6, 0.4]])).round(2)
    array([[0.16, 0.84]])
    """
    found = np.empty((len(probabilities), len(transition)))
    for start in range(0, len(probabilities), _ROWS):
        part = slice(start, start + _ROWS)
        found[part] = _undone(probabilities[part].T, transition).T
    return _normalised(found)


def _undone(probabilities: np.ndarray, transition: np.ndarray) -> np.ndarray:
    """`undo` of (labels, rows), not normalised: long rows are quicker than long columns."""
    probabilities = np.ascontiguousarray(probabilities)
    backwards = np.ascontiguousarray(transition.T)
    found = np.full((len(transition), probabilities.shape[1]), 1 / len(transition))
    for _ in range(_STEPS):
        found *= transition @ (probabilities / np.maximum(backwards @ found, 1e-9))
    return found


def posterior(probabilities: np.ndarray, priors: np.ndarray, transition: np.ndarray) -> np.ndarray:
    """Probabilities of classes: both corrections multiplied.

    The likeliest class is that of their geometric mean. The root is not taken, as means over the
    pixels of a segment understate how sure the segment is: on synthetic scenes, how often labels
    are right comes out lower with it.

    Parameters
    ----------
    probabilities : array of float (rows, labels)
        Probabilities of labels; means over segments serve best.
    priors : array of float (labels,)
        Share of each label.
    transition : array of float (classes, labels)
        From `transitions`.
    """
    adjusted, undone = without_priors(probabilities, priors), undo(probabilities, transition)
    return _normalised(adjusted * (undone + _FLOOR))


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    """Rows that make 1; equal probabilities where there is nothing."""
    total = probabilities.sum(axis=1, keepdims=True)
    return np.where(total > 0, probabilities / np.maximum(total, 1e-30), 1 / probabilities.shape[1])
