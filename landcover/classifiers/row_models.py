"""Random forest and nearest neighbours as kinds: how they are trained, loaded and exported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.fitting import Fitted, Setup, Trainer, fitted_rows, tables_of
from landcover.classifiers.protocol import Signature

if TYPE_CHECKING:
    from onnx import ModelProto

    from landcover.classifiers.pixels import PixelClassifier
    from landcover.samples.rows import Rows

#: A larger forest is left out of ONNX: its file would take over 40 MB, and seconds to load.
MAX_ONNX_NODES = 1_000_000


def forest_trainer(
    setup: Setup, class_weight: str | None = None, leaf_sizes: Sequence[int] = ()
) -> Trainer:
    """What trains a random forest.

    Parameters
    ----------
    setup : Setup
        What the model is to be.
    class_weight : {None, "balanced"}
        "balanced" gives every class the same say, whatever its number of rows.
    leaf_sizes : sequence of int
        Least samples of a leaf to choose from; `forests.LEAF_SIZES` where none is given.
    """
    from landcover.classifiers import forests
    from landcover.samples.rows import class_weights

    def fit(rows: Rows) -> Fitted:
        weights = class_weights(rows, class_weight)
        model, tried, grown_with = forests.fit_forest(
            *tables_of(rows, setup.inputs),
            forests.Growth(
                setup.seed, None if weights is None else dict(enumerate(weights.tolist()))
            ),
            leaf_sizes or forests.LEAF_SIZES,
        )
        settings = {
            "trees": len(model.estimators_),
            "grown_with": grown_with,
            "leaf_size": model.min_samples_leaf,
            "validation_accuracy_by_leaf_size": tried,
            "class_weight": class_weight,
        }
        save, predict = partial(forests.save, model), forests.row_predictor(model)
        return fitted_rows(rows, setup.inputs, save, predict, settings)

    return fit


def neighbours_trainer(setup: Setup) -> Trainer:
    """What trains nearest neighbours; nothing of it is random."""
    from landcover.classifiers import forests

    def fit(rows: Rows) -> Fitted:
        model, tried = forests.fit_knn(*tables_of(rows, setup.inputs))
        settings = {
            "neighbours": model[-1].n_neighbors,
            "validation_accuracy_by_neighbours": tried,
        }
        save, predict = partial(forests.save, model), forests.row_predictor(model)
        return fitted_rows(rows, setup.inputs, save, predict, settings)

    return fit


def load(path: Path, signature: Signature) -> PixelClassifier:
    """The classifier in a skops file."""
    from landcover.classifiers import forests
    from landcover.classifiers.pixels import PixelClassifier

    return PixelClassifier.of(signature, forests.row_predictor(forests.load(path)))


def export_forest(path: Path) -> tuple[ModelProto | None, list[str]]:
    """A forest as ONNX, or why it has no such form."""
    from landcover.classifiers import forests
    from landcover.classifiers.exchange import forest_onnx

    forest = forests.load(path)
    nodes = forest_onnx.count_nodes(forest)
    if nodes > MAX_ONNX_NODES:
        return None, [
            f"no ONNX: the forest has {nodes:,} nodes, and over {MAX_ONNX_NODES:,} are of "
            "little use in that form; see model.skops"
        ]
    return forest_onnx.to_onnx(forest), []


def export_neighbours(path: Path) -> tuple[None, list[str]]:
    """Nearest neighbours have no form in ONNX."""
    return None, [f"no ONNX: nearest neighbours are their training samples; see {path.name}"]
