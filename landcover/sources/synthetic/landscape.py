"""Where things lie in a synthetic scene: fields, woods, water and towns, and their exact classes.

The order is that of a real landscape: relief and rivers first, then fields on the remaining
land, woods where the soil is poor, towns where roads meet, and industry beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landcover.sources.synthetic.look import Look
from landcover.sources.synthetic.patterns import (
    hashed,
    smooth_noise,
    uneven_steps,
    uniform,
    voronoi,
)
from landcover.sources.synthetic.relief import draw_relief, steepness
from landcover.sources.synthetic.settlements import (
    Settlements,
    build_settlements,
    lay_roads,
    pick_places,
)
from landcover.sources.synthetic.waters import Waters, lay_waters

ARABLE, ORCHARD, PASTURE = 211, 222, 231
BROAD_LEAVED, CONIFEROUS, MIXED, HEATH = 311, 312, 313, 322

#: Side of a block of fields that share one direction, in field sides.
BLOCK_FIELDS = 3.2
#: How much the use of a single field deviates from the prevailing use around it, in standard
#: deviations of the landscape. It is less in small scenes.
STRAY = 0.75
#: Scenes with a shorter side than this have no mixed woods, heath or industry: pieces of 25 ha
#: would not fit beside each other.
SMALL_PX = 350


@dataclass
class Landscape:
    """A landscape drawn on pixels; arrays are (rows, cols)."""

    truth: np.ndarray  # uint16 CLC codes
    field: np.ndarray  # int32, dense numbers of fields and forest stands
    along_px: np.ndarray  # float32, position along the rows of a field
    across_px: np.ndarray  # float32, position across the rows of a field
    edge_px: np.ndarray  # float32, distance to the edge of the field
    hedges: np.ndarray  # float32, share of the pixel under a hedge
    tracks: np.ndarray  # float32, share under a farm track
    waters: Waters
    settlements: Settlements
    elevation: np.ndarray | None = None  # float32, m; None on level land

    @property
    def fields(self) -> int:
        """Number of fields and stands."""
        return int(self.field.max()) + 1


def draw(
    rng: np.random.Generator,
    shape: tuple[int, int],
    look: Look,
    hills: np.random.Generator | None = None,
) -> Landscape:
    """Draw a landscape; every random number comes from `rng`, and those of relief from `hills`."""
    seed = int(rng.integers(1 << 31))
    waters = lay_waters(rng, shape)
    elevation = None
    if hills is not None and look.relief_m:
        elevation = draw_relief(hills, waters, look.relief_m)
    plots = _plots(rng, shape, look.field_px, seed)
    truth = _open_country(rng, plots["field"], waters, look, elevation)
    _small_woods(rng, truth, waters, shape)
    places = pick_places(
        rng, shape, waters.distance_px, look.settlement, estates=min(shape) >= SMALL_PX
    )
    roads = lay_roads(rng, shape, places)
    built = build_settlements(rng, shape, places, roads, seed)
    dry = waters.code == 0
    truth[dry & (built.code > 0)] = built.code[dry & (built.code > 0)]
    truth[~dry] = waters.code[~dry]
    return Landscape(truth=truth, waters=waters, settlements=built, elevation=elevation, **plots)


def _plots(
    rng: np.random.Generator, shape: tuple[int, int], field_px: float, seed: int
) -> dict[str, np.ndarray]:
    """Fields: rectangles of uneven sides inside warped Voronoi blocks of one direction each."""
    rows, cols = np.meshgrid(
        np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32), indexing="ij"
    )
    rows += smooth_noise(rng, shape, 7 * field_px) * np.float32(0.35 * field_px)
    cols += smooth_noise(rng, shape, 7 * field_px) * np.float32(0.35 * field_px)
    block, border_px, border = voronoi(rows, cols, BLOCK_FIELDS * field_px, seed)
    # blocks turn towards the region's direction, as parcels follow relief
    lean = smooth_noise(rng, shape, 12 * field_px) * np.float32(0.5)
    lean = _mean_by(block, lean)
    angle = lean + (uniform(block, 11) - np.float32(0.5)) * np.float32(0.9)
    along = rows * np.sin(angle) + cols * np.cos(angle)
    across = rows * np.cos(angle) - cols * np.sin(angle)
    size = np.float32(field_px) * (np.float32(0.6) + np.float32(0.8) * uniform(block, 12) ** 1.5)
    stretch = np.float32(1.0) + np.float32(1.6) * uniform(block, 13)
    strip, side_px = uneven_steps(across, size / np.sqrt(stretch), block, 14)
    piece, end_px = uneven_steps(along, size * np.sqrt(stretch), block, strip, 15)
    _, field = np.unique(hashed(block, strip, piece), return_inverse=True)
    kind = uniform(border, 16)
    nearness = np.clip(np.float32(1.1) - border_px, 0, 1)
    inner = np.clip(np.float32(0.8) - np.minimum(side_px, end_px), 0, 1)
    lined = uniform(block, 17) < 0.3
    gaps = np.clip(smooth_noise(rng, shape, 6) + np.float32(0.9), 0, 1)
    return {
        "field": field.reshape(shape).astype(np.int32),
        "along_px": along,
        "across_px": across,
        "edge_px": np.minimum(np.minimum(side_px, end_px), border_px),
        "hedges": np.maximum(nearness * (kind > 0.62), inner * lined * np.float32(0.8)) * gaps,
        "tracks": nearness * ((kind < 0.5) * np.float32(0.75)),
    }


def _mean_by(key: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Every pixel's value replaced by the mean over its key."""
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    mean = np.bincount(inverse.ravel(), values.ravel()) / count
    return mean.astype(np.float32)[inverse].reshape(key.shape)


def _open_country(
    rng: np.random.Generator,
    field: np.ndarray,
    waters: Waters,
    look: Look,
    elevation: np.ndarray | None,
) -> np.ndarray:
    """Arable land, pasture, woods and heath, whole fields and stands at a time.

    Where there is relief, slopes are left to woods and pastures, and heights to conifers and heath.
    """
    shape = field.shape
    flat = field.ravel()
    area = np.bincount(flat)

    def per_field(values: np.ndarray) -> np.ndarray:
        return np.bincount(flat, values.ravel(), area.size) / area

    def alone(weight: float) -> np.ndarray:
        return weight * min(1.0, min(shape) / 500) * rng.standard_normal(area.size)

    meadow = per_field(np.exp(-waters.distance_px / 28))
    dry = per_field(smooth_noise(rng, shape, 90))
    forest = per_field(smooth_noise(rng, shape, 110)) + 0.45 * per_field(
        smooth_noise(rng, shape, 45)
    )
    soil = per_field(smooth_noise(rng, shape, 120))
    stand = per_field(smooth_noise(rng, shape, 95))
    if elevation is not None:
        high, steep = (per_field(_standard(part)) for part in (elevation, steepness(elevation)))
        forest += 0.8 * steep + 0.3 * high
        soil += 0.6 * steep
        dry += 0.4 * high
        stand -= 0.8 * high
    codes = np.full(area.size, ARABLE, np.uint16)
    wooded = _largest(forest - 0.9 * meadow + alone(0.28), area, look.woods)
    # poor soil at the woods' edge carries heath, in large pieces
    fringe = -np.abs(forest - np.quantile(forest, 1 - look.woods)) + 0.8 * dry
    heathy = _largest(fringe, area, look.heath * (min(shape) >= SMALL_PX))
    open_land = ~wooded & ~heathy
    pasture = _largest(
        np.where(open_land, soil + 1.4 * meadow + alone(STRAY), -np.inf),
        area,
        look.pastures * float(area[open_land].sum() / area.sum()),
    )
    codes[pasture & open_land] = PASTURE
    species = stand + alone(0.22)
    order = np.sort(species[wooded]) if wooded.any() else np.zeros(1)
    cuts = (0.36, 0.62) if min(shape) >= SMALL_PX else (0.5, 0.5)
    low, high = (order[int(cut * (order.size - 1))] for cut in cuts)
    codes[wooded] = np.select(
        [species[wooded] < low, species[wooded] < high], [CONIFEROUS, MIXED], BROAD_LEAVED
    )
    codes[heathy] = HEATH
    return codes[field]


def _standard(values: np.ndarray) -> np.ndarray:
    """Values of mean 0 and deviation 1."""
    return (values - values.mean()) / max(float(values.std()), 1e-6)


def _largest(score: np.ndarray, area: np.ndarray, share: float) -> np.ndarray:
    """The fields of highest score that together fill a share of the area."""
    order = np.argsort(-score, kind="stable")
    chosen = np.zeros(score.size, bool)
    filled = np.cumsum(area[order])
    chosen[order[filled <= share * area.sum()]] = True
    return chosen & np.isfinite(score)


def _small_woods(
    rng: np.random.Generator, truth: np.ndarray, waters: Waters, shape: tuple[int, int]
) -> None:
    """Draw copses, clearings and the trees along the river, all too small for CORINE."""
    fine = smooth_noise(rng, shape, 13) + 0.6 * smooth_noise(rng, shape, 30)
    open_land = (truth == ARABLE) | (truth == PASTURE)
    truth[open_land & (fine > 2.15)] = BROAD_LEAVED
    wooded = (truth >= BROAD_LEAVED) & (truth <= MIXED)
    truth[wooded & (fine < -2.2)] = PASTURE
    reach = 2.0 + 3.0 * smooth_noise(rng, shape, 25)
    banks = (waters.river_px > 0) & (waters.river_px < reach)
    truth[banks] = BROAD_LEAVED
