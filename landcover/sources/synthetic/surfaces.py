"""Reflectance of a landscape, surface by surface.

Classes overlap pixel by pixel, as they do in reality: a garden is as green as a pasture, a
roof as bright as dry soil, and mixed wood is made of the same crowns as its neighbours.
Texture and surroundings tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from landcover.sources.synthetic import settlements as town
from landcover.sources.synthetic.landscape import (
    ARABLE,
    BROAD_LEAVED,
    CONIFEROUS,
    HEATH,
    MIXED,
    ORCHARD,
    PASTURE,
    Landscape,
)
from landcover.sources.synthetic.patterns import smooth_noise, uniform
from landcover.sources.synthetic.relief import light_on
from landcover.sources.synthetic.spectra import Spectra
from landcover.sources.synthetic.waters import MARSH, RIVER

#: A share of each pixel, or one share for all.
Share = np.ndarray | np.floating

#: Crops in early summer: name, share, leaf area low and high, ripeness low and high, and the
#: share of dry straw low and high.
CROPS = (
    ("winter wheat", 0.29, 3.9, 6.0, 0.0, 0.2, 0.0, 0.0),
    ("barley, ripening", 0.14, 2.5, 4.5, 0.75, 1.0, 0.15, 0.45),
    ("rape after flowering", 0.14, 3.6, 5.0, 0.35, 0.6, 0.0, 0.05),
    ("maize, young", 0.18, 0.15, 1.1, 0.0, 0.0, 0.0, 0.05),
    ("beet and potatoes", 0.12, 2.8, 5.0, 0.0, 0.1, 0.0, 0.0),
    ("bare soil", 0.07, 0.0, 0.15, 0.0, 0.0, 0.0, 0.15),
    ("fallow and grass ley", 0.05, 1.5, 3.5, 0.1, 0.4, 0.05, 0.35),
)


class Crops(NamedTuple):
    """What grows on each field: float32 (fields,), by the number of the field."""

    leaf_area: np.ndarray
    ripe: np.ndarray  # share of the canopy that has ripened
    straw: np.ndarray  # share of dry straw
    bright: np.ndarray  # brightness of the soil
    moist: np.ndarray  # share of wet soil
    spacing: np.ndarray  # of wheel tracks, pixels
    turned: np.ndarray  # bool, rows across the field
    slope: np.ndarray  # (2, fields), of growth along and across
    wavy: np.ndarray  # how uneven growth is

    @classmethod
    def drawn(cls, rng: np.random.Generator, fields: int) -> Crops:
        """Crops of early summer, one a field."""
        crops = np.array([c[1:] for c in CROPS])
        crop = rng.choice(len(CROPS), fields, p=crops[:, 0] / crops[:, 0].sum())

        def between(low: int) -> np.ndarray:
            share = rng.random(fields)
            spread = crops[crop, low + 1] - crops[crop, low]
            return (crops[crop, low] + spread * share).astype(np.float32)

        return cls(
            between(1),
            between(3),
            between(5),
            np.exp(rng.normal(-0.1, 0.16, fields)).astype(np.float32),
            rng.uniform(0.15, 0.75, fields).astype(np.float32),
            rng.uniform(2.4, 3.8, fields).astype(np.float32),
            rng.random(fields) < 0.2,
            rng.normal(0, 0.006, (2, fields)).astype(np.float32),
            rng.uniform(0.04, 0.16, fields).astype(np.float32),
        )


class Swards(NamedTuple):
    """Grass of each field: float32 (fields,), by the number of the field."""

    leaf_area: np.ndarray
    dry: np.ndarray  # share of dry grass

    @classmethod
    def drawn(cls, rng: np.random.Generator, fields: int) -> Swards:
        """Grass of early summer, mown in some paddocks."""
        leaf_area = rng.uniform(1.6, 2.7, fields).astype(np.float32)
        dry = rng.uniform(0.20, 0.40, fields).astype(np.float32)
        mown = rng.random(fields) < 0.12
        leaf_area[mown] *= 0.6
        dry[mown] += 0.12
        return cls(leaf_area, dry)


class Season(NamedTuple):
    """What a time of the year does to plants that are no crops; the values are those of summer."""

    leaves: float = 1.0  # share of the leaves of broad-leaved trees that are out
    orchard_leaves: float = 1.0
    blossom: float = 0.0  # share of orchards' crowns in blossom
    autumn: float = 0.0  # share of leaves that have turned yellow and brown
    grass: float = 1.0  # leaf area of lawns and sedge against summer
    heath: float = 1.0  # share of heather and reed that is green

    def seen(self, spectra: Spectra) -> Spectra:
        """The surfaces as they are at this time of the year."""
        if self == Season():
            return spectra
        withered = spectra.dry_plants * np.float32(0.7)
        return spectra._replace(
            broad_leaved=self.tree(spectra, spectra.broad_leaved, self.leaves),
            lush=self.tree(spectra, spectra.lush, self.leaves),
            heather=_blend(withered, spectra.heather, 0.45 + 0.55 * self.heath),
            reed=_blend(spectra.dry_plants, spectra.reed, self.heath),
        )

    def tree(self, spectra: Spectra, leafy: np.ndarray, leaves: float) -> np.ndarray:
        """A crown of which so many leaves are out, turned as the season has it."""
        turned = _blend(leafy, spectra.dry_plants, 0.7 * self.autumn)
        # through bare twigs the litter is seen, shaded by them
        return _blend(spectra.dry_plants * np.float32(0.55), turned, leaves)


class Cover(NamedTuple):
    """What plants look like at one date."""

    crops: Crops
    swards: Swards
    season: Season = Season()
    flowers: np.ndarray | None = None  # share of petals on each field, (fields,)

    @classmethod
    def drawn(cls, rng: np.random.Generator, fields: int) -> Cover:
        """Plants of early summer."""
        return cls(Crops.drawn(rng, fields), Swards.drawn(rng, fields))


class Unevenness(NamedTuple):
    """Noise (rows, cols) of mean 0 and deviation 1, by the size of what it makes uneven."""

    fine: np.ndarray  # from pixel to pixel
    clump: np.ndarray  # crowns and shrubs
    patch: np.ndarray  # some pixels
    broad: np.ndarray  # parts of a field

    @classmethod
    def drawn(cls, rng: np.random.Generator, shape: tuple[int, int]) -> Unevenness:
        """Noise from `rng`, the finest first."""
        fine, grain = (rng.standard_normal(shape, dtype=np.float32) for _ in range(2))
        clump = _unit(ndimage.gaussian_filter(grain, 0.9))
        return cls(fine, clump, smooth_noise(rng, shape, 5), smooth_noise(rng, shape, 22))


def ground(
    rng: np.random.Generator, land: Landscape, bands: Sequence[str], shade: float = 1.0
) -> np.ndarray:
    """Reflectance of a landscape under clear air.

    Parameters
    ----------
    rng : Generator
        Of crops, crowns and all that makes surfaces uneven. No draw depends on the bands.
    land : Landscape
        What lies where.
    bands : sequence of str
        Names of bands, of `spectra.ALL_BANDS`.
    shade : float
        How much slopes are lit by where they face, from 0 to 1.

    Returns
    -------
    array of float32, (bands, rows, cols)
        Reflectance.
    """
    uneven = Unevenness.drawn(rng, land.truth.shape)
    return paint(land, bands, uneven, Cover.drawn(rng, land.fields), shade)


def paint(
    land: Landscape, bands: Sequence[str], uneven: Unevenness, cover: Cover, shade: float = 1.0
) -> np.ndarray:
    """`ground` of plants and unevenness that are known; nothing is drawn."""
    of_summer = Spectra.of(bands)
    spectra = cover.season.seen(of_summer)
    image = np.zeros((len(bands), *land.truth.shape), np.float32)
    _fields(image, land, spectra, uneven, cover)
    _pastures(image, land, spectra, uneven, cover.swards)
    _orchards(image, land, of_summer, uneven, cover)
    _woods(image, land, spectra, uneven)
    _rough_land(image, land, spectra, uneven, cover.season)
    _lines(image, land, spectra, uneven.clump)
    _towns(image, land, spectra, uneven, cover.season)
    _shadows(image, land)
    _waters(image, land, spectra, uneven.broad)
    if land.elevation is not None and shade:
        image *= 1 + np.float32(shade) * (light_on(land.elevation) - 1)
    return image


def _unit(values: np.ndarray) -> np.ndarray:
    """Values scaled to deviation 1."""
    return values / np.float32(max(float(values.std()), 1e-6))


def _blend(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """(1 - share) of one spectrum and share of another."""
    return a + (b - a) * np.float32(share)


def _mix(a: np.ndarray, b: np.ndarray, share: Share) -> np.ndarray:
    """(1 - share) of a and share of b, where a and b are (bands,) or (bands, pixels)."""
    a = a[:, None] if a.ndim == 1 else a
    b = b[:, None] if b.ndim == 1 else b
    return a + (b - a) * np.clip(share, 0, 1)


def _paint(image: np.ndarray, where: np.ndarray, surface: np.ndarray, share: Share) -> None:
    """Cover a share of each pixel in `where` with a surface (bands,) or (bands, pixels)."""
    image[:, where] = _mix(image[:, where], surface, share)


def _fields(
    image: np.ndarray, land: Landscape, spectra: Spectra, uneven: Unevenness, cover: Cover
) -> None:
    """Arable land: one crop a field, thinner and greener by its soil, with rows and tramlines."""
    fine, _, patch, broad = uneven
    leaf_area, ripe, straw, bright, moist, spacing, turned, slope, wavy = cover.crops
    where = land.truth == ARABLE
    f = land.field[where]
    along, across = land.along_px[where], land.across_px[where]
    rows_px = np.where(turned[f], along, across)
    wheels = np.cos(rows_px * (2 * np.pi / spacing[f]))
    soil_wet = np.float32(0.16) * broad[where] + np.float32(0.07) * patch[where]
    growth = 1 + wavy[f] * (broad[where] + np.float32(0.5) * patch[where])
    growth += np.clip(slope[0][f] * (along % 60 - 30) + slope[1][f] * (across % 60 - 30), -0.3, 0.3)
    growth += np.float32(0.07) * wheels + np.float32(0.05) * fine[where]
    growth *= np.clip(np.float32(0.5) + np.float32(0.45) * land.edge_px[where], 0.5, 1)
    area = np.clip(leaf_area[f] * np.clip(growth, 0.2, 1.8), 0, 6)
    green = spectra.green(area)
    dry = spectra.ripe(area)
    colour = _mix(green, dry, ripe[f] * (1 + np.float32(0.12) * broad[where]))
    # the canopy tables contain PROSAIL's soil: replace it by this field's own
    gap = np.exp(-np.float32(0.55) * area)
    own = _mix(spectra.soil, spectra.wet_soil * np.float32(1.6), moist[f]) * bright[f]
    own *= np.clip(1 - soil_wet, 0.55, 1.4)
    colour += (own - spectra.green_canopy[0][:, None]) * gap
    straw_share = (np.float32(0.08) + straw[f]) * (
        1 + np.float32(0.2) * wheels + np.float32(0.15) * patch[where]
    )
    image[:, where] = _mix(colour, spectra.dry_plants * np.float32(1.15), straw_share)
    if cover.flowers is not None:
        petals = cover.flowers[f] * (1 + np.float32(0.15) * patch[where])
        _paint(image, where, spectra.petals, petals)


def _pastures(
    image: np.ndarray, land: Landscape, spectra: Spectra, uneven: Unevenness, swards: Swards
) -> None:
    """Grassland: grazed in patches, mown in some paddocks, with single trees."""
    fine = uneven.fine
    where = land.truth == PASTURE
    image[:, where] = _sward(where, land, spectra, uneven, swards)
    trees = where & (fine > 2.35)
    _paint(image, trees, spectra.broad_leaved * np.float32(0.5), np.float32(0.7))


def _sward(
    where: np.ndarray, land: Landscape, spectra: Spectra, uneven: Unevenness, swards: Swards
) -> np.ndarray:
    """Grass (bands, pixels), green and dry in patches."""
    fine, _, patch, broad = uneven
    f = land.field[where]
    tufts = np.float32(0.16) * patch[where] + np.float32(0.11) * fine[where]
    area = np.clip(swards.leaf_area[f] * (1 + tufts + np.float32(0.12) * broad[where]), 0.2, 6)
    dry = swards.dry[f] + np.float32(0.07) * patch[where] + np.float32(0.04) * fine[where] + 0.07
    return _mix(spectra.green(area), spectra.dry_plants, dry)


def _orchards(
    image: np.ndarray, land: Landscape, spectra: Spectra, uneven: Unevenness, cover: Cover
) -> None:
    """Fruit trees in rows over grass; the rows are narrower than a pixel."""
    where = land.truth == ORCHARD
    if not where.any():
        return
    season, f = cover.season, land.field[where]
    crown = season.tree(spectra, spectra.broad_leaved, season.orchard_leaves)
    crown = _blend(crown, spectra.white_roof, 0.2 * season.blossom)
    crowns = np.float32(0.2) + np.float32(0.4) * uniform(f, 73)
    crowns += np.float32(0.08) * uneven.clump[where] + np.float32(0.05) * uneven.fine[where]
    sward = _sward(where, land, spectra, uneven, cover.swards)
    image[:, where] = _mix(sward, crown * np.float32(0.62), crowns)


def _woods(
    image: np.ndarray,
    land: Landscape,
    spectra: Spectra,
    uneven: Unevenness,
) -> None:
    """Woods: crowns lit from the south-east, gaps in shade, stands of their own age."""
    fine, clump, patch, broad = uneven
    crowns = np.float32(0.75) * clump + np.float32(0.55) * fine
    relief = crowns - np.roll(crowns, (1, 1), (0, 1))  # sun in the south-east
    stand = uniform(land.field, 71) - np.float32(0.5)
    conifers = np.clip(np.float32(0.5) + np.float32(2.2) * _unit(clump + 0.3 * patch), 0, 1)
    crown = np.float32(0.45) * spectra.broad_leaved + np.float32(0.31) * spectra.lush
    for code, contrast in ((BROAD_LEAVED, 0.10), (CONIFEROUS, 0.11), (MIXED, 0.10)):
        where = land.truth == code
        c = {BROAD_LEAVED: 0.04, CONIFEROUS: 0.95, MIXED: 0.5}[code]
        share = np.full(int(where.sum()), c, np.float32)
        if code == MIXED:
            share = np.float32(0.36) + np.float32(0.30) * conifers[where]
        else:
            share += np.float32(0.08) * (patch[where] > 1.8) * np.float32(1 if c < 0.5 else -2)
        colour = _mix(crown, spectra.trees, share)
        light = 1 + np.float32(contrast) * relief[where] + np.float32(0.05) * broad[where]
        light += np.float32(0.08) * stand[where]
        image[:, where] = colour * np.clip(light, 0.35, 1.7)
        # young and thinned stands show the ground
        bare = np.clip(np.float32(0.12) * (uniform(land.field[where], 72) - 0.55) / 0.45, 0, 1)
        ground = _mix(spectra.dry_plants, spectra.green_canopy[3], np.float32(0.6))
        image[:, where] = _mix(image[:, where], ground, bare * (1 + patch[where]))
    rides = ((land.truth >= BROAD_LEAVED) & (land.truth <= MIXED)) & (land.edge_px < 0.55)
    _paint(image, rides, spectra.dry_plants, np.float32(0.13))


def _rough_land(
    image: np.ndarray,
    land: Landscape,
    spectra: Spectra,
    uneven: Unevenness,
    season: Season,
) -> None:
    """Heath: heather, dry grass, sand and single pines. Marsh: reed, pools and sedge."""
    fine, clump, patch, broad = uneven
    where = land.truth == HEATH
    grass = np.float32(0.38) + np.float32(0.12) * patch[where] + np.float32(0.16) * broad[where]
    grass += np.float32(0.08) * fine[where]
    colour = _mix(spectra.heather * np.float32(0.72), spectra.dry_plants * np.float32(0.85), grass)
    sand = np.clip(np.float32(0.2) * (patch[where] + broad[where] - 1.5), 0, 0.5)
    colour = _mix(colour, spectra.sand, sand)
    pines = np.clip(np.float32(0.5) * (clump[where] + np.float32(0.5) * broad[where] - 0.5), 0, 0.7)
    image[:, where] = _mix(colour, spectra.trees, pines) * (1 + np.float32(0.06) * fine[where])
    where = land.truth == MARSH
    sedge = np.clip(np.float32(0.3) + np.float32(0.25) * patch[where] + 0.1 * fine[where], 0, 1)
    green = spectra.green(np.float32(2 * season.grass))
    colour = _mix(spectra.reed * np.float32(1.25), green, sedge)
    colour = _mix(colour, spectra.dry_plants, np.float32(0.15) + np.float32(0.1) * patch[where])
    pools = np.clip(np.float32(0.6) * (clump[where] + np.float32(0.5) * broad[where] - 0.6), 0, 0.8)
    image[:, where] = _mix(colour, spectra.clear_water * np.float32(1.3), pools)


def _lines(image: np.ndarray, land: Landscape, spectra: Spectra, clump: np.ndarray) -> None:
    """Tracks, hedges and roads across open country."""
    open_land = (land.truth == ARABLE) | (land.truth == PASTURE) | (land.truth == HEATH)
    tracks = open_land & (land.tracks > 0)
    ground = _mix(spectra.soil, spectra.dry_plants, np.float32(0.5))
    _paint(image, tracks, ground, land.tracks[tracks] * np.float32(0.6))
    hedges = open_land & (land.hedges > 0)
    leafy = spectra.broad_leaved * np.float32(0.6)
    _paint(image, hedges, leafy, land.hedges[hedges] * (np.float32(0.75) + 0.15 * clump[hedges]))
    margin = open_land & (land.edge_px < 0.9)
    _paint(image, margin, spectra.green(np.float32(1.8)), np.float32(0.25))
    roads = (land.settlements.roads > 0) & (land.settlements.code == 0)
    shaded = np.where(land.truth[roads] >= BROAD_LEAVED, 0.45, 0.85).astype(np.float32)
    _paint(image, roads, spectra.paved * np.float32(0.8), land.settlements.roads[roads] * shaded)


def _towns(
    image: np.ndarray, land: Landscape, spectra: Spectra, uneven: Unevenness, season: Season
) -> None:
    """Roofs, streets, gardens, halls and yards."""
    built = land.settlements
    where = (built.code > 0) & (land.waters.code == 0)
    use, plot, density = built.use[where], built.plot[where], built.density[where]
    rough, wave = uneven.fine[where], uneven.patch[where]
    # gardens: lawn, trees and paths
    leaf_area = np.clip(2.2 + 0.8 * wave + 0.5 * rough, 0.3, 5) * np.float32(season.grass)
    lawn = spectra.green(leaf_area)
    lawn = _mix(lawn, spectra.dry_plants, np.float32(0.25))
    trees = np.clip(np.float32(0.44) + np.float32(0.33) * rough, 0, 1)
    garden = _mix(lawn, spectra.broad_leaved * np.float32(0.55), trees)
    ground = _mix(garden, spectra.paved * np.float32(0.8), np.float32(0.15) + 0.26 * density)
    # a house fills part of its pixels, with a roof of tile, slate or sheet
    roof = np.where(
        plot < 0.52,
        spectra.brick[:, None] * (0.5 + 0.8 * plot),
        np.where(
            plot < 0.84,
            spectra.dark_roof[:, None] * (0.3 + plot),
            spectra.concrete[:, None] * (0.9 * plot - 0.05),
        ),
    ).astype(np.float32)
    share = np.clip(np.float32(0.24) + 0.36 * density + np.float32(0.13) * rough, 0.08, 0.85)
    hall = np.select(
        [plot < 0.12, plot < 0.5, plot < 0.6],
        [
            spectra.white_roof[:, None] * (0.4 + 4 * plot),
            spectra.concrete[:, None] * (0.15 + 0.8 * plot),
            spectra.brick[:, None] * 0.8,
        ],
        spectra.dark_roof[:, None] * (0.2 + 1.3 * plot),
    ).astype(np.float32)
    # industrial estates have more paved area and fewer lawns than towns
    estate = land.truth[where] == town.INDUSTRY
    verge = np.where(estate, np.float32(0.2), np.float32(0.52) - 0.3 * density)
    street = _mix(spectra.paved * np.float32(0.65), garden, verge)
    yard = spectra.paved[:, None] * (0.38 + 0.3 * plot + 0.06 * rough)
    green = _mix(
        lawn, spectra.broad_leaved * np.float32(0.6), np.clip(0.5 + 0.3 * wave + 0.2 * rough, 0, 1)
    )
    green = _mix(green, spectra.paved * np.float32(0.65), np.float32(0.3) * estate)
    colour = np.zeros((len(image), use.size), np.float32)
    for kind, surface in (
        (town.STREET, street),
        (town.HOUSES, _mix(ground, roof, share)),
        (town.GARDENS, ground),
        (town.HALL, hall * (1 + np.float32(0.04) * rough)),
        (town.YARD, yard),
        (town.GREEN, green),
    ):
        chosen = use == kind
        colour[:, chosen] = surface[:, chosen]
    image[:, where] = colour
    through = where & (built.roads > 0)
    _paint(image, through, spectra.paved * np.float32(0.85), built.roads[through] * 0.7)


def _shadows(image: np.ndarray, land: Landscape) -> None:
    """Woods and halls darken the pixel to their north-west."""
    tall = ((land.truth >= BROAD_LEAVED) & (land.truth <= MIXED)) | (
        (land.settlements.use == town.HALL) & (land.settlements.code > 0)
    )
    shade = np.zeros(tall.shape, bool)
    shade[:-1, :-1] = tall[1:, 1:] & ~tall[:-1, :-1]
    image[:, shade] *= np.float32(0.74)


def _waters(image: np.ndarray, land: Landscape, spectra: Spectra, broad: np.ndarray) -> None:
    """River and lakes: clear to turbid, with shallows along the banks."""
    where = land.waters.code > MARSH
    murk = land.waters.turbid[where] * (1 + np.float32(0.12) * broad[where])
    colour = _mix(spectra.clear_water, spectra.turbid_water, murk)
    inside = ndimage.distance_transform_edt(land.waters.code > MARSH)[where]
    shallow = np.clip(np.float32(0.3) * (2.2 - inside.astype(np.float32)), 0, 0.3)
    image[:, where] = _mix(colour, spectra.reed, shallow)
    bridges = (land.waters.code == RIVER) & (land.settlements.roads > 0.4)
    _paint(image, bridges, spectra.paved, land.settlements.roads[bridges])
