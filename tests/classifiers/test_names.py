"""The grammar of names: what is made is read, what is read is the same text again."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landcover.classifiers.names import model_of, name_of, parse, title_of
from landcover.errors import InputError
from landcover.labels.denoising import CHOICES

KINDS = ("random-forest", "knn", "mlp", "cnn", "own-classifier")


@given(
    kind=st.sampled_from(KINDS),
    size=st.none() | st.integers(1, 30).map(lambda n: 2 * n + 1),
    form=st.sampled_from(("", "segments", "published", "frozen")),
    targets=st.sampled_from(("labels", "reference")),
    denoise=st.none() | st.sampled_from(CHOICES),
    scenes=st.integers(1, 120),
)
def test_a_name_says_again_what_it_was_made_of(kind, size, form, targets, denoise, scenes):
    name = name_of(
        kind, patch_size=size, form=form, targets=targets, denoise=denoise, scenes=scenes
    )
    found = parse(name)
    assert found.scenes == scenes
    assert str(found) == found.model == name
    assert found.on_reference == (targets == "reference")
    default = denoise in (None, "refine") or targets == "reference"
    assert found.way == ("" if default else {"none": "plain"}.get(denoise, denoise))
    assert found.base == name_of(kind, patch_size=size, form=form)
    assert not (found.steps or found.patches)


@given(st.from_regex(r"[a-z0-9_+@-]{0,40}", fullmatch=True))
@example("-plain")
@example("knn@")
@example("@texture")
@example("knn-of-2-scenes@b@c+smooth")
@example("mlp-on-reference-plain+smooth_patches")
@example("mlp-of-1-scenes")
@example("-of-02-scenes-of-2-scenes")
def test_any_text_is_a_name(text):
    found = parse(text)
    assert str(found) == text and isinstance(found.title, str)
    assert parse(found.model).model == found.model == model_of(text)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("random-forest", "random forest"),
        ("knn-on-reference", "k-nearest-neighbours classifier trained on the reference"),
        ("mlp-segments-erode", "MLP with segment types away from labels' borders"),
        ("cnn-15x15", "patch CNN 15×15"),
        ("cnn-7x7-published-plain", "published CNN 7×7 on labels as they are"),
        ("cnn-7x7-finetuned", "cnn-7x7-finetuned"),
        ("cnn-7x7-plain-of-3-scenes", "patch CNN 7×7 on labels as they are of 3 scenes"),
        ("random-forest@texture+smooth", "random forest (texture) after smoothing"),
        ("mlp+smooth+mmu50px", "MLP after smoothing and a sieve of 50 px"),
        ("compact_patches", "compact by patches"),
        ("encoder-7x7", "encoder-7x7"),
    ],
)
def test_titles(name, title):
    assert title_of(name) == title


@pytest.mark.parametrize("variant", ["a b", "-x", "a/b", "a@b", "x" * 41, "ä"])
def test_a_variant_is_a_word_of_a_file_name(variant):
    with pytest.raises(InputError, match="letters, digits"):
        name_of("knn", variant=variant)
