"""Models scored on test samples, maps scored on every labelled pixel of the test blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover import accuracy, rasters, reports
from landcover.errors import LandcoverError
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend, level_of
from landcover.progress import track
from landcover.runs import Run, read_json, versions
from landcover.workflows.split import read_blocks

if TYPE_CHECKING:
    import pandas as pd

    from landcover.blocks import Blocks

SAMPLES = "test samples"
WALL_TO_WALL = "test blocks, wall to wall"
RANDOM_SPLIT = "test samples beside training samples"

#: A score against coarse labels is agreement with them; only a reference measures accuracy.
MEASURES = {"reference": "accuracy against the reference", "labels": "agreement with the labels"}


def score_samples(
    run: Run,
    name: str,
    samples: pd.DataFrame,
    predicted: np.ndarray,
    seconds: Mapping[str, float],
    seed: int = 0,
    of_random_split: np.ndarray | None = None,
) -> dict[str, Any]:
    """Score a model on the test samples and write reports/NAME.json.

    Parameters
    ----------
    run : Run
        Run folder; its splits.json and the model's card.json are described in the report.
    name : str
        Model.
    samples : DataFrame
        Rows with split, random_test, block, label and, where there is one, reference. Rows
        outside the test split are ignored.
    predicted : array of int, (len(samples),)
        Class codes; 0 counts as an error.
    seconds : mapping
        ``train`` and ``predict``, as far as they were measured.
    seed : int
        Of the bootstrap; kept in the report.
    of_random_split : array of int, (len(samples),), optional
        What the same model predicts when a random split trains it; scored where random_test.

    Returns
    -------
    dict
        The report: scores of the test split. Under ``reference_random`` and ``labels_random``
        the scores of the random split, with its ``leak``: how much more it promises than
        spatial blocks do on the very same pixels.

    Raises
    ------
    LandcoverError
        If there is no labelled test row.
    """
    predicted = np.asarray(predicted)
    test = (samples["split"] == "test").to_numpy()
    beside = test & samples["random_test"].to_numpy(dtype=bool)
    blocks = samples["block"].to_numpy()
    scores = {}
    for against, column in (("reference", "reference"), ("labels", "label")):
        if column not in samples:
            continue
        truth = samples[column].to_numpy()
        legend = _legend(np.union1d(truth, predicted))
        scores[against] = {"scored_on": SAMPLES} | accuracy.score(
            truth[test], predicted[test], blocks=blocks[test], seed=seed, legend=legend
        )
        if of_random_split is not None and (truth[beside] != UNLABELLED).any():
            scores[f"{against}_random"] = _random_split(
                truth[beside], of_random_split[beside], predicted[beside], blocks[beside], seed
            )
    report = _report(run, name, scores, dict(seconds), seed)
    reports.write_report(run, report)
    return report


def _random_split(
    truth: np.ndarray, random: np.ndarray, blocked: np.ndarray, blocks: np.ndarray, seed: int
) -> dict[str, Any]:
    """Scores of a random split, and what they promise beyond the blocked model's on its pixels."""
    codes = np.unique([truth, random, blocked]).tolist()
    ours, theirs = (
        accuracy.block_confusion(truth, predicted, blocks, codes) for predicted in (blocked, random)
    )
    leak = accuracy.paired_difference(theirs, ours, seed=seed)
    legend = _legend(np.array(codes))
    return {
        "scored_on": RANDOM_SPLIT,
        **accuracy.score(truth, random, blocks=blocks, seed=seed, legend=legend),
        "leak": {
            "spatial_blocks": float(accuracy.metrics_of(ours.sum(axis=0))["overall_accuracy"]),
            "difference": leak["difference"],
            "ci95": leak["ci95"],
        },
    }


def score_map(
    run: Run, name: str, seconds: Mapping[str, float], computed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Score a map on every labelled pixel of the test blocks and write reports/NAME.json.

    The scores of the random split, the training time and the seed are kept from the
    report that training wrote.

    Parameters
    ----------
    run : Run
        Run folder with labels, splits and the model's map.
    name : str
        Model, or a postprocessed map.
    seconds : mapping
        ``predict``, the time that the map took.
    computed : mapping, optional
        How it was computed, for the report: ``engine`` and ``measured`` of a patch network.

    Returns
    -------
    dict
        The report.
    """
    model = reports.model_of(name)
    earlier = _earlier_report(run, model)
    seed = earlier.get("seed", 0)
    tally = tally_maps(run, [name])
    scores: dict[str, Any] = {
        against: {"scored_on": WALL_TO_WALL}
        | accuracy.score_confusions(by_model[name], tally.codes, seed, legend=tally.legend)
        for against, by_model in tally.confusions.items()
    }
    if name == model:  # the random split is the model's, not that of what became of its map
        scores |= {k: v for k, v in earlier.get("scores", {}).items() if k.endswith("_random")}
    report = _report(run, name, scores, earlier.get("seconds", {}) | dict(seconds), seed)
    report |= dict(computed or {})
    reports.write_report(run, report)
    return report


@dataclass(frozen=True)
class Tally:
    """What several maps hold, counted in one pass over the scene.

    Attributes
    ----------
    codes : tuple of int
        Classes in the order of the confusion matrices; 0 first if a pixel was not predicted.
    legend : Legend
        The classes that occur anywhere.
    confusions : dict
        Against ("reference", "labels") -> model -> (test blocks, classes, classes).
        Against the reference the labels themselves are scored too, as model "labels"; they
        are wrong where they have a gap, as a map would be.
    areas : dict
        Layer ("reference", "labels" or model) -> class code -> pixels in the whole scene.
    """

    codes: tuple[int, ...]
    legend: Legend
    confusions: dict[str, dict[str, np.ndarray]]
    areas: dict[str, dict[int, int]]


def tally_maps(run: Run, names: Sequence[str]) -> Tally:
    """Count classes of the scene, and confusions of its test blocks, by windows.

    A labelled pixel that a map leaves empty is an error, unless the scene itself
    has no data there: then nobody is scored on it.
    """
    layers = _layers(run, names)
    _require_same_split(run, names)
    grid = _common_grid(run, layers)
    areas = {layer: class_pixels(path) for layer, path in layers.items()}
    legend = _legend(np.array([code for area in areas.values() for code in area]))
    codes = (UNLABELLED, *legend.codes)
    blocks = read_blocks(run)
    truths: list[str] = [layer for layer in ("reference", "labels") if layer in layers]
    pairs = [(truth, layer) for truth in truths for layer in layers if layer not in truths]
    if "reference" in truths:
        pairs.append(("reference", "labels"))
    ids, position = _test_blocks(blocks)
    shape = (len(ids), len(codes), len(codes))
    counts: dict[tuple[str, str], np.ndarray] = {pair: np.zeros(shape, np.int64) for pair in pairs}
    windows = list(grid.windows(rasters.WINDOW_PX))
    for window in track(windows, "scoring test blocks"):
        block, pixels = _test_pixels(run, blocks, window, layers)
        seen, local = np.unique(block, return_inverse=True)
        for truth, layer in pairs:
            counts[truth, layer][position[seen]] += accuracy.block_confusion(
                pixels[truth], pixels[layer], local, codes
            )
    codes, counts = _without_empty_zero(codes, counts)
    confusions: dict[str, dict[str, np.ndarray]] = {truth: {} for truth in truths}
    for (truth, layer), confusion in counts.items():
        confusions[truth][layer] = confusion
    return Tally(codes, legend, confusions, areas)


def require_scorable(run: Run, names: Sequence[str]) -> None:
    """Raise LandcoverError unless maps of these models, yet to be made, could be scored."""
    _common_grid(run, _layers(run, []))
    _require_same_split(run, names)


def _common_grid(run: Run, layers: Mapping[str, Path]) -> Grid:
    """The scene's grid, which every layer must have."""
    grid = rasters.grid_of(run.require("scene"))
    for path in layers.values():
        grid.require_equal(rasters.grid_of(path), str(run.scene), str(path))
    return grid


def _require_same_split(run: Run, names: Sequence[str]) -> None:
    """Raise LandcoverError if a model of the run was trained on another split than its present one.

    The present test blocks may hold pixels that such a model was trained on.
    """
    digest = read_blocks(run).digest()
    for name in names:
        card = run.model(reports.model_of(name)) / "card.json"
        if card.exists() and read_json(card).get("split", {}).get("digest", digest) != digest:
            raise LandcoverError(
                f"model {name} was trained on another split than {run.splits} holds, so its test "
                "pixels are not unseen; train it again, or remove its folders and maps"
            )


def _layers(run: Run, names: Sequence[str]) -> dict[str, Path]:
    """Class rasters by name: those that judge, then the maps."""
    layers = {
        layer: path
        for layer, path in (("reference", run.reference), ("labels", run.labels))
        if path.exists()
    }
    if not layers:
        run.require("labels")
    for name in names:
        path = run.map(name)
        if not path.exists():
            raise LandcoverError(
                f"{path} does not exist; make it with: "
                f"python test_patches.py {run.path} --model {name}"
            )
        layers[name] = path
    return layers


def class_pixels(path: Path) -> dict[int, int]:
    """Pixels of each class of a class raster."""
    counts = np.zeros(np.iinfo(np.uint16).max + 1, np.int64)
    windows = list(rasters.grid_of(path).windows(rasters.WINDOW_PX))
    for window in track(windows, f"counting classes of {path.name}"):
        found = np.bincount(rasters.read_classes(path, window).ravel())
        counts[: found.size] += found
    counts[UNLABELLED] = 0
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}


def _legend(codes: np.ndarray) -> Legend:
    """The CORINE legend of the codes that occur."""
    held = {int(code) for code in codes} - {UNLABELLED}
    return Legend.corine(level_of(held)).subset(held) if held else Legend(())


def _test_blocks(blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the test blocks, and the position of each id among them."""
    rows = np.arange(0, blocks.rows, blocks.block_px)[:, np.newaxis]
    cols = np.arange(0, blocks.cols, blocks.block_px)[np.newaxis]
    ids = np.sort(blocks.block_of(rows, cols)[_is_test(blocks, rows, cols)])
    position = np.full(int(ids.max(initial=-1)) + 1, -1)
    position[ids] = np.arange(ids.size)
    return ids, position


def _test_pixels(
    run: Run, blocks: Blocks, window: Window, layers: Mapping[str, Path]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Block ids of the test pixels of a window, and their classes in every layer."""
    rows = np.arange(window.row, window.row + window.rows)[:, np.newaxis]
    cols = np.arange(window.col, window.col + window.cols)[np.newaxis]
    test = _is_test(blocks, rows, cols)
    if not test.any():
        return np.empty(0, np.int64), {layer: np.empty(0, np.uint16) for layer in layers}
    pixels = {layer: rasters.read_classes(path, window)[test] for layer, path in layers.items()}
    return blocks.block_of(rows, cols)[test], _where_scene_has_data(run, window, test, pixels)


def _is_test(blocks: Blocks, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    from landcover.blocks import TEST

    return blocks.split_of(rows, cols) == TEST


def _where_scene_has_data(
    run: Run, window: Window, test: np.ndarray, pixels: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Test pixels with labels taken away where the scene has none to predict from.

    The scene is read only where some layer is empty on a labelled pixel.
    """
    truths = [layer for layer in ("reference", "labels") if layer in pixels]
    empty = np.any([values == UNLABELLED for values in pixels.values()], axis=0)
    labelled = np.any([pixels[layer] != UNLABELLED for layer in truths], axis=0)
    if not (empty & labelled).any():
        return pixels
    has_data = ~np.isnan(rasters.read(run.scene, window)).any(axis=0)[test]
    return {layer: np.where(has_data, values, UNLABELLED) for layer, values in pixels.items()}


def _without_empty_zero(
    codes: tuple[int, ...], counts: dict[tuple[str, str], np.ndarray]
) -> tuple[tuple[int, ...], dict[tuple[str, str], np.ndarray]]:
    """Drop class 0 from the matrices when every scored pixel was predicted by every layer."""
    if any(confusion[:, :, 0].any() for confusion in counts.values()):
        return codes, counts
    return codes[1:], {pair: confusion[:, 1:, 1:] for pair, confusion in counts.items()}


def _earlier_report(run: Run, name: str) -> dict[str, Any]:
    """The report that training wrote; a lost or broken one is about to be replaced anyway."""
    try:
        return reports.read_report(run, name)
    except LandcoverError:
        return {}


def _report(
    run: Run, name: str, scores: dict[str, Any], seconds: dict[str, float], seed: int
) -> dict[str, Any]:
    """The report's fields: led by the reference where there is one."""
    against = "reference" if "reference" in scores else "labels"
    blocks = read_blocks(run)
    card = run.model(reports.model_of(name)) / "card.json"
    described = ("kind", "trained_on", "n_train", "patch_size", "bands", "inputs")
    model = read_json(card) if card.exists() else {}
    return {
        "model": name,
        "against": against,
        "measure": MEASURES[against],
        "split": f"spatial blocks of {blocks.block_px} px, guard {blocks.guard_px} px",
        **scores[against],
        "scores": scores,
        "seconds": {stage: round(float(value), 3) for stage, value in seconds.items()},
        "seed": int(seed),
        "versions": versions(),
        "card": {field: model[field] for field in described if field in model},
    }
