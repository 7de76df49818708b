"""One image that a person brings: a JPEG or PNG picture or a GeoTIFF, as bands of reflectance.

The bytes may come from anybody. So the kind is told by content and never by name, the declared
size is checked before anything is decoded, and only the decoders named here are ever asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.pictures import Source, open_bytes, open_geotiff
from landcover.grid import Grid
from landcover.sensors import (
    DEFAULT_QUANTIFICATION,
    EUROSAT_BANDS,
    HIGHEST_MEDIAN,
    TRUE_COLOUR_BANDS,
    band_of,
    true_colour,
)

#: More pixels than this are refused unless the caller allows them.
MAX_PIXELS = 50_000_000


#: Bands of a GeoTIFF are often decoded together, whichever are wanted.
_MOST_BANDS = 32

_MAGIC = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GeoTIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


@dataclass(frozen=True)
class Image:
    """An image as bands of reflectance.

    Attributes
    ----------
    values : array of float32 (bands, rows, cols)
        Reflectance, 0-1; NaN where nodata.
    bands : tuple of str
        Sentinel-2 names of the bands, such as B04.
    grid : Grid or None
        Where it lies; None for pictures, and for rasters without a north-up place.
    """

    values: np.ndarray
    bands: tuple[str, ...]
    grid: Grid | None = None


def read_image(source: Source, name: str | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Read one image from a file or from bytes.

    A picture, or a GeoTIFF of three 8-bit bands, is taken as true colour (`true_colour`). A
    GeoTIFF with bands named like B04 is taken by name, one of 13 unnamed 16-bit bands as
    EuroSAT's (`EUROSAT_BANDS`). 16-bit numbers are dn: reflectance is dn x scale + offset by
    GDAL's tags where the file has them, and dn / 10,000 where it has none. So dn of processing
    baseline 04.00 or later that carry +1000 and no tags come out 0.1 too bright. Floats are
    reflectance already. Nodata: what the file declares, alpha 0, dn 0 of a named band, and dn 0
    in all bands of EuroSAT's order, where single bands do reach 0.

    Parameters
    ----------
    source : path or bytes
        A JPEG, PNG or GeoTIFF file, or what such a file holds.
    name : str, optional
        What errors call it; the file's name by default.
    max_pixels : int
        Rows x cols allowed, so that a small file cannot ask for all memory.

    Returns
    -------
    Image
        ``values``, reflectance float32 (bands, rows, cols), NaN for nodata; ``bands``, their
        names; ``grid``, or None for a picture.

    Raises
    ------
    LandcoverError
        If the source is missing, empty, of another kind, damaged, truncated, too large, animated,
        CMYK, a picture of 16 bits, without any valid pixel, or if nothing says which bands it has.

    Examples
    --------
    >>> from PIL import Image as Picture
    >>> Picture.new("RGB", (3, 2), (0, 255, 0)).save("field.png")
    >>> image = read_image("field.png")
    >>> image.bands, image.values.shape, image.grid
    (('B04', 'B03', 'B02'), (3, 2, 3), None)
    """
    name = " ".join((name or ("the image" if isinstance(source, bytes) else str(source))).split())
    head = _head(source, name)
    if not head:
        raise LandcoverError(f"{name} is empty; give a JPEG, PNG or GeoTIFF image")
    kind = next((kind for kind, magic in _MAGIC.items() if head.startswith(magic)), None)
    if kind is None:
        raise LandcoverError(
            f"{name} is no JPEG, PNG or GeoTIFF (it begins with {head!r}); save it as one of these"
        )
    with _decoding(name, kind):
        read = _read_geotiff if kind == "GeoTIFF" else _read_picture
        image = read(source, name, max_pixels)
    if np.isnan(image.values).all():
        raise LandcoverError(f"{name} has no valid pixel, all is nodata; give another image")
    return image


def _head(source: Source, name: str) -> bytes:
    """The first bytes, which tell the kind."""
    try:
        with open_bytes(source) as file:
            return file.read(8)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise LandcoverError(f"{name} cannot be opened ({reason}); check the path") from None


@contextmanager
def _decoding(name: str, kind: str) -> Iterator[None]:
    """Whatever a decoder makes of damaged bytes, as one line."""
    try:
        yield
    except Exception as error:  # of damaged bytes, decoders raise what they like
        if isinstance(error, LandcoverError) and error.__cause__ is None:
            raise  # a rule that the image breaks
        cause: BaseException = error
        while cause.__cause__ is not None:  # GDAL's own words lie deepest
            cause = cause.__cause__
        reason = re.sub(
            r"/vsimem/\S+", "it", (str(cause).splitlines() or [type(cause).__name__])[0]
        )
        raise LandcoverError(
            f"{name} cannot be decoded as {kind} ({reason}); "
            "it may be truncated or damaged: save it again"
        ) from error


def _check_size(name: str, rows: int, cols: int, max_pixels: int) -> None:
    if not 1 <= rows * cols <= max_pixels:
        raise LandcoverError(
            f"{name} declares {rows} x {cols} pixels and 1 to {max_pixels:,} are allowed; "
            "cut out or thin it first"
        )


def _read_picture(source: Source, name: str, max_pixels: int) -> Image:
    """A JPEG or PNG as true colour."""
    # The decoders are asked directly: PIL.Image.open would first try its own limit of pixels,
    # which is one for the whole process, and every other format that it knows.
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    with open_bytes(source) as file:
        head = file.read(25)
        file.seek(0)
        png = head.startswith(_MAGIC["PNG"])
        picture = (PngImageFile if png else JpegImageFile)(file)
        _check_size(name, picture.height, picture.width, max_pixels)
        # The byte of a PNG's header that holds the bits of a sample; pillow drops half of 16
        found = (
            "has 16 bits a channel" if png and head[24] == 16
            else "is animated" if getattr(picture, "is_animated", False)
            else f"is {picture.mode}" if picture.mode not in _MODES
            else None
        )  # fmt: skip
        if found:
            raise LandcoverError(
                f"{name} {found}; save it as one picture of 8-bit grey, RGB or RGBA, "
                "or give a GeoTIFF with named bands"
            )
        pixels = np.asarray(picture.convert("RGBA"))
    values = true_colour(np.ascontiguousarray(pixels[..., :3].transpose(2, 0, 1)))
    values[:, pixels[..., 3] == 0] = np.nan
    return Image(values, TRUE_COLOUR_BANDS)


def _read_geotiff(source: Source, name: str, max_pixels: int) -> Image:
    """A GeoTIFF by the names, number and type of its bands."""
    with open_geotiff(source) as dataset:
        _check_size(name, dataset.height, dataset.width, max_pixels)
        if dataset.count > _MOST_BANDS:
            raise LandcoverError(
                f"{name} has {dataset.count} bands and at most {_MOST_BANDS} are allowed; "
                "leave out what is no Sentinel-2 band"
            )
        for rows, cols in dataset.block_shapes:  # a block is decoded whole, however small the rest
            _check_size(f"a block of {name}", rows, cols, max_pixels)
        numbers, bands, to_reflectance = _layout(dataset, name)
        values = to_reflectance(rasters.read_window(dataset, bands=numbers))
        values[:, dataset.dataset_mask() == 0] = np.nan
        values[~np.isfinite(values)] = np.nan
        try:
            grid = Grid.of(dataset)
        except LandcoverError:  # without a place it can be classified, but not be put on a map
            grid = None
    thin = 1 + max(values.shape[1:]) // 1000
    thinned = values[:, ::thin, ::thin]
    median = np.median(thinned[np.isfinite(thinned)]) if np.isfinite(thinned).any() else 0
    if median > HIGHEST_MEDIAN:
        raise LandcoverError(
            f"{name} has a median reflectance of {median:.4g}, which lies between 0 and "
            "1; divide digital numbers by their quantification first, or give them as uint16"
        )
    return Image(values, bands, grid)


Layout = tuple[list[int], tuple[str, ...], Callable[[np.ndarray], np.ndarray]]


def _layout(dataset: DatasetReader, name: str) -> Layout:
    """Which bands to read, by number and name, and what makes reflectance of them."""
    colours = [
        number
        for number, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True)
        if meaning != ColorInterp.alpha
    ]
    descriptions, dtypes = dataset.descriptions, dataset.dtypes
    given = [descriptions[number - 1] for number in colours]
    bands = [band_of(text or "") for text in given]
    numbers = [number for number, band in zip(colours, bands, strict=True) if band]
    named = tuple(band for band in bands if band)
    dtype = np.result_type(*(dtypes[number - 1] for number in colours))
    if len(set(named)) < len(named):
        raise LandcoverError(f"{name} names a band twice ({' '.join(named)}); name each once")
    if dtype == np.uint8 and len(colours) == 3 and not named:
        return colours, TRUE_COLOUR_BANDS, true_colour
    if dtype == np.uint8 and sorted(named) == sorted(TRUE_COLOUR_BANDS):
        return numbers, named, true_colour
    if named and dtype in (np.uint16, np.int16):
        return numbers, named, _of_dn(dataset, numbers)
    if named and np.issubdtype(dtype, np.floating):
        return numbers, named, lambda values: values.astype(np.float32)
    if not named and dtype == np.uint16 and len(colours) == len(EUROSAT_BANDS):
        return colours, EUROSAT_BANDS, _of_dn(dataset, colours, in_all=True)
    shown = ", ".join(text or "unnamed" for text in given[:4]) + (", ..." if given[4:] else "")
    raise LandcoverError(
        f"{name} has {len(colours)} bands of {dtype} ({shown}), and nothing says what they are; "
        "name 16-bit or reflectance bands like B04, or give EuroSAT's 13 bands or 8-bit true colour"
    )


def _of_dn(
    dataset: DatasetReader, numbers: list[int], in_all: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
    """What makes reflectance of digital numbers, by the file's scales and offsets.

    dn 0 is nodata; with `in_all` only where all bands have it, for single bands may reach 0.
    """
    factors = []
    for number in numbers:
        scale, offset = dataset.scales[number - 1], dataset.offsets[number - 1]
        untold = (scale, offset) == (1, 0)  # what GDAL says of a band without tags
        factors.append((DEFAULT_QUANTIFICATION, 0) if untold else (1 / scale, offset / scale))
    quantification, offset = np.array(factors, np.float32).T[..., np.newaxis, np.newaxis]

    def reflectance(dn: np.ndarray) -> np.ndarray:
        values = (dn.astype(np.float32) + offset) / quantification
        empty = dn == 0
        values[np.broadcast_to(empty.all(axis=0), dn.shape) if in_all else empty] = np.nan
        return values

    return reflectance
