"""What labels are drawn from, as a run records it."""

from __future__ import annotations

#: A class raster; training polygons, with nothing between them; polygons that lead over a raster.
RASTER, POLYGONS, RASTER_AND_POLYGONS = "raster", "polygons", "raster and polygons"
