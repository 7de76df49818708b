"""What a notebook shows of runs, models, maps and reports: whole, escaped HTML, nothing fetched."""

from __future__ import annotations

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import landcover as lc
from landcover.files import html
from landcover.files.atomic import write_json
from landcover.grid import Grid
from landcover.legend import LandClass, Legend, corine
from landcover.reports.shown import AssessmentReport, ChangeReport, ComparisonReport, NoiseReport
from landcover.stages.map_path import MapPath
from tests.conftest import utm_grid
from tests.fixtures.map_runs import make_run

VOID = {"img", "br"}


class Page(HTMLParser):
    """Text, tags and addresses of a page; fails where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.pictures: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.addresses += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "img":
            self.pictures.append(attributes["alt"])
        if tag not in VOID:
            self.open.append(tag)
        assert tag not in ("script", "b")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def page_of(value: object) -> Page:
    page = Page(value._repr_html_())  # type: ignore[attr-defined]
    assert all(address.startswith("data:image/") for address in page.addresses)
    return page


def _grid() -> Grid:
    return utm_grid(40, 60)


@pytest.fixture
def run(tmp_path):
    """A run with a scene, labels and a forest, and no map yet."""
    run = make_run(tmp_path / "a & <b>run", 40, 60)
    labels = np.full((1, 40, 60), 211, np.uint16)
    labels[:, :, 45:] = 512
    legend = Legend.corine().subset([211, 512])
    lc.write(run.labels, labels, _grid(), ["class"], nodata=0, legend=legend)
    return run


def test_a_run_shows_what_it_holds_and_which_call_makes_the_rest(run):
    page = page_of(run)
    assert "a & <b>run" in page.text
    assert "40 x 60 pixels" in page.text and "B02" in page.text
    assert "211 Non-irrigated arable land" in page.text and "75.0 %" in page.text
    assert "random-forest" in page.text
    for call in ("lc.sample(run)", "lc.denoise(run)", "lc.map_scene(run, model)"):
        assert call in page.text
    assert "lc.train" not in page.text, "there is a model already"
    assert page.pictures == ["labels"]


def test_a_run_without_a_folder_names_the_first_call(tmp_path):
    page = page_of(lc.Run(tmp_path / "none"))
    assert "no such folder" in page.text and "lc.prepare(" in page.text


def test_a_damaged_raster_is_named_and_the_rest_shown(run):
    run.scene.write_bytes(b"no raster")
    run.labels.write_bytes(run.labels.read_bytes()[:300])
    page = page_of(run)
    assert "cannot be read" in page.text and "labels cannot be shown" in page.text
    assert "random-forest" in page.text


def test_a_raster_without_a_style_has_the_colours_of_the_run(run):
    lc.write(run.refined_labels, lc.read(run.labels), _grid(), ["class"], nodata=0)
    assert "refined labels cannot be shown" in page_of(run).text
    write_json(run.legend, corine().as_dict())
    page = page_of(run)
    assert page.pictures == ["labels", "refined labels"] and "cannot" not in page.text


def test_a_damaged_report_is_named(run):
    lc.map_scene(run, "random-forest")
    run.report("random-forest").parent.mkdir(exist_ok=True)
    for content in ("{", "{}"):
        run.report("random-forest").write_text(content)
        page_of(lc.Run(run.path))
        assert "report" in page_of(run).text
        assert "report" in page_of(MapPath(run.map("random-forest"))).text


def test_a_model_shows_what_it_reads_and_its_classes(run):
    model = lc.load_model(run.model("random-forest"))
    page = page_of(model)
    for text in ("random forest", "B02 B03 B04 B08", "ndvi", "a pixel by itself", "seed"):
        assert text in page.text
    assert all(name in page.text for name in model.legend.names)
    assert "area of applicability" in page.text and "lc.train(run" in page.text


def test_a_map_is_a_path_that_shows_itself(run):
    path = lc.map_scene(run, "random-forest")
    assert path == run.map("random-forest") and path.exists() and lc.read(path).shape == (1, 40, 60)
    assert json.dumps(str(path)) == json.dumps(str(run.map("random-forest")))
    page = page_of(path)
    assert page.pictures == ["map", "labels"]
    assert "beside it" in page.text and "confidence" in page.text
    assert "applicability=True" in page.text and "not scored" not in page.text
    assert path.parent._repr_html_() is None
    assert "map random-forest" in page_of(run).pictures


def test_pictures_are_small(tmp_path):
    Image.fromarray(np.zeros((900, 700, 3), np.uint8)).save(tmp_path / "large.png")
    [address] = Page(html.gallery({"large": tmp_path / "large.png"})).addresses
    with Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))) as image:
        assert max(image.size) == html.PICTURE_PX


def test_one_code_of_two_legends_has_a_row_for_each_class(tmp_path):
    """As of maps of two levels: 5 is water at one and something else at another."""
    codes = np.full((1, 8, 8), 5, np.uint16)
    for name in ("Water", "Ports"):
        legend = Legend((LandClass(5, name, (0, 0, 255)),))
        lc.write(tmp_path / f"{name}.tif", codes, utm_grid(8, 8), ["class"], 0, legend=legend)
    found = html.class_table({name: tmp_path / f"{name}.tif" for name in ("Water", "Ports")})
    texts = [text for text in Page(found).texts if text.strip()]
    assert texts[-6:] == ["5 Ports", "–", "100.0 %", "5 Water", "100.0 %", "–"]


def test_many_pictures_are_named_and_not_drawn(tmp_path):
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(tmp_path / "p.png")
    page = Page(html.gallery({f"map {n}": tmp_path / "p.png" for n in range(11)}))
    assert len(page.pictures) == html.MOST_PICTURES
    assert "not shown: map 8, map 9, map 10" in page.text


def test_scores_show_intervals_and_classes():
    scores = lc.score(
        np.array([211, 211, 512, 0]), np.array([211, 512, 512, 211]), legend=Legend.corine()
    )
    assert scores["confusion"]["matrix"] == [[1, 1], [0, 1]] and json.dumps(scores)
    page = page_of(scores)
    assert "66.7 %" in page.text and "512 Water bodies" in page.text
    assert "too narrow" in page.text


COMPARISON = {
    "headline": "<b>A</b> leads",
    "against": "labels",
    "measure": "agreement with labels",
    "scored_on": "test blocks",
    "split": "blocks of 1 km",
    "n_test": 1234,
    "models": [
        {
            "title": "forest <x>",
            "outside_share": None,
            "scores": {
                "labels": {
                    "overall_accuracy": 0.8,
                    "overall_accuracy_ci95": [0.7, 0.9],
                    "balanced_accuracy": 0.6,
                    "macro_f1": 0.5,
                }
            },
        }
    ],
    "remarks": ["map b has no report"],
}


def test_a_comparison_against_labels_says_that_it_is_agreement():
    page = page_of(ComparisonReport(COMPARISON))
    for text in ("<b>A</b> leads", "forest <x>", "80.0 %", "70.0–90.0", "map b has no report"):
        assert text in page.text
    assert "not accuracy" in page.text
    models = [{**COMPARISON["models"][0], "scores": {"reference": {**_scores(), "macro_f1": 0.7}}}]
    better = ComparisonReport({**COMPARISON, "against": "reference", "models": models})
    assert "not accuracy" not in page_of(better).text


def _scores() -> dict:
    return COMPARISON["models"][0]["scores"]["labels"]


def test_doubt_in_labels_shows_the_reference_only_where_there_is_one():
    row = {
        "code": 211,
        "name": "Arable & more",
        "pixels": 5000,
        "right": 0.761,
        "labelled_as_itself": 0.9,
        "really_right": None,
    }
    found = NoiseReport({"mean_confidence": 0.7, "classes": [row], "notes": ["<i>note"]})
    page = page_of(found)
    assert "76.1 %" in page.text and "Arable & more" in page.text and "<i>note" in page.text
    assert "by the reference" not in page.text
    known = NoiseReport({**found, "classes": [{**row, "really_right": 0.785}]})
    assert "78.5 %" in page_of(known).text


def test_an_assessment_shows_areas_with_intervals():
    of_class = {
        "name": "Water",
        "users_accuracy": 0.9,
        "producers_accuracy": None,
        "n_reference": 12,
        "mapped_ha": 10.0,
        "area_ha": 12.5,
        "area_ha_ci95": [9.0, 16.0],
    }
    fields = {
        "title": "forest",
        "overall_accuracy": 0.9,
        "overall_accuracy_ci95": [0.8, 1.0],
        "n_units": 50,
        "per_class": {"512": of_class},
    }
    page = page_of(AssessmentReport(fields))
    for text in ("512 Water", "90.0 %", "12.5", "9.0–16.0", "50 reference units"):
        assert text in page.text


def test_a_change_shows_what_became_what(tmp_path):
    fields = {
        "before": "2021",
        "after": "2022",
        "unit": "ha",
        "headline": "Of 400 ha, 8 ha changed.",
        "classes": [{"code": 211, "name": "Arable"}, {"code": 231, "name": "Pasture"}],
        "transitions": [
            {"from": 211, "to": 231, "mapped": 7.0, "area": 6.0, "area_ci95": [5.0, 8.0]},
            {"from": 231, "to": 211, "mapped": 0.0, "area": 1.0, "area_ci95": [0.0, 2.0]},
        ],
    }
    page = page_of(ChangeReport(fields, tmp_path))
    assert "211 Arable → 231 Pasture" in page.text and "5.0–8.0" in page.text
    assert "231 Pasture → 211" not in page.text and page.pictures == []
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(tmp_path / "change.png")
    assert page_of(ChangeReport(fields, tmp_path)).pictures == ["before, after, change"]
