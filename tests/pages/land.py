"""The files that pages name, drawn small: bands, products, dates, labels, vectors, chips."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.warp import Resampling, calculate_default_transform, reproject
from shapely.geometry import LineString, box

import landcover as lc
from landcover.files import rasters
from landcover.grid import Grid
from landcover.sources.synthetic.files import write_sequence
from tests.fixtures.eurosat_sets import chip_file
from tests.fixtures.safe_products import write_jp2, write_product, zipped

#: North-west corner of the land, UTM zone 33: within the boxes that pages give in degrees.
CORNER = (330_500.0, 5_814_000.0)
ROWS, COLS = 240, 320
BANDS = ("B02", "B03", "B04", "B08")
#: More than the six of which a ConvLSTM sees some at random.
DAYS = (
    *("2022-04-15", "2022-05-05", "2022-06-17", "2022-07-02", "2022-07-14", "2022-08-03"),
    "2022-09-12",
)
#: Of sequence/, in two years.
SEQUENCE_DAYS = tuple(
    f"{year}-{day}"
    for year in (2022, 2023)
    for day in ("03-16", "04-30", "06-14", "08-03", "09-17", "11-01")
)
#: What WorldCover would say of a class of CORINE.
WORLDCOVER = {1: 50, 2: 40, 3: 10, 4: 90, 5: 80}


def draw(folder: Path) -> None:
    """Write everything into a folder."""
    land = lc.make_scene(ROWS, COLS, seed=7, origin=CORNER, keep="20m")
    core = lc.make_scene(ROWS, COLS, seed=7, origin=CORNER)
    _bands(folder, core.image, core.grid)
    _dates(folder, core.image, core.grid)
    _products(folder)
    lc.write(folder / "ten_bands.tif", land.image, land.grid, land.bands, nodata=np.nan)
    _rasters(folder, land.image, core.truth, core.grid)
    _corine(folder, [(core.corine, core.corine_grid)])
    _vectors(folder, core.truth, core.grid)
    _chips(folder)


def dn(image: np.ndarray, offset: int = 0) -> np.ndarray:
    """Digital numbers of reflectance."""
    return (np.nan_to_num(image) * 10_000 + offset).round().clip(1, 65_535).astype(np.uint16)


def _bands(folder: Path, image: np.ndarray, grid: Grid) -> None:
    for name, pixels in zip(BANDS, dn(image), strict=True):
        lc.write(folder / f"{name}.tif", pixels, grid, [name], nodata=0)
    for name, pixels in zip(("b2", "b3", "b4", "b8"), dn(image, 1000), strict=True):
        lc.write(folder / f"{name}.tif", pixels, grid, [name], nodata=0)
    scl = np.full(grid.shape, 4, np.uint16)
    scl[:20, :30] = 9
    unnamed = np.stack([*dn(image)[[2, 1, 0, 3]], scl])
    lc.write(folder / "stack.tif", unnamed, grid, [""] * 5, nodata=0)
    half = grid.cols // 2 // 12 * 12
    for side, columns in (("west", slice(0, half)), ("east", slice(half, None))):
        part = image[:, :, columns]
        window = lc.Window(0, columns.start, grid.rows, part.shape[2])
        for name, pixels in zip(BANDS, dn(part), strict=True):
            write_jp2(folder / side / f"{name}.jp2", pixels, grid.crop(window))
    for name in ("stack_in_degrees.tif", "scene_in_degrees.tif"):
        _in_degrees(folder / name, dn(image), grid)


def _in_degrees(path: Path, pixels: np.ndarray, grid: Grid) -> None:
    bounds = rasterio.transform.array_bounds(grid.rows, grid.cols, grid.transform)
    to = CRS.from_epsg(4326)
    transform, cols, rows = calculate_default_transform(grid.crs, to, grid.cols, grid.rows, *bounds)
    warped = np.zeros((len(pixels), rows, cols), pixels.dtype)
    reproject(
        pixels,
        warped,
        src_transform=grid.transform,
        src_crs=grid.crs,
        dst_transform=transform,
        dst_crs=to,
        resampling=Resampling.nearest,
    )
    lc.write(path, warped, Grid(to, transform, rows, cols), list(BANDS), nodata=0)


def _dates(folder: Path, image: np.ndarray, grid: Grid) -> None:
    rng = np.random.default_rng(1)
    for day in DAYS:
        seen = image * rng.uniform(0.9, 1.1)
        seen[:, rng.integers(0, 150) :, :][:, :40, :60] = np.nan
        pixels = np.where(np.isnan(seen), 0, dn(seen)).astype(np.uint16)
        for name, band in zip(BANDS, pixels, strict=True):
            (folder / day).mkdir(exist_ok=True)
            lc.write(folder / day / f"{name}.tif", band, grid, [name], nodata=0)
    made = lc.make_sequence(seed=3, shape=(200, 240), dates=6, years=(2022, 2023), cloud=0.2)
    write_sequence(folder / "sequence", made)


def _products(folder: Path) -> None:
    """Products under the names of the pages; the day within is that of the name."""
    made = _with_few_clouds(write_product(folder / "made").path)
    long = "S2A_MSIL2A_{day}T100031_N0400_R122_T33UUU_{day}T140000"
    for name, day in {
        long.format(day="20220601"): "20220601",
        "S2B_MSIL2A_20230601T101559_N0509_R065_T33UUU_20230601T124759": "20230601",
        "A": "20220601",
        "B": "20220616",
        "C": "20220701",
        "JUNE": "20220601",
        "JULY": "20220701",
    }.items():
        product = _of_day(made, folder / f"{name}.SAFE", day)
        zipped(product)
    (folder / "list.txt").write_text("C.SAFE\n")
    first = write_product(folder / "first", level="1C", baseline="02.04").path
    shutil.copytree(next(first.rglob("IMG_DATA")), folder / "IMG_DATA")


def _with_few_clouds(product: Path) -> Path:
    """A product whose scene classification is vegetation with one cloud, and not random."""
    for path in product.rglob("*_SCL_*.jp2"):
        grid = rasters.grid_of(path)
        scl = np.full(grid.shape, 4, np.uint8)
        scl[: grid.rows // 4, : grid.cols // 4] = 9
        write_jp2(path, scl, grid)
    return product


def _of_day(product: Path, to: Path, day: str) -> Path:
    """A copy of a product that was taken on another day."""
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    shutil.copytree(product, to)
    for path in sorted(to.rglob("*"), reverse=True):
        if path.suffix == ".xml":
            text = path.read_text()
            path.write_text(text.replace("20230601", day).replace("2023-06-01", iso))
        path.rename(path.with_name(path.name.replace("20230601", day)))
    return to


def _rasters(folder: Path, image: np.ndarray, truth: np.ndarray, grid: Grid) -> None:
    first = truth // 100
    worldcover = np.zeros(grid.shape, np.uint8)
    for level, code in WORLDCOVER.items():
        worldcover[first == level] = code
    for name in ("worldcover.tif", "classes.tif"):
        lc.write(folder / name, worldcover, grid, ["class"], nodata=0)
    rows, cols = np.indices(grid.shape)
    height = (100 + rows / 4 + 20 * np.sin(cols / 40)).astype(np.float32)
    lc.write(folder / "dem.tif", height, grid, ["elevation"], nodata=-9999)
    for name in ("embedding_2023.tif", "emb.tif"):
        names = [f"A{n:02}" for n in range(8)]
        lc.write(folder / name, image[:8].astype(np.float32), grid, names, nodata=np.nan)


def _corine(folder: Path, parts: Iterable[tuple[np.ndarray, Grid]]) -> None:
    """One raster of grid codes over all the land, and over that of the products."""
    ((cells, grid),) = parts
    west, north = grid.transform.c, grid.transform.f
    margin = 700
    rng = np.random.default_rng(0)
    big = rng.choice([2, 12, 18, 23, 24], size=(280, 280)).repeat(5, 0).repeat(5, 1)
    big = big.astype(np.uint8)
    inner = big[margin : margin + grid.rows, margin : margin + grid.cols]
    inner[cells > 0] = cells[cells > 0]
    side = grid.transform.a
    transform = rasterio.Affine(side, 0, west - margin * side, 0, -side, north + margin * side)
    whole = Grid(grid.crs, transform, *big.shape)
    for name in ("CLC.tif", "corine.tif", "U2018_CLC2018_V2020_20u1.tif"):
        lc.write(folder / name, big, whole, ["CLC grid code"], nodata=0)


def _vectors(folder: Path, truth: np.ndarray, grid: Grid) -> None:
    squares, classes = [], []
    for row in range(4, grid.rows - 16, 16):
        for col in range(4, grid.cols - 16, 16):
            part = truth[row : row + 8, col : col + 8]
            if (part == part[0, 0]).all():
                x, y = grid.transform @ (col, row)
                squares.append(box(x, y - 80, x + 80, y))
                classes.append(int(part[0, 0]))
    areas = geopandas.GeoDataFrame({"class": classes}, geometry=squares, crs=grid.crs)
    for name in ("areas.gpkg", "training.gpkg"):
        areas.to_file(folder / name)
    held = [lc.Legend.corine()[code] for code in sorted({*classes})]
    rows = [f"{one.code},{one.name},{one.hex_colour}" for one in held]
    (folder / "table.csv").write_text("\n".join(["code,name,colour", *rows]) + "\n")
    (x0, y0), (x1, y1) = grid.transform @ (0, 0), grid.transform @ (grid.cols, grid.rows)
    road = geopandas.GeoDataFrame(geometry=[LineString([(x0, y0), (x1, y1)])], crs=grid.crs)
    road.to_file(folder / "roads.gpkg")
    road.to_file(folder / "osm.gpkg", layer="roads")
    part = geopandas.GeoDataFrame(
        {"name": ["park"]}, geometry=[box(x0 + 200, y1 + 200, x0 + 2400, y0 - 200)], crs=grid.crs
    )
    part.to_crs(4326).to_file(folder / "area.geojson")
    part.to_crs(4326).to_file(folder / "parks.geojson")
    part.to_file(folder / "polygons.gpkg")


def _chips(folder: Path) -> None:
    (folder / "image.jpg").write_bytes(chip_file("Forest_1", "jpg"))
    (folder / "other.tif").write_bytes(chip_file("River_2", "tif"))
