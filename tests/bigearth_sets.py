"""Folders in the layouts of BigEarthNet's two versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from affine import Affine

from landcover.sources.bigearthnet import BANDS

PIXELS = {"B01": 20, "B09": 20} | dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 60)
TILE = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"


def write_tif(path: Path, pixels: np.ndarray, nodata: float | None = None) -> None:
    """One band of 1.2 km, as both versions have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, cols = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=rows, width=cols, dtype=pixels.dtype,
        nodata=nodata, crs="EPSG:32633",
        transform=Affine(1200 / cols, 0, 390_000, 0, -1200 / rows, 5_348_400),
    ) as out:  # fmt: skip
        out.write(pixels, 1)


def write_bands(folder: Path, seed: int = 0, bands=BANDS) -> dict[str, np.ndarray]:
    """The bands of a patch, named after its folder; returns their digital numbers."""
    rng = np.random.default_rng(seed)
    dn = {}
    for band in bands:
        px = PIXELS.get(band, 120)
        dn[band] = rng.integers(1, 12_000, (px, px)).astype(np.uint16)
        write_tif(folder / f"{folder.name}_{band}.tif", dn[band])
    return dn


def name_1(number: int) -> str:
    """The name of a patch of version 1."""
    return f"S2A_MSIL2A_20170617T113321_{number}_85"


def name_2(number: int) -> str:
    """The name of a patch of version 2."""
    return f"{TILE}_{number}_43"


def write_version_1(root: Path, labels: list[list[str]], pixels: bool = True) -> Path:
    """Patches with these labels, numbered from 10 so that names sort as numbers do."""
    for number, own in enumerate(labels, start=10):
        folder = root / name_1(number)
        folder.mkdir(parents=True)
        facts = {
            "labels": own, "coordinates": {"ulx": 390_000, "uly": 5_348_400},
            "projection": "", "tile_source": "", "acquisition_date": "2017-06-17 11:33:21",
        }  # fmt: skip
        (folder / f"{folder.name}_labels_metadata.json").write_text(json.dumps(facts))
        if pixels:
            write_bands(folder, number)
    return root


def row_2(number: int, labels: list[str], split: str = "train", **other: Any) -> dict[str, Any]:
    """A row of version 2's table."""
    return {
        "patch_id": name_2(number), "labels": labels, "split": split, "country": "Austria",
        "contains_seasonal_snow": False, "contains_cloud_or_shadow": False,
    } | other  # fmt: skip


def write_version_2(
    root: Path, rows: list[dict[str, Any]], maps: dict[int, np.ndarray] | None = None
) -> Path:
    """The table, its patches, and reference maps by number of patch."""
    for row in rows:
        write_bands(root / "BigEarthNet-S2" / TILE / row["patch_id"], bands=("B02", "B8A"))
    for number, codes in (maps or {}).items():
        name = name_2(number)
        path = root / "Reference_Maps" / TILE / name / f"{name}_reference_map.tif"
        write_tif(path, codes.astype(np.uint16), nodata=0)
    pd.DataFrame(rows).to_parquet(root / "metadata.parquet")
    return root
