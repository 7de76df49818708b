"""The page's own files, read once. A name from a request is looked up here, never on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable

from landcover.files.atomic import short_digest

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
#: What `make web` fetches.
VENDOR = ("leaflet.js", "leaflet.css", "swagger-ui-bundle.js", "swagger-ui.css")
#: The pages that need it.
_PAGES = ("index.html", "docs.html")
_NOTICE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>landcover: the page's JavaScript is missing</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<header><h1>landcover</h1></header>
<main>
<h2>The page's JavaScript is missing</h2>
<p>The map and the forms cannot be shown without these files: FILES.</p>
<p>Fetch them once, in a checkout of the project, and start the service again:</p>
<pre>make web</pre>
<p>All endpoints answer without them. <a href="/health">/health</a> says what is served,
<a href="/layers">/layers</a> lists the layers of the map, and
<a href="/openapi.json">/openapi.json</a> describes every request.</p>
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Asset:
    """A file of the page: its bytes, its media type, and a tag that changes with it."""

    content: bytes
    media_type: str
    tag: str


def missing() -> list[str]:
    """What `make web` fetches and is not there."""
    return [name for name in VENDOR if not (_folder() / "vendor" / name).is_file()]


def load() -> dict[str, Asset]:
    """Every file of the page by its name; those that `make web` fetches as vendor/NAME.

    Where some of the latter are missing, the pages say so instead of staying empty.
    """
    folder, lacking = _folder(), missing()
    found = {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}
    found |= {
        f"vendor/{name}": (folder / "vendor" / name).read_bytes()
        for name in VENDOR
        if name not in lacking
    }
    if lacking:
        found |= dict.fromkeys(_PAGES, _notice(lacking))
    return {name: _asset(name, content) for name, content in found.items()}


def _folder() -> Traversable:
    return resources.files("landcover.service") / "static"


def _notice(lacking: Sequence[str]) -> bytes:
    """The page in place of one whose JavaScript is missing."""
    return _NOTICE.replace("FILES", escape(", ".join(lacking))).encode("utf-8")


def _asset(name: str, content: bytes) -> Asset:
    tag = f'"{short_digest(content)}"'
    return Asset(content, _TYPES[name.rpartition(".")[2]], tag)
