"""The picture of the study of features, drawn from its table: what groups add to the bands."""

from __future__ import annotations

import io
import re

#: The first words of the table that is drawn.
HEAD = "| scene | classifier | all bands |"
COLOURS = {"forest": "#0072b2", "linear": "#d55e00"}

#: A gain in points, and the bounds of its interval.
Gain = tuple[float, float, float]


def gains_of(text: str) -> dict[str, dict[tuple[str, str], Gain]]:
    """Gains of a table of Markdown by column, then by scene and classifier.

    >>> lines = HEAD + " + dates |", "|---|", "| a | forest | 80.0 % | +2.0 (−1.0 to +3.0) |", ""
    >>> gains_of("\\n".join(lines))
    {'+ dates': {('a', 'forest'): (2.0, -1.0, 3.0)}}
    """
    table = text[text.index(HEAD) :].split("\n\n")[0]
    head, _, *rows = ([cell.strip() for cell in line.strip("| ").split("|")] for line in
                      table.strip().split("\n"))  # fmt: skip
    found: dict[str, dict[tuple[str, str], Gain]] = {title: {} for title in head[3:]}
    for scene, classifier, _, *cells in rows:
        for title, cell in zip(head[3:], cells, strict=True):
            numbers = [float(n) for n in re.findall(r"[+-]?\d+\.\d", cell.replace("−", "-"))]
            if len(numbers) == 3:
                found[title][scene, classifier] = (numbers[0], numbers[1], numbers[2])
    return found


def figure_of(text: str, form: str) -> bytes:
    """The picture of a table: a panel a feature set, a row a scene, in ``"png"`` or ``"svg"``."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    gains = {title: of for title, of in gains_of(text).items() if of}
    scenes = list(dict.fromkeys(scene for of in gains.values() for scene, _ in of))[::-1]
    figure = Figure(
        figsize=(1.1 + 1.25 * len(gains), 1.3 + 0.42 * len(scenes)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(gains), sharey=True, squeeze=False).ravel()
    for axes, (title, of) in zip(panels, gains.items(), strict=True):
        axes.axvline(0, color="#1d2430", lw=0.8)
        for (scene, classifier), (gain, low, high) in of.items():
            at = scenes.index(scene) + (0.14 if classifier == "forest" else -0.14)
            colour = COLOURS[classifier]
            axes.plot([low, high], [at, at], color=colour, lw=1.6)
            axes.plot(gain, at, "o", color=colour, ms=4)
        axes.set_title(title, fontsize=8)
        axes.set_yticks(range(len(scenes)), scenes)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", lw=0.4, color="#e2e5ea")
        axes.tick_params(labelsize=7)
    figure.supxlabel("accuracy on held-out blocks against all bands, points", fontsize=8)
    marks = [mpl.lines.Line2D([], [], marker="o", color=colour) for colour in COLOURS.values()]
    figure.legend(
        marks, list(COLOURS), loc="outside upper center", ncols=2, frameon=False, fontsize=8
    )
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "landcover"}):
        metadata = {"Date": None} if form == "svg" else None
        figure.savefig(buffer, format=form, dpi=130, metadata=metadata)
    return buffer.getvalue()
