"""A style as QGIS reads it: the layer-style XML around a renderer.

Source: QgsRasterRenderer and the classes derived from it (https://github.com/qgis/QGIS); the
elements have kept this form since QGIS 3.18.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree as Xml

from landcover.files.atomic import replace_when_whole

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
#: What styles and projects say they are of. A newer QGIS reads them; an older one would warn.
VERSION = "3.22.0"


class Style(Protocol):
    """How a raster is shown.

    Attributes
    ----------
    gamma : float
        Above 1 it brightens the middle.
    """

    @property
    def gamma(self) -> float:
        """Brightness of the middle."""
        ...

    def renderer(self) -> Xml.Element:
        """The element ``rasterrenderer``."""
        ...

    def fitted(self, raster: Path) -> Style:
        """The same with what depends on the pixels, such as a stretch, found on the raster."""
        ...


def qml(style: Style) -> str:
    """A style as QGIS layer-style XML.

    Parameters
    ----------
    style : Style
        Such as `Classes`; one whose stretch depends on pixels must be `fitted` before.

    Returns
    -------
    str
        What NAME.qml holds. A project file holds the same element ``pipe`` in its layer.
    """
    root = Xml.Element("qgis", version=VERSION, styleCategories="Symbology")
    pipe = Xml.SubElement(root, "pipe")
    pipe.append(style.renderer())
    Xml.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma=f"{style.gamma}")
    Xml.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    # Smooth resampling would mix classes
    Xml.SubElement(pipe, "rasterresampler", maxOversampling="1")
    Xml.SubElement(root, "blendMode").text = "0"
    return document(root)


def document(root: Xml.Element) -> str:
    """An element ``qgis``, of a style or a project, as the text of its file."""
    Xml.indent(root, " ")
    return _DOCTYPE + Xml.tostring(root, encoding="unicode") + "\n"


def qml_path(raster: str | Path) -> Path:
    """Where QGIS looks for the style of a raster: NAME.qml beside NAME.tif."""
    return Path(raster).with_suffix(".qml")


def write_qml(raster: str | Path, style: Style) -> Path:
    """Write the style of a raster beside it.

    Parameters
    ----------
    raster : path
        The raster, NAME.tif; only a style that is to be fitted needs it to exist.
    style : Style
        How it is shown.

    Returns
    -------
    Path
        NAME.qml.
    """
    content = qml(style.fitted(Path(raster)))
    path = qml_path(raster)
    with replace_when_whole(path) as part:
        part.write_text(content, "utf-8")
    return path


def renderer_of(kind: str, **own: str) -> Xml.Element:
    """An element ``rasterrenderer`` with what all of them have.

    QGIS keeps the limits that stand in the style and does not look for others in the pixels.
    """
    common = {"type": kind, "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    element = Xml.Element("rasterrenderer", common | own)
    Xml.SubElement(element, "rasterTransparency")
    origin = Xml.SubElement(element, "minMaxOrigin")
    for name, text in (("limits", "None"), ("extent", "WholeRaster"), ("statAccuracy", "Exact")):
        Xml.SubElement(origin, name).text = text
    return element
