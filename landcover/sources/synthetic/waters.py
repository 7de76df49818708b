"""The river, the lakes, the ponds and the marshes of a synthetic scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from landcover.sources.synthetic.patterns import smooth_noise

MARSH, RIVER, LAKE = 411, 511, 512

#: One lake of 20 to 100 ha for this many pixels.
PX_PER_LAKE = 260_000
PX_PER_POND = 22_000


@dataclass
class Waters:
    """Water and wetland on the grid; arrays are (rows, cols)."""

    code: np.ndarray  # uint16, 511, 512, 411, or 0 on dry land
    distance_px: np.ndarray  # float32, distance to river or lake
    river_px: np.ndarray  # float32, distance to the river's bank; 0 in the river
    turbid: np.ndarray  # float32, 0 clear to 1 turbid, one value a water body


def lay_waters(rng: np.random.Generator, shape: tuple[int, int]) -> Waters:
    """Lay a meandering river, lakes with reeds, and ponds."""
    size = min(shape)
    code = np.zeros(shape, np.uint16)
    turbid = np.ones(shape, np.float32)
    river = _river(rng, shape, width_px=min(14.0, max(9.0, size / 28)) * rng.uniform(0.9, 1.25))
    river_px = ndimage.distance_transform_edt(~river).astype(np.float32)
    roughness = smooth_noise(rng, shape, 9)
    lakes, reeds = np.zeros(shape, bool), np.zeros(shape, bool)
    for _ in range(max(1, round(shape[0] * shape[1] / PX_PER_LAKE))):
        _lake(rng, lakes, reeds, turbid, size, river_px)
    for _ in range(round(shape[0] * shape[1] / PX_PER_POND)):
        centre = rng.uniform(0, shape)
        _stamp(lakes, centre, _outline(rng, rng.uniform(2.0, 6.5), 0.25))
    # the old arms of the river silt up into marsh
    oxbow = (river_px < 20) & (smooth_noise(rng, shape, 55) > 1.15)
    marsh = (reeds | oxbow) & (roughness > -1.9)
    code[marsh] = MARSH
    code[lakes] = LAKE
    code[river] = RIVER
    water = lakes | river
    distance = ndimage.distance_transform_edt(~water).astype(np.float32)
    turbid[turbid > 0.9] = rng.uniform(0.02, 0.10)
    turbid[river] = rng.uniform(0.15, 0.26)
    return Waters(code, distance, river_px, turbid)


def _river(rng: np.random.Generator, shape: tuple[int, int], width_px: float) -> np.ndarray:
    """A river whose direction is a sine of the distance along it: a sine-generated curve.

    Langbein and Leopold 1966, doi:10.3133/pp422H. It crosses the longer side.
    """
    turned = shape[0] > shape[1]
    height, length = sorted(shape)
    wave = 11 * width_px
    steps = np.arange(0, 3.2 * (length + 8 * width_px), 0.5)
    uneven = _drift(rng, steps.size, 2.6 * wave)
    swing = np.radians(62) * np.clip(0.62 + 0.38 * uneven[0], 0.1, 1.25)
    phase = 2 * np.pi * steps / (wave * 1.7) + 1.5 * uneven[1]
    heading = swing * np.sin(phase) + 0.3 * uneven[2]
    across = np.cumsum(np.sin(heading)) * 0.5
    along = np.cumsum(np.cos(heading)) * 0.5 - 4 * width_px
    middle = (along > 0) & (along < length)
    across += height * rng.uniform(0.25, 0.75) - across[middle].mean()
    row, col = (along, across) if turned else (across, along)
    inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
    line = np.ones(shape, bool)
    line[row[inside].astype(int), col[inside].astype(int)] = False
    half = 0.5 * width_px * (1 + 0.18 * smooth_noise(rng, shape, 40))
    return ndimage.distance_transform_edt(line) < half


def _drift(rng: np.random.Generator, steps: int, wave: float) -> np.ndarray:
    """Three slowly varying random series of deviation 1 along the river; a step is half a pixel."""
    return np.stack([smooth_noise(rng, (4, steps), 2 * wave)[0] for _ in range(3)])


def _lake(
    rng: np.random.Generator,
    lakes: np.ndarray,
    reeds: np.ndarray,
    turbid: np.ndarray,
    size: int,
    river_px: np.ndarray,
) -> None:
    """One lake away from the river, with a marsh at one of its ends."""
    radius = min(rng.uniform(28, 50), size / 6)
    for _ in range(12):
        centre = rng.uniform(0.1, 0.9, 2) * lakes.shape
        if river_px[tuple(centre.astype(int))] > 1.5 * radius:
            break
    water = np.zeros_like(lakes)
    _stamp(
        water,
        centre,
        _outline(rng, radius, 0.22),
        stretch=rng.uniform(1, 1.9),
        turn=rng.uniform(0, 3.14),
    )
    lake_before = water & lakes
    if lake_before.any():  # joined lakes have one water
        turbid[water] = turbid[lake_before][0]
    lakes |= water
    turbid[water & (turbid > 0.9)] = rng.uniform(0.0, 0.08)
    towards = rng.uniform(0, 2 * np.pi)
    shore = centre + radius * np.array([np.sin(towards), np.cos(towards)]) * 1.05
    _stamp(reeds, shore, _outline(rng, radius * rng.uniform(0.9, 1.2), 0.25))


def _outline(rng: np.random.Generator, radius: float, rough: float) -> np.ndarray:
    """Radius by direction (256 directions) of a rounded, uneven shape."""
    angle = np.arange(256) * (2 * np.pi / 256)
    shape = np.ones_like(angle)
    for k in range(2, 9):
        shape += rough / (k - 1) * rng.normal() * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    return radius * np.clip(shape, 0.35, 1.7)


def _stamp(
    mask: np.ndarray,
    centre: np.ndarray,
    outline: np.ndarray,
    stretch: float = 1.0,
    turn: float = 0.0,
) -> None:
    """Set the pixels inside an outline around `centre`."""
    reach = int(outline.max() * stretch) + 2
    top, left = (max(0, int(c) - reach) for c in centre)
    part = mask[top : int(centre[0]) + reach, left : int(centre[1]) + reach]
    if not part.size:
        return
    y, x = np.ogrid[: part.shape[0], : part.shape[1]]
    dy, dx = y + top - centre[0], x + left - centre[1]
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    v = (dy * np.cos(turn) - dx * np.sin(turn)) * np.sqrt(stretch)
    direction = (np.arctan2(v, u) * (256 / (2 * np.pi))).astype(int) % 256
    part |= u * u + v * v < outline[direction] ** 2
