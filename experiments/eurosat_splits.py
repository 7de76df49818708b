"""Why a network scores lower on test images of other places: two reports of EuroSAT compared.

python -m experiments.eurosat_splits EuroSAT.zip REPORT REPORT

The reports are of `eurosat_finetune` on two splits of one set. Their difference in accuracy is
divided into what another mix of classes in the test part explains, and what lower accuracy
within classes does (Kitagawa 1955, doi:10.2307/2281213). Beside it stands how far test images lie
from training images in mean and deviation of their bands, and how well such neighbours classify
them. In a random split a network meets land again that it has learned; in a split by place it
does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.study import refusals
from landcover.errors import LandcoverError
from landcover.files.atomic import read_json
from landcover.legend import Legend
from landcover.reports.words import interval, percent, points
from landcover.stages.finetune import Choices, Task, open_task

NEIGHBOURS = 5


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("source", type=Path, help="the set that both reports are of")
    made.add_argument("first", type=Path, help="reports/NAME.json, as of the split 80/20")
    made.add_argument("second", type=Path, help="reports/NAME.json, as of the split by place")
    return made


def read_report(path: Path) -> dict[str, Any]:
    """A report of `eurosat_finetune`, wherever it lies."""
    report = read_json(path)
    if report.get("kind") != "image":
        raise LandcoverError(
            f"{path} is no report of an image network; give reports/NAME.json of eurosat_finetune"
        )
    return report


def mix_and_rates(first: np.ndarray, second: np.ndarray) -> tuple[float, np.ndarray]:
    """Change of accuracy that comes of the mix of classes, and of every class's own accuracy.

    Parameters
    ----------
    first, second : array (classes, classes)
        Confusion matrices, rows are the reference; every class has test images.

    Examples
    --------
    Of a class that is half right there is more in the second:

    >>> first, second = np.array([[10, 0], [5, 5]]), np.array([[5, 0], [8, 7]])
    >>> mix, rates = mix_and_rates(first, second)
    >>> f"{mix:.3f}", [f"{rate:.3f}" for rate in rates]
    ('-0.129', ['0.000', '-0.021'])
    >>> f"{mix + rates.sum():.3f}"
    '-0.150'
    """
    shares = [matrix.sum(axis=1) / matrix.sum() for matrix in (first, second)]
    right = [np.diag(matrix) / matrix.sum(axis=1) for matrix in (first, second)]
    mix = ((shares[1] - shares[0]) * (right[0] + right[1]) / 2).sum()
    return float(mix), (shares[0] + shares[1]) / 2 * (right[1] - right[0])


def by_class(reports: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: every class in both test parts, and what it explains."""
    first, second = matrices = [np.array(report["confusion"]["matrix"]) for report in reports]
    mix, rates = mix_and_rates(first, second)
    lines = [
        "| class | share of test images | | right | | points of accuracy |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    names = [Legend.eurosat()[code].name for code in reports[0]["confusion"]["codes"]]
    for row in np.argsort(rates):
        cells = [percent(m[row].sum() / m.sum()) for m in matrices]
        cells += [percent(m[row, row] / m[row].sum()) for m in matrices]
        lines.append(f"| {names[row]} | {' | '.join(cells)} | {points(rates[row])} |")
    lines.append(f"| another mix of classes | | | | | {points(mix)} |")
    return "\n".join(lines)


def neighbourhood(task: Task) -> dict[str, float]:
    """Median distance of test images to the nearest training image, and how they classify.

    Distances are of the mean and deviation of every band, each in units of its own deviation
    over the training images.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def moments(rows: np.ndarray) -> np.ndarray:
        parts = task.parts(rows, "mean and deviation of images")
        return np.concatenate([np.hstack([p.mean(axis=(1, 2)), p.std(axis=(1, 2))]) for p in parts])

    train, test = moments(task.split.train), moments(task.split.test)
    near = make_pipeline(StandardScaler(), KNeighborsClassifier(NEIGHBOURS))
    near.fit(train, task.labels[task.split.train])
    distances, _ = near[-1].kneighbors(near[0].transform(test), n_neighbors=1)
    return {
        "distance": float(np.median(distances)),
        "right": float(np.mean(near.predict(test) == task.labels[task.split.test])),
    }


def splits(source: Path, reports: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: the two splits side by side."""
    lines = [
        "| split | to learn from | right | 95 % interval | balanced | distance to the nearest "
        f"| right by {NEIGHBOURS} nearest |",
        "|---|--:|--:|---|--:|--:|--:|",
    ]
    for report in reports:
        split, seed, bands = (report["settings"][key] for key in ("split", "seed", "bands"))
        choices = Choices(split=split, seed=seed, bands=bands and tuple(bands))
        near = neighbourhood(open_task(source, choices))
        cells = [
            "by lists" if Path(split).is_dir() else split,
            f"{report['n_train']:,}",
            percent(report["overall_accuracy"]),
            interval(report["overall_accuracy_ci95"]),
            percent(report["balanced_accuracy"]),
            f"{near['distance']:.2f}",
            percent(near["right"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        reports = [read_report(path) for path in (a.first, a.second)]
        tables = splits(a.source, reports), by_class(reports)
    print(*tables, sep="\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
