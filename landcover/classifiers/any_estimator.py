"""Any classifier of scikit-learn as a kind, by its import path."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from landcover.classifiers.fitting import Fitted, Setup, Trainer, fitted_rows, tables_of
from landcover.classifiers.protocol import Signature
from landcover.errors import InputError, LandcoverError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from landcover.classifiers.pixels import PixelClassifier, Predict
    from landcover.samples.rows import Rows

Found = TypeVar("Found")

#: No part begins with _: what is private may move with any release.
_PATH = re.compile(r"sklearn(\.[A-Za-z]\w*)+")


def form_of(choices: Mapping[str, Any]) -> str:
    """The class of an estimator, which the name of its model ends in."""
    return str(choices["estimator"] or "").rpartition(".")[2]


def trainer(setup: Setup, estimator: str | None = None, parameters: Sequence[str] = ()) -> Trainer:
    """What trains a classifier of scikit-learn behind a scaler that knows training rows alone.

    Parameters
    ----------
    setup : Setup
        What the model is to be; its seed is the estimator's `random_state`, where it takes one.
    estimator : str
        Import path, such as "sklearn.naive_bayes.GaussianNB".
    parameters : sequence of str
        ``name=value``; a value that is no Python literal is text.

    Raises
    ------
    InputError
        If there is no such classifier, it gives no probabilities, takes no such parameter, or
        cannot be stored as data. Where only fitting shows that, the trainer raises it.
    """
    made = _made(estimator, parameters, setup.seed)

    def fit(rows: Rows) -> Fitted:
        from sklearn.base import clone
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from landcover.classifiers import estimators

        X, y, X_validation, y_validation = tables_of(rows, setup.inputs)
        model = make_pipeline(StandardScaler(), clone(made))
        _understood(lambda: model.fit(X, y), estimator)
        _require_data(model, estimator)
        predict = _predictor(model, f"estimator {estimator}")
        right = predict(X_validation, np.zeros((len(X_validation), 0))).argmax(axis=1)
        settings = {
            "estimator": estimator,
            "parameters": {key: repr(value) for key, value in made.get_params().items()},
            "validation_accuracy": round(float((right == y_validation).mean()), 5),
        }
        return fitted_rows(rows, setup.inputs, partial(estimators.save, model), predict, settings)

    return fit


def load(path: Path, signature: Signature) -> PixelClassifier:
    """The classifier in a skops file."""
    from landcover.classifiers import estimators
    from landcover.classifiers.pixels import PixelClassifier

    return PixelClassifier.of(
        signature, _predictor(estimators.load(path), f"model {signature.name}")
    )


def _made(path: str | None, parameters: Sequence[str], seed: int) -> BaseEstimator:
    """An estimator by its path, with its parameters, that is data before it is fitted."""
    cls = _class_of(path)
    given = dict(_parameter(text) for text in parameters)
    taken = cls._get_param_names()
    unknown = [name for name in given if name not in taken]
    if unknown:
        raise InputError(
            f"parameter {unknown[0]!r} is none of {path}; it takes {', '.join(taken) or 'none'}"
        )
    if "random_state" in taken:
        given.setdefault("random_state", seed)
    made = _understood(lambda: cls(**given), path)
    if not hasattr(made, "predict_proba"):
        raise InputError(
            f"estimator {path} gives no probabilities with these parameters (predict_proba), and "
            "confidence and calibration need them; choose another classifier or parameters"
        )
    if hasattr(made, "_validate_params"):
        _understood(made._validate_params, path)
    _require_data(made, path)
    _try_out(made, path)
    return made


def _try_out(made: BaseEstimator, path: str | None) -> None:
    """Fit an estimator to a few rows, since only fitting shows what it holds then."""
    from sklearn.base import clone

    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    tried = clone(made)
    try:
        tried.fit(X, y)
    except Exception:
        return
    _require_data(tried, path)


def _class_of(path: str | None) -> type[BaseEstimator]:
    """A classifier of scikit-learn by its import path."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    example = "such as sklearn.neighbors.RadiusNeighborsClassifier"
    if path is None:
        raise InputError(f"no estimator is named; give the path of a classifier, {example}")
    if not _PATH.fullmatch(path):
        raise InputError(
            f"estimator {path!r} is no public path in scikit-learn; importing runs what is "
            f"imported, so no other package is: give a path that begins with sklearn., {example}"
        )
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        cls = None
    if not (
        isinstance(cls, type)
        and issubclass(cls, BaseEstimator)
        and issubclass(cls, ClassifierMixin)
        and cls.__module__.startswith("sklearn.")
    ):
        raise InputError(
            f"estimator {path!r} is no classifier of scikit-learn; give one, {example}"
        )
    return cls


def _parameter(text: str) -> tuple[str, object]:
    """A parameter as ``name=value`` has it.

    >>> _parameter("radius=0.5"), _parameter("weights=distance"), _parameter("priors=None")
    (('radius', 0.5), ('weights', 'distance'), ('priors', None))
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InputError(f"parameter {text!r} is not of the form name=value, such as radius=0.5")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name, value


def _understood(run: Callable[[], Found], path: str | None) -> Found:
    """What a call of scikit-learn gives; what it does not take is one line."""
    try:
        return run()
    except (ValueError, TypeError, AttributeError, ArithmeticError, NotImplementedError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"estimator {path} cannot be trained so ({said[:300]}); choose other parameters, or "
            "another classifier"
        ) from None


def _require_data(model: BaseEstimator, path: str | None) -> None:
    """Raise InputError if an estimator holds more than data."""
    from landcover.classifiers.estimators import foreign_types

    try:
        foreign = ", ".join(foreign_types(model))
    except Exception as error:
        foreign = f"what skops cannot write: {' '.join(str(error).split())[:200]}"
    if foreign:
        raise InputError(
            f"estimator {path} cannot be stored as data: it holds {foreign}, which may be code; "
            "choose another classifier or parameters"
        )


def _predictor(model: BaseEstimator, called: str) -> Predict:
    """Probabilities of rows; where the estimator finds none, one line says so."""
    from landcover.classifiers import estimators

    predict = estimators.row_predictor(model)

    def run(values: np.ndarray, types: np.ndarray) -> np.ndarray:
        try:
            return predict(values, types)
        except ValueError as error:
            raise LandcoverError(
                f"{called} gives some rows no probabilities ({' '.join(str(error).split())[:200]});"
                " train it with other parameters"
            ) from None

    return run
