"""What the build of the site adds to its pages, and what it refuses."""

from __future__ import annotations

import ast
import importlib.util
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs")

from mkdocs.exceptions import PluginError

from tests.conftest import ROOT


def hook(name: str):
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "refused"),
    [
        ('<script src="https://cdn.example/a.js"></script>', True),
        ('<link rel="stylesheet" href="//cdn.example/a.css">', True),
        ('<img alt="x" src="http://example.com/a.png">', True),
        ('<a href="https://example.com">there</a>', False),
        ('<link rel="canonical" href="https://example.com/">', False),
        ('<script src="../assets/a.js"></script><img src="a.png">', False),
    ],
)
def test_a_page_that_fetches_elsewhere_stops_the_build(page, refused, tmp_path):
    (tmp_path / "page.html").write_text(page)
    config = SimpleNamespace(site_dir=str(tmp_path))
    if refused:
        with pytest.raises(PluginError, match=r"page\.html: "):
            hook("offline").on_post_build(config)
    else:
        hook("offline").on_post_build(config)


def test_a_style_that_fetches_elsewhere_stops_the_build(tmp_path):
    (tmp_path / "a.css").write_text("@import url('https://fonts.example/a.css');")
    with pytest.raises(PluginError, match=r"a\.css: https://fonts"):
        hook("offline").on_post_build(SimpleNamespace(site_dir=str(tmp_path)))


def test_messages_are_read_from_the_code():
    code = (
        'raise InputError(f"{path} has {n} bands; give one with band_names=")\n'
        'raise MissingProduct("no scene; make it" if a else f"{b} is no run; give another")\n'
        'raise ValueError("not ours")\n'
        'raise LandcoverError(f"{a} {b}")\n'
    )
    assert list(hook("messages").messages(ast.parse(code))) == [
        "… has … bands; give one with band_names=",
        "no scene; make it",
        "… is no run; give another",
    ]


def test_every_message_is_on_the_page_under_a_heading():
    text = hook("messages").listed()
    assert text.count("\n- **") > 600
    assert "### Labels" in text and "### The run and its commands" in text
    assert "cover the same ground on" in text
