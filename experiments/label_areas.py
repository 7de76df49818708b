"""How far true areas of classes differ from those that coarse labels give them.

python -m experiments.label_areas --data DATA

DATA is the folder s2glc-quilts (experiments/quilts.py); its quarters are taken, and the ten
synthetic scenes of experiments/study.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments import study
from experiments.quilts import chips_of, laid
from landcover.labels.restraint import LEAST, MOST, TRACE
from landcover.progress import say
from landcover.sources import synthetic


def shares(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Share of each class that labels hold, in labels and in truth: (classes, 2).

    >>> shares(np.array([1, 1, 1, 2]), np.array([1, 1, 2, 2])).tolist()
    [[0.75, 0.5], [0.25, 0.5]]
    """
    known = (labels > 0) & (truth > 0)
    codes = np.unique(labels[known])
    return np.array([[(labels[known] == c).mean(), (truth[known] == c).mean()] for c in codes])


def _lands(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    for number in range(8):
        chips = chips_of("quarter", number)
        coarse, truth = (laid(data, name, chips, 4)[0] for name in ("coarse.tif", "s2glc.tif"))
        yield "quarters of quilts", shares(coarse, truth)
    for number, kind in enumerate(study.KINDS):
        scene = synthetic.make_scene(600, 800, 200 + number, **kind)
        yield "synthetic scenes", shares(scene.labels(), scene.truth)


def main(argv: Sequence[str] | None = None) -> None:
    """Print how far areas differ, of classes with much and with little of the labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder s2glc-quilts")
    found: dict[str, list[np.ndarray]] = {}
    for name, values in _lands(parser.parse_args(argv).data):
        found.setdefault(name, []).append(values)
    for name, parts in found.items():
        labelled, true = np.concatenate(parts).T
        much = labelled >= TRACE
        ratio = true[much] / labelled[much]
        beyond = int(((ratio < LEAST) | (ratio > MOST)).sum())
        say(
            f"{name}: {much.sum()} classes with {TRACE:.0%} of the labels or more truly have "
            f"{ratio.min():.2f} to {ratio.max():.2f} times that (median {np.median(ratio):.2f}); "
            f"{beyond} beyond {LEAST:g} to {MOST:g}; {(~much).sum()} with less have up to "
            f"{true[~much].max(initial=0):.1%} of the scene"
        )


if __name__ == "__main__":
    main()
