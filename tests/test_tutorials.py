"""The notebooks of docs/tutorials: stripped, written against the public API, and running."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

import landcover as lc
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: What a notebook may import beside `landcover as lc`: all of it comes with the package.
LIBRARIES = {"numpy", "matplotlib.pyplot", "geopandas", "scipy", "pandas"}
#: Seconds of processors that a notebook may take: three minutes of two cores.
MOST_PROCESSOR_S = 360

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def hook():
    """The hook of MkDocs, docs/notebooks.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(path: Path, kind: str) -> list[str]:
    found = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in found if cell.cell_type == kind]


def beyond_the_api(code: str) -> list[str]:
    """Imports that a notebook may not have, and names of `lc` that are not public."""
    tree = ast.parse(code)
    wrong = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known = alias.name in LIBRARIES or (alias.name, alias.asname) == ("landcover", "lc")
                wrong += [] if known else [alias.name]
        elif isinstance(node, ast.ImportFrom):
            wrong += [] if node.module in LIBRARIES else [str(node.module)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            private = node.attr not in lc.__all__ and node.value.id == "lc"
            wrong += [f"lc.{node.attr}"] if private or node.attr.startswith("_") else []
    return wrong


def test_there_are_five_and_the_site_shows_each():
    assert len(NOTEBOOKS) == 5
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert all(f"tutorials/{path.stem}.md" in site for path in NOTEBOOKS)


@notebooks
def test_outputs_are_stripped(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@notebooks
def test_a_notebook_uses_the_public_api_alone(path):
    assert beyond_the_api("\n".join(cells(path, "code"))) == []


@notebooks
def test_a_notebook_has_plots_and_an_interactive_map(path):
    code = "\n".join(cells(path, "code"))
    assert "plt.show()" in code and "lc.interactive_map(" in code


@notebooks
def test_links_lead_to_pages(path):
    text = "\n".join(cells(path, "markdown"))
    for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        page = path.parent / link
        assert page.exists() or page.with_suffix(".ipynb") in NOTEBOOKS, link


@notebooks
def test_no_number_of_a_result_is_typed(path):
    """Numbers of scores come from variables: text that was typed would stay when they change."""
    text = "\n".join(cells(path, "markdown"))
    assert re.findall(r"\d+\.\d+ ?%", text) == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("import landcover as lc\nlc.Run('r')", []),
        ("import landcover", ["landcover"]),
        ("from landcover.files import rasters", ["landcover.files"]),
        ("import landcover as lc\nlc.stages", ["lc.stages"]),
        ("x._path", ["lc._path"]),
        ("import torch", ["torch"]),
    ],
)
def test_what_is_beyond_the_api_is_found(code, wrong):
    assert beyond_the_api(code) == wrong


def test_a_page_holds_text_code_and_marks_for_outputs():
    v4 = nbformat.v4
    table = v4.new_output("execute_result", {"text/html": "<div>T</div>", "text/plain": "T"})
    printed = v4.new_output("stream", text="\x1b[1ma < b\x1b[0m\n")
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title"),
            v4.new_code_cell("x = 1", outputs=[printed, table]),
            v4.new_code_cell("y", outputs=[v4.new_output("display_data", {"image/png": "QUJD"})]),
            v4.new_code_cell("print()", outputs=[printed]),
            v4.new_code_cell("pass"),
            v4.new_code_cell(
                "slow()", outputs=[v4.new_output("stream", text="50 %", name="stderr")]
            ),
        ]
    )
    page = hook().markdown(notebook, "some_name")
    assert page.startswith("# Title\n\n*This page is [a notebook](some_name.ipynb)")
    assert "```python\nx = 1\n```\n\nOUTPUT-some-name-1\n" in page
    shown = [hook().output_html(cell.outputs) for cell in notebook.cells[1:]]
    assert shown[0].startswith("<details>") and shown[0].endswith("<div>T</div></div>")
    assert "a &lt; b" in shown[0] and "\x1b" not in shown[0]
    assert 'src="data:image/png;base64,QUJD"' in shown[1]
    assert shown[2].startswith("<pre ") and "a &lt; b" in shown[2]
    assert shown[3] == ""
    assert shown[4].startswith("<details>"), "progress is folded away"


@pytest.mark.notebooks
@notebooks
def test_a_notebook_runs(path):
    """What has run for the site already, with the same package, does not run again."""
    notebook = hook().executed(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    outputs = [out for cell in code for out in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error"]
    data = [out.data for out in outputs if "data" in out]
    assert any("image/png" in held for held in data), "no plot"
    assert any("<iframe" in held.get("text/html", "") for held in data), "no interactive map"
    assert notebook.metadata["processor_s"] < MOST_PROCESSOR_S
