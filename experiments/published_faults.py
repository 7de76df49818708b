"""What each fault of the published set-up does: one model and its rows, with it and without.

python -m experiments.published_faults [RUN] [--samples N] [--epochs N] [--seeds N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from experiments.study import Table, open_run, refusals, study_run
from landcover.classifiers import forests, networks, patch_cnn
from landcover.classifiers.scaling import fit_scaling
from landcover.commands.options import COUNT, DEFAULT_RUN, add_run
from landcover.files import rasters
from landcover.run import Run
from landcover.samples.chips import read_chips
from landcover.samples.rows import Rows
from landcover.stages import store, train
from landcover.stages.inputs import pixel_inputs, read_rows

#: Accuracy or agreement with the fault and without it, 0-1, by what it is measured against.
Pair = dict[str, tuple[float, float]]


def scored(rows: Rows, faulty: np.ndarray, right: np.ndarray) -> Pair:
    """Shares of test rows whose predicted code is that of the reference, and of the labels."""
    found: Pair = {}
    for against, column in (("reference", "reference"), ("labels", "label")):
        if column in rows.samples:
            truth = rows.samples[column].to_numpy()[rows.scored]
            known = truth != 0
            low, high = (float((p == truth)[known].mean()) for p in (faulty, right))
            found[against] = low, high
    return found


def values(run: Run, rows: Rows, part: np.ndarray) -> np.ndarray:
    """Bands and features of some rows."""
    seen = pixel_inputs(run, rows.samples)
    return rows.values(part, seen.bands, seen.features)[0]


def one_hot(_a: argparse.Namespace, run: Run, seed: int, highest: bool = False) -> Pair:
    """Targets of a forest: one column a class, or one integer.

    A forest of columns votes on each apart. Its row is 0 in all where none gets half of the
    votes; with `highest` the class of most votes is taken there too.
    """
    from sklearn.ensemble import RandomForestClassifier

    rows = read_rows(run, "labels")
    X, X_test = (values(run, rows, part) for part in (rows.train, rows.scored))
    targets = rows.targets(rows.train)
    forest = RandomForestClassifier(forests.N_TREES, n_jobs=-1, random_state=seed)
    right = forest.fit(X, targets).predict(X_test)
    forest.fit(X, np.eye(len(rows.legend), dtype=int)[targets])
    votes = np.stack([of_class[:, 1] for of_class in forest.predict_proba(X_test)], axis=1)
    whole = votes.max(axis=1) > 0.5
    faulty = np.where(whole | highest, votes.argmax(axis=1), -1)
    return scored(rows, rows.legend.code(faulty), rows.legend.code(right))


def random_split(a: argparse.Namespace, run: Run, seed: int, model: str) -> Pair:
    """Training samples beside test samples, or blocks apart from them, scored on the same rows."""
    shared: dict[str, Any] = {"seed": seed, "denoise": "none"}
    if model == "forest":
        trained = train.train(run, **shared)
    else:
        choices = {"patch_size": a.patch_size, "epochs": a.epochs}
        trained = train.train(run, "cnn", published=True, **choices, **shared)
    found = store.read_report(run.report(trained.name))["scores"]
    return {
        against: (score["overall_accuracy"], score["leak"]["spatial_blocks"])
        for against in ("reference", "labels")
        if (score := found.get(f"{against}_random"))
    }


def scaler(a: argparse.Namespace, run: Run, seed: int) -> Pair:
    """Standardised by all samples, test samples included, or by training samples alone."""
    rows = read_rows(run, "labels")

    inputs = values(run, rows, np.arange(len(rows.samples)))

    def predicted(seen: np.ndarray) -> np.ndarray:
        scaling = fit_scaling(seen)
        networks.seed_everything(seed)
        moments = scaling["means"], np.square(scaling["stds"]).tolist()
        model = networks.build_mlp(inputs.shape[1], len(rows.legend), *moments)
        return learnt(a, rows, model, seed, inputs)

    return scored(rows, predicted(inputs), predicted(inputs[rows.train]))


def even_window(a: argparse.Namespace, run: Run, seed: int) -> Pair:
    """Patches cut as row - r : row + r, without their last row and column, or whole."""
    rows = read_rows(run, "labels")
    bands = pixel_inputs(run, rows.samples).bands
    row, col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    cut = read_chips(partial(rasters.read, run.scene), row, col, a.patch_size)
    scaling = fit_scaling(rows.values(rows.train, bands, ())[0])
    moments = scaling["means"], np.square(scaling["stds"]).tolist()

    def predicted(side: int) -> np.ndarray:
        patches = cut[:].copy()
        patches[:, side:] = patches[:, :, side:] = np.nan  # which counts as the mean
        networks.seed_everything(seed)
        model = networks.build_published(a.patch_size, len(bands), len(rows.legend), *moments)
        return learnt(a, rows, model, seed, patches)

    return scored(rows, predicted(a.patch_size - 1), predicted(a.patch_size))


def _of_part(inputs: np.ndarray, part: np.ndarray, at: np.ndarray) -> np.ndarray:
    return inputs[part[at]]


def learnt(
    a: argparse.Namespace, rows: Rows, model: networks.Network, seed: int, inputs: np.ndarray
) -> np.ndarray:
    """Codes of the test rows from a network that learns the labels as they are."""
    train_on, validation, test = (
        networks.Examples(partial(_of_part, inputs, part), rows.targets(part))
        for part in (rows.train, rows.validation, rows.scored)
    )
    networks.fit(model, train_on, validation, networks.Schedule(a.epochs), seed=seed)
    return rows.legend.code(networks.predict_examples(model, test).argmax(axis=1))


#: By the fault, and what it was measured with.
FAULTS: dict[tuple[str, str], Callable[[argparse.Namespace, Run, int], Pair]] = {
    ("one-hot targets", "forest"): one_hot,
    ("one-hot targets, read by most votes", "forest"): partial(one_hot, highest=True),
    ("random split", "forest"): partial(random_split, model="forest"),
    ("random split", "published CNN"): partial(random_split, model="cnn"),
    ("scaler fitted on test samples too", "MLP"): scaler,
    ("even windows", "published CNN"): even_window,
}


def row_of(
    fault: Callable[[argparse.Namespace, Run, int], Pair], a: argparse.Namespace, run: Run
) -> dict[str, Any]:
    """Mean scores with the fault and without it, and the difference that it makes at every seed."""
    found = [fault(a, run, seed) for seed in range(a.seeds)]
    cells: dict[str, Any] = {}
    for against, measure in (("reference", "accuracy"), ("labels", "agreement")):
        if against in found[0]:
            faulty, right = np.array([pair[against] for pair in found]).T
            cells[f"{measure} with"] = float(faulty.mean())
            cells[f"{measure} without"] = float(right.mean())
            cells[f"{measure}, points"] = (faulty - right).tolist()
    return cells


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(made)
    made.add_argument("--samples", type=COUNT, default=40_000)
    made.add_argument("--epochs", type=COUNT, default=patch_cnn.EPOCHS, help="at most")
    made.add_argument("--seeds", type=COUNT, default=3, help="how many (default 3)")
    made.add_argument("--patch-size", type=COUNT, default=7, help="of the networks (default 7)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing and print the table; RUN/studies/published_faults.json has it too."""
    a = parser().parse_args(argv)
    with refusals(parser()):
        run = open_run(a.run, DEFAULT_RUN)
        settings = {name: value for name, value in vars(a).items() if name != "run"}
        table = Table(run.path / "studies" / "published_faults.json", run, **settings)
        own = study_run(run, "published_faults", a.samples, a.patch_size)
        for (fault, model), measure in FAULTS.items():
            table.add({"fault": fault, "model": model}, partial(row_of, measure, a, own))
    print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
