"""What examples in docstrings find: a folder of their own, with a small run where they name one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.doctest import DoctestItem


@pytest.fixture(scope="session")
def example_runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes runs/demo, prepared and sampled, or runs/mapped, mapped by a small forest too."""
    import landcover as lc
    from landcover.stages.train import train_forest

    folder, made = tmp_path_factory.mktemp("examples"), {}

    def demo() -> lc.Run:
        land = lc.make_scene(240, 320, seed=1)
        truth = lc.write(folder / "truth.tif", land.truth, land.grid, ["class"], nodata=0)
        scene = lc.write(folder / "scene.tif", land.image, land.grid, land.bands)
        corine = lc.write(folder / "corine.tif", land.corine, land.corine_grid, ["code"], nodata=0)
        tiles = lc.open_bands([scene], quantification=1)
        run = lc.prepare(folder / "runs/demo", tiles, corine, truth)
        lc.sample(run, samples=2000)
        return run

    def mapped() -> lc.Run:
        run = lc.Run(shutil.copytree(example("demo"), folder / "runs/mapped"))
        train_forest(run, leaf_sizes=[5], denoise="none", random_split=False)
        lc.map_scene(run, "random-forest-plain")
        return run

    makers = {"demo": demo, "mapped": mapped}

    def example(name: str) -> Path:
        if name not in made:
            made[name] = makers[name]().path
        return made[name]

    return example


@pytest.fixture(autouse=True)
def example_folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An example writes into a folder of its own, and may use the runs that it names."""
    if isinstance(request.node, DoctestItem):
        source = "".join(example.source for example in request.node.dtest.examples)
        for name in ("demo", "mapped"):
            if f'"runs/{name}"' in source:
                runs = request.getfixturevalue("example_runs")
                shutil.copytree(runs(name), tmp_path / "runs" / name)
        monkeypatch.chdir(tmp_path)
