"""Measures on a fixed scale of colours: QGIS's renderer of one band in pseudocolour.

The scales do not depend on the pixels, so that two models' rasters can be compared by eye. Dark is
undecided in all that says how sure a map is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from landcover.files.styles.document import renderer_of
from landcover.legend import hex_of

RGB = tuple[int, int, int]
#: From dark to bright, told apart by colour-blind readers and in grey (matplotlib's viridis).
VIRIDIS: tuple[RGB, ...] = (
    (68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37),
)  # fmt: skip
#: From nothing to much (ColorBrewer's YlOrRd and YlGnBu, white first).
REDS: tuple[RGB, ...] = (
    (255, 255, 255), (254, 217, 118), (253, 141, 60), (227, 26, 28), (128, 0, 38),
)  # fmt: skip
BLUES: tuple[RGB, ...] = (
    (255, 255, 255), (199, 233, 180), (65, 182, 196), (34, 94, 168), (8, 29, 88),
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """One band from a lowest to a highest value, on a ramp of colours.

    Attributes
    ----------
    low, high : float
        Values of the first and the last colour; what lies beyond has these colours too.
    ramp : tuple of colours
        At even steps.
    unit : str
        Behind the numbers of the legend.
    steps : tuple of (float, colour, str), optional
        Instead of a ramp: up to which value a colour holds, and what the legend says of it.
    band : int
        Counted from 1.
    gamma : float
        Colours are shown as they are.
    """

    low: float
    high: float
    ramp: tuple[RGB, ...] = VIRIDIS
    unit: str = ""
    steps: tuple[tuple[float, RGB, str], ...] = ()
    band: int = 1
    gamma: float = 1.0

    def fitted(self, raster: Path) -> Scale:  # noqa: ARG002 - the scale is fixed
        """Itself."""
        return self

    def items(self) -> list[tuple[float, RGB, str]]:
        """Value, colour and label of every stop."""
        if self.steps:
            return list(self.steps)
        last = len(self.ramp) - 1
        values = [self.low + (self.high - self.low) * n / last for n in range(last + 1)]
        return [
            (value, colour, f"{value:g}{self.unit}")
            for value, colour in zip(values, self.ramp, strict=True)
        ]

    def renderer(self) -> Xml.Element:
        """The element ``rasterrenderer``."""
        return pseudocolour(
            self.items(), self.low, self.high, band=self.band, unit=self.unit,
            kind="DISCRETE" if self.steps else "INTERPOLATED",
        )  # fmt: skip


def pseudocolour(
    items: list[tuple[float, RGB, str]],
    low: float,
    high: float,
    *,
    band: int = 1,
    unit: str = "",
    kind: str = "INTERPOLATED",
) -> Xml.Element:
    """The element ``rasterrenderer`` of one band by value, colour and label of its stops."""
    limits = {"classificationMin": f"{low:g}", "classificationMax": f"{high:g}"}
    element = renderer_of("singlebandpseudocolor", band=str(band), **limits)
    shader = Xml.SubElement(
        Xml.SubElement(element, "rastershader"),
        "colorrampshader",
        colorRampType=kind,
        classificationMode="1",
        clip="0",
        minimumValue=f"{low:g}",
        maximumValue=f"{high:g}",
        labelPrecision="2",
    )
    for value, colour, label in items:
        Xml.SubElement(
            shader, "item", value=f"{value:.10g}", label=label, color=hex_of(colour), alpha="255"
        )
    Xml.SubElement(
        shader,
        "rampLegendSettings",
        useContinuousLegend="1",
        suffix=unit,
        prefix="",
        minimumLabel="",
        maximumLabel="",
        direction="0",
        orientation="2",
    )
    return element


def colour_at(ramp: tuple[RGB, ...], share: float) -> RGB:
    """The colour at a share of a ramp, 0 to 1.

    >>> colour_at(((0, 0, 0), (100, 200, 50)), 0.5)
    (50, 100, 25)
    """
    place = share * (len(ramp) - 1)
    left = min(int(place), len(ramp) - 2)
    part = place - left
    red, green, blue = (
        round(a + part * (b - a)) for a, b in zip(ramp[left], ramp[left + 1], strict=True)
    )
    return red, green, blue


#: Percent, of maps and of labels.
CONFIDENCE = Scale(0, 100, unit=" %")
ENTROPY = Scale(0, 100, tuple(reversed(VIRIDIS)), " %")
#: The first class; others are chosen in QGIS as the band.
PROBABILITY = Scale(0, 1, BLUES)
CHANGE = Scale(0, 100, REDS, " %")
APPLICABILITY = Scale(
    0,
    254,
    steps=(
        (50, (26, 120, 55), "up to 50 % of the threshold"),
        (100, (166, 219, 160), "up to the threshold: inside the area of applicability"),
        (150, (253, 174, 97), "up to 150 % of the threshold: outside"),
        (254, (178, 24, 43), "more: far outside"),
    ),
)


#: More dates than this are a ramp, not an entry each.
_FEW_DATES = 20


def dates_style(count: int) -> Scale:
    """How many of some dates are valid.

    >>> [label for *_, label in dates_style(2).items()]
    ['0 of 2 dates', '1 of 2 dates', '2 of 2 dates']
    """
    if not 0 < count <= _FEW_DATES:
        return Scale(0, max(count, 1), BLUES, " dates")
    steps = ((n, colour_at(BLUES, n / count), f"{n} of {count} dates") for n in range(count + 1))
    return Scale(0, count, steps=tuple(steps))
