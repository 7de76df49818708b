"""What is no raster and yet tiles: SAFE products, STAC items, and folders that hold an item."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from landcover.sources.keep import Keep
from landcover.sources.safe_layout import is_product
from landcover.sources.sentinel2 import open_granules
from landcover.sources.stac import open_stac
from landcover.sources.tile import Tile


def open_product(
    path: str | Path, keep: Keep | None = "core", granules: Sequence[str] = ()
) -> list[Tile] | None:
    """The tiles of a SAFE product, or of a STAC item or its folder; None for what may be a raster.

    A folder with an item.json is one that `landcover fetch` writes.

    Parameters
    ----------
    path : path
        Anything.
    keep : str or sequence of str
        Bands to take, as `open_sentinel2` takes them; None takes those that are there.
    granules : sequence of str
        Of a product of several; all by default.

    Raises
    ------
    LandcoverError
        Of `open_sentinel2` and `open_stac`.

    Examples
    --------
    >>> open_product("item.json")[0].acquired, open_product("B02.tif")
    ('2022-06-01T10:00:31Z', None)
    """
    path = Path(path)
    if is_product(path):
        return open_granules(path, keep, granules)
    if (path / "item.json").is_file():
        path = path / "item.json"
    if path.suffix.lower() != ".json":
        return None
    return [open_stac(path, keep="all" if keep is None else keep)]
