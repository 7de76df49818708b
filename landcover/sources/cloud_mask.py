"""Pixels that a raster beside a tile hides: classes such as clouds of SCL, or a probability.

The mask is grown on its own pixels and then read on the tile's by the nearest one, both without
regard to the window that is asked for.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from landcover.files.masks import own_nodata, read_masked
from landcover.files.raster_names import RasterName
from landcover.grid import Grid, Window, same_crs

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: Classes of SCL, the scene classification of level 2A, by ESA's Sentinel-2 product specification.
#: Newer processors have other names for some.
SCL = {
    0: ("no data",),
    1: ("saturated or defective",),
    2: ("dark area", "topographic shadow"),
    3: ("cloud shadow",),
    4: ("vegetation",),
    5: ("bare soil", "not vegetated"),
    6: ("water",),
    7: ("cloud low probability", "unclassified"),
    8: ("cloud medium probability",),
    9: ("cloud high probability",),
    10: ("thin cirrus", "cirrus"),
    11: ("snow or ice", "snow"),
}
#: Those hidden where nothing else is asked for. Dark ground (2) and snow (11) stay.
SCL_HIDDEN = (0, 1, 3, 8, 9, 10)
#: Of SCL, what means that there is no class; and what is no cloud, so that nothing grows from it.
SCL_EMPTY, SCL_STILL = 0, (1,)
#: Bands of MSK_CLASSI, the clouds of level 1C from processing baseline 04.00 on, each 0 or 1, by
#: ESA's Sentinel-2 product specification; and those that hide pixels where nothing else is asked.
CLASSI = {1: ("opaque cloud",), 2: ("cirrus",), 3: ("snow or ice", "snow")}
CLASSI_HIDDEN = (1, 2)
#: Layers of a tile that can hide its pixels, by the names that ESA gives them; and the polygons of
#: older level 1C, which are not read.
SCL_LAYER, PROBABILITY_LAYER, CLASSI_LAYER = "SCL", "cloud_probability", "MSK_CLASSI"
POLYGONS_LAYER = "MSK_CLOUDS"
_SCL_IN_NAME = re.compile(r"(?<![A-Z])SCL(?![A-Z])", re.IGNORECASE)
#: A distance this much longer than asked for counts: pixels of UTM are not quite 10 m wide.
_SLACK = 1.005


@dataclass(frozen=True)
class CloudMask:
    """A raster of classes, or of a probability, and what of it hides pixels.

    Attributes
    ----------
    path : path or str
        The raster.
    number : int
        Its band, from 1.
    grid : Grid
        Its own.
    classes : tuple of int
        Values that hide a pixel; empty for a probability.
    above : float or None
        Percent; a larger probability hides a pixel.
    dilation_m : float
        Pixels whose middle is at most so far from that of a hidden one are hidden too, metres.
    scl : bool
        Whether the classes are those of SCL: 0 is no class, and 1, a defect, does not grow.
    flags : tuple of int
        Bands of 0 and 1 that are a class each, as those of `CLASSI`, instead of one band of
        classes. A pixel is of the first that is not 0; its value is the number of that band.
    """

    path: RasterName
    number: int
    grid: Grid
    classes: tuple[int, ...] = ()
    above: float | None = None
    dilation_m: float = 0.0
    scl: bool = False
    flags: tuple[int, ...] = ()

    @property
    def names(self) -> Mapping[int, Sequence[str]]:
        """What its classes are called, the usual name first; empty where that is not known."""
        return SCL if self.scl else CLASSI if self.flags else {}

    def read(
        self,
        dataset: DatasetReader,
        target: Grid,
        window: Window,
        found: MaskTally | None = None,
        covered: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which pixels of a window of a grid are hidden, and which have no value in the mask.

        Parameters
        ----------
        dataset : rasterio dataset
            The mask's file, open.
        target : Grid
            Of the tile.
        window : Window
            Pixels of the target.
        found : MaskTally, optional
            Counts what is found.
        covered : array of bool, (rows, cols), optional
            Which pixels of the window are counted: a tile that was warped does not fill its grid.

        Returns
        -------
        hidden, unknown : array of bool, (rows, cols)
        """
        shape = (window.rows, window.cols)
        covered = np.ones(shape, bool) if covered is None else covered
        rows, cols = _nearest(self.grid, target, window)
        inside = Window(0, 0, *self.grid.shape).contains(rows, cols)
        if not inside.any():
            if found is not None:
                found.count_unknown(int(covered.sum()))
            return np.zeros(shape, bool), np.ones(shape, bool)
        rows, cols = np.broadcast_arrays(rows, cols)
        reach = self._reach_px()
        top, left = int(rows[inside].min()), int(cols[inside].min())
        part = Window(
            top, left, int(rows[inside].max()) - top + 1, int(cols[inside].max()) - left + 1
        ).padded(*reach)
        values, known = self._values(dataset, part)
        hidden = self._grown(values, known)
        at = (
            np.clip(rows - part.row, 0, part.rows - 1),
            np.clip(cols - part.col, 0, part.cols - 1),
        )
        unknown = ~(known[at] & inside)
        hides = hidden[at] & ~unknown
        if found is not None:
            found.count(values[at][covered], hides[covered], unknown[covered], self)
        return hides, unknown

    def chosen(self, values: np.ndarray) -> np.ndarray:
        """Where values themselves are among those that hide a pixel."""
        return values > self.above if self.above is not None else np.isin(values, self.classes)

    def _values(self, dataset: DatasetReader, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Values of the mask's own pixels, and where it has any."""
        if self.flags:
            return self._first_flags(dataset, window)
        values, known = read_masked(dataset, self.number, window)
        nodata = own_nodata(dataset, self.number)
        if nodata is not None:
            known &= values != nodata
        if np.issubdtype(values.dtype, np.floating):
            known &= np.isfinite(values)
        if self.scl:
            known &= values != SCL_EMPTY
        return values, known

    def _first_flags(self, dataset: DatasetReader, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """The number of the first band that is set, 0 where none is, and where bands have values.

        0 is a value: ESA's files declare no nodata.
        """
        values = np.zeros((window.rows, window.cols), np.uint8)
        known = np.ones(values.shape, bool)
        for number in reversed(self.flags):
            flag, seen = read_masked(dataset, number, window)
            values[flag != 0] = number
            known &= seen
        return values, known

    def _grown(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Where the mask's own pixels are hidden, those near to a hidden one too."""
        hidden = self.chosen(values) & known
        grows = hidden & ~np.isin(values, SCL_STILL) if self.scl else hidden
        if self.dilation_m <= 0 or not grows.any() or grows.all():
            return hidden
        from scipy.ndimage import distance_transform_edt

        width, height = self.grid.pixel_size_m
        far = distance_transform_edt(~grows, sampling=(height, width))
        return hidden | (far <= self.dilation_m * _SLACK)

    def _reach_px(self) -> tuple[int, int]:
        """Own pixels down and across that the mask can grow by."""
        width, height = self.grid.pixel_size_m
        down, across = (math.ceil(self.dilation_m * _SLACK / side) for side in (height, width))
        return down, across

    def settings(self) -> dict[str, object]:
        """The mask as a manifest keeps it."""
        return {
            "file": str(self.path),
            "band": list(self.flags) or self.number,
            "classes": list(self.classes),
            "above": self.above,
            "dilation_m": self.dilation_m,
        }


@dataclass
class MaskTally:
    """Pixels of a tile by what its mask says of them.

    Attributes
    ----------
    pixels : int
        On the tile.
    hidden, unknown : int
        Of these, the hidden ones, and those without a value in the mask.
    values : Counter
        Hidden pixels by their own value in the mask; one beside a cloud has that of clear ground.
    """

    pixels: int = 0
    hidden: int = 0
    unknown: int = 0
    values: Counter[float] = field(default_factory=Counter)

    def count(
        self, values: np.ndarray, hidden: np.ndarray, unknown: np.ndarray, mask: CloudMask
    ) -> None:
        """Count the pixels of a window that its tile covers, in one dimension."""
        self.pixels += values.size
        self.hidden += int(hidden.sum())
        self.unknown += int(unknown.sum())
        own = values[hidden & mask.chosen(values)]
        if mask.above is not None:
            self.values[mask.above] += own.size
            return
        distinct, counts = np.unique(own, return_counts=True)
        self.values.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))

    def count_unknown(self, pixels: int) -> None:
        """Count a window that lies beside the mask."""
        self.pixels += pixels
        self.unknown += pixels

    def in_words(self, mask: CloudMask) -> str:
        """A sentence on what the mask hides."""

        def share(pixels: int) -> str:
            return f"{100 * pixels / max(1, self.pixels):.1f} %"

        parts = [
            (f"above {value:g} %" if mask.above is not None else class_in_words(value, mask.names))
            + f": {share(pixels)}"
            for value, pixels in sorted(self.values.items())
            if pixels
        ]
        beside = self.hidden - self.values.total()
        parts += [f"within {mask.dilation_m:g} m of them: {share(beside)}"] if beside else []
        text = f"{mask.path}: {share(self.hidden)} of the tile hidden"
        text += f" ({', '.join(parts)})" if parts else ""
        if mask.classes not in (SCL_HIDDEN, CLASSI_HIDDEN):
            lacking = [v for v in mask.classes if not self.values[v]]
            words = ", ".join(class_in_words(value, mask.names) for value in lacking)
            text += f"; it has none of class {words}" if lacking else ""
        if self.unknown:
            text += f"; {share(self.unknown)} without a value in the mask, and not valid"
        return text


def is_scl(name: str) -> bool:
    """Whether the name of a file or band says that it is SCL.

    >>> is_scl("T33UUU_20220601T100031_SCL_20m"), is_scl("sclera")
    (True, False)
    """
    return bool(_SCL_IN_NAME.search(name))


def is_classi(name: str) -> bool:
    """Whether the name of a file says that it is MSK_CLASSI.

    >>> is_classi("MSK_CLASSI_B00"), is_classi("MSK_CLOUDS_B00")
    (True, False)
    """
    return CLASSI_LAYER in name.upper()


def class_in_words(value: float, names: Mapping[int, Sequence[str]]) -> str:
    """A class of a mask by number and, where it has one, by name.

    >>> class_in_words(8, SCL), class_in_words(8, {})
    ('8 cloud medium probability', '8')
    """
    return f"{value:g} {names[int(value)][0]}" if value in names else f"{value:g}"


def _nearest(own: Grid, target: Grid, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the own pixels that the middles of a window's pixels lie in.

    Of one column and of one row where both grids have one reference system; -1 where a middle has
    no place in that of the own grid.
    """
    down = np.arange(window.row, window.row + window.rows)[:, np.newaxis]
    across = np.arange(window.col, window.col + window.cols)[np.newaxis]
    x, y = target.xy(down, across)
    if not same_crs(own.crs, target.crs):
        from rasterio.warp import transform

        x, y = np.broadcast_arrays(x, y)
        shape = x.shape
        places = transform(target.crs, own.crs, x.ravel(), y.ravel())
        x, y = (np.reshape(place, shape) for place in places)
        if own.crs.is_geographic:  # degrees of one place may differ by a turn
            middle = (own.bounds[0] + own.bounds[2]) / 2
            x = x - 360 * np.round((x - middle) / 360)
        known = np.isfinite(x) & np.isfinite(y)
        x, y = np.where(known, x, own.bounds[0] - 1e9), np.where(known, y, own.bounds[3])
    return own.rowcol(x, y)
