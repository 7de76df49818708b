"""Pictures of the documentation, drawn from its own tables whenever it is built."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mkdocs.config.defaults import MkDocsConfig

FOLDER = Path(__file__).parent
#: Plain labels, refined labels, truth: told apart by colour-blind readers too.
PLAIN, REFINED, TRUTH = "#d55e00", "#0072b2", "#1d2430"


def on_pre_build(config: MkDocsConfig) -> None:
    """Draw what is missing or older than the page that it is drawn from; called by MkDocs."""
    page, out = FOLDER / "method.md", FOLDER / "pictures"
    out.mkdir(exist_ok=True)
    text = page.read_text("utf-8")
    for name, draw in {"gap.svg": gap, "patches.svg": patches, "choice.svg": choice}.items():
        _write(out / name, draw(text))
    _write(out / "land.png", land())
    _write(out / "features.svg", features((FOLDER / "features.md").read_text("utf-8")))
    _write(out / "sequences.svg", sequences((FOLDER / "sequences.md").read_text("utf-8")))


def gap(text: str) -> bytes:
    """Accuracy on plain labels, refined labels and the truth, scene by scene."""
    ours = [(row[0], row[1:4]) for row in table(text, "| scene | plain labels | refined | truth |")]
    other = [
        (row[0].replace("*fresh:* ", ""), row[2:5])
        for row in table(text, "| scene | labels right | plain labels | refined |")
    ]
    figure, panels = _figure(7.4, 6.2, 2, height_ratios=(len(ours), len(other)))
    for axes, rows, title in zip(
        panels, (ours, other), ("our generator", "another generator"), strict=True
    ):
        rows = [(name.strip("*"), [number(v) for v in values]) for name, values in rows][::-1]
        for place, (_, (plain, refined, truth)) in enumerate(rows):
            axes.plot([plain, truth], [place] * 2, color="#d5d8de", lw=3, zorder=1)
            for value, colour in ((plain, PLAIN), (refined, REFINED), (truth, TRUTH)):
                axes.plot(value, place, "o", color=colour, ms=6, zorder=2)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_title(f"Scenes of {title}", loc="left", fontsize=9)
        axes.set_xlim(62, 101)
    panels[-1].set_xlabel("right, % of the test samples")
    _key(figure, {"on plain labels": PLAIN, "on refined labels": REFINED, "on the truth": TRUTH})
    return _svg(figure)


def patches(text: str) -> bytes:
    """Accuracy and agreement of our network by the side of its patch."""
    rows = table(text, "| patch | published study: agreement |")
    sizes = [row[0].split(" ")[0] for row in rows]
    plain, refined = ([_pair(row[column]) for row in rows] for column in (3, 4))
    figure, [axes] = _figure(5.6, 3.2, 1)
    places = range(len(sizes))
    axes.plot(places, [p[0] for p in plain], "o-", color=PLAIN)
    axes.plot(places, [p[1] for p in plain], "o:", color=PLAIN)
    axes.plot(places, [p[0] for p in refined], "o-", color=REFINED)
    axes.plot(places, [p[1] for p in refined], "o:", color=REFINED)
    axes.set_xticks(places, [f"{size} px" for size in sizes])
    axes.set_ylabel("%")
    axes.set_xlabel("side of the patch; lines: right, dots: in agreement with CORINE")
    _key(figure, {"plain labels": PLAIN, "refined labels": REFINED})
    return _svg(figure)


def choice(text: str) -> bytes:
    """Accuracy of sixteen maps against both scores that need no truth."""
    rows = table(text, "| map | right | agreement with refined labels |")
    names = [row[0] for row in rows]
    right, refined, corine = (np.array([number(row[i]) for row in rows]) for i in (1, 2, 3))
    figure, panels = _figure(7.4, 3.4, 1, 2)
    colours = [REFINED if name.endswith("refined") else PLAIN for name in names]
    for axes, score, title in zip(
        panels, (refined, corine), ("refined labels", "CORINE"), strict=True
    ):
        axes.scatter(score, right, color=colours, s=28)
        best = int(score.argmax())
        axes.plot(score[best], right[best], "o", ms=12, mfc="none", mec=TRUTH)
        axes.set_xlabel(f"agreement with {title}, %")
    panels[0].set_ylabel("right, %")
    _key(figure, {"learnt plain labels": PLAIN, "learnt refined labels": REFINED, "taken": None})
    return _svg(figure)


def features(text: str) -> bytes:
    """What groups of features add to the bands, scene by scene."""
    sys.path.append(str(FOLDER.parent))  # the command of MkDocs does not look there
    from experiments.feature_figure import figure_of

    return figure_of(text, "svg")


def sequences(text: str) -> bytes:
    """Accuracy, and the changes found, by the share of clouds; a curve a network."""
    from landcover.reports.figures import CHART_COLOURS

    clouds, rows = (0, 30, 60, 80), table(text, "| row | no cloud |")
    figure, panels = _figure(8.4, 3.9, 1, 2)
    for axes, title, at in zip(
        panels, ("accuracy, %", "true changes found, %"), (0, 1), strict=True
    ):
        for (name, *cells), colour in zip(rows, CHART_COLOURS, strict=False):
            values = [number(cell.split(" / ")[at]) for cell in cells]
            axes.plot(clouds, values, "o-", color=colour, ms=4, lw=1.5, label=name)
        axes.set(xlabel="share of the pixels under cloud, %", ylabel=title, xticks=clouds)
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=7, frameon=False, fontsize=8)
    return _svg(figure)


def land() -> bytes:
    """A piece of synthetic land as it looks, as it is, and as CORINE draws it."""
    from landcover.legend import Legend
    from landcover.reports import figures
    from landcover.sources import synthetic

    scene = synthetic.make_scene(400, 800, 7)
    labels, part = scene.labels(), (slice(60, 340), slice(120, 400))
    legend = Legend.corine().subset(np.union1d(scene.truth, labels))
    shown = {
        "The scene": figures.true_colour(scene.image[(slice(None), *part)], scene.bands),
        "What is there": figures.class_picture(scene.truth[part], legend),
        "What coarse labels say": figures.class_picture(labels[part], legend),
    }
    figure, panels = _figure(8.4, 3.1, 1, 3)
    for axes, (title, picture) in zip(panels, shown.items(), strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=140)
    return buffer.getvalue()


def table(text: str, head: str) -> list[list[str]]:
    """Cells of the rows below a table's head, without the means."""
    lines = text[text.index(head) :].split("\n")[2:]
    rows = [line.strip("| ").split(" | ") for line in lines[: lines.index("")]]
    return [[cell.strip() for cell in row] for row in rows if not row[0].startswith("*mean")]


def number(cell: str) -> float:
    """The first number of a cell."""
    return float(cell.replace("%", "").split()[0].rstrip(","))


def _pair(cell: str) -> tuple[float, float]:
    """Accuracy and agreement of a cell such as 78.4 %, 72.1 %."""
    first, second = cell.split(", ")
    return number(first), number(second)


def _figure(
    width: float, height: float, rows: int, columns: int = 1, **ratios: tuple[int, ...]
) -> tuple[Figure, np.ndarray]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, gridspec_kw=ratios).ravel()
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(lw=0.4, color="#e2e5ea")
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
    return figure, panels


def _key(figure: Figure, names: dict[str, str | None]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", ls="", color=colour)
        if colour
        else Line2D([], [], marker="o", ls="", mfc="none", mec=TRUTH, ms=9)
        for colour in names.values()
    ]
    figure.legend(
        marks, names, loc="outside upper center", ncols=len(names), frameon=False, fontsize=8
    )


def _svg(figure: Figure) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "landcover"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Leave a picture alone that has not changed: MkDocs would build again and again."""
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
