"""How any model is trained, calibrated, stored, described, scored and recorded."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landcover.classifiers import calibration
from landcover.classifiers.calibration import Temperature
from landcover.errors import LandcoverError
from landcover.files.atomic import write_json
from landcover.labels.denoising import PLAIN
from landcover.legend import UNLABELLED
from landcover.run import Run
from landcover.samples.rows import TARGETS, Rows
from landcover.stages.inputs import read_blocks

#: Settings of models that count votes, which say how many.
_VOTES = ("trees", "neighbours")


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
        from landcover.stages.scoring import score_samples, write_report

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
        write_report(self.run, report)
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
        from landcover.classifiers import models

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
        for truth, column in TARGETS.items():
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
