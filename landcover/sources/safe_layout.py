"""Where the files of a SAFE product lie: folder or zip, old and new names, one granule or several.

Until 6 December 2016 a product held the granules of a whole data take, with long names:
``S2A_OPER_PRD_MSIL1C_..._V20160101T102032_20160101T102032.SAFE``, ``S2A_OPER_MTD_SAFL1C_....xml``
and ``GRANULE/S2A_OPER_MSI_L1C_TL_..._T33UUU_N02.01``. Since then it holds one, with short names.
Level 2A keeps images in a folder for each resolution; bands are there at coarser ones too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from landcover.errors import InputError, MissingProduct
from landcover.files.members import Members, members_of
from landcover.files.texts import parse_xml
from landcover.sensors import SENTINEL2
from landcover.sources.cloud_mask import (
    CLASSI_LAYER,
    POLYGONS_LAYER,
    PROBABILITY_LAYER,
    SCL_LAYER,
)
from landcover.sources.safe_metadata import REMEDY, ProductMetadata, read_metadata

#: A product's own XML, of its level.
_METADATA = re.compile(r"(?:MTD_MSIL|S2[A-Z]_(?:OPER|USER)_MTD_SAFL)(1C|2A)\w*\.xml")
_GRANULE = re.compile(r"GRANULE/([^/]+)/")
_IMAGE = re.compile(r"IMG_DATA/(?:R\d0m/)?[^/]*_(B(?:0[1-9]|1[0-2]|8A))(?:_([126]0)m)?\.(?i:jp2)")
_TILE = re.compile(r"_T(\d{2}[A-Z]{3})(?=_|$)")
#: Rasters of a granule that are no bands, by their pixels: 20 m comes before 60 m.
_LAYERS = {
    SCL_LAYER: re.compile(r"IMG_DATA/(?:R[26]0m/)?[^/]*_SCL_(?:L2A\w*_)?([26]0)m\.(?i:jp2)"),
    PROBABILITY_LAYER: re.compile(
        r"QI_DATA/(?:MSK_CLDPRB|[^/]*_CLD(?:_L2A\w*)?)_([26]0)m\.(?i:jp2)"
    ),
    CLASSI_LAYER: re.compile(r"QI_DATA/MSK_CLASSI_B00\.(?i:jp2)"),
    POLYGONS_LAYER: re.compile(r"QI_DATA/[^/]*MSK_CLOUDS_[^/]*\.(?i:gml)"),
}
#: Folders that may lie around a product's own, in an archive or where one was unpacked.
_MOST_AROUND = 2
#: An XML of a product has up to a few MB.
_MOST_BYTES = 2**26
_NATIVE_M = SENTINEL2.pixel_m


@dataclass(frozen=True)
class Granule:
    """One tile of a product.

    Attributes
    ----------
    name : str
        Of its folder.
    images : dict of list of str
        Members of the product, by band and metres a pixel.
    layers : dict of str
        Members, where they are: the scene classification ``SCL``, the ``cloud_probability``, and of
        level 1C ``MSK_CLASSI``, or the polygons ``MSK_CLOUDS`` of before baseline 04.00.
    """

    name: str
    images: dict[tuple[str, float], list[str]] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)

    @property
    def tile(self) -> str:
        """Its name in the grid of tiles, such as T33UUU, or its whole name where that lacks."""
        found = _TILE.search(self.name)
        return f"T{found[1]}" if found else self.name


@dataclass(frozen=True)
class Product:
    """A SAFE product, whose XML has been read.

    Attributes
    ----------
    members : Members
        All files of the folder or archive.
    xml : str
        The member with its metadata.
    level : str
        "1C" or "2A".
    metadata : ProductMetadata
        What that says.
    granules : tuple of Granule
        By name.
    """

    members: Members
    xml: str
    level: str
    metadata: ProductMetadata
    granules: tuple[Granule, ...]

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that products of this level have."""
        return SENTINEL2.names if self.level == "1C" else SENTINEL2.surface_names


def is_product(path: Path) -> bool:
    """Whether a path would be opened as a SAFE product: by its ending, or by what it holds."""
    if path.suffix.lower() in (".safe", ".zip") or _METADATA.fullmatch(path.name):
        return True
    return path.is_dir() and holds_metadata(_folder_of(path))


def open_safe(path: Path) -> Product:
    """A product, where it lies.

    Parameters
    ----------
    path : path
        The folder ``X.SAFE`` or its XML, or a zip archive that holds it.

    Raises
    ------
    MissingProduct, InputError
        If there is none or several, if an archive is damaged or not safe, or if the XML cannot be
        read or is of another product.
    """
    if _METADATA.fullmatch(path.name):
        path = path.parent
    if path.is_file() and path.suffix.lower() != ".zip":
        raise InputError(
            f"{path} is no product; give its .SAFE folder, the zip archive that holds it, or a "
            "STAC item, and images with bands="
        )
    members = members_of(_folder_of(path) if path.is_dir() else path, REMEDY)
    xml = _metadata_of(path, members)
    level = str(_METADATA.fullmatch(xml.rsplit("/", 1)[-1])[1])  # type: ignore[index]
    called = members.called(xml)
    root = parse_xml(members.read(xml, _MOST_BYTES, REMEDY), called, REMEDY)
    metadata = read_metadata(root, called, level)
    granules = _granules(members, xml.rpartition("/")[0])
    if not granules:
        raise InputError(f"{path} holds no images in a folder GRANULE; {REMEDY}")
    product = Product(members, xml, level, metadata, granules)
    _require_listed(product, called)
    return product


def _folder_of(path: Path) -> Path:
    """The folder with a product's XML: that given, or one in it that has its name."""
    inner = path / path.name
    return inner if not holds_metadata(path) and holds_metadata(inner) else path


def holds_metadata(folder: Path) -> bool:
    """Whether a folder holds the XML of a product."""
    return any(_METADATA.fullmatch(file.name) for file in folder.glob("*MTD_*.xml"))


def _metadata_of(path: Path, members: Members) -> str:
    """The one XML of a product."""
    around = 0 if not members.packed else _MOST_AROUND
    found = [
        name
        for name in members.names
        if _METADATA.fullmatch(name.rsplit("/", 1)[-1])
        and name.count("/") <= around
        and "GRANULE" not in name.split("/")
    ]
    if not found:
        images = [name for name in members.names if name.lower().endswith((".jp2", ".tif"))]
        what = (
            f"give its images by names such as {members.raster(images[0])} with bands="
            if members.packed and images
            else "give the product's .SAFE folder, or the zip archive that holds it"
        )
        raise MissingProduct(f"{path} holds no MTD_MSIL1C.xml or MTD_MSIL2A.xml; {what}")
    if len(found) > 1:
        held = " and ".join(name.rsplit("/", 1)[-1] for name in found)
        folders = {name.rpartition("/")[0] for name in found}
        if len(folders) > 1:
            held = " and ".join(sorted(folders))
        raise InputError(f"{path} holds {held}, of two products; leave the one that is meant")
    return found[0]


def _granules(members: Members, root: str) -> tuple[Granule, ...]:
    """The granules of the product in a folder of an archive, or of the folder given."""
    start = f"{root}/" if root else ""
    images: dict[str, dict[tuple[str, float], list[str]]] = defaultdict(lambda: defaultdict(list))
    layers: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
    for name in members.names:
        place = _GRANULE.match(name.removeprefix(start)) if name.startswith(start) else None
        if not place:
            continue
        rest = name.removeprefix(start)[place.end() :]
        image = _IMAGE.fullmatch(rest)
        if image:
            pixel_m = float(image[2]) if image[2] else _NATIVE_M[image[1]]
            images[place[1]][image[1], pixel_m].append(name)
        for layer, pattern in _LAYERS.items():
            found = pattern.fullmatch(rest)
            if found:
                better = (float(found[1]) if found.groups() else 0.0, name)
                layers[place[1]][layer] = min(layers[place[1]].get(layer, better), better)
    return tuple(
        Granule(
            granule,
            dict(images[granule]),
            {layer: name for layer, (_, name) in layers[granule].items()},
        )
        for granule in sorted(images)
    )


def _require_listed(product: Product, called: str) -> None:
    """Raise InputError if the XML lists images, and none of a granule."""
    listed = product.metadata.images
    for granule in product.granules:
        names = [name for found in granule.images.values() for name in found]
        images = [name.rsplit("/", 1)[-1].rsplit(".", 1)[0] for name in names]
        if listed and not listed.intersection(images):
            raise InputError(
                f"{called} is of another product: it does not list {images[0]} and the other "
                f"images of {granule.name}; {REMEDY}"
            )
