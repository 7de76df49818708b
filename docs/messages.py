"""The list of messages in docs/troubleshooting.md, read from the code whenever it is built."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

PACKAGE = Path(__file__).parent.parent / "landcover"
#: Where the list stands in the page.
PLACE = "<!-- messages -->"
ERRORS = {"LandcoverError", "InputError", "MissingProduct", "MissingDependency", "reading_error"}
#: What a room of the package is to a reader, in the order of the work.
HEADINGS = {
    "sources": "Images and where they come from",
    "files": "Files",
    "grid.py": "Places and grids",
    "labels": "Labels",
    "legend.py": "Labels",
    "scene": "The scene, its features and segments",
    "samples": "Samples and splits",
    "classifiers": "Models",
    "maps": "Maps",
    "reports": "Scores and reports",
    "service": "The service",
}
OTHER = "The run and its commands"


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Put the list where the page asks for it; called by MkDocs."""
    return (
        markdown.replace(PLACE, listed()) if page.file.src_uri == "troubleshooting.md" else markdown
    )


def listed() -> str:
    """Every message under the heading of its room, as Markdown."""
    groups: dict[str, set[str]] = {name: set() for name in [*HEADINGS.values(), OTHER]}
    for path in sorted(PACKAGE.rglob("*.py")):
        heading = HEADINGS.get(path.relative_to(PACKAGE).parts[0], OTHER)
        groups[heading].update(messages(ast.parse(path.read_text("utf-8"))))
    return "\n\n".join(
        f"### {heading}\n\n" + "\n".join(_entry(text) for text in sorted(texts, key=_order))
        for heading, texts in groups.items()
    )


def messages(tree: ast.AST) -> Iterator[str]:
    """Every text that an error is made with, values as an ellipsis; none that is values alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            made = node.func.func if isinstance(node.func, ast.Call) else node.func
            if isinstance(made, ast.Name) and made.id in ERRORS:
                for text in _texts(node.args[0]):
                    if sum(letter.isalpha() for letter in text) > 12:
                        yield " ".join(text.split())


def _texts(node: ast.AST) -> Iterator[str]:
    """The text of a constant or an f-string, or those of both sides of a condition."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.BinOp):
        yield " ".join(text for side in (node.left, node.right) for text in _texts(side))


def _order(text: str) -> str:
    return text.lstrip("… ").lower()


def _entry(text: str) -> str:
    """What is said, and below it what to do."""
    said, _, remedy = (_safe(part.strip()) for part in text.partition(";"))
    return f"- **{said}**" + (f"<br>{remedy}" if remedy else "")


def _safe(text: str) -> str:
    """The text as it stands, whatever it means to Markdown."""
    for letter in "\\`*_{}[]<>#|":
        text = text.replace(letter, f"\\{letter}")
    return text
