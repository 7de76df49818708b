"""The page's own files, read once. A name from a request is looked up here, never on disk."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from landcover.errors import MissingProduct
from landcover.files.atomic import short_digest

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
#: What `make web` fetches.
VENDOR = ("leaflet.js", "leaflet.css", "swagger-ui-bundle.js", "swagger-ui.css")


@dataclass(frozen=True)
class Asset:
    """A file of the page: its bytes, its media type, and a tag that changes with it."""

    content: bytes
    media_type: str
    tag: str


def load() -> dict[str, Asset]:
    """Every file of the page by its name; those that `make web` fetches as vendor/NAME.

    Raises
    ------
    MissingProduct
        If one of the latter is missing.
    """
    folder = resources.files("landcover.service") / "static"
    vendor = folder / "vendor"
    missing = [name for name in VENDOR if not (vendor / name).is_file()]
    if missing:
        raise MissingProduct(
            f"the page's JavaScript is not there ({vendor / missing[0]}); fetch it once, in a "
            "checkout of the project, with: make web"
        )
    own = {item.name: item for item in folder.iterdir() if item.is_file()}
    fetched = {f"vendor/{name}": vendor / name for name in VENDOR}
    return {name: _asset(name, item.read_bytes()) for name, item in (own | fetched).items()}


def _asset(name: str, content: bytes) -> Asset:
    tag = f'"{short_digest(content)}"'
    return Asset(content, _TYPES[name.rpartition(".")[2]], tag)
