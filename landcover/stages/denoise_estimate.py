"""What the labels of a scene probably should be: two teachers, and what is made of their answers.

The first teacher learns the labels as they are. What comes of it, by segments, is what the second
learns. It has not seen where labels were drawn, so it may be believed about single pixels too.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landcover.files.spool import Spool
from landcover.grid import Grid, Window
from landcover.labels import noise
from landcover.labels.decision import Decision
from landcover.labels.refined import PIXEL_SHARE, Posterior, Refined
from landcover.labels.units import hold_own_class
from landcover.progress import track
from landcover.run import Run
from landcover.samples.rows import Rows
from landcover.stages.denoise_evidence import deciding
from landcover.stages.denoise_segments import Segments, segments_of
from landcover.stages.denoise_teacher import (
    Answers,
    asked,
    asking_windows,
    patch_size,
    teacher,
    training_of,
)


@dataclass(frozen=True)
class Estimate:
    """What is known of the labels of a scene.

    Attributes
    ----------
    segments : Segments
        Of the scene.
    first : Answers
        What the teacher that learnt the labels says.
    priors : array of float (classes,)
        Share of each label among what it learnt.
    transition : array of float (classes, labels)
        From `noise.transitions`.
    decision : Decision
        What is refined.
    posterior : Posterior
        Of segments and pixels.
    refined : Refined
        What they become.
    second : Spool, optional
        What the teacher that learnt refined labels says of windows; None where labels stay as
        they are.
    """

    segments: Segments
    first: Answers
    priors: np.ndarray
    transition: np.ndarray
    decision: Decision
    posterior: Posterior
    refined: Refined
    second: Spool | None

    def windows(self, run: Run) -> Iterator[tuple[Window, np.ndarray | None]]:
        """Windows of the scene, and what the second teacher says there (rows, cols, classes)."""
        windows = asking_windows(run)
        said = self.second.arrays() if self.second is not None else (None for _ in windows)
        return zip(track(windows, "writing doubts"), said, strict=True)

    def at(self, window: Window, said: np.ndarray | None) -> np.ndarray:
        """Probabilities of classes (rows, cols, classes) in a window, from what `windows` gave."""
        said = None if said is None else said.astype(np.float32)
        return self.posterior.at(self.segments.ids[window.slices], said)

    def close(self) -> None:
        """Remove what was put by."""
        if self.second is not None:
            self.second.close()


def estimate(run: Run, rows: Rows, grid: Grid, seed: int, folder: Path) -> Estimate:
    """Find out what the labels of a run probably should be.

    Parameters
    ----------
    run : Run
        Run folder with scene, labels and samples.
    rows : Rows
        What is learnt of the labels.
    grid : Grid
        Of the scene.
    seed : int
        Of both teachers.
    folder : path
        Where the second's answers may lie for as long as they are needed.
    """
    size = patch_size(run)
    with ThreadPoolExecutor(1) as beside:
        decision_of = deciding(run, rows, grid, beside)
        # first, as it takes most memory and gives it back; forests beside it take little
        segments = segments_of(run, rows)
        decision, judge = decision_of(segments.own())
    training = training_of(run, rows, size, seed)
    first = asked(run, rows, segments, teacher(training, rows))
    priors = _shares(rows)
    transition = noise.transitions(first.means[1:], segments.sizes[1:], priors)
    found = noise.posterior(first.means, priors, transition)
    found = hold_own_class(found, segments.sizes, segments.units)
    trust = decision.trust(len(rows.legend))
    posterior, refined = (
        _compact(found, found),
        Refined.of(rows.legend, trust, found, segments.labelled),
    )
    if judge is None:
        return Estimate(segments, first, priors, transition, decision, posterior, refined, None)
    again = _learning(rows, refined, posterior, segments.ids)
    learnt = teacher(training, again)
    del training  # patches of all samples
    said = Spool(folder / "answers")
    second = asked(run, again, segments, learnt, said)
    posterior = _posterior(second, _shares(again), segments)
    refined = _by_pixels(rows, trust, posterior, second)
    targets = _learning(rows, refined, posterior, segments.ids, second.samples).targets(judge.part)
    decision = judge.proven(decision, targets)
    if decision.reason is not None:
        refined = Refined.as_labelled(rows.legend)
    return Estimate(segments, first, priors, transition, decision, posterior, refined, said)


def _shares(rows: Rows) -> np.ndarray:
    """Share of each class among the training rows, float (classes,)."""
    return np.bincount(rows.targets(rows.train), minlength=len(rows.legend)) / len(rows.train)


def _posterior(second: Answers, priors: np.ndarray, segments: Segments) -> Posterior:
    """What the second teacher says, corrected."""
    adjusted = noise.without_priors(second.means, priors, noise.SECOND_POWER)
    corrected = hold_own_class(adjusted, segments.sizes, segments.units)
    return _compact(second.means, corrected, PIXEL_SHARE)


def _compact(means: np.ndarray, corrected: np.ndarray, pixel_share: float = 0.0) -> Posterior:
    """A posterior in single precision: windows of it are large where classes are many."""
    return Posterior(means.astype(np.float32), corrected.astype(np.float32), pixel_share)


def _by_pixels(rows: Rows, trust: np.ndarray, posterior: Posterior, second: Answers) -> Refined:
    """What pixels become; areas of classes are counted on pixels at equal distances."""
    spread = second.spread
    labelled = np.eye(len(rows.legend), dtype=np.uint8)[spread.labels]
    found = posterior.at(spread.ids, spread.probabilities)
    return Refined.of(rows.legend, trust, found, labelled)


def _learning(
    rows: Rows,
    refined: Refined,
    posterior: Posterior,
    ids: np.ndarray,
    said: np.ndarray | None = None,
) -> Rows:
    """Rows whose training and validation samples have refined labels.

    `said` is what a teacher says of the samples (samples, classes).
    """
    samples, part = rows.samples, np.concatenate([rows.train, rows.validation])
    labels, here = samples[rows.column].to_numpy(copy=True), ids[samples["row"], samples["col"]]
    found = refined.classes(labels, here, posterior.at(here, said))
    labels[part] = found[part]
    return replace(rows, samples=samples.assign(**{rows.column: labels}))
