"""Which features help: bands, indices, texture, terrain, segments and further dates.

    python -m experiments.feature_study OUT [--data DATA] [--places NAME ...] [--samples N]

DATA is the folder of real scenes; without it synthetic land alone is studied. Every feature set of
`sets_of` is learnt by a random forest and by logistic regression, and scored on spatial blocks that
are held out in turn, with a guard around them. Differences are paired: the same blocks are drawn
again for both sets, and intervals are those of 95 % of the draws. OUT gets rows.json, written place
by place, so that a study that is run again makes what is missing; features.md with the tables; and
features.png.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from experiments import study
from experiments.feature_figure import figure_of
from experiments.feature_groups import GROUPS, Columns, columns_of
from experiments.feature_places import PLACES, Place
from landcover.commands.options import COUNT
from landcover.files.atomic import write_bytes
from landcover.progress import say
from landcover.reports import words
from landcover.reports.accuracy import block_confusion, metrics_of, paired_difference

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

#: Groups that all others are added to.
BASE = ("visible", "near infrared", "further bands")
#: Classifiers by the name that tables give them.
CLASSIFIERS = ("forest", "linear")
FOLDS = 4
TREES = 60
SEED = 0
#: Classes with fewer samples are left out.
LEAST = 20
#: Draws of a permutation.
SHUFFLES = 3


@dataclass(frozen=True)
class Samples:
    """Pixels of a place: features by group, class, block, and where they lie."""

    groups: dict[str, Columns]
    labels: np.ndarray
    blocks: np.ndarray
    rows: np.ndarray
    cols: np.ndarray

    def table(self, groups: Sequence[str]) -> np.ndarray:
        """Features of some groups, (samples, features)."""
        columns = [layer for group in groups for layer in self.groups[group].values()]
        return np.stack(columns, axis=1)


def draw(place: Place, samples: int, seed: int) -> Samples:
    """Labelled pixels that have data at all dates, drawn at random."""
    layers = [*place.image, *(() if place.further is None else place.further)]
    layers += [] if place.elevation is None else [place.elevation]
    usable = (place.labels > 0) & np.logical_and.reduce([np.isfinite(layer) for layer in layers])
    pixels = np.flatnonzero(usable)
    rng = np.random.default_rng([seed, 8])
    pixels = np.sort(rng.choice(pixels, min(samples, pixels.size), replace=False))
    held = place.labels.ravel()[pixels]
    pixels = pixels[np.bincount(held)[held] >= LEAST]
    rows, cols = np.unravel_index(pixels, usable.shape)
    _, labels = np.unique(place.labels[rows, cols], return_inverse=True)
    groups = columns_of(place, rows, cols)
    return Samples(groups, labels + 1, place.blocks()[rows, cols], rows, cols)


def sets_of(groups: Sequence[str]) -> dict[str, tuple[tuple[str, ...], str | None]]:
    """Feature sets by name: their groups, and the set that each is compared with.

    >>> names = list(sets_of(["visible", "near infrared", "indices"]))
    >>> names[:3], names[3:]
    (['all bands', 'RGB', '+ indices'], ['everything', 'without visible', 'without near infrared', \
'without indices'])
    """
    base = tuple(group for group in BASE if group in groups)
    sets: dict[str, tuple[tuple[str, ...], str | None]] = {
        "all bands": (base, None),
        "RGB": (("visible",), "all bands"),
    }
    if {"near infrared", "further bands"} <= set(groups):
        sets["RGB + NIR"] = (("visible", "near infrared"), "all bands")
    added = [group for group in groups if group not in base]
    sets |= {f"+ {group}": ((*base, group), "all bands") for group in added}
    if added:
        sets["everything"] = (tuple(groups), "all bands")
        for group in groups:
            rest = tuple(other for other in groups if other != group)
            sets[f"without {group}"] = (rest, "everything")
    return sets


def splits(place: Place, samples: Samples, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and test samples of every fold; no block is in both, and a guard lies between."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    everywhere = place.blocks()
    for train, test in folds.split(samples.labels, samples.labels, samples.blocks):
        held_out = np.isin(everywhere, np.unique(samples.blocks[test]))
        if place.guard_px:
            held_out = ndimage.maximum_filter(held_out, 2 * place.guard_px + 1)
        yield train[~held_out[samples.rows[train], samples.cols[train]]], test


def classifier(name: str, seed: int) -> ClassifierMixin:
    """An untrained classifier of `CLASSIFIERS`."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "forest":
        return RandomForestClassifier(TREES, min_samples_leaf=3, random_state=seed)
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=300, tol=1e-2))


def measure(place: Place, drawn: Samples, name: str, seed: int = SEED) -> dict[str, Any]:
    """Scores of every feature set on a place.

    Parameters
    ----------
    place : Place
        The scene.
    drawn : Samples
        Of the place, from `draw`.
    name : str
        Of the classifier.
    seed : int
        Of folds, classifier and permutations.

    Returns
    -------
    dict
        ``features`` (names by group), ``samples``, ``classes``, ``pixels`` (of each block) and
        ``sets``: by name ``accuracy`` and ``macro_f1`` 0-1, ``right`` (pixels of each block), and
        against the set of ``against`` the paired differences ``gain`` and ``f1_gain`` with their
        95 % intervals [difference, low, high].
    """
    confusions = _confusions(drawn, list(splits(place, drawn, seed)), name, seed)
    pixels = confusions["all bands"].sum(axis=(1, 2))
    against = {title: other for title, (_, other) in sets_of(list(drawn.groups)).items()}
    return {
        "features": {group: list(columns) for group, columns in drawn.groups.items()},
        "samples": int(drawn.labels.size),
        "classes": int(np.unique(drawn.labels).size),
        "pixels": pixels[pixels > 0].tolist(),
        "sets": {
            title: _scores(found, confusions, against.get(title, "everything"), pixels)
            for title, found in confusions.items()
        },
    }


def _confusions(
    drawn: Samples, folds: Sequence[tuple[np.ndarray, np.ndarray]], name: str, seed: int
) -> dict[str, np.ndarray]:
    """Confusion matrices (blocks, classes, classes) of every feature set, and with each group of
    everything shuffled: those of all permutations together."""
    codes = np.unique(drawn.labels).tolist()

    def confusion(predicted: np.ndarray) -> np.ndarray:
        return block_confusion(drawn.labels, predicted, drawn.blocks, codes)

    found: dict[str, np.ndarray] = {}
    for title, (groups, _) in sets_of(list(drawn.groups)).items():
        table, predicted = drawn.table(groups), np.zeros_like(drawn.labels)
        mixed = {
            group: np.zeros((SHUFFLES, drawn.labels.size), drawn.labels.dtype)
            for group in (groups if title == "everything" else ())
        }
        for train, test in folds:
            model = classifier(name, seed).fit(table[train], drawn.labels[train])
            predicted[test] = model.predict(table[test])
            for group, draws in mixed.items():
                for k, draw_of in enumerate(draws):
                    rng = np.random.default_rng([seed, k])
                    draw_of[test] = model.predict(_shuffled(drawn, groups, group, test, rng))
        found[title] = confusion(predicted)
        for group, draws in mixed.items():
            found[f"{group} shuffled"] = np.sum([confusion(each) for each in draws], axis=0)
    return found


def _shuffled(
    drawn: Samples, groups: Sequence[str], group: str, test: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Features of test samples in which those of a group belong to other test samples."""
    mixed = {other: drawn.table([other])[test] for other in groups}
    mixed[group] = rng.permutation(mixed[group])
    return np.concatenate(list(mixed.values()), axis=1)


def _scores(
    found: np.ndarray, every: Mapping[str, np.ndarray], against: str | None, pixels: np.ndarray
) -> dict[str, Any]:
    """Scores of a set, and how much better it is than another."""
    times = int(found.sum()) // int(pixels.sum())  # a permutation is scored several times
    overall = metrics_of(found.sum(axis=0))
    scores: dict[str, Any] = {
        "against": against,
        "accuracy": float(overall["overall_accuracy"]),
        "macro_f1": float(overall["macro_f1"]),
        "right": (np.trace(found, axis1=1, axis2=2) / times)[pixels > 0].tolist(),
    }
    if against is not None:
        other = every[against] * times
        for key, metric in (("gain", "overall_accuracy"), ("f1_gain", "macro_f1")):
            scores[key] = _difference(found, other, metric)
    return scores


def _difference(one: np.ndarray, other: np.ndarray, metric: str) -> list[float]:
    found = paired_difference(one, other, metric)
    return [found["difference"], *(found["ci95"] or (np.nan, np.nan))]


def pooled(results: Sequence[Mapping[str, Any]], title: str) -> tuple[float, list[float] | None]:
    """Accuracy of a set on several scenes, and its gain with the interval over all their blocks."""
    held = [result for result in results if title in result["sets"]]
    right, pixels = (
        np.concatenate([np.asarray(part, float) for part in parts])
        for parts in ([r["sets"][title]["right"] for r in held], [r["pixels"] for r in held])
    )
    against = held[0]["sets"][title]["against"]
    if against is None:
        return right.sum() / pixels.sum(), None
    other = np.concatenate([r["sets"][against]["right"] for r in held])
    gain = _difference(_as_confusions(right, pixels), _as_confusions(other, pixels), ACCURACY)
    return right.sum() / pixels.sum(), gain


ACCURACY = "overall_accuracy"


def _as_confusions(right: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Matrices (blocks, 2, 2) that have the accuracy of blocks; counts in thousandths."""
    counts = np.rint(1000 * np.stack([right, pixels - right], axis=1)).astype(np.int64)
    found = np.zeros((len(right), 2, 2), np.int64)
    found[:, 0] = counts
    return found


def tables(book: Mapping[str, Any]) -> str:
    """Tables of Markdown: what groups add to the bands, the same in macro F1, leaving one group
    out, and shuffling one."""
    scenes = _scenes(book)
    added = ["RGB", "RGB + NIR", *(f"+ {g}" for g in GROUPS if g not in BASE), "everything"]
    parts = [
        _table(scenes, ["all bands", *added], "scene"),
        _f1_table(scenes, ["all bands", *added]),
    ]
    for form, head in (("without {}", "left out"), ("{} shuffled", "shuffled")):
        parts.append(_table(scenes, ["everything", *map(form.format, GROUPS)], head))
    return "\n\n".join(parts) + "\n"


def _scenes(book: Mapping[str, Any]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Results by scene and classifier; places that differ in their number alone are one."""
    scenes: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for key in sorted(book, key=_order):
        place, name = key.split(" ")
        scenes.setdefault((place.rstrip("0123456789").rstrip("-"), name), []).append(book[key])
    return scenes


def _order(key: str) -> tuple[int, str]:
    place, name = key.split(" ")
    return list(PLACES).index(place), name


def _table(
    scenes: Mapping[tuple[str, str], list[Mapping[str, Any]]], titles: Sequence[str], head: str
) -> str:
    """A row a scene and classifier; accuracy of the first set, and differences to what it is set
    against in points."""
    lines = [f"| {head} | classifier | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|"]
    for (scene, name), results in scenes.items():
        cells = []
        for title in titles:
            if not any(title in result["sets"] for result in results):
                cells.append("–")
                continue
            accuracy, gain = pooled(results, title)
            first = gain is None or title == titles[0]
            cells.append(words.percent(accuracy) if first else _gain(gain or ()))
        lines.append(f"| {scene} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _f1_table(
    scenes: Mapping[tuple[str, str], list[Mapping[str, Any]]], titles: Sequence[str]
) -> str:
    """Macro F1 of the sets, 0-1, a mean over the places of a scene."""
    lines = [
        f"| macro F1 | classifier | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|"
    ]  # fmt: skip
    for (scene, name), results in scenes.items():
        found = [[r["sets"][t]["macro_f1"] for r in results if t in r["sets"]] for t in titles]
        cells = [f"{np.mean(values):.2f}" if values else "–" for values in found]
        lines.append(f"| {scene} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(gain: Sequence[float]) -> str:
    """A difference and its interval in points: +2.0 (+0.5 to +3.4)."""
    return f"{words.points(gain[0])} ({words.interval(gain[1:], signed=True)})"


def main(argv: Sequence[str] | None = None) -> int:
    """Study the places, and write rows, tables and picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--data", type=Path, metavar="DATA", help="folder of real scenes")
    parser.add_argument("--places", nargs="+", choices=PLACES, metavar="NAME", help="default: all")
    parser.add_argument("--samples", type=COUNT, default=2500, help="labelled pixels of a place")
    a = parser.parse_args(argv)
    synthetic = [name for name in PLACES if name.startswith("synthetic")]
    names = a.places or (synthetic if a.data is None else PLACES)
    if a.data is None and set(names) - set(synthetic):
        parser.error("real scenes need their folder; give it with --data")
    book = study.Book(a.out / "rows.json")
    with study.refusals(parser):
        for name in names:
            missing = [kind for kind in CLASSIFIERS if f"{name} {kind}" not in book]
            if not missing:
                continue
            say(f"{name}: {', '.join(missing)}")
            place = PLACES[name](a.data or Path())
            drawn = draw(place, a.samples, SEED)
            for kind in missing:
                book.add(f"{name} {kind}", partial(measure, place, drawn, kind))
    text = tables(book)
    write_bytes(a.out / "features.md", text.encode())
    write_bytes(a.out / "features.png", figure_of(text, "png"))
    print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
