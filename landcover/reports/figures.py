"""Rasters as pictures: true colour, class colours, PNG bytes; curves as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.files import rasters
from landcover.files.pictures import NODATA_GREY
from landcover.files.styles import GAMMA, STRETCH_PERCENTILES
from landcover.legend import Legend
from landcover.sensors import true_colour_bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

#: A scene longer than so many times its width is shown in pieces.
MOST_ELONGATED = 6
#: A caption is some 400 pixels long.
_CAPTION_PX = 420
#: A caption's letters are at least this part of its picture's width.
_FONT_OF_WIDTH = 76

#: Colours for classifiers in charts, told apart by colour-blind readers too
#: (Okabe & Ito 2008, https://jfly.uni-koeln.de/color/), without its yellow, faint on white;
#: the second row is for comparisons of more.
CHART_COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a7a7a"),
    *("#8c510a", "#5e3c99", "#b8b000", "#7fbc41", "#1a1a1a"),
)


def true_colour(image: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    """A true-colour picture of reflectances.

    Parameters
    ----------
    image : array of float, (bands, rows, cols)
        Reflectance; NaN where nodata.
    bands : sequence of str
        Band names; red, green and blue must be among them, such as B04, B03 and B02.

    Returns
    -------
    array of uint8, (rows, cols, 3)
        One stretch for the three bands keeps the hue; nodata is light grey.
    """
    rgb = np.stack([image[list(bands).index(name)] for name in true_colour_bands(bands)], axis=-1)
    missing = np.isnan(rgb).any(axis=-1)
    if missing.all():
        return np.full(rgb.shape, NODATA_GREY, np.uint8)
    low, high = np.percentile(rgb[~missing], STRETCH_PERCENTILES).astype(rgb.dtype)
    picture = stretched(rgb, low, high)
    picture[missing] = NODATA_GREY
    return picture


def false_colour(image: np.ndarray) -> np.ndarray:
    """A picture of up to three bands of any unit, as red, green and blue.

    Parameters
    ----------
    image : array of float, (bands, rows, cols)
        NaN where nodata. One band is shown in grey, and of two the first twice.

    Returns
    -------
    array of uint8, (rows, cols, 3)
        Each band has a stretch of its own; nodata is light grey.
    """
    shown = [*image, image[0], image[0]][:3]
    missing = np.isnan(image).any(axis=0)
    picture = np.full((*missing.shape, 3), NODATA_GREY, np.uint8)
    if not missing.all():
        for channel, band in enumerate(shown):
            known = band[~missing]
            picture[~missing, channel] = stretched(
                known, *np.percentile(known, STRETCH_PERCENTILES)
            )
    return picture


def stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values from `low` to `high` as grey levels 0 to 255, uint8, the middle ones brighter."""
    shown = np.clip((values - low) / max(high - low, 1e-6), 0, 1) ** (1 / GAMMA)
    return (np.nan_to_num(shown) * 255).round().astype(np.uint8)


def class_picture(codes: np.ndarray, legend: Legend) -> np.ndarray:
    """Class codes (rows, cols) in the legend's colours, uint8 (rows, cols, 3); 0 is light grey."""
    colours = np.array([*(c.colour for c in legend.classes), (NODATA_GREY,) * 3], np.uint8)
    return colours[legend.index(codes)]


def class_key(figure: Figure, legend: Legend) -> None:
    """Put the names and colours of a legend's classes below the panels of a figure."""
    from matplotlib.patches import Patch

    handles = [
        Patch(color=land_class.hex_colour, label=f"{land_class.code} {land_class.name}")
        for land_class in legend.classes
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)


def folds(rows: int, cols: int) -> int:
    """Pieces into which a long scene is cut, so that they make about a square; 1 for others.

    >>> folds(800, 1600), folds(20_000, 30)
    (1, 25)
    """
    long, short = max(rows, cols), min(rows, cols)
    if long <= MOST_ELONGATED * short:
        return 1
    return round((long / (short + _gap(short))) ** 0.5)


def fold(pixels: np.ndarray, pieces: int, empty: float | None = None) -> np.ndarray:
    """A long raster cut into pieces, a wide one's below each other, a tall one's side by side.

    Parameters
    ----------
    pixels : array (..., rows, cols)
        The raster.
    pieces : int
        From `folds`; 1 changes nothing.
    empty : float, optional
        What lies between the pieces: by default NaN of floats and 0 of integers, as nodata.

    Examples
    --------
    >>> fold(np.arange(1, 8)[np.newaxis], 2)
    array([[1, 2, 3, 4],
           [0, 0, 0, 0],
           [5, 6, 7, 0]])
    """
    if pieces == 1:
        return pixels
    rows, cols = pixels.shape[-2:]
    if rows > cols:
        return fold(pixels.swapaxes(-1, -2), pieces, empty).swapaxes(-1, -2)
    length, pitch = -(-cols // pieces), rows + _gap(rows)
    if empty is None:
        empty = np.nan if np.issubdtype(pixels.dtype, np.floating) else 0
    shape = (*pixels.shape[:-2], pieces * pitch - _gap(rows), length)
    folded = np.full(shape, empty, pixels.dtype)
    for piece in range(pieces):
        part = pixels[..., piece * length : (piece + 1) * length]
        folded[..., piece * pitch : piece * pitch + rows, : part.shape[-1]] = part
    return folded


def fold_note(rows: int, cols: int) -> str | None:
    """What a picture of a folded scene has to say; None where it is not folded."""
    pieces = folds(rows, cols)
    if pieces == 1:
        return None
    order = "top to bottom" if cols > rows else "left to right"
    return f"{rows} x {cols} px in {pieces} pieces, {order}"


def read_folded(
    path: Path, max_px: int = 1500, bands: Sequence[int | str] | None = None
) -> np.ndarray:
    """A raster for a picture of at most some pixels a side; a long one is folded.

    A strip that is thinned to a picture's length would be a line too thin to be seen.
    """
    pieces = folds(*rasters.grid_of(path).shape)
    return fold(rasters.read_small(path, max_px * pieces, bands), pieces)


def captioned(picture: np.ndarray, text: str | None, enlarge: bool = True) -> np.ndarray:
    """A picture with a line of text below, made as wide as the text where it may be enlarged.

    The text grows with a picture that is shown smaller than it is.
    """
    if not text:
        return picture
    from PIL import Image, ImageDraw

    zoom = -(-_CAPTION_PX // picture.shape[1]) if enlarge else 1
    picture = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    size = max(16, picture.shape[1] // _FONT_OF_WIDTH)
    whole = Image.new("RGB", (picture.shape[1], picture.shape[0] + size + 12), "white")
    whole.paste(Image.fromarray(picture))
    ImageDraw.Draw(whole).text((6, picture.shape[0] + 5), text, "black", font_size=size)
    return np.asarray(whole)


def _gap(short: int) -> int:
    """Pixels between pieces of a scene of some width."""
    return max(1, short // 8)


def png(picture: np.ndarray) -> bytes:
    """A uint8 picture, (rows, cols) or (rows, cols, 3), as PNG bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def figure_png(figure: Figure, metadata: Mapping[str, str | None] | None = None) -> bytes:
    """A figure of matplotlib as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata=metadata)
    return buffer.getvalue()


def jpeg(picture: np.ndarray, quality: int = 85) -> bytes:
    """A uint8 picture (rows, cols, 3) as JPEG bytes: photographs take a tenth of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def busiest_square(marked: np.ndarray, size: int) -> tuple[int, int]:
    """Where the square of `size` pixels with the most marked pixels begins.

    Parameters
    ----------
    marked : array of bool, (rows, cols)
        Pixels of interest.
    size : int
        Side of the square, at most the shorter side of the array.

    Returns
    -------
    (row, col) of its first pixel; of the first such square if several are equal.

    Examples
    --------
    >>> marked = np.zeros((6, 8), bool)
    >>> marked[3:5, 5:7] = True
    >>> busiest_square(marked, 2)
    (3, 5)
    """
    sums = np.pad(marked.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    row, col = np.unravel_index(inside.argmax(), inside.shape)
    return int(row), int(col)


def learning_curves(
    history: Mapping[str, Sequence[float]], colour: str, measure: str = "accuracy"
) -> str:
    """Loss and accuracy by epoch as an SVG element.

    Parameters
    ----------
    history : mapping
        Lists under ``loss``, ``val_loss``, ``accuracy``, ``val_accuracy``, one value an epoch.
    colour : str
        Of the validation curve; training is grey. A ring marks the epoch of least validation
        loss, whose weights are kept.
    measure : str
        What accuracy is called: against coarse labels it is agreement.

    Returns
    -------
    str
        ``<svg ...>`` with text as text, the same bytes for the same history.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(_style(history)):
        figure = Figure(figsize=(3.7, 3.5), layout="constrained")
        FigureCanvasSVG(figure)
        for axes, quantity in zip(
            figure.subplots(2, 1, sharex=True), ("loss", "accuracy"), strict=True
        ):
            _curve_pair(axes, history, quantity, colour)
        figure.axes[1].set_ylabel(measure)
        curves = figure.axes[0].get_legend_handles_labels()
        figure.legend(*curves, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
        figure.axes[1].set_xlabel("epoch")
        figure.axes[1].xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return _svg(figure)


def reliability_curve(
    bins: Sequence[Mapping[str, float]], colour: str, measure: str = "share right"
) -> str:
    """How often a map is right, by how sure it is, as an SVG element.

    Parameters
    ----------
    bins : sequence of mapping
        ``confidence`` and ``accuracy``, the means of a bin, 0 to 1, and ``n``, its size.
    colour : str
        Of the curve. The area of a dot is its bin's share; on the grey diagonal confidence
        is what it says.
    measure : str
        What ``accuracy`` is called.

    Returns
    -------
    str
        ``<svg ...>`` with text as text, the same bytes for the same bins.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    held = [b for b in bins if b["n"]]
    x, y = ([b[key] for b in held] for key in ("confidence", "accuracy"))
    n = sum(b["n"] for b in held)
    with mpl.rc_context(_style((held, colour))):
        figure = Figure(figsize=(2.7, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#8a8f98", lw=1)
        axes.plot(x, y, color=colour, lw=1.6)
        axes.scatter(x, y, s=[6 + 150 * b["n"] / n for b in held], color=colour, alpha=0.6, lw=0)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel=measure)
        axes.set_aspect("equal")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(lw=0.4, color="#d5d8de")
        return _svg(figure)


def bars(
    rows: Sequence[tuple[str, float, Sequence[float] | None]], measure: str = "accuracy"
) -> str:
    """Shares as horizontal bars with their intervals, the last one on top, as an SVG element.

    Parameters
    ----------
    rows : sequence of (name, share, interval)
        Shares of 0 to 1; an interval is [low, high] or None.
    measure : str
        What the shares are called.

    Returns
    -------
    str
        ``<svg ...>`` with text as text, the same bytes for the same rows.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    places = np.arange(len(rows))
    with mpl.rc_context(_style(rows)):
        figure = Figure(figsize=(6.2, 0.6 + 0.26 * len(rows)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        lengths = [100 * share for _, share, _ in rows]
        axes.barh(places, lengths, color=CHART_COLOURS[0], height=0.7)
        for place, (_, share, spread) in zip(places, rows, strict=True):
            if spread is not None:
                axes.plot([100 * end for end in spread], [place, place], color="#1d2430", lw=1.2)
            axes.text(100.5, float(place), f"{100 * share:.1f}", va="center", fontsize=8)
        axes.set_yticks(places, [name for name, _, _ in rows])
        axes.set(xlim=(0, 100), xlabel=f"{measure}, %")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", lw=0.4, color="#d5d8de")
        axes.set_axisbelow(True)
        return _svg(figure)


def _style(content: object) -> dict[RcKeyType, object]:
    """Text as text. A seed of its own a chart: ids must not meet those of another on the page."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": repr(content),
        "font.family": "sans-serif",
        "font.size": 9,
    }


def _svg(figure: Figure) -> str:
    """A figure as an SVG element."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _curve_pair(
    axes: Axes, history: Mapping[str, Sequence[float]], quantity: str, colour: str
) -> None:
    """Training and validation curves of one quantity."""
    for key, name, tint in (
        (quantity, "training", "#8a8f98"),
        (f"val_{quantity}", "validation", colour),
    ):
        values = history.get(key) or []
        point = "o" if len(values) == 1 else None  # a line of one point would not show
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, color=tint, lw=1.6, marker=point, ms=3, label=name)
    losses, values = history.get("val_loss") or [], history.get(f"val_{quantity}") or []
    if losses and len(values) == len(losses):
        kept = int(np.argmin(losses))
        axes.plot(kept + 1, values[kept], "o", ms=6, mfc="none", mec=colour, label="kept")
    axes.set_ylabel(quantity)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", lw=0.4, color="#d5d8de")
