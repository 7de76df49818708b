"""Is a model of several scenes worth it, on a scene that none of its models has seen?

    python -m experiments.several_scenes OUT --data DATA [--kinds forest cnn] [--scenes 4]

Scenes are quarters of the two quilts of real land in DATA, taken from both in turn. For each
scene, models of one other scene, of all others, and of all others with as many samples as one
scene has, map the whole of it. They learn coarse labels as they are, and the 10 m map that the
quilts come with says what is right.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments import study
from experiments.quilts import quilt_run
from landcover.progress import say
from landcover.reports.by_scene import LeftOut, spread_of
from landcover.reports.words import percent
from landcover.run import Run
from landcover.stages.train_by_scene import left_out
from landcover.stages.train_scenes import Several, several_scenes

KINDS = {"forest": "random-forest", "cnn": "cnn"}
#: Quarters 0 to 3 are of one quilt, 4 to 7 of the other.
QUARTERS = (0, 4, 1, 5, 2, 6, 3, 7)
#: What a model learns from, by its place in the table.
ONE, AS_MANY, ALL = "one other scene", "all others, as many samples", "all others"
REFERENCE = "reference"


def cases(scenes: int) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    """Scene that is mapped, what its model learns from, and the numbers of those."""
    for mapped in range(scenes):
        others = tuple(number for number in range(scenes) if number != mapped)
        yield from ((mapped, ONE, (number,)) for number in others)
        yield from ((mapped, what, others) for what in (AS_MANY, ALL))


def measure(several: Several, mapped: int, what: str, others: tuple[int, ...]) -> dict[str, Any]:
    """Train on some scenes, and score what the model maps of another."""
    learning = several.of(others)
    if what == AS_MANY:
        learning = thinned(learning, len(others))
    found: LeftOut = left_out(learning, several, mapped, REFERENCE)
    return {
        "overall": found["overall_accuracy"],
        "overall_ci95": found["overall_accuracy_ci95"],
        "macro_f1": found["macro_f1"],
        "n_train": found["n_train"],
        "lacking": [c["code"] for c in found["lacking"]],
    }


def thinned(several: Several, by: int) -> Several:
    """The same with one of so many training and validation samples of each scene."""
    rng = np.random.default_rng(0)

    def some(rows: np.ndarray) -> np.ndarray:
        return np.sort(rng.choice(rows, len(rows) // by, replace=False))

    parts = tuple(
        replace(part, train=some(part.train), validation=some(part.validation))
        for part in several.parts
    )
    return replace(several, parts=parts)


def table(known: dict[str, dict[str, Any]]) -> str:
    """Markdown: accuracy of the scenes that were mapped, by kind and what the model learnt from."""
    lines = [
        "| model | learnt from | samples | overall, mean | scenes | macro F1 |",
        "|---" * 6 + "|",
    ]
    for kind, what in dict.fromkeys(tuple(key.split("; ")[:2]) for key in known):
        rows = [row for key, row in known.items() if key.startswith(f"{kind}; {what}; ")]
        overall = spread_of([row["overall"] for row in rows])
        f1 = spread_of([row["macro_f1"] for row in rows])
        samples = round(float(np.mean([row["n_train"] for row in rows])), -2)
        reach = f"{percent(overall['least'])} to {percent(overall['most'])}"
        lines.append(
            f"| {kind} | {what} | {samples:,.0f} | {percent(overall['mean'])} | {reach} | "
            f"{f1['mean']:.3f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder s2glc-quilts")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--scenes", type=int, default=4, choices=range(2, 9))
    parser.add_argument("--samples", type=int, default=10_000, help="of each scene")
    a = parser.parse_args(argv)
    numbers = QUARTERS[: a.scenes]
    runs = [quilt_run(a.data, a.out, "quarter", number, a.samples) for number in numbers]
    known = study.Book(a.out / "several_scenes.json")
    for kind in a.kinds:
        several = several_scenes(runs, Run(a.out / kind), KINDS[kind], denoise="none")
        several.out.path.mkdir(exist_ok=True)
        for mapped, what, others in cases(a.scenes):
            key = f"{kind}; {what}; {mapped} by {' '.join(map(str, others))}"
            if known.add(key, partial(measure, several, mapped, what, others)):
                say(f"{key}: {percent(known[key]['overall'])}")
    say("\n" + table(known))


if __name__ == "__main__":
    main()
