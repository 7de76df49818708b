"""QGIS styles beside class rasters: QGIS loads NAME.qml with NAME.tif and shows the legend."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from landcover.errors import LandcoverError, reading_error
from landcover.files.atomic import replace_when_whole
from landcover.legend import Legend

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
#: Older and newer QGIS read it; the paletted renderer has kept this form since 3.0.
_QGIS_VERSION = "3.28.0"


def write_qml(raster: str | Path, legend: Legend) -> Path:
    """Write the style of a class raster beside it, where QGIS looks for it.

    Parameters
    ----------
    raster : path
        The class raster, NAME.tif; it need not exist yet.
    legend : Legend
        Classes, names and colours. Code 0 (unlabelled) gets no entry and stays transparent.

    Returns
    -------
    Path
        NAME.qml.
    """
    path = Path(raster).with_suffix(".qml")
    with replace_when_whole(path) as part:
        part.write_text(qml(legend), "utf-8")
    return path


def qml(legend: Legend) -> str:
    """The paletted style of a legend as QGIS layer-style XML.

    Source: QGIS's raster renderer of type "paletted" (QgsPalettedRasterRenderer).

    >>> text = qml(Legend.corine(1))
    >>> [line.strip() for line in text.splitlines() if 'value="5"' in line]
    ['<paletteEntry value="5" label="5 Water bodies" color="#00ccf2" alpha="255" />']
    """
    root = Xml.Element("qgis", version=_QGIS_VERSION, styleCategories="Symbology")
    pipe = Xml.SubElement(root, "pipe")
    renderer = Xml.SubElement(
        pipe,
        "rasterrenderer",
        type="paletted",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
    )
    Xml.SubElement(renderer, "rasterTransparency")
    palette = Xml.SubElement(renderer, "colorPalette")
    for land_class in legend.classes:
        Xml.SubElement(
            palette,
            "paletteEntry",
            value=str(land_class.code),
            label=f"{land_class.code} {land_class.name}",
            color=land_class.hex_colour,
            alpha="255",
        )
    Xml.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    Xml.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    # Smooth resampling would mix classes
    Xml.SubElement(pipe, "rasterresampler", maxOversampling="1")
    Xml.SubElement(root, "blendMode").text = "0"
    Xml.indent(root, " ")
    return _DOCTYPE + Xml.tostring(root, encoding="unicode") + "\n"


def read_qml(raster: str | Path) -> Legend:
    """The legend in the style beside a class raster: the inverse of `write_qml`.

    Raises
    ------
    LandcoverError
        If there is no such style, or it holds no classes.
    """
    path = Path(raster).with_suffix(".qml")
    try:
        rows = sorted(palette(path), key=lambda row: int(row["code"]))
        legend = Legend.from_dicts(rows)
    except (LandcoverError, KeyError, ValueError) as error:
        raise reading_error(error)(
            f"{path} cannot be read as a style ({error}); make the raster again"
        ) from None
    if not legend.classes:
        raise LandcoverError(f"{path} holds no classes; make the raster again")
    return legend


def palette(path: Path) -> list[dict[str, str]]:
    """Code, name and colour of every class of a paletted style, as text.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing or no XML.
    """
    try:
        entries = [entry.attrib for entry in Xml.parse(path).iter("paletteEntry")]
    except (OSError, Xml.ParseError) as error:
        raise reading_error(error)(f"{path} cannot be read as a QGIS style ({error})") from None
    return [
        {
            "code": entry.get("value", ""),
            "name": entry.get("label", "").removeprefix(f"{entry.get('value')} "),
            "colour": entry.get("color", ""),
        }
        for entry in entries
    ]
