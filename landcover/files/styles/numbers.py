"""Numbered areas, such as segments, in colours that tell neighbours apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from landcover.files.styles.scales import RGB, pseudocolour

#: Stops of the ramp at most. With more numbers some share a step between two colours: those that
#: do are near each other in number, and rarely in place.
_MOST_STOPS = 5000
#: Steps through the colours whose values lie apart for numbers that follow each other.
_HUE, _LIGHT = 0.61803398875, 0.7548776662


@dataclass(frozen=True)
class Numbers:
    """Areas by their number, 1 and up; the colours mean nothing.

    QGIS has no renderer of any number of areas: unique values would be a legend entry each. A ramp
    whose stops change their colour from number to number is one bar in the legend.

    Attributes
    ----------
    highest : int
        The highest number.
    gamma : float
        Colours are shown as they are.
    """

    highest: int
    gamma: float = 1.0

    def fitted(self, raster: Path) -> Numbers:  # noqa: ARG002 - nothing depends on the pixels
        """Itself."""
        return self

    def renderer(self) -> Xml.Element:
        """The element ``rasterrenderer``."""
        highest = max(self.highest, 2)
        stops = min(highest, _MOST_STOPS)
        values = [1 + (highest - 1) * n / (stops - 1) for n in range(stops)]
        items = [(value, _colour(n), f"{value:.0f}") for n, value in enumerate(values)]
        return pseudocolour(items, 1, highest)


def _colour(number: int) -> RGB:
    """A colour of its own for numbers that follow each other."""
    import colorsys

    hue, light = number * _HUE % 1, 0.35 + 0.45 * (number * _LIGHT % 1)
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, light, 0.65))
    return red, green, blue
