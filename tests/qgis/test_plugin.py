"""The plugin in QGIS: every algorithm, from bands to an assessed map, and what goes wrong."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import rasterio

from landcover.files import raster_writer
from landcover.sensors import digital_numbers
from landcover.sources.synthetic import Later, make_dates
from tests.conftest import ROOT

#: Runs algorithms in QGIS: dictionaries as algorithms.py takes them, to what it says of each.
Runner = Callable[..., list[dict[str, Any]]]
BANDS = ("B02", "B03", "B04", "B08")


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """The landcover program of this environment and this checkout."""
    path = tmp_path_factory.mktemp("bin") / "landcover"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from landcover.cli import main\nsys.exit(main())\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="module")
def in_processing(in_qgis, program, tmp_path_factory) -> Runner:
    jobs_in = tmp_path_factory.mktemp("jobs")

    def run(*jobs: dict[str, Any], with_program: Path = program) -> list[dict[str, Any]]:
        jobs_at = jobs_in / "jobs.json"
        jobs_at.write_text(json.dumps(jobs))
        return in_qgis("algorithms.py", ROOT, with_program, jobs_at)["runs"]

    return run


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """Two dates of one place, coarse labels and the truth, as files."""
    folder = tmp_path_factory.mktemp("sources")
    for name, land in zip(
        ("a", "b"), make_dates(240, 260, 3, Later(estates=2, seed=1)), strict=True
    ):
        for band, pixels in zip(land.bands, land.image, strict=True):
            raster_writer.write(
                folder / name / f"{band}.tif", digital_numbers(pixels), land.grid, [band], nodata=0
            )
        raster_writer.write(folder / name / "truth.tif", land.truth, land.grid, ["CLC"], nodata=0)
        raster_writer.write(
            folder / name / "corine.tif", land.corine, land.corine_grid, ["CLC"], nodata=0
        )
    return folder


def prep(sources: Path, date: str, run: Path) -> dict[str, Any]:
    parameters = {
        "BANDS": [str(sources / date / f"{band}.tif") for band in BANDS],
        "LABELS": str(sources / date / "corine.tif"),
        "REFERENCE": str(sources / date / "truth.tif"),
        "SAMPLES": 2000, "RUN": str(run), "QUANTIFICATION": 10000, "OFFSET": 0,
    }  # fmt: skip
    return {"algorithm": "prep", "parameters": parameters}


@pytest.fixture(scope="module")
def chain(in_processing, sources, tmp_path_factory) -> dict[str, Any]:
    """All algorithms but assess, whose sample somebody fills in."""
    folder = tmp_path_factory.mktemp("runs")
    run, after = folder / "here", folder / "later"
    model = "nearest-centroid-plain"
    quick = {"KIND": "nearest-centroid", "DENOISE": "none", "RANDOM_SPLIT": False, "MAP": False}
    jobs = [
        prep(sources, "a", run),
        {"algorithm": "segment", "parameters": {"RUN": str(run), "SCALE": 600}},
        {"algorithm": "sample", "parameters": {"RUN": str(run), "SAMPLES": 1500}},
        {"algorithm": "train", "parameters": {"RUN": str(run), **quick}},
        {"algorithm": "map", "parameters": {"RUN": str(run), "MODEL": model, "ENTROPY": True},
         "picture": str(folder / "map.png")},
        {"algorithm": "compare", "parameters": {"RUN": str(run)}},
        {"algorithm": "sample-points", "parameters": {"RUN": str(run), "MODEL": model, "N": 60}},
        prep(sources, "b", after),
        {"algorithm": "change",
         "parameters": {"BEFORE": str(run), "AFTER": str(after),
                        "MODEL": str(run / "models" / model)}},
    ]  # fmt: skip
    found = [*in_processing(*jobs[:4]), *in_processing(*jobs[4:7]), *in_processing(*jobs[7:])]
    names = ("prep", "segment", "sample", "train", "map", "compare", "sample-points", "prep later",
             "change")  # fmt: skip
    return {"run": run, "folder": folder} | dict(zip(names, found, strict=True))


STEPS = ("prep", "segment", "sample", "train", "map", "compare", "sample-points", "change")


@pytest.mark.parametrize("step", STEPS)
def test_every_algorithm_does_its_part_of_the_chain(chain, step):
    found = chain[step]
    assert found["ok"] and found["errors"] == [], found
    assert any(line.startswith(f"{step}") for line in found["said"])
    assert any(line.startswith("landcover ") for line in found["said"])
    if step != "change":
        folder = found["results"].get("RUN_FOLDER", found["results"].get("RUN"))
        assert Path(folder) == chain["run"]
    assert [Path(path).name for path in found["results"]["PRODUCTS"]] == list(
        dict.fromkeys(Path(path).name for path in found["results"]["PRODUCTS"])
    )


def test_products_are_loaded_with_their_style(chain):
    loaded = chain["map"]["layers"]
    assert set(loaded) == {
        "nearest-centroid-plain.tif",
        "nearest-centroid-plain_confidence.tif",
        "nearest-centroid-plain_entropy.tif",
    }
    mapped = loaded["nearest-centroid-plain.tif"]
    assert mapped["renderer"] == "paletted" and mapped["name"] == "here: nearest-centroid-plain"
    legend = dict(mapped["legend"])
    classes = json.loads((chain["run"] / "legend.json").read_text())["classes"]
    named = {row["name"] for row in classes}
    assert legend and all(any(name in label for name in named) for label in legend), legend
    assert "scene.tif" in chain["prep"]["layers"] and "labels.tif" in chain["prep"]["layers"]
    assert chain["prep"]["layers"]["labels.tif"]["renderer"] == "paletted"
    assert any(
        name.endswith(".gpkg") or "points" in name for name in chain["sample-points"]["layers"]
    )
    assert chain["change"]["layers"]


def test_a_filled_in_sample_is_assessed(chain, in_processing, sources, tmp_path):
    points = gpd.read_file(chain["run"] / "nearest-centroid-plain_points.gpkg")
    with rasterio.open(sources / "a" / "truth.tif") as dataset:
        truth = [int(v[0]) for v in dataset.sample([(p.x, p.y) for p in points.geometry])]
    filled = tmp_path / "filled.gpkg"
    points.assign(reference=truth).to_file(filled)
    parameters = {"RUN": str(chain["run"]), "REFERENCE": str(filled), "CLASS_FIELD": "reference"}
    (found,) = in_processing({"algorithm": "assess", "parameters": parameters})
    assert found["ok"], found
    assert any("%" in line or "accuracy" in line for line in found["said"])


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_cancelling_ends_the_program_and_leaves_nothing_half_written(
    in_processing, sources, tmp_path
):
    run = tmp_path / "run"
    (found,) = in_processing(prep(sources, "a", run) | {"cancel_on": f"prep {run}"})
    assert not found["ok"] and found["layers"] == {}
    assert found["errors"][0].startswith("stopped: landcover prep and what it had started are ende")
    assert not (run / "scene.tif").exists() and files(run) == set()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(run) not in listed.stdout


def test_bad_input_is_the_one_line_of_the_program(in_processing, sources, tmp_path):
    empty, missing = tmp_path / "empty", str(tmp_path / "none.tif")
    empty.mkdir()
    one_band = {"BANDS": [str(sources / "a" / "B02.tif")], "RUN": str(tmp_path / "run")}
    jobs = [
        {"algorithm": "map", "parameters": {"RUN": str(empty), "MODEL": "knn"}},
        {"algorithm": "prep", "parameters": {"LABELS": missing, "RUN": str(tmp_path / "run")}},
        {"algorithm": "train", "parameters": {"RUN": str(empty), "KIND": "cnn", "PATCH_SIZE": 4}},
        {"algorithm": "prep", "parameters": one_band},
        {"algorithm": "segment", "parameters": {}},
    ]
    found = in_processing(*jobs)
    assert [one["ok"] for one in found] == [False] * len(jobs)
    said = [one["errors"] for one in found]
    assert all(len(lines) == 1 and "\n" not in lines[0] for lines in said), said
    assert "landcover prep" in said[0][0] or "no model" in said[0][0]
    assert "LABELS" in said[1][0] or "raster" in said[1][0] or "Coarse labels" in said[1][0]
    assert "Run folder" in said[4][0] or "RUN" in said[4][0]


def test_a_wrong_environment_is_said(in_processing, tmp_path):
    job = {"algorithm": "compare", "parameters": {"RUN": str(tmp_path)}}
    (found,) = in_processing(job, with_program=tmp_path / "nowhere" / "landcover")
    assert not found["ok"] and "does not exist; name it under Settings" in found["errors"][0]
    (found,) = in_processing(job, with_program=Path(sys.executable))
    assert not found["ok"] and "is no landcover program (it says: Python" in found["errors"][0]
