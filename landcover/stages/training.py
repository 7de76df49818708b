"""How any model of samples is trained, calibrated, stored, described, scored and recorded."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.classifiers import calibration
from landcover.classifiers.applicability import (
    APPLICABILITY,
    Applicability,
    fit_applicability,
)
from landcover.classifiers.calibration import Temperature
from landcover.classifiers.cards import file_of, write_card
from landcover.classifiers.fitting import Fitted, Setup, Trainer
from landcover.classifiers.kinds import Kind
from landcover.classifiers.models import Model, load_model
from landcover.errors import require_seed
from landcover.files.atomic import Fields, staging_folder, write_json
from landcover.files.rasters import grid_of
from landcover.labels.denoising import DEFAULT, PLAIN
from landcover.legend import UNLABELLED
from landcover.run import Run
from landcover.samples.class_splits import ClassSplit, class_splits, remarks
from landcover.samples.rows import TARGETS, Rows, column_of
from landcover.stages.inputs import read_blocks
from landcover.stages.models import types_digest
from landcover.stages.run_legend import read_nomenclature

#: A class of fewer training samples is looked at whether the model finds it at all.
FEW_SAMPLES = 100


@dataclass(frozen=True)
class Training:
    """One model to train, store, describe, score and record.

    Attributes
    ----------
    run : Run
        Run folder.
    rows : Rows
        What to train on.
    kind : Kind
        Of the model.
    setup : Setup
        The model's name, inputs and seed.
    learnt_from : str
        "labels" or "reference".
    """

    run: Run
    rows: Rows
    kind: Kind
    setup: Setup
    learnt_from: str

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.setup.name

    @property
    def seed(self) -> int:
        """Of every random draw."""
        return self.setup.seed

    def carry_out(self, fit: Trainer, random_split: bool) -> Model:
        """Train, then write models/NAME and reports/NAME.json.

        With `random_split` the same is trained once more on rows dealt at random, only to
        show in the report the scores of such a split.
        """
        from landcover.stages.scoring import score_samples, write_report

        check_seed(self.seed)
        self.run.read_manifest()  # a damaged one ends it before anything is replaced
        started = time.perf_counter()
        fitted = fit(self.rows)
        trained = time.perf_counter()
        probabilities = self._probabilities(fitted)
        spent = {"train": trained - started, "predict": time.perf_counter() - trained}
        temperature = self._temperature(fitted)
        twin = None
        if random_split:
            twin = self._codes(self._probabilities(fit(self.rows.randomly_split(self.seed))))
        model = self._store(fitted, temperature)
        settings = {
            "model": self.name,
            "seed": self.seed,
            "trained_on": self.learnt_from,
            "denoise": self.rows.denoise,
        }
        self.run.record(
            f"train {self.name}",
            settings | fitted.settings,
            [self.run.samples, self.run.scene, *self._evidence()],
            [*model.products, self.run.report(self.name)],
        )
        report = score_samples(
            self.run,
            self.name,
            self.rows.samples,
            self._codes(probabilities),
            spent,
            self.seed,
            twin,
            {self.name: model.card},
        )
        report["calibration"] = self._calibration(probabilities, temperature, report["against"])
        write_report(self.run, report)
        return model

    def _evidence(self) -> list[Path]:
        """What the targets were made of, beside the samples."""
        return [] if self.rows.denoise == PLAIN else [self.run.label_noise]

    def _store(self, fitted: Fitted, temperature: Temperature) -> Model:
        """Put the model in its folder, whole, and remove the maps of an older one."""
        run = self.run
        folder = run.model(self.name)
        with staging_folder(run.path) as stage:
            self._write(stage / self.name, fitted, temperature)
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(exist_ok=True)
            (stage / self.name).rename(folder)
        for stale in (*run.path.glob(f"maps/{self.name}.*"), *run.path.glob(f"maps/{self.name}_*")):
            stale.unlink()
        shutil.rmtree(run.map_job(self.name), ignore_errors=True)
        return load_model(folder)

    def _write(self, folder: Path, fitted: Fitted, temperature: Temperature) -> None:
        """Write the model, its learning curves and its card."""
        rows, inputs = self.rows, self.setup.inputs
        fitted.store(file_of(folder, self.kind.name))
        if area := self._applicability(fitted):
            area.store(folder / APPLICABILITY)
        if fitted.history is not None:
            write_json(folder / "history.json", fitted.history)
        write_card(
            folder,
            self.kind.name,
            rows.legend,
            **inputs.as_card(),
            inputs=inputs.columns,
            scaling=fitted.scaling,
            **self._classes(fitted),
            temperature=temperature.value,
            probability_floor=temperature.floor,
            trained_on=self.learnt_from,
            pixel_size_m=[round(m, 4) for m in grid_of(self.run.scene).pixel_size_m],
            denoise=rows.denoise,
            refinement=self._refinement(),
            n_train=len(rows.train),
            n_validation=len(rows.validation),
            split=_split(self.run),
            segment_types=types_digest(self.run) if inputs.segment_layers else None,
            seed=self.seed,
            settings=fitted.settings,
        )

    def _applicability(self, fitted: Fitted) -> Applicability | None:
        """Where the model will meet what it has learnt; None where training rows cannot tell."""
        if fitted.space is None:
            return None
        rows = self.rows
        blocks = rows.samples["block"].to_numpy()[rows.train]
        return fit_applicability(fitted.space, rows.train, blocks, self.seed)

    def _refinement(self) -> Fields | None:
        """For the card: what was done with the labels; None where they were learnt as they are."""
        if self.rows.denoise != DEFAULT:
            return None
        found = self.run.read_manifest()["stages"]["denoise"]["refinement"]
        kept = {row["code"]: row["kept_because"] for row in found["classes"] if row["kept_because"]}
        return {"changed": found["changed"], "reason": found["reason"], "kept": kept}

    def _classes(self, fitted: Fitted) -> Fields:
        """For the card: samples of each class by split, and notes on classes that lack some."""
        rows = self.rows
        found = class_splits(rows.samples, column_of(self.learnt_from), read_nomenclature(self.run))
        return {
            "class_samples": {str(row["code"]): row["samples"] for row in found},
            "notes": remarks(found),
            "lost_classes": [*self._unlearnt(found), *self._never_found(fitted, found)],
        }

    def _unlearnt(self, found: list[ClassSplit]) -> Iterator[str]:
        """Classes that denoising left no training sample of."""
        for row in found:
            if row["samples"]["train"] and row["code"] not in self.rows.legend.codes:
                yield (
                    f"class {row['code']} {row['name']} is not learnt, so the map never shows it: "
                    f"denoise={self.rows.denoise} takes its {row['samples']['train']} training "
                    "samples for other classes"
                )

    def _never_found(self, fitted: Fitted, found: list[ClassSplit]) -> Iterator[str]:
        """Classes of few samples that the model gives to none of them."""
        rows = self.rows
        targets = rows.targets(rows.train)
        names = {row["code"]: row["name"] for row in found}
        for position, code in enumerate(rows.legend.codes):
            own = rows.train[targets == position]
            if len(own) < FEW_SAMPLES and position not in fitted.predict(own).argmax(axis=1):
                yield (
                    f"class {code} {names.get(code, '')} has {len(own)} training samples, and the "
                    "model takes all of them for other classes"
                )

    def _probabilities(self, fitted: Fitted) -> np.ndarray:
        """Probabilities (scored rows, classes)."""
        rows = self.rows
        if not len(rows.scored):
            return np.zeros((0, len(rows.legend)), np.float32)
        return fitted.predict(rows.scored)

    def _codes(self, probabilities: np.ndarray) -> np.ndarray:
        """Predicted codes of the scored rows; 0 elsewhere."""
        rows = self.rows
        codes = np.zeros(len(rows.samples), np.uint16)
        codes[rows.scored] = rows.legend.code(probabilities.argmax(axis=1))
        return codes

    def _temperature(self, fitted: Fitted) -> Temperature:
        """What suits the validation rows best; none where there are no such rows."""
        rows = self.rows
        if not len(rows.validation):
            return calibration.UNTEMPERED
        votes = fitted.settings[self.kind.votes] if self.kind.votes else None
        return calibration.fit_temperature(
            fitted.predict(rows.validation),
            rows.targets(rows.validation),
            calibration.floor_of(votes),
            rows.samples["block"].to_numpy()[rows.validation],
        )

    def _calibration(
        self, probabilities: np.ndarray, temperature: Temperature, against: str
    ) -> Fields:
        """How far probabilities of test rows can be believed, led by the report's comparison."""
        rows = self.rows
        scores = {}
        for truth, column in TARGETS.items():
            codes = rows.samples.iloc[rows.scored].get(column)
            if codes is None or not (known := codes.to_numpy() != UNLABELLED).any():
                continue
            targets = rows.legend.index(codes.to_numpy()[known])
            scores[truth] = calibration.measures(probabilities[known], targets, temperature)
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
    require_seed(seed, 2**32 - 1)


def _split(run: Run) -> dict[str, str | int]:
    """How the run was split, in short."""
    blocks = read_blocks(run)
    return {
        "kind": "spatial blocks",
        "block_px": blocks.block_px,
        "guard_px": blocks.guard_px,
        "digest": blocks.digest(),
    }
