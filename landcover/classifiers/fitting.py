"""What a training takes and gives, whatever the kind of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.applicability import Space, importance
from landcover.classifiers.protocol import Inputs
from landcover.classifiers.scaling import fit_scaling
from landcover.files.atomic import Fields

if TYPE_CHECKING:
    from landcover.samples.labelled_tiles import Ground
    from landcover.samples.rows import Rows


@dataclass(frozen=True)
class Setup:
    """What a model is to be, before its rows are known.

    Attributes
    ----------
    name : str
        Name of the model.
    inputs : Inputs
        What it reads.
    seed : int
        Of every random draw.
    scenes : tuple of Path
        Rasters that patches are read from, by models that see patches; one for each number in the
        rows' column `stacked.SCENE`, or one alone.
    ground : Ground, optional
        What tiles are cut from, by models that learn tiles.
    """

    name: str
    inputs: Inputs
    seed: int = 0
    scenes: tuple[Path, ...] = ()
    ground: Ground | None = None


@dataclass(frozen=True)
class Fitted:
    """A model that has been trained, and what its card says of the training.

    Attributes
    ----------
    store : callable
        Writes the model to a path.
    predict : callable
        Positions of rows to probabilities (rows, classes).
    settings : dict
        What was chosen, and from what.
    scaling : dict
        Means and standard deviations of the inputs over the training rows.
    history : dict, optional
        Learning curves.
    space : Space, optional
        What the model decides by, in which its area of applicability is found.
    """

    store: Callable[[Path], None]
    predict: Callable[[np.ndarray], np.ndarray]
    settings: Fields
    scaling: dict[str, list[float]]
    history: dict[str, list[float]] | None = None
    space: Space | None = None


#: Rows to a model trained on them. It may be called again with other training rows of the same
#: table, so what is read for the table is read once.
Trainer = Callable[["Rows"], Fitted]

#: Inputs and targets of the training rows, and those of the validation rows.
Tables = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def tables_of(rows: Rows, inputs: Inputs) -> Tables:
    """What a model of single pixels learns from and is chosen by.

    Parameters
    ----------
    rows : Rows
        Rows of the sample table.
    inputs : Inputs
        Bands and features to take.

    Returns
    -------
    X, y, X_validation, y_validation
        Inputs float32 (rows, bands + features), and targets: positions in the legend of the
        rows, in order; -1 in validation rows of a class that was never trained on.
    """
    X, X_validation = (
        rows.values(part, inputs.seen, inputs.features)[0] for part in (rows.train, rows.validation)
    )
    return X, rows.targets(rows.train), X_validation, rows.targets(rows.validation)


def fitted_rows(
    rows: Rows,
    inputs: Inputs,
    save: Callable[[Path], None],
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray],
    settings: Fields,
) -> Fitted:
    """A trained model of single pixels.

    Parameters
    ----------
    rows, inputs : Rows, Inputs
        What it learnt from.
    save : callable
        Writes the model to a path.
    predict : callable
        Inputs (rows, bands + features) and segment types (rows, layers) to probabilities
        (rows, classes).
    settings : dict
        What was chosen.
    """
    columns = inputs.seen, inputs.features, inputs.segment_layers
    scaling = fit_scaling(rows.values(rows.train, inputs.seen, inputs.features)[0])

    def weigh(part: np.ndarray) -> np.ndarray:
        stds = np.array(scaling["stds"])
        weights = importance(predict, *rows.values(part, *columns))
        return np.divide(weights, stds, out=np.zeros_like(stds), where=stds > 0)

    return Fitted(
        save,
        lambda part: predict(*rows.values(part, *columns)),
        settings,
        scaling,
        # Types of segments are of one scene, and no place in a space
        space=Space(lambda part: rows.values(part, *columns)[0], weigh),
    )
