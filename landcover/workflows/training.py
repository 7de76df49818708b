"""What training any model shares: which rows serve what, and how a model is finished."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover import calibration
from landcover.calibration import Temperature
from landcover.denoising import DEFAULT, PLAIN
from landcover.errors import LandcoverError
from landcover.legend import UNLABELLED, Legend, level_of
from landcover.runs import Run, write_json
from landcover.workflows.split import read_blocks

if TYPE_CHECKING:
    import pandas as pd

TRAINED_ON = {"labels": "label", "reference": "reference"}
#: Column of the targets that denoising gives.
TARGET = "target"
CLASS_WEIGHTS = (None, "balanced")
#: Settings of models that count votes, which say how many.
_VOTES = ("trees", "neighbours")


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
        from landcover.pixels import inputs_of

        return inputs_of(self.samples.iloc[part], tuple(bands), tuple(features), tuple(layers))


@dataclass(frozen=True)
class Fitted:
    """A model that has been trained, and what its card says of the training.

    Attributes
    ----------
    save : callable
        Writes the model to a path.
    predict : callable
        Positions of rows to probabilities (rows, classes).
    settings : dict
        What was chosen, and from what.
    scaling : dict
        Means and standard deviations of the inputs over the training rows.
    history : dict, optional
        Learning curves.
    """

    save: Callable[[Path], None]
    predict: Callable[[np.ndarray], np.ndarray]
    settings: dict[str, Any]
    scaling: dict[str, list[float]]
    history: dict[str, list[float]] | None = None


@dataclass(frozen=True)
class Job:
    """One model to train, store, describe, score and record.

    Attributes
    ----------
    run : Run
        Run folder.
    rows : Rows
        What to train on.
    name, kind : str
        Of the model.
    seed : int
        Of every random draw.
    trained_on : str
        "labels" or "reference".
    inputs : dict
        bands, features, segment_layers and patch_size, as the card holds them.
    """

    run: Run
    rows: Rows
    name: str
    kind: str
    seed: int
    trained_on: str
    inputs: dict[str, Any]

    def carry_out(self, fit: Callable[[Rows], Fitted], random_split: bool) -> list[Path]:
        """Train, then write models/NAME and reports/NAME.json.

        With `random_split` the same is trained once more on rows dealt at random, only to
        show in the report what such a split would have promised.
        """
        from landcover import reports
        from landcover.workflows.score import score_samples

        check_seed(self.seed)
        self.run.read_manifest()  # a damaged one ends it before anything is replaced
        started = time.perf_counter()
        fitted = fit(self.rows)
        trained = time.perf_counter()
        shares = self._shares(fitted)
        spent = {"train": trained - started, "predict": time.perf_counter() - trained}
        temperature = self._temperature(fitted)
        twin = None
        if random_split:
            twin = self._codes(self._shares(fit(self.rows.randomly_split(self.seed))))
        products = self._store(fitted, temperature)
        settings = {
            "model": self.name,
            "seed": self.seed,
            "trained_on": self.trained_on,
            "denoise": self.rows.denoise,
        }
        products.append(self.run.report(self.name))
        self.run.record(
            f"train {self.name}",
            settings | fitted.settings,
            [self.run.samples, self.run.scene, *self._evidence()],
            products,
        )
        report = score_samples(
            self.run,
            self.name,
            self.rows.samples,
            self._codes(shares),
            spent,
            self.seed,
            twin,
        )
        report["calibration"] = self._calibration(shares, temperature, report["against"])
        reports.write_report(self.run, report)
        return products

    def _evidence(self) -> list[Path]:
        """What the targets were made of, beside the samples."""
        return [] if self.rows.denoise == PLAIN else [self.run.label_noise]

    def _store(self, fitted: Fitted, temperature: Temperature) -> list[Path]:
        """Put the model in its folder, whole, and take the maps of an older one away."""
        run, stage = self.run, Run(self.run.path / ".staging")
        folder = run.model(self.name)
        try:
            files = self._write(stage, fitted, temperature)
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(exist_ok=True)
            stage.model(self.name).rename(folder)
        finally:
            shutil.rmtree(stage.path, ignore_errors=True)
        for stale in (*run.path.glob(f"maps/{self.name}.*"), *run.path.glob(f"maps/{self.name}_*")):
            stale.unlink()
        shutil.rmtree(run.map_job(self.name), ignore_errors=True)
        return [folder / path.name for path in files]

    def _write(self, stage: Run, fitted: Fitted, temperature: Temperature) -> list[Path]:
        """Write the model, its learning curves and its card."""
        from landcover import models

        rows, inputs = self.rows, self.inputs
        files = [models.file_of(stage, self.name, self.kind)]
        fitted.save(files[0])
        if fitted.history is not None:
            files.append(stage.model(self.name) / "history.json")
            write_json(files[1], fitted.history)
        one_hot = [f"{layer} (one-hot)" for layer in inputs["segment_layers"]]
        card = models.write_card(
            stage,
            self.name,
            self.kind,
            rows.legend,
            **inputs,
            inputs=[*inputs["bands"], *inputs["features"], *one_hot],
            scaling=fitted.scaling,
            temperature=temperature.value,
            probability_floor=temperature.floor,
            trained_on=self.trained_on,
            denoise=rows.denoise,
            n_train=len(rows.train),
            n_validation=len(rows.validation),
            split=_split(self.run),
            segment_types=models.types_digest(self.run) if inputs["segment_layers"] else None,
            seed=self.seed,
            settings=fitted.settings,
        )
        return [*files, card]

    def _shares(self, fitted: Fitted) -> np.ndarray:
        """Probabilities (scored rows, classes)."""
        rows = self.rows
        if not len(rows.scored):
            return np.zeros((0, len(rows.legend)), np.float32)
        return fitted.predict(rows.scored)

    def _codes(self, shares: np.ndarray) -> np.ndarray:
        """Predicted codes of the scored rows; 0 elsewhere."""
        rows = self.rows
        codes = np.zeros(len(rows.samples), np.uint16)
        codes[rows.scored] = rows.legend.code(shares.argmax(axis=1))
        return codes

    def _temperature(self, fitted: Fitted) -> Temperature:
        """What suits the validation rows best; none where there are no such rows."""
        rows = self.rows
        if not len(rows.validation):
            return calibration.UNTEMPERED
        votes = next((fitted.settings[key] for key in _VOTES if key in fitted.settings), None)
        return calibration.fit_temperature(
            fitted.predict(rows.validation),
            rows.targets(rows.validation),
            calibration.floor_of(votes),
            rows.samples["block"].to_numpy()[rows.validation],
        )

    def _calibration(
        self, shares: np.ndarray, temperature: Temperature, against: str
    ) -> dict[str, Any]:
        """How far probabilities of test rows can be believed, led by the report's comparison."""
        rows = self.rows
        scores = {}
        for truth, column in TRAINED_ON.items():
            codes = rows.samples.iloc[rows.scored].get(column)
            if codes is None or not (known := codes.to_numpy() != UNLABELLED).any():
                continue
            targets = rows.legend.index(codes.to_numpy()[known])
            scores[truth] = calibration.measures(shares[known], targets, temperature)
        return {
            "temperature": temperature.value,
            "fitted_on": f"validation samples against the {rows.learnt}",
            "against": against,
            "scored_on": "test samples",
            **scores[against],
            "scores": scores,
        }


def read_rows(run: Run, trained_on: str) -> Rows:
    """Read the sample table and deal its rows to their purposes."""
    if trained_on not in TRAINED_ON:
        raise LandcoverError(
            f"trained_on {trained_on!r} is unknown; choose among {', '.join(TRAINED_ON)}"
        )
    samples = _read_samples(run)
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
            f"draw more samples (python sample_raster.py {run.path} --samples N) "
            "or use other labels"
        )
    legend = Legend.corine(level_of(found)).subset(found)
    validation = np.flatnonzero((split == "validation") & np.isin(codes, found))
    if not len(validation):
        raise LandcoverError(
            f"{run.samples} has no validation row of a trained class; draw more samples: "
            f"python sample_raster.py {run.path} --samples N"
        )
    scored = np.flatnonzero(split == "test")
    beside = np.flatnonzero((split == "test") & ~held_out & np.isin(codes, found))
    return Rows(samples, column, legend, train, validation, scored, beside)


def _read_samples(run: Run) -> pd.DataFrame:
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
            f"draw the samples again: python sample_raster.py {run.path}"
        ) from error


def pixel_inputs(run: Run, samples: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Bands of the scene and the features that they allow, as columns of the table."""
    from landcover import features, rasters

    bands = rasters.band_names(run.require("scene"))
    names = features.available(bands)
    missing = [name for name in (*bands, *names) if name not in samples]
    if missing:
        raise LandcoverError(
            f"{run.samples} lacks the columns {' '.join(missing)} of the scene; "
            f"draw the samples again: python sample_raster.py {run.path}"
        )
    return bands, names


def class_weights(rows: Rows, mode: str | None) -> np.ndarray | None:
    """Weight of each class of the legend, from the rows that are trained on."""
    if mode not in CLASS_WEIGHTS:
        raise LandcoverError(f"class weight {mode!r} is unknown; choose balanced or none")
    if mode is None:
        return None
    from landcover.sampling import class_weights as weights_of

    weights = weights_of(rows.targets(rows.train))
    return np.array([weights.get(position, 0.0) for position in range(len(rows.legend))])


def weights_of(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
    """Weight of each row, by its class."""
    return None if weights is None else weights[targets].astype(np.float32)


def check_seed(seed: int) -> None:
    """Raise LandcoverError unless every library takes the seed; some take 32 bits."""
    if not 0 <= seed < 2**32:
        raise LandcoverError(f"seed {seed} is out of range; choose 0 to {2**32 - 1}")


def _split(run: Run) -> dict[str, Any]:
    """How the run was split, in short."""
    blocks = read_blocks(run)
    return {
        "kind": "spatial blocks",
        "block_px": blocks.block_px,
        "guard_px": blocks.guard_px,
        "digest": blocks.digest(),
    }


def inputs_card(
    bands: Sequence[str],
    features: Sequence[str] = (),
    segment_layers: Sequence[str] = (),
    patch_size: int = 1,
) -> dict[str, Any]:
    """What a model reads, as its card holds it."""
    return {
        "bands": list(bands),
        "features": list(features),
        "segment_layers": list(segment_layers),
        "patch_size": patch_size,
    }


def named(name: str, trained_on: str, denoise: str | None = None) -> str:
    """A model's name, which says so when it was not trained as is the default.

    >>> named("mlp", "labels"), named("mlp", "labels", "none"), named("mlp", "labels", "erode")
    ('mlp', 'mlp-plain', 'mlp-erode')
    >>> named("mlp", "reference", "none")
    'mlp-on-reference'
    """
    if trained_on != "labels":
        return f"{name}-on-reference"
    if denoise in (None, DEFAULT):
        return name
    return f"{name}-{'plain' if denoise == PLAIN else denoise}"
