"""How any model of samples is trained, calibrated, stored, described, scored and recorded."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
from landcover.classifiers.kind import Kind
from landcover.classifiers.models import Model, load_model
from landcover.errors import InputError, require_seed
from landcover.files import rasters
from landcover.files.atomic import Fields, staging_folder, write_json
from landcover.labels.denoising import DEFAULT, PLAIN
from landcover.legend import UNLABELLED
from landcover.progress import say
from landcover.reports import scores
from landcover.reports.scores import split_in_words
from landcover.run import Run
from landcover.samples.blocks import Blocks
from landcover.samples.class_splits import ClassSplit, class_splits, remarks
from landcover.samples.dated_rows import YEAR
from landcover.samples.hygiene import Hygiene, sentences
from landcover.samples.rows import TARGETS, Rows, column_of
from landcover.samples.stacked import SCENE
from landcover.stages.inputs import read_blocks
from landcover.stages.models import types_digest
from landcover.stages.prepared_features import PREPARED, prepared_fit
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.scenes import scene_facts

#: A class of fewer training samples is looked at whether the model finds it at all.
FEW_SAMPLES = 100


@dataclass(frozen=True)
class Ground:
    """What samples lie on.

    Attributes
    ----------
    files : tuple of Path
        What the manifest names as inputs.
    card : dict
        What the card says of it: pixel_size_m, split, scenes, refinement, segment_types, and what
        features among the scene's bands were fitted to.
    split : str
        How it was split, in words.
    """

    files: tuple[Path, ...]
    card: Fields
    split: str


@dataclass(frozen=True)
class Training:
    """One model to train, store, describe, score and record.

    Attributes
    ----------
    run : Run
        Run folder that gets the model.
    rows : Rows
        What to train on.
    kind : Kind
        Of the model.
    setup : Setup
        The model's name, inputs and seed.
    learnt_from : str
        "labels" or "reference".
    ground : Ground
        What the rows lie on.
    """

    run: Run
    rows: Rows
    kind: Kind
    setup: Setup
    learnt_from: str
    ground: Ground

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.setup.name

    @property
    def seed(self) -> int:
        """Of every random draw."""
        return self.setup.seed

    def require_test_rows(self) -> None:
        """Raise InputError if no row could score the model, before it is trained."""
        truths = self.rows.samples.iloc[self.rows.scored]
        columns = [name for name in ("reference", "label") if name in truths]
        if not all((truths[name] != UNLABELLED).any() for name in columns):
            raise InputError(
                "no test row has a label to score the model by; draw samples again, in smaller "
                "blocks where the scene is small: landcover sample RUN --block-px N"
            )

    def cleaned(self, hygiene: Hygiene) -> Training:
        """The same without the training rows that rules leave out; says how many of each class."""
        inputs, scenes = self.setup.inputs, self.ground.card["scenes"]
        rows = hygiene.clean(
            self.rows,
            lambda part: self.rows.values(part, inputs.seen, inputs.features)[0],
            [scene["pixel_size_m"] for scene in scenes],
            self.seed,
        )
        for sentence in sentences(rows):
            say(sentence)
        return replace(self, rows=rows)

    def carry_out(self, fit: Trainer, random_split: bool) -> Model:
        """Train, then write models/NAME and reports/NAME.json.

        With `random_split` the same is trained once more on rows dealt at random, only to
        show in the report the scores of such a split; and where labels are of polygons, once more
        on other polygons than those that are tested.
        """
        from landcover.stages.scoring import write_report

        check_seed(self.seed)
        self.require_test_rows()
        self.run.read_manifest()  # a damaged one ends it before anything is replaced
        started = time.perf_counter()
        fitted = fit(self.rows)
        trained = time.perf_counter()
        probabilities = self._probabilities(fitted)
        spent = {"train": trained - started, "predict": time.perf_counter() - trained}
        temperature = self._temperature(fitted)
        twin = by_polygon = None
        if random_split:
            twin = self._codes(self._probabilities(fit(self.rows.randomly_split(self.seed))))
            by_polygon = self._by_polygon(fit)
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
            self.ground.files,
            [*model.products, self.run.report(self.name)],
        )
        samples, codes = self.rows.samples, self._codes(probabilities)
        classes = read_nomenclature(self.run)
        found = scores.score_samples(samples, codes, classes, self.seed, twin, by_polygon)
        report = scores.report_of(
            self.name, found, spent, self.seed, self.ground.split, model.card, classes.title
        )
        if SCENE in samples:
            by_scene = scores.score_scenes(samples, codes, classes, self.seed)
            both = zip(self.ground.card["scenes"], by_scene, strict=True)
            report["scenes"] = [{"run": facts["run"]} | scored for facts, scored in both]
        if YEAR in samples:
            report["labels_of_years"] = np.unique(samples[YEAR]).tolist()
        report["calibration"] = self._calibration(probabilities, temperature, report["against"])
        write_report(self.run, report)
        return model

    def _by_polygon(self, fit: Trainer) -> tuple[np.ndarray, np.ndarray] | None:
        """What the model predicts that other polygons train, and which rows that tests."""
        other = self.rows.split_by_polygon(self.seed)
        if other is None:
            return None
        rows, held_out = other
        return self._codes(self._probabilities(fit(rows))), held_out

    def stored_in(self, folder: Path, fit: Trainer) -> Model:
        """A model that is only stored, with its card, in a folder of its own."""
        fitted = fit(self.rows)
        self._write(folder, fitted, self._temperature(fitted))
        return load_model(folder)

    def _store(self, fitted: Fitted, temperature: Temperature) -> Model:
        """Put the model in its folder, whole, and remove the maps of an older one."""
        run = self.run
        folder = run.model(self.name)
        with staging_folder(run.path) as stage:
            self._write(stage / self.name, fitted, temperature)
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(exist_ok=True)
            (stage / self.name).rename(folder)
        for name in self._maps():
            patterns = (f"maps/{name}.*", f"maps/{name}_*", f"maps/stac/{name}.json")
            for stale in (path for pattern in patterns for path in run.path.glob(pattern)):
                stale.unlink()
            shutil.rmtree(run.map_job(name), ignore_errors=True)
        return load_model(folder)

    def _maps(self) -> set[str]:
        """Names of the maps of an older model of this name: its own, and those of other dates."""
        stages = self.run.read_manifest()["stages"].items()
        return {self.name} | {
            stage.removeprefix("map ")
            for stage, entry in stages
            if stage.startswith("map ") and entry["settings"].get("model") == self.name
        }

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
            denoise=rows.denoise,
            hygiene=dict(rows.hygiene),
            n_train=len(rows.train),
            n_validation=len(rows.validation),
            **self.ground.card,
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


def ground_of(
    run: Run, rows: Rows, with_types: bool, of_years: Mapping[int, Run] | None = None
) -> Ground:
    """The scene of a run, as the ground of a model of its rows.

    Parameters
    ----------
    run : Run
        Run folder with samples.
    rows : Rows
        What is learnt of them.
    with_types : bool
        Whether segment types are learnt from.
    of_years : mapping of int to Run, optional
        Runs whose labels are learnt for the dates of a year, where they are of years.
    """
    blocks = read_blocks(run)
    facts = scene_facts(run, blocks)
    card: Fields = {
        "pixel_size_m": facts["pixel_size_m"],
        "refinement": None if of_years else refinement_of(run, rows),
        "split": split_of(blocks),
        "scenes": [facts],
        "segment_types": types_digest(run) if with_types else None,
        PREPARED: prepared_fit(run, rasters.band_names(run.scene)),
    }
    learnt = of_years or {0: run}
    evidence = dict.fromkeys(path for of in learnt.values() for path in evidence_of(of, rows))
    if of_years:
        card["labels_of_years"] = {
            str(year): {"own": of is not run, "refinement": refinement_of(of, rows)}
            for year, of in of_years.items()
        }
    files = (run.samples, run.scene, *evidence)
    return Ground(files, card, split_in_words(blocks))


def evidence_of(run: Run, rows: Rows) -> list[Path]:
    """What the targets of rows were made of, beside the samples."""
    return [] if rows.denoise == PLAIN else [run.label_noise]


def refinement_of(run: Run, rows: Rows) -> Fields | None:
    """For a card: what was done with the labels; None where they were learnt as they are."""
    if rows.denoise != DEFAULT:
        return None
    found = run.read_manifest()["stages"]["denoise"]["refinement"]
    kept = {row["code"]: row["kept_because"] for row in found["classes"] if row["kept_because"]}
    pixels = {row["code"]: [row["before"], row["after"]] for row in found["classes"]}
    return {
        "changed": found["changed"],
        "reason": found["reason"],
        "kept": kept,
        "pixels_before_and_after": pixels,
    }


def split_of(blocks: Blocks) -> Fields:
    """How a run was split, in short."""
    return {
        "kind": "spatial blocks",
        "block_px": blocks.block_px,
        "guard_px": blocks.guard_px,
        "digest": blocks.digest(),
    }
