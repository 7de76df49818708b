"""A style that somebody saved in QGIS, read for the names that it gives to values."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from landcover.errors import reading_error


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
