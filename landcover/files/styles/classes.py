"""Classes in their colours: QGIS's renderer of unique values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from landcover.files.styles.document import renderer_of
from landcover.files.styles.scales import VIRIDIS, colour_at
from landcover.legend import LandClass, Legend


@dataclass(frozen=True)
class Classes:
    """A class raster; 0 (unlabelled) has no entry and stays transparent.

    Attributes
    ----------
    legend : Legend
        Codes, names and colours.
    with_codes : bool
        Whether the legend shows the code before the name. Where the code is no class code of a
        scheme, as in change rasters, it would be read as one.
    gamma : float
        Colours are shown as they are.

    Examples
    --------
    >>> entry = Classes(Legend.corine(1)).renderer().find(".//paletteEntry[@value='5']")
    >>> entry.get("label"), entry.get("color")
    ('5 Water bodies', '#00ccf2')
    """

    legend: Legend
    with_codes: bool = True
    gamma: float = 1.0

    def fitted(self, raster: Path) -> Classes:  # noqa: ARG002 - nothing depends on the pixels
        """Itself."""
        return self

    def renderer(self) -> Xml.Element:
        """The element ``rasterrenderer``."""
        element = renderer_of("paletted", band="1")
        palette = Xml.SubElement(element, "colorPalette")
        for land_class in self.legend.classes:
            code = f"{land_class.code} " if self.with_codes else ""
            Xml.SubElement(
                palette,
                "paletteEntry",
                value=str(land_class.code),
                label=f"{code}{land_class.name}",
                color=land_class.hex_colour,
                alpha="255",
            )
        return element


def Types(count: int) -> Classes:  # noqa: N802 - it makes a style, as the classes do
    """Types of segments, numbered from the darkest to the brightest, in one ramp of colours.

    >>> Types(3).legend.names
    ('Type 1, the darkest', 'Type 2', 'Type 3, the brightest')
    """
    at = {1: ", the darkest", count: ", the brightest"} if count > 1 else {}
    classes = [
        LandClass(n, f"Type {n}{at.get(n, '')}", colour_at(VIRIDIS, (n - 1) / max(count - 1, 1)))
        for n in range(1, count + 1)
    ]
    return Classes(Legend(tuple(classes)), with_codes=False)
