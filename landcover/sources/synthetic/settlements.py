"""Towns, villages, farms, industry and the roads between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from landcover.sources.synthetic.patterns import curve, smooth_noise, splat, uneven_steps, uniform

URBAN, INDUSTRY = 112, 121

PX_PER_TOWN = 190_000
PX_PER_VILLAGE = 38_000
PX_PER_FARM = 13_000
PX_PER_ESTATE = 330_000

#: Sides of the blocks between streets, across and along, in pixels.
ESTATE, TOWN = (17.0, 13.0), (10.0, 6.5)

# what stands on a pixel of a settlement
NONE, STREET, HOUSES, GARDENS, HALL, YARD, GREEN = range(7)


@dataclass(frozen=True)
class Place:
    """A settlement: its centre and radius in pixels, and whether it is an industrial estate."""

    row: float
    col: float
    radius: float
    estate: bool = False


@dataclass
class Settlements:
    """Built-up land; arrays are (rows, cols)."""

    code: np.ndarray  # uint16, 112, 121 or 0
    use: np.ndarray  # uint8, one of STREET, HOUSES, GARDENS, HALL, YARD, GREEN
    plot: np.ndarray  # float32 in [0, 1), one random number for each building or garden
    density: np.ndarray  # float32, 1 at a centre and 0 at the edge
    roads: np.ndarray  # float32, share of the pixel under a paved road


def pick_places(
    rng: np.random.Generator,
    shape: tuple[int, int],
    water_px: np.ndarray,
    amount: float,
    estates: bool,
) -> list[Place]:
    """Towns first and far apart, then estates beside them, villages and farms."""
    pixels = shape[0] * shape[1] * amount
    size = min(shape)
    places: list[Place] = []
    largest = min(62.0, size / 6)
    for n in range(max(1, round(pixels / PX_PER_TOWN)) if amount else 0):
        radius = largest * (1.0 if n == 0 else rng.uniform(0.45, 0.95))
        _place(rng, places, shape, water_px, radius, apart=3.0)
    towns = list(places)
    for n in range(max(1, round(pixels / PX_PER_ESTATE)) if towns and estates else 0):
        town = towns[n % len(towns)]
        _estate(rng, places, shape, water_px, town, min(40.0, size / 7) * rng.uniform(0.8, 1.1))
    for count_px, low, high in ((PX_PER_VILLAGE, 8.0, 21.0), (PX_PER_FARM, 2.5, 6.5)):
        for _ in range(round(pixels / count_px)):
            _place(rng, places, shape, water_px, min(rng.uniform(low, high), size / 10), apart=1.8)
    return places


def _place(
    rng: np.random.Generator,
    places: list[Place],
    shape: tuple[int, int],
    water_px: np.ndarray,
    radius: float,
    apart: float,
) -> None:
    """Add a place on dry land away from the others, if one is found."""
    for _ in range(40):
        row, col = rng.uniform(0.06, 0.94, 2) * shape
        dry = water_px[int(row), int(col)] > 0.55 * radius
        if dry and all(
            np.hypot(p.row - row, p.col - col) > apart * 0.6 * (p.radius + radius) for p in places
        ):
            places.append(Place(row, col, radius))
            return


def _estate(
    rng: np.random.Generator,
    places: list[Place],
    shape: tuple[int, int],
    water_px: np.ndarray,
    town: Place,
    radius: float,
) -> None:
    """Add an industrial estate at a town's edge."""
    best, best_dry = None, -1.0
    for _ in range(24):
        towards = rng.uniform(0, 2 * np.pi)
        reach = town.radius + 0.75 * radius
        row, col = town.row + reach * np.sin(towards), town.col + reach * np.cos(towards)
        if not (radius < row < shape[0] - radius and radius < col < shape[1] - radius):
            continue
        dry = min(float(water_px[int(row), int(col)]), 1.2 * radius) - 20.0 * any(
            p is not town and np.hypot(p.row - row, p.col - col) < p.radius + radius for p in places
        )
        if dry > best_dry:
            best, best_dry = Place(row, col, radius, estate=True), dry
    if best is not None:
        places.append(best)


def lay_roads(
    rng: np.random.Generator, shape: tuple[int, int], places: list[Place]
) -> tuple[np.ndarray, np.ndarray]:
    """Roads: each place joins its nearest larger one, large towns reach the scene's edge.

    Returns coverage, and the distance to the nearest road in pixels.
    """
    lines = []
    ranked = sorted((p for p in places if not p.estate), key=lambda p: -p.radius)
    points = np.array([(p.row, p.col) for p in ranked]).reshape(-1, 2)
    for n in range(1, len(ranked)):
        distance = np.hypot(*(points[:n] - points[n]).T)
        near = np.argsort(distance)[:1]
        lines += [(curve(rng, points[n], points[m], 0.04), ranked[n].radius) for m in near]
    for n in range(min(len(ranked), 3)):
        for edge in rng.permutation(4)[:1]:
            end = np.array([points[n][0], points[n][1]]) + rng.normal(0, 80, 2)
            end[edge % 2] = (-2, shape[edge % 2] + 2)[edge // 2]
            lines.append((curve(rng, points[n], end, 0.05), 30.0))
    cover = np.zeros(shape, np.float32)
    for (rows, cols), radius in lines:
        share = 0.7 if radius > 20 else 0.5 if radius > 7 else 0.3
        inside = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
        _mark(cover, rows[inside], cols[inside], share)
    if not lines:
        return cover, np.full(shape, np.inf, np.float32)
    return cover, ndimage.distance_transform_edt(cover < 0.15).astype(np.float32)


def _mark(cover: np.ndarray, rows: np.ndarray, cols: np.ndarray, share: float) -> None:
    """Lay one road into the coverage, within its own bounding box."""
    if rows.size < 2:
        return
    top, left = int(rows.min()), int(cols.min())
    bottom, right = int(rows.max()) + 2, int(cols.max()) + 2
    part = cover[top:bottom, left:right]
    line = splat(part.shape, rows - top, cols - left, 0.25 * share)
    np.maximum(part, line, out=part)


def build_settlements(
    rng: np.random.Generator,
    shape: tuple[int, int],
    places: list[Place],
    roads: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> Settlements:
    """Build every place block by block, so that its edge follows streets."""
    built = Settlements(
        code=np.zeros(shape, np.uint16),
        use=np.zeros(shape, np.uint8),
        plot=np.zeros(shape, np.float32),
        density=np.zeros(shape, np.float32),
        roads=roads[0],
    )
    uneven = np.float32(0.8) * smooth_noise(rng, shape, 24) + np.float32(0.6) * smooth_noise(
        rng, shape, 6
    )
    for number, place in enumerate(sorted(places, key=lambda p: (not p.estate, -p.radius))):
        _build(built, place, roads[1], uneven, rng.uniform(0, np.pi / 2), seed + number)
    return built


def _build(
    built: Settlements,
    place: Place,
    road_px: np.ndarray,
    uneven: np.ndarray,
    angle: float,
    seed: int,
) -> None:
    """One place in its own bounding box."""
    reach = int(2.1 * place.radius) + 3
    top, left = max(0, int(place.row) - reach), max(0, int(place.col) - reach)
    box = np.s_[top : int(place.row) + reach, left : int(place.col) + reach]
    part = built.code[box]
    y, x = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]].astype(np.float32)
    dy, dx = y - place.row, x - place.col
    # streets bend a little around the centre
    turn = angle + 0.06 * uneven[box] * min(1.0, place.radius / 30)
    u = (dx * np.cos(turn) + dy * np.sin(turn)).astype(np.float32)
    v = (dy * np.cos(turn) - dx * np.sin(turn)).astype(np.float32)
    streets = _streets(u, v, *(ESTATE if place.estate else TOWN), seed)
    stretch = np.float32(1 + 0.5 * uniform(seed, 10))
    distance = np.hypot(u / stretch, v * stretch) / place.radius
    score = 1 - distance + 0.25 * uneven[box]
    if not place.estate:
        ribbon = np.exp(-road_px[box] / 4.0) * np.clip(1.9 - distance, 0, 1)
        score = score + np.float32(0.55) * ribbon
    if place.radius > 7:
        score = _mean_of_blocks(streets.row, streets.col, score)
    inside = (score > 0) & (built.code[box] == 0)
    if place.estate:
        use, plot = _halls(streets, seed)
    else:
        use, plot = _houses(streets, seed, score + place.radius / 90)
    built.code[box][inside] = INDUSTRY if place.estate else URBAN
    built.use[box][inside] = use[inside]
    built.plot[box][inside] = plot[inside]
    built.density[box][inside] = np.clip(score, 0, 1)[inside] * min(1.0, place.radius / 40)


def build_estate(built: Settlements, where: np.ndarray, angle: float, seed: int) -> None:
    """Build halls, yards and streets on the pixels `where`, bool (rows, cols), in place."""
    rows, cols = np.nonzero(where)
    dy = (rows - rows.mean()).astype(np.float32)
    dx = (cols - cols.mean()).astype(np.float32)
    u = dx * np.float32(np.cos(angle)) + dy * np.float32(np.sin(angle))
    v = dy * np.float32(np.cos(angle)) - dx * np.float32(np.sin(angle))
    streets = _streets(u, v, *ESTATE, seed)
    built.code[where] = INDUSTRY
    built.use[where], built.plot[where] = _halls(streets, seed)


class Streets(NamedTuple):
    """Where pixels lie between the streets of a place, which run along its axes u and v."""

    u: np.ndarray
    v: np.ndarray
    row: np.ndarray  # number of the row of blocks
    col: np.ndarray  # number of the block in its row
    kerb_px: np.ndarray  # distance to the nearest street


def _streets(u: np.ndarray, v: np.ndarray, wide: float, deep: float, seed: int) -> Streets:
    """Streets around blocks of uneven sides."""
    row, row_px = uneven_steps(v, deep, seed, 1)
    col, col_px = uneven_steps(u, wide, row, seed, 2)
    return Streets(u, v, row, col, np.minimum(row_px, col_px))


def _mean_of_blocks(row: np.ndarray, col: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The score's mean over each block between streets."""
    key = (row - row.min()).astype(np.int64) * (int(np.ptp(col)) + 1) + (col - col.min())
    total = np.bincount(key.ravel(), score.ravel())
    count = np.maximum(np.bincount(key.ravel()), 1)
    return (total / count)[key].astype(np.float32)


def _houses(streets: Streets, seed: int, centrality: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Streets, houses along them and gardens behind: uses and plot numbers."""
    house = np.floor(streets.u / 1.7).astype(np.int32)
    lane = np.floor(streets.v / 1.6).astype(np.int32)
    plot = uniform(house, lane, seed, 3)
    kerb = streets.kerb_px
    block = uniform(streets.row, streets.col, seed, 4)
    use = np.full(streets.u.shape, GARDENS, np.uint8)
    full = np.clip(np.float32(0.42) + np.float32(0.5) * centrality, 0.3, 0.85)
    use[(kerb < 2.6) & (plot < full)] = HOUSES
    use[(kerb >= 2.6) & (plot < full - 0.38)] = HOUSES
    use[(block > 0.88) & (centrality > 0.35)] = GREEN
    use[(block < 0.035) & (centrality > 0.3)] = HALL
    use[(kerb < 0.5) & (centrality > 0.2)] = STREET
    return use, uniform(house, lane, seed, 5)


def _halls(streets: Streets, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Long halls, yards between them and strips of grass."""
    row, col, kerb = streets.row, streets.col, streets.kerb_px
    hall, hall_px = uneven_steps(streets.v, 6.5, row, col, seed, 6)
    bay, bay_px = uneven_steps(streets.u, 11.0, row, col, hall, seed, 7)
    kind = uniform(row, col, hall, bay, seed, 8)
    use = np.full(streets.u.shape, YARD, np.uint8)
    gap = np.minimum(np.minimum(hall_px, bay_px), kerb)
    use[(kind < 0.55) & (gap > 0.8)] = HALL
    use[kind > 0.8] = GREEN
    use[kerb < 0.7] = STREET
    return use, uniform(row, col, hall, bay, seed, 9)
