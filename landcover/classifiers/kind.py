"""What a kind of models is, and what can be chosen of its training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from landcover.classifiers.fitting import Trainer
from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.protocol import Signature
from landcover.errors import InputError, require_among, require_whole

if TYPE_CHECKING:
    from onnx import ModelProto

#: What is chosen of a training, by the names of options, each of which says its type.
Choices: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Option:
    """Something to choose of a training: an argument of its trainer, an option of its command.

    Attributes
    ----------
    name : str
        Of the argument.
    default : object
        What is taken unless something is chosen.
    type : type
        `bool` is a switch, `int` a number of at least 1; a `Path` is the folder of a model,
        which the trainer gets opened.
    help : str
        For people; empty for what the command line does not offer.
    flag : str
        What the command line calls it, where that is not its name.
    choices : tuple of str
        The values there are, where they are few.
    many : bool
        Whether it takes several values.
    metavar : str, optional
        What the command's help calls a value.
    nothing : tuple of (str, str), optional
        A switch of the command line that chooses no value, and what it is for.
    shown : bool
        Whether the command prints the default among its settings.
    """

    name: str
    default: object = None
    type: type = int
    help: str = ""
    flag: str = ""
    choices: tuple[str, ...] = ()
    many: bool = False
    metavar: str | None = None
    nothing: tuple[str, str] | None = None
    shown: bool = True

    def checked(self, value: object) -> object:
        """A value as a trainer takes it: of one that takes several, a tuple.

        Raises
        ------
        InputError
            If it is not of the type, or among the choices.
        """
        if value is None:
            return value
        if not self.many:
            return self._one(value)
        if isinstance(value, str) or not isinstance(value, Iterable):
            value = (value,)
        return tuple(self._one(one) for one in value)

    def _one(self, value: object) -> object:
        if self.type is int:
            require_whole(self.name, value)
        if self.choices:
            require_among(self.name, value, self.choices)
        return value


def _no_form(_choices: Mapping[str, object]) -> str:
    return ""


@dataclass(frozen=True)
class Kind:
    """A kind of models.

    Attributes
    ----------
    name : str
        As cards have it.
    file : str
        Name of the model's file.
    sees : {"pixel", "patch", "sequence", "tile", "image", "encoder"}
        What a prediction is made from: a pixel's bands and features, the bands around a pixel,
        a pixel's bands on several dates, a tile of pixels on one or several dates, or a whole
        image. An encoder only helps others to learn.
    architecture, framework : str
        In the words of STAC's extension for machine-learning models.
    load : callable
        A model's file and signature to its classifier; the network of an encoder. `sees` says
        which, so no one type does.
    export : callable, optional
        A model's file to ONNX, or None where it has no such form, and remarks.
    dense : bool
        Whether it is a network that runs over whole windows, so that engines can be chosen.
    command : str
        What names of its models begin with, and what `landcover train` calls it.
    titles : mapping of str to str
        The kind in words, by the form that a name says after it; "" is the plain one.
    trainer : callable, optional
        A `Setup` and the choices to a function that trains on rows; None for kinds that are
        not trained on the samples of a run.
    options : tuple of Option
        What can be chosen.
    form : callable
        Choices to what the name says of them.
    switch : Option, optional
        Chooses this kind instead of the first one of its command.
    votes : str
        Setting of a model that says by how many votes its probabilities are counted; empty
        where they are not counted.
    learns_dates : callable, optional
        Choices and the days of a run to the dates that are learnt; None of them for a single image.
    segments : bool
        Whether its models read means of segments instead of pixels.
    maps : bool
        Whether its command maps after training, unless told not to.
    summary : str
        What its command does.
    described, chosen : mapping of str to str, str
        For the table of the documentation: what a model sees, by form, and what is chosen on
        validation.
    """

    name: str
    file: str
    sees: Literal["pixel", "patch", "sequence", "tile", "image", "encoder"]
    architecture: str
    framework: Literal["scikit-learn", "LightGBM", "Keras"]
    load: Callable[[Path, Signature], Any]
    export: Callable[[Path], tuple[ModelProto | None, list[str]]] | None = None
    dense: bool = False
    command: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    trainer: Callable[..., Trainer] | None = None
    options: tuple[Option, ...] = ()
    form: Callable[[Mapping[str, object]], str] = _no_form
    switch: Option | None = None
    votes: str = ""
    learns_dates: Callable[[Mapping[str, Any], tuple[str, ...]], LearntDates | None] | None = None
    segments: bool = False
    maps: bool = True
    summary: str = ""
    described: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""

    @property
    def maps_pixels(self) -> bool:
        """Whether its models give every pixel of one image a class."""
        return self.sees in ("pixel", "patch")

    @property
    def reads_dates(self) -> bool:
        """Whether its models can read several dates."""
        return self.sees in ("sequence", "tile")

    @property
    def needs_dates(self) -> bool:
        """Whether its models read several dates whatever is chosen."""
        return self.sees == "sequence" or (self.sees == "tile" and "sequence_length" in self._taken)

    @property
    def _taken(self) -> set[str]:
        return {option.name for option in self.options}

    @property
    def learns_tiles(self) -> bool:
        """Whether its models learn from tiles of pixels that all have a label."""
        return self.sees == "tile"

    @property
    def classifies_images(self) -> bool:
        """Whether its models give a whole image a class."""
        return self.sees == "image"

    @property
    def has_classes(self) -> bool:
        """Whether its models give classes at all, and do not just help others to learn."""
        return self.sees != "encoder"

    @property
    def takes_features(self) -> bool:
        """Whether its models read features of a pixel beside its bands."""
        return self.sees == "pixel"

    @property
    def takes_patches(self) -> bool:
        """Whether its models read the bands of the pixels around one."""
        return self.sees == "patch"

    @property
    def runs_on_keras(self) -> bool:
        """Whether the results of its models depend on the backend of Keras."""
        return self.framework == "Keras"

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"

    def choose(self, given: Mapping[str, object], name: str = "") -> Choices:
        """All choices, those given and defaults; `name` is what messages call the kind.

        Raises
        ------
        InputError
            If something is given that the kind does not take, or a value that it cannot be.
        """
        held = {option.name: option.default for option in self.options}
        unknown = sorted(set(given) - set(held))
        if unknown:
            takes = [*held, *(["features"] if self.takes_features else [])]
            raise InputError(
                f"{unknown[0]} is no choice of kind {name or self.name}; it takes "
                f"{', '.join(takes) or 'none'}"
            )
        options = {option.name: option for option in self.options}
        return held | {key: options[key].checked(value) for key, value in given.items()}
