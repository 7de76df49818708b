"""Sensors as a table: their bands, what each sees, and how digital numbers become reflectance.

A row of `SENSORS` is all that the package knows of a sensor. Formulas ask for bands by role, such
as red, and the table says which band of a scene that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError


@dataclass(frozen=True)
class SensorBand:
    """A band of a sensor.

    Attributes
    ----------
    name : str
        As scenes name it.
    role : str
        What it sees: a common name of STAC's EO extension, such as red; one of each in a sensor.
    wavelength_nm : float
        Nominal centre.
    pixel_m : float
        Side of a pixel as delivered.
    """

    name: str
    role: str
    wavelength_nm: float
    pixel_m: float


@dataclass(frozen=True)
class Sensor:
    """A sensor: reflectance = (dn + offset) / quantification.

    Attributes
    ----------
    name : str
        Key of `SENSORS`.
    title : str
        Name for people.
    bands : tuple of SensorBand
        By wavelength, or as the sensor's own metadata number them.
    quantification, offset : float
        Of digital numbers, where nothing else is said.
    file_pattern : str
        Regular expression with one group: the name of a band in a file's or layer's name.
    source : str
        Where the numbers come from.
    """

    name: str
    title: str
    bands: tuple[SensorBand, ...]
    quantification: float
    offset: float
    file_pattern: str
    source: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all bands."""
        return tuple(band.name for band in self.bands)

    @property
    def pixel_m(self) -> dict[str, float]:
        """Side of the pixels of each band as delivered, metres, by name."""
        return {band.name: band.pixel_m for band in self.bands}

    @property
    def surface_names(self) -> tuple[str, ...]:
        """Names of the bands that surface reflectance has: the cirrus band sees no ground."""
        return tuple(band.name for band in self.bands if band.role != "cirrus")

    @property
    def core(self) -> tuple[str, ...]:
        """Names of the bands that every scene needs: blue, green, red, near-infrared."""
        return self.names_of(CORE_ROLES)

    def names_of(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Names of the bands of some roles, in their order."""
        held = {band.role: band.name for band in self.bands}
        return tuple(held[role] for role in roles)

    def band_of(self, text: str) -> str | None:
        """Name of the band that the name of a file or layer speaks of; None for none or several.

        A number, such as B4, comes before a common name, such as red: places are called red too.

        >>> SENTINEL2.band_of("T33UUU_20170216T102101_B02.jp2"), SENTINEL2.band_of("dolomites.b8")
        ('B02', 'B08')
        >>> SENTINEL2.band_of("jena_red.tif"), SENTINEL2.band_of("red edge 2")
        ('B04', 'B06')
        >>> LANDSAT.band_of("LC08_L2SP_193024_20220601_20220614_02_T1_SR_B4.TIF")
        'SR_B4'
        """
        found = self._numbered(text) or self._by_role(text)
        return found[0] if len(found) == 1 else None

    def contradicts(self, text: str) -> bool:
        """Whether a text names one band by number and another by its common name.

        >>> SENTINEL2.contradicts("B1 - blue"), SENTINEL2.contradicts("B2 (blue)")
        (True, False)
        """
        numbered, by_role = self._numbered(text), self._by_role(text)
        return bool(numbered and by_role) and set(numbered) != set(by_role)

    def band_at(self, text: str) -> str | None:
        """Name of the band nearest to the wavelength that a text gives; None where it gives none.

        >>> SENTINEL2.band_at("Red (665 nm)"), SENTINEL2.band_at("0.842 Micrometers")
        ('B04', 'B08')
        """
        found = _WAVELENGTH.search(text)
        if not found:
            return None
        wavelength_nm = float(found[1]) * (1 if found[2].lower().startswith("n") else 1000)
        return min(self.bands, key=lambda band: abs(band.wavelength_nm - wavelength_nm)).name

    def _numbered(self, text: str) -> list[str]:
        """Bands that a text names by their number; numbers that the sensor lacks stay as read."""
        found = {_plain(match) for match in re.findall(self.file_pattern, text, re.IGNORECASE)}
        names = {_plain(name): name for name in self.names}
        return sorted({names.get(number, number) for number in found})

    def _by_role(self, text: str) -> list[str]:
        """Bands that a text names by their common name."""
        for pattern, role in _SPELLINGS:
            text = re.sub(pattern, role, text, flags=re.IGNORECASE)
        held = {band.role: band.name for band in self.bands}
        words = re.findall(r"[a-z]+\d*", text.lower())
        return sorted({held[word] for word in words if word in held})


#: A wavelength and its unit, in texts.
_WAVELENGTH = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*(nm|nanomet\w+|[uµμ]m|micromet\w+)\b", re.I)
#: Other spellings of common names; what they mean stands between blanks, as a word of its own.
_SPELLINGS = (
    (r"red[\s_.-]*edge[\s_.-]*0?([123])(?!\d)", r" rededge\1 "),
    (r"rededge1", "rededge071"),
    (r"rededge2", "rededge075"),
    (r"rededge3", "rededge078"),
    (r"red[\s_.-]*edge(?!\d)", " rededge "),
    (r"near[\s_.-]*infra[\s_.-]*red", " nir "),
    (r"(?:narrow[\s_.-]*nir|nir[\s_.-]*narrow)", " nir08 "),
    (r"(?:broad[\s_.-]*nir|nir[\s_.-]*broad)", " nir "),  # FORCE calls B8A NIR beside it
    (r"swir[\s_.-]*1(?!\d)", " swir16 "),
    (r"swir[\s_.-]*2(?!\d)", " swir22 "),
)


#: What a composite of dates adds to the name of a band.
_PERCENTILE = re.compile(r"_p\d+$")


def _plain(name: str) -> str:
    """A band's name without the zero that some names fill its number with."""
    return re.sub(r"(?<=B)0(?=\d)", "", name.upper())


CORE_ROLES = ("blue", "green", "red", "nir")

SENTINEL2 = Sensor(
    "sentinel-2",
    "Sentinel-2 MSI",
    (
        SensorBand("B01", "coastal", 443, 60),
        SensorBand("B02", "blue", 490, 10),
        SensorBand("B03", "green", 560, 10),
        SensorBand("B04", "red", 665, 10),
        SensorBand("B05", "rededge071", 705, 20),
        SensorBand("B06", "rededge075", 740, 20),
        SensorBand("B07", "rededge078", 783, 20),
        SensorBand("B08", "nir", 842, 10),
        SensorBand("B8A", "nir08", 865, 20),
        SensorBand("B09", "nir09", 945, 60),
        SensorBand("B10", "cirrus", 1375, 60),
        SensorBand("B11", "swir16", 1610, 20),
        SensorBand("B12", "swir22", 2190, 20),
    ),
    quantification=10_000.0,
    offset=0.0,
    file_pattern=r"(?<![A-Z0-9])(B(?:8A|0?[1-9]|1[0-2]))(?![A-Z0-9])",
    source="ESA, Sentinel-2 product specification, levels 1C and 2A",
)
#: STAC calls band 5 nir08; it is the only near-infrared band here, so it takes that role.
LANDSAT = Sensor(
    "landsat-8-9",
    "Landsat 8 and 9 OLI, collection 2 level 2",
    (
        SensorBand("SR_B1", "coastal", 443, 30),
        SensorBand("SR_B2", "blue", 482, 30),
        SensorBand("SR_B3", "green", 561, 30),
        SensorBand("SR_B4", "red", 655, 30),
        SensorBand("SR_B5", "nir", 865, 30),
        SensorBand("SR_B6", "swir16", 1609, 30),
        SensorBand("SR_B7", "swir22", 2201, 30),
    ),
    quantification=1 / 0.0000275,
    offset=-0.2 / 0.0000275,
    file_pattern=r"(?<![A-Z0-9])(SR_B[1-7])(?![A-Z0-9])",
    source="USGS, Landsat 8-9 collection 2 level 2 science product guide",
)
SENSORS = {sensor.name: sensor for sensor in (SENTINEL2, LANDSAT)}

#: The product's core, by its 10 m bands.
CORE_BANDS = SENTINEL2.core
ALL_BANDS = SENTINEL2.names
DEFAULT_QUANTIFICATION = SENTINEL2.quantification
#: EuroSAT's pictures show dn 0-2750 of these bands, stretched to 0-255.
TRUE_COLOUR_ROLES = ("red", "green", "blue")
TRUE_COLOUR_BANDS = SENTINEL2.names_of(TRUE_COLOUR_ROLES)
TRUE_COLOUR_REFLECTANCE = 0.275
#: The bands of EuroSAT's GeoTIFFs, in their order: B8A comes last.
EUROSAT_BANDS = (*(name for name in ALL_BANDS if name != "B8A"), "B8A")
#: Reflectance of land and cloud lies lower; a median above it is one of digital numbers.
HIGHEST_MEDIAN = 1.5


def roles_of(bands: Sequence[str]) -> dict[str, str]:
    """Names of bands by role; bands that no sensor of the table has are left out.

    Sensors share names: B05 is red edge to one and near-infrared to another. The one that
    `sensor_of` finds decides.

    Raises
    ------
    InputError
        If two bands have one role, so that a formula could mean either.

    Examples
    --------
    >>> roles_of(["B04", "B08", "elevation"])
    {'red': 'B04', 'nir': 'B08'}
    """
    # The last one counts where several sensors have a band of one name
    by_likelihood = (*SENSORS.values(), sensor_of(bands))
    known = {band.name: band.role for sensor in by_likelihood for band in sensor.bands}
    roles: dict[str, str] = {}
    for name in bands:
        role = known.get(name)
        if role and roles.setdefault(role, name) != name:
            raise InputError(
                f"bands {roles[role]} and {name} are both {role}; keep the bands of one sensor"
            )
    return roles


def sensor_of(bands: Iterable[str]) -> Sensor:
    """The sensor that most of the bands are of; Sentinel-2 where that is open.

    Among sensors that have equally many, one whose blue, green, red and near-infrared are all
    there comes first.

    >>> sensor_of(["SR_B4", "SR_B5"]).title
    'Landsat 8 and 9 OLI, collection 2 level 2'
    """
    held = set(bands)
    return max(
        SENSORS.values(),
        key=lambda sensor: (len(held.intersection(sensor.names)), held.issuperset(sensor.core)),
    )


def reflectance_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """Bands of reflectance among those of a scene, in their order, by their names.

    They are those of the sensor, and percentiles of these; others hold numbers of their own units.

    >>> reflectance_bands(["B04", "B08_p90", "elevation", "A17"])
    ('B04', 'B08_p90')
    """
    known = sensor_of(bands).names
    return tuple(name for name in bands if _PERCENTILE.sub("", name) in known)


def true_colour_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """Which bands are red, green and blue, in this order; none unless all three are there.

    >>> true_colour_bands(["B02", "B03", "B04", "B08"])
    ('B04', 'B03', 'B02')
    """
    roles = roles_of(bands)
    found = tuple(roles[role] for role in TRUE_COLOUR_ROLES if role in roles)
    return found if len(found) == len(TRUE_COLOUR_ROLES) else ()


def band_of(text: str) -> str | None:
    """The Sentinel-2 band that a name speaks of, if any.

    >>> band_of("T33UUU_20170216T102101_B02.jp2"), band_of("sentinel.dolomites.b8.tif")
    ('B02', 'B08')
    >>> band_of("red"), band_of("elevation") is None
    ('B04', True)
    """
    return SENTINEL2.band_of(text)


def true_colour(picture: np.ndarray) -> np.ndarray:
    """Reflectance, float32, of 8-bit true colour stretched as EuroSAT's is.

    >>> true_colour(np.array([0, 255], np.uint8)).tolist()
    [0.0, 0.2750000059604645]
    """
    return np.multiply(picture, np.float32(TRUE_COLOUR_REFLECTANCE / 255), dtype=np.float32)


def digital_numbers(reflectance: np.ndarray) -> np.ndarray:
    """Reflectance as uint16 digital numbers of the default quantification; 0 is kept for nodata.

    >>> digital_numbers(np.array([0.0, 0.1234])).tolist()
    [1, 1234]
    """
    return np.clip(np.rint(reflectance * DEFAULT_QUANTIFICATION), 1, 65_535).astype(np.uint16)
