"""What mapping asks of a model, and what a model's card says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from landcover.classifiers.applicability import Applicability
from landcover.classifiers.calibration import UNTEMPERED, Temperature
from landcover.classifiers.learnt_dates import LearntDates
from landcover.errors import InputError
from landcover.legend import Legend


class Reader(Protocol):
    """Any model of imagery.

    Attributes
    ----------
    name : str
        Name of the model.
    bands : tuple of str
        Bands that it reads, in order.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def bands(self) -> tuple[str, ...]: ...  # noqa: D102


class Classifier(Reader, Protocol):
    """Any model that maps.

    Attributes
    ----------
    legend : Legend
        Classes in the order of the outputs.
    radius : int
        Pixels around a pixel that its prediction depends on.
    segment_layers : tuple of str
        Bands of the raster of segment types that it reads; empty if none.
    temperature : Temperature
        What maps temper its probabilities by.
    applicability : Applicability, optional
        Where it has learnt something like what it meets; None where that was not loaded.
    described_px : int
        Side of the squares of pixels that have one applicability together.
    cell_px : int
        Side of the squares of pixels that are predicted from one and the same tile; 1 of pixels
        that each have a patch of their own.
    """

    @property
    def legend(self) -> Legend: ...  # noqa: D102
    @property
    def radius(self) -> int: ...  # noqa: D102
    @property
    def segment_layers(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def temperature(self) -> Temperature: ...  # noqa: D102
    @property
    def applicability(self) -> Applicability | None: ...  # noqa: D102
    @property
    def described_px(self) -> int: ...  # noqa: D102
    @property
    def cell_px(self) -> int: ...  # noqa: D102

    def predict_window(
        self, image: np.ndarray, segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities (classes, rows, cols) of an image padded by `radius` on every side.

        They are the model's own, which labels come from; `temperature` is not in them. Maps call
        this, `valid` and `coordinates` from several threads at once.
        """

    def valid(self, image: np.ndarray) -> np.ndarray:
        """Which pixels (rows, cols) of such an image it predicts, without the padding."""

    def coordinates(self, image: np.ndarray, every_px: int = 1) -> np.ndarray:
        """Where pixels lie for `applicability`, (coordinates, rows, cols), of such an image.

        With `every_px` that of the first pixel of every square of this side alone.
        """


@dataclass(frozen=True)
class Inputs:
    """What a model reads.

    Attributes
    ----------
    bands : tuple of str
        Bands of the scene that are read, in order.
    features : tuple of str
        Features that are computed from them.
    segment_layers : tuple of str
        Bands of the raster of segment types.
    patch_size : int
        Side of the patch around a pixel; 1 for a model that sees the pixel alone.
    unseen : tuple of str
        Those of `bands` that only features are made from, and that the model does not see.
    fitted : mapping
        What features were fitted to in training, of `scene.features.fit`.
    dates : LearntDates, optional
        Of a model that reads a sequence, which has `bands` on every date; None of any other.
    """

    bands: tuple[str, ...]
    features: tuple[str, ...] = ()
    segment_layers: tuple[str, ...] = ()
    patch_size: int = 1
    unseen: tuple[str, ...] = ()
    fitted: Mapping[str, Any] = field(default_factory=dict, hash=False)
    dates: LearntDates | None = None

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Inputs:
        """What a model reads, as its card says."""
        bands, features, layers = (
            tuple(card[key]) for key in ("bands", "features", "segment_layers")
        )
        unseen, fitted = tuple(card.get("unseen", ())), card.get("fitted", {})
        dates = LearntDates.from_card(card.get("dates"))
        return cls(bands, features, layers, card["patch_size"], unseen, fitted, dates)

    def as_card(self) -> dict[str, Any]:
        """The same as a card holds it."""
        return {
            "bands": list(self.bands),
            "features": list(self.features),
            "segment_layers": list(self.segment_layers),
            "patch_size": self.patch_size,
            "unseen": list(self.unseen),
            "fitted": dict(self.fitted),
            **({"dates": self.dates.as_card()} if self.dates else {}),
        }

    @property
    def seen(self) -> tuple[str, ...]:
        """The bands that the model sees."""
        return tuple(band for band in self.bands if band not in self.unseen)

    @property
    def columns(self) -> list[str]:
        """What goes in, in words, in the order of the inputs."""
        one_hot = [f"{layer} (one-hot)" for layer in self.segment_layers]
        return [*self.seen, *self.features, *one_hot]


@dataclass(frozen=True)
class Signature:
    """What a model's file does not say of itself: its name, inputs, classes and temperature.

    Attributes
    ----------
    name : str
        Name of the model.
    legend : Legend
        Classes in the order of the outputs.
    inputs : Inputs
        What it reads.
    temperature : Temperature
        What maps temper its probabilities by.
    """

    name: str
    legend: Legend
    inputs: Inputs
    temperature: Temperature = UNTEMPERED


def require_bands(classifier: Reader, held: tuple[str, ...], scene: str | Path) -> None:
    """Raise InputError unless a scene holds the bands that a model was trained on."""
    if not set(classifier.bands) <= set(held):
        raise InputError(
            f"model {classifier.name} was trained on bands {' '.join(classifier.bands)}; "
            f"{Path(scene).name} has {' '.join(held)}: prepare a scene with these bands "
            "or train a model on it"
        )
