"""The legend of a class raster: kept in a tag of the file, and beside it as an attribute table.

The tag goes wherever the file goes. The raster attribute table (RAT) is for other programs: GDAL
reads it of FILE.aux.xml, and so does what is built on GDAL. A style in NAME.qml is the user's to
change, so that no legend is read of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as Xml

from landcover.errors import LandcoverError
from landcover.files.class_names import CLASSES_TAG, gdal_names, tagged_classes
from landcover.files.rasters import colour_table
from landcover.legend import UNLABELLED, LandClass, Legend

#: Columns of the table: heading, type and usage as GDAL numbers them (GDALRATFieldType and
#: GDALRATFieldUsage in gdal.h).
_INTEGER, _STRING = ("0", "Integer"), ("2", "String")
_COLUMNS = (
    ("Value", _INTEGER, ("5", "MinMax")),
    ("Name", _STRING, ("2", "Name")),
    ("Red", _INTEGER, ("6", "Red")),
    ("Green", _INTEGER, ("7", "Green")),
    ("Blue", _INTEGER, ("8", "Blue")),
)


def tags(legend: Legend) -> dict[str, str]:
    """The tags that a class raster keeps its legend in."""
    classes = [land_class.as_dict() for land_class in legend.classes]
    return {CLASSES_TAG: json.dumps(classes, ensure_ascii=False, separators=(",", ":"))}


def legend_of(path: Path) -> Legend | None:
    """The legend that a class raster holds; None where it holds none.

    Rasters that earlier versions wrote hold the colours in a colour table, and the names lie beside
    them.
    """
    try:
        found = tagged_classes(path)
        return _of_colour_table(path) if found is None else Legend.from_dicts(found)
    except (json.JSONDecodeError, KeyError, TypeError):
        raise LandcoverError(
            f"{path}: its tag {CLASSES_TAG} holds no classes; make the raster again"
        ) from None


def attribute_table(legend: Legend) -> str:
    """The side file in which GDAL keeps the attribute table of a raster's first band."""
    root = Xml.Element("PAMDataset")
    band = Xml.SubElement(root, "PAMRasterBand", band="1")
    table = Xml.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(_COLUMNS):
        field = Xml.SubElement(table, "FieldDefn", index=str(index))
        Xml.SubElement(field, "Name").text = name
        Xml.SubElement(field, "Type", typeAsString=kind[1]).text = kind[0]
        Xml.SubElement(field, "Usage", usageAsString=usage[1]).text = usage[0]
    for index, land_class in enumerate(legend.classes):
        row = Xml.SubElement(table, "Row", index=str(index))
        for value in (land_class.code, land_class.name, *land_class.colour):
            Xml.SubElement(row, "F").text = str(value)
    Xml.indent(root, " ")
    return Xml.tostring(root, encoding="unicode") + "\n"


def _of_colour_table(path: Path) -> Legend | None:
    """Names beside a raster, with the colours of its colour table."""
    names = {code: name for code, name in gdal_names(path).items() if code != UNLABELLED}
    colours = colour_table(path) if names else {}
    if not colours:
        return None
    return Legend(tuple(_classes(names, colours)))


def _classes(
    names: dict[int, str], colours: dict[int, tuple[int, int, int]]
) -> Iterable[LandClass]:
    for code in sorted(names):
        yield LandClass(code, names[code].removeprefix(f"{code} "), colours.get(code, (0, 0, 0)))
