"""Pictures of segments and of their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from landcover.files.pictures import NODATA_GREY
from landcover.reports.figures import (
    captioned,
    false_colour,
    figure_png,
    fold,
    fold_note,
    folds,
    true_colour,
)
from landcover.sensors import true_colour_bands

#: Largest side of a picture, pixels.
PICTURE_PX = 2000
_BORDER_COLOUR = (255, 220, 0)


def borders_picture(image: np.ndarray, bands: Sequence[str], segments: np.ndarray) -> np.ndarray:
    """Borders of segments, a pixel thin, over true colour, or over components in false colour.

    A scene of more pixels than a picture has is shown by its centre, a long one in pieces.
    """
    crop = _shown(segments.shape)
    ids = segments[crop]
    pieces = folds(*ids.shape)
    shown = true_colour_bands(bands)
    part = image[:, crop[0], crop[1]]
    picture = true_colour(part, bands) if shown else false_colour(part[:3])
    zoom = 2 if max(ids.shape) // pieces <= PICTURE_PX // 2 else 1
    picture = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    zoomed = ids.repeat(zoom, axis=0).repeat(zoom, axis=1)
    border = np.zeros(zoomed.shape, bool)
    border[:-1] |= zoomed[1:] != zoomed[:-1]
    border[:, :-1] |= zoomed[:, 1:] != zoomed[:, :-1]
    picture[border] = _BORDER_COLOUR
    picture = np.moveaxis(fold(np.moveaxis(picture, -1, 0), pieces, NODATA_GREY), 0, -1)
    notes = [fold_note(*ids.shape)]
    if ids.shape != segments.shape:
        size = "{} x {}".format(*(zoomed.shape if pieces == 1 else ids.shape))
        notes.insert(0, f"centre {size} of {segments.shape[0]} x {segments.shape[1]} px")
    return captioned(picture, "; ".join(filter(None, notes)), enlarge=pieces > 1)


def _shown(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """What is shown of a raster: a long one whole, if it has no more pixels than a picture."""
    if folds(*shape) > 1 and shape[0] * shape[1] <= PICTURE_PX**2:
        return slice(0, shape[0]), slice(0, shape[1])
    return _centre(shape)


def _centre(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The middle of a raster, at most PICTURE_PX on a side."""
    starts = [max(0, (side - PICTURE_PX) // 2) for side in shape]
    return tuple(
        slice(start, min(side, start + PICTURE_PX))
        for start, side in zip(starts, shape, strict=True)
    )


def types_figure(segments: np.ndarray, types: Mapping[str, np.ndarray]) -> bytes:
    """Every layer of types in one palette from dark to bright, each with its legend, as PNG."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure

    from landcover.scene.segmentation.types import types_of_pixels

    pieces, note = folds(*segments.shape), fold_note(*segments.shape)
    step = max(1, max(segments.shape) // (1000 * pieces))
    thinned = fold(segments[::step, ::step], pieces)
    rows, cols = thinned.shape if pieces > 1 else segments.shape
    # Wide scenes below each other, tall ones side by side, others two by two.
    across = 1 if cols > 1.5 * rows else len(types) if rows > 1.5 * cols else 2
    down = -(-len(types) // across)
    width = 12.0 / across
    height = (width - 0.8) * rows / cols + 0.3
    figure = Figure(figsize=(width * across, height * down), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, of_segment) in zip(axes, types.items(), strict=False):
        n = int(of_segment.max())
        colours = ListedColormap(colormaps["viridis"](np.linspace(0, 1, n)))
        shown = np.ma.masked_equal(types_of_pixels(thinned, of_segment), 0)
        norm = BoundaryNorm(np.arange(0.5, n + 1), n)
        drawn = axis.imshow(shown, cmap=colours, norm=norm, interpolation="nearest")
        axis.set_title(f"{name} ({note})" if note else name, loc="left")
        bar = figure.colorbar(drawn, ax=axis, ticks=range(1, n + 1), fraction=0.04, pad=0.01)
        bar.ax.tick_params(length=0)
        bar.set_label("darker  →  brighter")
    return figure_png(figure)
