"""Patch CNNs as kinds: how they are trained and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack

from landcover.classifiers.fitting import Fitted, Setup, Trainer
from landcover.classifiers.patch_training import PATIENCE, PatchNetwork, PatchTraining, Start
from landcover.classifiers.protocol import Signature
from landcover.errors import InputError

if TYPE_CHECKING:
    from landcover.classifiers.networks import Network, PatchClassifier
    from landcover.samples.rows import Rows

EPOCHS = 40
PATCH_SIZE = 7


class Encoder(Protocol):
    """The model of an encoder, from which convolutions can start."""

    @property
    def folder(self) -> Path: ...  # noqa: D102

    def encoder(
        self, patch_size: int, bands: Sequence[str]
    ) -> tuple[Network, dict[str, list[float]]]:
        """Its network, and means and deviations of its bands."""


class Learning(TypedDict, total=False):
    """Choices of a `PatchTrainer` that every training of it takes again."""

    class_weight: str | None
    epochs: int
    patience: int


class PatchChoices(Learning, total=False):
    """Choices of a `PatchTrainer` beside the published network."""

    encoder: Encoder | None
    freeze: bool
    batches_of: str
    patch_size: int


class PatchTrainer:
    """What trains a patch CNN.

    Parameters
    ----------
    setup : Setup
        What the model is to be; its inputs have the size of the patch.
    published : bool
        The published same-padded network instead of that of valid convolutions.
    class_weight : {None, "balanced"}
        "balanced" gives every class the same say, whatever its number of rows.
    epochs : int
        At most; validation loss stops earlier.
    batches_of : {"auto", "chips", "tiles"}
        Chips one by one, tiles that share convolutions, or the cheaper one, see `networks.plan`.
    encoder : Model, optional
        An encoder to start from.
    freeze : bool
        Leave the encoder's convolutions as they are.
    patience : int
        Epochs without a lower validation loss after which training ends.
    patch_size : int
        As the inputs have it.

    Raises
    ------
    LandcoverError
        If choices contradict each other, or the encoder is none, or of another patch size or
        bands.
    """

    def __init__(
        self,
        setup: Setup,
        published: bool = False,
        *,
        encoder: Encoder | None = None,
        freeze: bool = False,
        batches_of: str = "auto",
        patch_size: int = PATCH_SIZE,
        **learning: Unpack[Learning],
    ) -> None:
        _require_fit(published, encoder, freeze)
        self._setup, self._learning = setup, learning
        self._settings: dict[str, object] = {"class_weight": learning.get("class_weight")}
        start = None
        if encoder is not None:
            start = Start(*encoder.encoder(patch_size, setup.inputs.bands), freeze)
            self._settings |= {"encoder": str(encoder.folder), "frozen": freeze}
        self._network = PatchNetwork(patch_size, published, batches_of, start)
        self._training: PatchTraining | None = None

    def __call__(self, rows: Rows) -> Fitted:
        """A network trained on some rows; the pixels of the first call serve later ones."""
        training = self._training = self._training or self._prepared(rows)
        return self._fitted(training, rows, **self._learning)

    def _prepared(self, rows: Rows) -> PatchTraining:
        setup = self._setup
        if not setup.scenes:
            raise InputError(
                f"model {setup.name} sees patches, and there is no scene to cut them from; "
                "give the scene"
            )
        return PatchTraining(setup.scenes, setup.inputs.bands, rows, self._network, setup.seed)

    def _fitted(
        self,
        training: PatchTraining,
        rows: Rows,
        class_weight: str | None = None,
        epochs: int = EPOCHS,
        patience: int = PATIENCE,
    ) -> Fitted:
        from landcover.classifiers import networks

        model, history = training.fit(rows, epochs, self._setup.name, class_weight, patience)
        settings = {"epochs": len(history["loss"])} | self._settings
        return Fitted(
            partial(networks.save, model),
            partial(training.predict, model),
            settings | training.way.as_dict(),
            training.scaling(rows),
            history,
            training.space(model, rows),
        )


def published_trainer(setup: Setup, **choices: Unpack[PatchChoices]) -> Trainer:
    """What trains the published network; choices are those of `PatchTrainer`."""
    return PatchTrainer(setup, published=True, **choices)


def form_of(choices: Mapping[str, object]) -> str:
    """What a name says of how a network starts."""
    if choices["encoder"] is None:
        return ""
    return "frozen" if choices["freeze"] else "finetuned"


def load(path: Path, signature: Signature) -> PatchClassifier:
    """The classifier in a Keras file."""
    from landcover.classifiers import networks

    return networks.PatchClassifier(
        signature.name,
        signature.legend,
        signature.inputs.bands,
        signature.inputs.patch_size,
        networks.load(path),
        temperature=signature.temperature,
    )


def _require_fit(published: bool, encoder: Encoder | None, freeze: bool) -> None:
    """Raise InputError if choices contradict each other."""
    if freeze and encoder is None:
        raise InputError("freeze=True leaves an encoder as it is; give one: encoder=FOLDER")
    if published and encoder is not None:
        raise InputError(
            f"encoder {encoder.folder} has valid convolutions, and the published network pads; "
            "leave out published=True or encoder="
        )
