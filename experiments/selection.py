"""Does what chooses a map without a reference rank maps as the truth does?

python -m experiments.selection OUT [--data DATA] [--places kind-0 quarter-0 ...] [--size 600 800]
                                    [--samples N] [--epochs N]

Places are synthetic scenes (kind-0 to kind-9), and, where DATA is the folder s2glc-quilts,
arrangements of its chips (experiments/quilts.py). Every place is mapped by forests, MLPs and CNNs
of several patch sizes, leaf sizes and lengths of training, on labels as they are and refined.
Spearman's correlation over these maps says how far a score that needs no truth ranks them as
accuracy does; beside it, what the map chosen by each score loses against the best one. The last
columns say what comes of the rule of `reports/choice.py`, which may name no map.

Every score is written as it comes, and a study that is run again makes what is missing. Keep one
folder OUT for one size, number of samples and of epochs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from experiments import study
from experiments.places import QUARTERS, SIXTEENTHS, SYNTHETIC, WHOLES, run_of, title_of
from landcover.commands.options import COUNT
from landcover.progress import say
from landcover.reports.choice import Criteria
from landcover.run import Run
from landcover.stages import compare, map, store, train

#: Candidates by name: kind and choices of each. A model of one name replaces the last, so each is
#: mapped and scored before the next is trained.
CANDIDATES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        f"{title}, {way}": {"kind": kind, "denoise": way, **choices}
        for way in ("refine", "none")  # the first makes what judges the others
        for title, kind, choices in (
            ("forest of leaf 1", "random-forest", {"leaf_sizes": [1]}),
            ("forest of leaf 50", "random-forest", {"leaf_sizes": [50]}),
            ("MLP", "mlp", {"segment_layers": ()}),
            ("MLP with segment types", "mlp", {}),
            ("CNN 3x3", "cnn", {"patch_size": 3}),
            ("CNN 7x7, 2 epochs", "cnn", {"epochs": 2}),
            ("CNN 7x7", "cnn", {}),
            ("CNN 15x15", "cnn", {"patch_size": 15}),
        )
    }
)
PLACES = (*SYNTHETIC, *QUARTERS, *SIXTEENTHS, *WHOLES[:2])
SCORES = (
    "the criterion",
    "agreement with refined labels",
    "cores that are found",
    "agreement with the labels",
)

#: What is kept of a map: accuracy and agreement with the labels, and the counts of `Criteria`.
Score = dict[str, Any]


def chosen(candidate: str, epochs: int | None) -> dict[str, Any]:
    """What a candidate is trained by, with no more epochs than `epochs`.

    >>> chosen("CNN 7x7, 2 epochs, none", 10)["epochs"], chosen("MLP, none", 10)["epochs"]
    (2, 10)
    """
    choices = dict(CANDIDATES[candidate])
    if epochs is not None and choices["kind"] != "random-forest":
        choices["epochs"] = min(epochs, choices.get("epochs", epochs))
    return choices


def measure(run: Run, candidate: str, epochs: int | None) -> Score:
    """Train, map, and score a candidate."""
    model = train.train(run, random_split=False, **chosen(candidate, epochs))
    map.map_scene(run, model)
    found = store.read_report(run.report(model.name))["scores"]
    criteria = compare.criteria(run, [model.name])
    if criteria is None:
        raise SystemExit(f"{run.path} has no test pixel with a refined label to judge maps by")
    return {
        "accuracy": found["reference"]["overall_accuracy"],
        "agreement": found["labels"]["overall_accuracy"],
        "refined": criteria.refined[model.name].tolist(),
        "cores": criteria.cores[model.name].tolist(),
        "largest": criteria.largest[model.name],
    }


def measure_at(a: argparse.Namespace, place: str, candidate: str) -> Score:
    """`measure` on the run of a place."""
    return measure(run_of(place, a.out, a.data, a.samples, a.size), candidate, a.epochs)


def criteria_of(scores: Mapping[str, Score]) -> Criteria:
    """The counts of all maps of a place together."""
    return Criteria(
        {name: np.array(score["refined"]) for name, score in scores.items()},
        {name: np.array(score["cores"]) for name, score in scores.items()},
        {name: tuple(score["largest"]) for name, score in scores.items()},
    )


def judged(scores: Mapping[str, Score]) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of maps (maps,), and what SCORES say of them (maps, scores), in percent."""
    criteria = criteria_of(scores)
    rows = []
    for name, score in scores.items():
        refined, cores = criteria.values(name)
        rows.append((criteria.criterion(name), refined, cores or 0.0, score["agreement"]))
    accuracy = np.array([score["accuracy"] for score in scores.values()])
    return 100 * accuracy, 100 * np.array(rows)


def table(known: Mapping[str, Score]) -> str:
    """Rank correlation and loss by place, and what the rule names there."""
    from scipy.stats import spearmanr

    head = [f"{what}: {score}" for score in SCORES for what in ("rank correlation", "lost, points")]
    head = ["place", "maps", *head, "named", "lost, points"]
    lines, rows = [_line(head), "|---" * len(head) + "|"], []
    for place in PLACES:
        scores = scores_at(known, place)
        if len(scores) < 3:
            continue
        accuracy, values = judged(scores)
        row = []
        for score in values.T:
            row += [
                float(spearmanr(accuracy, score).statistic),
                float(accuracy.max() - accuracy[score.argmax()]),
            ]
        rows.append(row)
        name, why = criteria_of(scores).choice()
        lost = f"{accuracy.max() - 100 * scores[name]['accuracy']:.1f}" if name else "-"
        cells = [f"{value:.2f}" for value in row]
        lines.append(_line([title_of(place), str(len(scores)), *cells, name or why, lost]))
    if rows:
        mean = [f"{value:.2f}" for value in np.mean(rows, axis=0)]
        lines.append(_line(["*mean*", "", *mean, "", ""]))
    return "\n".join(lines)


def scores_at(known: Mapping[str, Score], place: str) -> dict[str, Score]:
    """Scores of the maps of a place, by candidate."""
    end = f"; {place}"
    return {key.removesuffix(end): score for key, score in known.items() if key.endswith(end)}


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is missing, write every score as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder s2glc-quilts")
    parser.add_argument("--places", nargs="+", choices=PLACES)
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument(
        "--size", type=COUNT, nargs=2, default=study.SIZE, help="of synthetic scenes, rows and cols"
    )
    parser.add_argument("--samples", type=COUNT, default=40_000)
    parser.add_argument("--epochs", type=COUNT, help="of networks, at most")
    a = parser.parse_args(argv)
    known = study.Book(a.out / "selection.json")
    for place in a.places or (PLACES if a.data else SYNTHETIC):
        for candidate in a.candidates:
            key = f"{candidate}; {place}"
            if known.add(key, partial(measure_at, a, place, candidate)):
                say(f"{key}: {100 * known[key]['accuracy']:.1f} % right")
    say("\n" + table(known))


if __name__ == "__main__":
    main()
