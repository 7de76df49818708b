"""Words of the documentation and the code: plain ones, and one name for one thing."""

import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Phrases that a reader with another first language may not know, and what to write instead.
PLAIN = {
    "afresh": "again",
    "anew": "again",
    "at hand": "available",
    "by heart": "overfit",
    "calmer": "smoothed",
    "for want of": "because ... is missing",
    "hence": "so",
    "its company": "the other items of its batch",
    "lest": "so that ... not",
    "makes nonsense": "the result means nothing",
    "luck": "chance",
    "promise": "score, state, keep",
    "promised": "scored, stated, kept",
    "promises": "scores, states, keeps",
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
    "holder": "Model",
    "workflows": "stages",
}
#: Names that Python code no longer uses; files that it writes still have a field so called.
RETIRED_IN_PYTHON = {"trained_in": "Model"}


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
    assert found(PLAIN, written(".py", ".md", ".html", ".ipynb", tests=False)) == []


def test_a_thing_has_one_name():
    assert found(RETIRED, written(".py", ".md", ".html", ".ipynb", ".toml", ".yml")) == []


def names_in(text: str) -> set[str]:
    """The names in Python source; what stands in texts and comments is none."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def test_python_code_uses_no_retired_name():
    used = {path: names_in(path.read_text("utf-8")) for path in written(".py")}
    assert [str(path) for path in used if used[path] & set(RETIRED_IN_PYTHON)] == []
    assert names_in("trained_in = card['home']  # key\n") == {"trained_in", "card"}


def test_words_are_found_whole(tmp_path, monkeypatch):
    """The search itself: whole words only, with line and replacement."""
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("A new map.\nMade anew; renewed, manewed.\n", "utf-8")
    assert found(PLAIN, [page]) == ["page.md:2: 'anew': write 'again'"]
