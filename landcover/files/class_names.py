"""What files say of their values: names of classes in tables and styles, and a product in texts.

landcover keeps the classes of a raster in a tag of the file. GDAL keeps a raster attribute table
(RAT) and category names in ``FILE.aux.xml``, Esri's programs a RAT in ``FILE.vat.dbf``, QGIS a
style in ``NAME.qml``, and STAC lists classes under ``classification:classes``
(https://github.com/stac-extensions/classification).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from landcover.errors import LandcoverError
from landcover.files import styles
from landcover.files.opening import open_dataset
from landcover.files.raster_names import RasterName

#: Headings of the columns of a RAT, the surest first.
_VALUES = ("value", "code", "class", "id")
_NAMES = ("class_name", "label3", "classname", "name", "label", "class", "description", "category")
#: Larger side files are none of classes.
_MOST_BYTES = 4_000_000
#: What readers of a damaged side file raise.
_UNREADABLE = (
    LandcoverError, Xml.ParseError, LookupError, ValueError, TypeError, AttributeError, OSError,
)  # fmt: skip
#: Tag of the band of a class raster that landcover wrote, as JSON.
CLASSES_TAG = "LANDCOVER_CLASSES"


def class_names(source: RasterName) -> dict[int, str]:
    """Names that a class raster or a file beside it gives to its values.

    Parameters
    ----------
    source : path
        A class raster. GDAL's names of rasters in other files have no files beside them.

    Returns
    -------
    dict of int to str
        From the first of these that has some: landcover's own tag, FILE.aux.xml, FILE.vat.dbf,
        NAME.qml, and a STAC item NAME.json or stac/NAME.json. Empty where there is none; a file
        that cannot be read says nothing.
    """
    if not isinstance(source, Path):
        return {}
    beside = (
        (source.with_name(f"{source.name}.aux.xml"), _of_gdal),
        (source.with_name(f"{source.name}.vat.dbf"), _of_esri),
        (source.with_suffix(".qml"), _of_qgis),
        (source.with_suffix(".json"), _of_stac),
        (source.parent / "stac" / f"{source.stem}.json", _of_stac),
    )
    own = _names_of(source, _of_tag) if source.is_file() else {}
    found = (
        _names_of(path, read)
        for path, read in beside
        if path.is_file() and path.stat().st_size <= _MOST_BYTES
    )
    return own or next(filter(None, found), {})


def gdal_names(source: Path) -> dict[int, str]:
    """Names in FILE.aux.xml alone: those that the writer gave, which no style changes."""
    path = source.with_name(f"{source.name}.aux.xml")
    return _names_of(path, _of_gdal) if path.is_file() else {}


def tagged_classes(source: RasterName) -> list[dict[str, Any]] | None:
    """Code, name and colour of each class in landcover's tag; None where there is none.

    Raises
    ------
    ValueError
        If the tag is no JSON.
    """
    with open_dataset(source) as dataset:
        found = dataset.tags(1).get(CLASSES_TAG)
    return None if found is None else json.loads(found)


def _names_of(path: Path, read: Callable[[Path], Iterator[tuple[str, str]]]) -> dict[int, str]:
    """What a reader finds in a file; nothing where the file cannot be read."""
    try:
        return {int(float(value)): name.strip() for value, name in read(path) if name.strip()}
    except _UNREADABLE:
        return {}


def _of_tag(path: Path) -> Iterator[tuple[str, str]]:
    for row in tagged_classes(path) or ():
        yield str(row["code"]), str(row["name"])


def said_of(source: RasterName) -> str:
    """Name and texts of a raster's first band, in lower case, in which a product may be named."""
    texts = [Path(source).name]
    with open_dataset(source) as dataset:
        texts += [dataset.descriptions[0] or "", *dataset.tags().values()]
        texts += dataset.tags(1).values()
    return " ".join(texts).lower()


def _of_gdal(path: Path) -> Iterator[tuple[str, str]]:
    """Rows of a RAT of the first band, or its categories, which are listed from 0 on."""
    root = Xml.parse(path).getroot()
    table = root.find(".//GDALRasterAttributeTable")
    if table is not None:
        headings = [(field.findtext("Name") or "").lower() for field in table.iter("FieldDefn")]
        rows = [[cell.text or "" for cell in row.iter("F")] for row in table.iter("Row")]
        yield from _columns(headings, rows)
        return
    categories = root.find(".//CategoryNames")
    if categories is not None:
        for value, category in enumerate(categories.iter("Category")):
            yield str(value), category.text or ""


def _of_esri(path: Path) -> Iterator[tuple[str, str]]:
    """Rows of an attribute table in dBASE's form."""
    import pyogrio

    frame = pyogrio.read_dataframe(path, read_geometry=False)
    headings = [str(column).lower() for column in frame.columns]
    yield from _columns(headings, frame.astype(str).to_numpy().tolist())


def _columns(headings: list[str], rows: list[list[str]]) -> Iterator[tuple[str, str]]:
    """Values and names of a table, by its headings."""
    value = next((heading for heading in _VALUES if heading in headings), None)
    name = next((heading for heading in _NAMES if heading in headings and heading != value), None)
    if value is not None and name is not None:
        for row in rows:
            yield row[headings.index(value)], row[headings.index(name)]


def _of_qgis(path: Path) -> Iterator[tuple[str, str]]:
    for row in styles.palette(path):
        yield row["code"], row["name"]


def _of_stac(path: Path) -> Iterator[tuple[str, str]]:
    """Classes of an item, wherever they stand in it: of an asset, a band or the whole."""
    waiting = [json.loads(path.read_text("utf-8"))]
    while waiting:
        held = waiting.pop()
        if isinstance(held, list):
            waiting += held
        elif isinstance(held, dict):
            for entry in held.get("classification:classes", ()):
                yield str(entry["value"]), str(entry.get("description") or entry.get("name") or "")
            waiting += held.values()
