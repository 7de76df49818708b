"""Does what chooses a map without a reference rank maps as the truth does? On synthetic scenes.

    python -m experiments.selection OUT [--scenes 0 1 ...]

Every scene is mapped by forests, MLPs and CNNs of several patch sizes, leaf sizes and lengths of
training, on labels as they are and refined. Spearman's correlation over these maps says how far
a score that needs no truth ranks them as accuracy does; beside it, what the map chosen by
each score loses against the best one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments import study
from landcover.classifiers.models import Model
from landcover.progress import say
from landcover.run import Run
from landcover.stages import compare, map, store, train

#: Candidates by name: what trains them. A model of one name replaces the last, so each is mapped
#: and scored before the next is trained.
CANDIDATES: dict[str, Callable[[Run], Model]] = {
    f"{title}, {way}": partial(train.train, kind=kind, random_split=False, denoise=way, **settings)
    for way in ("refine", "none")  # the first makes what judges the others
    for title, kind, settings in (
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
SCORES = (
    "the criterion",
    "agreement with refined labels",
    "cores that are found",
    "agreement with the labels",
)


def measure(run: Run, candidate: str) -> tuple[float, ...]:
    """Train, map, score: accuracy, then what each of SCORES says, in percent."""
    model = CANDIDATES[candidate](run)
    name = model.name
    map.map_scene(run, model)
    found = store.read_report(run.report(name))["scores"]
    criteria = compare.criteria(run, [name])
    refined, cores = criteria.values(name) if criteria else (float("nan"),) * 2
    accuracy, agreement = (found[key]["overall_accuracy"] for key in ("reference", "labels"))
    return (
        100 * accuracy,
        50 * (refined + (cores or 0)),
        100 * refined,
        100 * (cores or 0),
        100 * agreement,
    )


def table(known: dict[str, tuple[float, ...]]) -> str:
    """Rank correlation and loss by scene."""
    from scipy.stats import spearmanr

    head = [f"{what}: {score}" for score in SCORES for what in ("rank correlation", "lost, points")]
    lines = ["| scene | maps | " + " | ".join(head) + " |", "|---" * (len(head) + 2) + "|"]
    rows = []
    for number in range(len(study.KINDS)):
        values = np.array([v for k, v in known.items() if k.endswith(f"; {number}")])
        if len(values) < 3:
            continue
        truth, row = values[:, 0], []
        for score in values[:, 1:].T:
            row += [spearmanr(truth, score).statistic, truth.max() - truth[score.argmax()]]
        rows.append(row)
        lines.append(
            f"| {study.kind_title(number)} | {len(values)} | "
            + " | ".join(f"{v:.2f}" for v in row)
            + " |"
        )
    if rows:
        mean = " | ".join(f"{value:.2f}" for value in np.mean(rows, axis=0))
        lines.append(f"| *mean* | | {mean} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is missing, write every score as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", nargs="+", type=int, default=range(len(study.KINDS)))
    a = parser.parse_args(argv)
    a.out.mkdir(parents=True, exist_ok=True)
    book = a.out / "selection.json"
    known: dict[str, Any] = json.loads(book.read_text("utf-8")) if book.exists() else {}
    for number in a.scenes:
        for candidate in CANDIDATES:
            key = f"{candidate}; {number}"
            if key not in known:
                known[key] = measure(study.kind_run(a.out, number), candidate)
                book.write_text(json.dumps(known, indent=1), "utf-8")
                say(f"{key}: " + ", ".join(f"{value:.1f}" for value in known[key]))
    say("\n" + table(known))


if __name__ == "__main__":
    main()
