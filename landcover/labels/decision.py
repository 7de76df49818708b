"""Whether labels are refined: all of them, some classes, or none; and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from landcover.labels.evidence import HARDLY, LEAST_SEGMENTS, ClassEvidence
from landcover.labels.fineness import SMALL_HA, Fineness

#: Fewer blocks, or samples, to learn from give a teacher nothing to be judged by.
FEWEST_BLOCKS, FEWEST_SAMPLES = 6, 1000
#: Refined labels may find so much less of the cores of classes: five folds tell no less apart.
TOLERATED = 0.02


@dataclass(frozen=True)
class Decision:
    """What is done with the labels of a scene.

    Attributes
    ----------
    fineness : Fineness
        How fine the labels are.
    evidence : tuple of ClassEvidence
        What the image says of each class; empty where it was not asked.
    reason : str, optional
        Why all labels are learnt as they are; None where some are refined.
    found : (float, float), optional
        What forests that learn labels as they are, and refined ones, find of the cores of classes
        in blocks left out, 0 to 1; None where that was not asked.
    """

    fineness: Fineness
    evidence: tuple[ClassEvidence, ...]
    reason: str | None
    found: tuple[float, float] | None = None

    def trust(self, classes: int) -> np.ndarray:
        """How far each class may be refined, float (classes,), 0 to 1."""
        if self.reason is not None:
            return np.zeros(classes)
        return np.array([known.trust for known in self.evidence])


def decide(
    fineness: Fineness, blocks: int, samples: int, evidence: Sequence[ClassEvidence]
) -> Decision:
    """Decide what is done with labels.

    Parameters
    ----------
    fineness : Fineness
        How fine the labels are.
    blocks, samples : int
        Training and validation blocks of the scene, and samples in them.
    evidence : sequence of ClassEvidence
        One a class; may be empty where one of the others decides.

    Examples
    --------
    >>> decide(Fineness(0.2, 0.5), 40, 30_000, []).reason
    'they are as fine as the image: 20 % of their area lies in regions under 5 ha'
    """
    return Decision(fineness, tuple(evidence), _reason(fineness, blocks, samples, evidence))


def prove(decision: Decision, found: tuple[float, float]) -> Decision:
    """The decision, taken back where refined labels serve worse than labels as they are.

    Parameters
    ----------
    decision : Decision
        By which labels were refined.
    found : (float, float)
        `evidence.found_cores` of labels as they are, and of refined ones.

    Examples
    --------
    >>> prove(Decision(Fineness(0, 0), (), None), (0.7, 0.5)).reason
    'forests that learn refined labels find 50 % of the cores of classes in blocks left out, and \
those that learn labels as they are 70 %'
    """
    plain, refined = found
    reason = decision.reason
    if reason is None and refined < plain - TOLERATED:
        reason = (
            f"forests that learn refined labels find {100 * refined:.0f} % of the cores of "
            f"classes in blocks left out, and those that learn labels as they are "
            f"{100 * plain:.0f} %"
        )
    return replace(decision, reason=reason, found=found)


def is_open(fineness: Fineness, blocks: int, samples: int) -> bool:
    """Whether the evidence of classes is to decide."""
    return not fineness.fine and blocks >= FEWEST_BLOCKS and samples >= FEWEST_SAMPLES


def _reason(
    fineness: Fineness, blocks: int, samples: int, evidence: Sequence[ClassEvidence]
) -> str | None:
    if fineness.fine:
        return (
            "they are as fine as the image: "
            f"{100 * fineness.small:.0f} % of their area lies in regions under "
            f"{SMALL_HA:g} ha"
        )
    if not is_open(fineness, blocks, samples):
        return (
            f"{samples:,} samples in {blocks} blocks are too few to judge a teacher by "
            f"({FEWEST_SAMPLES:,} in {FEWEST_BLOCKS} are needed)"
        )
    refinable = sum(known.trust > 0 for known in evidence)
    if refinable < 2:
        return (
            f"of {len(evidence)} classes the image shows {refinable or 'none'} well enough, and "
            "two are needed"
        )
    return None


def why_kept(known: ClassEvidence) -> str:
    """Why a class keeps its labels, in words; empty where it does not.

    >>> why_kept(ClassEvidence(12, 500, 2, None))
    'it has 12 segments of its own, and 30 are needed'
    """
    if known.trust > 0:
        return ""
    if known.segments < LEAST_SEGMENTS:
        own = "1 segment" if known.segments == 1 else f"{known.segments} segments"
        return f"it has {own} of its own, and {LEAST_SEGMENTS} are needed"
    return (
        f"in blocks left out the core of its areas looks more like it than other land does in "
        f"{100 * (known.auc or 0):.0f} % of pairs, and more than {100 * HARDLY:.0f} % are needed"
    )
