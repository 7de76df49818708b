"""Bands of several rasters on one grid as one raster: a VRT of GDAL, which holds no pixels.

It names its files as they are seen from its own folder, so a folder that holds all of them can be
moved.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from landcover.errors import InputError
from landcover.files.atomic import write_bytes
from landcover.files.rasters import BLOCK_PX, band_names, grid_of

#: GDAL's name of the type of bands.
_TYPE = "Float32"
#: What a band of a VRT says of itself, and of the raster that it is read from.
_BAND = {"dataType": _TYPE, "blockXSize": str(BLOCK_PX), "blockYSize": str(BLOCK_PX)}
_SOURCE = {"DataType": _TYPE, "BlockXSize": str(BLOCK_PX), "BlockYSize": str(BLOCK_PX)}


def write_stack(path: Path, files: Mapping[Path, Sequence[str]]) -> Path:
    """Write a VRT of all bands of some rasters, file by file.

    Parameters
    ----------
    path : path
        Of the VRT, .vrt.
    files : mapping of path to sequence of str
        Rasters of float32 that have NaN for nodata, and what their bands are called in the stack.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If the rasters are not on one grid, or a raster has another number of bands than names.

    Examples
    --------
    >>> write_stack(  # doctest: +SKIP
    ...     Path("dates.vrt"), {Path("dates/2022-04-15.tif"): ["2022-04-15:B02"]}
    ... )
    """
    first = next(iter(files))
    grid = grid_of(first)
    root = Element("VRTDataset", rasterXSize=str(grid.cols), rasterYSize=str(grid.rows))
    SubElement(root, "SRS").text = grid.crs.to_wkt()
    SubElement(root, "GeoTransform").text = ", ".join(map(repr, grid.transform.to_gdal()))
    sides = {"RasterXSize": str(grid.cols), "RasterYSize": str(grid.rows)}
    for file, names in files.items():
        if grid_of(file) != grid:
            raise InputError(f"{file} is not on the grid of {first}; stack rasters of one grid")
        held = len(band_names(file))
        if held != len(names):
            raise InputError(f"{file} has {held} bands and got {len(names)} names; give one a band")
        seen = Path(os.path.relpath(file, path.parent)).as_posix()
        for number, name in enumerate(names, start=1):
            band = SubElement(root, "VRTRasterBand", _BAND)
            SubElement(band, "Description").text = name
            SubElement(band, "NoDataValue").text = "nan"
            source = SubElement(band, "SimpleSource")
            SubElement(source, "SourceFilename", relativeToVRT="1").text = seen
            SubElement(source, "SourceBand").text = str(number)
            # with these GDAL opens a file when it is read, and not before
            SubElement(source, "SourceProperties", sides | _SOURCE)
    ElementTree.indent(root)
    return write_bytes(path, ElementTree.tostring(root, "utf-8") + b"\n")
