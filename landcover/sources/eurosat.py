"""EuroSAT: labelled chips of 64 x 64 pixels, read from a folder or straight from the archive.

The set (Helber et al. 2019, doi:10.1109/JSTARS.2019.2918242) comes in two forms with the same
chips and names: JPEGs of red, green and blue, and GeoTIFFs of 13 bands as digital numbers of
level 1C, all brought to 10 m. Both lie as ``.../Class/Class_n.ext``.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files.archives import Fetch, open_members
from landcover.files.pictures import open_geotiff
from landcover.legend import Legend
from landcover.progress import track
from landcover.sensors import EUROSAT_BANDS, SENTINEL2, TRUE_COLOUR_BANDS
from landcover.sources.said import numbers_of_set

CHIP_PX = 64

_JPEG, _TIF = (".jpg", ".jpeg"), (".tif", ".tiff")
#: Far above any chip: 13 bands of 16 bits take 107 kB.
_LARGEST_BYTES = 2**20
_NUMBERED = re.compile(r"(.+)_(\d+)")


@dataclass(frozen=True)
class ChipSet:
    """Chips of one form, in the order of class and number; pixels are read when asked for.

    Attributes
    ----------
    names : tuple of str
        Such as AnnualCrop_1: the same in both forms.
    labels : array of int64 (chips,)
        Position of each chip's class in the legend.
    legend : Legend
        EuroSAT's ten classes, alphabetical.
    bands : tuple of str
        Bands of the form: B04 B03 B02 of JPEGs, `EUROSAT_BANDS` of GeoTIFFs.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    legend: Legend
    bands: tuple[str, ...]
    _members: tuple[str, ...]
    _fetch: Fetch

    def __len__(self) -> int:
        return len(self.names)

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels: uint8 of JPEGs (`images.true_colour`), uint16 dn of GeoTIFFs."""
        return np.dtype(np.uint8 if self.bands == TRUE_COLOUR_BANDS else np.uint16)

    def read(
        self, indices: Iterable[int] | None = None, bands: Sequence[str] | None = None
    ) -> np.ndarray:
        """Pixels of some chips.

        Parameters
        ----------
        indices : iterable of int, optional
            Positions in the set; all by default.
        bands : sequence of str, optional
            Bands wanted, in the order wanted; all by default.

        Returns
        -------
        array of `dtype` (chips, rows, cols, bands)

        Raises
        ------
        LandcoverError
            If the set has no such band, or naming the chip that is unreadable or of another size.
        """
        wanted = range(len(self)) if indices is None else [int(index) for index in indices]
        channels = self._channels(bands or self.bands)
        decode = _decode_jpeg if self.dtype == np.uint8 else _decode_tif
        chips = np.empty((len(wanted), CHIP_PX, CHIP_PX, len(channels)), self.dtype)
        # Chips are so small that threads gain nothing, and GDAL's own cost more than its reading
        with rasterio.Env(GDAL_NUM_THREADS=1):
            for chip, index in zip(chips, track(wanted, "reading chips"), strict=True):
                member = self._members[index]
                chip[:] = decode(member, self._fetch(member), channels)
        return chips

    def _channels(self, bands: Sequence[str]) -> list[int]:
        """Positions of bands in the files."""
        for band in bands:
            if band not in self.bands:
                raise InputError(
                    f"the chips have no band {band}; theirs are {' '.join(self.bands)}"
                )
        return [self.bands.index(band) for band in bands]


def open_chips(source: str | os.PathLike[str]) -> ChipSet:
    """Find the chips of a folder or a zip archive, without unpacking it.

    Parameters
    ----------
    source : path
        A folder or an archive that holds the ten class folders at any depth, either form.

    Raises
    ------
    InputError, MissingProduct
        If the source is missing, is neither, or holds no chips or both forms; or naming the file
        whose folder is no class or another class than its name says, or that is there twice.
    """
    path = Path(source)
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; give EuroSAT's folder or zip archive")
    members, fetch = open_members(path, _LARGEST_BYTES, "fetch EuroSAT.zip again, or give a folder")
    members = [member for member in members if _is_chip(member)]
    forms = {form: [m for m in members if m.lower().endswith(form)] for form in (_JPEG, _TIF)}
    if all(forms.values()):
        raise InputError(
            f"{path} holds {len(forms[_JPEG])} JPEGs and {len(forms[_TIF])} GeoTIFFs; "
            "give the folder of one form"
        )
    legend = Legend.eurosat()
    found = sorted(_place(member, legend.names) for form in forms.values() for member in form)
    if not found:
        raise InputError(
            f"{path} holds no chips; EuroSAT's lie as Class/Class_n.jpg or Class/Class_n.tif"
        )
    names = tuple(f"{legend.names[label]}_{number}" for label, number, _ in found)
    for first, second, name in zip(found, found[1:], names, strict=False):
        if first[:2] == second[:2]:
            raise InputError(
                f"{path} holds {name} twice, as {first[2]} and {second[2]}; remove one"
            )
    return ChipSet(
        names,
        np.array([label for label, _, _ in found], np.int64),
        legend,
        TRUE_COLOUR_BANDS if forms[_JPEG] else EUROSAT_BANDS,
        tuple(member for _, _, member in found),
        fetch,
    )


def _place(member: str, classes: Sequence[str]) -> tuple[int, int, str]:
    """Label, number and path of a chip; its folder and its name both say the class."""
    path = PurePosixPath(member)
    folder = path.parent.name
    if folder not in classes:
        raise InputError(
            f"{member} lies in the folder {folder!r}, which is no class of EuroSAT; "
            f"its classes are {', '.join(classes)}"
        )
    named = _NUMBERED.fullmatch(path.stem)
    if not named or named[1] != folder:
        raise InputError(
            f"{member} lies in the folder {folder} and is not named {folder}_n; "
            "file it under the class that it shows, or remove it"
        )
    return classes.index(folder), int(named[2]), member


def _is_chip(member: str) -> bool:
    """Whether a path is an image, and no leftover of an operating system."""
    path = PurePosixPath(member)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and path.suffix.lower() in (*_JPEG, *_TIF)


def _decode_jpeg(member: str, data: bytes, channels: list[int]) -> np.ndarray:
    """A JPEG as (rows, cols, bands) of uint8."""
    from PIL.JpegImagePlugin import JpegImageFile

    _check_bytes(member, data)
    try:
        with JpegImageFile(io.BytesIO(data)) as picture:
            _check_chip(member, f"{picture.height} x {picture.width} {picture.mode}", "RGB")
            return np.asarray(picture)[..., channels]
    except (OSError, SyntaxError, ValueError) as error:
        raise _unreadable(member, "JPEG", error) from None


def _decode_tif(member: str, data: bytes, channels: list[int]) -> np.ndarray:
    """A GeoTIFF as (rows, cols, bands) of uint16."""
    _check_bytes(member, data)
    try:
        with open_geotiff(data) as dataset:
            found = f"{dataset.height} x {dataset.width} {dataset.dtypes[0]} x {dataset.count}"
            _check_chip(member, found, f"uint16 x {len(EUROSAT_BANDS)}")
            numbers = numbers_of_set(dataset, member, EUROSAT_BANDS, SENTINEL2)
            wanted = [numbers[EUROSAT_BANDS[channel]] for channel in channels]
            return np.moveaxis(dataset.read(wanted), 0, -1)
    except RasterioError as error:
        raise _unreadable(member, "GeoTIFF", error) from None


def _check_bytes(member: str, data: bytes) -> None:
    if len(data) > _LARGEST_BYTES:
        raise InputError(f"{member} takes over a MiB, which no chip does; remove or replace it")


def _check_chip(member: str, found: str, pixels: str) -> None:
    expected = f"{CHIP_PX} x {CHIP_PX} {pixels}"
    if found != expected:
        raise InputError(f"{member} is {found} and must be {expected}; remove or replace it")


def _unreadable(member: str, kind: str, error: Exception) -> LandcoverError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(
        f"{member} is no whole {kind} ({reason}); fetch the set again, or remove this file"
    )
