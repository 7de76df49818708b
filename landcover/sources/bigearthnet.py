"""BigEarthNet: Sentinel-2 patches of 1.2 km, labelled with the CORINE classes in them.

Version 1 (Sumbul et al. 2019, doi:10.1109/IGARSS.2019.8900532) is a folder a patch with a GeoTIFF
a band and a JSON of labels. Version 2 (Clasen et al. 2024, arXiv:2407.03653) files patches by
tile, keeps labels, splits and doubts in ``metadata.parquet``, and adds reference maps. Both hold
digital numbers of level 2A from before baseline 04.00, without its offset.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files import rasters, tables
from landcover.files.atomic import read_json
from landcover.files.texts import read_csv
from landcover.labels.bigearthnet import codes_of_corine, codes_of_labels, legend_of
from landcover.labels.schemes import SCHEMES
from landcover.legend import UNLABELLED, Legend, corine
from landcover.progress import track
from landcover.sensors import SENTINEL2
from landcover.sources.chip_store import SPLITS, Labelled, write_store
from landcover.sources.said import numbers_of_set

#: All bands of level 2A, by wavelength.
BANDS = SENTINEL2.surface_names
CHIP_PX = 120
#: Pixels of a band's side, where it is coarser than 10 m.
_COARSE_PX = {
    band.name: round(CHIP_PX * 10 / band.pixel_m) for band in SENTINEL2.bands if band.pixel_m > 10
}

_DOUBTS = ("contains_seasonal_snow", "contains_cloud_or_shadow")
_COLUMNS = ("patch_id", "labels", "split", *_DOUBTS)
#: The lists of version 1 call parts so; the words of version 2 are the ones used here.
_LISTS = {"train": "train", "val": "validation", "test": "test"}
_READERS = 4


@dataclass(frozen=True)
class Patches(Labelled):
    """Patches of a folder, in the order of their names; pixels are read when asked for.

    Attributes
    ----------
    folders : tuple of Path
        Where the bands of each lie.
    doubtful : tuple of bool or None
        Whether the metadata speak of snow, cloud or shadow; None of version 1, whose do not say.
    """

    folders: tuple[Path, ...]
    doubtful: tuple[bool | None, ...]

    def select(self, indices: Iterable[int]) -> Patches:
        """Some of the patches."""
        kept = list(indices)
        return Patches(
            tuple(self.names[place] for place in kept),
            tuple(self.codes[place] for place in kept),
            tuple(self.splits[place] for place in kept),
            self.legend,
            tuple(self.folders[place] for place in kept),
            tuple(self.doubtful[place] for place in kept),
        )


def open_patches(source: str | os.PathLike[str], classes: str = "19") -> Patches:
    """Find the patches of a folder of either version, and their classes.

    Patches without a class are left out: 19 classes drop 11 of CORINE's. Version 2 names the 19
    only, so its other classes are those that occur in its reference maps.

    Parameters
    ----------
    source : path
        The folder that holds ``BigEarthNet-v1.0`` or its patches; or, of version 2,
        ``metadata.parquet`` beside ``BigEarthNet-S2`` and ``Reference_Maps``.
    classes : {"19", "43", "corine"}
        Nomenclature of the labels.

    Raises
    ------
    InputError, MissingProduct
        If there are no patches, or naming the patch that is missing, is there twice, or has
        metadata that cannot be read or labels that are unknown.
    """
    root = Path(source)
    if not root.is_dir():
        raise MissingProduct(f"{root} is no folder; give the one that BigEarthNet was unpacked in")
    find = _version_2 if (root / "metadata.parquet").exists() else _version_1
    rows = sorted(row for row in find(root, classes) if row[1])
    if not rows:
        raise InputError(
            f"{root} holds no labelled patches; give the folder with BigEarthNet-v1.0, or of "
            "version 2 the one with metadata.parquet"
        )
    names, codes, splits, folders, doubtful = zip(*rows, strict=True)
    for name, following in pairwise(names):
        if name == following:
            raise InputError(f"{root}: {name} is listed twice; remove one of its rows")
    return Patches(names, codes, splits, legend_of(classes), folders, doubtful)


def without_doubtful(patches: Patches, lists: Sequence[str | os.PathLike[str]] = ()) -> Patches:
    """Leave out patches with snow, cloud or shadow.

    Version 2 says so in its metadata; for version 1, `lists` are the published CSV files
    ``patches_with_cloud_and_shadow.csv`` and ``patches_with_seasonal_snow.csv``.

    Raises
    ------
    InputError, MissingProduct
        If a list cannot be read, or nothing says which patches of version 1 are doubtful.
    """
    if not lists and None in patches.doubtful:
        raise InputError(
            "no list of doubtful patches is given, and the metadata of version 1 do not say; give "
            "patches_with_cloud_and_shadow.csv and patches_with_seasonal_snow.csv"
        )
    listed = {name for path in lists for name in _first_column(Path(path))}
    return patches.select(
        place
        for place, (name, doubtful) in enumerate(zip(patches.names, patches.doubtful, strict=True))
        if not doubtful and name not in listed
    )


def with_splits(patches: Patches, folder: str | os.PathLike[str]) -> Patches:
    """Give patches the parts that ``train.csv``, ``val.csv`` and ``test.csv`` of a folder say.

    The lists speak of the whole set, so names that are not among the patches are passed over;
    a patch in no list belongs to no part.

    Raises
    ------
    InputError, MissingProduct
        If a list is missing, a patch is in two of them, or no patch in any.
    """
    part_of: dict[str, str] = {}
    for name_of_list, part in _LISTS.items():
        for name in _first_column(Path(folder) / f"{name_of_list}.csv"):
            if part_of.setdefault(name, part) != part:
                raise InputError(
                    f"{folder} lists {name} for {part_of[name]} and for {part}; "
                    "a patch belongs to one part"
                )
    splits = tuple(part_of.get(name, "") for name in patches.names)
    if not any(splits):
        raise InputError(
            f"the lists in {folder} name none of the {len(patches)} patches; "
            "give the lists of this version"
        )
    return replace(patches, splits=splits)


def with_legend(patches: Patches, legend: Legend) -> Patches:
    """Name patches by CORINE's classes of a place, such as those of a run's labels.

    Labels are brought to the legend's level. Those that it lacks are dropped, and patches that
    have no other.

    Parameters
    ----------
    patches : Patches
        With CORINE's codes: opened with the classes "43" or "corine".
    legend : Legend
        Classes of CORINE, of one level.

    Raises
    ------
    InputError
        If the patches have the codes of the 19, or the legend mixes levels or is not CORINE's.
    """
    if not set(patches.legend.codes) <= set(corine().legend.codes):
        raise InputError(
            "the patches are named by BigEarthNet's 19 classes, which merge CORINE's; "
            "open them with the classes 'corine'"
        )
    held = corine().holding(legend.codes)
    for own in legend.classes:
        theirs = held.legend[own.code]
        if not theirs.is_like(own):
            raise InputError(
                f"class {own.code} of the legend is {own.name!r}, and {theirs.name!r} in CORINE, "
                "whose classes the patches have; give a legend of CORINE"
            )
    level, wanted = held.level, set(legend.codes)
    codes = tuple(
        tuple(sorted(wanted.intersection(corine().coarser(np.array(own, int), level).tolist())))
        for own in patches.codes
    )
    kept = [place for place, own in enumerate(codes) if own]
    return replace(patches, codes=codes, legend=legend).select(kept)


def read_patch(folder: str | os.PathLike[str], bands: Sequence[str] = BANDS) -> np.ndarray:
    """Digital numbers of one patch at 10 m, uint16 (120, 120, bands).

    Bands of 20 and 60 m are brought to 120 pixels by the interpolating cubic spline, with the
    corners of the patch kept in place; dn / 10,000 is reflectance.

    Parameters
    ----------
    folder : path
        Holds ``PATCH_B02.tif`` and so on, PATCH being its name.
    bands : sequence of str
        Bands wanted, in the order wanted.

    Raises
    ------
    InputError, MissingProduct
        If a band is missing, or its file is unreadable or of another size or type.
    """
    folder = Path(folder)
    chip = np.empty((CHIP_PX, CHIP_PX, len(bands)), np.uint16)
    for channel, band in enumerate(bands):
        path = folder / f"{folder.name}_{band}.tif"
        with rasters.open_raster(path) as dataset:
            if dataset.count == 1:
                numbers_of_set(dataset, str(path), (band,), SENTINEL2)
            dn = rasters.read_window(dataset)
        px = _COARSE_PX.get(band, CHIP_PX)
        if dn.shape != (1, px, px) or dn.dtype != np.uint16:
            raise InputError(
                f"{path} holds {dn.dtype} of {dn.shape} and must hold uint16 of {(1, px, px)}; "
                "fetch it again"
            )
        chip[..., channel] = _at_10_m(dn[0])
    return chip


def in_order(bands: Iterable[str]) -> tuple[str, ...]:
    """Bands in the order of `BANDS`, whatever order they are given in.

    >>> in_order(["B08", "B8A", "B02"])
    ('B02', 'B08', 'B8A')
    """
    given = set(bands)
    unknown = sorted(given - set(BANDS))
    if unknown or not given:
        raise InputError(
            f"bands {' '.join(unknown) or '(none)'} are not BigEarthNet's; choose from "
            f"{' '.join(BANDS)}"
        )
    return tuple(band for band in BANDS if band in given)


def store(patches: Patches, path: str | os.PathLike[str], bands: Iterable[str] = BANDS) -> Path:
    """Write patches as a store for training (`chip_store`), their bands `in_order`."""
    chosen = in_order(bands)
    return write_store(path, patches, chosen, _read_all(patches.folders, chosen), CHIP_PX)


def _read_all(folders: Sequence[Path], bands: Sequence[str]) -> Iterator[np.ndarray]:
    """Chips in order, some of them read ahead by other threads: a disk answers small files late."""
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(folders), 64):  # all at once would fill the memory
            yield from pool.map(
                lambda folder: read_patch(folder, bands), folders[start : start + 64]
            )


def _at_10_m(dn: np.ndarray) -> np.ndarray:
    """A square band at 120 pixels a side."""
    from scipy import ndimage

    if len(dn) == CHIP_PX:
        return dn
    # grid_mode: pixels are areas, so corners coincide; else the band would shift by half a pixel
    fine = ndimage.zoom(
        dn.astype(np.float64), CHIP_PX / len(dn), order=3, mode="reflect", grid_mode=True
    )
    return np.clip(np.rint(fine), 0, np.iinfo(np.uint16).max).astype(np.uint16)


#: Name, codes, split, folder, whether doubtful.
Row = tuple[str, tuple[int, ...], str, Path, bool | None]


def _version_1(root: Path, classes: str) -> Iterator[Row]:
    """Patches of a folder of patches."""
    inner = root / "BigEarthNet-v1.0"
    root = inner if inner.is_dir() else root
    folders = [
        entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[:2] == "S2"
    ]
    for name in track(folders, "reading labels"):
        path = root / name / f"{name}_labels_metadata.json"
        try:
            labels = read_json(path)["labels"]
        except (LandcoverError, KeyError) as error:
            raise InputError(
                f"{path} gives no labels ({type(error).__name__}: {error}); fetch the patch again"
            ) from None
        yield name, _codes(labels, classes, path), "", root / name, None


def _version_2(root: Path, classes: str) -> Iterator[Row]:
    """Patches of a table of metadata."""
    table = _metadata(root / "metadata.parquet")
    for number in track(range(len(table["patch_id"])), "reading labels"):
        name, labels, split, *doubts = (table[column][number] for column in _COLUMNS)
        name = str(name)
        place = Path(name.rsplit("_", 2)[0]) / name  # tile, then patch
        folder = root / "BigEarthNet-S2" / place
        if not folder.is_dir():
            raise MissingProduct(
                f"{folder} is missing and metadata.parquet lists it; unpack it, or drop its row"
            )
        if split not in SPLITS:
            raise InputError(
                f"metadata.parquet gives {name} the split {split!r}; it must be {', '.join(SPLITS)}"
            )
        if classes == "19":
            codes = _codes(labels, classes, root / "metadata.parquet")
        else:
            codes = _mapped(root / "Reference_Maps" / place / f"{name}_reference_map.tif", classes)
        yield name, codes, split, folder, any(doubts)


def _metadata(path: Path) -> dict[str, list[object]]:
    """Columns of version 2's table."""
    table = tables.read_columns(path, "fetch it again")
    lacking = [column for column in _COLUMNS if column not in table]
    if lacking:
        raise InputError(f"{path} has no column {', '.join(lacking)}; fetch the table of version 2")
    return {column: table[column] for column in _COLUMNS}


def _codes(labels: object, classes: str, path: Path) -> tuple[int, ...]:
    """Codes of a list of labels, ascending, each once."""
    known = codes_of_labels(classes)
    if not isinstance(labels, list):
        raise InputError(f"{path} gives {labels!r} and no list of labels; fetch it again")
    for label in map(str, labels):
        if label not in known:
            raise InputError(
                f"{path} gives the label {label!r}, which is no class of BigEarthNet; "
                "correct it, or fetch it again"
            )
    return tuple(sorted({known[label] for label in labels} - {UNLABELLED}))


def _mapped(path: Path, classes: str) -> tuple[int, ...]:
    """Codes of the classes in a reference map, ascending."""
    try:
        found = SCHEMES["corine"].recode(np.unique(rasters.read_classes(path)))
    except LandcoverError as error:
        raise InputError(f"{path}: {error}") from None
    known = codes_of_corine(classes) | {UNLABELLED: UNLABELLED}
    return tuple(sorted({known[code] for code in found.tolist()} - {UNLABELLED}))


def _first_column(path: Path) -> list[str]:
    """Names of a list, one a line; lists of both satellites name Sentinel-2's first."""
    rows = read_csv(path, "readable list of patches", "give BigEarthNet's own list")
    return [row[0].strip() for row in rows]
