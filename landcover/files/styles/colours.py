"""Bands as red, green and blue, or as grey: QGIS's renderers of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.styles.document import renderer_of
from landcover.sensors import true_colour_bands

#: Percentiles of reflectance that become black and white.
STRETCH_PERCENTILES = (1.0, 99.0)
#: Brightens the middle of the stretch.
GAMMA = 1.4
#: Of the raster that a stretch is found on.
_SMALL_PX = 1000
#: The stretch of a raster without a pixel.
_UNSTRETCHED = (0.0, 1.0)


@dataclass(frozen=True)
class Colours:
    """Three bands in colour, or one in grey.

    Attributes
    ----------
    bands : tuple of int
        Those shown as red, green and blue, or the one shown as grey; counted from 1.
    together : bool
        Whether one stretch holds for all bands, which keeps the hue.
    stretch : tuple of (float, float), optional
        Values shown black and white, a pair a band; found on the raster by default.
    gamma : float
        Above 1 it brightens the middle.
    """

    bands: tuple[int, ...]
    together: bool = True
    stretch: tuple[tuple[float, float], ...] = ()
    gamma: float = GAMMA

    def fitted(self, raster: Path) -> Colours:
        """The same with a stretch between percentiles of the raster, unless it has one."""
        if self.stretch:
            return self
        pixels = rasters.read_small(raster, _SMALL_PX, self.bands)
        pixels = pixels[:, rasters.valid_pixels(pixels)]
        parts = [pixels] * len(self.bands) if self.together else list(pixels)
        return replace(self, stretch=tuple(map(_limits, parts)))

    def renderer(self) -> Xml.Element:
        """The element ``rasterrenderer``."""
        if not self.stretch:
            raise InputError("the style has no stretch yet; fit it to its raster first")
        if len(self.bands) == 1:
            element = renderer_of("singlebandgray", grayBand=str(self.bands[0]))
            element.set("gradient", "BlackToWhite")
            _enhance(element, "contrastEnhancement", self.stretch[0])
            return element
        names = ("red", "green", "blue")
        places = {f"{name}Band": str(band) for name, band in zip(names, self.bands, strict=True)}
        element = renderer_of("multibandcolor", **places)
        for name, limits in zip(names, self.stretch, strict=True):
            _enhance(element, f"{name}ContrastEnhancement", limits)
        return element


def scene_style(names: Sequence[str]) -> Colours:
    """A scene in true colour; without such bands the first three as they come, or the first.

    >>> scene_style(["B02", "B03", "B04", "B08"]).bands
    (3, 2, 1)
    >>> scene_style(["VV", "VH"]).bands
    (1,)
    """
    shown = true_colour_bands(names)
    if shown:
        return Colours(tuple(list(names).index(name) + 1 for name in shown))
    return Colours((1, 2, 3) if len(names) > 2 else (1,), together=False)


def _limits(pixels: np.ndarray) -> tuple[float, float]:
    """What is shown black and white; apart, so that a raster of one value is shown, too."""
    if not pixels.size:
        return _UNSTRETCHED
    low, high = (float(f"{value:.6g}") for value in np.percentile(pixels, STRETCH_PERCENTILES))
    return (low, high) if low < high else (low, low + 1.0)


def _enhance(parent: Xml.Element, name: str, limits: tuple[float, float]) -> None:
    element = Xml.SubElement(parent, name)
    for tag, value in zip(("minValue", "maxValue"), limits, strict=True):
        Xml.SubElement(element, tag).text = f"{value:.10g}"
    Xml.SubElement(element, "algorithm").text = "StretchToMinimumMaximum"
