"""The public API: every name is there, documented, and shown in docs/api.md."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from numpydoc.docscrape import NumpyDocString

import landcover as lc
from landcover.legend import LandClass, Nomenclature
from landcover.samples.blocks import Blocks
from landcover.sources.image import Image
from landcover.sources.synthetic.scene import SyntheticScene
from landcover.sources.tile import Tile

ROOT = Path(__file__).parent.parent
STUB = ast.parse((ROOT / "landcover" / "__init__.pyi").read_text("utf-8"))
API = {
    "Run", "Model", "Grid", "Window", "Legend", "LabelScheme",
    "open_sentinel2", "open_bands", "open_stac", "read_image", "make_scene",
    "make_sequence",
    "prepare", "segment", "sample", "denoise", "train", "map_scene",
    "compare", "assess", "ensemble", "find_change", "interactive_map",
    "load_model", "predict_map", "felzenszwalb", "compute_features", "spatial_blocks", "chips",
    "score", "read", "write",
    "LandcoverError", "InputError", "MissingProduct", "MissingDependency",
}  # fmt: skip
NAMES = sorted(API)
#: Values that the package gives; nobody makes them by hand.
VALUES = {"Grid", "Window", "Legend", "Run", "Model", "LabelScheme"}


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


#: Classes of what the public functions and values give, beside the public ones.
GIVEN = (Blocks, Image, LandClass, Nomenclature, SyntheticScene, Tile)
CLASSES = [getattr(lc, name) for name in sorted(VALUES & API)] + list(GIVEN)


def methods(kind: type) -> dict[str, Callable[..., object]]:
    """The public methods of a class, those of the class itself included; no properties."""
    bound = {name: inspect.getattr_static(kind, name) for name in vars(kind)}
    plain = {name: getattr(method, "__func__", method) for name, method in bound.items()}
    return {n: m for n, m in plain.items() if inspect.isfunction(m) and not n.startswith("_")}


def faults_of(method: Callable[..., object]) -> list[str]:
    """What a method's docstring lacks."""
    doc = NumpyDocString(inspect.getdoc(method) or "")
    signature = inspect.signature(method)
    wanted = [name for name in signature.parameters if name not in ("self", "cls")]
    described = [
        part.strip().lstrip("*") for entry in doc["Parameters"] for part in entry.name.split(",")
    ]
    raises = any(
        isinstance(node, ast.Raise)
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(method))))
    )
    returns = signature.return_annotation != "None"
    missing = {
        "summary": doc["Summary"] and doc["Summary"][-1].rstrip().endswith("."),
        "parameters": described == wanted,
        "returns": all(e.desc for e in doc["Returns"]) and bool(doc["Returns"]) == returns,
        "raises": doc["Raises"] or not raises,
    }
    return [what for what, there in missing.items() if not there]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in CLASSES for name in methods(kind)]
)
def test_a_method_is_documented(kind, name):
    assert faults_of(methods(kind)[name]) == []


@pytest.mark.parametrize("kind", CLASSES)
def test_an_attribute_is_documented(kind):
    docs = [NumpyDocString(inspect.getdoc(base) or "") for base in kind.__mro__[:-1]]
    named = {
        part.strip()
        for doc in docs
        for entry in [*doc["Attributes"], *doc["Parameters"]]
        for part in entry.name.split(",")
    }
    fields = {field.name for field in dataclasses.fields(kind)} if kind is not lc.Run else set()
    assert {field for field in fields if not field.startswith("_")} <= named
    for name, value in vars(kind).items():
        if isinstance(value, property | cached_property) and not name.startswith("_"):
            assert (inspect.getdoc(value) or "").split("\n")[0].endswith("."), name


def test_a_method_without_documentation_is_found():
    class Bare:
        def method(self, x: int) -> int:
            """Twice a number."""
            if x < 0:
                raise ValueError
            return 2 * x

        def nothing(self) -> None:
            """Do nothing."""

    assert faults_of(methods(Bare)["method"]) == ["parameters", "returns", "raises"]
    assert faults_of(methods(Bare)["nothing"]) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_api_shows_the_name(name):
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert f"::: landcover.{name}\n" in page


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs(name):
    """make check runs the examples; this keeps them from being skipped, all but one."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(getattr(lc, name)) or "")
    runs = [e for e in examples if not e.options.get(doctest.SKIP) and "import" not in e.source]
    assert runs


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
