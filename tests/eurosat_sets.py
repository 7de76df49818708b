"""Archives and folders in EuroSAT's layout, with chips whose class can be seen."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from PIL import Image as Pillow
from rasterio.errors import NotGeoreferencedWarning

from landcover.legend import Legend

CLASSES = Legend.eurosat().names


def chip_dn(name: str, bands: int = 13, px: int = 64) -> np.ndarray:
    """Digital numbers (bands, px, px) of a class's own level with noise, by the chip's name."""
    label, number = name.rsplit("_", 1)
    place = CLASSES.index(label) if label in CLASSES else 0
    levels = np.random.default_rng(place).integers(300, 2500, bands)
    noise = np.random.default_rng([place, int(number)]).normal(0, 60, (bands, px, px))
    return np.clip(levels[:, None, None] + noise, 1, 10_000).astype(np.uint16)


def tif(dn: np.ndarray) -> bytes:
    """A GeoTIFF as EuroSAT's: unnamed bands, no nodata value."""
    bands, rows, cols = dn.shape
    with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(
            driver="GTiff", count=bands, height=rows, width=cols, dtype=dn.dtype,
            crs="EPSG:32635", transform=Affine(10, 0, 624_600, 0, -10, 4_877_280),
        ) as out:  # fmt: skip
            out.write(dn)
        return bytes(memory.getbuffer())


def jpeg(pixels: np.ndarray) -> bytes:
    """A JPEG of (rows, cols, 3) or (rows, cols)."""
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "JPEG", quality=95)
    return out.getvalue()


def chip_file(name: str, form: str) -> bytes:
    """What the file of a chip holds: the JPEG shows B04 B03 B02 of the GeoTIFF, dn 0-2750."""
    dn = chip_dn(name)
    if form == "tif":
        return tif(dn)
    return jpeg(np.clip(dn[[3, 2, 1]] / 2750 * 255, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def write_files(path: Path, files: dict[str, bytes]) -> Path:
    """Files by their path in a folder, or in an archive if `path` ends in .zip."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in files.items():
                archive.writestr(member, data)
        return path
    for member, data in files.items():
        (path / member).parent.mkdir(parents=True, exist_ok=True)
        (path / member).write_bytes(data)
    return path


def write_set(
    path: Path, each: int = 3, form: str = "jpg", top: str = "2750", classes: tuple = CLASSES
) -> Path:
    """A set with `each` chips a class, numbered from 1; a folder, or an archive of .zip."""
    names = [(label, f"{label}_{n}") for label in classes for n in range(1, each + 1)]
    files = {f"{top}/{label}/{name}.{form}": chip_file(name, form) for label, name in names}
    return write_files(path, files)
