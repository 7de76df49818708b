"""Words of the documentation and the code: plain ones, and one name for one thing."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Phrases that a reader with another first language may not know, and what to write instead.
PLAIN = {
    "afresh": "again",
    "anew": "again",
    "at hand": "available",
    "by heart": "overfit",
    "for want of": "because ... is missing",
    "hence": "so",
    "its company": "the other items of its batch",
    "lest": "so that ... not",
    "makes nonsense": "the result means nothing",
    "shout": "what happens: overflow, infinite values",
    "so-manieth": "every n-th",
    "thereof": "of it",
    "unasked": "by default",
    "whence": "from where",
    "whoever": "the caller, the user",
}
#: Names that are no longer used, and those that replaced them.
RETIRED = {
    "demo_sources": "write_demo",
    "mosaic_sources": "write_mosaic",
    "OfImages": "WholeImageClassifier",
    "OfPixels": "PixelMeanClassifier",
    "workflows": "stages",
}


def written(*endings: str, tests: bool = True) -> list[Path]:
    """Files of the project with these endings, without this one, the changelog and fetched ones."""
    folders = ["landcover", "experiments", "benchmarks", "baselines", "docs"]
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in folders + ["tests"] * tests:
        paths += (ROOT / folder).rglob("*")
    return [
        path
        for path in sorted(paths)
        if path.name.endswith(endings)
        and path != Path(__file__)
        and path.name != "CHANGELOG.md"
        and not {"vendor", "node_modules"} & set(path.parts)
    ]


def found(words: dict[str, str], paths: list[Path]) -> list[str]:
    """Where the words stand, and what replaces them."""
    pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)")
    return [
        f"{path.relative_to(ROOT)}:{number}: {match[1]!r}: write {words[match[1]]!r}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
    ]


def test_docs_and_code_use_plain_words():
    """Documentation, templates, docstrings, comments and what commands say."""
    assert found(PLAIN, written(".py", ".md", ".html", tests=False)) == []


def test_a_thing_has_one_name():
    assert found(RETIRED, written(".py", ".md", ".html", ".toml", ".yml")) == []


def test_words_are_found_whole(tmp_path, monkeypatch):
    """The search itself: whole words only, with line and replacement."""
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("A new map.\nMade anew; renewed, manewed.\n", "utf-8")
    assert found(PLAIN, [page]) == ["page.md:2: 'anew': write 'again'"]
