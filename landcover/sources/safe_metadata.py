"""What the XML of a SAFE product says: how digital numbers become reflectance, and of what images.

Facts on its elements: ESA's Sentinel-2 product specification, versions 12 to 14, whose products
have processing baselines 01 to 05. The offsets stand in it from baseline 04.00 on, and in products
that were processed again; they are never told by a date.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from landcover.errors import InputError
from landcover.sensors import SENTINEL2
from landcover.sources.tile import utc

REMEDY = "fetch the product again"
#: Bands by their numbers in a product's XML; the table of the sensor has their order.
_BAND_IDS = {str(number): name for number, name in enumerate(SENTINEL2.names)}
#: Digital numbers that are no reflectance, where the XML does not say others.
_SPECIAL = {"NODATA": 0.0, "SATURATED": 65_535.0}
#: What digital numbers are divided by, of surface reflectance first.
_QUANTIFICATION = (
    "BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE",
)  # fmt: skip
_OFFSETS = ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET")
#: Images of the product, in the words of several versions of the specification.
_IMAGES = ("IMAGE_FILE", "IMAGE_FILE_2A", "IMAGE_ID", "IMAGE_ID_2A")


@dataclass(frozen=True)
class ProductMetadata:
    """What the XML of a product says.

    Attributes
    ----------
    quantification : float
        reflectance = (dn + offset) / quantification.
    offsets : dict of float
        By band; empty where the XML has none, which means 0.
    special : tuple of float
        Digital numbers that mean no data, or saturated.
    acquired : str or None
        When the first line was taken, ISO 8601 in UTC.
    images : frozenset of str
        Names of the product's images without folder and ending; empty where it lists none.
    """

    quantification: float
    offsets: dict[str, float]
    special: tuple[float, ...]
    acquired: str | None
    images: frozenset[str]

    def offset(self, band: str) -> float:
        """The offset of a band."""
        return self.offsets.get(band, 0.0)


def read_metadata(root: Element, called: str, level: str) -> ProductMetadata:
    """What the XML of a product says.

    Parameters
    ----------
    root : Element
        Of the XML.
    called : str
        What errors call it.
    level : str
        "1C" or "2A", by its name.

    Raises
    ------
    InputError
        If it is of another level, or a number in it is none.
    """
    texts: dict[str, list[str | None]] = defaultdict(list)
    offsets: dict[str, float] = {}
    for element in root.iter():
        tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        texts[tag].append(element.text)
        if tag in _OFFSETS:
            offsets |= _offset(element, tag, called)
    for said in texts["PROCESSING_LEVEL"]:
        if said and not said.strip().startswith(f"Level-{level}"):
            raise InputError(
                f"{called} says that it is of {said.strip()}, and its name that it is of Level-"
                f"{level}; {REMEDY}"
            )
    start = next(iter(texts["PRODUCT_START_TIME"]), None)
    listed = (text for tag in _IMAGES for text in texts[tag] if text)
    return ProductMetadata(
        _quantification(texts, called),
        offsets,
        _special(texts, called),
        utc(start),
        frozenset(text.strip().rsplit("/", 1)[-1].removesuffix(".jp2") for text in listed),
    )


def require_offsets(metadata: ProductMetadata, bands: list[str], called: str) -> None:
    """Raise InputError if some bands have an offset and others none."""
    silent = [name for name in bands if name not in metadata.offsets]
    if metadata.offsets and silent:
        raise InputError(f"{called} gives offsets and none for {' '.join(silent)}; {REMEDY}")


def _offset(element: Element, tag: str, called: str) -> dict[str, float]:
    """The offset that an element gives, by band."""
    number = element.get("band_id", "none")
    if number not in _BAND_IDS:
        raise InputError(
            f"{called} gives an offset for the band_id {number}, and bands have 0 to "
            f"{len(_BAND_IDS) - 1}; {REMEDY}"
        )
    return {_BAND_IDS[number]: _number(element.text, tag, called)}


def _quantification(texts: dict[str, list[str | None]], called: str) -> float:
    """What digital numbers are divided by."""
    text = next((text for tag in _QUANTIFICATION for text in texts[tag] if text), None)
    if not text:
        raise InputError(
            f"{called} gives no quantification value; give the images to open_bands, with "
            "quantification="
        )
    number = _number(text, "QUANTIFICATION_VALUE", called)
    if number <= 0:
        raise InputError(
            f"{called} gives the quantification value {number:g}, and a positive number is "
            f"needed; {REMEDY}"
        )
    return number


def _special(texts: dict[str, list[str | None]], called: str) -> tuple[float, ...]:
    """Digital numbers that are no reflectance."""
    names = [(text or "").strip() for text in texts["SPECIAL_VALUE_TEXT"]]
    values = texts["SPECIAL_VALUE_INDEX"]
    if len(names) != len(values):
        raise InputError(
            f"{called} names {len(names)} special values and gives {len(values)}; {REMEDY}"
        )
    found = {
        name: _number(value, f"the special value {name}", called)
        for name, value in zip(names, values, strict=True)
        if name in _SPECIAL
    }
    return tuple(dict.fromkeys((_SPECIAL | found).values()))


def _number(text: str | None, tag: str, called: str) -> float:
    """A number of a product's XML."""
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{called} gives {tag} {text!r}, no number; {REMEDY}")
    return number
