"""A scene from a seed: an image, its exact classes, and labels generalised as CORINE's are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from landcover.errors import InputError
from landcover.grid import Grid
from landcover.labels import generalise
from landcover.labels.schemes import SCHEMES
from landcover.legend import UNLABELLED
from landcover.sensors import SENTINEL2
from landcover.sources.keep import Keep, kept_bands
from landcover.sources.synthetic.instrument import measure_elevation, sense
from landcover.sources.synthetic.landscape import Landscape, draw
from landcover.sources.synthetic.look import Look
from landcover.sources.synthetic.spectra import ALL_BANDS
from landcover.sources.synthetic.surfaces import ground

#: The shortest side of a scene: below it regions of 25 ha do not fit beside each other.
MINIMUM_PX = 160
#: North-west corner in EPSG:32633 (m): the Spree lowland in Brandenburg.
ORIGIN = (380_000.0, 5_790_000.0)
#: Rows and columns of the scene of the demo.
DEMO_PX = (800, 1600)


@dataclass(frozen=True)
class SyntheticScene:
    """A synthetic scene.

    Attributes
    ----------
    image : array of float32, (bands, rows, cols)
        Reflectance. Bands of 20 and 60 m are brought to the grid by cubic convolution, as a
        prepared scene has them.
    bands : tuple of str
        B02, B03, B04, B08, unless others were asked for.
    grid : Grid
        10 m pixels in EPSG:32633.
    truth : array of uint16, (rows, cols)
        CLC codes; every pixel has one.
    corine : array of uint8
        CLC grid codes (1 to 44) of 100 m cells; 0 beyond the scene.
    corine_grid : Grid
        Their grid in EPSG:3035, on whole hundreds of metres.
    elevation : array of float32, (rows, cols), optional
        Metres, where there is relief: what a model of 30 m pixels says, with its errors.
    native : dict of array of float32
        Bands of 20 and 60 m by name, in their own pixels from the scene's corner on.
    """

    image: np.ndarray
    bands: tuple[str, ...]
    grid: Grid
    truth: np.ndarray
    corine: np.ndarray
    corine_grid: Grid
    elevation: np.ndarray | None = None
    native: dict[str, np.ndarray] = field(default_factory=dict)

    def labels(self) -> np.ndarray:
        """CLC codes of the nearest CORINE cell on the scene's grid, uint16 (rows, cols).

        Returns
        -------
        array of uint16, (rows, cols)
            Class codes.
        """
        return labels_on(self.corine, self.corine_grid, self.grid)

    def agreement(self) -> float:
        """Share of pixels whose CORINE label is their true class.

        Returns
        -------
        float
            From 0 to 1.
        """
        return float((self.labels() == self.truth).mean())


class LandscapeSettings(TypedDict, total=False):
    """Settings of `make_scene` that are the landscape's alone."""

    field_px: float
    woods: float
    pastures: float
    heath: float
    settlement: float
    origin: tuple[float, float]


def make_scene(
    rows: int = DEMO_PX[0],
    cols: int = DEMO_PX[1],
    seed: int = 0,
    *,
    origin: tuple[float, float] = ORIGIN,
    keep: Keep = "core",
    **look: float,
) -> SyntheticScene:
    """Make a scene from a seed.

    Parameters
    ----------
    rows, cols : int
        Size in 10 m pixels, at least 160 each. Labels are as good as CORINE's from 300 on;
        below 350 there are no mixed woods, heath or industry.
    seed : int
        Seed of all random numbers; not negative.
    origin : (float, float)
        North-west corner in EPSG:32633 (m). The cells of the labels follow from it, so scenes of
        one mosaic need their own corners.
    keep : str or sequence of str
        Bands of Sentinel-2, as `open_sentinel2` takes them: "core" (B02, B03, B04, B08), "20m",
        "all" (the twelve that see the ground; B10 does not) or names. Neither the land nor the
        four bands depend on it.
    **look : float
        What it looks like, attributes of `landcover.sources.synthetic.Look`: ``field_px`` (30),
        ``noise`` (0.0015), ``haze`` (0.02), ``woods`` (0.30), ``pastures`` (0.22), ``heath``
        (0.05), ``settlement`` (1), ``relief_m`` (0, level land) and ``shade`` (1).

    Returns
    -------
    SyntheticScene
        The same settings and versions give the same bytes.

    Raises
    ------
    InputError
        If a setting is outside its range.

    Examples
    --------
    >>> scene = make_scene(160, 200, seed=1, woods=0.5)
    >>> scene.image.shape, scene.truth.shape, scene.grid.resolution
    ((4, 160, 200), (160, 200), (10.0, 10.0))
    >>> hills = make_scene(160, 200, seed=1, keep="all", relief_m=200)
    >>> len(hills.bands), hills.native["B11"].shape, hills.elevation.shape
    (12, (80, 100), (160, 200))
    """
    return draw_land(rows, cols, seed, Look(**look), origin, keep)[1]


def draw_land(
    rows: int,
    cols: int,
    seed: int,
    look: Look,
    origin: tuple[float, float] = ORIGIN,
    keep: Keep = "core",
) -> tuple[Landscape, SyntheticScene]:
    """The landscape of a seed, and its scene; parameters and errors are those of `make_scene`."""
    grid = grid_of(rows, cols, seed, origin)
    bands = tuple(kept_bands(keep, ALL_BANDS, SENTINEL2, "a synthetic scene"))
    places, light, interpreter, hills = (np.random.default_rng([seed, part]) for part in range(4))
    land = draw(places, grid.shape, look, hills)
    image = ground(light, land, bands, look.shade)
    native = sense(light, image, bands, look.noise, look.haze)
    cells, cells_grid = generalise.to_corine(land.truth, grid, interpreter)
    codes = grid_codes(cells)
    known = None if land.elevation is None else measure_elevation(hills, land.elevation)
    scene = SyntheticScene(image, bands, grid, land.truth, codes, cells_grid, known, native)
    return land, scene


def grid_of(rows: int, cols: int, seed: int, origin: tuple[float, float]) -> Grid:
    """The grid of a scene, after checking that it and the seed are within their ranges."""
    from affine import Affine
    from rasterio.crs import CRS

    _check_whole("rows", rows, MINIMUM_PX, 20_000)
    _check_whole("cols", cols, MINIMUM_PX, 20_000)
    _check_whole("seed", seed, 0, 2**63 - 1)
    return Grid(CRS.from_epsg(32633), Affine(10, 0, origin[0], 0, -10, origin[1]), rows, cols)


def labels_on(corine: np.ndarray, corine_grid: Grid, grid: Grid) -> np.ndarray:
    """CLC codes of the nearest of CORINE's cells on the grid of a scene, uint16 (rows, cols)."""
    from rasterio.warp import Resampling, reproject

    labels = np.zeros(grid.shape, np.uint16)
    reproject(
        SCHEMES["corine-grid"].recode(corine),
        labels,
        src_transform=corine_grid.transform,
        src_crs=corine_grid.crs,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        resampling=Resampling.nearest,
    )
    return labels


def grid_codes(cells: np.ndarray) -> np.ndarray:
    """CLC codes as the grid codes 1 to 44 of CORINE's raster."""
    values = SCHEMES["corine-grid"].values
    table = np.full(max(values.values()) + 1, UNLABELLED, np.uint8)
    table[list(values.values())] = list(values)
    return table[cells]


def _check_whole(name: str, value: int, low: int, high: int) -> None:
    """A whole number within its range, or an error that says so."""
    if int(value) != value or not low <= value <= high:
        raise InputError(f"{name} {value} is out of range; choose a whole {low} to {high}")
