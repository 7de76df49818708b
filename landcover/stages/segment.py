"""Scene to segments, segment types, a table of segments and two pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.progress import track
from landcover.run import Run, replace_when_whole

if TYPE_CHECKING:
    import geopandas

#: Reflectance that counts as the 255 grey levels in which `scale` is given. Land fills a small
#: part of reflectances 0-1, so that with 1 scale=1200 leaves a scene in a dozen segments;
#: with 0.05 the mean segment has CORINE's 25 ha, about (see docs/segmentation.md).
FULL_SCALE_REFLECTANCE = 0.05

#: Largest side of a picture, pixels.
PICTURE_PX = 2000

_BORDER_COLOUR = (255, 220, 0)


def segment(
    run: Run,
    scale: float = 1200.0,
    sigma: float = 0.5,
    min_size: int = 500,
    levels: Sequence[int] = (4, 8, 16),
) -> list[Path]:
    """Segment the scene of a run by all its bands and give every segment its types.

    Parameters
    ----------
    run : Run
        Run folder with a scene. Samples that it already has get the new segments.
    scale, sigma, min_size
        See `segmentation.felzenszwalb`; scale in grey levels of 0-255, where 255 is a
        reflectance of 0.05.
    levels : sequence of int
        Numbers of types of the hierarchy, ascending.

    Returns
    -------
    list of Path
        segments.tif, segment_types.tif, segments.parquet (a row a segment: pixels, mean of
        every band, types), two figures, and samples.parquet where it was brought up to date.

    Raises
    ------
    LandcoverError
        If the scene is missing or has no valid pixel, or a setting is out of range.
    """
    from landcover.scene.segmentation import types as segment_types
    from landcover.scene.segmentation.felzenszwalb import felzenszwalb

    segment_types.check_levels(levels)
    scene = run.require("scene")
    samples = _read_samples(run) if run.samples.exists() else None
    grid, bands, image = rasters.grid_of(scene), rasters.band_names(scene), read_image(scene)
    # A scale of a twentieth is an image times twenty, without a second image.
    segments = felzenszwalb(image, scale * FULL_SCALE_REFLECTANCE, sigma, min_size)
    if not segments.any():
        raise LandcoverError(
            f"{scene} has no pixel that is valid in every band; check nodata and the AOI"
        )
    means, counts = segment_types.segment_means(image, segments)
    borders = _borders_picture(image, bands, segments)
    del image
    hierarchy = segment_types.hierarchy_types(means, counts, levels)
    names = ["percentile", *(f"hierarchy-{level}" for level in levels)]
    types = dict(zip(names, [segment_types.percentile_types(means), *hierarchy], strict=True))
    _write_rasters(run, grid, segments, types)
    products = [
        run.segments,
        run.segment_types,
        _write_table(run, bands, means, counts, types),
        _write_png(run.figure("segments"), borders),
        _write_types_figure(run.figure("segment_types"), segments, types),
    ]
    if samples is not None:
        products.append(_refresh_samples(run, samples, segments, types))
    settings = {
        "scale": scale,
        "sigma": sigma,
        "min_size": min_size,
        "levels": list(levels),
        "full_scale_reflectance": FULL_SCALE_REFLECTANCE,
        "segments": len(counts),
    }
    run.record("segment", settings, [scene], products)
    return products


def read_image(scene: Path) -> np.ndarray:
    """The scene in one array, read by strips: a read as a whole would hold it twice."""
    grid = rasters.grid_of(scene)
    strips = [
        Window(row, 0, min(rasters.BLOCK_PX, grid.rows - row), grid.cols)
        for row in range(0, grid.rows, rasters.BLOCK_PX)
    ]
    image = np.empty((0, 0, 0))
    for strip in track(strips, "Reading the scene"):
        part = rasters.read(scene, strip)
        if not image.size:
            image = np.empty((len(part), *grid.shape), part.dtype)
        image[:, strip.row : strip.row + strip.rows] = part
    return image


def _write_rasters(
    run: Run, grid: Grid, segments: np.ndarray, types: Mapping[str, np.ndarray]
) -> None:
    """segments.tif and segment_types.tif, by windows."""
    from landcover.scene.segmentation.types import types_of_pixels

    with (
        rasters.RasterWriter(run.segments, grid, np.uint32, ["segment"], nodata=0) as out,
        rasters.RasterWriter(run.segment_types, grid, np.uint8, list(types), nodata=0) as types_out,
    ):
        for window in track(list(grid.windows(rasters.WINDOW_PX)), "Writing segments"):
            part = segments[window.slices]
            out.write(part.astype(np.uint32), window)
            types_out.write(np.stack([types_of_pixels(part, t) for t in types.values()]), window)


def _write_table(
    run: Run,
    bands: Sequence[str],
    means: np.ndarray,
    counts: np.ndarray,
    types: Mapping[str, np.ndarray],
) -> Path:
    """segments.parquet: a row a segment."""
    import pandas as pd

    from landcover.scene.segmentation.types import type_column

    columns = {"segment": np.arange(1, len(counts) + 1, dtype=np.uint32), "pixels": counts}
    columns |= dict(zip(bands, means.T, strict=True))
    columns |= {type_column(name): values for name, values in types.items()}
    path = run.path / "segments.parquet"
    with replace_when_whole(path) as part:
        pd.DataFrame(columns).to_parquet(part, index=False)
    return path


def _read_samples(run: Run) -> geopandas.GeoDataFrame:
    """The sample table, read before anything is written."""
    import geopandas

    try:
        return geopandas.read_parquet(run.samples)
    except (OSError, ValueError) as error:
        raise LandcoverError(
            f"{run.samples} is not readable ({str(error).splitlines()[0]}); "
            f"draw the samples again: python sample_raster.py {run.path}"
        ) from error


def _refresh_samples(
    run: Run,
    samples: geopandas.GeoDataFrame,
    segments: np.ndarray,
    types: Mapping[str, np.ndarray],
) -> Path:
    """Bring the segment columns of the sample table up to date."""
    from landcover.scene.segmentation.types import add_segments

    samples = _plain_text(add_segments(samples, segments, types))
    with replace_when_whole(run.samples) as part:
        samples.to_parquet(part, index=False)
    return run.samples


def _plain_text(table: Any) -> Any:
    """Text as plain Arrow strings: GDAL before 3.8 cannot read the large ones of pandas."""
    import pandas as pd
    import pyarrow

    text = [
        name
        for name in table.columns
        if name != "geometry" and pd.api.types.is_string_dtype(table[name])
    ]
    return table.astype(dict.fromkeys(text, pd.ArrowDtype(pyarrow.string())))


def _write_png(path: Path, picture: np.ndarray) -> Path:
    """Write a picture, whole or not at all."""
    from landcover.reports.figures import png

    with replace_when_whole(path) as part:
        part.write_bytes(png(picture))
    return path


def _borders_picture(image: np.ndarray, bands: Sequence[str], segments: np.ndarray) -> np.ndarray:
    """Borders of segments, a pixel thin, over true colour; the centre of a large scene."""
    from landcover.reports.figures import true_colour

    crop = _centre(segments.shape)
    cut = segments[crop].shape != segments.shape
    # Scenes without red, green and blue are shown by their first band.
    shown = ("B04", "B03", "B02")
    present = set(shown) <= set(bands)
    layers = [bands.index(name) if present else 0 for name in shown]
    picture = true_colour(image[:, crop[0], crop[1]][layers], shown)
    zoom = 2 if max(picture.shape) <= PICTURE_PX // 2 else 1
    picture = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    ids = segments[crop].repeat(zoom, axis=0).repeat(zoom, axis=1)
    border = np.zeros(ids.shape, bool)
    border[:-1] |= ids[1:] != ids[:-1]
    border[:, :-1] |= ids[:, 1:] != ids[:, :-1]
    picture[border] = _BORDER_COLOUR
    if cut:
        size = "{} x {}".format(*ids.shape)
        return _captioned(picture, f"centre {size} of {segments.shape[0]} x {segments.shape[1]} px")
    return picture


def _captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """A picture with a line of text below."""
    from PIL import Image, ImageDraw

    height = 28
    whole = Image.new("RGB", (picture.shape[1], picture.shape[0] + height), "white")
    whole.paste(Image.fromarray(picture))
    ImageDraw.Draw(whole).text((6, picture.shape[0] + 5), text, "black", font_size=16)
    return np.asarray(whole)


def _centre(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The middle of a raster, at most PICTURE_PX on a side."""
    starts = [max(0, (side - PICTURE_PX) // 2) for side in shape]
    return tuple(
        slice(start, min(side, start + PICTURE_PX))
        for start, side in zip(starts, shape, strict=True)
    )


def _write_types_figure(path: Path, segments: np.ndarray, types: Mapping[str, np.ndarray]) -> Path:
    """Every layer of types in one palette from dark to bright, each with its legend."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure

    from landcover.scene.segmentation.types import types_of_pixels

    rows, cols = segments.shape
    step = max(1, max(rows, cols) // 1000)
    thinned = segments[::step, ::step]
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
        axis.set_title(name, loc="left")
        bar = figure.colorbar(drawn, ax=axis, ticks=range(1, n + 1), fraction=0.04, pad=0.01)
        bar.ax.tick_params(length=0)
        bar.set_label("darker  →  brighter")
    with replace_when_whole(path) as part:
        figure.savefig(part)
    return path
