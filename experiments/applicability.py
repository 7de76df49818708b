"""Does the area of applicability tell where a model that maps other land is wrong?

    python -m experiments.applicability OUT [--data DATA] [--models forest cnn mlp] [--seeds 1 2]

Models learn the exact classes of a synthetic scene, and map others: another seed of the same land,
the same with haze, noise, clouds or other spectra, and other land. Where DATA is the folder
s2glc-quilts, models also learn the 10 m map of one real quilt and map the other. So what is wrong
is the model's fault, not that of coarse labels. The area under the ROC curve says how well wrong
pixels are told by dissimilarity, by confidence (1 - the highest probability), and by both (the
mean of their ranks in the map); 50 is chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from experiments import study
from experiments.coarse_labels import KINDS
from experiments.quilts import quilt_run
from landcover.classifiers.models import Model, load_model
from landcover.files import rasters
from landcover.progress import say
from landcover.run import Run
from landcover.sources import synthetic
from landcover.stages import train

#: An image and the true class of every pixel.
Scene = tuple[np.ndarray, np.ndarray]
PARTS = 10
#: Seed of the land under every shift; a second one is this and 1.
_AWAY = 300


def land(seed: int, look: Mapping[str, Any] = MappingProxyType({})) -> Scene:
    """A synthetic scene of the size of those that models learn."""
    scene = synthetic.make_scene(600, 800, seed, **look)
    return scene.image, scene.truth


def cloudy(seed: int) -> Scene:
    """Land of which a third lies under clouds, white and bright, thin at their edges."""
    image, truth = land(seed)
    return clouded(image, seed)[0], truth


def clouded(image: np.ndarray, seed: int, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """An image under clouds, and how opaque they are (rows, cols), 0 to 1."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=image.shape[1:]), 30)
    edge = np.quantile(field, 1 - share)
    opaque = np.clip((field - edge) / (0.3 * field.std()), 0, 1)
    white = 0.6 + 0.1 * gaussian_filter(rng.normal(size=image.shape[1:]), 4) * 8
    return (image * (1 - opaque) + white * opaque).astype(np.float32), opaque


def other_spectra(seed: int) -> Scene:
    """Land whose bands are brighter or darker, as by another sensor or season."""
    image, truth = land(seed)
    gains = np.array([1.2, 1.1, 1.25, 0.75], np.float32)
    return image * gains[:, np.newaxis, np.newaxis], truth


#: Land that a model of the usual land maps, by what sets it apart, of a seed.
SHIFTS: dict[str, Callable[[int], Scene]] = {
    "same land, other seed": land,
    "haze 0.1": partial(land, look={"haze": 0.1}),
    "haze 0.3": partial(land, look={"haze": 0.3}),
    "noise 0.008": partial(land, look={"noise": 0.008}),
    "noise 0.03": partial(land, look={"noise": 0.03}),
    "other spectra": other_spectra,
    "other land": partial(
        land, look={"woods": 0.06, "pastures": 0.02, "heath": 0.3, "settlement": 3.0}
    ),
    "clouds on 30 %": cloudy,
}


def trained(run: Run, kind: str) -> Model:
    """A model of the true classes of a run; one that is there is kept."""
    found = [load_model(path.parent) for path in run.path.glob("models/*/card.json")]
    for model in found:
        if model.kind.name == kind:
            return model
    fit = partial(train.train, run, kind, targets="reference", random_split=False)
    return fit(segment_layers=()) if kind == "mlp" else fit()  # segments are of one scene


def outcome(model: Model, scene: Scene) -> dict[str, Any]:
    """How wrong a model is by its area of applicability, in percent; curves' areas too."""
    image, truth = scene
    probabilities = model.predict_proba(image)
    apart = model.dissimilarity(image)
    judged = (truth > 0) & np.isfinite(apart)
    codes = np.array(model.legend.codes)[np.nan_to_num(probabilities).argmax(axis=0)]
    doubt = 1 - probabilities.max(axis=0)[judged].astype(float)
    return _figures((codes != truth)[judged], apart[judged] / model.applicability.threshold, doubt)


def _figures(wrong: np.ndarray, apart: np.ndarray, doubt: np.ndarray) -> dict[str, Any]:
    """What `outcome` says of pixels; dissimilarity in thresholds."""
    from scipy.stats import rankdata

    outside = apart > 1
    order = np.argsort(apart, kind="stable")
    return {
        "outside": _mean(outside),
        "wrong inside": _mean(wrong[~outside]),
        "wrong outside": _mean(wrong[outside]),
        "dissimilarity": _curve(wrong, apart),
        "confidence": _curve(wrong, doubt),
        "both": _curve(wrong, rankdata(apart) + rankdata(doubt)),
        "by tenths": [_mean(wrong[part]) for part in np.array_split(order, PARTS)],
    }


def _mean(values: np.ndarray) -> float | None:
    return 100 * float(values.mean()) if values.size else None


def _curve(wrong: np.ndarray, sign: np.ndarray) -> float | None:
    """Area under the ROC curve in percent; None where all are right, or all wrong."""
    from sklearn.metrics import roc_auc_score

    return 100 * float(roc_auc_score(wrong, sign)) if 0 < wrong.sum() < wrong.size else None


#: A kind of model, where it learns, what it maps in words, and what that is.
Case = tuple[str, Callable[[], Run], str, Callable[[], Scene]]


def cases(a: argparse.Namespace) -> Iterator[Case]:
    """Everything that is to be measured."""
    usual = partial(study.kind_run, a.out, 0)
    for kind, title, seed in product(a.models, SHIFTS, a.seeds):
        yield kind, usual, f"{title}; {seed}", partial(SHIFTS[title], _AWAY + seed)
    quilts = [partial(quilt_run, a.data, a.out, "whole", k) for k in (0, 1)] if a.data else []
    for kind, k in product(a.models, range(len(quilts))):
        yield kind, quilts[k], f"quilt {k} maps {1 - k}; 0", partial(held, quilts[1 - k])


def _measure(kind: str, home: Callable[[], Run], scene: Callable[[], Scene]) -> dict[str, Any]:
    """Train where a model learns, and map what it is to map."""
    return outcome(trained(home(), KINDS[kind]), scene())


def held(make: Callable[[], Run]) -> Scene:
    """The scene of a run and its reference."""
    run = make()
    return rasters.read(run.scene), rasters.read_classes(run.reference)


def table(known: dict[str, Any]) -> str:
    """Two tables of means over seeds: shares and curves, and errors by tenths of dissimilarity."""
    columns = ["outside", "wrong inside", "wrong outside", "dissimilarity", "confidence", "both"]
    curves = _lines(["model", "what it maps", *columns])
    tenths = _lines(["model", "what it maps", *(f"{k + 1}" for k in range(PARTS))])
    for kind, title in dict.fromkeys(tuple(key.split("; ")[:2]) for key in known):
        rows = [found for key, found in known.items() if key.startswith(f"{kind}; {title}; ")]
        cells = [_cell([row[column] for row in rows]) for column in columns]
        curves.append(f"| {kind} | {title} | {' | '.join(cells)} |")
        means = np.mean([row["by tenths"] for row in rows], axis=0)
        tenths.append(f"| {kind} | {title} | {' | '.join(f'{mean:.0f}' for mean in means)} |")
    return "\n".join([*curves, "", *tenths])


def _lines(head: list[str]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]


def _cell(values: Sequence[float | None]) -> str:
    """The mean of what is known.

    >>> _cell([0.5, None, 1.5]), _cell([None])
    ('1.0', '–')
    """
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.1f}" if known else "–"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is missing, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder s2glc-quilts")
    parser.add_argument("--models", nargs="+", choices=KINDS, default=["forest", "cnn"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    a = parser.parse_args(argv)
    known = study.Book(a.out / "applicability.json")
    for kind, home, title, scene in cases(a):
        key = f"{kind}; {title}"
        if known.add(key, partial(_measure, kind, home, scene)):
            say(f"{key}: {known[key]['outside']:.1f} % outside")
    say("\n" + table(known))


if __name__ == "__main__":
    main()
