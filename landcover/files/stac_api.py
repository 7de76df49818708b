"""A search of a STAC API, by pystac-client: items as they come, and errors in one line."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from landcover.errors import InputError, LandcoverError, MissingDependency
from landcover.files import http
from landcover.files.atomic import Fields
from landcover.files.http import WebError, require_web, shown

if TYPE_CHECKING:
    from pystac_client import Client

#: Items of an answer of a search.
_PAGE = 100


def search_items(
    url: str,
    collection: str,
    boxes: Iterable[Sequence[float]],
    span: str | None = None,
    most: int = 1000,
) -> list[Fields]:
    """The items of a collection that lie in boxes, each once.

    Parameters
    ----------
    url : str
        Of the landing page.
    collection : str
        Its id.
    boxes : iterable of (west, south, east, north)
        In degrees, none across the 180th meridian.
    span : str, optional
        First and last time, as STAC writes them.
    most : int
        One item more than this ends the search of a box.

    Raises
    ------
    LandcoverError
        If the catalogue does not answer, is no STAC API, or has no such collection.
    """
    found: dict[str, Fields] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on what a catalogue says of itself
        try:
            client = _client(url)
            for box in boxes:
                asked = client.search(
                    collections=[collection], bbox=list(box), datetime=span, limit=_PAGE,
                    max_items=most + 1, method=_method(client),
                )  # fmt: skip
                for item in asked.items_as_dicts():
                    _keep(found, item)
            if not found:
                _require_collection(client, url, collection)
        except LandcoverError:
            raise
        except Exception as error:  # the libraries raise what they like, of what catalogues send
            raise WebError(
                f"{shown(url)} does not answer a search ({_line(error)}); check the address, or "
                "run the same command again later"
            ) from error
    return list(found.values())


def _keep(found: dict[str, Fields], item: Any) -> None:  # noqa: ANN401 - what a catalogue sends
    """Put an item to the others, if it is one."""
    kinds = {"id": str, "properties": dict, "assets": dict}
    if not isinstance(item, dict) or any(
        not isinstance(item.get(key), kind) for key, kind in kinds.items()
    ):
        raise InputError("the catalogue gives an item without id, properties or assets")
    found.setdefault(item["id"], item)


def _client(url: str) -> Client:
    """A client that follows addresses of HTTP alone, and asks again where a server fails."""
    try:
        from pystac_client import Client
        from pystac_client.stac_api_io import StacApiIO
        from urllib3.util import Retry
    except ImportError as error:
        raise MissingDependency(
            "a search of a catalogue needs pystac-client, which is not installed; install it: "
            "pip install 'landcover[fetch]'"
        ) from error

    class WebAlone(StacApiIO):
        """pystac opens what is no address as a file, and links come from the catalogue."""

        def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
            href = source if isinstance(source, str) else source.get_absolute_href() or ""
            require_web(str(href), shown(url))
            return super().read_text(source, *args, **kwargs)

    retries = Retry(
        total=http.TRIES - 1,
        backoff_factor=http.WAIT_S,
        status_forcelist=sorted(http.PASSING),
        allowed_methods=None,  # a search is asked by POST
        raise_on_status=False,
    )
    io = WebAlone(timeout=(http.CONNECT_S, http.ANSWER_S), max_retries=retries)
    return Client.open(url, stac_io=io)


def _method(client: Client) -> str:
    """How a search is asked; POST where the catalogue takes it."""
    methods = {
        str(link.extra_fields.get("method", "GET")).upper() for link in client.get_links("search")
    }
    return "GET" if methods == {"GET"} else "POST"


def _require_collection(client: Client, url: str, collection: str) -> None:
    """Raise InputError if nothing was found because there is no such collection."""
    try:
        names = [held.id for held in client.get_collections()]
    except Exception:  # an API need not list them
        return
    if names and collection not in names:
        shown_names = ", ".join(sorted(names)[:20])
        raise InputError(
            f"{shown(url)} has no collection {collection!r}; it has {shown_names}: give "
            "one with collection="
        )


def _line(error: Exception) -> str:
    """An error of a library in one line, without the queries of addresses."""
    return shown(" ".join(str(error).split()))[:200] or type(error).__name__
