"""The report of a network of whole images as one page: curves, confusions, what it gets wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from landcover.files import pictures
from landcover.files.atomic import Fields
from landcover.legend import Legend, facts
from landcover.reports import figures, words
from landcover.reports.records import Confusion
from landcover.samples.augmentation import NONE, Augmentation
from landcover.sensors import TRUE_COLOUR_BANDS, TRUE_COLOUR_REFLECTANCE

#: Pairs of classes that are confused less often are not named.
LEAST_CONFUSED = 5
WRONG_SHOWN = 24
#: Images that are shown in training's views, and views of each beside the image itself.
VIEWED, VIEWS = 4, 5


ConfusedPair = TypedDict("ConfusedPair", {"class": str, "taken_for": str, "n": int})


def confused_pairs(
    confusion: Confusion, legend: Legend, least: int = LEAST_CONFUSED
) -> list[ConfusedPair]:
    """Pairs of classes by how often one is taken for the other, most often first.

    Parameters
    ----------
    confusion : dict
        ``codes`` and ``matrix`` (rows are the reference), as reports hold them.
    legend : Legend
        Names of the classes.
    least : int
        Pairs of fewer images are left out.
    """
    codes, matrix = confusion["codes"], np.array(confusion["matrix"])
    pairs: list[ConfusedPair] = [
        {"class": legend[codes[i]].name, "taken_for": legend[codes[j]].name, "n": int(matrix[i, j])}
        for i, j in np.argwhere(matrix >= least)
        if i != j
    ]
    return sorted(pairs, key=lambda pair: -pair["n"])


@dataclass(frozen=True)
class Shown:
    """What the page shows of a labelled set of images.

    Attributes
    ----------
    read : callable
        Positions in the set to reflectance (n, side, side, bands).
    bands : tuple of str
        Bands of the images.
    legend : Legend
        Classes of the labels.
    train, test : array of int (n,)
        Positions of the training and of the test images.
    labels : array of int (n,)
        Positions in the legend, of the test images.
    probabilities : array (n, classes)
        Of the test images.
    """

    read: Callable[[np.ndarray], np.ndarray]
    bands: tuple[str, ...]
    legend: Legend
    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


def page(
    report: Fields,
    history: Mapping[str, list[float]],
    images: Shown,
    augmentation: Augmentation = NONE,
) -> str:
    """The page of a report, as HTML.

    Parameters
    ----------
    report : mapping
        As `finetune` makes it.
    history : mapping
        Learning curves.
    images : Shown
        The set; views of some training images are shown, and the surest of the wrong test images.
    augmentation : Augmentation
        What training showed.
    """
    legend, probabilities, train = images.legend, images.probabilities, images.train
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != images.labels)
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:WRONG_SHOWN]
    viewed = images.read(train[:: max(1, len(train) // VIEWED)][:VIEWED])
    return words.render(
        "image_report.html",
        r=report,
        curves=figures.learning_curves(history, figures.CHART_COLOURS[0]),
        classes=[
            {"colour": legend[int(code)].hex_colour, **scores}
            for code, scores in report["per_class"].items()
        ],
        least=LEAST_CONFUSED,
        n_wrong=len(wrong),
        wrong=[
            {
                "uri": _picture(images.read(images.test[[place]])[0], images.bands),
                "title": _breakable(legend.names[images.labels[place]]),
                "remark": _taken_for(legend, probabilities[place]),
            }
            for place in surest
        ],
        views=_views(viewed, images.bands, augmentation),
        columns=VIEWS + 1,
        published=_published(),
        settings=json.dumps(
            {key: report[key] for key in ("settings", "versions")}, indent=1, ensure_ascii=False
        ),
    )


def _taken_for(legend: Legend, probabilities: np.ndarray) -> str:
    """The class that an image was given, and how sure the network was of it."""
    name = legend.names[int(probabilities.argmax())]
    return f"taken for {_breakable(name)}, {100 * probabilities.max():.0f}\u00a0%"


def _breakable(name: str) -> str:
    """A class such as AnnualCrop with a place where a caption may break it."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "\u200b", name)


def _views(
    shown: np.ndarray, bands: tuple[str, ...], augmentation: Augmentation
) -> list[dict[str, str]]:
    """Images, each followed by views of it; nothing where training shows images as they are."""
    if augmentation == NONE:
        return []
    rng = np.random.default_rng(0)
    found = []
    for image in shown:
        copies = augmentation.views(np.repeat(image[None], VIEWS, axis=0), rng)
        for number, view in enumerate([image, *copies]):
            title = f"view {number}" if number else "image"
            found.append({"uri": _picture(view, bands), "title": title, "remark": ""})
    return found


def _picture(image: np.ndarray, bands: tuple[str, ...]) -> str:
    """An image (side, side, bands) in true colour, or its first band in grey."""
    if set(TRUE_COLOUR_BANDS) <= set(bands):
        colours = [bands.index(band) for band in TRUE_COLOUR_BANDS]
        shown = image[..., colours] / TRUE_COLOUR_REFLECTANCE
    else:
        first = image[..., 0]
        shown = (first - first.min()) / max(float(np.ptp(first)), 1e-6)
    pixels = (np.clip(shown, 0, 1) * 255).round().astype(np.uint8)
    return pictures.data_uri(figures.png(pixels))


def _published() -> list[dict[str, str]]:
    """Published accuracies on EuroSAT, from facts/reported_results.csv."""
    return [row for row in facts("reported_results") if row["set"] == "EuroSAT"]
