"""Bands of several resolutions over one ground: which are coarser, and which of a band is taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np

from landcover.grid import TOLERANCE_PX, Grid, same_crs
from landcover.sensors import Sensor
from landcover.sources.reflectance import Band

#: Pixels this much larger are of another resolution; others of a grid that was made otherwise.
_LARGER = 1.5
#: Sides closer than this share are those of one resolution.
_ALIKE = 0.1
Held = TypeVar("Held", bound="HoldsBands")


def is_coarser(other: Grid, grid: Grid) -> bool:
    """Whether a grid has larger pixels than another over the same ground, to one of its pixels."""
    if not same_crs(other.crs, grid.crs):
        return False
    larger = np.array(other.resolution) / grid.resolution
    apart = np.abs(np.subtract(other.bounds, grid.bounds)) / np.tile(other.resolution, 2)
    return bool((larger >= _LARGER).all() and (apart <= 1 + TOLERANCE_PX).all())


class HoldsBands(Protocol):
    """Something of one grid that holds bands: a file of them."""

    @property
    def grid(self) -> Grid:
        """Its pixels."""

    @property
    def names(self) -> Collection[str]:
        """Of its bands."""


def in_native_resolution(
    files: Sequence[Held], sensor: Sensor
) -> tuple[dict[str, Held], list[str]]:
    """The file that each band is taken from, and sentences on others that hold it too.

    That is the one of the resolution that the sensor takes the band in, or else the finest.
    """
    chosen: dict[str, Held] = {}
    alike: dict[tuple[str, str], list[str]] = {}
    for band in sensor.bands:
        held = [file for file in files if band.name in file.names]
        held.sort(key=lambda file: file.grid.pixel_m)
        if not held:
            continue
        own = (file for file in held if abs(file.grid.pixel_m / band.pixel_m - 1) < _ALIKE)
        taken = chosen[band.name] = next(own, held[0])
        others = [size_of(file.grid) for file in held if file is not taken]
        if others:
            sizes = size_of(taken.grid), " and ".join(others)
            alike.setdefault(sizes, []).append(band.name)
    return chosen, [
        f"taken at {own_size}, and left out at {others}: {' '.join(names)}"
        for (own_size, others), names in alike.items()
    ]


def size_of(grid: Grid) -> str:
    """The pixels of a grid in words, such as "20 m"."""
    return f"{grid.pixel_m:.3g} m"


def notes_on_coarser(bands: Mapping[str, Band], grid: Grid) -> Iterable[str]:
    """Sentences on bands of larger pixels than a tile's, by their size."""
    by_size: dict[str, list[str]] = {}
    for name, band in bands.items():
        if band.grid is not None:
            by_size.setdefault(size_of(band.grid), []).append(name)
    for size, names in by_size.items():
        yield (
            f"{' '.join(names)}, in pixels of {size}, {'is' if len(names) == 1 else 'are'} brought "
            f"to {size_of(grid)} by cubic convolution"
        )
