"""Samples of several runs to one model: scenes may lie apart, and each stays one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from landcover.classifiers.fitting import Setup, Trainer
from landcover.classifiers.kind import Choices, Kind
from landcover.classifiers.kinds import trained_kind
from landcover.classifiers.models import Model
from landcover.classifiers.names import name_of
from landcover.classifiers.protocol import Inputs
from landcover.errors import InputError, LandcoverError, typed
from landcover.files import tables
from landcover.files.atomic import Fields, read_json, write_json
from landcover.labels.denoising import PLAIN
from landcover.progress import say
from landcover.reports import scores
from landcover.run import Run
from landcover.samples.hygiene import Hygiene
from landcover.samples.joint_rows import joint_rows, joint_table, with_places
from landcover.samples.rows import (
    Rows,
    column_of,
    fit_features,
    read_samples,
    with_features,
)
from landcover.scene.feature_names import layers_of, to_fit
from landcover.stages.inputs import read_rows
from landcover.stages.prepared_features import PREPARED, prepared_fit
from landcover.stages.run_legend import write_nomenclature
from landcover.stages.scenes import mean_pixel_size
from landcover.stages.targets import rows_to_learn
from landcover.stages.train import (
    check_patch,
    layers_for,
    require_same_layers,
    require_seen,
    trainer_of,
)
from landcover.stages.train_joint import Joint, read_joint
from landcover.stages.training import (
    Ground,
    Training,
    check_seed,
    evidence_of,
    refinement_of,
    split_of,
)


@dataclass(frozen=True)
class Several:
    """One model of several scenes, yet to be trained.

    Attributes
    ----------
    out : Run
        Gets the model.
    joint : Joint
        The scenes.
    parts : tuple of Rows
        What is learnt of each scene.
    kind, chosen : Kind, dict
        Of the model, and all that was chosen of it.
    inputs : Inputs
        What it reads.
    name, seed, targets : str, int, str
        Of the model.
    hygiene : Hygiene
        What is left out of the training samples of all scenes together.
    """

    out: Run
    joint: Joint
    parts: tuple[Rows, ...]
    kind: Kind
    chosen: Choices
    inputs: Inputs
    name: str
    seed: int
    targets: str
    hygiene: Hygiene = field(default_factory=Hygiene)

    def of(self, numbers: Sequence[int]) -> Several:
        """The same of some of the scenes, with features fitted to their samples alone."""
        joint, inputs = self.joint.of(numbers), self.inputs
        parts = tuple(self.parts[number] for number in numbers)
        again = [name for name in inputs.features if to_fit([name])]
        if again:
            scenes = [run.scene for run in joint.runs]
            fitted = fit_features(scenes[0], parts, inputs.bands, inputs.features)
            inputs = replace(inputs, fitted=fitted)
            seen = [
                with_features(scene, part.samples.drop(columns=again), inputs)
                for scene, part in zip(scenes, parts, strict=True)
            ]
            both = zip(parts, seen, strict=True)
            parts = tuple(replace(part, samples=table) for part, table in both)
        return replace(self, joint=joint, parts=parts, inputs=inputs)

    def training(self) -> Training:
        """What trains, stores and scores the model."""
        columns = [*self.inputs.bands, *self.inputs.features]
        held = [part.samples for part in self.parts]
        table = joint_table(held, columns, [blocks.splits.size for blocks in self.joint.blocks])
        rows = joint_rows(self.parts, table, self.joint.nomenclature)
        scenes = tuple(run.scene for run in self.joint.runs)
        setup = Setup(self.name, self.inputs, self.seed, scenes)
        training = Training(self.out, rows, self.kind, setup, self.targets, self._ground())
        return training.cleaned(self.hygiene)

    @property
    def prepared(self) -> Fields:
        """What features among the bands were fitted to, in all scenes alike."""
        first, *others = self.joint.runs
        fit = prepared_fit(first, self.inputs.bands)
        for run in others:
            held = prepared_fit(run, self.inputs.bands)
            other = [name for name in fit if held.get(name) != fit[name]]
            if other:
                raise InputError(
                    f"{run.path} has {' '.join(other)} fitted otherwise than {first.path}; prepare "
                    f"it again: landcover prep --features {' '.join(other)} --features-as "
                    f"{typed(first.path)}"
                )
        return fit

    def trainer(self, training: Training) -> Trainer:
        """A trainer that has seen no rows yet."""
        return trainer_of(self.kind, training.setup, self.chosen)

    def _ground(self) -> Ground:
        """What the card says of the scenes: where each lies, and what was learnt of it."""
        scenes = [
            facts
            | {
                "samples": {
                    "train": len(part.train),
                    "validation": len(part.validation),
                    "test": len(part.scored),
                },
                "denoise": part.denoise,
                "refinement": refinement_of(run, part),
            }
            for run, facts, part in zip(self.joint.runs, self.joint.facts, self.parts, strict=True)
        ]
        card: Fields = {
            "pixel_size_m": mean_pixel_size(self.joint.facts),
            "split": {
                "kind": "spatial blocks of each scene",
                "scenes": [split_of(blocks) for blocks in self.joint.blocks],
            },
            "scenes": scenes,
            "segment_types": None,
            PREPARED: self.prepared,
        }
        both = zip(self.joint.runs, self.parts, strict=True)
        files = [path for run, part in both
                 for path in (run.samples, run.scene, *evidence_of(run, part))]  # fmt: skip
        split = "; ".join(
            f"{run.path}: {scores.split_in_words(blocks)}"
            for run, blocks in zip(self.joint.runs, self.joint.blocks, strict=True)
        )
        return Ground((self.out.samples, *files), card, split)


def train_scenes(several: Several, random_split: bool = True) -> Model:
    """Train one model of several scenes, and score it on the test samples of all.

    Every run keeps its split: the blocks that it tests with are tested with here.

    Parameters
    ----------
    several : Several
        From `several_scenes`.
    random_split : bool
        Train once more on a random split and report its scores.

    Returns
    -------
    Model
        In OUT/models/NAME; its scores, of all scenes and of each, are in OUT/reports/NAME.json.
    """
    for note in several.joint.notes:
        say(f"note: {note}")
    training = several.training()
    training.require_test_rows()  # before anything is written
    _write_samples(several, training.rows)
    return training.carry_out(several.trainer(training), random_split)


def several_scenes(
    runs: Sequence[Run],
    out: Run,
    kind: str = "random-forest",
    *,
    seed: int = 0,
    targets: str = "labels",
    denoise: str | None = None,
    features: Sequence[str] | None = None,
    variant: str = "",
    **choices: object,
) -> Several:
    """A model of several scenes, yet to be trained: what it learns is read, and refined.

    Parameters
    ----------
    runs : sequence of Run
        Run folders with samples: two or more, of the same bands and classes.
    out : Run
        Gets the joint samples, the legend, the model and its report; scenes.json says which
        scenes they are of. It has no scene of its own.
    kind, seed, targets, features, variant
        See `stages.train.train`.
    denoise : str, optional
        By default what each run would do by itself: its own teacher judges its labels.
    **choices
        What the kind takes. Segment types are numbers of one scene, so an MLP goes without.

    Raises
    ------
    InputError, MissingProduct
        If a run has no samples, runs differ in bands, classes or pixel size or hold one scene
        twice, OUT holds anything else, or a choice does not suit. Nothing is written then.
    """
    hygiene, choices = Hygiene.take(choices)
    row, chosen = trained_kind(kind, choices)
    _require_of_several(row)
    check_seed(seed)
    column_of(targets)
    joint = read_joint(runs)
    _require_free(out, joint)
    if chosen.get("segment_layers"):
        raise InputError(
            "segment types are numbers of one scene: type 3 of one is another colour than type 3 "
            "of the next, so a model of several scenes cannot learn them; train without: "
            f"landcover train mlp {joint.typed} --out {out.path} --no-segments"
        )
    patch_size = chosen.get("patch_size", 1)
    if row.takes_patches:
        for run in joint.runs:
            check_patch(run, patch_size)
    seen = layers_of(joint.bands, layers_for(row, features))
    require_seen(seen, row)
    inputs = Inputs(seen.bands, seen.features, (), patch_size, seen.unseen)
    name = name_of(
        row.command,
        patch_size=chosen.get("patch_size"),
        form=row.form(chosen),
        targets=targets,
        denoise=denoise,
        scenes=len(joint.runs),
        variant=variant,
    )
    require_same_layers(out.model(name), inputs)
    held = [read_rows(run, targets) for run in joint.runs]
    fitted = fit_features(joint.runs[0].scene, held, inputs.bands, inputs.features)
    inputs = replace(inputs, fitted=fitted)
    parts = []
    for number, run in enumerate(joint.runs, start=1):
        say(f"scene {number} of {len(joint.runs)}: {run.path}")
        rows = rows_to_learn(run, targets, denoise)
        if rows.denoise == PLAIN and (denoise or targets != "labels"):  # else that was said
            say(f"what it learns: its {targets}, as they are")
        samples = with_features(run.scene, rows.samples, inputs)
        parts.append(replace(rows, samples=samples))
    return Several(out, joint, tuple(parts), row, chosen, inputs, name, seed, targets, hygiene)


def _require_of_several(kind: Kind) -> None:
    """Raise InputError if models of a kind learn one run alone."""
    if kind.reads_dates:
        raise InputError(
            f"models of kind {kind.name} learn the dates or tiles of one run; give one run, or "
            "train another kind on several"
        )


def _require_free(out: Run, joint: Joint) -> None:
    """Raise InputError if a folder holds anything but models of the same scenes."""
    if out.path.resolve() in {run.path.resolve() for run in joint.runs}:
        raise InputError(
            f"out={out.path} is one of the runs to learn from; choose a folder of its own"
        )
    if out.path.exists() and not out.path.is_dir():
        raise InputError(f"out={out.path} is a file; give a folder for the model's run")
    if out.scene.exists() or (out.samples.exists() and not out.scenes.exists()):
        raise InputError(f"out={out.path} is a run with a scene of its own; choose another folder")
    if not out.scenes.exists():
        return
    try:
        held = [scene["samples"] for scene in read_json(out.scenes)["scenes"]]
    except (LandcoverError, KeyError, TypeError):
        held = []
    if held != list(joint.digests):
        raise InputError(
            f"out={out.path} holds samples of other scenes, or of these in another order or drawn "
            "otherwise; choose another folder, or remove it"
        )


def _write_samples(several: Several, rows: Rows) -> None:
    """The joint samples, the legend, and which scenes they are of."""
    out, joint = several.out, several.joint
    out.path.mkdir(parents=True, exist_ok=True)
    table = rows.samples.drop(columns="target", errors="ignore")
    placed = with_places(table, [read_samples(run.samples, geometry=True) for run in joint.runs])
    tables.write(out.samples, tables.plain_text(placed))
    write_nomenclature(out.legend, joint.nomenclature)
    scenes, first = [], 0
    for facts, blocks, digest in zip(joint.facts, joint.blocks, joint.digests, strict=True):
        held: Fields = {"samples": digest, "first_block": first, "splits": blocks.to_dict()}
        scenes.append(facts | held)
        first += blocks.splits.size
    write_json(out.scenes, {"scenes": scenes})
    out.record(
        "sample",
        {"scenes": [str(run.path) for run in joint.runs], "samples": len(table)},
        [path for run in joint.runs for path in (run.samples, run.splits)],
        [out.samples, out.legend, out.scenes],
        {"notes": list(joint.notes)},
    )


def products_of(several: Several, model: Model) -> list[Path]:
    """What training wrote: the joint samples, legend and scenes, the model and its report."""
    out = several.out
    return [out.samples, out.legend, out.scenes, *model.products, out.report(model.name)]
