"""The table of samples: which pixels, and what is known of each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from landcover.errors import InputError, LandcoverError, require_whole
from landcover.files import arrays, rasters
from landcover.files.atomic import replace_when_whole
from landcover.grid import Window
from landcover.samples import chips, drawing
from landcover.samples.blocks import SPLITS, TEST, TRAIN, Blocks, Layout
from landcover.samples.class_splits import ClassPixels
from landcover.samples.feature_columns import feature_columns
from landcover.samples.layers import Source, index_table
from landcover.scene.feature_families import PIXEL_M
from landcover.scene.feature_names import layers_of, to_fit
from landcover.scene.features import on_the_ground

if TYPE_CHECKING:
    import geopandas

    from landcover.labels.schemes import LabelScheme


@dataclass(frozen=True)
class Draw:
    """What is drawn of the labelled pixels, and what the table says of it.

    Attributes
    ----------
    samples : int
        How many; fewer where there are fewer labelled pixels.
    method : str
        "uniform", "stratified" or "polygons": see `drawing.plan_draws`.
    polygons : path, optional
        Vector file; training and validation samples are drawn inside it. Test
        samples come from all labelled pixels of the test blocks.
    class_field : str, optional
        Field of `polygons` with classes. They then are the labels, instead
        of the run's, and there are none outside the polygons.
    min_count : int
        Classes with fewer labelled pixels in the scene are left out: not in
        training, and not in testing either.
    features : sequence of str, optional
        Columns of features; by default those of `feature_names.DEFAULTS` that the scene's bands
        allow.
    scheme : LabelScheme, optional
        What the values of `class_field` mean; by default they tell.

    Raises
    ------
    LandcoverError
        If polygons are asked for and not given.
    """

    samples: int = 40_000
    method: str = "uniform"
    polygons: str | Path | None = None
    class_field: str | None = None
    min_count: int = 50
    features: Sequence[str] | None = None
    scheme: LabelScheme | None = None

    def __post_init__(self) -> None:
        if self.method == "polygons" and self.polygons is None:
            raise InputError("method 'polygons' needs polygons; give polygons=FILE")
        require_whole("samples", self.samples)
        require_whole("min_count", self.min_count, 0)


@dataclass(frozen=True)
class Counted:
    """Labelled pixels of a scene.

    Attributes
    ----------
    counts : array of int64 (zones down, zones across, classes, 2)
        Those with data, by zone and class; the last axis: outside polygons, inside.
    codes : array of int
        The classes of these.
    dropped : dict
        Code to pixels of the classes below ``min_count``, which are left out.
    without_data : dict
        Code to labelled pixels that the scene has no data for, where there are some.
    min_count : int
        The least number of pixels of a class.
    """

    counts: np.ndarray
    codes: np.ndarray
    dropped: dict[int, int]
    without_data: dict[int, int]
    min_count: int

    def usable(self, blocks: Blocks) -> np.ndarray:
        """Pixels that may be drawn, int64 (splits, classes)."""
        of_split = blocks.usable_zones[..., None] == np.arange(1, 4)
        available = np.einsum("ijs,ijcw->scw", of_split, self.counts)
        available[:TEST, :, 0] = 0  # polygons limit training and validation, not testing
        return available.sum(axis=-1)

    def by_class(self, blocks: Blocks) -> dict[int, ClassPixels]:
        """Where the pixels of each class lie that labels hold."""
        usable = self.usable(blocks)
        in_blocks = (blocks.by_block(self.counts.sum(axis=-1)) > 0).sum(axis=0)
        pixels = self.counts.sum(axis=(0, 1, 3))
        kept = {code: position for position, code in enumerate(self.codes.tolist())}
        found: dict[int, ClassPixels] = {}
        for code in sorted({*kept, *self.dropped, *self.without_data}):
            place = kept.get(code)
            found[code] = {
                "pixels": self.dropped.get(code, 0) if place is None else int(pixels[place]),
                "without_data": self.without_data.get(code, 0),
                "blocks": 0 if place is None else int(in_blocks[place]),
                "usable": {
                    name: 0 if place is None else int(usable[split, place])
                    for split, name in enumerate(SPLITS)
                },
                "least": self.min_count if code in self.dropped else None,
            }
        return found


def require_features(bands: Sequence[str], names: Sequence[str] | None) -> None:
    """Raise InputError unless a table of these bands can have columns of these features.

    What is fitted to training samples cannot be there before they are drawn.
    """
    made = layers_of(bands, names).features
    fitted = [name for name in made if set(to_fit([name])) - {PIXEL_M}]
    if fitted:
        raise InputError(
            f"features {' '.join(fitted)} are fitted to training samples; choose them in training, "
            f"or make them bands of the scene: landcover prep --features {' '.join(fitted)}"
        )


def count(source: Source, plan: Layout, min_count: int) -> Counted:
    """Labelled pixels by zone, class and whether polygons hold them."""
    known = source.codes
    counts = plan.no_counts(2 * len(known))
    table = index_table(known)
    valid = False
    empty = np.zeros(len(known), np.int64)

    def load(window: Window) -> tuple[np.ndarray, np.ndarray]:
        return rasters.valid_pixels(source.image(window)), source.labels(window)

    for window, (has_data, labels) in source.strips("Counting labelled pixels", load):
        valid |= bool(has_data.any())
        index = table[labels]
        if not has_data.all():
            empty += np.bincount(index[~has_data & (index >= 0)], minlength=len(known))
            index[~has_data] = -1
        if index.min() == -2:
            unknown = np.unique(labels[index == -2])[:8].tolist()
            raise LandcoverError(
                f"codes {unknown} of {source.name} are not in the run's legend; "
                "prepare the run again with these labels"
            )
        within = 1 if source.inside is None else source.inside(window) > 0
        plan.count(counts, np.maximum(2 * index + within, -1), window)
    if not valid:
        raise InputError(
            "the scene has no pixel with data in all bands; prepare it again from other files"
        )
    counts = counts.reshape(*counts.shape[:2], len(known), 2)
    pixels = counts.sum(axis=(0, 1, 3))
    kept = pixels >= max(min_count, 1)
    dropped = {
        int(code): int(n) for code, n in zip(known, pixels, strict=True) if 0 < n < min_count
    }
    if kept.sum() < 2:
        held = f"only class {known[kept][0]}" if kept.any() else "no class"
        rare = ", ".join(map(str, dropped))
        also = f" (left out below {min_count} pixels: {rare})" if dropped else ""
        keep = ", or keep rare ones with min_count=1" if dropped else ""
        raise InputError(
            f"{held} of {source.name} is left where the scene has data{also}; a classifier needs "
            f"at least two: give labels with more classes, or a larger scene{keep}"
        )
    without_data = {int(code): int(n) for code, n in zip(known, empty, strict=True) if n}
    return Counted(counts[:, :, kept], known[kept], dropped, without_data, min_count)


def draw(
    source: Source, blocks: Blocks, counted: Counted, wanted: Draw, seed: int
) -> geopandas.GeoDataFrame:
    """Draw the samples and gather what the table says of them; for features see `table_of`."""
    codes, available = counted.codes, counted.usable(blocks)
    rng = np.random.default_rng([seed, 1])  # another stream than the deal's
    draws = drawing.plan_draws(available, wanted.samples, wanted.method, rng)
    if (draws.samples[TRAIN] > 0).sum() < 2:
        raise InputError(
            "the training blocks give samples of fewer than two classes; "
            "ask for more samples, give more labels or choose another seed"
        )
    picker = drawing.Picker(available, draws, rng)
    table = index_table(codes)
    parts: list[dict[str, np.ndarray]] = []

    def load(window: Window) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        return source.image(window), source.labels(window), source.more(window)

    for window, (image, labels, more) in source.strips("Drawing samples", load):
        usable = blocks.usable(window)
        if source.inside is not None:
            usable[(source.inside(window) == 0) & (usable < 1 + TEST)] = 0
        classes = np.where(rasters.valid_pixels(image), table[labels], np.int16(-1))
        rows, cols, marks = picker.pick(drawing.strata_of(usable, classes, len(codes)))
        part = {"row": rows + window.row, "col": cols, "label": labels[rows, cols]}
        part["random_test"] = marks
        part |= {name: image[i, rows, cols] for i, name in enumerate(source.bands)}
        parts.append(part | {name: values[rows, cols] for name, values in more.items()})
    # each part goes as it is joined: of many bands, two copies of all samples take much memory
    drawn = {k: np.concatenate([part.pop(k) for part in parts]) for k in list(parts[0])}
    return table_of(source, blocks, drawn, wanted.features)


def table_of(
    source: Source,
    blocks: Blocks,
    drawn: dict[str, np.ndarray],
    features: Sequence[str] | None = None,
) -> geopandas.GeoDataFrame:
    """The sample table, in the order of columns that people read.

    It has a column a feature, of those named; of the default ones that the bands allow otherwise.
    """
    import geopandas
    import pandas
    import pyarrow
    import shapely

    rows, cols = drawn["row"], drawn["col"]
    x, y = source.grid.xy(rows, cols)
    names = layers_of(source.bands, features).features
    split = np.array(SPLITS)[blocks.split_of(rows, cols)]
    # plain Arrow strings, which every reader of Parquet knows; pandas 3 would write large ones
    text = pandas.ArrowDtype(pyarrow.string())
    columns: dict[str, ArrayLike] = {"row": rows.astype(np.int32), "col": cols.astype(np.int32)}
    columns |= {"x": x, "y": y, "label": drawn["label"].astype(np.uint16)}
    if "reference" in drawn:
        columns["reference"] = drawn["reference"].astype(np.uint16)
    columns["block"] = blocks.block_of(rows, cols).astype(np.int32)
    columns["split"] = pandas.array(split.tolist(), dtype=text)
    columns["random_test"] = drawn["random_test"]
    columns |= {band: drawn[band] for band in source.bands}
    fitted = {PIXEL_M: on_the_ground(source.grid)}
    held = np.stack([drawn[band] for band in source.bands])
    columns |= feature_columns(source.image, source.bands, names, (rows, cols), held, fitted)
    del held  # a copy of all bands
    columns |= {key: drawn[key] for key in source.columns if key != "reference"}
    return geopandas.GeoDataFrame(columns, geometry=shapely.points(x, y), crs=source.grid.crs)


def write_chips(path: Path, source: Source, table: geopandas.GeoDataFrame, radius: int) -> Path:
    """Cut the chips of all samples into one array on disk, a strip of the scene at a time."""
    size = 2 * radius + 1
    shape = (len(table), size, size, len(source.bands))
    needed = chips.cut_nbytes(len(table), size, len(source.bands))
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise LandcoverError(
            f"chips of {len(table)} samples and radius {radius} need {needed:,} bytes and "
            f"{path.parent} has {free:,} free; draw fewer samples or choose a smaller buffer"
        )
    rows, cols = table["row"].to_numpy(), table["col"].to_numpy()

    def parts() -> Iterator[np.ndarray]:
        strips = source.strips("Cutting chips", lambda window: source.image(window.padded(radius)))
        for window, image in strips:
            first, end = np.searchsorted(rows, (window.row, window.row + window.rows))
            cut = chips.chips(
                image, rows[first:end] - window.row + radius, cols[first:end] + radius, size
            )
            yield from (cut[start : start + 1024] for start in range(0, len(cut), 1024))

    # samples lie in the order of rows, so the file is written from front to back
    with replace_when_whole(path) as part:
        arrays.write_parts(part, shape, "<f4", parts())
    return path
