"""The report of a network of whole images as one page: curves, confusions, what it gets wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from landcover.files.atomic import replace_when_whole
from landcover.legend import Legend, facts
from landcover.reports import figures, words
from landcover.run import Run
from landcover.samples.augmentation import NONE, Augmentation
from landcover.sensors import TRUE_COLOUR_BANDS, TRUE_COLOUR_REFLECTANCE

#: Pairs of classes that are confused less often are not named.
LEAST_CONFUSED = 5
WRONG_SHOWN = 24
#: Images that are shown in training's views, and views of each beside the image itself.
VIEWED, VIEWS = 4, 5


def confused_pairs(
    confusion: Mapping[str, Any], legend: Legend, least: int = LEAST_CONFUSED
) -> list[dict[str, Any]]:
    """Pairs of classes by how often one is taken for the other, most often first.

    Parameters
    ----------
    confusion : mapping
        ``codes`` and ``matrix`` (rows are the reference), as reports hold them.
    legend : Legend
        Names of the classes.
    least : int
        Pairs of fewer images are left out.
    """
    codes, matrix = confusion["codes"], np.array(confusion["matrix"])
    pairs = [
        {"class": legend[codes[i]].name, "taken_for": legend[codes[j]].name, "n": int(matrix[i, j])}
        for i, j in np.argwhere(matrix >= least)
        if i != j
    ]
    return sorted(pairs, key=lambda pair: -pair["n"])


def write_page(
    run: Run,
    report: Mapping[str, Any],
    history: Mapping[str, list[float]],
    read: Callable[[np.ndarray], np.ndarray],
    test: tuple[np.ndarray, np.ndarray, np.ndarray],
    train: np.ndarray,
    bands: tuple[str, ...],
    legend: Legend,
    augmentation: Augmentation = NONE,
) -> Path:
    """Write reports/NAME.html.

    Parameters
    ----------
    run : Run
        Run folder.
    report : mapping
        As `finetune` makes it.
    history : mapping
        Learning curves.
    read : callable
        Positions in the set to reflectance (n, side, side, bands).
    test : tuple of arrays
        Positions of the test images, their labels (n,), and probabilities (n, classes).
    train : array of int (n,)
        Positions of the training images; views of some are shown.
    bands, legend
        Those of the images.
    augmentation : Augmentation
        What training showed.
    """
    rows, labels, shares = test
    wrong = np.flatnonzero(shares.argmax(axis=1) != labels)
    surest = wrong[np.argsort(-shares[wrong].max(axis=1), kind="stable")][:WRONG_SHOWN]
    page = run.report(report["model"]).with_suffix(".html")
    content = words.render(
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
                "uri": _picture(read(rows[[place]])[0], bands),
                "title": _breakable(legend.names[labels[place]]),
                "remark": f"taken for {_breakable(legend.names[int(shares[place].argmax())])}, "
                f"{100 * shares[place].max():.0f}\u00a0%",
            }
            for place in surest
        ],
        views=_views(read(train[:: max(1, len(train) // VIEWED)][:VIEWED]), bands, augmentation),
        columns=VIEWS + 1,
        published=_published(),
        settings=json.dumps(
            {key: report[key] for key in ("settings", "versions")}, indent=1, ensure_ascii=False
        ),
    )
    with replace_when_whole(page) as part:
        part.write_text(content, "utf-8")
    return page


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
    return figures.data_uri(figures.png(pixels))


def _published() -> list[dict[str, str]]:
    """Published accuracies on EuroSAT, from facts/reported_results.csv."""
    return [row for row in facts("reported_results") if row["set"] == "EuroSAT"]
