"""What the study of sequences found: its table, how sure the differences are, and its plot."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.reports import accuracy
from landcover.reports.figures import CHART_COLOURS
from landcover.reports.words import interval, percent, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
#: What networks of sequences are set beside; random dates should also find more than fixed ones.
BASELINES = ("single", "composite", "forest")
CHOICES = ("random", "fixed")
#: Names of the curves of the plot.
TITLES = {
    "single": "best single date, U-Net",
    "composite": "median composite, U-Net",
    "fixed": "6 fixed dates, U-Net and ConvLSTM",
    "random": "twice 6 random dates, U-Net and ConvLSTM",
    "attention": "all dates, temporal attention",
    "tempcnn": "all dates, temporal CNN",
    "forest": "all dates, random forest",
}


class Counts:
    """What each block of a place adds to a row, by the row.

    Parameters
    ----------
    folder : path
        Holds NETWORK-LEARNT-CLOUD-SEED.npz of every row.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, rows: Sequence[Row], kind: str) -> np.ndarray:
        """Matrices of the blocks of several places, one below the other; blocks are their units.

        `kind` is "confusions", "where_single_sees" or "changes": found and missed as a matrix of
        which the accuracy is the share found.
        """
        parts = [np.load(self.folder / f"{name_of(row)}.npz")[kind] for row in rows]
        counts = np.concatenate(parts)
        if kind != "changes":
            return counts
        found = np.zeros((len(counts), 2, 2), np.int64)
        found[:, 0] = counts
        return found


def name_of(row: Mapping[str, Any]) -> str:
    """The name of a row's file.

    >>> name_of({"network": "single", "learnt": "plain", "cloud": 0.3, "seed": 1})
    'single-plain-30-1'
    """
    return f"{row['network']}-{row['learnt']}-{round(100 * row['cloud'])}-{row['seed']}"


def text(rows: Sequence[Row], counts: Counts) -> str:
    """The table of a study and its differences, in Markdown."""
    refined = [row for row in rows if row["learnt"] == "refined"]
    parts = [_table(refined), "", *_differences(refined, counts), "", *_losses(refined)]
    compared = list(_refinement(rows))
    return "\n".join([*parts, *(["", *compared] if compared else []), ""])


def _table(rows: Sequence[Row]) -> str:
    """Means over the places of every network under every cloud."""
    clouds = _held(rows, "cloud")
    columns = ("overall_accuracy", "macro_f1", "changes_found", "accuracy_where_single_sees")
    titles = ("accuracy", "macro F1", "changes found", "accuracy where the single date sees")
    lines = [f"| network | dates | cloud | {' | '.join(titles)} |", "|---|--:|--:|" + 4 * "--:|"]
    for cloud in clouds:
        for network in _held(rows, "network"):
            own = _rows(rows, network=network, cloud=cloud)
            if own:
                cells = [_spread([row[column] for row in own]) for column in columns]
                lines.append(
                    f"| {network} | {own[0]['dates']} | {round(100 * cloud)} % "
                    f"| {' | '.join(cells)} |"
                )
    return "\n".join(lines)


def _differences(rows: Sequence[Row], counts: Counts) -> Iterator[str]:
    """Every network less the baselines, paired by the blocks of all places."""
    yield "| network | less | cloud | accuracy, points | 95 % | changes found, points | 95 % |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for cloud in _held(rows, "cloud"):
        for network in _held(rows, "network"):
            others = BASELINES + (CHOICES[1:] if network == CHOICES[0] else ())
            # of two baselines the later one is set beside the earlier
            if network in BASELINES:
                others = BASELINES[: BASELINES.index(network)]
            for baseline in others:
                pair = paired(rows, counts, network, baseline, cloud)
                if pair:
                    yield (
                        f"| {network} | {baseline} | {round(100 * cloud)} % | "
                        + " | ".join(
                            f"{points(found['difference'])} | "
                            f"{interval(found['ci95'], signed=True)}"
                            for found in pair
                        )
                        + " |"
                    )


def paired(
    rows: Sequence[Row], counts: Counts, network: str, baseline: str, cloud: float
) -> list[accuracy.Difference]:
    """How much more accurate a network is than another, and how many more changes it finds.

    Both are of the same blocks of the same places; empty where they share none.
    """
    places = [
        {row["seed"]: row for row in _rows(rows, network=one, cloud=cloud)}
        for one in (network, baseline)
    ]
    seeds = sorted(set(places[0]) & set(places[1]))
    if not seeds:
        return []
    found = []
    for kind in ("confusions", "changes"):
        one, other = (counts.of([of[seed] for seed in seeds], kind) for of in places)
        found.append(accuracy.paired_difference(one, other))
    return found


def _losses(rows: Sequence[Row]) -> Iterator[str]:
    """What clouds cost every network, against the same places without any."""
    clouds = [cloud for cloud in _held(rows, "cloud") if cloud]
    if 0 not in _held(rows, "cloud") or not clouds:
        return
    yield f"| network | {' | '.join(f'lost at {round(100 * c)} % cloud' for c in clouds)} |"
    yield "|---|" + "--:|" * len(clouds)
    for network in _held(rows, "network"):
        clear = {row["seed"]: row for row in _rows(rows, network=network, cloud=0)}
        cells = []
        for cloud in clouds:
            lost = [
                clear[row["seed"]]["overall_accuracy"] - row["overall_accuracy"]
                for row in _rows(rows, network=network, cloud=cloud)
                if row["seed"] in clear
            ]
            cells.append(points(float(np.mean(lost))) if lost else "–")
        yield f"| {network} | {' | '.join(cells)} |"


def _refinement(rows: Sequence[Row]) -> Iterator[str]:
    """What networks gain by refined labels, and would gain by the truth."""
    held = [row for row in rows if row["learnt"] != "refined"]
    if not held:
        return
    yield "| network | plain labels | refined | reference | gain of refining, points |"
    yield "|---|--:|--:|--:|--:|"
    for network in _held(held, "network"):
        cloud = held[0]["cloud"]
        by = {
            learnt: {
                row["seed"]: row["overall_accuracy"]
                for row in _rows(rows, network=network, cloud=cloud, learnt=learnt)
            }
            for learnt in ("plain", "refined", "reference")
        }
        seeds = sorted(set.intersection(*(set(of) for of in by.values())))
        if seeds:
            means = {key: float(np.mean([of[seed] for seed in seeds])) for key, of in by.items()}
            cells = " | ".join(percent(mean) for mean in means.values())
            yield f"| {network} | {cells} | {points(means['refined'] - means['plain'])} |"


def picture(rows: Sequence[Row]) -> bytes:
    """Accuracy and the changes found, by cloud, a curve a network; PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    refined = [row for row in rows if row["learnt"] == "refined"]
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    quantities = {
        "overall_accuracy": "accuracy, %",
        "changes_found": "true changes found, %",
    }
    for axes, (quantity, title) in zip(panels, quantities.items(), strict=True):
        for at, network in enumerate(_held(refined, "network")):
            _curve(axes, _rows(refined, network=network), quantity, at, TITLES[network])
        axes.set(xlabel="share of the pixels under cloud, %", ylabel=title)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", lw=0.4, color="#e2e5ea")
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _curve(axes: Axes, rows: Sequence[Row], quantity: str, at: int, title: str) -> None:
    """Mean over the places by cloud, with their range as a bar; bars stand side by side."""
    clouds = _held(rows, "cloud")
    values = [
        [100 * row[quantity] for row in _rows(rows, cloud=cloud) if row[quantity] is not None]
        for cloud in clouds
    ]
    held = [(100 * c + 0.6 * (at - 3), v) for c, v in zip(clouds, values, strict=True) if v]
    places, means = [place for place, _ in held], [np.mean(value) for _, value in held]
    colour = CHART_COLOURS[at]
    axes.plot(places, means, "o-", color=colour, ms=4, lw=1.5, label=title)
    for place, value in held:
        axes.plot([place, place], [min(value), max(value)], color=colour, lw=1)


def _spread(values: Sequence[float | None]) -> str:
    """Mean of the places, and their range where there are several."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = percent(float(np.mean(known)))
    return mean if len(known) == 1 else f"{mean} ({interval([min(known), max(known)])})"


def _rows(rows: Sequence[Row], **held: object) -> list[Row]:
    """The rows with such cells."""
    return [row for row in rows if all(row[key] == value for key, value in held.items())]


def _held(rows: Sequence[Row], column: str) -> list[Any]:
    """The different cells of a column, in the order of the rows."""
    return list(dict.fromkeys(row[column] for row in rows))
