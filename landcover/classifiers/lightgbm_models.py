"""LightGBM as a kind: its models are text, and mapping with them needs no LightGBM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.fitting import Fitted, Setup, Trainer, fitted_rows, tables_of
from landcover.classifiers.protocol import Signature
from landcover.errors import LandcoverError, MissingDependency
from landcover.files.atomic import write_bytes
from landcover.files.texts import read_text

if TYPE_CHECKING:
    from onnx import ModelProto

    from landcover.classifiers.boosted_trees import Boosted
    from landcover.classifiers.pixels import PixelClassifier, Predict
    from landcover.samples.rows import Rows

_AGAIN = "train the model again"


def trainer(setup: Setup, class_weight: str | None = None) -> Trainer:
    """What trains LightGBM's boosted trees.

    Parameters
    ----------
    setup : Setup
        What the model is to be.
    class_weight : {None, "balanced"}
        "balanced" gives every class the same say, whatever its number of rows.

    Raises
    ------
    MissingDependency
        If LightGBM is not installed.
    """
    try:
        import lightgbm  # noqa: F401 - asked for before anything is read
    except ImportError as error:
        raise MissingDependency(
            f"kind lightgbm needs LightGBM, which is not there ({error}); install it: "
            "pip install 'landcover[lightgbm]', or train hist-gradient-boosting, which grows the "
            "same kind of trees"
        ) from None
    from landcover.classifiers.boosted_trees import Boosted
    from landcover.classifiers.boosting import fit_lightgbm
    from landcover.samples.rows import class_weights, weights_of

    def fit(rows: Rows) -> Fitted:
        X, y, X_validation, y_validation = tables_of(rows, setup.inputs)
        weights = weights_of(y, class_weights(rows, class_weight))
        text, tried = fit_lightgbm(
            X, y, X_validation, y_validation, len(rows.legend), weights, setup.seed
        )
        trees = Boosted.of_lightgbm(text)
        settings = {
            "iterations": len(trees.trees) // len(trees.turns),
            "validation_accuracy_by_iterations": tried,
            "class_weight": class_weight,
        }

        def store(path: Path) -> None:
            write_bytes(path, text.encode())

        return fitted_rows(
            rows,
            setup.inputs,
            store,
            _row_predictor(trees),
            settings,
        )

    return fit


def load(path: Path, signature: Signature) -> PixelClassifier:
    """The classifier in a file of LightGBM's text."""
    from landcover.classifiers.pixels import PixelClassifier

    trees = _read(path)
    if len(trees.start) != len(signature.legend):
        raise LandcoverError(
            f"{path} tells {len(trees.start)} classes apart, and the model's card names "
            f"{len(signature.legend)}; {_AGAIN}"
        )
    return PixelClassifier.of(signature, _row_predictor(trees))


def export(path: Path) -> tuple[ModelProto, list[str]]:
    """The trees as ONNX."""
    from landcover.classifiers.exchange import forest_onnx

    trees = _read(path)
    return forest_onnx.boosted_to_onnx(trees, np.arange(len(trees.start))), []


def _read(path: Path) -> Boosted:
    from landcover.classifiers.boosted_trees import Boosted

    text = read_text(path, "model of LightGBM", _AGAIN)
    try:
        return Boosted.of_lightgbm(text)
    except (KeyError, ValueError, OverflowError) as error:
        raise LandcoverError(f"{path} is not a readable model ({error}); {_AGAIN}") from None


def _row_predictor(trees: Boosted) -> Predict:
    """Probabilities (rows, classes), float32; 0 in rows that hold NaN."""

    def predict(values: np.ndarray, _types: np.ndarray) -> np.ndarray:
        result = np.zeros((len(values), len(trees.start)), np.float32)
        known = ~np.isnan(values).any(axis=1)
        if known.all():
            return trees.probabilities(values).astype(np.float32)
        if known.any():
            result[known] = trees.probabilities(values[known])
        return result

    return predict
