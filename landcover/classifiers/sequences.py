"""Classifiers that see a pixel through the dates of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from landcover.classifiers.applicability import Applicability
from landcover.classifiers.calibration import UNTEMPERED, Temperature
from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.protocol import Signature
from landcover.errors import InputError, LandcoverError
from landcover.legend import Legend
from landcover.scene.sequence import Dates, as_sequence, valid_dates

#: Band of a raster of segments.
SEGMENT = "segment"
#: (pixels, dates, bands) float32, NaN where a date is masked, and days of year (dates,) to
#: probabilities (pixels, classes).
PredictSeries = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class DatedClassifier:
    """What classifiers of sequences share: a model that is bound to the dates that it maps.

    Attributes
    ----------
    name : str
        Name of the model.
    legend : Legend
        Classes in the order of the outputs.
    date_bands : tuple of str
        Bands that it reads of every date.
    learnt : LearntDates, optional
        Dates that it learnt from, and how many it needs; None of a model of one image.
    dates : Dates, optional
        What it reads; None before `bound`.
    temperature : Temperature
        What maps temper the probabilities by.
    """

    name: str
    legend: Legend
    date_bands: tuple[str, ...]
    learnt: LearntDates | None
    dates: Dates | None = None
    temperature: Temperature = UNTEMPERED
    #: Where such a model has learnt something like what it meets is not known
    applicability: Applicability | None = None
    segment_layers: tuple[str, ...] = ()
    described_px = 1

    def bound(self, dates: Dates) -> Self:
        """The same classifier for the dates of a sequence, whose bands it then reads by name.

        Raises
        ------
        InputError
            If the dates lack a band, or are fewer than the model needs.
        """
        if not set(self.date_bands) <= set(dates.bands):
            raise InputError(
                f"model {self.name} was trained on bands {' '.join(self.date_bands)} of every "
                f"date; these dates have {' '.join(dates.bands)}: prepare a run with these bands "
                "or train a model on it"
            )
        if self.learnt is None:
            raise InputError(f"model {self.name} sees one image, and no dates can be bound to it")
        chosen = self.learnt.chosen(dates, None, self.name, "the sequence")
        return replace(self, dates=Dates(chosen.days, self.date_bands))

    @property
    def held(self) -> Dates:
        """The dates that it is bound to."""
        if self.dates is None:
            raise LandcoverError(
                f"model {self.name} reads sequences, and it is not told of which dates; "
                "bind it first: classifier.bound(dates)"
            )
        return self.dates

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it reads, by date and name."""
        return self.held.names

    @property
    def radius(self) -> int:
        """Pixels around a pixel that its prediction depends on."""
        return 0

    @property
    def cell_px(self) -> int:
        """Side of the squares of pixels that are predicted from one and the same tile."""
        return 1

    def valid(self, image: np.ndarray) -> np.ndarray:
        """Where (rows, cols) at least one date has a value in every band, without the margin."""
        inner = tuple(slice(self.radius, side - self.radius) for side in image.shape[1:])
        by_date = valid_dates(as_sequence(image, self.held)[:, :, *inner])
        return np.asarray(by_date.any(axis=0))

    def coordinates(self, _image: np.ndarray, _every_px: int = 1) -> np.ndarray:
        """Such a model has no area of applicability."""
        raise InputError(f"model {self.name} has no area of applicability; leave it out")


@dataclass(frozen=True, kw_only=True)
class SequenceClassifier(DatedClassifier):
    """A classifier of single pixels through their dates.

    Attributes
    ----------
    predict : callable
        Values (pixels, dates, bands), NaN where a date is masked, and days of year (dates,) to
        probabilities (pixels, classes). A pixel without a valid date gives an undefined result.
    """

    predict: PredictSeries

    @classmethod
    def of(cls, signature: Signature, predict: PredictSeries) -> Self:
        """A classifier of what a model's card says and what its file computes."""
        return cls(**dated(signature), predict=predict)

    def predict_window(
        self, image: np.ndarray, _segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities of a window.

        Parameters
        ----------
        image : array of float32, (dates x bands, rows, cols)
            Reflectance of `bands`; NaN where a date is masked.

        Returns
        -------
        array of float32, (classes, rows, cols)
        """
        rows, cols = image.shape[1:]
        series = as_sequence(image, self.held).reshape(len(self.held.days), -1, rows * cols)
        values = np.ascontiguousarray(series.transpose(2, 0, 1), np.float32)
        found = self.predict(values, self.held.day_of_year)
        return found.T.reshape(-1, rows, cols)


@dataclass(frozen=True, kw_only=True)
class SegmentSequenceClassifier(SequenceClassifier):
    """A classifier of segments through their dates: a pixel has what its segment has.

    Attributes
    ----------
    means : array of float32, (segments + 1, dates, bands), optional
        Means of every segment on the dates that the classifier is bound to; None before `over`.
    """

    means: np.ndarray | None = None
    #: The raster of segments is read as one of segment types
    segment_layers: tuple[str, ...] = (SEGMENT,)

    def over(self, means: np.ndarray) -> Self:
        """The same for segments with these means."""
        return replace(self, means=means)

    def predict_window(
        self, _image: np.ndarray, segment_types: np.ndarray | None = None
    ) -> np.ndarray:
        """Probabilities of a window.

        Parameters
        ----------
        segment_types : array of int, (1, rows, cols)
            The segments.

        Returns
        -------
        array of float32, (classes, rows, cols)
            NaN outside segments, and in those that none of the dates shows.
        """
        if self.means is None or segment_types is None:
            raise InputError(
                f"model {self.name} reads means of segments, which a scene alone has not; map a "
                "run with it: landcover map RUN --model NAME"
            )
        ids, place = np.unique(segment_types[0].astype(np.int64), return_inverse=True)
        found = self.predict(self.means[ids], self.held.day_of_year)
        found[~np.isfinite(self.means[ids]).all(axis=2).any(axis=1)] = np.nan
        return np.ascontiguousarray(found.T[:, place.reshape(segment_types.shape[1:])])


def dated(signature: Signature) -> dict[str, Any]:
    """What a model's card says, as arguments of a `DatedClassifier`."""
    learnt = signature.inputs.dates
    if learnt is None:
        raise LandcoverError(
            f"the card of model {signature.name} names no dates; train the model again"
        )
    return {
        "name": signature.name,
        "legend": signature.legend,
        "date_bands": signature.inputs.bands,
        "learnt": learnt,
        "temperature": signature.temperature,
    }
