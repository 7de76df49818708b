"""Encoded pictures and small rasters, on disk or as bytes in memory."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile

from landcover.files import legends
from landcover.grid import Grid
from landcover.legend import UNLABELLED, Legend

#: What a picture shows where there is no data.
NODATA_GREY = 235
#: A file, or its content.
Source = str | Path | bytes


@contextmanager
def open_bytes(source: Source) -> Iterator[BinaryIO]:
    """The bytes of a file or of a content, to be read from the start."""
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        yield file


@contextmanager
def open_geotiff(source: Source) -> Iterator[DatasetReader]:
    """An open rasterio dataset; GDAL may take it for a GeoTIFF only.

    A VRT could read other files.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        if isinstance(source, bytes):
            with (
                MemoryFile(source, filename="image.tif") as memory,
                memory.open(driver="GTiff") as dataset,
            ):
                yield dataset
        else:
            with rasterio.open(source, driver="GTiff") as dataset:
                yield dataset


def class_geotiff(
    codes: np.ndarray, grid: Grid, legend: Legend, notes: Sequence[str] = ()
) -> bytes:
    """Class codes (rows, cols) as the bytes of a GeoTIFF, made in memory.

    Names and colours of the classes, and notes, are tags of it.
    """
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", crs=grid.crs, transform=grid.transform,
            width=grid.cols, height=grid.rows, count=1, dtype="uint16", nodata=UNLABELLED,
            compress="deflate",
        ) as out:  # fmt: skip
            out.descriptions = ("class",)
            names = {f"CLASS_{c.code}": c.name for c in legend.classes}
            out.update_tags(1, **names, **legends.tags(legend))
            if notes:
                out.update_tags(NOTES="; ".join(notes))
            out.write(codes, 1)
        return bytes(memory.read())


def class_png(codes: np.ndarray, legend: Legend) -> bytes:
    """Class codes (rows, cols) as a PNG with a palette, some three times smaller than `png`.

    Unlabelled pixels are light grey. A palette has 256 entries, a legend 44 at most.
    """
    from PIL import Image

    index = legend.index(codes)
    image = Image.fromarray(np.where(index < 0, len(legend), index).astype(np.uint8))
    palette = [channel for c in legend.classes for channel in c.colour]
    image.putpalette([*palette, *(NODATA_GREY,) * 3])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def data_uri(content: bytes) -> str:
    """PNG or JPEG bytes as an address that a page can hold inside itself."""
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
