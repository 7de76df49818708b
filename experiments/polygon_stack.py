"""Six classes from training polygons over 20 layers: three ways of holding out, side by side.

python -m experiments.polygon_stack OUT [--data DATA] [--places NAME ...] [--seeds N] [--map]

The published pipeline: B02 to B08, B8A, B09, B11 and B12, six indices, elevation, slope and aspect,
standardised; 70 % of the labelled pixels train a map by the nearest neighbours, 30 % test it. Here
the 30 % are held out pixel by pixel, by whole polygons, and by blocks of land that hold whole
polygons. On synthetic land the map is scored against the exact truth too. DATA is the folder of
real scenes; a place has as many of the layers as its files allow.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments import study
from landcover.commands.options import COUNT
from landcover.files import class_rasters, rasters, vectors
from landcover.grid import Grid, Window
from landcover.legend import LandClass, Legend
from landcover.progress import say
from landcover.samples.blocks import Layout
from landcover.scene import features, terrain
from landcover.scene.feature_names import available
from landcover.sources import synthetic

CLASSES = Legend(
    (
        LandClass(1, "built-up", (230, 0, 77)),
        LandClass(2, "farmland", (255, 255, 168)),
        LandClass(3, "forest", (0, 166, 0)),
        LandClass(4, "meadow", (204, 242, 77)),
        LandClass(5, "water", (0, 77, 204)),
        LandClass(6, "other", (166, 230, 204)),
    )
)
BUILT, FARM, FOREST, MEADOW, WATER, OTHER = CLASSES.codes
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
INDICES = ("ndvi", "ndre", "evi2", "bi2", "mndwi", "ndbi")
#: Share that is held out.
TESTED = 0.3
NEIGHBOURS = 5
#: Most pixels of a polygon: the largest ones would be most of a table.
OF_POLYGON = 200
#: Side of a block, pixels.
BLOCK_PX = 100
#: Ways of holding out, as the table names them.
WAYS = ("pixels", "polygons", "blocks")


@dataclass(frozen=True)
class Place:
    """A scene with training polygons.

    Attributes
    ----------
    image : array of float32 (bands, rows, cols)
        Reflectance, NaN where there is none.
    bands : tuple of str
        Their names.
    grid : Grid
        Of the scene.
    shapes : list of geometries
        Training polygons in its CRS.
    codes : list of int
        The class of each, of `CLASSES`.
    elevation : array of float32 (rows, cols), optional
        Metres.
    truth : array of int (rows, cols), optional
        The exact class of every pixel.
    """

    image: np.ndarray
    bands: tuple[str, ...]
    grid: Grid
    shapes: list
    codes: list[int]
    elevation: np.ndarray | None = None
    truth: np.ndarray | None = None


def stack(place: Place) -> tuple[np.ndarray, list[str]]:
    """The layers that a place allows, (layers, rows, cols), and their names.

    Aspect is one layer of the published stack and two here, its sine and cosine.
    """
    held = [band for band in BANDS if band in place.bands]
    image = place.image[[place.bands.index(band) for band in held]]
    indices = available(held, INDICES)
    layers = [*image, *features.compute_features(image, held, indices)]
    names = [*held, *indices]
    if place.elevation is not None:
        around = np.pad(place.elevation, 1, constant_values=np.nan)
        slope = terrain.slope(around, place.grid.pixel_size_m)
        sine, cosine = terrain.aspect(around, place.grid.pixel_size_m)
        layers += [place.elevation, slope, sine, cosine]
        names += ["elevation", "slope", "aspect_sin", "aspect_cos"]
    return np.stack(layers).astype(np.float32), names


@dataclass(frozen=True)
class Table:
    """Labelled pixels.

    Attributes
    ----------
    values : array of float32 (pixels, layers)
    codes, polygon, block : arrays of int (pixels,)
        Class, number of the polygon, and the block that holds most of that polygon.
    """

    values: np.ndarray
    codes: np.ndarray
    polygon: np.ndarray
    block: np.ndarray


def table_of(place: Place, layers: np.ndarray, seed: int = 0) -> Table:
    """The pixels inside polygons that have all layers, at most `OF_POLYGON` of each."""
    rows, cols = place.grid.shape
    whole, numbers = Window(0, 0, rows, cols), range(1, len(place.shapes) + 1)
    polygon = vectors.burn(
        vectors.Polygons(place.shapes), numbers, place.grid, whole, dtype="uint32"
    )
    plan = Layout(rows, cols, BLOCK_PX, 0)
    rng, usable = np.random.default_rng(seed), np.isfinite(layers).all(axis=0)
    taken, block_of = list[np.ndarray](), np.zeros(len(place.shapes) + 1, np.int64)
    for number in numbers:
        inside = np.flatnonzero((polygon == number) & usable)
        if inside.size:
            block_of[number] = np.bincount(plan.block_of(*np.divmod(inside, cols))).argmax()
        taken.append(np.sort(rng.permutation(inside)[:OF_POLYGON]))
    at = np.concatenate(taken)
    number = polygon.ravel()[at].astype(np.int64)
    block = block_of[number]
    return Table(
        layers.reshape(len(layers), -1).T[at], np.array(place.codes)[number - 1], number, block
    )


def hold_out(groups: np.ndarray, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which pixels are tested: whole groups at random, until each class has its share.

    Parameters
    ----------
    groups, codes : arrays of int (pixels,)
        Group and class of each pixel.
    rng : numpy Generator
        Decides the order of groups.

    Returns
    -------
    array of bool (pixels,)
        About `TESTED` of each class; every class keeps a group to train on, and one that has a
        single group is not tested.
    """
    names, of_group = np.unique(groups, return_inverse=True)
    classes, of_class = np.unique(codes, return_inverse=True)
    held = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(held, (of_group, of_class), 1)
    wanted, tested = TESTED * held.sum(axis=0), np.zeros(len(classes), np.int64)
    groups_left, chosen = (held > 0).sum(axis=0), np.zeros(len(names), bool)
    for group in rng.permutation(len(names)):
        own = held[group] > 0
        if (groups_left[own] > 1).all() and (tested[own] < wanted[own]).any():
            chosen[group] = True
            tested += held[group]
            groups_left -= own
    return chosen[of_group]


def classifier() -> Any:  # noqa: ANN401 - of a library without types
    """Standardised layers, and the nearest neighbours."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), KNeighborsClassifier(NEIGHBOURS))


def scores_of(table: Table, seeds: int) -> dict[str, list[tuple[float, float]]]:
    """Overall accuracy and macro F1 of each way of holding out, by seed."""
    from sklearn.metrics import accuracy_score, f1_score

    groups = {
        "pixels": np.arange(len(table.codes)),
        "polygons": table.polygon,
        "blocks": table.block,
    }
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for seed in range(seeds):
        for number, way in enumerate(WAYS):
            test = hold_out(groups[way], table.codes, np.random.default_rng([seed, number]))
            if not test.any():
                continue
            model = classifier().fit(table.values[~test], table.codes[~test])
            truth, said = table.codes[test], model.predict(table.values[test])
            scores = accuracy_score(truth, said), f1_score(truth, said, average="macro")
            found[way].append((float(scores[0]), float(scores[1])))
    return found


def map_of(layers: np.ndarray, table: Table) -> np.ndarray:
    """The class of every pixel that has all layers, from all labelled pixels; 0 elsewhere."""
    usable = np.isfinite(layers).all(axis=0)
    codes = np.zeros(usable.shape, np.uint16)
    model = classifier().fit(table.values, table.codes)
    codes[usable] = model.predict(layers[:, usable].T)
    return codes


def land(seed: int, rows: int = 300, cols: int = 400, polygons: int = 120) -> Place:
    """Synthetic hills with twelve bands, and polygons that somebody drew on pure ground."""
    import shapely

    scene = synthetic.make_scene(rows, cols, seed, keep="all", relief_m=200.0)
    truth, rng = six_classes(scene.truth), np.random.default_rng([seed, 5])
    shapes, codes = list[Any](), list[int]()
    for code in np.unique(truth).tolist():
        drawn = 0
        for at in rng.permutation(np.flatnonzero(truth == code)).tolist():
            row, col = divmod(at, cols)
            half = int(rng.integers(2, 6))
            part = truth[max(row - half, 0) : row + half + 1, max(col - half, 0) : col + half + 1]
            x, y = (float(v) for v in scene.grid.xy(row, col))
            reach = 10 * half
            square = shapely.box(x - reach, y - reach, x + reach, y + reach)
            if (part == code).mean() > 0.95 and not any(square.intersects(s) for s in shapes):
                shapes.append(square)
                codes.append(code)
                drawn += 1
            if drawn >= polygons // len(CLASSES.codes):
                break
    return Place(scene.image, scene.bands, scene.grid, shapes, codes, scene.elevation, truth)


def six_classes(clc: np.ndarray) -> np.ndarray:
    """The six classes of CLC codes of level 3."""
    found = np.full(clc.shape, OTHER, np.int64)
    for low, high, code in (
        (100, 199, BUILT), (200, 299, FARM), (231, 231, MEADOW), (311, 313, FOREST),
        (321, 321, MEADOW), (324, 324, FOREST), (500, 599, WATER),
    ):  # fmt: skip
        found[(clc >= low) & (clc <= high)] = code
    return found


def _polygons(
    path: Path, grid: Grid, of: Mapping[str, int], field: str | None
) -> tuple[list, list[int]]:
    """Polygons and their classes: by a field, or by the layer that they lie in."""
    if field is not None:
        found = vectors.read_polygons(path, grid, field)
        return list(found.geometries), [of[str(value)] for value in found.values or ()]
    shapes, codes = list[Any](), list[int]()
    for layer, code in of.items():
        held = vectors.read_polygons(vectors.with_layer(path, layer), grid).geometries
        shapes += held
        codes += [code] * len(held)
    return shapes, codes


def _on_grid(path: Path, grid: Grid, resampling: str = "cubic") -> np.ndarray:
    """All bands of a raster on a grid, float32 (bands, rows, cols); NaN where there is nothing."""
    with rasters.open_on_grid(path, grid, resampling) as warped:
        values = rasters.read_window(warped).astype(np.float32)
    values[values == 0] = np.nan
    return values


def aber(data: Path) -> Place:
    """Aberystwyth: 16 tiles that overlap, ten bands, SRTM, 40 polygons in four layers."""
    folder = data / "aber-wales"
    heights = folder / "derived" / "aber_srtm_10m.tif"
    grid = rasters.grid_of(heights)
    image = np.full((10, *grid.shape), np.nan, np.float32)
    for tile in sorted(folder.glob("tiles/*.tif")):
        part = _on_grid(tile, grid, "nearest")
        image = np.where(np.isfinite(image), image, part)
    layers = {"forest": FOREST, "grass": MEADOW, "urban": BUILT, "water": WATER}
    of = {f"cls_{name}_smpls": code for name, code in layers.items()}
    shapes, codes = _polygons(folder / "cls_poly_smpls.gpkg", grid, of, None)
    bands = tuple(band for band in BANDS if band != "B09")
    return Place(image / 1000, bands, grid, shapes, codes, rasters.read(heights)[0])


def amazon(data: Path) -> Place:
    """Beside the Amazon: twelve bands in degrees, SRTM, 25 polygons."""
    folder = data / "amazon-rstoolbox"
    grid = rasters.grid_of(folder / "sen2.tif")
    named = tuple(
        f"B{int(b[1:]):02d}" if b[1:].isdigit() else b
        for b in rasters.band_names(folder / "sen2.tif")
    )
    of = {"forest": FOREST, "village": BUILT, "water": WATER, "dryout": OTHER}
    shapes, codes = _polygons(folder / "trainingPolygons_sen2.gpkg", grid, of, "class")
    heights = rasters.read(folder / "srtm_sen2.tif")[0].astype(np.float32)
    image = _on_grid(folder / "sen2.tif", grid, "nearest") / 10_000
    return Place(image, named, grid, shapes, codes, heights)


def california(data: Path) -> Place:
    """Red Clover Valley: ten bands of two resolutions, 45 polygons of a meadow's plant cover."""
    folder = data / "california-igisci" / "20200802"
    grid = rasters.grid_of(folder / "B02.tif")
    bands = tuple(band for band in BANDS if band != "B09")
    image = np.stack([_on_grid(folder / f"{band}.tif", grid)[0] for band in bands]) / 10_000
    of = {
        "forest": FOREST, "hydric": MEADOW, "mesic": MEADOW, "water": WATER,
        "rocky": OTHER, "willow": OTHER, "xeric": OTHER,
    }  # fmt: skip
    path = folder.parent / "labels" / "train_polys7.shp"
    return Place(image, bands, grid, *_polygons(path, grid, of, "class"))


REAL: dict[str, Callable[[Path], Place]] = {
    "aber-wales": aber, "amazon-rstoolbox": amazon, "california-igisci": california,
}  # fmt: skip
SYNTHETIC = ("synthetic-0", "synthetic-1")


def result(name: str, place: Place, seeds: int, out: Path | None = None) -> dict[str, object]:
    """Scores of a place, and its map in a folder if one is given."""
    layers, names = stack(place)
    table = table_of(place, layers)
    found: dict[str, object] = {
        "layers": names,
        "pixels": len(table.codes),
        "polygons": len(np.unique(table.polygon)),
        "blocks": len(np.unique(table.block)),
        "classes": [CLASSES[code].name for code in np.unique(table.codes).tolist()],
        "scores": scores_of(table, seeds),
    }
    if out is None and place.truth is None:
        return found
    codes = map_of(layers, table)
    if place.truth is not None:
        known = (codes > 0) & np.isin(place.truth, table.codes)
        found["true"] = float((codes == place.truth)[known].mean())
    if out is not None:
        class_rasters.write_classes(out / f"{name}.tif", codes, place.grid, CLASSES)
    return found


def report(known: Mapping[str, Mapping]) -> str:
    """The table: means over seeds, with the middle 90 % of them, in percent."""
    lines = [
        "| place | layers, polygons, blocks, pixels | random pixels | whole polygons | blocks | "
        "macro F1 of each | map against truth |",
        "|---" * 7 + "|",
    ]
    for name, held in known.items():
        cells, f1 = list[str](), list[str]()
        for way in WAYS:
            runs = np.array(held["scores"][way]).reshape(-1, 2)
            if not len(runs):
                cells.append("too few blocks")
                f1.append("-")
                continue
            low, high = np.percentile(100 * runs[:, 0], [5, 95])
            cells.append(f"{100 * runs[:, 0].mean():.1f} % ({low:.1f}-{high:.1f})")
            f1.append(f"{runs[:, 1].mean():.2f}")
        sizes = ", ".join(
            f"{n:,}"
            for n in (len(held["layers"]), held["polygons"], held["blocks"], held["pixels"])
        )
        true = f"{100 * held['true']:.1f} %" if "true" in held else ""
        lines.append(f"| {name} | {sizes} | {' | '.join(cells)} | {', '.join(f1)} | {true} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Score the places that are not scored yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--data", type=Path, help="folder of real scenes")
    parser.add_argument("--places", nargs="+", choices=(*SYNTHETIC, *REAL))
    parser.add_argument("--seeds", type=COUNT, default=20, help="of each way of holding out")
    parser.add_argument("--map", action="store_true", help="write the maps too")
    a = parser.parse_args(argv)
    book = study.Book(a.out / "polygon_stack.json")
    names = a.places or (*SYNTHETIC, *(REAL if a.data else ()))
    with study.refusals(parser):
        for name in names:
            if name in REAL and a.data is None:
                parser.error(f"{name} is a real scene: give the folder with --data")

            def make(name: str = name) -> dict[str, object]:
                place = REAL[name](a.data) if name in REAL else land(int(name[-1]))
                return result(name, place, a.seeds, a.out if a.map else None)

            if book.add(name, make):
                say(f"{name} done")
    print(report({name: book[name] for name in names}))


if __name__ == "__main__":
    main()
