"""The public API: every name is there, documented, and shown in docs/api.md."""

from __future__ import annotations

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpydoc.docscrape import NumpyDocString

import landcover as lc

ROOT = Path(__file__).parent.parent
STUB = ast.parse((ROOT / "landcover" / "__init__.pyi").read_text("utf-8"))
API = {
    "Run", "Model", "Grid", "Window", "Legend", "LabelScheme",
    "open_sentinel2", "open_bands", "open_stac", "read_image", "make_scene",
    "prepare", "segment", "sample", "denoise", "train", "map_scene",
    "compare", "assess", "find_change",
    "load_model", "predict_map", "felzenszwalb", "compute_features", "spatial_blocks", "chips",
    "score", "read", "write",
    "LandcoverError", "InputError", "MissingProduct", "MissingDependency",
}  # fmt: skip
NAMES = sorted(API)
#: Values that the package gives; nobody makes them by hand.
VALUES = {"Grid", "Window", "Legend", "Run", "Model", "LabelScheme"}
#: Examples that cannot run in a few seconds, or need two dates.
SHOWN_ONLY = {"denoise", "find_change"}


def documented(name: str) -> NumpyDocString:
    return NumpyDocString(inspect.getdoc(getattr(lc, name)) or "")


def is_function(name: str) -> bool:
    return inspect.isfunction(getattr(lc, name))


def test_the_names_of_the_package_are_the_api():
    code = "import landcover as lc; print(*(n for n in dir(lc) if not n.startswith('__')))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(found.stdout.split()) == API
    assert "__version__" in dir(lc)


def test_the_stub_declares_what_it_imports():
    imported = {
        alias.asname or alias.name
        for node in STUB.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assigned = next(node for node in STUB.body if isinstance(node, ast.Assign))
    declared = ast.literal_eval(assigned.value)
    assert declared == sorted(declared)
    assert set(declared) == imported == API == set(lc.__all__)


def test_a_star_gives_the_api():
    names: dict[str, object] = {}
    exec("from landcover import *", names)
    assert set(names) >= API


def test_the_api_holds_when_all_modules_are_imported():
    """A module of a name would take the place of a function of that name."""
    code = (
        "import pkgutil, inspect, importlib, landcover as lc\n"
        "for module in pkgutil.iter_modules(lc.__path__): importlib.import_module("
        "f'landcover.{module.name}')\n"
        "print(*(n for n in lc.__all__ if inspect.ismodule(getattr(lc, n))))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        lc.no_such_name  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_documented(name):
    doc = documented(name)
    assert doc["Summary"] and doc["Summary"][-1].rstrip().endswith("."), "no summary"
    assert doc["Examples"], "no example"
    if is_function(name):
        signature = inspect.signature(getattr(lc, name))
        described = [
            part.strip().lstrip("*")
            for entry in doc["Parameters"]
            for part in entry.name.split(",")
        ]
        assert described == list(signature.parameters)
        assert doc["Returns"] and all(entry.desc for entry in doc["Returns"])
        assert doc["Raises"]
        assert all(entry.desc for entry in doc["Parameters"]), "a parameter is not described"


@pytest.mark.parametrize("name", sorted(VALUES & API))
def test_a_value_says_what_it_holds(name):
    assert documented(name)["Attributes"] or documented(name)["Parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_api_shows_the_name(name):
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert f"::: landcover.{name}\n" in page


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs(name):
    """make check runs the examples; this keeps them from being skipped, all but two."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(getattr(lc, name)) or "")
    runs = [e for e in examples if not e.options.get(doctest.SKIP) and "import" not in e.source]
    assert bool(runs) is (name not in SHOWN_ONLY)


@pytest.mark.parametrize("seed", [-1, 0.5])
@pytest.mark.parametrize(
    "draw",
    [
        lambda seed: lc.spatial_blocks(np.ones((200, 200), int), 20, 2, seed=seed),
        lambda seed: lc.score(np.ones(4, int), np.ones(4, int), seed=seed),
        lambda seed: lc.make_scene(160, 160, seed=seed),
        lambda seed: lc.train("runs/none", seed=seed),
        lambda seed: lc.denoise("runs/none", seed=seed),
    ],
    ids=["spatial_blocks", "score", "make_scene", "train", "denoise"],
)
def test_a_seed_that_is_none_is_one_line(draw, seed):
    with pytest.raises(lc.LandcoverError, match=f"seed.*{seed}") as error:
        draw(seed)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("error", [lc.InputError, lc.MissingProduct, lc.MissingDependency])
def test_an_error_is_one_of_landcovers_and_one_of_pythons(error):
    builtin = {
        lc.InputError: ValueError,
        lc.MissingProduct: FileNotFoundError,
        lc.MissingDependency: ImportError,
    }[error]
    assert issubclass(error, lc.LandcoverError) and issubclass(error, builtin)
    assert str(error("scene.tif is not there; make it")) == "scene.tif is not there; make it"
