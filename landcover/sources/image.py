"""One image that a person brings: a JPEG or PNG picture or a GeoTIFF, as bands of reflectance.

The bytes may come from anybody. So the kind is told by content and never by name, the declared
size is checked before anything is decoded, and only the decoders named here are ever asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import ColorInterp

from landcover.errors import InputError, LandcoverError, reading_error
from landcover.files.masks import read_masked
from landcover.files.opening import require_real, root_cause
from landcover.files.pictures import Source, open_bytes, open_geotiff
from landcover.grid import Grid, Window
from landcover.sensors import EUROSAT_BANDS, SENTINEL2, TRUE_COLOUR_BANDS, true_colour
from landcover.sources.even_ground import EvenGround, judged_even
from landcover.sources.reflectance import Band, Tally, judged, read_reflectance, too_dark
from landcover.sources.said import (
    BandSaid,
    band_of,
    bands_said,
    is_reflectance,
    require_reflectance,
)
from landcover.sources.tile import Light, light_warning

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: More pixels than this are refused unless the caller allows them.
MAX_PIXELS = 50_000_000

#: Bands of a GeoTIFF are often decoded together, whichever are wanted.
_MOST_BANDS = 32

_MAGIC = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GeoTIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
#: What `prep` and `open_bands` can be told of files, as messages name it.
_ARGUMENT = re.compile(r"\b(band_names|nodata|quantification|offset)=")

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
    notes : tuple of str
        Sentences on the few values that are no reflectance and are left out, and on numbers that
        look wrong.
    """

    values: np.ndarray
    bands: tuple[str, ...]
    grid: Grid | None = None
    notes: tuple[str, ...] = ()


def read_image(source: Source, name: str | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Read one image from a file or from bytes.

    A picture, or a GeoTIFF of three 8-bit bands, is taken as true colour (`true_colour`). The
    bands of another GeoTIFF are those that it names, such as B04 or red, by the rules of
    `open_bands`; 13 unnamed 16-bit bands are EuroSAT's (`EUROSAT_BANDS`). Integers are dn:
    reflectance is dn x scale + offset by GDAL's tags where the file has them, and dn / 10,000 where
    it has none. Where dn look as if they carried the +1000 of processing baseline 04.00 or later, a
    note says so. Floats are reflectance, or dn where their median says so. Nodata: what the file
    declares, masks, alpha 0, dn 0 where nothing is declared, and dn 0 in all bands of EuroSAT's
    order, where single bands do reach 0.

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
    InputError, MissingProduct
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
        raise InputError(f"{name} is empty; give a JPEG, PNG or GeoTIFF image")
    kind = next((kind for kind, magic in _MAGIC.items() if head.startswith(magic)), None)
    if kind is None:
        raise InputError(
            f"{name} is no JPEG, PNG or GeoTIFF (it begins with {head!r}); save it as one of these"
        )
    with _decoding(name, kind):
        read = _read_geotiff if kind == "GeoTIFF" else _read_picture
        image = read(source, name, max_pixels)
    if np.isnan(image.values).all():
        raise InputError(f"{name} has no valid pixel, all is nodata; give another image")
    return image


def _head(source: Source, name: str) -> bytes:
    """The first bytes, which tell the kind."""
    try:
        with open_bytes(source) as file:
            return file.read(8)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise reading_error(error)(f"{name} cannot be opened ({reason}); check the path") from None


@contextmanager
def _decoding(name: str, kind: str) -> Iterator[None]:
    """Whatever a decoder makes of damaged bytes, as one line."""
    try:
        yield
    except Exception as error:  # of damaged bytes, decoders raise what they like
        if isinstance(error, LandcoverError) and error.__cause__ is None:
            raise  # a rule that the image breaks
        reason = re.sub(r"/vsimem/\S+", "it", root_cause(error))
        raise InputError(
            f"{name} cannot be decoded as {kind} ({reason}); "
            "it may be truncated or damaged: save it again"
        ) from error


def _check_size(name: str, rows: int, cols: int, max_pixels: int) -> None:
    if not 1 <= rows * cols <= max_pixels:
        raise InputError(
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
            raise InputError(
                f"{name} {found}; save it as one picture of 8-bit grey, RGB or RGBA, "
                "or give a GeoTIFF with named bands"
            )
        pixels = np.asarray(picture.convert("RGBA"))
    values = true_colour(np.ascontiguousarray(pixels[..., :3].transpose(2, 0, 1)))
    values[:, pixels[..., 3] == 0] = np.nan
    return Image(values, TRUE_COLOUR_BANDS)


def _read_geotiff(source: Source, name: str, max_pixels: int) -> Image:
    """A GeoTIFF by what it says of its bands."""
    with open_geotiff(source) as dataset:
        _check_size(name, dataset.height, dataset.width, max_pixels)
        if dataset.count > _MOST_BANDS:
            raise InputError(
                f"{name} has {dataset.count} bands and at most {_MOST_BANDS} are allowed; "
                "leave out what is no Sentinel-2 band"
            )
        for rows, cols in dataset.block_shapes:  # a block is decoded whole, however small the rest
            _check_size(f"a block of {name}", rows, cols, max_pixels)
        require_real(dataset, name)
        try:
            grid = Grid.of(dataset)
        except LandcoverError:  # without a place it can be classified, but not be put on a map
            grid = None
        with _remedied():
            said = bands_said(dataset, name, SENTINEL2)
            if _is_picture(said):
                bands, values = _true_colour_bands(said, dataset)
                notes: tuple[str, ...] = ()
            else:
                bands, values, notes = _bands_of_reflectance(said, dataset, name)
    return Image(values, bands, grid, notes)


@contextmanager
def _remedied() -> Iterator[None]:
    """Say where the arguments that a message names can be given: an image is read without any."""
    try:
        yield
    except InputError as error:
        if not _ARGUMENT.search(str(error)):
            raise
        raise InputError(_where_taken(str(error))) from None


def _where_taken(text: str) -> str:
    """A message, and where the arguments that it names can be given."""
    if not _ARGUMENT.search(text):
        return text
    return f"{text}; landcover prep takes this, and its RUN/scene.tif can be given here"


def _is_picture(said: Sequence[BandSaid]) -> bool:
    """Whether a GeoTIFF is a picture: red, green and blue of 8 bits, by name, colour or number."""
    named = [band.name for band in said if band.name]
    eight = {band.dtype for band in said} == {"uint8"}
    untold = all(band.quantification is None for band in said)
    return (
        eight
        and untold
        and (sorted(named) == sorted(TRUE_COLOUR_BANDS) or (not named and len(said) == 3))
    )


def _true_colour_bands(
    said: Sequence[BandSaid], dataset: DatasetReader
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and reflectance of a picture."""
    named = {band.number: band.name for band in said if band.name}
    named = named or _by_colour(said, dataset)
    parts = [read_masked(dataset, number, _whole(dataset)) for number in named]
    values = true_colour(np.stack([pixels for pixels, _ in parts]))
    nodata = {band.number: band.nodata for band in said}
    for number, band, (pixels, seen) in zip(named, values, parts, strict=True):
        band[~seen] = np.nan
        if nodata[number] is not None:
            band[pixels == nodata[number]] = np.nan
    return tuple(named.values()), values


def _by_colour(said: Sequence[BandSaid], dataset: DatasetReader) -> dict[int, str]:
    """Three bands by their colours; as red, green and blue where they have none."""
    of = {
        ColorInterp.red: TRUE_COLOUR_BANDS[0],
        ColorInterp.green: TRUE_COLOUR_BANDS[1],
        ColorInterp.blue: TRUE_COLOUR_BANDS[2],
    }
    colours = [dataset.colorinterp[band.number - 1] for band in said]
    names = [of[c] for c in colours] if set(colours) == set(of) else TRUE_COLOUR_BANDS
    return {band.number: name for band, name in zip(said, names, strict=True)}


def _bands_of_reflectance(
    said: Sequence[BandSaid], dataset: DatasetReader, name: str
) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Names and reflectance of the bands that a GeoTIFF names, or of EuroSAT's order, and notes."""
    eurosat = (
        not any(band.name for band in said)
        and {band.dtype for band in said} == {"uint16"}
        and len(said) == len(EUROSAT_BANDS)
    )
    if eurosat:
        said = [replace(b, name=n) for b, n in zip(said, EUROSAT_BANDS, strict=True)]
    named = [band for band in said if band.name]
    if not named:
        shown = ", ".join(band.text or "unnamed" for band in said[:4])
        raise InputError(
            f"{name} has {len(said)} bands of {said[0].dtype} ({shown}"
            f"{', ...' if said[4:] else ''}), and nothing says what they are; name bands like B04 "
            "or red, or give EuroSAT's 13 bands of uint16 or 8-bit true colour"
        )
    bands, values, names, notes = list[Band](), [], [], []
    for told in named:
        require_reflectance(told, name)
        band = band_of(told, name, SENTINEL2, floats=is_reflectance(dataset, told))
        if eurosat:  # single bands of it do reach 0
            band = replace(band, nodata=tuple(v for v in band.nodata if v != 0))
        tally = Tally()
        bands.append(band)
        values.append(read_reflectance(dataset, band, _whole(dataset), tally)[0])
        names.append(str(told.name))
        notes.append(judged(tally, band, str(told.name)))
    image = np.stack(values)
    if eurosat:
        image[:, (image == 0).all(axis=0)] = np.nan
    even = EvenGround(dict(zip(names, bands, strict=True)))
    even.count(image)
    notes.append(judged_even(even))
    notes += _notes_on_light(image, names, bands, eurosat)
    return tuple(names), image, tuple(_where_taken(note) for note in notes if note)


def _notes_on_light(
    image: np.ndarray, names: Sequence[str], bands: Sequence[Band], plain: bool
) -> list[str]:
    """Sentences where numbers look as `prep` would refuse or warn of, such as +1000.

    An image may show dark water, snow or sand alone, so it is told and not refused. `plain`
    numbers are those of a set whose files are known to be right.
    """
    seen = {
        name: Light.of(values * band.quantification - band.offset, values, band)
        for name, part, band in zip(names, image, bands, strict=True)
        if (values := part[np.isfinite(part)]).size
    }
    if not seen:
        return []
    brightest = max(seen.values(), key=lambda light: light.brightest)
    dark = too_dark(brightest.brightest, brightest.band)
    core = [light for name, light in seen.items() if name in SENTINEL2.core]
    if dark or plain or not core:
        return [dark] if dark else []
    try:
        said = light_warning(core)
    except InputError as error:
        return [str(error)]
    return [f"{core[0].band.path}: {said}"] if said else []


def _whole(dataset: DatasetReader) -> Window:
    return Window(0, 0, dataset.height, dataset.width)
