"""The sample table, and which of its rows a model learns from, stops by and is scored on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.errors import LandcoverError
from landcover.files.atomic import replace_when_whole
from landcover.labels.denoising import PLAIN
from landcover.legend import UNLABELLED, Legend, level_of
from landcover.run import Run
from landcover.samples.blocks import read_blocks
from landcover.scene.segmentation.types import type_column

if TYPE_CHECKING:
    import geopandas
    import pandas as pd

TRAINED_ON = {"labels": "label", "reference": "reference"}
#: Column of the targets that denoising gives.
TARGET = "target"
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
    beside : array of int
        Test rows that only a random split trains on.
    denoise : str
        How doubtful labels were treated, of `denoising.CHOICES`.
    remark : str
        What progress bars say of these rows.
    """

    samples: pd.DataFrame
    column: str
    legend: Legend
    train: np.ndarray
    validation: np.ndarray
    scored: np.ndarray
    beside: np.ndarray
    denoise: str = PLAIN
    remark: str = ""

    def randomly_split(self, seed: int) -> Rows:
        """As many training rows, drawn from training and test blocks alike."""
        pool = np.concatenate([self.train, self.beside])
        drawn = np.random.default_rng([seed, 2]).permutation(pool)[: len(self.train)]
        return replace(self, train=np.sort(drawn), remark=" on a random split")

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


def read_rows(run: Run, trained_on: str) -> Rows:
    """Read the sample table and deal its rows to their purposes."""
    if trained_on not in TRAINED_ON:
        raise LandcoverError(
            f"trained_on {trained_on!r} is unknown; choose among {', '.join(TRAINED_ON)}"
        )
    samples = read_samples(run)
    read_blocks(run)  # a split of another scene has other samples than the scene's
    column = TRAINED_ON[trained_on]
    if column not in samples:
        raise LandcoverError(
            f"{run.samples} has no column {column}; prepare the run with --reference TRUTH.tif "
            "or train on labels"
        )
    codes = samples[column].to_numpy()
    split, held_out = samples["split"].to_numpy(), samples["random_test"].to_numpy(bool)
    train = np.flatnonzero((split == "train") & (codes != UNLABELLED))
    found = np.unique(codes[train])
    if len(found) < 2:
        held = f"class {found[0]} only" if len(found) else "no labelled row"
        raise LandcoverError(
            f"the training rows of {run.samples} hold {held}; a classifier needs two classes: "
            f"draw more samples (landcover sample {run.path} --samples N) "
            "or use other labels"
        )
    legend = Legend.corine(level_of(found)).subset(found)
    validation = np.flatnonzero((split == "validation") & np.isin(codes, found))
    if not len(validation):
        raise LandcoverError(
            f"{run.samples} has no validation row of a trained class; draw more samples: "
            f"landcover sample {run.path} --samples N"
        )
    scored = np.flatnonzero(split == "test")
    beside = np.flatnonzero((split == "test") & ~held_out & np.isin(codes, found))
    return Rows(samples, column, legend, train, validation, scored, beside)


def read_samples(run: Run) -> pd.DataFrame:
    """The sample table without its geometry."""
    import pyarrow
    import pyarrow.parquet as parquet

    path = run.require("samples")
    try:
        file = parquet.ParquetFile(path)
        columns = [name for name in file.schema_arrow.names if name not in ("geometry", "bbox")]
        return file.read(columns).to_pandas()
    except (OSError, pyarrow.ArrowException) as error:
        raise LandcoverError(
            f"{path} is not readable ({str(error).splitlines()[0]}); "
            f"draw the samples again: landcover sample {run.path}"
        ) from error


def pixel_inputs(
    run: Run, samples: pd.DataFrame, chosen: Sequence[str] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Bands of the scene, which are columns of the table, and the features chosen.

    By default the features are those of `features.DEFAULTS` that the bands allow. The table may
    lack them: see `with_features`.
    """
    from landcover.files import rasters
    from landcover.scene import features

    bands = rasters.band_names(run.require("scene"))
    names = features.available(bands) if chosen is None else tuple(chosen)
    features.require(bands, names)
    missing = [name for name in bands if name not in samples]
    if missing:
        raise LandcoverError(
            f"{run.samples} lacks the columns {' '.join(missing)} of the scene; "
            f"draw the samples again: landcover sample {run.path}"
        )
    return bands, names


def with_features(
    run: Run, samples: pd.DataFrame, bands: Sequence[str], names: Sequence[str]
) -> pd.DataFrame:
    """The sample table with a column a feature; those that it lacks are computed.

    Features of windows are computed from the run's scene, which the samples were drawn from.
    """
    missing = [name for name in names if name not in samples]
    if not missing:
        return samples
    from landcover.files import rasters
    from landcover.samples.feature_columns import feature_columns

    found = feature_columns(
        lambda window: rasters.read(run.scene, window, list(bands)),
        bands,
        missing,
        (samples["row"].to_numpy(), samples["col"].to_numpy()),
        samples[list(bands)].to_numpy(np.float32).T,
    )
    return samples.assign(**found)


def class_weights(rows: Rows, mode: str | None) -> np.ndarray | None:
    """Weight of each class of the legend, from the rows that are trained on."""
    if mode not in CLASS_WEIGHTS:
        raise LandcoverError(f"class weight {mode!r} is unknown; choose balanced or none")
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


def read_geo_samples(run: Run) -> geopandas.GeoDataFrame:
    """The sample table, read before anything is written."""
    import geopandas

    try:
        return geopandas.read_parquet(run.samples)
    except (OSError, ValueError) as error:
        raise LandcoverError(
            f"{run.samples} is not readable ({str(error).splitlines()[0]}); "
            f"draw the samples again: landcover sample {run.path}"
        ) from error


def refresh_samples(
    run: Run,
    samples: geopandas.GeoDataFrame,
    segments: np.ndarray,
    types: Mapping[str, np.ndarray],
) -> Path:
    """Bring the segment columns of the sample table up to date."""
    from landcover.scene.segmentation.types import add_segments

    samples = _plain_text(add_segments(samples, segments, types))
    with replace_when_whole(run.samples) as part:
        samples.to_parquet(part, index=False)
    return run.samples


def _plain_text(table: Any) -> Any:
    """Text as plain Arrow strings: GDAL before 3.8 cannot read the large ones of pandas."""
    import pandas as pd
    import pyarrow

    text = [
        name
        for name in table.columns
        if name != "geometry" and pd.api.types.is_string_dtype(table[name])
    ]
    return table.astype(dict.fromkeys(text, pd.ArrowDtype(pyarrow.string())))
