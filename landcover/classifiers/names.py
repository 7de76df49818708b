"""The grammar of names: of models, and of maps made of their maps.

A model's name says its kind and what differs from the default: ``mlp-segments``,
``cnn-7x7-published``, ``random-forest-plain``, ``knn-on-reference``, ``mlp-of-2-scenes``. One of
other features or choices ends with a word of the user's: ``random-forest@texture``.
A map is called as its model; one made of it adds its steps (``mlp+smooth+mmu50px``), one of whole
patches ``_patches``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from landcover.classifiers.kinds import KINDS
from landcover.errors import InputError
from landcover.labels.denoising import DEFAULT, PLAIN

#: Ends the name of a map of patches, whose pixels are not the scene's.
PATCHES = "_patches"

_ON_REFERENCE = "-on-reference"
_STEPS = {
    "smooth": "smoothing",
    "segments": "majority by segment",
    "segments-by-probability": "the likeliest class by segment",
    "polygons": "majority by polygon",
    "polygons-by-probability": "the likeliest class by polygon",
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
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,39}")
_OF_SCENES = re.compile(r"(.+)-of-([2-9]|[1-9]\d+)-scenes")
_SIZED = re.compile(r"(.+)-(\d+)x\2(?:-(.+))?")


@dataclass(frozen=True)
class Name:
    """A name, taken apart by `parse`; as text it is whole again.

    Attributes
    ----------
    base : str
        Kind, size and form, such as "mlp-segments" or "cnn-7x7-published".
    way : str
        How doubtful labels were treated; empty for the default way.
    on_reference : bool
        Whether the model learnt from the reference.
    scenes : int
        How many scenes it learnt from.
    variant : str
        The user's word for it; empty for the one without.
    steps : str
        What the map was made by, such as "smooth+mmu50px"; empty for a model's own map.
    patches : bool
        Whether it is a map of whole patches.
    """

    base: str
    way: str = ""
    on_reference: bool = False
    scenes: int = 1
    variant: str = ""
    steps: str = ""
    patches: bool = False

    def __str__(self) -> str:
        return f"{self.model}{'+' if self.steps else ''}{self.steps}{PATCHES * self.patches}"

    @property
    def model(self) -> str:
        """Name of the model alone."""
        way = f"-{self.way}" if self.way else ""
        of_scenes = f"-of-{self.scenes}-scenes" if self.scenes > 1 else ""
        variant = f"@{self.variant}" if self.variant else ""
        return f"{self.base}{way}{_ON_REFERENCE * self.on_reference}{of_scenes}{variant}"

    @property
    def title(self) -> str:
        """The name in words."""
        words = [_title_of_base(self.base)]
        if self.way:
            words.append(_WAYS[self.way])
        if self.on_reference:
            words.append("trained on the reference")
        if self.scenes > 1:
            words.append(f"of {self.scenes} scenes")
        if self.variant:
            words.append(f"({self.variant})")
        if self.steps:
            words.append(f"after {_in_words(self.steps)}")
        if self.patches:
            words.append("by patches")
        return " ".join(words)


def name_of(
    kind: str,
    *,
    patch_size: int | None = None,
    form: str = "",
    targets: str = "labels",
    denoise: str | None = None,
    scenes: int = 1,
    variant: str = "",
) -> str:
    """The name of a model.

    Parameters
    ----------
    kind : str
        What names of its kind begin with, such as "random-forest".
    patch_size : int, optional
        Side of its patches, where it sees patches.
    form : str
        A form of the kind, such as "segments" or "published".
    targets : {"labels", "reference"}
        What it learnt from; a reference is said.
    denoise : str, optional
        How doubtful labels were treated; said unless it is the default way.
    scenes : int
        How many scenes it learnt from; said of several.
    variant : str
        A word that tells it from another model of the same kind, such as one of other features.

    Raises
    ------
    InputError
        If a variant is no word of letters, digits, ``_`` and ``.``, at most 40.

    Examples
    --------
    >>> name_of("mlp", form="segments"), name_of("mlp", denoise="none")
    ('mlp-segments', 'mlp-plain')
    >>> name_of("cnn", patch_size=7, form="published", targets="reference", denoise="none")
    'cnn-7x7-published-on-reference'
    >>> name_of("knn", scenes=3)
    'knn-of-3-scenes'
    >>> name_of("knn", denoise="none", variant="texture")
    'knn-plain@texture'
    """
    if variant and not _VARIANT.fullmatch(variant):
        raise InputError(
            f"variant {variant!r} is part of file names; give letters, digits, _ and ., at most 40"
        )
    size = f"{patch_size}x{patch_size}" if patch_size else ""
    base = "-".join(part for part in (kind, size, form) if part)
    if targets != "labels":
        return str(Name(base, on_reference=True, scenes=scenes, variant=variant))
    way = "" if denoise in (None, DEFAULT) else "plain" if denoise == PLAIN else denoise
    return str(Name(base, way, scenes=scenes, variant=variant))


def parse(name: str) -> Name:
    """The parts of the name of a model or map.

    >>> parse("random-forest-plain+smooth")  # doctest: +NORMALIZE_WHITESPACE
    Name(base='random-forest', way='plain', on_reference=False, scenes=1, variant='',
         steps='smooth', patches=False)
    """
    rest = name.removesuffix(PATCHES)
    patches = rest != name
    model, _, steps = rest.partition("+")
    if not steps:
        model = rest
    kept, _, variant = model.partition("@")
    if variant:
        model = kept
    of_scenes = _OF_SCENES.fullmatch(model)
    alone, scenes = (of_scenes[1], int(of_scenes[2])) if of_scenes else (model, 1)
    rest = alone.removesuffix(_ON_REFERENCE)
    on_reference = rest != alone
    base, _, way = rest.rpartition("-")
    if not base or way not in _WAYS:
        base, way = rest, ""
    return Name(base, way, on_reference, scenes, variant, steps, patches)


def model_of(name: str) -> str:
    """The model of a map by the map's name; of a map made of a map, that of the first one.

    >>> model_of("mlp-segments"), model_of("mlp-segments+smooth+mmu50px")
    ('mlp-segments', 'mlp-segments')
    """
    return parse(name).model


def title_of(name: str) -> str:
    """A name in words.

    >>> title_of("cnn-7x7"), title_of("mlp-segments-on-reference")
    ('patch CNN 7×7', 'MLP with segment types trained on the reference')
    >>> title_of("random-forest-of-2-scenes")
    'random forest of 2 scenes'
    >>> title_of("random-forest-plain@texture")
    'random forest on labels as they are (texture)'
    >>> title_of("random-forest+smooth"), title_of("mlp-plain")
    ('random forest after smoothing', 'MLP on labels as they are')
    """
    return parse(name).title


def _title_of_base(base: str) -> str:
    """Kind, size and form in words; a name that is no kind's stays as it is."""
    sized = _SIZED.fullmatch(base)
    for kind in KINDS.values():
        size = f" {sized[2]}×{sized[2]}" if sized else ""
        named = "-".join(part for part in ((sized[1], sized[3]) if sized else (base,)) if part)
        for form, title in kind.titles.items():
            if named == "-".join(part for part in (kind.command, form) if part):
                return title + size
    return base


def _in_words(steps: str) -> str:
    """The steps of a map in words.

    >>> _in_words("smooth+mmu50px")
    'smoothing and a sieve of 50 px'
    >>> _in_words("mmu5000m2")
    'a sieve of 0.5 ha'
    """
    return " and ".join(_STEPS.get(step) or _sieve_in_words(step) for step in steps.split("+"))


def _sieve_in_words(step: str) -> str:
    """The smallest region of a map, in pixels or by its area; another step as it is."""
    sieve = re.fullmatch(r"mmu(\d+)(px|m2)", step)
    if sieve is None:
        return step
    return (
        f"a sieve of {sieve[1]} px"
        if sieve[2] == "px"
        else f"a sieve of {int(sieve[1]) / 1e4:g} ha"
    )
