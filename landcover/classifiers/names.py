"""Names of models and of maps made of their maps."""

from __future__ import annotations

import re

from landcover.labels.denoising import DEFAULT, PLAIN

_WORDS = {
    "smooth": "smoothing",
    "segments": "majority by segment",
    "segments-by-probability": "the likeliest class by segment",
    "polygons": "majority by polygon",
    "polygons-by-probability": "the likeliest class by polygon",
}

_TITLES = {
    "random-forest": "random forest",
    "mlp": "MLP",
    "mlp-segments": "MLP with segment types",
    "knn": "k-nearest-neighbours classifier",
}
#: How models that did not learn by the default way did, by the ends of their names.
_WAYS = {
    "plain": "on labels as they are",
    "erode": "away from labels' borders",
    "confident": "by confident learning",
    "prior": "with priors corrected",
    "transition": "with transitions undone",
    "average": "on averages over segments",
}

#: Ends the name of a map of patches, whose pixels are not the scene's.
PATCHES = "_patches"


def model_of(name: str) -> str:
    """The model of a map by the map's name; of a postprocessed map, that of the map it came from.

    >>> model_of("mlp-segments"), model_of("mlp-segments+smooth+mmu50px")
    ('mlp-segments', 'mlp-segments')
    """
    return name.partition("+")[0]


def named(name: str, trained_on: str, denoise: str | None = None) -> str:
    """A model's name, which says so when it was not trained as is the default.

    >>> named("mlp", "labels"), named("mlp", "labels", "none"), named("mlp", "labels", "erode")
    ('mlp', 'mlp-plain', 'mlp-erode')
    >>> named("mlp", "reference", "none")
    'mlp-on-reference'
    """
    if trained_on != "labels":
        return f"{name}-on-reference"
    if denoise in (None, DEFAULT):
        return name
    return f"{name}-{'plain' if denoise == PLAIN else denoise}"


def title_of(name: str) -> str:
    """A model's name in words.

    >>> title_of("cnn-7x7"), title_of("mlp-segments-on-reference")
    ('patch CNN 7×7', 'MLP with segment types trained on the reference')
    >>> title_of("random-forest+smooth"), title_of("mlp-plain")
    ('random forest after smoothing', 'MLP on labels as they are')
    """
    name, _, steps = name.partition("+")
    name, studied, _ = name.partition("-on-reference")
    suffix = " trained on the reference" if studied else ""
    plain, _, way = name.rpartition("-")
    if plain and way in _WAYS:
        name, suffix = plain, f" {_WAYS[way]}"
    suffix += f" after {in_words(steps)}" if steps else ""
    cnn = re.fullmatch(r"cnn-(\d+)x\1(-published)?", name)
    if cnn:
        return f"{'published' if cnn[2] else 'patch'} CNN {cnn[1]}×{cnn[1]}{suffix}"
    return _TITLES.get(name, name) + suffix


def in_words(steps: str) -> str:
    """The steps of a map's name in words.

    >>> in_words("smooth+mmu50px")
    'smoothing and a sieve of 50 px'
    """
    return " and ".join(
        _WORDS.get(step, re.sub(r"^mmu(\d+)px$", r"a sieve of \1 px", step))
        for step in steps.split("+")
    )
