"""Does a map's confidence hold against the truth, and can a temperature make it?

    python -m experiments.confidence OUT [--data DATA] [--places kind-0 quarter-1 ...]

Places are those of experiments/selection.py. Models learn labels as they are and refined ones;
on test samples their confidence is set against the share that the reference calls right.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from experiments import places, selection, study
from experiments.coarse_labels import KINDS
from landcover.classifiers.calibration import (
    UNTEMPERED,
    calibration_error,
    fit_temperature,
    floor_of,
    reliability,
    tempered,
)
from landcover.files import rasters
from landcover.progress import say
from landcover.run import Run
from landcover.stages.targets import rows_to_learn
from landcover.stages.train import train

PLACES = ("kind-0", "kind-6", "quarter-1", "quarter-6")
WAYS = ("none", "refine")
#: What a temperature is fitted to: nothing; validation samples, as what the model learns (which
#: training does) or as the reference; the reference of the test samples themselves, which is the
#: likeliest that any temperature can make them.
FITS = ("none", "learnt", "truth", "test")
SAMPLES = 10_000

#: By fit: accuracy, mean confidence, calibration error and Brier score of the predicted class,
#: 0 to 1, and the temperature.
Scores = dict[str, dict[str, float]]


def scores(run: Run, model: str, way: str) -> Scores:
    """Train, and set the confidence of test samples against the reference."""
    made = train(run, KINDS[model], targets="labels", denoise=way, random_split=False)
    rows = rows_to_learn(run, "labels", way)
    table = rows.samples
    raw = replace(made, card={**made.card, "temperature": 1.0, "probability_floor": 0.0})
    pixels = raw.predict_proba(rasters.read(run.scene))
    probabilities = pixels[:, table["row"], table["col"]].T.astype(np.float64)
    truth = rows.legend.index(table["reference"].to_numpy())
    judged = rows.scored[table["reference"].to_numpy()[rows.scored] > 0]
    votes = made.card["settings"][made.kind.votes] if made.kind.votes else None
    to_truth = [
        fit_temperature(probabilities[part], truth[part], floor_of(votes))
        for part in (rows.validation, judged)
    ]
    fits = zip(FITS, (UNTEMPERED, made.temperature, *to_truth), strict=True)
    return {
        name: {
            **measured(probabilities[judged], tempered(probabilities[judged], t), truth[judged]),
            "temperature": t.value,
        }
        for name, t in fits
    }


def scores_of(a: argparse.Namespace, place: str, model: str, way: str) -> Scores:
    """`scores` of a model on the run of a place."""
    return scores(places.run_of(place, a.out, a.data, SAMPLES), model, way)


def measured(
    probabilities: np.ndarray, calibrated: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """What confidence in the predicted class is worth.

    Parameters
    ----------
    probabilities : array of float (rows, classes)
        As the model gives them; the predicted class is their largest.
    calibrated : array of float (rows, classes)
        Where confidence is read.
    truth : array of int (rows,)
        Position of the right class; -1 for a class that the model does not have.

    Returns
    -------
    dict of str to float
        ``accuracy``, mean ``confidence``, ``ece`` and ``brier``, 0 to 1.
    """
    winner = probabilities.argmax(axis=1)
    right = winner == truth
    confidence = calibrated[np.arange(len(truth)), winner]
    return {
        "accuracy": float(right.mean()),
        "confidence": float(confidence.mean()),
        "ece": calibration_error(reliability(confidence, right)),
        "brier": float(((confidence - right) ** 2).mean()),
    }


def markdown(known: dict[str, Scores]) -> str:
    """Accuracy, then by fit confidence less accuracy, calibration error and Brier score."""
    head = ["place", "model", "labels", "right", *FITS]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for key, found in known.items():
        cells = [*key.split(", "), f"{100 * found['none']['accuracy']:.1f} %"]
        for score in (found[name] for name in FITS):
            gap = 100 * (score["confidence"] - score["accuracy"])
            cells.append(f"{gap:+.1f}, {score['ece']:.3f}, {score['brier']:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is missing, write every score as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder s2glc-quilts")
    parser.add_argument("--places", nargs="+", choices=selection.PLACES, default=list(PLACES))
    parser.add_argument("--models", nargs="+", choices=KINDS, default=["forest", "cnn"])
    a = parser.parse_args(argv)
    known = study.Book(a.out / "confidence.json")
    with study.refusals(parser):
        for place, model, way in product(a.places, a.models, WAYS):
            key = f"{place}, {model}, {way}"
            if known.add(key, partial(scores_of, a, place, model, way)):
                say(key)
    say("\n" + markdown(known))


if __name__ == "__main__":
    main()
