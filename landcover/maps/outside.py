"""How much of a map lies outside its model's area of applicability."""

from __future__ import annotations

from pathlib import Path

from landcover.files import rasters

#: Above this share of a map's pixels outside, its user is warned.
WARNED_SHARE = 0.2


def outside_share(path: Path) -> float | None:
    """Share of a map's pixels that lie outside, 0 to 1; None of no raster, or one of nodata.

    Parameters
    ----------
    path : path
        Raster of applicability, as `predict_map` writes it.
    """
    if not path.exists():
        return None
    pixels = outside = 0
    for window in rasters.grid_of(path).windows(rasters.WINDOW_PX):
        percent = rasters.read(path, window, ["dissimilarity_percent"])  # 0 where nodata
        pixels += int((percent > 0).sum())
        outside += int((percent > 100).sum())
    return outside / pixels if pixels else None
