"""Stops the build where a page of the site would fetch something from another server."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

#: Attributes that a browser fetches without being asked, by element.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "object": ("data",),
    "embed": ("src",),
}
#: Relations of a link that make a browser fetch it.
LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest"}
ELSEWHERE = re.compile(r"(?:https?:)?//")


def on_post_build(config: MkDocsConfig) -> None:
    """Look through every page and style; called by MkDocs."""
    site = Path(config.site_dir)
    found = []
    for path in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: {address}" for address in page.fetched]
    for path in sorted(site.rglob("*.css")):
        addresses = re.findall(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)", path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: {address}" for address in addresses]
    if found:
        raise PluginError("pages fetch from other servers:\n" + "\n".join(found))


class _Page(HTMLParser):
    """Addresses of other servers that a page fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element fetches."""
        held = {name: value or "" for name, value in attrs}
        names = FETCHED.get(tag, ())
        if tag == "link" and LINKS & set(held.get("rel", "").split()):
            names = ("href",)
        self.fetched += [held[n] for n in names if n in held and ELSEWHERE.match(held[n])]
