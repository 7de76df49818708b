"""The interactive map of notebooks: layers, legend, and a page that fetches nothing."""

from __future__ import annotations

import base64
import io
import re
import shutil
import sys

import numpy as np
import pytest
import rasterio
from PIL import Image

import landcover as lc
from landcover.errors import InputError, MissingDependency, MissingProduct
from landcover.files.legends import legend_of
from landcover.legend import LandClass, Legend
from landcover.service import assets
from tests.conftest import utm_grid
from tests.fixtures.serving import needs_javascript, write_run

pytest.importorskip("folium")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
ELSEWHERE = re.compile(r"""(?:src|href)=["']?https?:""")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("interactive") / "run", cnn=False)


def page_of(shown: object) -> str:
    return lc.interactive_map(shown).get_root().render()  # type: ignore[arg-type]


def pictures_of(page: str) -> list[np.ndarray]:
    found = re.findall(r'"data:image/png;base64,([\w+/=]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def test_a_run_has_a_layer_of_each_raster_and_one_legend(run):
    page = page_of(run)
    assert '"True colour"' in page and '"Labels"' in page
    legend = legend_of(run.labels)
    assert all(page.count(f"{c.code} {c.name}</div>") == 1 for c in legend.classes)


def test_classes_have_their_colours_and_lie_where_they_are(tmp_path):
    grid, legend = utm_grid(30, 40), Legend((LandClass(1, "A {{ b }} <i>", (250, 10, 20)),))
    codes = np.ones((1, 30, 40), np.uint16)
    codes[:, :, :20] = 0
    lc.write(tmp_path / "map.tif", codes, grid, ["class"], nodata=0, legend=legend)
    page = page_of({"A map": tmp_path / "map.tif"})
    [picture] = pictures_of(page)
    shown = picture[picture[..., 3] > 0]
    assert (shown == [250, 10, 20, 255]).all() and 0.4 < len(shown) / picture[..., 0].size < 0.6
    assert "1 A {{ b }} &lt;i&gt;" in page
    bounds = [float(v) for v in re.findall(r"\[\[([\d.]+), ([\d.]+)\], \[", page)[0]]
    assert bounds == pytest.approx([52.31, 12.06], abs=0.02)


def test_a_large_raster_is_thinned(tmp_path):
    lc.write(tmp_path / "one.tif", np.ones((1, 40, 2000)), utm_grid(40, 2000), ["depth"])
    [picture] = pictures_of(page_of({"depth": tmp_path / "one.tif"}))
    assert max(picture.shape) <= 1200


def test_a_raster_whose_band_has_no_name_is_shown(tmp_path):
    """As of a band file that is opened beside a run."""
    grid = utm_grid(30, 40)
    values = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (30, 1))
    with rasterio.open(
        tmp_path / "B02.tif", "w", driver="GTiff", height=30, width=40, count=1, dtype="float32",
        crs=grid.crs, transform=grid.transform,
    ) as file:  # fmt: skip
        file.write(values, 1)
    [picture] = pictures_of(page_of({"blue": tmp_path / "B02.tif"}))
    grey = picture[picture.shape[0] // 2, :, 0].astype(int)
    assert (picture[..., 0] == picture[..., 2]).all() and np.ptp(grey) > 200


def test_a_raster_that_lies_nowhere_is_said_to(tmp_path):
    with rasterio.open(
        tmp_path / "photo.tif", "w", driver="GTiff", height=3, width=4, count=1, dtype="uint8"
    ) as file:
        file.write(np.ones((3, 4), np.uint8), 1)
    with pytest.raises(InputError, match=r"photo.tif.*(CRS|reference system)"):
        lc.interactive_map({"a": tmp_path / "photo.tif"})


def test_a_raster_without_a_title_is_no_run(run):
    with pytest.raises(InputError, match=r"labels.tif is a file and no run; .*{'labels': '.*tif'}"):
        lc.interactive_map(run.labels)


def test_what_is_not_there_is_named(tmp_path, run):
    with pytest.raises(MissingProduct, match=r"does not exist; (make it with|check the path)"):
        lc.interactive_map(tmp_path)
    with pytest.raises(MissingProduct, match=r"none.tif does not exist; check the path of 'a'"):
        lc.interactive_map({"a": tmp_path / "none.tif"})
    with pytest.raises(InputError, match="no raster was given"):
        lc.interactive_map({})


def test_without_folium_the_remedy_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "folium", None)
    with pytest.raises(MissingDependency, match=r"pip install 'landcover\[notebooks\]'"):
        lc.interactive_map(run)


def test_without_leaflet_the_page_takes_it_from_a_server(run, monkeypatch):
    monkeypatch.setattr(assets, "missing", lambda: list(assets.VENDOR))
    assert ELSEWHERE.search(page_of(run))


@needs_javascript
def test_the_page_names_no_server(run):
    assert not ELSEWHERE.search(page_of(run))


@needs_javascript
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install it as chromium")
def test_a_browser_shows_the_map_and_asks_nobody(run, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    (tmp_path / "page.html").write_text(lc.interactive_map(run)._repr_html_(), "utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page, asked, wrong = browser.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        frame = page.frame_locator("iframe")
        frame.get_by_text("Labels", exact=True).click()
        playwright.expect(frame.locator(".leaflet-image-layer")).to_be_visible()
        browser.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


def test_one_code_of_two_legends_stands_for_both_classes(tmp_path):
    """As of maps of two levels: 5 is water at one and something else at another."""
    grid = utm_grid(30, 40)
    for name, colour in (("Water", (0, 0, 255)), ("Ports", (90, 90, 90))):
        legend = Legend((LandClass(5, name, colour),))
        codes = np.full((1, 30, 40), 5, np.uint16)
        lc.write(tmp_path / f"{name}.tif", codes, grid, ["class"], nodata=0, legend=legend)
    page = page_of({name: tmp_path / f"{name}.tif" for name in ("Water", "Ports")})
    assert page.count("5 Water</div>") == page.count("5 Ports</div>") == 1
