"""Parts of a small page of HTML, such as a notebook shows: text, tables, pictures, classes.

Everything lies in the page: pictures as data, styles in the elements. Text is escaped here.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.legends import legend_of
from landcover.files.pictures import class_png, data_uri
from landcover.legend import LandClass, Legend

#: Longest side of a picture, pixels, and how many a page has at most.
PICTURE_PX, MOST_PICTURES = 260, 8
#: Pixels that the shares of classes are counted from, a side at most.
_COUNTED_PX = 1000
_CELL = "padding:2px 10px 2px 0;text-align:{};border:0;vertical-align:top"
_FAINT = "opacity:.7;font-size:90%"
_CAPTION = f"{_FAINT};font-style:normal;text-align:left;margin:0"


def card(title: str, *parts: str) -> str:
    """A frame with a title; parts are HTML.

    >>> card("a < b", text("x & y")).count("&lt;"), "x &amp; y" in card("t", text("x & y"))
    (1, True)
    """
    frame = "border:1px solid #8884;border-radius:6px;padding:10px 14px;margin:6px 0;max-width:70em"
    head = f'<div style="font-weight:600;margin-bottom:4px">{escape(title)}</div>'
    return f'<div class="landcover" style="{frame}">{head}{"".join(parts)}</div>'


def text(*sentences: str, faint: bool = False) -> str:
    """Sentences, a paragraph each."""
    style = f"margin:4px 0;{_FAINT if faint else ''}"
    return "".join(f'<p style="{style}">{escape(sentence)}</p>' for sentence in sentences)


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], colours: Sequence[str] = ()
) -> str:
    """A table; the first column is text, with a colour (#rrggbb) a row before it where given."""
    cells = [f'<th style="{_CELL.format(_side(n))}">{escape(c)}</th>' for n, c in enumerate(head)]
    top = f"<thead><tr>{''.join(cells)}</tr></thead>" if head else ""
    lines = []
    for number, row in enumerate(rows):
        mark = _swatch(colours[number]) if colours else ""
        shown = [
            f'<td style="{_CELL.format(_side(n))}">{"" if n else mark}{escape(str(value))}</td>'
            for n, value in enumerate(row)
        ]
        lines.append(f"<tr>{''.join(shown)}</tr>")
    style = "border-collapse:collapse;border:0;font-size:90%;margin:6px 0;display:table;width:auto"
    return f'<table style="{style}">{top}<tbody>{"".join(lines)}</tbody></table>'


def facts(rows: Iterable[tuple[str, object]]) -> str:
    """What and how much, a line each; None is left out."""
    style = _CELL.format("left")
    lines = [
        f'<tr><th style="{style};font-weight:400;opacity:.7;white-space:nowrap">{escape(name)}</th>'
        f'<td style="{style}">{escape(str(value))}</td></tr>'
        for name, value in rows
        if value is not None
    ]
    return (
        f'<table style="border-collapse:collapse;border:0;font-size:90%">{"".join(lines)}</table>'
    )


def missing(calls: Iterable[tuple[str, str]]) -> str:
    """What is not there, and the call that makes it; nothing where all is there."""
    style = _CELL.format("left")
    lines = [
        f'<tr><td style="{style}">{escape(name)}</td>'
        f'<td style="{style}"><code>{escape(call)}</code></td></tr>'
        for name, call in calls
    ]
    if not lines:
        return ""
    head = f'<div style="{_FAINT};margin-top:6px">not there yet, and what makes it</div>'
    return f'{head}<table style="border:0;font-size:90%">{"".join(lines)}</table>'


def gallery(
    pictures: Mapping[str, Path], legend: Legend | None = None, side_px: int = PICTURE_PX
) -> str:
    """Small pictures side by side with their titles, of PNG files and class rasters.

    Class rasters have the colours of the style beside them, or else of a legend. A file that cannot
    be read is named with the reason. Of more than `MOST_PICTURES` the rest are named.
    """
    shown = dict(list(pictures.items())[:MOST_PICTURES])
    figures = []
    for title, path in shown.items():
        try:
            uri = data_uri(_thumbnail(path, legend, side_px))
        except LandcoverError as error:
            figures.append(text(f"{title} cannot be shown: {error}"))
            continue
        figures.append(
            f'<figure style="margin:0 10px 8px 0"><img alt="{escape(title)}" src="{uri}" '
            f'style="display:block;max-width:100%;image-rendering:pixelated">'
            f'<figcaption style="{_CAPTION}">{escape(title)}</figcaption></figure>'
        )
    rest = [title for title in pictures if title not in shown]
    more = text(f"not shown: {', '.join(rest)}", faint=True) if rest else ""
    return f'<div style="display:flex;flex-wrap:wrap;margin:6px 0">{"".join(figures)}</div>{more}'


def class_table(maps: Mapping[str, Path], legend: Legend | None = None) -> str:
    """The classes of class rasters with their colours, and each one's share of the pixels.

    Pixels without a class do not count. Rasters that cannot be read are left out. One code may be
    of several schemes or levels, as another class.
    """
    shares: dict[str, dict[LandClass, float]] = {}
    for title, path in maps.items():
        try:
            held = _legend_of(path, legend)
            codes = rasters.read_small(path, _COUNTED_PX, [1])[0]
        except LandcoverError:
            continue
        of_code = _shares(codes)
        shares[title] = {c: of_code[c.code] for c in held.classes if c.code in of_code}
    found = {held_class for share in shares.values() for held_class in share}
    shown = sorted(found, key=lambda c: (c.code, c.name, c.colour))
    rows = [
        [f"{c.code} {c.name}", *(_percent(share.get(c)) for share in shares.values())]
        for c in shown
    ]
    return table(["class", *shares], rows, [c.hex_colour for c in shown]) if rows else ""


def legend_table(legend: Legend) -> str:
    """The classes of a legend with their colours."""
    return table(
        [], [[f"{c.code} {c.name}"] for c in legend.classes], [c.hex_colour for c in legend.classes]
    )


def _thumbnail(path: Path, legend: Legend | None, side_px: int) -> bytes:
    """A small PNG of a PNG file, or of a class raster in the colours of its legend."""
    if path.suffix != ".png":
        codes = rasters.read_small(path, side_px, [1])[0]
        return class_png(codes, _legend_of(path, legend))
    from PIL import Image

    buffer = io.BytesIO()
    try:
        with Image.open(path) as image:
            image.thumbnail((side_px, side_px))
            image.save(buffer, format="PNG", optimize=True)
    except OSError as error:
        raise LandcoverError(f"{path} cannot be read ({error}); make it again") from None
    return buffer.getvalue()


def _legend_of(path: Path, legend: Legend | None) -> Legend:
    """The legend that a class raster holds; where there is none, the one given."""
    found = legend_of(path) or legend
    if found is None:
        raise LandcoverError(f"{path} holds no legend; make the raster again")
    return found


def _shares(codes: np.ndarray) -> dict[int, float]:
    """Share of each class in the pixels that have one."""
    found, counts = np.unique(codes[codes > 0], return_counts=True)
    return {int(code): n / counts.sum() for code, n in zip(found, counts, strict=True)}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _side(column: int) -> str:
    return "right;white-space:nowrap" if column else "left"


def _swatch(colour: str) -> str:
    box = "display:inline-block;width:.8em;height:.8em;margin-right:.5em;border:1px solid #8888"
    return f'<span style="{box};background:{escape(colour)}"></span>'
