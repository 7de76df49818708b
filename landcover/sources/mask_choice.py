"""Which raster hides the clouds of which tile, and what of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.masks import look, own_nodata
from landcover.files.raster_names import RasterName, stem_of
from landcover.grid import Grid, same_crs
from landcover.sources.cloud_mask import (
    CLASSI,
    CLASSI_HIDDEN,
    CLASSI_LAYER,
    POLYGONS_LAYER,
    PROBABILITY_LAYER,
    SCL,
    SCL_HIDDEN,
    SCL_LAYER,
    CloudMask,
    is_classi,
    is_scl,
)
from landcover.sources.tile import Tile, day_in_name

#: A raster of more different values holds no classes.
_MOST_CLASSES = 64
_PROBABILITY_IN_NAME = re.compile("CLDPRB|prob", re.IGNORECASE)
_TILE_IN_NAME = re.compile(r"(?<![A-Z0-9])T(\d{2}[A-Z]{3})(?![A-Z0-9])")


@dataclass(frozen=True)
class MaskChoice:
    """What is asked for of masks.

    Attributes
    ----------
    files : tuple of path
        Rasters; the tiles' own layers where there are none.
    classes : tuple of int or str, optional
        Values that hide a pixel, or names of SCL's; by default `cloud_mask.SCL_HIDDEN` of SCL.
    above : float, optional
        Percent; the rasters hold a probability, of which more hides a pixel.
    dilation_m : float
        Hidden pixels grow by so much, metres.

    Raises
    ------
    InputError
        If both classes and a probability are given, or a number is out of range.
    """

    files: tuple[RasterName, ...] = ()
    classes: tuple[int | str, ...] = ()
    above: float | None = None
    dilation_m: float = 0.0

    def __post_init__(self) -> None:
        if self.classes and self.above is not None:
            raise InputError(
                "mask_classes= and mask_above= were both given, and a mask holds classes or a "
                "probability; give one of them"
            )
        if self.above is not None and not 0 <= self.above < 100:
            raise InputError(
                f"mask_above={self.above:g} is no probability in percent, 0 to 99; give one such "
                "as 40"
            )
        if not 0 <= self.dilation_m <= 10_000:
            raise InputError(
                f"mask_dilation={self.dilation_m:g} is out of range; give metres from 0 to 10000"
            )


def masked(tiles: Sequence[Tile], choice: MaskChoice) -> list[Tile]:
    """Tiles with the masks that hide their clouds.

    Parameters
    ----------
    tiles : sequence of Tile
        Of one date or several.
    choice : MaskChoice
        Files belong to tiles by the day, the tile's number such as T33UUU, and the ground; where
        that leaves several possible, in the order of the tiles. Of several days, those that no mask
        names have none, which a note says.

    Returns
    -------
    list of Tile

    Raises
    ------
    InputError
        If a tile has no mask, or several; if a mask is of another product, or of no tile; or if it
        does not hold what is asked of it.
    """
    if not choice.files:
        return [replace(tile, mask=_own(tile, choice)) for tile in tiles]
    grids = [rasters.grid_of(file) for file in choice.files]
    order = _matched(tiles, choice.files, grids)
    masks = [
        _checked(CloudMask(file, 1, grid, dilation_m=choice.dilation_m), stem_of(file), choice)
        for file, grid in zip(choice.files, grids, strict=True)
    ]
    return [
        replace(tile, notes=(*tile.notes, _unmasked(tile)))
        if number is None
        else replace(tile, mask=masks[number])
        for tile, number in zip(tiles, order, strict=True)
    ]


def _unmasked(tile: Tile) -> str:
    return f"no mask is of {tile.day}, and others are given: nothing is hidden in {tile.paths[0]}"


def _own(tile: Tile, choice: MaskChoice) -> CloudMask:
    """The mask in a tile's own files."""
    classes = CLASSI_LAYER if CLASSI_LAYER in tile.layers else SCL_LAYER
    name = classes if choice.above is None else PROBABILITY_LAYER
    if name not in tile.layers:
        if choice.above is None and POLYGONS_LAYER in tile.layers:
            raise InputError(
                f"{tile.layers[POLYGONS_LAYER].path} has the clouds as polygons, which are not "
                "read: burn them into a raster of 1 for clouds and give it with mask= and "
                "mask_classes=1, or leave mask= out"
            )
        what = (
            "SCL, which level 2A has" if choice.above is None else "cloud probability, MSK_CLDPRB"
        )
        if classes in tile.layers:
            raise InputError(
                f"{tile.paths[0]} has no {what}, and has {classes}; hide clouds by that without "
                "mask_above=, or give a raster of the probability with mask="
            )
        raise InputError(
            f"{tile.paths[0]} has no {what}; give the raster of its clouds with mask=, or leave it "
            "out"
        )
    band = tile.layers[name]
    grid = band.grid or rasters.grid_of(band.path)
    mask = CloudMask(band.path, band.number, grid, dilation_m=choice.dilation_m)
    return _checked(mask, name, choice)


def _matched(
    tiles: Sequence[Tile], files: Sequence[RasterName], grids: Sequence[Grid]
) -> list[int | None]:
    """The number of the mask of each tile; None where masks name other days than a tile's own."""
    held_by_files = [
        _Said(_numbers_in([file]), day_in_name(str(file)), grid)
        for file, grid in zip(files, grids, strict=True)
    ]
    held_by_tiles = [_Said(_numbers_in(tile.paths), tile.day, tile.grid) for tile in tiles]
    wrong = [[_other(tile, file) for file in held_by_files] for tile in held_by_tiles]
    fitting = [[i for i, reason in enumerate(row) if reason is None] for row in wrong]
    of_days = len({tile.day for tile in tiles}) > 1 and all(held.day for held in held_by_files)
    days_of_masks = {held.day for held in held_by_files}
    for tile, held, row in zip(tiles, fitting, wrong, strict=True):
        if not held and not (of_days and tile.day and tile.day not in days_of_masks):
            raise InputError(
                f"{files[0]} is no mask of {tile.paths[0]}: {row[0]}; give the mask of the same "
                "product and day"
            )
    in_order = len(files) == len(tiles) and all(i in held for i, held in enumerate(fitting))
    if in_order and any(len(held) > 1 for held in fitting):
        return [*range(len(tiles))]
    for tile, held in zip(tiles, fitting, strict=True):
        if len(held) > 1:
            raise InputError(
                f"{files[held[0]]} and {files[held[1]]} could both be the mask of "
                f"{tile.paths[0]}; give one mask a tile, in the order of the tiles"
            )
    order = [held[0] if held else None for held in fitting]
    for number, file in enumerate(files):
        if number not in order:
            raise InputError(f"{file} is the mask of no tile that was given; leave it out")
        days = {tile.day for tile, own in zip(tiles, order, strict=True) if own == number}
        if held_by_files[number].day is None and len(days) > 1:
            raise InputError(
                f"{file} does not say of which day it is, and there are several: "
                f"{' '.join(sorted(map(str, days)))}; give a mask of each day, named by it"
            )
    return order


@dataclass(frozen=True)
class _Said:
    """What says to which product a tile or a mask belongs: tiles in names, day, ground."""

    numbers: frozenset[str]
    day: str | None
    grid: Grid


def _other(tile: _Said, mask: _Said) -> str | None:
    """Why a mask is of another product than a tile; None where it may be its own."""
    if mask.numbers and tile.numbers and not mask.numbers & tile.numbers:
        return f"it is of tile T{min(mask.numbers)} and the bands are of T{min(tile.numbers)}"
    if mask.day and tile.day and mask.day != tile.day:
        return f"it is of {mask.day} and the bands are of {tile.day}"
    if not _share_ground(tile.grid, mask.grid):
        return (
            "they share no ground ("
            + " and ".join(f"{g.crs.to_string()} {_bounds(g)}" for g in (mask.grid, tile.grid))
            + ")"
        )
    return None


def _bounds(grid: Grid) -> str:
    return " ".join(f"{value:.6g}" for value in grid.bounds)


def _numbers_in(names: Sequence[RasterName]) -> frozenset[str]:
    """The tiles of Sentinel-2's grid that names of files say, or else their folders."""
    found = set[str]()
    for name in names:
        parts = (set(_TILE_IN_NAME.findall(part)) for part in reversed(Path(name).parts))
        found |= next(filter(None, parts), set())
    return frozenset(found)


def _share_ground(one: Grid, other: Grid) -> bool:
    """Whether the extents of two grids overlap."""
    from rasterio.warp import transform_bounds

    bounds = other.bounds
    if not same_crs(one.crs, other.crs):
        bounds = transform_bounds(other.crs, one.crs, *other.bounds)
    west, south, east, north = one.bounds
    turns = (0, 360, -360) if one.crs.is_geographic else (0,)
    return any(bounds[0] + turn < east and bounds[2] + turn > west for turn in turns) and bool(
        bounds[1] < north and bounds[3] > south
    )


def _checked(mask: CloudMask, name: str, choice: MaskChoice) -> CloudMask:
    """A mask with what hides pixels, after a look at its values."""
    if is_classi(name) and choice.above is None:
        return _checked_flags(mask, choice)
    with rasters.open_raster(mask.path) as dataset:
        if mask.number == 1 and dataset.count > 1 and name not in (SCL_LAYER, PROBABILITY_LAYER):
            raise InputError(
                f"{mask.path} has {dataset.count} bands, and a mask has one; give the band of "
                "clouds as a file of its own"
            )
        values = look(dataset, mask.number)
        nodata = own_nodata(dataset, mask.number)
    values = values[np.isfinite(values)]
    if nodata is not None:
        values = values[values != nodata]
    if choice.above is not None:
        _require_percent(mask, values, name)
        return replace(mask, above=choice.above)
    scl = is_scl(name)
    if not scl and not choice.classes:
        raise InputError(
            f"{mask.path} does not say that it is SCL, so its classes are unknown; say which hide "
            "a pixel with mask_classes=, or give a probability's limit with mask_above="
        )
    _require_classes(mask, values, scl)
    classes = _numbers(choice.classes, SCL if scl else {}, SCL_LAYER) or SCL_HIDDEN
    return replace(mask, scl=scl, classes=classes)


def _checked_flags(mask: CloudMask, choice: MaskChoice) -> CloudMask:
    """A mask of a band a class, after a look at its values."""
    with rasters.open_raster(mask.path) as dataset:
        if dataset.count != len(CLASSI):
            raise InputError(
                f"{mask.path} is named MSK_CLASSI and has {dataset.count} bands, and that has "
                f"{len(CLASSI)} ({', '.join(names[0] for names in CLASSI.values())}); give the "
                "true one, or name the file otherwise and say mask_classes="
            )
        wrong = [(n, v) for n in CLASSI for v in np.unique(look(dataset, n)) if v not in (0, 1)]
    if wrong:
        raise InputError(
            f"{mask.path} is named MSK_CLASSI and holds {wrong[0][1]:g} in band {wrong[0][0]}, and "
            "its bands are 0 or 1; give the true one, or name the file otherwise"
        )
    classes = _numbers(choice.classes, CLASSI, CLASSI_LAYER) or CLASSI_HIDDEN
    return replace(mask, flags=tuple(CLASSI), classes=classes)


def _require_percent(mask: CloudMask, values: np.ndarray, name: str) -> None:
    """Refuse what is no probability in percent."""
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 100:
        raise InputError(
            f"{mask.path} holds values from {low:g} to {high:g}, and mask_above= takes a "
            "probability in percent, 0 to 100; give such a raster, or mask_classes= for classes"
        )
    if high <= 1 and np.issubdtype(values.dtype, np.floating):
        raise InputError(
            f"{mask.path} holds numbers from {low:g} to {high:g}, which look like shares and not "
            "like percent; multiply it by 100, since mask_above= is in percent"
        )
    named = name == PROBABILITY_LAYER or _PROBABILITY_IN_NAME.search(name)
    if high == 1 and not named:  # where few clouds are, a probability can be 1 % at most
        raise InputError(
            f"{mask.path} holds 0 and 1 alone, which is a mask and no probability in percent; "
            "give mask_classes=1 instead of mask_above="
        )


def _require_classes(mask: CloudMask, values: np.ndarray, scl: bool) -> None:
    """Refuse what holds no classes, or others than SCL where it is named so."""
    distinct = np.unique(values)
    if len(distinct) > _MOST_CLASSES or not np.array_equal(distinct, np.rint(distinct)):
        raise InputError(
            f"{mask.path} holds {len(distinct):,} different values ({distinct[0]:g} to "
            f"{distinct[-1]:g}) and no classes; give a raster of classes, or a probability with "
            "mask_above="
        )
    strange = [value for value in distinct.tolist() if value not in SCL]
    if scl and strange:
        raise InputError(
            f"{mask.path} is named SCL and holds {strange[0]:g}, and SCL has classes 0 to 11; give "
            "the true one, or name the file otherwise and say mask_classes="
        )


def _numbers(
    classes: Sequence[int | str], of: Mapping[int, Sequence[str]], called: str
) -> tuple[int, ...]:
    """Values of classes that are given by number or, of a known raster, by name."""
    names = {_plain(name): value for value, held in of.items() for name in held}
    found = []
    for given in classes:
        text = str(given)
        if re.fullmatch(r"-?\d+", text):
            found.append(int(text))
        elif _plain(text) in names:
            found.append(names[_plain(text)])
        else:
            known = "; ".join(f"{value} {held[0]}" for value, held in of.items())
            raise InputError(
                f"mask_classes= has {text!r}, which is no class"
                + (f" of {called}: {known}" if of else "; names are of SCL alone: give numbers")
            )
    wrong = [value for value in found if of and value not in of]
    if wrong:
        raise InputError(
            f"mask_classes= has {wrong[0]}, and {called} has classes {min(of)} to {max(of)}"
        )
    return tuple(sorted(set(found)))


def _plain(name: str) -> str:
    """A name without what sets spellings apart.

    >>> _plain("Cloud shadows"), _plain("cloud-shadow")
    ('cloudshadow', 'cloudshadow')
    """
    words = re.findall("[a-z]+", name.lower())
    return "".join(word.removesuffix("s") for word in words)
