"""Trained models: a folder with a file and its card, read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from landcover.classifiers.applicability import (
    APPLICABILITY,
    Applicability,
    load_applicability,
)
from landcover.classifiers.array_inputs import pixels_of, sequence_of
from landcover.classifiers.calibration import Temperature, tempered
from landcover.classifiers.cards import CARD, read_card
from landcover.classifiers.kind import Kind
from landcover.classifiers.kinds import KINDS
from landcover.classifiers.names import title_of
from landcover.classifiers.pixels import PixelClassifier
from landcover.classifiers.protocol import Classifier, Inputs, Signature
from landcover.errors import InputError, LandcoverError, MissingProduct, typed
from landcover.files.atomic import Fields
from landcover.grid import Grid
from landcover.legend import UNLABELLED, Legend
from landcover.scene.features import opened

if TYPE_CHECKING:
    import pandas as pd
    from onnx import ModelProto

    from landcover.classifiers.image_tiles import Tile
    from landcover.classifiers.networks import Engine, ImageClassifier, Network
    from landcover.classifiers.sequences import SequenceClassifier


@dataclass(frozen=True)
class Model:
    """A trained model.

    `load_model` reads one. Its folder is RUN/models/NAME of the run that it was trained in; it
    predicts wherever there are the same bands.

    Attributes
    ----------
    folder : Path
        Folder of the model's file and card.
    card : mapping
        What card.json says, see docs/classifiers.md.

    Examples
    --------
    >>> model = load_model("runs/mapped/models/random-forest-plain")
    >>> model.title, model.bands, model.classes_.dtype
    ('random forest on labels as they are', ('B02', 'B03', 'B04', 'B08'), dtype('int64'))
    """

    folder: Path
    card: Fields = field(repr=False, compare=False)

    def _repr_html_(self) -> str:
        """What the model is, for notebooks."""
        from landcover.classifiers.model_page import model_page

        return model_page(self.folder, self.title, self.kind, self.inputs, self.legend, self.card)

    @property
    def name(self) -> str:
        """Name of the model: that of its folder."""
        return self.folder.resolve().name

    @property
    def title(self) -> str:
        """The name in words, such as "patch CNN 7×7"."""
        return title_of(self.name)

    @property
    def kind(self) -> Kind:
        """What kind of model it is."""
        return KINDS[self.card["kind"]]

    @cached_property
    def legend(self) -> Legend:
        """Classes in the order of the outputs."""
        return Legend.from_dicts(self.card["classes"])

    @property
    def classes_(self) -> np.ndarray:
        """Class codes in the order of the outputs, array of int (classes,)."""
        return np.array(self.legend.codes)

    @property
    def inputs(self) -> Inputs:
        """What it reads: bands, features, layers of segment types, side of the patch."""
        return Inputs.from_card(self.card)

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it reads, in order."""
        return self.inputs.bands

    @property
    def temperature(self) -> Temperature:
        """What its probabilities are tempered by; nothing where an older card does not say."""
        card = self.card
        return Temperature(card.get("temperature", 1.0), card.get("probability_floor", 0.0))

    @property
    def card_path(self) -> Path:
        """Path of its card."""
        return self.folder / CARD

    @property
    def file(self) -> Path:
        """Path of its file."""
        return self.folder / self.kind.file

    @property
    def products(self) -> list[Path]:
        """What training wrote into its folder: file, learning curves of a network, and card."""
        further = (self.folder / "history.json", self.applicability_file)
        return [self.file, *(path for path in further if path.exists()), self.card_path]

    @property
    def applicability_file(self) -> Path:
        """Path of its area of applicability, which models of older versions lack."""
        return self.folder / APPLICABILITY

    @cached_property
    def applicability(self) -> Applicability:
        """Its area of applicability, with the ``threshold`` up to which a pixel lies inside.

        Raises
        ------
        MissingProduct
            If it has none.
        LandcoverError
            If the file is damaged.
        """
        self.require_applicability()
        return load_applicability(self.applicability_file)

    def classifier(
        self,
        engine: Engine | None = None,
        *,
        with_applicability: bool = False,
        grid: Grid | None = None,
    ) -> Classifier:
        """The classifier of pixels, loaded from the file.

        Parameters
        ----------
        engine : Engine, optional
            What runs a patch network, from `networks.choose_engine`; Keras by default.
        with_applicability : bool
            Load the area of applicability too.
        grid : Grid, optional
            Of the scene to be mapped: features of terrain are of its pixels, and of those that the
            model learnt from without it.

        Returns
        -------
        Classifier
            With ``predict_window``, which gives probabilities (classes, rows, cols).

        Raises
        ------
        InputError
            If the model classifies no pixels.
        MissingProduct
            If a file is missing.
        LandcoverError
            If a file is damaged.
        """
        self.require_classes()
        if self.kind.classifies_images:
            raise InputError(
                f"model {self.folder} classifies whole images; map with it on a "
                f"stride: landcover map RUN --model {typed(self.folder)} --stride 32"
            )
        classifier = self._load()
        if with_applicability:
            classifier = self._with_applicability(classifier)
        if grid is not None and isinstance(classifier, PixelClassifier):
            classifier = classifier.on(grid)
        return classifier if engine is None else classifier.with_engine(engine)

    def image_classifier(self) -> ImageClassifier:
        """The classifier of whole images, loaded from the file.

        Returns
        -------
        ImageClassifier
            With ``probabilities``, which gives (images, classes).

        Raises
        ------
        InputError
            If the model classifies no whole images.
        MissingProduct
            If the file is missing.
        LandcoverError
            If the file is damaged.
        """
        self.require_classes()
        if not self.kind.classifies_images:
            raise InputError(
                f"model {self.folder} classifies pixels, not whole images; map with it: "
                f"landcover map RUN --model {typed(self.folder)}"
            )
        return self._load()

    def encoder(
        self, patch_size: int, bands: Sequence[str]
    ) -> tuple[Network, dict[str, list[float]]]:
        """The network of an encoder, and means and deviations of the bands of its training.

        Parameters
        ----------
        patch_size : int
            Of the patch network that is to start from it.
        bands : sequence of str
            Bands of that network.

        Returns
        -------
        (keras.Model, dict)
            The network; and ``means`` and ``stds`` of its bands, reflectance.

        Raises
        ------
        InputError
            If the model is no encoder, or one of another patch size or bands.
        """
        if self.kind.has_classes:
            raise InputError(
                f"model {self.folder} is of kind {self.kind.name}, and a "
                "network starts from an encoder; make one in a checkout of the project with: "
                "python -m experiments.bigearth_train STORE"
            )
        own = self.inputs
        if own.patch_size != patch_size:
            raise InputError(
                f"encoder {self.name} sees patches of {own.patch_size} px, and the network is for "
                f"{patch_size}; choose patch_size={own.patch_size}, or another encoder"
            )
        if own.bands != tuple(bands):
            raise InputError(
                f"encoder {self.name} was trained on bands {' '.join(own.bands)}, and the scene "
                f"has {' '.join(bands)}; they must be the same, in that order"
            )
        return self._load(), self.card["scaling"]

    def export(self) -> tuple[ModelProto | None, list[str]]:
        """The model as ONNX, or None where its kind has no such form; and remarks on it.

        Returns
        -------
        (ModelProto or None, list of str)
            The model, and remarks to be shown.

        Raises
        ------
        MissingProduct
            If the model's file is missing.
        LandcoverError
            If it is damaged.
        """
        if self.kind.export is None:
            return None, [f"no ONNX: models of kind {self.kind.name} have no such form"]
        return self.kind.export(self._existing())

    def predict(
        self,
        image: np.ndarray | pd.DataFrame,
        segment_types: np.ndarray | pd.DataFrame | None = None,
        dates: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Class codes of the pixels of an image, or of the rows of a table.

        Parameters
        ----------
        image : array of float, (bands, rows, cols) or (samples, bands)
            Reflectance, 0 to 1, of `bands` in their order; NaN or masked where nodata. Of a
            DataFrame the columns named after `bands` are taken, in any order. A patch network
            needs an image; what lies outside it counts as missing.
        segment_types : array of uint8, (layers, rows, cols) or (samples, layers), optional
            Needed by models that read layers of segment types, in the order of
            ``inputs.segment_layers``. An array does not say which layers it holds, so read them
            by name: ``lc.read(run.segment_types, bands=["hierarchy-8"])``. A DataFrame has the
            columns of the sample table.
        dates : sequence of str, optional
            Days of a sequence, such as "2022-04-15": a model of sequences takes an image of
            (dates, bands, rows, cols). By default the days that it learnt from.

        Returns
        -------
        array of uint16, (rows, cols) or (samples,)
            Codes of `legend`; 0 where a band is nodata. They are those of the map.

        Raises
        ------
        InputError
            If the array has another shape than the model needs or holds no reflectance, as
            digital numbers do not, segment types are missing, or the model classifies no pixels.

        Examples
        --------
        >>> model = load_model("runs/mapped/models/random-forest-plain")
        >>> image = np.full((4, 3, 5), 0.1)
        >>> image[:, 0, 0] = np.nan
        >>> codes = model.predict(image)
        >>> codes.shape, int(codes[0, 0]), bool(codes[0, 1] in model.classes_)
        ((3, 5), 0, True)
        """
        from landcover.classifiers.best_class import winners

        classifier, pixels, types = self._seen(image, segment_types, dates)
        codes = np.full(pixels.shape[1:], UNLABELLED, np.uint16)
        for place, valid, probabilities in _tiles(classifier, pixels, types):
            index, _ = winners(np.ascontiguousarray(probabilities))
            codes[place.slices] = np.where(valid, self.legend.code(index), UNLABELLED)
        return codes[0] if np.ndim(image) == 2 else codes

    def predict_proba(
        self,
        image: np.ndarray | pd.DataFrame,
        segment_types: np.ndarray | pd.DataFrame | None = None,
        dates: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        image, segment_types, dates
            As for `predict`.

        Returns
        -------
        array of float32, (classes, rows, cols) or (samples, classes)
            At the model's temperature, as a map's probabilities are; NaN where a band is nodata.
            An image has its classes first, as its bands are; a table last, as scikit-learn has
            them.

        Raises
        ------
        InputError
            As for `predict`.

        Examples
        --------
        >>> model = load_model("runs/mapped/models/random-forest-plain")
        >>> probabilities = model.predict_proba(np.full((10, 4), 0.1))
        >>> probabilities.shape == (10, len(model.classes_))
        True
        >>> bool(np.allclose(probabilities.sum(axis=1), 1))
        True
        """
        classifier, pixels, types = self._seen(image, segment_types, dates)
        found = np.full((len(self.legend), *pixels.shape[1:]), np.nan, np.float32)
        for place, valid, probabilities in _tiles(classifier, pixels, types):
            held = tempered(probabilities, self.temperature, axis=0)
            found[:, *place.slices] = np.where(valid, held, np.nan)
        return found[:, 0].T if np.ndim(image) == 2 else found

    def dissimilarity(self, image: np.ndarray | pd.DataFrame) -> np.ndarray:
        """How little the pixels of an image, or rows of a table, are like what the model learnt.

        Parameters
        ----------
        image
            As for `predict`. Segment types are no part of it.

        Returns
        -------
        array of float32, (rows, cols) or (samples,)
            Distance to the nearest training sample over the mean distance between samples. Above
            ``applicability.threshold`` a pixel lies outside the area of applicability. NaN where
            a band is nodata.

        Raises
        ------
        InputError
            As for `predict`.
        MissingProduct
            If the model has no area of applicability.

        Examples
        --------
        >>> model = load_model("runs/mapped/models/random-forest-plain")
        >>> found = model.dissimilarity(np.full((4, 3, 5), 0.9))
        >>> found.shape, bool((found > model.applicability.threshold).all())
        ((3, 5), True)
        """
        from landcover.classifiers.image_tiles import dissimilarity_tiles

        pixels, _ = pixels_of(image, None, replace(self.inputs, segment_layers=()), self.name)
        found = np.full(pixels.shape[1:], np.nan, np.float32)
        for place, dissimilarity in dissimilarity_tiles(self._bounded, pixels):
            found[place.slices] = dissimilarity
        return found[0] if np.ndim(image) == 2 else found

    def require_applicability(self) -> None:
        """Raise MissingProduct if the model has no area of applicability.

        Raises
        ------
        MissingProduct
            If it has none.
        """
        if self.kind.reads_dates:
            raise MissingProduct(
                f"models of kind {self.kind.name}, such as {self.folder}, keep no area of "
                "applicability; leave it out, or train a model of single pixels"
            )
        if not self.applicability_file.exists():
            raise MissingProduct(
                f"model {self.folder} has no {APPLICABILITY}: it was trained before models kept "
                "their area of applicability, or on a single block; train it again"
            )

    def require_classes(self) -> None:
        """Raise InputError if the model only helps others to learn.

        Raises
        ------
        InputError
            If it is an encoder.
        """
        if not self.kind.has_classes:
            raise InputError(
                f"model {self.folder} is an encoder, which has no classes of "
                "the scene; train a network from it: "
                f"landcover train cnn RUN --encoder {typed(self.folder)}"
            )

    @cached_property
    def _loaded(self) -> Classifier:
        """The classifier of `predict`."""
        return self.classifier()

    @cached_property
    def _bounded(self) -> Classifier:
        """The classifier of `dissimilarity`."""
        return self._with_applicability(self._loaded)

    def _with_applicability(self, classifier: Any) -> Classifier:
        """A classifier that knows the model's area of applicability."""
        return replace(classifier, applicability=self.applicability)

    def _load(self) -> Any:
        """What the file holds, of a type that depends on the kind."""
        signature = Signature(self.name, self.legend, self.inputs, self.temperature)
        return self.kind.load(self._existing(), signature)

    def _existing(self) -> Path:
        """Path of the file, which must be there."""
        if not self.file.exists():
            raise MissingProduct(f"{self.file} does not exist; train the model {self.name} again")
        return self.file

    def _seen(
        self,
        image: np.ndarray | pd.DataFrame,
        segment_types: np.ndarray | pd.DataFrame | None,
        dates: Sequence[str] | None,
    ) -> tuple[Classifier, np.ndarray, np.ndarray | None]:
        """What predicts an image, its pixels (bands, rows, cols), and their types."""
        if self.inputs.dates is None:
            if dates is not None:
                raise InputError(f"dates are of sequences, and model {self.name} sees one image")
            return self._loaded, *pixels_of(image, segment_types, self.inputs, self.name)
        pixels, held = sequence_of(image, self.inputs, dates, self.name)
        bound: Classifier = cast("SequenceClassifier", self._loaded).bound(held)
        return bound, pixels, None


def _tiles(classifier: Classifier, pixels: np.ndarray, types: np.ndarray | None) -> Iterator[Tile]:
    """Probabilities part by part, as `predict_tiles` gives them."""
    from landcover.classifiers.image_tiles import predict_chunks, predict_tiles

    if not pixels.size:
        return iter(())
    if pixels.shape[1] > 1 or classifier.radius:
        return predict_tiles(classifier, pixels, types)
    return predict_chunks(classifier, pixels, types)


def load_model(folder: str | Path) -> Model:
    """The model in a folder, RUN/models/NAME.

    Parameters
    ----------
    folder : path
        Of the model, with its card.json.

    Returns
    -------
    Model
        The model; its file is read when it first predicts.

    Raises
    ------
    MissingProduct
        If there is no model.
    LandcoverError
        If its card is damaged.

    Examples
    --------
    >>> model = load_model("runs/mapped/models/random-forest-plain")
    >>> model.predict(np.full((4, 20, 30), 0.1)).shape
    (20, 30)
    """
    model = Model(Path(folder), read_card(Path(folder)))
    try:
        _ = model.temperature
        opened(model.inputs.features, model.inputs.fitted)
    except LandcoverError as error:
        raise LandcoverError(
            f"{model.card_path} is damaged ({error}); train the model again"
        ) from None
    return model
