"""The sample table, and which of its rows a model learns from, stops by and is scored on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import numpy as np

from landcover.errors import InputError, LandcoverError, MissingProduct, typed
from landcover.files import tables
from landcover.labels.denoising import PLAIN
from landcover.legend import UNLABELLED, Legend, Nomenclature
from landcover.samples.layers import POLYGON
from landcover.scene.segmentation.types import type_column

if TYPE_CHECKING:
    import geopandas
    import pandas as pd

    from landcover.scene.feature_names import Layers

#: What can be learnt, and the column of the sample table that holds it.
TARGETS = {"labels": "label", "reference": "reference"}
#: Column of the targets that denoising gives.
TARGET = "target"


class Seen(Protocol):
    """What a model reads of bands, and the features that are made of them."""

    @property
    def bands(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def features(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def fitted(self) -> Mapping[str, Any]: ...  # noqa: D102


#: How classes may weigh in training; None: every row alike.
CLASS_WEIGHTS = (None, "balanced")


@dataclass(frozen=True)
class Rows:
    """The sample table, and which of its rows serve which purpose.

    Attributes
    ----------
    samples : DataFrame
        All rows.
    column : str
        The column of target codes.
    legend : Legend
        Classes of the training rows.
    train, validation, scored : arrays of int
        Positions of rows. Validation rows of classes that were never trained on are left out.
    random_split_extra : array of int
        Test rows that only a random split trains on.
    denoise : str
        How doubtful labels were treated, of `denoising.CHOICES`.
    remark : str
        What progress bars say of these rows.
    left_out : array of int
        Rows of training blocks that `samples.hygiene` left out.
    hygiene : mapping
        By what rules, and how many of each class.
    clean : callable, optional
        What leaves rows out of others in the same way.
    """

    samples: pd.DataFrame
    column: str
    legend: Legend
    train: np.ndarray
    validation: np.ndarray
    scored: np.ndarray
    random_split_extra: np.ndarray
    denoise: str = PLAIN
    remark: str = ""
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    hygiene: Mapping[str, Any] = field(default_factory=dict)
    clean: Callable[[Rows], Rows] | None = None

    def randomly_split(self, seed: int) -> Rows:
        """As many training rows, drawn from training and test blocks alike, and cleaned alike."""
        whole = np.concatenate([self.train, self.left_out])
        pool = np.concatenate([whole, self.random_split_extra])
        drawn = np.random.default_rng([seed, 2]).permutation(pool)[: len(whole)]
        split = replace(self, train=np.sort(drawn), remark=" on a random split")
        return split if self.clean is None else self.clean(split)

    def split_by_polygon(self, seed: int) -> tuple[Rows, np.ndarray] | None:
        """As many training rows, of other polygons than those tested, cleaned alike.

        Half of the polygons of each class in test blocks are held out, from validation too where
        blocks part them. The others may train, with those of training blocks, and may lie beside
        those held out.

        Parameters
        ----------
        seed : int
            Of the choice of polygons and rows.

        Returns
        -------
        (Rows, array of bool) or None
            The rows, and which of the table lie in polygons that are held out. None where the
            table says nothing of polygons, or too few are there.
        """
        if POLYGON not in self.samples:
            return None
        polygon, codes = self.samples[POLYGON].to_numpy(), self.samples[self.column].to_numpy()
        tested = self.scored[(polygon[self.scored] > 0) & (codes[self.scored] != UNLABELLED)]
        rng, held = np.random.default_rng([seed, 3]), list[int]()
        for code in np.unique(codes[tested]):
            of_class = rng.permutation(np.unique(polygon[tested[codes[tested] == code]]))
            held += of_class[: -(-len(of_class) // 2)].tolist()
        out = np.isin(polygon, held)
        others = tested[~out[tested] & np.isin(codes[tested], self.legend.codes)]
        whole = np.concatenate([self.train, self.left_out])
        pool = np.concatenate([whole[~out[whole]], others])
        drawn = np.sort(rng.permutation(pool)[: len(whole)])
        validation = self.validation[~out[self.validation]]
        if not held or len(np.unique(codes[drawn])) < 2 or not len(validation):
            return None
        out[np.setdiff1d(np.arange(len(out)), tested)] = False
        split = replace(self, train=drawn, validation=validation, remark=" on other polygons")
        return split if self.clean is None else self.clean(split), out

    @property
    def learnt(self) -> str:
        """What the targets are, in words."""
        words = {"label": "labels", "reference": "reference"}
        return words.get(self.column, f"labels after --denoise {self.denoise}")

    def targets(self, part: np.ndarray) -> np.ndarray:
        """Positions in the legend."""
        return self.legend.index(self.samples[self.column].to_numpy()[part]).astype(np.int32)

    def values(
        self,
        part: np.ndarray,
        bands: Sequence[str],
        features: Sequence[str],
        layers: Sequence[str] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and segment types of some rows."""
        return inputs_of(self.samples.iloc[part], tuple(bands), tuple(features), tuple(layers))


def deal_rows(samples: pd.DataFrame, targets: str, path: Path, nomenclature: Nomenclature) -> Rows:
    """Deal the rows of a sample table to their purposes.

    Parameters
    ----------
    samples : DataFrame
        The sample table.
    targets : {"labels", "reference"}
        What is learnt.
    path : path
        Where the table was read from, for messages.
    nomenclature : Nomenclature
        What the classes are of.

    Raises
    ------
    InputError, MissingProduct
        If `targets` is neither, the table lacks them, or there are training rows of fewer than
        two classes or no validation rows.
    """
    column = column_of(targets)
    if column not in samples:
        raise MissingProduct(
            f"{path} has no column {column}; train on labels, or prepare the run with a "
            f"reference: landcover prep --bands B02.tif B03.tif "
            f"B04.tif B08.tif --labels CORINE.tif --reference TRUTH.tif --out {typed(path.parent)}"
        )
    codes = samples[column].to_numpy()
    split = samples["split"].to_numpy()
    random_split_test = samples["random_test"].to_numpy(bool)
    train = np.flatnonzero((split == "train") & (codes != UNLABELLED))
    found = np.unique(codes[train])
    if len(found) < 2:
        held = f"class {found[0]} only" if len(found) else "no labelled row"
        raise InputError(
            f"the training rows of {path} hold {held}; a classifier needs two classes: "
            f"draw more samples (landcover sample {typed(path.parent)} --samples N) "
            "or use other labels"
        )
    legend = nomenclature.holding(found).legend.subset(found)
    validation = np.flatnonzero((split == "validation") & np.isin(codes, found))
    if not len(validation):
        raise InputError(
            f"{path} has no validation row of a trained class; draw more samples: "
            f"landcover sample {typed(path.parent)} --samples N"
        )
    scored = np.flatnonzero(split == "test")
    extra = np.flatnonzero((split == "test") & ~random_split_test & np.isin(codes, found))
    return Rows(samples, column, legend, train, validation, scored, extra)


def column_of(targets: str) -> str:
    """The column of the sample table that holds the targets."""
    if targets not in TARGETS:
        raise InputError(f"targets {targets!r} are unknown; choose among {', '.join(TARGETS)}")
    return TARGETS[targets]


@overload
def read_samples(path: Path, geometry: Literal[False] = ...) -> pd.DataFrame: ...
@overload
def read_samples(path: Path, geometry: bool = ...) -> geopandas.GeoDataFrame: ...
def read_samples(path: Path, geometry: bool = False) -> pd.DataFrame | geopandas.GeoDataFrame:
    """The sample table: a DataFrame, or with its geometry a GeoDataFrame."""
    return tables.read(
        path, f"draw the samples again: landcover sample {typed(path.parent)}", geometry=geometry
    )


def pixel_inputs(
    samples: pd.DataFrame,
    bands: tuple[str, ...],
    path: Path,
    chosen: Sequence[str] | None = None,
) -> Layers:
    """What is seen of a scene, whose bands are columns of the sample table.

    By default all bands, and the features of `feature_names.DEFAULTS` that they allow. The table
    may lack features: see `with_features`.

    Raises
    ------
    LandcoverError
        If the table, which was read from `path`, lacks a band, or the bands do not allow a feature.
    """
    from landcover.scene.feature_names import layers_of

    layers = layers_of(bands, chosen)
    missing = [name for name in bands if name not in samples]
    if missing:
        raise LandcoverError(
            f"{path} lacks the columns {' '.join(missing)} of the scene; "
            f"draw the samples again: landcover sample {typed(path.parent)}"
        )
    return layers


def fit_features(
    scene: Path, parts: Sequence[Rows], bands: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
    """What features are fitted to, from training rows alone; see `scene.features.fit`.

    Parameters
    ----------
    scene : path
        Says how large pixels are, where a card is asked; each scene has features by its own.
    parts : sequence of Rows
        Of the scene, or of several with pixels of one size.
    bands, names : sequence of str
        Bands that are read, and features.
    """
    from landcover.files import rasters
    from landcover.scene import features
    from landcover.scene.feature_names import to_fit

    if not to_fit(names):
        return {}
    values = [part.samples[list(bands)].to_numpy(np.float32)[part.train] for part in parts]
    return features.fit(
        np.concatenate(values).T, bands, names, features.on_the_ground(rasters.grid_of(scene))
    )


def with_features(scene: Path, samples: pd.DataFrame, seen: Seen) -> pd.DataFrame:
    """The sample table with a column a feature; those that it lacks are computed.

    Features of windows are computed from the scene, which the samples were drawn from.
    """
    missing = [name for name in seen.features if name not in samples]
    if not missing:
        return samples
    from landcover.files import rasters
    from landcover.samples.feature_columns import feature_columns
    from landcover.scene.features import fitted_on

    bands = list(seen.bands)
    found = feature_columns(
        lambda window: rasters.read(scene, window, bands),
        bands,
        missing,
        (samples["row"].to_numpy(), samples["col"].to_numpy()),
        samples[bands].to_numpy(np.float32).T,
        fitted_on(rasters.grid_of(scene), seen.fitted),
    )
    return samples.assign(**found)


def class_weights(rows: Rows, mode: str | None) -> np.ndarray | None:
    """Weight of each class of the legend, from the rows that are trained on."""
    if mode not in CLASS_WEIGHTS:
        raise InputError(f"class weight {mode!r} is unknown; choose balanced or none")
    if mode is None:
        return None
    from landcover.samples.drawing import class_weights as weights_of

    weights = weights_of(rows.targets(rows.train))
    return np.array([weights.get(position, 0.0) for position in range(len(rows.legend))])


def weights_of(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
    """Weight of each row, by its class."""
    return None if weights is None else weights[targets].astype(np.float32)


def inputs_of(
    samples: pd.DataFrame,
    bands: tuple[str, ...],
    feature_names: tuple[str, ...],
    segment_layers: tuple[str, ...] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (samples, bands + features) float32 and segment types (samples, layers) uint8."""
    values = samples[[*bands, *feature_names]].to_numpy(np.float32)
    types = samples[[type_column(layer) for layer in segment_layers]].to_numpy(np.uint8)
    return values, types


def with_segments(
    samples: geopandas.GeoDataFrame, segments: np.ndarray, types: Mapping[str, np.ndarray]
) -> geopandas.GeoDataFrame:
    """The sample table with its segment columns brought up to date."""
    from landcover.scene.segmentation.types import add_segments

    return tables.plain_text(add_segments(samples, segments, types))
