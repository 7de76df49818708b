"""What is no raster and yet a tile: SAFE products and STAC items."""

from __future__ import annotations

from pathlib import Path

from landcover.sources.sentinel2 import open_sentinel2
from landcover.sources.stac import open_stac
from landcover.sources.tile import Tile


def open_product(path: str | Path) -> Tile | None:
    """The tile of a SAFE product or of a STAC item; None for what may be a raster.

    Raises
    ------
    LandcoverError
        Of `open_sentinel2` and `open_stac`.

    Examples
    --------
    >>> open_product("item.json").acquired, open_product("B02.tif")
    ('2022-06-01T10:00:31Z', None)
    """
    path = Path(path)
    if path.suffix.lower() in (".safe", ".zip") or any(path.glob("MTD_MSIL*.xml")):
        return open_sentinel2(path)
    return open_stac(path) if path.suffix.lower() == ".json" else None
