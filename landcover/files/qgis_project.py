"""A project of QGIS, written as the XML that QGIS 3.22 writes; nothing of QGIS is needed.

Source: QgsProject, QgsLayerTree and QgsMapLayer (https://github.com/qgis/QGIS). Newer versions read
it and write it as their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from landcover.files.atomic import short_digest, write_text
from landcover.files.styles.document import VERSION, document
from landcover.grid import Grid

if TYPE_CHECKING:
    import pyproj

#: Paths begin in the folder of the project; and it has a CRS: QGIS reads none without this number.
_PROPERTIES = (
    ("Paths", "Absolute", "bool", "false"),
    ("SpatialRefSys", "ProjectionsEnabled", "int", "1"),
)
#: QGIS adds the name of its release to the number, such as 3.22.4-Białowieża.
_OF_QGIS = re.compile(r'<qgis [^>]*version="[\d.]+-')
#: Of a project, with its version.
_FIRST_CHARACTERS = 2000
#: Room about the scene, as a share of it.
_MARGIN = 0.03


@dataclass(frozen=True)
class Layer:
    """A layer of the project.

    Attributes
    ----------
    path : Path
        Its file, in the folder of the project or below it.
    title : str
        What the layer tree says.
    style : str
        QGIS layer-style XML.
    grid : Grid
        CRS and, of a raster, where it lies.
    name : str, optional
        Layer of a GeoPackage; a raster has none.
    geometry : {"Point", "Polygon"}, optional
        Of such a layer.
    shown : bool
        Whether it is drawn when the project is opened.
    expanded : bool
        Whether the layer tree shows its legend.
    """

    path: Path
    title: str
    style: str
    grid: Grid
    name: str | None = None
    geometry: str | None = None
    shown: bool = False
    expanded: bool = False

    def source(self, folder: Path) -> str:
        """Where QGIS finds it, from the folder of the project."""
        place = f"./{self.path.relative_to(folder).as_posix()}"
        return place if self.name is None else f"{place}|layername={self.name}"

    def identity(self, folder: Path) -> str:
        """The same at every writing, and unlike that of any other layer."""
        source = self.source(folder)
        words = re.sub(r"[^a-z0-9]+", "_", source.lower().encode("ascii", "ignore").decode())
        return f"{words.strip('_')}_{short_digest(source.encode())[:8]}"


@dataclass(frozen=True)
class Group:
    """Layers of one kind, from top to bottom, and groups below them.

    Attributes
    ----------
    name : str
        What the layer tree says.
    layers : sequence of Layer
        Its layers.
    groups : sequence of Group
        Groups in it.
    expanded : bool
        Whether the layer tree shows what is in it.
    """

    name: str
    layers: Sequence[Layer]
    groups: Sequence[Group] = field(default_factory=tuple)
    expanded: bool = True

    def all_layers(self) -> list[Layer]:
        """Its layers and those of its groups."""
        return [*self.layers, *(layer for group in self.groups for layer in group.all_layers())]


def write_project(path: Path, groups: Sequence[Group], grid: Grid, title: str) -> Path:
    """Write a project, whole or not at all.

    Parameters
    ----------
    path : path
        NAME.qgs; paths in it begin in its folder, so that the folder can be moved.
    groups : sequence of Group
        From top to bottom.
    grid : Grid
        The CRS of the project, and what is seen first.
    title : str
        Of the project.
    """
    return write_text(path, project(path.parent, groups, grid, title))


def keep_what_qgis_saved(path: Path) -> Path | None:
    """Move a project that QGIS has saved, with somebody's changes, to NAME.qgs~.

    QGIS names its own copy of a project so. None where there is none, or it is as it was written.
    """
    if not path.exists() or not _OF_QGIS.search(_first_lines(path)):
        return None
    kept = path.with_name(f"{path.name}~")
    path.replace(kept)
    return kept


def _first_lines(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_FIRST_CHARACTERS)


def project(folder: Path, groups: Sequence[Group], grid: Grid, title: str) -> str:
    """The text of a project whose file lies in a folder; see `write_project`."""
    root = Xml.Element("qgis", version=VERSION, projectname=title)
    Xml.SubElement(root, "homePath", path="")
    Xml.SubElement(root, "title").text = title
    _add_crs(Xml.SubElement(root, "projectCrs"), grid)
    layers = [layer for group in groups for layer in group.all_layers()]
    tree = Xml.SubElement(root, "layer-tree-group")
    for group in groups:
        _add_group(tree, group, folder)
    order = Xml.SubElement(tree, "custom-order", enabled="0")
    for layer in layers:
        Xml.SubElement(order, "item").text = layer.identity(folder)
    _add_view(root, grid)
    held = Xml.SubElement(root, "projectlayers")
    for layer in layers:
        _add_layer(held, layer, folder)
    properties = Xml.SubElement(root, "properties")
    for section, name, kind, value in _PROPERTIES:
        Xml.SubElement(Xml.SubElement(properties, section), name, type=kind).text = value
    return document(root)


def _add_group(tree: Xml.Element, group: Group, folder: Path) -> None:
    """A group, its layers and its groups in the layer tree."""
    held = Xml.SubElement(
        tree, "layer-tree-group", name=group.name, checked="Qt::Checked",
        expanded=str(int(group.expanded)),
    )  # fmt: skip
    for layer in group.layers:
        Xml.SubElement(
            held, "layer-tree-layer", id=layer.identity(folder), name=layer.title,
            source=layer.source(folder), providerKey="gdal" if layer.name is None else "ogr",
            checked="Qt::Checked" if layer.shown else "Qt::Unchecked",
            expanded=str(int(layer.expanded)),
        )  # fmt: skip
    for inner in group.groups:
        _add_group(held, inner, folder)


def _add_view(root: Xml.Element, grid: Grid) -> None:
    """What is seen first: the scene and a little room about it."""
    west, south, east, north = grid.bounds
    across, up = _MARGIN * (east - west), _MARGIN * (north - south)
    seen = (west - across, south - up, east + across, north + up)
    canvas = Xml.SubElement(root, "mapcanvas", name="theMapCanvas", annotationsVisible="1")
    Xml.SubElement(canvas, "units").text = "degrees" if grid.crs.is_geographic else "meters"
    _add_extent(canvas, seen)
    Xml.SubElement(canvas, "rotation").text = "0"
    _add_crs(Xml.SubElement(canvas, "destinationsrs"), grid)
    settings = Xml.SubElement(root, "ProjectViewSettings", UseProjectScales="0", rotation="0")
    Xml.SubElement(settings, "Scales")
    names = ("xmin", "ymin", "xmax", "ymax")
    texts = {name: repr(value) for name, value in zip(names, seen, strict=True)}
    _add_crs(Xml.SubElement(settings, "DefaultViewExtent", texts), grid)


def _add_layer(held: Xml.Element, layer: Layer, folder: Path) -> None:
    """What QGIS has to know of a layer, and its style."""
    kind = {"type": "raster"}
    if layer.geometry is not None:
        kind = {"type": "vector", "geometry": layer.geometry}
    element = Xml.SubElement(held, "maplayer", kind | {"styleCategories": "AllStyleCategories"})
    if layer.geometry is None:
        _add_extent(element, layer.grid.bounds)
    Xml.SubElement(element, "id").text = layer.identity(folder)
    Xml.SubElement(element, "datasource").text = layer.source(folder)
    Xml.SubElement(element, "layername").text = layer.title
    _add_crs(Xml.SubElement(element, "srs"), layer.grid)
    provider = Xml.SubElement(element, "provider")
    provider.text = "gdal" if layer.geometry is None else "ogr"
    if layer.geometry is not None:
        provider.set("encoding", "UTF-8")
    element.extend(Xml.fromstring(layer.style))


def _add_extent(parent: Xml.Element, bounds: Sequence[float]) -> None:
    held = Xml.SubElement(parent, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True):
        Xml.SubElement(held, name).text = repr(float(value))


def _add_crs(parent: Xml.Element, grid: Grid) -> None:
    """The CRS of a grid as WKT, and its number where it has one."""
    import pyproj

    crs = pyproj.CRS.from_wkt(grid.crs.to_wkt())
    authority = crs.to_authority() or ("", "")
    held = Xml.SubElement(parent, "spatialrefsys", nativeFormat="Wkt")
    texts = {
        "wkt": crs.to_wkt("WKT2_2019"),
        "proj4": "",
        "srsid": "0",
        "srid": authority[1] if authority[1].isdigit() else "0",
        "authid": ":".join(authority) if authority[0] else "",
        "description": crs.name,
        "projectionacronym": "",
        "ellipsoidacronym": _ellipsoid(crs),
        "geographicflag": "true" if crs.is_geographic else "false",
    }
    for name, text in texts.items():
        Xml.SubElement(held, name).text = text


def _ellipsoid(crs: pyproj.CRS) -> str:
    """By which lengths and areas are measured, by number; empty where it has none."""
    known = crs.ellipsoid.to_json_dict().get("id") if crs.ellipsoid else None
    return f"{known['authority']}:{known['code']}" if known else ""
