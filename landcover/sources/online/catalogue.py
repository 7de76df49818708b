"""Catalogues of images that answer a search: STAC APIs, and what of their answers is taken.

Two public catalogues of Sentinel-2 L2A as Cloud-Optimised GeoTIFF are known by name. Any other STAC
API is given by its address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from landcover.errors import InputError
from landcover.files.atomic import Fields
from landcover.files.http import Sign, Web, require_web, shown
from landcover.files.stac_api import search_items
from landcover.sources.online.signing import Tokens
from landcover.sources.stac_assets import baseline

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: Items that a search may find; more are a mistake of dates or area.
MOST_ITEMS = 2000
#: Properties that name the tile of an item.
_TILES = ("grid:code", "s2:mgrs_tile", "sentinel:grid_code")


@dataclass(frozen=True)
class Catalogue:
    """A STAC API.

    Attributes
    ----------
    name, title : str
        For people.
    url : str
        Of the landing page.
    collections : dict
        The collection of each kind of data: ``sentinel-2``, ``worldcover``, ``dem``.
    tokens : str
        Where tokens are given, by collection; "" where addresses need none.
    signed_hosts : str
        What the names of hosts end in that tokens are for.
    """

    name: str
    title: str
    url: str
    collections: Mapping[str, str] = field(default_factory=dict)
    tokens: str = ""
    signed_hosts: str = ""

    def signs(self, web: Web, collection: str) -> Sign | None:
        """What signs the addresses of a collection; None where they need no signature."""
        if not self.tokens:
            return None
        return Tokens(web, f"{self.tokens.rstrip('/')}/{collection}", self.signed_hosts).sign


CATALOGUES = {
    catalogue.name: catalogue
    for catalogue in (
        Catalogue(
            "earth-search",
            "Earth Search of Element 84",
            "https://earth-search.aws.element84.com/v1",
            {"sentinel-2": "sentinel-2-l2a"},
        ),
        Catalogue(
            "planetary-computer",
            "Microsoft Planetary Computer",
            "https://planetarycomputer.microsoft.com/api/stac/v1",
            {
                "sentinel-2": "sentinel-2-l2a",
                "worldcover": "esa-worldcover",
                "dem": "cop-dem-glo-30",
            },
            "https://planetarycomputer.microsoft.com/api/sas/v1/token",
            ".blob.core.windows.net",
        ),
    )
}


def find_catalogue(named: str, tokens: str = "") -> Catalogue:
    """A catalogue by its name or its address.

    Parameters
    ----------
    named : str
        A name of `CATALOGUES`, or the address of a STAC API.
    tokens : str
        Where tokens are given, for an address.

    Raises
    ------
    InputError
        For what is neither.

    Examples
    --------
    >>> find_catalogue("earth-search").url
    'https://earth-search.aws.element84.com/v1'
    """
    if named in CATALOGUES:
        return CATALOGUES[named]
    if "://" not in named:
        raise InputError(
            f"there is no catalogue {named!r}; choose among {', '.join(CATALOGUES)}, or give the "
            "address of a STAC API"
        )
    require_web(named, "catalogue=")
    tokens = require_web(tokens, "token_url=") if tokens else ""
    return Catalogue(shown(named), shown(named), named, tokens=tokens)


def collection_of(catalogue: Catalogue, kind: str, given: str | None) -> str:
    """The collection of a catalogue that holds a kind of data.

    Raises
    ------
    InputError
        If none was given and none is known.
    """
    known = catalogue.collections.get(kind)
    if given or known:
        return str(given or known)
    if kind == "sentinel-2" and catalogue.name not in CATALOGUES:
        return "sentinel-2-l2a"  # what most of them call it
    raise InputError(
        f"which collection of {catalogue.title} holds {kind} is not known; give collection="
    )


def require_dates(dates: str) -> tuple[date, date]:
    """The first and the last day of ``2022-05-01/2022-09-30``, or of a day alone.

    >>> [str(day) for day in require_dates("2022-06-01")]
    ['2022-06-01', '2022-06-01']

    Raises
    ------
    InputError
        For what is no day, or a first day after the last.
    """
    first, slash, last = dates.partition("/")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last if slash else first)
    except ValueError:
        raise InputError(
            f"dates {dates!r} are none; give FIRST/LAST, such as 2022-05-01/2022-09-30, or a day"
        ) from None
    if days[0] > days[1]:
        raise InputError(f"dates {dates!r} end before they begin; give FIRST/LAST")
    return days


def search(
    catalogue: Catalogue,
    collection: str,
    boxes: Iterable[Sequence[float]],
    days: tuple[date, date] | None = None,
) -> list[Fields]:
    """The items of a collection that lie at a place, by time and name, each once.

    Parameters
    ----------
    catalogue : Catalogue
        Which to ask.
    collection : str
        Its collection.
    boxes : iterable of (west, south, east, north)
        In degrees, none across the 180th meridian.
    days : (date, date), optional
        The first and the last day, in UTC.

    Returns
    -------
    list of dict
        Items as the catalogue gives them.

    Raises
    ------
    LandcoverError
        If the catalogue does not answer, is no STAC API, or has no such collection.
    """
    span = f"{days[0]}T00:00:00Z/{days[1]}T23:59:59.999Z" if days else None
    found = search_items(catalogue.url, collection, boxes, span, MOST_ITEMS)
    if len(found) > MOST_ITEMS:
        raise InputError(
            f"{shown(catalogue.url)} has more than {MOST_ITEMS:,} items of {collection} there; "
            "give fewer dates= or a smaller area"
        )
    return sorted(found, key=lambda item: (when(item), item["id"]))


def when(item: Fields) -> str:
    """The time of an item, as it gives it; "" for none."""
    properties = item["properties"]
    return str(properties.get("datetime") or properties.get("start_datetime") or "")


def cloud(item: Fields) -> float | None:
    """Clouds of the whole tile, percent; None where that is not said."""
    value = item["properties"].get("eo:cloud_cover")
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and 0 <= value <= 100 else None


@dataclass(frozen=True)
class Choice:
    """Items to fetch, and why others are not.

    Attributes
    ----------
    items : list of dict
        By time.
    cloudy : dict of str to float
        Clouds, percent, by the ids of those that have too many.
    left_out : dict of str to str
        Reasons by the ids of the others.
    """

    items: list[Fields]
    cloudy: dict[str, float]
    left_out: dict[str, str]


def choose(items: Sequence[Fields], area: BaseGeometry, most_cloud: float | None = None) -> Choice:
    """Items that lie in an area and are clear enough; of one image processed twice, the newer.

    Parameters
    ----------
    items : sequence of dict
        As `search` gives them.
    area : shapely geometry
        In degrees; across the 180th meridian with longitudes beyond 180.
    most_cloud : float, optional
        Clouds of the whole tile, percent. An item that does not say is kept.
    """
    cloudy: dict[str, float] = {}
    left_out: dict[str, str] = {}
    kept: dict[tuple[str, ...], Fields] = {}
    for item in items:
        share = cloud(item)
        if not _touches(item, area):
            left_out[item["id"]] = "does not reach the area"
        elif most_cloud is not None and share is not None and share > most_cloud:
            cloudy[item["id"]] = share
        else:
            other = kept.setdefault(_image(item), item)
            older, newer = sorted((other, item), key=_order)
            if older is not newer:
                left_out[older["id"]] = f"{newer['id']} is the same image, processed later"
                kept[_image(item)] = newer
    by_time = sorted(kept.values(), key=lambda item: (when(item), item["id"]))
    return Choice(by_time, cloudy, left_out)


def _image(item: Fields) -> tuple[str, ...]:
    """What two processings of one image share: the satellite, the time and the tile."""
    properties = item["properties"]
    tile = next((str(properties[word]) for word in _TILES if properties.get(word)), "")
    if not tile or not when(item):
        return (item["id"],)
    return (str(properties.get("platform", "")), when(item), tile)


def _order(item: Fields) -> tuple[float, str, str]:
    properties = item["properties"]
    made = properties.get("s2:generation_time") or properties.get("created") or ""
    return (baseline(properties) or 0.0, str(made), item["id"])


def _touches(item: Fields, area: BaseGeometry) -> bool:
    """Whether the outline of an item meets an area; True where it has none to tell by.

    Longitudes of one place differ by whole turns, and an outline across the 180th meridian may be
    drawn round the globe instead; so the raster itself decides in the end.
    """
    import shapely
    from shapely.geometry import shape

    try:
        outline = shapely.make_valid(shape(item.get("geometry") or {}))
    except Exception:  # of an outline that is none, the library raises what it likes
        return True
    west, _, east, _ = outline.bounds if not outline.is_empty else (0.0, 0.0, 360.0, 0.0)
    if east - west > 180:
        return True
    turned = (shapely.transform(outline, lambda xy, by=by: xy + [by, 0]) for by in (-360, 0, 360))
    return any(shapely.intersects(one, area) for one in turned)
