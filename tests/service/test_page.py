"""The page in a browser: drop an image, read the answer, swipe two maps against each other."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from pyproj import Transformer

from landcover.files import rasters
from landcover.files.class_rasters import write_classes
from landcover.service.state import load
from tests.fixtures.map_models import LEGEND
from tests.fixtures.sequence_runs import DAYS, write_sequence_run
from tests.fixtures.sequence_runs import LEGEND as OF_DATES
from tests.fixtures.serving import LIMITS, needs_javascript, picture, serving, state_of, write_run

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine: install it as chromium", allow_module_level=True)
pytestmark = needs_javascript

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Drops a file as a person does; a browser driver can only fill in the file field.
DROP = """([id, name, type, bytes]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], name, { type }));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.getElementById(id).dispatchEvent(
      new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
  }
}"""

#: Animations begin with the next frame, and ask for tiles at their end; those fade in when they are
#: there, and until then are hidden with an opacity of 1.
NEXT_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
TILES_SHOWN = """() => {
  const tiles = [...document.querySelectorAll(".leaflet-tile")];
  return !document.querySelector(".leaflet-zoom-anim, .leaflet-pan-anim")
    && tiles.length > 0 && tiles.every((tile) => tile.matches(".leaflet-tile-loaded")
      && getComputedStyle(tile).opacity === "1");
}"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("page") / "run", cnn=False)


@pytest.fixture(scope="module")
def url(run):
    with serving(state_of(run)) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=CHROMIUM, headless=True,
            args=FLAGS, viewport={"width": 1280, "height": 900},
        )  # fmt: skip
        yield context
        context.close()


@pytest.fixture
def page(browser, run, url):
    """The page, loaded; in the end nothing must have been asked of others or gone wrong."""
    page, wrong = browser.new_page(), []
    page.on("request", lambda request: wrong.append(request.url) if _elsewhere(request, url) else 0)
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else 0)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    playwright.expect(page).to_have_title(f"landcover: {run.path.name}")  # set as parts are shown
    yield page
    page.close()
    # Refusals are shown to the person; the browser notes them too
    assert [text for text in wrong if not re.search("status of (422|503)", text)] == []


def _elsewhere(request, url):
    return not request.url.startswith((f"{url}/", f"blob:{url}", "data:"))


def drop(page, content, name="field.png", kind="image/png"):
    page.evaluate(DROP, ["drop", name, kind, list(content)])


def bars(page):
    return [
        (item.locator("span").first.inner_text(), item.locator(".value").inner_text())
        for item in page.locator("#bars li").all()
    ]


def test_drop_an_image_and_read_its_class(page, tmp_path):
    drop(page, picture((10, 180, 60)))
    page.wait_for_selector("#answer:visible")
    assert not page.locator("#no-classifier").is_visible()
    assert page.inner_text("#type") == "Green"
    assert [name for name, _ in bars(page)] == ["Green", "Blue", "Red"]
    assert bars(page)[0][1] == page.inner_text("#share") == "72.0 %"
    widths = [bar.bounding_box()["width"] for bar in page.locator("#bars i").all()]
    assert widths == sorted(widths, reverse=True) and widths[0] > 10 * widths[-1]
    assert page.locator("#preview").is_visible()
    page.screenshot(path=tmp_path / "dropped.png")


def test_choose_another_image_with_the_keyboards_file_field(page, tmp_path):
    for name, rgb in (("Red", (200, 30, 10)), ("Blue", (0, 20, 90))):
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(picture(rgb, "JPEG"))
        page.set_input_files("#file", path)
        playwright.expect(page.locator("#type")).to_have_text(name)
    page.focus("#file")
    assert page.evaluate("document.activeElement.id") == "file"


def test_what_is_no_image_is_told_and_the_next_image_works(page):
    drop(page, b"just words", "notes.txt", "text/plain")
    page.wait_for_selector("#problem:visible")
    assert "no JPEG, PNG or GeoTIFF" in page.inner_text("#problem")
    assert not page.locator("#answer").is_visible()
    drop(page, picture((200, 30, 10)))
    page.wait_for_selector("#answer:visible")
    assert page.inner_text("#type") == "Red"
    assert not page.locator("#problem").is_visible()


@pytest.mark.parametrize(
    ("status", "kind", "body", "said"),
    [
        (503, "text/plain", "Service Unavailable", "gave 503 Service Unavailable; try again"),
        (200, "application/json", '{"Type": "Gre', "gave an answer that broke off; try again"),
        (503, "application/json", '{"detail": "too late"}', "too late"),
    ],
)
def test_an_answer_that_is_none_is_told_in_words(page, status, kind, body, said):
    broken = {"status": status, "content_type": kind, "body": body}
    page.route("**/classify", lambda route: route.fulfill(**broken), times=1)
    drop(page, picture((10, 180, 60)))
    page.wait_for_selector("#problem:visible")
    assert said in page.inner_text("#problem")
    drop(page, picture((10, 180, 60)))
    page.wait_for_selector("#answer:visible")


def test_a_name_is_shown_as_text(page):
    drop(page, b"x", "<img src=x onerror=alert(1)>.png")
    page.wait_for_selector("#problem:visible")
    assert page.inner_text("#hint") == "<img src=x onerror=alert(1)>.png"


def pixels_of(page):
    """What the map shows, (rows, cols, 3), without the divider's handle and the tags."""
    page.evaluate(NEXT_FRAMES)
    page.wait_for_function(TILES_SHOWN)
    shot = page.locator("#frame").screenshot()
    return np.array(Picture.open(io.BytesIO(shot)).convert("RGB"))


def share_of(pixels, colours):
    flat = pixels.reshape(-1, 3).astype(int)
    return np.mean([np.abs(flat - colour).max(axis=1) <= 2 for colour in colours], axis=1).sum()


COLOURS = [np.array(c.colour) for c in LEGEND.classes]


def test_swipe_two_layers_with_the_mouse_and_with_keys(page, tmp_path):
    page.select_option("#left", "scene")
    page.select_option("#right", "labels")
    middle = pixels_of(page)
    width = middle.shape[1]
    assert share_of(middle[:, : width // 2 - 30], COLOURS) < 0.02
    assert share_of(middle[:, width // 2 + 30 :], COLOURS) > 0.4
    page.locator("#frame").screenshot(path=tmp_path / "middle.png")

    box = page.locator("#frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 40, steps=5)
    page.mouse.up()
    divider = page.locator("#divider")
    assert divider.get_attribute("aria-valuenow") == "25"
    dragged = pixels_of(page)
    assert share_of(dragged[:, width * 3 // 10 : width // 2 - 30], COLOURS) > 0.2
    page.locator("#frame").screenshot(path=tmp_path / "dragged.png")

    divider.focus()
    page.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "27"
    page.keyboard.press("End")
    assert divider.get_attribute("aria-valuetext") == "100 % True colour, 0 % Labels"
    assert share_of(pixels_of(page)[:, : width - 60], COLOURS) < 0.02
    page.keyboard.press("Home")
    assert share_of(pixels_of(page), COLOURS) > 0.4


def test_the_divider_stays_while_the_map_moves(page):
    page.select_option("#left", "scene")
    page.select_option("#right", "labels")
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 260, steps=5)
    page.mouse.up()
    page.locator(".leaflet-control-zoom-in").click()
    moved = pixels_of(page)
    width = moved.shape[1]
    assert share_of(moved[:, : width // 2 - 30], COLOURS) < 0.02
    assert share_of(moved[:, width // 2 + 30 :], COLOURS) > 0.4


def test_opacity_mixes_classes_with_the_scene(page):
    page.select_option("#left", "labels")
    page.select_option("#right", "map-random-forest")
    assert share_of(pixels_of(page), COLOURS) > 0.4
    page.locator("#opacity").fill("40")
    assert page.inner_text("#percent") == "40 %"
    mixed = pixels_of(page)
    assert share_of(mixed, COLOURS) < 0.1
    page.locator("#opacity").fill("100")
    assert share_of(pixels_of(page), COLOURS) > 0.4


def test_the_class_under_the_pointer_is_that_of_the_raster(page, run):
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5 + 40, box["y"] + box["height"] * 0.6)
    playwright.expect(page.locator("#place")).to_contain_text("°")
    lat, lon = (float(part.split("°")[0]) for part in page.inner_text("#place").split(", "))
    grid = rasters.grid_of(run.scene)
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True).transform(lon, lat)
    row, col = grid.rowcol(x, y)
    code = int(rasters.read_classes(run.labels)[row, col])
    shown = page.locator("#reading tr").first.locator("td").all_inner_texts()
    assert shown[0] == "Labels"
    assert shown[1] == LEGEND[code].name


def test_the_class_under_the_pointer_is_read_on_after_an_answer_that_broke_off(page):
    broken = {"content_type": "application/json", "body": '{"lon": 15.1, "la'}
    page.route("**/point*", lambda route: route.fulfill(**broken), times=1)
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6
    with page.expect_response("**/point*"):
        page.mouse.move(x + 40, y)
    page.mouse.move(x + 50, y)
    playwright.expect(page.locator("#place")).to_contain_text("°")


def test_the_class_under_the_ring_is_read_with_keys_alone(page):
    page.focus("#map")
    page.keyboard.press("ArrowRight")
    playwright.expect(page.locator("#place")).to_contain_text("°")
    assert (
        page.evaluate("getComputedStyle(document.getElementById('map'), '::after').width") == "18px"
    )
    first = page.inner_text("#place")
    page.keyboard.press("ArrowDown")
    playwright.expect(page.locator("#place")).not_to_have_text(first)


def test_the_legend_is_that_of_the_layers_shown(page):
    page.select_option("#left", "scene")
    page.select_option("#right", "labels")
    assert page.locator("#legend li").all_inner_texts() == list(LEGEND.names)
    page.select_option("#right", "scene")
    assert page.locator("#legend li").count() == 0


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_fits_its_window(page, width, tmp_path):
    page.set_viewport_size({"width": width, "height": 900})
    drop(page, picture((10, 180, 60)))
    page.wait_for_selector("#answer:visible")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in ("#drop", "#frame", "#legend", "#reading"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    page.screenshot(path=tmp_path / f"page-{width}.png", full_page=True)


def test_the_openapi_page_needs_nobody_else(page, url, tmp_path):
    page.goto(f"{url}/docs")
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock").count() == 6
    page.screenshot(path=Path(tmp_path) / "docs.png")


def test_a_page_without_a_classifier_says_so_and_shows_maps(browser, run, tmp_path):
    with serving(load(run, None, LIMITS)) as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_load_state("networkidle")
        said = page.locator("#no-classifier")
        assert said.is_visible() and "--classifier MODEL_FOLDER" in said.inner_text()
        assert not page.locator("#classify").is_visible()
        assert page.locator("#compare").is_visible()
        page.screenshot(path=tmp_path / "without.png")
        page.close()


@pytest.fixture(scope="module")
def of_dates(tmp_path_factory):
    """The address of a run of six dates with a map of two of them."""
    run = write_sequence_run(tmp_path_factory.mktemp("dates") / "year", 160, 200, cloud=0.3)
    codes, grid = rasters.read_classes(run.reference), rasters.grid_of(run.scene)
    write_classes(run.map("ltae@20220520.20220625"), codes, grid, OF_DATES)
    run.record("map ltae@20220520.20220625", {"dates": list(DAYS[1:3])})
    with serving(load(run, None, LIMITS)) as address:
        yield address


def test_the_slider_goes_through_the_dates(browser, of_dates, tmp_path):
    page, wrong = browser.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(of_dates)
    slider = page.locator("#date")
    playwright.expect(slider).to_be_visible()
    assert slider.get_attribute("max") == "5"
    before = pixels_of(page)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#day") == DAYS[1] == slider.get_attribute("aria-valuetext")
    assert page.locator("#left").input_value() == f"date-{DAYS[1]}"
    assert "read by:" in page.inner_text("#of-day")
    assert (pixels_of(page) != before).any(axis=2).mean() > 0.02
    page.keyboard.press("End")
    assert page.inner_text("#left-tag") == f"True colour, {DAYS[5]}"
    assert page.inner_text("#of-day") == ""
    page.select_option("#left", "scene")
    page.select_option("#right", f"date-{DAYS[2]}")
    assert page.inner_text("#day") == DAYS[2]
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#right").input_value() == f"date-{DAYS[3]}"
    assert page.locator("#left").input_value() == "scene"
    pixels_of(page)
    page.screenshot(path=tmp_path / "dates.png", full_page=True)
    page.set_viewport_size({"width": 400, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.close()
    assert wrong == []


def test_a_run_of_one_date_has_no_slider(page):
    assert not page.locator("#dates").is_visible()
