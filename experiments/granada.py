"""Real CORINE labels over a real image: polygons near Granada, and Landsat in pixels of 60 m.

There is no finer map of this place. So what models say of the test blocks is judged by the labels
themselves: everywhere, and where they are seldom wrong, in the cores of their areas, of which
every class counts the same.
"""

from __future__ import annotations

from pathlib import Path

import landcover as lc
from landcover.run import Run
from landcover.stages import compare, map, store, train

IMAGE, LABELS = "granada_landsat60m.tif", "granada_clc_25m.tif"
_BANDS = ("B02=1", "B03=2", "B04=3", "B08=4")
#: Landsat's level-2 numbers to reflectance: times 0.0000275, less 0.2.
_QUANTIFICATION, _OFFSET = 1 / 0.0000275, -0.2 / 0.0000275

#: Agreement with all labels of test samples, percent; its macro F1; cores found, percent, which are
#: known once labels have been refined.
Score = tuple[float, float, float]


def granada_run(data: Path, folder: Path, seed: int, samples: int = 20_000) -> Run:
    """The run FOLDER/granada-SEED, sampled; what is there is kept.

    Parameters
    ----------
    data : path
        Folder with the image and the labels.
    folder : path
        Where runs are.
    seed : int
        Of the split.
    samples : int
        Samples to draw.
    """
    run = Run(folder / f"granada-{seed}")
    if not run.samples.exists():
        tiles = lc.open_bands(data / IMAGE, _QUANTIFICATION, _OFFSET, band_names=_BANDS)
        lc.prepare(run, tiles, data / LABELS, overwrite=True)
        lc.sample(run, samples, seed=seed)
    return run


def score(run: Run, kind: str, way: str) -> Score:
    """Train on a run, map it, and judge the test blocks by the labels."""
    model = train.train(run, kind, denoise=way, random_split=False)
    map.map_scene(run, model)
    found = store.read_report(run.report(model.name))["scores"]["labels"]
    criteria = compare.criteria(run, [model.name])
    cores = criteria.values(model.name)[1] if criteria else None
    share = float("nan") if cores is None else 100 * cores
    return 100 * found["overall_accuracy"], found["macro_f1"], share
