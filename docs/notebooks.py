"""Notebooks of docs/tutorials: executed, kept by their content, and made pages of the site."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

FOLDER = Path(__file__).parent / "tutorials"
PACKAGE = Path(__file__).parent.parent / "landcover"
#: Executed notebooks; git ignores the folder.
CACHE = PACKAGE.parent / ".cache" / "notebooks"
#: Longest time of one cell, seconds, on a machine with other work.
PATIENCE_S = 1500
#: A page of HTML outputs, by the marks that stand for them in its Markdown.
_outputs: dict[str, str] = {}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put a page in the place of each notebook, which stays as a file; called by MkDocs."""
    from mkdocs.structure.files import File

    for path in sorted(FOLDER.glob("*.ipynb")):
        uri = f"tutorials/{path.stem}.md"
        files.append(File.generated(config, uri, content=markdown(executed(path), path.stem)))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put outputs where their marks are; called by MkDocs."""
    if not page.file.src_uri.startswith("tutorials/"):
        return html
    return re.sub(r"<p>(OUTPUT-[\w-]+)</p>", lambda mark: _outputs[mark[1]], html)


def executed(path: Path) -> Any:
    """A notebook with its outputs: those kept of an earlier run, as long as nothing changed.

    Where the environment says ``LANDCOVER_NOTEBOOKS=as-is``, what was kept last is taken, and
    nothing is executed: for work on other pages.

    Parameters
    ----------
    path : Path
        The notebook.
    """
    import nbformat

    kept = CACHE / f"{path.stem}-{_key(path)}.ipynb"
    if os.environ.get("LANDCOVER_NOTEBOOKS") == "as-is" and not kept.exists():
        found = sorted(CACHE.glob(f"{path.stem}-*.ipynb"), key=lambda file: file.stat().st_mtime)
        return nbformat.read(found[-1] if found else path, as_version=4)
    if not kept.exists():
        notebook = execute(path)
        CACHE.mkdir(parents=True, exist_ok=True)
        for earlier in CACHE.glob(f"{path.stem}-*.ipynb"):
            earlier.unlink()
        nbformat.write(notebook, kept)
    return nbformat.read(kept, as_version=4)


def execute(path: Path) -> Any:
    """Run a notebook in an empty folder; a cell that fails is an error.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    NotebookNode
        With outputs; its metadata say what it took, in seconds of processors.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook, before = nbformat.read(path, as_version=4), _processor_s()
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=PATIENCE_S,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        ).execute()
    notebook.metadata["processor_s"] = round(_processor_s() - before, 1)
    return notebook


def markdown(notebook: Any, name: str) -> str:
    """The Markdown of an executed notebook, with marks for its outputs.

    Parameters
    ----------
    notebook : NotebookNode
        With outputs.
    name : str
        Of the notebook, which tells its marks from those of others.
    """
    parts = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            mark = f"OUTPUT-{name.replace('_', '-')}-{number}"
            _outputs[mark] = output_html(cell.outputs)
            parts += [f"```python\n{cell.source}\n```", mark]
    first, *rest = parts
    link = f"*This page is [a notebook]({name}.ipynb), executed when the site was built.*"
    return "\n\n".join([first, link, *rest])


def output_html(outputs: list[Any]) -> str:
    """What a cell printed, folded away, and what it shows."""
    printed = "".join(out.text for out in outputs if out.output_type == "stream")
    said = any(out.output_type == "stream" and out.name == "stdout" for out in outputs)
    shown = "".join(_shown(out.data) for out in outputs if "data" in out)
    if not printed.strip():
        return shown
    text = f'<pre style="white-space:pre-wrap"><code>{escape(_plain(printed))}</code></pre>'
    if said and not shown:
        return text
    return f"<details><summary>what was printed</summary>{text}</details>{shown}"


def _shown(data: Any) -> str:
    """The richest form of an output."""
    if "text/html" in data:
        return f'<div class="notebook-output">{data["text/html"]}</div>'
    if "image/png" in data:
        return f'<p><img alt="" src="data:image/png;base64,{data["image/png"].strip()}"></p>'
    return f"<pre><code>{escape(data.get('text/plain', ''))}</code></pre>"


def _plain(text: str) -> str:
    """Text without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).strip("\n")


def _processor_s() -> float:
    """Seconds of processors of all kernels that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _key(path: Path) -> str:
    """A digest of all that outputs depend on: the notebook and the package."""
    digest = hashlib.sha256(path.read_bytes())
    sources = (p for p in sorted(PACKAGE.rglob("*")) if p.suffix in {".py", ".pyi", ".csv"})
    for source in (*sources, Path(__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
