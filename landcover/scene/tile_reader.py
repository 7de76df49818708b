"""Windows of a tile as reflectance, with why pixels have none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from landcover.files.open_rasters import OpenRasters
from landcover.files.opening import read_at_once
from landcover.grid import Window
from landcover.sources.cloud_mask import CloudMask, MaskTally
from landcover.sources.even_ground import EvenGround, judged_even
from landcover.sources.reflectance import CLOUD, DATA, MASKED, OUTSIDE, Tally, holes_alone, judged
from landcover.sources.regrid import read_on
from landcover.sources.tile import Tile


class TileReader:
    """Windows of a tile as reflectance; it counts what it reads.

    Parameters
    ----------
    files : OpenRasters
        Where the tile's files are open.
    tile : Tile
        To read.
    names : sequence of str
        Its bands that are wanted, in order.
    """

    def __init__(self, files: OpenRasters, tile: Tile, names: Sequence[str]) -> None:
        self.files = files
        self.grid = tile.grid
        self.bands = {name: tile.bands[name] for name in names}
        self.tallies = {name: Tally() for name in names}
        self.even = EvenGround(self.bands)
        self.mask = tile.mask
        self.hidden = MaskTally()

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance (bands, rows, cols), and why pixels lack a band (rows, cols)."""
        reads = []
        for name, band in self.bands.items():
            file = self.files[band.path]
            read = partial(read_on, file, band, self.grid, window, self.tallies[name])
            reads.append((file, read))
        parts = read_at_once(reads)
        values, why = zip(*parts, strict=True)
        self._count_holes(np.stack(why))
        image, reasons = np.stack(values), np.max(why, axis=0)
        if self.mask is not None:
            self._hide(self.mask, image, reasons, window)
        self.even.count(image)
        return image, reasons

    def _hide(self, mask: CloudMask, image: np.ndarray, why: np.ndarray, window: Window) -> None:
        """Take clouds from a window, and pixels of which the mask does not say what they are."""
        part, place = window.within(*self.grid.shape)  # what lies beyond is no pixel of the tile
        image, why = image[:, *place], why[place]
        hidden, unknown = mask.read(
            self.files[mask.path], self.grid, part, self.hidden, covered=why != OUTSIDE
        )
        for pixels, reason in ((hidden, CLOUD), (unknown, MASKED)):
            image[:, pixels] = np.nan
            why[pixels & (why == DATA)] = reason

    def _count_holes(self, why: np.ndarray) -> None:
        """Count the pixels that a band has, and those that it alone lacks."""
        empty = why != DATA
        for tally, number in zip(self.tallies.values(), empty.sum(axis=(1, 2)), strict=True):
            tally.seen += empty[0].size - int(number)
        if empty.any():
            alone = empty & (empty.sum(axis=0) == 1)
            for tally, holes, reasons in zip(self.tallies.values(), alone, why, strict=True):
                tally.alone += int(holes.sum())
                tally.beyond += int((holes & (reasons == OUTSIDE)).sum())

    def notes(self) -> list[str]:
        """What is to be said of values that are no reflectance, and of holes of one band."""
        said = [
            judge(self.tallies[name], band, name)
            for judge in (judged, holes_alone)
            for name, band in self.bands.items()
        ]
        clouds = self.hidden.in_words(self.mask) if self.mask is not None else None
        return [text for text in (*said, judged_even(self.even), clouds) if text]
